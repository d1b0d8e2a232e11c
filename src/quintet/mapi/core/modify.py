"""IExchangeModifyTable: a folder's rights and rules, changed row by row (MS-OXCPERM, MS-OXORULE)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from quintet.mapi import consts, pr
from quintet.mapi.bag import Bag
from quintet.mapi.core import values
from quintet.mapi.core.errors import MAPIError, fail
from quintet.mapi.core.structs import ROWENTRY
from quintet.mapi.core.table import IMAPITable, of_bags
from quintet.mapi.core.unknown import IUnknown
from quintet.mapi.errors import MapiError
from quintet.mapi.providers.base import EntryId, Which
from quintet.mapi.types import Tag

if TYPE_CHECKING:
    from quintet.mapi.core.store import IMsgStore

COLUMNS = {
    Which.RIGHTS: (pr.MEMBER_ID, pr.MEMBER_NAME, pr.MEMBER_RIGHTS, pr.MEMBER_ENTRYID),
    Which.RULES: (
        pr.RULE_ID, pr.RULE_NAME, pr.RULE_SEQUENCE, pr.RULE_STATE, pr.RULE_LEVEL, pr.RULE_PROVIDER,
        pr.RULE_CONDITION, pr.RULE_ACTIONS, pr.RULE_USER_FLAGS, pr.RULE_PROVIDER_DATA,
    ),
}  # fmt: skip
NUMBERS = {Which.RIGHTS: pr.MEMBER_ID, Which.RULES: pr.RULE_ID}
MAX_ROWS = 10_000


class IExchangeModifyTable(IUnknown):
    """Opened by OpenProperty(PR_ACL_TABLE | PR_RULES_TABLE, IID_IExchangeModifyTable, ...)."""

    iids: ClassVar[tuple[str, ...]] = ("IID_IExchangeModifyTable",)

    def __init__(self, store: IMsgStore, folder: EntryId, which: Which) -> None:
        super().__init__(store._lock)
        self._store, self._folder, self._which = store, folder, which
        store.source.table(folder, which)  # says at once that there is none

    def GetTable(self, flags: int = 0) -> IMAPITable:
        """The rows as they are now; each is known by PR_MEMBER_ID or PR_RULE_ID."""
        rows = self._store.source.table(self._folder, self._which)
        number = NUMBERS[self._which]
        bags = {(row[number] & (1 << 64) - 1).to_bytes(8, "big"): row for row in rows}
        return of_bags(bags, COLUMNS[self._which], self._lock)

    def ModifyTable(self, flags: int, rows: Sequence[ROWENTRY]) -> None:
        """ROW_ADD, ROW_MODIFY and ROW_REMOVE; with ROWLIST_REPLACE the added ones are all there are.

        All or nothing.  Raises MAPIErrorNotFound: no row has the number of one to change.
        """
        changes = [(entry.ulRowFlags, self._told(values.bag_of(entry.rgPropVals))) for entry in rows]
        replaced, number = bool(flags & consts.ROWLIST_REPLACE), NUMBERS[self._which]
        self._store.source.change_table(
            self._folder, self._which, lambda now: _changed([] if replaced else now, changes, number)
        )

    def _told(self, row: Bag) -> Bag:
        """A row of rights has its member by entry id; how the member is called the address book knows."""
        entry, session = row.get(pr.MEMBER_ENTRYID), self._store.session
        if self._which is Which.RIGHTS and entry and pr.MEMBER_NAME not in row and session is not None:
            try:
                row[pr.MEMBER_NAME] = session.OpenAddressBook().load(entry)[pr.DISPLAY_NAME]
            except (KeyError, MapiError, MAPIError):
                return row  # of somebody whom no book here knows
        return row


def _changed(now: Sequence[Bag], changes: Sequence[tuple[int, Bag]], number: Tag) -> list[Bag]:
    """The rows after all changes, each upon what the one before has left."""
    if len(now) + len(changes) > MAX_ROWS:
        raise fail("MAPI_E_TABLE_TOO_BIG")
    found = list(now)
    for kind, bag in changes:
        if kind == consts.ROW_ADD:
            found.append({key: value for key, value in bag.items() if key != number})
            continue
        at = _place(found, bag, number)
        if kind == consts.ROW_MODIFY:
            found[at] = {**found[at], **bag}
        elif kind == consts.ROW_REMOVE:
            del found[at]
        else:
            raise fail("MAPI_E_INVALID_PARAMETER", "no such change of a row")
    return found


def _place(rows: list[Bag], wanted: Bag, number: int) -> int:
    for at, row in enumerate(rows):
        if row.get(number) is not None and row.get(number) == wanted.get(number):
            return at
    raise fail("MAPI_E_NOT_FOUND", "no row of that number")
