"""FETCH and UID FETCH (RFC 9051 6.4.5, 6.4.9, RFC 7162 3.1.4, 3.2.6).

Rows come a page at a time and the next page is read when the client has taken the last, so a mailbox of
any size is answered in constant memory with others served between.  Sections are `fetch_bodies`'s.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Protocol

from quintet.errors import BadSyntax
from quintet.imap import annotating, limits, render, sets, updates
from quintet.imap.annotating import Reading
from quintet.imap.cmd import fetch_bodies, fetch_whole, resync
from quintet.store import changes, entries, glance, seen
from quintet.store.model import SEEN
from quintet.store.ranges import RangeSet
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.imap import commands
    from quintet.imap.selected import Selected
    from quintet.imap.session import Session
    from quintet.net.seam import Input, Replies
    from quintet.store.db import Tx
    from quintet.store.model import AccountId, FolderId

PAGE = 500  # rows of a page: about a millisecond, and 500 KB at most of what messages usually are
NARROW = 100  # numbers: shorter ranges are asked for together
CHANGED = 5000  # changed messages that are looked up one by one: more are met by walking
FIRST = 32  # rows of the first page with what is kept with messages: an envelope may be a megabyte
ROOM = 512 * 1024  # bytes of lines that a page is to have at most: the next one has as many rows
AT_ONCE = 100  # messages answered without a task of their own, as long as their lines are no more than `ROOM`

Ranges = list[tuple[int, int]]


def wanted(here: Selected, numbers: sets.NumberSet, *, uid: bool) -> Ranges:
    """The UID ranges that a command's set means.

    Raises:
        BadSyntax: a sequence number that is not in use (RFC 9051 9, seq-number).
    """
    if numbers.saved:
        return here.saved  # RFC 5182 2.1: what is gone since is simply not met
    if uid:
        return here.view.known_ranges(numbers)
    ranges = here.view.uid_ranges(numbers)
    if ranges is None:
        raise BadSyntax("no message has that number")
    return ranges


def fetch(session: Session, command: commands.Fetch, _: Input) -> Replies:
    here = session.here
    if command.changed_since is not None or any(item.name == b"MODSEQ" for item in command.items):
        session.enable((b"CONDSTORE",))  # RFC 7162 3.1
    if command.vanished and not session.qresync:
        raise BadSyntax("QRESYNC is not enabled")  # RFC 7162 3.2.6
    ranges = wanted(here, command.numbers, uid=command.uid)
    if command.partial is not None:
        ranges = here.view.cut(sets.join(ranges), *command.partial)  # RFC 9394 3.3
        limits.check(session, here, ranges)
    ranges, short = limits.cut(session, here, ranges)
    plan = render.compile_items(command.items, by_uid=session.uid_only)
    if command.changed_since is not None and here.reader is None and not here.view.gone:
        changed = session.house.store.peek(changes.numbers, here.folder_id, command.changed_since, CHANGED)
        if changed is not None:
            ranges = sets.intersect(sets.join(ranges), sets.runs(changed))
    if plan.bodies:
        marking = plan.seeing and here.changeable() & SEEN
        if not marking and command.changed_since is None and fetch_whole.suits(plan):
            return fetch_whole.fetch(session, command, plan, ranges, short)
        return fetch_bodies.fetch(session, command, plan, ranges, short)
    few = len(ranges) <= AT_ONCE and here.view.count(ranges) <= AT_ONCE
    if few and not command.vanished and not plan.remarks:
        pages = _pages(session, plan, ranges, command.changed_since, None)
        told: list[Any] = []
        size = 0
        for text in pages:
            told.append(text)
            size += len(text)
            if size > ROOM:
                return _fetch(session, command, plan, ranges, short, itertools.chain(told, pages))
        tail = functools.partial(end, session, command, ranges, short)
        news = updates.then(session, tail, may_expunge=command.uid)
        return [*told, *news] if isinstance(news, list) else updates.after(told, news)
    return _fetch(session, command, plan, ranges, short)


async def _fetch(
    session: Session,
    command: commands.Fetch,
    plan: render.Plan,
    ranges: Ranges,
    short: bytes,
    begun: Iterator[bytes] | None = None,
) -> AsyncGenerator[Any, None]:
    """``begun``: the pages, where some were read already."""
    async with aclosing(gone(session, command)) as lost:
        async for line in lost:
            yield line
    reading = reading_of(session, plan)
    for text in begun or _pages(session, plan, ranges, command.changed_since, reading):
        yield text
        await asyncio.sleep(0)  # a fast reader never makes us wait: others get their turn all the same
    for reply in await updates.told(session, may_expunge=command.uid):
        yield reply
    if reading is not None:
        reading.check()
    yield end(session, command, ranges, short)


async def gone(session: Session, command: commands.Fetch) -> AsyncGenerator[bytes, None]:
    """VANISHED (EARLIER) where it is asked for: before any FETCH (RFC 7162 3.2.6)."""
    if not command.vanished or command.changed_since is None:
        return
    here = session.here
    within = here.saved if command.numbers.saved else _ever(command.numbers, max(here.view.largest, 1))
    async with aclosing(resync.earlier(session, here, command.changed_since, within)) as lost:
        async for line in lost:
            yield line


def _ever(numbers: sets.NumberSet, largest: int) -> Ranges:
    """The UIDs a client means that asks what is gone of ``numbers``: ``*`` is no end of them.

    libetpan asks for ``1:*`` and wants to hear of the last message too (RFC 7162 3.2.6).
    """
    return sets.join([*numbers.resolve(largest), *numbers.resolve(sets.MAX_NUMBER)])


def reading_of(session: Session, plan: render.Plan) -> Reading | None:
    if not plan.remarks:
        return None
    return Reading(plan.remarks, session.user.account_id, utf8=session.utf8)


def end(session: Session, command: commands.Fetch, ranges: Ranges, short: bytes) -> bytes:
    """RFC 9051 7.1: EXPUNGEISSUED when messages that were asked for by number are gone.

    ``short``: MESSAGELIMIT's code (`limits.cut`).
    """
    here = session.selected
    code = b""
    if here is not None and not command.uid and here.view.gone and any(
        here.view.is_gone(uid) for uid in here.view.uids(ranges)
    ):  # fmt: skip
        code = b"[EXPUNGEISSUED] "
    return limits.done(command.tag, code, short)


def _pages(
    session: Session, plan: render.Plan, ranges: Ranges, changed_since: int | None, reading: Reading | None
) -> Iterator[bytes]:
    """The lines, page by page."""
    here, store = session.here, session.house.store
    size = FIRST if plan.joined else 4 * PAGE
    quick = plan.plain_flags and changed_since is None and here.reader is None and not here.recent
    while ranges:
        if quick and ranges[0][1] - ranges[0][0] >= NARROW:
            made, ranges = _flags(session, here, ranges, size)
            if made is not None:
                yield made
                continue
        found, ranges = store.peek(page, here, plan.columns, ranges, size, changed_since, reading)
        told = text(here, plan, found)
        yield told
        if plan.joined:
            size = min(max(size * ROOM // max(len(told), 1), 1), 4 * size, PAGE)


def _flags(session: Session, here: Selected, ranges: Ranges, size: int) -> tuple[bytes | None, Ranges]:
    """The next lines of ``(UID FLAGS)`` by the shortest way, and what is left; None where it does not go."""
    low, high = ranges[0]
    found = session.house.store.peek(glance.marks, here.folder_id, low, high, size)
    if found is None:
        return None, ranges
    uids, flags = found
    if not uids:
        return b"", ranges[1:]
    last = int(uids[-1])
    start = here.view.run(int(uids[0]), last, len(uids))
    if not start:
        return None, ranges
    rest = ranges[1:] if len(uids) < size or last >= high else [(last + 1, high), *ranges[1:]]
    return render.flag_lines(start, uids, flags), rest


@dataclass(frozen=True, slots=True)
class Page:
    """Rows from one snapshot."""

    rows: list[render.Row]
    marks: RangeSet | None = None  # in a shared folder: what the reader has seen
    remarks: dict[int, bytes] | None = None  # by UID: ANNOTATION, where it is asked for


def page(
    tx: Tx,
    here: Selected,
    columns: tuple[str, ...],
    ranges: Ranges,
    limit: int,
    changed_since: int | None = None,
    reading: Reading | None = None,
) -> tuple[Page, Ranges]:
    """The next rows, and the ranges that are left."""
    rows, rest = next_rows(tx, here, columns, ranges, limit)
    if reading is not None:
        fit = reading.cut(tx, here.folder_id, [row[0] for row in rows])
        if fit < len(rows):
            rest = sets.intersect(ranges, [(rows[fit][0], sets.MAX_NUMBER)])
            rows = rows[:fit]
    marks = seen.get(tx, here.folder_id, here.reader) if here.reader is not None else None
    if "modseq" in columns:
        index = columns.index("modseq")
        rows = for_reader(tx, here, rows, index)
        if changed_since is not None:  # RFC 7162 3.1.4.1
            rows = [row for row in rows if row[index] > changed_since]
    texts = reading.texts(tx, here.folder_id, [row[0] for row in rows]) if reading is not None else None
    return Page(rows, marks, texts), rest


class Folderly(Protocol):
    """A folder, and whose marks are shown of it; `Selected` is one."""

    @property
    def folder_id(self) -> FolderId: ...

    @property
    def reader(self) -> AccountId | None: ...


def for_reader(tx: Tx, here: Folderly, rows: list[render.Row], index: int) -> list[render.Row]:
    """Rows with the modseq at ``index`` that the reader's own \\Seen marks give them (RFC 7162 3.1)."""
    log = seen.log(tx, here.folder_id, here.reader) if here.reader is not None else []
    if not log:
        return rows
    return [(*row[:index], seen.modseq_of(log, row[0], row[index]), *row[index + 1 :]) for row in rows]


