"""Tables of folders, messages and attachments (MS-OXCTABL 3.2.5.2 to 3.2.5.20)."""

from __future__ import annotations

import enum
import functools
import time
from collections.abc import Mapping, Sequence
from typing import Final

from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import Folder, ItemLike
from quintet.mapi.rop import tables
from quintet.mapi.rop.folders import RowCount, TableFlag
from quintet.mapi.rop.registry import Asked
from quintet.mapi.rop.serve import values
from quintet.mapi.rop.serve.desk import Call, serves
from quintet.mapi.rop.serve.parts import AttachmentRows, NoRows
from quintet.mapi.rop.serve.session import Session
from quintet.mapi.rop.serve.shown import Shown
from quintet.mapi.rop.tables import COMPLETE, FindFlag, QueryFlag, TableStatus
from quintet.mapi.table import Origin, Table
from quintet.mapi.types import Value
from quintet.store.store import Store

PAGE = 64  # rows that are made at once; an answer holds some hundreds
QUICK_S = 0.01  # seconds of CPU that a page may take to be made on the loop the next time
SIGN = 1 << 63  # category ids travel unsigned


class Of(enum.Flag):
    """What the rows of a table are."""

    MESSAGES = enum.auto()
    FOLDERS = enum.auto()
    RULES = enum.auto()
    PARTS = enum.auto()  # attachments, permissions


_ONLY: Final[Mapping[int, Of]] = {
    0x13: Of.MESSAGES,  # R450
    0x14: Of.MESSAGES | Of.FOLDERS | Of.RULES,  # R461
    0x19: Of.MESSAGES | Of.FOLDERS,  # R512
    0x1B: Of.MESSAGES | Of.FOLDERS,  # R529
    0x38: Of.MESSAGES | Of.FOLDERS,  # R486
    0x4F: Of.MESSAGES | Of.FOLDERS | Of.RULES,  # R544
    0x59: Of.MESSAGES,  # R572
    0x5A: Of.MESSAGES,  # R578
    0x6B: Of.MESSAGES,  # R584
    0x6C: Of.MESSAGES,  # R590
    0x81: Of.MESSAGES,  # R566
    0x89: Of.MESSAGES | Of.FOLDERS,  # R548, R551
}
"""Operations that not every table supports."""


class OpenTable:
    """A table with what the wire knows of it."""

    def __init__(self, table: Table, of: Of, *, told: bool = False, quiet: bool = False) -> None:
        self.table = table
        self.of = of
        self.told = told  # whether the client wants to hear of changes
        self.quiet = quiet  # but not of its own
        self.quick = False  # whether its rows were had quickly the last time

    @property
    def weight(self) -> int:
        return self.table.weight


def _opened(call: Call, one: OpenTable) -> RowCount:
    call.give(one)
    return RowCount(len(one.table))


@serves(0x04)
def get_hierarchy_table(call: Call) -> RowCount:
    folder, flags = call.thing(Folder), call.body.flags
    if flags & 0x01 or flags & TableFlag.ASSOCIATED:  # R314: bits that mean nothing here
        raise MapiError(Code.NOT_SUPPORTED)
    table = folder.hierarchy(deep=bool(flags & TableFlag.DEPTH))
    if flags & TableFlag.SOFT_DELETES:  # R806: folders that were deleted are not there any more (R22002)
        table = Table(NoRows(table.all_columns()))
    told, quiet = not flags & TableFlag.NO_NOTIFICATIONS, bool(flags & TableFlag.SUPPRESSES_NOTIFICATIONS)
    return _opened(call, OpenTable(table, Of.FOLDERS, told=told, quiet=quiet))


@serves(0x05)
def get_contents_table(call: Call) -> RowCount:
    folder, flags = call.thing(Folder), call.body.flags
    if flags & 0x05:  # MS-OXCFOLD R330
        raise MapiError(Code.INVALID_PARAMETER)
    if flags & TableFlag.CONVERSATION_MEMBERS:
        raise MapiError(Code.NOT_SUPPORTED)
    table = folder.contents(
        associated=bool(flags & TableFlag.ASSOCIATED), deleted=bool(flags & TableFlag.SOFT_DELETES)
    )
    return _opened(call, OpenTable(table, Of.MESSAGES, told=not flags & TableFlag.NO_NOTIFICATIONS))


# --- what is shown ----------------------------------------------------------------------------------------


