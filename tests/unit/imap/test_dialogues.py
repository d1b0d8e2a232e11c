"""Every IMAP dialogue, in every chunking."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import dialogue
from tests.unit.imap.world import open_world


@pytest.mark.parametrize(("one", "chunk"), list(dialogue.cases("imap")), ids=str)
async def test_dialogue(one: dialogue.Dialogue, chunk: int, tmp_path: Path) -> None:
    async with open_world(tmp_path / "data") as world:
        await one.run(world, chunk)
