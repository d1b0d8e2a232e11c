"""What a POP3 client can ask, as values, and how its lines are read.  Pure.

Each command names its section; when it may be given stands in `session.RULES`.
"""

from __future__ import annotations

from collections.abc import Callable

from quintet.errors import BadSyntax, Reason
from quintet.values import dataclass

MAX_NUMBER = 10  # digits of a message number


@dataclass(frozen=True, slots=True)
class User:
    """RFC 1939 7."""

    name: str


@dataclass(frozen=True, slots=True)
class Pass:
    """RFC 1939 7.  Spaces belong to the password."""

    secret: str


@dataclass(frozen=True, slots=True)
class Apop:
    """RFC 1939 7."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Auth:
    """RFC 5034.  Without a mechanism it asks for the list, as some clients do."""

    mechanism: str
    initial: bytes | None


@dataclass(frozen=True, slots=True)
class Stls:
    """RFC 2595 4."""


@dataclass(frozen=True, slots=True)
class Capa:
    """RFC 2449 5."""


@dataclass(frozen=True, slots=True)
class Utf8:
    """RFC 6856 2.1."""


@dataclass(frozen=True, slots=True)
class Lang:
    """RFC 6856 3.2.  None asks for the list."""

    tag: str | None


@dataclass(frozen=True, slots=True)
class Stat:
    """RFC 1939 5."""


@dataclass(frozen=True, slots=True)
class List:
    """RFC 1939 5.  None: all."""

    number: int | None


@dataclass(frozen=True, slots=True)
class Uidl:
    """RFC 1939 7.  None: all."""

    number: int | None


@dataclass(slots=True)
class Retr:
    """RFC 1939 5.  Not frozen: it is made for every message, and that costs half as much."""

    number: int


@dataclass(frozen=True, slots=True)
class Top:
    """RFC 1939 7."""

    number: int
    lines: int


@dataclass(slots=True)
class Dele:
    """RFC 1939 5.  Not frozen: as `Retr`."""

    number: int


@dataclass(frozen=True, slots=True)
class Rset:
    """RFC 1939 5."""


@dataclass(frozen=True, slots=True)
class Noop:
    """RFC 1939 5."""


@dataclass(frozen=True, slots=True)
class Quit:
    """RFC 1939 4 and 6."""


Command = (
    User
    | Pass
    | Apop
    | Auth
    | Stls
    | Capa
    | Utf8
    | Lang
    | Stat
    | List
    | Uidl
    | Retr
    | Top
    | Dele
    | Rset
    | Noop
    | Quit
)


def parse(line: bytes) -> Command:
    """A command line without its end.

    Raises:
        BadSyntax(UNKNOWN_COMMAND): no such keyword.
        BadSyntax(SYNTAX): arguments that the command does not have.
    """
    word, space, rest = line.partition(b" ")
    reader = _READERS.get(word) or _READERS.get(word.upper())
    if reader is None:
        raise BadSyntax("", Reason.UNKNOWN_COMMAND)
    return reader(rest if space else None)


def _number(word: bytes) -> int:
    word = word.rstrip(b" ")  # Deviates from RFC 2449 4: some clients end their lines with a blank
    if not word.isdigit() or len(word) > MAX_NUMBER:
        raise BadSyntax
    return int(word)


def _text(raw: bytes) -> str:
    """RFC 6856 2.2: UTF-8 only; control characters are in no name and no password."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise BadSyntax("not UTF-8") from None
    if not text or any(char < " " or char == "\x7f" for char in text):
        raise BadSyntax
    return text


def _user(rest: bytes | None) -> Command:
    return User(_text(rest or b""))


def _pass(rest: bytes | None) -> Command:
    return Pass(_text(rest or b""))


def _apop(rest: bytes | None) -> Command:
    name, _, digest = (rest or b"").rpartition(b" ")
    return Apop(_text(name), _text(digest))


def _auth(rest: bytes | None) -> Command:
    if not rest:
        return Auth("", None)
    name, space, initial = rest.partition(b" ")
    if space and (not initial or b" " in initial):
        raise BadSyntax
    return Auth(_text(name), initial if space else None)


def _lang(rest: bytes | None) -> Command:
    return Lang(None if rest is None else _text(rest))


def _retr(rest: bytes | None) -> Command:
    return Retr(_number(rest or b""))


def _dele(rest: bytes | None) -> Command:
    return Dele(_number(rest or b""))


def _top(rest: bytes | None) -> Command:
    words = (rest or b"").rstrip(b" ").split(b" ")
    if len(words) != 2:
        raise BadSyntax
    return Top(_number(words[0]), _number(words[1]))


def _optional(make: Callable[[int | None], Command]) -> Callable[[bytes | None], Command]:
    return lambda rest: make(_number(rest) if rest and rest.strip(b" ") else None)


def _bare(command: Command) -> Callable[[bytes | None], Command]:
    def read(rest: bytes | None) -> Command:
        if rest and rest.strip(b" "):
            raise BadSyntax
        return command

    return read


_READERS: dict[bytes, Callable[[bytes | None], Command]] = {
    b"USER": _user,
    b"PASS": _pass,
    b"APOP": _apop,
    b"AUTH": _auth,
    b"STLS": _bare(Stls()),
    b"CAPA": _bare(Capa()),
    b"UTF8": _bare(Utf8()),
    b"LANG": _lang,
    b"STAT": _bare(Stat()),
    b"LIST": _optional(List),
    b"UIDL": _optional(Uidl),
    b"RETR": _retr,
    b"TOP": _top,
    b"DELE": _dele,
    b"RSET": _bare(Rset()),
    b"NOOP": _bare(Noop()),
    b"QUIT": _bare(Quit()),
}
