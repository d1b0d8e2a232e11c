"""GENURLAUTH, URLFETCH, RESETKEY (RFC 4467); what a URL means is `delivery.urlauth`'s."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from quintet.delivery.urlauth import MECHANISM, UrlAuth
from quintet.errors import BadSyntax, Hangup, Refused, TryLater
from quintet.imap import format as fmt
from quintet.imap import names, updates
from quintet.net.seam import CHUNK, Slice

if TYPE_CHECKING:
    from quintet.imap import commands
    from quintet.imap.session import Session
    from quintet.net.seam import Body, Input


def _urls(session: Session) -> UrlAuth:
    house = session.house
    return UrlAuth(house.store, house.clock, house.auth.canonical, house.config.submit_servers)


async def generate(session: Session, command: commands.GenUrlAuth, _: Input) -> AsyncGenerator[Any, None]:
    """RFC 4467, BASE.6.3.GENURLAUTH: whatever is wrong with a URL is answered by BAD."""
    if any(mechanism != MECHANISM.encode() for _, mechanism in command.pairs):
        raise BadSyntax("only the mechanism INTERNAL is known")
    signed = await _urls(session).sign([_text(url) for url, _ in command.pairs], session.user)
    told = b"".join(b" " + fmt.string(url.encode()) for url in signed)
    news, _more = updates.collect(session)
    yield b"".join((b"* GENURLAUTH%b\r\n" % told, *news, b"%b OK Done\r\n" % command.tag))


async def reset(session: Session, command: commands.ResetKey, _: Input) -> AsyncGenerator[Any, None]:
    """RFC 4467, BASE.6.3.RESETKEY.

    Deviates: RFC 4467 8 has SELECT tell URLMECH too; it does not, because every server knows INTERNAL and we
    know no other, and each client would read one line more at each SELECT.
    """
    mailbox = None
    if command.mailbox is not None:
        mailbox = names.decode(command.mailbox, utf8=session.utf8)
    await _urls(session).reset(session.user, mailbox)
    yield b"%b OK [URLMECH INTERNAL] Done\r\n" % command.tag


async def fetch(session: Session, command: commands.UrlFetch, _: Input) -> AsyncGenerator[Any, None]:
    """RFC 4467, BASE.6.3.URLFETCH: a URL that is wrong in any way is NIL."""
    urls = _urls(session)
    found: list[tuple[bytes, Body | None]] = []
    for raw in command.urls:
        try:
            found.append((raw, await urls.fetch(_text(raw), session.user)))
        except (BadSyntax, Refused):
            found.append((raw, None))
    yield b"* URLFETCH"
    try:
        for raw, body in found:
            yield b" " + fmt.string(raw)
            if body is None:
                yield b" NIL"
                continue
            yield b" {%d}\r\n" % body.size
            text = body.small(0, body.size) if body.size <= CHUNK else None
            yield text if text is not None else Slice(body, 0, body.size)
    except (Refused, TryLater) as error:  # an answer is begun: no other can be given in it
        raise Hangup(error.reason, error.text) from error
    news, _more = updates.collect(session)
    yield b"".join((b"\r\n", *news, b"%b OK Done\r\n" % command.tag))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
