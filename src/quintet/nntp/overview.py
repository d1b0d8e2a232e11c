"""Overviews and single header fields: OVER, XOVER, HDR, XHDR, XPAT.

Lines of a range come ready from `chunks`; fields that no overview holds are read from the digests.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from quintet.errors import BadSyntax, Reason, Refused
from quintet.message.digest import Digest
from quintet.net.seam import Input, Replies
from quintet.nntp import commands, reader
from quintet.nntp.commands import Command, Range
from quintet.nntp.replies import END
from quintet.nntp.wire import Status
from quintet.policy.wildmat import header_wildmat
from quintet.store import articles, groups
from quintet.store.articles import Facts
from quintet.store.model import Folder
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.nntp.session import Session

PAGE = 200  # articles whose header is read in one turn

# where an overview line holds a field (RFC 3977 8.4): the number is column 0
COLUMNS = {
    "subject": 1,
    "from": 2,
    "date": 3,
    "message-id": 4,
    "references": 5,
    ":bytes": 6,
    ":lines": 7,
}
# fields taken from overview lines; of References those have only some (`message.render`)
READY = frozenset((*COLUMNS, "xref")) - {"references"}
_OLD_NAMES = {"bytes": ":bytes", "lines": ":lines"}  # what XHDR calls metadata
_BLANKS = bytes.maketrans(b"\t\r\n\0", b"    ")
_FIELD_NAME = re.compile(r"[!-9;-~]+")


@dataclass(frozen=True, slots=True)
class Form:
    """How a command says its findings."""

    code: int
    text: str
    empty: Status | None  # for a range with nothing in it; None: an empty list
    missing: bytes | None = b""  # stands for a field that an article has not; None: no line


OVER = Form(224, "Overview information follows", Status(423, "No articles in that range"))
XOVER = Form(224, "Overview information follows", None)  # RFC 2980 says 420; readers rely on an empty 224
HDR = Form(225, "Header information follows", Status(423, "No articles in that range"))
XHDR = Form(221, "Header information follows", None, b"(none)")
XPAT = Form(221, "Header information follows", None, None)


# --- OVER ---------------------------------------------------------------------------------------


def over(session: Session, command: Command, following: Input) -> Replies:
    """RFC 3977 8.3, the Message-ID form too."""
    if command.args and command.args[0].startswith("<"):
        found = reader.by_id(session, command.args[0])
        line = None if found is None else session.service.store.peek(groups.overview_of, found.message_row)
        if line is None:
            return [reader.NO_ARTICLE]
        return [Status(OVER.code, OVER.text), line, END]
    return _over(session, command, OVER)


def xover(session: Session, command: Command, following: Input) -> Replies:
    """RFC 2980 2.8."""
    return _over(session, command, XOVER)


def _over(session: Session, command: Command, form: Form) -> Replies:
    asked = _asked(session, command.args[0] if command.args else "")
    if isinstance(asked, Status):
        return [asked]
    folder, facts, low, high = asked
    if low > high:
        return _nothing(command, form)
    status = Status(form.code, form.text)
    pieces = session.service.overviews.at_once(folder.id, facts, low, high)
    if pieces is not None:
        return [status, *pieces, END] if pieces else _nothing(command, form)
    pages = session.service.overviews.pages(folder.id, facts, low, high)
    return _stream(pages, status, _nothing(command, form))


def _nothing(command: Command, form: Form) -> list[Any]:
    if not command.args or command.args[-1:] == ("",):
        return [reader.NO_CURRENT]
    return [form.empty] if form.empty is not None else [Status(form.code, form.text), END]


async def _stream(
    pages: AsyncIterator[bytes], status: Status, nothing: list[Any]
) -> AsyncGenerator[Any, None]:
    """The status only when there is something to tell, then page by page."""
    began = False
    assert isinstance(pages, AsyncGenerator)
    async with aclosing(pages) as source:
        async for page in source:
            if not began:
                began = True
                yield status
            yield page
    if began:
        yield END
        return
    for reply in nothing:
        yield reply


def _asked(session: Session, text: str) -> Status | tuple[Folder, Facts, int, int]:
    """The selected group and the numbers meant: a range, or the current article without one.

    A reversed range is no error but empty (RFC 3977 8.3.2).  Raises BadSyntax, Refused(NO_SUCH_FOLDER).
    """
    wanted = commands.number_range(text) if text else None
    folder = session.group
    if folder is None:
        return reader.NO_GROUP
    facts = session.service.store.peek(articles.facts, folder.id)
    if facts is None:
        raise Refused(Reason.NO_SUCH_FOLDER)
    if wanted is None:
        if not session.current:
            return reader.NO_CURRENT
        wanted = Range(session.current, session.current)
    return folder, facts, max(wanted.low, facts.low, 1), wanted.upto(facts.uid_next - 1)


# --- single fields ------------------------------------------------------------------------------


def hdr(session: Session, command: Command, following: Input) -> Replies:
    """RFC 3977 8.5."""
    return _fields(session, command, HDR, _field_name(command.args[0], metadata=True))


def xhdr(session: Session, command: Command, following: Input) -> Replies:
    """RFC 2980 2.6: by Message-ID it answers with the id where a number would stand."""
    return _fields(session, command, XHDR, _field_name(command.args[0], metadata=False))


def xpat(session: Session, command: Command, following: Input) -> Replies:
    """RFC 2980 2.9: several patterns are one, with a space between them; case does not matter."""
    matches = header_wildmat(" ".join(command.args[2:]))

    def keep(value: bytes) -> bool:
        return matches(value.decode("utf-8", "replace"))

    name = _field_name(command.args[0], metadata=False)
    return _fields(session, Command(command.name, command.args[:2]), XPAT, name, keep)


def _field_name(text: str, *, metadata: bool) -> str:
    """Raises BadSyntax; Refused(UNSUPPORTED) for metadata that we do not keep (RFC 3977 8.5.2: 503)."""
    name = text.lower()
    if name.startswith(":"):
        if name not in COLUMNS:
            raise Refused(Reason.UNSUPPORTED, f"No metadata item {text}")
        return name
    name = name.removesuffix(":")  # some readers copy it from OVERVIEW.FMT
    if not _FIELD_NAME.fullmatch(name):
        raise BadSyntax("not the name of a header field")
    return name if metadata else _OLD_NAMES.get(name, name)


def _fields(
    session: Session,
    command: Command,
    form: Form,
    name: str,
    keep: Callable[[bytes], bool] | None = None,
) -> Replies:
    argument = command.args[1] if len(command.args) > 1 else ""
    write = _Writer(form, keep)
    status = Status(form.code, form.text)
    if argument.startswith("<"):
        value = _of_article(session, argument, name)
        if value is _GONE:
            return [reader.NO_ARTICLE]
        who = b"0" if form is HDR else argument.encode()
        return [status, write.line(who, value), END]
    asked = _asked(session, argument)
    if isinstance(asked, Status):
        return [asked]
    folder, facts, low, high = asked
    nothing = _nothing(Command(command.name, (argument,)), form)
    if low > high:
        return nothing
    if name in READY:
        pieces = session.service.overviews.at_once(folder.id, facts, low, high)
        if pieces is not None:
            return [status, *[write.lines(_columns(one, name)) for one in pieces], END] if pieces else nothing
        return _stream(_column_pages(session, folder, facts, low, high, name, write), status, nothing)
    return _stream(_header_pages(session, folder, low, high, name, write), status, nothing)


class _Writer:
    """Turns numbers and values into lines; values are one line each and may begin with anything."""

    __slots__ = ("_form", "_keep")

    def __init__(self, form: Form, keep: Callable[[bytes], bool] | None) -> None:
        self._form, self._keep = form, keep

    def line(self, who: bytes, value: bytes | None) -> bytes:
        if value is None:
            value = self._form.missing
        if value is None or (self._keep is not None and not self._keep(value)):
            return b""
        return b"%b %b\r\n" % (who, value)

    def lines(self, rows: Iterable[tuple[bytes, bytes | None]]) -> bytes:
        return b"".join([self.line(who, value) for who, value in rows])


async def _column_pages(
    session: Session, folder: Folder, facts: Facts, low: int, high: int, name: str, write: _Writer
) -> AsyncGenerator[bytes, None]:
    pages = session.service.overviews.pages(folder.id, facts, low, high)
    assert isinstance(pages, AsyncGenerator)
    async with aclosing(pages) as source:
        async for page in source:
            yield write.lines(_columns(page, name))


def _columns(page: bytes, name: str) -> list[tuple[bytes, bytes | None]]:
    """(number, value) of each line; an empty column is a field that is missing."""
    rows = [line.split(b"\t") for line in page.split(b"\r\n")[:-1]]
    if name == "xref":
        return [(row[0], row[8].removeprefix(b"Xref: ") if len(row) > 8 else None) for row in rows]
    column = COLUMNS[name]
    return [(row[0], row[column] or None) for row in rows]


async def _header_pages(
    session: Session, folder: Folder, low: int, high: int, name: str, write: _Writer
) -> AsyncGenerator[bytes, None]:
    """Fields that lie in no overview, a page of articles at a time."""
    while low <= high:
        rows = await session.service.store.read(_read_fields, folder, low, high, name)
        if rows:
            yield write.lines([(b"%d" % number, value) for number, value in rows])
        if len(rows) < PAGE:
            return
        low = rows[-1][0] + 1


def _read_fields(tx: Any, folder: Folder, low: int, high: int, name: str) -> list[tuple[int, bytes | None]]:
    rows = articles.headers(tx, folder.id, low, high, PAGE)
    return [(number, _value(prefix, digest, name)) for number, prefix, digest in rows]


def _value(prefix: bytes, digest: Digest | None, name: str) -> bytes | None:
    """A field's first value on one line; what we put before the content (Path, Xref) counts first."""
    wanted = name.encode() + b":"
    for line in prefix.split(b"\r\n"):
        if line[: len(wanted)].lower() == wanted:
            return line[len(wanted) :].strip().translate(_BLANKS)
    value = None if digest is None else digest.header(name)
    return None if value is None else value.translate(_BLANKS)


_GONE = b"\0gone"  # no value can hold NUL


def _of_article(session: Session, message_id: str, name: str) -> bytes | None:
    found = reader.by_id(session, message_id)
    if found is None:
        return _GONE
    if name in READY and name != "xref":
        line = session.service.store.peek(groups.overview_of, found.message_row)
        return _GONE if line is None else _columns(line, name)[0][1]
    return _value(found.body.prefix, found.digest, name)
