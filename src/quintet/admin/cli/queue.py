"""`quintet queue`: mail that waits to leave."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quintet.admin.cli import common, fetching, mailq, whither
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
Match = Annotated[str, typer.Option(help="Everything whose sender or recipient has this text.")]


@noun.command("list")
def listing(
    state: Annotated[str, typer.Option(help="Only waiting, leased, held or failed.")] = "",
    match: Annotated[str, typer.Option(help="Only where sender or recipient has this text.")] = "",
    domain: Annotated[str, typer.Option(help="Only what waits for this domain.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many recipients.")] = 10_000,
    as_mailq: Annotated[
        bool, typer.Option("--mailq", help="As Postfix's mailq prints it: for programs that read that.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who waits for what, since when, why, and when it is tried again."""
    if state not in ("", "waiting", "leased", "held", "failed"):
        raise Failed(f"no such state: {state}", "There are waiting, leased, held and failed.", Exit.USAGE)

    async def work(store: Store, _: Config) -> list[dict[str, Any]]:
        return await store.read(
            lambda tx: [_row(each) for each in itertools.islice(_found(tx, state, match, domain), limit)]
        )

    async def printed(store: Store, _: Config) -> list[str]:
        return await store.read(
            lambda tx: list(mailq.lines(tx, itertools.islice(_found(tx, state, match, domain), limit)))
        )

    if as_mailq and not as_json:
        for line in common.with_store(config, printed):
            typer.echo(common.printable(line))
        return
    rows = common.with_store(config, work)
    columns = [
        "number", "message", "recipient", "sender", "queued", "state", "attempts", "next_try", "last_error",
    ]  # fmt: skip
    common.table(rows, columns, as_json, empty="the queue is empty")


