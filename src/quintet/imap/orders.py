"""SORT's orders, kept: a message never changes, so neither does its place among the others (RFC 5256 3).

For each folder and list of criteria that somebody asked for, all numbers in their order, 4 bytes a
message, shared by the sessions of a process.  A subset is the order with the others left out; new
messages are put in where they belong.
"""

from __future__ import annotations

import asyncio
import heapq
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from quintet.store import entries, seen
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.imap.find_commands import Criterion
    from quintet.message.collation import Collation
    from quintet.store.db import Tx
    from quintet.store.model import FolderId
    from quintet.store.store import Store

FEW = 200  # messages sorted by themselves; new ones put into an order one by one
CHUNK = 2000  # keys sorted at once: 2 ms without letting go of the interpreter
PAGE = 20_000  # messages read in one snapshot
MAX_KEPT = 32 * 1024 * 1024  # bytes of all orders of a process; the least used go first
MAX_MISSES = 50  # messages met that are gone: then the order is made anew

Row = tuple[Any, ...]
Key = Any  # an int, or a tuple that ends with the number: comparable with its like

_COLUMNS: dict[bytes, tuple[str, ...]] = {
    b"ARRIVAL": ("received_at",),
    b"CC": ("cc_mailbox",),
    b"DATE": ("sent_at", "received_at"),
    b"DISPLAYFROM": ("from_display",),  # RFC 5957 3
    b"DISPLAYTO": ("to_display",),
    b"FROM": ("from_mailbox",),
    b"MODSEQ": ("modseq",),
    b"SIZE": ("size",),
    b"SUBJECT": ("base_subject",),
    b"TO": ("to_mailbox",),
}
_NUMBERS = frozenset((b"ARRIVAL", b"DATE", b"MODSEQ", b"SIZE", b"RELEVANCY", b"UID"))
_FLEETING = frozenset((b"RELEVANCY", b"ANNOTATION", b"MODSEQ"))
_MIRRORED = bytes(range(255, -1, -1))


@dataclass(frozen=True, slots=True)
class Plan:
    """How the keys of messages are made for some criteria."""

    criteria: tuple[Criterion, ...]
    comparator: Collation
    scores: dict[int, int] | None = None  # by UID, for RELEVANCY
    remarks: dict[Criterion, dict[int, bytes]] | None = None  # keys by UID, for ANNOTATION
    marks: seen.Log | None = None  # the reader's own, for MODSEQ

    @property
    def fleeting(self) -> bool:
        """The order is not one of what never changes."""
        return any(one.name in _FLEETING for one in self.criteria)

    @property
    def columns(self) -> tuple[str, ...]:
        return ("uid", *dict.fromkeys(name for one in self.criteria for name in _COLUMNS.get(one.name, ())))

    def keys(self, rows: list[Row]) -> list[Key]:
        """A key for each row with `columns`; equal ones go by number (RFC 5256 3)."""
        if not rows:
            return []
        by_name = dict(zip(self.columns, zip(*rows, strict=True), strict=True))
        uids = by_name["uid"]
        made = [list(self._of(one, by_name)) for one in self.criteria]
        if len(made) == 1 and self.criteria[0].name in _NUMBERS:
            return [(value << 32) | uid for value, uid in zip(made[0], uids, strict=True)]
        return list(zip(*made, uids, strict=True))

    def _of(self, one: Criterion, by_name: Mapping[str, Sequence[Any]]) -> Iterable[Any]:
        if one.name == b"RELEVANCY":  # RFC 6203 6: the best comes first
            scores = self.scores or {}
            values: list[int] = [-scores.get(uid, 0) for uid in by_name["uid"]]
        elif one.name == b"UID":
            values = list(by_name["uid"])
        elif one.name == b"MODSEQ" and self.marks:
            pairs = zip(by_name["uid"], by_name["modseq"], strict=True)
            values = [seen.modseq_of(self.marks, uid, modseq) for uid, modseq in pairs]
        elif one.name == b"DATE":
            values = [
                received if sent is None else sent
                for sent, received in zip(by_name["sent_at"], by_name["received_at"], strict=True)
            ]
        elif one.name in _NUMBERS:
            values = list(by_name[_COLUMNS[one.name][0]])
        else:
            keys: Iterable[bytes]
            if one.name == b"ANNOTATION":  # RFC 5257 4.9; no value comes before all others
                known = (self.remarks or {}).get(one, {})
                keys = [known.get(uid, b"") for uid in by_name["uid"]]
            else:
                keys = map(self.comparator.key, by_name[_COLUMNS[one.name][0]])
            # mirrored octets, with an end that is above all of them, turn the order around
            return [key.translate(_MIRRORED) + b"\xff" for key in keys] if one.reverse else keys
        return [-value for value in values] if one.reverse else values


def uid_of(key: Key) -> int:
    return int(key & 0xFFFFFFFF) if isinstance(key, int) else int(key[-1])


