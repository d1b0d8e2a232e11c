"""SELECT, EXAMINE, CLOSE, UNSELECT.

RFC 9051 6.3.2, 6.3.3, 6.4.1, 6.4.2, RFC 3691 2, RFC 7162 3.1.2, 3.2.5.
"""

from __future__ import annotations

from array import array
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from quintet.errors import BadSyntax, Reason, Refused
from quintet.imap import answers, names, places, sets
from quintet.imap import format as fmt
from quintet.imap.cmd import annotate, expunge, resync
from quintet.imap.cmd.listing import USES
from quintet.imap.selected import Selected
from quintet.imap.view import View
from quintet.store import entries, folders, glance
from quintet.store.model import FolderId, FolderKind
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.imap import commands
    from quintet.imap.places import Place
    from quintet.imap.session import Session
    from quintet.net.seam import Input, Replies
    from quintet.store.db import Tx
    from quintet.store.model import AccountId

MAX_KEPT = 10_000  # mailboxes whose shape, and first unread message, are remembered: 5 MB
SMALL = 2000  # UIDs read on the loop thread: about half a millisecond; more are read in a thread


@dataclass(frozen=True, slots=True)
class Shape:
    """What a mailbox looks like at a change number."""

    modseq: int
    first: int  # lowest UID that is there
    dense: bool  # no gaps between their UIDs
    keywords: tuple[str, ...]


Shapes = dict[FolderId, Shape]


@dataclass(frozen=True, slots=True)
class Opened:
    """A mailbox at one moment."""

    place: Place
    first: int  # lowest UID that is there
    count: int
    dense: bool  # no gaps between their UIDs
    uids: array[int] | None  # None: without gaps, or too many to read here
    keywords: tuple[str, ...]


def select(session: Session, command: commands.Select, _: Input) -> Replies:
    """RFC 9051 6.3.2: a SELECT that fails leaves no mailbox selected."""
    if command.resync is not None and not session.qresync:
        raise BadSyntax("QRESYNC is not enabled", Reason.WRONG_STATE)  # RFC 7162 3.2.5
    prefix = b"* OK [CLOSED] Previous mailbox is closed\r\n" if session.selected is not None else b""
    session.leave()
    if command.condstore:
        session.enable((b"CONDSTORE",))
    try:
        name = names.decode(command.mailbox, utf8=session.utf8)
        opened = _known(session, name) or session.house.store.peek(
            look, session.user.account_id, name, SMALL, session.house.shapes
        )
    except Refused as error:
        return [prefix, answers.problem(error, command)]
    needs_recent = _wants_recent(session, command, opened.place)
    if (opened.uids is None and not opened.dense) or command.resync or needs_recent:
        return _select_waiting(session, command, opened, prefix)
    return [prefix + _enter(session, command, opened) + _selected(session, command)]


def _known(session: Session, name: str) -> Opened | None:
    """As `look`, with one question: of an own mailbox without gaps in which nothing changed since it."""
    if name.startswith(names.RESERVED):
        return None
    folder = session.house.store.ask(folders.find, session.user.account_id, name)
    known = None if folder is None else session.house.shapes.get(folder.id)
    if folder is None or known is None or known.modseq != folder.highest_modseq or not known.dense:
        return None
    where = places.Place(folder, name, places.ALL_RIGHTS, None)
    return Opened(where, known.first, folder.messages, True, None, known.keywords)


def look(tx: Tx, account_id: AccountId, name: str, most: int, shapes: Shapes) -> Opened:
    """One snapshot of a mailbox; its UIDs only if there are at most ``most`` and gaps between them.

    ``shapes`` is what is known of mailboxes: it holds as long as nothing in them changes.
    """
    where = places.get(tx, account_id, name, "r")
    folder = where.folder
    count = folder.messages
    known = shapes.get(folder.id)
    if known is None or known.modseq != folder.highest_modseq:
        first = entries.neighbour(tx, folder.id, 0, after=True) or 1
        last = entries.neighbour(tx, folder.id, folder.uid_next, after=False) or 0
        dense = not count or last - first + 1 == count
        known = Shape(folder.highest_modseq, first, dense, glance.keywords(tx, folder.id))
        if len(shapes) >= MAX_KEPT:
            shapes.clear()
        shapes[folder.id] = known
    uids = entries.uids(tx, folder.id) if not known.dense and count <= most else None
    return Opened(where, known.first, count, known.dense, uids, known.keywords)


def _wants_recent(session: Session, command: commands.Select, where: Place) -> bool:
    return (
        not session.rev2
        and not command.read_only
        and where.folder.kind == FolderKind.MAIL
        and session.house.recents.fresh(where.folder)
    )