@noun.command()
def show(
    number: Annotated[
        int, typer.Argument(help="Number of a recipient or a message from `quintet queue list`.")
    ],
    text: Annotated[bool, typer.Option("--text", help="The message itself, as it leaves.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one message of the queue and all who still wait for it."""

    async def work(store: Store, _: Config) -> dict[str, Any]:
        return await store.read(_details, number)

    async def read(store: Store, _: Config) -> str:
        from quintet.store import entries

        ref = await store.read(lambda tx: entries.message_body(tx, _meant(tx, number)[0].message_row))
        return store.read_body(ref).decode("utf-8", "replace").replace("\r\n", "\n")

    if not text:
        common.record(common.with_store(config, work), as_json)
    elif as_json:
        common.done("", as_json, message=common.with_store(config, read))
    else:
        typer.echo(common.printable(common.with_store(config, read)), nl=False)


@noun.command()
def retry(
    numbers: Number = None,
    everything: Everything = False,
    match: Match = "",
    via: Annotated[
        str, typer.Option(help="By this route from now on, queue.routes.NAME, whatever it is for.")
    ] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try again now; what was held goes on too when its number is given."""
    told = ("route", via) if via else ()
    count = _change("retry", numbers, everything, config, "" if numbers else "waiting", match, told)
    common.done(f"{_recipients(count)} tried now", as_json, recipients=count)


@noun.command()
def hold(
    numbers: Number = None,
    everything: Everything = False,
    match: Match = "",
    rule: Annotated[
        str,
        typer.Option(
            help="Hold all that fits, now and later: sender=, recipient= (an address, @domain, .domain, *), "
            "account=NUMBER or size=BYTES."
        ),
    ] = "",
    reason: Annotated[str, typer.Option(help="For --rule: shown with what is held.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep messages until `release`."""
    if rule:
        number, count = _add_rule(rule, reason, config)
        common.done(f"rule {number} made, {_recipients(count)} held", as_json, rule=number, recipients=count)
        return
    count = _change("hold", numbers, everything, config, match=match)
    common.done(f"{_recipients(count)} held", as_json, recipients=count)


def _add_rule(text: str, reason: str, config: Any) -> tuple[int, int]:
    field, found, pattern = text.partition("=")

    async def work(store: Store, _: Config) -> tuple[int, int]:
        from quintet.errors import Refused
        from quintet.store import queue_rules

        try:
            rule = await store.write(queue_rules.add, field, pattern, reason)
        except Refused as problem:
            raise Failed(f"no rule: {problem}", "Such as --rule sender=@example.org.", Exit.USAGE) from None
        count, after = await store.write(queue_rules.apply, rule)
        while after:
            more, after = await store.write(queue_rules.apply, rule, after)
            count += more
        return rule.id, count

    if not found:
        raise Failed(f"no rule: {text}", "Such as --rule sender=@example.org.", Exit.USAGE)
    return common.with_store(config, work)


@noun.command()
def rules(
    drop: Annotated[int, typer.Option(help="Remove this rule; what it held stays held.")] = 0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the rules that hold mail, or remove one."""

    async def work(store: Store, _: Config) -> list[dict[str, Any]]:
        from quintet.errors import Refused
        from quintet.store import queue_rules

        if drop:
            try:
                await store.write(queue_rules.drop, drop)
            except Refused:
                raise Failed(f"there is no rule {drop}", "`quintet queue rules` shows them.") from None
        return [
            {
                "number": each.id,
                "holds": f"{each.field}={each.pattern}",
                "reason": each.reason,
                "since": common.moment(each.created_at),
            }
            for each in store.peek(queue_rules.listing)
        ]

    found = common.with_store(config, work)
    common.table(found, ["number", "holds", "reason", "since"], as_json, empty="no mail is held by a rule")


@noun.command()
def suppress(
    addresses: Annotated[
        list[str] | None, typer.Argument(help="Addresses that get no mail any more.")
    ] = None,
    allow: Annotated[bool, typer.Option("--allow", help="Take them off the list instead.")] = False,
    reason: Annotated[str, typer.Option(help="What senders are told.")] = "stopped by the administrator",
    days: Annotated[float, typer.Option(min=0.0, help="For so long; 0: for ever.")] = 0.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the addresses that get no mail any more; add some, or take some off."""

    async def work(store: Store, _: Config) -> list[dict[str, Any]]:
        from quintet.errors import Refused
        from quintet.store import queue_rules

        until = store.clock.now() + round(days * 86_400_000) if days else queue_rules.FOR_EVER
        for address in addresses or ():
            try:
                if allow:
                    await store.write(queue_rules.allow, address)
                else:
                    await store.write(queue_rules.suppress, address, reason, until)
            except Refused:
                raise Failed(f"{address} is not on the list", "`quintet queue suppress` shows it.") from None
        return await store.read(_suppressed)

    found = common.with_store(config, work)
    columns = ["address", "reason", "bounces", "until"]
    common.table(found, columns, as_json, empty="mail is sent to every address")


def _suppressed(tx: Tx) -> list[dict[str, Any]]:
    from quintet.store import queue_rules

    rows: list[dict[str, Any]] = []
    after = ""
    while page := queue_rules.suppressed(tx, PAGE, after):
        rows += [
            {
                "address": each.address,
                "reason": each.reason,
                "bounces": each.bounces,
                "until": "for ever" if each.until == queue_rules.FOR_EVER else common.moment(each.until),
            }
            for each in page
            if each.until > tx.now
        ]
        after = page[-1].address
    return rows


@noun.command()
def top(
    limit: Annotated[int, typer.Option(min=1, help="So many domains.")] = 20,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the domains for which most waits."""

    async def work(store: Store, _: Config) -> list[dict[str, Any]]:
        from quintet.store import queue

        return [
            {
                "domain": each.domain,
                "recipients": each.recipients,
                "held": each.held,
                "tried": each.tried,
                "next_try": common.moment(each.due_at),
                "rests_until": common.moment(each.rest_until) if each.rest_until else "",
            }
            for each in await store.read(queue.top, limit)
        ]

    found = common.with_store(config, work)
    columns = ["domain", "recipients", "held", "tried", "next_try", "rests_until"]
    common.table(found, columns, as_json, empty="the queue is empty")


@noun.command()
def flush(
    domain: Annotated[str, typer.Argument(help="Domain whose mail is tried now.")],
    below: Annotated[bool, typer.Option("--below", help="Its subdomains too.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try everything for a domain now, as ETRN does."""

    async def work(store: Store, _: Config) -> int:
        from quintet.store import fetching

        return await fetching.flush(store, domain.lower(), below=below)

    count = common.with_store(config, work)
    common.done(f"{_recipients(count)} tried earlier", as_json, recipients=count)


@noun.command()
def release(
    numbers: Number = None,
    everything: Everything = False,
    match: Match = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let held messages go on; they are due now."""
    count = _change("retry", numbers, everything, config, "held", match)
    common.done(f"{_recipients(count)} released", as_json, recipients=count)


@noun.command()
def remove(
    numbers: Number = None,
    everything: Everything = False,
    match: Match = "",
    tell: Annotated[str, typer.Option(help="Return it to its sender, with this as the reason.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Throw messages away; the sender is not told, but with --tell."""
    told = ("refused", tell) if tell else ()
    count = _change("remove", numbers, everything, config, match=match, told=told)
    common.done(f"{_recipients(count)} {'returned' if tell else 'removed'}", as_json, recipients=count)


def _recipients(count: int) -> str:
    return f"{count} recipient" if count == 1 else f"{count} recipients"


def _change(
    what: str,
    numbers: list[int] | None,
    everything: bool,
    config: Any,
    state: str = "",
    match: str = "",
    told: tuple[str, ...] = (),
) -> int:
    """``told``: a parameter and its value, for `queue.instruct` in place of ``what``."""
    if bool(numbers) + everything + bool(match) != 1:
        raise Failed(
            "which messages?", "Give numbers from `quintet queue list`, --match TEXT, or --all.", Exit.USAGE
        )

    async def work(store: Store, settings: Config) -> int:
        from quintet.store import queue

        if told and told[0] == "route" and told[1] not in settings.queue.routes:
            raise Failed(f"no route {told[1]!r}", "They are queue.routes of the configuration.", Exit.USAGE)
        change: Callable[..., None] = getattr(queue, "instruct" if told else what)
        if numbers:
            meant = [each for number in numbers for each in await store.read(_meant, number)]
        else:
            meant = await store.read(lambda tx: list(_found(tx, state, match)))
        for start in range(0, len(meant), PAGE):
            await store.write(_each, change, [each.id for each in meant[start : start + PAGE]], told)
        return len(meant)

    return common.with_store(config, work)


def _each(
    tx: Tx, change: Callable[..., None], numbers: list[RecipientId], told: tuple[str, ...] = ()
) -> None:
    for number in numbers:
        change(tx, number, *told)


def _meant(tx: Tx, number: int) -> list[Recipient]:
    """The recipient with that number, or all of the message with it; they are never the same."""
    from quintet.store import queue

    found = queue.of_message(tx, number)
    if not found:
        raise Failed(f"{number} is not in the queue", "`quintet queue list` shows what is.")
    return found


def _found(tx: Tx, state: str, match: str, domain: str = "") -> Iterator[Recipient]:
    from quintet.store import queue

    text, after = match.lower(), 0
    while page := queue.listing(tx, PAGE, after, state=state, domain=domain.lower()):
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
        "queued": common.moment(each.created_at),
        "state": each.state,
        "attempts": each.attempts,
        "next_try": common.moment(each.due_at) if each.state in ("waiting", "leased") else "",
        "last_error": each.last_error or each.hold_reason,
    }


def register(app: typer.Typer) -> None:
    noun.command("fetch")(fetching.fetch)
    noun.command("route")(whither.route)
    app.add_typer(noun, name="queue")
