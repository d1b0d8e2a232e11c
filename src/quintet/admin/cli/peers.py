"""`quintet peer`: other news servers, their blocks in the configuration, and what waits for them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quintet.admin.cli import common
from quintet.admin.cli.common import ConfigOption, Exit, Failed, JsonOption

if TYPE_CHECKING:
    from quintet.config.peers import Peer
    from quintet.config.root import Config
    from quintet.store.store import Store

noun = typer.Typer(help="Other news servers: who sends to us and gets from us.", no_args_is_help=True)

_NO_PEERS = re.compile(r"(?m)^peer[ \t]*=[ \t]*\[\][ \t]*\n")  # where a file spells out all defaults

ENCRYPTED = 483  # RFC 4643 2.2: only under TLS
STRANGERS = (480, 500, 502)  # what servers answer to IHAVE of whom they do not know

Name = Annotated[str, typer.Argument(help="The peer's name in the configuration.")]


@noun.command()
def add(
    name: Annotated[str, typer.Argument(help="What to call it; its name in Path, most often.")],
    host: Annotated[str, typer.Option(help="Where to send to; empty: it only sends to us.")] = "",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port there.")] = 119,
    address: Annotated[
        list[str] | None, typer.Option("--from", help="Where it connects from; the host if not given.")
    ] = None,
    account: Annotated[list[str] | None, typer.Option(help="Account it logs in with, instead.")] = None,
    path: Annotated[list[str] | None, typer.Option(help="Its name in Path; the name if not given.")] = None,
    send: Annotated[str, typer.Option(help="Groups sent to it.")] = "*",
    accept: Annotated[str, typer.Option(help="Groups taken from it.")] = "*",
    tls: Annotated[str, typer.Option(help="none, opportunistic, starttls or implicit.")] = "none",
    user: Annotated[str, typer.Option(help="Name to log in with there.")] = "",
    password: Annotated[str, typer.Option(help="Password for that.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the block, write nothing.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a peer to the configuration, and show what an INN on its side needs."""
    from quintet.admin import peerblock
    from quintet.config import root
    from quintet.config.peers import Peer

    where, settings = common.config_path(config), common.load(config)
    sources = tuple(address or ()) or ((host,) if host and not account else ())
    peer = Peer(
        name=name, host=host, port=port, addresses=sources, accounts=tuple(account or ()),
        identity=tuple(path or (name,)), send=send if host else "", accept=accept, tls=tls, user=user,
        password=password,
    )  # fmt: skip
    text = peerblock.block(peer)
    old = _NO_PEERS.sub("", where.read_text("utf-8"))
    new = f"{old.rstrip()}\n\n{text}"
    root.from_text(new, str(where), where.parent)  # raises ConfigError: with every fault of it
    if not dry_run:
        common.replace_file(where, new)
    us, ours = settings.hostname, settings.nntp.path_host or settings.hostname
    other = peerblock.for_inn(peer, us, ours, _port(settings))
    if as_json:
        common.emit({"block": text, "inn": other, "written": not dry_run})
        return
    typer.echo(f"{'Would add' if dry_run else 'Added'} to {where}:\n\n{text}")
    typer.echo(f"For INN on the other side:\n\n{other}")
    if not dry_run:
        typer.echo("`quintet reload` takes it into use; `quintet peer test` tries it.")


def _port(settings: Config) -> int:
    ports = [each.port for each in settings.listeners.values() if each.enabled and each.protocol == "nntp"]
    return ports[0] if ports else 119


