"""The list of groups, kept in step with the store: what LIST and NEWGROUPS choose from.

One look at the news account's change number tells whether anything changed; then only the groups that
did are read again.  What a reader may not look up is left out here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from quintet.net import dots
from quintet.nntp.rights import Rights
from quintet.policy.wildmat import Wildmat
from quintet.store import access, articles
from quintet.store.db import Tx
from quintet.store.model import AccountId, Folder, FolderId, Modseq
from quintet.store.store import Store

MAX_CHOICES = 64  # pattern lists of which it is remembered what they choose
MAX_LISTINGS = 16  # kinds of readers whose groups are remembered
PEEK_GROUPS = 2000  # with more groups, finding the changed ones takes too long for the loop

Render = Callable[[Folder], bytes]


@dataclass(slots=True)
class Listing:
    """Groups that one kind of readers sees, and the lines made of all of them."""

    groups: list[Folder]
    lines: dict[Render, bytes] = field(default_factory=dict)
    chosen: dict[Wildmat, frozenset[FolderId]] = field(default_factory=dict)


class Catalog:
    """All groups by name, and lines rendered of them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._modseq = Modseq(-1)
        self._by_id: dict[FolderId, Folder] = {}
        self._by_name: dict[str, Folder] = {}
        self._places: dict[FolderId, int] = {}  # in `_all.groups`
        self._all = Listing([])
        self._listings: dict[tuple[frozenset[FolderId], str], Listing] = {}
        self._lines: dict[Render, dict[FolderId, bytes]] = {}

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

    def named(self, names: Sequence[str]) -> list[Folder | None] | None:
        """Groups by name as anybody may read them who may read all; None for those with rights of their own.

        None in place of the list: the list of groups is not in step, and it would take too long.
        """
        if not self.refresh_at_once():
            return None
        private = self._store.peek(articles.restricted_groups)
        found = [self._by_name.get(name) for name in names]
        if private:
            return [None if one is not None and one.id in private else one for one in found]
        return found

    def visible(self, account_id: AccountId | None, rights: Rights) -> Listing:
        """The groups that an account (None: nobody) may look up and, by its rights, read; by name."""
        hidden = self._store.peek(_hidden, account_id)
        if rights.reads_all and not hidden:
            return self._all
        key = (hidden, rights.rule.read)
        listing = self._listings.get(key)
        if listing is None:
            if len(self._listings) >= MAX_LISTINGS:
                self._listings.clear()
            groups = [one for one in self._all.groups if one.id not in hidden and rights.read(one.name)]
            listing = self._listings[key] = Listing(groups)
        return listing

    def is_all(self, listing: Listing) -> bool:
        """Whether a listing holds every group there is."""
        return listing is self._all

    def ids(self, listing: Listing, chosen: Wildmat) -> frozenset[FolderId]:
        """The groups of a listing that a pattern list chooses: looked for once, until one comes or goes."""
        found = listing.chosen.get(chosen)
        if found is None:
            if len(listing.chosen) >= MAX_CHOICES:
                listing.chosen.clear()
            found = frozenset([one.id for one in listing.groups if chosen(one.name)])
            listing.chosen[chosen] = found
        return found

    def whole(self, render: Render, listing: Listing) -> bytes:
        """``render`` of each group of a listing, as `lines`; made once until something changes."""
        lines = listing.lines.get(render)
        if lines is None:
            lines = listing.lines[render] = self.lines(render, listing.groups)
        return lines

    def lines(self, render: Render, chosen: list[Folder]) -> bytes:
        """``render`` of each group, joined and dot-stuffed; each is rendered once."""
        known = self._lines.setdefault(render, {})
        for one in chosen:
            if one.id not in known:
                known[one.id] = render(one)
        return dots.stuff(b"".join([known[one.id] for one in chosen]))

    def _take(self, found: tuple[Modseq, list[Folder], list[FolderId]] | None) -> None:
        if found is None or found[0] < self._modseq:
            return
        self._modseq, changed, gone = found
        moved = bool(gone)
        for folder_id in gone:
            self._by_id.pop(folder_id, None)
        for folder in changed:
            old = self._by_id.get(folder.id)
            moved = moved or old is None or old.name != folder.name
            self._by_id[folder.id] = folder
        for known in self._lines.values():
            for folder_id in (*gone, *(folder.id for folder in changed)):
                known.pop(folder_id, None)
        if moved:
            self._by_name = {one.name: one for one in self._by_id.values()}
            self._all = Listing(sorted(self._by_id.values(), key=_name))
            self._places = {one.id: place for place, one in enumerate(self._all.groups)}
        else:  # counts only, most of the time
            for folder in changed:
                self._by_name[folder.name] = self._all.groups[self._places[folder.id]] = folder
            self._all.lines.clear()
        self._listings.clear()


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
