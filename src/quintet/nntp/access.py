"""Who is there, what is offered: CAPABILITIES, MODE READER, DATE, AUTHINFO, STARTTLS, COMPRESS.

RFC 3977 5.2, 5.3 and 7.1, RFC 4643 (AUTHINFO), RFC 4642 (STARTTLS), RFC 8054 (COMPRESS).
"""

from __future__ import annotations

import datetime
import re
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from quintet import __version__
from quintet.auth import dialogue
from quintet.auth.identity import Identity
from quintet.errors import BadSyntax, Problem, Reason, Refused
from quintet.net.seam import Ask, Input, Replies
from quintet.nntp import transit
from quintet.nntp.commands import Command
from quintet.nntp.wire import Status

if TYPE_CHECKING:
    from quintet.nntp.session import Session

SCOPE = "nntp"
LISTS = (
    "LIST ACTIVE ACTIVE.TIMES COUNTS DISTRIB.PATS DISTRIBUTIONS HEADERS MODERATORS MOTD NEWSGROUPS"
    " OVERVIEW.FMT SUBSCRIPTIONS"
)
_KEYWORD = re.compile(r"[A-Za-z][A-Za-z0-9.-]{2,}")  # RFC 3977 9.8
MAX_STEPS = 10  # responses in one exchange; SCRAM needs two


def capabilities(session: Session, command: Command, following: Input) -> Replies:
    """RFC 3977 5.2: changes with TLS, login and compression.  Any keyword is fine as argument."""
    if command.args and not _KEYWORD.fullmatch(command.args[0]):
        raise BadSyntax("not a keyword")
    session.modern = True
    config = session.service.config
    lines = ["VERSION 2", f"IMPLEMENTATION Quintet {__version__}", "READER"]
    if session.may_post:
        lines.append("POST")
    lines += [
        "OVER MSGID",
        "HDR",
        LISTS,
        "XPAT",
        "XZHDR",
        "XZVER",
    ]
    if config.compress and not session.compressed:
        lines.append("XFEATURE-COMPRESS GZIP TERMINATOR")
    if config.new_news and session.rights.rule.new_news:
        lines.append("NEWNEWS")
    lines += transit.capabilities(session)
    lines += _login_capabilities(session)
    if may_start_tls(session):
        lines.append("STARTTLS")
    if config.compress and not session.compressed:
        lines.append("COMPRESS DEFLATE")
    text = "\r\n".join(["101 Capability list follows", *lines, ".", ""])
    return [text.encode()]


def _login_capabilities(session: Session) -> list[str]:
    """RFC 4643 2.1, 3: gone after login; without USER where a password may not cross readable."""
    if session.identity is not None or session.compressed:
        return []  # RFC 8054 2.2.2: no login once compression stands
    auth = session.service.auth
    mechanisms = auth.mechanisms(session.peer, SCOPE)
    words = ["AUTHINFO"]
    if auth.plaintext_allowed(session.peer):
        words.append("USER")
    if mechanisms:
        words.append("SASL")
    lines = [" ".join(words)]
    if mechanisms:
        lines.append(" ".join(["SASL", *mechanisms]))
    return lines


def mode(session: Session, command: Command, following: Input) -> Replies:
    """RFC 3977 5.3: we are a reader's server already; the answer tells about posting."""
    if command.args[0].upper() == "STREAM":
        return transit.mode_stream(session)
    if command.args[0].upper() == "CANCEL":
        return transit.mode_cancel(session)
    if command.args[0].upper() != "READER":
        raise BadSyntax("Unknown MODE variant")
    return [session.welcome()]


