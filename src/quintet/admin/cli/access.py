"""`quintet access`: who may do what in a folder, by the letters of RFC 4314; also in newsgroups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from quintet.admin.cli import common
from quintet.admin.cli.common import ConfigOption, Exit, Failed, JsonOption

if TYPE_CHECKING:
    from quintet.config.root import Config
    from quintet.store.db import Tx
    from quintet.store.model import Folder
    from quintet.store.store import Store

noun = typer.Typer(help="Who may do what in a folder.", no_args_is_help=True)

Owner = Annotated[str, typer.Argument(help='Login name of the owner; "news" has the newsgroups.')]
Place = Annotated[str, typer.Argument(help='Folder, as INBOX or "Team/2025"; or a group, as local.test.')]
Who = Annotated[
    str,
    typer.Argument(
        help='A login name, "$TEAM", "authenticated", "anonymous" or "anyone"; with "-" before: takes away.'
    ),
]

# What people call them; a word may stand for letters.
WORDS = {
    "read": "lrs",
    "post": "lrsp",
    "write": "lrswite",
    "all": "lrswipkxtean",
}


@noun.command("list")
def listing(
    owner: Owner,
    folder: Annotated[str | None, typer.Argument(help="One folder only.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who may do what in an account's folders."""

    async def work(store: Store, _: Config) -> list[dict[str, Any]]:
        return await store.read(_rows, owner, folder)

    rows = common.with_store(config, work)
    common.table(rows, ["folder", "who", "rights"], as_json, empty="nothing is shared")


@noun.command("set", context_settings={"ignore_unknown_options": True})
def change(
    owner: Owner,
    folder: Place,
    who: Who,
    rights: Annotated[
        str, typer.Argument(help=f"Letters of RFC 4314 and 5257 (lrswipkxtean), or {', '.join(WORDS)}.")
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what somebody may do in a folder; what was said of them before is forgotten."""

    async def work(store: Store, _: Config) -> dict[str, Any]:
        return await store.write(_set, owner, folder, who, WORDS.get(rights.lower(), rights))

    row = common.with_store(config, work)
    common.done(f"{row['who']} has {row['rights'] or 'nothing'} in {row['folder']}", as_json, **row)


@noun.command(context_settings={"ignore_unknown_options": True})
def remove(
    owner: Owner, folder: Place, who: Who, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Take away what was said of somebody in a folder."""

    async def work(store: Store, _: Config) -> dict[str, Any]:
        return await store.write(_set, owner, folder, who, "")

    row = common.with_store(config, work)
    common.done(f"{row['who']} removed from {row['folder']}", as_json, **row)


def _folders(tx: Tx, owner: str, name: str | None) -> list[Folder]:
    """Raises Failed: no such account or folder."""
    from quintet.store import accounts, folders

    account = accounts.find(tx, owner)
    if account is None:
        raise Failed(f"no such account: {owner}", "`quintet account list` shows them.")
    if name is None:
        return folders.listing(tx, account.id)
    found = folders.find(tx, account.id, name)
    if found is None:
        raise Failed(f"no such folder: {name}", f"`quintet account show {owner}` shows them.")
    return [found]


def _rows(tx: Tx, owner: str, name: str | None) -> list[dict[str, Any]]:
    from quintet.store import access

    return [
        {"folder": folder.name, "who": who, "rights": rights}
        for folder in _folders(tx, owner, name)
        for who, rights in access.listing(tx, folder.id).items()
    ]


def _set(tx: Tx, owner: str, name: str, who: str, letters: str) -> dict[str, Any]:
    from quintet.errors import Refused
    from quintet.store import access, accounts

    [folder] = _folders(tx, owner, name)
    bare = who.lower().removeprefix("-")
    if bare == accounts.get(tx, folder.account_id).name:
        raise Failed("the owner of a folder keeps all rights")
    if letters and not access.is_known(tx, bare):
        raise Failed(f"no such account or team: {bare}", f"Others are: {', '.join(access.EVERYBODY)}.")
    try:
        access.grant(tx, folder.id, who, letters)
    except Refused as error:
        raise Failed(f"these are no rights: {letters}", f"Letters of {access.ALL}.", Exit.USAGE) from error
    return {"folder": folder.name, "who": who.lower(), "rights": access.spelled(letters)}


def register(app: typer.Typer) -> None:
    app.add_typer(noun, name="access")
