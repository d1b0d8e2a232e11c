"""SEARCH and UID SEARCH (RFC 9051 6.4.4, RFC 4731, RFC 5182, RFC 7162 3.1.5)."""

from __future__ import annotations

import asyncio
import functools
from array import array
from collections.abc import AsyncGenerator, Iterable, Sequence
from itertools import compress
from typing import TYPE_CHECKING, Any

from quintet.errors import Refused, TryLater
from quintet.imap import commands, matching, sets, updates
from quintet.imap import format as fmt
from quintet.imap.cmd import fetch
from quintet.store import entries, seen
from quintet.store import search as search_index
from quintet.store.model import SEEN

if TYPE_CHECKING:
    from quintet.imap.selected import Selected
    from quintet.imap.session import Session
    from quintet.net.seam import Input
    from quintet.store.db import Tx
    from quintet.store.store import Store

MANY = 5000  # matches: more are numbered and written in a thread; the view is ours until we answer
PAGE = 500  # messages looked at in one snapshot
NARROWED = 20_000  # messages that the index is asked about together: two megabytes
SLICE = {
    matching.ROW: 20_000,
    matching.HEADER: 2000,
    matching.TEXT: 500,
}  # messages in one stay in a reader thread
WRITTEN = 10_000  # numbers written into the answer together


class Found:
    """The matches, ascending by UID, with their MODSEQs: twelve bytes each, there may be millions."""

    __slots__ = ("modseqs", "uids")

    def __init__(self, uids: Iterable[int] = (), modseqs: Iterable[int] = ()) -> None:
        self.uids = array("I", uids)
        self.modseqs = array("Q", modseqs)

    def __len__(self) -> int:
        return len(self.uids)

    def add(self, row: tuple[Any, ...]) -> None:
        """A row with `matching.COLUMNS`."""
        self.uids.append(row[0])
        self.modseqs.append(row[matching.MODSEQ])


async def search(session: Session, command: commands.Search, _: Input) -> AsyncGenerator[Any, None]:
    here = session.here
    with_modseq = matching.asks_modseq(command.key)
    if with_modseq:
        session.enable((b"CONDSTORE",))  # RFC 7162 3.1
    saving = command.give is not None and b"SAVE" in command.give
    try:
        found = await find(session, here, command)
    except (Refused, TryLater):
        if saving:
            here.saved = []  # RFC 5182 2.1: NO empties the variable, BAD leaves it
        raise
    if saving:
        here.saved = _to_save(command, found)
    answer = functools.partial(_answer, session, here, command, found, with_modseq=with_modseq)
    yield answer() if len(found) <= MANY else await asyncio.to_thread(answer)
    code = b""
    if not command.uid and here.view.gone and any(here.view.is_gone(uid) for uid in found.uids):
        code = b"[EXPUNGEISSUED] "
    may_expunge = command.uid and not matching.asks_numbers(command.key)
    for reply in await updates.told(session, may_expunge=may_expunge):
        yield reply
    yield b"%b OK %bDone\r\n" % (command.tag, code)


async def find(session: Session, here: Selected, command: commands.Search) -> Found:
    """All messages of the view that match."""
    context = matching.Context(
        command.charset,
        session.house.clock.now(),
        lambda numbers, uid: fetch.wanted(here, numbers, uid=uid),
        here.is_recent,
    )
    matching.codec(command.charset)
    question = matching.require(command.key, context)
    store = session.house.store
    ranges = _within(here, command.key)
    if question.needles:
        await store.read(_ask_index, store, question)
    found = Found()
    while ranges:
        near, ranges = ranges, []
        if question.needles:
            near, ranges = await store.read(_narrow, here, question, near)
        while near:
            near = await store.read(_scan, store, here, question, near, found)
    known = functools.partial(_known, here, found)
    return known() if len(found) <= MANY else await asyncio.to_thread(known)


def _known(here: Selected, found: Found) -> Found:
    """Without what has arrived meanwhile: the client does not know of it."""
    numbers = here.view.numbers(found.uids)
    if isinstance(numbers, range):
        return found
    return Found(compress(found.uids, numbers), compress(found.modseqs, numbers))


def _within(here: Selected, key: commands.Key) -> fetch.Ranges:
    """UID ranges outside of which nothing can match: sets that stand at the top of the keys."""
    if not len(here.view):
        return []
    ranges = [(here.view.uid(1), here.view.largest)]
    keys = key.keys if isinstance(key, commands.And) else (key,)
    for one in keys:
        if isinstance(one, commands.Numbered):
            ranges = sets.intersect(ranges, sets.join(fetch.wanted(here, one.numbers, uid=one.uid)))
    return ranges


