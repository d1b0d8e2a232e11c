"""FETCH when the disk gives a body up: a begun answer cannot be taken back, so the connection ends."""

import os
from pathlib import Path

import pytest

from quintet.net.memory import Talk
from quintet.store import entries
from tests.unit.imap.world import World, open_world

SIZE = 400_000  # bytes: a file of its own, sent in several pieces


async def large(world: World) -> Path:
    """A message in INBOX whose body lies in a file; that file."""
    spool = world.store.spool()
    spool.write(b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * (SIZE // 17))
    content = await spool.finish()
    assert content.path is not None
    folder = world.folder("INBOX")
    await world.store.write(entries.add, [folder.id], content, received_at=world.clock.now())
    return content.path


async def logged_in(world: World) -> Talk:
    talk = Talk(world.service)
    await talk.begin()
    await talk.send(b"a1 LOGIN alice@example.org demo\r\na2 SELECT INBOX\r\n")
    assert b"a2 OK" in talk.take()
    return talk


def failing_after(pieces: int):
    """What `os.preadv` and `os.pread` become on a disk that breaks."""
    left = [pieces]
    real = os.preadv

    def preadv(fd, buffers, offset, flags=0):
        if left[0] == 0:
            raise OSError(5, "Input/output error")
        left[0] -= 1
        return real(fd, buffers, offset)

    def pread(fd, length, offset):
        raise OSError(5, "Input/output error")

    return preadv, pread


@pytest.mark.parametrize("item", [b"BODY.PEEK[]", b"RFC822", b"BODY.PEEK[TEXT]", b"BINARY.PEEK[1]"])
async def test_disk_that_breaks_in_the_middle_ends_the_connection(tmp_path, monkeypatch, item):
    async with open_world(tmp_path / "data") as world:
        await large(world)
        talk = await logged_in(world)
        preadv, pread = failing_after(2)
        monkeypatch.setattr(os, "preadv", preadv)
        monkeypatch.setattr(os, "pread", pread)
        await talk.send(b"a3 FETCH 1 (" + item + b")\r\n")
        heard = talk.take()
        monkeypatch.undo()
        assert talk.over
        assert b"a3 " not in heard  # neither OK nor NO: the literal is not whole
        assert len(heard) < SIZE
        await talk.end()
        again = await logged_in(world)
        await again.send(b"a3 FETCH 1 (FLAGS)\r\n")
        assert b"a3 OK" in again.take()
        await again.end()


async def test_body_that_is_gone_beside_others(tmp_path):
    async with open_world(tmp_path / "data") as world:
        await world.fill("INBOX", 1)
        path = await large(world)
        kept = path.read_bytes()
        path.unlink()
        talk = await logged_in(world)
        await talk.send(b"a3 FETCH 1 (BODY.PEEK[HEADER.FIELDS (SUBJECT)])\r\n")
        assert b"Letter 1" in talk.take()
        await talk.send(b"a4 FETCH 1:2 (BODY.PEEK[])\r\n")
        heard = talk.take()
        assert b"Letter 1" in heard
        assert b"a4 OK" not in heard
        assert talk.over
        await talk.end()
        path.write_bytes(kept)  # the world is looked through at its end
