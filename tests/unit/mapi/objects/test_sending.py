"""Sending and posting: errands that run before anybody is answered (MS-OXOMSG 3.2.5.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from quintet.auth.identity import Identity
from quintet.delivery.inbound import Inbound
from quintet.delivery.post import Posted, PostOffice
from quintet.mapi import entrylists, objects
from quintet.mapi.convert import addressing
from quintet.mapi.convert.names import REPLY_ENTRIES, REPLY_NAMES
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.nspi import names
from quintet.mapi.objects import Box, Message, pid
from quintet.net.seam import Peer
from quintet.store import accounts, check, entries, folders, groups
from quintet.store.content import Content
from quintet.store.db import Tx
from quintet.store.model import AccountId, Added, EntryId, Modseq, Uid
from quintet.store.store import Store
from tests.support.mailhouse import MailHouse, mail_house


@dataclass
class Desk:
    """What errands need, as whoever runs boxes has it."""

    store: Store
    inbound: Inbound
    office: PostOffice
    identity: Identity
    peer: Peer


@dataclass
class World:
    house: MailHouse
    box: Box
    desk: Desk

    async def run(self, act: Callable[[], object]) -> None:
        """One call as a door makes it: the transaction, then the errands."""

        def work(tx: Tx) -> None:
            with self.box.using(tx):
                act()

        await self.house.store.write_once(work)
        for errand in self.box.take_errands():
            await errand.run(self.desk)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with mail_house(tmp_path) as house:
        store = house.store
        alice = await house.account_id("alice")
        box = await store.write(objects.logon, alice, alice, files=store.blobs)
        identity = Identity(AccountId(alice), "alice@example.org", "PLAIN", "mapi")
        yield World(house, box, Desk(store, house.inbound, house.office, identity, Peer("c1", "127.0.0.1")))
        assert store.peek(check.everything, store.blobs) == []


def recipients(*addresses: str) -> dict[int, dict[int, object]]:
    return {
        at: {pid.RECIPIENT_TYPE: 1 + (at > 1), pid.DISPLAY_NAME: address, pid.SMTP_ADDRESS: address}
        for at, address in enumerate(addresses)
    }


def inbox_of(tx: Tx, name: str) -> tuple[int, bytes]:
    account = accounts.find(tx, name)
    assert account is not None
    folder = folders.by_role(tx, account.id, "inbox")
    assert folder is not None
    data = tx.value(
        "SELECT b.data FROM entry e JOIN message m ON m.id = e.message_id JOIN blob b"
        " ON b.id = m.blob_id WHERE e.folder_id = ? ORDER BY e.uid DESC",
        folder.id,
    )
    return folder.messages, bytes(data or b"")


def contents(box: Box, role: str) -> list[list[object]]:
    table = box.folder(box.special[role]).contents()
    table.set_columns([pid.SUBJECT, pid.MESSAGE_FLAGS, pid.DISPLAY_BCC])
    return table.query(9)


def look(world: World, role: str) -> list[list[object]]:
    def work(tx: Tx) -> list[list[object]]:
        with world.box.using(tx):
            return contents(world.box, role)

    return world.house.store.peek(work)


async def test_people_out_of_the_address_book(world: World) -> None:
    """A distinguished name, under whatever name, or an entry id alone; and who writes, named the same way."""

    def dn_of(tx: Tx, name: str) -> str:
        account = accounts.find(tx, name)
        assert account is not None
        return names.of_object(account.id, "by-another-name@elsewhere.example")

    def act() -> None:
        bob, carol, alice = [dn_of(world.box.tx, f"{one}@example.org") for one in ("bob", "carol", "alice")]
        other = addressing.one_off("Other", "SMTP", "other@example.net")
        replies = [names.permanent(0, carol), other, names.permanent(0, bob)]
        message = world.box.folder(world.box.special["outbox"]).create_message()
        message.set([
            (pid.SUBJECT, "Lunch"), (pid.REPRESENTING_KIND, "EX"), (pid.REPRESENTING_ADDRESS, alice),
            (pid.REPRESENTING_NAME, "Alice"), (pid.SENDER_KIND, "EX"), (pid.SENDER_ADDRESS, alice),
            (REPLY_NAMES, "Carol; the other"), (REPLY_ENTRIES, entrylists.write_flat_list(replies)),
        ])  # fmt: skip
        book = {pid.RECIPIENT_TYPE: 1, pid.ADDRESS_TYPE: "EX", pid.DISPLAY_NAME: "Bob"}
        only = {pid.RECIPIENT_TYPE: 2, pid.ENTRY_ID: names.permanent(0, carol), pid.DISPLAY_NAME: "Carol"}
        message.modify_recipients({0: book | {pid.EMAIL_ADDRESS: bob}, 1: only})
        message.save()
        message.submit()

    await world.run(act)
    assert world.house.store.peek(inbox_of, "carol@example.org")[0] == 1
    count, data = world.house.store.peek(inbox_of, "bob@example.org")
    assert count == 1
    assert b"From: Alice <alice@example.org>\r\n" in data
    assert b"To: Bob <bob@example.org>\r\n" in data
    to = b"Reply-To: Carol <carol@example.org>, Other <other@example.net>,\r\n bob@example.org\r\n"
    assert to in data
    assert b"Cc: Carol <carol@example.org>\r\n" in data


async def test_nobody_of_the_address_book(world: World) -> None:
    """A name that looks like an address, of an object that is gone or somewhere else."""

    def act(dn: str) -> None:
        message = world.box.folder(world.box.special["outbox"]).create_message()
        book = {pid.RECIPIENT_TYPE: 1, pid.ADDRESS_TYPE: "EX", pid.EMAIL_ADDRESS: dn}
        message.modify_recipients({0: book})
        message.submit()

    for dn in (names.of_object(0x7FFFFFFF, "bob@example.org"), "/o=Other/cn=bob@example.org"):
        with pytest.raises(MapiError) as caught:
            await world.run(lambda dn=dn: act(dn))
        assert caught.value.code == Code.NOT_FOUND


async def test_submitted_message_arrives_and_is_filed_as_sent(world: World) -> None:
    def act() -> None:
        message = world.box.folder(world.box.special["outbox"]).create_message()
        message.set([(pid.SUBJECT, "Lunch"), (pid.BODY, "At noon?\r\n")])
        message.modify_recipients(recipients("bob@example.org", "carol@example.org"))
        message.modify_recipients(
            {5: {pid.RECIPIENT_TYPE: 3, pid.DISPLAY_NAME: "hidden", pid.SMTP_ADDRESS: "carol@example.org"}}
        )
        message.save()
        message.submit()

    await world.run(act)
    count, raw = world.house.store.peek(inbox_of, "bob@example.org")
    assert count == 1
    assert b"Subject: Lunch\r\n" in raw
    assert b"Bcc" not in raw
    assert b"hidden" not in raw
    assert b"From: alice@example.org\r\n" in raw
    assert b"Message-ID: <" in raw
    assert look(world, "outbox") == []
    ((subject, flags, bcc),) = look(world, "sent")
    assert (subject, bcc) == ("Lunch", "hidden")
    assert flags & (pid.MF_READ | pid.MF_UNSENT | pid.MF_SUBMITTED) == pid.MF_READ


async def test_what_takes_long_is_done_before_the_transaction_that_sends(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A draft that was changed since it was saved is another letter; it is made while others write."""
    drafts: list[Message] = []
    made: list[str] = []
    content = Message._content

    def save() -> None:
        drafts.append(world.box.folder(world.box.special["drafts"]).create_message())
        drafts[0].set([(pid.SUBJECT, "Lunch")])
        drafts[0].modify_recipients(recipients("bob@example.org"))
        drafts[0].save()

    def prepare(tx: Tx) -> None:
        with world.box.using(tx):
            drafts[0].set([(pid.BODY, "At noon?")])
            drafts[0].prepare_submit()

    def spied(message: Message, *, bcc: bool) -> Content:
        made.append(message.folder.name)
        return content(message, bcc=bcc)

    await world.run(save)
    monkeypatch.setattr(Message, "_content", spied)
    await world.house.store.read(prepare)
    assert made == ["Drafts"]
    await world.run(lambda: drafts[0].submit())
    assert made == ["Drafts", "Sent"]  # the copy, likewise
    assert world.house.store.peek(inbox_of, "bob@example.org")[0] == 1
    assert look(world, "drafts") == []


