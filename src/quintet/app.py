"""The composition root: joins store, auth, services, listeners and jobs, and starts and stops them in order.

Nothing else imports every room, and nothing below imports this.  What a process is told from outside
(signals, files, a supervisor) is ``worker``'s; here are only objects.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from quintet import __version__, launch, log
from quintet.admin import control, jobs, joined, newswork, pages, sts_page
from quintet.admin.certificates import Certificates
from quintet.admin.http import HttpListener
from quintet.admin.mapidoor import MapiDoor
from quintet.admin.senddoor import SendDoor
from quintet.auth.service import AuthService
from quintet.clock import Clock, SystemClock
from quintet.config import root
from quintet.config.listeners import Listener as ListenerConfig
from quintet.delivery import expiry, waysin
from quintet.delivery.rules import Rules
from quintet.net.listener import Listener
from quintet.net.seam import Service
from quintet.policy.hooks import BadHooks
from quintet.store.store import Store
from quintet.store.tallies import Tallies
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.admin.tls_out import OutgoingTls
    from quintet.delivery.arrivals import Arrivals
    from quintet.delivery.outbound import Runner

QUEUE_RETRY_S = 10.0  # after a bug in the queue runner, before it goes on

logger = log.get("app")


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What became of a changed configuration: dotted keys."""

    taken: list[str]
    restart: list[str]


