"""MAPI on the http listeners: loaded when the first such request comes, as `http` loads its library.

Joins what `quintet.mapi` leaves open: contexts, who may enter, other workers, and the endpoints.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from quintet.auth.service import AuthService
from quintet.config.root import Config
from quintet.store.store import Store
from quintet.store.tallies import Tallies

if TYPE_CHECKING:
    from aiohttp import web

    from quintet.delivery.inbound import Inbound
    from quintet.delivery.post import PostOffice
    from quintet.mapi.http.autodiscover import Autodiscover
    from quintet.mapi.http.crossing import Crossing
    from quintet.mapi.http.service import MapiHttp

PREFIXES = ("/mapi/", "/autodiscover/")  # of paths in lower case


class MapiDoor:
    """One a process; ``number`` is this worker's among ``count``.

    ``rooms`` gives what takes letters and articles now: another configuration brings others.
    """

    def __init__(
        self,
        store: Store,
        auth: AuthService,
        config: Config,
        rooms: Callable[[], tuple[Inbound, PostOffice]],
        *,
        number: int = 0,
        count: int = 1,
        tallies: Tallies | None = None,
    ) -> None:
        self._store = store
        self._auth = auth
        self.config = config
        self._rooms = rooms
        self._number = number
        self._count = count
        self._tallies = tallies
        self._http: MapiHttp | None = None
        self._found: Autodiscover | None = None
        self._crossing: Crossing | None = None
        self._loading: asyncio.Task[MapiHttp] | None = None

    def serves(self, path: str) -> bool:
        """Whether a path is ours."""
        return self.config.mapi.enabled and path.lower().startswith(PREFIXES)

    def reload(self, config: Config) -> None:
        """Takes a changed configuration; sessions stay."""
        self.config = config

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to a request that `serves`."""
        if self._loading is None:
            self._loading = asyncio.create_task(self._load())
        http = await asyncio.shield(self._loading)
        if request.path.lower().startswith("/autodiscover/"):
            assert self._found is not None
            return await self._found.handle(request)
        return await http.handle(request)

    async def _load(self) -> MapiHttp:
        await asyncio.to_thread(_import)
        from quintet.mapi.http import autodiscover, contexts, crossing, entrance, mailbox, service
        from quintet.mapi.nspi import endpoint as nspi

        held = contexts.Contexts(
            lambda: self.config.mapi, self._store.clock, number=self._number, tallies=self._tallies
        )
        who = entrance.Entrance(self._auth, lambda: self.config.mapi, self.config.hostname)
        http = service.MapiHttp(held, who, lambda: self.config.mapi, self._store.clock, number=self._number)
        book = nspi.AddressBookEndpoint(
            self._store, lambda: self.config.address_book, self.config.hostname, self._url
        )
        http.register("/mapi/nspi", book)
        box = mailbox.MailboxEndpoint(
            self._store, lambda: self.config.mapi, self._rooms, self.config.hostname
        )
        http.register("/mapi/emsmdb", box)
        if self._count > 1:
            self._crossing = crossing.Crossing(self._run, self._number, http.begin_here)
            await self._crossing.start()
            http.crossing = self._crossing
        self._found = autodiscover.Autodiscover(
            self._store,
            who,
            self._store.clock,
            url=self._url,
            hostname=self.config.hostname,
            listeners=lambda: [one for one in self.config.listeners.values() if one.enabled],
        )
        self._http = http
        return http

    def _url(self) -> str:
        """The base of the addresses that clients are told."""
        return self.config.mapi.url.rstrip("/") or f"https://{self.config.hostname}"

    @property
    def _run(self) -> Path:
        return self._store.data / "run"

    def drain(self) -> None:
        """Ends what waits, before the listeners are drained."""
        if self._http is not None:
            self._http.contexts.drain()

    async def close(self) -> None:
        if self._loading is not None:
            await asyncio.gather(self._loading, return_exceptions=True)
        if self._crossing is not None:
            await self._crossing.close()
        if self._http is not None:
            await self._http.contexts.close()


def _import() -> None:
    """A fifth of a second: in a thread, so that the loop goes on."""
    from quintet.mapi.http import autodiscover, crossing, mailbox, service  # noqa: F401 - see above
    from quintet.mapi.nspi import endpoint  # noqa: F401 - the same
