"""The grammars of INN's files: nested blocks of ``key: value``, lines of fields, entries of newsfeeds.

Pure.  inn.conf, readers.conf, incoming.conf, innfeed.conf, storage.conf and inn-secrets.conf are of the first
kind, expire.ctl, moderators and most others of the second.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import field

from quintet.values import dataclass

MAX_INCLUDES = 10  # files within each other, as INN allows

_COMMENT = re.compile(r'((?:"(?:\\.|[^"\\\n])*"|\\.|[^#"\\\n])*)(?:#.*|")?')
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<close>\}) |
        (?:\$INCLUDE|include:?)\s+(?P<include>"[^"]*"|\S+) |
        (?P<key>[^\s:{}"]+)\s*:(?:[ \t]*(?P<value>"(?:\\.|[^"\\])*"|\[[^\]]*\]|[^\s}]+))? |
        (?P<kind>[\w-]+)\s+(?P<name>"[^"]*"|[^\s{]+)\s*\{ |
        (?P<bare>[\w-]+)\s*\{
    )""",
    re.VERBOSE,
)
_VARIABLE = re.compile(r"([!@]?)\$(\w+)")


@dataclass(slots=True)
class Block:
    """``kind name { ... }``; the whole file is one without a name."""

    kind: str = ""
    name: str = ""
    values: list[tuple[str, str]] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)

    def get(self, key: str, default: str = "") -> str:
        """The last value of that name."""
        return next((value for name, value in reversed(self.values) if name == key), default)

    def all(self, key: str) -> list[str]:
        return [value for name, value in self.values if name == key]


def blocks(text: str, include: Callable[[str], str], depth: int = 0) -> Block:
    """A file of blocks; ``include`` gives the text of another file.

    Raises ValueError: a line that is none, a block that does not end, or files that include one another.
    """
    if depth > MAX_INCLUDES:
        raise ValueError("files that include one another")
    text = "\n".join(_bare(line) for line in text.splitlines()).rstrip()
    stack = [Block()]
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            rest = text[at:].lstrip()
            line = text.count("\n", 0, len(text) - len(rest)) + 1
            raise ValueError(f"line {line}: cannot be read: {rest.splitlines()[0][:60]}")
        at = match.end()
        if match["close"]:
            if len(stack) == 1:
                raise ValueError(f"line {text.count(chr(10), 0, at) + 1}: a brace too many")
            stack.pop()
        elif match["include"]:
            other = blocks(include(_plain(match["include"])), include, depth + 1)
            stack[-1].values += other.values
            stack[-1].blocks += other.blocks
        elif match["key"]:
            stack[-1].values.append((match["key"], _plain(match["value"] or "")))
        else:
            stack[-1].blocks.append(Block(match["kind"] or match["bare"], _plain(match["name"] or "")))
            stack.append(stack[-1].blocks[-1])
    if len(stack) > 1:
        raise ValueError(f"{stack[-1].kind} {stack[-1].name}: the block does not end")
    return stack[0]


def inherited(block: Block, kind: str, outer: dict[str, str] | None = None) -> Iterator[Block]:
    """All blocks of a kind, with the values of the groups around them where they have none of their own."""
    around = {**(outer or {}), **dict(block.values)}
    for each in block.blocks:
        if each.kind == kind:
            yield Block(each.kind, each.name, list({**around, **dict(each.values)}.items()))
        elif each.kind == "group":
            yield from inherited(each, kind, around)


def _bare(line: str) -> str:
    """The line without its comment."""
    match = _COMMENT.match(line)
    assert match is not None  # it matches nothing as well
    return match[1]


def _plain(text: str) -> str:
    """A value without its quotation marks; a list as its words with blanks between."""
    if text.startswith("["):
        return " ".join(word.strip('"') for word in text[1:-1].split())
    if text.startswith('"'):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def lines(text: str) -> Iterator[str]:
    """Lines that say something; one that ends in a backslash goes on in the next."""
    for line in re.sub(r"\\\n[ \t]*", "", text).splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line.strip()


def true(text: str) -> bool:
    return text.lower() in ("true", "yes", "on")


def comma(text: str) -> tuple[str, ...]:
    """What stands between commas."""
    return tuple(part for each in text.split(",") if (part := each.strip()))


# --- newsfeeds --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Site:
    """An entry of newsfeeds."""

    name: str
    exclude: tuple[str, ...]
    patterns: str
    distributions: tuple[str, ...]
    flags: tuple[str, ...]
    parameter: str

    @property
    def feed(self) -> str:
        """The letter of T: f, c, p, m, l or x."""
        return next((each[1:2] for each in self.flags if each.startswith("T")), "f")


def sites(text: str) -> list[Site]:
    """The entries in their order, with their variables filled in.

    Raises ValueError: an entry without four fields.
    """
    variables: dict[str, str] = {}

    def fill(match: re.Match[str]) -> str:
        value = variables.get(match[2], match[0])
        return ",".join(match[1] + each for each in value.split(",")) if match[2] in variables else value

    found = []
    for line in lines(text):
        if line.startswith("$") and "=" in line:
            name, _, value = line[1:].partition("=")
            variables[name.strip()] = _VARIABLE.sub(fill, value.strip())
            continue
        fields = _VARIABLE.sub(fill, line).split(":", 3)
        if len(fields) < 3:
            raise ValueError(f"expected site:patterns:flags:parameter, got {line[:60]}")
        name, _, exclude = fields[0].strip().partition("/")
        patterns, _, distributions = fields[1].strip().partition("/")
        found.append(
            Site(
                name, comma(exclude), ",".join(comma(patterns)), comma(distributions), comma(fields[2]),
                fields[3].strip() if len(fields) > 3 else "",
            )
        )  # fmt: skip
    return found
