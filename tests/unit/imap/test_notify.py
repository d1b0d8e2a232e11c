"""NOTIFY is bounded: too much to watch is refused, or given up with a word (RFC 5465 3.1, 5.8)."""

from __future__ import annotations

from pathlib import Path

import pytest

from quintet.imap import notices
from quintet.net.memory import Talk
from tests.unit.imap.world import open_world

SET = b"n NOTIFY SET (PERSONAL (MailboxName MessageNew MessageExpunge))\r\n"


async def test_too_many_mailboxes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "MAX_WATCHED", 2)
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        talk = Talk(world.service)
        await talk.begin()
        await talk.send(b"a LOGIN alice@example.org demo\r\n")
        talk.take()
        await talk.send(SET)
        assert talk.take().startswith(b"n NO [NOTIFICATIONOVERFLOW]")
        assert not world.store.hub.broad, "nothing is watched"
        await talk.end()


async def test_when_they_become_too_many_it_is_as_after_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        talk = Talk(world.service)
        await talk.begin()
        await talk.send(b"a LOGIN alice@example.org demo\r\n" + SET)
        assert b"n OK" in talk.take()
        monkeypatch.setattr(notices, "MAX_WATCHED", 3)
        await world.given("folder More")
        await talk.settle()
        assert b"* OK [NOTIFICATIONOVERFLOW]" in talk.take()
        await world.given("folder Most")
        await world.fill("Most", 1)
        await talk.settle()
        assert talk.take() == b""
        assert not world.store.hub.broad
        await talk.end()
