"""Rights of folders: bits and letters mean the same, whoever sets them (MS-OXCPERM, RFC 4314)."""

from __future__ import annotations

import functools

import pytest

from quintet.mapi import objects
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.nspi import names
from quintet.mapi.objects import Box, Folder, members, permissions, pid
from quintet.mapi.objects.members import Grant
from quintet.mapi.objects.message import Message
from quintet.store import access, accounts, teams
from quintet.store.blobs import Blobs
from quintet.store.db import DrivenTx
from quintet.store.model import Account

READER = permissions.READ_ANY | permissions.VISIBLE
AUTHOR = READER | permissions.CREATE | permissions.EDIT_OWNED | permissions.DELETE_OWNED
EDITOR = AUTHOR | permissions.EDIT_ANY | permissions.DELETE_ANY


@pytest.mark.parametrize(
    ("letters", "bits"),
    [
        ("", 0),
        ("l", permissions.VISIBLE),
        ("lr", permissions.VISIBLE),  # reading means keeping one's marks as well
        ("lrs", READER),
        ("lrswite", EDITOR),
        (access.ALL, EDITOR | permissions.CREATE_SUBFOLDER | permissions.OWNER),
    ],
)
def test_letters_as_bits(letters: str, bits: int) -> None:
    assert permissions.of_letters(letters) == bits


@pytest.mark.parametrize("bits", [0, READER, EDITOR, permissions.OWNER | permissions.VISIBLE, 0x1FFB])
def test_bits_come_back(bits: int) -> None:
    letters = permissions.to_letters(bits)
    assert permissions.of_letters(letters, bits) == bits
    assert access.spelled(letters) or not bits


def test_letters_that_no_bit_tells_stay() -> None:
    assert set(permissions.to_letters(READER, "lrpn")) == set("lrspn")


@pytest.fixture
def bob(tx: DrivenTx, box: Box) -> Account:
    return accounts.create(tx, "bob@example.org", display_name="Bob")


def entry_of(account: Account) -> bytes:
    return names.permanent(0, names.of_object(account.id, account.name))


def rows(folder: Folder) -> dict[object, tuple[object, object]]:
    table = folder.permissions()
    table.set_columns([members.MEMBER_ID, members.MEMBER_NAME, members.MEMBER_RIGHTS])
    return {number: (name, rights) for number, name, rights in table.query(99)}


def test_rows_are_those_that_all_protocols_know(tx: DrivenTx, box: Box, bob: Account) -> None:
    """MS-OXCPERM_R189, R190, R1079, R1080, R51, R52, R186, R47, R1187, R1188."""
    inbox = box.inbox
    assert rows(inbox) == {0: ("", 0), -1: ("Anonymous", 0)}
    inbox.modify_permissions([Grant(AUTHOR, entry_id=entry_of(bob))])
    assert access.listing(tx, inbox.id) == {bob.name: "lrsi"}
    assert rows(inbox)[bob.id] == ("Bob", AUTHOR)
    access.grant(tx, inbox.id, bob.name, "lrswite")  # by SETACL
    assert rows(inbox)[bob.id] == ("Bob", EDITOR)
    inbox.modify_permissions([Grant(READER, member=bob.id), Grant(permissions.VISIBLE, member=0)])
    assert access.listing(tx, inbox.id) == {"authenticated": "l", bob.name: "lrs"}
    inbox.modify_permissions([Grant(None, member=bob.id)])
    assert rows(inbox) == {0: ("", permissions.VISIBLE), -1: ("Anonymous", 0)}


def test_a_team_that_is_not_there_is_nobody(tx: DrivenTx, box: Box) -> None:
    with pytest.raises(MapiError) as caught:
        box.inbox.modify_permissions([Grant(READER, entry_id=names.permanent(1, names.of_team("nobody")))])
    assert caught.value.code == Code.NOT_FOUND
    assert access.listing(tx, box.inbox.id) == {}


def test_replacing_leaves_the_default_user(tx: DrivenTx, box: Box, bob: Account) -> None:
    """MS-OXCPERM_R1197."""
    teams.create(tx, "staff")
    access.grant(tx, box.inbox.id, "$staff", "lrs")
    access.grant(tx, box.inbox.id, "authenticated", "l")
    access.grant(tx, box.inbox.id, "-eve", "l")
    box.inbox.modify_permissions([Grant(READER, entry_id=entry_of(bob))], replace=True)
    assert access.listing(tx, box.inbox.id) == {"-eve": "l", "authenticated": "l", bob.name: "lrs"}


