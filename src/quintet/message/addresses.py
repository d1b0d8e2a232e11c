"""Address lists: RFC 5322 3.4 with groups, the obsolete forms of 4.4, and what really travels.

Names stay raw (encoded words untouched): ENVELOPE wants them so; ``display``
decodes. Garbage is tolerated, never refused, in linear time.
"""

from __future__ import annotations

import re

from quintet.message import words
from quintet.values import dataclass

_ATEXT = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]"
# One mailbox in its common form and the comma or end after it; never 8-bit, comments or escapes.
FAST = re.compile(
    rb'[ \t]*(?:(?:"([^"\\\r\n\x00\x80-\xff]*)"|(%b+(?: %b+)*))[ \t]*)?<(%b+)@(%b+)>[ \t]*(?:,|\Z)'
    % (_ATEXT, _ATEXT, _ATEXT, _ATEXT)
)
FAST_BARE = re.compile(rb"[ \t]*(%b+)@(%b+)[ \t]*(?:,|\Z)" % (_ATEXT, _ATEXT))

_TOKEN = re.compile(
    rb"(?P<space>[\s\x00]+)"
    rb'|(?P<atom>[^\s\x00()<>@,;:\\"\[\]]+)'
    rb'|"(?P<quoted>[^"\\]*(?:\\.[^"\\]*)*)"'
    rb"|\[(?P<literal>[^\[\]\\]*(?:\\.[^\[\]\\]*)*)\]"
    rb"|(?P<special>.)",
    re.DOTALL,
)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_DOT_ATOM = re.compile(rb"%b+" % _ATEXT)

MAX_COMMENT_DEPTH = 100  # deeper brackets are plain text
MAX_TOKENS = 2000  # words, dots and brackets of one address: the rest of it is left out
_SEPARATOR = re.compile(rb"[,;]")


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox, raw: quotes and escapes undone, encoded words kept."""

    name: bytes | None  # display name, or the comment of the old form ``joe@example.org (Joe)``
    route: bytes | None  # ``@a,@b`` of an obsolete source route
    mailbox: bytes  # local part, without its quotes
    host: bytes  # empty where the field gave none

    @property
    def display(self) -> str:
        """The name for people, or the address where there is none (RFC 5957 3)."""
        return (words.decode_words(self.name).strip() if self.name else "") or self.spec

    @property
    def spec(self) -> str:
        """``local@host`` as it is written, the local part quoted where it must be."""
        local = words.decode_bytes(self.mailbox)
        if not local or (self.mailbox.isascii() and not _DOT_ATOM.fullmatch(self.mailbox)):
            local = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return f"{local}@{words.decode_bytes(self.host)}" if self.host else local


@dataclass(frozen=True, slots=True)
class Group:
    """A named group of mailboxes (RFC 5322 3.4), maybe empty."""

    name: bytes
    members: tuple[Address, ...]


def parse_addresses(raw: bytes) -> list[Address | Group]:
    """Return the mailboxes and groups of an address field's value, in order."""
    found: list[Address | Group] = []
    at = 0
    end = len(raw)
    while at < end:
        if match := FAST.match(raw, at):
            quoted, phrase, mailbox, host = match.groups()
            found.append(Address(quoted or phrase, None, mailbox, host))
        elif match := FAST_BARE.match(raw, at):
            found.append(Address(None, None, *match.groups()))
        else:
            return found + _Slow(words.unfold(raw[at:])).parse()
        at = match.end()
    return found


def mailboxes(raw: bytes) -> list[Address]:
    """Return all mailboxes of a field's value, those inside groups too."""
    flat: list[Address] = []
    for one in parse_addresses(raw):
        flat.extend(one.members if isinstance(one, Group) else (one,))
    return flat


