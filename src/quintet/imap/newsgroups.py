"""The newsgroups as LIST tells of them, kept: there may be 10,000, and they are the same for everybody.

What is kept holds as long as the store says the same of all groups (`groups.outline`), so nobody has to tell
us of changes.  Where one of them has rights of its own, each reader sees other groups, and nothing is kept.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from quintet.imap.names import GROUPS
from quintet.store import access, groups
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.store.db import Tx

MAX_KEPT = 8 * 1024 * 1024  # bytes of answers that a process keeps; the oldest go first
PIECE = 500  # lines of one piece: some 32 KB

Name = tuple[object, ...]  # of a block: what was asked for, and how it is written


@dataclass(frozen=True, slots=True)
class Block:
    """The lines of those groups that some patterns match."""

    state: str  # what the store said of all groups
    pieces: tuple[bytes, ...]
    above: bool  # there are groups, matching or not: something lies below "Groups"
    reached: bool  # one of them is told

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(map(len, self.pieces))


def _pieces(lines: Sequence[bytes]) -> Iterator[bytes]:
    """Lines joined to pieces that a client takes one after the other."""
    for start in range(0, len(lines), PIECE):
        yield b"".join(lines[start : start + PIECE])


class Blocks:
    """Those that a process keeps; asked on the loop thread, made in reader threads."""

    def __init__(self) -> None:
        self._kept: dict[Name, Block] = {}
        self._putting = threading.Lock()
        self.making = asyncio.Lock()  # many log in together and ask for the same

    def get(self, tx: Tx, name: Name) -> Block | None:
        """The block, if it is kept and still holds; 2 ms for 10,000 groups."""
        found = self._kept.get(name)
        if found is None or groups.outline(tx) != found.state or access.any_of_groups(tx):
            return None
        return found

    def make(self, tx: Tx, name: Name, matches: Callable[[str], bool], write: Callable[[str], bytes]) -> None:
        """Makes and keeps a block, where all groups stand side by side and have no rights of their own."""
        if access.any_of_groups(tx):
            return
        every = [GROUPS + group for group in groups.names(tx)]
        if any("/" in one[len(GROUPS) :] for one in every):
            return
        lines = [write(one) for one in every if matches(one)]
        block = Block(groups.outline(tx), tuple(_pieces(lines)), bool(every), bool(lines))
        with self._putting:
            kept = {other: one for other, one in self._kept.items() if one.state == block.state}
            kept.pop(name, None)
            kept[name] = block
            total = sum(one.size for one in kept.values())
            while total > MAX_KEPT:
                total -= kept.pop(next(iter(kept))).size
            self._kept = kept