class Order:
    """All messages of a folder up to a number."""

    __slots__ = ("_text", "uids", "upto")

    def __init__(self, uids: array[int], upto: int) -> None:
        self.uids = uids
        self.upto = upto
        self._text: bytes | None = None

    def is_of(self, uids: Sequence[int]) -> bool:
        """True if it orders exactly ``uids``, which were found after it was made.

        Numbers only go up, so up to ``upto`` an order has all that were there then, and all that still are.
        """
        return len(self.uids) == len(uids) and self.upto >= uids[-1]

    @property
    def written(self) -> bool:
        return self._text is not None

    @property
    def size(self) -> int:
        """Bytes."""
        return 4 * len(self.uids) + len(self._text or b"")

    def text(self) -> bytes:
        """The numbers as an answer lists them, each after a space; written once."""
        if self._text is None:
            self._text = b"".join(
                f" {' '.join(map(str, self.uids[at : at + PAGE]))}".encode("ascii")
                for at in range(0, len(self.uids), PAGE)
            )
        return self._text


class Orders:
    """The orders that a process keeps."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[tuple[Any, ...], Order] = OrderedDict()
        self._building = asyncio.Lock()  # one at a time: it needs memory for the keys

    def known(self, folder_id: FolderId, plan: Plan) -> Order | None:
        """What is kept now; ask before a search, so that the order has all that the search can find."""
        return self._kept.get((folder_id, plan.criteria, plan.comparator.name))

    async def sort(self, folder_id: FolderId, uids: Sequence[int], plan: Plan) -> array[int]:
        """``uids`` in order; those that are gone are left out."""
        if len(uids) <= FEW or plan.fleeting:
            pages = [uids[at : at + PAGE] for at in range(0, len(uids), PAGE)]
            keys = [await self._store.read(_keys_of, folder_id, page, plan) for page in pages]
            return await asyncio.to_thread(_merged, keys)
        order = await self._order(folder_id, plan, uids[-1])
        return await asyncio.to_thread(_chosen, order.uids, uids)

    async def _order(self, folder_id: FolderId, plan: Plan, upto: int) -> Order:
        name = (folder_id, plan.criteria, plan.comparator.name)
        kept = self._kept.get(name)
        if kept is not None and kept.upto >= upto:
            self._kept.move_to_end(name)
            return kept
        async with self._building:
            kept = self._kept.get(name)  # somebody else may have been here
            if kept is not None and kept.upto < upto:
                kept = await self._store.read(_extended, folder_id, plan, kept)
            if kept is None or kept.upto < upto:
                kept = await self._build(folder_id, plan)
        self._keep(name, kept)
        return kept

    async def _build(self, folder_id: FolderId, plan: Plan) -> Order:
        chunks: list[list[Key]] = []
        after = 0
        while True:
            page, last = await self._store.read(_page, folder_id, plan, after)
            if not last:
                break
            chunks += page
            after = last
        return Order(await asyncio.to_thread(_merged, chunks), after)

    def _keep(self, name: tuple[Any, ...], order: Order) -> None:
        self._kept[name] = order
        self._kept.move_to_end(name)
        self.trim()

    def trim(self) -> None:
        """Lets the least used go; also after a text was written."""
        total = sum(one.size for one in self._kept.values())
        while total > MAX_KEPT and len(self._kept) > 1:
            total -= self._kept.popitem(last=False)[1].size


def _page(tx: Tx, folder_id: FolderId, plan: Plan, after: int) -> tuple[list[list[Key]], int]:
    """Sorted keys of the next messages, and the last number of them; 0 at the end."""
    chunks: list[list[Key]] = []
    last = 0
    for _ in range(PAGE // CHUNK):
        rows = entries.lines(tx, folder_id, after + 1, 1 << 40, CHUNK, plan.columns)
        if not rows:
            break
        after = last = rows[-1][0]
        chunks.append(sorted(plan.keys(rows)))
    return chunks, last


def _keys_of(tx: Tx, folder_id: FolderId, uids: Sequence[int], plan: Plan) -> list[Key]:
    return sorted(plan.keys(entries.lines_of(tx, folder_id, uids, plan.columns)))


def _merged(chunks: list[list[Key]]) -> array[int]:
    """The numbers of all; takes the keys away, some at a time: to free 100,000 holds everybody for 15 ms."""
    keys: Iterator[Key] | list[Key] = chunks[0] if len(chunks) == 1 else heapq.merge(*chunks)
    uids = array("I", map(uid_of, keys))
    del keys
    while chunks:
        chunks.pop()
    return uids


def _chosen(order: array[int], uids: Sequence[int]) -> array[int]:
    wanted = set(uids)
    return array("I", [uid for uid in order if uid in wanted])


def _extended(tx: Tx, folder_id: FolderId, plan: Plan, kept: Order) -> Order | None:
    """With what has come since; None where that is too much to put in one by one."""
    rows = entries.lines(tx, folder_id, kept.upto + 1, 1 << 40, FEW + 1, plan.columns)
    if len(rows) > FEW:
        return None
    uids = kept.uids[:]  # somebody may be reading the old one
    misses = 0

    def key_at(at: int) -> tuple[int, Key | None]:
        """The key at or behind a place, passing over what is gone."""
        nonlocal misses
        while at < len(uids):
            found = entries.lines(tx, folder_id, uids[at], uids[at], 1, plan.columns)
            if found:
                return at, plan.keys(found)[0]
            misses += 1
            if misses > MAX_MISSES:
                break
            at += 1
        return at, None

    for key in plan.keys(rows):
        low, high = 0, len(uids)
        while low < high:
            middle = (low + high) // 2
            at, there = key_at(middle)
            if misses > MAX_MISSES:
                return None
            if there is not None and there < key:
                low = at + 1
            else:
                high = middle
        uids.insert(low, uid_of(key))
    return Order(uids, rows[-1][0] if rows else kept.upto)
