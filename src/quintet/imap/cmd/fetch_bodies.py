"""FETCH of sections and previews: BODY[...], RFC822, BINARY, PREVIEW (RFC 9051 6.4.5, RFC 3516, RFC 8970).

Small bodies are read many in one query; a large one goes out as a `Slice` that the driver streams.
A part is a range of the stored bytes: nothing is parsed here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from quintet import log
from quintet.errors import Hangup, Reason, Refused, TryLater
from quintet.imap import annotating, answers, decoding, render, updates
from quintet.imap import format as fmt
from quintet.imap.cmd import fetch as plain
from quintet.message import section
from quintet.message import text as texts
from quintet.message.digest import Digest
from quintet.net.seam import CHUNK, Slice
from quintet.store import entries, reading
from quintet.store.model import SEEN
from quintet.store.ranges import RangeSet
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.imap import commands
    from quintet.imap.annotating import Reading
    from quintet.imap.selected import Selected
    from quintet.imap.session import Session
    from quintet.net.seam import Body
    from quintet.store.db import Tx
    from quintet.store.model import BodyRef, Uid

logger = log.get("imap")
PAGE = 64  # messages of a page; the store reads at most 1 MiB of their bodies along
TURN_S = 0.004  # seconds of one page until others have their turn: a preview of HTML takes a millisecond
FIRST = 8  # messages of the first page: one may have 20,000 parts, and then the next page has fewer
FEW_ITEMS = 8  # sections of one message that are answered together
PREVIEW = b"PREVIEW"  # an item's name; another one means PREVIEW (LAZY)
MANY_PREVIEWS = 500  # of one command
TOLD = 5000  # marks remembered as told; then the cursor moves past them
MAX_HEADER = 4 * 1024 * 1024  # bytes of a header block that HEADER.FIELDS looks through


@dataclass(frozen=True, slots=True)
class Message:
    """One message to answer for."""

    line: bytes  # "* n FETCH (" with the plain items
    body: Body
    prefix: int  # bytes of our trace header before the blob, to which the digest's offsets do not count
    digest: Digest | None


@dataclass(frozen=True, slots=True)
class Page:
    """Some messages from one snapshot."""

    rows: list[render.Row]
    marks: RangeSet | None  # the reader's \\Seen in a shared folder
    bodies: dict[Uid, BodyRef]
    digests: dict[Uid, Digest]
    remarks: dict[int, bytes] | None = None  # as of `fetch.Page`


async def fetch(
    session: Session, command: commands.Fetch, plan: render.Plan, ranges: plain.Ranges, short: bytes
) -> AsyncGenerator[Any, None]:
    here, store = session.here, session.house.store
    marking = plan.seeing and bool(here.changeable() & SEEN)
    # what was marked is told with its UID and MODSEQ to those who count in them (RFC 7162 3.2.4)
    also = ((b"UID", b"FLAGS", b"MODSEQ") if session.condstore else (b"FLAGS",)) if marking else ()
    seen_plan = render.compile_items(
        command.items, more=also, columns=("uid", "flags", "modseq"), by_uid=session.uid_only
    )
    plan = render.compile_items(command.items, columns=seen_plan.columns, by_uid=session.uid_only)
    digest = any(item.section is None or item.section.path or item.section.text for item in plan.bodies)
    if command.vanished:
        async with aclosing(plain.gone(session, command)) as lost:
            async for line in lost:
                yield line
    if any(item.section is None for item in plan.bodies):
        _note_previews(session, here.view.count(ranges))
    marked = 0
    asked = plain.reading_of(session, plan)
    unknown = False  # some part could not be decoded
    limit = FIRST
    while ranges:
        began = time.monotonic()
        asking = here, plan.columns, ranges, digest, command.changed_since, asked, limit
        found, rest = store.peek(_page, *asking)
        limit = min(2 * limit, PAGE) if time.monotonic() - began < TURN_S else max(limit // 2, 1)
        fresh: set[int] = set()
        if marking and (unseen := _unseen(found)):
            fresh = await _mark(session, here, unseen, noted=marked < reading.MOST)
            marked += len(fresh)
            found, _ = store.peek(_page, *asking)
        ranges = rest
        held: list[bytes] = []
        began = time.monotonic()
        for message in _messages(session, here, found, (plan, seen_plan), fresh):
            if time.monotonic() - began > TURN_S:
                yield b"".join(held)
                held = []
                await asyncio.sleep(0)
                began = time.monotonic()
            items = _decodable(message, plan.bodies)
            if len(items) < len(plan.bodies):
                unknown = True
                if not items and message.line.endswith(b"("):
                    continue
            whole = _whole(message, items, utf8=session.utf8)
            if whole is not None:
                held.append(whole)
                continue
            yield b"".join(held)
            held = []
            try:
                async for reply in _in_pieces(message, items, utf8=session.utf8):
                    yield reply
            except (Refused, TryLater) as error:  # an answer is begun: no other can be given in it
                raise Hangup(error.reason, error.text) from error
        yield b"".join(held)
        if len(here.told) > TOLD:
            for reply in await updates.told(session, may_expunge=False):
                yield reply
        await asyncio.sleep(0)  # a fast reader never makes us wait: others get their turn all the same
    for reply in await updates.told(session, may_expunge=command.uid):
        yield reply
    if asked is not None:
        asked.check()
    if unknown:  # RFC 3516 4.3: NO; what could be decoded is told all the same
        raise answers.Coded(b"UNKNOWN-CTE", Reason.BAD_CONTENT, "unknown transfer encoding")
    yield plain.end(session, command, ranges, short)


async def unasked(
    session: Session, items: tuple[commands.Item, ...], ranges: plain.Ranges
) -> AsyncGenerator[Any, None]:
    """FETCH lines that nobody's command asked for (RFC 5465 5.2); with a UID, and nothing is marked."""
    more = (b"UID", b"MODSEQ") if session.condstore else (b"UID",)
    plan = render.compile_items(items, more=more, by_uid=session.uid_only)
    async with aclosing(lines(session, plan, ranges)) as told:
        async for reply in told:
            yield reply


