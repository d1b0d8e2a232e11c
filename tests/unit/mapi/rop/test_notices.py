"""What a session is told: events of messages, whoever caused them (MS-OXCNOTIF 2.2.1.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from quintet.mapi import objects, restrict, rows
from quintet.mapi.buffer import Reader
from quintet.mapi.objects import Box, numbers, pid
from quintet.mapi.rop.events import Event, Kind, TableEvent
from quintet.mapi.rop.serve import listening
from quintet.mapi.rop.serve.listening import Subscription
from quintet.mapi.rop.serve.notices import Notices
from quintet.mapi.rop.serve.shown import Shown
from quintet.mapi.rows import Key, Order, SortOrder
from quintet.mapi.table import Table
from quintet.store import access, accounts, entries, folders
from quintet.store.content import content_of
from quintet.store.db import Tx
from quintet.store.model import FLAGGED, SEEN, AccountId, FolderId
from quintet.store.store import Store
from tests.support.letters import letter
from tests.support.stores import open_store

EVERYTHING = 0x1FE


class Listener:
    """One session's notices over a store."""

    def __init__(self, store: Store, account: AccountId, box: Box) -> None:
        self.store, self.account, self.box = store, account, box
        self.notices = Notices(store)
        self.inbox = self.place("INBOX")
        self.trash = self.place("Trash")

    def place(self, name: str) -> FolderId:
        found = self.store.peek(folders.find, self.account, name)
        assert found is not None
        return found.id

    def subscribe(
        self, folder: FolderId | None = None, kinds: int = EVERYTHING, box: Box | None = None
    ) -> None:
        def work(tx: Tx) -> None:
            with (box or self.box).using(tx) as mine:
                self.notices.subscribe(mine, 0, 1, Subscription(kinds, folder))

        self.store.peek(work)
        self.settled()

    def show(self, make: Callable[[Box], Table], *columns: int, quiet: bool = False) -> Table:
        """A table that the client has looked at."""

        def work(tx: Tx) -> Table:
            with self.box.using(tx) as box:
                table = make(box)
                table.set_columns(columns)
                self.notices.show(box, 2, lambda: Shown(box, 0, table, "cp1252", quiet=quiet))
                return table

        table = self.store.peek(work)
        self.settled()
        return table

    def settled(self) -> None:
        self.notices.settle()
        self.events()

    def events(self, *, own: bool = False) -> list[Event]:
        """Everything that is told since the last time."""
        hints = self.notices.take()
        self.store.peek(self.notices.collect, hints, own=own)
        found = [each.event for each in self.notices.queue]
        self.notices.queue.clear()
        return found

    def told(self) -> list[tuple[str, int, int, int, int]]:
        """Kind, folder, message, and where it was, of every event about a message since the last time."""
        return [self._plain(event) for event in self.events() if event.flags & Kind.MESSAGE]

    def _plain(self, event: Event) -> tuple[str, int, int, int, int]:
        kind = Kind(event.flags & 0x0FFF).name or ""
        places = event.folder.counter, event.message.counter
        return kind, *places, event.old_folder.counter, event.old_message.counter

    def rows(self) -> list[tuple[str, int, int, list[object]]]:
        """Event, message (or folder), the one before it, and the values, of every event about the table."""
        columns = self.notices._tables[2]._table.columns
        found = []
        for event in self.events():
            of_message = bool(event.flags & Kind.MESSAGE)
            row, after = event.row[of_message].counter, event.after[of_message].counter
            values = rows.get_row(Reader(event.data), columns) if event.data else []
            found.append((TableEvent(event.table).name, row, after, values))
        return found


async def log_on(store: Store, account: AccountId, reader: AccountId) -> Box:
    return await store.write(objects.logon, account, reader, files=store.blobs)


@pytest.fixture
async def listener(tmp_path: Path) -> AsyncIterator[Listener]:
    async with open_store(tmp_path / "data") as store:
        account = await store.write(accounts.create, "ann")
        made = Listener(store, account.id, await log_on(store, account.id, account.id))
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
    listener.subscribe(box=await log_on(store, listener.account, bob))
    await add(listener)
    assert not listener.events()  # not even counts
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
    monkeypatch.setattr(listening, "MAX_TOLD", 2)
    listener.subscribe()
    for number in range(3):
        await add(listener, number + 1)
    ((flags, total),) = [(event.flags, event.total) for event in listener.events()]
    assert (flags, total) == (Kind.MODIFIED | Kind.TOTAL | Kind.UNREAD, 3)


