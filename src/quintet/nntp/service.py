"""What a listener of the news service is given: the connections' sessions, and what they share.

Shared by all connections of a process: the list of groups, rendered overviews, articles read ahead.
"""

from __future__ import annotations

from quintet.auth.service import AuthService
from quintet.clock import Clock
from quintet.config.nntp import Nntp
from quintet.delivery.arrivals import Arrivals
from quintet.delivery.post import PostOffice
from quintet.net.seam import Peer
from quintet.nntp.ahead import Ahead
from quintet.nntp.arrived import Arrived
from quintet.nntp.catalog import Catalog
from quintet.nntp.chunks import Overviews
from quintet.nntp.pacing import Pacing
from quintet.nntp.rights import Rules
from quintet.nntp.session import Session
from quintet.nntp.wire import Wire
from quintet.store.store import Store
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Shelf:
    """What was read of a store and is kept at hand; all listeners of a process share one."""

    catalog: Catalog
    overviews: Overviews
    ahead: Ahead
    pacing: Pacing
    arrived: Arrived

    @classmethod
    def of(cls, store: Store) -> Shelf:
        return cls(
            Catalog(store),
            Overviews(store),
            Ahead(store),
            Pacing(store.clock, store.data / "run"),
            Arrived(store),
        )


class NntpService:
    """One a listener; ``starttls`` says whether it has a certificate."""

    name = "nntp"

    def __init__(
        self,
        store: Store,
        auth: AuthService,
        config: Nntp,
        *,
        hostname: str,
        clock: Clock,
        office: PostOffice | None = None,
        starttls: bool = True,
        shelf: Shelf | None = None,
        arrivals: Arrivals | None = None,
    ) -> None:
        self.store, self.auth, self.config = store, auth, config
        self.hostname, self.clock, self.starttls = hostname, clock, starttls
        self.arrivals = arrivals  # None: there are no peers
        self.office = office or PostOffice(store, config, hostname=hostname, clock=clock)
        self.shelf = shelf or Shelf.of(store)
        self.catalog, self.overviews, self.ahead = self.shelf.catalog, self.shelf.overviews, self.shelf.ahead
        self.rules, self.pacing, self.arrived = Rules(config), self.shelf.pacing, self.shelf.arrived

    def open(self, peer: Peer) -> tuple[Wire, Session]:
        """A new connection."""
        wire, session = Wire(), Session(self, peer)
        session.wire = wire
        return wire, session
