"""MAPI.Util.Generators and Iterators: every store, every folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from quintet.mapi import consts, pr
from quintet.mapi.compat import book, util
from quintet.mapi.core.errors import MAPIError
from quintet.mapi.core.folder import IMAPIFolder
from quintet.mapi.core.session import IMAPISession
from quintet.mapi.core.store import IMsgStore
from quintet.mapi.core.structs import SPropertyRestriction, SPropValue


def GetStores(
    session: IMAPISession, users: Sequence[str | bytes] | str | None = None, flags: int = consts.MDB_WRITE
) -> Iterator[IMsgStore]:
    """The stores of people, all of the address book's if none are named; those that cannot be opened are left
    out.
    """
    default = util.GetDefaultStore(session)
    if default is None:
        return
    manage = default.QueryInterface(consts.IID_IExchangeManageStore)
    if users is None:
        users = book.GetUserList(session, None, consts.MAPI_UNICODE)
    for user in [users] if isinstance(users, str) else users:
        try:
            entry = manage.CreateStoreEntryID(None, user, consts.MAPI_UNICODE)
            yield session.OpenMsgStore(0, entry, consts.IID_IMsgStore, flags)
        except MAPIError:
            continue


def GetFolders(store: IMsgStore, **keywords: Any) -> Iterator[tuple[IMAPIFolder, int]]:
    """Folders with their depth.  ``rootid`` or ``receivefolder`` (a class): below that one; ``depth``: not
    deeper.
    """
    root, flags, depth = (
        keywords.get("rootid"), keywords.get("flags", consts.MAPI_BEST_ACCESS), keywords.get("depth", 0)
    )  # fmt: skip
    if "receivefolder" in keywords:
        root = store.GetReceiveFolder(keywords["receivefolder"], 0)[0]
    top: IMAPIFolder = store.OpenEntry(root, consts.IID_IMAPIFolder, flags)
    table = top.GetHierarchyTable(0 if depth == 1 else consts.CONVENIENT_DEPTH)
    if depth > 1:
        table.Restrict(
            SPropertyRestriction(consts.RELOP_LE, pr.DEPTH, SPropValue(pr.DEPTH, depth)), consts.TBL_BATCH
        )
    table.SetColumns([pr.ENTRYID, pr.DEPTH], consts.TBL_BATCH)
    while rows := table.QueryRows(50, 0):
        for entry, level in rows:
            yield top.OpenEntry(entry.Value, consts.IID_IMAPIFolder, flags), level.Value


class StoreIterator:
    """Calls a function with each store."""

    def __init__(
        self,
        session: IMAPISession,
        users: Sequence[str | bytes] | str | None = None,
        flags: int = consts.MDB_WRITE,
    ) -> None:
        self.session, self.users, self.flags = session, users, flags

    def Iterate(self, function: Callable[[IMsgStore], object]) -> None:
        for store in GetStores(self.session, self.users, self.flags):
            function(store)


class FolderIterator:
    """Calls a function with each folder and its depth."""

    def __init__(self, store: IMsgStore, **keywords: Any) -> None:
        self.store, self.keywords = store, keywords

    def Iterate(self, function: Callable[[IMAPIFolder, int], object]) -> None:
        for folder, depth in GetFolders(self.store, **self.keywords):
            function(folder, depth)
