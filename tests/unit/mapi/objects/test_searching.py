"""Search folders stay current, whoever changes what they search (MS-OXCFOLD 3.2.5.4, 3.2.5.5)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quintet.mapi import objects, restrict
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import Box, Folder, pid, searching
from quintet.mapi.restrict import Relation, Where
from quintet.store import entries, folders
from quintet.store.blobs import Blobs
from quintet.store.content import content_of
from quintet.store.db import DrivenTx
from quintet.store.model import SEEN, FolderId

Deliver = Callable[..., int]
MENU = restrict.Content(Where.SUBSTRING, 1, pid.SUBJECT, (pid.SUBJECT, "menu"))
UNREAD = restrict.Property(Relation.EQUAL, pid.READ, (pid.READ, False))


@pytest.fixture
def finder(box: Box) -> Folder:
    made, _ = box.folder(box.special["finder"]).create_folder("Found", search=True)
    return made


def shown(folder: Folder) -> list[object]:
    table = folder.contents()
    table.set_columns([pid.SUBJECT])
    return [row[0] for row in table.query(99)]


def add(tx: DrivenTx, folder: int, subject: str) -> int:
    raw = f"From: a@x.org\r\nSubject: {subject}\r\n\r\n.\r\n".encode()
    (added,) = entries.add(tx, [folder], content_of(raw), received_at=tx.now)  # type: ignore[list-item]  # a number
    return added.entry_id


def settle(tx: DrivenTx, folder: Folder) -> None:
    """What a search left to be done: a static one is populated."""
    for errand in folder.box.take_errands():
        assert isinstance(errand, searching.Population)
        errand.keep(tx, errand.find(tx))


def test_search_folder_follows_what_happens(tx: DrivenTx, box: Box, finder: Folder) -> None:
    """MS-OXCFOLD_R552, R1095 to R1097."""
    inbox = box.special["inbox"]
    add(tx, inbox, "old menu")
    add(tx, inbox, "other")
    finder.search(MENU, [inbox])
    assert finder.value(pid.FOLDER_TYPE) == 2
    assert shown(finder) == ["old menu"]
    table = finder.contents()
    table.set_columns([pid.SUBJECT])
    number = add(tx, inbox, "new menu")  # by delivery
    assert len(table) == 2
    message = box.message(number)
    message.set([(pid.SUBJECT, "no longer")])
    message.save()
    assert shown(finder) == ["old menu"]
    entries.expunge(tx, inbox, [1])
    assert shown(finder) == []
    assert finder.value(pid.CONTENT_COUNT) == 0


def test_scope_and_read_state(tx: DrivenTx, box: Box, finder: Folder) -> None:
    """MS-OXCFOLD_R770, R772, R1200; counts of what is unread."""
    outer, _ = box.subtree.create_folder("Outer")
    inner, _ = outer.create_folder("Inner")
    add(tx, outer.id, "one")
    add(tx, inner.id, "two")
    finder.search(UNREAD, [outer.id])
    assert shown(finder) == ["one"]
    finder.search(None, [], searching.RECURSIVE | searching.RESTART)  # R105, R109, R1241
    assert shown(finder) == ["one", "two"]
    assert finder.get([pid.CONTENT_COUNT, pid.CONTENT_UNREAD]) == [2, 2]
    entries.set_flags(tx, inner.id, [1], "+", SEEN)
    assert shown(finder) == ["one"]
    deeper, _ = inner.create_folder("Deeper")
    add(tx, deeper.id, "three")
    assert shown(finder) == ["one", "three"]
    folders.remove(tx, deeper.id)
    assert shown(finder) == ["one"]


def test_static_search_stays_as_it_was(tx: DrivenTx, box: Box, finder: Folder) -> None:
    """MS-OXCFOLD_R549, R551, R1093, R1094."""
    inbox = box.special["inbox"]
    number = add(tx, inbox, "menu 1")
    finder.search(MENU, [inbox], searching.STATIC)
    settle(tx, finder)
    add(tx, inbox, "menu 2")
    assert shown(finder) == ["menu 1"]
    finder.search(None, [], searching.STATIC | searching.RESTART)
    settle(tx, finder)
    assert shown(finder) == ["menu 1", "menu 2"]
    box.inbox.delete_messages([number])
    assert shown(finder) == ["menu 2"]  # what is gone cannot be shown


def test_criteria_are_told(box: Box, finder: Folder) -> None:
    inbox = box.special["inbox"]
    finder.search(MENU, [inbox], searching.RECURSIVE)
    finder.set([(pid.COMMENT, "kept apart")])
    told = finder.search_criteria()
    assert (told.restriction, told.scope) == (MENU, (inbox,))
    assert told.state == searching.IS_COMPLETE | searching.IS_RECURSIVE | searching.IS_FOREGROUND
    finder.search(None, [], searching.STOP)
    assert finder.search_criteria() == told  # R1098, R1099


@pytest.mark.parametrize(
    ("what", "code"),
    [
        (lambda box, finder: box.inbox.search(MENU, [box.special["inbox"]]), Code.NOT_SEARCH_FOLDER),  # R570
        (lambda box, finder: box.inbox.search_criteria(), Code.NOT_SEARCH_FOLDER),  # R580
        (lambda box, finder: finder.search_criteria(), Code.NOT_INITIALIZED),
        (lambda box, finder: finder.search(MENU, []), Code.NOT_INITIALIZED),  # R1240
        (lambda box, finder: finder.search(None, [box.special["inbox"]]), Code.INVALID_PARAMETER),  # R106
        (lambda box, finder: finder.search(MENU, [finder.id]), Code.SEARCH_SCOPE),  # R1242
        (
            lambda box, finder: finder.search(MENU, [box.special["inbox"]], 0x3),
            Code.INVALID_PARAMETER,
        ),  # R765
        (
            lambda box, finder: finder.search(MENU, [box.special["inbox"]], 0x100),
            Code.INVALID_PARAMETER,
        ),  # R116
        (lambda box, finder: finder.search(MENU, [99_999_999]), Code.NOT_FOUND),
        (
            lambda box, finder: finder.search(
                restrict.Property(Relation.MATCHES, pid.SUBJECT, (pid.SUBJECT, "x")), [box.special["inbox"]]
            ),
            Code.TOO_COMPLEX,  # R572
        ),
        (lambda box, finder: finder.create_message(), Code.SEARCH_FOLDER),
        (
            lambda box, finder: box.inbox.move_copy_messages([1], finder, copy=True),
            Code.SEARCH_FOLDER,
        ),  # R1246
        (lambda box, finder: finder.create_folder("x"), Code.NOT_SUPPORTED),
    ],
)
def test_what_is_refused(box: Box, finder: Folder, what: Callable[[Box, Folder], object], code: Code) -> None:
    with pytest.raises(MapiError) as caught:
        what(box, finder)
    assert caught.value.code == code


def test_deleting_in_a_search_folder_deletes_where_it_lies(tx: DrivenTx, box: Box, finder: Folder) -> None:
    number = add(tx, box.special["inbox"], "menu")
    finder.search(MENU, [box.special["inbox"]])
    assert finder.message(number).value(pid.SUBJECT) == "menu"
    assert finder.delete_messages([number, 99_999_999]) is True
    assert shown(finder) == []
    assert folders.get(tx, box.special["inbox"]).messages == 0


def test_messages_of_a_search_folder_are_moved_and_marked_where_they_lie(
    tx: DrivenTx, box: Box, finder: Folder
) -> None:
    """MS-OXCFOLD R1216, R121701, R121702; R1249: it is not emptied."""
    inbox, trash = box.special["inbox"], box.folder(box.special["trash"])
    one, two = add(tx, inbox, "menu"), add(tx, inbox, "menu two")
    finder.search(MENU, [inbox])
    assert finder.set_read_flags([], True) is False
    assert box.message(one).is_read and box.message(two).is_read
    assert finder.set_read_flags([two, 99_999_999], False) is True
    assert box.message(one).is_read and not box.message(two).is_read
    pairs, failed = finder.move_copy_messages([one, 99_999_999], trash, copy=False)
    assert failed is True and list(pairs) == [one]
    assert shown(trash) == ["menu"] and shown(finder) == ["menu two"]
    with pytest.raises(MapiError) as caught:
        finder.empty()
    assert caught.value.code == Code.NOT_SUPPORTED
    assert shown(finder) == ["menu two"]


def test_search_folder_of_an_earlier_logon_is_deleted(tx: DrivenTx, box: Box, finder: Folder) -> None:
    """MS-OXCFOLD 3.2.5.3: it is none of those that every mailbox has."""
    later = objects.logon(tx, box.account.id, box.reader.id, files=box.files)
    with later.using(tx):
        later.folder(later.special["finder"]).delete_folder(finder.id)
        assert finder.id not in later.folder(later.special["finder"]).hierarchy().source.ids()


def test_many_search_folders_are_read_anew(
    tx: DrivenTx, box: Box, finder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "MAX_OPEN", 1)
    add(tx, box.special["inbox"], "menu")
    other, _ = box.folder(box.special["finder"]).create_folder("Other", search=True)
    for folder in (finder, other):
        folder.search(MENU, [box.special["inbox"]])
    for folder in (finder, other, finder):
        assert shown(folder) == ["menu"]
        assert len(box.searches) == 1


def test_search_folder_reaches_only_what_the_reader_may_read(
    tx: DrivenTx, box: Box, finder: Folder, files: Blobs
) -> None:
    from quintet.store import access, accounts

    bob = accounts.create(tx, "bob@example.org")
    add(tx, box.special["inbox"], "menu secret")
    finder.search(MENU, [box.special["inbox"]])
    access.grant(tx, finder.id, bob.name, "lr")
    shared = objects.logon(tx, box.account.id, bob.id, files=files)
    with shared.using(tx):
        assert shown(shared.folder(finder.id)) == []


@pytest.mark.parametrize("flags", [0, searching.STATIC])
def test_search_folder_shows_no_more_what_the_reader_may_not_read_any_more(
    tx: DrivenTx, box: Box, finder: Folder, files: Blobs, flags: int
) -> None:
    from quintet.store import access, accounts

    bob, inbox = accounts.create(tx, "bob@example.org"), FolderId(box.special["inbox"])
    add(tx, inbox, "menu secret")
    finder.search(MENU, [inbox], flags)
    settle(tx, finder)
    access.grant(tx, finder.id, bob.name, "lr")
    access.grant(tx, inbox, bob.name, "lr")
    shared = objects.logon(tx, box.account.id, bob.id, files=files)
    with shared.using(tx):
        assert shown(shared.folder(finder.id)) == ["menu secret"]
    for left in ("l", ""):
        access.grant(tx, inbox, bob.name, left)
        with shared.using(tx):
            assert shown(shared.folder(finder.id)) == []
            assert shared.folder(finder.id).value(pid.CONTENT_COUNT) == 0
    assert shown(finder) == ["menu secret"]


def test_copy_of_a_search_folder_looks_for_the_same(tx: DrivenTx, box: Box, finder: Folder) -> None:
    """MS-OXCFOLD_R198."""
    inbox = box.special["inbox"]
    finder.search(MENU, [inbox])
    add(tx, inbox, "menu of today")
    above = box.folder(box.special["finder"])
    copied, _ = above.copy_folder(finder.id, above, "Again", deep=False)
    add(tx, inbox, "menu of tomorrow")
    assert copied.is_search
    assert sorted(map(str, shown(copied))) == ["menu of today", "menu of tomorrow"]
    assert copied.search_criteria() == finder.search_criteria()


def test_reminders_look_for_what_a_client_asks(tx: DrivenTx, box: Box) -> None:
    reminders, inbox = box.folder(box.special["reminders"]), box.special["inbox"]
    add(tx, inbox, "menu")
    assert shown(reminders) == []
    assert (reminders.value(pid.FOLDER_TYPE), reminders.is_special) == (2, True)
    assert searching.criteria(reminders).scope == (box.special["subtree"],)
    twin, _ = reminders.parent.copy_folder(reminders.id, box.folder(box.special["finder"]), "Mine", deep=True)
    assert searching.criteria(twin) == searching.criteria(reminders)
    reminders.search(MENU, [inbox])
    assert shown(reminders) == ["menu"]
    with pytest.raises(MapiError):
        reminders.create_message()
