"""IMAP sections: which bytes of the blob ``BODY[1.2.MIME]`` means (RFC 9051 6.4.5.1, RFC 3501 6.4.5)."""

from __future__ import annotations

import functools
import re
from collections.abc import Set as AbstractSet

from quintet.message.digest import Digest, Part

_LINES = re.compile(rb"[^\n]*(?:\n[ \t][^\n]*)*(?:\n|\Z)")
_EMPTY = (b"\r\n", b"\n")


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


def header_end(content: bytes) -> int:
    """Where the header of a message ends that is all there: behind the first empty line, as `scan` has it."""
    if content.startswith(_EMPTY):
        return content.index(b"\n") + 1
    at = content.find(b"\n\r\n")
    bare = content.find(b"\n\n", 0, at + 1) if at >= 0 else content.find(b"\n\n")
    if bare >= 0:
        return bare + 2
    return at + 3 if at >= 0 else len(content)


def filter_header(header_block: bytes, names: AbstractSet[bytes], exclude: bool) -> bytes:
    """Return the fields of a header block whose names are in ``names`` (upper case), or all others.

    For HEADER.FIELDS and HEADER.FIELDS.NOT: folding, order and case stay. A
    blank line ends the result, except where the block had none.
    """
    end = header_end(header_block)
    if not exclude:
        return _picked(header_block[:end], frozenset(names))
    kept: list[bytes] = []
    at = 0
    while at < end:
        found = _LINES.match(header_block, at, end)
        assert found is not None  # it matches the empty string too
        at = found.end()
        line = found.group()
        if line in _EMPTY:
            kept.append(line)
            break
        name, colon, _ = line.partition(b":")
        if colon and name.rstrip(b" \t").upper() not in names:
            kept.append(line)
    return b"".join(kept)


def _picked(block: bytes, names: frozenset[bytes]) -> bytes:
    """The fields of a block with one of the names, and its empty line; nothing is made for other lines."""
    text = b"\n" + block
    empty = b"\r\n" if text.endswith(b"\n\r\n") else b"\n" if text.endswith(b"\n\n") else b""
    found = _picker(names).findall(text)
    if not found:
        return empty
    unfinished = not text.endswith(b"\n") and text.endswith(found[-1])
    return b"".join(found)[1:] + (b"" if unfinished else b"\n") + empty


@functools.lru_cache(maxsize=64)  # a program asks for the same all day
def _picker(names: frozenset[bytes]) -> re.Pattern[bytes]:
    """Finds fields with one of the names, each with the line end before it instead of its own.

    It begins with a letter that sre looks for by itself, and a class for the first of a name, so that it
    passes over other lines at once.
    """
    own = [
        rb"[%b%b](?i:%b)" % (re.escape(name[:1].upper()), re.escape(name[:1].lower()), re.escape(name[1:]))
        for name in names
        if name and b":" not in name and b"\n" not in name and name == name.rstrip(b" \t")
    ]
    return re.compile(rb"\n(?:%b)[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*" % b"|".join(own or [rb"(?!)"]))