async def lines(session: Session, plan: render.Plan, ranges: plain.Ranges) -> AsyncGenerator[Any, None]:
    """FETCH lines as ``plan`` has them, of what is there of ``ranges``; nothing is marked."""
    here, asked = session.here, plain.reading_of(session, plan)
    while ranges and session.selected is here:
        if not plan.bodies:
            found, ranges = session.house.store.peek(
                plain.page, here, plan.columns, ranges, PAGE, None, asked
            )
            yield plain.text(here, plan, found)
            continue
        whole, ranges = session.house.store.peek(_page, here, plan.columns, ranges, True, None, asked)
        for message in _messages(session, here, whole, (plan, plan), set()):
            parts = _decodable(message, plan.bodies)
            if parts:
                async for reply in _in_pieces(message, parts, utf8=session.utf8):
                    yield reply
        await asyncio.sleep(0)


def _page(
    tx: Tx,
    here: Selected,
    columns: tuple[str, ...],
    ranges: plain.Ranges,
    needs_digest: bool,
    changed_since: int | None,
    asked: Reading | None,
    limit: int = PAGE // 2,
) -> tuple[Page, plain.Ranges]:
    found, rest = plain.page(tx, here, columns, ranges, limit, changed_since, asked)
    uids = [row[0] for row in found.rows]
    if not uids:
        return Page(found.rows, found.marks, {}, {}), rest
    digests = entries.digests(tx, here.folder_id, uids) if needs_digest else {}
    bodies = entries.bodies(tx, here.folder_id, uids)
    return Page(found.rows, found.marks, bodies, digests, found.remarks), rest


def _unseen(found: Page) -> list[int]:
    if found.marks is not None:
        return [row[0] for row in found.rows if row[0] not in found.marks]
    return [row[0] for row in found.rows if not row[1] & SEEN]


async def _mark(session: Session, here: Selected, uids: list[int], *, noted: bool) -> set[int]:
    """Sets \\Seen; reading is not refused because that cannot be written."""
    note = reading.by(session.peer.id, session.user.account_id, "imap") if noted else None
    try:
        changed, _ = await session.house.store.write(
            entries.set_flags, here.folder_id, uids, "+", SEEN, (), reader=here.reader, trace_note=note
        )
    except TryLater:
        return set()
    here.told.update((one.uid, one.modseq) for one in changed)
    return {one.uid for one in changed}


