"""The address book of a server, by NSPI over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

from quintet.errors import BadSyntax, Hangup
from quintet.mapi import ids, pr
from quintet.mapi.bag import Bag, Key
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.http.channel import Channel, ChannelError
from quintet.mapi.http.client import Line
from quintet.mapi.nspi import consts, names
from quintet.mapi.nspi.client import Client
from quintet.mapi.providers import base, listing
from quintet.mapi.providers.base import Can, EntryId, Rows, Thing
from quintet.mapi.providers.wire.link import meaning
from quintet.mapi.types import Error, Tag, Value

PAGE = 200  # entries in one request
_ROOT: Final = 0xFF  # no container has this number
MEMBER: Final[Tag] = 0x8009000D  # PidTagAddressBookMember
CONTAINER_ID: Final[Tag] = 0xFFFD0003
PARENT: Final[Tag] = 0xFFFC0102
_GROUPS: Final = (consts.DT_DISTLIST,)
_TOLD: Final = (pr.ENTRYID, pr.ADDRTYPE, pr.EMAIL_ADDRESS, pr.SMTP_ADDRESS, pr.SEARCH_KEY)
T = TypeVar("T")


class WireBook(base.AddressBook):
    """One session; it is bound anew when it was lost."""

    can = Can.GROUPS

    def __init__(self, line: Line) -> None:
        self._line = line
        self._lock = threading.RLock()
        self._bound: Client | None = None
        self._tables: list[dict[Tag, Value]] | None = None
        self.name = "Address Book"
        self.uid = ids.ADDRESS_BOOK.bytes_le
        self.root = names.permanent(consts.DT_CONTAINER, names.of_container(_ROOT))

    def _call(self, work: Callable[[Client], T]) -> T:
        """Does something, once more over a new session where the old one was lost: it changes nothing."""
        with self._lock:
            for last in (False, True):
                try:
                    if self._bound is None:
                        client = Client(Channel(self._line.post).ask)
                        client.bind()
                        self._bound = client
                    return work(self._bound)
                except (ChannelError, Hangup, BadSyntax) as error:
                    self._bound = None
                    self._line.close()
                    if last or isinstance(error, BadSyntax):
                        raise meaning(error) from error
        raise AssertionError("the second try returns or raises")

    # --- containers -----------------------------------------------------------------------------------

    def _containers(self) -> list[dict[Tag, Value]]:
        if self._tables is None:
            self._tables = self._call(lambda client: client.get_special_table())
        return self._tables

    def _container(self, entry: EntryId) -> dict[Tag, Value] | None:
        return next((row for row in self._containers() if row.get(pr.ENTRYID) == entry), None)

    def containers(self, parent: EntryId) -> Rows:
        if parent != self.root and self._container(parent) is None:
            raise MapiError(Code.NOT_FOUND)
        wanted = b"" if parent == self.root else parent
        below = [row for row in self._containers() if (row.get(PARENT) or b"") == wanted]
        return listing.BagRows({row[pr.ENTRYID]: _container_bag(row) for row in below})

    def first(self) -> EntryId:
        """The global address list, which comes first (MS-OXNSPI 3.1.4.1.3)."""
        found: EntryId = self._containers()[0][pr.ENTRYID]
        return found

    # --- entries --------------------------------------------------------------------------------------

    def entries(self, container: EntryId) -> Rows:
        if container == self.root:
            return listing.BagRows({})
        row = self._container(container)
        if row is None:
            raise MapiError(Code.NOT_FOUND)
        return _EntryRows(self, int(row.get(CONTAINER_ID) or 0))

    def listed(self, number: int) -> list[EntryId]:
        """The ids of a container's entries."""
        rows = self._call(lambda client: list(client.entries((pr.ENTRYID,), _unsigned(number))))
        return [row[pr.ENTRYID] for row in rows if row.get(pr.ENTRYID)]

    def bags(self, entries: Sequence[EntryId], tags: Sequence[Tag]) -> list[Bag | None]:
        """Some properties of entries; None for one that is not there."""
        found: list[Bag | None] = []
        for start in range(0, len(entries), PAGE):
            part = entries[start : start + PAGE]
            found += self._call(lambda client, part=part: _page(client, part, tags))  # type: ignore[misc]  # bound at once
        return found

    def load(self, entry: EntryId) -> Bag:
        if entry == self.root:
            flags = consts.AB_SUBCONTAINERS
            kind = int(Thing.CONTAINER)
            return {
                pr.ENTRYID: entry, pr.DISPLAY_NAME: self.name, pr.OBJECT_TYPE: kind, pr.CONTAINER_FLAGS: flags
            }  # fmt: skip
        row = self._container(entry)
        if row is not None:
            return _container_bag(row)

        def work(client: Client) -> dict[Tag, Value]:
            return client.get_props(_mid(client, entry))

        return _entry_bag(self._call(work))

    def members(self, group: EntryId) -> list[EntryId]:
        if self.load(group).get(pr.DISPLAY_TYPE) not in _GROUPS:
            raise MapiError(Code.INVALID_OBJECT)

        def work(client: Client) -> list[EntryId]:
            return _ids(client.linked(_mid(client, group), MEMBER, (pr.ENTRYID,)))

        return self._call(work)

    def resolve(self, text: str, container: EntryId | None = None) -> list[EntryId]:
        wanted = text.strip()
        place = self.first() if container is None else container
        row = self._container(place)
        if row is None and place != self.root:
            raise MapiError(Code.NOT_FOUND)
        if row is None or not wanted:
            return []
        number = _unsigned(int(row.get(CONTAINER_ID) or 0))

        def work(client: Client) -> list[EntryId]:
            if number == 0:
                try:
                    return _ids(client.resolve([wanted], (pr.ENTRYID,)))
                except MapiError as error:
                    if error.code != Code.AMBIGUOUS_RECIPIENT:
                        raise
            return _ids(client.search(wanted, (pr.ENTRYID,), listing.MAX_FOUND, number))

        try:
            return self._call(work)
        except MapiError as error:
            if error.code != Code.TABLE_TOO_BIG:
                raise
        return listing.resolve(self.entries(place), wanted)  # the first ones of so many

    def close(self) -> None:
        with self._lock:
            if self._bound is not None:
                try:
                    self._bound.unbind()
                except (ChannelError, Hangup, BadSyntax, MapiError):
                    pass  # the session ends by itself
                self._bound = None
        self._line.close()


