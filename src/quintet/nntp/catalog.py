"""The list of groups, kept in step with the store: what LIST and NEWGROUPS choose from.

One look at the news account's change number tells whether anything changed; then only the groups that
did are read again.  What a reader may not look up is left out here.
"""

from __future__ import annotations

from collections.abc import Callable

from quintet.store import access, articles
from quintet.store.db import Tx
from quintet.store.model import AccountId, Folder, FolderId, Modseq
from quintet.store.store import Store

PEEK_GROUPS = 2000  # with more groups, finding the changed ones takes too long for the loop

Render = Callable[[Folder], bytes]


class Catalog:
    """All groups by name, and lines rendered of them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._modseq = Modseq(-1)
        self._by_id: dict[FolderId, Folder] = {}
        self._sorted: list[Folder] = []
        self._lines: dict[Render, dict[FolderId, bytes]] = {}
        self._whole: dict[Render, bytes] = {}

    def refresh_at_once(self) -> bool:
        """Catches up; False when that is too much to do without waiting."""
        if len(self._by_id) > PEEK_GROUPS and self._store.peek(articles.news_modseq) != self._modseq:
            return False
        self._take(self._store.peek(_look, self._modseq))
        return True

    async def refresh(self) -> None:
        """Catches up."""
        if not self.refresh_at_once():
            self._take(await self._store.read(_look, self._modseq))

    def visible(self, account_id: AccountId | None) -> list[Folder]:
        """The groups that an account (None: nobody) may look up, by name."""
        hidden = self._store.peek(_hidden, account_id)
        return [one for one in self._sorted if one.id not in hidden] if hidden else self._sorted

    def lines(self, render: Render, chosen: list[Folder]) -> bytes:
        """``render`` of each group, joined; each is rendered once."""
        if chosen is self._sorted:
            whole = self._whole.get(render)
            if whole is None:
                whole = self._whole[render] = self._join(render, chosen)
            return whole
        return self._join(render, chosen)

    def _join(self, render: Render, chosen: list[Folder]) -> bytes:
        known = self._lines.setdefault(render, {})
        for one in chosen:
            if one.id not in known:
                known[one.id] = render(one)
        return b"".join([known[one.id] for one in chosen])

    def _take(self, found: tuple[Modseq, list[Folder], list[FolderId]] | None) -> None:
        if found is None or found[0] < self._modseq:
            return
        self._modseq, changed, gone = found
        for folder_id in gone:
            self._by_id.pop(folder_id, None)
        for folder in changed:
            self._by_id[folder.id] = folder
        for known in self._lines.values():
            for folder_id in (*gone, *(folder.id for folder in changed)):
                known.pop(folder_id, None)
        self._sorted = sorted(self._by_id.values(), key=_name)
        self._whole.clear()


def _name(folder: Folder) -> str:
    return folder.name


def _look(tx: Tx, since: int) -> tuple[Modseq, list[Folder], list[FolderId]] | None:
    modseq = articles.news_modseq(tx)
    return None if modseq == since else (modseq, *articles.changed_groups(tx, since))


def _hidden(tx: Tx, account_id: AccountId | None) -> frozenset[FolderId]:
    """Groups with rights of their own that do not let the account look them up."""
    return frozenset(
        folder_id
        for folder_id in articles.restricted_groups(tx)
        if "l" not in access.rights(tx, account_id, folder_id)
    )