def test_anyone_is_split_when_one_of_them_changes(tx: DrivenTx, box: Box) -> None:
    access.grant(tx, box.inbox.id, "anyone", "lr")
    box.inbox.modify_permissions([Grant(READER, member=0)])
    assert access.listing(tx, box.inbox.id) == {"anonymous": "lr", "authenticated": "lrs"}


def test_team_is_a_member(tx: DrivenTx, box: Box, bob: Account) -> None:
    teams.create(tx, "staff")
    team = names.permanent(1, names.of_team("staff"))
    box.inbox.modify_permissions([Grant(READER, entry_id=team)])
    assert access.listing(tx, box.inbox.id) == {"$staff": "lrs"}
    assert ("staff", READER) in rows(box.inbox).values()


def test_who_may_not_and_what_cannot_be(tx: DrivenTx, box: Box, bob: Account, files: Blobs) -> None:
    """MS-OXCPERM_R116."""
    box.inbox.modify_permissions([Grant(EDITOR, entry_id=entry_of(bob))])
    his = objects.logon(tx, box.account.id, bob.id, files=files)
    with his.using(tx):
        assert rows(his.inbox)[bob.id] == ("Bob", EDITOR)  # R103: who sees it may see the list
        assert his.inbox.value(pid.RIGHTS) == EDITOR
        with pytest.raises(MapiError) as caught:
            his.inbox.modify_permissions([])
        assert caught.value.code == Code.ACCESS_DENIED
    for grant, code in (
        (Grant(READER, member=12345), Code.NOT_FOUND),
        (Grant(READER, entry_id=b"junk"), Code.NOT_FOUND),
        (Grant(0x8000, member=0), Code.INVALID_PARAMETER),
    ):
        with pytest.raises(MapiError) as caught:
            box.inbox.modify_permissions([grant])
        assert caught.value.code == code


def _shared(box: Box, bob: Account, rights: int) -> tuple[Folder, Message]:
    """The calendar, in which bob has rights now, and a message of ann's in it."""
    calendar = box.folder(box.special["calendar"])
    mine = calendar.create_message()
    mine.set([(pid.SUBJECT, "ann's")])
    mine.save()
    calendar.modify_permissions([Grant(rights, entry_id=entry_of(bob))])
    return calendar, mine


def test_author_edits_and_deletes_what_is_his(tx: DrivenTx, box: Box, bob: Account, files: Blobs) -> None:
    """MS-OXCPERM_R131, R132, R127, R128, R125."""
    calendar, mine = _shared(box, bob, AUTHOR)
    his = objects.logon(tx, box.account.id, bob.id, files=files)
    with his.using(tx):
        place = his.folder(calendar.id)
        own = place.create_message()
        own.set([(pid.SUBJECT, "bob's")])
        number = own.save()
        again = his.message(number)
        again.set([(pid.SUBJECT, "bob's own")])
        again.save()
        # MS-OXCPRPT R16 to R18: modify, read, delete
        assert [his.message(one).value(pid.ACCESS) for one in (mine.number, number)] == [2, 7]
        assert own.value(pid.ACCESS) == place.create_message().value(pid.ACCESS) == 7  # MS-OXCMSG R1914
        with pytest.raises(MapiError) as caught:
            his.message(mine.number).save()
        assert caught.value.code == Code.ACCESS_DENIED
        assert place.delete_messages([mine.number, number]) is True
        assert place.value(pid.CONTENT_COUNT) == 1
        table = place.contents()
        table.set_columns([pid.ACCESS])
        assert table.query(9) == [[2]]
    assert mine.value(pid.ACCESS) == 7


def test_rights_that_are_gone_end_what_was_open(tx: DrivenTx, box: Box, bob: Account, files: Blobs) -> None:
    """RFC 4314 4: an open table, message or draft of one is worth no more than the rights of the moment."""
    calendar, mine = _shared(box, bob, EDITOR)
    his = objects.logon(tx, box.account.id, bob.id, files=files)
    with his.using(tx):
        place = his.folder(calendar.id)
        tables = [place.contents(), place.contents(deleted=True)]
        for table in tables:
            table.set_columns([pid.SUBJECT])
            table.query(9)
        theirs, fresh = his.message(mine.number), place.create_message()
        for one in (theirs, fresh):
            one.set([(pid.SUBJECT, "bob's")])
    calendar.modify_permissions([Grant(permissions.VISIBLE, entry_id=entry_of(bob))])
    with his.using(tx):
        for work in (*[functools.partial(one.query, 9) for one in tables], theirs.save, fresh.save):
            with pytest.raises(MapiError) as caught:
                work()
            assert caught.value.code == Code.ACCESS_DENIED
    again = box.message(mine.number)
    assert again.value(pid.SUBJECT) == "ann's"
