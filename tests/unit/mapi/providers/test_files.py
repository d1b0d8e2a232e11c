"""Stores of files pass what every provider has to; and what is special about files."""

from __future__ import annotations

import errno
import mailbox
import os
import threading
from contextlib import closing
from pathlib import Path

import pytest

from quintet.mapi import pr, types
from quintet.mapi.bag import Attachment
from quintet.mapi.providers import files, registry, trees
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


# --- other programs, at the same time; and what they leave behind -----------------------------------------


def opened(name: str, path: Path) -> MessageStore:
    store = registry.opened(name, {"path": str(path), "create": "yes"}).store
    assert store is not None
    return store


KINDS = pytest.mark.parametrize("name", ["MAILDIR", "MBOX", "MH"])


@KINDS
def test_an_id_never_means_another_message(name: str, tmp_path: Path) -> None:
    """MH gives a free number again."""
    store = opened(name, tmp_path)
    inbox = store.special()[Special.INBOX]
    one = store.save(inbox, letter("One"))
    assert subjects(store, inbox) == ["One"]
    assert store.delete([one]) == 1
    two = store.save(inbox, letter("Two"))
    assert subjects(store, inbox) == ["Two"]
    assert one != two
    conformance.refused(conformance.Code.NOT_FOUND, store.load, one)
    assert store.delete([one]) == 0
    store.mark_read([one], True)
    assert store.folder(inbox)[pr.CONTENT_UNREAD] == 1


@KINDS
def test_many_writers_lose_nothing(name: str, tmp_path: Path) -> None:
    """Each deletes, marks and moves letters of its own among those of the others."""
    opened(name, tmp_path).make_folder(opened(name, tmp_path).top, {pr.DISPLAY_NAME: "Done"})
    failed: list[BaseException] = []

    def write(who: int) -> None:
        try:
            store = opened(name, tmp_path)
            inbox = store.special()[Special.INBOX]
            (done,) = [one for one in store.folders(store.top).ids() if one != inbox]
            made = [store.save(inbox, letter(f"{who}-{number}")) for number in range(4)]
            assert store.delete(made[:1]) == 1
            store.mark_read(made[1:2], True)
            assert store.load(made[1]).props[pr.MESSAGE_FLAGS] & 1
            assert all(store.move(made[2:3], done))
            assert store.load(made[3]).props[pr.SUBJECT] == f"{who}-3"
            store.close()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(who,)) for who in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not failed, failed
    store = opened(name, tmp_path)
    inbox = store.special()[Special.INBOX]
    (done,) = [one for one in store.folders(store.top).ids() if one != inbox]
    assert sorted(subjects(store, inbox)) == sorted([f"{who}-{n}" for who in range(4) for n in (1, 3)])
    assert sorted(subjects(store, done)) == [f"{who}-2" for who in range(4)]
    assert store.folder(inbox)[pr.CONTENT_UNREAD] == 4


def test_what_another_program_puts_into_an_mbox_is_not_what_we_delete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "WAITS_S", (0.0, 0.0))
    store = opened("MBOX", tmp_path)
    inbox = store.special()[Special.INBOX]
    store.save(inbox, letter("One"))
    two = store.save(inbox, letter("Two"))
    assert subjects(store, inbox) == ["One", "Two"]
    box = mailbox.mbox(tmp_path / "inbox")
    box.lock()
    failed = conformance.refused(conformance.Code.SERVER_BUSY, store.delete, [two])
    assert "lock" in failed
    box.remove(0)
    box.add("Subject: Three\n\nText\n")
    box.flush()
    box.unlock()
    box.close()
    assert store.delete([two]) == 1
    assert subjects(store, inbox) == ["Three"]


def test_a_large_letter_of_an_mbox_stays_what_it_was_while_marks_change(tmp_path: Path) -> None:
    """Its attachment is read when somebody asks."""
    store = opened("MBOX", tmp_path)
    inbox = store.special()[Special.INBOX]
    item = letter("Large")
    item.attachments.append(Attachment({pr.ATTACH_LONG_FILENAME: "a.bin"}, bytes(range(256)) * 8192))
    one, two = store.save(inbox, letter("First")), store.save(inbox, item)
    (found,) = store.load(two).attachments
    store.mark_read([one, two], True)
    store.delete([one])
    data = found.data if isinstance(found.data, bytes) else found.data.read(0, 1 << 30)
    assert data == bytes(range(256)) * 8192


@pytest.mark.parametrize(
    "text,wanted",
    [
        (b"", []),
        (b"no mailbox at all\n", []),
        (b"From a@b Sat Nov 29 10:00:00 2025\nSubject: One\n\nno end", ["One"]),
        (b"From a\n\nFrom b\n\nFrom c\nSubject: Three", ["", "", "Three"]),
        (b"From a\r\nSubject: One\r\n\r\nText\r\n\r\nFrom b\r\nSubject: Two\r\n\r\n", ["One", "Two"]),
        (b"From a\nSubject: One\n\nquoted by nobody\nFrom here on\n\n", ["One"]),
        (b"\0\xff\n\nFrom a\nSubject: \xff\n\n\xff\n", ["\xff"]),
    ],
)
def test_a_broken_mbox_keeps_what_is_in_it(text: bytes, wanted: list[str], tmp_path: Path) -> None:
    """And takes new letters behind it; marks change nothing else."""
    store = opened("MBOX", tmp_path)
    inbox = store.special()[Special.INBOX]
    (tmp_path / "inbox").write_bytes(text)
    before = list(store.messages(inbox).ids())
    assert len(before) == len(wanted)
    new = store.save(inbox, letter("New"))
    assert list(store.messages(inbox).ids()) == [*before, new]
    assert sorted(subjects(store, inbox)) == sorted([*wanted, "New"])
    store.refresh()
    assert list(opened("MBOX", tmp_path).messages(inbox).ids()) == [*before, new]
    store.mark_read([*before, new], True)
    assert store.folder(inbox)[pr.CONTENT_UNREAD] == 0
    store.mark_read(before[:1], False)
    assert list(store.messages(inbox).ids()) == [*before, new]
    after = (tmp_path / "inbox").read_bytes()
    lines = [line for line in text.split(b"\n") if line.strip()]
    assert [line for line in lines if line in after.split(b"\n")] == lines
    assert store.delete(before) == len(before)
    assert subjects(store, inbox) == ["New"]


