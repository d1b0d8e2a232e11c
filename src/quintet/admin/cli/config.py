"""`quintet config`: check the file, explain the options, show what is in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from quintet.admin.cli import common
from quintet.admin.cli.common import ConfigOption, Exit, Failed, JsonOption

if TYPE_CHECKING:
    from quintet.config.root import Config

noun = typer.Typer(help="Check, explain and show the configuration.", no_args_is_help=True)


@noun.command()
def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say whether the file can be used, and the files it names; each error names its line and key.

    Notes tell of routes that no mail comes to.
    """
    path = common.config_path(config)
    settings = common.load(path)
    _try(settings)
    notes = _notes(settings)
    if not as_json:
        for each in notes:
            typer.echo(common.printable(f"note: {each}"))
    common.done(f"{path}: can be used", as_json, file=str(path), notes=notes)


@noun.command()
def show(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show every value in force, defaults included, secrets hidden."""
    from quintet.config import describe as words

    settings = common.load(config)
    if as_json:
        common.emit(words.plain(settings))
    else:
        typer.echo(words.effective(settings), nl=False)


@noun.command()
def describe(
    option: Annotated[str, typer.Argument(help="An option or section: smtp.max_message_size, tls.")] = "",
    markdown: Annotated[bool, typer.Option("--markdown", help="The page docs/config.md.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Explain the options: all of them, a section's, or one."""
    from quintet.config import describe as words

    if markdown:
        typer.echo(words.markdown(), nl=False)
        return
    found = [
        each
        for section in words.sections()
        for each in section.options
        if not option or f"{each.key}.".startswith(f"{option}.")
    ]
    if not found:
        raise Failed(f"no such option or section: {option}", "`quintet config describe` shows them all.")
    rows: list[dict[str, Any]] = [
        {
            "option": each.key,
            "type": each.type + (f" ({each.unit})" if each.unit else ""),
            "default": each.default,
            "allowed": each.allowed,
            "reload": each.reload,
            "meaning": each.doc,
        }
        for each in found
    ]
    if len(rows) == 1 and not as_json:
        common.record(rows[0], as_json=False)
    else:
        common.table(rows, ["option", "type", "default", "meaning"], as_json)


def _try(settings: Config) -> None:
    """What the file names must be there, and make sense.  Raises Failed."""
    import pwd
    import ssl

    from quintet.admin.cli import files
    from quintet.net import tls

    try:
        tls.Contexts(settings.tls)
    except (OSError, ValueError, ssl.SSLError) as error:
        raise Failed(f"tls.certificates: {error}", code=Exit.CONFIG) from error
    if settings.server.user:
        try:
            pwd.getpwnam(settings.server.user)
        except KeyError as error:
            raise Failed(
                f"server.user: there is no user {settings.server.user!r}", code=Exit.CONFIG
            ) from error
    if wrong := files.faults(settings):
        raise Failed("\n".join(wrong), "What the file names, the server reads as well.", Exit.CONFIG)


def _notes(settings: Config) -> list[str]:
    """What may be meant, and may be none the less a surprise."""
    from quintet.config import meant

    return [
        f"queue.routes.{name}: no mail comes to it but by name: {before} stands before it and takes all of it"
        for name, before in meant.never(settings.queue.routes)
    ]


def register(app: typer.Typer) -> None:
    app.add_typer(noun, name="config")
