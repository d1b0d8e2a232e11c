"""COMPRESS (RFC 4978), and how it ends (RFC 8437 4.1): what dialogues, which are lines, cannot show."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from quintet.net.memory import Talk
from tests.unit.imap.world import open_world


class _Packed:
    """A client that speaks DEFLATE over a `Talk`."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.pack = zlib.compressobj(wbits=-15)
        self.unpack = zlib.decompressobj(wbits=-15)

    async def ask(self, data: bytes, how: int = zlib.Z_SYNC_FLUSH, more: bytes = b"") -> bytes:
        await self.talk.send(self.pack.compress(data) + self.pack.flush(how) + more)
        return self.unpack.decompress(self.talk.take())


async def _begun(talk: Talk) -> _Packed:
    await talk.begin()
    await talk.send(b"a1 COMPRESS DEFLATE\r\n")
    assert b"a1 BAD" in talk.take()  # RFC 4978 5: only after the login
    await talk.send(b"a2 LOGIN alice@example.org demo\r\na3 COMPRESS LZW\r\n")
    said = talk.take()
    assert b"a2 OK [CAPABILITY " in said
    assert b" COMPRESS=DEFLATE" in said
    assert b"a3 BAD" in said
    await talk.send(b"a4 COMPRESS DEFLATE\r\n")
    assert talk.take() == b"a4 OK DEFLATE active\r\n"
    return _Packed(talk)


async def test_compression_covers_both_ways_once(tmp_path: Path) -> None:
    """RFC 4978 3."""
    async with open_world(tmp_path / "data") as world:
        await world.given("INBOX with 300 messages")
        talk = Talk(world.service)
        client = await _begun(talk)
        said = await client.ask(b"b1 COMPRESS DEFLATE\r\nb2 CAPABILITY\r\nb3 STARTTLS\r\n")
        assert said.startswith(b"b1 BAD ")
        assert b"COMPRESS=DEFLATE" not in said
        assert b"b3 BAD" in said
        assert b"300 EXISTS" in await client.ask(b"c1 SELECT INBOX\r\n")
        assert (await client.ask(b"c2 FETCH 1:* (ENVELOPE BODY.PEEK[])\r\n")).endswith(b"c2 OK Done\r\n")
        assert b"c3 OK" in await client.ask(b"c3 LOGOUT\r\n")


@pytest.mark.parametrize("how", [zlib.Z_SYNC_FLUSH, zlib.Z_FINISH])
async def test_unauthenticate_ends_compression(tmp_path: Path, how: int) -> None:
    """RFC 8437 4.1: ours ends after the CRLF of the answer, theirs after that of the command."""
    async with open_world(tmp_path / "data") as world:
        talk = Talk(world.service)
        client = await _begun(talk)
        assert await client.ask(b"b1 UNAUTHENTICATE\r\n", how) == b"b1 OK Logged out\r\n"
        assert client.unpack.eof
        assert not client.unpack.unused_data
        await talk.send(b"b2 LOGIN bob@example.org demo\r\nb3 COMPRESS DEFLATE\r\n")
        assert talk.take().endswith(b"b3 OK DEFLATE active\r\n")
        assert await _Packed(talk).ask(b"b4 NOOP\r\n") == b"b4 OK Done\r\n"


async def test_login_may_follow_the_end_of_the_stream_at_once(tmp_path: Path) -> None:
    """RFC 8437 3: pipelined; the stream's own end tells where it stops."""
    async with open_world(tmp_path / "data") as world:
        talk = Talk(world.service)
        client = await _begun(talk)
        said = await client.ask(
            b"b1 UNAUTHENTICATE\r\n", zlib.Z_FINISH, b"b2 LOGIN bob@example.org demo\r\nb3 NOOP\r\n"
        )
        assert said == b"b1 OK Logged out\r\n"
        rest = client.unpack.unused_data + talk.take()
        assert b"b2 OK " in rest
        assert rest.endswith(b"b3 OK Done\r\n")


async def test_garbage_instead_of_deflate_ends_the_connection(tmp_path: Path) -> None:
    async with open_world(tmp_path / "data") as world:
        talk = Talk(world.service)
        await _begun(talk)
        await talk.send(b"\xff\xff\xff\xff b1 NOOP\r\n")
        assert talk.over


async def test_a_bomb_of_packed_commands_lets_others_be_answered(tmp_path: Path) -> None:
    """RFC 4978 6: few bytes that are many commands."""
    async with open_world(tmp_path / "data") as world:
        other, talk = Talk(world.service), Talk(world.service)
        await other.begin()
        await other.send(b"a1 LOGIN bob@example.org demo\r\n")
        other.take()
        client = await _begun(talk)
        bomb = client.pack.compress(b"x NOOP\r\n" * 30_000) + client.pack.flush(zlib.Z_SYNC_FLUSH)
        assert len(bomb) < 1000
        talk.stream.take(bomb)
        for number in range(10):
            await other.send(b"n%d NOOP\r\n" % number)
            assert other.take() == b"n%d OK Done\r\n" % number
        assert not talk.driver.waiting  # ten answers later the bomb is still worked on
        await talk.settle()
        assert client.unpack.decompress(talk.take()) == b"x OK Done\r\n" * 30_000
        await talk.end()
        await other.end()
