"""/mapi/emsmdb: Connect, Execute, Disconnect, NotificationWait (MS-OXCMAPIHTTP 2.2.4.1 to 2.2.4.4).

The bodies are those of MS-OXCRPC's methods; what the operations in an Execute do is `rop.serve`'s.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from quintet.auth.identity import Identity
from quintet.config.mapi import Mapi
from quintet.delivery.inbound import Inbound
from quintet.delivery.post import PostOffice
from quintet.errors import BadSyntax, Problem
from quintet.mapi import frame
from quintet.mapi.buffer import Reader, Writer, bad
from quintet.mapi.errors import Code as MapiCode
from quintet.mapi.http.endpoint import Code, Failed, Opened, Wrong
from quintet.mapi.nspi import names
from quintet.mapi.objects import people
from quintet.mapi.rop import registry
from quintet.mapi.rop.serve import values
from quintet.mapi.rop.serve.notices import Notices
from quintet.mapi.rop.serve.run import TooSmall, collect, run
from quintet.mapi.rop.serve.session import Session
from quintet.net.seam import Peer
from quintet.store import accounts
from quintet.store.db import Tx
from quintet.store.model import Account, AccountId
from quintet.store.store import Store

MAX_ROP_BUFFER = 0x40000  # bytes of requests, and of answers that may be asked for (MS-OXCRPC R1373, R666)
MAX_AUXILIARY = 0x1008  # bytes (MS-OXCRPC R678)
LEAST_ROP_OUT = 8  # MS-OXCRPC R663: a frame's header
POLLS_MAX_MS, RETRY_COUNT, RETRY_DELAY_MS = 60_000, 6, 10_000  # what Exchange tells
NO_COMPRESSION, NO_OBFUSCATION = 0x1, 0x2  # Flags of Execute (MS-OXCRPC R634, R638)
BAD_STUB_DATA: Final = 0x000006F7  # StatusCode of sizes beyond the limits
RPC_FAILED: Final = 0x80040115
RPC_FORMAT: Final = 0x000004B6
REJECTED: Final = 0x000007EE  # of NotificationWait (MS-OXCRPC R1343)


@dataclass(slots=True, eq=False)
class Services:
    """What operations need around one session (`rop.serve.run.Services`)."""

    store: Store
    inbound: Inbound
    office: PostOffice
    identity: Identity
    peer: Peer
    hostname: str


@dataclass(slots=True, eq=False)
class Connected:
    """The state of a context."""

    session: Session
    services: Services
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)  # of what operations and waits both look at
    waits: bool = False
    lost: bool = False  # the store failed in the midst of operations: the objects may hold anything


class MailboxEndpoint:
    """One a process.  ``office`` and ``inbound`` are asked for anew by each session."""

    opening = "connect"
    closing = "disconnect"
    kinds = frozenset(("execute", "notificationwait"))
    waiting = frozenset(("notificationwait",))

    def __init__(
        self,
        store: Store,
        config: Callable[[], Mapi],
        rooms: Callable[[], tuple[Inbound, PostOffice]],
        hostname: str,
    ) -> None:
        self._store = store
        self._config = config
        self._rooms = rooms
        self._hostname = hostname
        self._sessions: dict[AccountId, set[Session]] = {}

    async def open(self, identity: Identity, body: bytes, peer: Peer | None = None) -> Opened:
        """Connect (2.2.4.1): for whom the credentials say, who has to be whom the DN names."""
        reader = Reader(body)
        dn = reader.text8()
        reader.u32()  # Flags
        code_page = reader.u32()
        reader.u32(), reader.u32()  # LcidSort, LcidString
        refused = 0 if _auxiliary(reader) else RPC_FAILED
        account, code = self._store.peek(_named, identity, dn)
        page = values.charset(code_page)
        refused = refused or code or (0 if page is not None else MapiCode.UNKNOWN_CODE_PAGE)
        if refused or page is None:
            return Opened(None, _connected(refused, ""))
        inbound, office = self._rooms()
        services = Services(
            self._store, inbound, office, identity, peer or Peer("mapi", "memory"), self._hostname
        )
        beside = self._sessions.setdefault(identity.account_id, set())
        session = Session(identity, page, Notices(self._store), beside)
        beside.add(session)
        name = account.display_name or account.name
        return Opened(Connected(session, services), _connected(0, name))

    async def answer(self, state: Connected, kind: str, body: bytes) -> bytes:
        if kind == "execute":
            return await self._execute(state, body)
        if kind == "notificationwait":
            return await self._wait(state, body)
        _auxiliary(Reader(body)) if body else None  # R1165: some send nothing at all
        return _numbers(0, 0, 0)

    def close(self, state: Connected) -> None:
        state.session.close()
        beside = self._sessions.get(state.session.identity.account_id, set())
        beside.discard(state.session)
        if not beside:
            self._sessions.pop(state.session.identity.account_id, None)

    # --- Execute ----------------------------------------------------------------------------------------

    async def _execute(self, state: Connected, body: bytes) -> bytes:
        reader = Reader(body)
        flags, size = reader.u32(), reader.u32()
        if size > MAX_ROP_BUFFER:
            raise Failed(BAD_STUB_DATA)
        raw, most = reader.take(size), reader.u32()
        whole = _auxiliary(reader)
        if most > MAX_ROP_BUFFER:
            raise Failed(BAD_STUB_DATA)
        if state.lost:
            raise Wrong(Code.CONTEXT_NOT_FOUND, "the session context was lost")
        if size < LEAST_ROP_OUT or most < LEAST_ROP_OUT or not whole:
            return _executed(RPC_FAILED, b"")
        async with state.lock:
            return await self._operations(state, flags, raw, most)

    async def _operations(self, state: Connected, flags: int, raw: bytes, most: int) -> bytes:
        try:
            payloads = frame.unwrap(raw)
            if len(payloads) != 1:
                raise bad("more than one frame in a request")
            buffer = registry.read(payloads[0], state.session.public)
        except BadSyntax:
            return _executed(RPC_FORMAT, b"")  # R4551, MS-OXCRPC R697
        try:
            answers = await run(state.session, buffer, most - LEAST_ROP_OUT, state.services)
        except TooSmall:
            raise Failed(MapiCode.BUFFER_TOO_SMALL) from None
        except Problem:
            state.lost = True
            raise
        wrap = functools.partial(
            frame.wrap, [answers], compress=not flags & NO_COMPRESSION, obfuscate=not flags & NO_OBFUSCATION
        )
        if flags & NO_COMPRESSION or len(answers) < frame.WORTH:
            return _executed(0, wrap())
        return _executed(0, await asyncio.to_thread(wrap))

    # --- NotificationWait ---------------------------------------------------------------------------------

    async def _wait(self, state: Connected, body: bytes) -> bytes:
        """Until there is an event, or for ``wait_s`` (3.2.5.5)."""
        reader = Reader(body)
        reader.u32()
        _auxiliary(reader)
        if state.waits:
            return _numbers(0, REJECTED, 0, 0)
        state.waits = True
        try:
            async with asyncio.timeout(self._config().wait_s):
                await self._events(state)
        except TimeoutError:
            return _numbers(0, 0, 0, 0)
        finally:
            state.waits = False
        return _numbers(0, 0, 1, 0)

    async def _events(self, state: Connected) -> None:
        """Returns when there is something to tell."""
        notices = state.session.notices
        while True:
            async with state.lock:
                await collect(notices, self._store)
                if notices.queue:
                    return
            await notices.event.wait()


def _named(tx: Tx, identity: Identity, dn: bytes) -> tuple[Account, int]:
    """Who is logged in, and why they are not whom a DN names (MS-OXCRPC R1369, R600, R4888); 0: they are.

    A DN that names nobody (no "cn=") is taken for one's own, as programs send it that never asked for theirs.
    """
    own = accounts.get(tx, identity.account_id)
    if not dn:
        return own, MapiCode.ACCESS_DENIED
    if b"cn=" not in dn.lower():
        return own, 0
    try:
        found = people.account_of(tx, dn.decode("ascii"), own)
    except UnicodeDecodeError:
        found = None
    if found is None:
        return own, MapiCode.UNKNOWN_USER
    return own, 0 if found.id == own.id else MapiCode.ACCESS_DENIED


def _auxiliary(reader: Reader) -> bool:
    """The auxiliary buffer at a body's end: telemetry of clients, read and let go.

    False: it is too short for a header (MS-OXCRPC R1367).  Raises BadSyntax: malformed; Failed: longer than
    it may be.
    """
    size = reader.u32()
    if size > MAX_AUXILIARY:
        raise Failed(BAD_STUB_DATA)
    raw = reader.take(size)
    if len(reader):
        raise bad("more behind the auxiliary buffer")
    if len(raw) < LEAST_ROP_OUT:
        return not raw
    for payload in frame.unwrap(raw):
        inner = Reader(payload)
        while len(inner):  # AUX_HEADER: size with itself, version, type (MS-OXCRPC 2.2.2.2)
            block = inner.u16()
            if block < 4:
                raise bad("an auxiliary block without a header")
            inner.take(block - 2)
    return True


def _numbers(*numbers: int) -> bytes:
    writer = Writer()
    for number in numbers:
        writer.u32(number)
    return writer.done()


def _connected(code: int, name: str) -> bytes:
    """2.2.4.1.2."""
    writer = Writer()
    for number in (0, code, POLLS_MAX_MS, RETRY_COUNT, RETRY_DELAY_MS):
        writer.u32(number)
    writer.text8(names.RECIPIENTS.encode())
    writer.text(name)
    writer.u32(0)
    return writer.done()


def _executed(code: int, payload: bytes) -> bytes:
    """2.2.4.2.2."""
    writer = Writer()
    for number in (0, code, 0, len(payload)):
        writer.u32(number)
    writer.put(payload)
    writer.u32(0)
    return writer.done()
