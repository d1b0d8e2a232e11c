"""The words of a message: for search, and for previews (RFC 8970).

Reads the blob through a function, in pieces of at most ``PIECE`` bytes, so
a message of any size is searched in bounded memory. Decoding is by transfer
encoding and charset, tolerantly; HTML loses its tags.
"""

from __future__ import annotations

import codecs
import functools
import re
from collections.abc import Callable, Iterator

from quintet.message import html, transfer, words
from quintet.message.digest import Digest, Part

Read = Callable[[int, int], bytes]  # (start, end) of the blob -> its bytes

PIECE = 64 * 1024  # bytes read at once
OVERLAP = 1024  # characters given again before each next piece: longer search strings can be cut by a border
PREVIEW_LENGTH = 200  # characters (RFC 8970 3.3: SHOULD 200, MUST NOT exceed 256)
PREVIEW_READ = 16 * 1024  # bytes of a part looked at for a preview

_TEXT_TYPES = frozenset(
    (
        "application/json", "application/xml", "application/xhtml+xml", "application/javascript",
        "application/x-sh", "application/rtf", "application/ics", "application/pgp-signature",
        "application/x-yaml", "application/sql",
    )
)  # fmt: skip
_MARKUP = frozenset(
    ("text/html", "application/xhtml+xml", "application/xml", "text/xml", "text/enriched", "text/richtext")
)
_UNENCODED = ("7bit", "8bit", "binary")
_SPACES = re.compile(r"[\s\u00a0\u200b-\u200f\u2028\u2029\u2060\ufeff\u00ad\u034f\x00-\x1f\x7f]+")
_QUOTES = re.compile(r"^(?:>.*|On .{0,200} wrote:|-- ?)\s*$", re.MULTILINE)


def searchable_headers(digest: Digest) -> str:
    """Return all fields as ``Name: value`` lines with encoded words decoded, embedded messages' too."""
    lines = [f"{words.decode_bytes(name)}: {words.decode_words(value)}" for name, value in digest.headers]
    return "\n".join(lines)


def leaves(part: Part) -> Iterator[Part]:
    """Yield the single parts in order, those inside embedded messages too."""
    if part.message is not None:
        yield from leaves(part.message.body)
    elif part.children:
        for child in part.children:
            yield from leaves(child)
    elif part.type != "multipart":
        yield part


def is_text(part: Part) -> bool:
    """Whether a part's body is words once it is decoded."""
    kind = part.content_type
    return part.type in {"text", "message"} or kind in _TEXT_TYPES or kind.endswith(("+xml", "+json"))


def body_texts(digest: Digest, read: Read) -> Iterator[str]:
    """Yield the decoded text of every text-like part, in order and in bounded pieces.

    Of embedded messages the kept header fields come too. Pieces of one part
    overlap by OVERLAP characters, so a string of up to that length is found
    in one piece even where it stands across a border.
    """
    yield from _embedded_headers(digest.root)
    for part in leaves(digest.root):
        if is_text(part):
            yield from _pieces(part, read)


def _pieces(part: Part, read: Read) -> Iterator[str]:
    tail = ""
    for piece in _decoded(part, read):
        yield tail + piece
        tail = (tail + piece)[-OVERLAP:]


def holds(digest: Digest, read: Read, letters: bytes, test: Callable[[str], bool]) -> bool:
    """Whether ``test`` is true of any of `body_texts`, where it looks for ASCII ``letters`` in any case.

    They are given in upper case, at most half of OVERLAP.  A part that holds them as it stands is not
    decoded, nor one that is nothing but ASCII.
    """
    if any(map(test, _embedded_headers(digest.root))):
        return True
    for part in leaves(digest.root):
        if is_text(part):
            found = _as_it_stands(part, read, letters)
            if found or (found is None and any(map(test, _pieces(part, read)))):
                return True
    return False


def _as_it_stands(part: Part, read: Read, letters: bytes) -> bool | None:
    """Whether a small part holds ASCII letters; None where it must be decoded to know."""
    quoted, markup = part.encoding == "quoted-printable", _has_markup(part)
    if (
        part.size > PIECE
        or not (quoted or part.encoding in _UNENCODED)
        or ((quoted or markup) and not letters.isalnum())
        or (quoted and markup)
        or not _keeps_ascii(part.charset)
    ):
        return None
    data = read(part.body_start, part.end)
    upper = data.upper()
    if markup:
        return html.holds(upper, letters)
    at = upper.find(letters)
    if at < 0:
        return False if not quoted and data.isascii() else None
    # "=C3" is no letter "C"
    return True if not quoted or b"=" not in upper[max(at - 2, 0) : at] else None


@functools.lru_cache(maxsize=64)
def _keeps_ascii(charset: str) -> bool:
    """Whether each octet of ASCII is that letter, wherever it stands; not with shifts or trail bytes."""
    name = words.codec_name(charset) or "utf-8"
    return name in ("ascii", "utf-8") or name.startswith(("iso8859-", "cp125", "koi8-"))


