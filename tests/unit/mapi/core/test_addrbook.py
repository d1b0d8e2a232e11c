"""IAddrBook: containers, people, lists, one-off entries, names that are resolved."""

from __future__ import annotations

import pytest

from quintet.mapi import consts, pr
from quintet.mapi.core import dialog, errors, props
from quintet.mapi.core.addrbook import IABContainer, IAddrBook
from quintet.mapi.core.notify import IMAPIAdviseSink
from quintet.mapi.core.session import IMAPISession
from quintet.mapi.core.structs import SPropertyRestriction, SPropValue
from quintet.mapi.core.table import IMAPITable
from quintet.mapi.providers import membook, memory
from tests.unit.mapi.core.conftest import ANN, BOB


@pytest.fixture
def book(mapi: IMAPISession) -> IAddrBook:
    return mapi.OpenAddressBook()


@pytest.fixture
def personal(book: IAddrBook) -> IABContainer:
    found: IABContainer = book.OpenEntry(book.GetPAB(), None, consts.MAPI_MODIFY)
    return found


def column(table: IMAPITable, tag: int) -> list[object]:
    table.SetColumns([tag])
    return [row[0].Value for row in table.QueryRows(1000)]


def asked(name: str) -> list[list[SPropValue]]:
    return [[SPropValue(pr.DISPLAY_NAME, name), SPropValue(pr.RECIPIENT_TYPE, consts.MAPI_CC)]]


def test_root_has_the_containers_of_all_books(book: IAddrBook) -> None:
    root = book.OpenEntry(None)
    table = root.GetHierarchyTable(consts.MAPI_UNICODE | consts.CONVENIENT_DEPTH)
    assert column(table, pr.DISPLAY_NAME) == ["Global Address List", "Personal"]
    table.SetColumns([pr.ENTRYID])
    table.FindRow(
        SPropertyRestriction(consts.RELOP_EQ, pr.DISPLAY_TYPE, SPropValue(pr.DISPLAY_TYPE, consts.DT_GLOBAL)),
        consts.BOOKMARK_BEGINNING,
    )
    everybody = book.OpenEntry(table.QueryRows(1)[0][0].Value)
    assert column(everybody.GetContentsTable(consts.MAPI_UNICODE), pr.DISPLAY_NAME) == [
        "Ann Ahorn",
        "Bob Birke",
    ]
    assert root.GetContentsTable().GetRowCount() == 0
    with pytest.raises(errors.MAPIErrorNoAccess):
        root.CreateEntry()
    with pytest.raises(errors.MAPIErrorNoAccess):
        everybody.CreateEntry().SaveChanges()


def test_name_is_resolved_and_keeps_what_the_row_had(book: IAddrBook) -> None:
    (row,) = book.ResolveName(0, 0, None, asked("Bob Bi"))
    found = {one.ulPropTag: one.Value for one in row}
    assert (found[pr.EMAIL_ADDRESS], found[pr.DISPLAY_NAME]) == (BOB, "Bob Birke")
    assert found[pr.RECIPIENT_TYPE] == consts.MAPI_CC
    user = book.OpenEntry(found[pr.ENTRYID])
    assert props.one(user, pr.OBJECT_TYPE).Value == consts.MAPI_MAILUSER
    with pytest.raises(errors.MAPIErrorNoAccess):
        user.SetProps([SPropValue(pr.DISPLAY_NAME, "x")])
    assert book.ResolveName(0, 0, None, [row]) == [row]  # it is resolved already


def test_address_that_nobody_has_becomes_a_one_off(book: IAddrBook) -> None:
    for text in ("zoe@elsewhere.example", "SMTP:zoe@elsewhere.example"):
        (row,) = book.ResolveName(0, 0, None, asked(text))
        entry = next(one.Value for one in row if one.ulPropTag == pr.ENTRYID)
        user = book.OpenEntry(entry)
        assert props.one(user, pr.EMAIL_ADDRESS).Value == "zoe@elsewhere.example"
        with pytest.raises(errors.MAPIErrorNoAccess):
            user.SaveChanges()


