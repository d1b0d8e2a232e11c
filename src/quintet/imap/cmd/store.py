"""STORE and UID STORE (RFC 9051 6.4.6, RFC 7162 3.1.3, RFC 4314 4)."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from quintet.errors import BadSyntax, Reason, Refused
from quintet.imap import answers, commands, limits, sets, updates
from quintet.imap import format as fmt
from quintet.imap.cmd import fetch
from quintet.imap.pace import Pace
from quintet.imap.progress import Progress
from quintet.imap.selected import MAX_KEYWORDS as MAX_HERE
from quintet.net.seam import Pending
from quintet.store import entries, folders, glance, reading
from quintet.store.db import bounded
from quintet.store.model import ALL_FLAGS, SEEN
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.imap.selected import Selected
    from quintet.imap.session import Session
    from quintet.net.seam import Input, Replies
    from quintet.store.db import Tx
    from quintet.store.marking import Mode
    from quintet.store.model import Changed, Folder, Uid
    from quintet.store.trace import Note

MAX_KEYWORD = 64  # octets of one keyword
MAX_KEYWORDS = 50  # of one command
MAX_LATE = 500  # of a page: messages that changed meanwhile whose state is told unasked
FEW = 32  # messages changed between two turns of the loop
PAGE = 1000  # messages changed in one transaction at most (`pace`); the writer is everybody's


def store(session: Session, command: commands.Store, _: Input) -> Replies:
    here = session.here
    bits, keywords = flags_of(command.flags)
    ranges = fetch.wanted(here, command.numbers, uid=command.uid)
    ranges, short = limits.cut(session, here, ranges)
    bits, keywords, may = _allowed(here, command.mode, bits, keywords)
    fresh = [word for word in keywords if word.lower() not in here.keywords] if command.mode != "-" else []
    if fresh and len(here.keywords) + len(fresh) > MAX_HERE:
        raise answers.Coded(b"LIMIT", Reason.TOO_MANY, "too many keywords in this mailbox")  # RFC 5530 3
    if command.unchanged_since is not None:
        session.enable((b"CONDSTORE",))  # RFC 7162 3.1
    note = None
    if bits & SEEN:
        note = reading.by(session.peer.id, session.user.account_id, "imap", opened=False)
    since = here.cursor if command.silent else None
    change = Change(command.mode, bits, keywords, command.unchanged_since, may, since)
    if len(ranges) <= FEW and 0 < here.view.count(ranges) <= FEW:
        return _few(session, command, ranges, short, change, note)
    return _many(session, command, ranges, short, change, note)


def _few(
    session: Session, command: commands.Store, ranges: fetch.Ranges, short: bytes, change: Change, note: Any
) -> Replies:
    """In one transaction, whose flush is waited for without a task."""
    here = session.here
    uids = here.view.uids(ranges)
    news = Progress(session, command.tag, len(uids))
    marking = session.house.store.submit(_change, here, uids, change, note)

    def then() -> Replies:
        done = marking.result()
        told: list[Any] = [*news.at(len(uids)), *_told(session, command, here, done)]
        tail = functools.partial(end, session, command, ranges, done.refused, short)
        if _noted(here, done) and not updates.owes(session):
            return [*told, tail()]
        more = updates.then(session, tail, may_expunge=command.uid)
        return [*told, *more] if isinstance(more, list) else updates.after(told, more)

    return Pending(marking, then)


async def _many(
    session: Session, command: commands.Store, ranges: fetch.Ranges, short: bytes, change: Change, note: Any
) -> AsyncGenerator[Any, None]:
    here, stored = session.here, session.house.store
    modified: list[int] = []
    total, changed = here.view.count(ranges), 0
    news, pace = Progress(session, command.tag, total), Pace(total, PAGE)
    alone = False  # nobody else changed anything
    for page in (some for batch in here.view.batches(ranges, PAGE) for some in pace.pieces(batch)):
        done = await pace.write(stored, len(page), _change, here, page, change, note)
        note = None  # of the first page only: a note is for people
        modified += done.refused
        changed += len(page)
        for reply in news.at(changed):
            yield reply
        for line in _told(session, command, here, done):
            yield line
        alone = _noted(here, done)
        if alone:
            continue
        for reply in await updates.told(session, may_expunge=False):
            yield reply
        if session.selected is not here:
            break  # the mailbox is gone
    if not alone or updates.owes(session):
        for reply in await updates.told(session, may_expunge=command.uid):
            yield reply
    yield end(session, command, ranges, modified, short)


def _told(session: Session, command: commands.Store, here: Selected, done: Done) -> list[bytes]:
    """What the client hears of what was changed, and why something was not."""
    told: list[bytes] = []
    if done.late:  # RFC 7162 3.1.3: told why, so that nobody has to ask
        here.told.update((one.uid, one.modseq) for one in done.late)
    if not command.silent:
        told.append(updates.flags(session, here, done.changed))
    elif session.condstore and done.changed:
        told.append(modseqs(session, here, done.changed))
    if done.late:
        told.append(updates.flags(session, here, done.late))
    return told


def _noted(here: Selected, done: Done) -> bool:
    """True if nobody else changed anything: then all is told."""
    if done.before <= here.cursor and not here.contexts and not done.news:
        here.cursor = max(here.cursor, done.after)
        return True
    here.told.update((one.uid, one.modseq) for one in done.changed if one.uid not in done.news)
    return False


def flags_of(words: tuple[bytes, ...]) -> tuple[int, tuple[str, ...]]:
    """Bits and keywords of a flag list.

    Raises:
        BadSyntax: a backslash before what is no system flag.
        Refused(TOO_MANY): keywords beyond our limits.
    """
    bits = 0
    keywords: dict[str, str] = {}
    for word in words:
        if word.startswith(b"\\"):
            bit = fmt.FLAG_BITS.get(word.upper())
            if bit is None:
                raise BadSyntax("no such system flag")  # \Recent cannot be set (RFC 3501 2.3.2)
            bits |= bit
        else:
            text = word.decode("ascii")
            keywords.setdefault(text.lower(), text)
            if len(word) > MAX_KEYWORD or len(keywords) > MAX_KEYWORDS:
                raise Refused(Reason.TOO_MANY, "too many or too long keywords")
    return bits, tuple(keywords.values())


def _allowed(
    here: Selected, mode: str, bits: int, keywords: tuple[str, ...]
) -> tuple[int, tuple[str, ...], int]:
    """What of a change the rights allow (RFC 4314 4: the rest is passed over; none at all is refused).

    The third value is what "=" may touch.
    """
    if here.read_only:
        raise Refused(Reason.NO_PERMISSION, "mailbox is read-only")
    may = here.changeable()
    if not may or (mode != "=" and bits and not bits & may and not keywords):
        raise Refused(Reason.NO_PERMISSION)
    if "w" not in here.rights:
        if keywords and not bits & may:
            raise Refused(Reason.NO_PERMISSION)
        keywords = ()
    return bits & may, keywords, may if may != ALL_FLAGS else ALL_FLAGS


@dataclass(frozen=True, slots=True)
class Done:
    """What one transaction changed, and the folder's change number before and after."""

    changed: list[Changed]
    refused: list[Uid]
    late: list[Changed]  # the state of some that were refused
    before: int
    after: int
    news: frozenset[Uid] = frozenset()  # changed silently, and by others before: their state is to be told


