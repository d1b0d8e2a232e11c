"""The rest of an APPEND that is refused, read past (RFC 9051 6.3.12, RFC 7888 4).

What comes unasked is read to the end of its command also where that is refused: a letter that were taken
for commands could make its reader's client ask for anything.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING

from quintet.errors import Hangup, Reason

if TYPE_CHECKING:
    from quintet.imap.append_commands import Literal
    from quintet.net.seam import Input

MAX_PASSED = 1 << 30  # bytes of a refused literal that came unasked; for longer ones we hang up
TURN_S = 0.004  # seconds of many small messages that came together, until others have their turn
GO_AHEAD = b"+ Ready for literal data\r\n"
_COMES_ANYWAY = re.compile(rb"\{([0-9]+)\+\}\Z")


async def pass_over(literal: Literal | None, following: Input) -> None:
    """Reads to the end of a command whose ``literal`` was announced; one that waits sends no more."""
    if literal is not None and not literal.waits:
        await _read_past(literal.size, following)
        await pass_rest(await following.line(), following)


async def pass_rest(line: bytes, following: Input) -> None:
    """Reads past what a command goes on with after ``line``."""
    began = time.monotonic()
    while (literal := _COMES_ANYWAY.search(line)) is not None:
        if time.monotonic() - began > TURN_S:
            await asyncio.sleep(0)
            began = time.monotonic()
        await _read_past(int(literal[1][:20]), following)  # 20 digits are too many in any case
        line = await following.line()


async def _read_past(size: int, following: Input) -> None:
    if size > MAX_PASSED:
        raise Hangup(Reason.TOO_BIG, "literal too long")  # RFC 7888 4 allows it
    async for _ in following.counted(size):
        pass
