"""What a session is told: events of messages, whoever caused them (MS-OXCNOTIF 2.2.1.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quintet.mapi.rop.events import Event, Kind
from quintet.mapi.rop.serve import notices
from quintet.mapi.rop.serve.notices import Notices, Subscription
from quintet.store import access, accounts, entries, folders
from quintet.store.db import Tx
from quintet.store.model import SEEN, AccountId, FolderId
from quintet.store.store import Store
from tests.support.letters import letter
from tests.support.stores import open_store

EVERYTHING = 0x1FE


class Listener:
    """One session's notices over a store."""

    def __init__(self, store: Store, account: AccountId) -> None:
        self.store, self.account = store, account
        self.notices = Notices(store)
        self.inbox = self.place("INBOX")
        self.trash = self.place("Trash")

    def place(self, name: str) -> FolderId:
        found = self.store.peek(folders.find, self.account, name)
        assert found is not None
        return found.id

    def subscribe(
        self, folder: FolderId | None = None, kinds: int = EVERYTHING, reader: AccountId | None = None
    ) -> None:
        def work(tx: Tx) -> None:
            one = Subscription(0, kinds, self.account, reader or self.account, folder, inbox=self.inbox)
            self.notices.subscribe(tx, 1, one)

        self.store.peek(work)
        self.notices.settle()
        self.told()

    def told(self) -> list[tuple[str, int, int, int, int]]:
        """Kind, folder, message, and where it was, of every event about a message since the last time."""
        self.store.peek(self.notices.collect)
        found = [self._plain(each.event) for each in self.notices.queue if each.event.flags & Kind.MESSAGE]
        self.notices.queue.clear()
        return found

    def _plain(self, event: Event) -> tuple[str, int, int, int, int]:
        kind = Kind(event.flags & 0x0FFF).name or ""
        places = event.folder.counter, event.message.counter
        return kind, *places, event.old_folder.counter, event.old_message.counter


@pytest.fixture
async def listener(tmp_path: Path) -> AsyncIterator[Listener]:
    async with open_store(tmp_path / "data") as store:
        account = await store.write(accounts.create, "ann")
        made = Listener(store, account.id)
        yield made
        made.notices.close()


async def add(listener: Listener, number: int = 1) -> int:
    (added,) = await listener.store.write(entries.add, [listener.inbox], letter(number), received_at=1)
    return added.entry_id


async def test_mail_comes_is_read_and_goes(listener: Listener) -> None:
    listener.subscribe()
    number, inbox = await add(listener), listener.inbox
    assert listener.told() == [("NEW_MAIL", inbox, number, 0, 0), ("CREATED", inbox, number, 0, 0)]
    await listener.store.write(entries.set_flags, inbox, [1], "+", SEEN)
    assert listener.told() == [("MODIFIED", inbox, number, 0, 0)]
    await listener.store.write(entries.expunge, inbox, [1])
    assert listener.told() == [("DELETED", inbox, number, 0, 0)]
    assert listener.told() == []


@pytest.mark.parametrize("whole", [True, False])
async def test_move_is_told_once_as_a_move(listener: Listener, whole: bool) -> None:
    number = await add(listener)
    listener.subscribe(None if whole else listener.inbox)
    await listener.store.write(entries.move, listener.inbox, [1], listener.trash)
    ((kind, folder, message, old_folder, old),) = listener.told()
    assert (kind, folder, old_folder, old) == ("MOVED", listener.trash, listener.inbox, number)
    assert message not in (0, number)


async def test_who_listens_for_no_moves_hears_of_loss_and_arrival(listener: Listener) -> None:
    number = await add(listener)
    listener.subscribe(kinds=Kind.CREATED | Kind.DELETED)
    await listener.store.write(entries.move, listener.inbox, [1], listener.trash)
    assert sorted(told[0] for told in listener.told()) == ["CREATED", "DELETED"]
    assert number


async def test_others_hear_of_what_they_may_read_and_as_long_as_they_may(listener: Listener) -> None:
    """RFC 4314 4: who is shown one folder of a mailbox hears nothing of its other ones."""
    store, inbox = listener.store, listener.inbox
    bob = (await store.write(accounts.create, "bob")).id
    await store.write(access.grant, listener.trash, "bob", "lr")
    listener.subscribe(reader=bob)
    await add(listener)
    store.peek(listener.notices.collect)
    assert not listener.notices.queue  # not even counts
    await store.write(entries.copy, inbox, [1], listener.trash)
    assert [told[:2] for told in listener.told()] == [("COPIED", listener.trash)]
    await store.write(access.grant, listener.trash, "bob", "l")
    await store.write(entries.copy, inbox, [1], listener.trash)
    assert listener.told() == []


async def test_copy_names_what_was_copied(listener: Listener) -> None:
    number = await add(listener)
    listener.subscribe(listener.trash)
    await listener.store.write(entries.copy, listener.inbox, [1], listener.trash)
    ((kind, folder, _, old_folder, old),) = listener.told()
    assert (kind, folder, old_folder, old) == ("COPIED", listener.trash, listener.inbox, number)


async def test_letter_with_other_content_is_modified(listener: Listener) -> None:
    number = await add(listener)
    listener.subscribe()
    entry = listener.store.peek(entries.get, listener.inbox, 1)
    await listener.store.write(entries.replace_content, entry.id, letter(2))
    assert listener.told() == [("MODIFIED", listener.inbox, number, 0, 0)]


async def test_too_much_is_told_by_counts_alone(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "MAX_TOLD", 2)
    listener.subscribe()
    for number in range(3):
        await add(listener, number + 1)
    listener.store.peek(listener.notices.collect)
    ((flags, total),) = [(each.event.flags, each.event.total) for each in listener.notices.queue]
    assert (flags, total) == (Kind.MODIFIED | Kind.TOTAL | Kind.UNREAD, 3)


async def test_queue_is_bounded(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "MAX_QUEUE", 2)
    listener.subscribe()
    for number in range(3):
        await add(listener, number + 1)
    listener.store.peek(listener.notices.collect)
    assert len(listener.notices.queue) == 2
