"""`quintet moderate`: articles that wait for a moderator, and those that filters hold back."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quintet.admin.cli import common
from quintet.admin.cli.common import ConfigOption, Failed, JsonOption

if TYPE_CHECKING:
    from quintet.config.root import Config
    from quintet.delivery.moderation import Moderation
    from quintet.delivery.modqueue import Waiting
    from quintet.store.store import Store

noun = typer.Typer(help="Articles that wait for a moderator, or lie in quarantine.", no_args_is_help=True)

What = Annotated[
    str,
    typer.Argument(
        help="A Message-ID, news:MESSAGE-ID, or GROUP:NUMBER as `quintet moderate list` shows it."
    ),
]


@noun.command("list")
def listing(
    group: Annotated[str, typer.Argument(help="Only of this group.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what waits, oldest first."""

    async def work(store: Store, _: Config) -> list[dict[str, Any]]:
        from quintet.delivery import modqueue

        return [
            {
                "item": f"{one.group}:{one.uid}",
                "arrived": common.moment(one.arrived_at),
                "from": one.author,
                "subject": one.subject,
                "message_id": one.message_id,
            }
            for one in await store.read(modqueue.waiting, group)
        ]

    rows = common.with_store(config, work)
    common.table(rows, ["item", "arrived", "from", "subject", "message_id"], as_json, empty="nothing waits")


@noun.command()
def show(what: What, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show one as it was posted."""

    async def work(store: Store, settings: Config) -> str:
        from quintet.delivery import modqueue
        from quintet.store import entries

        one = store.peek(modqueue.find, common.article(what), settings.news.quarantine)
        if one is None:
            raise Failed(f"{what} does not wait", "See `quintet moderate list` and `held`.")
        ref = store.peek(entries.body_ref, one.folder_id, one.uid)
        return store.read_body(ref)[len(ref.prefix) :].decode("utf-8", "replace").replace("\r\n", "\n")

    text = common.with_store(config, work)
    if as_json:
        common.done("", as_json, article=text)
    else:
        typer.echo(common.printable(text), nl=False)


@noun.command()
def approve(what: What, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Post one, with Approved, under its own Message-ID."""

    async def work(store: Store, settings: Config) -> Waiting:
        one = _find(store, settings, what)
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
        one = _find(store, settings, what)
        await _desk(store, settings).reject(one, reason, getpass.getuser())
        return one

    one = common.with_store(config, work)
    common.done(f"given back: {one.message_id}", as_json, message_id=one.message_id, group=one.group)


@noun.command()
def held(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show what filters hold back in quarantine, and why."""

    async def work(store: Store, settings: Config) -> list[dict[str, Any]]:
        from quintet.delivery import modqueue, quarantine
        from quintet.store import entries

        return [
            {
                "item": f"{one.group}:{one.uid}",
                "arrived": common.moment(one.arrived_at),
                "from": one.author,
                "subject": one.subject,
                "why": quarantine.why(store.peek(entries.body_ref, one.folder_id, one.uid).prefix),
                "message_id": one.message_id,
            }
            for one in await store.read(modqueue.held, settings.news.quarantine)
        ]

    columns = ["item", "arrived", "from", "subject", "why", "message_id"]
    common.table(common.with_store(config, work), columns, as_json, empty="nothing is held back")


@noun.command()
def release(what: What, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Let one out of quarantine, into its groups."""

    async def work(store: Store, settings: Config) -> tuple[str, ...]:
        one = _find(store, settings, what, quarantined=True)
        return await _desk(store, settings).release(one, getpass.getuser())

    names = common.with_store(config, work)
    said = f"filed in {', '.join(names)}" if names else "it was cancelled meanwhile"
    common.done(said, as_json, groups=list(names))


def _find(store: Store, settings: Config, what: str, *, quarantined: bool = False) -> Waiting:
    from quintet.delivery import modqueue

    found = store.peek(modqueue.find, common.article(what), settings.news.quarantine)
    if found is None or (found.group == settings.news.quarantine) is not quarantined:
        shows = "held" if quarantined else "list"
        raise Failed(f"{what} does not wait", f"`quintet moderate {shows}` shows what does.")
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