def _messages(
    session: Session,
    here: Selected,
    found: Page,
    plans: tuple[render.Plan, render.Plan],
    fresh: set[int],
) -> Iterator[Message]:
    """What is to be told of a page; messages in ``fresh`` were just marked, so their flags are told too."""
    rows = [row for row in found.rows if row[0] in found.bodies]
    numbers = here.view.numbers([row[0] for row in rows])
    overlay = plain.overlay(here, found.marks)
    lines = plans[0].lines(rows, numbers, overlay)
    seen_lines = plans[1].lines(rows, numbers, overlay) if fresh else lines
    if found.remarks is not None:
        uids = [row[0] for row in rows]
        lines = annotating.joined(lines, uids, found.remarks)
        seen_lines = annotating.joined(seen_lines, uids, found.remarks)
    for row, number, line, seen_line in zip(rows, numbers, lines, seen_lines, strict=True):
        if number:
            ref = found.bodies[row[0]]
            told = seen_line if row[0] in fresh else line
            yield Message(told, session.house.store.body(ref), len(ref.prefix), found.digests.get(row[0]))


def _whole(message: Message, items: tuple[commands.Item, ...], *, utf8: bool) -> bytes | None:
    """The whole answer at once, where little is asked, nothing must be decoded and the bytes are at hand."""
    if len(items) > FEW_ITEMS:
        return None
    told = [message.line]
    lead = b"" if message.line.endswith(b"(") else b" "
    for item in items:
        what = item.section
        if what is None:
            preview = _preview_at_hand(message)
            if preview is None and item.name == PREVIEW:
                return None
            told.append(b"%bPREVIEW %b" % (lead, fmt.nstring(preview, utf8=utf8)))
            lead = b" "
            continue
        if item.name != b"BODY[":
            return None
        text: bytes | None = None
        found = _range(message, what)
        if found is not None:
            start, end = _part_of(found, None if what.fields else item.partial)
            text = message.body.small(start, end - start) if end - start <= CHUNK else None
            if text is None:
                return None
            if what.fields:
                text = _part(_filtered(what, text), item.partial)
        told.append(
            b"%b%b NIL" % (lead, item.label)
            if text is None
            else b"%b%b {%d}\r\n%b" % (lead, item.label, len(text), text)
        )
        lead = b" "
    told.append(b")\r\n")
    return b"".join(told)


async def _in_pieces(message: Message, items: tuple[commands.Item, ...], *, utf8: bool) -> AsyncIterator[Any]:
    """All sections of one message, between the line's beginning and its end."""
    lead = message.line if message.line.endswith(b"(") else message.line + b" "
    began = time.monotonic()
    for item in items:
        if time.monotonic() - began > TURN_S:
            await asyncio.sleep(0)
            began = time.monotonic()
        if item.section is None:
            preview = _preview_at_hand(message)
            if preview is None and item.name == PREVIEW:
                preview = await _preview(message)
            yield b"%bPREVIEW %b" % (lead, fmt.nstring(preview, utf8=utf8))
            lead = b" "
            continue
        answer = _body if item.name == b"BODY[" else _binary
        async for reply in answer(message, item, item.section, lead + item.label):
            yield reply
        lead = b" "
    yield b")\r\n"


async def _body(
    message: Message, item: commands.Item, what: commands.Section, lead: bytes
) -> AsyncIterator[Any]:
    found = _range(message, what)
    if found is None:
        yield lead + b" NIL"  # there is no such part
        return
    if what.fields:
        text = _part(await _fields(message, found, what), item.partial)
        yield b"%b {%d}\r\n%b" % (lead, len(text), text)
        return
    start, end = _part_of(found, item.partial)
    yield b"%b {%d}\r\n" % (lead, end - start)
    yield Slice(message.body, start, end - start)


async def _fields(message: Message, found: tuple[int, int], what: commands.Section) -> bytes:
    start, length = found[0], min(found[1] - found[0], MAX_HEADER)
    block = b"".join([chunk async for chunk in message.body.chunks(start, length)])
    if length <= CHUNK:
        return _filtered(what, block)
    return await asyncio.to_thread(_filtered, what, block)  # a tenth of a second at worst


