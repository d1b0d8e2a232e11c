"""Every IMAP dialogue, in every chunking."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import dialogue
from tests.unit.imap.world import open_world


@pytest.mark.parametrize(("one", "chunks"), list(dialogue.cases("imap")))
async def test_dialogue(one: dialogue.Dialogue, chunks: tuple[int, ...], tmp_path: Path) -> None:
    for chunk in chunks:
        async with open_world(tmp_path / f"data{chunk}") as world:
            await one.run(world, chunk)