async def test_queue_is_bounded(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener.notices, "_most", 2)
    listener.subscribe()
    for number in range(3):
        await add(listener, number + 1)
    assert len(listener.events()) == 2


async def test_counts_are_told_when_they_are_others(listener: Listener) -> None:
    """R113, R116: T where the number of messages changed, U where that of unread ones did."""
    listener.subscribe(listener.inbox, Kind.MODIFIED)
    await add(listener)
    (first,) = listener.events()
    assert (first.flags, first.total, first.unread) == (Kind.MODIFIED | Kind.TOTAL | Kind.UNREAD, 1, 1)
    for flag, counted in ((FLAGGED, []), (SEEN, [(Kind.MODIFIED | Kind.UNREAD, 0)])):
        await listener.store.write(entries.set_flags, listener.inbox, [1], "+", flag)
        found = [event for event in listener.events() if not event.flags & Kind.MESSAGE]
        assert [(event.flags, event.unread) for event in found] == counted


async def test_new_mail_has_its_flags_and_class(listener: Listener) -> None:
    """R214, R223."""
    listener.subscribe(kinds=Kind.NEW_MAIL)
    await add(listener)
    invitation = content_of(
        b"From: b@example.org\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\n"
        b"METHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20261130T100000Z\r\nSUMMARY:x\r\nEND:VEVENT\r\n"
        b"END:VCALENDAR\r\n"
    )
    await listener.store.write(entries.add, [listener.inbox], invitation, received_at=1, flags=SEEN)
    found = [(event.message_class, event.message_flags & 1) for event in listener.events()]
    assert found == [("IPM.Note", 0), ("IPM.Schedule.Meeting.Request", 1)]


@pytest.mark.parametrize("whole", [True, False])
async def test_folders_are_made_renamed_moved_and_deleted(listener: Listener, whole: bool) -> None:
    """2.2.1.1: of the store, or of a folder: what happens to it and in it; with the parents (R179, R191)."""
    store, above = listener.store, listener.inbox
    listener.subscribe(None if whole else above)
    made = (await store.write(folders.create, listener.account, "INBOX/Tea")).id

    def told() -> list[tuple[int, int, int, int, int]]:
        found = listener.events()
        places = [(one.folder, one.parent, one.old_folder, one.old_parent) for one in found]
        return [
            (one.flags, *[each.counter for each in where]) for one, where in zip(found, places, strict=True)
        ]

    assert told() == [(Kind.CREATED, made, above, 0, 0)]
    await store.write(folders.rename, made, "INBOX/Coffee")
    assert told() == ([(Kind.MODIFIED, made, above, 0, 0)] if whole else [])
    await store.write(folders.rename, made, "Trash/Coffee")
    assert told() == [(Kind.MOVED, made, listener.trash, made, above)]
    await store.write(folders.rename, made, "INBOX/Coffee")
    assert told() == [(Kind.MOVED, made, above, made, listener.trash)]
    await store.write(folders.remove, made)
    assert told() == [(Kind.DELETED, made, above, 0, 0)]


# --- tables -----------------------------------------------------------------------------------------------


NEWEST = SortOrder((Key(pid.DELIVERY_TIME, Order.DESCENDING),))


def newest_first(box: Box) -> Table:
    table = box.inbox.contents()
    table.sort(NEWEST)
    return table


async def arrive(listener: Listener, at: int) -> int:
    (added,) = await listener.store.write(entries.add, [listener.inbox], letter(at), received_at=at * 1000)
    return added.entry_id


async def test_rows_come_change_and_go(listener: Listener) -> None:
    """R129 to R131, R153 to R167: each with the row that it stands behind, and the columns of SetColumns."""
    first, third = await arrive(listener, 1), await arrive(listener, 3)
    listener.show(newest_first, pid.MESSAGE_ID, pid.READ)
    second = await arrive(listener, 2)
    wire = [[numbers.on_wire(one), False] for one in (first, second, third)]
    assert listener.rows() == [("ROW_ADDED", second, third, wire[1])]
    fourth = await arrive(listener, 4)
    ((event, row, after, _),) = listener.rows()
    assert (event, row, after) == ("ROW_ADDED", fourth, 0)  # the first: behind nothing
    await listener.store.write(entries.set_flags, listener.inbox, [1], "+", SEEN)
    assert listener.rows() == [("ROW_MODIFIED", first, second, [wire[0][0], True])]
    await listener.store.write(entries.expunge, listener.inbox, [2, 3])
    assert listener.rows() == [("ROW_DELETED", third, 0, []), ("ROW_DELETED", second, 0, [])]
    assert listener.rows() == []


