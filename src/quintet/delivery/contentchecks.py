"""What is looked for in messages: `[policy.content]`, by the rules of Postfix's header_checks(5).

A field is matched as a whole, with its folds; a line of the body as it travels.  Of a message that is changed
another body is made.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, BinaryIO

from quintet.delivery import acting, weighing
from quintet.delivery.checks import Check, Later
from quintet.delivery.watched import Watched
from quintet.errors import Reason, TryLater
from quintet.policy import acts, patterns
from quintet.policy.accesstable import filled
from quintet.policy.acts import Act, Do
from quintet.policy.patterns import Patterns
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.clock import Clock
    from quintet.config.access import Content as Config
    from quintet.delivery.inbound import Passage
    from quintet.store.content import Content

MAX_FIELD = 16 * 1024  # octets of one field that are matched: of 64 KiB, \s*y takes a second to be cut off
MAX_LINE = 2048  # octets of one line of the body, as Postfix has them
MAX_PARTS = 1000  # parts that are looked at; who makes more hides nothing from a mail program
MAX_EDITS = 10_000
A_TURN = 200  # lines after which others have theirs

_FIELD = re.compile(rb"^[^\s:]+[ \t]*:.*?(?:\n(?![ \t])|\Z)", re.DOTALL | re.MULTILINE)
_LINE = re.compile(rb"[^\n]*\n|[^\n]+\Z")
_MIME = (b"content-", b"mime-version")

Table = Patterns[Act]
Edit = tuple[int, int, bytes]  # where it begins and ends, what stands there instead


def read(text: str) -> Table:
    """The source of a table.  Raises ValueError: the line and what is wrong with it."""
    return patterns.of(list(patterns.logical(text)), lambda said: acts.parse(said, of_text=True))


@dataclass(frozen=True, slots=True)
class _Tables:
    header: Table
    mime: Table
    nested: Table
    body: Table


class ContentChecks(Check):
    """One a process."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._config, self._only = config, frozenset(config.only)

        def table(name: str, other: Watched[Table] | None = None) -> Watched[Table] | None:
            file = getattr(config, name)
            return Watched(file, clock, read, f"table policy.content.{name}") if file else other

        self._header = table("header_checks")
        self._mime = table("mime_header_checks", self._header)
        self._nested = table("nested_header_checks", self._header)
        self._body = table("body_checks")

    def message(self, passage: Passage) -> Later:
        """See `Check`.  Awaited, raises Refused; TryLater also where a table was never read."""
        if self._only and passage.envelope.peer.listener not in self._only:
            return None
        return self._look(passage)

    async def _look(self, passage: Passage) -> None:
        none = Patterns[Act]()
        tables = _Tables(
            *(
                none if one is None else one.get()
                for one in (self._header, self._mime, self._nested, self._body)
            )
        )
        content, edits = passage.content, list[Edit]()
        limit = self._config.body_limit if tables.body else 0
        turn = 0
        for start, data, table, name in _stretches(content, tables, limit):
            field = name != "body_checks"
            for text in (_FIELD if field else _LINE).finditer(data):
                found = self._of(table, tables, field, text[0])
                where = start + text.start(), start + text.end()
                if found is not None and self._take(passage, found, name, where, edits):
                    return
                turn += 1
                if turn % A_TURN == 0:
                    await asyncio.sleep(0)
        if edits:
            passage.content = await _edited(passage, content, edits)

    @staticmethod
    def _of(table: Table, tables: _Tables, field: bool, text: bytes) -> Act | None:
        if field and text[:12].lower().startswith(_MIME):
            table = tables.mime
        shown = text[: MAX_FIELD if field else MAX_LINE].decode("utf-8", "replace")
        found = table.find(shown.replace("\r\n", "\n").rstrip("\n"))
        return None if found is None else filled(found.result, found)

    @staticmethod
    def _take(passage: Passage, act: Act, name: str, where: tuple[int, int], edits: list[Edit]) -> bool:
        """Notes what a line says; True: nothing more is looked for."""
        if acting.take(act, passage.envelope, passage.verdict, name):
            return True
        if len(edits) < MAX_EDITS:
            if act.do in (Do.IGNORE, Do.STRIP):
                edits.append((*where, b""))
            elif act.do is Do.REPLACE:
                text = act.text.replace("\r", " ").replace("\n", "\r\n ")
                edits.append((*where, text.encode("utf-8", "replace") + b"\r\n"))
        return False


def _stretches(content: Content, tables: _Tables, limit: int) -> Iterator[tuple[int, bytes, Table, str]]:
    """Pieces of a message that a table is for: where each begins, the table, its name."""
    with _Reader(content) as reader:
        end = content.header_end
        if tables.header or tables.mime:
            yield 0, reader.range(0, end), tables.header, "header_checks"
        if not (tables.mime or tables.nested or limit):
            return
        todo, seen = [(content.digest.root, False)], 0
        while todo and seen < MAX_PARTS:
            part, inside = todo.pop()
            seen += 1
            if inside and tables.mime:
                header = reader.range(part.header_start, part.body_start)
                yield part.header_start, header, tables.mime, "mime_header_checks"
            if part.message is not None:
                body = part.message.body
                if tables.nested or tables.mime:
                    header = reader.range(body.header_start, body.body_start)
                    yield body.header_start, header, tables.nested, "nested_header_checks"
                todo.append((body, False))
            elif part.children:
                todo.extend((each, True) for each in reversed(part.children))
            elif limit:
                stop = min(part.end, part.body_start + limit)
                yield part.body_start, reader.range(part.body_start, stop), tables.body, "body_checks"


class _Reader:
    """The octets of a message that has just come."""

    def __init__(self, content: Content) -> None:
        self._data = content.data
        self._file: BinaryIO | None = None
        if self._data is None:
            assert content.path is not None
            try:
                self._file = content.path.open("rb")
            except OSError as error:
                raise TryLater(Reason.STORAGE) from error

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def range(self, start: int, end: int) -> bytes:
        if self._data is not None:
            return self._data[start:end]
        assert self._file is not None
        try:
            self._file.seek(start)
            return self._file.read(max(end - start, 0))
        except OSError as error:
            raise TryLater(Reason.STORAGE) from error


async def _edited(passage: Passage, content: Content, edits: list[Edit]) -> Content:
    """The message with other lines.  Raises TryLater(DISK_FULL, STORAGE)."""
    spool = passage.inbound.store.spool()
    try:
        async for piece in _pieces(content, sorted(edits)):
            spool.write(piece)
        return await spool.finish()
    finally:
        spool.discard()


async def _pieces(content: Content, edits: list[Edit]) -> AsyncIterator[bytes]:
    """``edits`` in order; none of them overlap."""
    at = done = number = 0  # where the piece begins; octets that are dealt with
    async for piece in weighing.pieces(content):
        end = at + len(piece)
        while done < end:
            if number < len(edits) and edits[number][0] <= done:
                _, done, text = edits[number]
                number += 1
                yield text
                continue
            stop = min(end, edits[number][0]) if number < len(edits) else end
            yield piece[done - at : stop - at]
            done = stop
        at = end
