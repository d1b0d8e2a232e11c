"""Somebody with few rights tries what names a folder or a message (MS-OXCPERM 2.2.7, RFC 4314 4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quintet.mapi import restrict
from quintet.mapi.ids import ShortId
from quintet.mapi.rop import events, folders, messages, others, properties, stores, streams
from quintet.store.db import Tx
from tests.support.mapiclient import INBOX, NAME, SUBJECT
from tests.unit.mapi.rop.asking import row
from tests.unit.mapi.rop.desk import Direct, desk

READ, LOOK = 0x401, 0x400  # to read a folder that one sees; to see one


def picture(tx: Tx, account: int) -> list[Any]:
    """All that somebody else could have changed: what is in the mailbox, but not what the reader has read."""
    found: list[Any] = tx.all(
        "SELECT id, name, parent_id, messages, bytes, uid_next FROM folder WHERE account_id = ? ORDER BY id",
        account,
    )
    mine = "SELECT id FROM folder WHERE account_id = ?"
    found += tx.all(f"SELECT * FROM entry WHERE folder_id IN ({mine}) ORDER BY id", account)
    found += tx.all(f"SELECT * FROM access WHERE folder_id IN ({mine}) ORDER BY folder_id, who", account)
    found += tx.all(
        "SELECT * FROM prop WHERE kind > 0 OR object_id = ? ORDER BY kind, object_id, part, tag", account
    )
    return found + tx.all("SELECT * FROM rule ORDER BY id")


async def granted(box: Direct, who: Direct, folder: ShortId, rights: int) -> None:
    (entry,) = await who.values(who.handle, 0x661B0102)
    change = others.RowChange(1, ((0x0FFF0102, entry), (0x66730003, rights)))
    await box.ask(others.ModifyPermissions(0, (change,)), await box.folder(folder))


async def made(box: Direct, name: str) -> ShortId:
    subtree = await box.folder(3)
    return (await box.ask(folders.CreateFolder((1, False, False, name, "")), subtree)).answer.folder  # type: ignore[no-any-return]  # of a dialogue


async def test_nobody_gets_further_than_his_rights(tmp_path: Path) -> None:
    """Bob reads Alice's Inbox, sees that she has a folder, and has no right in another one."""
    async with desk(tmp_path) as it:
        alice, bob = await it.box(), await it.box("bob")
        seen, hidden = await made(alice, "Seen"), await made(alice, "Hidden")
        inbox = alice.folders[INBOX]
        comment = properties.SetProperties(((0x3004001F, "what comes"),))
        await alice.ask(comment, await alice.folder(inbox))
        letter = ShortId(1, await it.letter("In the Inbox"))
        own = [ShortId(1, await it.letter("Secret", folder=name)) for name in ("Seen", "Hidden")]
        await granted(alice, bob, inbox, READ)
        await granted(alice, bob, seen, LOOK)
        account = it.people["alice"].account_id
        before = it.store.peek(picture, account)

        await bob.log_on(dn="alice@example.org")
        read, look = await bob.folder(inbox), await bob.folder(seen)
        message = await bob.open(messages.OpenMessage(0x0FFF, inbox, 3, letter))
        secret, away = own
        subject = ((SUBJECT, "mine now"),)
        everything = restrict.Exist(SUBJECT)
        member = others.RowChange(1, ((0x0FFF0102, b"x" * 30), (0x66730003, 0x7FF)))
        root = bob.folders[3]
        tries: list[tuple[Any, int, int | None]] = [
            (folders.OpenFolder(hidden, 0), bob.handle, None),
            (folders.GetContentsTable(0), look, None),
            (folders.GetContentsTable(0x20), look, None),  # what was deleted
            (folders.CreateFolder((1, False, False, "Mine", "")), read, None),
            (folders.CreateFolder((1, False, False, "Mine", "")), await bob.folder(root), None),
            (folders.CreateFolder((2, False, False, "Mine", "")), read, None),
            (folders.DeleteFolder(0x05, seen), await bob.folder(root), None),
            (folders.DeleteFolder(0x05, hidden), await bob.folder(root), None),
            (folders.MoveFolder(False, (seen, "Mine")), await bob.folder(root), read),
            (folders.CopyFolder(False, True, (seen, "Mine")), await bob.folder(root), read),
            (folders.EmptyFolder(False, True), read, None),
            (folders.HardDeleteMessagesAndSubfolders(False, True), read, None),
            (folders.DeleteMessages(False, False, (letter, secret, away)), read, None),
            (folders.HardDeleteMessages(False, False, (letter,)), read, None),
            (folders.MoveCopyMessages((letter,), False, False), read, look),
            (folders.MoveCopyMessages((letter,), False, True), read, look),
            (folders.MoveCopyMessages((secret,), False, True), look, read),
            (folders.MoveCopyMessages((away,), False, True), read, read),
            (folders.SetReadFlags(False, 0, ()), look, None),
            (folders.SetReadFlags(False, 0, (secret,)), look, None),
            (folders.SetSearchCriteria(everything, (hidden,), 0x2), read, None),
            (messages.OpenMessage(0x0FFF, seen, 0, secret), bob.handle, None),
            (messages.OpenMessage(0x0FFF, hidden, 0, away), bob.handle, None),
            (messages.OpenMessage(0x0FFF, inbox, 4, away), bob.handle, None),
            (messages.OpenMessage(0x0FFF, inbox, 1, letter), bob.handle, None),
            (messages.CreateMessage(0x0FFF, inbox, False), bob.handle, None),
            (messages.CreateMessage(0x0FFF, inbox, True), bob.handle, None),
            (messages.CreateMessage(0x0FFF, seen, False), bob.handle, None),
            (messages.CreateMessage(0x0FFF, hidden, False), bob.handle, None),
            (messages.SaveChangesMessage(0x0C), message, None),
            (
                messages.ModifyRecipients(
                    messages.Changes((), (messages.ChangedRecipient(0, 1, row("e@x.org", "E")),))
                ),
                message,
                None,
            ),
            (messages.RemoveAllRecipients(0), message, None),
            (0x23, message, None),
            (messages.DeleteAttachment(0), message, None),
            (messages.SubmitMessage(0), message, None),
            (0x4A, message, None),
            (messages.SetMessageStatus(letter, 0x8, 0x8), read, None),
            (messages.GetMessageStatus(secret), look, None),
            (messages.SpoolerLockMessage(secret, 0), bob.handle, None),
            (messages.AbortSubmit(seen, secret), bob.handle, None),
            (streams.OpenStream(SUBJECT, 2), message, None),
            (streams.OpenStream(0x3004001F, 2), read, None),
            (properties.SetProperties(subject), message, None),
            (properties.SetProperties(((NAME, "Mine"),)), read, None),
            (properties.SetProperties(((NAME, "Mine"),)), look, None),
            (properties.SetProperties(((0x3004001F, "mine"),)), look, None),
            (properties.SetProperties(((0x661D000B, True),)), bob.handle, None),
            (properties.DeleteProperties((SUBJECT,)), message, None),
            (properties.DeleteProperties((0x3004001F,)), read, None),
            (others.ModifyPermissions(0, (member,)), read, None),
            (others.ModifyPermissions(1, ()), look, None),
            (others.GetRulesTable(0), read, None),
            (others.RegisterNotification(events.Kind.CREATED, (hidden, ShortId(0, 0))), bob.handle, None),
            (stores.SetReceiveFolder(seen, "IPM.Mine"), bob.handle, None),
        ]
        for body, handle, second in tries:
            step = await bob.try_(body, handle, second)
            assert step.told is not None
            partial = getattr(step.answer, "partial", False) or getattr(step.answer, "problems", ())
            assert step.told.code or partial, body
        assert it.store.peek(picture, account) == before
