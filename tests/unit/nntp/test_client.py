"""The client's side against servers that are slow, odd, or silent: what a feed makes of their replies."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from quintet.config.peers import Peer
from quintet.delivery.feeds.link import Outgoing, Verdict
from quintet.errors import Hangup, Problem, Refused, TryLater
from quintet.nntp import client
from quintet.nntp.client import Connection
from tests.support.serving import ended, serving

Say = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Held:
    """An article's bytes in memory, or as if they lay in a file."""

    def __init__(self, data: bytes, *, far: bool = False) -> None:
        self._data, self._far = data, far
        self.size, self.dotless = len(data), False

    def small(self, start: int, length: int) -> bytes | None:
        return None if self._far else self._data[start : start + length]

    async def chunks(self, start: int, length: int) -> AsyncIterator[bytes]:
        for at in range(start, start + length, 65536):
            yield self._data[at : min(at + 65536, start + length)]


def outgoing(name: str, size: int = 100, *, far: bool = False) -> Outgoing:
    body = b"x" * 70 + b"\r\n"
    head = f"Path: a!b\r\nMessage-ID: {name}\r\n\r\n".encode()
    return Outgoing(name, Held(head + body * (size // len(body) + 1), far=far))


@asynccontextmanager
async def server(say: Say, **options: object) -> AsyncIterator[Peer]:
    """One that greets and says yes to MODE STREAM, then does what it is told; little of its buffers."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"200 hello\r\n")
            if options.get("streaming", True):
                said = await reader.readline()
                writer.write(b"203 fine\r\n" if said == b"MODE STREAM\r\n" else b"500 what?\r\n")
            await say(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        made = await asyncio.start_server(serve, sock=sock, limit=8192)
        port = sock.getsockname()[1]
        try:
            yield Peer(name="them", host="127.0.0.1", port=port, compress=False, **options)  # type: ignore[arg-type]
        finally:
            await ended(made)


@asynccontextmanager
async def opened(peer: Peer) -> AsyncIterator[Connection]:
    """A connection that is gone afterwards, whatever became of it."""
    link = await Connection.open(peer)
    try:
        yield link
    finally:
        link._client.abort()
        await asyncio.sleep(0)


async def skip_article(reader: asyncio.StreamReader) -> None:
    while await reader.readline() != b".\r\n":
        pass


async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        word, _, name = line.strip().partition(b" ")
        if word == b"TAKETHIS":
            await skip_article(reader)
            writer.write(b"239 " + name + b"\r\n")
        elif word == b"CHECK":
            writer.write(b"238 " + name + b"\r\n")
        else:
            writer.write(b"205 bye\r\n")
            return


@pytest.mark.parametrize("far", [False, True])
async def test_a_server_that_reads_slowly_holds_up_nothing_for_good(*, far: bool) -> None:
    """Writing waits for it, and its answers are heard meanwhile."""

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        await answer_all(reader, writer)

    async with server(slow) as peer:
        async with opened(peer) as link:
            articles = [outgoing(f"<{number}@x>", 600_000, far=far) for number in range(12)]
            async with asyncio.timeout(20):
                told, asked = await link.round(articles, [f"<o{number}@x>" for number in range(50)])
            assert told == [Verdict.TAKEN] * 12
            assert asked == [Verdict.WANTED] * 50
            await link.close()


def replies(*lines: bytes) -> Say:
    """A server that answers each line it hears with the next of these, and then says nothing more."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for line in lines:
            await reader.readline()
            writer.write(line)
        while await reader.read(8192):
            pass

    return say


@pytest.mark.parametrize("code", [b"201", b"2", b"20", b"two"])
async def test_a_reply_is_three_digits_at_least(code: bytes) -> None:
    """RFC 3977 3.1, 3.2: the text behind them is for people, and some say none."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(code + b"\r\n")
        await reader.readline()
        writer.write(b"203\r\n")
        await reader.read()
        writer.close()

    async with serving(say) as port:
        peer = Peer(name="them", host="127.0.0.1", port=port, compress=False)
        if code == b"201":
            async with opened(peer):
                pass
        else:
            with pytest.raises(Hangup, match="no reply"):
                await Connection.open(peer)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (b"238 <a@x>\r\n", Verdict.WANTED),
        (b"238 <a@x> please\r\n", Verdict.WANTED),
        (b"431 <a@x> later\r\n", Verdict.LATER),
        (b"438 <a@x>\r\n", Verdict.KNOWN),
    ],
)
async def test_answers_to_check(answer: bytes, verdict: Verdict) -> None:
    """RFC 4644 2.4.2."""
    async with server(replies(answer)) as peer:
        async with opened(peer) as link:
            assert await link.round([], ["<a@x>"]) == ([], [verdict])


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (b"239 <a@x>\r\n", Verdict.TAKEN),
        (b"439 <a@x> no\r\n", Verdict.REFUSED),
        (b"431 <a@x> later\r\n", Verdict.LATER),  # Diablo says it to TAKETHIS as well
    ],
)
async def test_answers_to_takethis(answer: bytes, verdict: Verdict) -> None:
    """RFC 4644 2.5.2."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == b"TAKETHIS <a@x>\r\n"
        await skip_article(reader)
        writer.write(answer)

    async with server(say) as peer:
        async with opened(peer) as link:
            assert await link.round([outgoing("<a@x>")], []) == ([verdict], [])


@pytest.mark.parametrize(
    ("offered", "sent", "verdict"),
    [
        (b"335 go\r\n", b"235 ok\r\n", Verdict.TAKEN),
        (b"335 go\r\n", b"436 later\r\n", Verdict.LATER),
        (b"335 go\r\n", b"437 never\r\n", Verdict.REFUSED),
        (b"435 have it\r\n", b"", Verdict.KNOWN),
        (b"436 later\r\n", b"", Verdict.LATER),
    ],
)
async def test_answers_to_ihave(offered: bytes, sent: bytes, verdict: Verdict) -> None:
    """RFC 3977 6.3.2.2."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == b"IHAVE <a@x>\r\n"
        writer.write(offered)
        if sent:
            await skip_article(reader)
            writer.write(sent)

    async with server(say, streaming=False) as peer:
        async with opened(peer) as link:
            assert not link.streams
            assert await link.offer_one(outgoing("<a@x>")) is verdict


@pytest.mark.parametrize(
    "answer",
    [
        b"238 <other@x>\r\n",  # out of step: whatever follows would be taken for another's
        b"238\r\n",
        b"500 what?\r\n",
        b"480 log in\r\n",
        b"239 <a@x>\r\n",
        b"400 bye\r\n",
        b"nonsense\r\n",
        b"\r\n",
        b"23\r\n",
        b"\xff\xfe\x00\r\n",
        "2²8 <a@x>\r\n".encode(),
        b"x" * 20_000 + b"\r\n",
        b"",  # it closes
    ],
)
async def test_an_answer_that_is_none_ends_the_connection_not_the_article(answer: bytes) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)

    async with server(say) as peer:
        async with opened(peer) as link:
            with pytest.raises(Hangup):
                await link.round([], ["<a@x>"])
            await link.close()


@pytest.mark.parametrize(
    ("greeting", "problem"),
    [
        (b"400 full\r\n", Hangup),
        (b"403 trouble\r\n", TryLater),
        (b"502 not you\r\n", Refused),
        (b"220 smtp here\r\n", Refused),
        (b"SSH-2.0-x\r\n", Hangup),
        (b"", Hangup),
    ],
)
async def test_greetings(greeting: bytes, problem: type[Problem]) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()

    async with serving(serve) as port:
        with pytest.raises(problem):
            await Connection.open(Peer(name="them", host="127.0.0.1", port=port, compress=False))


async def test_a_server_that_does_not_stream_is_offered_one_by_one() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"200 hello\r\n")
        await reader.readline()
        writer.write(b"500 what?\r\n")
        await reader.readline()
        writer.close()

    async with serving(serve) as port:
        link = await Connection.open(Peer(name="them", host="127.0.0.1", port=port, compress=False))
        assert not link.streams
        await link.close()


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (b"339 go\r\n", b"239 ok\r\n", Verdict.TAKEN),
        (b"339 go\r\n", b"436 later\r\n", Verdict.LATER),
        (b"436 later\r\n", b"", Verdict.LATER),
        (b"500 what?\r\n", b"", None),
        (b"339 go\r\n", b"500 what?\r\n", None),
    ],
)
async def test_answers_to_xbatch(first: bytes, second: bytes, verdict: Verdict | None) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == b"XBATCH 10\r\n"
        writer.write(first)
        if second:
            assert await reader.readexactly(10) == b"0123456789"
            writer.write(second)

    async with server(say) as peer:
        async with opened(peer) as link:
            if verdict is None:
                with pytest.raises(Hangup):
                    await link.send_batch(b"0123456789")
            else:
                assert await link.send_batch(b"0123456789") is verdict


async def test_what_a_reader_asks() -> None:
    """Odd lines in lists are passed over; codes of either kind are understood."""
    async with server(
        replies(
            b"211 3 1 3 local.test\r\n",
            b"221 list follows\r\n1 <a@x>\r\nnonsense\r\n2\r\nx <b@x>\r\n3 <c@x>\r\n"
            + b"9" * 5000
            + b" <d@x>\r\n.\r\n",
            b"230 new\r\n<a@x>\r\n..dot\r\n.\r\n",
            b"502 no\r\n",
            b"411 no group\r\n",
            b"211 x y z\r\n",
        )
    ) as peer:
        async with opened(peer) as link:
            assert await link.group("local.test") == (1, 3)
            assert await link.ids(1, 3) == [(1, "<a@x>"), (3, "<c@x>")]
            assert await link.new_ids("local.*", "20200101 000000") == ["<a@x>", ".dot"]
            assert await link.new_ids("local.*", "20200101 000000") is None
            assert await link.group("none") is None
            with pytest.raises(Hangup):
                await link.group("odd")


async def test_an_article_that_is_too_large_is_read_past() -> None:
    big = b"220 1 <a@x>\r\n" + (b"y" * 70 + b"\r\n") * 3000 + b".\r\n"
    async with server(replies(big, b"220 2 <b@x>\r\nSubject: x\r\n\r\n..y\r\n.\r\n", b"430 no\r\n")) as peer:
        async with opened(peer) as link:
            assert await link.article("1", 10_000) is None
            assert await link.article("2", 10_000) == b"Subject: x\r\n\r\n.y\r\n"
            assert await link.article("3", 10_000) is None


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".test", "", "no such\0host"])
async def test_a_host_that_is_none(host: str) -> None:
    with pytest.raises(Problem):
        await Connection.open(Peer(name="them", host=host, port=9))


async def test_without_tls_no_certificates_of_authorities_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """That takes 40 ms of everybody's time for each connection, and is in vain."""

    def read(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(client, "client_context", read)
    with pytest.raises(Hangup):  # nobody listens there
        await Connection.open(Peer(name="them", host="127.0.0.1", port=1))
