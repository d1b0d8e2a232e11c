"""What every command shares: finding the configuration, opening the store, tables or JSON, exit codes.

Errors that people can do something about are one sentence and a next step; only a bug shows a traceback.
"""

from __future__ import annotations

import enum
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from quintet.errors import Problem, Reason, TryLater

if TYPE_CHECKING:
    from quintet.config.root import Config
    from quintet.store.db import Tx
    from quintet.store.store import Store

T = TypeVar("T")


class Exit(enum.IntEnum):
    """Exit codes; documented in docs/cli.md."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    CONFIG = 3
    LATER = 4
    INTERRUPTED = 130


EXIT_TEXT = {
    Exit.DONE: "Done. A server that was told to stop has drained.",
    Exit.REFUSED: "Refused, not found, or a check found something broken; nothing else was changed.",
    Exit.USAGE: "The command line itself is wrong.",
    Exit.CONFIG: "The configuration file is missing or has errors; each is named with its line and key.",
    Exit.LATER: "Not now: disk full, store busy, port taken, no server running. It may work later.",
    Exit.INTERRUPTED: "Stopped by Ctrl-C; what was finished stays, and the command can be run again.",
}

MAPPED = 16 * 1024 * 1024
"""Bytes of the database a command maps: what walks through a mailbox would be as large as the mailbox."""

PLACES = ("quintet.toml", "/etc/quintet/quintet.toml")

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Configuration file, or a directory with quintet.toml. Default: $QUINTET_CONFIG, "
        "./quintet.toml, /etc/quintet/quintet.toml.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


class Failed(Exception):
    """A command cannot do what was asked; ``hint`` says what to do next."""

    def __init__(self, text: str, hint: str = "", code: Exit = Exit.REFUSED) -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint
        self.code = code


def guarded(app: typer.Typer, arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; every expected error becomes a sentence and its exit code."""
    from quintet.config.load import ConfigError  # only the frame of a command is needed before

    given = sys.argv[1:] if arguments is None else arguments
    tell = _tell_json if "--json" in given else _tell
    try:
        result = app(args=None if arguments is None else list(arguments), standalone_mode=False)
    except Failed as error:
        return tell(error.text, error.hint, error.code)
    except ConfigError as error:
        faults = "\n".join(str(fault) for fault in error.faults)
        return tell(faults, "`quintet config describe` explains every option.", Exit.CONFIG)
    except Problem as error:
        return tell(*_problem(error))
    except (KeyboardInterrupt, typer.Abort):
        return tell("interrupted", "", Exit.INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its end
        return Exit.DONE
    except typer.Exit as error:
        return int(error.exit_code)
    except Exception as error:
        if _is_usage(error):
            return Exit.USAGE
        raise
    if result == Exit.INTERRUPTED:  # how typer hands on a Ctrl-C
        return tell("interrupted", "", Exit.INTERRUPTED)
    return result if isinstance(result, int) else Exit.DONE


def _is_usage(error: Exception) -> bool:
    """Typer's own complaint about the command line, which then shows itself."""
    show = getattr(error, "show", None)
    if show is None or not hasattr(error, "exit_code"):
        return False
    show()
    return True


def _tell(text: str, hint: str, code: Exit) -> Exit:
    for line in text.splitlines():
        typer.echo(f"quintet: {line}", err=True)
    if hint:
        typer.echo(f"  {hint}", err=True)
    return code


def _tell_json(text: str, hint: str, code: Exit) -> Exit:
    """The same for who reads JSON; like every answer it goes to standard output."""
    emit({"error": text.splitlines(), "hint": hint, "exit": int(code)})
    return code


_HINTS = {
    Reason.DISK_FULL: "Free some space, or lower store.reserve in the configuration.",
    Reason.BUSY: "Another program holds the store; try again in a moment.",
    Reason.NO_SUCH_ACCOUNT: "`quintet account list` shows who is there.",
    Reason.NO_SUCH_DOMAIN: "`quintet domain add NAME` makes a domain ours.",
    Reason.NO_SUCH_FOLDER: "`quintet account show NAME` and `quintet group list` show the folders.",
    Reason.ALREADY_EXISTS: "`quintet account list` and `quintet group list` show what is there.",
}


def _problem(error: Problem) -> tuple[str, str, Exit]:
    code = Exit.LATER if isinstance(error, TryLater) else Exit.REFUSED
    return why(error), _HINTS.get(error.reason, ""), code


def why(error: Problem) -> str:
    """What was refused, and of what."""
    return error.text if error.text == error.reason.value else f"{error.reason.value}: {error.text}"


# --- configuration and store ----------------------------------------------------------------------


def config_path(given: Path | None) -> Path:
    """The configuration file that is meant.  Raises Failed(CONFIG) when there is none."""
    named = given or (Path(os.environ["QUINTET_CONFIG"]) if os.environ.get("QUINTET_CONFIG") else None)
    if named is not None:
        path = named / "quintet.toml" if named.is_dir() else named
        if not path.is_file():
            raise Failed(f"{path}: no such configuration file", "`quintet init DIR` makes one.", Exit.CONFIG)
        return path
    for place in PLACES:
        if Path(place).is_file():
            return Path(place)
    raise Failed(
        f"no configuration: looked for {' and '.join(PLACES)}",
        "Name one with -c FILE, or make one with `quintet init DIR`.",
        Exit.CONFIG,
    )


def replace_file(path: Path, text: str) -> None:
    """The new file takes the place of the old one whole, with its mode and owner."""
    import os
    import tempfile

    state = path.stat()
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), state.st_mode & 0o7777)
            if os.geteuid() == 0:
                os.fchown(file.fileno(), state.st_uid, state.st_gid)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def load(given: Path | None) -> Config:
    """The configuration.  Raises Failed, ConfigError."""
    from quintet.config import root  # a command that needs no configuration pays nothing

    return root.from_file(config_path(given))