async def test_rows_that_match_no_longer_go(listener: Listener) -> None:
    first = await arrive(listener, 1)
    unread = restrict.Property(restrict.Relation.EQUAL, pid.READ, (pid.READ, False))

    def make(box: Box) -> Table:
        table = box.inbox.contents()
        table.restrict(unread)
        return table

    listener.show(make, pid.MESSAGE_ID)
    await listener.store.write(entries.set_flags, listener.inbox, [1], "+", SEEN)
    assert [(event, row) for event, row, *_ in listener.rows()] == [("ROW_DELETED", first)]
    await listener.store.write(entries.set_flags, listener.inbox, [1], "-", SEEN)
    assert [(event, row) for event, row, *_ in listener.rows()] == [("ROW_ADDED", first)]


async def test_headings_are_rows(listener: Listener) -> None:
    """A category's heading is told with its number in the message's place, and what it says."""
    order = SortOrder((Key(pid.READ, Order.ASCENDING),), 1, 1)

    def make(box: Box) -> Table:
        table = box.inbox.contents()
        table.sort(order)
        return table

    listener.show(make, 0x674D0014, 0x36020003)
    first = await arrive(listener, 1)
    (event, heading, after, (number, count)), (_, row, below, _) = listener.rows()
    assert (event, count, after) == ("ROW_ADDED", 1, 0)
    assert (numbers.from_wire(number)[1], row, below) == (heading, first, heading)


