"""`quintet rnews`, `actsync`: articles in batches, and the list of groups of another server."""

from __future__ import annotations

import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from quintet.admin.cli import common
from quintet.admin.cli.common import ConfigOption, Exit, Failed, JsonOption

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from quintet.config.root import Config
    from quintet.delivery.arrivals import Arrivals, Source
    from quintet.delivery.batches import Taken
    from quintet.store.store import Store

CHUNK = 64 * 1024  # octets read at once


def register(app: typer.Typer) -> None:
    app.command("rnews")(rnews)


def rnews(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Batches or single articles; none, or -, is standard input.")
    ] = None,
    peer: Annotated[
        str, typer.Option("--peer", help="As which [[nntp.peer]] they come: its patterns and names in Path.")
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
