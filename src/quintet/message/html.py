"""HTML to searchable text, as a stream: tags go, entities are read, scripts and styles are left out.

No HTML parser: search and previews want the words, fast, from whatever mailers write.
"""

from __future__ import annotations

import html
import re

MAX_TAG = 64 * 1024  # characters held while a tag or a comment is open; a longer one is text

_MARKUP = re.compile(r"<[/!?]?[a-zA-Z][^<>]*>|<[!?][^<>]*>")
# what keeps words apart when its tag goes
_BREAKS = re.compile(
    r"</?(?:p|div|br|tr|td|th|li|ul|ol|h[1-6]|table|hr|pre|blockquote|section|article|option|dt|dd)\b[^<>]*>",
    re.IGNORECASE,
)
_BREAK = (
    "<\x1f>"  # no markup: stands for those while the others go, and like them keeps their neighbours apart
)
_OPEN = re.compile(r"<(!--|script\b|style\b|head\b|title\b)", re.IGNORECASE)
_CLOSERS = {
    "!--": re.compile("-->"),
    "script": re.compile("</script", re.IGNORECASE),
    "style": re.compile("</style", re.IGNORECASE),
    "head": re.compile("</head", re.IGNORECASE),
    "title": re.compile("</title", re.IGNORECASE),
}
_LONGEST_CLOSER = len("</script")
_MARK = "\x1e"  # where a line ends in HTML
_BLANKS = re.compile(r"[ \t\r\n\f]+")
_LINE_BREAKS = re.compile(rf" ?{_MARK}[ {_MARK}]*")


def strip(text: str) -> str:
    """Return the text of a whole HTML document."""
    stripper = Stripper()
    return stripper.feed(text) + stripper.finish()


def lines(text: str) -> str:
    """Return a whole HTML document as lines of text, each with CRLF."""
    flow = Flow()
    return flow.feed(text) + flow.finish()


_SKIPPED = re.compile(rb"<(!--|SCRIPT\b|STYLE\b|HEAD\b|TITLE\b)")
_SKIPPED_UNTIL = {
    b"!--": b"-->", b"SCRIPT": b"</SCRIPT", b"STYLE": b"</STYLE", b"HEAD": b"</HEAD", b"TITLE": b"</TITLE",
}  # fmt: skip
_NO_TAG = re.compile(rb"<(?![A-Z/!])")  # nobody knows where that ends
_LONGEST_NAME = 40  # octets of an entity with its "&"; HTML's longest has 33


def holds(data: bytes, letters: bytes) -> bool | None:
    """Whether the text of a whole document holds ASCII ``letters`` and digits; None: it must be stripped.

    Both in upper case, and ``data`` in a charset in which ASCII stands for itself.
    """
    at = data.find(letters)
    if at < 0:  # what goes or is read begins with "<" or "&": then letters from both sides may meet
        whole = data.isascii() and b"&" not in data
        return False if whole and not _may_meet(data, letters) else None
    start = 0  # of what is neither skipped nor in a tag that was looked at: each octet is passed once
    while at >= 0:
        tag = data.rfind(b"<", start, at)
        opened = _SKIPPED.search(data, start, at)
        if opened is None and data.rfind(b">", start, at) >= tag:
            plain = b"&" not in data[max(at - _LONGEST_NAME, 0) : at]
            return True if plain and _NO_TAG.search(data, 0, at) is None else None
        opened = opened or _SKIPPED.match(data, tag)  # or it is found in a tag
        if opened is not None:
            end = data.find(_SKIPPED_UNTIL[opened[1]], opened.end())
            start = data.find(b">", end) + 1 if end >= 0 else 0
        else:
            start = data.find(b">", at) + 1
            if data.find(b"<", at, start) >= 0:
                return None
        if not start:
            return None
        at = data.find(letters, max(start, at))
    return None


def _may_meet(data: bytes, letters: bytes) -> bool:
    return any(letters[:length] + b"<" in data for length in range(1, len(letters)))


class Stripper:
    """Feed pieces, get their text; what may be half a tag waits for the next piece."""

    def __init__(self, mark: str = " ") -> None:
        self._mark = mark  # stands for tags that keep words apart
        self._held = ""
        self._until: re.Pattern[str] | None = None  # inside <script> and the like: what ends it

    def feed(self, piece: str) -> str:
        """Take markup, return text."""
        text = self._held + piece
        self._held = ""
        out: list[str] = []
        at = 0
        while at < len(text):
            if self._until is not None:
                at = self._skip(text, at)
                continue
            opened = _OPEN.search(text, at)
            if opened is None:
                out.append(self._plain(text[at:]))
                break
            out.append(self._tags(text[at : opened.start()]))
            self._until = _CLOSERS[opened.group(1).lower()]
            at = opened.end()
        return "".join(out)

    def _skip(self, text: str, at: int) -> int:
        """Return where text goes on; what may be half a closer waits for the next piece."""
        assert self._until is not None
        found = self._until.search(text, at)
        if found is None:
            self._held = text[max(at, len(text) - _LONGEST_CLOSER + 1) :]
            return len(text)
        after = found.end()
        if not found.group().endswith(">"):
            after = text.find(">", after) + 1
            if after == 0 and len(text) - found.start() <= MAX_TAG:
                self._held = text[found.start() :]
                return len(text)
            after = after or len(text)
        self._until = None
        return after

    def _plain(self, text: str) -> str:
        """Text without skipped elements; an unfinished tag or entity at the end is held."""
        cut = len(text)
        last = text.rfind("<")
        if last >= 0 and text.find(">", last) < 0 and len(text) - last <= MAX_TAG:
            cut = last
        else:
            amp = text.rfind("&", max(0, len(text) - 32))
            if amp >= 0 and text.find(";", amp) < 0:
                cut = amp
        self._held = text[cut:]
        return self._tags(text[:cut])

    def _tags(self, text: str) -> str:
        if "<" in text:
            # what it is replaced by is a constant each time: a function for each tag takes five times as long
            text = _BREAKS.sub(_BREAK, text.replace(_BREAK, self._mark))
            text = _MARKUP.sub("", text).replace(_BREAK, self._mark)
        return html.unescape(text) if "&" in text else text

    def finish(self) -> str:
        """Return what was held: an open tag is text after all."""
        held, self._held = self._held, ""
        if self._until is not None:
            return ""
        return self._tags(held)


class Flow:
    """HTML as lines of text: blanks are one, paragraphs and rows end lines. Feed pieces, get text."""

    def __init__(self) -> None:
        self._stripper = Stripper(_MARK)
        self._held = ""
        self._begun = False

    def feed(self, piece: str) -> str:
        """Take markup, return text."""
        text = self._held + _BLANKS.sub(" ", self._stripper.feed(piece.replace(_MARK, "")))
        cut = len(text.rstrip(" " + _MARK))
        self._held = text[cut:]
        return self._lines(text[:cut])

    def finish(self) -> str:
        """Return what was held, and the last line's end."""
        text = self._held + _BLANKS.sub(" ", self._stripper.finish())
        self._held = ""
        return self._lines(text.rstrip(" " + _MARK)) + ("\r\n" if self._begun else "")

    def _lines(self, text: str) -> str:
        text = _LINE_BREAKS.sub("\r\n", _BLANKS.sub(" ", text))
        if not self._begun:
            text = text.lstrip()
            self._begun = bool(text)
        return text