@noun.command("list")
def listing(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show all peers, and what waits for them."""

    async def work(store: Store, settings: Config) -> list[dict[str, Any]]:
        from quintet.store import feeding

        known = {each.name: each for each in await store.read(feeding.backlogs)}
        rows = []
        for peer in settings.nntp.peer:
            waits = known.get(peer.name)
            rows.append(
                {
                    "peer": peer.name,
                    "sends_from": ", ".join((*peer.addresses, *peer.accounts, *peer.certificates)),
                    "takes": peer.accept if peer.takes else "",
                    "feeds": (peer.output or f"{peer.host}:{peer.port}") if peer.feeds else "",
                    "groups": peer.send if peer.feeds else "",
                    "waiting": 0 if waits is None else waits.ahead,
                    "state": "" if waits is None else "paused" if waits.paused else waits.state,
                }
            )
        return rows

    rows = common.with_store(config, work)
    columns = ["peer", "sends_from", "takes", "feeds", "groups", "waiting", "state"]
    common.table(rows, columns, as_json, empty="no peers yet; `quintet peer add` makes one")


@noun.command()
def show(name: Name, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show a peer's block, and what INN on its side needs."""
    from quintet.admin import peerblock

    settings = common.load(config)
    peer = _peer(settings, name)
    ours = settings.nntp.path_host or settings.hostname
    text = (
        peerblock.block(peer).replace(f'"{peer.password}"', '"..."')
        if peer.password
        else peerblock.block(peer)
    )
    other = peerblock.for_inn(peer, settings.hostname, ours, _port(settings))
    if as_json:
        common.emit({"block": text, "inn": other})
    else:
        typer.echo(f"{text}\nFor INN on the other side:\n\n{other}")


@noun.command("test")
def attempt(name: Name, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Connect to a peer as a feed does, step by step, and offer an article that does not exist."""
    import asyncio

    settings = common.load(config)
    peer = _peer(settings, name)
    if not peer.host:
        raise Failed(f"{name} has no host to connect to", "Its own connections come to us.", Exit.USAGE)
    steps, fault = asyncio.run(_try(peer, settings))
    if as_json:
        common.emit({"peer": name, "steps": steps, "fault": fault})
    else:
        for step in steps:
            typer.echo(step)
    if fault:
        raise Failed(f"{name}: {fault}", code=Exit.LATER)
    if not as_json:
        typer.echo("It takes articles from us.")


async def _try(peer: Peer, settings: Config) -> tuple[list[str], str]:
    from quintet.clock import SystemClock
    from quintet.delivery.feeds.link import Verdict
    from quintet.errors import Problem
    from quintet.nntp.client import Connection

    steps: list[str] = []
    try:
        link = await Connection.open(peer, ca_file=settings.tls_out.ca_file, steps=steps)
        message_id = f"<test.{SystemClock().token(8)}@{settings.hostname}>"
        try:
            if link.streams:
                _, verdicts = await link.round([], [message_id])
                steps.append(f"CHECK {message_id}: {verdicts[0].name.lower()}")
                fine = verdicts[0] in (Verdict.WANTED, Verdict.LATER)
            else:
                code, text = await link.offer_nothing(message_id)
                steps.append(f"IHAVE {message_id}: {code} {text}")
                if code in STRANGERS:
                    shows = f"`quintet peer show {peer.name}` tells what an INN needs"
                    return steps, f"it knows us as no peer; {shows}"
                if code == ENCRYPTED:
                    return steps, 'it wants TLS first: set tls of the peer to "starttls" or "implicit"'
                fine = code in (335, 436)
        finally:
            await link.close()
    except Problem as problem:
        return steps, problem.text
    return steps, "" if fine else "it does not want an article that it cannot have"


@noun.command()
def backlog(
    name: Annotated[str, typer.Argument(help="Only of this peer.")] = "",
    drop: Annotated[bool, typer.Option("--drop", help="Drop it: go on with what comes from now on.")] = False,
    pause: Annotated[bool, typer.Option("--pause", help="Send nothing until --resume.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Send again.")] = False,
    again: Annotated[
        int | None, typer.Option("--again", min=1, help="Offer again what arrived in so many hours.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what waits for the peers; or drop, pause, resume it, or offer again."""
    if (drop or pause or resume or again) and not name:
        raise Failed("name the peer", "As `quintet peer backlog news.example.org --drop`.", Exit.USAGE)

    async def work(store: Store, settings: Config) -> list[dict[str, Any]]:
        from quintet.store import feeding

        if name:
            _peer(settings, name)
        if drop:
            await store.write(feeding.skip, name)
        if pause or resume:
            await store.write(feeding.pause, name, pause)
        if again:
            await store.write(feeding.rewind, name, store.clock.now() - again * 3_600_000)
        return [
            {
                "peer": each.name,
                "ahead": each.ahead,
                "sending": each.ranges,
                "put_off": each.later,
                "oldest": "" if each.oldest_at is None else common.moment(each.oldest_at),
                "state": "paused" if each.paused else each.state,
            }
            for each in await store.read(feeding.backlogs)
            if name in ("", each.name)
        ]

    rows = common.with_store(config, work)
    common.table(
        rows, ["peer", "ahead", "sending", "put_off", "oldest", "state"], as_json, empty="no feeds yet"
    )


def _peer(settings: Config, name: str) -> Peer:
    found = next((peer for peer in settings.nntp.peer if peer.name == name), None)
    if found is None:
        raise Failed(f"no peer {name}", "`quintet peer list` shows all.")
    return found


def register(app: typer.Typer) -> None:
    app.add_typer(noun, name="peer")
