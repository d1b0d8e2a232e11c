"""What tests of single operations ask for again and again."""

from __future__ import annotations

from typing import Any

from quintet.mapi import recipients
from quintet.mapi.buffer import Writer
from quintet.mapi.ids import ShortId
from quintet.mapi.rop import messages
from quintet.mapi.rop.batch import Step
from tests.support.mapiclient import INBOX
from tests.unit.mapi.rop.desk import Direct

DATA, FILE_NAME, HTML = 0x37010102, 0x3707001F, 0x10130102
SUBJECT8, BODY8 = 0x0037001E, 0x1000001E
RECEIVED, IMPORTANCE = 0x0E060040, 0x00170003


def code(step: Step) -> int:
    assert step.told is not None
    return step.told.code


async def new_message(box: Direct, **values: Any) -> int:
    handle = await box.open(messages.CreateMessage(0x0FFF, box.folders[INBOX], False))
    await box.put(handle, **values)
    return handle


async def opened(box: Direct, number: int, mode: int = 3) -> int:
    return await box.open(messages.OpenMessage(0x0FFF, box.folders[INBOX], mode, ShortId(1, number)))


def row(address: str, name: str, page: str = "latin-1", *, unicode: bool = True) -> bytes:
    writer = Writer()
    one = recipients.Row(kind=recipients.Address.SMTP, name=name, email=address, unicode=unicode)
    recipients.put(writer, one, (), page)
    return writer.done()
