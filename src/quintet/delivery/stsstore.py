"""Which MTA-STS policy holds for a domain now: remembered in the store, asked for again in time.

A policy that was once fetched holds until it runs out, whatever the name service says later (RFC 8461 3.3,
5.1, 10.2).  The texts and the fetching are `net.mtasts`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from quintet import log
from quintet.clock import Clock
from quintet.errors import BadSyntax, Problem, TryLater
from quintet.net import mtasts
from quintet.net.dns import Resolver
from quintet.net.mtasts import FetchFailed, StsPolicy
from quintet.store import promises
from quintet.store.promises import Promise
from quintet.store.store import Store

RETRY_S = 300.0  # after a fetch that failed, for one id: RFC 8461 3.3
DAY_MS = 86_400_000
UNUSED_MS = 30 * DAY_MS  # what nobody asked for in so long is not fetched again
ROUND = 20  # policies fetched again in one round of the job
MAX_FAILED = 10_000  # domains whose failure is remembered

logger = log.get("tls")


class StsPolicies:
    """One a process.  ``trouble(domain, kind, text)`` hears of policies that could not be fetched."""

    def __init__(
        self,
        store: Store,
        resolver: Resolver,
        fetcher: mtasts.Fetcher,
        *,
        clock: Clock,
        trouble: Callable[[str, str, str], None] = lambda *_: None,
    ) -> None:
        self._store, self._resolver, self._fetcher, self._clock = store, resolver, fetcher, clock
        self.trouble = trouble
        self._failed: dict[str, tuple[str, float]] = {}  # domain: id, until when it is not asked again
        self._fetching: dict[str, asyncio.Task[StsPolicy | None]] = {}

    async def find(self, domain: str) -> StsPolicy | None:
        """The policy of a domain (A-labels); None where none is known.  Raises TryLater(storage)."""
        kept = self._store.peek(promises.find, domain)
        living = kept if kept is not None and kept.expires_at > self._clock.now() else None
        version = await self._version(domain)
        if version is not None and (living is None or living.version != version):
            found = await self._fresh(domain, version, living)
            if found is not None:
                return found
        if living is None:
            return None
        if self._clock.now() - living.used_at > DAY_MS:
            await self._store.write(promises.used, domain)
        return _read(living)

    async def refresh(self) -> bool:
        """Fetches again what is a day old, a bounded number at once; True: there may be more (10.2)."""
        now = self._clock.now()
        await self._store.write(promises.tidy)
        old = await self._store.read(promises.stale, now - DAY_MS, now - DAY_MS // 4, now - UNUSED_MS, ROUND)
        for each in old:
            version = await self._version(each.domain)
            await self._fetch(each.domain, version or each.version, each, used=False)
        return len(old) == ROUND

    async def _version(self, domain: str) -> str | None:
        """The id in the name service; None when there is none, or no answer."""
        try:
            return mtasts.record_id(await self._resolver.txt(f"_mta-sts.{domain}"))
        except TryLater:
            return None

    async def _fresh(self, domain: str, version: str, living: Promise | None) -> StsPolicy | None:
        """A policy we do not know; those who ask at once share one fetch."""
        failed = self._failed.get(domain)
        if failed is not None and failed[0] == version and self._clock.monotonic() < failed[1]:
            return None
        task = self._fetching.get(domain)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._fetch(domain, version, living))
            self._fetching[domain] = task
            task.add_done_callback(lambda _: self._fetching.pop(domain, None))
        return await asyncio.shield(task)

    async def _fetch(
        self, domain: str, version: str, living: Promise | None, *, used: bool = True
    ) -> StsPolicy | None:
        """Fetches and remembers; None (and a word to those who want to know) when that fails."""
        try:
            raw = await self._fetcher.fetch(domain)
            policy = mtasts.parse(raw)
        except (FetchFailed, BadSyntax) as error:
            kind = error.kind if isinstance(error, FetchFailed) else mtasts.INVALID
            await self._not_fetched(domain, version, living, kind, error.text)
            return None
        expires_at = self._clock.now() + policy.max_age_s * 1000
        self._failed.pop(domain, None)
        used_at = living.used_at if living is not None and not used else None
        try:
            await self._store.write(promises.put, domain, version, policy.text(), expires_at, used_at)
        except Problem as problem:  # it holds for this message all the same
            logger.warning("policy not remembered", domain=domain, text=problem.text)
        logger.info("policy fetched", domain=domain, mode=policy.mode, id=version)
        return policy

    async def _not_fetched(
        self, domain: str, version: str, living: Promise | None, kind: str, text: str
    ) -> None:
        if len(self._failed) >= MAX_FAILED:
            self._failed.clear()
        self._failed[domain] = (version, self._clock.monotonic() + RETRY_S)
        kept = None if living is None else _read(living)
        if kept is not None and kept.mode == "none":  # on its way out: RFC 8461 8.3
            return
        logger.warning("policy not fetched", domain=domain, kind=kind, text=text, kept=kept is not None)
        self.trouble(domain, kind, text)
        if living is not None:
            await self._store.write(promises.failed, domain, f"{kind}: {text}")


def _read(kept: Promise) -> StsPolicy | None:
    try:
        return mtasts.parse(kept.body.encode())
    except BadSyntax:  # written by another program
        return None
