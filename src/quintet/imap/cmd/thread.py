"""THREAD and UID THREAD (RFC 5256 3): a search, then the shapes of `threads`.

Which messages belong together depends on which were found, so a whole answer is kept, by its messages:
they never change, and the same set has the same threads.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from array import array
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from quintet.imap import find_commands, matching, searching, threads, updates
from quintet.imap.cmd import search
from quintet.imap.progress import Waiting
from quintet.imap.searching import MANY
from quintet.imap.threads import Letter
from quintet.store import entries

if TYPE_CHECKING:
    from quintet.imap.selected import Selected
    from quintet.imap.session import Session
    from quintet.message.collation import Collation
    from quintet.net.seam import Input
    from quintet.store.db import Tx
    from quintet.store.model import FolderId

PAGE = 2000  # messages read in one snapshot: about 10 ms of a reader thread
MAX_KEPT = 16 * 1024 * 1024  # bytes of answers that a process keeps
_COLUMNS = ("uid", "message_id", "references", "sent_at", "received_at", "base_subject", "is_reply")
_NUMBER = re.compile(rb"[0-9]+")


class Kept:
    """Answers by UIDs, the least used go first; shared by the sessions of a process."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, bytes] = OrderedDict()
        self._size = 0
        self.making = asyncio.Lock()  # one at a time: a large mailbox needs memory for its letters

    def get(self, name: bytes) -> bytes | None:
        if name in self._known:
            self._known.move_to_end(name)
        return self._known.get(name)

    def put(self, name: bytes, told: bytes) -> None:
        self._size += len(told) - len(self._known.pop(name, b""))
        self._known[name] = told
        while self._size > MAX_KEPT and len(self._known) > 1:
            self._size -= len(self._known.popitem(last=False)[1])


async def thread(session: Session, command: find_commands.Thread, _: Input) -> AsyncGenerator[Any, None]:
    here = session.here
    await searching.ready(command.key)
    finder = searching.Finder(session, searching.here(here), command, command.key, command.charset)
    async with aclosing(finder.run()) as news:
        async for reply in news:
            yield reply
    found = await searching.known(here, finder.found)
    shaping = Waiting(command.tag, shaped(session, here.folder_id, found.uids, command.algorithm))
    async with aclosing(shaping.news()) as news:
        async for reply in news:
            yield reply
    told = shaping.result
    if not command.uid:
        told = (
            _renumbered(here, told)
            if len(found) <= MANY
            else await asyncio.to_thread(_renumbered, here, told)
        )
    yield b"* THREAD%b%b\r\n" % (b" " if told else b"", told)
    steady = matching.asks_numbers(command.key)  # RFC 7162 3.2.10
    for reply in await updates.told(session, may_expunge=command.uid and not steady):
        yield reply
    yield search.end(here, command, found.uids)


async def shaped(session: Session, folder_id: FolderId, uids: array[int], algorithm: bytes) -> bytes:
    """The threads of some messages of a folder, by UIDs."""
    kept, comparator = session.house.threads, session.comparator
    label = b"%d %b %b " % (folder_id, algorithm, comparator.name.encode("ascii"))
    name = label + hashlib.blake2b(uids.tobytes(), digest_size=16).digest()
    told = kept.get(name)
    if told is not None:
        return told
    async with kept.making:
        letters: list[Letter] = []
        for start in range(0, len(uids), PAGE):
            page = uids[start : start + PAGE]
            letters += await session.house.store.read(_letters, folder_id, page, comparator)
        told = await asyncio.to_thread(_shape, letters, algorithm)
    kept.put(name, told)
    return told


def _letters(tx: Tx, folder_id: FolderId, uids: array[int], comparator: Collation) -> list[Letter]:
    if uids[-1] - uids[0] < 2 * len(uids):  # a range is read faster than a set
        wanted = set(uids)
        found = entries.lines(tx, folder_id, uids[0], uids[-1], 2 * len(uids) + 1, _COLUMNS)
        rows = found if len(found) == len(wanted) else [row for row in found if row[0] in wanted]
    else:
        rows = entries.lines_of(tx, folder_id, uids, _COLUMNS)
    return [
        Letter(
            uid, message_id, refs.split() if refs else (), received if sent is None else sent,
            comparator.key(subject), bool(is_reply),
        )
        for uid, message_id, refs, sent, received, subject, is_reply in rows
    ]  # fmt: skip


def _shape(letters: list[Letter], algorithm: bytes) -> bytes:
    """The answer; takes the letters away, in the thread that is ours."""
    heads = threads.ALGORITHMS[algorithm](letters)
    told = threads.write(heads)
    threads.let_go(heads)
    threads.let_go(letters)
    return told


def _renumbered(here: Selected, told: bytes) -> bytes:
    """Sequence numbers for UIDs; all are known, because only such were searched."""
    number = here.view.number
    return _NUMBER.sub(lambda found: b"%d" % number(int(found[0])), told)
