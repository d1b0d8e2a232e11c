"""Quick resynchronisation: what a client missed while it was away (RFC 7162 3.2.5, 3.2.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from quintet.imap import sets, updates
from quintet.store import changes

if TYPE_CHECKING:
    from quintet.imap import commands
    from quintet.imap.selected import Selected
    from quintet.imap.session import Session
    from quintet.imap.view import View
    from quintet.store.db import Tx
    from quintet.store.model import AccountId, Changed, FolderId

Ranges = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Missed:
    """All that happened after a change number."""

    changed: list[Changed]
    gone: Ranges


def missed(tx: Tx, folder_id: FolderId, reader: AccountId | None, modseq: int) -> Missed:
    """In a reader thread: the client may have been away for long."""
    found = Missed([], [])
    while True:
        page = changes.since(tx, folder_id, modseq, reader=reader)
        found.changed.extend(page.changed)
        found.gone.extend(page.vanished)
        modseq = page.highest_modseq
        if not page.more:
            return found


def answer(session: Session, here: Selected, known: commands.Resync, found: Missed) -> bytes:
    """VANISHED (EARLIER) and FETCH lines for SELECT; nothing if the mailbox is another one now.

    The optional sequence match data only save the server work (RFC 7162 3.2.5.2); ours remembers.
    """
    if known.uid_validity != here.uid_validity:
        return b""
    largest = max(here.view.largest, 1)
    within = known.known_uids.resolve(largest) if known.known_uids is not None else None
    changed = [one for one in found.changed if within is None or sets.contains(within, one.uid)]
    return vanished(here.view, found, within) + updates.flags(session, here, changed)


def vanished(view: View, found: Missed, within: Ranges | None) -> bytes:
    """``* VANISHED (EARLIER) 1:5``; b"" for nothing.

    What the view still numbers is left out: it is told when the numbering may change.
    """
    gone = sets.join(found.gone)
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
