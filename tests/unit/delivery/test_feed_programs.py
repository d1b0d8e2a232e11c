"""Programs that take a feed's articles on their standard input."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from quintet.delivery.feeds import output
from quintet.delivery.feeds.link import Outgoing, Verdict
from quintet.delivery.letter import HeldBody
from quintet.errors import Hangup, Reason, TryLater

PATIENCE_S = 60.0  # a busy machine is no defect
ARTICLE = Outgoing("<1@x>", HeldBody(b"Message-ID: <1@x>\r\n\r\nhello\r\n"))


async def test_program_has_the_articles_and_its_exit_status_counts(tmp_path: Path) -> None:
    link = output.Pipe(f"cat > {tmp_path}/in")
    assert await link.round([ARTICLE], ["<2@x>"]) == ([Verdict.TAKEN], [Verdict.WANTED])
    assert (tmp_path / "in").read_bytes().endswith(b"\n\nhello\n")
    with pytest.raises(TryLater, match="status 3"):
        await output.Pipe("cat > /dev/null; exit 3").round([ARTICLE], [])


async def test_program_that_is_given_up_ends_with_its_children(tmp_path: Path) -> None:
    """Or each round that comes to nothing would leave some more."""
    mark = tmp_path / "pid"
    link = output.Pipe(
        f"cat > /dev/null; sleep 1000 & echo $! > {tmp_path}/new; mv {tmp_path}/new {mark}; wait"
    )
    running = asyncio.create_task(link.round([ARTICLE], []))
    async with asyncio.timeout(PATIENCE_S):
        while not mark.exists():
            await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        state = Path(f"/proc/{mark.read_text().strip()}/stat")
        # the signal is sent; the kernel takes its time
        while state.exists() and state.read_text().rpartition(") ")[2][0] != "Z":
            await asyncio.sleep(0.01)


async def test_program_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "PROGRAM_S", 0.2)
    with pytest.raises(Hangup) as told:
        await output.Pipe("sleep 1000").round([ARTICLE], [])
    assert told.value.reason is Reason.TIMEOUT
