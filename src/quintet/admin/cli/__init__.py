"""The command line: one file a noun, put together here.

Only ``typer`` and the file of the command that was named are imported, and what a command needs it imports
itself: so ``quintet --help`` answers at once.  Starting a server is handed in from above, because the
composition root stands over this package.
"""

from __future__ import annotations

import copy
import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import typer

Serve = Callable[[Path, int | None, str], None]
"""Becomes a server: configuration file, workers (None: as the file says), text for when the ports answer."""

COMMANDS: dict[str, str] = {
    "demo": "demo",
    "init": "setup",
    "serve": "server",
    "status": "server",
    "reload": "server",
    "migrate": "server",
    "config": "config",
    "account": "accounts",
    "domain": "domains",
    "dkim": "dkim",
    "alias": "aliases",
    "group": "groups",
    "peer": "peers",
    "control": "control",
    "moderate": "moderate",
    "team": "teams",
    "access": "access",
    "list": "lists",
    "rnews": "news",
    "actsync": "news",
    "expire": "expiry",
    "undelete": "expiry",
    "hold": "expiry",
    "queue": "queue",
    "policy": "policy",
    "smtp": "smtp",
    "imap": "imap",
    "sendmail": "sendmail",
    "trace": "trace",
    "check": "upkeep",
    "backup": "upkeep",
    "restore": "upkeep",
    "reindex": "upkeep",
    "import": "transfer",
    "export": "transfer",
    "mapi": "mapi",
}
"""Each command, in the order of the help, and the file here whose ``register(app)`` adds it."""


def build(serve: Serve | None = None, only: str = "", verb: str = "") -> typer.Typer:
    """The whole command line, or what the command ``only`` needs of it: of a noun its ``verb`` alone.

    Without ``serve`` it can be described, but starts no server.
    """
    app = typer.Typer(
        name="quintet",
        help="One messaging server: SMTP, POP3, IMAP4, NNTP and MAPI over one store.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"], "obj": serve},
    )
    app.callback()(_root)
    modules = [COMMANDS[only]] if only in COMMANDS else list(dict.fromkeys(COMMANDS.values()))
    for name in modules:
        importlib.import_module(f"quintet.admin.cli.{name}").register(app)
    for group in app.registered_groups:
        if group.name == only:
            group.typer_instance = _narrowed(group.typer_instance, verb)
    return app


def _narrowed(noun: typer.Typer | None, verb: str) -> typer.Typer | None:
    """Without its other commands: to look at the options of all takes longer than most of them do."""
    named = [
        each
        for each in (noun.registered_commands if noun else ())
        if verb == (each.name or getattr(each.callback, "__name__", "").replace("_", "-"))
    ]
    if not named:
        return noun
    alone = copy.copy(noun)
    assert alone is not None
    alone.registered_commands, alone.registered_groups = named[-1:], []
    return alone


def _version(wanted: bool) -> None:
    if wanted:
        from quintet import __version__  # only asked for here

        typer.echo(f"quintet {__version__}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(
        False, "--version", help="Show the version and end.", callback=_version, is_eager=True
    ),
) -> None:
    """Nothing of its own: the commands do the work."""


def run(arguments: Sequence[str], serve: Serve | None = None) -> int:
    """Runs one command line; returns its documented exit code."""
    from quintet.admin.cli import common  # it imports us for nothing; kept symmetrical with the nouns

    only, verb = (*arguments[:2], "", "")[:2]
    return common.guarded(build(serve, only, verb), arguments)


def main(serve: Serve | None = None) -> None:
    """Runs the command line of this process and ends it."""
    sys.exit(run(sys.argv[1:], serve))
