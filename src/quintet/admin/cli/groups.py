"""`quintet group`: newsgroups, which are shared folders in mail programs."""

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

noun = typer.Typer(help="Newsgroups, which are shared folders in mail programs.", no_args_is_help=True)

POSTING = {"open": "y", "closed": "n", "moderated": "m"}  # RFC 3977 7.6.3
_WORDS = {letter: word for word, letter in POSTING.items()}

Name = Annotated[str, typer.Argument(help="Group, as comp.lang.python.")]
Posting = Annotated[str | None, typer.Option("--posting", help="open, closed or moderated.")]
Description = Annotated[str | None, typer.Option("--description", help="One line about it.")]
Moderator = Annotated[
    str | None, typer.Option("--moderator", help="Address that gets articles for a moderated group.")
]
Most = Annotated[
    int | None,
    typer.Option("--max-articles", help="Most articles; more are refused; 0 for no limit.", min=0),
]
Quota = Annotated[str | None, typer.Option("--quota", help='Room for articles, as "5 GB"; 0 for no limit.')]


@noun.command()
def add(
    name: Name,
    posting: Posting = None,
    description: Description = None,
    moderator: Moderator = None,
    most: Most = None,
    quota: Quota = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a group."""
    status = _status(posting) or ("m" if moderator else "y")
    room = common.size(quota)

    def make(tx: Tx) -> Folder:
        from quintet.store import groups

        made = groups.create(tx, name, status, description or "", moderator=moderator or "")
        if room is None and most is None:
            return made
        return groups.change(tx, made.id, quota_bytes=room, quota_messages=most)

    async def work(store: Store, _: Config) -> dict[str, Any]:
        return _row(await store.write(make))

    row = common.with_store(config, work)
    common.done(f"group {name} made", as_json, **row)


@noun.command("list")
def listing(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show all groups and how many articles they have."""

    async def work(store: Store, _: Config) -> list[dict[str, Any]]:
        from quintet.store import groups

        return [_row(folder) for folder in await store.read(groups.listing)]

    rows = common.with_store(config, work)
    common.table(
        rows, ["group", "posting", "articles", "low", "high", "description"], as_json, empty="no groups yet"
    )


@noun.command("set")
def change(
    name: Name,
    posting: Posting = None,
    description: Description = None,
    moderator: Moderator = None,
    most: Most = None,
    quota: Quota = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a group."""
    status, room = _status(posting), common.size(quota)

    async def work(store: Store, _: Config) -> dict[str, Any]:
        from quintet.store import groups

        changed = await store.write(
            groups.change,
            store.peek(find, name).id,
            status=status,
            description=description,
            moderator=moderator,
            quota_bytes=room,
            quota_messages=most,
        )
        return _row(changed)

    common.record(common.with_store(config, work), as_json)


@noun.command()
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a group with all its articles."""

    def cut(tx: Tx) -> int:
        from quintet.store import groups

        folder = find(tx, name)
        groups.remove(tx, folder.id)
        return folder.messages

    common.remove_whole("group", name, "articles", cut, config, as_json, yes=yes)


def find(tx: Tx, name: str) -> Folder:
    """A group by name.  Raises Refused(NO_SUCH_FOLDER)."""
    from quintet.errors import Reason, Refused
    from quintet.store import groups

    folder = groups.find(tx, name)
    if folder is None:
        raise Refused(Reason.NO_SUCH_FOLDER, name)
    return folder


def _status(word: str | None) -> str | None:
    if word is None:
        return None
    if word not in POSTING:
        raise Failed(f"no such posting: {word}", f"There are {', '.join(POSTING)}.", Exit.USAGE)
    return POSTING[word]


def _row(folder: Folder) -> dict[str, Any]:
    return {
        "group": folder.name,
        "posting": _WORDS.get(folder.status, folder.status),
        "articles": folder.messages,
        "low": folder.low,
        "high": folder.high,
        "bytes": folder.bytes,
        "quota_bytes": folder.quota_bytes,
        "max_articles": folder.quota_messages,
        "moderator": folder.moderator,
        "description": folder.description,
    }


def register(app: typer.Typer) -> None:
    app.add_typer(noun, name="group")
