"""What a maildrop sends: LIST, UIDL, RETR and TOP (RFC 1939 5 and 7).

Small messages go out from the row they lie in, with no waiting; large ones stream as a `Slice`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from quintet import metrics
from quintet.errors import Reason, Refused
from quintet.net import dots
from quintet.net.seam import CHUNK, Input, Replies, Slice
from quintet.pop3 import commands, surrogate, words

if TYPE_CHECKING:
    from quintet.net.seam import Body
    from quintet.pop3.maildrop import Maildrop
    from quintet.pop3.session import Session

LINES_AT_ONCE = 1000  # of a listing, between two looks at whether the client reads
MAX_HEADER = CHUNK  # bytes looked at for what needs UTF8; longer headers are sent as they are

_RETRIEVED = metrics.POP3_RETRIEVED.labels("RETR")
_TOPPED = metrics.POP3_RETRIEVED.labels("TOP")


def listing(session: Session, command: commands.List, _: Input) -> Replies:
    """LIST.  The size is what RETR sends, without dots and a last line end that were added."""
    drop = session.open_drop
    if command.number is not None:
        drop.check(command.number)
        return [f"+OK {command.number} {drop.sizes[command.number - 1]}\r\n".encode()]
    first = f"+OK {words.say(session.language, 'list', count=drop.count, size=drop.size)}\r\n"
    sizes = drop.sizes
    return _listed(drop, first, lambda at: f"{at + 1} {sizes[at]}\r\n")


def unique_ids(session: Session, command: commands.Uidl, _: Input) -> Replies:
    """UIDL."""
    drop = session.open_drop
    if command.number is not None:
        drop.check(command.number)
        return [f"+OK {command.number} {drop.uid(command.number)}\r\n".encode()]
    first = f"+OK {words.say(session.language, 'uidl')}\r\n"
    uids, validity = drop.uids, drop.place.folder.uid_validity
    return _listed(drop, first, lambda at: f"{at + 1} {validity}.{uids[at]}\r\n")


def _listed(drop: Maildrop, first: str, line: Callable[[int], str]) -> Replies:
    pieces = _pieces(drop, first, line)
    return list(pieces) if len(drop.uids) <= LINES_AT_ONCE else _slowly(pieces)


def _pieces(drop: Maildrop, first: str, line: Callable[[int], str]) -> Iterator[bytes]:
    yield first.encode()
    count, deleted = len(drop.uids), drop.deleted
    for start in range(0, count, LINES_AT_ONCE):
        numbers = range(start, min(start + LINES_AT_ONCE, count))
        if deleted:
            yield "".join([line(at) for at in numbers if at + 1 not in deleted]).encode()
        else:
            yield "".join(map(line, numbers)).encode()
    yield b".\r\n"


async def _slowly(pieces: Iterator[bytes]) -> AsyncGenerator[Any, None]:
    for piece in pieces:
        yield piece


def retrieve(session: Session, command: commands.Retr, _: Input) -> Replies:
    """RETR."""
    drop, number = session.open_drop, command.number
    drop.check(number)
    body = drop.body(number)
    drop.retrieved.add(number)
    _RETRIEVED.inc()
    data = body.small(0, body.size) if body.size <= CHUNK else None
    if data is None:
        return _retrieve_large(session, body)
    if not session.utf8 and not data.isascii():
        data = _ascii(session, data)
        return [b"+OK %d octets\r\n" % len(data), dots.whole(data)]
    status = b"+OK %d octets\r\n" % body.size
    if body.dotless and data.endswith(b"\r\n") and not data.startswith(b"."):
        return [status, data, b".\r\n"]  # in pieces: joined once, when they are written
    return [status, dots.whole(data, body.dotless)]


async def _retrieve_large(session: Session, body: Body) -> AsyncGenerator[Any, None]:
    size = 0
    if not session.utf8:
        head = await _head(body)
        size = surrogate.split(head)
        changed = _ascii(session, head[:size]) if size < MAX_HEADER else head[:size]
        if changed != head[:size]:
            yield b"+OK %d octets\r\n" % (body.size - size + len(changed))
            yield dots.stuff(changed)
            yield Slice(body, size, body.size - size, dotted=True)
            return
    yield b"+OK %d octets\r\n" % body.size
    yield Slice(body, 0, body.size, dotted=True)


async def _head(body: Body) -> bytes:
    """The beginning of a large body: its header, unless that is longer than `MAX_HEADER`."""
    head = b""
    async with aclosing(body.chunks(0, MAX_HEADER)) as chunks:  # type: ignore[type-var]  # stores give generators
        async for chunk in chunks:
            head += chunk
            if b"\r\n\r\n" in head:
                break
    return head


def _ascii(session: Session, data: bytes) -> bytes:
    """What a client that did not say UTF8 gets (RFC 6856 2.1)."""
    way = session.house.config.ascii_clients
    if way == "send":
        return data
    end = surrogate.split(data)
    if data[:end].isascii():
        return data
    if way == "refuse":
        raise Refused(Reason.UNKNOWN_CHARSET)
    return surrogate.header(data[:end]) + data[end:]


def top(session: Session, command: commands.Top, _: Input) -> Replies:
    """TOP: the header, the empty line, and so many lines of the body."""
    drop = session.open_drop
    drop.check(command.number)
    body = drop.body(command.number)
    _TOPPED.inc()
    data = body.small(0, body.size) if body.size <= CHUNK else None
    if data is None:
        return _top_large(session, body, command.lines)
    data = data[: end_of(data, command.lines)]
    if not session.utf8 and not data.isascii():
        data = _ascii(session, data)
    return [session.ok("top") + dots.whole(data)]


async def _top_large(session: Session, body: Body, lines: int) -> AsyncGenerator[Any, None]:
    """Looks for the end first, then streams: a line may be longer than a chunk."""
    head = await _head(body)
    size = surrogate.split(head)
    end, left, last = size, lines, b""
    async with aclosing(body.chunks(size, body.size - size)) as chunks:  # type: ignore[type-var]  # as above
        async for chunk in chunks:
            if left <= 0:
                break
            joined = last + chunk  # a line end may lie across two chunks
            found = joined.count(b"\r\n")
            if found >= left:
                end += _after(joined, left) - len(last)
                left = 0
                break
            left -= found
            end += len(chunk)
            last = b"\r" if joined.endswith(b"\r") else b""
    changed = head[:size]
    if not session.utf8 and size < MAX_HEADER:
        changed = _ascii(session, changed)
    yield session.ok("top")
    if changed != head[:size]:
        yield dots.stuff(changed)
        yield Slice(body, size, end - size, dotted=True)
    else:
        yield Slice(body, 0, end, dotted=True)


def end_of(data: bytes, lines: int) -> int:
    """Where the header, the empty line and ``lines`` lines end."""
    start = surrogate.split(data)
    return start + _after(data[start:], lines)


def _after(data: bytes, lines: int) -> int:
    at = 0
    for _ in range(lines):
        end = data.find(b"\r\n", at)
        if end < 0:
            return len(data)
        at = end + 2
    return at
