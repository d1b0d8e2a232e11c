"""Parts without their transfer encoding, as streams (RFC 3516, RFC 5524, RFC 5259).

What is announced must be counted first, so a part is decoded twice and never held whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from quintet.message import transfer
from quintet.net.seam import CHUNK
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.net.seam import Body

ENCODINGS = frozenset(("7bit", "8bit", "binary", "base64", "quoted-printable"))  # RFC 2045 6.1


@dataclass(frozen=True, slots=True)
class Measured:
    """What decoding gives."""

    size: int  # bytes
    lines: int  # line ends
    nul: bool  # some octet is NUL: a literal8 is needed


async def decoded(body: Body, start: int, length: int, encoding: str) -> AsyncIterator[bytes]:
    """A range of ``body`` without its ``encoding``, in pieces.  Raises TryLater(STORAGE)."""
    decoder = transfer.decoder(encoding)
    small = body.small(start, length) if length <= CHUNK else None
    if small is not None:
        yield decoder.feed(small) + decoder.finish()
        return
    async for chunk in body.chunks(start, length):
        yield decoder.feed(chunk)
        await asyncio.sleep(0)  # what is at hand never makes us wait: others get their turn all the same
    yield decoder.finish()


async def measure(pieces: AsyncIterator[bytes]) -> Measured:
    """Counts ``pieces`` to their end."""
    size, lines, nul = 0, 0, False
    async for piece in pieces:
        size += len(piece)
        lines += piece.count(b"\n")
        nul = nul or b"\0" in piece
    return Measured(size, lines, nul)


async def cut(pieces: AsyncIterator[bytes], first: int, length: int | None) -> AsyncIterator[bytes]:
    """At most ``length`` octets from octet ``first`` on."""
    at = 0
    end = None if length is None else first + length
    async for piece in pieces:
        wanted = piece[max(first - at, 0) : None if end is None else max(end - at, 0)]
        at += len(piece)
        if wanted:
            yield wanted
        if end is not None and at >= end:
            break