def test_nobody_and_several(book: IAddrBook, world: memory.World, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.MAPIErrorNotFound):
        book.ResolveName(0, 0, None, asked("Nobody Here"))
    world.account("bobby@example.com", "Bobby Buche")
    with pytest.raises(errors.MAPIErrorAmbiguousRecip):
        book.ResolveName(0, 0, None, asked("Bo"))
    with pytest.raises(errors.MAPIErrorUserCancel):
        book.ResolveName(0, consts.MAPI_DIALOG, None, asked("Bo"))  # no terminal is here
    monkeypatch.setattr(dialog, "choose", lambda names, caption: names.index("Bobby Buche"))
    (row,) = book.ResolveName(0, consts.MAPI_DIALOG, None, asked("Bo"))
    assert SPropValue(pr.EMAIL_ADDRESS, "bobby@example.com") in row


def test_container_resolves_what_is_unresolved(book: IAddrBook, world: memory.World) -> None:
    world.account("bobby@example.com", "Bobby Buche")
    container = book.OpenEntry(book.GetDefaultDir())
    names = [[SPropValue(pr.DISPLAY_NAME, text)] for text in ("ann", "Bo", "nobody", "ann")]
    states = [consts.MAPI_UNRESOLVED] * 3 + [consts.MAPI_RESOLVED]
    rows, states = container.ResolveNames([pr.EMAIL_ADDRESS, pr.TITLE], 0, names, states)
    assert states == [
        consts.MAPI_RESOLVED,
        consts.MAPI_AMBIGUOUS,
        consts.MAPI_UNRESOLVED,
        consts.MAPI_RESOLVED,
    ]
    assert rows[0][:2] == [*names[0], SPropValue(pr.EMAIL_ADDRESS, ANN)]
    assert rows[0][2].ulPropTag & 0xFFFF == consts.PT_ERROR
    assert rows[3] == names[3]


def test_one_off_entry_ids(book: IAddrBook) -> None:
    one = book.CreateOneOff("Zoë", "smtp", "zoe@example.org", consts.MAPI_UNICODE)
    other = book.CreateOneOff("Somebody else", "SMTP", "ZOE@example.org", 0)
    assert book.CompareEntryIDs(one, other)
    assert not book.CompareEntryIDs(one, book.CreateOneOff(None, "SMTP", "x@example.org"))
    assert props.one(book.OpenEntry(one), pr.DISPLAY_NAME).Value == "Zoë"
    with pytest.raises(errors.MAPIErrorInvalidParameter):
        book.CreateOneOff("x", "", "y")
    with pytest.raises(errors.MAPIErrorUnknownEntryid):
        book.OpenEntry(bytes(40))


def test_entries_are_made_changed_and_deleted(book: IAddrBook, personal: IABContainer) -> None:
    news: list[object] = []
    connection = book.Advise(personal.entry or b"", 0xFFFF, IMAPIAdviseSink(news.extend))
    made = personal.CreateEntry()
    made.SetProps([SPropValue(pr.DISPLAY_NAME, "Carl"), SPropValue(pr.EMAIL_ADDRESS, "carl@example.org")])
    made.SaveChanges(consts.KEEP_OPEN_READWRITE)
    assert made.entry is not None
    made.SetProps([SPropValue(pr.DISPLAY_NAME, "Carl C")])
    made.SaveChanges()
    assert column(personal.GetContentsTable(consts.MAPI_UNICODE), pr.DISPLAY_NAME) == ["Carl C"]
    personal.CopyEntries([book.ResolveName(0, 0, None, asked("ann"))[0][0].Value])
    assert personal.GetContentsTable().GetRowCount() == 2
    again = book.OpenEntry(made.entry, None, consts.MAPI_MODIFY)
    again.SetProps([SPropValue(pr.TITLE, "Dr.")])
    again.SaveChanges()
    assert props.one(book.OpenEntry(made.entry), pr.TITLE).Value == "Dr."
    personal.DeleteEntries([made.entry])
    assert personal.GetContentsTable().GetRowCount() == 1
    assert len(news) == 5
    book.Unadvise(connection)


