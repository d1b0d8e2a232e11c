"""`quintet account forward`, `send-as`: where an account's mail goes besides, and in whose name it sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from quintet.admin.cli import common
from quintet.admin.cli.common import ConfigOption, Exit, Failed, JsonOption

if TYPE_CHECKING:
    from quintet.config.root import Config
    from quintet.store.db import Tx
    from quintet.store.model import Account
    from quintet.store.store import Store

Name = Annotated[str, typer.Argument(help="Login name, usually an address: alice@example.org.")]


def forward(
    name: Name,
    targets: Annotated[
        list[str] | None, typer.Argument(help="Addresses that get a copy; none shows what is set.")
    ] = None,
    only: Annotated[bool, typer.Option("--only", help="Keep nothing: they get it instead.")] = False,
    off: Annotated[bool, typer.Option("--off", help="Forward no more.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a copy of an account's mail to other addresses, or all of it."""
    given = [each for each in (targets or []) if each]
    wrong = next((each for each in given if not each.rpartition("@")[0] or " " in each), None)
    if wrong is not None:
        raise Failed(f"{wrong!r} is no address", "Write it as dora@example.net.", Exit.USAGE)
    if off and given:
        raise Failed("--off takes no addresses", code=Exit.USAGE)

    def change(tx: Tx) -> Account:
        from quintet.admin.cli.accounts import find
        from quintet.store import accounts

        account = find(tx, name)
        if not given and not off:
            return account
        return accounts.set_forward(tx, account.id, given, keep=not only)

    async def work(store: Store, _: Config) -> dict[str, Any]:
        account = await store.write(change)
        return {
            "account": account.name,
            "forward": account.forward.split(),
            "keeps_a_copy": account.keep_copy,
        }

    common.record(common.with_store(config, work), as_json)


def send_as(
    name: Name,
    address: Annotated[
        str | None,
        typer.Argument(help='sales@example.org, @example.org (all of it) or "*" (any); none shows them.'),
    ] = None,
    remove_it: Annotated[bool, typer.Option("--remove", help="Take the right away.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let an account send in the name of addresses that are not its own."""

    def change(tx: Tx) -> list[str]:
        from quintet.admin.cli.accounts import find
        from quintet.store import senders

        account = find(tx, name)
        if address is not None:
            (senders.revoke if remove_it else senders.grant)(tx, account.id, address)
        return senders.listing(tx, account.id)

    async def work(store: Store, _: Config) -> list[str]:
        return await store.write(change)

    common.record({"account": name, "may_send_as": common.with_store(config, work)}, as_json)
