"""A message read once for DKIM: its fields as they came, and its body fed to hashes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from quintet.errors import Reason, TryLater
from quintet.message.digest import Fields
from quintet.net.seam import CHUNK
from quintet.policy import dkim

if TYPE_CHECKING:
    from quintet.store.content import Content

Choose = Callable[[Fields], Sequence[dkim.BodyHash]]
"""The hashes that the body is fed to, by the fields above it."""


async def fed(content: Content, choose: Choose) -> Fields:
    """The fields; a large body comes from its file, in a thread.  Raises TryLater(STORAGE)."""
    if content.data is None:
        assert content.path is not None
        return await asyncio.to_thread(_of_file, content.path, content.header_end, choose)
    fields = dkim.cut(content.data[: content.header_end])
    for one in choose(fields):
        one.feed(content.data[content.header_end :])
    return fields


def _of_file(path: Path, header_end: int, choose: Choose) -> Fields:
    try:
        with path.open("rb") as file:
            fields = dkim.cut(file.read(header_end))
            hashes = choose(fields)
            while hashes and (piece := file.read(CHUNK)):
                for one in hashes:
                    one.feed(piece)
    except OSError as error:
        raise TryLater(Reason.STORAGE) from error
    return fields
