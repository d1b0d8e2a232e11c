"""A peer that sends garbage for hours: it costs bounded memory, and nobody else waits for it.

An hour's worth at a modest pace, sent as fast as it goes.  ``QUINTET_GARBAGE=500`` sends so many megabytes of
each kind.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from quintet.store import check
from tests.support.feedhouse import article, bring, count, peer
from tests.support.server import Server, start_server

MEGABYTES = int(os.environ.get("QUINTET_GARBAGE", "2"))
GROWTH = 40 * 1024 * 1024  # bytes; the store's caches and the allocator's own are part of it
PIECE = 64 * 1024

Kind = Callable[[random.Random], Iterator[bytes]]


def line_without_end(rng: random.Random) -> Iterator[bytes]:
    while True:
        yield b"x" * PIECE


def noise(rng: random.Random) -> Iterator[bytes]:
    while True:
        yield rng.randbytes(PIECE)


def unknown_commands(rng: random.Random) -> Iterator[bytes]:
    while True:
        yield b"".join([b"%x\r\n" % rng.getrandbits(64) for _ in range(2000)])


def offers(rng: random.Random) -> Iterator[bytes]:
    while True:
        yield b"".join([b"CHECK <%x@never.test>\r\n" % rng.getrandbits(64) for _ in range(1500)])


def malformed_offers(rng: random.Random) -> Iterator[bytes]:
    while True:
        yield b"".join(
            [b"CHECK <%x>\r\ncheck  x\r\nIHAVE <%x\r\n" % (number, number) for number in range(900)]
        )


def article_without_end(rng: random.Random) -> Iterator[bytes]:
    yield b"TAKETHIS <endless@x>\r\nPath: x\r\nSubject: x\r\n\r\n"
    while True:
        yield b"all work and no play\r\n" * 3000


def header_without_end(rng: random.Random) -> Iterator[bytes]:
    yield b"TAKETHIS <headless@x>\r\n"
    while True:
        yield b"X-Field: and so on\r\n" * 3000


def articles_of_nothing(rng: random.Random) -> Iterator[bytes]:
    while True:
        yield b"".join([b"TAKETHIS <%x@x>\r\nrubbish\r\n.\r\n" % rng.getrandbits(64) for _ in range(1000)])


def batch_that_unpacks(rng: random.Random) -> Iterator[bytes]:
    """Little that becomes much: gzip of zeros, in a batch that never ends."""
    packer = zlib.compressobj(wbits=31)  # in pieces: 30 MB that we hold ourselves would be counted, too
    bomb = [b"#! cunbatch\n", packer.compress(b"#! rnews 900000000\n")]
    bomb += [packer.compress(bytes(PIECE)) for _ in range(30_000_000 // PIECE)]
    yield b"XBATCH 4000000000\r\n"
    yield b"".join([*bomb, packer.flush()])
    while True:
        yield b"\0" * PIECE


async def pour(port: int, kind: Kind, rng: random.Random) -> int:
    """Sends one kind until there was enough of it; how many connections that took."""
    left, connections = MEGABYTES * 1024 * 1024, 0
    while left > 0:
        connections += 1
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        async def listen(reader: asyncio.StreamReader = reader) -> None:
            while await reader.read(PIECE):
                pass

        listening = asyncio.create_task(listen())
        with suppress(OSError):
            for piece in kind(rng):
                writer.write(piece)
                async with asyncio.timeout(60):
                    await writer.drain()
                left -= len(piece)
                if left <= 0 or listening.done():
                    break
        if listening.done():
            left -= PIECE  # turned away: it comes again, but not for ever
        listening.cancel()
        writer.transport.abort()
        with suppress(OSError, asyncio.CancelledError):
            await listening
    return connections


@pytest.mark.parametrize(
    "kind",
    [
        line_without_end,
        noise,
        unknown_commands,
        offers,
        malformed_offers,
        article_without_end,
        header_without_end,
        articles_of_nothing,
        batch_that_unpacks,
    ],
)
async def test_garbage_costs_bounded_memory(tmp_path: Path, kind: Kind) -> None:
    async with start_server(tmp_path, only=("nntp",), nntp={"peer": (peer("in"),)}) as server:
        port = server.ports["nntp"]
        await bring(port, [("warm@x", article("warm@x"))])
        before = _memory()
        pouring = asyncio.create_task(pour(port, kind, random.Random(7)))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(20):  # somebody else is served meanwhile
            assert (await bring(port, [("good@x", article("good@x"))]))[0].startswith("239")
        await pouring
        assert _memory() - before < GROWTH
        await _quiet(server)
        assert count(server) == 2
        assert await server.store.read(check.all) == []


async def _quiet(server: Server) -> None:
    """Nothing is owed by connections that are gone."""
    arrivals = server.app.arrivals
    assert arrivals is not None
    async with asyncio.timeout(20):
        while len(arrivals.offers) or any(arrivals.peers.connections.values()):
            await asyncio.sleep(0.05)


def _memory() -> int:
    gc.collect()
    return psutil.Process().memory_info().rss