async def test_more_than_can_be_told_is_a_change(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """R270: TableChanged, once until the client has fetched it; rows again afterwards."""
    monkeypatch.setattr(listener.notices, "_most", 2)
    listener.show(newest_first, pid.MESSAGE_ID)
    for number in range(3):
        await arrive(listener, number + 1)
    for number in range(2):
        await arrive(listener, number + 10)
        listener.store.peek(listener.notices.collect, listener.notices.take())
    assert [event.table for event in listener.events()] == [TableEvent.CHANGED]
    await arrive(listener, 20)
    assert [event.table for event in listener.events()] == [TableEvent.ROW_ADDED]


async def test_a_table_without_columns_or_folder_only_changes(listener: Listener) -> None:
    made = (await listener.store.write(folders.create, listener.account, "Tea")).id
    table = listener.show(lambda box: box.folder(made).contents(), pid.MESSAGE_ID)
    table._columns = None
    await listener.store.write(entries.add, [made], letter(1), received_at=1)
    assert [event.table for event in listener.events()] == [TableEvent.CHANGED]
    await listener.store.write(folders.remove, made)
    assert listener.events() == []  # nobody has arranged it since


async def test_folders_of_a_hierarchy_are_rows(listener: Listener) -> None:
    """R264: of folders FID alone, without bit M; counts make other rows; R809: but not those of one's own."""
    store = listener.store
    for quiet in (False, True):
        listener.notices.hide(2)
        listener.show(
            lambda box: box.folder(box.logon_folders()[3]).hierarchy(), pid.DISPLAY_NAME, quiet=quiet
        )
        made = (await store.write(folders.create, listener.account, f"Tea{quiet}")).id
        found = listener.rows()
        assert [(event, row, values) for event, row, _, values in found] == [
            ("ROW_ADDED", made, [f"Tea{quiet}"])
        ]
        await store.write(entries.add, [made], letter(1), received_at=1)
        assert [(event, row) for event, row, *_ in listener.rows()] == [("ROW_MODIFIED", made)]
        await store.write(folders.remove, made)
        own = listener.events(own=True)
        assert [(event.table, event.flags) for event in own] == [(TableEvent.ROW_DELETED, 0x100)][quiet:]


async def flagged(listener: Listener) -> FolderId:
    """A search folder of what is flagged in the Inbox."""
    wanted = restrict.Property(restrict.Relation.EQUAL, pid.FLAG_STATUS, (pid.FLAG_STATUS, 2))

    def make(tx: Tx) -> FolderId:
        with listener.box.using(tx) as box:
            folder, _ = box.folder(box.special["finder"]).create_folder("Flagged", search=True)
            folder.search(wanted, [listener.inbox], 0)
            return folder.id

    return await listener.store.write(make)


async def test_counts_of_search_folders_are_values_of_their_rows(listener: Listener) -> None:
    """What comes into a folder that is searched, or out of it, is another count of the search folder."""
    store = listener.store
    await add(listener)
    found = await flagged(listener)
    listener.show(
        lambda box: box.folder(box.special["finder"]).hierarchy(), pid.CONTENT_COUNT, pid.CONTENT_UNREAD
    )
    await store.write(entries.set_flags, listener.inbox, [1], "+", FLAGGED)
    assert ("ROW_MODIFIED", found, [1, 1]) in _without_place(listener)
    await store.write(entries.set_flags, listener.inbox, [1], "+", SEEN)
    assert ("ROW_MODIFIED", found, [1, 0]) in _without_place(listener)
    await store.write(entries.expunge, listener.inbox, [1])
    assert ("ROW_MODIFIED", found, [0, 0]) in _without_place(listener)
    await add(listener, 2)
    assert _without_place(listener) == []  # it has nothing to do with what is searched for


def _without_place(listener: Listener) -> list[tuple[str, int, list[object]]]:
    return [(event, row, values) for event, row, _, values in listener.rows()]


async def test_search_folders_have_rows(listener: Listener) -> None:
    """R119, R120: bits S and M; whatever happens in the folders that are searched."""
    search = await flagged(listener)
    first = await arrive(listener, 1)
    listener.show(lambda box: box.folder(search).contents(), pid.MESSAGE_ID)
    await listener.store.write(entries.set_flags, listener.inbox, [1], "+", FLAGGED)
    (event,) = listener.events()
    assert (event.flags, event.table, event.row[1].counter) == (0xC100, TableEvent.ROW_ADDED, first)
    await listener.store.write(entries.set_flags, listener.inbox, [1], "+", SEEN)
    assert [event.table for event in listener.events()] == [TableEvent.ROW_MODIFIED]
    await listener.store.write(entries.set_flags, listener.inbox, [1], "-", FLAGGED)
    assert [event.table for event in listener.events()] == [TableEvent.ROW_DELETED]


async def test_messages_come_into_search_folders_and_go(listener: Listener) -> None:
    """R119, R179: bits S and M; where the message lies, and the search folder as its parent."""
    search = await flagged(listener)
    number = await add(listener)
    listener.subscribe(search)
    both = Kind.SEARCH_FOLDER | Kind.MESSAGE

    def told() -> list[tuple[int, int, int, int]]:
        return [
            (one.flags & ~both, one.message.counter, one.total, one.unread)
            for one in listener.events()
            if one.flags & both == (both if one.message.counter else 0)
            and one.parent.counter in (0, search)
            and one.folder.counter == (listener.inbox if one.message.counter else search)
        ]

    counts = Kind.MODIFIED | Kind.TOTAL | Kind.UNREAD
    await listener.store.write(entries.set_flags, listener.inbox, [1], "+", FLAGGED)
    assert told() == [(Kind.CREATED, number, 0, 0), (counts, 0, 1, 1)]
    await listener.store.write(entries.set_flags, listener.inbox, [1], "+", SEEN)
    assert told() == [(Kind.MODIFIED, number, 0, 0), (Kind.MODIFIED | Kind.UNREAD, 0, 1, 0)]
    await add(listener, 2)  # it matches nothing
    await listener.store.write(entries.set_flags, listener.inbox, [1], "-", FLAGGED)
    assert told() == [(Kind.DELETED, number, 0, 0), (counts, 0, 0, 0)]
    listener.notices.forget(1)
    await listener.store.write(entries.set_flags, listener.inbox, [1], "+", FLAGGED)
    assert listener.events() == []


async def test_what_is_released_is_told_no_more(listener: Listener) -> None:
    """R450: an event of a handle that the client has let go of is worth nothing."""
    listener.show(newest_first, pid.MESSAGE_ID)
    await arrive(listener, 1)
    listener.store.peek(listener.notices.collect, listener.notices.take())
    assert listener.notices.queue
    listener.notices.forget(2)
    assert not listener.notices.queue
