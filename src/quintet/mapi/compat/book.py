"""MAPI.Util.AddressBook: lists of people, groups and companies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quintet.mapi import consts, pr
from quintet.mapi.core.addrbook import IABContainer
from quintet.mapi.core.session import IMAPISession
from quintet.mapi.core.structs import SAndRestriction, SPropertyRestriction, SPropValue, SRestriction

Text = str | bytes  # by MAPI_UNICODE
PAGE = 50  # rows that are asked for at once


def GetGab(session: IMAPISession) -> IABContainer:
    """The container with everybody.  Raises MAPIErrorNotFound: there is no address book."""
    book = session.OpenAddressBook(0, None, 0)
    found: IABContainer = book.OpenEntry(book.GetDefaultDir(), None, 0)
    return found


def rows(
    container: IABContainer, tags: Sequence[int], restriction: SRestriction | None
) -> list[dict[int, Any]]:
    """Those entries of a container that match, each with what it has of ``tags``."""
    table = container.GetContentsTable(consts.MAPI_UNICODE)
    table.SetColumns(tags, consts.TBL_BATCH)
    if restriction is not None:
        table.Restrict(restriction, consts.TBL_BATCH)
    found: list[dict[int, Any]] = []
    while page := table.QueryRows(PAGE, 0):
        found += [
            {one.ulPropTag: one.Value for one in row if one.ulPropTag & 0xFFFF != consts.PT_ERROR}
            for row in page
        ]
    return found


def _is(tag: int, value: int) -> SPropertyRestriction:
    return SPropertyRestriction(consts.RELOP_EQ, tag, SPropValue(tag, value))


PEOPLE = SAndRestriction([
    _is(pr.OBJECT_TYPE, consts.MAPI_MAILUSER),
    SPropertyRestriction(
        consts.RELOP_NE, pr.DISPLAY_TYPE, SPropValue(pr.DISPLAY_TYPE, consts.DT_REMOTE_MAILUSER)
    ),
])  # fmt: skip
GROUPS = _is(pr.OBJECT_TYPE, consts.MAPI_DISTLIST)


def GetCompanyList(session: IMAPISession, flags: int = 0) -> list[Text]:
    """Containers below that of everybody: there are none."""
    table = GetGab(session).GetHierarchyTable(0)
    table.SetColumns(
        [pr.DISPLAY_NAME if flags & consts.MAPI_UNICODE else pr.DISPLAY_NAME - 1], consts.TBL_BATCH
    )
    return [row[0].Value for row in table.QueryRows(1000, 0)]


def GetAbObjectList(
    session: IMAPISession,
    restriction: SRestriction | None = None,
    companyname: Text | None = None,
    flags: int = 0,
) -> list[Text]:
    """Addresses of all entries that match."""
    tag = pr.EMAIL_ADDRESS if flags & consts.MAPI_UNICODE else pr.EMAIL_ADDRESS - 1
    found = rows(GetGab(session), [tag], restriction)
    return [row[tag] for row in found if tag in row]


def GetUserList(session: IMAPISession, companyname: Text | None = None, flags: int = 0) -> list[Text]:
    """Addresses of people."""
    return GetAbObjectList(session, PEOPLE, companyname, flags)


def GetGroupList(session: IMAPISession, companyname: Text | None = None, flags: int = 0) -> list[Text]:
    """Addresses of distribution lists."""
    return GetAbObjectList(session, GROUPS, companyname, flags)
