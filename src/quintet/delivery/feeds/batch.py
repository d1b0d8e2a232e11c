"""Batches on their way out, as rnews(1) reads them: "#! rnews SIZE" and the article, again and again.

Lines end with LF there.  A batch may be compressed; a line before it then says how to unpack it, unless it
goes into a file that grows.
"""

from __future__ import annotations

import asyncio
import bz2
import gzip
from collections.abc import Callable, Sequence
from contextlib import aclosing

from quintet.delivery.feeds.link import Outgoing
from quintet.errors import Problem, Refused, TryLater

MAX_ARTICLE = 64 * 1024 * 1024  # bytes; larger articles are not written into batches

_PACKERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "bzip2": bz2.compress}
# what INN's rnews knows by itself: "cunbatch" is unpacked by gzip, "bunbatch" by bzip2
_LABELS = {"none": b"", "gzip": b"#! cunbatch\n", "bzip2": b"#! bunbatch\n"}


async def made(articles: Sequence[Outgoing], packing: str, *, labelled: bool) -> bytes:
    """A batch of all that can still be read; b"" when that is nothing.

    ``packing`` is none, gzip or bzip2.  Without a label several batches make one when they are joined.
    Raises TryLater: the store is in trouble.
    """
    data = b"".join([await _one(each) for each in articles])
    if not data or packing == "none":
        return data
    packed = await asyncio.to_thread(_PACKERS[packing], data)
    return _LABELS[packing] + packed if labelled else packed


async def _one(article: Outgoing) -> bytes:
    """One article of a batch; empty when it cannot be read any more, or is too large for one."""
    if article.body.size > MAX_ARTICLE:
        return b""
    try:
        data = await whole(article)
    except Refused:
        return b""
    except Problem as problem:
        raise TryLater(problem.reason, problem.text) from problem
    data = data.replace(b"\r\n", b"\n")
    return b"#! rnews %d\n%b" % (len(data), data)


async def whole(article: Outgoing) -> bytes:
    """An article as it goes out, in memory: all of it, or its header.  Raises Refused, TryLater."""
    parts: list[bytes] = []
    chunks = article.body.chunks(0, article.body.size)
    async with aclosing(chunks) as pieces:  # type: ignore[type-var]  # stores give generators
        async for piece in pieces:
            parts.append(piece)
            if article.header_only and (end := b"".join(parts).find(b"\r\n\r\n")) >= 0:
                return header(b"".join(parts)[: end + 2], article.body.size)
    data = b"".join(parts)
    return header(data, article.body.size) if article.header_only else data


def header(fields: bytes, size: int) -> bytes:
    """What stands for an article whose body is not sent: its fields, and how large it is."""
    return fields + b"Bytes: %d\r\n\r\n" % size