def next_rows(
    tx: Tx, here: Folderly, columns: tuple[str, ...], ranges: Ranges, limit: int
) -> tuple[list[render.Row], Ranges]:
    """Rows of one wide range, or of many narrow ones in one query; and the ranges that are left."""
    low, high = ranges[0]
    if high - low >= NARROW or len(ranges) == 1:
        rows = entries.lines(tx, here.folder_id, low, high, limit, columns)
        if len(rows) < limit or rows[-1][0] >= high:
            return rows, ranges[1:]
        return rows, [(rows[-1][0] + 1, high), *ranges[1:]]
    uids: list[int] = []
    at = 0
    while at < len(ranges) and ranges[at][1] - ranges[at][0] < NARROW and len(uids) < limit:
        low, high = ranges[at]
        uids.extend(range(low, min(high, low + limit - len(uids) - 1) + 1))
        if uids[-1] < high:
            return entries.lines_of(tx, here.folder_id, uids, columns), [
                (uids[-1] + 1, high),
                *ranges[at + 1 :],
            ]
        at += 1
    return entries.lines_of(tx, here.folder_id, uids, columns), ranges[at:]


def text(here: Selected, plan: render.Plan, found: Page) -> bytes:
    """The rows' lines under the client's numbers; rows that the client does not know are left out."""
    rows = found.rows
    if not rows:
        return b""
    columns = list(zip(*rows, strict=True))
    numbers = here.view.numbers(columns[0])
    if not isinstance(numbers, range) and 0 in numbers:
        rows = [row for row, number in zip(rows, numbers, strict=True) if number]
        numbers = [number for number in numbers if number]
        columns = list(zip(*rows, strict=True))
        if not rows:
            return b""
    if found.remarks is None:
        return plan.text(columns, numbers, overlay(here, found.marks))
    made = plan.lines(rows, numbers, overlay(here, found.marks))
    made = annotating.joined(made, (row[0] for row in rows), found.remarks)
    # nothing to tell: no empty list
    return b"".join([line for line in made if not line.endswith(b" ()\r\n")])


def overlay(here: Selected, marks: RangeSet | None) -> render.Overlay:
    if marks is None and not here.recent:
        return render.PLAINLY
    return render.Overlay(marks, here.is_recent if here.recent else None)
