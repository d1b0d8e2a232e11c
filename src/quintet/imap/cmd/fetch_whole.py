"""FETCH of whole messages or their headers, as nearly every client asks for them.

``BODY[]``, ``RFC822``, ``BODY[HEADER]``, ``BODY[HEADER.FIELDS (...)]``: rows and bytes come in one query and
go out in few large pieces; each copy of a body saved is a microsecond.  What must be marked, cut or looked
into is `fetch_bodies`'s.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from quintet.imap import render, updates
from quintet.imap.cmd import fetch as plain
from quintet.imap.cmd import fetch_bodies
from quintet.message import section
from quintet.net.seam import CHUNK, Slice
from quintet.store import entries, seen
from quintet.store.model import BodyRef
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.imap import commands
    from quintet.imap.selected import Selected
    from quintet.imap.session import Session
    from quintet.net.seam import Body, Replies
    from quintet.store.db import Tx
    from quintet.store.ranges import RangeSet

PAGE = 64  # messages of a page
ROOM = 512 * 1024  # bytes of their bodies that are read along: half a millisecond, two copies
FEW = 4  # messages that are answered without a task
TOLD = 5000  # marks remembered as told; then the cursor moves past them


def suits(plan: render.Plan) -> bool:
    """True for one whole message an answer, or for headers and fields of it, and nothing of them cut out."""
    wanted = [
        item.section.text
        for item in plan.bodies
        if item.name == b"BODY["
        and item.partial is None
        and item.section is not None
        and not item.section.path
    ]
    if len(wanted) < len(plan.bodies) or plan.remarks:
        return False
    return wanted == [b""] or all(text.startswith(b"HEADER") for text in wanted)


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in the plan's columns and those of `entries.WHOLE`, from one snapshot."""

    rows: list[render.Row]
    marks: RangeSet | None  # the reader's \\Seen in a shared folder


def fetch(
    session: Session, command: commands.Fetch, plan: render.Plan, ranges: plain.Ranges, short: bytes
) -> Replies:
    here = session.here
    if not _of_headers(plan) and len(ranges) == 1 and 0 < here.view.count(ranges) <= FEW:
        found, rest = session.house.store.peek(_page, here, plan.columns, ranges)
        if not rest:
            return _at_once(session, command, plan, found, ranges, short)
    return _fetch(session, command, plan, ranges, short)


def _at_once(
    session: Session,
    command: commands.Fetch,
    plan: render.Plan,
    found: Page,
    ranges: plain.Ranges,
    short: bytes,
) -> Replies:
    """A letter that is opened: neither a task nor a turn of the loop."""
    told = list(_answers(session, session.here, plan, found))
    tail = functools.partial(plain.end, session, command, ranges, short)
    news = updates.then(session, tail, may_expunge=command.uid)
    return [*told, *news] if isinstance(news, list) else updates.after(told, news)


def _of_headers(plan: render.Plan) -> bool:
    what = plan.bodies[0].section
    return what is not None and what.text != b""


async def _fetch(
    session: Session, command: commands.Fetch, plan: render.Plan, ranges: plain.Ranges, short: bytes
) -> AsyncGenerator[Any, None]:
    here, store = session.here, session.house.store
    headers = _of_headers(plan)
    while ranges:
        found, ranges = store.peek(_page, here, plan.columns, ranges)
        if headers:
            async with aclosing(_headers(session, here, plan, found)) as told:
                async for reply in told:
                    yield reply
        else:
            for reply in _answers(session, here, plan, found):
                yield reply
        if len(here.told) > TOLD:
            for reply in await updates.told(session, may_expunge=False):
                yield reply
        await asyncio.sleep(0)  # a fast reader never makes us wait: others get their turn all the same
    for reply in await updates.told(session, may_expunge=command.uid):
        yield reply
    yield plain.end(session, command, ranges, short)


