"""Every POP3 dialogue, in every chunking, and once more through real TLS where that changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import dialogue as dialogues
from tests.unit.pop3.world import opened


@pytest.mark.parametrize(("dialogue", "chunks"), list(dialogues.cases("pop3")))
async def test_dialogue(dialogue: dialogues.Dialogue, chunks: tuple[int, ...], tmp_path: Path) -> None:
    for chunk in chunks:
        async with opened(tmp_path / f"data{chunk}") as world:
            await dialogue.run(world, chunk)
            assert not world.service.locks._held


PLAIN_WORDS = ("CAPA", "STLS", "address")  # what TLS makes another dialogue of


@pytest.mark.parametrize(
    "dialogue",
    [
        each
        for each in dialogues.load("pop3")
        if each.tls
        or not any(word in step.text or step.what == word for word in PLAIN_WORDS for step in each.steps)
    ],
    ids=str,
)
async def test_dialogue_through_tls(dialogue: dialogues.Dialogue, tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as world:
        await dialogue.run(world, 100, real_tls=True)
        assert not world.service.locks._held