def _open(call: Call) -> OpenTable:
    """Raises MapiError(NOT_SUPPORTED): no table, or one of a kind that does not support the operation."""
    one = call.thing(OpenTable)
    if one.of not in _ONLY.get(call.asked.rop.id, one.of):
        raise MapiError(Code.NOT_SUPPORTED)
    return one


def _table(call: Call) -> Table:
    return _open(call).table


def _looked(call: Call) -> Table:
    """The table, which from now on is looked at: its changes are told (MS-OXCNOTIF R246 to R255)."""
    one = _open(call)
    if one.told:
        box, logon = call.box, call.asked.logon
        make = functools.partial(Shown, box, logon, one.table, call.page, quiet=one.quiet)
        call.session.notices.show(box, call.handles[call.asked.index], make)
    return one.table


def _arranged(call: Call) -> None:
    """The client has made another table of it, and knows that."""
    call.session.notices.looked(call.handles[call.asked.index])


@serves(0x12, light=True)
def set_columns(call: Call) -> TableStatus:
    table = _table(call)
    before = table.instance
    table.set_columns(call.body.tags)
    if table.instance != before:  # other rows, which are made when the client looks at them
        call.session.notices.hide(call.handles[call.asked.index])
    return TableStatus(COMPLETE)


@serves(0x13)
def sort_table(call: Call) -> TableStatus:
    order = call.body.order
    _table(call).sort(order if order.keys else None)
    _arranged(call)
    return TableStatus(COMPLETE)


@serves(0x14)
def restrict(call: Call) -> TableStatus:
    _table(call).restrict(values.condition(call.body.restriction, call.page))
    _arranged(call)
    return TableStatus(COMPLETE)


@serves(0x16, light=True)
def get_status(call: Call) -> TableStatus:
    _table(call)
    return TableStatus(COMPLETE)


@serves(0x38, light=True)
def abort(call: Call) -> TableStatus:
    """There is never anything to abort (R485)."""
    _table(call)
    raise MapiError(Code.ABORT_FAILED)


@serves(0x81, light=True)
def reset_table(call: Call) -> None:
    _table(call).reset()
    call.session.notices.hide(call.handles[call.asked.index])


@serves(0x37)
def query_columns_all(call: Call) -> tables.QueryColumnsAllAnswer:
    return tables.QueryColumnsAllAnswer(tuple(_looked(call).all_columns()))


# --- rows -------------------------------------------------------------------------------------------------


def _fitting(
    call: Call, table: Table, found: Sequence[list[Value]], room: int, *, must: bool = True
) -> list[bytes]:
    """As many of the rows, from the first, as fit.

    Raises MapiError(BUFFER_TOO_SMALL): not a single one, and there ``must`` be one (R478).
    """
    made: list[bytes] = []
    for raw in values.encoder(table.columns, call.page, table=True)(found):
        if len(raw) > room:
            if must and not made:
                raise MapiError(Code.BUFFER_TOO_SMALL)
            break
        room -= len(raw)
        made.append(raw)
    return made


def _is_at_hand(session: Session, asked: Asked, handles: list[int], store: Store) -> bool:
    """Whether the table is arranged, as one is of which everything is told that happens to it."""
    return asked.index < len(handles) and session.notices.shows(handles[asked.index])


def _is_quick(session: Session, asked: Asked, handles: list[int], store: Store) -> bool:
    """A few more rows of a table whose rows were had quickly the last time: no letters to be taken apart."""
    if not _is_at_hand(session, asked, handles, store) or asked.body.count > PAGE:
        return False
    one = session.held[handles[asked.index]].thing
    return isinstance(one, OpenTable) and one.quick


@serves(0x15, light=_is_quick)
def query_rows(call: Call) -> tables.QueryRowsAnswer:
    started_s = time.thread_time()
    found = _query_rows(call)
    call.thing(OpenTable).quick = time.thread_time() - started_s < QUICK_S
    return found


def _query_rows(call: Call) -> tables.QueryRowsAnswer:
    """As many as fit, read piece by piece (R464); at least one, if there is one (R466)."""
    body: tables.QueryRows = call.body
    table, forward = _looked(call), body.forward
    first, _ = table.position()
    made: list[bytes] = []
    room = call.room - 3
    while len(made) < body.count:
        found = table.query(min(body.count - len(made), PAGE), forward=forward, advance=False)
        if not forward:
            found.reverse()  # those nearest to the cursor first
        fitting = _fitting(call, table, found, room, must=not made)
        table.seek(Origin.CURRENT, len(fitting) if forward else -len(fitting))
        made += fitting
        room -= sum(map(len, fitting))
        if len(fitting) < len(found) or not found:
            break
    origin = table.origin(forward=forward)
    if body.flags & QueryFlag.NO_ADVANCE:
        table.seek(Origin.BEGINNING, first)
    return tables.QueryRowsAnswer(origin, made if forward else made[::-1])


