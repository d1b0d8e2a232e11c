"""The schema for people: an annotated file, the documentation, the values in force.

Everything is generated from the dataclasses, so it cannot be out of date.
"""

from __future__ import annotations

import dataclasses
import textwrap
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from quintet.config import load, root, values
from quintet.config.listeners import Listener, standard
from quintet.values import dataclass

WIDTH = 100  # columns of a comment in the annotated file


@dataclass(frozen=True, slots=True)
class Option:
    """One option as people see it."""

    section: str  # "store", "listeners.NAME", "tls.certificates"
    name: str
    type: str  # "text", "whole number", "list of text"...
    unit: str
    default: str  # as it would stand in the file
    allowed: str  # "at least 1", "one of a, b"; empty: anything
    doc: str
    reload: bool  # True: a changed value is taken by `quintet reload`
    secret: bool

    @property
    def key(self) -> str:
        return f"{self.section}.{self.name}"


@dataclass(frozen=True, slots=True)
class Section:
    """One table of the file."""

    name: str  # dotted; a table whose name the administrator chooses ends in NAME
    doc: str
    header: str  # "[store]", "[[tls.certificates]]"
    options: list[Option]

    @property
    def optional(self) -> bool:
        """A table that may be there many times, or not at all."""
        return self.header.startswith("[[") or self.name.endswith(".NAME")


def sections() -> Iterator[Section]:
    """Every section; sections in sections follow their parent."""
    for each in dataclasses.fields(root.Config):
        hint = typing.get_type_hints(root.Config)[each.name]
        yield from _section(each.name, each.metadata.get("doc", ""), hint)


def _section(name: str, doc: str, hint: Any) -> Iterator[Section]:
    header = "[{}]"
    if typing.get_origin(hint) is dict:
        name, hint = f"{name}.NAME", typing.get_args(hint)[1]
    if typing.get_origin(hint) in (list, tuple):
        header, hint = "[[{}]]", typing.get_args(hint)[0]
    hints = typing.get_type_hints(hint)
    default = hint()
    options: list[Option] = []
    inner: list[tuple[str, str, Any]] = []
    for key, each in load.options(hint).items():
        if _nested(hints[key]):
            inner.append((f"{name}.{key}", each.metadata.get("doc", ""), hints[key]))
        else:
            options.append(_option(name, key, hints[key], each.metadata, getattr(default, key)))
    yield Section(name, _sentence(doc), header.format(name), options)
    for each_name, each_doc, each_hint in inner:
        yield from _section(each_name, each_doc, each_hint)


def _nested(hint: Any) -> bool:
    arguments = typing.get_args(hint)
    return dataclasses.is_dataclass(hint) or any(dataclasses.is_dataclass(each) for each in arguments)


def _option(section: str, name: str, hint: Any, meta: Mapping[str, Any], default: Any) -> Option:
    unit = meta.get("unit", "")
    return Option(
        section=section,
        name=name,
        type=_type(hint),
        unit=unit,
        default=shown(name, default, unit),
        allowed=_allowed(meta),
        doc=_sentence(meta.get("doc", "")),
        reload=bool(meta.get("reload", True)),
        secret=bool(meta.get("secret", False)),
    )


def shown(name: str, value: Any, unit: str) -> str:
    """A value as it stands in a file; a name that ends in its unit is given a plain number."""
    return values.written(value, "" if name.rpartition("_")[2] == unit else unit)


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