def with_store(given: Path | None, work: Callable[[Store, Config], Awaitable[T]], *, fast: bool = False) -> T:
    """Opens the store beside a running server or without one, does the work, closes it.

    ``fast`` commits without a flush for each: for an import that can be run again.
    """
    import asyncio  # brings ssl, half of the time that --help may take
    import dataclasses

    from quintet.store.store import Store  # brings apsw

    config = load(given)
    if not (config.data / "quintet.db").exists() and not config.data.parent.is_dir():
        raise Failed(f"{config.data}: cannot be made, its parent is missing", code=Exit.REFUSED)

    async def run() -> T:
        options = dataclasses.replace(
            config.store, map=min(config.store.map, MAPPED), sync="off" if fast else config.store.sync
        )
        store = await Store.open(options)
        try:
            return await work(store, config)
        finally:
            await store.close()

    from quintet.store.migrate import TooNew

    try:
        return asyncio.run(run())
    except TooNew as error:
        raise Failed(str(error), "Use a newer Quintet for this data.") from error
    except PermissionError as error:
        raise Failed(
            f"{error.filename}: permission denied", "Run this as the user the server runs as."
        ) from error


# --- output ---------------------------------------------------------------------------------------

Row = Mapping[str, Any]

_CONTROLS = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), "\N{REPLACEMENT CHARACTER}") | {
    ord("\t"): "\t",
    ord("\n"): "\n",
    ord("\r"): "",
}
WIDE = 250  # columns of a table that goes into a file or a pipe


def emit(value: Any) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def table(rows: Iterable[Row], columns: Sequence[str], as_json: bool, *, empty: str = "nothing here") -> None:
    """Rows as a table for people, or as a JSON list of objects with every key they have."""
    listed = list(rows)
    if as_json:
        emit(listed)
        return
    if not listed:
        typer.echo(empty)
        return
    from rich.console import Console  # for tables only
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        number = all(isinstance(row.get(column), (int, float)) for row in listed)
        shown.add_column(column.replace("_", " "), justify="right" if number else "left", overflow="fold")
    for row in listed:
        shown.add_row(*(Text(cell(row.get(column))) for column in columns))
    if sys.stdout.isatty():
        Console(highlight=False).print(shown)
        return
    console = Console(width=WIDE, highlight=False, color_system=None)
    with console.capture() as capture:
        console.print(shown)
    typer.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))


