"""STARTTLS, LOGIN, AUTHENTICATE (RFC 9051 6.2), and who needs none of them (RFC 9051 7.1.4)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from quintet import log
from quintet.auth import dialogue
from quintet.errors import BadSyntax, Problem, Reason, Refused
from quintet.imap import answers, capabilities, referrals
from quintet.imap import format as fmt
from quintet.net.seam import Ask

if TYPE_CHECKING:
    from quintet.auth.service import Identity
    from quintet.imap import commands
    from quintet.imap.session import Session
    from quintet.net.seam import Input, Replies

logger = log.get("imap")


def preauthenticated(session: Session) -> Replies:
    """The greeting of whom the system vouches for; others hear BYE (RFC 9051 7.1.4, 7.1.5, RFC 2221 4.2)."""
    house, peer = session.house, session.peer
    try:
        _stays(session, peer.user)
        identity = house.auth.vouched(peer, "imap")
    except Problem as error:
        return [answers.turned_away(error), Ask.CLOSE]
    session.welcome(identity)
    told = b"* PREAUTH [CAPABILITY %b] %b Quintet ready, logged in as %b\r\n"
    host, name = fmt.text(house.hostname), fmt.text(identity.name)
    return [told % (capabilities.told(session), host, name)]


def start_tls(session: Session, command: commands.StartTls, _: Input) -> Replies:
    if session.peer.tls is not None:
        raise BadSyntax("TLS stands already", Reason.WRONG_STATE)
    if not session.house.can_start_tls(session.peer):
        raise BadSyntax("TLS is not available here", Reason.UNKNOWN_COMMAND)
    return [b"%b OK Begin TLS now\r\n" % command.tag, Ask.START_TLS]


def login(session: Session, command: commands.Login, _: Input) -> Replies:
    auth = session.house.auth
    if not auth.plaintext_allowed(session.peer):
        raise Refused(Reason.TLS_REQUIRED, "LOGIN is only allowed under TLS")  # RFC 9051 6.2.3, 11.5
    try:
        name, secret = command.user.decode("utf-8"), command.password.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(Reason.AUTH_FAILED) from error
    if referrals.is_elsewhere(session.house.config.home_servers, session.house.hostname, name):
        _stays(session, name)
    known = auth.remembered(name, secret, session.peer, "imap")
    if known is not None:
        _stays(session, known.name)
        return [_welcome(session, command.tag, known)]
    return _login(session, command.tag, name, secret)


async def _login(session: Session, tag: bytes, name: str, secret: str) -> AsyncGenerator[Any, None]:
    identity = await session.house.auth.password(name, secret, session.peer, "imap")
    _stays(session, identity.name)
    yield _welcome(session, tag, identity)


async def authenticate(
    session: Session, command: commands.Authenticate, following: Input
) -> AsyncGenerator[Any, None]:
    exchange = session.house.auth.exchange(command.mechanism, session.peer, "imap")
    talk = dialogue.Dialogue(exchange, following)
    answer = await talk.start(command.initial)
    while isinstance(answer, bytes):
        yield b"+ %b\r\n" % answer
        yield Ask.FLUSH
        answer = await talk.next()
    _stays(session, answer.name)
    yield _welcome(session, command.tag, answer)


def _stays(session: Session, name: str) -> None:
    """Raises Refused with a REFERRAL for who lives on another server (RFC 2221 4.1)."""
    house = session.house
    elsewhere = referrals.home(house.config.home_servers, house.hostname, name)
    if elsewhere is not None:
        raise elsewhere


def _welcome(session: Session, tag: bytes, identity: Identity) -> bytes:
    session.welcome(identity)
    return b"%b OK [CAPABILITY %b] Logged in\r\n" % (tag, capabilities.told(session))
