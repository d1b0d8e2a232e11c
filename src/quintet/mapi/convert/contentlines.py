"""Content lines, the syntax that iCalendar and vCard share (RFC 5545 3.1, RFC 6350 3.3, RFC 6868).

Text to components and back.  Tolerant: lines that are none are left out, and what vCard 2.1 writes otherwise
(parameters without a name, quoted-printable, which RFC 2426 5 took away) is read too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from quintet.mapi.buffer import bad
from quintet.message import transfer, words

MAX_TEXT = 4 * 1024 * 1024  # characters of one text
MAX_LINES = 100_000
MAX_DEPTH = 16  # components in components; iCalendar has three
FOLD_AT = 75  # octets of a line (RFC 5545 3.1)

Params = dict[str, list[str]]

_FOLD = re.compile(r"\r?\n[ \t]")
_HEAD = re.compile(r"(?:([A-Za-z0-9-]+)\.)?([A-Za-z0-9-]+)")
_PLAIN = re.compile(r"[A-Za-z0-9-]+")
_PARAM = re.compile(r'[ \t]*;[ \t]*([A-Za-z0-9-]+)(?:=((?:"[^"]*"|[^";:,]*)(?:,(?:"[^"]*"|[^";:,]*))*))?')
_VALUE = re.compile(r'"([^"]*)"|([^",]+)')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_CIRCUMFLEX = re.compile(r"\^([n^'])")
_COMMA = re.compile(r"(?:\\.|[^\\,])*", re.DOTALL)
_SEMICOLON = re.compile(r"(?:\\.|[^\\;])*", re.DOTALL)
_SPECIAL = re.compile(r"[\\;,\n]")
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_QUOTED = re.compile(r"[,;:]")


@dataclass(slots=True)
class Line:
    """One property: its name and its parameters' names in upper case, its value as it is written."""

    name: str
    params: Params
    value: str

    def param(self, name: str) -> str:
        """The first value of a parameter, or ""."""
        values = self.params.get(name)
        return values[0] if values else ""

    def has(self, name: str, word: str) -> bool:
        """Whether a parameter has this value, in any case."""
        return any(one.upper() == word for one in self.params.get(name, ()))

    @property
    def text(self) -> str:
        """The value as TEXT (RFC 5545 3.3.11)."""
        return unescaped(self.value)

    def texts(self) -> list[str]:
        """The values of a list of TEXT."""
        return [unescaped(one) for one in split(self.value, _COMMA)]

    def fields(self) -> list[str]:
        """The fields of a structured value (RFC 6350 3.3), each with its commas."""
        return split(self.value, _SEMICOLON)


@dataclass(slots=True)
class Component:
    """BEGIN to END."""

    name: str
    lines: list[Line] = field(default_factory=list)
    children: list[Component] = field(default_factory=list)

    def get(self, name: str) -> Line | None:
        return next((line for line in self.lines if line.name == name), None)

    def all(self, name: str) -> Iterator[Line]:
        return (line for line in self.lines if line.name == name)

    def text(self, name: str) -> str | None:
        """The value of a property of TEXT, None where it is missing."""
        found = self.get(name)
        return None if found is None else found.text

    def of(self, name: str) -> Iterator[Component]:
        """The components of that name within."""
        return (child for child in self.children if child.name == name)

    def add(self, name: str, value: str, params: Params | None = None) -> None:
        """A property whose value needs no escapes."""
        self.lines.append(Line(name, params or {}, value))

    def add_text(self, name: str, value: str, params: Params | None = None) -> None:
        self.add(name, escaped(value), params)


# --- reading ----------------------------------------------------------------------------------------------


def parse(text: str, *, most: int = MAX_LINES) -> list[Component]:
    """The outermost components, of at most ``most`` lines.

    What is not closed ends with its surroundings.  Raises BadSyntax: longer than `MAX_TEXT`, or nested deeper
    than `MAX_DEPTH`.
    """
    if len(text) > MAX_TEXT:
        raise bad("a calendar or card that is too long")
    outer = Component("")
    stack = [outer]
    for number, line in enumerate(_lines(text)):
        if number >= most:
            break
        if line.name == "BEGIN":
            if len(stack) > MAX_DEPTH:
                raise bad("components nested too deeply")
            component = Component(line.value.strip().upper())
            stack[-1].children.append(component)
            stack.append(component)
        elif line.name == "END":
            wanted = line.value.strip().upper()
            if any(one.name == wanted for one in stack[1:]):
                while stack.pop().name != wanted:
                    pass
        else:
            stack[-1].lines.append(line)
    return outer.children