def test_list_has_members(book: IAddrBook, personal: IABContainer) -> None:
    source = personal.source
    assert source is not None
    entry = source.save(personal.entry or b"", {pr.DISPLAY_NAME: "All", pr.OBJECT_TYPE: consts.MAPI_DISTLIST})
    group = book.OpenEntry(entry, None, consts.MAPI_MODIFY)
    (ann,) = source.resolve("ann")
    guest = book.CreateOneOff("Guest", "SMTP", "guest@example.org")
    group.CopyEntries([ann, guest])
    assert column(group.GetContentsTable(consts.MAPI_UNICODE), pr.DISPLAY_NAME) == ["Ann Ahorn", "Guest"]
    group.DeleteEntries([ann])
    assert column(group.GetContentsTable(consts.MAPI_UNICODE), pr.DISPLAY_NAME) == ["Guest"]


def test_search_path(book: IAddrBook, personal: IABContainer) -> None:
    assert [row[1].Value for row in book.GetSearchPath(consts.MAPI_UNICODE)] == ["Global Address List"]
    book.SetSearchPath(0, [[SPropValue(pr.ENTRYID, personal.entry)]])
    with pytest.raises(errors.MAPIErrorNotFound):
        book.ResolveName(0, 0, None, asked("ann"))
    with pytest.raises(errors.MAPIErrorMissingRequiredColumn):
        book.SetSearchPath(0, [[SPropValue(pr.DISPLAY_NAME, "x")]])
    book.SetDefaultDir(personal.entry or b"")
    assert book.GetDefaultDir() == personal.entry
    book.SetPAB(personal.entry or b"")


def test_recipients_are_prepared(book: IAddrBook) -> None:
    (row,) = book.ResolveName(0, 0, None, asked("ann"))
    (found,) = book.PrepareRecips(0, [pr.ACCOUNT, pr.TITLE], [row])
    assert found[0] == SPropValue(pr.ACCOUNT, "ann")
    assert found[1].ulPropTag & 0xFFFF == consts.PT_ERROR


def test_dialogs_need_a_terminal(book: IAddrBook, monkeypatch: pytest.MonkeyPatch) -> None:
    (ann,) = book.sources[0].resolve("ann")
    for call in (
        lambda: book.Address(0, []),
        lambda: book.Details(0, None, None, ann),
        lambda: book.NewEntry(0, 0, None, None),
    ):
        with pytest.raises(errors.MAPIErrorUserCancel):
            call()
    monkeypatch.setattr(dialog, "ask", lambda labels, caption="", defaults=(): ["ann; zoe@example.org", ""])
    assert len(book.Address(0, [])) == 2


def test_tables_of_a_book_share_one_watch(book: IAddrBook, personal: IABContainer) -> None:
    source = personal.source
    assert isinstance(source, membook.MemoryBook)
    for _ in range(3):
        personal.GetContentsTable()
    assert len(source._listeners) == 1
    book.close()
    assert len(source._listeners) == 0


def test_a_connection_that_ended_leaves_its_number_to_nobody_who_still_listens(
    book: IAddrBook, personal: IABContainer
) -> None:
    news: list[object] = []
    first = book.Advise(personal.entry or b"", 0xFFFF, IMAPIAdviseSink())
    second = book.Advise(personal.entry or b"", 0xFFFF, IMAPIAdviseSink(news.extend))
    book.Unadvise(first)
    third = book.Advise(personal.entry or b"", 0xFFFF, IMAPIAdviseSink())
    assert len({first, second, third}) == 3
    book.Unadvise(third)
    made = personal.CreateEntry()
    made.SetProps([SPropValue(pr.DISPLAY_NAME, "Carl")])
    made.SaveChanges()
    assert news
    book.Unadvise(second)
    assert book._connections == {}
