"""Header fields that are searched, kept side by side: looking for a text in them is one pass over bytes.

A message never changes, so neither does what its fields say.  For each folder and field that somebody
searched, the images of all values, one after the other, shared by the sessions of a process; new messages are
added behind.  What is gone stays until the whole goes: whoever asks looks whether the messages are there.
"""

from __future__ import annotations

import asyncio
from array import array
from bisect import bisect_right
from collections import OrderedDict
from typing import TYPE_CHECKING

from quintet.imap import matching, sets
from quintet.message import words
from quintet.store import entries

if TYPE_CHECKING:
    from quintet.message.collation import Collation
    from quintet.store.db import Tx
    from quintet.store.model import FolderId
    from quintet.store.store import Store

MAX_KEPT = 32 * 1024 * 1024  # bytes of all fields of a process; the least used go first
MAX_MESSAGES = 200_000  # of a folder whose fields are kept: they are read once, in 2 s
MAX_LARGE = 1000  # fields that are known to be larger than that
QUICK = 512 * 1024  # bytes that are looked through on the loop thread: 5 ms where every value matches
LOOK = 2  # to look into one message costs as much as to read the field of so many
MAX_LOOKED = 1000  # fields whose looks are counted
PAGE = 1000  # messages read in one stay in a reader thread: 15 ms
_END = b"\xff"  # between values: no octet of UTF-8

Ranges = list[tuple[int, int]]
Name = tuple["FolderId", bytes, str]  # folder, field in lower case, comparator


class Field:
    """One field of a folder's messages up to a number."""

    __slots__ = ("_data", "_starts", "_uids", "upto")

    def __init__(
        self,
        data: bytes = b"",
        starts: array[int] | None = None,
        uids: array[int] | None = None,
        upto: int = 0,
    ) -> None:
        self._data = data
        self._starts = array("I") if starts is None else starts  # where each message's values begin
        self._uids = array("I") if uids is None else uids
        self.upto = upto

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self._data) + 8 * len(self._uids)

    def find(self, text: str) -> list[int]:
        """UIDs of the messages that hold an image, ascending."""
        wanted = _octets(text)
        data, starts, uids = self._data, self._starts, self._uids
        found: list[int] = []
        at = data.find(wanted)
        while at >= 0:
            index = bisect_right(starts, at)
            found.append(uids[index - 1])
            if index == len(starts):
                break
            at = data.find(wanted, starts[index])
        return found

    def extended(self, more: list[tuple[int, bytes]], upto: int) -> Field:
        """With the values of messages that came later; somebody may be reading the old one."""
        starts, uids = self._starts[:], self._uids[:]
        at = len(self._data)
        for uid, values in more:
            starts.append(at)
            uids.append(uid)
            at += len(values)
        return Field(self._data + b"".join([values for _, values in more]), starts, uids, upto)


def _octets(text: str) -> bytes:
    """UTF-8 has each character begin where no other goes on, so octets hold what characters hold."""
    return text.encode("utf-8", "surrogatepass")


class Fields:
    """Those that a process keeps."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[Name, Field] = OrderedDict()
        self._large: dict[Name, None] = {}  # those that would take all the room by themselves
        self._looked: OrderedDict[Name, int] = OrderedDict()  # messages looked into for want of a field
        self._building = asyncio.Lock()  # one at a time

    def has(self, folder_id: FolderId, needle: matching.Needle) -> bool:
        """Whether what ``needle`` is looked for in is kept, perhaps without the newest messages."""
        return self._name(folder_id, needle) in self._kept

    def pays(self, folder_id: FolderId, needle: matching.Needle, looks: int, messages: int) -> bool:
        """Counts looks into single messages; true once they cost what reading the field of all would have.

        Who searches once does not wait for a whole field, and who searches often pays at most twice.
        """
        name = self._name(folder_id, needle)
        looked = self._looked.pop(name, 0) + looks
        if looked * LOOK >= messages:
            return True
        self._looked[name] = looked
        if len(self._looked) > MAX_LOOKED:
            self._looked.popitem(last=False)
        return False

    async def find(
        self, folder_id: FolderId, needle: matching.Needle, upto: int, ranges: Ranges
    ) -> Ranges | None:
        """The messages up to ``upto`` that match in UID ``ranges``; some may be gone.

        None: the field is too large to be kept.
        """
        name = self._name(folder_id, needle)
        kept = self._kept.get(name)
        if name not in self._large and (kept is None or kept.upto < upto):
            async with self._building:
                kept = self._kept.get(name) or Field()
                if kept.upto < upto:  # nobody else was here
                    kept = await self._grown(kept, folder_id, needle, upto)
                    self._keep(name, kept)
        if kept is None or name not in self._kept:
            return None
        self._kept.move_to_end(name)
        if kept.size <= QUICK:
            return _matches(kept, needle.text, ranges)
        return await asyncio.to_thread(_matches, kept, needle.text, ranges)

    async def _grown(self, kept: Field, folder_id: FolderId, needle: matching.Needle, upto: int) -> Field:
        """With the messages up to ``upto``, unless that takes more room than there is."""
        more: list[tuple[int, bytes]] = []
        size, at = kept.size, kept.upto
        while at < upto and size <= MAX_KEPT:
            page, at = await self._store.read(_values, folder_id, needle.field, needle.comparator, at, upto)
            more += page
            size += sum(8 + len(values) for _, values in page)
        return (
            _extended(kept, more, at) if size <= QUICK else await asyncio.to_thread(_extended, kept, more, at)
        )

    def _name(self, folder_id: FolderId, needle: matching.Needle) -> Name:
        return folder_id, needle.field, needle.comparator.name

    def _keep(self, name: Name, field: Field) -> None:
        if field.size > MAX_KEPT:
            self._kept.pop(name, None)
            self._large[name] = None
            if len(self._large) > MAX_LARGE:
                del self._large[next(iter(self._large))]
            return
        self._kept[name] = field
        self._kept.move_to_end(name)
        total = sum(one.size for one in self._kept.values())
        while total > MAX_KEPT:
            total -= self._kept.popitem(last=False)[1].size


def _extended(field: Field, more: list[tuple[int, bytes]], upto: int) -> Field:
    """`Field.extended`; takes the values away, because to free 100,000 would hold the loop."""
    longer = field.extended(more, upto)
    more.clear()
    return longer


def _matches(field: Field, text: str, ranges: Ranges) -> Ranges:
    return sets.intersect(ranges, sets.runs(field.find(text)))


def _values(
    tx: Tx, folder_id: FolderId, field: bytes, comparator: Collation, after: int, upto: int
) -> tuple[list[tuple[int, bytes]], int]:
    """The images of the next messages that have any, by UID; and up to which UID they go."""
    rows = entries.lines(tx, folder_id, after + 1, 1 << 40, PAGE, ("uid", "prefix"))
    digests = entries.digests(tx, folder_id, [uid for uid, _ in rows]) if rows else {}
    made = []
    for uid, prefix in rows:
        digest = digests.get(uid)
        values = matching.values_of(field, prefix, digest)
        if values:
            images = [_octets(comparator.image(words.decode_words(value))) + _END for value in values]
            made.append((uid, b"".join(images)))
    return made, rows[-1][0] if len(rows) == PAGE else max(upto, rows[-1][0] if rows else 0)
