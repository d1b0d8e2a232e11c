"""EHLO along with the connection, to hosts that were met before (Exim's PIPECONNECT)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from quintet.clock import FrozenClock
from quintet.delivery.envelope import Mailbox
from quintet.delivery.letter import HeldBody
from quintet.delivery.transport import Hop, Letter, Result, To
from quintet.errors import TryLater
from quintet.smtp.client import SmtpTransport
from quintet.smtp.early import KEEP_S
from tests.support import pki
from tests.support.nexthost import NextHost, next_host

OFFERS = ["PIPELINING", "PIPECONNECT"]
BODY = b"Subject: x\r\n\r\nx\r\n"


class Ahead:
    """A reader with a line that was read already."""

    def __init__(self, reader: asyncio.StreamReader, line: bytes) -> None:
        self._reader, self._line = reader, line

    async def readline(self) -> bytes:
        line, self._line = self._line, b""
        return line or await self._reader.readline()

    async def readexactly(self, size: int) -> bytes:
        return await self._reader.readexactly(size)


class Listens(NextHost):
    """Before it greets it looks whether anybody says something; ``strict``: who does is sent away."""

    strict = False
    patience_s = 0.2
    early: list[bytes]

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.connections == 1:
            self.early = []
        try:
            async with asyncio.timeout(self.patience_s):
                line = await reader.readline()
        except TimeoutError:
            line = b""
        self.early.append(line)
        if line and self.strict:
            writer.write(b"554 5.5.1 you talk too early\r\n")
            return
        await super()._talk(Ahead(reader, line), writer)  # type: ignore[arg-type]


class Strict(Listens):
    strict = True


def early(host: NextHost) -> list[bytes]:
    """What was said before each greeting."""
    assert isinstance(host, Listens)
    return host.early


class Sessions:
    def __init__(self, host: NextHost, **options: Any) -> None:
        self.clock = FrozenClock()
        self.transport = SmtpTransport("mx.test", clock=self.clock)
        options = {"tls": "never", "pipe_connect": True, **options}
        self.hop = Hop("next.test", "127.0.0.1", host.port, **options)

    async def one(self) -> bool:
        """A message in a session of its own; whether it went under TLS."""
        link = await self.transport.connect(self.hop)
        letter = Letter(Mailbox("alice", "example.org"), HeldBody(BODY), False, False)
        (answer,) = await link.send(letter, [To(Mailbox("bob", "example.net"))])
        assert answer.result is Result.DONE
        await link.close()
        return link.secure


async def test_ehlo_goes_along_from_the_second_session_on() -> None:
    async with next_host(kind=Listens, offers=list(OFFERS)) as host:
        sessions = Sessions(host)
        for _ in range(3):
            await sessions.one()
        assert early(host) == [b"", b"EHLO mx.test\r\n", b"EHLO mx.test\r\n"]
        assert host.messages == [BODY] * 3
        assert host.heard.count("EHLO mx.test") == host.connections == 3


async def test_starttls_goes_along_too(tmp_path: Path) -> None:
    context = pki.issue(["next.test"]).context(tmp_path)
    async with next_host(kind=Listens, offers=[*OFFERS, "STARTTLS"], context=context) as host:
        sessions = Sessions(host, tls="may")
        assert [await sessions.one() for _ in range(2)] == [True, True]
        assert early(host) == [b"", b"EHLO mx.test\r\n"]
        # RFC 3207 4.2: and EHLO once more under TLS
        assert host.heard.count("STARTTLS") == 2
        assert host.heard.count("EHLO mx.test") == 4
        assert host.messages == [BODY] * 2


@pytest.mark.parametrize(
    ("offers", "options"),
    [
        (["PIPELINING"], {}),
        (["PIPECONNECT"], {}),  # without the other it makes no sense
        (OFFERS, {"pipe_connect": False}),
        (OFFERS, {"ignore": frozenset(["PIPECONNECT"])}),
    ],
)
async def test_nobody_else_hears_anything_before_the_greeting(
    offers: list[str], options: dict[str, Any]
) -> None:
    """RFC 5321 4.3.1."""
    async with next_host(kind=Listens, offers=list(offers)) as host:
        sessions = Sessions(host, **options)
        for _ in range(2):
            await sessions.one()
        assert early(host) == [b"", b""]


async def test_what_is_known_of_a_host_holds_for_a_day() -> None:
    async with next_host(kind=Listens, offers=list(OFFERS)) as host:
        sessions = Sessions(host)
        await sessions.one()
        sessions.clock.advance(KEEP_S + 1)
        await sessions.one()
        assert early(host) == [b"", b""]


async def test_a_host_that_minds_is_asked_again_as_any_other() -> None:
    async with next_host(kind=Strict, offers=list(OFFERS)) as host:
        sessions = Sessions(host)
        await sessions.one()
        host.offers.remove("PIPECONNECT")
        for _ in range(2):
            await sessions.one()
        assert early(host) == [b"", b"EHLO mx.test\r\n", b"", b""]
        assert host.messages == [BODY] * 3


async def test_a_host_that_offers_no_tls_any_more(tmp_path: Path) -> None:
    context = pki.issue(["next.test"]).context(tmp_path)
    async with next_host(kind=Listens, offers=[*OFFERS, "STARTTLS"], context=context) as host:
        sessions = Sessions(host, tls="may")
        await sessions.one()
        host.offers, host.replies = list(OFFERS), {"STARTTLS": "502 5.5.1 not here"}
        assert [await sessions.one() for _ in range(2)] == [False, False]
        assert host.heard.count("STARTTLS") == 2  # the last session knows better
        assert host.messages == [BODY] * 3


async def test_a_refusal_is_what_it_is() -> None:
    """Said once more to who does not talk early, and then believed."""
    async with next_host(kind=Listens, offers=list(OFFERS)) as host:
        sessions = Sessions(host)
        await sessions.one()
        host.greeting = "421 4.3.2 not now"
        with pytest.raises(TryLater, match="not now"):
            await sessions.one()
        assert early(host) == [b"", b"EHLO mx.test\r\n", b""]
