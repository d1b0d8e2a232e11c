"""`quintet team`: accounts that are given rights together, as "$NAME" in ACLs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from quintet.admin.cli import common
from quintet.admin.cli.common import ConfigOption, JsonOption

if TYPE_CHECKING:
    from quintet.config.root import Config
    from quintet.store.db import Tx
    from quintet.store.store import Store

noun = typer.Typer(help="Accounts that are given rights together.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help='Team, as sales; rights are given to it as "$sales".')]
Logins = Annotated[list[str], typer.Argument(help="Login names.")]


@noun.command()
def add(
    name: Name,
    description: Annotated[str, typer.Option("--description", help="One line about it.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a team."""

    async def work(store: Store, _: Config) -> dict[str, Any]:
        from quintet.store import teams

        made = await store.write(teams.create, name, description)
        return await store.read(_row, made.name)

    row = common.with_store(config, work)
    common.done(f"team {row['team']} made", as_json, **row)


@noun.command("list")
def listing(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show all teams and who is in them."""

    def look(tx: Tx) -> list[dict[str, Any]]:
        from quintet.store import teams

        return [_row(tx, team.name) for team in teams.listing(tx)]

    async def work(store: Store, _: Config) -> list[dict[str, Any]]:
        return await store.read(look)

    rows = common.with_store(config, work)
    common.table(rows, ["team", "members", "description"], as_json, empty="no teams yet")


@noun.command()
def join(name: Name, logins: Logins, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Put accounts into a team."""
    _change(name, logins, config, inside=True, as_json=as_json)


@noun.command()
def leave(name: Name, logins: Logins, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Take accounts out of a team."""
    _change(name, logins, config, inside=False, as_json=as_json)


@noun.command()
def remove(name: Name, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Remove a team and the rights that were given to it."""

    async def work(store: Store, _: Config) -> None:
        from quintet.store import teams

        await store.write(teams.remove, name)

    common.with_store(config, work)
    common.done(f"team {name} removed", as_json, team=name)


def _change(name: str, logins: list[str], config: ConfigOption, *, inside: bool, as_json: bool) -> None:
    def change(tx: Tx) -> dict[str, Any]:
        from quintet.admin.cli.accounts import find
        from quintet.store import teams

        for login in logins:
            (teams.join if inside else teams.leave)(tx, name, find(tx, login).id)
        return _row(tx, name)

    async def work(store: Store, _: Config) -> dict[str, Any]:
        return await store.write(change)

    common.record(common.with_store(config, work), as_json)


def _row(tx: Tx, name: str) -> dict[str, Any]:
    from quintet.store import teams

    team = teams.get(tx, name)
    return {"team": team.name, "members": teams.members(tx, name), "description": team.description}


def register(app: typer.Typer) -> None:
    app.add_typer(noun, name="team")
