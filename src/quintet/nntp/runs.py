"""Pipelines of a reader, answered together: one look into the store for many articles or groups.

What each answer is, `reader` says; here is only how many of them are made at once.  The answers are made as
they are sent, `AT_ONCE` articles at a time, so that a reader who asks for much and takes little holds little.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from quintet.errors import Problem
from quintet.net import dots
from quintet.net.seam import CHUNK, Replies
from quintet.nntp import reader
from quintet.nntp.fetches import Run
from quintet.nntp.wire import Status
from quintet.store import articles, reading
from quintet.store.articles import Packed
from quintet.store.model import MessageId

if TYPE_CHECKING:
    from quintet.nntp.session import Session

AT_ONCE = 32  # articles of one query: at most 2 MiB, as the largest in a row has 64 KiB
CODES = {"ARTICLE": reader.WHOLE, "HEAD": reader.HEAD, "BODY": reader.BODY, "STAT": reader.STAT}


def answer(session: Session, run: Run) -> Replies:
    """The answers of a run, in its order; RFC 3977 3.5."""
    if run.kind == "groups":
        return _groups(session, run)
    if run.kind == "numbers":
        if session.group is None:
            return [reader.NO_GROUP] * len(run.words)
        return _by_number(session, CODES[run.name], run.words)
    if not session.rights.reads_all or session.service.store.peek(articles.restricted_groups):
        return _one_by_one(session, run)
    return _by_id(session, CODES[run.name], run.words)


def _one_by_one(session: Session, run: Run) -> Iterator[Any]:
    """Each as a command of its own."""
    for word in run.words:
        try:
            if run.kind == "groups":
                replies = reader.enter(session, word)
            else:
                replies = reader.fetch(session, (word,), CODES[run.name])
        except Problem as problem:
            replies = session.problem(problem, None)
        yield from replies


def _groups(session: Session, run: Run) -> Iterator[Any]:
    """RFC 3977 6.1.1 for each; only the last that is there stays selected."""
    found = session.service.catalog.named(run.words) if session.rights.reads_all else None
    if found is None:
        yield from _one_by_one(session, run)
        return
    for word, folder in zip(run.words, found, strict=True):
        if folder is None:
            yield from _one_by_one(session, Run(run.name, run.kind, [word]))
        else:
            session.select(folder)
            yield b"211 %d %d %d %b\r\n" % (folder.messages, folder.low, folder.high, word.encode())


def _by_number(session: Session, code: int, words: list[str]) -> Iterator[Any]:
    assert session.group is not None
    store, folder_id = session.service.store, session.group.id
    for start in range(0, len(words), AT_ONCE):
        numbers = [int(word) for word in words[start : start + AT_ONCE]]
        try:
            found = store.peek(articles.packed, folder_id, numbers, bodies=code != reader.STAT)
        except Problem as problem:
            for _ in numbers:
                yield from session.problem(problem, None)
            continue
        yield from _all(session, [(number, found.get(number)) for number in numbers], code, reader.NO_NUMBER)


def _by_id(session: Session, code: int, words: list[str]) -> Iterator[Any]:
    store = session.service.store
    for start in range(0, len(words), AT_ONCE):
        ids = words[start : start + AT_ONCE]
        try:
            found = store.peek(articles.packed_by_id, ids, bodies=code != reader.STAT)
        except Problem as problem:
            for _ in ids:
                yield from session.problem(problem, None)
            continue
        yield from _all(session, [(0, found.get(one)) for one in ids], code, reader.NO_ARTICLE)


def _all(
    session: Session, found: Iterable[tuple[int, Packed | None]], code: int, missing: Status
) -> Iterator[bytes | Any]:
    """What was found, in its order: number (0 of what was asked for by Message-ID) and article.

    Whole articles that go out as they are stored are put together once, and not piece by piece.
    """
    parts: list[bytes] = []
    held = 0
    for number, one in found:
        if one is None:
            parts.append(missing.line())
            continue
        if number:
            session.current = session.fetched = number
        row, message_id, prefix, dotless, data = one
        if code != reader.WHOLE or data is None or not dotless:
            if parts:
                yield b"".join(parts)
                parts, held = [], 0
            yield from _shown(session, one, number, code)
            continue
        _noted(session, row, message_id)
        end = b".\r\n" if data.endswith(b"\r\n") else dots.END
        parts += (_head(code, number, message_id), prefix, data, end)
        held += len(data)
        if held >= CHUNK:
            yield b"".join(parts)
            parts, held = [], 0
    if parts:
        yield b"".join(parts)


def _head(code: int, number: int, message_id: str) -> bytes:
    return b"%d %d %b\r\n" % (code, number, reader.shown_id(message_id, number).encode())


def _noted(session: Session, row: MessageId, message_id: str) -> None:
    """Who logged in read it."""
    if session.identity is not None:
        session.read.add((row, message_id))
        if len(session.read) >= reading.MOST:
            session.note_read()


def _shown(session: Session, one: Packed, number: int, code: int) -> Iterator[Any]:
    """One article: whole from its row, or as a `Slice` when its bytes are in a file."""
    row, message_id, prefix, dotless, data = one
    head = _head(code, number, message_id)
    if code == reader.STAT:
        yield head
        return
    if data is None:
        article = session.service.store.peek(articles.by_row, row)
        if article is None:  # swept in this moment
            yield reader.NO_NUMBER if number else reader.NO_ARTICLE
        else:
            yield from reader.send(session, article, number, code)
        return
    if code != reader.HEAD:
        _noted(session, row, message_id)
    if code == reader.WHOLE:
        yield head + dots.whole(prefix + data, bool(dotless))
        return
    end = 2 if data.startswith(b"\r\n") else data.find(b"\r\n\r\n") + 4
    if end < 4 and not data.startswith(b"\r\n"):  # no blank line: a header alone, maybe with odd line ends
        article = session.service.store.peek(articles.by_row, row)
        if article is not None:
            yield from reader.send(session, article, number, code)
        return
    part = data[end:] if code == reader.BODY else prefix + data[: end - 2]
    yield head + dots.whole(part, bool(dotless))
