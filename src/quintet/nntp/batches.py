"""XBATCH: a batch of articles in one command, compressed or not, as INN takes it from peers.

339 asks for it, 239 says that all of it is on the disk, 436 that it must come again.  What is in a batch is
`delivery.batches`'s business.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from quintet import log
from quintet.delivery import batches
from quintet.delivery.arrivals import Arrivals, Source
from quintet.errors import BadSyntax
from quintet.net.seam import Input, Replies
from quintet.nntp import transit
from quintet.nntp.commands import Command
from quintet.nntp.wire import Status

if TYPE_CHECKING:
    from quintet.nntp.session import Session

MAX_BATCH = 1 << 32  # octets; it is taken as it comes, so this is only where nonsense begins

logger = log.get("nntp")


def xbatch(session: Session, command: Command, following: Input) -> Replies:
    """``XBATCH size``: so many octets follow the 339, as they are, without dots or line ends."""
    source = transit.sender(session)
    text = command.args[0]
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:16]) <= MAX_BATCH or len(text) > 16:
        raise BadSyntax("Usage: XBATCH size")
    return _receive(session, transit.arrivals_of(session), source, int(text), following)


async def _receive(
    session: Session, arrivals: Arrivals, source: Source, size: int, following: Input
) -> AsyncGenerator[Any, None]:
    yield Status(339, "Send batch")
    async with aclosing(following.counted(size)) as chunks:  # type: ignore[type-var]  # inputs give generators
        done = await batches.take(arrivals, source, chunks)
    for fault in done.faults:
        logger.info("batch", conn=session.peer.id, peer=source.peer.name, fault=fault)
    if done.later:
        yield Status(436, f"{done.later} articles not taken, try again later")
    else:
        yield Status(239, f"Batch transferred OK: {done.taken} taken, {done.duplicates + done.refused} not")