def _lines(text: str) -> Iterator[Line]:
    rows = iter(_FOLD.sub("", text.removeprefix("\ufeff")).replace("\r\n", "\n").split("\n"))
    for row in rows:
        line = _line(row)
        if line is None:
            continue
        if "ENCODING" in line.params and line.has("ENCODING", "QUOTED-PRINTABLE"):
            pieces = [line.value]  # a soft line end each
            while pieces[-1].endswith("=") and (more := next(rows, None)) is not None:
                pieces[-1] = pieces[-1][:-1]
                pieces.append(more)
            raw = transfer.decode("quoted-printable", "".join(pieces).encode("utf-8", "replace"))
            text = words.decode_bytes(raw, line.param("CHARSET")).replace("\r\n", "\n")
            line.value = text.replace("\n", "\\n")
        yield line


def _line(row: str) -> Line | None:
    """One line; None: it is none."""
    name, there, value = row.partition(":")
    if there and _PLAIN.fullmatch(name):  # most lines have no parameters
        return Line(name.upper(), {}, value)
    head = _HEAD.match(row)
    if head is None:
        return None
    params: Params = {}
    at = head.end()
    while (found := _PARAM.match(row, at)) is not None:
        param, values = found.groups()
        at = found.end()
        if values is None:  # vCard 2.1: a type, or an encoding
            param, values = ("ENCODING" if param.upper() in _ENCODINGS else "TYPE"), param
        texts = [_uncircumflexed(quoted or plain.strip()) for quoted, plain in _VALUE.findall(values)]
        params.setdefault(param.upper(), []).extend(texts)
    colon = row.find(":", at)
    if colon < 0 or row[at:colon].strip():
        return None
    return Line(head.group(2).upper(), params, row[colon + 1 :])


_ENCODINGS = ("QUOTED-PRINTABLE", "BASE64", "B", "8BIT", "7BIT")


def _uncircumflexed(text: str) -> str:
    """RFC 6868 3.1."""
    if "^" not in text:
        return text
    return _CIRCUMFLEX.sub(lambda one: {"n": "\n", "^": "^", "'": '"'}[one.group(1)], text)


def unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPED.sub(lambda one: "\n" if one.group(1) in "nN" else one.group(1), text)


def split(value: str, pattern: re.Pattern[str]) -> list[str]:
    """Cut where no backslash stands before the mark, which ``pattern`` does not match."""
    found, at = [], 0
    while (piece := pattern.match(value, at)) is not None:
        found.append(piece.group())
        at = piece.end() + 1
        if at > len(value):
            break
    return found


# --- writing ----------------------------------------------------------------------------------------------


def escaped(text: str) -> str:
    """TEXT (RFC 5545 3.3.11)."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _SPECIAL.sub(lambda one: "\\n" if one.group() == "\n" else "\\" + one.group(), text)
    return _UNSAFE.sub("", text)


def escaped_list(texts: Sequence[str]) -> str:
    return ",".join(map(escaped, texts))


def written(component: Component) -> str:
    """The component as text, its lines folded."""
    return "".join(_written(component))


def _written(component: Component) -> Iterator[str]:
    yield f"BEGIN:{component.name}\r\n"
    for line in component.lines:
        params = "".join([f";{name}={_param(values)}" for name, values in line.params.items() if values])
        yield _folded(f"{line.name}{params}:{_UNSAFE.sub('', line.value)}")
    for child in component.children:
        yield from _written(child)
    yield f"END:{component.name}\r\n"


def _param(values: list[str]) -> str:
    """Parameter values: what would end them is quoted or stands behind a circumflex (RFC 6868 3.2)."""
    out = []
    for value in values:
        text = value.replace("^", "^^").replace("\r\n", "^n").replace("\n", "^n").replace('"', "^'")
        text = _UNSAFE.sub("", text)
        out.append(f'"{text}"' if _QUOTED.search(text) else text)
    return ",".join(out)


def _folded(line: str) -> str:
    """Lines of at most `FOLD_AT` octets, no character cut."""
    if len(line) <= FOLD_AT and line.isascii():
        return line + "\r\n"
    out, room = [], FOLD_AT
    piece: list[str] = []
    for char in line:
        size = len(char.encode("utf-8", "replace"))
        if size > room:
            out.append("".join(piece))
            piece, room = [], FOLD_AT - 1
        piece.append(char)
        room -= size
    out.append("".join(piece))
    return "\r\n ".join(out) + "\r\n"