def _has_markup(part: Part) -> bool:
    return part.content_type in _MARKUP or part.subtype.endswith("+xml")


def _embedded_headers(part: Part) -> Iterator[str]:
    for child in part.children:
        yield from _embedded_headers(child)
    if part.message is not None:
        yield "\n".join(
            f"{words.decode_bytes(name)}: {words.decode_words(value)}" for name, value in part.message.headers
        )
        yield from _embedded_headers(part.message.body)


def _decoded(part: Part, read: Read, limit: int | None = None) -> Iterator[str]:
    """Yield one part's text piece by piece; empty pieces are left out."""
    decoder = transfer.decoder(part.encoding)
    incremental = text_decoder(part.charset)
    stripper = html.Stripper() if _has_markup(part) else None
    end = part.end if limit is None else min(part.end, part.body_start + limit)
    for start in range(part.body_start, end, PIECE):
        stop = min(start + PIECE, end)
        data = decoder.feed(read(start, stop))
        if stop == end:
            data += decoder.finish()
        text = incremental.decode(data, final=stop == end)
        if stripper:
            text = stripper.feed(text) + (stripper.finish() if stop == end else "")
        if text:
            yield text


def text_decoder(charset: str) -> codecs.IncrementalDecoder:
    """Return a decoder that never fails, for a charset as a letter names it."""
    name = words.codec_name(charset) or "utf-8"
    if name == "utf-8":
        return _Utf8OrWindows()
    if name in _MARKED:
        return _BigUnlessMarked(name)
    return codecs.getincrementaldecoder(name)("replace")


class _Utf8OrWindows(codecs.IncrementalDecoder):
    """UTF-8, and byte by byte windows-1252 where it is none: what 8-bit text without a true label is."""

    def __init__(self) -> None:
        super().__init__()
        self._decoder = codecs.getincrementaldecoder("utf-8")("quintet-windows-1252")

    def decode(self, data: object, final: bool = False) -> str:
        assert isinstance(data, bytes)
        return self._decoder.decode(data, final)


class _BigUnlessMarked(codecs.IncrementalDecoder):
    """UTF-16 and UTF-32 by the mark they begin with; without one big-endian (RFC 2781 4.3).

    Python's own raise an error there, whatever they were told to do with errors.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._held = b""  # less than a mark
        self._decoder: codecs.IncrementalDecoder | None = None

    def decode(self, data: object, final: bool = False) -> str:
        assert isinstance(data, bytes)
        if self._decoder is None:
            data, marks = self._held + data, _MARKED[self._name]
            if len(data) < len(marks[0]) and not final:
                self._held = data
                return ""
            name = self._name if data.startswith(marks) else f"{self._name}-be"
            self._decoder = codecs.getincrementaldecoder(name)("replace")
        return self._decoder.decode(data, final)


_MARKED = {
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
}


def _as_windows(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("windows-1252", "replace"), error.end


codecs.register_error("quintet-windows-1252", _as_windows)


def preview(digest: Digest, read: Read) -> str:
    """Return a line for people about a message's text, at most PREVIEW_LENGTH characters, maybe "".

    RFC 8970 3.3: plain text, no markup, white space collapsed; quoted lines and
    signatures say little and are left out unless nothing else is there.
    """
    part = preview_part(digest)
    if part is None:
        return ""
    text = "".join(_decoded(part, read, PREVIEW_READ))
    if part.subtype == "plain":
        if text.lstrip().startswith("-----BEGIN PGP MESSAGE-----"):
            return ""  # RFC 8970 3.2: encrypted, so nothing that says anything
        own = text.replace("\r\n", "\n").split("\n-- \n", 1)[0]
        own = _shortened(_QUOTES.sub("", own))
        if own:
            return own
    return _shortened(text)


def _shortened(words: str) -> str:
    """With white space collapsed, which costs 50 ns a letter: first of as much as is mostly enough."""
    text = _SPACES.sub(" ", words[: 2 * PREVIEW_LENGTH]).strip()
    if len(text) <= PREVIEW_LENGTH:
        text = _SPACES.sub(" ", words).strip()
    if len(text) <= PREVIEW_LENGTH:
        return text
    cut = text.rfind(" ", PREVIEW_LENGTH - 30, PREVIEW_LENGTH)
    return text[: cut if cut > 0 else PREVIEW_LENGTH].rstrip()


def preview_part(digest: Digest) -> Part | None:
    """The part that `preview` reads at most PREVIEW_READ bytes of.

    The first plain text that is no attachment; else the first HTML; else any other text.
    """
    html = other = None
    for part in leaves(digest.root):
        if part.type != "text" or part.disposition == "attachment" or not part.size:
            continue
        if part.subtype == "plain":
            return part
        if part.subtype == "html":
            html = html or part
        elif other is None:
            other = part
    return html or other
