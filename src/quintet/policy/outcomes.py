"""What an administrator's hook may answer; the words that a hooks file imports (docs/hooks.md).

Values only: what they lead to is `delivery.hooking`'s.
"""

from __future__ import annotations

import re

from quintet.errors import Reason, Refused, TryLater
from quintet.values import dataclass

MAX_TEXT = 400  # characters that a client is told
MAX_FIELD = 4000  # characters of one header field

_NAME = re.compile(r"[!-9;-~]{1,76}")  # RFC 5322 3.6.8
_ENHANCED = re.compile(r"[45]\.(?:0|[1-9]\d{0,2})\.(?:0|[1-9]\d{0,2})", re.ASCII)  # RFC 3463 2
_OURS = frozenset(("received", "return-path", "delivered-to", "authentication-results"))


@dataclass(frozen=True, slots=True)
class Accept:
    """Goes on, and no later hook is asked."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """A 5yz reply."""

    code: int
    text: str
    enhanced: str


@dataclass(frozen=True, slots=True)
class Defer:
    """A 4yz reply."""

    code: int
    text: str
    enhanced: str


@dataclass(frozen=True, slots=True)
class Discard:
    """The client hears that it was taken; it is thrown away."""


@dataclass(frozen=True, slots=True)
class FileInto:
    """Into a folder of each local recipient; made if need be."""

    folder: str
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Into the quarantine folder of each local recipient."""


@dataclass(frozen=True, slots=True)
class AddHeader:
    """One more field on top of the message."""

    name: str
    value: str

    @property
    def line(self) -> bytes:
        """The whole field with its CRLF."""
        return f"{self.name}: {self.value}\r\n".encode()


@dataclass(frozen=True, slots=True)
class AddScore:
    """Points, as checks give them (section [policy.scores])."""

    points: float
    test: str


@dataclass(frozen=True, slots=True)
class Spool:
    """The article goes to the group for those that somebody shall look at."""


@dataclass(frozen=True, slots=True)
class Close:
    """The article is refused, and its poster's connection ends."""

    text: str


Outcome = Accept | Refuse | Defer | Discard | FileInto | Quarantine | AddHeader | AddScore | Spool | Close
NEWS_ONLY = (Spool, Close)
MAIL_ONLY = (FileInto, Quarantine, AddScore)


def accept() -> Accept:
    """Let it pass, and ask no later hook about it."""
    return Accept()


def refuse(text: str = "Refused by policy", code: int = 550, enhanced: str = "5.7.1") -> Refuse:
    """Say no.  ``code`` is 550 to 559; ValueError for another, or for an enhanced code that is none."""
    if not 550 <= code <= 559 or not (_ENHANCED.fullmatch(enhanced) and enhanced[0] == "5"):
        raise ValueError(f"not a code of a refusal: {code} {enhanced}")
    return Refuse(code, _clean(text), enhanced)


def defer(text: str = "Try again later", code: int = 451, enhanced: str = "4.7.1") -> Defer:
    """Say later.  ``code`` is 450 to 459; ValueError as `refuse`."""
    if not 450 <= code <= 459 or not (_ENHANCED.fullmatch(enhanced) and enhanced[0] == "4"):
        raise ValueError(f"not a code of a delay: {code} {enhanced}")
    return Defer(code, _clean(text), enhanced)


def discard() -> Discard:
    """Take it and throw it away."""
    return Discard()


def file_into(folder: str, *keywords: str) -> FileInto:
    """File it in a folder ("Lists/cats") of each local recipient, with keywords."""
    return FileInto(folder, keywords)


def quarantine() -> Quarantine:
    """Keep it from the Inbox."""
    return Quarantine()


def spool() -> Spool:
    """Put an article aside, into the group nntp.spool_group."""
    return Spool()


def close(text: str = "Go away") -> Close:
    """Refuse an article, and end the connection."""
    return Close(_clean(text))


def add_header(name: str, value: str) -> AddHeader:
    """Add a field on top.  ValueError for a name that is none, and for those that only the server writes."""
    if not _NAME.fullmatch(name) or name.lower() in _OURS:
        raise ValueError(f"not a field that can be added: {name!r}")
    return AddHeader(name, " ".join(re.sub(r"[\x00-\x1f\x7f]+", " ", value).split())[:MAX_FIELD])


def add_score(points: float, test: str = "hook") -> AddScore:
    """Add points to the message's score."""
    return AddScore(float(points), test)


def _clean(text: str) -> str:
    return re.sub(r"[^ -~]+", "?", text)[:MAX_TEXT] or "?"


class Refusal(Refused):
    """A refusal with a reply code of an administrator's choice."""

    def __init__(self, outcome: Refuse) -> None:
        super().__init__(Reason.POLICY, outcome.text)
        self.code, self.enhanced = outcome.code, outcome.enhanced


class Delay(TryLater):
    """A delay with a reply code of an administrator's choice."""

    def __init__(self, outcome: Defer) -> None:
        super().__init__(Reason.POLICY, outcome.text)
        self.code, self.enhanced = outcome.code, outcome.enhanced
