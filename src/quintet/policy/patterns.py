"""Tables of regular expressions as Postfix's regexp_table(5) and pcre_table(5) have them.

Lines are ``/pattern/flags result``, ``!/pattern/flags result`` for what does not fit, and ``if
/pattern/flags`` to ``endif`` around others; any character that is no letter or digit may stand for the slash.
The first that fits decides; ``$1``, ``${1}`` and ``$(1)`` in its result are what its groups found.  Case does
not matter and a dot is a line end too, unless the flags ``i`` and ``s`` turn that off; ``m`` and ``x``
turn on what they do in Python.  Classes such as ``[[:space:]]`` are understood.  What takes too long is cut
off (`policy.timed`).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from typing import Generic, TypeVar

from quintet.policy import timed
from quintet.values import dataclass

T = TypeVar("T")

MAX_DEPTH = 20  # of if in if
LINE_S = 0.0005  # CPU that each line has besides what all have together: large tables are no mistake

_REFERENCE = re.compile(r"\$(?:(\$)|(\d)|\{(\d)\}|\((\d)\))")
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}
_CLASSES = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r"\s",
    "blank": r" \t",
    "xdigit": "0-9A-Fa-f",
    "cntrl": r"\x00-\x1f\x7f",
    "print": r"\x20-\x7e",
    "graph": r"\x21-\x7e",
    "punct": r"!-/:-@\[-`{-~",
}


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """A result, and what stands for its references."""

    result: T
    match: re.Match[str] | None  # None: of a pattern that does not fit

    def filled(self, text: str) -> str:
        """A text of the result, its references filled in."""

        def group(reference: re.Match[str]) -> str:
            if reference[1]:
                return "$"
            number = int(reference[2] or reference[3] or reference[4])
            found = self.match
            return (found[number] or "") if found is not None and number <= found.re.groups else ""

        return _REFERENCE.sub(group, text) if "$" in text else text


@dataclass(frozen=True, slots=True)
class _Line(Generic[T]):
    pattern: re.Pattern[str]
    wanted: bool  # it fits where the pattern does; else where it does not
    result: T | None  # None: an if
    inside: list[_Line[T]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Patterns(Generic[T]):
    """A table, as it was read."""

    lines: Sequence[_Line[T]] = ()
    limit_s: float = timed.LIMIT_S  # for one text

    def __bool__(self) -> bool:
        return bool(self.lines)

    def find(self, text: str) -> Found[T] | None:
        """What the first line that fits says.  Raises TryLater(BUSY): that cannot be told in time."""
        return timed.within(self._find, text, self.limit_s) if self.lines else None

    def _find(self, text: str) -> Found[T] | None:
        return _find(self.lines, text)


def _find(lines: Sequence[_Line[T]], text: str) -> Found[T] | None:
    at = ""
    try:
        for line in lines:
            at = line.pattern.pattern
            match = line.pattern.search(text)
            if (match is not None) is not line.wanted:
                continue
            if line.result is not None:
                return Found(line.result, match)
            if (found := _find(line.inside, text)) is not None:
                return found
    except timed.Late as late:
        late.at = late.at or at
        raise
    return None


def logical(text: str) -> Iterator[tuple[int, str]]:
    """The lines of one of Postfix's tables with their numbers: comments left out, continuations joined."""
    held, at = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0].isspace() and held:
            held += " " + line.strip()
            continue
        if held:
            yield at, held
        held, at = line.strip(), number
    if held:
        yield at, held


def starts(line: str) -> bool:
    """It is one of a table of patterns: an expression, or the words around some."""
    word = line.split(None, 1)[0].lower()
    return line[0] in "/!" or word in ("if", "endif")


def keyed(text: str, plain: Callable[[str, str], None]) -> list[tuple[int, str]]:
    """Gives ``plain`` the key and the value ("" for none) of each line that has a key.

    Returns the others, which `of` takes.  Raises ValueError: the line, and what ``plain`` says is wrong.
    """
    expressions = []
    for number, line in logical(text):
        if starts(line):
            expressions.append((number, line))
            continue
        key, *said = line.split(None, 1)
        try:
            plain(key, said[0].strip() if said else "")
        except ValueError as error:
            raise ValueError(f"line {number}: {key}: {error}") from error
    return expressions


def of(lines: Sequence[tuple[int, str]], result: Callable[[str], T]) -> Patterns[T]:
    """A table of lines with their numbers.  Raises ValueError: the number and what is wrong."""
    blocks: list[list[_Line[T]]] = [[]]
    for number, line in lines:
        try:
            _take(line, blocks, result)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
    if len(blocks) > 1:
        raise ValueError("an if without its endif")
    return Patterns(blocks[0], timed.LIMIT_S + LINE_S * len(lines))


def _take(line: str, blocks: list[list[_Line[T]]], result: Callable[[str], T]) -> None:
    word = line.split(None, 1)[0].lower()
    if word == "endif":
        if len(blocks) == 1:
            raise ValueError("endif without if")
        blocks.pop()
        return
    begins = word == "if"
    rest = line[2:].lstrip() if begins else line
    wanted = not rest.startswith("!")
    pattern, said = expression(rest if wanted else rest[1:].lstrip())
    if not begins:
        if not said:
            raise ValueError("expected an action behind the expression")
        blocks[-1].append(_Line(pattern, wanted, result(said)))
        return
    if len(blocks) > MAX_DEPTH:
        raise ValueError(f"more than {MAX_DEPTH} ifs in each other")
    made: _Line[T] = _Line(pattern, wanted, None)
    blocks[-1].append(made)
    blocks.append(made.inside)


def expression(text: str) -> tuple[re.Pattern[str], str]:
    """The expression at the beginning of a line, and what stands behind it.  Raises ValueError."""
    mark = text[:1]
    if not mark or mark.isalnum() or mark.isspace():
        raise ValueError(f"expected /expression/ and an action, got {text[:80]!r}")
    at = 1
    while at < len(text) and text[at] != mark:
        at += 2 if text[at] == "\\" else 1
    if at >= len(text):
        raise ValueError(f"the expression has no end: {text[:80]!r}")
    rest = text[at + 1 :]
    flags = re.match(r"\S*", rest)
    assert flags is not None
    wanted = re.IGNORECASE | re.DOTALL
    for flag in flags[0]:
        if flag not in _FLAGS:
            raise ValueError(f"no such flag of an expression: {flag!r}; there are i, m, s and x")
        wanted ^= _FLAGS[flag]
    return compiled(text[1:at], wanted), rest[flags.end() :].strip()


def compiled(text: str, flags: int) -> re.Pattern[str]:
    """Raises ValueError: why it is no expression."""
    plain = re.sub(r"\[:(\w+):\]", _class, text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "possible nested set": what is meant is what it does
            return re.compile(plain, flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{text[:80]}: {error}") from error


def _class(found: re.Match[str]) -> str:
    return _CLASSES.get(found[1], found[0])
