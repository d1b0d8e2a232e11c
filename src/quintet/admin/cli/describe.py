"""The page docs/cli.md, generated from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from quintet.admin import cli
from quintet.admin.cli import common


def markdown() -> str:
    """Every command with its arguments and options, and the exit codes."""
    out = [
        "# Command line",
        "",
        "Every command has `--help`; those that show something have `--json`. Commands open the store",
        "themselves, so they work while the server runs and while it does not.",
        "",
        "This page is generated from the program by `make docs`.",
        "",
        "## Exit codes",
        "",
        "| code | meaning |",
        "|---|---|",
        *(f"| {code.value} | {common.EXIT_TEXT[code]} |" for code in common.Exit),
        "",
        "## Commands",
    ]
    for path, command in _commands():
        out += _command(path, command)
    return "\n".join(out).rstrip() + "\n"


def _commands() -> Iterator[tuple[str, Any]]:  # Any: typer keeps its command classes to itself
    from typer.main import get_command

    root: Any = get_command(cli.build())
    for name in cli.COMMANDS:
        yield from _below(name, root.commands[name])


def _below(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    """A command, or those of a noun, in any depth."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name, each in inner.items():
        yield from _below(f"{path} {name}", each)


def _command(path: str, command: Any) -> list[str]:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option" and each.name != "help"]
    words = [(each.metavar or each.name).upper() for each in arguments]
    shown = [word if each.required else f"[{word}]" for word, each in zip(words, arguments, strict=True)]
    out = ["", f"### `{' '.join(['quintet', path, *shown])}`", "", " ".join((command.help or "").split()), ""]
    rows = [(f"`{word}`", each) for word, each in zip(words, arguments, strict=True)]
    rows += [
        (", ".join(f"`{name}`" for name in (*each.opts, *each.secondary_opts)), each) for each in options
    ]
    rows = [(name, each) for name, each in rows if name not in ("`--config`, `-c`", "`--json`")]
    if rows:
        out += ["| | |", "|---|---|"]
        out += [f"| {name} | {_cell(each)} |" for name, each in rows]
    common_ones = [name for name in ("--config", "--json") if any(name in each.opts for each in options)]
    if common_ones:
        out += ([""] if rows else []) + ["Also " + " and ".join(f"`{name}`" for name in common_ones) + "."]
    return out


def _cell(parameter: Any) -> str:
    text = (getattr(parameter, "help", "") or "").replace("|", "\\|")
    default = parameter.default
    if default not in (None, "") and not isinstance(default, bool) and not callable(default):
        text += f" Default: {default}."
    return text
