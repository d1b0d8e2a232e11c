"""EXPUNGE, UID EXPUNGE (RFC 9051 6.4.3, 6.4.9, RFC 4315 2.1, RFC 7162 3.2.9).

A million messages go in slices, each told before the next is taken: the writer is everybody's.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from quintet.errors import Reason, Refused
from quintet.imap import limits, sets, updates
from quintet.imap.pace import Pace
from quintet.net.seam import Pending
from quintet.store import entries, folders
from quintet.store.db import bounded
from quintet.store.model import DELETED

if TYPE_CHECKING:
    from quintet.imap import commands
    from quintet.imap.selected import Selected
    from quintet.imap.session import Session
    from quintet.net.seam import Input, Replies
    from quintet.store.db import Tx
    from quintet.store.model import Folder, FolderId, Uid

Ranges = list[tuple[int, int]]
SLICE = 1000  # messages taken away in one transaction at most: 5 ms or so (`pace`)
FEW = 16  # messages that are taken away between two turns of the loop
SMALL = 2000  # messages of a mailbox in which what is marked is found in half a millisecond


def expunge(session: Session, command: commands.Expunge, _: Input) -> Replies:
    here = session.here
    if here.read_only:
        raise Refused(Reason.NO_PERMISSION, "mailbox is read-only")
    if "e" not in here.rights:
        raise Refused(Reason.NO_PERMISSION)
    if command.uids is None and session.notices is None:
        folder = session.house.store.ask(folders.get, here.folder_id)
        if not folder.deleted or (folder.deleted < FEW and folder.messages <= SMALL):
            return _few(session, command, folder)
    return _expunge(session, command)


def _few(session: Session, command: commands.Expunge, folder: Folder) -> Replies:
    """In one transaction, whose flush is waited for without a task; in none where nothing is marked."""
    if not folder.deleted:
        return updates.then(session, limits.done(command.tag, b"", b""))
    here = session.here
    removing = session.house.store.submit(_remove_after, here.folder_id, 0, FEW)

    def then() -> Replies:
        tail = functools.partial(_end, session, here, command.tag, bool(removing.result()), b"")
        return updates.then(session, tail)

    return Pending(removing, then)


def _end(session: Session, here: Selected, tag: bytes, removed: bool, short: bytes) -> bytes:
    if session.qresync and removed:  # RFC 7162 3.2.9: the state after what this command removed
        return limits.done(tag, b"[HIGHESTMODSEQ %d] " % here.cursor, short)
    return limits.done(tag, b"", short)


async def _expunge(session: Session, command: commands.Expunge) -> AsyncGenerator[Any, None]:
    here = session.here
    ranges, short = None, b""
    if command.uids is not None:
        ranges = here.saved if command.uids.saved else here.view.known_ranges(command.uids)
        if limit := limits.most(session):
            ranges, short = await session.house.store.read(_highest, here, ranges, limit)
    removed = False
    async with aclosing(removals(session, here, ranges)) as slices:
        async for gone in slices:
            removed = removed or bool(gone)
            for reply in await updates.told(session, asked=True):
                yield reply
            if session.selected is not here:
                break  # the mailbox is gone
    for reply in await updates.told(session, asked=True):
        yield reply
    yield _end(session, here, command.tag, removed, short)


def _highest(tx: Tx, here: Selected, ranges: Ranges, limit: int) -> tuple[Ranges, bytes]:
    """Of what is \\Deleted in UID ``ranges`` the highest ones that may be removed at once (RFC 9738 3.1)."""
    marked: list[int] = []
    for low, high in ranges:
        marked += entries.uids_where(tx, here.folder_id, low, high, (f"e.flags & {DELETED:d} <> 0", []))
    if len(marked) <= limit:
        return ranges, b""
    return sets.runs(marked[-limit:]), limits.code(limit, marked[-limit])


async def removals(
    session: Session, here: Selected, ranges: list[tuple[int, int]] | None
) -> AsyncGenerator[list[Uid], None]:
    """Removes what is \\Deleted, in UID ``ranges`` or all, a transaction's worth at a time; what went."""
    stored = session.house.store
    if ranges is not None:
        pace = Pace(here.view.count(ranges), SLICE)
        for page in here.view.batches(ranges, SLICE):
            for uids in pace.pieces(page):
                yield await pace.write(stored, len(uids), _remove, here.folder_id, uids)
        return
    peek = stored.peek
    after, pace = 0, Pace(peek(folders.get, here.folder_id).deleted, SLICE)
    while (folder := peek(folders.get, here.folder_id)).deleted:
        few = folder.deleted <= FEW and folder.messages <= SMALL
        limit = FEW if few else max(pace.size, FEW + 1)  # else it would be looked for on the loop
        gone = await pace.write(stored, limit, _remove_after, here.folder_id, after, limit)
        if gone:
            yield gone
        if len(gone) < limit:
            break
        after = gone[-1]


@bounded(lambda _, uids: len(uids) <= FEW)
def _remove(tx: Tx, folder_id: FolderId, uids: list[int]) -> list[Uid]:
    return entries.expunge(tx, folder_id, uids, only_deleted=True)


@bounded(lambda _, __, limit: limit <= FEW)
def _remove_after(tx: Tx, folder_id: FolderId, after: int, limit: int) -> list[Uid]:
    return entries.expunge(tx, folder_id, after=after, limit=limit)
