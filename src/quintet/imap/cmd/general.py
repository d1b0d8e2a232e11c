"""CAPABILITY, NOOP, CHECK, LOGOUT, ID, ENABLE (RFC 9051 6.1, 6.3.1, RFC 2971, RFC 3501 6.4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import quintet
from quintet import log
from quintet.imap import capabilities, updates
from quintet.imap import format as fmt

if TYPE_CHECKING:
    from quintet.imap import commands
    from quintet.imap.session import Session
    from quintet.net.seam import Input, Replies
from quintet.net.seam import Ask

logger = log.get("imap")


def capability(session: Session, command: commands.Capability, _: Input) -> Replies:
    return [b"* CAPABILITY %b\r\n%b OK Done\r\n" % (capabilities.told(session), command.tag)]


def noop(session: Session, command: commands.Noop | commands.Check, _: Input) -> Replies:
    return updates.then(session, b"%b OK Done\r\n" % command.tag)


def logout(session: Session, command: commands.Logout, _: Input) -> Replies:
    session.leave()
    return [b"* BYE Until next time\r\n%b OK Done\r\n" % command.tag, Ask.CLOSE]


def identify(session: Session, command: commands.Id, _: Input) -> Replies:
    """RFC 2971 3.1: neither side may act on what the other says; it helps who reads the log."""
    if command.fields:
        told = {
            name.decode("latin-1")[:30]: (value or b"").decode("latin-1")[:200]
            for name, value in command.fields
        }
        logger.info(
            "client", conn=session.peer.id, software=told.get("name", ""), version=told.get("version", "")
        )
    version = fmt.string(quintet.__version__.encode("ascii"))
    return [b'* ID ("name" "Quintet" "version" %b)\r\n%b OK Done\r\n' % (version, command.tag)]


def enable(session: Session, command: commands.Enable, _: Input) -> Replies:
    """RFC 5161 3.1: what we do not know is passed over in silence; what is on stays on."""
    wanted = [name for name in dict.fromkeys(command.names) if name in capabilities.ENABLED]
    fresh = [name for name in wanted if name not in session.enabled]
    session.enable(wanted)
    if b"QRESYNC" in wanted:
        session.enable((b"CONDSTORE",))  # RFC 7162 3.2.3
    told = b"".join(b" " + capabilities.SPELLED.get(name, name) for name in fresh)
    news, _more = updates.collect(session)  # what is left over comes with the next answer
    return [b"* ENABLED%b\r\n" % told, *news, b"%b OK Done\r\n" % command.tag]
