"""Framing of a stream of articles: many CHECK and TAKETHIS of one read become one value (RFC 4644).

So do the bare Message-IDs that follow MODE CANCEL.

Pure.  Where a pipeline stands in the usual form, a regular expression or a search for the end takes whole
runs of it; anything else (lower case, odd blanks, a malformed id) is left to the parser of single lines.
"""

from __future__ import annotations

import re
from typing import ClassVar

import msgspec

from quintet.values import dataclass

MAX_CHECKS = 1000  # ids answered together
MAX_ARTICLES = 200  # articles filed together
MAX_TOGETHER = 1024 * 1024  # bytes of articles filed together
MAX_HELD = 256 * 1024  # bytes of an article that is waited for; more of it is taken piece by piece

_CHECKS = re.compile(rb"(?:CHECK <[!-=?-~]{1,248}>\r\n){1,%d}" % MAX_CHECKS)
_CANCELS = re.compile(rb"(?:<[!-=?-~]{1,248}>\r\n){1,%d}" % MAX_CHECKS)
_IHAVE = re.compile(rb"IHAVE (<[!-=?-~]{1,248}>)\r\n")
_TAKETHIS = re.compile(rb"TAKETHIS (<[!-=?-~]{1,248}>)\r\n")
_END = b"\r\n.\r\n"


@dataclass(frozen=True, slots=True)
class Checks:
    """Message-IDs asked for in one go, in their order."""

    ids: list[bytes]
    name = "CHECK"


class Offer(msgspec.Struct, frozen=True):  # a fifth of what a frozen dataclass costs to make
    """IHAVE in its usual form: the Message-ID."""

    message_id: bytes
    name: ClassVar[str] = "IHAVE"


@dataclass(frozen=True, slots=True)
class Cancels:
    """Message-IDs of articles to be taken away, in their order."""

    ids: list[bytes]
    name = "MODE"


@dataclass(frozen=True, slots=True)
class Articles:
    """Whole articles that came in one go, un-stuffed.

    Of each the Message-ID of the command, its bytes, and whether surely none of its lines begins with a dot.
    """

    items: list[tuple[bytes, bytes, bool]]
    name = "TAKETHIS"


class Sent(msgspec.Struct, frozen=True):
    """The article that IHAVE announced, or that was asked for after POST, whole and un-stuffed."""

    message_id: bytes
    article: bytes
    dotless: bool = False  # surely none of its lines begins with a dot
    undoubled: bool = False  # a line came with one dot only at its front
    name: ClassVar[str] = "IHAVE"


@dataclass(frozen=True, slots=True)
class Sending:
    """The same when it is too long to be waited for: it follows."""

    message_id: bytes
    name = "IHAVE"


class Frames:
    """What takes them from the front of a buffer; one a connection."""

    __slots__ = ("_searched",)

    def __init__(self) -> None:
        self._searched = 0  # bytes of the article at the front known to hold no end

    def take(self, data: bytes, at: int) -> tuple[Checks | Cancels | Articles | Offer | None, int]:
        """What stands at ``at``, and where it ends; (None, at) for anything else.

        (None, -1): an article stands there of which more must come.
        """
        if data.startswith(b"IHAVE ", at):
            offered = _IHAVE.match(data, at)
            return (None, at) if offered is None else (Offer(offered[1]), offered.end())
        if data.startswith(b"CHECK ", at):
            found = _CHECKS.match(data, at)
            if found is None:
                return None, at
            return Checks(data[at + 6 : found.end() - 2].split(b"\r\nCHECK ")), found.end()
        if data.startswith(b"TAKETHIS ", at):
            return self._articles(data, at)
        found = _CANCELS.match(data, at)
        return (
            (None, at) if found is None else (Cancels(data[at : found.end() - 2].split(b"\r\n")), found.end())
        )

    def _articles(self, data: bytes, at: int) -> tuple[Checks | Articles | None, int]:
        items: list[tuple[bytes, bytes, bool]] = []
        begun, match = at, _TAKETHIS.match
        while found := match(data, at):
            start = found.end()
            end, is_plain = self._end(data, start - 2, at + self._searched)
            if end < 0:
                if not items:
                    return self._unfinished(data, at)
                break
            self._searched = 0
            # an empty article's end begins with the line end of the command
            article = data[start : end + 2] if end >= start else b""
            items.append((found[1], article if is_plain else _plain(article), is_plain))
            at = end + len(_END)
            if len(items) >= MAX_ARTICLES or at - begun > MAX_TOGETHER:
                break
        return (Articles(items), at) if items else (None, at)

    def sent(self, data: bytes, at: int, message_id: bytes) -> tuple[Sent | Sending | None, int]:
        """The article at ``at`` that was announced; (None, -1) when more of it must come."""
        if data.startswith(b".\r\n", at):
            return Sent(message_id, b""), at + 3
        end, is_plain = self._end(data, at, at + self._searched)
        if end < 0:
            if len(data) - at > MAX_HELD:
                self._searched = 0
                return Sending(message_id), at
            self._searched = max(len(data) - at - len(_END) + 1, 0)
            return None, -1
        self._searched = 0
        article = data[at : end + 2]
        end += len(_END)
        if is_plain:
            return Sent(message_id, article, True), end
        undoubled = (b"\r\n" + article).count(b"\r\n.") != (b"\r\n" + article).count(b"\r\n..")
        return Sent(message_id, _plain(article), False, undoubled), end

    @staticmethod
    def _end(data: bytes, start: int, unsearched: int) -> tuple[int, bool]:
        """Where `_END` stands behind ``start``, or -1; and whether surely no line before begins with a dot.

        One search tells both of most articles: the first line that begins with a dot is their end.
        """
        begun = max(start, unsearched)
        first = data.find(b"\n.", begun)
        if data.startswith(_END, first - 1) and first > begun:
            return first - 1, begun == start and not data.startswith(b".", start)
        return (data.find(_END, begun) if first >= 0 else -1), False

    def _unfinished(self, data: bytes, at: int) -> tuple[None, int]:
        held = len(data) - at
        if held > MAX_HELD:
            self._searched = 0
            return None, at  # the parser of lines takes the command, its handler the article
        self._searched = max(held - len(_END) + 1, 0)
        return None, -1


def _plain(article: bytes) -> bytes:
    """Without the dots that were put before lines that begin with one."""
    if b"\r\n." in article:
        article = article.replace(b"\r\n.", b"\r\n")
    return article[1:] if article.startswith(b".") else article
