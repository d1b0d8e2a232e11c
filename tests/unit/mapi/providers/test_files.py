"""Stores of files pass what every provider has to; and what is special about files."""

from __future__ import annotations

import mailbox
import os
import threading
from contextlib import closing
from pathlib import Path

import pytest

from quintet.mapi import pr, types
from quintet.mapi.providers import registry
from quintet.mapi.providers.base import Event, Kind, MessageStore, Special
from quintet.mapi.providers.mailstore import MailStore
from tests.unit.mapi.providers import conformance
from tests.unit.mapi.providers.conformance import letter, subjects


def maildir(path: Path, layout: str = "++") -> MailStore:
    settings = {"path": str(path), "layout": layout, "create": "yes", "address": "ann@example.com"}
    store = registry.opened("MAILDIR", settings).store
    assert isinstance(store, MailStore)
    return store


class TestMaildirPlus(conformance.MessageStoreContract):
    layout = "++"

    @pytest.fixture
    def store(self, tmp_path: Path) -> MessageStore:
        return maildir(tmp_path / "Maildir", self.layout)


class TestMaildirDirectories(TestMaildirPlus):
    layout = "fs"


class TestMbox(conformance.MessageStoreContract):
    service = "MBOX"

    @pytest.fixture
    def store(self, tmp_path: Path) -> MessageStore:
        settings = {"path": str(tmp_path / "mail"), "create": "yes", "address": "ann@example.com"}
        store = registry.opened(self.service, settings).store
        assert store is not None
        return store


class TestMh(TestMbox):
    service = "MH"


def test_other_programs_see_what_we_keep_and_we_see_theirs(tmp_path: Path) -> None:
    """By Python's own reader of Maildirs."""
    store = maildir(tmp_path / "Maildir")
    folder = store.make_folder(store.top, {pr.DISPLAY_NAME: "Größe"})
    entry = store.save(folder, letter("One"))
    store.mark_read([entry], True)
    other = mailbox.Maildir(tmp_path / "Maildir")
    (name,) = other.list_folders()
    assert name == "Gr&APYA3w-e"
    (found,) = other.get_folder(name)
    assert (found["Subject"], found.get_flags(), found.get_subdir()) == ("One", "S", "cur")
    added = mailbox.MaildirMessage("Subject: Two\n\nText\n")
    added.set_flags("FT")
    other.get_folder(name).add(added)
    assert subjects(store, folder) == ["One", "Two"]
    (two,) = [one for one in store.messages(folder).ids() if one != entry]
    assert store.load(two).props[pr.FLAG_STATUS] == 2
    store.mark_read([two], True)
    assert {one.get_flags() for one in other.get_folder(name)} == {"S", "FST"}  # trashed stays trashed


@pytest.mark.parametrize("name", ["MBOX", "MH"])
def test_marks_of_mboxes_and_mh_are_those_of_other_programs(name: str, tmp_path: Path) -> None:
    """By Python's own readers: From_ lines are quoted, marks and times are kept."""
    settings = {"path": str(tmp_path), "create": "yes"}
    store = registry.opened(name, settings).store
    assert store is not None
    inbox = store.special()[Special.INBOX]
    item = letter("One", body="From here on\r\n>From there\r\nall is well\r\n")
    item.props |= {
        pr.FLAG_STATUS: 2,
        pr.MESSAGE_FLAGS: 1,
        pr.MESSAGE_DELIVERY_TIME: types.of_ms(1_700_000_000_000),
    }
    entry = store.save(inbox, item)
    assert store.load(entry).props[pr.BODY] == "From here on\r\n>From there\r\nall is well\r\n"
    assert store.load(entry).props[pr.MESSAGE_DELIVERY_TIME] == types.of_ms(1_700_000_000_000)
    if name == "MBOX":
        with closing(mailbox.mbox(tmp_path / "inbox")) as other_box:
            (found,) = other_box
        assert (found.get_flags(), found["Subject"]) == ("ROF", "One")
        text = (tmp_path / "inbox").read_bytes()
        other = b"From bob@example.com Sat Nov 29 10:00:00 2025\nSubject: Two\nStatus: O\n\nText\n\n"
        (tmp_path / "inbox").write_bytes(text + other)
    else:
        box = mailbox.MH(tmp_path / "inbox")
        assert box.get_sequences() == {"flagged": [1]}
        two = mailbox.MHMessage("Subject: Two\n\nText\n")
        two.set_sequences(["unseen"])
        box.add(two)
    store.refresh()
    assert subjects(store, inbox) == ["One", "Two"]
    assert store.folder(inbox)[pr.CONTENT_UNREAD] == 1


def test_two_equal_messages_in_an_mbox_are_two(tmp_path: Path) -> None:
    store = registry.opened("MBOX", {"path": str(tmp_path), "create": "yes"}).store
    assert store is not None
    one = b"From a@example.com Sat Nov 29 10:00:00 2025\nSubject: Same\n\nText\n\n"
    (tmp_path / "inbox").write_bytes(one * 3)
    entries = list(store.messages(store.special()[Special.INBOX]).ids())
    assert len(set(entries)) == 3
    assert store.delete(entries[1:2]) == 1
    assert len(store.messages(store.special()[Special.INBOX]).ids()) == 2


def test_large_message_is_listed_by_its_header_and_read_by_pieces(tmp_path: Path) -> None:
    store = maildir(tmp_path / "Maildir")
    item = letter("Large", body="x" * 300_000)
    entry = store.save(store.special()[Special.INBOX], item)
    rows = store.messages(store.special()[Special.INBOX])
    ((subject, size, body),) = rows.values([entry], [pr.SUBJECT, pr.MESSAGE_SIZE, pr.BODY])
    assert (subject, body.count("x")) == ("Large", 300_000)
    assert size > 300_000
    ((subject, flags),) = rows.values([entry], [pr.SUBJECT, pr.MESSAGE_FLAGS])
    assert (subject, flags) == ("Large", 0)


def test_what_others_do_is_told(tmp_path: Path) -> None:
    store = maildir(tmp_path / "Maildir")
    seen: list[Event] = []
    told = threading.Event()

    def listen(event: Event) -> None:
        seen.append(event)
        told.set()

    cancel = store.watch(listen)
    own = store.save(store.special()[Special.INBOX], letter("ours"))
    assert [(event.kind, event.entry) for event in seen] == [(Kind.CREATED, own)]
    seen.clear()
    mailbox.Maildir(tmp_path / "Maildir").add("Subject: theirs\n\nText\n")
    store.refresh()
    (event,) = seen  # ours is no news
    assert event.kind is Kind.CREATED
    assert store.load(event.entry).props[pr.SUBJECT] == "theirs"
    cancel()
    store.close()


def test_names_that_the_layout_cannot_write_are_refused(tmp_path: Path) -> None:
    store = maildir(tmp_path / "Maildir")
    for name in ("a.b", "a/b", "", "\0"):
        conformance.refused(
            conformance.Code.INVALID_PARAMETER, store.make_folder, store.top, {pr.DISPLAY_NAME: name}
        )
    assert not [name for name in os.listdir(tmp_path / "Maildir") if name.startswith(".a")]
