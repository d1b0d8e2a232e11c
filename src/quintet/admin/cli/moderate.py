"""`quintet moderate`: articles that wait for a moderator."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quintet.admin.cli import common
from quintet.admin.cli.common import ConfigOption, Failed, JsonOption

if TYPE_CHECKING:
    from quintet.config.root import Config
    from quintet.delivery.moderation import Moderation, Waiting
    from quintet.store.store import Store

noun = typer.Typer(help="Articles that wait for a moderator.", no_args_is_help=True)

What = Annotated[
    str, typer.Argument(help="A Message-ID, or GROUP:NUMBER as `quintet moderate list` shows it.")
]


@noun.command("list")
def listing(
    group: Annotated[str, typer.Argument(help="Only of this group.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what waits, oldest first."""

    async def work(store: Store, _: Config) -> list[dict[str, Any]]:
        from quintet.delivery import moderation

        return [
            {
                "item": f"{one.group}:{one.uid}",
                "arrived": common.moment(one.arrived_at),
                "from": one.author,
                "subject": one.subject,
                "message_id": one.message_id,
            }
            for one in await store.read(moderation.waiting, group)
        ]

    rows = common.with_store(config, work)
    common.table(rows, ["item", "arrived", "from", "subject", "message_id"], as_json, empty="nothing waits")


@noun.command()
def show(what: What, config: ConfigOption = None) -> None:
    """Show one as it was posted."""

    async def work(store: Store, _: Config) -> str:
        from quintet.store import entries

        one = _find(store, what)
        ref = store.peek(entries.body_ref, one.folder_id, one.uid)
        return store.read_body(ref)[len(ref.prefix) :].decode("utf-8", "replace").replace("\r\n", "\n")

    typer.echo(common.with_store(config, work), nl=False)


@noun.command()
def approve(what: What, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Post one, with Approved, under its own Message-ID."""

    async def work(store: Store, settings: Config) -> Waiting:
        one = _find(store, what)
        await _desk(store, settings).approve(one)
        return one

    one = common.with_store(config, work)
    common.done(
        f"posted to {one.group}: {one.message_id}", as_json, message_id=one.message_id, group=one.group
    )


@noun.command()
def reject(
    what: What,
    reason: Annotated[str, typer.Option("--reason", help="What its author is told.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give one back to its author."""

    async def work(store: Store, settings: Config) -> Waiting:
        one = _find(store, what)
        await _desk(store, settings).reject(one, reason, getpass.getuser())
        return one

    one = common.with_store(config, work)
    common.done(f"given back: {one.message_id}", as_json, message_id=one.message_id, group=one.group)


def _find(store: Store, what: str) -> Waiting:
    from quintet.delivery import moderation

    found = store.peek(moderation.find, what)
    if found is None:
        raise Failed(f"{what} does not wait", "`quintet moderate list` shows what does.")
    return found


def _desk(store: Store, settings: Config) -> Moderation:
    from quintet.admin import joined, newswork
    from quintet.delivery.post import PostOffice

    inbound = joined.inbound(settings, store, store.clock)
    office = PostOffice(
        store,
        settings.nntp,
        settings.news,
        hostname=settings.hostname,
        clock=store.clock,
        inbound=inbound,
    )
    return newswork.moderation(settings, store, inbound, office, store.clock)


def register(app: typer.Typer) -> None:
    app.add_typer(noun, name="moderate")