async def test_sent_message_may_go_without_a_copy(world: World) -> None:
    """PidTagDeleteAfterSubmit; and a draft in a mail folder may be sent from there."""

    def act() -> None:
        message = world.box.folder(world.box.special["drafts"]).create_message()
        message.set([(pid.SUBJECT, "Once"), (pid.DELETE_AFTER_SUBMIT, True)])
        message.modify_recipients(recipients("bob@example.org"))
        message.save()
        message.submit()

    await world.run(act)
    assert world.house.store.peek(inbox_of, "bob@example.org")[0] == 1
    assert look(world, "drafts") == look(world, "sent") == []


async def test_what_cannot_be_filed_as_sent_has_been_sent(world: World) -> None:
    """Who heard of a failure would send it a second time."""

    def act() -> None:
        message = world.box.folder(world.box.special["outbox"]).create_message()
        message.set([(pid.SUBJECT, "Lunch"), (pid.BODY, "At noon?\r\n")])
        message.modify_recipients(recipients("bob@example.org"))
        message.submit()

    await world.house.store.write(folders.remove, world.box.special["sent"])
    await world.run(act)
    assert world.house.store.peek(inbox_of, "bob@example.org")[0] == 1


async def test_nobody_takes_it_and_it_stays_a_draft(world: World) -> None:
    def act() -> None:
        message = world.box.folder(world.box.special["outbox"]).create_message()
        message.set([(pid.SUBJECT, "Lost")])
        message.modify_recipients(recipients("nobody@example.org"))
        message.save()
        message.submit()

    with pytest.raises(MapiError) as caught:
        await world.run(act)
    assert caught.value.code == Code.NOT_FOUND
    ((_, flags, _),) = look(world, "outbox")
    assert flags & (pid.MF_UNSENT | pid.MF_SUBMITTED) == pid.MF_UNSENT


