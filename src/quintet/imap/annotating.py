"""ANNOTATION of FETCH: what is told of the annotations of a page of messages (RFC 5257 4.3, 4.4).

Values come in snapshots of about a megabyte: a page ends earlier where its messages have more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from quintet.errors import BadSyntax
from quintet.imap import format as fmt
from quintet.imap.annotation_values import Asked, is_pattern, matcher, part_of
from quintet.message import section
from quintet.store import entries
from quintet.store import entry_annotations as remarks

if TYPE_CHECKING:
    from quintet.imap.commands import Item
    from quintet.store.db import Tx
    from quintet.store.model import AccountId, FolderId

MAX_PAGE = 1 << 20  # bytes of values read together, but of one message at least
EFFORT = 5000  # entries looked for in the messages of a page: about five milliseconds

Values = dict[str, dict[bool, bytes]]  # by name; by False (private) and True (shared)


class Reading:
    """What one FETCH asks of annotations; remembers which parts it met (RFC 5257 3.2.1)."""

    def __init__(self, items: Iterable[Item], reader: AccountId, *, utf8: bool) -> None:
        self._asked = [item.asked for item in items if item.asked is not None]
        self._reader, self._utf8 = reader, utf8
        paths = {part_of(entry) for asked in self._asked for entry in asked.entries if not is_pattern(entry)}
        self._missing = paths - {()}  # parts that no message had
        self._parts = bool(self._missing)
        self._named = any(not is_pattern(entry) for asked in self._asked for entry in asked.entries)
        self._most = max(EFFORT // max(sum(len(asked.entries) for asked in self._asked), 1), 1)
        self._met = False

    def cut(self, tx: Tx, folder_id: FolderId, uids: Sequence[int]) -> int:
        """How many of ``uids`` make a page."""
        total = 0
        places = {uid: at for at, uid in enumerate(uids)}
        for uid, size in remarks.sizes(tx, folder_id, uids, self._reader):
            total += size
            if total > MAX_PAGE and places[uid]:
                return min(places[uid], self._most)
        return min(len(uids), self._most)

    def texts(self, tx: Tx, folder_id: FolderId, uids: Sequence[int]) -> dict[int, bytes]:
        """``ANNOTATION (...)`` by UID; nothing of a message of which there is nothing to tell."""
        self._met = self._met or bool(uids)
        digests = entries.digests(tx, folder_id, uids) if self._parts and uids else {}
        found: dict[int, Values] = {}
        rows = remarks.live(tx, folder_id, uids, self._reader) if uids else []
        for uid, group in groupby(rows, key=lambda row: row[0]):
            values = found[uid] = {}
            for _, name, whose, value in group:
                values.setdefault(name, {})[whose == remarks.SHARED] = value
        made = {}
        for uid in uids if self._named else found:
            digest = digests.get(uid)  # type: ignore[call-overload]  # a number is a number

            def has(path: tuple[int, ...], digest: Any = digest) -> bool:
                there = not path or (digest is not None and section.part(digest, path) is not None)
                if there:
                    self._missing.discard(path)
                return there

            told = [
                text for asked in self._asked if (text := _told(asked, found.get(uid, {}), has, self._utf8))
            ]
            if told:
                made[uid] = b" ".join(told)
        return made

    def check(self) -> None:
        """Raises BadSyntax: a part was asked for that no message has (RFC 5257 3.2.1)."""
        if self._missing and self._met:
            raise BadSyntax("no message has that part")


def _told(asked: Asked, values: Values, has: Callable[[tuple[int, ...]], bool], utf8: bool) -> bytes:
    names: dict[str, None] = {}
    kinds = {shared for _, shared in asked.attributes}
    for entry in asked.entries:
        if not is_pattern(entry):
            if has(part_of(entry)):
                names[entry] = None
            continue
        matches = matcher(entry)
        names.update(
            dict.fromkeys(name for name, of in values.items() if kinds & of.keys() and matches(name))
        )
    if not names:
        return b""
    each = [b"%b (%b)" % (fmt.astring(name.encode("ascii")), _pairs(asked, values.get(name, {}), utf8))
            for name in names]  # fmt: skip
    return b"ANNOTATION (%b)" % b" ".join(each)


def _pairs(asked: Asked, of: dict[bool, bytes], utf8: bool) -> bytes:
    """RFC 5257 4.4: NIL and "0" where there is nothing."""
    told = []
    for name, shared in asked.attributes:
        value = of.get(shared)
        text = fmt.octets(value, utf8=utf8) if name == "value" else b'"%d"' % len(value or b"")
        told.append(b"%b.%b %b" % (name.encode("ascii"), b"shared" if shared else b"priv", text))
    return b" ".join(told)


def joined(lines: list[bytes], uids: Iterable[int], texts: dict[int, bytes]) -> list[bytes]:
    """FETCH lines, whole or without their end, with what is told of annotations."""
    return [_with(line, texts[uid]) if uid in texts else line for line, uid in zip(lines, uids, strict=True)]


def _with(line: bytes, text: bytes) -> bytes:
    end = b")\r\n" if line.endswith(b")\r\n") else b""
    head = line.removesuffix(b")\r\n")
    return head + (b"" if head.endswith(b"(") else b" ") + text + end


def changed(names: Iterable[str]) -> bytes:
    """``ANNOTATION (/comment)``: what changed, without values (RFC 5257 4.4)."""
    return b"ANNOTATION (%b)" % b" ".join([fmt.astring(name.encode("ascii")) for name in names])