@dataclass(frozen=True, slots=True)
class Change:
    """What is to become of the messages."""

    mode: Mode
    bits: int
    keywords: tuple[str, ...]
    unchanged_since: int | None
    may: int  # the flags that "=" may touch
    since: int | None  # what the client knew when it asked for silence; None: it did not


@bounded(lambda here, uids, *_: len(uids) <= FEW)
def _change(tx: Tx, here: Selected, uids: list[int], change: Change, note: Note | None) -> Done:
    folder = folders.get(tx, here.folder_id)
    before: int = folder.highest_modseq
    after = before
    news = news_of(tx, here, uids, before, change.since) if change.since is not None else frozenset()
    changed, refused = _set(tx, here, folder, uids, change, note)
    late = entries.states(tx, here.folder_id, refused[:MAX_LATE], reader=here.reader) if refused else []
    if here.reader is not None:  # marks of one's own are counted apart
        after = glance.highest(tx, here.folder_id) or 0
    elif changed:
        after = max(before, *(one.modseq for one in changed))
    return Done(changed, refused, late, before, after, news)


def news_of(tx: Tx, here: Selected, uids: list[int], before: int, since: int) -> frozenset[Uid]:
    """Those that others changed after ``since``; the answer to a silent change would hide it.

    RFC 9051 6.4.6: what an external source changed is told, .SILENT or not.  Also what was told since the
    command began is told once more, because its state has changed with this command.
    """
    if before <= since:
        return frozenset()
    states = entries.states(tx, here.folder_id, uids, reader=here.reader)
    return frozenset(one.uid for one in states if one.modseq > max(since, here.told.get(one.uid, 0)))


