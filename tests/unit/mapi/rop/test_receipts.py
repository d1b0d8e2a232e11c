"""Receipts that a client wants, or does not: ReadFlags (MS-OXCMSG 2.2.3.10.1, 2.2.3.11.1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from quintet.mapi.ids import ShortId
from quintet.mapi.rop import folders, messages
from quintet.store import accounts, receipts
from tests.support.mapiclient import INBOX
from tests.unit.mapi.rop.asking import opened
from tests.unit.mapi.rop.desk import Desk, desk

READ = 0x0E69000B
DEFAULT, SUPPRESS, UNREAD, ONLY, NOTIFY_READ, NOTIFY_UNREAD = 0x00, 0x01, 0x05, 0x10, 0x20, 0x40


async def due(it: Desk) -> list[int]:
    """Numbers of the messages whose receipts are to be sent now."""
    return [one.uid for one in it.store.peek(receipts.ready) if one.asked]


@pytest.mark.parametrize("many", [False, True])
async def test_client_says_what_becomes_of_a_receipt(tmp_path: Path, many: bool) -> None:
    """R815: sent with the mark; R825: without it; R817, R827: taken back; R823: becoming unread asks none."""
    async with desk(tmp_path) as it:
        box, account = await it.box(), it.people["alice"].account_id
        number = await it.letter("one")
        await it.letter("two")
        inbox, handle = await box.folder(INBOX), await opened(box, number)

        async def mark(flags: int) -> bool:
            """Whether it is read afterwards."""
            if many:
                one = (ShortId(1, number),)
                assert not (await box.ask(folders.SetReadFlags(False, flags, one), inbox)).answer.partial
            else:
                await box.ask(messages.SetMessageReadFlag(flags, b""), handle)
            again = await opened(box, number)
            (found,) = await box.values(again, READ)
            return bool(found)

        assert await mark(DEFAULT)  # the account sends none, whoever asks
        assert not await mark(UNREAD)
        assert await due(it) == []
        await it.store.write(accounts.change, account, mdn="ask")
        assert await mark(DEFAULT)
        assert await due(it) == [1]
        assert await mark(DEFAULT)  # it was read before
        assert await mark(NOTIFY_UNREAD)
        assert await due(it) == [1]
        assert await mark(NOTIFY_READ)
        assert await due(it) == []
        assert await mark(ONLY)
        assert await due(it) == [1]
        assert not await mark(UNREAD)
        assert await due(it) == []
        assert not await mark(ONLY)
        assert await due(it) == [1]
        assert await mark(SUPPRESS)
        assert await due(it) == []


async def test_sender_hears_of_what_is_deleted_unread(tmp_path: Path) -> None:
    """MS-OXCFOLD_R1148, R115603, R276, R727: where NotifyNonRead says so, of what was not read."""
    async with desk(tmp_path) as it:
        box, account = await it.box(), it.people["alice"].account_id
        await it.store.write(accounts.change, account, mdn="ask")
        inbox = await box.folder(INBOX)
        ids = [ShortId(1, await it.letter(f"letter {number}")) for number in range(6)]
        await box.ask(folders.SetReadFlags(False, SUPPRESS, tuple(ids[:1])), inbox)
        await box.ask(folders.DeleteMessages(False, True, tuple(ids[:2])), inbox)
        await box.ask(folders.DeleteMessages(False, False, tuple(ids[2:4])), inbox)
        await box.ask(folders.HardDeleteMessages(False, True, tuple(ids[4:5])), inbox)
        await box.ask(folders.HardDeleteMessages(False, False, tuple(ids[5:])), inbox)
        assert await due(it) == [2, 5]
        assert all(one.message_row for one in it.store.peek(receipts.ready))