def _filtered(what: commands.Section, block: bytes) -> bytes:
    # RFC 9051 6.4.5.1: a blank line is always there, but for a message whose header has none
    names = {field.upper() for field in what.fields}
    return section.filter_header(block, names, what.text.endswith(b"NOT"))


def _part(text: bytes, partial: tuple[int, int] | None) -> bytes:
    return text if partial is None else text[partial[0] : partial[0] + partial[1]]


def _part_of(found: tuple[int, int], partial: tuple[int, int] | None) -> tuple[int, int]:
    if partial is None:
        return found
    start = min(found[0] + partial[0], found[1])
    return start, min(start + partial[1], found[1])


def _range(message: Message, what: commands.Section) -> tuple[int, int] | None:
    """Octets of a section in prefix and blob together; the prefix belongs to the message's header."""
    size = message.body.size
    if not what.path and not what.text:
        return 0, size
    assert message.digest is not None
    text = what.text.decode("ascii").partition(".")[0]  # HEADER.FIELDS looks through HEADER
    found = section.locate(message.digest, what.path, text)
    if found is None:
        return None
    start = found[0] + message.prefix if what.path or text != "HEADER" else 0
    return min(start, size), min(found[1] + message.prefix, size)


# --- PREVIEW (RFC 8970) -----------------------------------------------------------------------------


def _note_previews(session: Session, messages: int) -> None:
    """Who makes much work (RFC 8970 8); clients are to ask for 50 or so together (4.2)."""
    note = logger.info if messages > MANY_PREVIEWS else logger.debug
    note("previews", conn=session.peer.id, account=session.user.name, messages=messages)


def _preview_at_hand(message: Message) -> bytes | None:
    """The preview, if no file must be read for it: what LAZY asks for (RFC 8970 4.1)."""
    part = texts.preview_part(message.digest) if message.digest is not None else None
    if part is None or message.digest is None:
        return b""
    start, size = part.body_start, min(part.size, texts.PREVIEW_READ)
    block = message.body.small(message.prefix + start, size)
    return _preview_of(message.digest, start, block) if block is not None else None


async def _preview(message: Message) -> bytes:
    """The same for a body beside the database; only its first kilobytes are read."""
    assert message.digest is not None
    part = texts.preview_part(message.digest)
    assert part is not None
    start, size = part.body_start, min(part.size, texts.PREVIEW_READ)
    chunks = message.body.chunks(message.prefix + start, size)
    return _preview_of(message.digest, start, b"".join([chunk async for chunk in chunks]))


def _preview_of(digest: Digest, start: int, block: bytes) -> bytes:
    preview = texts.preview(digest, lambda low, high: block[low - start : high - start])
    return preview.encode("utf-8", "replace")


# --- BINARY (RFC 3516 4.3) --------------------------------------------------------------------------


async def _binary(
    message: Message, item: commands.Item, what: commands.Section, lead: bytes
) -> AsyncIterator[Any]:
    found = _range(message, what)
    if found is None:
        yield lead + (b" 0" if item.name == b"BINARY.SIZE[" else b" NIL")
        return
    where = message.body, found[0], found[1] - found[0], _encoding(message, what)
    first, length = item.partial or (0, None)
    measured = await decoding.measure(decoding.decoded(*where))
    if item.name == b"BINARY.SIZE[":
        yield b"%b %d" % (lead, measured.size)
        return
    rest = max(measured.size - first, 0)
    size = rest if length is None else min(length, rest)
    yield b"%b %b{%d}\r\n" % (lead, b"~" if measured.nul else b"", size)
    async for piece in decoding.cut(decoding.decoded(*where), first, length):  # again: nothing is held whole
        yield piece


def _decodable(message: Message, items: tuple[commands.Item, ...]) -> tuple[commands.Item, ...]:
    """``items`` without those that ask for a part in an encoding that nobody knows."""
    return tuple(
        item
        for item in items
        if item.name == b"BODY["
        or item.section is None
        or _encoding(message, item.section) in decoding.ENCODINGS
    )


def _encoding(message: Message, what: commands.Section) -> str:
    """The part's transfer encoding, in lower case."""
    if not what.path or message.digest is None:
        return "binary"
    part = section.part(message.digest, what.path)
    return part.encoding.lower() if part is not None else "binary"
