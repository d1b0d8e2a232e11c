"""Remembering: keeps the table of known Message-IDs complete and roomy, a slice at a time.

The app's job runner calls `some` until it says that nothing is left.  A new table is filled from the
database while every process adds what comes to it as well; then it takes the old one's place.
"""

from __future__ import annotations

from quintet import log
from quintet.errors import Reason, TryLater
from quintet.store import history, known
from quintet.store.store import Store

PAGES = 500  # pages of one round: a million ids, half a minute at most; a lease is longer

logger = log.get("store")


async def some(store: Store) -> bool:
    """One round; True when another is needed at once.

    Raises TryLater(DISK_FULL): no room for a table; the database answers alone until there is.
    """
    if store.known.is_partial and not await store.read(history.has_hashes):
        await store.write(store.known.settle)
    work = store.known.work
    if not work.number:
        if not store.known.wants_building:
            return False
        work.after, work.count = 0, 0
        count = await store.read(history.count)
        try:
            work.number = await store.write(store.known.begin, count)
        except OSError as error:
            raise TryLater(Reason.DISK_FULL, str(error)) from error
    for _ in range(PAGES):
        page = await store.read(history.page, work.after, known.PAGE)
        if page and not await store.write(store.known.fill, work.number, [tag for _, tag in page]):
            work.number = 0  # another worker began anew
            return False
        work.count += len(page)
        if len(page) < known.PAGE:
            if await store.write(store.known.finish, work.number):
                logger.info("history in memory", ids=work.count)
            work.number = 0
            return False
        work.after = page[-1][0]
    return True


async def whole(store: Store) -> int:
    """All of it, for tools and tests; returns how many ids the table was last built of."""
    while await some(store):
        pass
    return store.known.work.count
