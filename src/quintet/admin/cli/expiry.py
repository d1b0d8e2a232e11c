"""`quintet expire`, `undelete`, `hold`: what goes by itself, what can be had back, what must not go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from quintet.admin.cli import common, progress
from quintet.admin.cli.common import ConfigOption, Exit, Failed, JsonOption

if TYPE_CHECKING:
    from quintet.config.root import Config
    from quintet.delivery.expiry import Tally
    from quintet.store.db import Tx
    from quintet.store.keeping import Kept
    from quintet.store.model import Account, FolderId
    from quintet.store.store import Store

LEASE_MS = 15 * 60 * 1000
ROUND_S = 60.0  # then the lease is taken anew
BATCH = 200  # messages restored in one transaction

holding = typer.Typer(
    help="Legal holds: nothing of an account, or of a folder, may be lost.", no_args_is_help=True
)

AccountArgument = Annotated[str, typer.Argument(help="Account, by name; news has the groups.")]
FolderOption = Annotated[str | None, typer.Option("--folder", help="One folder or group of it.")]


def register(app: typer.Typer) -> None:
    app.command("expire")(expire)
    app.command("undelete")(undelete)
    app.add_typer(holding, name="hold")


# --- expire -----------------------------------------------------------------------------------------


def expire(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Only tell what would go; nothing is taken away.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take away now what the rules "expire" and "retention" of the configuration say; hourly by itself."""

    async def work(store: Store, settings: Config) -> list[Tally]:
        from quintet.delivery import expiry

        rules = expiry.Rules(settings.expire, settings.retention)
        if dry_run:
            return await expiry.rehearse(store, rules)
        await expiry.settle(store, rules)
        return await _run(store, rules, as_json)

    lines = [_row(one) for one in common.with_store(config, work)]
    if as_json:
        common.emit(
            {
                "dry_run": dry_run,
                "messages": sum(line["messages"] for line in lines),
                "bytes": sum(line["bytes"] for line in lines),
                "folders": lines,
            }
        )
        return
    shown = [{**line, "size": common.amount(line["bytes"])} for line in lines]
    columns = ["account", "folder", "messages", "size", "reasons", "oldest", "newest"]
    common.table(shown, columns, False, empty="nothing to expire")
    if lines:
        count = sum(line["messages"] for line in lines)
        total = common.amount(sum(line["bytes"] for line in lines))
        typer.echo(f"{count} messages, {total} {'would go' if dry_run else 'went'}")


async def _run(store: Store, rules: Any, quiet: bool) -> list[Tally]:  # Any: expiry.Rules, loaded late
    """Under the lease that the server's own job takes, so that one at a time does it."""
    import os

    from quintet.delivery import expiry
    from quintet.store import jobs

    owner = f"{os.getpid()}.command"
    await store.write(jobs.hurry, expiry.JOB)
    gone: dict[tuple[str, str], Tally] = {}
    with progress.bar("expiring", None, quiet=quiet) as step:
        more = True
        while more:
            if await store.write(jobs.lease, expiry.JOB, owner, store.clock.now() + LEASE_MS) is None:
                raise Failed("the server is expiring just now", "Wait for it, or use --dry-run.", Exit.LATER)
            try:
                lines, more = await expiry.run(store, rules, seconds=ROUND_S, step=step)
            finally:
                due = store.clock.now() + 3_600_000
                await store.write(jobs.finish, expiry.JOB, owner, due)
            for line in lines:
                _merge(gone, line)
            if more:
                await store.write(jobs.hurry, expiry.JOB)
    return [gone[key] for key in sorted(gone)]


def _merge(gone: dict[tuple[str, str], Tally], line: Tally) -> None:
    key = (line.account, line.folder)
    old = gone.setdefault(key, line)
    if old is line:
        return
    old.messages += line.messages
    old.bytes += line.bytes
    for why, count in line.reasons.items():
        old.reasons[why] = old.reasons.get(why, 0) + count
    old.oldest_at = min(old.oldest_at, line.oldest_at)
    old.newest_at = max(old.newest_at, line.newest_at)


def _row(tally: Tally) -> dict[str, Any]:
    return {
        "account": tally.account,
        "folder": tally.folder,
        "messages": tally.messages,
        "bytes": tally.bytes,
        "reasons": tally.reasons,
        "oldest": common.moment(tally.oldest_at),
        "newest": common.moment(tally.newest_at),
    }


# --- undelete ---------------------------------------------------------------------------------------


