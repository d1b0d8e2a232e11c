"""`quintet queue`: mail that waits to leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from quintet.admin.cli import common, fetching
from quintet.admin.cli.common import ConfigOption, Exit, Failed, JsonOption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from quintet.config.root import Config
    from quintet.store.db import Tx
    from quintet.store.queue import Recipient, RecipientId
    from quintet.store.store import Store

noun = typer.Typer(help="Mail that waits to leave.", no_args_is_help=True)

PAGE = 500  # rows read at once

Number = Annotated[
    list[int] | None,
    typer.Argument(help="Numbers from `quintet queue list`; a message's means all its recipients."),
]
Everything = Annotated[bool, typer.Option("--all", help="Everything in the queue.")]


@noun.command("list")
def listing(
    state: Annotated[str, typer.Option(help="Only waiting, leased, held or failed.")] = "",
    match: Annotated[str, typer.Option(help="Only where sender or recipient has this text.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who waits for what, why, and when it is tried again."""
    if state not in ("", "waiting", "leased", "held", "failed"):
        raise Failed(f"no such state: {state}", "There are waiting, leased, held and failed.", Exit.USAGE)

    async def work(store: Store, _: Config) -> list[dict[str, Any]]:
        return await store.read(lambda tx: [_row(each) for each in _found(tx, state, match)])

    rows = common.with_store(config, work)
    columns = ["number", "message", "recipient", "sender", "state", "attempts", "next_try", "last_error"]
    common.table(rows, columns, as_json, empty="the queue is empty")


@noun.command()
def show(
    number: Annotated[
        int, typer.Argument(help="Number of a recipient or a message from `quintet queue list`.")
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one message of the queue and all who still wait for it."""

    async def work(store: Store, _: Config) -> dict[str, Any]:
        return await store.read(_details, number)

    common.record(common.with_store(config, work), as_json)


@noun.command()
def retry(
    numbers: Number = None,
    everything: Everything = False,
    match: Annotated[str, typer.Option(help="What waits for an address with this text.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try again now; what was held goes on too when its number is given."""
    everything, state = everything or bool(match), "" if numbers else "waiting"
    count = _change("retry", numbers, everything, config, state, match)
    common.done(f"{count} recipients are tried now", as_json, recipients=count)


@noun.command()
def hold(
    numbers: Number = None,
    everything: Everything = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep messages until `release`."""
    count = _change("hold", numbers, everything, config)
    common.done(f"{count} recipients held", as_json, recipients=count)


@noun.command()
def release(
    numbers: Number = None,
    everything: Everything = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let held messages go on; they are due now."""
    count = _change("retry", numbers, everything, config, "held")
    common.done(f"{count} recipients released", as_json, recipients=count)


@noun.command()
def remove(
    numbers: Number = None,
    everything: Everything = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Throw messages away; the sender is not told."""
    count = _change("remove", numbers, everything, config)
    common.done(f"{count} recipients removed", as_json, recipients=count)


def _change(
    what: str, numbers: list[int] | None, everything: bool, config: Any, state: str = "", match: str = ""
) -> int:
    if not numbers and not everything:
        raise Failed("which messages?", "Give numbers from `quintet queue list`, or --all.", Exit.USAGE)

    async def work(store: Store, _: Config) -> int:
        from quintet.store import queue

        change: Callable[[Tx, RecipientId], None] = getattr(queue, what)
        if numbers:
            meant = [each for number in numbers for each in await store.read(_meant, number)]
        else:
            meant = await store.read(lambda tx: list(_found(tx, state, match)))
        for start in range(0, len(meant), PAGE):
            await store.write(_each, change, [each.id for each in meant[start : start + PAGE]])
        return len(meant)

    return common.with_store(config, work)


def _each(tx: Tx, change: Callable[[Tx, RecipientId], None], numbers: list[RecipientId]) -> None:
    for number in numbers:
        change(tx, number)


def _meant(tx: Tx, number: int) -> list[Recipient]:
    """The recipient with that number, or all of the message with it; they are never the same."""
    found = [each for each in _found(tx, "", "") if number in (each.id, each.queue_id)]
    if not found:
        raise Failed(f"{number} is not in the queue", "`quintet queue list` shows what is.")
    return found


def _found(tx: Tx, state: str, match: str) -> Iterator[Recipient]:
    from quintet.store import queue

    text, after = match.lower(), 0
    while page := queue.listing(tx, PAGE, after, state=state):
        for each in page:
            if text in each.address.lower() or text in each.sender.lower():
                yield each
        after = page[-1].id


def _details(tx: Tx, number: int) -> dict[str, Any]:
    first = _meant(tx, number)[0]
    found = _meant(tx, first.queue_id)
    size, message_id = tx.one("SELECT size, message_id FROM message WHERE id = ?", first.message_row) or (
        0,
        "",
    )
    return {
        "message": first.queue_id,
        "sender": first.sender or "<>",
        "size": size,
        "message_id": message_id,
        "queued": common.moment(first.created_at),
        "returned_after": common.moment(first.expires_at),
        "parameters": first.item_params,
        "recipients": [_row(each) for each in found],
    }


def _row(each: Recipient) -> dict[str, Any]:
    return {
        "number": each.id,
        "message": each.queue_id,
        "recipient": each.address,
        "sender": each.sender or "<>",
        "state": each.state,
        "attempts": each.attempts,
        "next_try": common.moment(each.due_at) if each.state in ("waiting", "leased") else "",
        "last_error": each.last_error,
    }


def register(app: typer.Typer) -> None:
    noun.command("fetch")(fetching.fetch)
    app.add_typer(noun, name="queue")
