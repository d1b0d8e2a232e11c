"""Mailbox names: wire to store and back, and the patterns of LIST (RFC 9051 5.1, 6.3.9, RFC 3501 5.1.3).

Pure.  Inside, a name is ``str`` in NFC with "/" between levels, "INBOX" in capitals (store.folders).
Newsgroups appear below ``Groups/`` (one level each, dots and all), what other people share below
``Users/NAME/``, folders of shared accounts below ``Public/NAME/``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from quintet.errors import BadSyntax, Reason, Refused
from quintet.imap import utf7

SEPARATOR = "/"
GROUPS = "Groups/"
USERS = "Users/"
PUBLIC = "Public/"
RESERVED = (GROUPS, USERS, PUBLIC)  # beginnings of names that are not one's own
MAX_NAME = 1000  # characters of a whole path
MAX_LEVELS = 100
MAX_PIECES = 256  # literals and wildcards of a LIST pattern; "%" for each of 100 levels is 199


def decode(raw: bytes, *, utf8: bool) -> str:
    """The name that a client wrote; in UTF-8 also where it has not said so yet (RFC 6855 3).

    Raises:
        Refused(BAD_NAME): not UTF-8, or not modified UTF-7 (RFC 9051 5.1), or not a possible name.
    """
    try:
        name = raw.decode("utf-8") if utf8 or not raw.isascii() else utf7.decode(raw)
    except (UnicodeDecodeError, BadSyntax) as error:
        raise Refused(Reason.BAD_NAME, "mailbox name is not in the charset in use") from error
    name = unicodedata.normalize("NFC", name)
    head, slash, rest = name.partition(SEPARATOR)
    if head.upper() == "INBOX":
        name = f"INBOX{slash}{rest}"
    return name


def check(name: str) -> str:
    """``name``, if a folder may be called so; a trailing separator is dropped (RFC 9051 6.3.4).

    Raises:
        Refused(BAD_NAME): empty or blank levels, control characters, wildcards, too long, too deep.
    """
    name = name.removesuffix(SEPARATOR)
    levels = name.split(SEPARATOR)
    if not all(level.strip() for level in levels):
        raise Refused(Reason.BAD_NAME, "mailbox name has an empty level")
    if len(name) > MAX_NAME or len(levels) > MAX_LEVELS:
        raise Refused(Reason.BAD_NAME, "mailbox name is too long")
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in name):
        raise Refused(Reason.BAD_NAME, "mailbox name holds control characters")  # RFC 9051 5.1, RFC 5198
    if "*" in name or "%" in name:
        raise Refused(Reason.BAD_NAME, "mailbox name holds a wildcard")
    return name


def is_inbox(name: str) -> bool:
    return name == "INBOX"


@lru_cache(maxsize=256)
def _pieces(text: str) -> tuple[str, ...]:
    """A LIST pattern as literal pieces, ``*`` and ``%``; runs of wildcards say no more than one."""
    text = re.sub(r"[*%]*\*[*%]*", "*", re.sub("%+", "%", text))
    pieces = tuple(piece for piece in re.split(r"([*%])", text) if piece)
    if len(pieces) > MAX_PIECES:
        raise BadSyntax("too many wildcards", Reason.TOO_MANY)
    return pieces


def matches(text: str, name: str) -> bool:
    """True if the LIST pattern ``text`` matches all of ``name``; INBOX in any case.

    ``*`` matches anything, ``%`` anything within a level (RFC 9051 6.3.9).  Time is bounded by
    pieces and length, where a regular expression would try every split.

    Raises:
        BadSyntax(TOO_MANY): more than `MAX_PIECES` pieces.
    """
    return matcher(text)(name)


def matcher(text: str) -> Callable[[str], bool]:
    """`matches` for one pattern and many names; the patterns that clients send cost next to nothing."""
    head, slash, rest = text.partition(SEPARATOR)
    if head.upper() == "INBOX":
        text = f"INBOX{slash}{rest}"
    pieces = _pieces(text)
    if pieces == ("*",):
        return lambda _: True
    inbox = _match(_pieces(text.upper()), "INBOX")
    if pieces == ("%",):
        return lambda name: SEPARATOR not in name
    literal, *wild = pieces or ("",)
    if literal not in ("*", "%") and wild == ["%"]:
        end = len(literal)
        return lambda name: (
            (name.startswith(literal) and name.find(SEPARATOR, end) < 0) or (inbox and name == "INBOX")
        )
    if literal not in ("*", "%") and wild == ["*"]:
        return lambda name: name.startswith(literal) or (inbox and name == "INBOX")
    if literal not in ("*", "%") and not wild:
        return lambda name: name == literal or (inbox and name == "INBOX")
    return lambda name: _match(pieces, name) or (inbox and name == "INBOX")


def effort(text: str) -> int:
    """What matching a name costs: 0 for the patterns that clients send, else how many pieces."""
    pieces = _pieces(text)
    plain = len(pieces) < 2 or (len(pieces) == 2 and pieces[0] not in ("*", "%"))
    return 0 if plain else len(pieces)


def _match(pieces: tuple[str, ...], name: str) -> bool:
    """Every place where the rest of the pattern may go on is a bit, so that a piece costs one step."""
    if pieces == ("*",):
        return True
    size = len(name)
    everywhere = (1 << (size + 1)) - 1
    at = 1
    for piece in pieces:
        if piece == "*":
            at = everywhere & -(at & -at)  # from the first on
        elif piece == "%":
            inner = (everywhere >> 1) & ~_spots(name, SEPARATOR)
            at |= ((at & inner) + inner) ^ inner  # the sum carries up to the separator
        elif not at & (at - 1):
            start = at.bit_length() - 1
            at = 1 << (start + len(piece)) if name.startswith(piece, start) else 0
        else:
            for offset, letter in enumerate(piece):
                at &= _spots(name, letter) >> offset
                if not at:
                    break
            at <<= len(piece)
        if not at:
            return False
    return bool(at >> size & 1)


@lru_cache(maxsize=64)  # of a name that is held against many pieces
def _spots(name: str, letter: str) -> int:
    """Where ``letter`` stands, as bits."""
    found, at = 0, name.find(letter)
    while at >= 0:
        found |= 1 << at
        at = name.find(letter, at + 1)
    return found
