"""PREVIEW: what only the log shows (RFC 8970 8)."""

from __future__ import annotations

from pathlib import Path

from quintet import log
from quintet.net.memory import Talk
from tests.unit.imap.world import open_world


async def test_the_log_tells_who_asks_for_many_previews(tmp_path: Path) -> None:
    async with open_world(tmp_path / "data") as world:
        await world.given("INBOX with 501 messages")
        talk = Talk(world.service, identity="here")
        await talk.begin()
        await talk.send(b"a1 LOGIN alice@example.org demo\r\na2 SELECT INBOX\r\n")
        with log.capture() as events:
            await talk.send(
                b"a3 FETCH 1:50 (PREVIEW (LAZY))\r\na4 FETCH 1:* PREVIEW\r\na5 FETCH 1:* BODY[]\r\n"
            )
        told = [
            (one["level"], one["messages"], one["conn"], one["account"])
            for one in events
            if one["event"] == "previews"
        ]
        assert told == [
            ("debug", 50, "here", "alice@example.org"),
            ("info", 501, "here", "alice@example.org"),
        ]
        await talk.end()