def record(value: Row, as_json: bool) -> None:
    """One thing: a line for each of its facts, or one JSON object."""
    if as_json:
        emit(value)
        return
    width = max(len(key) for key in value) + 2
    for key, each in value.items():
        if isinstance(each, list) and len(each) > 1:
            typer.echo(f"{key.replace('_', ' ')}:")
            for item in each:
                typer.echo(f"  {cell(item)}")
        else:
            typer.echo(f"{(key.replace('_', ' ') + ':').ljust(width)} {cell(each)}".rstrip())


def cell(value: Any) -> str:
    """A value as people read it."""
    if value is None or value in ([], ()):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(cell(each) for each in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {cell(each)}" for key, each in value.items() if cell(each))
    return printable(str(value))


def printable(text: str) -> str:
    """What strangers wrote (a subject, a name), with nothing in it that steers a terminal."""
    return text.translate(_CONTROLS)


def done(text: str, as_json: bool, **facts: Any) -> None:
    """What was done, in a sentence or as an object."""
    if as_json:
        emit({"done": text, **facts})
    else:
        typer.echo(text)


def remove_whole(
    noun: str,
    name: str,
    what: str,
    cut: Callable[[Tx], int],
    config: Path | None,
    as_json: bool,
    *,
    yes: bool,
    first: Callable[[Store], Awaitable[None]] | None = None,
) -> None:
    """Asks, unless ``yes``, and removes one thing with all that is in it; ``cut`` says how much that was.

    ``first`` takes away, in many transactions, what would make that one long.
    """
    if not yes:
        _sure(f"Remove {name} and all its {what}?")

    async def work(store: Store, _: Config) -> int:
        if first is not None:
            await first(store)
        return await store.write(cut)

    count = with_store(config, work)
    done(f"{noun} {name} removed, with {count} {what}", as_json, **{noun: name, what: count})


def _sure(question: str) -> None:
    """Asks.  Raises Failed unless the answer is yes."""
    try:
        if typer.confirm(question, err=True):
            return
    except typer.Abort as error:
        if sys.stdin.isatty():
            raise
        typer.echo(err=True)
        raise Failed("nobody is here to answer", "--yes does it without asking.", Exit.USAGE) from error
    raise Failed("nothing was removed")


def moment(ms: int) -> str:
    """A time of the house for people and for JSON: ISO 8601 in UTC; empty for none."""
    if not ms:
        return ""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def amount(size: int) -> str:
    """Bytes for people."""
    value = float(size)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1024 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1024
    return f"{size} B"


def size(text: str | None) -> int | None:
    """A size as people write it, in bytes; None for none.  Raises Failed(USAGE)."""
    from quintet.config import values  # where a size is given only

    if text is None:
        return None
    found = values.size(text)
    if found is None:
        raise Failed(f"{text!r} is no size", 'Write it as "500 MB" or "5 GB".', Exit.USAGE)
    return found


def lines_of(path: Path) -> Iterable[str]:
    """Lines of a file, or of standard input when it is "-"; UTF-8.  Raises Failed."""
    try:
        if str(path) == "-":
            yield from (line.rstrip("\r\n") for line in sys.stdin)
            return
        with path.open(encoding="utf-8") as file:
            yield from (line.rstrip("\r\n") for line in file)
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Failed(f"{path}: expected text in UTF-8") from error


def article(text: str) -> str:
    """The Message-ID that a news: URL names (RFC 5538), else what was typed as it is.  Raises Failed."""
    from quintet.errors import BadSyntax
    from quintet.message import newsurl

    if not newsurl.is_one(text):
        return text
    try:
        found = newsurl.parse(text)
    except BadSyntax as error:
        raise Failed(error.text, code=Exit.USAGE) from error
    if not found.message_id:
        raise Failed(f"{text} names no article", "Give its Message-ID, or news:MESSAGE-ID.", Exit.USAGE)
    return found.message_id


def message_id(text: str) -> str:
    """A Message-ID with its brackets, from one without them or a news: URL.  Raises Failed."""
    found = article(text)
    return found if found.startswith("<") else f"<{found}>"
