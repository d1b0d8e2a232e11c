"""`quintet rnews`, `actsync`: articles in batches, and the list of groups of another server."""

from __future__ import annotations

import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from quintet import log
from quintet.admin.cli import common
from quintet.admin.cli.common import ConfigOption, Exit, Failed, JsonOption
from quintet.message import newsurl

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from quintet.config.root import Config
    from quintet.delivery.arrivals import Arrivals, Source
    from quintet.delivery.batches import Taken
    from quintet.store.store import Store

CHUNK = 64 * 1024  # octets read at once
FETCH_S = 120.0  # for a list of groups


def register(app: typer.Typer) -> None:
    app.command("rnews")(rnews)
    app.command("actsync")(actsync)


def rnews(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Batches or single articles; none, or -, is standard input.")
    ] = None,
    peer: Annotated[
        str,
        typer.Option(
            "--peer", help="As which peer of the configuration they come: its patterns and names in Path."
        ),
    ] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in batches of articles (rnews, cunbatch; gzip, bzip2, xz, compress), beside the server or without.

    Ends with 4 when something must come again, so that UUCP keeps the batch.
    """

    async def work(store: Store, settings: Config) -> Taken:
        from quintet.delivery import batches

        arrivals, source = _arrivals(store, settings, peer)
        total = batches.Taken()
        try:
            for path in files or [Path("-")]:
                async with aclosing(_chunks(path)) as chunks:
                    done = await batches.take(arrivals, source, chunks)
                total.taken += done.taken
                total.duplicates += done.duplicates
                total.refused += done.refused
                total.later += done.later
                for fault in done.faults:
                    total.fault(fault)
        finally:
            await arrivals.close()
        return total

    log.configure("warning")  # what is refused is told below
    try:
        done = common.with_store(config, work)
    except OSError as error:
        raise Failed(f"{error.filename or 'standard input'}: {error.strerror}", code=Exit.LATER) from error
    counts = {
        "taken": done.taken,
        "duplicates": done.duplicates,
        "refused": done.refused,
        "later": done.later,
    }
    if as_json:
        common.emit({**counts, "faults": done.faults})
    else:
        for fault in done.faults:
            typer.echo(f"quintet: {fault}", err=True)
        typer.echo(", ".join(f"{count} {what}" for what, count in counts.items() if count or what == "taken"))
    if done.later:
        raise typer.Exit(Exit.LATER)


def actsync(
    source: Annotated[
        str,
        typer.Argument(
            help="https://..., a file (.gz is unpacked), nntp://host[:port], or news://host/PATTERN."
        ),
    ],
    pattern: Annotated[
        str, typer.Option("--groups", "-g", help='Only groups that match: "comp.*,!comp.binaries.*".')
    ] = "*",
    descriptions: Annotated[
        str, typer.Option("--descriptions", help="URL or file of descriptions; nntp has them itself.")
    ] = "",
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove matching groups that are not there, with their articles.")
    ] = False,
    most: Annotated[
        int, typer.Option("--most", help="Most groups to remove, in percent of those here.", min=0, max=100)
    ] = 10,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only tell what would change.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the list of groups in line with another server's: make, change and, if wanted, remove groups."""
    from quintet.admin.transfer import actsync as lists

    wanted = _wanted(source, pattern)

    async def work(store: Store, settings: Config) -> tuple[list[lists.Change], list[str]]:
        from quintet.store import groups

        try:
            active, described = await _lists(source, descriptions, settings, store)
            theirs = lists.parse(lists.unpack(active))
            texts = lists.parse_descriptions(lists.unpack(described))
        except lists.BadList as error:
            raise Failed(f"{source}: {error}") from error
        ours = await store.read(groups.listing)
        changes = lists.plan(ours, theirs, texts, wanted, remove=remove)
        gone = sum(one.action == "remove" for one in changes)
        if gone * 100 > most * len(ours) and not dry_run:
            raise Failed(
                f"{gone} of {len(ours)} groups would be removed",
                "Look with --dry-run; --most says how many percent may be.",
            )
        failed: list[str] = []
        for start in range(0, 0 if dry_run else len(changes), lists.AT_ONCE):
            failed += await store.write(lists.apply, changes[start : start + lists.AT_ONCE])
        return changes, failed

    changes, failed = common.with_store(config, work)
    rows = [
        {
            "action": one.action,
            "group": one.name,
            "status": one.status,
            "was": one.was,
            "articles": one.articles,
            "description": one.description,
        }
        for one in changes
    ]
    if as_json:
        common.emit({"dry_run": dry_run, "changes": rows, "failed": failed})
        return
    common.table(
        rows,
        ["action", "group", "status", "was", "articles", "description"],
        False,
        empty="nothing to change",
    )
    for text in failed:
        typer.echo(f"quintet: {text}", err=True)


