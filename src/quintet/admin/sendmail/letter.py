"""What a program pipes into "sendmail": line ends mended, the header read for recipients, the body spooled.

Completing the message (Date, Message-ID, Bcc) is the server's business (RFC 6409 8).
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from typing import IO

from quintet.message import words
from quintet.message.addresses import mailboxes
from quintet.net.seam import CHUNK

MAX_HEADER = 1024 * 1024  # bytes that are searched for recipients
IN_MEMORY = 1024 * 1024  # bytes; a larger message waits in a file

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:((?:[^\n]*(?:\n[ \t][^\n]*)*))")
_TO = frozenset((b"to", b"cc", b"bcc"))
_RESENT = frozenset((b"resent-to", b"resent-cc", b"resent-bcc"))

ReadLine = Callable[[int], bytes]
"""At most so many bytes, up to and with the next LF; b"" at the end."""


class Letter:
    """One message; ``file`` has its bytes with CRLF."""

    def __init__(self) -> None:
        self.file: IO[bytes] = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed by `close`
        self.header = b""  # with LF, as it came
        self.eight_bit = False
        self.size = 0  # bytes

    @property
    def utf8_header(self) -> bool:
        return not self.header.isascii()

    def read(self, readline: ReadLine, *, ignore_dots: bool) -> None:
        """Takes everything up to the end, or to a line with a dot alone unless these are ignored."""
        in_header, start = True, True  # of a line: a long one comes in several pieces
        while piece := readline(CHUNK):
            whole = piece.endswith(b"\n")
            if start and not ignore_dots and piece in (b".\n", b".\r\n"):
                break
            if start and piece in (b"\n", b"\r\n"):
                in_header = False
            if in_header and len(self.header) < MAX_HEADER:
                self.header += piece.replace(b"\r\n", b"\n")
            self._add(piece[: -2 if piece.endswith(b"\r\n") else -1] + b"\r\n" if whole else piece)
            start = whole
        if not start:
            self._add(b"\r\n")

    def _add(self, data: bytes) -> None:
        self.file.write(data)
        self.size += len(data)
        if not self.eight_bit:
            self.eight_bit = not data.isascii()

    def prepend(self, field: bytes) -> None:
        """Puts one header field in front."""
        self.file.seek(0)
        rest, self.file = self.file, tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - as above
        self.size = 0
        self._add(field)
        while data := rest.read(CHUNK):
            self._add(data)
        rest.close()
        self.header = field.replace(b"\r\n", b"\n") + self.header

    def chunks(self) -> Iterator[bytes]:
        """The message, from its beginning."""
        self.file.seek(0)
        while data := self.file.read(CHUNK):
            yield data

    def close(self) -> None:
        self.file.close()

    # --- the header -----------------------------------------------------------------------------

    def has(self, name: bytes) -> bool:
        return any(each == name for each, _ in self._fields())

    def recipients(self) -> list[str]:
        """To, Cc and Bcc, each once; of a message that was sent again only who it went to then
        (RFC 5322 3.6.6)."""
        fields = self._fields()
        wanted = _RESENT if any(name in _RESENT for name, _ in fields) else _TO
        found: dict[str, None] = {}
        for name, value in fields:
            if name in wanted:
                found.update(dict.fromkeys(each.spec for each in mailboxes(value) if each.mailbox))
        return list(found)

    def _fields(self) -> list[tuple[bytes, bytes]]:
        return [(name.lower(), words.unfold(value)) for name, value in _FIELD.findall(self.header)]


def from_field(name: str, address: str) -> bytes:
    """A From field with a display name (RFC 5322 3.4), encoded where it must be."""
    from email.header import Header  # rarely asked for
    from email.utils import formataddr

    clean = "".join(char for char in name if char.isprintable())
    shown = clean if clean.isascii() else Header(clean, "utf-8").encode()
    value = formataddr((shown, address)) if clean.isascii() else f"{shown} <{address}>"
    return f"From: {value}\r\n".encode()
