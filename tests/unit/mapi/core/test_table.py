"""IMAPITable over the provider in memory: columns, restriction, order, categories, cursor, news."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quintet.mapi import consts, pr
from quintet.mapi.core import errors, props
from quintet.mapi.core.folder import IMAPIFolder
from quintet.mapi.core.message import IMessage
from quintet.mapi.core.notify import IMAPIAdviseSink
from quintet.mapi.core.store import IMsgStore
from quintet.mapi.core.structs import (
    MAPINAMEID,
    TABLE_NOTIFICATION,
    SAndRestriction,
    SBitMaskRestriction,
    SCommentRestriction,
    SComparePropsRestriction,
    SContentRestriction,
    SCountRestriction,
    SExistRestriction,
    SNotRestriction,
    SOrRestriction,
    SPropertyRestriction,
    SPropValue,
    SRestriction,
    SSizeRestriction,
    SSort,
    SSortOrderSet,
    SSubRestriction,
)
from quintet.mapi.core.table import IMAPITable
from tests.unit.mapi.core.tableclient import subjects_of

Write = Callable[..., IMessage]


@pytest.fixture
def table(write: Write, inbox: IMAPIFolder) -> IMAPITable:
    """Five messages: subjects b, a, d, c, e with importance 1, 2, 1, 2, 0."""
    for subject, importance in (("b", 1), ("a", 2), ("d", 1), ("c", 2), ("e", 0)):
        write(subject, SPropValue(pr.IMPORTANCE, importance), SPropValue(pr.BODY, subject * 100))
    return subjects_of(inbox)


def shown(table: IMAPITable, count: int = 50) -> str:
    return "".join([row[0].Value for row in table.QueryRows(count)])


def all_shown(table: IMAPITable) -> str:
    table.SeekRow(consts.BOOKMARK_BEGINNING, 0)
    return shown(table)


def equal(tag: int, value: object, relop: int | None = None) -> SPropertyRestriction:
    return SPropertyRestriction(consts.RELOP_EQ if relop is None else relop, tag, SPropValue(tag, value))


def test_rows_come_from_the_cursor_on(table: IMAPITable) -> None:
    assert table.GetRowCount() == 5
    assert shown(table, 2) == "ba"
    assert table.QueryPosition() == (2, 2, 5)
    assert shown(table, -1) == "a"
    assert [row[0].Value for row in table.QueryRows(3, consts.TBL_NOADVANCE)] == ["a", "d", "c"]
    assert shown(table) == "adce"
    assert shown(table) == ""


def test_seeking(table: IMAPITable) -> None:
    assert table.SeekRow(consts.BOOKMARK_END, -2) == -2
    assert shown(table) == "ce"
    assert table.SeekRow(consts.BOOKMARK_BEGINNING, 100) == 5
    table.SeekRowApprox(1, 2)
    assert shown(table) == "dce"
    table.SeekRow(consts.BOOKMARK_BEGINNING, 3)
    mark = table.CreateBookmark()
    table.SeekRow(consts.BOOKMARK_BEGINNING, 0)
    assert table.SeekRow(mark, 1) == 1
    assert shown(table) == "e"
    table.FreeBookmark(mark)
    with pytest.raises(errors.MAPIErrorInvalidBookmark):
        table.SeekRow(mark, 0)


def test_finding(table: IMAPITable) -> None:
    table.FindRow(equal(pr.SUBJECT, "d"), consts.BOOKMARK_BEGINNING)
    assert shown(table, 1) == "d"
    table.FindRow(equal(pr.IMPORTANCE, 2), consts.BOOKMARK_CURRENT, consts.DIR_BACKWARD)
    assert shown(table, 1) == "a"
    with pytest.raises(errors.MAPIErrorNotFound):
        table.FindRow(equal(pr.SUBJECT, "z"), consts.BOOKMARK_BEGINNING)


def content(text: str, level: int) -> SContentRestriction:
    return SContentRestriction(level, pr.SUBJECT, SPropValue(pr.SUBJECT, text))


RESTRICTIONS: list[tuple[SRestriction, str]] = [
    (equal(pr.SUBJECT, "a"), "a"),
    (equal(pr.IMPORTANCE, 1, 2), "ac"),  # RELOP_GT
    (equal(pr.SUBJECT - 1, b"a"), "a"),  # in 8 bits
    (SNotRestriction(equal(pr.IMPORTANCE, 1)), "ace"),
    (SAndRestriction([equal(pr.IMPORTANCE, 2), content("A", 0x10000)]), "a"),
    (SOrRestriction([equal(pr.SUBJECT, "a"), equal(pr.SUBJECT, "e")]), "ae"),
    (SAndRestriction([]), "badce"),
    (SBitMaskRestriction(1, pr.IMPORTANCE, 2), "ac"),
    (SBitMaskRestriction(0, pr.IMPORTANCE, 3), "e"),
    (SExistRestriction(pr.FLAG_STATUS), ""),
    (SComparePropsRestriction(4, pr.SUBJECT, pr.NORMALIZED_SUBJECT), "badce"),
    (SSizeRestriction(2, pr.BODY, 100), "badce"),
    (SSubRestriction(pr.MESSAGE_RECIPIENTS, equal(pr.EMAIL_ADDRESS, "bob@example.com")), "badce"),
    (SSubRestriction(pr.MESSAGE_ATTACHMENTS, SExistRestriction(pr.ATTACH_METHOD)), ""),
    (SCommentRestriction(equal(pr.SUBJECT, "c"), [SPropValue(pr.SUBJECT, "note")]), "c"),
    (SCountRestriction(2, SExistRestriction(pr.SUBJECT)), "ba"),
]


@pytest.mark.parametrize("restriction,expected", RESTRICTIONS)
def test_every_kind_of_restriction(table: IMAPITable, restriction: SRestriction, expected: str) -> None:
    table.Restrict(restriction)
    assert all_shown(table) == expected
    table.Restrict(None)
    assert len(all_shown(table)) == 5


def test_restriction_that_is_none(table: IMAPITable) -> None:
    with pytest.raises(errors.MAPIErrorInvalidParameter):
        table.Restrict(SPropertyRestriction(99, pr.SUBJECT, SPropValue(pr.SUBJECT, "x")))
    with pytest.raises(errors.MAPIErrorInvalidParameter):
        table.Restrict("subject = x")  # type: ignore[arg-type]


def test_order(table: IMAPITable) -> None:
    order = SSortOrderSet([SSort(pr.IMPORTANCE, consts.TABLE_SORT_DESCEND), SSort(pr.SUBJECT, 0)], 0, 0)
    table.SortTable(order)
    assert all_shown(table) == "acbde"
    assert table.QuerySortOrder() == order
    with pytest.raises(errors.MAPIErrorTooComplex):
        table.SortTable(SSortOrderSet([SSort(pr.SUBJECT, consts.TABLE_SORT_COMBINE)], 0, 0))


def test_categories_open_and_close(table: IMAPITable) -> None:
    table.SetColumns([pr.SUBJECT, pr.INSTANCE_KEY, pr.ROW_TYPE, pr.IMPORTANCE, pr.CONTENT_COUNT])
    table.SortTable(
        SSortOrderSet([SSort(pr.IMPORTANCE, consts.TABLE_SORT_DESCEND), SSort(pr.SUBJECT, 0)], 1, 0)
    )
    headings = table.QueryRows(50)
    assert [(row[3].Value, row[4].Value) for row in headings] == [(2, 2), (1, 2), (0, 1)]
    assert [row[2].Value for row in headings] == [consts.TBL_COLLAPSED_CATEGORY] * 3
    rows, more = table.ExpandRow(headings[1][1].Value, 1)
    assert ([row[0].Value for row in rows], more) == (["b"], 1)
    assert table.GetRowCount() == 5
    state = table.GetCollapseState(0, headings[1][1].Value)
    assert table.CollapseRow(headings[1][1].Value) == 2
    mark = table.SetCollapseState(0, state)
    assert table.GetRowCount() == 5
    table.SeekRow(mark, 0)
    assert table.QueryRows(1)[0][3].Value == 1


def test_multiple_values_have_rows_of_their_own(table: IMAPITable, store: IMsgStore, write: Write) -> None:
    (tag,) = store.GetIDsFromNames([MAPINAMEID(consts.PS_PUBLIC_STRINGS, consts.MNID_STRING, "Keywords")], 2)
    many = tag | consts.PT_MV_UNICODE
    write("f", SPropValue(many, ["red", "blue"]))
    table.SetColumns([many | consts.MV_INSTANCE, pr.SUBJECT])
    table.Restrict(SExistRestriction(many))
    rows = table.QueryRows(50)
    assert [(row[0].Value, row[1].Value) for row in rows] == [("red", "f"), ("blue", "f")]


def test_columns(table: IMAPITable) -> None:
    assert table.QueryColumns() == [pr.SUBJECT, pr.INSTANCE_KEY]
    assert pr.MESSAGE_SIZE in table.QueryColumns(consts.TBL_ALL_COLUMNS)
    table.SetColumns([consts.PT_NULL, pr.STORE_ENTRYID, pr.FLAG_STATUS])
    row = table.QueryRows(1)[0]
    assert row[1].Value[:4] == bytes(4)  # the same in each row, made here
    assert row[2].ulPropTag & 0xFFFF == consts.PT_ERROR
    with pytest.raises(errors.MAPIErrorInvalidParameter):
        table.SetColumns([pr.SUBJECT & 0xFFFF0000 | 0x77])


def test_table_follows_what_happens(table: IMAPITable, write: Write, inbox: IMAPIFolder) -> None:
    assert shown(table, 2) == "ba"
    write("f")
    assert shown(table) == "dcef"
    table.SetColumns([pr.ENTRYID])
    inbox.DeleteMessages([row[0].Value for row in table.QueryRows(-6)])
    assert table.GetRowCount() == 0


def test_news_row_by_row(table: IMAPITable, write: Write, inbox: IMAPIFolder) -> None:
    news: list[TABLE_NOTIFICATION] = []
    connection = table.Advise(consts.fnevTableModified, IMAPIAdviseSink(news.extend))
    table.SortTable(SSortOrderSet([SSort(pr.SUBJECT, 0)], 0, 0))
    message = write("bb")
    added = next(one for one in news if one.ulTableEvent == consts.TABLE_ROW_ADDED)
    assert added.row[0].Value == "bb"
    table.FindRow(equal(pr.SUBJECT, "b"), consts.BOOKMARK_BEGINNING)
    assert added.propPrior.Value == table.QueryRows(1)[0][1].Value
    message.SetReadFlag(consts.CLEAR_READ_FLAG)
    assert consts.TABLE_ROW_MODIFIED in [one.ulTableEvent for one in news]
    inbox.DeleteMessages([props.one(message, pr.ENTRYID).Value])
    deleted = next(one for one in news if one.ulTableEvent == consts.TABLE_ROW_DELETED)
    assert deleted.propIndex == added.propIndex
    table.Unadvise(connection)
    news.clear()
    write("z")
    assert news == []


def test_states(table: IMAPITable) -> None:
    assert table.GetStatus() == (consts.TBLSTAT_COMPLETE, consts.TBLTYPE_DYNAMIC)
    assert table.WaitForCompletion(0, 1000) == consts.TBLSTAT_COMPLETE
    table.Abort()
    with pytest.raises(errors.MAPIErrorInvalidParameter):
        table.CollapseRow(b"short")
