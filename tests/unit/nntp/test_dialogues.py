"""The NNTP dialogues, in memory, in every chunking."""

from pathlib import Path

import pytest

from tests.support import dialogue
from tests.support.newshouse import news_house


@pytest.mark.parametrize(("talk", "chunks"), list(dialogue.cases("nntp")))
async def test_dialogue(talk: dialogue.Dialogue, chunks: tuple[int, ...], tmp_path: Path) -> None:
    for chunk in chunks:
        async with news_house(tmp_path / str(chunk)) as house:
            await talk.run(house, chunk)