class _EntryRows:
    """The entries of a container."""

    def __init__(self, book: WireBook, number: int) -> None:
        self._book, self._number = book, number

    def ids(self) -> Sequence[EntryId]:
        return self._book.listed(self._number)

    def values(self, ids: Sequence[EntryId], keys: Sequence[Key]) -> list[list[Value | None]]:
        tags = tuple(dict.fromkeys((*[key for key in keys if isinstance(key, int)], *_TOLD)))
        nothing: Bag = {}
        return [[(bag or nothing).get(key) for key in keys] for bag in self._book.bags(ids, tags)]


def _ids(rows: Iterable[Mapping[Tag, Value] | None]) -> list[EntryId]:
    return [row[pr.ENTRYID] for row in rows if row is not None and row.get(pr.ENTRYID)]


def _unsigned(number: int) -> int:
    return number & 0xFFFFFFFF


def _dn(entry: EntryId) -> str:
    """Raises MapiError(NOT_FOUND): not of this book."""
    found = names.read_or_none(entry)
    if not isinstance(found, str) or not found:
        raise MapiError(Code.NOT_FOUND)
    return found


def _mid(client: Client, entry: EntryId) -> int:
    (found,) = client.dn_to_mids([_dn(entry)])
    if not found:
        raise MapiError(Code.NOT_FOUND)
    return found


def _page(client: Client, entries: Sequence[EntryId], tags: Sequence[Tag]) -> list[Bag | None]:
    dns = [names.read_or_none(one) for one in entries]
    mids = client.dn_to_mids([one if isinstance(one, str) else "/" for one in dns])
    there = [mid for mid in mids if mid]
    rows: dict[int, Bag] = {}
    if there:
        table = client.query_rows(client.state, len(there), tags, there).table
        for mid, row in zip(there, table.rows if table is not None else (), strict=False):
            values = zip(tags, row, strict=True)
            rows[mid] = _entry_bag(
                {tag: one for tag, one in values if one is not None and not isinstance(one, Error)}
            )
    return [rows.get(mid) for mid in mids]


def _entry_bag(found: Mapping[Tag, Value]) -> Bag:
    """As programs want it: an address that mail goes to, and keys of its own."""
    bag: Bag = {}
    bag.update(found.items())
    entry, address = bag.get(pr.ENTRYID), bag.get(pr.SMTP_ADDRESS)
    if entry is not None:
        bag[pr.INSTANCE_KEY] = bag[pr.RECORD_KEY] = entry
    if address:
        bag |= {pr.ADDRTYPE: "SMTP", pr.EMAIL_ADDRESS: address}
        bag[pr.SEARCH_KEY] = f"SMTP:{address}".upper().encode() + b"\0"
    return bag


def _container_bag(row: Mapping[Tag, Value]) -> Bag:
    bag: Bag = {pr.INSTANCE_KEY: row[pr.ENTRYID], pr.RECORD_KEY: row[pr.ENTRYID]}
    bag.update(row.items())
    bag[pr.OBJECT_TYPE] = int(Thing.CONTAINER)
    return bag