def _page(
    tx: Tx, here: Selected, columns: tuple[str, ...], ranges: plain.Ranges
) -> tuple[Page, plain.Ranges]:
    rows: list[render.Row] = []
    room = ROOM
    rest = list(reversed(ranges))
    while rest and len(rows) < PAGE and room > 0:
        low, high = rest.pop()
        some, room = entries.whole(tx, here.folder_id, low, high, PAGE - len(rows), columns, room)
        rows += some
        if some and some[-1][0] < high and (len(rows) >= PAGE or room <= 0):
            rest.append((some[-1][0] + 1, high))
    marks = seen.get(tx, here.folder_id, here.reader) if here.reader is not None else None
    if "modseq" in columns:
        rows = plain.for_reader(tx, here, rows, columns.index("modseq"))
    return Page(rows, marks), rest[::-1]


def _answers(session: Session, here: Selected, plan: render.Plan, found: Page) -> Iterator[Any]:
    """Large pieces; a body that was not read along is a `Slice`."""
    label = plan.bodies[0].label
    held: list[bytes] = []
    for line, row in _lines(here, plan, found):
        blob_id, prefix, size, *_, data = row[-len(entries.WHOLE) :]
        lead = b"" if line.endswith(b"(") else b" "
        if blob_id is None:  # an item without MIME
            data, size = b"", len(prefix)
        held.append(b"%b%b%b {%d}\r\n" % (line, lead, label, size))
        if data is not None:
            held += (prefix, data, b")\r\n")
            continue
        yield b"".join(held)
        yield Slice(session.house.store.body(_ref(row)), 0, size)
        held = [b")\r\n"]
    yield b"".join(held)


async def _headers(
    session: Session, here: Selected, plan: render.Plan, found: Page
) -> AsyncGenerator[Any, None]:
    """The same of headers; one that is longer than a chunk, of a body in a file, is `fetch_bodies`'s."""
    wanted = [
        (item.label, frozenset(name.upper() for name in what.fields), what.text)
        for item in plan.bodies
        if (what := item.section) is not None
    ]
    held: list[bytes] = []
    size, began = 0, time.monotonic()  # of what is held, and since when others wait
    for line, row in _lines(here, plan, found):
        blob_id, prefix, *_, data = row[-len(entries.WHOLE) :]
        if blob_id is None:  # an item without MIME
            data = b""
        content = prefix + data if data is not None else await _beginning(session.house.store.body(_ref(row)))
        if content is None:
            yield b"".join(held)
            held = []
            async with aclosing(fetch_bodies.lines(session, plan, [(row[0], row[0])])) as told:
                async for reply in told:
                    yield reply
            continue
        held.append(line)
        lead = b"" if line.endswith(b"(") else b" "
        for label, names, text in wanted:
            if text == b"HEADER":
                part = content[: section.header_end(content)]
            elif len(content) <= CHUNK or section.header_end(content) <= CHUNK:
                part = section.filter_header(content, names, text.endswith(b"NOT"))
            else:  # it may be nothing but header, which takes a tenth of a second at worst
                exclude = text.endswith(b"NOT")
                part = await asyncio.to_thread(section.filter_header, content, names, exclude)
            held.append(b"%b%b {%d}\r\n%b" % (lead, label, len(part), part))
            size += len(part)
            lead = b" "
            if size > CHUNK or time.monotonic() - began > fetch_bodies.TURN_S:
                yield b"".join(held)
                await asyncio.sleep(0)
                held, size, began = [], 0, time.monotonic()
        held.append(b")\r\n")
    yield b"".join(held)


async def _beginning(body: Body) -> bytes | None:
    """As much of a large body as has its header; None where that is longer than a chunk."""
    start = b"".join([chunk async for chunk in body.chunks(0, min(body.size, CHUNK))])
    return start if section.header_end(start) < len(start) else None


def _ref(row: render.Row) -> BodyRef:
    """Where the body of a row lies."""
    blob_id, prefix, size, dotless, sha256, place, _ = row[-len(entries.WHOLE) :]
    return BodyRef(blob_id, prefix, size, bool(dotless), sha256, not place)


def _lines(here: Selected, plan: render.Plan, found: Page) -> Iterator[tuple[bytes, render.Row]]:
    """The beginnings of the answers, each with its row; without what the client does not know."""
    rows = found.rows
    numbers = here.view.numbers([row[0] for row in rows])
    if not isinstance(numbers, range) and 0 in numbers:
        rows = [row for row, number in zip(rows, numbers, strict=True) if number]
        numbers = [number for number in numbers if number]
    return zip(plan.lines(rows, numbers, plain.overlay(here, found.marks)), rows, strict=True)
