"""In which line of a TOML file a key stands, so that an error can name it.

``tomllib`` reads the values and forgets the lines; this walks the same text once more, caring for nothing
but table headers, keys and where a value ends.  A file that ``tomllib`` took is assumed.
"""

from __future__ import annotations

import re

Path = tuple[str | int, ...]
"""A way down to a value: names, and positions in arrays of tables."""

_PART = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)\s*(\.)?""")


def locate(text: str) -> dict[Path, int]:
    """Line numbers, from 1, of every table and key."""
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        if line.startswith("["):
            many = line.startswith("[[")
            table = _resolve(_parts(line.lstrip("[")), counts)
            if many:
                counts[table] = counts.get(table, -1) + 1
                found.setdefault(table, at + 1)
                table = (*table, counts[table])
            found.setdefault(table, at + 1)
            at += 1
        elif not line or line.startswith("#"):
            at += 1
        else:
            key = (*table, *_parts(line))
            for depth in range(len(table) + 1, len(key) + 1):
                found.setdefault(key[:depth], at + 1)
            at = _value_end(lines, at)
    return found


def line_of(found: dict[Path, int], path: Path) -> int:
    """The line of the nearest thing that has one; 0 when the file does not mention it."""
    while path:
        if path in found:
            return found[path]
        path = path[:-1]
    return 0


def _parts(text: str) -> Path:
    parts: list[str] = []
    at = 0
    while (match := _PART.match(text, at)) is not None:
        word = match[1]
        parts.append(word[1:-1] if word[0] in "\"'" else word)
        at = match.end()
        if match[2] is None:
            break
    return tuple(parts)


def _resolve(parts: Path, counts: dict[Path, int]) -> Path:
    """Puts the position of the latest element behind each array of tables passed on the way."""
    path: Path = ()
    for index, part in enumerate(parts):
        path = (*path, part)
        if path in counts and index < len(parts) - 1:
            path = (*path, counts[path])
    return path


def _value_end(lines: list[str], start: int) -> int:
    """The line after a ``key = value`` that begins at ``start``: brackets closed, long strings ended."""
    depth, quote, at = 0, "", start
    text = lines[start].partition("=")[2]
    while True:
        depth, quote = _scan(text, depth, quote)
        at += 1
        if (depth <= 0 and len(quote) != 3) or at >= len(lines):
            return at
        text = lines[at]


def _scan(text: str, depth: int, quote: str) -> tuple[int, str]:
    """Follows brackets and quotes through one line; a one-line string ends with its line."""
    at = 0
    while at < len(text):
        char = text[at]
        if quote:
            if char == "\\" and quote[0] == '"':
                at += 1
            elif text.startswith(quote, at):
                at += len(quote) - 1
                quote = ""
        elif char == "#":
            break
        elif text[at : at + 3] in ('"""', "'''"):
            quote = text[at : at + 3]
            at += 2
        elif char in "\"'":
            quote = char
        else:
            depth += (char in "[{") - (char in "]}")
        at += 1
    return depth, quote if len(quote) == 3 else ""
