"""Modified UTF-7: how IMAP4rev1 writes mailbox names outside ASCII (RFC 3501 5.1.3).

Pure.  Only what `encode` writes is accepted by `decode`: two spellings of one name would be two
names to a client and one to the store.
"""

from __future__ import annotations

import binascii
import re

from quintet.errors import BadSyntax

_PRINTABLE_RUN = re.compile("[\x20-\x7e]+|[^\x20-\x7e]+")
_PIECE = re.compile(rb"([\x20-\x25\x27-\x7e]+)|&([A-Za-z0-9+,]*)-")


def encode(name: str) -> bytes:
    """``name`` in modified UTF-7; every str has exactly one such form (lone surrogates included)."""
    if name.isascii() and name.isprintable():
        return name.replace("&", "&-").encode("ascii")
    out = []
    for run in _PRINTABLE_RUN.findall(name):
        if "\x20" <= run[0] <= "\x7e":
            out.append(run.replace("&", "&-").encode("ascii"))
            continue
        base64 = binascii.b2a_base64(run.encode("utf-16-be", "surrogatepass"), newline=False)
        out.append(b"&" + base64.rstrip(b"=").replace(b"/", b",") + b"-")
    return b"".join(out)


def decode(data: bytes) -> str:
    """The name that ``data`` writes.

    Raises:
        BadSyntax: eight-bit or control octets, a shift that does not end, base64 or UTF-16 that is
            not well formed, or any other spelling than the one that `encode` gives.
    """
    if b"&" not in data:
        if not data.isascii() or not data.decode("ascii").isprintable():
            raise BadSyntax("mailbox name is not modified UTF-7")
        return data.decode("ascii")
    out, position = [], 0
    while position < len(data):
        piece = _PIECE.match(data, position)
        if piece is None:
            raise BadSyntax("mailbox name is not modified UTF-7")
        position = piece.end()
        plain, shifted = piece.groups()
        if plain is not None:
            out.append(plain.decode("ascii"))
        elif not shifted:
            out.append("&")
        else:
            out.append(_shifted(shifted))
    name = "".join(out)
    if encode(name) != data:  # e.g. "&AEE-" for "A", or two shifts in a row
        raise BadSyntax("mailbox name is not in the one form of modified UTF-7")
    return name


def _shifted(text: bytes) -> str:
    try:
        raw = binascii.a2b_base64(text.replace(b",", b"/") + b"=" * (-len(text) % 4))
        return raw.decode("utf-16-be")
    except ValueError as error:  # binascii.Error and UnicodeDecodeError are both ValueErrors
        raise BadSyntax("mailbox name is not modified UTF-7") from error
