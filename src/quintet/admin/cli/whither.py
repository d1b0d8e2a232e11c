"""`quintet queue route`: where mail for an address would go, as the server would decide it now.

Aliases and forwards are followed, routes asked, names looked up and TLS policies fetched; no host is
connected to and nothing is sent.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quintet.admin.cli import common
from quintet.admin.cli.common import ConfigOption, JsonOption

if TYPE_CHECKING:
    from quintet.config.root import Config
    from quintet.delivery.directory import Directory
    from quintet.delivery.envelope import Mailbox, Recipient
    from quintet.delivery.route import Router
    from quintet.store.store import Store


def route(
    address: Annotated[str, typer.Argument(help="The recipient's address.")],
    sender: Annotated[str, typer.Option(help="The sender's address; empty: a report's.")] = "",
    account: Annotated[str, typer.Option(help="Login name of who submits it.")] = "",
    size: Annotated[int, typer.Option(min=0, help="Octets of the message.")] = 0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show where mail for an address would go: alias, route, hosts in their order, TLS."""

    async def work(store: Store, settings: Config) -> list[dict[str, Any]]:
        from quintet.delivery import waysin
        from quintet.delivery.directory import Directory
        from quintet.delivery.envelope import mailbox

        directory = Directory(
            store,
            store.clock,
            postmaster=settings.smtp.postmaster,
            hostname=settings.hostname,
            config=settings.smtp,
        )
        directory.gateways = {one.address.lower(): one for one in settings.gateway}
        router = _router(settings, store, directory)
        rows = []
        canonical = waysin.canonical(settings, directory, store.clock)
        named = mailbox(address) if canonical is None else canonical.recipient(mailbox(address))
        for one in _leads(directory, named):
            if isinstance(one, str):
                rows.append(_row(address, "refused", one))
            elif not one.elsewhere:
                rows.append(_row(str(one.address), *_here(store, one)))
            else:
                rows += await _ways(router, one.address, mailbox(sender), account, size)
        return rows

    found = common.with_store(config, work)
    common.table(found, ["address", "by", "to", "at", "tls"], as_json)


def _router(settings: Config, store: Store, directory: Directory) -> Router:
    from quintet.admin.tls_out import OutgoingTls
    from quintet.delivery.route import Router
    from quintet.net.dns import Resolver

    resolver = Resolver(settings.dns, clock=store.clock)
    return Router(
        settings.queue,
        directory,
        resolver,
        names=(settings.hostname, settings.queue.helo),
        clock=store.clock,
        policies=OutgoingTls(settings, store, resolver, clock=store.clock).policies,
        listens=[
            (each.address, each.port)
            for each in settings.listeners.values()
            if each.enabled and each.protocol == "smtp"
        ],
    )


def _leads(directory: Directory, address: Mailbox) -> list[Recipient | str]:
    """What an address stands for, itself perhaps; why it is refused."""
    from quintet.delivery.envelope import Recipient
    from quintet.errors import Problem, Reason, Refused
    from quintet.smtp import replies

    try:
        found = directory.find(address)
        relayed = {each.lower() for each in directory.config.relay_domains}
        if found is None and address.domain in relayed and directory.relays(address) is False:
            raise Refused(Reason.NO_SUCH_ADDRESS)
    except Problem as problem:
        code, enhanced, text = replies.status(problem)
        return [f"{code} {enhanced} {text}"]
    if found is None:
        return [Recipient(address)]
    return list(found.leads) or [found]


def _here(store: Store, one: Recipient) -> tuple[str, str]:
    from quintet.store import accounts, folders
    from quintet.store.model import AccountId, FolderId

    if one.group:
        return "newsgroup", one.group
    if one.mailing_list:
        return "mailing list", one.role
    account = store.peek(accounts.get, AccountId(one.account_id)).name
    folder = store.peek(folders.get, FolderId(one.folder_id)).name
    return "mailbox", f"{account}/{folder}"


async def _ways(
    router: Router, address: Mailbox, sender: Mailbox, account: str, size: int
) -> list[dict[str, Any]]:
    from quintet.errors import Problem

    where = router.destination(address.domain, sender, recipient=address, account=account, size=size)
    by = f"route {where.name} ({where.via})" if where.name else where.via
    if where.via in ("discard", "error", "wait", "local"):
        return [_row(str(address), by, where.route.text)]
    rows = []
    try:
        async with aclosing(router.ways(where)) as hops:
            async for hop in hops:
                tls = "" if hop.policy is None else f"{hop.policy.level} ({hop.policy.why})"
                at = hop.address if not hop.port or ":" in hop.address else f"{hop.address}:{hop.port}"
                place = " ".join(hop.command) or hop.path or hop.host
                rows.append(_row(str(address), by, place, at, tls or hop.tls))
    except Problem as problem:
        rows.append(_row(str(address), by, problem.text))
    return rows


def _row(address: str, by: str, to: str, at: str = "", tls: str = "") -> dict[str, Any]:
    return {"address": address, "by": by, "to": to, "at": at, "tls": tls}
