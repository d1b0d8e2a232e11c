"""Tells other domains once a day what became of TLS with their hosts: by mail, or by HTTPS POST.

What was counted is written down every few minutes for the domains that want to know; one worker sends what
is due.  RFC 8460 3, 4.1 (when), 5.3 to 5.5 (how, and again when it fails).
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

from quintet import log
from quintet.clock import Clock
from quintet.delivery import filing, tlsrpt
from quintet.delivery.envelope import Envelope, mailbox
from quintet.delivery.envelope import Recipient as Addressee
from quintet.delivery.tlsrpt import Report, Reporter
from quintet.delivery.tlstally import Tally
from quintet.errors import Problem, Reason, TryLater
from quintet.net.dns import Resolver
from quintet.net.https import Https
from quintet.net.seam import Peer
from quintet.store import tlsresults
from quintet.store.content import content_of
from quintet.store.store import Store
from quintet.store.tlsresults import Owed

if TYPE_CHECKING:
    from quintet.delivery.signing import Seal

COLLECT_S = 300.0  # how often counts are written down
DAY_MS = 86_400_000
SPREAD_MS = 4 * 3600 * 1000  # RFC 8460 4.1: not all reporters at once
AT_ONCE = 20  # questions to the name service
ROUND = 20  # reports sent in one round of the job
FIRST_RETRY_MS = 30 * 60 * 1000  # doubles
MAX_TRIES = 6  # together about a day: RFC 8460 5.5
POST_S = 60.0
MAX_ANSWER = 64 * 1024  # bytes of an answer to a POST; nobody reads it

logger = log.get("tls")


class TlsReporter:
    """One a process."""

    def __init__(
        self,
        store: Store,
        tally: Tally,
        resolver: Resolver,
        https: Https,
        reporter: Reporter,
        *,
        clock: Clock,
        seal: Seal | None = None,
    ) -> None:
        self._store, self._tally, self._resolver, self._https = store, tally, resolver, https
        self._reporter, self._clock, self._seal = reporter, clock, seal

    async def run(self) -> None:
        """Writes counts down again and again; ends by being cancelled."""
        while True:
            await asyncio.sleep(COLLECT_S * (0.5 + self._clock.random()))
            try:
                await self.collect()
            except Problem as problem:
                logger.warning("tls results not written", text=problem.text)

    async def collect(self) -> int:
        """Writes down what was counted, for domains that want reports; returns how many domains.

        Raises TryLater: the counts of these minutes are lost.
        """
        found = self._tally.take()
        gate = asyncio.Semaphore(AT_ONCE)

        async def wanted(domain: str) -> bool:
            async with gate:
                try:
                    return bool(await self._destinations(domain))
                except TryLater:
                    return True  # asked again before it is sent

        names = list(found)
        answers = await asyncio.gather(*(wanted(name) for name in names))
        kept = {name: found[name] for name, yes in zip(names, answers, strict=True) if yes}
        if kept:
            day = self._clock.now() // DAY_MS
            due = {name: (day + 1) * DAY_MS + round(SPREAD_MS * self._clock.random()) for name in kept}
            await self._store.write(tlsresults.add, day, kept, due)
        return len(kept)

    async def send(self) -> bool:
        """Sends what is due, a bounded number; True: there may be more."""
        owed = await self._store.read(tlsresults.due, ROUND)
        for each in owed:
            await self._one(each)
        return len(owed) == ROUND

    async def _destinations(self, domain: str) -> tuple[str, ...]:
        return tlsrpt.destinations(await self._resolver.txt(f"_smtp._tls.{domain}"))

    async def _one(self, owed: Owed) -> None:
        error = ""
        seed = f"{owed.day} {owed.domain} {self._reporter.hostname}"
        try:
            uris = await self._destinations(owed.domain)
            details = await self._store.read(tlsresults.details, owed.domain, owed.day)
            if not uris or not details:
                await self._store.write(tlsresults.done, owed.domain, owed.day)
                return
            # the id stays the same when a report is sent again: its receiver may know it already (5.3)
            token = hashlib.sha256(seed.encode()).hexdigest()[:16]
            report = tlsrpt.report(owed.domain, owed.day, details, self._reporter, token)
        except TryLater as problem:
            error = problem.text
        else:
            for uri in uris:
                try:
                    await self._give(report, uri)
                except TryLater as problem:
                    error = f"{uri}: {problem.text}"
                else:
                    await self._store.write(tlsresults.done, owed.domain, owed.day)
                    logger.info("tls report sent", domain=owed.domain, to=uri)
                    return
        over = owed.tries + 1 >= MAX_TRIES
        logger.warning("tls report not sent", domain=owed.domain, text=error, over=over)
        if over:
            await self._store.write(tlsresults.done, owed.domain, owed.day)
        else:
            due_at = self._clock.now() + FIRST_RETRY_MS * 2**owed.tries
            await self._store.write(tlsresults.later, owed.domain, owed.day, due_at)

    async def _give(self, report: Report, uri: str) -> None:
        """Raises TryLater."""
        address = tlsrpt.mail_address(uri)
        if address:
            await self._mail(report, address)
            return
        answer = await self._https.ask(
            uri,
            timeout_s=POST_S,
            max_bytes=MAX_ANSWER,
            data=report.packed,
            headers={"Content-Type": "application/tlsrpt+gzip"},
        )
        if answer.status // 100 != 2:
            raise TryLater(Reason.CLOSED, f"answers {answer.status}")

    async def _mail(self, report: Report, address: str) -> None:
        """Into the queue, with a null sender: nobody reads reports about reports."""
        now = self._clock.now()
        data = tlsrpt.letter(report, self._reporter, address, now, self._clock.token(12))
        if self._seal is not None:
            data = self._seal(data)  # RFC 8460 3: who gets it by mail wants to know who says so
        envelope = Envelope(
            peer=Peer("tlsrpt", ""),
            helo=self._reporter.hostname,
            id=self._clock.token(8),
            recipients=[Addressee(mailbox(address))],
        )
        work = filing.Work(
            envelope=envelope,
            content=content_of(data),
            decisions=[filing.Send((address,))],
            received=b"",
            now=now,
            expires_at=now + DAY_MS,
            event="tls report",
        )
        await self._store.write(filing.file, work)
