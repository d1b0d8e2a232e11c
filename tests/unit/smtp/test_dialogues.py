"""The SMTP and LMTP dialogues, in memory, in every chunking."""

from pathlib import Path

import pytest

from quintet.smtp.desk import Role
from tests.support import dialogue
from tests.support.mailhouse import mail_house


@pytest.mark.parametrize(("talk", "chunk"), list(dialogue.cases("smtp")), ids=str)
async def test_smtp(talk: dialogue.Dialogue, chunk: int, tmp_path: Path) -> None:
    async with mail_house(tmp_path) as house:
        await talk.run(house, chunk)


@pytest.mark.parametrize(("talk", "chunk"), list(dialogue.cases("lmtp")), ids=str)
async def test_lmtp(talk: dialogue.Dialogue, chunk: int, tmp_path: Path) -> None:
    async with mail_house(tmp_path) as house:
        house.role = Role.LMTP
        await talk.run(house, chunk)
