"""The literals of an APPEND: announced, followed by another or by the end, or read past (RFC 9051 6.3.12).

What comes unasked (RFC 7888) is read to the end of its command also where that is refused: a letter that
were taken for commands could make its reader's client ask for anything.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from quintet.errors import BadSyntax, Hangup, Reason
from quintet.imap import grammar
from quintet.imap.tokens import Cursor

if TYPE_CHECKING:
    from quintet.imap import commands
    from quintet.net.seam import Input

MAX_PASSED = 1 << 30  # bytes of a refused literal that came unasked; for longer ones we hang up
GO_AHEAD = b"+ Ready for literal data\r\n"
_COMES_ANYWAY = re.compile(rb"\{([0-9]{1,19})\+\}\Z")


async def _read_past(size: int, following: Input) -> None:
    if size > MAX_PASSED:
        raise Hangup(Reason.TOO_BIG, "literal too long")  # RFC 7888 4 allows it
    async for _ in following.counted(size):
        pass


async def next_one(upload: commands.Upload, following: Input) -> commands.Upload | None:
    """What stands behind a literal: the end of the command, or another message (RFC 3502).

    Raises:
        BadSyntax: neither of both; literals that come all the same are read past.
    """
    line = await following.line()
    try:
        if upload.utf8:
            if not line.startswith(b")"):
                raise BadSyntax("expected )")
            line = line[1:]
        if not line.strip(b" "):
            return None
        return grammar.upload(Cursor(line))
    except BadSyntax:
        await _to_the_end(line, following)
        raise


async def _to_the_end(line: bytes, following: Input) -> None:
    """Reads past what a command goes on with after ``line``, so that no letter is taken for commands."""
    while (literal := _COMES_ANYWAY.search(line)) is not None:
        await _read_past(int(literal[1]), following)
        line = await following.line()


async def pass_over(upload: commands.Upload | None, following: Input) -> None:
    """Reads to the end of an APPEND that is refused whatever it brings; one that waits sends no more."""
    while upload is not None and not upload.waits:
        await _read_past(upload.size, following)
        upload = await next_one(upload, following)