def _set(
    tx: Tx, here: Selected, folder: Folder, uids: list[int], asked: Change, note: Note | None
) -> tuple[list[Changed], list[Uid]]:
    """Sets flags; "=" touches only what the rights allow, so it may be a "-" and a "+"."""
    change = functools.partial(
        entries.set_flags, tx, here.folder_id, reader=here.reader, trace_note=note, folder=folder
    )
    bits, keywords, since = asked.bits, asked.keywords, asked.unchanged_since
    if asked.mode != "=" or asked.may == ALL_FLAGS:
        return change(uids, asked.mode, bits, keywords, unchanged_since=since)
    before, modified = change(uids, "-", asked.may & ~bits, (), unchanged_since=since)
    late = set(modified)
    after, _ = change([uid for uid in uids if uid not in late], "+", bits, keywords)
    newest = {one.uid: one.modseq for one in before}
    return [replace(one, modseq=max(one.modseq, newest.get(one.uid, one.modseq))) for one in after], modified


def modseqs(session: Session, here: Selected, changed: list[Any]) -> bytes:
    """RFC 7162 3.1.3: .SILENT hides the flags, not the new MODSEQ."""
    view = here.view
    if session.uid_only:
        return b"".join([b"* %d UIDFETCH (MODSEQ (%d))\r\n" % (one.uid, one.modseq) for one in changed])
    return b"".join(
        [
            b"* %d FETCH (UID %d MODSEQ (%d))\r\n" % (view.number(one.uid), one.uid, one.modseq)
            for one in changed
            if view.number(one.uid)
        ]
    )


def end(
    session: Session,
    command: commands.Store | commands.Annotate,
    ranges: fetch.Ranges,
    modified: Sequence[int],
    short: bytes,
) -> bytes:
    here = session.selected
    if modified and here is not None:  # RFC 7162 3.1.3: by number, or by UID, as they were asked for
        told = sets.runs(modified) if command.uid else here.view.number_ranges(modified)
        code = b"[MODIFIED %b] " % sets.write(told)
        return limits.done(command.tag, code, short, b"Conditional STORE failed")
    gone = (
        here is not None
        and here.view.gone
        and any(here.view.is_gone(uid) for page in here.view.pages(ranges, PAGE) for uid in page)
    )
    if gone and not command.uid:
        if isinstance(command, commands.Store) and command.silent:  # RFC 2180 4.2.1
            return limits.done(command.tag, b"[EXPUNGEISSUED] ", short)
        return b"%b%b NO [EXPUNGEISSUED] Some messages are gone\r\n" % (limits.untagged(short), command.tag)
    return limits.done(command.tag, b"", short)
