"""What the http listeners answer: landing page, /healthz, /metrics, ACME challenges (RFC 8555 8.3), MTA-STS.

Pure decisions about a path and a peer; sockets and HTTP itself are ``http``'s.
"""

from __future__ import annotations

import asyncio
import html
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from quintet import __version__, metrics
from quintet.config.server import Http
from quintet.errors import Problem
from quintet.net.limits import Networks
from quintet.store import jobs, queue
from quintet.store.db import Tx
from quintet.store.store import Store
from quintet.values import dataclass

CHALLENGE = "/.well-known/acme-challenge/"
POLICY = "/.well-known/mta-sts.txt"
HEALTH_S = 5.0  # between two trials to write
WRITE_S = 5.0  # a store that takes longer is not well
ROOM = 1024 * 1024  # bytes of a letter that there should be room for
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP response."""

    status: int
    type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Way:
    """One way to connect, for the landing page."""

    protocol: str
    port: int
    tls: str


class Pages:
    """One a process.

    ``gather`` gives every worker's exposition, ours included; ``proof`` the answer to an ACME token;
    ``policy`` the MTA-STS policy that a host name shows (RFC 8461 3.3).
    """

    def __init__(
        self,
        store: Store,
        config: Http,
        *,
        hostname: str,
        ways: Callable[[], Sequence[Way]],
        gather: Callable[[], Awaitable[list[str]]],
        proof: Callable[[str], str | None] = lambda _: None,
        policy: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self._store = store
        self._hostname = hostname
        self._ways = ways
        self._gather = gather
        self._proof = proof
        self._policy = policy
        self._looked: str | None = None  # what was the trouble when writing was tried last
        self._looked_at = 0.0
        self.reload(config)

    def reload(self, config: Http) -> None:
        self._config = config
        self._trusted = Networks(config.metrics_from)

    async def answer(self, path: str, address: str, host: str = "") -> Answer:
        """The response to GET ``path`` from ``address``, who asked for ``host`` (with or without a port)."""
        if path == "/healthz":
            return await self._health(address)
        if path == "/metrics":
            if address not in self._trusted:
                return _text(403, "see http.metrics_from\n")
            return Answer(200, EXPOSITION, await self._metrics())
        if path.startswith(CHALLENGE):
            found = self._proof(path.removeprefix(CHALLENGE))
            return _text(200, found) if found else _text(404, "no such challenge\n")
        if path == POLICY:
            shown = self._policy(host.partition(":")[0].lower().rstrip("."))
            return _text(200, shown) if shown else _text(404, "no policy for this host\n")
        if path == "/" and self._config.landing:
            return Answer(200, "text/html; charset=utf-8", self._landing().encode())
        return _text(404, "nothing here\n")

    async def _health(self, address: str) -> Answer:
        """200 while the store can be read and written; details are for those who may read the metrics."""
        now = self._store.clock.monotonic()
        if self._looked is None or now - self._looked_at >= HEALTH_S:  # not a flush for each who asks
            self._looked, self._looked_at = await self._trouble(), now
        try:
            self._store.peek(_alive)
        except Problem as problem:
            trouble = problem.text
        else:
            trouble = self._looked
        status = 503 if trouble else 200
        state = {"status": "failing" if trouble else "ok"}
        if address in self._trusted:
            state |= {"store": trouble or "ok", "version": __version__}
        return Answer(status, "application/json", json.dumps(state).encode() + b"\n")

    async def _trouble(self) -> str:
        """Why nothing can be written; "" when it can."""
        writing = asyncio.ensure_future(self._write())
        done, _ = await asyncio.wait((writing,), timeout=WRITE_S)
        return writing.result() if done else "busy"

    async def _write(self) -> str:
        try:
            self._store.blobs.check_space(ROOM)
            await self._store.write(jobs.beat)
        except Problem as problem:
            return problem.text
        return ""

    async def _metrics(self) -> bytes:
        counts = await self._store.read(queue.counts)
        lines = [
            "# HELP quintet_queue_recipients Recipients in the outbound queue",
            "# TYPE quintet_queue_recipients gauge",
            *(
                f'quintet_queue_recipients{{state="{state}"}} {counts.get(state, 0)}'
                for state in (queue.WAITING, queue.LEASED, queue.HELD)
            ),
        ]
        return (add_up(await self._gather()) + "\n".join(lines) + "\n").encode()

    def _landing(self) -> str:
        name = html.escape(self._hostname)
        rows = "\n".join(
            f"<tr><td>{html.escape(way.protocol)}</td><td>{way.port}</td><td>{html.escape(way.tls)}</td></tr>"
            for way in self._ways()
        )
        return _LANDING.format(name=name, rows=rows, version=__version__)


def _alive(tx: Tx) -> None:
    tx.value("SELECT COUNT(*) FROM domain")


def _text(status: int, text: str) -> Answer:
    return Answer(status, "text/plain; charset=utf-8", text.encode())


def add_up(expositions: Sequence[str]) -> str:
    """One exposition of many: samples with the same name and labels are added."""
    if len(expositions) == 1:
        return expositions[0]
    order: list[str] = []
    sums: dict[str, float] = {}
    for text in expositions:
        for line in text.splitlines():
            if line.startswith("#"):
                key, amount = line, 0.0
            else:
                key, _, number = line.rpartition(" ")
                amount = float(number)
            if key not in sums:
                order.append(key)
                sums[key] = 0.0
            sums[key] = min(sums[key] or amount, amount) if "_created" in key else sums[key] + amount
    return "".join(f"{key}\n" if key[:1] == "#" else f"{key} {sums[key]:.17g}\n" for key in _grouped(order))


def _grouped(keys: Sequence[str]) -> list[str]:
    """Samples of one metric together, in the order in which the metrics came."""
    families: dict[str, list[str]] = {}
    for key in keys:
        name = key.split()[2] if key[0] == "#" else key.partition("{")[0]
        family = name
        for suffix in ("_total", "_created", "_bucket", "_count", "_sum"):
            family = family.removesuffix(suffix)
        families.setdefault(family, []).append(key)
    return [key for group in families.values() for key in group]


async def own_metrics(_: dict[str, Any]) -> dict[str, Any]:
    """The control order "metrics"."""
    return {"exposition": metrics.exposition().decode()}


_LANDING = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 38em; margin: 3em auto; padding: 0 1em }}
td, th {{ text-align: left; padding: .15em 1.5em .15em 0 }}
</style>
<h1>{name}</h1>
<p>This is a mail and news server, run by Quintet {version}. Letters and newsgroups live in one store:
read them with whatever you like.</p>
<table>
<tr><th>Protocol</th><th>Port</th><th>TLS</th></tr>
{rows}
</table>
<p>Your login name is your whole address. If you have none, ask the people who run this machine:
<a href="mailto:postmaster@{name}">postmaster@{name}</a>.</p>
</html>
"""
