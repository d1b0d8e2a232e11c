"""Articles too long for memory, and others of the same loop."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from quintet.config.nntp import Nntp
from quintet.config.peers import Peer
from quintet.delivery.arrivalbatch import TAKEN
from quintet.delivery.arrivals import Source
from quintet.message.dates import format_date
from quintet.message.scan import Scanner
from quintet.store import blobs
from tests.support.newshouse import news_house
from tests.support.turns import others

PEER = Peer(name="up", accept="*")


async def _pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def _lines(now: int) -> Iterable[str]:
    yield "Path: p!q\r\nFrom: a@example.org\r\nNewsgroups: local.talk\r\nSubject: s\r\nMessage-ID: <a@x>\r\n"
    yield f"Date: {format_date(now)}\r\nMIME-Version: 1.0\r\n"
    yield "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    yield "--b\r\n\r\nx\r\n" * 20_000


@pytest.mark.parametrize("size", [64 * 1024, 1 << 20])
async def test_others_have_their_turn_while_one_of_many_parts_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """In chunks, by `take_long`, and whole, as one of a batch."""
    monkeypatch.setattr(blobs, "TURN_S", 0.0)
    async with news_house(tmp_path, Nntp(peer=(PEER,))) as house:
        await house.given("group local.talk with 0")
        here = house.arrivals
        assert here is not None
        source = Source(PEER, "127.0.0.1", "c", here.offers.owner())
        data = "".join(_lines(house.clock.now())).encode()
        feed, seen = Scanner.feed, set[int]()
        async with others() as turns:

            def feeding(self: Scanner, chunk: memoryview) -> None:
                seen.add(turns.count)
                feed(self, chunk)

            monkeypatch.setattr(Scanner, "feed", feeding)
            if size < len(data):
                outcome = await here.take_long(source, b"<a@x>", _pieces(data, size))
            else:
                (outcome,) = await here.take(source, [(b"<a@x>", data, True)])
        assert outcome is TAKEN
        assert len(seen) >= len(data) // blobs.STEP
        assert house.article("local.talk", 1).endswith(b"--b\r\n\r\nx\r\n")
        assert house.folder("local.talk").messages == 1