class App:
    """One process's server.

    ``only`` restricts it to some protocols; ``sockets`` are opened when absent; ``number`` is this
    worker's among ``count``: the first, 0, does what must be done once.
    """

    def __init__(
        self,
        config: root.Config,
        *,
        clock: Clock | None = None,
        sockets: launch.Sockets | None = None,
        only: Collection[str] = (),
        number: int = 0,
        count: int = 1,
    ) -> None:
        self.config = config
        self.clock = clock or SystemClock()
        self.started_at = self.clock.now()
        self.listeners: dict[str, Listener | HttpListener] = {}
        self.services: list[Any] = []  # every one made: old sessions keep theirs after a reload
        self._only = frozenset(only)
        self._number, self._count, self._first = number, count, number == 0
        self._tallies: Tallies | None = None
        self.arrivals: Arrivals | None = None
        self._sockets = sockets
        self.runner: Runner | None = None
        self.tls_out: OutgoingTls | None = None
        self._closers: list[Callable[[], Any]] = []  # in the order in which they were opened
        self._answers = asyncio.Event()  # every port does

    async def start(self) -> None:
        """Opens everything; when this returns every port answers.

        Raises:
            launch.CannotStart: a port cannot be had, a certificate cannot be used.
            migrate.TooNew, TryLater: the store cannot be opened.
        """
        try:
            await self._start()
        except BaseException:
            await self.stop(0)
            raise

    async def _start(self) -> None:
        config = self.config
        if self._sockets is None:
            self._sockets = launch.open_sockets(config)[0]
        sockets = self._sockets
        self._closers.append(lambda: launch.close_sockets([sockets]))
        self.store = await Store.open(config.store, clock=self.clock, log=log.get("store"))
        self._closers.append(self.store.close)
        if self._first:
            self.store.lengthen_log()
        run = self.store.data / "run"
        self.auth = AuthService(self.store, config.auth, clock=self.clock, run=run)
        self._closers.append(self.auth.close)
        if self._count > 1:
            self._tallies = Tallies(run, self._count, self._number)
            self._closers.append(self._tallies.close)
        self.certificates = Certificates(config, clock=self.clock, first=self._first)
        self._closers.append(self.certificates.close)
        self.pages = pages.Pages(
            self.store,
            config.http,
            hostname=config.hostname,
            ways=self._ways,
            gather=self._gather,
            proof=self.certificates.proof,
            policy=lambda host: sts_page.policy(self.config, self.store, host),
        )
        try:
            self.rules = Rules(config.policy, self.store, self.clock)
        except BadHooks as error:
            raise launch.CannotStart(str(error)) from error
        self._join()
        self.mapi = MapiDoor(
            self.store,
            self.auth,
            config,
            lambda: (self.inbound, self.office),
            number=self._number,
            count=self._count,
            tallies=self._tallies,
        )
        self._closers.append(self.mapi.close)
        self.sending = SendDoor(self.auth, lambda: self.config, lambda: self.inbound, clock=self.clock)
        self._closers.append(self._stop_sending)
        self._closers.append(self._stop_news)
        receipts = jobs.Job("receipts", jobs.LOOK_S, self._send_receipts)
        expire = jobs.Job(expiry.JOB, jobs.HOUR, self._expire)
        await self._settle_expiry()
        self.jobs = jobs.Jobs(self.store, self.clock, (*jobs.JOBS, *self._tls_jobs(), receipts, expire))
        self.jobs.start()
        self._closers.append(self.jobs.close)
        self.control = control.Control(config.data, self._orders())
        await self.control.start()
        self._closers.append(self.control.close)
        self.certificates.start()
        for wanted in launch.enabled(config):
            if not self._only or wanted.protocol in self._only:
                await self._listen(wanted, sockets[wanted.name])
        self._answers.set()
        logger.info("started", version=__version__, hostname=config.hostname, listeners=len(self.listeners))

    def _join(self) -> None:
        """What services share, one of each a process; and begins to send mail on."""
        config, store, clock = self.config, self.store, self.clock
        self.inbound = joined.inbound(config, store, clock, self.rules)
        self.office = joined.post_office(config, store, clock, self.inbound, self.rules)
        # connections stay over a reload
        self.arrivals = joined.arrivals(config, store, clock, workers=self._count, before=self.arrivals)
        if self.arrivals is not None:
            self.arrivals.screen = self.office.screen
            self._closers.append(self.arrivals.close)
        self.feeds = joined.feeds(config, store, clock, self.arrivals, first=self._first)
        self._sending = asyncio.create_task(self._send(), name="queue")
        self._begin_news()
        made = joined.gateways(config, store, clock)
        self._gateways = None if made is None else asyncio.create_task(made.run(), name="gateways")

    def _begin_news(self) -> None:
        self.newswork = newswork.NewsWork(self.config, self.store, self.inbound, self.office, self.clock)
        self.newswork.start()

    async def _send(self) -> None:
        """Runs the queue.  What it needs is loaded behind the open ports: it need not answer at once."""
        await self._answers.wait()
        outbound = await asyncio.to_thread(importlib.import_module, "quintet.delivery.outbound")
        dns = await asyncio.to_thread(importlib.import_module, "quintet.net.dns")
        client = await asyncio.to_thread(importlib.import_module, "quintet.smtp.client")
        carriers = await asyncio.to_thread(importlib.import_module, "quintet.smtp.carriers")
        tls_out = await asyncio.to_thread(importlib.import_module, "quintet.admin.tls_out")
        verify = await asyncio.to_thread(importlib.import_module, "quintet.delivery.verify_recipient")
        config, hostname, clock = self.config, self.config.hostname, self.clock
        resolver, helo = dns.Resolver(config.dns, clock=clock), config.queue.helo or hostname
        self.tls_out = tls_out.OutgoingTls(config, self.store, resolver, clock=clock)
        self.tls_out.start()
        signer = waysin.signer(config, clock)
        smtp = client.SmtpTransport(helo, clock=clock, ca_file=config.tls_out.ca_file)
        self.runner = outbound.Runner(
            self.store,
            config.queue,
            directory=self.inbound.directory,
            resolver=resolver,
            transport=carriers.Carriers(smtp, helo),
            hostname=hostname,
            clock=clock,
            reports=self.inbound.reports,
            policies=self.tls_out.policies,
            listens=[
                (each.address, each.port)
                for each in config.listeners.values()
                if each.enabled and each.protocol == "smtp"
            ],
            workers=self._count,
            sorter=self.inbound.sorter,
            generic=waysin.generic(config, self.inbound.directory, clock),
            seal=signer.sealed if signer is not None else None,
        )
        known = verify.VerifyRecipient(
            config.relay, config.smtp.relay_domains, self.runner.router, smtp, clock=clock, store=self.store
        )
        self.inbound.probes = (*self.inbound.probes, known.probe)
        self.inbound.claims = self.runner
        while True:
            try:
                await self.runner.run()
            except Exception as bug:
                logger.error("queue failed", exc_info=bug)  # noqa: TRY400 - ours has no exception()
                await asyncio.sleep(QUEUE_RETRY_S)
            else:
                return

    async def _stop_news(self) -> None:
        await self.newswork.close()
        if self._gateways is not None:
            self._gateways.cancel()
            await asyncio.gather(self._gateways, return_exceptions=True)

    async def _stop_sending(self) -> None:
        self.inbound.claims = None
        if self.feeds is not None:
            await self.feeds.close()
        if self.runner is not None:
            await self.runner.stop()
        self._sending.cancel()
        await asyncio.gather(self._sending, return_exceptions=True)
        self.runner = None
        if self.tls_out is not None:
            await self.tls_out.close()
            self.tls_out = None

    async def _send_receipts(self, store: Store) -> bool:
        """For what people opened who let the server say so."""
        from quintet.delivery import receipts  # most never ask for it

        return await receipts.send(
            store, self.inbound.reports, hostname=self.config.hostname, clock=self.clock
        )

    async def _settle_expiry(self) -> None:
        """The rules of expiry as the configuration has them now."""
        self._expiry = expiry.Rules(self.config.expire, self.config.retention)
        await expiry.settle(self.store, self._expiry)

    async def _expire(self, store: Store) -> bool:
        return await expiry.job(store, self._expiry)

    def _tls_jobs(self) -> tuple[jobs.Job, ...]:
        """What is done about other domains' TLS, once there is a queue runner that looks at it."""

        async def refresh(store: Store) -> bool:
            return self.tls_out is not None and await self.tls_out.refresh(store)

        async def report(store: Store) -> bool:
            return self.tls_out is not None and await self.tls_out.report(store)

        return jobs.Job("tls policies", jobs.HOUR, refresh), jobs.Job("tls reports", jobs.HOUR / 6, report)

    async def _listen(self, wanted: ListenerConfig, sockets: Sequence[Any]) -> None:
        giver = self.certificates.contexts.giver(wanted.protocol)
        listener: Listener | HttpListener
        if wanted.protocol == "http":
            listener = HttpListener(
                self.pages, sockets, wanted, context=giver, mapi=self.mapi, sending=self.sending
            )
        else:
            listener = Listener(
                self._serve(wanted),
                sockets,
                wanted,
                clock=self.clock,
                net=self.config.net,
                context=giver,
                shared=self._tallies,
            )
        await listener.start()
        self.listeners[wanted.name] = listener

    def _serve(self, wanted: ListenerConfig) -> Service:
        service = _SERVICES[wanted.protocol](self, wanted)
        self.services.append(service)
        return service

    async def stop(self, drain_s: float | None = None) -> None:
        """Takes no more connections, lets those that are busy finish, then closes what was opened."""
        seconds = self.config.server.drain_s if drain_s is None else drain_s
        if self.listeners:
            self.mapi.drain()
        await asyncio.gather(*(listener.drain(seconds) for listener in self.listeners.values()))
        closers = [service.close for service in self.services if hasattr(service, "close")]
        for close in [*closers, *reversed(self._closers)]:
            result = close()
            if asyncio.iscoroutine(result):
                await result
        self._closers.clear()
        self.services.clear()
        logger.info("stopped")

    # --- a changed configuration ------------------------------------------------------------

    async def reload(self, config: root.Config) -> Reloaded:
        """Takes what can be taken; connections stay, and new ones meet the new configuration."""
        taken, restart = root.differences(self.config, config)
        log.configure(config.log.level, config.log.format, levels=config.log.levels)
        self.auth.reload(config.auth)
        await self.certificates.reload(config)
        self.pages.reload(config.http)
        self.config = config
        await self._settle_expiry()
        renew = self.rules.reload(config.policy)
        renew = renew or any(key.partition(".")[0] in _SECTIONS_OF_SERVICES for key in taken)
        if renew:
            await self._stop_sending()
            await self._stop_news()
            if self.arrivals is not None:
                await self.arrivals.peers.close()
            self._join()
        else:  # the file of rules about control messages may have changed
            await self._stop_news()
            self._begin_news()
        self.mapi.reload(config)
        for name, listener in self.listeners.items():
            wanted = config.listeners.get(name)
            if wanted is None or isinstance(listener, HttpListener):
                continue
            listener.reload(wanted, config.net)
            if renew:
                listener.service = self._serve(wanted)
        logger.info("reloaded", taken=taken, restart=restart)
        return Reloaded(taken, restart)

    # --- what others ask ---------------------------------------------------------------------

    def _orders(self) -> dict[str, control.Handler]:
        return {"status": self._status, "metrics": pages.own_metrics, "policy": self._policy}

    async def _policy(self, request: control.Request) -> control.Answer:
        name = str(request.get("name", ""))
        if request.get("what") == "reset":
            self.rules.reset(name)
            self.auth.forget(name)
            return {}
        return self.rules.show(name)

    async def _status(self, _: control.Request) -> control.Answer:
        return {
            "version": __version__,
            "hostname": self.config.hostname,
            "started_at": self.started_at,
            "transactions": self.store.transactions,
            "commits": self.store.commits,
            "listeners": [
                {"name": name, "port": each.port, "connections": each.connections}
                for name, each in self.listeners.items()
            ],
        }

    async def _gather(self) -> list[str]:
        answers = await control.tell(self.config.data, {"do": "metrics"})
        return [answer["exposition"] for answer in answers if answer.get("ok")]

    def _ways(self) -> list[pages.Way]:
        said = {"none": "no", "starttls": "STARTTLS", "implicit": "from the start"}
        return [
            pages.Way(
                f"{wanted.protocol.upper()} ({wanted.name})",
                self.listeners[wanted.name].port,
                said[wanted.tls],
            )
            for wanted in launch.enabled(self.config)
            if wanted.name in self.listeners and wanted.protocol not in ("lmtp", "http")
        ]


