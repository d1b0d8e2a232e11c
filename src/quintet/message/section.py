"""IMAP sections: which bytes of the blob ``BODY[1.2.MIME]`` means (RFC 9051 6.4.5.1, RFC 3501 6.4.5)."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet

from quintet.message.digest import Digest, Part

_LINES = re.compile(rb"[^\n]*(?:\n[ \t][^\n]*)*(?:\n|\Z)")


def part(digest: Digest, path: tuple[int, ...]) -> Part | None:
    """Return the part with that number, ``()`` for the message's own entity; None if there is none."""
    found = digest.root
    for depth, number in enumerate(path):
        numbered = _numbered(found, top=depth == 0)
        if not 1 <= number <= len(numbered):
            return None
        found = numbered[number - 1]
    return found


def _numbered(entity: Part, *, top: bool) -> tuple[Part, ...]:
    """The parts that one more number can choose from."""
    if not top and entity.message is not None:
        entity = entity.message.body  # a message part's numbers go on inside its message
        top = True
    if entity.type == "multipart":
        return entity.children or (_nothing(entity.end),)
    return (entity,) if top else ()  # a message that is no multipart has a part 1


def _nothing(at: int) -> Part:
    """The empty text that BODYSTRUCTURE shows for a multipart without parts: its grammar wants one."""
    return Part("text", "plain", (), None, None, "7bit", None, (), None, None, None, at, at, at, 0, (), None)


def locate(digest: Digest, path: tuple[int, ...], what: str = "") -> tuple[int, int] | None:
    """Return (start, end) of a section, bytes from the start of the blob, end exclusive.

    ``what`` is ``""``, ``HEADER``, ``TEXT`` or ``MIME``. HEADER.FIELDS filters
    the range of HEADER. None: there is no such part, or the specifier does not
    apply to it (HEADER and TEXT want a message, MIME a part number).
    """
    if not path:
        return {
            "": (0, digest.size),
            "HEADER": (0, digest.header_end),
            "TEXT": (digest.header_end, digest.size),
        }.get(what)
    found = part(digest, path)
    if found is None:
        return None
    if what == "":
        return found.body_start, found.end
    if what == "MIME":
        return found.header_start, found.body_start
    if found.message is None:
        return None
    inner = found.message.body
    if what == "HEADER":
        return inner.header_start, inner.body_start
    return (inner.body_start, inner.end) if what == "TEXT" else None


def filter_header(header_block: bytes, names: AbstractSet[bytes], exclude: bool) -> bytes:
    """Return the fields of a header block whose names are in ``names`` (upper case), or all others.

    For HEADER.FIELDS and HEADER.FIELDS.NOT: folding, order and case stay. A
    blank line ends the result, except where the block had none.
    """
    kept: list[bytes] = []
    at = 0
    end = len(header_block)
    while at < end:
        found = _LINES.match(header_block, at)
        assert found is not None  # it matches the empty string too
        at = found.end()
        line = found.group()
        if line in {b"\r\n", b"\n"}:
            kept.append(line)
            break
        name, colon, _ = line.partition(b":")
        if colon and (name.rstrip(b" \t").upper() in names) is not exclude:
            kept.append(line)
    return b"".join(kept)
