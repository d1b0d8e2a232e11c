"""TLS towards other servers, put together: policies, their store, reports, and what runs beside the queue.

One a process; the two jobs are leased, so one worker does them at a time.
"""

from __future__ import annotations

import asyncio

from quintet.clock import Clock
from quintet.config.root import Config
from quintet.delivery import waysin
from quintet.delivery.stsstore import StsPolicies
from quintet.delivery.tlspolicies import TlsPolicies
from quintet.delivery.tlsreporter import TlsReporter
from quintet.delivery.tlsrpt import Reporter
from quintet.delivery.tlstally import Tally
from quintet.errors import Problem
from quintet.net.dns import Resolver
from quintet.net.https import Https
from quintet.net.mtasts import Fetcher
from quintet.store.store import Store


class OutgoingTls:
    """Everything about TLS that the queue and the jobs ask."""

    def __init__(self, config: Config, store: Store, resolver: Resolver, *, clock: Clock) -> None:
        out, hostname = config.tls_out, config.hostname
        https = Https(resolver, ca_file=out.ca_file or None, private=out.private)
        self.tally = Tally()
        self.sts = StsPolicies(
            store, resolver, Fetcher(https, timeout_s=out.fetch_timeout_s, port=out.policy_port), clock=clock
        )
        self.policies = TlsPolicies(
            config.queue.tls, out, resolver, sts=self.sts, tally=self.tally, port=config.queue.port
        )
        self.sts.trouble = self.policies.trouble
        reporter = Reporter(
            out.report_organization or hostname, out.report_contact or f"postmaster@{hostname}", hostname
        )
        self._wanted = out.reports
        signer = waysin.signer(config, clock)
        self._reporter = TlsReporter(
            store,
            self.tally,
            resolver,
            https,
            reporter,
            clock=clock,
            seal=signer.sealed if signer is not None else None,
        )
        self._collecting: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to write counts down."""
        if self._wanted:
            self._collecting = asyncio.create_task(self._reporter.run(), name="tls results")

    async def close(self) -> None:
        """Writes down what was counted last."""
        if self._collecting is None:
            return
        self._collecting.cancel()
        await asyncio.gather(self._collecting, return_exceptions=True)
        self._collecting = None
        try:
            async with asyncio.timeout(_LAST_S):
                await self._reporter.collect()
        except (Problem, TimeoutError):
            return  # a statistic: nobody misses these minutes

    async def refresh(self, _: Store) -> bool:
        """The job "tls policies": fetches remembered policies again before they run out."""
        return await self.sts.refresh()

    async def report(self, _: Store) -> bool:
        """The job "tls reports"."""
        return await self._reporter.send()


_LAST_S = 3.0  # a name service that is gone must not hold up the end
