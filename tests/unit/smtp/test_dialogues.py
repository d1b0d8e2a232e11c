"""The SMTP and LMTP dialogues, in memory, in every chunking."""

from pathlib import Path

import pytest

from quintet.smtp.desk import Role
from tests.support import dialogue
from tests.support.mailhouse import mail_house


@pytest.mark.parametrize(("talk", "chunks"), list(dialogue.cases("smtp")))
async def test_smtp(talk: dialogue.Dialogue, chunks: tuple[int, ...], tmp_path: Path) -> None:
    for chunk in chunks:
        async with mail_house(tmp_path / str(chunk)) as house:
            await talk.run(house, chunk)


@pytest.mark.parametrize(("talk", "chunks"), list(dialogue.cases("lmtp")))
async def test_lmtp(talk: dialogue.Dialogue, chunks: tuple[int, ...], tmp_path: Path) -> None:
    for chunk in chunks:
        async with mail_house(tmp_path / str(chunk)) as house:
            house.role = Role.LMTP
            await talk.run(house, chunk)
