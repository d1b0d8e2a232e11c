"""The address book of the own store in process: the directory, shared contacts, and one's own contacts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quintet.mapi import api, consts, ids, pr
from quintet.mapi.bag import Item
from quintet.mapi.convert import cardkeys
from quintet.mapi.core import props
from quintet.mapi.core.session import IMAPISession
from quintet.mapi.core.structs import SPropValue
from quintet.mapi.errors import Code
from quintet.mapi.providers import registry
from quintet.mapi.providers.base import AddressBook, MessageStore, Opened, Special, Thing, Which
from tests.unit.mapi.core.tableclient import Client
from tests.unit.mapi.providers.conformance import refused
from tests.unit.mapi.providers.test_local import ANN, BOB, ann, bob, empty, made, store_of
from tests.unit.mapi.providers.test_local_rules import logon, opened, subjects

__all__ = ["ann", "bob", "empty", "made"]


def book_of(one: Opened) -> AddressBook:
    assert one.book is not None
    return one.book


def personal(book: AddressBook) -> bytes:
    (found,) = [one for one in book.containers(book.root).ids() if book.load(one)[pr.CONTAINER_FLAGS] & 0x4]
    return found


def names(book: AddressBook, container: bytes) -> list[str]:
    rows = book.entries(container)
    return sorted([str(name) for (name,) in rows.values(rows.ids(), [pr.DISPLAY_NAME])])


def test_contacts_are_items_that_everybody_finds(ann: Opened) -> None:
    """MS-OXOCNTC 2.2.1: the first address is the entry's."""
    book, store = book_of(ann), store_of(ann)
    own, contacts = personal(book), store.special()[Special.CONTACTS]
    entry = book.save(
        own, {pr.DISPLAY_NAME: "Zoë Zimt", pr.EMAIL_ADDRESS: "zoe@example.org", pr.TITLE: "Cook"}
    )
    (message,) = store.messages(contacts).ids()
    found = store.load(message).props
    assert (found[pr.MESSAGE_CLASS], found[pr.TITLE], found[cardkeys.EMAILS[0].address]) == (
        "IPM.Contact", "Cook", "zoe@example.org",
    )  # fmt: skip
    store.save(contacts, Item({pr.MESSAGE_CLASS: "IPM.Contact", pr.DISPLAY_NAME: "Nobody"}))
    store.save(contacts, Item({pr.MESSAGE_CLASS: "IPM.Note", pr.SUBJECT: "no contact"}))
    assert names(book, own) == ["Nobody", "Zoë Zimt"]
    assert pr.EMAIL_ADDRESS not in book.load(book.resolve("Nobody")[0])
    bag = book.load(entry)
    assert (bag[pr.ADDRTYPE], bag[pr.SMTP_ADDRESS], bag[pr.TITLE]) == ("SMTP", "zoe@example.org", "Cook")
    del bag[pr.TITLE]
    bag[pr.EMAIL_ADDRESS] = bag[pr.SMTP_ADDRESS] = "zz@example.org"
    assert book.save(own, bag, entry) == entry
    assert book.load(entry)[pr.SMTP_ADDRESS] == "zz@example.org"
    assert pr.TITLE not in book.load(entry)
    store.move([message], store.special()[Special.DELETED])
    refused(Code.NOT_FOUND, book.load, entry)
    assert names(book, own) == ["Nobody"]
    assert book.delete([entry, *book.resolve("Nobody")]) == 1


