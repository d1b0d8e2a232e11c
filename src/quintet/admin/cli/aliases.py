"""`quintet alias`: addresses besides an account's own: aliases, forwards, catch-alls, groups by mail."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quintet.admin.cli import common
from quintet.admin.cli.common import ConfigOption, Exit, Failed, JsonOption

if TYPE_CHECKING:
    from quintet.config.root import Config
    from quintet.store.db import Tx
    from quintet.store.store import Store

noun = typer.Typer(help="Other addresses: aliases, forwards, catch-alls.", no_args_is_help=True)

Address = Annotated[str, typer.Argument(help="sales@example.org; @example.org is the catch-all.")]


@noun.command()
def add(
    address: Address,
    target: Annotated[
        str,
        typer.Argument(help="An account here, other addresses with commas, group:NAME, or moved:ADDRESS."),
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send mail for an address to an account, to other addresses, into a group; or say where it has moved."""

    async def work(store: Store, _: Config) -> tuple[str, str]:
        return await store.write(_add, address, target)

    kind, before = common.with_store(config, work)
    instead = f", no longer to {before}" if before and before != target else ""
    common.done(
        f"{address} goes to {target} ({kind}){instead}",
        as_json,
        address=address,
        target=target,
        kind=kind,
        before=before,
    )


@noun.command()
def load(
    file: Annotated[
        Path, typer.Argument(help="A table as /etc/aliases or Postfix's virtual(5); '-' is standard input.")
    ],
    domain: Annotated[
        str, typer.Option(help="Of names without one; empty: auth.default_domain of the configuration.")
    ] = "",
    moved: Annotated[
        bool, typer.Option("--moved", help="A table as Postfix's relocated(5): new addresses, to be told.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add the aliases of another server's table; what cannot be an alias here is told, and left out."""

    async def work(store: Store, settings: Config) -> tuple[int, list[dict[str, Any]]]:
        from quintet.admin.cli import aliasfile
        from quintet.errors import Problem

        made, wrong = 0, []
        own = domain or settings.auth.default_domain
        found = list(aliasfile.read(common.lines_of(file), own))
        if any(each.endswith("@") for line in found for each in (line.address, *line.targets)):
            raise Failed("names of which domain?", "Say --domain example.org.", Exit.USAGE)
        for line in found:
            problem = line.problem
            try:
                if not problem:
                    await store.write(_add, line.address, "moved:" * moved + ", ".join(line.targets))
                    made += 1
            except Problem as error:
                problem = common.why(error)
            except Failed as error:
                problem = str(error)
            if problem:
                wrong.append({"line": line.number, "address": line.address, "problem": problem})
        return made, wrong

    made, wrong = common.with_store(config, work, fast=True)
    common.done(f"{made} aliases added, {len(wrong)} left out", as_json, made=made, left_out=wrong)
    if wrong:
        for each in wrong if not as_json else ():
            typer.echo(
                common.printable(f"  line {each['line']}: {each['address']}: {each['problem']}"), err=True
            )
        raise typer.Exit(Exit.REFUSED)


@noun.command("list")
def listing(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show every address and where its mail goes."""

    async def work(store: Store, _: Config) -> list[dict[str, Any]]:
        return await store.read(_rows)

    common.table(
        common.with_store(config, work), ["address", "kind", "target"], as_json, empty="no addresses yet"
    )


@noun.command()
def remove(address: Address, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Take no more mail for an address."""

    async def work(store: Store, _: Config) -> None:
        from quintet.store import accounts

        await store.write(accounts.remove_address, address)

    common.with_store(config, work)
    common.done(f"{address} removed", as_json, address=address)


def _add(tx: Tx, address: str, target: str) -> tuple[str, str]:
    """What kind of alias was made, and where mail for the address went before."""
    from quintet.store import accounts

    if "@" not in address:
        raise Failed(f"{address!r} is no address", "Write it as sales@example.org.")
    before = accounts.address(tx, address)
    owner = before.account_id if before is not None else None
    name = accounts.get(tx, owner).name if owner is not None else ""
    if before is not None and before.kind == "primary":
        raise Failed(
            f"{address} is the own address of {name}",
            "`quintet account forward` sends its mail on; `quintet account remove` removes the account.",
        )
    return _pointed(tx, address, target), name or (before.target if before is not None else "")


def _pointed(tx: Tx, address: str, target: str) -> str:
    from quintet.store import accounts, groups

    if target.startswith("group:"):
        name = target.removeprefix("group:")
        if groups.find(tx, name) is None:
            raise Failed(f"no such group: {name}", "`quintet group list` shows the groups.")
        accounts.add_address(tx, None, address, "group", name)
        return "group"
    if target.startswith(accounts.MOVED):
        there = target.removeprefix(accounts.MOVED)
        if there and ("@" not in there or len(there.split()) != 1):
            raise Failed(f"{there!r} is no address", "Write moved:new@example.net, or moved: alone.")
        accounts.add_address(tx, None, address, "moved", target)
        return "moved"
    account = accounts.find(tx, target)
    if account is not None:
        accounts.add_address(tx, account.id, address, "alias")
        return "alias"
    if all("@" in each for each in target.replace(",", " ").split()):
        accounts.add_address(tx, None, address, "forward", target)
        return "forward"
    raise Failed(
        f"{target!r} is neither an account here nor an address", "`quintet account list` shows who is here."
    )


def _rows(tx: Tx) -> list[dict[str, Any]]:
    from quintet.store import accounts

    names = {account.id: account.name for account in accounts.listing(tx)}
    return [
        {
            "address": each.address,
            "kind": each.kind,
            "target": names.get(each.account_id, "") if each.account_id is not None else each.target,
        }
        for each in accounts.addresses(tx)
    ]


def register(app: typer.Typer) -> None:
    app.add_typer(noun, name="alias")
