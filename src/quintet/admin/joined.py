"""Services made of the configuration: one place for the server and for commands that serve one session.

What a service is and how long it lives is for others; here stands only what goes into it.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from quintet.delivery import waysin
from quintet.delivery.waysin import rules_of as rules_of  # noqa: PLC0414 (part of this module's face)

if TYPE_CHECKING:
    from quintet.auth.service import AuthService
    from quintet.clock import Clock
    from quintet.config.peers import Peer
    from quintet.config.root import Config
    from quintet.delivery.arrivals import Arrivals
    from quintet.delivery.feeds.runner import Feeds
    from quintet.delivery.filing import Decision
    from quintet.delivery.gateways import Gateways
    from quintet.delivery.inbound import Inbound
    from quintet.delivery.post import PostOffice
    from quintet.delivery.rules import Rules
    from quintet.delivery.sorting import Arrived, Sorter
    from quintet.imap.service import ImapService
    from quintet.smtp.desk import Role
    from quintet.smtp.service import SmtpService
    from quintet.store.store import Store


def inbound(config: Config, store: Store, clock: Clock, rules: Rules | None = None) -> Inbound:
    """The way in, with what runs the rules of folders.  Raises as `waysin.inbound`."""
    made = waysin.inbound(config, store, clock, rules)
    made.sorter = _LateSorter(made)
    return made


class _LateSorter:
    """A `delivery.sorting.Sorter` that is loaded, with all of MAPI's codecs, when a folder has rules."""

    def __init__(self, way_in: Inbound) -> None:
        self._way_in = way_in
        self._made: Sorter | None = None

    async def sort(self, one: Arrived) -> Decision:
        """See `delivery.sorting.Sorter`."""
        if self._made is None:
            module = await asyncio.to_thread(importlib.import_module, "quintet.mapi.objects.sorting")
            self._made = module.Sorter(self._way_in)
        return await self._made.sort(one)


def gateways(config: Config, store: Store, clock: Clock) -> Gateways | None:
    """What mails articles to lists; one a process.  None where no gateway is configured."""
    if not config.gateway:
        return None
    from quintet.delivery.gateways import Gateways

    return Gateways(store, config.gateway, host=config.nntp.path_host or config.hostname, clock=clock)


def arrivals(
    config: Config,
    store: Store,
    clock: Clock,
    peers: Sequence[Peer] | None = None,
    *,
    workers: int = 1,
    before: Arrivals | None = None,
) -> Arrivals | None:
    """What takes articles from other servers; one a process.  None where nobody may bring any.

    ``peers`` stand for those of the configuration where they are given.  ``workers``: how many there are,
    which the command line may say in place of the configuration.  ``before``: the one of the process, if
    there is one yet; connections go on with it, and with what they were asked for and told.
    """
    wanted = config.nntp.peer if peers is None else peers
    if not wanted and (peers is not None or not any(rule.ihave for rule in config.nntp.access)):
        return None
    from quintet.delivery.arrivals import Arrivals
    from quintet.delivery.offers import Offers  # as above
    from quintet.delivery.peers import Peers

    if before is not None:
        offers, behind = before.offers, before.behind
    else:
        shared = config.data / "run" / "offers" if workers > 1 else None
        offers, behind = Offers(clock, config.nntp.offer_hold_s, shared), None
    made = Arrivals(
        store,
        config.nntp,
        config.news,
        hostname=config.hostname,
        clock=clock,
        peers=Peers(wanted),
        offers=offers,
        behind=behind,
    )
    if peers is None:
        made.peers.start()
    return made


def feeds(
    config: Config, store: Store, clock: Clock, arrivals: Arrivals | None, *, first: bool
) -> Feeds | None:
    """What sends articles to other servers and fetches some; None where no peer is configured for it."""
    peers = config.nntp.peer
    if arrivals is None or not any(peer.feeds or peer.pull for peer in peers):
        return None
    from quintet.delivery.feeds.puller import Puller
    from quintet.delivery.feeds.runner import Feeds
    from quintet.nntp.batching import Batching
    from quintet.nntp.client import Connection

    async def send(peer: Peer) -> Connection | Batching:
        kind = Batching if peer.xbatch else Connection
        return await kind.open(peer, ca_file=config.tls_out.ca_file)

    async def read(peer: Peer) -> Connection:
        return await Connection.open(peer, ca_file=config.tls_out.ca_file, reader=True)

    owner = f"{config.hostname}:{os.getpid()}:{clock.token(4)}"
    made = Feeds(store, peers, send, clock=clock, owner=owner, first=first)
    made.start()
    for peer in peers:
        if peer.pull and first:
            puller = Puller(store, peer, read, arrivals, clock=clock, limit=config.nntp.max_peer_article)
            made.keep(puller.run, f"pull {peer.name}")
    return made


def smtp_service(
    config: Config, auth: AuthService, way_in: Inbound, *, role: Role, clock: Clock, starttls: bool = False
) -> SmtpService:
    """MX, submission, ODMR or LMTP over the store of ``way_in``."""
    from quintet.delivery.urlauth import UrlAuth
    from quintet.smtp.service import SmtpService  # each protocol is loaded only where it is served
    from quintet.smtp.turn import Turns

    turns = Turns(way_in, config.queue, hostname=config.hostname, clock=clock)
    return SmtpService(
        way_in.store,
        auth,
        config.smtp,
        role=role,
        inbound=way_in,
        hostname=config.hostname,
        clock=clock,
        starttls=starttls,
        resolve_burl=UrlAuth(way_in.store, clock, auth.canonical, host=config.hostname).submitted,
        turns=turns,
    )


def post_office(config: Config, store: Store, clock: Clock, way_in: Inbound, rules: Rules) -> PostOffice:
    """What takes articles from people; one a process."""
    from quintet.delivery.post import PostOffice  # as above
    from quintet.delivery.screening import Screen

    made = PostOffice(store, config.nntp, config.news, hostname=config.hostname, clock=clock, inbound=way_in)
    made.filter.hooks = rules.hooks
    made.screen = Screen(store, config.news, clock, rules.hooks)
    return made


def imap_service(
    config: Config,
    store: Store,
    auth: AuthService,
    office: PostOffice,
    *,
    clock: Clock,
    starttls: bool = False,
) -> ImapService:
    """IMAP over a store; ``office`` takes what is appended to newsgroups."""
    from quintet.imap.service import ImapService  # as above

    return ImapService(
        store,
        auth,
        config.imap,
        hostname=config.hostname,
        clock=clock,
        office=office,
        starttls=starttls,
    )
