"""A client that leaves in the middle: what it asked for ends soon."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from quintet.imap import matching, searching
from quintet.net.memory import Talk
from tests.unit.imap.world import open_world


@pytest.mark.parametrize("command", ["SEARCH NOT BODY zz", "SORT (DATE) UTF-8 NOT BODY zz"])
async def test_a_search_ends_when_nobody_waits_for_it(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(searching.SLICE, matching.TEXT, 10)
    loop, slices = asyncio.get_running_loop(), 0
    scan: Any = searching.Finder._scan  # Any: a private method is counted
    async with open_world(tmp_path / "data") as world:
        await world.given("INBOX with 300 messages")
        talk = Talk(world.service)

        def counted(self: Any, *given: Any) -> Any:
            nonlocal slices
            slices += 1
            if slices == 2:
                loop.call_soon_threadsafe(talk.transport.abort)
            return scan(self, *given)

        monkeypatch.setattr(searching.Finder, "_scan", counted)
        await talk.begin()
        await talk.send(f"a LOGIN alice@example.org demo\r\nb SELECT INBOX\r\nc {command}\r\n".encode())
        await talk.transport.closed.wait()
        while not talk.over:
            await asyncio.sleep(0.01)
        assert 2 <= slices < 10, f"{slices} of 30"
