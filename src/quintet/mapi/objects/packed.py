"""Properties, recipients and attachments as bytes: what the store keeps beside the MIME of an item.

A property of a message has a row of its own, so that a table reads single columns; what belongs to recipients
and attachments is read whole.  Everything here is ours: written by us, read by us, so damage is a bug.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from quintet.mapi import types
from quintet.mapi.bag import Attachment, Bag, Data, Item, Key, NamedTag
from quintet.mapi.buffer import Reader, Writer
from quintet.mapi.convert.differences import Change, ChangedAttachment, ChangedRow, Difference
from quintet.mapi.types import Tag, Value

GONE: Final = b""  # stands in a row for a property that the MIME has and the item has not
_PIECE = 1 << 20  # bytes read at once of an attachment's content

T = TypeVar("T")


def value(tag: Tag, one: Value) -> bytes:
    """A value by the type in its tag.  Raises BadSyntax: it is none of that type."""
    writer = Writer(wide=True)
    types.put(writer, types.type_of(tag), one)
    return writer.done()


def of_value(tag: Tag, raw: bytes) -> Value:
    """The inverse of `value`."""
    return types.get(Reader(raw, wide=True), types.type_of(tag))


# --- pieces ---------------------------------------------------------------------------------------


def _put_key(writer: Writer, key: Key) -> int:
    """Writes a property's key; returns its type."""
    if not isinstance(key, NamedTag):
        writer.u8(0)
        writer.u32(key)
        return types.type_of(key)
    writer.u8(1)
    writer.u16(key.kind)
    types.put_name(writer, types.Named(key.guid, key.name))
    return key.kind


def _get_key(reader: Reader) -> tuple[Key, int]:
    if not reader.u8():
        tag = reader.u32()
        return tag, types.type_of(tag)
    kind = reader.u16()
    name = types.get_name(reader)
    assert name is not None
    return NamedTag(name.guid, name.name, kind), kind


def _put_bag(writer: Writer, bag: Bag) -> None:
    writer.u32(len(bag))
    for key, one in bag.items():
        types.put(writer, _put_key(writer, key), one)


def _get_bag(reader: Reader) -> Bag:
    bag: Bag = {}
    for _ in range(reader.u32()):
        key, kind = _get_key(reader)
        bag[key] = types.get(reader, kind)
    return bag


def _put_list(writer: Writer, items: Sequence[T] | None, put: Callable[[Writer, T], object]) -> None:
    """None is not the same as an empty list: 0, or one more than how many."""
    writer.u32(0 if items is None else len(items) + 1)
    for one in items or ():
        put(writer, one)


def _get_list(reader: Reader, get: Callable[[Reader], T]) -> list[T] | None:
    number = reader.u32()
    return [get(reader) for _ in range(number - 1)] if number else None


def _put_change(writer: Writer, change: Change) -> None:
    _put_bag(writer, change.props)
    _put_list(writer, change.gone, _put_key)


def _get_change(reader: Reader) -> Change:
    bag = _get_bag(reader)
    return Change(bag, [key for key, _ in _get_list(reader, _get_key) or ()])


def _put_base(writer: Writer, base: int | None) -> None:
    writer.u32(0 if base is None else base + 1)


def _get_base(reader: Reader) -> int | None:
    number = reader.u32()
    return number - 1 if number else None


def whole(data: bytes | Data) -> bytes:
    """Content of an attachment in one piece."""
    if isinstance(data, bytes):
        return data
    pieces: list[bytes] = []
    at = 0
    while piece := data.read(at, _PIECE):
        pieces.append(piece)
        at += len(piece)
    return b"".join(pieces)


def _put_bytes(writer: Writer, data: bytes) -> None:
    writer.u32(len(data))
    writer.put(data)


# --- recipients and attachments ---------------------------------------------------------------------


def rows(changed: Sequence[ChangedRow]) -> bytes:
    """The recipients that are not as the MIME says."""
    writer = Writer(wide=True)
    _put_list(writer, changed, _put_row)
    return writer.done()


def of_rows(raw: bytes) -> list[ChangedRow]:
    return _get_list(Reader(raw, wide=True), _get_row) or []


def _put_row(writer: Writer, row: ChangedRow) -> None:
    _put_base(writer, row.base)
    _put_change(writer, row.change)


def _get_row(reader: Reader) -> ChangedRow:
    return ChangedRow(_get_base(reader), _get_change(reader))


def attachment(one: ChangedAttachment, *, with_data: bool = False) -> bytes:
    """One attachment that is not as the MIME says; its content is kept apart unless ``with_data``."""
    writer = Writer(wide=True)
    _put_attachment(writer, one, with_data)
    return writer.done()


def of_attachment(raw: bytes) -> ChangedAttachment:
    return _get_attachment(Reader(raw, wide=True))


def _put_attachment(writer: Writer, one: ChangedAttachment, with_data: bool) -> None:
    _put_base(writer, one.base)
    _put_change(writer, one.change)
    _put_list(writer, None if one.item is None else [one.item], _put_item)
    _put_list(writer, None if one.inner is None else [one.inner], _put_difference)
    data = [whole(one.data)] if with_data and one.data is not None else None
    _put_list(writer, data, _put_bytes)


def _get_attachment(reader: Reader) -> ChangedAttachment:
    base, change = _get_base(reader), _get_change(reader)
    item, inner = _get_list(reader, _get_item), _get_list(reader, _get_difference)
    data = _get_list(reader, lambda reader: reader.take(reader.u32()))
    return ChangedAttachment(
        base, change, data[0] if data else None, item[0] if item else None, inner[0] if inner else None
    )


def _put_difference(writer: Writer, one: Difference) -> None:
    _put_change(writer, one.change)
    _put_list(writer, one.recipients, _put_row)
    _put_list(writer, one.attachments, lambda writer, each: _put_attachment(writer, each, True))


def _get_difference(reader: Reader) -> Difference:
    change = _get_change(reader)
    return Difference(change, _get_list(reader, _get_row), _get_list(reader, _get_attachment))


def _put_item(writer: Writer, item: Item) -> None:
    """An embedded message that no MIME holds."""
    _put_bag(writer, item.props)
    _put_list(writer, item.recipients, _put_bag)
    _put_list(writer, item.attachments, _put_whole)


def _get_item(reader: Reader) -> Item:
    bag = _get_bag(reader)
    return Item(bag, _get_list(reader, _get_bag) or [], _get_list(reader, _get_whole) or [])


def _put_whole(writer: Writer, one: Attachment) -> None:
    _put_bag(writer, one.props)
    _put_bytes(writer, b"" if one.item is not None else whole(one.data))
    _put_list(writer, None if one.item is None else [one.item], _put_item)


def _get_whole(reader: Reader) -> Attachment:
    bag, data = _get_bag(reader), reader.take(reader.u32())
    item = _get_list(reader, _get_item)
    return Attachment(bag, data, item[0] if item else None)
