"""Articles read ahead: who fetches one number after the other gets many with one query.

A small store shared by all connections, so that nobody's idle connection holds bodies.  An article is
immutable; one that is cancelled may still be sent for `KEEP_S`.
"""

from __future__ import annotations

from collections import OrderedDict

from quintet.store import articles
from quintet.store.articles import Article
from quintet.store.model import FolderId
from quintet.store.store import Store

COUNT = 16  # articles of one reading; more gains nothing that is measured
BYTES = 256 * 1024  # of one reading
MAX_HELD = 512  # articles of all connections; 8 MiB at 16 KiB each
KEEP_S = 5.0


class Ahead:
    """What was read and not yet asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held: OrderedDict[tuple[FolderId, int], tuple[float, Article]] = OrderedDict()

    def get(self, folder_id: FolderId, number: int, *, sequential: bool) -> Article | None:
        """The article of that number; with ``sequential`` those after it are read along."""
        now = self._store.clock.monotonic()
        held = self._held.pop((folder_id, number), None)
        if held is not None and held[0] > now:
            return held[1]
        if not sequential:
            return self._store.peek(articles.article, folder_id, number)
        found = self._store.peek(articles.following, folder_id, number, COUNT, BYTES)
        for one in found[1:]:
            self._held[folder_id, one.uid] = (now + KEEP_S, one)
        while len(self._held) > MAX_HELD:
            self._held.popitem(last=False)
        return found[0] if found and found[0].uid == number else None