def _type(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (list, tuple, frozenset):
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"table of name and {_type(arguments[1])}"
    if arguments:
        return _type(arguments[0])
    return {bool: "true or false", int: "whole number", float: "number"}.get(hint, "text")


def _allowed(meta: Mapping[str, Any]) -> str:
    choices, low, high = meta.get("choices"), meta.get("minimum"), meta.get("maximum")
    if choices:
        return "one of " + ", ".join(repr(each) if each == "" else str(each) for each in choices)
    if low is not None and high is not None:
        return f"{low:.15g} to {high:.15g}"
    if low is not None:
        return f"at least {low:.15g}"
    return f"at most {high:.15g}" if high is not None else ""


# --- the annotated file ------------------------------------------------------------------------

_HEAD = """\
# Quintet's configuration. Every option is here with its type, unit, default and meaning; a line that
# starts with # shows the default and changes nothing. Sizes may be written as "50 MB", times as "5m".
#
#   quintet config check -c FILE    says whether the file can be used
#   quintet reload -c FILE          takes a changed file without dropping connections
"""


def annotated(chosen: Mapping[str, Any] | None = None, listeners: dict[str, Listener] | None = None) -> str:
    """A whole ``quintet.toml``; ``chosen`` maps dotted keys to values that differ from the default."""
    chosen = chosen or {}
    out = [_HEAD]
    for section in sections():
        if section.name.startswith("listeners"):
            out.append(_listeners(section.doc, section.options, listeners or standard()))
            continue
        out.append(f"\n# {'-' * 96}\n# {section.doc}")
        active = not section.optional or any(key.startswith(section.name + ".") for key in chosen)
        out.append(section.header if active else f"#{section.header}")
        for option in section.options:
            out.append("")
            out.extend(_comment(option))
            if option.key in chosen:
                out.append(f"{option.name} = {shown(option.name, chosen[option.key], option.unit)}")
            else:
                out.append(f"#{option.name} = {option.default}")
    return "\n".join(out) + "\n"


def _comment(option: Option) -> list[str]:
    facts = [option.type + (f" ({option.unit})" if option.unit else "")]
    if option.allowed:
        facts.append(option.allowed)
    facts.append(f"default {option.default}")
    if not option.reload:
        facts.append("needs a restart")
    return [
        *textwrap.wrap(option.doc, WIDTH, initial_indent="# ", subsequent_indent="# "),
        *textwrap.wrap("; ".join(facts), WIDTH, initial_indent="#   ", subsequent_indent="#   "),
    ]


def _listeners(doc: str, options: list[Option], listeners: dict[str, Listener]) -> str:
    out = [f"\n# {'-' * 96}\n# {doc}", "#", "# Options of each:"]
    for option in options:
        out.append(f"#\n#   {option.name}")
        out.extend("#     " + line[2:] for line in _comment(option))
    plain = Listener()
    for name, listener in listeners.items():
        out.append(f"\n[listeners.{name}]")
        out.extend(
            f"{option.name} = {shown(option.name, getattr(listener, option.name), option.unit)}"
            for option in options
            if getattr(listener, option.name) != getattr(plain, option.name) or option.name == "protocol"
        )
    return "\n".join(out)


# --- the values in force, the documentation ------------------------------------------------------


def effective(config: root.Config) -> str:
    """Every value in force as TOML, secrets hidden."""
    out: list[str] = []
    for each in dataclasses.fields(config):
        _effective(each.name, getattr(config, each.name), out)
    return "\n".join(out).strip() + "\n"


def _effective(name: str, value: Any, out: list[str], header: str = "[{}]") -> None:
    if isinstance(value, dict):
        for key, each in value.items():
            _effective(f"{name}.{values.key(key)}", each, out)
        return
    if isinstance(value, tuple):
        for each in value:
            _effective(name, each, out, "[[{}]]")
        return
    out.append("\n" + header.format(name))
    inner: list[tuple[str, Any, str]] = []
    for key, each in load.options(type(value)).items():
        held = getattr(value, key)
        if dataclasses.is_dataclass(held):
            inner.append((f"{name}.{key}", held, "[{}]"))
        elif isinstance(held, dict) and any(dataclasses.is_dataclass(item) for item in held.values()):
            inner.extend(
                (f"{name}.{key}.{values.key(each_key)}", item, "[{}]") for each_key, item in held.items()
            )
        elif isinstance(held, (list, tuple)) and held and dataclasses.is_dataclass(held[0]):
            inner.extend((f"{name}.{key}", item, "[[{}]]") for item in held)
        elif each.metadata.get("secret") and held:
            out.append(f'{key} = "(hidden)"')
        else:
            out.append(f"{key} = {shown(key, held, each.metadata.get('unit', ''))}")
    for path, held, kind in inner:
        _effective(path, held, out, kind)


def plain(config: root.Config) -> dict[str, Any]:
    """Every value in force as what JSON can hold, secrets hidden."""

    def turn(value: Any) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {
                key: "(hidden)" if each.metadata.get("secret") else turn(getattr(value, key))
                for key, each in load.options(type(value)).items()
            }
        if isinstance(value, dict):
            return {key: turn(each) for key, each in value.items()}
        if isinstance(value, (list, tuple, frozenset)):
            return [turn(each) for each in value]
        return value

    result: dict[str, Any] = turn(config)
    return result


def markdown() -> str:
    """``docs/config.md``: every option in a table a section."""
    out = [
        "# Configuration",
        "",
        "One file, TOML: `quintet init DIR` writes it with every option explained,",
        "`quintet config check -c FILE` says whether it can be used.",
        'A size may be written as `"50 MB"` (powers of 1024), a time as `"5m"`.',
        "Options marked * need a restart; all others are taken by `quintet reload` or SIGHUP.",
        "",
        "This page is generated from the program's own schema by `make docs`.",
    ]
    for section in sections():
        out += ["", f"## `{section.header}`", "", section.doc]
        out += ["", "| option | type | default | meaning |", "|---|---|---|---|"]
        for option in section.options:
            kind = option.type + (f", {option.unit}" if option.unit else "")
            meaning = option.doc + (f" ({option.allowed})" if option.allowed else "")
            mark = "" if option.reload else " *"
            out.append(f"| `{option.name}`{mark} | {kind} | `{option.default}` | {_cell(meaning)} |")
    return "\n".join(out) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")
