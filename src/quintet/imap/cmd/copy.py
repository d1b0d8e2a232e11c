"""COPY, MOVE and their UID forms (RFC 9051 6.4.7, 6.4.8, RFC 4315 3, RFC 6851)."""

from __future__ import annotations

from array import array
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Self

from quintet.errors import Problem, Reason, Refused
from quintet.imap import answers, limits, names, places, sets, updates
from quintet.imap.cmd import annotate, fetch
from quintet.imap.pace import Pace
from quintet.imap.progress import Progress
from quintet.store import entries
from quintet.store.db import bounded
from quintet.store.model import Copied, FolderKind

if TYPE_CHECKING:
    from quintet.imap import commands
    from quintet.imap.places import Place
    from quintet.imap.selected import Selected
    from quintet.imap.session import Session
    from quintet.net.seam import Input
    from quintet.store.db import Tx
    from quintet.store.model import AccountId

WHOLE = 1000  # messages that are copied or moved in one transaction: 5 ms or so, 14 where they move
SLICE = 1000  # of more, at most (`pace`)
FEW = 16  # messages that go between two turns of the loop


async def copy(session: Session, command: commands.Copy, _: Input) -> AsyncGenerator[Any, None]:
    here = session.here
    name = names.decode(command.mailbox, utf8=session.utf8)
    if command.move and (here.read_only or not {"t", "e"} <= set(here.rights)):
        raise Refused(Reason.NO_PERMISSION, "messages cannot be moved out of here")
    ranges, short = fetch.wanted(here, command.numbers, uid=command.uid), b""
    if command.move:
        ranges, short = limits.cut(session, here, ranges)
    asked = here.view.count(ranges)
    if not asked:
        yield b"%b OK No messages\r\n" % command.tag
        return
    limit = limits.saved(session)
    if asked > limit and not command.move:  # RFC 9738 3.1: copies are all or none
        lowest = here.view.uids(ranges)[-limit]
        raise answers.Coded(limits.code(limit, lowest), Reason.TOO_MANY, "too many messages to copy at once")
    code, news = b"", Progress(session, command.tag, asked)
    if command.move:
        moved = 0
        async with aclosing(_moves(session, here, name, ranges, asked)) as slices:
            async for done in slices:
                moved += len(done.sources)
                for reply in news.at(moved):
                    yield reply
                if done.code():  # before EXPUNGE, so that the client knows where they went (RFC 6851 4.3)
                    yield b"* OK %bMoved\r\n" % done.code()
                for reply in await updates.told(session, asked=command.move):
                    yield reply
                if session.selected is not here:
                    break  # the mailbox is gone
    else:
        done = Done()
        async with aclosing(_copy(session, here, name, ranges, asked, done)) as slices:
            async for _copied in slices:
                for reply in news.at(len(done.sources)):
                    yield reply
        moved = len(done.sources)
        code = done.code()
        if session.notices is not None and session.notices.selected and name == here.name:
            here.made.update(done.targets)
    for reply in await updates.told(session, asked=command.move):
        yield reply
    if command.move and session.qresync and moved:
        code = b"[HIGHESTMODSEQ %d] " % here.cursor
    if not command.uid and moved < asked:
        code = code or b"[EXPUNGEISSUED] "
    yield limits.done(command.tag, code, short)


class Done:
    """What was copied, as COPYUID tells it: four bytes a number, there may be millions."""

    __slots__ = ("readable", "sources", "targets", "uid_validity")

    def __init__(self) -> None:
        self.uid_validity = 0
        self.readable = True  # who copied may read the target as well
        self.sources = array("I")
        self.targets = array("I")

    def add(self, target: Place, copied: list[Copied]) -> Self:
        self.uid_validity, self.readable = target.folder.uid_validity, target.may("r")
        self.sources.extend([one.source_uid for one in copied])
        self.targets.extend([one.target_uid for one in copied])
        return self

    def code(self) -> bytes:
        """``[COPYUID ...] `` (RFC 4315 3); b"" for nothing, or where it told too much (RFC 9051 11.4)."""
        if not self.sources or not self.readable:
            return b""
        return b"[COPYUID %d %b %b] " % (
            self.uid_validity,
            sets.write(sets.runs(self.sources)),
            sets.write(sets.runs(self.targets)),
        )


async def _moves(
    session: Session, here: Selected, name: str, ranges: list[tuple[int, int]], asked: int
) -> AsyncGenerator[Done, None]:
    """Moves in slices: each message moves or stays, all of them need not (RFC 6851 3.3)."""
    stored, pace = session.house.store, Pace(asked, WHOLE, SLICE)
    for page in here.view.batches(ranges, SLICE):
        for uids in pace.pieces(page):
            moved = await pace.write(stored, len(uids), _transfer, session, here, name, uids, True)
            yield Done().add(*moved)


async def _copy(
    session: Session, here: Selected, name: str, ranges: list[tuple[int, int]], asked: int, done: Done
) -> AsyncGenerator[None, None]:
    """All or none (RFC 9051 6.4.7): in one transaction, or in slices that are undone when one fails.

    Deviates: when we die between two slices, the copies so far stay; nobody else could write while a
    million is copied in one transaction.
    """
    account = session.user.account_id
    stored, pace = session.house.store, Pace(asked, WHOLE, SLICE)
    try:
        for page in here.view.batches(ranges, asked if asked <= WHOLE else SLICE):
            for uids in pace.pieces(page):
                done.add(*await pace.write(stored, len(uids), _transfer, session, here, name, uids, False))
                yield
    except Problem:
        for start in range(0, len(done.targets), SLICE):
            some = list(done.targets[start : start + SLICE])
            await stored.write(_undo, account, name, done.uid_validity, some)
        raise


def _undo(tx: Tx, account_id: AccountId, name: str, uid_validity: int, uids: list[int]) -> None:
    target = places.find(tx, account_id, name)
    if target is not None and target.folder.uid_validity == uid_validity:
        entries.expunge(tx, target.folder.id, uids)


@bounded(lambda _, __, ___, uids, ____: len(uids) <= FEW)
def _transfer(
    tx: Tx, session: Session, here: Selected, name: str, uids: list[int], move: bool
) -> tuple[Place, list[Copied]]:
    """All of them or none; the target is looked up in the transaction that writes."""
    me = session.user.account_id
    target = places.get(tx, me, name, "i")
    if target.folder.kind != FolderKind.MAIL:
        raise Refused(Reason.UNSUPPORTED, "messages are not copied into newsgroups")
    work = entries.move if move else entries.copy
    copied = work(
        tx,
        here.folder_id,
        uids,
        target.folder.id,
        reader=here.reader,
        taker=target.reader,
        flags=places.flag_bits(target.rights),  # RFC 4314 4: flags without the right are passed over
        keywords=target.may("w"),
        along=annotate.along(target, me, session.house.config),
    )
    return target, copied
