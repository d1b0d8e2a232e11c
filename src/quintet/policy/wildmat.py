"""wildmat patterns over group names and header text (RFC 3977 section 4).

A pattern list is read from left to right and the last pattern that matches decides; ``!`` in front
of a pattern makes it say no.  Pure; patterns are compiled once and cached.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable

from quintet.errors import BadSyntax

MAX_PATTERNS = 200  # in one list: a command line of 512 octets cannot hold more
_FIRST_STAR = "(?>.*?"  # opens an atomic group...
_STAR = ")(?>.*?"  # ...and closes the one before

MAX_STARS = 20  # in one pattern: bounds the matcher's work on hostile input


def compile_one(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    r"""One pattern as an expression that matches the whole text.

    ``*`` any run of characters, ``?`` one character, ``[...]`` one of a set (RFC 2980 keeps it, RFC 3977
    4.1 reserves it), ``\`` takes the next character as it is.

    Raises:
        BadSyntax: an unfinished set or escape, or more than `MAX_STARS` stars.
    """
    if pattern.count("*") > MAX_STARS:
        raise BadSyntax(f"more than {MAX_STARS} stars in a wildmat")
    # what stands between two stars is looked for once and never again (an atomic group): trying all places
    # of all of them would take exponential time, and the leftmost one is always as good as any other
    out: list[str] = []
    stars = 0
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            if out and out[-1] in (_STAR, _FIRST_STAR):
                continue  # "**" is "*"
            out.append(_STAR if stars else _FIRST_STAR)
            stars += 1
        elif char == "?":
            out.append(".")
        elif char == "\\":
            if at == len(pattern):
                raise BadSyntax("wildmat ends in a backslash")
            out.append(re.escape(pattern[at]))
            at += 1
        elif char == "[":
            text, at = _set(pattern, at)
            out.append(text)
        else:
            out.append(re.escape(char))
    text = "".join(out)
    if stars:  # the last star may end anywhere, so that the rest can be anchored at the end
        head, _, tail = text.rpartition("(?>.*?")
        text = f"{head}.*{tail}"
    return re.compile(text, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _set(pattern: str, at: int) -> tuple[str, int]:
    """A bracket expression from after its "[" on: ``[a-z]``, ``[^a-z]``, ``[]a]``."""
    negated = pattern.startswith("^", at)
    at += negated
    end = pattern.find("]", at + 1)
    if end < 0:
        raise BadSyntax("wildmat with an unfinished set")
    inside = pattern[at:end]
    parts: list[str] = []
    index = 0
    while index < len(inside):
        low = inside[index]
        if index + 2 < len(inside) and inside[index + 1] == "-":
            high = inside[index + 2]
            if low > high:
                raise BadSyntax("wildmat with a reversed range")
            parts.append(f"{re.escape(low)}-{re.escape(high)}")
            index += 3
        else:
            parts.append(re.escape(low))
            index += 1
    return f"[{'^' if negated else ''}{''.join(parts)}]", end + 1


class Wildmat:
    """A whole list of patterns, ready to be asked."""

    __slots__ = ("_rules", "text")

    def __init__(self, text: str, *, ignore_case: bool = False) -> None:
        self.text = text
        patterns = text.split(",")
        if len(patterns) > MAX_PATTERNS:
            raise BadSyntax(f"more than {MAX_PATTERNS} patterns in a wildmat")
        rules: list[tuple[bool, Callable[[str], object]]] = []
        for pattern in patterns:
            negated = pattern.startswith("!")
            body = pattern[1:] if negated else pattern
            if not body:
                raise BadSyntax("empty pattern in a wildmat")
            rules.append((not negated, compile_one(body, ignore_case=ignore_case).fullmatch))
        self._rules = tuple(reversed(rules))  # the last that matches decides: ask it first

    def __call__(self, text: str) -> bool:
        return next((says for says, matches in self._rules if matches(text)), False)

    @property
    def everything(self) -> bool:
        """True for the plain "*": a listing need not ask for each name."""
        return self.text == "*"

    def only(self, names: Iterable[str]) -> list[str]:
        """The names that match, in their order."""
        return [name for name in names if self(name)]


@functools.lru_cache(maxsize=512)
def wildmat(text: str) -> Wildmat:
    """A compiled list of patterns for group names.  Raises BadSyntax."""
    return Wildmat(text)


@functools.lru_cache(maxsize=64)
def header_wildmat(text: str) -> Wildmat:
    """Patterns for header text, as XPAT takes them: without regard to case (RFC 2980 2.9)."""
    return Wildmat(text, ignore_case=True)
