"""`quintet domain`: the domains whose mail is ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from quintet.admin.cli import common
from quintet.admin.cli.common import ConfigOption, Failed, JsonOption

if TYPE_CHECKING:
    from quintet.config.root import Config
    from quintet.store.db import Tx
    from quintet.store.store import Store

noun = typer.Typer(help="Domains whose mail is ours.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Domain, as example.org.")]


@noun.command()
def add(name: Name, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Take mail for a domain."""

    async def work(store: Store, _: Config) -> None:
        from quintet.store import accounts

        await store.write(accounts.add_domain, name)

    common.with_store(config, work)
    common.done(f"domain {name} added", as_json, domain=name)


@noun.command("list")
def listing(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show all domains."""

    async def work(store: Store, _: Config) -> list[dict[str, Any]]:
        return await store.read(_rows)

    common.table(common.with_store(config, work), ["domain", "addresses"], as_json, empty="no domains yet")


@noun.command()
def remove(name: Name, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Take no more mail for a domain; it must have no addresses left."""

    async def work(store: Store, _: Config) -> None:
        from quintet.store import accounts

        left = [row["addresses"] for row in await store.read(_rows) if row["domain"] == name.lower()]
        if left and left[0]:
            raise Failed(
                f"{name} still has {left[0]} addresses",
                "Remove its accounts and aliases first (`quintet alias list`).",
            )
        await store.write(accounts.remove_domain, name)

    common.with_store(config, work)
    common.done(f"domain {name} removed", as_json, domain=name)


def _rows(tx: Tx) -> list[dict[str, Any]]:
    from quintet.store import accounts

    counts: dict[str, int] = {}
    for each in accounts.addresses(tx):
        domain = each.address.rpartition("@")[2]
        counts[domain] = counts.get(domain, 0) + 1
    return [{"domain": name, "addresses": counts.get(name, 0)} for name in accounts.domains(tx)]


def register(app: typer.Typer) -> None:
    app.add_typer(noun, name="domain")
