"""A data directory, open in this process: an event loop in a thread of its own, and what errands need.

Providers are synchronous and the store belongs to one loop, so each call crosses into that thread and waits.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from quintet import log
from quintet.auth.identity import Identity
from quintet.clock import SystemClock
from quintet.config import root
from quintet.config.load import ConfigError
from quintet.errors import BadSyntax, Problem, Reason
from quintet.mapi.errors import Code, MapiError, of_problem
from quintet.mapi.objects import Box, Errand, Reader, reader_of
from quintet.net.seam import Peer
from quintet.store import accounts, groups
from quintet.store.db import Tx
from quintet.store.model import AccountId
from quintet.store.store import Store

if TYPE_CHECKING:
    from quintet.delivery.inbound import Inbound
    from quintet.delivery.post import PostOffice
    from quintet.mapi.nspi.directory import Directory

T = TypeVar("T")
P = ParamSpec("P")

STOP_S = 60.0  # until the loop's thread must have ended

_hosts: dict[Path, Host] = {}
_guard = threading.Lock()


def shared(config: Path) -> Host:
    """The host of a configuration; one a process, as long as somebody holds it.

    Raises MapiError(INVALID_PARAMETER): the configuration has errors; (DISK_ERROR, ...): it cannot be opened.
    """
    path = config.resolve()
    with _guard:
        found = _hosts.get(path)
        if found is None:
            found = _hosts[path] = Host(path)
        found.holders += 1
        return found


class Services:
    """What an errand needs (`objects.Services`), for one who is logged on."""

    def __init__(self, host: Host, identity: Identity) -> None:
        self._host, self.identity = host, identity
        self.peer = Peer(f"mapi-{identity.account_id}", "memory", user=identity.name)

    @property
    def store(self) -> Store:
        return self._host.store

    @property
    def inbound(self) -> Inbound:
        return self._host.ways()[0]

    @property
    def office(self) -> PostOffice:
        return self._host.ways()[1]


class Host:
    """See the module's text; `release` once for each `shared`."""

    store: Store

    def __init__(self, path: Path) -> None:
        log.quiet()  # what the server tells its administrator is nothing to a program's user
        self._path = path
        self.holders = 0
        try:
            self.config = root.from_file(path)
        except ConfigError as error:
            raise MapiError(Code.INVALID_PARAMETER, str(error)) from error
        self.clock = SystemClock()
        self._ways: tuple[Inbound, PostOffice] | None = None
        self._directory: Directory | None = None
        self.loop = asyncio.new_event_loop()
        self.tellers = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mapi-news")
        self._thread = threading.Thread(target=self.loop.run_forever, name="mapi-store", daemon=True)
        self._thread.start()
        try:
            self.store = self.run(Store.open(self.config.store, clock=self.clock))
        except BaseException:
            self._stop()
            raise

    def release(self) -> None:
        """Closes the store when nobody holds it any more."""
        with _guard:
            self.holders -= 1
            if self.holders > 0:
                return
            _hosts.pop(self._path, None)
        self.run(self.store.close())
        self._stop()

    def _stop(self) -> None:
        self.tellers.shutdown(wait=False, cancel_futures=True)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(STOP_S)
        self.loop.close()

    # --- crossing -----------------------------------------------------------------------------------

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs it on the loop and waits.  Raises what it raises; problems of the store as `MapiError`s."""
        assert threading.current_thread() is not self._thread, "a call from the loop would wait for itself"
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result()
        except Problem as problem:
            raise of_problem(problem) from problem
        except KeyboardInterrupt:
            future.cancel()
            raise

    def read(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """One snapshot, in a reader's thread."""
        return self.run(self.store.read(fn, *args, **kwargs))

    def write(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """One transaction; on the disk when this returns."""
        return self.run(self.store.write(fn, *args, **kwargs))

    async def _errands(self, errands: list[Errand], services: Services) -> None:
        for errand in errands:
            await errand.run(services)

    def do(self, box: Box, errands: list[Errand]) -> None:
        """Runs what a transaction left to be done.  Raises MapiError."""
        if errands:
            identity = Identity(box.reader.id, box.reader.name, "PLAIN", "mapi")
            self.run(self._errands(errands, Services(self, identity)))

    def ways(self) -> tuple[Inbound, PostOffice]:
        """What takes letters and articles; made when first needed."""
        if self._ways is None:
            from quintet.delivery.post import PostOffice  # half a second; most programs only read
            from quintet.delivery.waysin import inbound
            from quintet.mapi.objects.sorting import Sorter

            config = self.config
            made = inbound(config, self.store, self.clock)
            made.sorter = Sorter(made)
            office = PostOffice(
                self.store, config.nntp, config.news, hostname=config.hostname, clock=self.clock, inbound=made
            )
            self._ways = made, office
        return self._ways

    @property
    def directory(self) -> Directory:
        if self._directory is None:
            from quintet.mapi.nspi.directory import Directory

            self._directory = Directory(self.store)
        return self._directory

    # --- who ----------------------------------------------------------------------------------------

    async def login(self, name: str, password: str) -> Reader:
        """Raises MapiError(LOGON_FAILED): there is no such account, or the password is another."""
        if password:
            from quintet.auth.service import AuthService

            auth = AuthService(self.store, self.config.auth, clock=self.clock, run=self.store.data / "run")
            try:
                identity = await auth.password(name, password, Peer("mapi", "memory"), "mapi")
                return self.store.peek(reader_of, identity.account_id)
            finally:
                await auth.close()
        return self.store.peek(reader_of, await self.account(name))

    async def change_password(self, reader: Reader, old: str, new: str) -> None:
        """Raises MapiError(LOGON_FAILED, INVALID_PARAMETER)."""
        from quintet.auth import admin

        if not old:  # who opens the directory needs none; whoever changes one shows it
            raise MapiError(Code.LOGON_FAILED, "the old password is not told")
        await self.login(reader.name, old)
        try:
            await admin.set_password(self.store, reader.id, new, self.config.auth)
        except Problem as problem:
            if problem.reason is not Reason.BAD_NAME and not isinstance(problem, BadSyntax):
                raise
            raise MapiError(Code.INVALID_PARAMETER, "no password can be that") from problem

    async def account(self, name: str) -> AccountId:
        """Raises MapiError(LOGON_FAILED): there is none of that name or address."""
        found = self.store.peek(_find, name)
        if found is None:
            raise MapiError(Code.LOGON_FAILED, f"no account is called {name}")
        return found

    async def public(self) -> AccountId | None:
        """The account of the newsgroups, where there are any."""
        return self.store.peek(_public)


def _find(tx: Tx, name: str) -> AccountId | None:
    account = accounts.find(tx, name)
    if account is not None:
        return account.id
    return accounts.owner_of_address(tx, name) if "@" in name else None


def _public(tx: Tx) -> AccountId | None:
    return accounts.news(tx).id if groups.listing(tx) else None
