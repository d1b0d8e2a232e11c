"""Positions and rows in tables, by the rules of MS-OXNSPI 3.1.4 and 3.1.4.5.  Pure: over a view.

Functions choose entries and say what the state is afterwards; `rows` makes what a client sees of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from typing import Final

from quintet.mapi.errors import Code, MapiError
from quintet.mapi.nspi import codepages, collate, consts, containers, properties
from quintet.mapi.nspi import view as views
from quintet.mapi.nspi.contacts import Shelf
from quintet.mapi.nspi.containers import Container
from quintet.mapi.nspi.entries import Entry
from quintet.mapi.nspi.messages import Stat, Table, Tagged, Tags
from quintet.mapi.nspi.properties import House
from quintet.values import dataclass

MAX_ROWS: Final = 1000  # of one answer; a client asks for the rest (R918)
MAX_COLUMNS: Final = 500  # R896: more is excessive
SEEK_ROWS: Final = 50  # R1695: that come with a seek
_NAME: Final = consts.of("DisplayName") >> 16

DEFAULT_COLUMNS: Final = tuple(map(consts.of, (
    "AddressBookContainerId", "ObjectType", "DisplayType", "DisplayName", "PrimaryTelephoneNumber",
    "DepartmentName", "OfficeLocation",
)))  # fmt: skip
"""R1627: what a row has when nobody says what it should have."""


@dataclass(frozen=True, slots=True)
class Look:
    """The address book as one session sees it; ``shelves`` are contact folders by their containers' ids.

    Whoever may read a contact folder sees all that is in it.
    """

    view: views.View
    eyes: views.Eyes
    shelves: Mapping[int, Shelf] = field(default_factory=dict)

    def entry(self, mid: int) -> Entry | None:
        return self.view.by_mid(mid, self.eyes) or self._on_shelves(lambda view: view.by_mid(mid))

    def by_dn(self, dn: str) -> Entry | None:
        return self.view.by_dn(dn, self.eyes) or self._on_shelves(lambda view: view.by_dn(dn))

    def by_entry_id(self, raw: bytes) -> Entry | None:
        found = self.view.by_entry_id(raw, self.eyes)
        return found or self._on_shelves(lambda view: view.by_entry_id(raw))

    def _on_shelves(self, ask: Callable[[views.View], Entry | None]) -> Entry | None:
        return next((found for one in self.shelves.values() if (found := ask(one.view))), None)

    def container(self, mid: int) -> Container | None:
        """None for the global address list too: as an object, 0 is none."""
        shelf = self.shelves.get(mid)
        return shelf.container if shelf else containers.BY_MID.get(mid) if mid else None

    def table(self, container: int, sort: int) -> views.Table | None:
        shelf = self.shelves.get(container)
        return shelf.view.table(container, sort) if shelf else self.view.table(container, sort, self.eyes)

    def is_made(self, container: int, sort: int) -> bool:
        """As `View.is_made`."""
        shelf = self.shelves.get(container)
        if shelf is not None:
            return shelf.view.is_made(container, sort)
        return self.view.is_made(container, sort, self.eyes)

    def resolve(self, text: str, container: int, most: int = views.MAX_MATCHES) -> list[Entry]:
        shelf = self.shelves.get(container)
        if shelf is not None:
            return shelf.view.resolve(text, views.EVERYTHING, container, most)
        return self.view.resolve(text, self.eyes, container, most)


def table_of(look: Look, stat: Stat) -> views.Table:
    """The table that a state is about.

    Raises MapiError(INVALID_BOOKMARK): no such container (R789, R882, R948, R1033...), (GENERAL_FAILURE): no
    such order.
    """
    found = look.table(stat.container, stat.sort)
    if found is None:
        raise MapiError(Code.INVALID_BOOKMARK)
    if stat.sort not in consts.SORTS:
        raise MapiError(Code.GENERAL_FAILURE)
    return found


def _start(look: Look, table: views.Table, stat: Stat) -> int:
    """The position before ``delta``.  Raises MapiError(NOT_FOUND): the object is not in the table (R792)."""
    if stat.current == consts.BEGINNING:
        return 0
    if stat.current == consts.END:
        return len(table)
    if stat.current == consts.CURRENT:  # fractional (3.1.4.5.2)
        return min(len(table) * stat.position // stat.total, len(table)) if stat.total else 0
    entry = look.entry(stat.current)
    at = table.position(entry) if entry is not None else None
    if at is None:
        raise MapiError(Code.NOT_FOUND)
    return at


def _at(table: views.Table, stat: Stat, at: int) -> Stat:
    """The state that says a position; one row past the last is the end of the table (R554, R1704)."""
    current = table.rows[at].mid if at < len(table) else consts.END
    return replace(stat, current=current, delta=0, position=at, total=len(table))


def update(look: Look, stat: Stat) -> tuple[Stat, int]:
    """NspiUpdateStat (3.1.4.1.4): the new state, and the rows that were really moved."""
    table = table_of(look, stat)
    start = _start(look, table, stat)
    at = min(max(start + stat.delta, 0), len(table))
    return _at(table, stat, at), at - start


def query(look: Look, stat: Stat, explicit: Sequence[int], count: int) -> tuple[list[Entry | None], Stat]:
    """NspiQueryRows (3.1.4.1.8): entries from a position on, or those that a client names.

    One that a client names and that is not there is None: a row without values (R985).
    """
    if explicit:
        return [look.entry(mid) for mid in explicit[: min(count, MAX_ROWS)]], stat
    table = table_of(look, stat)
    at = min(max(_start(look, table, stat) + stat.delta, 0), len(table))
    found: list[Entry | None] = list(table.rows[at : at + min(count, MAX_ROWS)])
    return found, _at(table, stat, at + len(found))


def seek(look: Look, stat: Stat, target: Tagged | None, explicit: Sequence[int] | None) -> Stat:
    """NspiSeekEntries (3.1.4.1.9): the first row whose name is equal to the target or greater.

    Raises MapiError(NOT_FOUND): there is none; (GENERAL_FAILURE): not by names.
    """
    table = table_of(look, stat)
    if stat.sort != consts.BY_NAME or target is None or target[0] >> 16 != _NAME:
        raise MapiError(Code.GENERAL_FAILURE)  # R1039, R1043
    text = text_of(target, stat.code_page)
    if explicit is None:
        at = table.seek(text)
        if at == len(table):
            raise MapiError(Code.NOT_FOUND)
        return replace(stat, current=table.rows[at].mid, position=at, total=len(table))
    image = collate.image(text)
    for at, mid in enumerate(explicit):
        entry = look.entry(mid)
        if entry is not None and collate.image(entry.name) >= image:
            return replace(stat, current=mid, position=at, total=len(explicit))
    raise MapiError(Code.NOT_FOUND)


def text_of(value: Tagged, page: int) -> str:
    """Text of either width (R464).  Raises MapiError(GENERAL_FAILURE): it is no text."""
    if isinstance(value[1], bytes) and properties.width(value[0], True) != value[0]:
        return codepages.decode(value[1], page)
    if not isinstance(value[1], str):
        raise MapiError(Code.GENERAL_FAILURE)
    return value[1]


def compare(look: Look, stat: Stat, first: int, second: int) -> int:
    """NspiCompareMIds (3.1.4.1.12): below, equal or above 0 as the first stands before the second."""
    table = table_of(look, stat)
    places = []
    for mid in (first, second):
        entry = look.entry(mid)
        at = table.position(entry) if entry is not None else None
        if at is None:
            raise MapiError(Code.GENERAL_FAILURE)  # R1234
        places.append(at)
    return (places[0] > places[1]) - (places[0] < places[1])


def resort(look: Look, stat: Stat, mids: Sequence[int]) -> tuple[list[int], Stat]:
    """NspiResortRestriction (3.1.4.1.11): those that are there, in order.

    By name or by how it sounds; Exchange before 2013 knew the first alone (R1194).
    """
    if stat.sort not in (consts.BY_NAME, consts.BY_PHONETIC_NAME):
        raise MapiError(Code.GENERAL_FAILURE)
    found = [entry for mid in mids if (entry := look.entry(mid)) is not None]
    found.sort(key=views.by_phonetic if stat.sort == consts.BY_PHONETIC_NAME else views.by_name)
    sorted_mids = [entry.mid for entry in found]
    if stat.current in sorted_mids:
        return sorted_mids, replace(stat, position=sorted_mids.index(stat.current), total=len(found))
    return sorted_mids, replace(stat, current=consts.BEGINNING, position=0, total=len(found))


def checked(columns: Tags | None, page: int) -> Tags:
    """The columns of a row.  Raises MapiError(TABLE_TOO_BIG): excessively many (R896)."""
    if columns is None:
        return tuple([properties.width(tag, page == consts.CP_UNICODE) for tag in DEFAULT_COLUMNS])
    if len(columns) > MAX_COLUMNS:
        raise MapiError(Code.TABLE_TOO_BIG)
    return columns


def rows(found: Sequence[Entry | None], columns: Tags, house: House, page: int, flags: int) -> Table:
    """What a client sees of entries."""
    made = properties.compiled(columns, page, bool(flags & consts.EPHEMERAL_IDS))
    return Table(columns, tuple([properties.row(entry, house, made) for entry in found]))