class _Slow:
    """The tolerant parser: one pass over the tokens, finishing an address at ``,`` ``;`` or the end."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._found: list[Address | Group] = []
        self._group: bytes | None = None
        self._members: list[Address] = []
        self._reset()

    def _reset(self) -> None:
        self._words: list[bytes] = []  # before "<" or "@"
        self._glued: list[bool] = []  # whether the word follows the last one without a space
        self._comment: bytes | None = None
        self._angle: list[bytes] | None = None  # tokens inside <...>
        self._mailbox: bytes | None = None
        self._host: bytearray | None = None
        self._route: bytes | None = None
        self._space = True
        self._tokens = 0

    def parse(self) -> list[Address | Group]:
        raw = self._raw
        at = 0
        quotes_left = brackets_left = comments_left = True
        while at < len(raw):
            self._tokens += 1
            if self._tokens > MAX_TOKENS:  # nobody's address: 200 KB of "<" would take half a second
                self._finish()
                if (separator := _SEPARATOR.search(raw, at)) is None:
                    break
                at = separator.start()
            char = raw[at]
            if char == 0x28 and comments_left:
                end = comment_end(raw, at)
                if end < 0:
                    comments_left = False  # unclosed: the rest is text, and is not searched again
                else:
                    self._comment = _ESCAPED.sub(rb"\1", raw[at + 1 : end - 1]).strip()
                    at = end
                    continue
            if (char == 0x22 and not quotes_left) or (char == 0x5B and not brackets_left):
                at += 1
                continue
            match = _TOKEN.match(raw, at)
            if match is None:
                break
            if match.lastgroup == "special":
                quotes_left = quotes_left and char != 0x22
                brackets_left = brackets_left and char != 0x5B
            self._take(match.lastgroup or "", match.group(match.lastgroup or 0))
            at = match.end()
        self._finish()
        self._close_group()
        return self._found

    def _take(self, kind: str, text: bytes) -> None:
        if kind == "space":
            self._space = True
            return
        if kind == "quoted":
            text = _ESCAPED.sub(rb"\1", text)
        elif kind == "literal":
            text = b"[" + text + b"]"
        if kind == "special":
            self._special(text)
            return
        if self._angle is not None and self._mailbox is None:
            self._angle.append(text)
        elif self._host is not None:
            # ``joe@example.org Joe``: text after the domain is not part of it
            if not self._space or not self._host or self._host.endswith(b".") or text.startswith(b"."):
                self._host += text
        elif self._mailbox is None:
            self._glued.append(not self._space and bool(self._words))
            self._words.append(text)
        self._space = False

    def _special(self, char: bytes) -> None:
        if char == b"<" and self._angle is None:
            self._angle = []
        elif char == b">" and self._angle is not None and self._mailbox is None:
            self._close_angle()
        elif self._angle is not None and self._mailbox is None:
            if char in b"@:,":
                self._angle.append(char)
        elif char == b"@" and self._angle is None and self._host is None:
            self._host = bytearray()
        elif char == b",":
            self._finish()
        elif char == b";":
            self._finish()
            self._close_group()
        elif (
            char == b":"
            and self._words
            and self._group is None
            and self._angle is None
            and self._host is None
        ):
            self._group = self._phrase() or b""
            self._reset()
        self._space = char in b"()"  # an unclosed comment still parts words

    def _close_angle(self) -> None:
        """Read ``@route:local@host`` from the tokens inside the angle brackets."""
        tokens = self._angle or []
        if tokens and tokens[0] == b"@" and b":" in tokens:
            colon = len(tokens) - 1 - tokens[::-1].index(b":")
            self._route = b"".join(tokens[:colon])
            tokens = tokens[colon + 1 :]
        if b"@" in tokens:
            at = len(tokens) - 1 - tokens[::-1].index(b"@")
            self._mailbox = b"".join(tokens[:at])
            self._host = bytearray(b"".join(tokens[at + 1 :]))
        else:
            self._mailbox = b"".join(tokens)
            self._host = bytearray()

    def _phrase(self) -> bytes | None:
        if not self._words:
            return None
        joined = bytearray(self._words[0])
        for word, glued in zip(self._words[1:], self._glued[1:], strict=True):
            joined += word if glued else b" " + word
        return bytes(joined)

    def _finish(self) -> None:
        """End one mailbox, whatever there is of it."""
        if self._angle is not None and self._mailbox is None:
            self._close_angle()  # the closing bracket is missing
        if self._mailbox is not None:
            name = self._phrase()
            if name is None:
                name = self._comment
            self._add(Address(name, self._route, self._mailbox, bytes(self._host or b"")))
        elif self._host is not None:
            self._add(Address(self._comment, None, b"".join(self._words), bytes(self._host)))
        elif self._words:
            self._add(Address(self._comment, None, self._phrase() or b"", b""))
        self._reset()

    def _add(self, address: Address) -> None:
        if not address.mailbox and not address.host and not address.name:
            return
        (self._found if self._group is None else self._members).append(address)

    def _close_group(self) -> None:
        if self._group is not None:
            self._found.append(Group(self._group, tuple(self._members)))
            self._group, self._members = None, []


_COMMENT_STOP = re.compile(rb"[()\\]")


def comment_end(raw: bytes, start: int) -> int:
    """Offset after the comment that opens at ``start``, or -1 where it is not closed."""
    depth = 0
    at = start
    while match := _COMMENT_STOP.search(raw, at):
        at = match.end()
        char = match.group()
        if char == b"\\":
            at += 1
        elif char == b"(":
            depth += 1
            if depth > MAX_COMMENT_DEPTH:
                return -1
        else:
            depth -= 1
            if depth == 0:
                return at
    return -1
