"""What every provider must do: the contracts of `quintet.mapi.providers.base` as tests.

A provider's test module makes a subclass of each class that fits and gives the fixture it asks for:

    class TestMemoryStore(conformance.MessageStoreContract):
        @pytest.fixture
        def store(self) -> Iterator[MessageStore]: ...

What a system lacks (a flag of `Can`) it must refuse with NOT_SUPPORTED: the same test checks that instead.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

import pytest

from quintet.mapi import convert, names, pr, restrict, types
from quintet.mapi.bag import Attachment, Bag, Item, NamedTag
from quintet.mapi.convert import calkeys
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import derive
from quintet.mapi.providers.base import (
    AddressBook,
    Can,
    Criteria,
    EntryId,
    Event,
    Kind,
    MessageStore,
    Opened,
    Special,
    Thing,
    View,
    Which,
)

KEYWORDS = NamedTag(
    uuid.UUID("00020329-0000-0000-c000-000000000046"), "Keywords", types.STRING | types.MULTIPLE
)
WAIT_S = 60.0  # until an event of a slow system is there

FOLDER_KEYS = (
    pr.ENTRYID, pr.PARENT_ENTRYID, pr.DISPLAY_NAME, pr.CONTENT_COUNT, pr.CONTENT_UNREAD, pr.SUBFOLDERS,
    pr.FOLDER_TYPE,
)  # fmt: skip
MESSAGE_KEYS = (
    pr.ENTRYID, pr.PARENT_ENTRYID, pr.SUBJECT, pr.MESSAGE_CLASS, pr.MESSAGE_FLAGS, pr.MESSAGE_SIZE,
    pr.MESSAGE_DELIVERY_TIME, pr.LAST_MODIFICATION_TIME, pr.CHANGE_KEY, pr.HASATTACH, pr.DISPLAY_TO,
    pr.DISPLAY_CC, pr.DISPLAY_BCC,
)  # fmt: skip


def letter(subject: str, *, body: str = "Hello", to: str = "bob@example.com") -> Item:
    """A plain message as a program makes it."""
    return Item(
        {
            pr.MESSAGE_CLASS: "IPM.Note",
            pr.SUBJECT: subject,
            pr.BODY: body,
            pr.SENDER_NAME: "Ann",
            pr.SENDER_ADDRTYPE: "SMTP",
            pr.SENDER_EMAIL_ADDRESS: "ann@example.com",
            pr.CLIENT_SUBMIT_TIME: types.of_ms(1_700_000_000_000),
        },
        [recipient(to)],
    )


def recipient(address: str, kind: int = derive.TO) -> Bag:
    return {
        pr.RECIPIENT_TYPE: kind,
        pr.DISPLAY_NAME: address.partition("@")[0].title(),
        pr.ADDRTYPE: "SMTP",
        pr.EMAIL_ADDRESS: address,
        pr.SMTP_ADDRESS: address,
    }


def refused(code: Code, call: Callable[..., object], *args: object, **kwargs: object) -> str:
    """What the error says."""
    with pytest.raises(MapiError) as caught:
        call(*args, **kwargs)
    assert caught.value.code == code
    return caught.value.text


def until(ready: Callable[[], bool]) -> None:
    """Waits for what comes soon, in another thread."""
    end = time.monotonic() + WAIT_S
    while not ready():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


def subjects(store: MessageStore, folder: EntryId, view: View = View.NORMAL) -> list[str]:
    rows = store.messages(folder, view)
    return sorted([value for (value,) in rows.values(rows.ids(), [pr.SUBJECT])])


def content(one: Attachment) -> bytes:
    return one.data if isinstance(one.data, bytes) else one.data.read(0, one.data.size)


class MessageStoreContract:
    """Every message store.  Fixture ``store``: one whose folders the tests may fill."""

    @pytest.fixture
    def folder(self, store: MessageStore) -> EntryId:
        """A folder that the tests may write in, empty."""
        if Can.FOLDERS in store.can:
            return store.make_folder(store.top, {pr.DISPLAY_NAME: "Trial"})
        return store.special()[Special.INBOX]

    def needs(self, store: MessageStore, flag: Can, call: Callable[..., object], *args: object) -> None:
        """Ends the test where the system lacks something, after it said so."""
        if flag not in store.can:
            refused(Code.NOT_SUPPORTED, call, *args)
            pytest.skip(f"{store.name} has no {flag.name}")

    # --- looking

    def test_ids_begin_with_the_providers_uid(self, store: MessageStore) -> None:
        ids = [store.entry_id, store.root, store.top, *store.special().values()]
        ids += store.folders(store.top).ids()
        assert len(store.uid) == 16
        assert [one[:20] for one in ids] == [bytes(4) + store.uid] * len(ids)

    def test_folders_have_what_every_folder_has(self, store: MessageStore) -> None:
        rows = store.folders(store.top)
        assert rows.ids()
        for one, values in zip(rows.ids(), rows.values(rows.ids(), FOLDER_KEYS), strict=True):
            assert None not in values
            bag = store.folder(one)
            assert [bag[key] for key in FOLDER_KEYS] == values
            assert (bag[pr.ENTRYID], bag[pr.PARENT_ENTRYID]) == (one, store.top)

    def test_special_folders_are_folders(self, store: MessageStore) -> None:
        assert Special.INBOX in store.special()
        for entry in store.special().values():
            assert store.folder(entry)[pr.ENTRYID] == entry

    def test_what_is_not_there_is_not_found(self, store: MessageStore) -> None:
        nothing = bytes(4) + store.uid + b"\xff" * 40
        refused(Code.NOT_FOUND, store.folder, nothing)
        refused(Code.NOT_FOUND, store.load, nothing)
        refused(Code.NOT_FOUND, lambda: store.messages(nothing).ids())
        refused(Code.NOT_FOUND, lambda: store.folders(nothing).ids())

    def test_a_row_that_went_away_is_empty(self, store: MessageStore) -> None:
        rows = store.messages(store.special()[Special.INBOX])
        nothing = bytes(4) + store.uid + b"\xff" * 40
        assert rows.values([nothing], [pr.SUBJECT, pr.ENTRYID]) == [[None, None]]

    def test_each_store_says_what_it_is_called(self, store: MessageStore) -> None:
        assert store.name
        assert store.props()[pr.DISPLAY_NAME]

    # --- messages

    def test_message_comes_back_as_it_was_saved(self, store: MessageStore, folder: EntryId) -> None:
        item = letter("Größe", body="Two lines\r\nof text\r\n")
        item.recipients.append(recipient("carol@example.com", derive.CC))
        item.attachments.append(
            Attachment(
                {pr.ATTACH_LONG_FILENAME: "a.bin", pr.ATTACH_METHOD: derive.BY_VALUE}, bytes(range(256)) * 40
            )
        )
        self.needs(store, Can.SAVE, store.save, folder, item)
        entry = store.save(folder, item)
        found = store.load(entry)
        for key in MESSAGE_KEYS:
            assert key in found.props, hex(key) if isinstance(key, int) else key
        assert found.props[pr.SUBJECT] == "Größe"
        assert found.props[pr.BODY].split() == ["Two", "lines", "of", "text"]
        assert found.props[pr.HASATTACH] is True
        assert found.props[pr.PARENT_ENTRYID] == folder
        assert [one[pr.RECIPIENT_TYPE] for one in found.recipients] == [derive.TO, derive.CC]
        assert [one[pr.EMAIL_ADDRESS] for one in found.recipients] == ["bob@example.com", "carol@example.com"]
        assert [content(one) for one in found.attachments] == [bytes(range(256)) * 40]
        assert found.attachments[0].props[pr.ATTACH_LONG_FILENAME] == "a.bin"

    def test_rows_and_message_agree(self, store: MessageStore, folder: EntryId) -> None:
        self.needs(store, Can.SAVE, store.save, folder, letter("x"))
        entry = store.save(folder, letter("Re: The same"))
        rows = store.messages(folder)
        assert list(rows.ids()) == [entry]
        (values,) = rows.values([entry], MESSAGE_KEYS)
        assert [store.load(entry).props[key] for key in MESSAGE_KEYS] == values
        assert values[MESSAGE_KEYS.index(pr.DISPLAY_TO)] == "Bob"

    def test_embedded_message_comes_back(self, store: MessageStore, folder: EntryId) -> None:
        item = letter("outer")
        item.attachments.append(Attachment({pr.ATTACH_METHOD: derive.EMBEDDED}, item=letter("inner")))
        self.needs(store, Can.SAVE, store.save, folder, item)
        (one,) = store.load(store.save(folder, item)).attachments
        assert one.item is not None
        assert one.item.props[pr.SUBJECT] == "inner"

    def test_letter_that_came_stays_what_it_is(self, store: MessageStore, folder: EntryId) -> None:
        raw = b"From: Zoe  <zoe@example.net>\r\nSubject:  odd   spaces\r\nX-Odd:\tyes\r\n\r\n a\r\n\r\n"
        item = convert.from_mime(raw)
        item.props[KEYWORDS] = ["red"]
        if Can.SAVE not in store.can:
            refused(Code.NOT_SUPPORTED, store.add, folder, item, raw)
            return
        entry = store.add(folder, item, raw)
        assert store.mime(entry) in (raw, None)  # a system that keeps properties has no bytes
        assert store.load(entry).props[pr.SUBJECT] == "odd   spaces"
        if Can.PROPS in store.can:
            assert store.load(entry).props[KEYWORDS] == ["red"]
        store.delete([entry], hard=True)
        refused(Code.NOT_FOUND, store.load, entry)

    def test_what_is_changed_is_replaced(self, store: MessageStore, folder: EntryId) -> None:
        self.needs(store, Can.SAVE, store.save, folder, letter("x"))
        entry = store.save(folder, letter("before"))
        item = store.load(entry)
        key = item.props[pr.CHANGE_KEY]
        item.props[pr.SUBJECT] = "after"
        del item.props[pr.NORMALIZED_SUBJECT], item.props[pr.SUBJECT_PREFIX]
        item.recipients.clear()
        again = store.save(folder, item, old=entry, expected=key)
        assert subjects(store, folder) == ["after"]
        found = store.load(again)
        assert found.recipients == []
        assert found.props[pr.CHANGE_KEY] != key

    def test_an_id_means_what_replaced_its_message(self, store: MessageStore, folder: EntryId) -> None:
        """A program holds what it opened, and changes it more than once, here and by other objects."""
        self.needs(store, Can.SAVE, store.save, folder, letter("x"))
        entry = first = store.save(folder, letter("0"))
        keys = [store.load(first).props[pr.CHANGE_KEY]]
        for subject in "123":
            item = store.load(first)
            item.props[pr.SUBJECT] = subject
            del item.props[pr.NORMALIZED_SUBJECT], item.props[pr.SUBJECT_PREFIX]
            entry = store.save(folder, item, old=entry, expected=keys[-1])
            keys.append(store.load(entry).props[pr.CHANGE_KEY])
            assert store.load(first).props[pr.SUBJECT] == subject
        refused(Code.OBJECT_CHANGED, store.save, folder, letter("4"), old=first, expected=keys[0])
        assert subjects(store, folder) == ["3"]
        if Can.READ_MARKS in store.can:
            store.mark_read([first], True)
            assert store.load(entry).props[pr.MESSAGE_FLAGS] & derive.READ
        store.delete([first], hard=True)
        assert subjects(store, folder) == []
        for one in (first, entry):
            refused(Code.NOT_FOUND, store.load, one)

    def test_change_over_anothers_change_is_refused(self, store: MessageStore, folder: EntryId) -> None:
        self.needs(store, Can.SAVE, store.save, folder, letter("x"))
        entry = store.save(folder, letter("before"))
        item = store.load(entry)
        refused(Code.OBJECT_CHANGED, store.save, folder, item, old=entry, expected=b"another")

    def test_any_property_is_kept(self, store: MessageStore, folder: EntryId) -> None:
        own = NamedTag(uuid.uuid4(), 0x8101, types.INTEGER32)
        item = letter("task")
        item.props |= {pr.MESSAGE_CLASS: "IPM.Task", own: 7, KEYWORDS: ["red", "blue"], 0x6801001F: "mine"}
        if Can.ITEMS not in store.can:
            pytest.skip(f"{store.name} keeps mail only")
        found = store.load(store.save(folder, item)).props
        assert (found[pr.MESSAGE_CLASS], found[own], found[KEYWORDS]) == ("IPM.Task", 7, ["red", "blue"])
        assert found[0x6801001F] == "mine"

    def test_properties_change_without_the_content(self, store: MessageStore, folder: EntryId) -> None:
        if Can.PROPS not in store.can or Can.SAVE not in store.can:
            pytest.skip(f"{store.name} keeps no properties of messages")
        entry = store.save(folder, letter("flagged"))
        store.update(entry, {pr.FLAG_STATUS: 2, KEYWORDS: ["red"]})
        found = store.load(entry).props
        assert (found[pr.FLAG_STATUS], found[KEYWORDS], found[pr.SUBJECT]) == (2, ["red"], "flagged")
        store.update(entry, {}, [KEYWORDS])
        assert KEYWORDS not in store.load(entry).props

    def test_read_and_unread(self, store: MessageStore, folder: EntryId) -> None:
        if Can.READ_MARKS not in store.can:
            refused(Code.NOT_SUPPORTED, store.mark_read, [], True)
            pytest.skip(f"{store.name} marks nothing as read")
        entries = [store.save(folder, letter(text)) for text in ("one", "two")]
        assert store.folder(folder)[pr.CONTENT_UNREAD] == 2
        store.mark_read(entries[:1], True)
        assert store.load(entries[0]).props[pr.MESSAGE_FLAGS] & derive.READ
        assert store.folder(folder)[pr.CONTENT_UNREAD] == 1
        store.mark_read(entries[:1], False)
        assert not store.load(entries[0]).props[pr.MESSAGE_FLAGS] & derive.READ

    def test_move_and_copy(self, store: MessageStore, folder: EntryId) -> None:
        if not {Can.SAVE, Can.FOLDERS} <= set(store.can):
            pytest.skip(f"{store.name} has one folder, or cannot be written")
        other = store.make_folder(store.top, {pr.DISPLAY_NAME: "Other"})
        one, two = (store.save(folder, letter(text)) for text in ("one", "two"))
        nothing = bytes(4) + store.uid + b"\xff" * 40
        (moved, none) = store.move([one, nothing], other)
        assert none == b""
        assert store.load(moved).props[pr.PARENT_ENTRYID] == other
        (copied,) = store.copy([two], other)
        assert copied != two
        assert (subjects(store, folder), subjects(store, other)) == (["two"], ["one", "two"])

    def test_delete(self, store: MessageStore, folder: EntryId) -> None:
        self.needs(store, Can.SAVE, store.save, folder, letter("x"))
        one, two = (store.save(folder, letter(text)) for text in ("one", "two"))
        assert store.delete([one, bytes(4) + store.uid + b"\xff" * 40], hard=True) == 1
        assert list(store.messages(folder).ids()) == [two]
        refused(Code.NOT_FOUND, store.load, one)

    def test_what_was_deleted_comes_back(self, store: MessageStore, folder: EntryId) -> None:
        if Can.SOFT_DELETE not in store.can:
            refused(Code.NOT_SUPPORTED, store.messages, folder, View.DELETED)
            pytest.skip(f"{store.name} keeps nothing that was deleted")
        one = store.save(folder, letter("one"))
        store.delete([one])
        assert subjects(store, folder) == []
        assert subjects(store, folder, View.DELETED) == ["one"]
        store.move(list(store.messages(folder, View.DELETED).ids()), folder)
        assert (subjects(store, folder), subjects(store, folder, View.DELETED)) == (["one"], [])

    def test_hidden_messages_stand_apart(self, store: MessageStore, folder: EntryId) -> None:
        if Can.ASSOCIATED not in store.can:
            refused(Code.NOT_SUPPORTED, store.messages, folder, View.ASSOCIATED)
            pytest.skip(f"{store.name} hides no messages")
        entry = store.save(folder, letter("settings"), view=View.ASSOCIATED)
        assert (subjects(store, folder), subjects(store, folder, View.ASSOCIATED)) == ([], ["settings"])
        assert store.load(entry).props[pr.MESSAGE_FLAGS] & derive.ASSOCIATED

    def test_search_gives_all_that_match(self, store: MessageStore, folder: EntryId) -> None:
        if Can.SAVE not in store.can:
            pytest.skip(f"{store.name} cannot be written")
        wanted = store.save(folder, letter("needle in it"))
        store.save(folder, letter("hay"))
        found = store.search(
            folder,
            restrict.Content(restrict.Where.SUBSTRING, 1, pr.SUBJECT, (pr.SUBJECT, "NEEDLE")),
        )
        assert found is None or wanted in found

    # --- folders

    def test_folders_are_made_renamed_moved_and_deleted(self, store: MessageStore) -> None:
        self.needs(store, Can.FOLDERS, store.make_folder, store.top, {pr.DISPLAY_NAME: "A"})
        one = store.make_folder(store.top, {pr.DISPLAY_NAME: "A", pr.CONTAINER_CLASS: "IPF.Note"})
        inner = store.make_folder(one, {pr.DISPLAY_NAME: "Ä & b"})
        assert store.folder(one)[pr.SUBFOLDERS] is True
        assert list(store.folders(one).ids()) == [inner]
        assert store.folder(inner)[pr.DISPLAY_NAME] == "Ä & b"
        refused(Code.COLLIDING_NAMES, store.make_folder, store.top, {pr.DISPLAY_NAME: "A"})
        store.update(inner, {pr.DISPLAY_NAME: "C"})
        (inner,) = store.folders(one).ids()
        assert store.folder(inner)[pr.DISPLAY_NAME] == "C"
        refused(Code.FOLDER_CYCLE, store.move_folder, one, inner)
        moved = store.move_folder(inner, store.top, "D")
        assert store.folder(moved)[pr.DISPLAY_NAME] == "D"
        assert list(store.folders(one).ids()) == []
        store.delete_folder(one)
        refused(Code.NOT_FOUND, store.folder, one)

    def test_search_folder_stays_current(self, store: MessageStore, folder: EntryId) -> None:
        if Can.SEARCH_FOLDERS not in store.can:
            refused(Code.NOT_SUPPORTED, store.criteria, folder)
            pytest.skip(f"{store.name} has no search folders")
        finder = store.special().get(Special.FINDER, store.top)
        found = store.make_folder(finder, {pr.DISPLAY_NAME: "Red", pr.FOLDER_TYPE: 2})
        refused(Code.NOT_INITIALIZED, store.criteria, found)
        tag = names.tag(KEYWORDS)
        red = restrict.Property(restrict.Relation.EQUAL, tag, (tag & ~types.MULTIPLE, "red"))
        criteria = Criteria(red, (folder,))
        store.set_criteria(found, criteria)
        assert store.criteria(found) == criteria
        one, _two = (store.save(folder, letter(text)) for text in ("one", "two"))
        store.update(one, {KEYWORDS: ["blue", "red"]})
        assert subjects(store, found) == ["one"]
        store.update(one, {}, [KEYWORDS])
        assert subjects(store, found) == []

    def test_what_reminds_is_found_in_one_place(self, store: MessageStore, folder: EntryId) -> None:
        special = store.special()
        if Special.REMINDERS not in special:
            pytest.skip(f"{store.name} has no Reminders")
        reminders = special[Special.REMINDERS]
        remind: Bag = {calkeys.REMINDER_SET: True}
        one, two = (store.save(folder, letter(text)) for text in ("one", "two"))
        again = store.save(special[Special.CALENDAR], letter("again"))
        store.update(again, {calkeys.RECURRING: True})
        store.update(one, remind)
        assert subjects(store, reminders) == ["again", "one"]
        store.update(one, {calkeys.REMINDER_SET: False})
        store.update(two, remind)
        assert subjects(store, reminders) == ["again", "two"]
        store.move([two], special[Special.DELETED])
        store.delete([again])
        assert subjects(store, reminders) == []
        with pytest.raises(MapiError):
            store.save(reminders, letter("three"))
        assert store.criteria(reminders).folders == (store.top,)

    def test_rights_are_rows(self, store: MessageStore, folder: EntryId) -> None:
        self.needs(store, Can.RIGHTS, store.table, folder, Which.RIGHTS)
        rows = store.table(folder, Which.RIGHTS)
        assert {row[pr.MEMBER_ID] for row in rows} >= {0}
        for row in rows:
            if row[pr.MEMBER_ID] == 0:
                row[pr.MEMBER_RIGHTS] = 0x401  # FrightsReadAny, FrightsVisible: MS-OXCPERM 2.2.7
        store.set_table(folder, Which.RIGHTS, rows)
        after = {row[pr.MEMBER_ID]: row[pr.MEMBER_RIGHTS] for row in store.table(folder, Which.RIGHTS)}
        assert after[0] & 0x401 == 0x401

    # --- what happens

    def test_changes_since_a_state(self, store: MessageStore, folder: EntryId) -> None:
        if Can.SAVE not in store.can:
            pytest.skip(f"{store.name} cannot be written")
        one, two = (store.save(folder, letter(text)) for text in ("one", "two"))
        first = store.changes(folder, b"")
        assert sorted(first.changed) == sorted([one, two])
        nothing = store.changes(folder, first.state)
        assert (nothing.changed, nothing.read, nothing.gone) == ([], [], [])
        store.delete([one], hard=True)
        three = store.save(folder, letter("three"))
        if Can.READ_MARKS in store.can:
            store.mark_read([two], True)
        then = store.changes(folder, nothing.state)
        assert (then.changed, then.gone) == ([three], [one])
        assert then.read == ([(two, True)] if Can.READ_MARKS in store.can else [])

    def test_foreign_state_is_an_error(self, store: MessageStore, folder: EntryId) -> None:
        refused(Code.CORRUPT_DATA, store.changes, folder, b"no state of ours")

    def test_events_tell_what_happened(self, store: MessageStore, folder: EntryId) -> None:
        seen: list[Event] = []
        self.needs(store, Can.NOTIFY, store.watch, seen.append)
        cancel = store.watch(seen.append)
        if Can.SAVE not in store.can:
            cancel()
            pytest.skip(f"{store.name} cannot be written")
        one = store.save(folder, letter("one"))
        self.wait_for(seen, Kind.CREATED, one)
        store.mark_read([one], True)
        self.wait_for(seen, Kind.MODIFIED, one)
        store.delete([one], hard=True)
        self.wait_for(seen, Kind.DELETED, one)
        cancel()
        cancel()  # twice does no harm
        seen.clear()
        store.save(folder, letter("two"))
        assert seen == []

    def wait_for(self, seen: list[Event], kind: Kind, entry: EntryId) -> None:
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            if any((event.kind, event.entry, event.thing) == (kind, entry, Thing.MESSAGE) for event in seen):
                return
            time.sleep(0.01)
        raise AssertionError(f"no {kind.name} among {seen}")

    def test_receive_folders(self, store: MessageStore, folder: EntryId) -> None:
        inbox = store.special()[Special.INBOX]
        assert store.receive_folder("IPM.Note")[0] == inbox
        if Can.RECEIVE_FOLDERS not in store.can:
            refused(Code.NOT_SUPPORTED, store.set_receive_folder, "IPM.Note", folder)
            pytest.skip(f"{store.name} has one place for what comes")
        store.set_receive_folder("IPM.Schedule", folder)
        found, message_class = store.receive_folder("IPM.Schedule.Meeting.Request")
        assert (found, message_class.casefold()) == (folder, "ipm.schedule")
        store.set_receive_folder("IPM.Schedule", None)
        assert store.receive_folder("IPM.Schedule.Meeting.Request")[0] == inbox


class AddressBookContract:
    """Every address book.  Fixture ``book``: has a mail user whose address is in ``known``."""

    known = "bob@example.com"

    def needs(self, book: AddressBook, flag: Can) -> None:
        if flag not in book.can:
            pytest.skip(f"{book.name} has no {flag.name}")

    def test_containers_hold_entries(self, book: AddressBook) -> None:
        ids = book.containers(book.root).ids()
        assert ids
        for one in ids:
            assert one[:20] == bytes(4) + book.uid
            assert book.load(one)[pr.DISPLAY_NAME]
            assert book.load(one)[pr.OBJECT_TYPE] == Thing.CONTAINER
            book.entries(one).ids()

    def test_entries_have_what_every_entry_has(self, book: AddressBook) -> None:
        rows = book.entries(book.first())
        keys = (pr.ENTRYID, pr.DISPLAY_NAME, pr.OBJECT_TYPE, pr.DISPLAY_TYPE)
        assert rows.ids()
        for one, values in zip(rows.ids(), rows.values(rows.ids(), keys), strict=True):
            assert None not in values
            bag = book.load(one)
            assert [bag[key] for key in keys] == values
            assert values[0] == one

    def test_address_resolves_to_one(self, book: AddressBook) -> None:
        for text in (self.known, f"SMTP:{self.known}", self.known.upper()):
            (found,) = book.resolve(text)
            assert book.load(found)[pr.SMTP_ADDRESS].lower() == self.known

    def test_nobody_and_nothing(self, book: AddressBook) -> None:
        assert book.resolve("zzzz-nobody-is-called-so") == []
        assert book.resolve("") == []
        refused(Code.NOT_FOUND, book.load, bytes(4) + book.uid + b"\xff" * 40)
        refused(Code.NOT_FOUND, lambda: book.entries(bytes(4) + book.uid + b"\xff" * 40).ids())

    def test_entries_are_written(self, book: AddressBook) -> None:
        self.needs(book, Can.WRITE)
        container = self.writable(book)
        entry = book.save(container, {pr.DISPLAY_NAME: "Zoë Zimt", pr.EMAIL_ADDRESS: "zoe@example.org"})
        assert book.load(entry)[pr.DISPLAY_NAME] == "Zoë Zimt"
        assert book.load(entry)[pr.OBJECT_TYPE] == Thing.MAIL_USER
        assert book.resolve("zoë zi", container) == [entry]
        bag = book.load(entry)
        bag[pr.DISPLAY_NAME] = "Zoë Z"
        entry = book.save(container, bag, entry)
        assert book.load(entry)[pr.DISPLAY_NAME] == "Zoë Z"
        assert book.delete([entry]) == 1
        refused(Code.NOT_FOUND, book.load, entry)

    def test_groups_have_members(self, book: AddressBook) -> None:
        self.needs(book, Can.WRITE | Can.GROUPS)
        container = self.writable(book)
        group = book.save(container, {pr.DISPLAY_NAME: "All", pr.OBJECT_TYPE: int(Thing.DIST_LIST)})
        (bob,) = book.resolve(self.known)
        book.set_members(group, [bob])
        assert book.members(group) == [bob]
        refused(Code.INVALID_OBJECT, book.members, bob)

    def writable(self, book: AddressBook) -> EntryId:
        for one in book.containers(book.root).ids():
            if (book.load(one).get(pr.CONTAINER_FLAGS) or 0) & 0x4:  # AB_MODIFIABLE
                return one
        raise AssertionError("no container says that it can be written")


class TransportContract:
    """Every transport.  Fixture ``sender``: an opened service that can send; `arrived` looks at the other
    side.
    """

    receiver = "bob@example.com"

    def arrived(self, subject: str) -> Item | None:
        """The message that the receiver got, or None after a fair wait."""
        raise AssertionError(f"{type(self).__name__} does not look")

    def test_message_arrives(self, sender: Opened) -> None:
        assert sender.transport is not None
        subject = f"Across {uuid.uuid4()}"
        item = letter(subject, to=self.receiver)
        assert sender.transport.send(item, [0]) == []
        found = self.arrived(subject)
        assert found is not None
        assert found.props[pr.BODY].split() == ["Hello"]

    def test_identity_is_told(self, sender: Opened) -> None:
        assert sender.identity[pr.DISPLAY_NAME]
        assert sender.identity[pr.EMAIL_ADDRESS]
        assert sender.identity[pr.ADDRTYPE]