def undelete(
    account: AccountArgument,
    folder: FolderOption = None,
    days: Annotated[
        float | None, typer.Option("--days", help="Only what was expunged within so many days.", min=0)
    ] = None,
    target: Annotated[
        str, typer.Option("--to", help="Restore into this folder; default: where each message was.")
    ] = "",
    show: Annotated[
        bool, typer.Option("--list", "-l", help="Only show what can be had back; nothing is restored.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring back mail that was expunged, as long as "undelete" of a rule "retention" or a hold keeps it."""

    async def work(store: Store, _: Config) -> list[dict[str, Any]]:
        from quintet.store import keeping

        found = _account(store, account)
        since = 0 if days is None else store.clock.now() - round(days * 86_400_000)
        rows: list[dict[str, Any]] = []
        after = (0, 0, 0)
        while True:
            page = await store.read(
                keeping.listing, found.id, folder_name=folder, since=since, after=after, limit=BATCH
            )
            if page:
                rows += [await store.read(_kept_row, one) for one in page]
                after = (page[-1].expunged_at, page[-1].folder_id, page[-1].uid)
                if not show:
                    await store.write(keeping.restore, page, target)
            if len(page) < BATCH:
                return rows

    rows = common.with_store(config, work)
    if show:
        columns = ["folder", "subject", "from", "size", "expunged"]
        common.table(rows, columns, as_json, empty="nothing can be had back")
        return
    common.done(f"{len(rows)} messages restored", as_json, restored=len(rows), messages=rows)


def _kept_row(tx: Tx, kept: Kept) -> dict[str, Any]:
    from quintet.store import keeping

    subject, author, message_id = keeping.title(tx, kept)
    return {
        "folder": kept.folder_name,
        "number": kept.uid,
        "subject": subject,
        "from": author,
        "message_id": message_id,
        "size": kept.size,
        "received": common.moment(kept.received_at),
        "expunged": common.moment(kept.expunged_at),
    }


# --- hold -------------------------------------------------------------------------------------------


@holding.command("add")
def hold_add(
    account: AccountArgument,
    folder: FolderOption = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; shown in the list.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep everything: nothing expires, and what is expunged stays, hidden, until the hold ends."""

    async def work(store: Store, _: Config) -> None:
        from quintet.store import keeping

        found = _account(store, account)
        await store.write(keeping.hold, found.id, _folder(store, found, folder), reason)

    common.with_store(config, work)
    what = f"{folder} of {account}" if folder else account
    common.done(f"{what} is on hold", as_json, account=account, folder=folder or "", reason=reason)


@holding.command("remove")
def hold_remove(
    account: AccountArgument,
    folder: FolderOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a hold; what it alone kept goes with the next expiry."""

    async def work(store: Store, _: Config) -> bool:
        from quintet.store import keeping

        found = _account(store, account)
        place = _folder(store, found, folder, gone=True)
        return await store.write(keeping.lift, found.id, place)

    if not common.with_store(config, work):
        raise Failed("there is no such hold", "`quintet hold list` shows them.")
    common.done("the hold has ended", as_json, account=account, folder=folder or "")


@holding.command("list")
def hold_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show what is on hold, and how much is kept for it that is expunged already."""

    async def work(store: Store, _: Config) -> list[dict[str, Any]]:
        return await store.read(_hold_rows)

    columns = ["account", "folder", "since", "kept", "reason"]
    common.table(common.with_store(config, work), columns, as_json, empty="nothing is on hold")


def _hold_rows(tx: Tx) -> list[dict[str, Any]]:
    rows = tx.all(
        "SELECT a.name, coalesce(f.name, CASE WHEN h.folder_id = 0 THEN '' ELSE '(gone)' END), h.created_at,"
        " h.reason, (SELECT count(*) FROM expunged x WHERE x.account_id = h.account_id"
        " AND h.folder_id IN (0, x.folder_id)) FROM hold h JOIN account a ON a.id = h.account_id"
        " LEFT JOIN folder f ON f.id = h.folder_id ORDER BY 1, 2"
    )
    return [
        {"account": name, "folder": folder, "since": common.moment(since), "reason": reason, "kept": kept}
        for name, folder, since, reason, kept in rows
    ]


def _account(store: Store, name: str) -> Account:
    from quintet.store import accounts

    found = store.peek(accounts.find, name)
    if found is None:
        raise Failed(f"no account {name}", "`quintet account list` shows who is there.")
    return found


def _folder(store: Store, account: Account, name: str | None, *, gone: bool = False) -> FolderId:
    """The number of a folder, 0 for none; with ``gone`` also of one that is no longer there."""
    from quintet.store import folders
    from quintet.store.model import FolderId

    if name is None:
        return FolderId(0)
    found = store.peek(folders.find, account.id, name)
    if found is not None:
        return found.id
    if gone:
        number = store.peek(_held_place, account, name)
        if number:
            return FolderId(number)
    raise Failed(f"no such folder: {name}", f"`quintet account show {account.name}` lists them.")


def _held_place(tx: Tx, account: Account, name: str) -> int:
    return int(
        tx.value(
            "SELECT h.folder_id FROM hold h JOIN folder_tombstone t ON t.folder_id = h.folder_id"
            " WHERE h.account_id = ? AND t.name = ? LIMIT 1", account.id, name,
        )
        or 0
    )  # fmt: skip