@serves(0x17, light=_is_at_hand)
def query_position(call: Call) -> tables.QueryPositionAnswer:
    return tables.QueryPositionAnswer(*_looked(call).position())


def _origin(number: int) -> Origin:
    try:
        return Origin(number)
    except ValueError:
        raise MapiError(Code.INVALID_PARAMETER) from None


@serves(0x18, light=_is_at_hand)
def seek_row(call: Call) -> tables.SeekRowAnswer:
    body: tables.SeekRow = call.body
    moved = _looked(call).seek(_origin(body.origin), body.rows)
    if not body.want_moved:
        return tables.SeekRowAnswer(sought_less=False, rows=0)
    return tables.SeekRowAnswer(moved != body.rows, moved)


@serves(0x19)
def seek_row_bookmark(call: Call) -> tables.SeekRowBookmarkAnswer:
    body: tables.SeekRowBookmark = call.body
    table = _looked(call)
    table.columns  # noqa: B018 - R8266: not before there are some
    moved, lost = table.seek_bookmark(body.bookmark, body.rows)
    sought = (moved != body.rows, moved) if body.want_moved else (False, 0)
    return tables.SeekRowBookmarkAnswer(lost, *sought)


@serves(0x1A)
def seek_row_fractional(call: Call) -> None:
    _looked(call).seek_fraction(call.body.numerator, call.body.denominator)


@serves(0x1B)
def create_bookmark(call: Call) -> tables.CreateBookmarkAnswer:
    return tables.CreateBookmarkAnswer(_table(call).create_bookmark())


@serves(0x89)
def free_bookmark(call: Call) -> None:
    table = _table(call)
    table.columns  # noqa: B018 - R8264: not before there are some
    table.free_bookmark(call.body.bookmark)


BOOKMARK_CUSTOM = 3


@serves(0x4F)
def find_row(call: Call) -> tables.FindRowAnswer:
    body: tables.FindRow = call.body
    table = _looked(call)
    wanted = values.condition(body.restriction, call.page)
    if wanted is None:
        raise MapiError(Code.INVALID_PARAMETER)
    custom = body.origin == BOOKMARK_CUSTOM
    if custom and not body.bookmark:
        raise MapiError(Code.INVALID_BOOKMARK)
    row, lost = table.find(
        wanted,
        Origin.CURRENT if custom else _origin(body.origin),
        backwards=bool(body.flags & FindFlag.BACKWARDS),
        bookmark=body.bookmark if custom else b"",
    )
    (raw,) = _fitting(call, table, [row], call.room - 2)
    return tables.FindRowAnswer(lost, raw)


# --- categories -------------------------------------------------------------------------------------------


def _signed(number: int) -> int:
    return number - 2 * SIGN if number >= SIGN else number


@serves(0x59)
def expand_row(call: Call) -> tables.ExpandRowAnswer:
    table = _looked(call)
    shown, found = table.expand(_signed(call.body.category), min(call.body.most, 4 * PAGE))
    _arranged(call)
    made: list[bytes] = _fitting(call, table, found, call.room - 6) if found else []
    return tables.ExpandRowAnswer(shown, made)


@serves(0x5A)
def collapse_row(call: Call) -> tables.CollapseRowAnswer:
    hidden = _looked(call).collapse(_signed(call.body.category))
    _arranged(call)
    return tables.CollapseRowAnswer(hidden)


@serves(0x6B)
def get_collapse_state(call: Call) -> tables.GetCollapseStateAnswer:
    body: tables.GetCollapseState = call.body
    return tables.GetCollapseStateAnswer(_table(call).collapse_state(_signed(body.row), body.instance))


@serves(0x6C)
def set_collapse_state(call: Call) -> tables.SetCollapseStateAnswer:
    bookmark = _table(call).set_collapse_state(call.body.state)
    _arranged(call)
    return tables.SetCollapseStateAnswer(bookmark)


# --- attachments of a message ------------------------------------------------------------------------------


@serves(0x21)
def get_attachment_table(call: Call) -> None:
    """No fields: its answer tells no number of rows (MS-OXCROPS 2.2.6.17)."""
    rows = AttachmentRows(call.thing(ItemLike))
    call.give(OpenTable(Table(rows), Of.PARTS))
