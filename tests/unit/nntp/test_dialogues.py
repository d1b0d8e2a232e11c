"""The NNTP dialogues, in memory, in every chunking."""

from pathlib import Path

import pytest

from tests.support import dialogue
from tests.support.newshouse import news_house


@pytest.mark.parametrize(("talk", "chunk"), list(dialogue.cases("nntp")), ids=str)
async def test_dialogue(talk: dialogue.Dialogue, chunk: int, tmp_path: Path) -> None:
    async with news_house(tmp_path) as house:
        await talk.run(house, chunk)
