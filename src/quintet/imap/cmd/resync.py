"""Quick resynchronisation: what a client missed while it was away (RFC 7162 3.2.5, 3.2.6)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from quintet.imap import sets, updates
from quintet.store import changes

if TYPE_CHECKING:
    from quintet.imap import commands
    from quintet.imap.selected import Selected
    from quintet.imap.session import Session
    from quintet.imap.view import View
    from quintet.store.db import Tx

LINES = 1000  # FETCH lines written at once
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
        for start in range(0, len(some), LINES):
            yield updates.flags(session, here, some[start : start + LINES])
        modseq = page.highest_modseq
        if not page.more:
            break


def _since(tx: Tx, here: Selected, modseq: int) -> changes.Changes:
    return changes.since(tx, here.folder_id, modseq, reader=here.reader)


def earlier(here: Selected, known: commands.Resync, gone: Ranges) -> bytes:
    """VANISHED (EARLIER) for SELECT.

    The optional sequence match data only save the server work (RFC 7162 3.2.5.2); ours remembers.
    """
    within = known.known_uids.resolve(max(here.view.largest, 1)) if known.known_uids is not None else None
    return vanished(here.view, gone, within)


def vanished(view: View, gone: Ranges, within: Ranges | None) -> bytes:
    """``* VANISHED (EARLIER) 1:5``; b"" for nothing.

    What the view still numbers is left out: it is told when the numbering may change.
    """
    gone = sets.join(gone)
    if within is not None:
        gone = sets.intersect(gone, within)
    told: Ranges = []
    for low, high in gone:
        for uid in view.uids([(low, high)]):
            if low < uid:
                told.append((low, uid - 1))
            low = uid + 1
        if low <= high:
            told.append((low, high))
    return b"* VANISHED (EARLIER) %b\r\n" % sets.write(told) if told else b""
