"""/mapi/nspi: the nineteen request types of the address book (MS-OXCMAPIHTTP 2.2.5).

A session is who bound it: everything else a client sends with each request.  What is bounded is answered on
the loop; long listings and searches are made in a thread, over the same view.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Final, ParamSpec, TypeVar

from quintet.auth.identity import Identity
from quintet.config.address_book import AddressBook
from quintet.errors import Refused
from quintet.mapi.errors import Code, MapiError, of_problem
from quintet.mapi.http.endpoint import Opened
from quintet.mapi.nspi import (
    bodies,
    changes,
    codepages,
    consts,
    contacts,
    containers,
    entries,
    links,
    names,
    objects,
    properties,
    search,
    tables,
)
from quintet.mapi.nspi import messages as m
from quintet.mapi.nspi.directory import Directory
from quintet.mapi.nspi.entries import Entry
from quintet.mapi.nspi.properties import House
from quintet.mapi.nspi.tables import Look
from quintet.mapi.nspi.view import LITTLE
from quintet.net.seam import Peer
from quintet.store import accounts, directory
from quintet.store.db import Tx
from quintet.store.model import AccountId
from quintet.store.store import Store
from quintet.values import dataclass

P = ParamSpec("P")
T = TypeVar("T")

MANY_CELLS: Final = 2000  # values of one answer that are made on the loop: 3 ms
MANY_NAMES: Final = 20  # that are resolved on the loop

PERMITTED: Final = frozenset((
    Code.GENERAL_FAILURE, Code.NOT_SUPPORTED, Code.INVALID_OBJECT, Code.OUT_OF_RESOURCES, Code.NOT_FOUND,
    Code.LOGON_FAILED, Code.TOO_COMPLEX, Code.INVALID_CODEPAGE, Code.INVALID_LOCALE, Code.TABLE_TOO_BIG,
    Code.INVALID_BOOKMARK, Code.ACCESS_DENIED, Code.OUT_OF_MEMORY, Code.INVALID_PARAMETER,
))  # fmt: skip
"""The errors that NSPI has (MS-OXNSPI 2.2.1.2, R43)."""


@dataclass(frozen=True, slots=True)
class Session:
    """One bound client."""

    identity: Identity


class AddressBookEndpoint:
    """One a process.  ``url`` is the base of the addresses that clients are told."""

    opening = "bind"
    closing = "unbind"
    kinds = frozenset(bodies.REQUESTS) - {"bind", "unbind"}
    waiting: frozenset[str] = frozenset()

    def __init__(
        self, store: Store, config: Callable[[], AddressBook], host: str, url: Callable[[], str]
    ) -> None:
        self._store = store
        self._config = config
        self._host = host
        self._url = url
        self.directory = Directory(store)
        self._shelves = contacts.Shelves()

    async def open(self, identity: Identity, body: bytes, peer: Peer | None = None) -> Opened:
        """NspiBind (3.1.4.1.1).  Raises BadSyntax, TryLater."""
        request: m.Bind = bodies.read_request("bind", body)
        view = await self.directory.view()
        page = request.state.code_page if request.state is not None else consts.CP_UNICODE
        known = page == consts.CP_UNICODE or codepages.is_known(page)  # R680, R696
        error = consts.SUCCESS if known else int(Code.INVALID_CODEPAGE)
        answer = bodies.write_response("bind", m.Bound(error, view.server))
        return Opened(Session(identity) if known else None, answer)

    async def answer(self, state: Any, kind: str, body: bytes) -> bytes:  # Any: a `Session`
        """Raises BadSyntax: a malformed body; TryLater: the store has trouble."""
        request = bodies.read_request(kind, body)
        if kind == self.closing:
            return bodies.write_response(kind, m.Plain(consts.UNBIND_SUCCESS))  # R712
        config = self._config()
        view = await self.directory.view()
        slow = not view.is_ruled(config.hide)
        eyes = await _run(slow, view.eyes, state.identity.name, config.hide, own_domain=config.own_domain)
        try:
            look = await self._wide(Look(view, eyes), state.identity, kind, request)
            await _ready(look, request)
            response = await _HANDLERS[kind](self, look, request)
        except (MapiError, Refused) as error:
            return bodies.write_response(kind, failed(kind, _told(error), request))
        return await _run(_cells(response) > MANY_CELLS, bodies.write_response, kind, response)

    def close(self, state: Any) -> None:
        """Nothing is kept."""

    async def _wide(self, look: Look, identity: Identity, kind: str, request: Any) -> Look:  # the same
        """With the contact folders that are shared with who asks, where what is asked may be of them."""
        if not _asks_elsewhere(look, kind, request):
            return look
        kept = self._shelves.snapshot()
        store, server = self._store, look.view.server
        found = await store.read(contacts.of, identity.account_id, server, kept, store.blobs)
        self._shelves.keep(found)
        return replace(look, shelves={number: shelf for number, (_, shelf) in found.items()})

    # --- tables -------------------------------------------------------------------------------------------

    async def _rows(
        self, look: Look, found: Sequence[Entry | None], columns: m.Tags, page: int, flags: int
    ) -> m.Table:
        house = await self._house(look, found, columns)
        many = len(found) * len(columns) > MANY_CELLS
        return await _run(many, tables.rows, found, columns, house, page, flags)

    async def _house(self, look: Look, found: Sequence[Entry | None], columns: Sequence[int]) -> House:
        """With what a view leaves out, where somebody asks for it."""
        house = House(look.view.server, self._host)
        if not properties.has_large(columns):
            return house
        asked = [AccountId(one.number) for one in found if one is not None and one.is_account]
        large = await self._store.read(directory.large, asked)
        return House(house.server, house.host, {at: entries.read_card(raw) for at, raw in large.items()})

    async def _query_rows(self, look: Look, request: m.QueryRows) -> m.Rows:
        stat = _state(request)
        columns = tables.checked(request.columns, stat.code_page)
        found, after = tables.query(look, stat, request.table, request.count)
        table = await self._rows(look, found, columns, stat.code_page, request.flags)
        return m.Rows(consts.SUCCESS, after, table)

    async def _seek_entries(self, look: Look, request: m.SeekEntries) -> m.Rows:
        many = len(request.table or ()) > LITTLE
        after = await _run(many, tables.seek, look, _state(request), request.target, request.table)
        if request.columns is None:
            return m.Rows(consts.SUCCESS, after)
        columns = tables.checked(request.columns, after.code_page)
        rest = () if request.table is None else request.table[after.position :]
        found, _ = tables.query(look, after, rest, len(rest) or tables.SEEK_ROWS)
        table = await self._rows(look, found, columns, after.code_page, consts.EPHEMERAL_IDS)
        return m.Rows(consts.SUCCESS, after, table)

    async def _update_stat(self, look: Look, request: m.UpdateStat) -> m.Updated:
        after, moved = tables.update(look, _state(request))
        return m.Updated(consts.SUCCESS, after, moved if request.delta_wanted else None)

    async def _compare(self, look: Look, request: m.CompareMinIds) -> m.Compared:
        result = tables.compare(look, _state(request), request.first, request.second)
        return m.Compared(consts.SUCCESS, result)

    async def _resort(self, look: Look, request: m.ResortRestriction) -> m.Resorted:
        given = request.mids or ()
        mids, after = await _run(len(given) > LITTLE, tables.resort, look, _state(request), given)
        return m.Resorted(consts.SUCCESS, after, tuple(mids))

    async def _get_matches(self, look: Look, request: m.GetMatches) -> m.Matched:
        stat = _state(request)
        if request.filter is not None:
            house = House(look.view.server, self._host)
            many = search.is_long(look, stat, request.filter)
            found = await _run(many, search.restricted, look, stat, request.filter, request.most, house)
        else:
            entry, number = search.pointed(look, request, stat)
            held = await self._store.read(links.read, entry, number)
            found = await _run(len(held) > LITTLE, search.located, look, held, request.most)
        after = replace(stat, container=stat.current)  # R1146
        mids = tuple([entry.mid for entry in found])
        if request.columns is None:
            return m.Matched(consts.SUCCESS, after, mids)
        columns = tables.checked(request.columns, stat.code_page)
        shown = found[: tables.MAX_ROWS]
        table = await self._rows(look, shown, columns, stat.code_page, consts.EPHEMERAL_IDS)
        return m.Matched(consts.SUCCESS, after, mids, table)

    # --- objects ------------------------------------------------------------------------------------------

    async def _get_props(self, look: Look, request: m.GetProps) -> m.Props:
        stat = _state(request)
        entry = look.entry(stat.current)
        house = await self._house(look, (entry,), request.tags or properties.CERTIFICATES)
        tags = objects.wanted(look, house, stat, request.tags, request.flags)
        container = look.container(stat.current)
        if entry is None and container is not None:
            error, values = objects.container_props(container, stat, tags)
        else:
            error, values = objects.props(entry, house, stat, tags, request.flags)
        return m.Props(error, stat.code_page, values)

    async def _get_prop_list(self, look: Look, request: m.GetPropList) -> m.Columns:
        house = await self._house(look, (look.entry(request.mid),), properties.CERTIFICATES)
        return m.Columns(consts.SUCCESS, tuple(objects.prop_list(look, house, request.mid, request.flags)))

    async def _query_columns(self, look: Look, request: m.QueryColumns) -> m.Columns:
        wide = bool(request.flags & consts.UNICODE_TYPES)
        return m.Columns(consts.SUCCESS, tuple(properties.known(wide=wide)))

    async def _dn_to_mid(self, look: Look, request: m.DnToMinId) -> m.Mapped:
        return m.Mapped(consts.SUCCESS, tuple(objects.mids_of(look, request.names or ())))

    async def _resolve_names(self, look: Look, request: m.ResolveNames) -> m.Resolved:
        stat = request.state or m.Stat(code_page=consts.CP_UNICODE)
        columns = tables.checked(request.columns, stat.code_page)
        texts = request.names or ()
        outcomes, found = await _run(len(texts) > MANY_NAMES, objects.resolve, look, stat, texts)
        table = await self._rows(look, found, columns, stat.code_page, 0)
        return m.Resolved(consts.SUCCESS, stat.code_page, tuple(outcomes), table)

    async def _special_table(self, look: Look, request: m.GetSpecialTable) -> m.SpecialTable:
        stat = request.state or m.Stat(code_page=consts.CP_UNICODE)
        if request.flags & consts.CREATION_TEMPLATES:  # R757: none in any language
            return m.SpecialTable(consts.SUCCESS, stat.code_page, None, ())
        version = contacts.version(look.shelves)
        rows = () if request.version == version else objects.hierarchy(look, stat, request.flags)  # R748
        return m.SpecialTable(consts.SUCCESS, stat.code_page, version, rows)

    async def _template_info(self, look: Look, request: m.GetTemplateInfo) -> m.Props:
        values = objects.template(request.flags, request.display_type, request.dn, request.code_page)
        return m.Props(consts.SUCCESS, request.code_page, values)

    # --- changes ------------------------------------------------------------------------------------------

    async def _mod_props(self, look: Look, request: m.ModProps) -> m.Plain:
        stat = _state(request)
        values = request.values or ()
        wanted = (*(request.gone or ()), *(tag for tag, _ in values))
        entry = changes.own_entry(look, stat, request.gone, cards=self._config().own_cards, wanted=wanted)
        card = changes.card_of(values, stat.code_page)
        await self._store.write(changes.write, entry, card, request.gone or ())
        return m.Plain(consts.SUCCESS)

    async def _mod_link_att(self, look: Look, request: m.ModLinkAtt) -> m.Plain:
        if request.tag >> 16 not in links.CHANGES:
            raise MapiError(Code.NOT_FOUND)  # R1326
        entry = look.entry(request.mid)
        if entry is None:
            raise MapiError(Code.INVALID_PARAMETER)  # R1328
        who = [_name_of(look, raw) for raw in request.entry_ids or ()]
        delete = bool(request.flags & consts.DELETE)
        await self._store.write(links.change, look, entry, request.tag >> 16, who, delete=delete)
        return m.Plain(consts.SUCCESS)

    # --- addresses of endpoints ---------------------------------------------------------------------------

    async def _mailbox_url(self, look: Look, request: m.GetMailboxUrl) -> m.Url:
        if names.server_of(request.dn) != self._host.lower():
            raise MapiError(Code.NOT_FOUND)
        return m.Url(consts.SUCCESS, await self._endpoint_url("emsmdb", look.entry(look.eyes.own)))

    async def _address_book_url(self, look: Look, request: m.GetAddressBookUrl) -> m.Url:
        entry = look.view.by_dn(request.dn, look.eyes) if request.dn else look.entry(look.eyes.own)
        if entry is None:
            raise MapiError(Code.NOT_FOUND)
        return m.Url(consts.SUCCESS, await self._endpoint_url("nspi", entry))

    async def _endpoint_url(self, path: str, entry: Entry | None) -> str:
        if entry is None or not entry.is_account:
            raise MapiError(Code.NOT_FOUND)
        mailbox = await self._store.read(_mailbox_id, AccountId(entry.number), entry.domain or self._host)
        return f"{self._url()}/mapi/{path}/?MailboxId={mailbox}"


async def _run(many: bool, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """On the loop; in a thread where there is much to do.  A view may be read in any thread."""
    if many:
        return await asyncio.to_thread(work, *args, **kwargs)
    return work(*args, **kwargs)


async def _ready(look: Look, request: Any) -> None:  # Any: every request
    """The table of a large directory that a request is about is made in a thread, for all that ask after."""
    state = getattr(request, "state", None)
    if state is not None and not look.is_made(state.container, state.sort):
        await asyncio.to_thread(look.table, state.container, state.sort)


def _mailbox_id(tx: Tx, account_id: AccountId, domain: str) -> str:
    """A mailbox as addresses name it: its GUID at its domain (MS-OXCMAPIHTTP 2.2.2.1)."""
    return f"{uuid.UUID(bytes_le=accounts.get(tx, account_id).guid)}@{domain}"


def _state(request: Any) -> m.Stat:  # Any: every request that has one
    """Raises MapiError(INVALID_PARAMETER): the request cannot do without."""
    if request.state is None:
        raise MapiError(Code.INVALID_PARAMETER)
    found: m.Stat = request.state
    return found


def _name_of(look: Look, raw: bytes) -> str:
    """What a link holds of an entry.  Raises MapiError(ACCESS_DENIED): no entry of ours (R1338)."""
    entry = look.by_entry_id(raw)
    name = entry.address or (entry.key if entry.is_account else "") if entry is not None else ""
    if not name:
        raise MapiError(Code.ACCESS_DENIED)
    return name


def _asks_elsewhere(look: Look, kind: str, request: Any) -> bool:  # Any: every request
    """Something in a request is neither a container nor an entry of the directory."""
    if kind in ("getspecialtable", "modlinkatt"):
        return True
    state = getattr(request, "state", None)
    if state is not None and state.container not in containers.BY_MID:
        return True
    if kind == "dntominid":
        return any(look.by_dn(dn.decode("latin-1")) is None for dn in request.names or ())
    if any(len(getattr(request, name, None) or ()) > LITTLE for name in ("mids", "table")):
        return True
    mids = [getattr(request, name, 0) for name in ("mid", "first", "second")]
    mids += [state.current] if state is not None else []
    for name in ("mids", "table"):
        mids += getattr(request, name, None) or ()
    return any(mid >= consts.FIRST_MID and look.entry(mid) is None for mid in mids)


def _cells(response: Any) -> int:  # Any: every answer
    table = getattr(response, "table", None)
    return len(table.rows) * len(table.columns) if table is not None else 0


def _told(error: MapiError | Refused) -> Code:
    """An error as NSPI has it (R43)."""
    code = error.code if isinstance(error, MapiError) else of_problem(error).code
    return code if code in PERMITTED else Code.GENERAL_FAILURE


def failed(kind: str, code: int, request: Any) -> Any:
    """The answer that says an error and nothing else (MS-OXNSPI: outputs are NULL then)."""
    made = bodies.RESPONSES[kind][0]
    if "code_page" not in made.__dataclass_fields__:
        return made(code)
    state = getattr(request, "state", None)
    page = state.code_page if state is not None else getattr(request, "code_page", consts.CP_UNICODE)
    return made(code, page)


_HANDLERS: Final[dict[str, Callable[[AddressBookEndpoint, Look, Any], Awaitable[Any]]]] = {  # the same
    "compareminids": AddressBookEndpoint._compare,
    "dntominid": AddressBookEndpoint._dn_to_mid,
    "getmatches": AddressBookEndpoint._get_matches,
    "getproplist": AddressBookEndpoint._get_prop_list,
    "getprops": AddressBookEndpoint._get_props,
    "getspecialtable": AddressBookEndpoint._special_table,
    "gettemplateinfo": AddressBookEndpoint._template_info,
    "modlinkatt": AddressBookEndpoint._mod_link_att,
    "modprops": AddressBookEndpoint._mod_props,
    "queryrows": AddressBookEndpoint._query_rows,
    "querycolumns": AddressBookEndpoint._query_columns,
    "resolvenames": AddressBookEndpoint._resolve_names,
    "resortrestriction": AddressBookEndpoint._resort,
    "seekentries": AddressBookEndpoint._seek_entries,
    "updatestat": AddressBookEndpoint._update_stat,
    "getmailboxurl": AddressBookEndpoint._mailbox_url,
    "getaddressbookurl": AddressBookEndpoint._address_book_url,
}