async def test_in_the_name_of_somebody_else_is_refused(world: World) -> None:
    def act() -> None:
        message = world.box.folder(world.box.special["outbox"]).create_message()
        message.set(
            [(pid.SUBJECT, "Forged"), (pid.SENDER_ADDRESS, "bob@example.org"), (pid.SENDER_KIND, "SMTP")]
        )
        message.modify_recipients(recipients("carol@example.org"))
        message.save()
        message.submit()

    with pytest.raises(MapiError) as caught:
        await world.run(act)
    assert caught.value.code == Code.SEND_AS_DENIED
    assert world.house.store.peek(inbox_of, "carol@example.org")[0] == 0


async def test_what_cannot_be_submitted(world: World) -> None:
    def act() -> None:
        message = world.box.folder(world.box.special["outbox"]).create_message()
        for rows, code in (
            ({}, Code.NO_RECIPIENTS),
            ({0: {pid.DISPLAY_NAME: "Bob", pid.RECIPIENT_TYPE: 1}}, Code.NOT_FOUND),
        ):
            message.remove_recipients()
            message.modify_recipients(rows)
            with pytest.raises(MapiError) as caught:
                message.submit()
            assert caught.value.code == code
        message.modify_recipients(recipients("bob@example.org"))
        message.submit()
        with pytest.raises(MapiError) as caught:
            message.submit()
        assert caught.value.code == Code.ALREADY_SENT

    await world.run(act)
    assert world.house.store.peek(inbox_of, "bob@example.org")[0] == 1


async def test_post_in_a_public_folder_is_an_article(world: World) -> None:
    store = world.house.store
    news = await store.write(accounts.news)
    group = await store.write(groups.create, "misc.test", "y")
    public = await store.write(objects.logon, news.id, world.box.reader.id, files=store.blobs)
    world.box = public
    told: list[int] = []

    def act() -> None:
        message = public.folder(group.id).create_message()
        message.set([(pid.MESSAGE_CLASS, "IPM.Post"), (pid.SUBJECT, "Hello"), (pid.BODY, "world\r\n")])
        message.set([(0x66100003, 9)])
        told.append(message.save())

    await world.run(act)

    def work(tx: Tx) -> list[object]:
        with public.using(tx):
            message = public.message(told[0])
            return message.get([pid.SUBJECT, pid.MESSAGE_CLASS, 0x66100003, pid.ARTICLE_NUMBER])

    assert store.peek(work) == ["Hello", "IPM.Post", 9, 1]
    ((uid, overview),) = store.peek(entries.lines, group.id, 1, 9, 9, ("uid", "overview"))
    assert uid == 1
    assert bytes(overview).startswith(b"Hello\t")


async def test_post_that_a_filter_puts_aside_is_not_in_the_group(world: World) -> None:
    store = world.house.store
    news = await store.write(accounts.news)
    group = await store.write(groups.create, "misc.test", "y")
    aside = await store.write(groups.create, "local.spool", "n")
    world.box = await store.write(objects.logon, news.id, world.box.reader.id, files=store.blobs)
    made: list[objects.Message] = []

    def act() -> None:
        made.append(world.box.folder(group.id).create_message())
        made[0].set([(pid.SUBJECT, "News"), (pid.BODY, "Read.\r\n")])
        made[0].save()

    class Office:
        async def post(self, *_: object, **__: object) -> Posted:
            return Posted("<1@x>", ("local.spool",), (Added(aside.id, Uid(1), EntryId(1), Modseq(1)),))

    world.desk.office = Office()  # type: ignore[assignment]
    await world.run(act)
    assert made[0].row is None


async def test_group_that_takes_no_posts_says_so(world: World) -> None:
    store = world.house.store
    news = await store.write(accounts.news)
    group = await store.write(groups.create, "misc.closed", "n")
    public = await store.write(objects.logon, news.id, world.box.reader.id, files=store.blobs)
    world.box = public

    def act() -> None:
        public.folder(group.id).create_message()

    with pytest.raises(MapiError) as caught:
        await world.run(act)
    assert caught.value.code == Code.ACCESS_DENIED
