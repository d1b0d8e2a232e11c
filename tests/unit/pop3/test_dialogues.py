"""Every POP3 dialogue, in every chunking; those under TLS over real sockets as well."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import dialogue as dialogues
from tests.unit.pop3.world import opened


@pytest.mark.parametrize(("dialogue", "chunk"), list(dialogues.cases("pop3")), ids=str)
async def test_dialogue(dialogue: dialogues.Dialogue, chunk: int, tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as world:
        await dialogue.run(world, chunk)
        assert not world.service.locks._held
