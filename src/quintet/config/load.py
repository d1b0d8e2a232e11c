"""TOML into the typed configuration; every error names the file, the line, the key and what was expected.

The schema is the dataclasses of this package and nothing else: types from the annotations, limits and units
from ``field.opt``.  What options mean together (two listeners on one port) is ``root.conflicts``.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path as File
from typing import Any, TypeVar

from quintet.config import lines, syntax, values
from quintet.values import dataclass

T = TypeVar("T")

MAX_FILE = 4 * 1024 * 1024  # bytes; a configuration is written by hand


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a configuration file."""

    file: str
    line: int  # from 1; 0 when the file does not mention the key
    key: str  # dotted, as in "smtp.max_size"; empty for the file as a whole
    text: str  # what was expected

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.text}" if self.key else f"{place}: {self.text}"


class ConfigError(Exception):
    """The configuration cannot be used; ``faults`` has every reason, in the order of the file."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


def read(path: File, schema: type[T]) -> tuple[T, dict[lines.Path, int]]:
    """A configuration from a file, and the lines of its keys.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or does not fit the schema.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE + 1)
    except OSError as error:
        raise ConfigError([Fault(str(path), 0, "", f"cannot be read: {error.strerror}")]) from error
    if len(raw) > MAX_FILE:
        raise ConfigError([Fault(str(path), 0, "", f"is larger than {MAX_FILE} bytes")])
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError([Fault(str(path), line, "", "expected text in UTF-8")]) from error
    return parse(text, schema, str(path))


def parse(text: str, schema: type[T], file: str = "quintet.toml") -> tuple[T, dict[lines.Path, int]]:
    """A configuration from TOML text, and the lines of its keys.  Raises ConfigError."""
    text = text.replace("\r\n", "\n")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([Fault(file, *syntax.explain(error, text))]) from error
    except ValueError as error:  # a number of thousands of digits
        raise ConfigError([Fault(file, 0, "", f"not valid TOML: {error}")]) from error
    except RecursionError as error:
        raise ConfigError([Fault(file, 0, "", "not valid TOML: nested too deeply")]) from error
    found = lines.locate(text)
    reader = _Reader(file, found)
    config = reader.section(table, schema, ())
    if reader.faults:
        raise ConfigError(sorted(reader.faults, key=lambda fault: fault.line))
    return config, found


class _Reader:
    """Walks schema and table together and collects every fault."""

    def __init__(self, file: str, found: dict[lines.Path, int]) -> None:
        self.file = file
        self.found = found
        self.faults: list[Fault] = []

    def wrong(self, path: lines.Path, text: str) -> None:
        key = ".".join(str(part) for part in path)
        self.faults.append(Fault(self.file, lines.line_of(self.found, path), key, text))

    def section(self, table: Mapping[str, Any], schema: type[T], path: lines.Path) -> T:
        known = options(schema)
        hints = _hints(schema)
        given: dict[str, Any] = {}
        for name, raw in table.items():
            here = (*path, name)
            if name not in known:
                self.wrong(here, _unknown(name, list(known), bool(path)))
                continue
            given[name] = self.value(raw, hints[name], known[name].metadata, here)
        if self.faults:  # a section with a hole cannot be made; its defaults stand in until the error is told
            return schema()
        return schema(**given)

    def value(self, raw: object, wanted: Any, meta: Mapping[str, Any], path: lines.Path) -> Any:
        """One value of the annotated type; a fault gives None, and the file is refused in the end."""
        origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
        if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
            if isinstance(raw, dict):
                return self.section(raw, wanted, path)
            return self.wrong(path, f"expected a table ([{'.'.join(map(str, path))}]), got {_kind(raw)}")
        if origin in (types.UnionType, typing.Union):
            wanted = next(each for each in arguments if each is not type(None))
            return self.value(raw, wanted, meta, path)
        if origin in (list, tuple, frozenset):
            if not isinstance(raw, list):
                return self.wrong(path, f"expected a list of {_words(arguments[0], meta)}, got {_kind(raw)}")
            items = [self.value(each, arguments[0], meta, (*path, at)) for at, each in enumerate(raw)]
            return origin(items)
        if origin is dict:
            if not isinstance(raw, dict):
                return self.wrong(path, f"expected a table of names and values, got {_kind(raw)}")
            return {
                key: _named(key, self.value(each, arguments[1], meta, (*path, key)))
                for key, each in raw.items()
            }
        return self.plain(raw, wanted, meta, path)

    def plain(self, raw: object, wanted: Any, meta: Mapping[str, Any], path: lines.Path) -> Any:
        unit = meta.get("unit", "")
        taken: Any = None
        if wanted in (int, float):
            taken = values.number(raw, unit, wanted is int)
        elif wanted is bool:
            taken = raw if isinstance(raw, bool) else None
        elif isinstance(raw, str):
            taken = raw if wanted is str else wanted(raw)
        if taken is None:
            return self.wrong(path, f"expected {_words(wanted, meta)}, got {_kind(raw)}")
        problem = _limits(taken, meta)
        if problem:
            return self.wrong(path, f"{problem}, got {_kind(raw)}")
        return taken


