"""HTML to searchable text, as a stream: tags go, entities are read, scripts and styles are left out.

No HTML parser: search and previews want the words, fast, from whatever mailers write.
"""

from __future__ import annotations

import html
import re

MAX_TAG = 64 * 1024  # characters held while a tag or a comment is open; a longer one is text

_MARKUP = re.compile(
    r"<!--.*?-->|<(script|style|head|title)\b[^>]*>.*?</\1\s*>|<[/!?]?[a-zA-Z][^<>]*>|<[!?][^<>]*>",
    re.DOTALL | re.IGNORECASE,
)
# what keeps words apart when its tag goes
_BREAKS = re.compile(
    r"</?(?:p|div|br|tr|td|th|li|ul|ol|h[1-6]|table|hr|pre|blockquote|section|article|option|dt|dd)\b",
    re.IGNORECASE,
)
_OPEN = re.compile(r"<(!--|script\b|style\b|head\b|title\b)", re.IGNORECASE)
_CLOSERS = {"!--": "-->", "script": "</script", "style": "</style", "head": "</head", "title": "</title"}


def _replaced(found: re.Match[str]) -> str:
    return " " if _BREAKS.match(found.group()) else ""


def strip(text: str) -> str:
    """Return the text of a whole HTML document."""
    stripper = Stripper()
    return stripper.feed(text) + stripper.finish()


class Stripper:
    """Feed pieces, get their text; what may be half a tag waits for the next piece."""

    def __init__(self) -> None:
        self._held = ""
        self._until: str | None = None  # inside <script> and the like: what ends it

    def feed(self, piece: str) -> str:
        """Take markup, return text."""
        text = self._held + piece
        self._held = ""
        out: list[str] = []
        while text:
            if self._until is not None:
                text = self._skip(text)
                continue
            opened = _OPEN.search(text)
            if opened is None:
                out.append(self._plain(text))
                break
            out.append(self._tags(text[: opened.start()]))
            word = opened.group(1).lower()
            self._until = _CLOSERS[word]
            text = text[opened.end() :]
        return "".join(out)

    def _skip(self, text: str) -> str:
        """Drop text up to the closer; hold its last letters if the closer is not there yet."""
        assert self._until is not None
        at = text.lower().find(self._until)
        if at < 0:
            self._held = text[-(len(self._until) - 1) :]
            return ""
        after = at + len(self._until)
        if self._until != "-->":
            close = text.find(">", after)
            if close < 0:
                if len(text) - at > MAX_TAG:
                    self._until = None
                    return ""
                self._held = text[at:]
                return ""
            after = close + 1
        self._until = None
        return text[after:]

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
            text = _MARKUP.sub(_replaced, text)
        return html.unescape(text) if "&" in text else text

    def finish(self) -> str:
        """Return what was held: an open tag is text after all."""
        held, self._held = self._held, ""
        if self._until is not None:
            return ""
        return self._tags(held)
