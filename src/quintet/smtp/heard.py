"""What a server said: one reply, of any number of lines, however odd; and what it offers after EHLO.

The reader is pure; `read` feeds it from a connection.  RFC 5321 4.2.1, 4.1.1.1; enhanced codes RFC 2034 4,
RFC 3463; RFC 9422 (LIMITS).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Sequence
from dataclasses import field

from quintet.delivery.transport import Result
from quintet.errors import BadSyntax, Hangup, Reason
from quintet.net.client import Client
from quintet.values import dataclass

MAX_LINES = 200  # of one reply
MAX_TEXT = 1000  # characters kept
MAX_KEYWORDS = 100  # of one EHLO

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?: |$)", re.ASCII)
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_NUMBER = re.compile(r"[0-9]{1,18}")
_LIMITS = re.compile(r"[A-Za-z0-9_-]+(?:=[!-:<-~]+)?(?: [A-Za-z0-9_-]+(?:=[!-:<-~]+)?)*")  # RFC 9422 3
_LIMIT = re.compile(r"[1-9][0-9]{0,5}")  # RFC 9422 4.1 to 4.3


@dataclass(frozen=True, slots=True)
class Heard:
    """One reply."""

    code: int
    lines: tuple[str, ...]  # without the code

    @property
    def ok(self) -> bool:
        return self.code // 100 == 2

    @property
    def text(self) -> str:
        """In one line, with the code, for people and reports."""
        return f"{self.code} {' '.join(self.lines)}"[:MAX_TEXT].strip()

    def status(self, result: Result) -> str:
        """The enhanced code where it agrees with what we make of the reply, else a general one."""
        digit = "2" if result is Result.DONE else "4" if result is Result.LATER else "5"
        found = _ENHANCED.match(self.lines[0]) if self.lines else None
        if found is not None and found[1] == digit:
            return f"{digit}.{_subject(found)}"
        return f"{digit}.0.0"

    @property
    def subject(self) -> str:
        """ "subject.detail" of the enhanced code, whatever its class; "" when there is none."""
        found = _ENHANCED.match(self.lines[0]) if self.lines else None
        return "" if found is None else _subject(found)


def _subject(found: re.Match[str]) -> str:
    """Subject and detail without the zeros in front that some hosts write: RFC 3463 2."""
    return f"{int(found[2])}.{int(found[3])}"


class Reader:
    """Puts a reply together, line by line."""

    __slots__ = ("_code", "_lines")

    def __init__(self) -> None:
        self._code, self._lines = b"", list[str]()

    def line(self, raw: bytes) -> Heard | None:
        """One more line without its end; the reply when it was the last.  Raises BadSyntax."""
        found = _LINE.fullmatch(raw)
        if found is None or (self._code and found[1] != self._code):
            raise BadSyntax("what came is no reply")
        rest = found[3]
        self._lines.append(_UNSAFE.sub(" ", rest.decode("utf-8", "replace")) if rest else "")
        if found[2] == b"-":
            self._code = found[1]
            if len(self._lines) >= MAX_LINES:
                raise BadSyntax("reply has too many lines", Reason.TOO_MANY)
            return None
        heard = Heard(int(found[1]), tuple(self._lines))
        self._code, self._lines = b"", []
        return heard


def _short(raw: bytes) -> Heard | None:
    """A reply of one plain line, as nearly all are; None: `Reader` has to look."""
    if raw[3:4] != b" " or not raw[:3].isdigit() or raw[:1] not in b"2345" or not raw.isascii():
        return None
    text = raw[4:].decode("ascii")
    return Heard(int(raw[:3]), (text,)) if text.isprintable() else None


async def read(client: Client) -> Heard:
    """The next reply; its first line and all that follow have ``timeout_s`` of the client each.

    Raises:
        Hangup: the connection is gone or too slow, or what came is no reply.
    """
    try:
        raw = await client.line()
        return _short(raw) or Reader().line(raw) or await _lines(client, raw)
    except BadSyntax as error:
        text = "reply too long" if error.reason is Reason.TOO_LONG else error.text
        raise Hangup(error.reason, text) from error


async def _lines(client: Client, first: bytes) -> Heard:
    """A reply of several lines."""
    reader = Reader()
    heard = reader.line(first)
    try:
        async with asyncio.timeout(client.timeout_s):
            while heard is None:
                heard = reader.line(await client.line())
    except TimeoutError as error:
        raise Hangup(Reason.TIMEOUT, "the reply does not end") from error
    return heard


@dataclass(frozen=True, slots=True)
class Offers:
    """What a server says that it can do."""

    words: dict[str, str] = field(default_factory=dict)  # keyword in upper case: its parameters
    size: int = 0  # bytes; 0: not said
    rcpt_max: int = 0  # recipients of one transaction; 0: not said (RFC 9422 4.2)
    mail_max: int = 0  # transactions of one session (4.1)
    domain_max: int = 0  # recipient domains of one session (4.3)

    def __contains__(self, keyword: object) -> bool:
        return keyword in self.words

    def get(self, keyword: str) -> str:
        """A keyword's parameters; "" when it has none, or is not offered."""
        return self.words.get(keyword, "")


NOTHING = Offers()


def _limits(text: str) -> dict[str, int]:
    """RFC 9422 3.7: what is wrong as a whole says nothing, a wrong value nothing of that limit."""
    if not _LIMITS.fullmatch(text):
        return {}
    pairs = [(name.upper(), value) for name, _, value in (word.partition("=") for word in text.split(" "))]
    return {name: int(value) for name, value in pairs if _LIMIT.fullmatch(value)}


def offers(lines: Sequence[str], ignored: Collection[str] = ()) -> Offers:
    """From the lines of an EHLO reply after the first, without ``ignored``; what is odd is passed over."""
    words: dict[str, str] = {}
    for line in lines[:MAX_KEYWORDS]:
        # "AUTH=LOGIN" is how old servers say it
        keyword, _, rest = (
            line.replace("=", " ", 1).partition(" ") if line[:5] == "AUTH=" else line.partition(" ")
        )
        name, rest = keyword.upper(), rest.strip()
        if name in ignored:
            continue
        words[name] = f"{words[name]} {rest}" if name == "AUTH" and name in words else rest
    size = words.get("SIZE", "")
    limits = _limits(words.get("LIMITS", ""))
    return Offers(
        words,
        size=int(size) if _NUMBER.fullmatch(size) else 0,
        rcpt_max=limits.get("RCPTMAX", 0),
        mail_max=limits.get("MAILMAX", 0),
        domain_max=limits.get("RCPTDOMAINMAX", 0),
    )