def test_flags_that_mean_nothing_to_us_stay_in_an_mbox(tmp_path: Path) -> None:
    """Mutt and Pine mark what is deleted so."""
    store = opened("MBOX", tmp_path)
    inbox = store.special()[Special.INBOX]
    (tmp_path / "inbox").write_bytes(b"From a\nStatus: O\nX-Status: DF\nSubject: One\n\nText\n\n")
    os.chmod(tmp_path / "inbox", 0o640)
    store.mark_read(list(store.messages(inbox).ids()), True)
    assert (tmp_path / "inbox").read_bytes() == (
        b"From a\nSubject: One\nStatus: RO\nX-Status: DF\n\nText\n\n"
    )
    assert (tmp_path / "inbox").stat().st_mode & 0o777 == 0o640


def test_broken_marks_of_mh_cost_nothing(tmp_path: Path) -> None:
    """Lines that are none stay; ranges without end are not written out."""
    store = opened("MH", tmp_path)
    inbox = store.special()[Special.INBOX]
    one, two = store.save(inbox, letter("One")), store.save(inbox, letter("Two"))
    marks = tmp_path / "inbox" / ".mh_sequences"
    marks.write_bytes(b"no line\nunseen: 1-999999999999 x\nflagged: 2-99999999999999\ncur: 1\n\xff: 3\n")
    assert store.load(two).props[pr.FLAG_STATUS] == 2
    store.mark_read([one], False)
    assert store.folder(inbox)[pr.CONTENT_UNREAD] == 1
    assert b"no line\nunseen: 1-999999999999 x\n" in marks.read_bytes()
    assert {b"unseen: 1", b"cur: 1", b"\xff: 3"} <= set(marks.read_bytes().splitlines())
    marks.unlink()  # as nmh leaves a folder that nobody marked anything in
    assert store.folder(inbox)[pr.CONTENT_UNREAD] == 0
    store.mark_read([two], False)
    assert store.folder(inbox)[pr.CONTENT_UNREAD] == 1
    (tmp_path / "inbox" / "7").mkdir()
    (tmp_path / "inbox" / "08x").touch()
    assert subjects(store, inbox) == ["One", "Two"]


def test_a_maildir_of_other_programs_has_odd_names(tmp_path: Path) -> None:
    root = tmp_path / "Maildir"
    store = maildir(root)
    other = mailbox.Maildir(root)
    for name in ("Gr\xf6\xdfe", "&AG", "&AGE-b", "&!!!-"):
        other.add_folder(name).add(f"Subject: One\n\nIn {name}\n".encode())
    (root / os.fsdecode(b".b\xff") / "cur").mkdir(parents=True)
    (root / os.fsdecode(b".b\xff") / "new").mkdir()
    (root / os.fsdecode(b".b\xff") / "new" / os.fsdecode(b"1.\xff")).write_bytes(b"Subject: One\n\nText\n")
    (root / "cur" / "9.directory").mkdir()
    folders = [one for one in store.folders(store.top).ids() if one != store.special()[Special.INBOX]]
    assert len(folders) == 5
    for folder in folders:
        assert subjects(store, folder) == ["One"]
        (one,) = store.messages(folder).ids()
        store.mark_read([one], True)
        assert store.load(one).props[pr.MESSAGE_FLAGS] & 1
        assert str(store.folder(folder)[pr.DISPLAY_NAME]).encode()  # it is text
    assert subjects(store, store.special()[Special.INBOX]) == []


def test_a_maildir_message_that_another_program_marks_is_found_again(tmp_path: Path) -> None:
    store = maildir(tmp_path / "Maildir")
    inbox = store.special()[Special.INBOX]
    item = letter("Large")
    item.attachments.append(Attachment({pr.ATTACH_LONG_FILENAME: "a.bin"}, b"12345678" * 100_000))
    one = store.save(inbox, item)
    (found,) = store.load(one).attachments
    (file,) = (tmp_path / "Maildir" / "new").iterdir()
    file.rename(tmp_path / "Maildir" / "cur" / f"{file.name}:2,S")
    data = found.data if isinstance(found.data, bytes) else found.data.read(0, 1 << 30)
    assert len(data) == 800_000
    ((file),) = (tmp_path / "Maildir" / "cur").iterdir()
    file.rename(file.with_name(file.name + "T"))
    assert store.delete([one]) == 1
    assert not [*(tmp_path / "Maildir" / "cur").iterdir(), *(tmp_path / "Maildir" / "new").iterdir()]


def test_what_a_disk_says_is_what_mapi_says() -> None:
    for number, code in (
        (errno.ENOENT, conformance.Code.NOT_FOUND),
        (errno.ENOSPC, conformance.Code.OUT_OF_DISK),
        (errno.EIO, conformance.Code.DISK_ERROR),
    ):

        def fail(number: int = number) -> None:
            with files.Guard():
                raise OSError(number, os.strerror(number))

        conformance.refused(code, fail)
