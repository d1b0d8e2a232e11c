"""What every reader gives, and the line ends that every reader mends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

CHUNK = 64 * 1024  # bytes read at once


@dataclass(slots=True)
class Incoming:
    """One message to put in.  ``chunks`` must be read to its end before the next message is asked for."""

    name: str  # for error messages: file, or file and number
    folder: str  # path in our spelling, "/" between levels
    chunks: Iterator[bytes]  # with CRLF
    received_at: int = 0  # ms, UTC; 0: not known
    flags: int = 0
    keywords: tuple[str, ...] = ()
    status_headers: bool = False  # flags stand in Status and X-Status (mbox)


class Crlf:
    """Turns lone LF into CRLF, chunk by chunk; CRLF and lone CR stay as they are."""

    __slots__ = ("_cr",)

    def __init__(self) -> None:
        self._cr = b""

    def feed(self, chunk: bytes) -> bytes:
        data = self._cr + chunk
        self._cr = b"\r" if data.endswith(b"\r") else b""
        if self._cr:
            data = data[:-1]
        return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")

    def finish(self) -> bytes:
        left, self._cr = self._cr, b""
        return left
