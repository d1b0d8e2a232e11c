"""What of a search the store can answer by itself: keys on flags, dates and sizes as an SQL condition.

A condition is exact, or it lets through more than matches and `matching` looks at the rest.  It is about
the entry's own columns only; for a reader with marks of their own, \\Seen and MODSEQ are not among them.
"""

from __future__ import annotations

from dataclasses import field

from quintet.imap import commands
from quintet.imap import format as fmt
from quintet.imap.annotation_values import is_pattern
from quintet.imap.commands import Compare, When
from quintet.imap.matching import DAY, EPOCH, Context, aged_from
from quintet.store import entry_annotations as remarks
from quintet.store.model import DELETED, SEEN, Folder
from quintet.values import dataclass

MAX_TERMS = 200  # of one condition: SQLite's expressions nest 1000 deep, and each OR is a level
MAX_RANGES = 50  # of one set within a condition

Param = int | str


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL on ``e``; ``exact``: nothing but what matches meets it."""

    sql: str
    params: list[Param] = field(default_factory=list)
    exact: bool = True
    terms: int = 1

    @property
    def pair(self) -> tuple[str, list[Param]]:
        return self.sql, self.params


EVERYTHING = Condition("1 = 1")
_NOTHING = Condition("1 = 0")


def condition(key: commands.Key, context: Context, *, own: bool) -> Condition:
    """The narrowest condition for ``key``; ``own``: the entry's flags are what the reader sees."""
    found = _build(key, context, own)
    if found is None or found.terms > MAX_TERMS:
        return Condition("1 = 1", exact=False)
    return found


def impossible(key: commands.Key, folder: Folder, *, own: bool) -> bool:
    """True if the folder's counts alone show that nothing matches: UNSEEN where all is read."""
    keys = key.keys if isinstance(key, commands.And) else (key,)
    for one in keys:
        match one:
            case commands.Not(commands.HasFlag(bit)) if bit == SEEN and own and not folder.unseen:
                return True
            case commands.HasFlag(bit) if bit == DELETED and not folder.deleted:
                return True
    return not folder.messages


def _build(key: commands.Key, context: Context, own: bool) -> Condition | None:
    match key:
        case commands.Everything():
            return EVERYTHING
        case commands.Nothing():
            return _NOTHING
        case commands.And(keys):
            return _and([_build(one, context, own) for one in keys])
        case commands.Or(left, right):
            return _or(_build(left, context, own), _build(right, context, own))
        case commands.Not(inner):
            found = _build(inner, context, own)
            if found is None or not found.exact:
                return None
            return Condition(f"NOT ({found.sql})", found.params, terms=found.terms + 1)
        case commands.HasFlag(bit):
            return _flag(bit, own)
        case commands.HasKeyword(name) if name.startswith(b"\\"):
            return _flag(fmt.FLAG_BITS.get(name.upper(), 0), own)
        case commands.HasKeyword(name):
            # what both engines know: without it, the text is another one
            return Condition(
                "replace(lower(e.keywords), ?, '') <> lower(e.keywords)",
                [f" {name.decode('ascii').lower()} "],
            )
        case commands.WithRemark(entry, kinds, text) if text is not None:
            return _annotated(entry, kinds, context)
        case _:
            return _compared(key, context, own)


def _and(parts: list[Condition | None]) -> Condition | None:
    known = [part for part in parts if part is not None]
    if not known or sum(part.terms for part in known) > MAX_TERMS:
        return None
    return Condition(
        " AND ".join(f"({part.sql})" for part in known),
        [param for part in known for param in part.params],
        len(known) == len(parts) and all(part.exact for part in known),
        sum(part.terms for part in known),
    )


def _or(left: Condition | None, right: Condition | None) -> Condition | None:
    if left is None or right is None or left.terms + right.terms > MAX_TERMS:
        return None
    return Condition(
        f"({left.sql}) OR ({right.sql})", left.params + right.params, left.exact and right.exact,
        left.terms + right.terms + 1,
    )  # fmt: skip


def _flag(bit: int, own: bool) -> Condition | None:
    return None if bit & SEEN and not own else Condition(f"e.flags & {bit:d} <> 0")


_SIGNS = {Compare.BELOW: "<", Compare.ABOVE: ">", Compare.FROM: ">="}


def _compared(key: commands.Key, context: Context, own: bool) -> Condition | None:
    match key:
        case commands.Sized(compare, size):
            return Condition(f"e.size {_SIGNS[compare]} ?", [size])
        case commands.ChangedFrom(modseq) if own:
            return Condition("e.modseq >= ?", [modseq])
        case commands.Aged(older, seconds):
            border = aged_from(seconds, context.now)
            if older:
                return Condition("e.received_at < ?", [border + 1000])
            return Condition("e.received_at >= ?", [border])
        case commands.Dated(when, compare, day) if when is not When.SENT:
            column = "e.saved_at" if when is When.SAVED else "e.received_at"
            start = (day.toordinal() - EPOCH) * DAY
            if compare is Compare.EQUAL:
                return Condition(f"{column} >= ? AND {column} < ?", [start, start + DAY])
            return Condition(f"{column} {_SIGNS[compare]} ?", [start])
        case commands.Numbered(numbers, uid):
            return _numbered(context.ranges(numbers, uid))
        case _:
            return None


def _annotated(entry: str, kinds: tuple[bool, ...], context: Context) -> Condition:
    """An entry with any such value; whether it holds the text is for `matching`."""
    readers = [remarks.SHARED if shared else context.account for shared in kinds]
    sql = (
        "EXISTS (SELECT 1 FROM entry_annotation a WHERE a.folder_id = e.folder_id AND a.uid = e.uid"
        " AND a.reader_id IN (?, ?) AND a.value IS NOT NULL"
    )
    params: list[Param] = [readers[0], readers[-1]]
    if not is_pattern(entry):
        sql, params = f"{sql} AND a.name = ?", [*params, entry]
    return Condition(f"{sql})", params, exact=False, terms=2)


def _numbered(ranges: list[tuple[int, int]]) -> Condition | None:
    if len(ranges) > MAX_RANGES:
        return None
    if not ranges:
        return _NOTHING
    return Condition(
        " OR ".join("e.uid BETWEEN ? AND ?" for _ in ranges), [end for pair in ranges for end in pair],
        terms=len(ranges),
    )  # fmt: skip
