"""APPEND to a newsgroup posts there: `delivery.post` does the posting, as for NNTP's POST (RFC 5537 3.5)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Any

from quintet.errors import BadSyntax, Reason, Refused, TryLater
from quintet.imap import append_grammar, updates
from quintet.imap.cmd import uploads
from quintet.imap.cmd.store import flags_of
from quintet.imap.tokens import Cursor
from quintet.net.seam import Ask
from quintet.store import entries
from quintet.store.model import SEEN

if TYPE_CHECKING:
    from quintet.delivery.post import PostOffice
    from quintet.imap import commands
    from quintet.imap.append_commands import Begin, Literal
    from quintet.imap.places import Place
    from quintet.imap.session import Session
    from quintet.net.seam import Input


def office(session: Session) -> PostOffice:
    """Raises Refused(UNSUPPORTED): this server takes no postings by IMAP."""
    if session.house.office is None:
        raise Refused(Reason.UNSUPPORTED, "posting is not configured")
    return session.house.office


async def post(
    session: Session,
    command: commands.Append,
    begin: Begin,
    literal: Literal,
    where: Place,
    following: Input,
) -> AsyncGenerator[Any, None]:
    """Posts the one message of the command.

    Deviates: RFC 3502's second message is refused, and the first with it, because a posting cannot be taken
    back.
    """
    flags, _ = flags_of(begin.flags)
    try:
        desk = office(session)
    except Refused:
        await uploads.pass_over(literal, following)
        raise
    if literal.waits:
        yield uploads.GO_AHEAD
        yield Ask.FLUSH
    left = literal.size
    ended = False

    async def body() -> AsyncIterator[bytes]:
        """The message; it has ended only when the command has, so that nothing is posted before."""
        nonlocal left, ended
        async for chunk in following.counted(literal.size):
            left -= len(chunk)
            yield chunk
        ended = True
        await _last(literal, following)

    try:
        posted = await desk.post(
            session.user, session.peer, body(), group=where.folder.name, received_at=begin.moment
        )
    except (BadSyntax, Refused, TryLater):
        if not ended:
            async for _ in following.counted(left):
                pass  # what a refusal did not read
            await _last(literal, following)
        raise
    number = posted.number(where.folder.name)
    if number and flags & SEEN:
        await session.house.store.write(
            entries.set_flags, where.folder.id, [number], "+", SEEN, (), reader=where.reader
        )
    for reply in await updates.told(session):
        yield reply
    if number:
        yield b"%b OK [APPENDUID %d %d] Posted\r\n" % (command.tag, where.folder.uid_validity, number)
    else:
        yield b"%b OK Sent to the moderator\r\n" % command.tag


async def _last(literal: Literal, following: Input) -> None:
    """The command must end behind its message."""
    line = await following.line()
    try:
        rest = append_grammar.stretch(Cursor(line), literal)
        if rest.steps:
            raise Refused(Reason.UNSUPPORTED, "a group takes one message at a time")
    except (BadSyntax, Refused):
        await uploads.pass_rest(line, following)
        raise