def _ask_index(_: Tx, store: Store, question: matching.Question) -> None:
    """Asks the index of trigrams what may hold each text."""
    for needle in question.needles:
        if search_index.usable(needle.text):
            needle.candidates, needle.upto = store.search_index().candidates(needle.text)


def _narrow(
    tx: Tx, here: Selected, question: matching.Question, ranges: fetch.Ranges
) -> tuple[fetch.Ranges, fetch.Ranges]:
    """Of the next messages, the UID ranges that hold everything that can match; and what is left."""
    required = [needle for needle in question.needles if needle.required]
    rows, rest = fetch.next_rows(tx, here, ("uid", "message_row"), ranges, NARROWED)
    return sets.runs([uid for uid, row in rows if all(needle.may_be_in(row) for needle in required)]), rest


def _scan(
    tx: Tx, store: Store, here: Selected, question: matching.Question, ranges: fetch.Ranges, found: Found
) -> fetch.Ranges:
    """Adds matches among so many messages as one stay in a reader thread may look at; what is left."""
    marks = seen.get(tx, here.folder_id, here.reader) if here.reader is not None else None
    digests = functools.partial(entries.digests, tx, here.folder_id)
    bodies = functools.partial(entries.bodies, tx, here.folder_id)
    budget, ask = SLICE[question.cost], question.ask
    columns = matching.COLUMNS if question.joined else matching.COLUMNS[: matching.OWN]
    while ranges and budget > 0:
        rows, ranges = fetch.next_rows(tx, here, columns, ranges, min(PAGE, budget))
        budget -= max(len(rows), 1)
        if marks is not None:
            rows = [(row[0], row[1] | SEEN if row[0] in marks else row[1] & ~SEEN, *row[2:]) for row in rows]
            rows = fetch.for_reader(tx, here, rows, matching.MODSEQ)
        reader = matching.Reader((row[0] for row in rows), digests, bodies, store.read_body)
        for row in rows:
            if ask(row, reader):
                found.add(row)
    return ranges


# --- answers ------------------------------------------------------------------------------------------


def _answer(
    session: Session, here: Selected, command: commands.Search, found: Found, *, with_modseq: bool
) -> bytes:
    numbers: Sequence[int] = found.uids
    if not command.uid:
        numbers = here.view.numbers(found.uids)
        if not isinstance(numbers, range):
            numbers = array("I", filter(None, numbers))
    give = command.give
    if give is None and session.rev2:
        give = frozenset((b"ALL",))  # RFC 9051 6.4.4: ESEARCH takes the place of SEARCH
    if give is None:
        told = bytearray(b"* SEARCH")
        for start in range(0, len(numbers), WRITTEN):
            told += b"".join([b" %d" % number for number in numbers[start : start + WRITTEN]])
        if with_modseq and found:
            told += b" (MODSEQ %d)" % max(found.modseqs)
        return bytes(told + b"\r\n")
    if give == {b"SAVE"}:
        return b""
    return _extended(command, give, numbers, found, with_modseq=with_modseq)


def _extended(
    command: commands.Search,
    give: frozenset[bytes],
    numbers: Sequence[int],
    found: Found,
    *,
    with_modseq: bool,
) -> bytes:
    """``* ESEARCH (TAG "a1") UID COUNT 2 ALL 1,5`` (RFC 4731 3.1)."""
    told = [b"* ESEARCH (TAG %b)" % fmt.string(command.tag)]
    if command.uid:
        told.append(b"UID")
    if numbers:
        if b"MIN" in give:
            told.append(b"MIN %d" % numbers[0])
        if b"MAX" in give:
            told.append(b"MAX %d" % numbers[-1])
        if b"ALL" in give:
            told.append(b"ALL " + sets.write(sets.runs(numbers)))
    if b"COUNT" in give:
        told.append(b"COUNT %d" % len(numbers))
    if with_modseq and found:
        told.append(b"MODSEQ %d" % max(_chosen(give, found).modseqs))
    return b" ".join(told) + b"\r\n"


def _chosen(give: frozenset[bytes], found: Found) -> Found:
    """What MIN and MAX alone are about (RFC 7162 3.1.10, RFC 5182 2.1 with SAVE)."""
    if not give & {b"ALL", b"COUNT"} and give & {b"MIN", b"MAX"}:
        ends = [at for at, name in ((0, b"MIN"), (-1, b"MAX")) if name in give]
        return Found([found.uids[at] for at in ends], [found.modseqs[at] for at in ends])
    return found


def _to_save(command: commands.Search, found: Found) -> fetch.Ranges:
    assert command.give is not None
    return sets.runs(_chosen(command.give, found).uids) if found else []