_HINTS: dict[type, dict[str, Any]] = {}  # kept: to resolve all annotations takes longer than to read a file


def _hints(schema: type) -> dict[str, Any]:
    return _HINTS.get(schema) or _HINTS.setdefault(schema, typing.get_type_hints(schema))


def options(schema: type) -> dict[str, dataclasses.Field[Any]]:
    """The fields of a section that a file may set, by name."""
    return {each.name: each for each in dataclasses.fields(schema) if not each.metadata.get("hidden")}


def _named(key: str, value: Any) -> Any:
    """A table of a named kind learns its own name where it has a hidden field for it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = {each.name for each in dataclasses.fields(value) if each.metadata.get("hidden")}
        if "name" in names:
            return dataclasses.replace(value, name=key)
    return value


def _unknown(name: str, known: list[str], in_section: bool) -> str:
    close = difflib.get_close_matches(name, known, 1, 0.6)
    if close:
        return f"no such option; did you mean {close[0]!r}?"
    what = "option of this section" if in_section else "option or section"
    return f"no such {what}; there are {', '.join(sorted(known))}"


def _limits(value: Any, meta: Mapping[str, Any]) -> str:
    low, high, choices = meta.get("minimum"), meta.get("maximum"), meta.get("choices")
    unit = meta.get("unit", "")
    if choices and value not in choices:
        close = difflib.get_close_matches(str(value), [str(each) for each in choices], 1, 0.6)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        return f"expected one of {', '.join(repr(each) for each in choices)}{hint}"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        tail = f" {unit}" if unit else ""
        if low is not None and value < low:
            return f"expected at least {low:.15g}{tail}"
        if high is not None and value > high:
            return f"expected at most {high:.15g}{tail}"
    return ""


def _words(wanted: Any, meta: Mapping[str, Any]) -> str:
    """What a type is called in a message to people."""
    unit = meta.get("unit", "")
    if wanted in (int, float):
        kind = "a whole number" if wanted is int else "a number"
        if unit == "bytes":
            return f'{kind} of bytes, or a size such as "50 MB"'
        if unit in values.TIME_UNITS:
            return f'{kind} ({unit}), or a duration such as "5m"'
        return f"{kind} ({unit})" if unit else kind
    if wanted is bool:
        return "true or false"
    if dataclasses.is_dataclass(wanted):
        return "tables"
    return "text in quotes"


def _kind(raw: object) -> str:
    """What the file has, short enough for one line."""
    if isinstance(raw, str):
        return repr(raw if len(raw) <= 40 else raw[:37] + "...")
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int) and abs(raw) >= values.MAX_NUMBER:
        return "a number that is too large"
    if isinstance(raw, (int, float)):
        return str(raw)
    if isinstance(raw, list):
        return "a list"
    return "a table" if isinstance(raw, dict) else "a date or time"