def date(session: Session, command: Command, following: Input) -> Replies:
    """RFC 3977 7.1: fourteen digits, UTC."""
    now = datetime.datetime.fromtimestamp(session.service.clock.now() // 1000, datetime.UTC)
    return [Status(111, now.strftime("%Y%m%d%H%M%S"))]


# --- TLS and compression ----------------------------------------------------------------------


def may_start_tls(session: Session) -> bool:
    """RFC 4642 2.2.1, RFC 8054 2.2.2: once, before login, before compression."""
    return (
        session.service.starttls
        and not session.peer.secure
        and session.identity is None
        and not session.compressed
    )


def starttls(session: Session, command: Command, following: Input) -> Replies:
    """RFC 4642 2.2."""
    if not session.service.starttls and not session.peer.secure:
        return [Status(580, "Can not initiate TLS negotiation")]
    if not may_start_tls(session):
        return [Status(502, "STARTTLS not available now")]
    return [Status(382, "Continue with TLS negotiation"), Ask.START_TLS]


def compress(session: Session, command: Command, following: Input) -> Replies:
    """RFC 8054 2.2."""
    if session.compressed:
        return [Status(502, "Compression is already active")]
    if command.args[0].upper() != "DEFLATE":
        return [Status(503, "Compression algorithm not supported")]
    if not session.service.config.compress:
        return [Status(502, "Compression not permitted")]
    session.compressed = True
    return [Status(206, "Compression active"), Ask.COMPRESS]


# --- login ------------------------------------------------------------------------------------


def authinfo(session: Session, command: Command, following: Input) -> Replies:
    """RFC 4643 2.2: 502 once logged in, 482 for PASS without USER."""
    what = command.args[0].upper()
    if what not in ("USER", "PASS", "SASL"):
        raise BadSyntax("AUTHINFO USER, PASS or SASL")
    if session.identity is not None or session.compressed:
        return [Status(502, "AUTHINFO not available now")]
    if what == "SASL":
        initial = command.args[2] if len(command.args) > 2 else None
        return _sasl(session, command.args[1], initial, following)
    if not session.service.auth.plaintext_allowed(session.peer):
        raise Refused(Reason.TLS_REQUIRED)
    words = command.rest[len(what) :].strip(" \t")  # a password may hold spaces; readers send it as it is
    if what == "USER":
        session.user = words
        return [Status(381, "Enter password")]
    if not session.user:
        return [Status(482, "Send AUTHINFO USER first")]
    user, session.user = session.user, ""
    known = session.service.auth.remembered(user, words, session.peer, SCOPE)
    if known is not None:
        return _entered(session, known)
    return _password(session, user, words)


async def _password(session: Session, user: str, secret: str) -> AsyncGenerator[Any, None]:
    identity = await session.service.auth.password(user, secret, session.peer, SCOPE)
    for reply in _entered(session, identity):
        yield reply


def _entered(session: Session, identity: Identity) -> list[Any]:
    turned_away = session.entered(identity)
    if turned_away:
        return turned_away
    return [Status(281, "Authentication accepted")]


async def _sasl(
    session: Session, mechanism: str, initial: str | None, following: Input
) -> AsyncGenerator[Any, None]:
    """RFC 4643 2.4: challenges as 383, "=" for empty both ways; 504 for bad base64, 482 otherwise."""
    exchange = session.service.auth.exchange(mechanism, session.peer, SCOPE)
    response = None if initial is None else initial.encode()
    for _ in range(MAX_STEPS):
        try:
            decoded = None if response is None else _decode(response)
        except BadSyntax:
            yield Status(504, "Base64 encoding error")
            return
        try:
            answer = await exchange.step(decoded)
        except BadSyntax as error:
            yield Status(482, f"SASL protocol error: {error.text}")
            return
        if isinstance(answer, Identity):
            for reply in _entered(session, answer):
                yield reply
            return
        if exchange.settled:  # RFC 4643 2.4.2: the server's last data come with the good news
            identity = await exchange.step(b"")
            assert isinstance(identity, Identity)
            turned_away = session.entered(identity)
            for reply in turned_away or [Status(283, dialogue.encode(answer).decode())]:
                yield reply
            return
        yield Status(383, dialogue.encode(answer).decode() or "=")
        response = await following.line(dialogue.MAX_LINE)
    yield Status(482, "Too many SASL responses")


def _decode(response: bytes) -> bytes:
    return b"" if response == b"=" else dialogue.decode(response)


def refusal(session: Session, aspect: str = "read") -> Problem:
    """What somebody hears who may not do this (RFC 3977 3.2.1, RFC 4642 2.2.2).

    480 when logging in could help, 483 when only TLS is missing, else 502.
    """
    if session.login_helps(aspect):
        return Refused(Reason.AUTH_REQUIRED)
    if session.service.rules.tls_helps(session.peer, session.identity, aspect):
        return Refused(Reason.TLS_REQUIRED)
    return Refused(Reason.NO_PERMISSION)