def test_lists_hold_people_of_every_part(ann: Opened) -> None:
    """MS-OXOCNTC 2.2.2.2: members as wrapped ids, and as one-off ids for who finds them nowhere."""
    book, store = book_of(ann), store_of(ann)
    own = personal(book)
    zoe = book.save(own, {pr.DISPLAY_NAME: "Zoë", pr.EMAIL_ADDRESS: "zoe@example.org"})
    inner = book.save(own, {pr.DISPLAY_NAME: "Inner", pr.OBJECT_TYPE: int(Thing.DIST_LIST)})
    group = book.save(own, {pr.DISPLAY_NAME: "All", pr.OBJECT_TYPE: int(Thing.DIST_LIST)})
    (bob,) = book.resolve(BOB)
    alone = ids.write(ids.OneOffEntry(ids.UNICODE, "Far", "SMTP", "far@example.net"))
    book.set_members(group, [zoe, bob, alone, inner, zoe])
    assert book.members(group) == [zoe, bob, alone, inner]
    assert book.load(group)[pr.DISPLAY_TYPE] == consts.DT_DISTLIST
    bag = book.load(group) | {pr.DISPLAY_NAME: "Everybody"}
    assert book.save(own, bag, group) == group
    assert book.members(group) == [zoe, bob, alone, inner]
    book.delete([zoe])
    first, *rest = book.members(group)
    assert rest == [bob, alone, inner]
    gone = ids.read(first)
    assert isinstance(gone, ids.OneOffEntry)
    assert (gone.name, gone.address) == ("Zoë", "zoe@example.org")
    refused(Code.ACCESS_DENIED, book.set_members, bob, [])
    refused(Code.NOT_FOUND, book.set_members, group, [bytes(4) + book.uid + b"?" * 9])
    assert book.members(inner) == []
    (item,) = [
        one.props
        for one in map(store.load, store.messages(store.special()[Special.CONTACTS]).ids())
        if one.props[pr.DISPLAY_NAME] == "Everybody"
    ]
    kinds = [bytes(one)[20] for one in item[cardkeys.MEMBERS] if bytes(one)[4:20] == ids.WRAPPED.bytes_le]
    assert kinds == [0xC3, 0xB5, 0xB4]


def test_the_directory_is_not_ours_to_write(ann: Opened) -> None:
    book = book_of(ann)
    (bob,) = book.resolve(BOB)
    refused(Code.ACCESS_DENIED, book.save, book.first(), {pr.DISPLAY_NAME: "X"})
    refused(Code.ACCESS_DENIED, book.save, personal(book), {pr.DISPLAY_NAME: "X"}, bob)
    assert book.delete([bob]) == 0


def test_contacts_that_others_share(ann: Opened, bob: Opened) -> None:
    one, two = store_of(ann), store_of(bob)
    book = book_of(ann)
    lists = next(
        entry for entry in book.containers(book.root).ids() if "Lists" in book.load(entry)[pr.DISPLAY_NAME]
    )
    before = book.containers(lists).ids()
    contacts = two.special()[Special.CONTACTS]
    book_of(bob).save(
        personal(book_of(bob)), {pr.DISPLAY_NAME: "Carl Clay", pr.EMAIL_ADDRESS: "carl@example.org"}
    )
    rows = two.table(contacts, Which.RIGHTS)
    rows.append({pr.MEMBER_ENTRYID: ann.identity[pr.ENTRYID], pr.MEMBER_RIGHTS: 0x401})
    two.set_table(contacts, Which.RIGHTS, rows)
    (shared,) = set(book.containers(lists).ids()) - set(before)
    assert book.load(shared)[pr.DISPLAY_NAME] == "Contacts (Bob Birke)"
    assert names(book, shared) == ["Carl Clay"]
    (carl,) = book.resolve("carl", shared)
    assert book.load(carl)[pr.SMTP_ADDRESS] == "carl@example.org"
    assert book.resolve("carl") == []
    own = personal(book)
    group = book.save(own, {pr.DISPLAY_NAME: "Some", pr.OBJECT_TYPE: int(Thing.DIST_LIST)})
    book.set_members(group, [carl])
    assert book.members(group) == [carl]
    assert one.messages(one.special()[Special.CONTACTS]).ids()


def test_another_mailbox_leaves_the_own_contacts(ann: Opened, bob: Opened, empty: Path) -> None:
    one = store_of(ann)
    rows = one.table(one.special()[Special.INBOX], Which.RIGHTS)
    rows.append({pr.MEMBER_ENTRYID: bob.identity[pr.ENTRYID], pr.MEMBER_RIGHTS: 0x401})
    one.set_table(one.special()[Special.INBOX], Which.RIGHTS, rows)
    both = registry.opened("QUINTET", {"data": str(empty), "account": BOB, "mailbox": ANN})
    book = book_of(both)
    book.save(personal(book), {pr.DISPLAY_NAME: "Mine"})
    both.close()
    theirs: MessageStore = store_of(bob)
    (message,) = theirs.messages(theirs.special()[Special.CONTACTS]).ids()
    assert theirs.load(message).props[pr.DISPLAY_NAME] == "Mine"


