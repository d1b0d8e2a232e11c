"""FETCH lines out of store rows: items are compiled once, then rows are only joined (RFC 9051 7.5.2).

Pure.  ENVELOPE, BODY and BODYSTRUCTURE are ready octets; a page of 500 rows becomes one byte string by
a template and a handful of column operations.  Sections of bodies are `cmd.fetch_bodies`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from quintet.imap import format as fmt
from quintet.imap.commands import Item
from quintet.store.ranges import RangeSet
from quintet.values import dataclass

Row = tuple[Any, ...]  # as the store gives it, in the plan's columns
SEEN = 1


@dataclass(frozen=True, slots=True)
class Overlay:
    """What differs from row to reader: per-reader \\Seen in shared folders, \\Recent."""

    seen: RangeSet | None = None  # UIDs; None: the rows' own flags hold
    recent: Callable[[int], bool] | None = None


PLAINLY = Overlay()
_OWN = frozenset(("uid", "flags", "keywords", "modseq", "received_at", "saved_at", "size", "message_row"))
_Column = Callable[[Sequence[Sequence[Any]], Overlay], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class Plan:
    """How to write one row of a FETCH; made by `compile_items`."""

    columns: tuple[str, ...]  # to ask the store for; "uid" first
    template: bytes  # of "%" formatting: the number, then one place for each of ``makers``
    makers: tuple[_Column, ...]
    bodies: tuple[Item, ...]  # sections that follow, each with its own octets
    flags: bool  # FLAGS are among the items
    seeing: bool  # some section sets \\Seen
    by_uid: bool = False  # UIDFETCH: a row is called by its UID (RFC 9586 3.3)
    remarks: tuple[Item, ...] = ()  # ANNOTATION: put into the lines afterwards (`annotating`)

    @property
    def plain_flags(self) -> bool:
        """``(UID FLAGS)`` and no more, as clients ask for all messages at each start: see `flag_lines`."""
        return self.template == _FLAGS_TEMPLATE

    @property
    def joined(self) -> bool:
        """Its rows hold what is kept with the message."""
        return not _OWN.issuperset(self.columns)

    def lines(self, rows: Sequence[Row], numbers: Sequence[int], overlay: Overlay = PLAINLY) -> list[bytes]:
        """``* n FETCH (...`` a row, complete unless there are `bodies`."""
        if not rows:
            return []
        places = self._places(list(zip(*rows, strict=True)), numbers, overlay)
        return list(map(self.template.__mod__, zip(*places, strict=True)))

    def text(
        self, columns: Sequence[Sequence[Any]], numbers: Sequence[int], overlay: Overlay = PLAINLY
    ) -> bytes:
        """The same of rows that were turned into columns, in one piece.

        The template is read once for all rows, and nothing is made for each.
        """
        places = self._places(columns, numbers, overlay)
        values: list[Any] = [None] * (len(numbers) * len(places))
        for at, place in enumerate(places):
            values[at :: len(places)] = place
        return self.template * len(numbers) % tuple(values)

    def _places(
        self, columns: Sequence[Sequence[Any]], numbers: Sequence[int], overlay: Overlay
    ) -> list[Iterable[Any]]:
        """What stands in each of the template's places, row after row."""
        first = columns[0] if self.by_uid else numbers
        return [first, *(make(columns, overlay) for make in self.makers)]


_FLAGS_TEMPLATE = b"* %d FETCH (UID %d FLAGS (%b))\r\n"
_FLAG_ENDS = {str(bits): f" FLAGS ({text.decode('ascii')}))\r\n" for bits, text in enumerate(fmt.FLAG_TEXT)}


def flag_lines(start: int, uids: list[str], flags: list[str]) -> bytes:
    """``(UID FLAGS)`` of messages from sequence number ``start``; `glance.marks` gives the others.

    The texts are put between each other and joined: nothing is formatted.
    """
    numbers = uids if uids[0] == str(start) and uids[-1] == str(start + len(uids) - 1) else None
    pieces = ["* ", "", " FETCH (UID ", "", ""] * len(uids)
    pieces[1::5] = numbers or map(str, range(start, start + len(uids)))
    pieces[3::5] = uids
    pieces[4::5] = map(_FLAG_ENDS.__getitem__, flags)
    return "".join(pieces).encode("ascii")


@lru_cache(maxsize=64)  # a client asks for the same all day
def compile_items(
    items: tuple[Item, ...],
    *,
    more: tuple[bytes, ...] = (),
    columns: tuple[str, ...] = ("uid",),
    by_uid: bool = False,
) -> Plan:
    """The plan for ``items``, with ``more`` plain ones where they are missing.

    Its rows begin with ``columns``, so that several plans can write the same rows.
    """
    names = [item.name for item in items if item.name in _PLAIN]
    names += [name for name in more if name not in names]
    remarks = tuple(item for item in items if item.asked is not None)
    bodies = tuple(item for item in items if item.name not in _PLAIN and item.asked is None)
    if by_uid and (len(names) > 1 or bodies or remarks):
        names = [name for name in names if name != b"UID"]  # the answer begins with it
    if b"UID" in names:  # first: a client then knows early whom the rest is about
        names.remove(b"UID")
        names.insert(0, b"UID")
    needs = list(columns)
    for name in names:
        needs += [column for column in _PLAIN[name][1] if column not in needs]
    makers = []
    pieces = []
    for name in names:
        text, needed, build = _PLAIN[name]
        pieces.append(text)
        makers.append(build(*(needs.index(column) for column in needed)))
    template = (
        (b"* %d UIDFETCH (" if by_uid else b"* %d FETCH (")
        + b" ".join(pieces)
        + (b"" if bodies else b")\r\n")
    )
    seeing = any(not item.peek for item in bodies)
    return Plan(tuple(needs), template, tuple(makers), bodies, b"FLAGS" in names, seeing, by_uid, remarks)


# --- one function a column ------------------------------------------------------------------------


def _as_is(index: int) -> _Column:
    return lambda columns, _: columns[index]


def _dates(index: int) -> _Column:
    return lambda columns, _: fmt.date_times(columns[index])


def _flags(uid: int, flags: int, keywords: int) -> _Column:
    def make(columns: Sequence[Sequence[Any]], overlay: Overlay) -> Iterable[Any]:
        bits: Iterable[int] = columns[flags]
        if overlay.seen is not None:
            seen = overlay.seen
            bits = [
                (bit | SEEN) if one in seen else (bit & ~SEEN)
                for bit, one in zip(bits, columns[uid], strict=True)
            ]
        if overlay.recent is not None:
            recent = overlay.recent
            return [
                fmt.flags(bit, words.split(), recent=recent(one))
                for bit, words, one in zip(bits, columns[keywords], columns[uid], strict=True)
            ]
        text = fmt.FLAG_TEXT
        if not any(columns[keywords]):
            return map(text.__getitem__, bits)
        return [
            text[bit] if not words else fmt.flags(bit, words.split())
            for bit, words in zip(bits, columns[keywords], strict=True)
        ]

    return make


_PLAIN: dict[bytes, tuple[bytes, tuple[str, ...], Callable[..., _Column]]] = {
    b"UID": (b"UID %d", ("uid",), _as_is),
    b"FLAGS": (b"FLAGS (%b)", ("uid", "flags", "keywords"), _flags),
    b"MODSEQ": (b"MODSEQ (%d)", ("modseq",), _as_is),  # RFC 7162 3.1.4
    b"INTERNALDATE": (b"INTERNALDATE %b", ("received_at",), _dates),
    b"SAVEDATE": (b"SAVEDATE %b", ("saved_at",), _dates),  # RFC 8514 4.2
    b"RFC822.SIZE": (b"RFC822.SIZE %d", ("size",), _as_is),
    b"ENVELOPE": (b"ENVELOPE %b", ("envelope",), _as_is),
    b"BODY": (b"BODY %b", ("body",), _as_is),
    b"BODYSTRUCTURE": (b"BODYSTRUCTURE %b", ("bodystructure",), _as_is),
    b"EMAILID": (b"EMAILID (M%x)", ("message_row",), _as_is),  # RFC 8474 5.1
    b"THREADID": (b"THREADID (T%x)", ("thread_key",), _as_is),  # RFC 8474 5.2
}
