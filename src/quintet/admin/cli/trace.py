"""`quintet trace`: where a message came from and where it went, in every protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from quintet.admin.cli import common
from quintet.admin.cli.common import ConfigOption, Exit, Failed, JsonOption
from quintet.message import newsurl

if TYPE_CHECKING:
    from quintet.config.root import Config
    from quintet.store.db import Tx
    from quintet.store.store import Store
    from quintet.store.trace import Event


def register(app: typer.Typer) -> None:
    app.command("trace")(trace)


def trace(
    message: Annotated[
        str,
        typer.Argument(
            help="A Message-ID (with or without < >, or as news:...), FOLDER:UID with --account,"
            " GROUP:NUMBER, or nntp://SERVER/GROUP/NUMBER of this server. Empty: the last events."
        ),
    ] = "",
    account: Annotated[str, typer.Option("--account", "-a", help="Whose folder, for FOLDER:UID.")] = "",
    limit: Annotated[int, typer.Option("--limit", help="How many events at most.", min=1, max=1000)] = 100,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Follow one message: accepted from whom, verdicts, filed where, read, relayed, bounced."""

    async def work(store: Store, settings: Config) -> list[dict[str, Any]]:
        wanted = _of_url(message, settings) if newsurl.is_one(message) else message
        return await store.read(_events, wanted, account, limit)

    rows = common.with_store(config, work)
    if message and not rows:
        raise Failed(
            f"nothing is known of {message}",
            "Give the whole Message-ID, or `quintet trace` for the last events.",
        )
    if not as_json:
        for row in rows:
            row["what"] = common.cell(row["detail"])
    common.table(
        rows, ["at", "event", "account", "conn", "what", *([] if message else ["message_id"])], as_json
    )


def _of_url(url: str, settings: Config) -> str:
    """The article of a URL as it is typed otherwise (RFC 5538).  Raises Failed."""
    from quintet.errors import BadSyntax

    try:
        found = newsurl.parse(url)
    except BadSyntax as error:
        raise Failed(error.text, code=Exit.USAGE) from error
    if not found.number:
        return common.article(url)
    ours = {settings.hostname, settings.nntp.path_host, "localhost", "127.0.0.1", "::1"}
    if found.server not in {name.lower() for name in ours}:  # RFC 5538 2.1: numbers are each server's own
        raise Failed(f"{found.server} is not this server", "Give the Message-ID.", Exit.USAGE)
    return f"{found.groups}:{found.number}"


def _events(tx: Tx, message: str, account: str, limit: int) -> list[dict[str, Any]]:
    from quintet.store import trace as store_trace

    if not message:
        found = list(reversed(store_trace.recent(tx, limit)))
    else:
        found = store_trace.follow(tx, _message_id(tx, message, account), limit)
    return [_row(tx, event) for event in found]


def _message_id(tx: Tx, text: str, account: str) -> str:
    """What was typed, as a Message-ID with its brackets."""
    from quintet.store import accounts, entries, folders, groups
    from quintet.store.model import Uid

    folder_name, _, number = text.rpartition(":")
    if folder_name and number.isdigit() and "@" not in text:
        owner = accounts.find(tx, account) if account else None
        folder = folders.find(tx, owner.id, folder_name) if owner else groups.find(tx, folder_name)
        if folder is None:
            raise Failed(f"no folder {folder_name}", "Name its owner with --account; groups need none.")
        row = entries.lines(tx, folder.id, int(number), Uid(int(number)), 1, ("uid", "message_id"))
        if not row:
            raise Failed(f"no message {number} in {folder_name}")
        return str(row[0][1])
    return text if text.startswith("<") else f"<{text}>"


def _row(tx: Tx, event: Event) -> dict[str, Any]:
    from quintet.store import accounts

    detail = dict(event.detail)
    if "places" in detail:
        detail["filed"] = [_place(tx, folder, uid) for folder, uid in detail.pop("places")]
    owner = accounts.get(tx, event.account_id).name if event.account_id else ""
    return {
        "at": common.moment(event.at),
        "event": event.event,
        "account": owner,
        "conn": event.conn,
        "message_id": event.message_id,
        "detail": detail,
    }


def _place(tx: Tx, folder_id: int, uid: int) -> str:
    """``alice@example.org/INBOX:7``, ``comp.lang.python:12``; the bare number of a folder that is gone."""
    row = tx.one(
        "SELECT a.name, f.name, f.kind FROM folder f JOIN account a ON a.id = f.account_id WHERE f.id = ?",
        folder_id,
    )
    if row is None:
        return f"{folder_id}:{uid}"
    return f"{row[1]}:{uid}" if row[2] == "group" else f"{row[0]}/{row[1]}:{uid}"
