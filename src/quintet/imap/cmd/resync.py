"""Quick resynchronisation: what a client missed while it was away (RFC 7162 3.2.5, 3.2.6).

A client may come from any older state, and millions may have gone since: everything is read, and told,
some thousands at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from itertools import islice
from typing import TYPE_CHECKING

from quintet.imap import sets, updates
from quintet.store import changes, entries, folders

if TYPE_CHECKING:
    from quintet.imap import commands
    from quintet.imap.selected import Selected
    from quintet.imap.session import Session
    from quintet.imap.view import View
    from quintet.store.db import Tx

LINES = 1000  # FETCH lines written at once
GONE = 20_000  # numbers of messages that went, read at once
RANGES = 2000  # ranges in one VANISHED: a line of 40 KB at most
Ranges = list[tuple[int, int]]


async def changed(session: Session, here: Selected, known: commands.Resync) -> AsyncGenerator[bytes, None]:
    """FETCH lines for SELECT, a page at a time: the client may have been away for long.

    Later changes than the SELECT's are told when the selected mailbox tells of changes.
    """
    within = known.known_uids.resolve(max(here.view.largest, 1)) if known.known_uids is not None else None
    store, modseq = session.house.store, known.modseq
    while modseq < here.cursor:
        page = await store.read(_since, here, modseq)
        some = [one for one in page.changed if within is None or sets.contains(within, one.uid)]
        names = await store.read(updates.renamed, session, here, modseq, page.highest_modseq)
        for start in range(0, len(some), LINES):
            yield updates.flags(session, here, some[start : start + LINES], names)
        modseq = page.highest_modseq
        if not page.more:
            break


def _since(tx: Tx, here: Selected, modseq: int) -> changes.Changes:
    return changes.since(tx, here.folder_id, modseq, reader=here.reader, gone=False)


def matched(view: View, known: commands.Resync) -> int:
    """The highest UID up to which the client's numbers are ours: it knows of every expunge below.

    0 without sequence match data, or when no pair matches (RFC 7162 3.2.5.2).
    """
    if known.known_sequence is None or known.known_sequence_uids is None:
        return 0
    found = 0
    for number, uid in zip(_each(known.known_sequence), _each(known.known_sequence_uids), strict=False):
        if number > len(view) or view.uid(number) != uid:
            break
        found = uid
    return found


def _each(numbers: sets.NumberSet) -> Iterator[int]:
    for low, high in numbers.ranges:
        yield from range(low, high + 1)


async def earlier(
    session: Session, here: Selected, modseq: int, within: Ranges | None, above: int = 0
) -> AsyncGenerator[bytes, None]:
    """``* VANISHED (EARLIER) 1:5``, line by line: what of ``within`` (None: all) went after ``modseq``.

    Nothing up to UID ``above``.  What the view still numbers is left out: it is told when the numbering
    may change.
    """
    low, high = above + 1, await session.house.store.read(_horizon, here)
    if within is not None:
        low, high = (max(low, within[0][0]), min(high, within[-1][1])) if within else (1, 0)
    async with aclosing(_gone(session, here, modseq, low, high)) as pages:
        async for page in pages:
            gone = sets.intersect(page, within) if within is not None else page
            for start in range(0, len(gone), RANGES):
                yield b"* VANISHED (EARLIER) %b\r\n" % sets.write(gone[start : start + RANGES])
            await asyncio.sleep(0)


def _horizon(tx: Tx, here: Selected) -> int:
    """The highest UID that can be gone without the client's knowing: below the first it was not told of."""
    first = entries.neighbour(tx, here.folder_id, here.view.largest, after=True)
    return (first or folders.get(tx, here.folder_id).uid_next) - 1


async def _gone(
    session: Session, here: Selected, modseq: int, low: int, high: int
) -> AsyncGenerator[Ranges, None]:
    """Ranges of UIDs that are gone, ascending, some thousands at a time."""
    store = session.house.store
    while 0 < low <= high:
        found = await store.read(
            changes.gone, here.folder_id, modseq, max(here.complete, modseq), low, high, GONE
        )
        if found is None:
            async for page in _absent(here.view, low, high):
                yield page
            return
        uids, low = found
        yield sets.runs([uid for uid in uids if not here.view.number(uid)])


async def _absent(view: View, low: int, high: int) -> AsyncIterator[Ranges]:
    """So much was forgotten that everything is told that is not there."""
    gaps: Iterable[tuple[int, int]] = view.gaps(low, high)
    while page := list(islice(gaps, RANGES)):
        yield page