async def _select_waiting(
    session: Session, command: commands.Select, opened: Opened, prefix: bytes
) -> AsyncGenerator[Any, None]:
    """For large mailboxes, new mail, and clients that resynchronise."""
    name, account = opened.place.name, session.user.account_id
    recent = None
    if _wants_recent(session, command, opened.place):
        folder = opened.place.folder
        recent = await session.house.recents.select(folder.account_id, folder.id, folder.uid_next)
    if opened.uids is None and not opened.dense:
        opened = await session.house.store.read(look, account, name, sets.MAX_NUMBER, {})
    yield prefix + _enter(session, command, opened, recent)
    known, here = command.resync, session.here
    # another UIDVALIDITY is another mailbox: nothing that the client knows holds (RFC 7162 3.2.5)
    if known is not None and here.uid_validity == known.uid_validity:
        within = known.known_uids.resolve(0) if known.known_uids is not None else None
        above = resync.matched(here.view, known)
        async with aclosing(resync.earlier(session, here, known.modseq, within, above)) as lines:
            async for line in lines:
                yield line
        async with aclosing(resync.changed(session, here, known)) as pages:
            async for text in pages:
                yield text
    yield _selected(session, command)


def _enter(
    session: Session,
    command: commands.Select,
    opened: Opened,
    recent: tuple[int, int] | None = None,
) -> bytes:
    """Selects; the untagged answers."""
    where, folder = opened.place, opened.place.folder
    view = View(opened.uids) if opened.uids is not None else View(first=opened.first, count=opened.count)
    here = Selected(where, view, examined=command.read_only, keywords=opened.keywords)
    here.annotate = command.annotate
    session.enter(here)
    if recent is not None:
        here.recent.append(recent)
    lines = [here.flag_lines(), b"* %d EXISTS\r\n" % len(view)]
    if not session.rev2:  # both are gone in RFC 9051
        lines.append(b"* %d RECENT\r\n" % here.recent_count())
        unseen = _first_unseen(session, where) if not session.uid_only else None  # a number (RFC 9586 3)
        number = view.number(unseen) if unseen else 0
        if number:
            lines.append(b"* OK [UNSEEN %d] First unseen\r\n" % number)
    lines.append(b"* OK [UIDVALIDITY %d] UIDs valid\r\n" % folder.uid_validity)
    lines.append(b"* OK [UIDNEXT %d] Predicted next UID\r\n" % folder.uid_next)
    lines.append(b"* OK [HIGHESTMODSEQ %d] Highest\r\n" % here.cursor)
    lines.append(b"* OK [%b] Of messages\r\n" % annotate.support(session, here))
    lines.append(b"* OK [URLMECH INTERNAL] For URLs\r\n")  # RFC 4467 7
    lines.append(b"* OK [MAILBOXID (%b)] Its id\r\n" % folder.object_id.encode("ascii"))
    if session.rev2:
        use = USES.get(folder.role, b"") if where.reader is None else b""
        told = fmt.normalized(command.mailbox, where.name, use)
        lines.append(told or b'* LIST (%b) "/" %b\r\n' % (use, fmt.mailbox(where.name, utf8=True)))
    return b"".join(lines)


def _first_unseen(session: Session, where: Place) -> int | None:
    """As `glance.first_unseen`, but looked for only once while nothing in the mailbox changes."""
    folder, kept = where.folder, session.house.unread
    if where.reader is not None:
        return session.house.store.peek(glance.first_unseen, folder, where.reader)
    modseq, found = kept.get(folder.id, (0, None))
    if modseq != folder.highest_modseq:
        found = session.house.store.peek(glance.first_unseen, folder, None)
        if len(kept) >= MAX_KEPT:
            kept.clear()
        kept[folder.id] = folder.highest_modseq, found
    return found


def _selected(session: Session, command: commands.Select) -> bytes:
    """The tagged answer."""
    mode = b"READ-ONLY" if session.here.read_only else b"READ-WRITE"
    return b"%b OK [%b] Selected\r\n" % (command.tag, mode)


async def close(session: Session, command: commands.Close, _: Input) -> AsyncGenerator[Any, None]:
    """RFC 9051 6.4.1: removes what is \\Deleted without telling, if this session may."""
    here = session.here
    if not here.read_only and "e" in here.rights:
        async with aclosing(expunge.removals(session, here, None)) as slices:
            async for _gone in slices:
                pass
    session.leave()
    yield b"%b OK Closed\r\n" % command.tag


def unselect(session: Session, command: commands.Unselect, _: Input) -> Replies:
    session.leave()
    return [b"%b OK Unselected\r\n" % command.tag]
