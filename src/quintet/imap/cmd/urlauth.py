"""GENURLAUTH, URLFETCH, RESETKEY (RFC 4467, RFC 5524); what a URL means is `delivery.urlauth`'s."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from quintet.delivery.urlauth import MECHANISM
from quintet.errors import BadSyntax, Hangup, Refused, TryLater
from quintet.imap import decoding, names, updates
from quintet.imap import format as fmt
from quintet.imap.urls import signed
from quintet.message import render
from quintet.message.digest import Part
from quintet.net.seam import CHUNK, Slice

if TYPE_CHECKING:
    from quintet.delivery.urlparts import Piece
    from quintet.imap import commands
    from quintet.imap.session import Session
    from quintet.net.seam import Body, Input


# what a section of header fields is, for BODYPARTSTRUCTURE (RFC 6522 4)
HEADERS = Part(
    "text", "rfc822-headers", (), None, None, "7bit", None, (), None, None, None, 0, 0, 0, 0, (), None
)  # fmt: skip


async def generate(session: Session, command: commands.GenUrlAuth, _: Input) -> AsyncGenerator[Any, None]:
    """RFC 4467, BASE.6.3.GENURLAUTH: whatever is wrong with a URL is answered by BAD."""
    if any(mechanism != MECHANISM.encode() for _, mechanism in command.pairs):
        raise BadSyntax("only the mechanism INTERNAL is known")
    made = await signed(session).sign([_text(url) for url, _ in command.pairs], session.user)
    told = b"".join(b" " + fmt.string(url.encode()) for url in made)
    news, _more = updates.collect(session)
    yield b"".join((b"* GENURLAUTH%b\r\n" % told, *news, b"%b OK Done\r\n" % command.tag))


async def reset(session: Session, command: commands.ResetKey, _: Input) -> AsyncGenerator[Any, None]:
    """RFC 4467, BASE.6.3.RESETKEY.

    Deviates: RFC 4467 7 has other sessions in that mailbox hear URLMECH; they heard the same at SELECT, since
    INTERNAL has no data that changes.
    """
    mailbox = None
    if command.mailbox is not None:
        mailbox = names.decode(command.mailbox, utf8=session.utf8)
    await signed(session).reset(session.user, mailbox)
    yield b"%b OK [URLMECH INTERNAL] Done\r\n" % command.tag


async def fetch(session: Session, command: commands.UrlFetch, _: Input) -> AsyncGenerator[Any, None]:
    """RFC 4467, BASE.6.3.URLFETCH, and RFC 5524: a URL that is wrong in any way is NIL."""
    urls = signed(session)
    found: list[tuple[bytes, tuple[bytes, ...], Piece | None]] = []
    for raw, wishes in command.urls:
        try:
            piece = await urls.look(_text(raw), session.user, with_part=bool(wishes))
        except (BadSyntax, Refused):
            found.append((raw, wishes, None))
        else:
            found.append((raw, wishes, piece))
    yield b"* URLFETCH"
    try:
        for raw, wishes, one in found:
            yield b" " + fmt.string(raw)
            if one is None:
                yield b" NIL"
                continue
            if not wishes:
                yield b" "
                for reply in in_literal(one.body):
                    yield reply
                continue
            async for reply in _wished(one, wishes):
                yield reply
    except (Refused, TryLater) as error:  # an answer is begun: no other can be given in it
        raise Hangup(error.reason, error.text) from error
    news, _more = updates.collect(session)
    yield b"".join((b"\r\n", *news, b"%b OK Done\r\n" % command.tag))


async def _wished(piece: Piece, wishes: tuple[bytes, ...]) -> AsyncIterator[Any]:
    """`` (BODYPARTSTRUCTURE (...)) (BINARY ...)``, what was asked of it, structure first (RFC 5524 4)."""
    part, whole = piece.part or HEADERS, piece.whole
    first, length = piece.partial or (0, None)
    measured = None
    if b"BINARY" in wishes and part.encoding in decoding.ENCODINGS:
        pieces = decoding.decoded(whole, 0, whole.size, part.encoding)
        measured = await decoding.measure(decoding.cut(pieces, first, length))
    if b"BODYPARTSTRUCTURE" in wishes:
        size = piece.body.size
        shown = replace(part, body_start=0, end=size)
        if measured is not None:
            shown = replace(part, body_start=0, end=measured.size, lines=measured.lines, encoding="binary")
        yield b" (BODYPARTSTRUCTURE %b)" % render.structure(shown)
    if b"BODY" in wishes:
        yield b" (BODY "
        for reply in in_literal(piece.body):
            yield reply
        yield b")"
    elif measured is not None:
        yield b" (BINARY %b{%d}\r\n" % (b"~" if measured.nul else b"", measured.size)
        async for some in decoding.cut(decoding.decoded(whole, 0, whole.size, part.encoding), first, length):
            yield some
        yield b")"
    elif b"BINARY" in wishes:
        yield b" (BINARY NIL)"  # RFC 5524 3.2: nobody knows the encoding


def in_literal(body: Body) -> list[Any]:
    """A body as it is stored."""
    text = body.small(0, body.size) if body.size <= CHUNK else None
    return [b"{%d}\r\n" % body.size, text if text is not None else Slice(body, 0, body.size)]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
