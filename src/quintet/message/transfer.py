"""Transfer encodings as streams: base64, quoted-printable, identity, uuencode (RFC 2045 6).

Decoders take chunks of any size, give what they can, and never raise: what is
no part of the encoding is stepped over, as RFC 2045 6.7 and 6.8 ask. Each
holds at most one unfinished line (``MAX_HELD``). Encoders take whole bytes.
"""

from __future__ import annotations

import binascii
import re
from typing import Protocol

MAX_HELD = 4096  # bytes of an unfinished line; quoted-printable allows 76, uuencode 61

_NOT_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
)
_BLANKS_AT_END = re.compile(rb"(?<![ \t])[ \t]+(?=\r?\n)")
_UU_BEGIN = re.compile(rb"begin[ \t]+[0-7]{3,4}[ \t]+\S")


class Decoder(Protocol):
    """One body being decoded."""

    def feed(self, chunk: bytes) -> bytes:
        """Take encoded bytes, return decoded ones."""
        ...

    def finish(self) -> bytes:
        """Return what was still held back."""
        ...


class Identity:
    """7bit, 8bit and binary, and every encoding nobody knows."""

    def feed(self, chunk: bytes) -> bytes:
        return bytes(chunk)

    def finish(self) -> bytes:
        return b""


class Base64:
    """RFC 2045 6.8. Padding in the middle is taken for the seam of two encoded texts."""

    def __init__(self) -> None:
        self._held = b""  # fewer than four letters

    def feed(self, chunk: bytes) -> bytes:
        text = self._held + bytes(chunk).translate(None, _NOT_BASE64)
        if b"=" in text:
            return self._padded(text)
        cut = len(text) & ~3
        self._held = text[cut:]
        return binascii.a2b_base64(text[:cut])

    def _padded(self, text: bytes) -> bytes:
        out = bytearray()
        *closed, rest = text.split(b"=")  # empty pieces say nothing
        for piece in closed:
            out += _letters(piece)
        cut = len(rest) & ~3
        self._held = rest[cut:]
        return bytes(out + binascii.a2b_base64(rest[:cut]))

    def finish(self) -> bytes:
        held, self._held = self._held, b""
        return _letters(held)


def _letters(text: bytes) -> bytes:
    """Decode letters whose padding is missing; a single left-over letter says nothing."""
    if len(text) % 4 == 1:
        text = text[:-1]
    return binascii.a2b_base64(text + b"=" * (-len(text) % 4))


class QuotedPrintable:
    """RFC 2045 6.7. A wrong ``=`` stays as it is; blanks before a line end are not data."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        text = self._held + bytes(chunk)
        cut = text.rfind(b"\n") + 1
        if len(text) - cut > MAX_HELD:
            # A line that long is broken; only keep "=", "=X" and blanks together.
            cut = max(cut, len(text) - 3)
            while cut and text[cut - 1] in b" \t=\r" and len(text) - cut < MAX_HELD:
                cut -= 1
            if text[cut - 2 : cut - 1] == b"=":
                cut -= 2
        self._held = text[cut:]
        return _unquote(text[:cut]) if cut else b""

    def finish(self) -> bytes:
        held, self._held = self._held, b""
        return _unquote(held.rstrip(b" \t"))


def _unquote(text: bytes) -> bytes:
    if b" \r" in text or b" \n" in text or b"\t\r" in text or b"\t\n" in text:
        text = _BLANKS_AT_END.sub(b"", text)
    return binascii.a2b_qp(text) if b"=" in text else text


class Uuencode:
    """x-uuencode: what stands between ``begin`` and ``end``; a wrong line is stepped over."""

    def __init__(self) -> None:
        self._held = b""
        self._inside = False
        self._ended = False

    def feed(self, chunk: bytes) -> bytes:
        text = self._held + bytes(chunk)
        *lines, held = text.split(b"\n")
        self._held = held[:MAX_HELD]
        return b"".join([self._line(line) for line in lines])

    def finish(self) -> bytes:
        held, self._held = self._held, b""
        return self._line(held)

    def _line(self, line: bytes) -> bytes:
        line = line.rstrip(b"\r")
        if self._ended:
            return b""
        if not self._inside:
            self._inside = _UU_BEGIN.match(line) is not None
            return b""
        if line in {b"end", b"`", b""}:
            self._ended = line == b"end"
            return b""
        size = (line[0] - 32) & 63
        letters = 1 + (size + 2) // 3 * 4
        try:
            # some encoders append a checksum letter, some drop the blanks at the end
            return binascii.a2b_uu(line[:letters].ljust(letters))
        except binascii.Error:
            return b""


_DECODERS: dict[str, type[Base64 | QuotedPrintable | Uuencode]] = {
    "base64": Base64,
    "quoted-printable": QuotedPrintable,
    "x-uuencode": Uuencode,
    "x-uue": Uuencode,
    "uuencode": Uuencode,
}

KNOWN = frozenset((*_DECODERS, "7bit", "8bit", "binary"))  # others: UNKNOWN-CTE for BINARY (RFC 3516 4.3)


def decoder(encoding: str) -> Decoder:
    """Return a new decoder for a Content-Transfer-Encoding in lower case; unknown ones change nothing."""
    return _DECODERS.get(encoding, Identity)()


def decode(encoding: str, body: bytes) -> bytes:
    """Decode a whole body."""
    one = decoder(encoding)
    return one.feed(body) + one.finish()


def encode_base64(data: bytes) -> bytes:
    """Return base64 in lines of 76 characters with CRLF (RFC 2045 6.8)."""
    return b"".join(
        [binascii.b2a_base64(data[at : at + 57], newline=False) + b"\r\n" for at in range(0, len(data), 57)]
    )


def encode_quoted_printable(text: bytes) -> bytes:
    """Return quoted-printable of text whose lines end in CRLF or LF; lines get CRLF (RFC 2045 6.7).

    A dot at the start of a line and ``From `` are encoded too, so that no transport touches them.
    """
    out = []
    for line in text.replace(b"\r\n", b"\n").split(b"\n"):
        coded = binascii.b2a_qp(line, istext=False, quotetabs=False)
        coded = coded.replace(b"=\r\n", b"=\n").replace(b"=\n", b"=\r\n")
        if coded[:1] == b".":
            coded = b"=2E" + coded[1:]
        elif coded.startswith(b"From "):
            coded = b"=46rom " + coded[5:]
        coded = coded.replace(b"=\r\n.", b"=\r\n=2E").replace(b"=\r\nFrom ", b"=\r\n=46rom ")
        if coded[-1:] in {b" ", b"\t"}:
            coded = coded[:-1] + b"=%02X" % coded[-1]
        out.append(coded)
    return b"\r\n".join(out)
