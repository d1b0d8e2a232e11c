"""`quintet control`: control messages and notices: what came, what the rules say, and doing it by hand."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quintet.admin.cli import common
from quintet.admin.cli.common import ConfigOption, Exit, Failed, JsonOption

if TYPE_CHECKING:
    from quintet.config.root import Config
    from quintet.store.db import Tx
    from quintet.store.store import Store

noun = typer.Typer(help="Control messages of news, and the rules about them.", no_args_is_help=True)


@noun.command()
def rules(
    message: Annotated[str, typer.Argument(help="newgroup, rmgroup, checkgroups...")] = "",
    sender: Annotated[str, typer.Argument(help="The address in From.")] = "",
    group: Annotated[str, typer.Argument(help="The group that it is about.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show all rules in their order, or with arguments the one that counts."""
    from quintet.delivery.control import ctl, work

    try:
        found = work.rules_of(common.load(config).news)
    except (ctl.BadRule, OSError) as error:
        raise Failed(
            f"the rules cannot be used: {error}", "See news.control_file and news.control."
        ) from error
    if message:
        rule = found.find(message.lower(), sender, group)
        chosen = [] if rule is None else [rule]
    else:
        chosen = list(found.rules)
    rows = [
        {"message": one.message, "from": one.sender, "newsgroups": one.newsgroups, "action": str(one.action)}
        for one in chosen
    ]
    common.table(rows, ["message", "from", "newsgroups", "action"], as_json, empty="no rule fits: drop")


@noun.command("list")
def listing(
    limit: Annotated[int, typer.Option("--limit", help="How many at most.", min=1, max=1000)] = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the last control messages and what became of them."""

    async def work(store: Store, _: Config) -> list[dict[str, Any]]:
        return await store.read(_events, limit)

    rows = common.with_store(config, work)
    common.table(rows, ["at", "verb", "sender", "action", "changes", "why", "message_id"], as_json)


@noun.command("do")
def carry_out(
    message_id: Annotated[str, typer.Argument(help="The Message-ID of the control message.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do what a newgroup, rmgroup or checkgroups asks for, whatever the rules say."""
    wanted = common.message_id(message_id)

    async def work(store: Store, settings: Config) -> list[str]:
        from quintet.admin import joined, newswork
        from quintet.store import controltasks, history

        controls = newswork.controls(
            settings, store, joined.inbound(settings, store, store.clock), store.clock
        )
        row = store.peek(history.find, wanted)
        asked = None
        if row is not None:
            asked = await controls.read(controltasks.Task(0, row, wanted, "", 0))
        if asked is None:
            raise Failed(
                f"no article {wanted} here", "Give the whole Message-ID, as `quintet control list` does."
            )
        judged = await controls.wish(asked)
        if not judged.changes:
            raise Failed("it asks for nothing that could be changed", judged.why, Exit.REFUSED)
        await controls.carry_out(asked, judged, by_hand=getpass.getuser())
        return [str(one) for one in judged.changes]

    changes = common.with_store(config, work)
    common.done("\n".join(changes), as_json, changes=changes)


@noun.command()
def cancel(
    message_id: Annotated[str, typer.Argument(help="The Message-ID of an article, or news:MESSAGE-ID.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take an article out of every group here; nobody else is told."""
    wanted = common.message_id(message_id)

    async def work(store: Store, _: Config) -> int:
        from quintet.delivery.control import acts

        return await store.write(acts.cancel_by_hand, [wanted], conn="control", by=getpass.getuser())

    count = common.with_store(config, work)
    said = f"gone from {count} groups" if count else "it is not here, and will not be taken"
    common.done(said, as_json, groups=count)


def _events(tx: Tx, limit: int) -> list[dict[str, Any]]:
    from quintet.store import trace

    return [
        {
            "at": common.moment(one.at),
            "verb": one.detail.get("verb", ""),
            "sender": one.detail.get("sender") or one.detail.get("issuer", ""),
            "action": one.detail.get("action", ""),
            "changes": one.detail.get("changes", []),
            "why": one.detail.get("why", ""),
            "message_id": one.message_id,
        }
        for one in trace.of_event(tx, "control", limit)
    ]


def register(app: typer.Typer) -> None:
    app.add_typer(noun, name="control")
