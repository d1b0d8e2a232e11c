"""A message that has come, made anew with another header or another body."""

from __future__ import annotations

from collections.abc import AsyncIterator

from quintet.delivery.weighing import pieces
from quintet.net.seam import CHUNK
from quintet.store.content import Content
from quintet.store.store import Store


async def block(content: Content) -> bytes:
    """The header, without the blank line."""
    found = bytearray()
    async for piece in pieces(content):
        found += piece[: content.header_end - len(found)]
        if len(found) >= content.header_end:
            break
    return bytes(found[:-2]) if found.endswith(b"\r\n\r\n") else bytes(found)


async def body(content: Content, most: int) -> AsyncIterator[bytes]:
    """What comes after the blank line, in pieces of ``most`` octets at most."""
    at = 0
    async for piece in pieces(content):
        rest = piece[max(content.header_end - at, 0) :]
        at += len(piece)
        for start in range(0, len(rest), most):
            yield rest[start : start + most]


async def changed(store: Store, content: Content, header: bytes, other: bytes | None = None) -> Content:
    """The message with that header (without the blank line), and with that body where one is given.

    Raises TryLater(DISK_FULL, STORAGE).
    """
    spool = store.spool()
    try:
        spool.write(header + b"\r\n")
        if other is not None:
            spool.write(other)
        else:
            async for piece in body(content, CHUNK):
                spool.write(piece)
        return await spool.finish()
    finally:
        spool.discard()
