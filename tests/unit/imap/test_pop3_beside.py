"""A maildrop that is open while IMAP takes its messages away."""

from __future__ import annotations

from pathlib import Path

import pytest

from quintet.config.pop3 import Pop3
from quintet.imap.cmd import mailboxes
from quintet.net.memory import Talk
from quintet.pop3.service import Pop3Service
from tests.unit.imap.test_slices import ask, talk_to, uids
from tests.unit.imap.world import World, open_world


async def _log_in(world: World, service: Pop3Service) -> Talk:
    talk = Talk(service)
    await talk.begin()
    await _say(talk, "USER alice@example.org")
    assert (await _say(talk, "PASS demo")).startswith("+OK ")
    return talk


async def _say(talk: Talk, command: str) -> str:
    talk.take()
    await talk.send(command.encode() + b"\r\n")
    return talk.take().decode()


async def _seen(talk: Talk) -> list[str]:
    return [await _say(talk, command) for command in ("STAT", "LIST", "UIDL", "LIST 2", "UIDL 2")]


async def test_a_maildrop_stays_as_it_was_while_inbox_is_renamed_in_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 1939 4 and 5: numbers and sizes are those of the session's beginning.

    RETR of what has moved is -ERR as of what was expunged: no other message takes its number.
    """
    monkeypatch.setattr(mailboxes, "WHOLE", 3)
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await world.fill("INBOX", 10)
        service = Pop3Service(
            world.store, world.auth, Pop3(), hostname="pop.example.org", clock=world.clock
        )  # fmt: skip
        drop = await _log_in(world, service)
        before = await _seen(drop)
        assert before[0].startswith("+OK 10 ")
        told: list[dict[str, str]] = []
        step = mailboxes.Emptied._step

        async def stepping(self: mailboxes.Emptied) -> int:
            done = await step(self)
            assert await _seen(drop) == before
            commands = ("RETR 9", "RETR 2", "TOP 5 1")  # not in turn: nothing is read ahead
            told.append({command: (await _say(drop, command)).partition("\r\n")[0] for command in commands})
            return done

        monkeypatch.setattr(mailboxes.Emptied, "_step", stepping)
        imap = await talk_to(world)
        assert (await ask(imap, "RENAME INBOX Old"))[-1] == "t OK Renamed"
        gone = "-ERR message is gone"
        # 1:3 are moved first, then 4:6, 7:9, and 10
        assert [[said == gone for said in one.values()] for one in told[:3]] == [
            [False, True, False], [False, True, True], [True, True, True]
        ]  # fmt: skip
        assert all(said == gone or said.startswith("+OK") for one in told for said in one.values())
        await world.fill("INBOX", 1)
        assert await _seen(drop) == before
        assert (await _say(drop, "RETR 11")).startswith("-ERR ")

        for number in (2, 9):
            assert (await _say(drop, f"DELE {number}")).startswith("+OK")
        assert (await _say(drop, "STAT")).startswith("+OK 8 ")
        # RFC 1939 6: nothing that was marked is in the maildrop; what is elsewhere stays there
        assert (await _say(drop, "QUIT")).startswith("+OK")
        assert (uids(world, "INBOX"), uids(world, "Old")) == ([11], list(range(1, 11)))
        await drop.end()

        drop = await _log_in(world, service)
        assert (await _say(drop, "STAT")).startswith("+OK 1 ")
        assert "Letter 11" in await _say(drop, "RETR 1")
        await drop.end()
        await imap.end()
        service.close()


async def test_what_was_read_ahead_is_sent_though_it_has_moved(tmp_path: Path) -> None:
    """It is the message of that number still."""
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await world.fill("INBOX", 4)
        service = Pop3Service(
            world.store, world.auth, Pop3(), hostname="pop.example.org", clock=world.clock
        )  # fmt: skip
        drop = await _log_in(world, service)
        assert "Letter 1\r\n" in await _say(drop, "RETR 1")
        imap = await talk_to(world)
        assert (await ask(imap, "RENAME INBOX Old"))[-1] == "t OK Renamed"
        assert "Letter 2\r\n" in await _say(drop, "RETR 2")
        await drop.end()
        await imap.end()
        service.close()
