"""Fuzz target: any bytes as each structure of MAPI; BadSyntax may come out; what is read can be written."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from quintet.errors import BadSyntax
from quintet.mapi import (
    entrylists,
    frame,
    ids,
    idset,
    lzxpress,
    recipients,
    restrict,
    rows,
    rtf,
    rules,
    types,
)
from quintet.mapi.buffer import Reader, Writer

_COLUMNS = [recipients.DISPLAY_NAME]
_ACTIONS = [
    rules.Action(rules.Op.REPLY, rules.Template(ids.ShortId(1, 2), ids.ShortId(1, 3), uuid.UUID(int=5))),
    rules.Action(rules.Op.MOVE, rules.Target(b"folder", b"store")),
    rules.Action(rules.Op.FORWARD, (((0x3001001F, "Zoe"),),)),
    rules.Action(rules.Op.TAG, (0x00170003, 2)),
    rules.Action(rules.Op.DELETE),
]
_FOLDER = ids.LongId(uuid.UUID(int=1), 2)


def _seed(which: int, put: Callable[..., None], *values: Any) -> bytes:
    writer = Writer()
    put(writer, *values)
    return bytes((which,)) + writer.done()


SEEDS: list[bytes] = [
    _seed(0, restrict.put, restrict.And((restrict.Exist(0x0037001F), restrict.Not(restrict.Exist(1))))),
    _seed(0, restrict.put, restrict.Property(restrict.Relation.EQUAL, 0x0037001F, (0x0037001F, "x"))),
    _seed(1, types.put_tagged, 0x101F101F, ["one", "two"]),
    _seed(2, rows.put_sort_order, rows.SortOrder((rows.Key(0x0037001F, rows.Order.ASCENDING),), 1, 1)),
    _seed(3, idset.put_globset, [(1, 3), (5, 5), (7, 9), (300, 90000)]),
    b"\4" + ids.write(ids.MessageEntry(uuid.UUID(int=3), ids.PRIVATE_MESSAGE, _FOLDER, _FOLDER)),
    b"\4" + ids.write(ids.OneOffEntry(ids.UNICODE, "Zoe", "SMTP", "zoe@example.org")),
    b"\5" + frame.wrap([b"property" * 300, b"x"], obfuscate=True),
    b"\6" + rtf.compress(b"{\\rtf1\\ansi hello hello hello}"),
    b"\7" + lzxpress.compress(b"abc" * 100),
    _seed(8, types.put_name, types.Named(uuid.UUID(int=4), "Keywords")),
    _seed(9, recipients.put, recipients.Row(recipients.Address.SMTP, name="Zoe", email="z@x"), ()),
    _seed(9, recipients.put, recipients.Row(recipients.Address.X500, x500="/o=x", values=("Zoe",)), _COLUMNS),
    _seed(10, entrylists.put_list, [b"abc", b"d"]),
    b"\x0b" + entrylists.write_flat_list([b"abc", b"d"]),
    _seed(12, rules.put, _ACTIONS),
    b"\x0d" + rules.write_actions({0x8001: types.Named(uuid.UUID(int=4), 5)}, _ACTIONS[1:]),
    b"\x0e" + rules.write_condition({}, restrict.Exist(0x0037001F)),
]


def _same(get: Callable[[Reader], Any], put: Callable[..., None]) -> Callable[[bytes], None]:
    """What is read is written as something that reads the same."""

    def check(raw: bytes) -> None:
        found = get(Reader(raw))
        writer = Writer()
        put(writer, found)
        assert repr(get(Reader(writer.done()))) == repr(found)  # repr: NaN is itself there

    return check


def _entry(raw: bytes) -> None:
    found = ids.read(raw)
    assert ids.read(ids.write(found)) == found


def _tagged(writer: Writer, found: tuple[int, Any]) -> None:
    types.put_tagged(writer, *found)


_TARGETS: list[Callable[[bytes], Any]] = [
    _same(restrict.get, restrict.put),
    _same(types.get_tagged, _tagged),
    _same(rows.get_sort_order, rows.put_sort_order),
    _same(idset.get_globset, idset.put_globset),
    _entry,
    frame.unwrap,
    rtf.decompress,
    lambda raw: lzxpress.decompress(raw, 300),
    _same(types.get_name, types.put_name),
    _same(
        lambda reader: recipients.get(reader, _COLUMNS),
        lambda writer, row: recipients.put(writer, row, _COLUMNS),
    ),
    _same(entrylists.get_list, entrylists.put_list),
    entrylists.read_flat_list,
    _same(rules.get, rules.put),
    rules.read_actions,
    rules.read_condition,
]


def target(data: bytes) -> None:
    """The first byte says which structure."""
    if not data:
        return
    try:
        _TARGETS[data[0] % len(_TARGETS)](data[1:])
    except BadSyntax:
        return
