"""NspiGetMatches (MS-OXNSPI 3.1.4.1.10): entries that a restriction matches, or that a property points to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from quintet.mapi import match, restrict, types
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.nspi import codepages, collate, consts, links, properties, tables, view
from quintet.mapi.nspi.entries import Entry
from quintet.mapi.nspi.messages import GetMatches, Stat
from quintet.mapi.nspi.properties import House
from quintet.mapi.nspi.tables import Look
from quintet.mapi.restrict import Restriction
from quintet.mapi.types import Tag, Value

ANR: Final = 0x360C  # PidTagAnr: equal to what a text may mean
MAX_TESTS: Final = 1_000_000  # comparisons of one search, about a second of a thread


def is_long(look: Look, stat: Stat, wanted: Restriction) -> bool:
    """More is compared than should be on the loop."""
    table = look.table(stat.container, stat.sort)
    return table is not None and len(table) * _terms(wanted) > view.LITTLE


def restricted(look: Look, stat: Stat, wanted: Restriction, most: int, house: House) -> list[Entry]:
    """Entries of a table that match, in the table's order.

    Raises MapiError(TABLE_TOO_BIG): more than ``most`` (R1149); (TOO_COMPLEX): R1125.
    """
    if stat.sort not in (consts.BY_NAME, consts.BY_PHONETIC_NAME):
        raise MapiError(Code.GENERAL_FAILURE)
    table = tables.table_of(look, stat)
    texts, rest = _names_apart(widened(wanted, stat.code_page))
    rows = table.rows
    for text in texts:
        meant = {entry.mid for entry in look.resolve(text, stat.container)}
        rows = [entry for entry in rows if entry.mid in meant]
    if rest is not None and _terms(rest) * len(rows) > MAX_TESTS:
        raise MapiError(Code.TOO_COMPLEX)
    found: list[Entry] = []
    for entry in _matching(rows, rest, house) if rest is not None else rows:
        if len(found) >= most:
            raise MapiError(Code.TABLE_TOO_BIG)
        found.append(entry)
    return found


def _matching(rows: Iterable[Entry], wanted: Restriction, house: House) -> Iterable[Entry]:
    matcher = match.compiled(wanted, _keys)
    getters = [_getter(key) for key in matcher.keys]
    left = matcher.limit
    for entry in rows:
        if left == 0:
            return
        if matcher.test([getter(entry, house) for getter in getters], match.no_parts):
            left = None if left is None else left - 1
            yield entry


def _keys(tag: Tag) -> Callable[[Value], Value]:
    """By what values compare: as text of tables does (3.1.4.3.5.1), or natively narrow text (3.1.4.3.5.2)."""
    return _narrow_key if tag >> 16 in properties.NARROW else _wide_key


def _wide_key(value: Value) -> Value:
    if isinstance(value, str):
        return collate.image(value)
    return [_wide_key(one) for one in value] if isinstance(value, list) else match.key_of(value)


def _narrow_key(value: Value) -> Value:
    """Of 8-bit text the shorter is the lesser (R488); without case where they are equally long (R485).

    What is natively narrow here is ASCII.
    """
    if not isinstance(value, str):
        return match.key_of(value)
    raw = value.encode("ascii", "replace")
    return len(raw), raw.lower()


def _getter(key: Tag) -> properties.Getter:
    native, getter = properties.PROPERTIES.get(key >> 16, (0, None))
    if getter is None or properties.width(native, True) != key:
        return lambda entry, house: None
    return getter


def _names_apart(wanted: Restriction) -> tuple[list[str], Restriction | None]:
    """Texts to resolve, which must all mean an entry, and what else it must match."""
    if isinstance(wanted, restrict.And):
        parts = [_names_apart(part) for part in wanted.parts]
        rest = tuple([part for _, part in parts if part is not None])
        return [text for texts, _ in parts for text in texts], restrict.And(rest) if rest else None
    if isinstance(wanted, restrict.Property | restrict.Content) and wanted.tag >> 16 == ANR:
        if not isinstance(wanted.value[1], str):
            raise MapiError(Code.INVALID_PARAMETER)
        return [wanted.value[1]], None
    if isinstance(wanted, restrict.Or | restrict.Not) and _asks_for_names(wanted):
        raise MapiError(Code.TOO_COMPLEX)
    return [], wanted


def _terms(wanted: Restriction) -> int:
    """Simple restrictions within one."""
    if isinstance(wanted, restrict.And | restrict.Or):
        return 1 + sum(map(_terms, wanted.parts))
    part = getattr(wanted, "part", None)
    return 1 + (_terms(part) if part is not None else 0)


def _asks_for_names(wanted: Restriction) -> bool:
    if isinstance(wanted, restrict.And | restrict.Or):
        return any(map(_asks_for_names, wanted.parts))
    if isinstance(wanted, restrict.Not):
        return _asks_for_names(wanted.part)
    return isinstance(wanted, restrict.Property | restrict.Content) and wanted.tag >> 16 == ANR


def widened(wanted: Restriction, page: int) -> Restriction:
    """A restriction whose texts are Unicode (R464).  Raises MapiError(TOO_COMPLEX): of parts of messages."""
    if isinstance(wanted, restrict.And):
        return restrict.And(tuple([widened(part, page) for part in wanted.parts]))
    if isinstance(wanted, restrict.Or):
        return restrict.Or(tuple([widened(part, page) for part in wanted.parts]))
    if isinstance(wanted, restrict.Not):
        return restrict.Not(widened(wanted.part, page))
    if isinstance(wanted, restrict.SubObject):
        raise MapiError(Code.TOO_COMPLEX)
    if isinstance(wanted, restrict.Count):
        return replace(wanted, part=widened(wanted.part, page))
    if isinstance(wanted, restrict.Comment):
        return replace(wanted, part=None if wanted.part is None else widened(wanted.part, page))
    if isinstance(wanted, restrict.Content | restrict.Property):
        tag, value = wanted.value
        if value is None:
            raise MapiError(Code.INVALID_PARAMETER)
        return replace(
            wanted,
            tag=properties.width(wanted.tag, True),
            value=(properties.width(tag, True), _wide(tag, value, page)),
        )
    return wanted


def _wide(tag: Tag, value: Value, page: int) -> Value:
    if types.type_of(tag) == types.STRING8:
        return codepages.decode(value, page)
    if types.type_of(tag) == types.MULTIPLE | types.STRING8:
        return [codepages.decode(one or b"", page) for one in value]
    return value


def pointed(look: Look, request: GetMatches, stat: Stat) -> tuple[Entry, int]:
    """The entry and the property whose table is asked for, when there is no restriction.

    Raises MapiError(GENERAL_FAILURE): no such object (R1138); (NOT_SUPPORTED): that property points to no
    entries (R1140), or cannot be changed (R1139).
    """
    entry = look.entry(stat.current)
    if entry is None:
        raise MapiError(Code.GENERAL_FAILURE)
    # R1134, R1135: the id of a named property, or a tag where a container stands otherwise
    number = request.property[1] if request.property is not None else stat.container >> 16
    if number not in links.READERS:
        raise MapiError(Code.NOT_SUPPORTED)
    if stat.sort == consts.BY_NAME_WRITABLE and number not in links.CHANGES:
        raise MapiError(Code.NOT_SUPPORTED)
    return entry, number


def located(look: Look, known: Sequence[str], most: int) -> list[Entry]:
    """The entries behind what a link holds, in order of their names (R1144, R1145)."""
    found = {entry.mid: entry for name in known if (entry := links.entry_of(look, name)) is not None}
    if len(found) > most:
        raise MapiError(Code.TABLE_TOO_BIG)
    return sorted(found.values(), key=view.by_name)