def _wanted(source: str, pattern: str) -> Callable[[str], bool]:
    """Which groups are compared: by ``--groups``, and by what a URL names.  Raises Failed."""
    from quintet.errors import BadSyntax
    from quintet.policy.wildmat import wildmat

    try:
        place = newsurl.parse(source) if newsurl.is_one(source) else None
        if place is not None and (not place.server or place.message_id or place.number):
            raise Failed(f"{source}: expected nntp://host or news://host/PATTERN", code=Exit.USAGE)
        asked, named = wildmat(pattern), wildmat(place.groups if place is not None else "*")
    except BadSyntax as error:
        raise Failed(error.text, code=Exit.USAGE) from error
    return lambda name: asked(name) and named(name)


async def _lists(source: str, descriptions: str, config: Config, store: Store) -> tuple[bytes, bytes]:
    """The two lists as they came.  Raises Failed."""
    if newsurl.is_one(source):
        from quintet.config.peers import Peer
        from quintet.nntp.client import Connection

        place = newsurl.parse(source)
        peer = Peer(name="actsync", host=place.server, port=place.port or 119, streaming=False)
        conn = await Connection.open(peer, reader=True)
        try:
            return await conn.listing("LIST ACTIVE"), await conn.listing("LIST NEWSGROUPS")
        finally:
            await conn.close()
    active = await _fetched(source, config, store)
    return active, await _fetched(descriptions, config, store) if descriptions else b""


async def _fetched(source: str, config: Config, store: Store) -> bytes:
    from quintet.admin.transfer import actsync as lists

    if "://" not in source:
        try:
            return Path(source).read_bytes()  # noqa: ASYNC240 (nothing else runs)
        except OSError as error:
            raise Failed(f"{source}: {error.strerror}", code=Exit.LATER) from error
    if not source.startswith("https://"):
        raise Failed(f"{source}: expected https://, nntp://, news:// or a file", code=Exit.USAGE)
    from quintet.net.dns import Resolver
    from quintet.net.https import Https

    https = Https(
        Resolver(config.dns, clock=store.clock), ca_file=config.tls_out.ca_file or None, private=True
    )
    answer = await https.ask(source, max_bytes=lists.MAX_LIST, timeout_s=FETCH_S)
    if answer.status != 200:
        raise Failed(f"{source}: the server answers {answer.status}", code=Exit.LATER)
    return answer.body


def _arrivals(store: Store, config: Config, name: str) -> tuple[Arrivals, Source]:
    """What takes articles, and as whose they come."""
    from quintet.admin import joined
    from quintet.config.peers import Peer
    from quintet.delivery.arrivals import Source

    peer = next((one for one in config.nntp.peer if one.name == name), None)
    if name and peer is None:
        raise Failed(f"no peer {name}", "`quintet peer list` shows them.")
    peer = peer or Peer(name="rnews")
    made = joined.arrivals(config, store, store.clock, peers=(peer,))
    assert made is not None
    return made, Source(peer, "", "rnews", made.offers.owner())


async def _chunks(path: Path) -> AsyncGenerator[bytes, None]:
    import asyncio

    file: BinaryIO = sys.stdin.buffer if str(path) == "-" else await asyncio.to_thread(path.open, "rb")
    try:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
    finally:
        if file is not sys.stdin.buffer:
            file.close()
