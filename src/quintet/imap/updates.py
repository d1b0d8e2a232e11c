"""What others changed in the selected mailbox, told before an answer ends (RFC 9051 5.2, 7.5, RFC 7162).

EXPUNGE and VANISHED are held back while a command with sequence numbers is answered; until they are told
a client that counts in MODSEQs is told how far its knowledge is whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from types import ModuleType
from typing import TYPE_CHECKING, Any

from quintet.errors import Refused
from quintet.imap import annotating, sets
from quintet.imap import format as fmt
from quintet.imap.notify_commands import ANNOTATIONS, FLAGS
from quintet.net.seam import Ask
from quintet.store import changes, entry_annotations, glance
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.imap.selected import Selected
    from quintet.imap.session import Session
    from quintet.net.seam import Replies
    from quintet.store.changes import Changes
    from quintet.store.db import Tx
    from quintet.store.model import Changed, Uid

PAGE = 500  # changes read at once: about a millisecond


def then(session: Session, tail: bytes | Callable[[], bytes], *, may_expunge: bool = True) -> Replies:
    """All that changed, then ``tail`` (a tagged answer, or what makes it when all is told)."""
    told, more = collect(session, may_expunge=may_expunge)
    if more or owed(session):
        return _go_on(session, told, tail, may_expunge, more)
    told.append(tail if isinstance(tail, bytes) else tail())
    return told


async def after(told: list[Any], news: Any) -> AsyncGenerator[Any, None]:
    """Replies, and those of `then` where they have to wait."""
    for reply in told:
        yield reply
    async with aclosing(news) as replies:
        async for reply in replies:
            yield reply


async def told(session: Session, *, may_expunge: bool = True, asked: bool = False) -> list[Any]:
    """All that changed, for handlers that wait anyway; others get their turn after each page.

    ``asked``: also where NOTIFY said that nothing is wanted, because the command is about it.
    """
    replies, more = collect(session, may_expunge=may_expunge, asked=asked)
    while more:
        await asyncio.sleep(0)
        some, more = collect(session, may_expunge=may_expunge, asked=asked)
        replies += some
    if owed(session):
        replies += [line async for line in announced(session)]
    return replies


async def _go_on(
    session: Session, told: list[Any], tail: bytes | Callable[[], bytes], may_expunge: bool, more: bool
) -> AsyncGenerator[Any, None]:
    while True:
        for reply in told:
            yield reply
        async with aclosing(announced(session)) as lines:
            async for line in lines:
                yield line
        if not more:
            break
        await asyncio.sleep(0)
        told, more = collect(session, may_expunge=may_expunge)
    yield tail if isinstance(tail, bytes) else tail()


def owes(session: Session) -> bool:
    """Something is to be told though nobody changed anything."""
    here = session.selected
    if here is None or session.notices is not None:
        return True
    return bool(here.view.gone or here.tell_flags or here.tell_modseq)


def owed(session: Session) -> bool:
    """New messages are still to be told of as NOTIFY, or a search that is followed, wants it."""
    return session.selected is not None and bool(session.selected.fresh or session.selected.owed)


async def announced(session: Session) -> AsyncGenerator[Any, None]:
    """FETCH of what NOTIFY wants to know of new messages, and a search of what it finds (RFC 5465 5.2, 7)."""
    here, notices = session.selected, session.notices
    if here is None or not (here.fresh or here.owed):
        return
    from quintet.imap.cmd import fetch_bodies  # it knows this module

    fresh, here.fresh = here.fresh, []
    owed, here.owed = here.owed, []
    if notices is not None and notices.items and fresh:
        async with aclosing(fetch_bodies.unasked(session, notices.items, sets.runs(fresh))) as lines:
            async for line in lines:
                yield line
        if session.condstore and session.selected is here and here.held is not None:
            yield _reached(here)  # those lines told of MODSEQs behind it
    for context, ops, uids in owed:
        if uids:
            async with aclosing(fetch_bodies.unasked(session, context.items, sets.runs(uids))) as lines:
                async for line in lines:
                    yield line
        if session.selected is here:
            yield contexts().lines(here, context, ops)


def collect(session: Session, *, may_expunge: bool = True, asked: bool = False) -> tuple[list[Any], bool]:
    """At most `PAGE` changes as untagged answers; true as well if there are more."""
    here = session.selected
    if here is None:
        return [], False
    if session.notices is not None and not session.notices.selected and not asked:
        here.told.clear()  # RFC 5465 3.1, 5: to this client the mailbox stands still
        return [], False
    if not here.renew(session.house.store):
        return no_longer(session), False
    highest = session.house.store.ask(glance.highest, here.folder_id)
    quiet = highest is not None and highest <= here.cursor  # as it is nearly always
    if quiet and here.still:
        return [], False
    found: News | None = None
    if highest is not None:
        found = _NOTHING if quiet else session.house.store.peek(_news, session, here)
    told: list[Any] = []
    if here.tell_flags:
        here.tell_flags = False
        told.append(here.flag_lines())
    if here.tell_modseq:
        here.tell_modseq = False
        told.append(b"* OK [HIGHESTMODSEQ %d] Highest\r\n" % here.complete)
    if found is None:
        session.leave()
        return [b"* BYE [NONEXISTENT] The mailbox was deleted\r\n", Ask.CLOSE], False
    late = here.held is not None
    if found.changes is not None:
        if here.contexts:
            told.append(contexts().vanished(here, found.changes.vanished))
        here.vanish(found.changes.vanished)
    if may_expunge and here.view.gone:  # before EXISTS, which counts what is left
        told.append(expunged(session, here))
    _tell(session, here, found, told)
    if here.contexts:
        touched = (one.uid for one in found.changes.changed) if found.changes is not None else ()
        told.append(contexts().changed(session, here, {*found.arrived, *touched}, found.arrived))
    if session.condstore and not found.more and late | (here.held is not None):
        told.append(_reached(here))
    return told, found.more


def _reached(here: Selected) -> bytes:
    """RFC 7162 3.2, 6: a client that is cut off now must ask from before what it was not told."""
    return b"* OK [HIGHESTMODSEQ %d] All is told up to here\r\n" % here.complete


def no_longer(session: Session) -> list[Any]:
    """The right to read is gone (RFC 4314 5.1.1)."""
    session.leave()
    return [b"* BYE [NOPERM] The mailbox may no longer be read\r\n", Ask.CLOSE]


def contexts() -> ModuleType:
    """Results that are followed (RFC 5267); they search, and searches end with updates."""
    from quintet.imap import contexts  # it knows this module

    return contexts


@dataclass(frozen=True, slots=True)
class News:
    """A page of what happened."""

    arrived: list[Uid]  # in the order of their numbers, whatever was done to them since
    changes: Changes | None  # None: nothing, or arrivals filled the page
    more: bool
    remarks: dict[Uid, list[str]]  # names of annotations that changed, where they are to be told


_NOTHING = News([], None, False, {})


def _news(tx: Tx, session: Session, here: Selected) -> News | None:
    """What is new since the cursor; None: no folder."""
    # first of all: what came and was flagged later stands behind others in the order of changes
    arrived = changes.arrivals(tx, here.folder_id, here.view.largest, PAGE)
    if len(arrived) == PAGE:
        return News(arrived, None, True, {})
    try:
        found = changes.since(
            tx, here.folder_id, here.cursor, reader=here.reader, limit=PAGE, cleared=here.cleared
        )
    except Refused:
        return None
    return News(arrived, found, found.more, renamed(tx, session, here, here.cursor, found.highest_modseq))


def renamed(tx: Tx, session: Session, here: Selected, after: int, upto: int) -> dict[Uid, list[str]]:
    """Names of annotations that changed, where SELECT or NOTIFY wants them (RFC 5257 4.4, RFC 5465 5.1)."""
    wanted = here.annotate
    if session.notices is not None:
        wanted = ANNOTATIONS in session.notices.selected
    if not wanted:
        return {}
    return entry_annotations.changed(tx, here.folder_id, after, upto, session.user.account_id)


def _tell(session: Session, here: Selected, news: News, told: list[Any]) -> None:
    known = here.view.largest
    if here.view.append(news.arrived):
        here.arrived(session, known + 1)
        told.append(b"* %d EXISTS\r\n" % len(here.view))
        if session.notices is not None and session.notices.items:
            here.fresh += [uid for uid in news.arrived if uid not in here.made]
        here.made.difference_update(news.arrived)
        if not session.rev2:
            told.append(b"* %d RECENT\r\n" % here.recent_count())
    found = news.changes
    if found is None:
        return
    fresh = [
        one
        for one in found.changed
        if one.uid <= known and one.uid not in found.untouched and here.told.get(one.uid, 0) < one.modseq
    ]
    plainly = session.notices is None or FLAGS in session.notices.selected
    if not plainly:
        fresh = [one for one in fresh if one.uid in news.remarks]
    if fresh:
        told.append(flags(session, here, fresh, news.remarks, plainly=plainly))
    here.cursor, here.cleared = found.highest_modseq, found.cleared
    if not found.more:
        here.told.clear()


def flags(
    session: Session,
    here: Selected,
    changed: Iterable[Changed],
    remarks: Mapping[Uid, Iterable[str]] | None = None,
    *,
    plainly: bool = True,
) -> bytes:
    """``* n FETCH (UID u FLAGS (...))`` a message, with MODSEQ where that is on (RFC 9051 7.5.2).

    With the names of annotations that changed; FLAGS themselves only ``plainly`` (RFC 5465 5.1).
    """
    if remarks or not plainly:
        return _with_remarks(session, here, list(changed), remarks or {}, plainly=plainly)
    lines = [here.new_keywords(session, changed)]
    modseq = session.condstore
    for one in changed:
        number = here.view.number(one.uid)
        if not number or here.view.is_gone(one.uid):
            continue
        text = fmt.flags(one.flags, one.keywords, recent=here.is_recent(one.uid))
        if session.uid_only:  # RFC 9586 3.3
            told = b"MODSEQ (%d) FLAGS (%b)" % (one.modseq, text) if modseq else b"FLAGS (%b)" % text
            lines.append(b"* %d UIDFETCH (%b)\r\n" % (one.uid, told))
            continue
        if modseq:
            lines.append(
                b"* %d FETCH (UID %d MODSEQ (%d) FLAGS (%b))\r\n" % (number, one.uid, one.modseq, text)
            )
        else:
            lines.append(b"* %d FETCH (UID %d FLAGS (%b))\r\n" % (number, one.uid, text))
    return b"".join(lines)


def _with_remarks(
    session: Session,
    here: Selected,
    changed: list[Changed],
    remarks: Mapping[Uid, Iterable[str]],
    *,
    plainly: bool,
) -> bytes:
    lines = [here.new_keywords(session, changed)] if plainly else []
    for one in changed:
        number = here.view.number(one.uid)
        if not number or here.view.is_gone(one.uid):
            continue
        items = [] if session.uid_only else [b"UID %d" % one.uid]
        if session.condstore:
            items.append(b"MODSEQ (%d)" % one.modseq)
        if plainly:
            text = fmt.flags(one.flags, one.keywords, recent=here.is_recent(one.uid))
            items.append(b"FLAGS (%b)" % text)
        if one.uid in remarks:
            items.append(annotating.changed(remarks[one.uid]))
        word, called = (b"UIDFETCH", one.uid) if session.uid_only else (b"FETCH", number)
        lines.append(b"* %d %b (%b)\r\n" % (called, word, b" ".join(items)))
    return b"".join(lines)


def expunged(session: Session, here: Selected) -> bytes:
    """EXPUNGE from the highest number, or VANISHED, for all that is gone and not told."""
    numbers, uids = here.view.expunge()
    here.held = None
    if session.qresync or session.uid_only:  # RFC 9586 3.5
        return b"* VANISHED %b\r\n" % sets.write(sets.runs(uids)) if uids else b""
    return b"".join([b"* %d EXPUNGE\r\n" % number for number in numbers])
