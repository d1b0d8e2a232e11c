"""Batch SMTP that comes as a MIME entity, application/batch-SMTP: its header read, its body decoded.

A file without a header is taken as the body itself.  What the body says is `smtp.batch`'s business.
RFC 2442 (processing).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from quintet.errors import Reason, Refused
from quintet.message import headers, transfer
from quintet.message.digest import Digest
from quintet.net.seam import CHUNK
from quintet.store.content import content_of

MAX_HEAD = 64 * 1024  # bytes of the header
FIRST_LINE = 2048  # bytes after which a line is no header field's beginning

TYPE = "application/batch-smtp"
# what a file may use (RFC 2442); NOTARY is the old name of DSN
EXTENSIONS = frozenset(
    (
        *("8bitmime", "size", "notary", "dsn", "smtputf8", "binarymime", "chunking", "pipelining"),
        *("enhancedstatuscodes", "deliverby", "mt-priority", "no-soliciting", "futurerelease"),
    )
)
ENCODINGS = frozenset(("7bit", "8bit", "binary", "base64", "quoted-printable"))  # RFC 2045 6.1

_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")  # no command looks so: they have a space before a colon
_END = re.compile(rb"\r?\n\r?\n")

Read = Callable[[int], Awaitable[bytes]]
"""At most so many bytes; b"" at the end."""


async def unwrapped(read: Read) -> Read:
    """What reads the commands, from a file that may have a MIME header in front of them.

    Raises Refused(BAD_CONTENT): another type, an encoding or an extension that we have not.
    """
    head = b""
    while b"\n" not in head and len(head) < FIRST_LINE and (more := await read(CHUNK)):
        head += more
    if not _FIELD.match(head):
        return _after(head, read)
    while (end := _END.search(head)) is None:
        more = await read(CHUNK)
        if not more or len(head) > MAX_HEAD:
            raise Refused(Reason.BAD_CONTENT, "a header without an end")
        head += more
    decoder = _decoder(content_of(head[: end.end()]).digest)
    return _decoded(_after(head[end.end() :], read), decoder)


def _decoder(digest: Digest) -> transfer.Decoder:
    kind, parameters = headers.parse_params(digest.header("content-type") or b"")
    if kind != TYPE:
        raise Refused(Reason.BAD_CONTENT, f"labelled {kind or 'as nothing'}, not application/batch-SMTP")
    wanted = parameters.get("required-extensions", "").replace(",", " ").lower().split()
    unknown = [each for each in wanted if each not in EXTENSIONS]
    if unknown:
        raise Refused(Reason.BAD_CONTENT, f"needs the extension {unknown[0][:40]}")
    encoding = (digest.header("content-transfer-encoding") or b"7bit").strip().lower().decode("latin-1")
    if encoding not in ENCODINGS:
        raise Refused(Reason.BAD_CONTENT, "in an encoding that is not known")
    return transfer.decoder(encoding)


def _after(head: bytes, read: Read) -> Read:
    """First what was read ahead, then the rest."""
    held = head

    async def more(size: int) -> bytes:
        nonlocal held
        if held:
            piece, held = held[:size], held[size:]
            return piece
        return await read(size)

    return more


def _decoded(read: Read, decoder: transfer.Decoder) -> Read:
    """The body as it was meant; b"" only at its end."""
    over = False

    async def more(size: int) -> bytes:
        nonlocal over
        while not over:
            data = await read(size)
            over = not data
            made = decoder.feed(data) if data else decoder.finish()
            if made:
                return made
        return b""

    return more
