"""MAPI on the http listeners: loaded when the first such request comes, as `http` loads its library.

Joins what `quintet.mapi` leaves open: contexts, who may enter, other workers, and the endpoints.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from quintet.admin.once import Once
from quintet.auth.service import AuthService
from quintet.config.root import Config
from quintet.store.store import Store
from quintet.store.tallies import Tallies
from quintet.values import dataclass

if TYPE_CHECKING:
    from aiohttp import web

    from quintet.delivery.inbound import Inbound
    from quintet.delivery.post import PostOffice
    from quintet.mapi.http.autodiscover import Autodiscover
    from quintet.mapi.http.service import MapiHttp

PREFIXES = ("/mapi/", "/autodiscover/")  # of paths in lower case


@dataclass(frozen=True, slots=True)
class _Inside:
    """What is loaded."""

    http: MapiHttp
    discovery: Autodiscover


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
        self._inside: Once[_Inside] = Once(self._load)

    def serves(self, path: str) -> bool:
        """Whether a path is ours."""
        return self.config.mapi.enabled and path.lower().startswith(PREFIXES)

    def reload(self, config: Config) -> None:
        """Takes a changed configuration; sessions stay."""
        self.config = config

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to a request that `serves`."""
        inside = await self._inside.get()
        if request.path.lower().startswith("/autodiscover/"):
            return await inside.discovery.handle(request)
        return await inside.http.handle(request)

    async def _load(self) -> _Inside:
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
        discovery = autodiscover.Autodiscover(
            self._store,
            who,
            self._store.clock,
            url=self._url,
            hostname=self.config.hostname,
            listeners=lambda: [one for one in self.config.listeners.values() if one.enabled],
        )
        if self._count > 1:
            http.crossing = crossing.Crossing(self._store.data / "run", self._number, http.begin_here)
            await http.crossing.start()
        return _Inside(http, discovery)

    def _url(self) -> str:
        """The base of the addresses that clients are told."""
        return self.config.mapi.url.rstrip("/") or f"https://{self.config.hostname}"

    def drain(self) -> None:
        """Ends what waits, before the listeners are drained."""
        if (inside := self._inside.value) is not None:
            inside.http.contexts.drain()

    async def close(self) -> None:
        if (inside := await self._inside.settle()) is None:
            return
        if inside.http.crossing is not None:
            await inside.http.crossing.close()
        await inside.http.contexts.close()


def _import() -> None:
    """A fifth of a second: in a thread, so that the loop goes on."""
    from quintet.mapi.http import autodiscover, crossing, mailbox, service  # noqa: F401 - see above
    from quintet.mapi.nspi import endpoint  # noqa: F401 - the same