# --- through the programming interface --------------------------------------------------------------------


@pytest.fixture
def mapi(empty: Path) -> Iterator[IMAPISession]:
    found = logon(empty, ANN)
    yield found
    found.Logoff()


def test_the_pab_of_a_session(mapi: IMAPISession, empty: Path) -> None:
    book = mapi.OpenAddressBook()
    pab = book.OpenEntry(book.GetPAB(), None, consts.MAPI_MODIFY)
    assert props.one(pab, pr.DISPLAY_NAME).Value == "Contacts"
    table = pab.GetContentsTable(consts.MAPI_UNICODE)
    table.SetColumns([pr.DISPLAY_NAME, pr.INSTANCE_KEY])
    client = Client(table)
    zoe = pab.CreateEntry(props.one(pab, pr.DEF_CREATE_MAILUSER).Value)
    zoe.SetProps([SPropValue(pr.DISPLAY_NAME, "Zoë Zimt"), SPropValue(pr.EMAIL_ADDRESS, "bob@example.com")])
    zoe.SaveChanges(consts.KEEP_OPEN_READWRITE)
    assert client.wait("+Zoë Zimt") == ["+Zoë Zimt"]
    group = pab.CreateEntry(props.one(pab, pr.DEF_CREATE_DL).Value)
    group.SetProps([SPropValue(pr.DISPLAY_NAME, "Cooks")])
    group.SaveChanges(consts.KEEP_OPEN_READWRITE)
    client.wait("+Cooks")
    again = book.OpenEntry(group.entry, None, consts.MAPI_MODIFY)
    again.CopyEntries([zoe.entry])
    members = again.GetContentsTable(consts.MAPI_UNICODE)
    members.SetColumns([pr.DISPLAY_NAME])
    assert [row[0].Value for row in members.QueryRows(9)] == ["Zoë Zimt"]
    zoe.SetProps([SPropValue(pr.DISPLAY_NAME, "Zoë Z")])
    zoe.SaveChanges(consts.KEEP_OPEN_READWRITE)
    client.wait("*Zoë Z")

    # a letter to a list of one's own is one to the people on it
    store, _ = opened(mapi)
    outbox = store.OpenEntry(props.one(store, pr.IPM_OUTBOX_ENTRYID).Value, None, consts.MAPI_MODIFY)
    message = outbox.CreateMessage()
    message.SetProps([SPropValue(pr.SUBJECT, "Soup"), SPropValue(pr.BODY, "text")])
    asked = [[SPropValue(pr.DISPLAY_NAME, "Cooks"), SPropValue(pr.RECIPIENT_TYPE, consts.MAPI_TO)]]
    message.ModifyRecipients(consts.MODRECIP_ADD, book.ResolveName(0, 0, None, asked))
    message.SubmitMessage()
    other = logon(empty, BOB)
    assert subjects(opened(other)[1]) == ["Soup"]
    other.Logoff()

    pab.DeleteEntries([zoe.entry, group.entry])
    client.wait("-Zoë Z", "-Cooks")
    assert table.GetRowCount() == 0


def test_own_contacts_and_groups_mean_people(ann: Opened, empty: Path) -> None:
    book = book_of(ann)
    pab = personal(book)
    dora = book.save(pab, {pr.DISPLAY_NAME: "Dora", pr.EMAIL_ADDRESS: "dora@example.com"})
    cooks = book.save(pab, {pr.DISPLAY_NAME: "Cooks", pr.OBJECT_TYPE: int(Thing.DIST_LIST)})
    book.set_members(cooks, [dora])
    with api.connect("QUINTET", data=str(empty), account=ANN) as session:
        own = session.store.folder_of(session.store.special(Special.CONTACTS))
        own.create(api.Group, name="Bakers", members=["bob@example.com", "Dora"]).save()
        assert session.people("Cooks") == [api.Person("dora@example.com")] == session.find("Dora")
        assert session.people("Bakers") == [api.Person("bob@example.com"), api.Person("dora@example.com")]
