"""APPEND to a newsgroup posts there: `delivery.post` does the posting, as for NNTP's POST (RFC 5537 3.5)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from quintet.errors import Problem, Reason, Refused
from quintet.imap import updates
from quintet.imap.cmd.store import flags_of
from quintet.net.seam import Ask
from quintet.store import entries
from quintet.store.model import SEEN

if TYPE_CHECKING:
    from quintet.delivery.post import Posted, PostOffice
    from quintet.imap import commands
    from quintet.imap.places import Place
    from quintet.imap.session import Session
    from quintet.net.seam import Input

GO_AHEAD = b"+ Ready for literal data\r\n"


def office(session: Session) -> PostOffice:
    """Raises Refused(UNSUPPORTED): this server takes no postings by IMAP."""
    if session.house.office is None:
        raise Refused(Reason.UNSUPPORTED, "posting is not configured")
    return session.house.office


async def post(
    session: Session, command: commands.Append, where: Place, following: Input
) -> AsyncIterator[Any]:
    """Posts the one message of the command.

    Deviates: RFC 3502's second message is refused, because a posting cannot be taken back.
    """
    upload = command.first
    flags, _ = flags_of(upload.flags)
    desk = office(session)
    if upload.waits:
        yield GO_AHEAD
        yield Ask.FLUSH
    problem: Problem | None = None
    posted: Posted | None = None
    left = upload.size

    async def body() -> AsyncIterator[bytes]:
        nonlocal left
        async for chunk in following.counted(upload.size):
            left -= len(chunk)
            yield chunk

    try:
        posted = await desk.post(
            session.user, session.peer, body(), group=where.folder.name, received_at=upload.moment
        )
    except Problem as error:
        problem = error
    if left:
        async for _ in following.counted(left):
            pass  # what a refusal did not read
    rest = (await following.line()).removeprefix(b")") if upload.utf8 else await following.line()
    if problem is not None:
        raise problem
    assert posted is not None
    number = posted.number(where.folder.name)
    if number and flags & SEEN:
        await session.house.store.write(
            entries.set_flags, where.folder.id, [number], "+", SEEN, (), reader=where.reader
        )
    for reply in await updates.told(session):
        yield reply
    if rest.strip(b" "):
        yield b"%b NO [CANNOT] Posted the first message; a group takes one at a time\r\n" % command.tag
    elif number:
        yield b"%b OK [APPENDUID %d %d] Posted\r\n" % (command.tag, where.folder.uid_validity, number)
    else:
        yield b"%b OK Sent to the moderator\r\n" % command.tag
