"""IDLE: a state, not a running handler, so that there is nothing to cancel (RFC 9051 6.3.13, RFC 2177)."""

from __future__ import annotations

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
        session.selected.listen(session.house.store)
    session.idling = command.tag
    told, _more = updates.collect(session)
    replies: list[Any] = [b"+ idling\r\n", *told, Ask.FLUSH]
    return replies


def poll(session: Session) -> Replies:
    """The store gave a hint; the driver calls this between commands, never inside one."""
    told, more = updates.collect(session)
    if more and session.selected is not None and session.selected.hint is not None:
        session.selected.hint.set()  # the driver comes back for the rest after it has written this
    return told


def done(session: Session, _: commands.Done, __: Input) -> Replies:
    if not session.idling:
        raise BadSyntax("DONE without IDLE", Reason.WRONG_STATE)
    tag, session.idling = session.idling, b""
    return updates.then(session, b"%b OK Done\r\n" % tag)


def broken_off(session: Session) -> Replies:
    """Anything but DONE ends the IDLE and is not carried out (RFC 9051 6.3.13: the client MUST NOT)."""
    tag, session.idling = session.idling, b""
    return [b"%b BAD [CLIENTBUG] Expected DONE\r\n" % tag]
