"""Any bytes as what another news server says to feeds and fetches: a value, or the end of the connection."""

import asyncio
from collections.abc import AsyncIterator

from quintet.config.peers import Peer
from quintet.delivery.feeds.link import Verdict
from quintet.delivery.feeds.puller import announced
from quintet.errors import Hangup, Problem, Reason
from quintet.net import dots
from quintet.net.lines import LineBuffer
from quintet.nntp.client import MAX_LINE, Connection

SEEDS = [
    b"200 hello\r\n101 caps\r\nVERSION 2\r\nREADER\r\nSTREAMING\r\n.\r\n203 fine\r\n",
    b"238 <a@x>\r\n438 <b@x>\r\n431 <c@x> later\r\n239 <d@x>\r\n439 <e@x> no\r\n",
    b"211 3 1 3 local.test\r\n225 list\r\n1 <a@x>\r\n2 <b@x>\r\n.\r\n230 new\r\n<a@x>\r\n.\r\n",
    b"220 1 <a@x>\r\nMessage-ID: <a@x>\r\n\r\n..x\r\n.\r\n430 no\r\n423 no\r\n",
    b"215 list\r\nlocal.test 3 1 y\r\n.\r\n335 go\r\n235 ok\r\n436 later\r\n400 bye\r\n",
]


class Said:
    """Stands for `net.client.Client`: what was said, and then the end."""

    address, port = "192.0.2.1", 119

    def __init__(self, data: bytes) -> None:
        self._lines = LineBuffer(MAX_LINE)
        self._lines.feed(data)

    async def line(self) -> bytes:
        found = self._lines.take_line()
        if found is None:
            raise Hangup(Reason.CLOSED)
        return found

    async def dotted(self) -> AsyncIterator[bytes]:
        reader = dots.Reader()
        while not reader.done:
            data = self._lines.take(65536)
            if not data:
                raise Hangup(Reason.CLOSED)
            piece = reader.feed(data)
            if reader.done:
                self._lines.untake(reader.rest)
            if piece:
                yield piece

    async def write(self, data: bytes) -> None:
        assert data.endswith(b"\r\n")

    def compress(self) -> None:
        pass


def target(data: bytes) -> None:
    """See the module."""
    asyncio.run(_all(data))


async def _all(data: bytes) -> None:
    for talk in (_begin, _round, _one_by_one, _read):
        try:
            await talk(Connection(Said(data)))  # type: ignore[arg-type]  # see Said
        except Problem as problem:
            if not problem.text.isprintable():
                raise


async def _begin(link: Connection) -> None:
    await link._begin(Peer(name="x", user="u", password="p"), None, False, stream=True)  # type: ignore[arg-type]


async def _round(link: Connection) -> None:
    for _ in range(20):
        told, asked = await link.round([], ["<a@x>", "<b@x>", "<c@x>"])
        assert told == []
        assert set(asked) <= {Verdict.WANTED, Verdict.KNOWN, Verdict.LATER}


async def _one_by_one(link: Connection) -> None:
    for _ in range(20):
        await link.offer_nothing("<a@x>")


async def _read(link: Connection) -> None:
    await link.group("local.test")
    for _, name in await link.ids(1, 9) or ():
        assert name
    for name in await link.new_ids("*", "20200101 000000") or ():
        assert "\n" not in name
    found = await link.article("1", 1000)
    assert found is None or (len(found) <= 1000 and b"\n" not in announced(found))
    await link.active()
    await link.date()
