"""Packed answers for readers from before RFC 8054: XFEATURE COMPRESS GZIP, XZVER, XZHDR.

No standard says how; this is what the large commercial servers send and pan and pynntp read.  After XFEATURE
COMPRESS GZIP the lines of overview and header commands come as one zlib stream, announced by
"[COMPRESS=GZIP]" in the status; with TERMINATOR the ending "." is inside of it.  XZVER and XZHDR give raw
DEFLATE in yEnc lines.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from quintet.errors import BadSyntax
from quintet.net.seam import Input, Replies, each
from quintet.nntp import overview
from quintet.nntp.commands import Command
from quintet.nntp.replies import END
from quintet.nntp.wire import Status

if TYPE_CHECKING:
    from quintet.nntp.session import Handler, Session

LISTING = frozenset((221, 224, 225))  # codes after which lines follow
LEVEL = 1  # of zlib: three quarters of what the best gives, at a third of the price
MAX_PACKED = (
    16 * 1024 * 1024
)  # bytes of one yEnc answer, whose size must be told before it; some 500,000 lines
LINE = 128  # encoded bytes of one yEnc line

_SHIFT = bytes((byte + 42) % 256 for byte in range(256))
_CRITICAL = {byte: bytes((0x3D, (byte + 64) % 256)) for byte in b"\0\r\n="}


def xfeature(session: Session, command: Command, following: Input) -> Replies:
    """COMPRESS GZIP with or without TERMINATOR; nothing else is known."""
    words = [word.upper() for word in command.args]
    if words[:2] != ["COMPRESS", "GZIP"] or words[2:] not in ([], ["TERMINATOR"]):
        raise BadSyntax("XFEATURE COMPRESS GZIP [TERMINATOR]")
    if not session.service.config.compress or session.compressed:
        return [Status(502, "Compression not permitted")]
    session.packed = "TERMINATOR" if words[2:] else "GZIP"
    return [Status(290, "Feature enabled")]


def maybe(handler: Handler) -> Handler:
    """A command whose answer is packed once the reader asked for it."""

    def packed(session: Session, command: Command, following: Input) -> Replies:
        replies = handler(session, command, following)
        return replies if not session.packed else _gzip(replies, session.packed == "TERMINATOR")

    return packed


def xzver(session: Session, command: Command, following: Input) -> Replies:
    """XOVER, deflated and in yEnc lines."""
    return _yenc(overview.xover(session, command, following))


def xzhdr(session: Session, command: Command, following: Input) -> Replies:
    """XHDR, deflated and in yEnc lines."""
    return _yenc(overview.xhdr(session, command, following))


async def _gzip(replies: Replies, inside: bool) -> AsyncGenerator[Any, None]:
    """``inside``: the terminator is part of the stream."""
    packer = zlib.compressobj(LEVEL)
    listing = False
    async with aclosing(_each(replies)) as source:
        async for reply in source:
            if isinstance(reply, Status):
                listing = reply.code in LISTING
                yield Status(reply.code, f"{reply.text} [COMPRESS=GZIP]") if listing else reply
            elif reply is not END or inside:
                piece = packer.compress(reply)
                if piece:
                    yield piece
    if listing:
        yield packer.flush() + (b"" if inside else END)


async def _yenc(replies: Replies) -> AsyncGenerator[Any, None]:
    packer = zlib.compressobj(LEVEL, wbits=-15)
    pieces: list[bytes] = []
    status: Status | None = None
    size = 0  # bytes packed, at most a few hundred kilobytes behind what was given
    async with aclosing(_each(replies)) as source:
        async for reply in source:
            if isinstance(reply, Status):
                if reply.code not in LISTING:
                    yield reply
                    return
                status = reply
            elif reply is not END:
                pieces.append(packer.compress(reply))
                size += len(pieces[-1])
                if size > MAX_PACKED:
                    yield Status(503, "Range too large for a packed answer")
                    return
    assert status is not None
    data = b"".join((*pieces, packer.flush()))
    if len(data) > MAX_PACKED:
        yield Status(503, "Range too large for a packed answer")
        return
    yield Status(status.code, f"{status.text}, packed")
    yield b"=ybegin line=%d size=%d name=lines\r\n" % (LINE, len(data))
    for start in range(0, len(data), LINE * 512):
        yield yenc(data[start : start + LINE * 512])
        await asyncio.sleep(0)
    yield b"=yend size=%d crc32=%08x\r\n.\r\n" % (len(data), zlib.crc32(data))


def yenc(data: bytes) -> bytes:
    """Data as yEnc lines; none of them begins with a dot, which some readers would not un-stuff."""
    shifted = data.translate(_SHIFT)
    lines = []
    for start in range(0, len(shifted), LINE):
        line = shifted[start : start + LINE].replace(b"=", _CRITICAL[0x3D])
        for byte in b"\0\r\n":
            line = line.replace(bytes((byte,)), _CRITICAL[byte])
        if line[:1] == b".":
            line = b"=n" + line[1:]
        lines.append(line)
    return b"\r\n".join(lines) + b"\r\n" if lines else b""


async def _each(replies: Replies) -> AsyncGenerator[Any, None]:
    """Replies one by one, with a turn for others after each piece."""
    async with aclosing(each(replies)) as source:
        async for reply in source:
            yield reply
            await asyncio.sleep(0)
