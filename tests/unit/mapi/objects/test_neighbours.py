"""What those who speak IMAP see of a mailbox that objects work in: mail, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from quintet.mapi import objects
from quintet.mapi.objects import Box, Message, pid
from quintet.net.memory import Talk
from quintet.store import access, accounts, check
from quintet.store.db import Tx
from tests.unit.imap.world import World, open_world


class Both:
    """One mailbox, by objects and by IMAP."""

    def __init__(self, world: World, box: Box, talk: Talk) -> None:
        self.world, self.box, self.talk = world, box, talk

    async def act(self, work: Callable[[Box], object]) -> object:
        def call(tx: Tx) -> object:
            with self.box.using(tx):
                return work(self.box)

        return await self.world.store.write_once(call)

    async def say(self, *commands: str) -> str:
        self.talk.take()
        for command in commands:
            await self.talk.send(f"x {command}\r\n".encode())
        return self.talk.take().decode("utf-8", "replace")


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Both]:
    async with open_world(tmp_path / "data") as world:
        store = world.store
        account = store.peek(accounts.find, "alice@example.org")
        assert account is not None
        box = await store.write(objects.logon, account.id, account.id, files=store.blobs)
        talk = Talk(world.service)
        await talk.begin()
        await talk.send(b"in LOGIN alice@example.org demo\r\n")
        yield Both(world, box, talk)
        await talk.end()
        assert store.peek(check.everything, store.blobs) == []


def make(role: str, *, hidden: bool = False, **props: object) -> Callable[[Box], Message]:
    def work(box: Box) -> Message:
        message = box.folder(box.special[role]).create_message(associated=hidden)
        message.set([(getattr(pid, name), value) for name, value in props.items()])
        message.save()
        return message

    return work


async def test_folders_for_items_are_not_there(both: Both) -> None:
    told = await both.say(
        'LIST "" *', "STATUS Calendar (MESSAGES)", "SELECT Contacts", "DELETE ~", 'LIST "" "~/*"'
    )
    for name in ("Calendar", "Contacts", "Outbox", "~", "Finder"):
        assert f'"/" {name}\r\n' not in told
    assert told.count("x NO") == 3
    assert "INBOX" in told


async def test_shared_folder_for_items_is_not_there(both: Both) -> None:
    bob = await both.world.store.write(accounts.create, "robert@example.org")
    assert bob
    his = await both.world.store.write(objects.logon, bob.id, bob.id, files=both.world.store.blobs)
    await both.world.store.write(access.grant, his.special["calendar"], "alice@example.org", "lrs")
    told = await both.say('LIST "" Users/*', "SELECT Users/robert@example.org/Calendar")
    assert "Calendar" not in told.split("x NO")[0]
    assert "x NO" in told


async def test_hidden_messages_are_in_no_listing(both: Both) -> None:
    await both.act(make("inbox", hidden=True, SUBJECT="settings"))
    told = await both.say(
        "SELECT INBOX", "UID SEARCH ALL", "UID FETCH 1:* (FLAGS)", "STATUS INBOX (MESSAGES UNSEEN SIZE)"
    )
    assert "* 0 EXISTS" in told
    assert "* 1 FETCH" not in told
    assert "(MESSAGES 0 UNSEEN 0 SIZE 0)" in told


async def test_what_properties_made_is_a_letter(both: Both) -> None:
    await both.act(make("drafts", SUBJECT="Grüße", BODY="Zeile\r\n", FLAG_STATUS=2))
    told = await both.say("SELECT Drafts", "FETCH 1 (FLAGS ENVELOPE BODYSTRUCTURE BODY.PEEK[])")
    assert "\\Draft" in told
    assert "\\Flagged" in told
    assert "\\Seen" in told
    assert "=?utf-8?" in told
    assert "MIME-Version: 1.0" in told


async def test_mark_of_one_side_shows_on_the_other(both: Both) -> None:
    await both.world.put("INBOX", b"From: a@x.org\r\nSubject: x\r\n\r\nhi\r\n")
    await both.say("SELECT INBOX", "STORE 1 +FLAGS (\\Seen \\Flagged \\Answered)")

    def look(box: Box) -> list[object]:
        table = box.inbox.contents()
        table.set_columns([pid.READ, pid.FLAG_STATUS, pid.LAST_VERB])
        return table.query(9)

    assert await both.act(look) == [[True, 2, 102]]

    def change(box: Box) -> None:
        table = box.inbox.contents()
        table.set_columns([pid.MESSAGE_ID])
        number = objects.numbers.from_wire(table.query(1)[0][0])[1]
        message = box.message(number)
        message.remove([pid.FLAG_STATUS])
        message.save()
        message.set_read(False)

    await both.act(change)
    told = await both.say("NOOP", "FETCH 1 FLAGS")
    assert "\\Answered" in told
    assert "\\Flagged" not in told
    assert "\\Seen" not in told


async def test_other_content_is_an_expunge_and_an_arrival(both: Both) -> None:
    message = await both.act(make("drafts", SUBJECT="first"))
    assert isinstance(message, Message)
    await both.say("SELECT Drafts")

    def change(box: Box) -> None:
        again = box.message(message.number)
        again.set([(pid.SUBJECT, "second")])
        again.save()

    await both.act(change)
    told = await both.say("NOOP", "UID FETCH 1:* (UID ENVELOPE)")
    assert "EXPUNGE" in told
    assert "UID 2" in told
    assert "second" in told


async def test_copy_by_imap_keeps_what_objects_know(both: Both) -> None:
    def setup(box: Box) -> None:
        message = make("drafts", SUBJECT="kept")(box)
        message.set([(0x66100003, 9)])
        message.save()

    await both.act(setup)
    await both.say("SELECT Drafts", "COPY 1 Archive", "MOVE 1 Trash")

    def look(box: Box) -> list[object]:
        found = []
        for role in ("archive", "trash"):
            table = box.folder(box.special[role]).contents()
            table.set_columns([pid.SUBJECT, 0x66100003])
            found += table.query(9)
        return found

    assert await both.act(look) == [["kept", 9], ["kept", 9]]


async def test_names_that_items_have_are_taken(both: Both) -> None:
    told = await both.say("CREATE Calendar", "CREATE Mine", "RENAME Mine Contacts")
    assert told.count("x NO") == 2
