"""Bytes that come in pieces, for readers that ask for so many at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable


def pieces(data: bytes, chunk: int = 65536) -> Callable[[int], Awaitable[bytes]]:
    """Gives ``data``, never more than ``chunk`` bytes or than were asked for; b"" at its end."""
    at = 0

    async def read(size: int) -> bytes:
        nonlocal at
        piece = data[at : at + min(size, chunk)]
        at += len(piece)
        return piece

    return read