# --- services ---------------------------------------------------------------------------------------


def _smtp(app: App, wanted: ListenerConfig) -> Service:
    from quintet.smtp.desk import Role  # each protocol is loaded only where a listener asks for it

    roles = {"": Role.MX, "mx": Role.MX, "submission": Role.SUBMISSION, "odmr": Role.ODMR}
    return joined.smtp_service(
        app.config,
        app.auth,
        app.inbound,
        role=Role.LMTP if wanted.protocol == "lmtp" else roles[wanted.role],
        clock=app.clock,
        starttls=_starttls(app, wanted),
    )


def _imap(app: App, wanted: ListenerConfig) -> Service:
    return joined.imap_service(
        app.config, app.store, app.auth, app.office, clock=app.clock, starttls=_starttls(app, wanted)
    )


def _pop3(app: App, wanted: ListenerConfig) -> Service:
    from quintet.pop3.service import Pop3Service  # as above

    return Pop3Service(
        app.store,
        app.auth,
        app.config.pop3,
        hostname=app.config.hostname,
        clock=app.clock,
        starttls=_starttls(app, wanted),
    )


def _nntp(app: App, wanted: ListenerConfig) -> Service:
    from quintet.nntp.service import NntpService  # as above

    others = (one for one in app.services if isinstance(one, NntpService))
    return NntpService(
        app.store,
        app.auth,
        app.config.nntp,
        hostname=app.config.hostname,
        clock=app.clock,
        office=app.office,
        starttls=_starttls(app, wanted),
        shelf=next((one.shelf for one in others), None),
        arrivals=app.arrivals,
    )


_SERVICES: dict[str, Callable[[App, ListenerConfig], Service]] = {
    "smtp": _smtp,
    "lmtp": _smtp,
    "pop3": _pop3,
    "imap": _imap,
    "nntp": _nntp,
}

_SECTIONS_OF_SERVICES = frozenset(
    "smtp queue tls_out reports dns relay rewrite dkim milter copy imap pop3 nntp news gateway".split()  # noqa: SIM905
)


def _starttls(app: App, wanted: ListenerConfig) -> bool:
    return wanted.tls == "starttls" and app.certificates.contexts.available
