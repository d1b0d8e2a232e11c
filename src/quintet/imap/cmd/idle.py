"""IDLE: a state, not a running handler, so that there is nothing to cancel (RFC 9051 6.3.13, RFC 2177 3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from quintet.errors import BadSyntax, Reason
from quintet.imap import updates
from quintet.net.seam import Ask

if TYPE_CHECKING:
    from quintet.imap import commands
    from quintet.imap.session import Session
    from quintet.net.seam import Input, Replies


def idle(session: Session, command: commands.Idle, _: Input) -> Replies:
    if session.selected is not None:
        wake = session.notices.wake if session.notices is not None else None
        session.selected.listen(session.house.store, wake)
    session.idling = command.tag
    told, more = updates.collect(session)
    replies: list[Any] = [b"+ idling\r\n", *told, Ask.FLUSH]
    if more and (watch := session.watch) is not None:
        watch.set()  # the driver comes back for the rest
    return replies


def poll(session: Session) -> Replies:
    """The store gave a hint; the driver calls this between commands, never inside one."""
    notices = session.notices
    may_expunge = bool(session.idling) or notices is None or not notices.delayed
    told, more = updates.collect(session, may_expunge=may_expunge)
    others: list[bytes] = []
    if notices is not None:
        others, left = notices.collect()
        more = more or left
    if more or updates.owed(session):
        return _go_on(session, [*told, *others], may_expunge)
    return [*told, *others]


async def _go_on(session: Session, told: list[Any], may_expunge: bool) -> AsyncGenerator[Any, None]:
    """The rest, page by page: others get their turn, and a client that does not read makes us wait."""
    more = True
    while more:
        for reply in told:
            yield reply
        async with aclosing(updates.announced(session)) as lines:
            async for line in lines:
                yield line
        await asyncio.sleep(0)
        told, more = updates.collect(session, may_expunge=may_expunge)
        if session.notices is not None:
            others, left = session.notices.collect()
            told, more = [*told, *others], more or left
    for reply in told:
        yield reply
    async with aclosing(updates.announced(session)) as lines:
        async for line in lines:
            yield line


def done(session: Session, _: commands.Done, __: Input) -> Replies:
    if not session.idling:
        raise BadSyntax("DONE without IDLE", Reason.WRONG_STATE)
    tag, session.idling = session.idling, b""
    return updates.then(session, b"%b OK Done\r\n" % tag)


def broken_off(session: Session) -> Replies:
    """Anything but DONE ends the IDLE and is not carried out (RFC 9051 6.3.13: the client MUST NOT)."""
    tag, session.idling = session.idling, b""
    return [b"%b BAD [CLIENTBUG] Expected DONE\r\n" % tag]
