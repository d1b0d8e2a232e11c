"""An 8-bit message for a host that takes seven bits only: its 8-bit bodies as quoted-printable or base64.

Pure; whole messages.  What cannot be said in seven bits without harm stays what it is, and the caller
returns the mail instead: 8-bit headers (RFC 6532), signed or encrypted parts (RFC 1847).  Such headers
within a part that is made for them go along, for those parts may be encoded whole (RFC 6532 3.5, RFC 6533).
RFC 6152 3, RFC 2045 6; text that names no charset is called ``unknown-8bit``, the word of RFC 1428.
"""

from __future__ import annotations

import re

from quintet.message import transfer
from quintet.message.digest import Digest, Part

_ENCODING = re.compile(
    rb"^content-transfer-encoding[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*", re.IGNORECASE | re.MULTILINE
)
MAX_LINE = 998  # octets, RFC 5322 2.1.1
_UNENCODED = ("7bit", "8bit", "binary")
_SEALED = ("signed", "encrypted")
# message/...: the only ones that may have an encoding (RFC 6532 3.5, 3.7; RFC 6533 6)
_GLOBAL = ("global", "global-headers", "global-delivery-status", "global-disposition-notification")

Edit = tuple[int, int, bytes]  # start, end, what stands there instead


def seven_bit(data: bytes, digest: Digest, *, binary: bool = False) -> bytes | None:
    """The same message in seven bits; None where that cannot be done.

    ``binary``: it came as BINARYMIME, so that its parts may hold what is no line (RFC 3030 3).
    ``digest`` is of ``data``.  The order of parts and every header but those of the encoding stay.
    """
    edits: list[Edit] = []
    if not _narrow(data, digest.root, edits, binary):
        return None
    pieces, at = [], 0
    for start, end, instead in sorted(edits):
        pieces += [data[at:start], instead]
        at = end
    result = b"".join(pieces) + data[at:]
    if not _fits(result, binary):  # before the first or behind the last boundary, or where no digest looks
        return None
    return result if digest.header("mime-version") is not None else _named(result, digest)


def _narrow(data: bytes, part: Part, edits: list[Edit], binary: bool) -> bool:
    """Collects what must change in one entity; False when it may not be changed."""
    if _fits(data[part.header_start : part.end], binary):
        return True
    if part.type == "message" and part.subtype in _GLOBAL:
        return _encoded(data, part, b"base64", edits)
    if part.children or part.message is not None:
        if part.type == "multipart" and part.subtype in _SEALED:
            return False
        if part.encoding not in _UNENCODED or not _label(data, part, b"7bit", edits):
            return False
        inner = part.children if part.message is None else (part.message.body,)
        return all(_narrow(data, each, edits, binary) for each in inner)
    body = data[part.body_start : part.end]
    if _fits(body, binary) or part.type in ("multipart", "message"):
        return False
    lines = part.type == "text" and not _unlined(body)
    return _encoded(data, part, b"quoted-printable" if lines else b"base64", edits)


def _encoded(data: bytes, part: Part, name: bytes, edits: list[Edit]) -> bool:
    """The body of an entity as a whole; False where it has an encoding already."""
    if part.encoding not in _UNENCODED:
        return False
    body = data[part.body_start : part.end]
    if name == b"base64":
        encoded = transfer.encode_base64(body).removesuffix(b"\r\n")
    else:
        encoded = transfer.encode_quoted_printable(body)
    edits.append((part.body_start, part.end, encoded))
    return _label(data, part, name, edits)


def _fits(data: bytes, binary: bool) -> bool:
    """Nothing of it needs to be rewritten."""
    return data.isascii() and not (binary and _unlined(data))


def _unlined(data: bytes) -> bool:
    """It holds what no line may: NUL, bare CR or LF, more than 998 octets (RFC 2045 2.7, 2.8)."""
    ends = data.count(b"\r\n")
    if b"\0" in data or data.count(b"\n") != ends or data.count(b"\r") != ends:
        return True
    return len(data) > MAX_LINE and any(len(line) > MAX_LINE for line in data.split(b"\r\n"))


def _label(data: bytes, part: Part, name: bytes, edits: list[Edit]) -> bool:
    """Names the encoding in the entity's header; False where that has no end."""
    header = data[part.header_start : part.body_start]
    if not header.endswith(b"\r\n") or not header.isascii():
        return False
    fields = _ENCODING.sub(b"", header[:-2])
    line = b"Content-Transfer-Encoding: " + name + b"\r\n"
    edits.append((part.header_start, part.body_start, fields + line + b"\r\n"))
    return True


def _named(data: bytes, digest: Digest) -> bytes:
    """Says that it is MIME now, and what the text is."""
    lines = b"MIME-Version: 1.0\r\n"
    if digest.header("content-type") is None:
        lines += b"Content-Type: text/plain; charset=unknown-8bit\r\n"
    return lines + data
