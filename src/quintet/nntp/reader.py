"""Groups and articles: GROUP, LISTGROUP, LAST, NEXT, ARTICLE, HEAD, BODY, STAT (RFC 3977 section 6).

Articles are read from the store by number or by Message-ID; what a body's bytes look like on the wire is
the driver's business (`seam.Slice`).
"""

from __future__ import annotations

from array import array
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any

from quintet.errors import BadSyntax, Reason, Refused
from quintet.net import dots
from quintet.net.seam import Input, Replies, Slice
from quintet.nntp import commands
from quintet.nntp.commands import Command
from quintet.nntp.rights import Rights
from quintet.nntp.wire import Status
from quintet.store import access, articles, entries, groups, reading
from quintet.store.articles import Article
from quintet.store.db import Tx
from quintet.store.model import AccountId, Folder

if TYPE_CHECKING:
    from quintet.nntp.session import Session

PEEK_NUMBERS = 500  # entries listed at once; more of them in a thread
PAGE_NUMBERS = 10_000  # numbers of LISTGROUP rendered at once, about 60 KB

NO_GROUP = Status(412, "No newsgroup selected")
NO_CURRENT = Status(420, "Current article number is invalid")
NO_NUMBER = Status(423, "No article with that number")
NO_ARTICLE = Status(430, "No article with that message-id")

WHOLE, HEAD, BODY, STAT = 220, 221, 222, 223  # the codes say what follows


# --- groups -----------------------------------------------------------------------------------


def group(session: Session, command: Command, following: Input) -> Replies:
    """RFC 3977 6.1.1.  A group that is not there leaves the old one selected."""
    return enter(session, command.args[0])


def enter(session: Session, name: str) -> list[Any]:
    """Selects a group; raises as `find`."""
    folder = find(session, name)
    session.select(folder)
    return [_selected(folder)]


def listgroup(session: Session, command: Command, following: Input) -> Replies:
    """RFC 3977 6.1.2."""
    asked = commands.number_range(command.args[1]) if len(command.args) > 1 else commands.Range(1, None)
    if command.args:
        folder = find(session, command.args[0])
    elif session.group is None:
        return [NO_GROUP]
    else:
        folder = find(session, session.group.name)
    session.select(folder)
    low, high = max(asked.low, folder.low), asked.upto(folder.high)
    status = _selected(folder, " list follows")
    if high - low < PEEK_NUMBERS:
        numbers = (
            session.service.store.peek(entries.uids, folder.id, low, high) if low <= high else array("I")
        )
        return [status, _numbers(numbers) + b".\r\n"]
    return _long_list(session, status, folder, low, high)


async def _long_list(
    session: Session, status: Status, folder: Folder, low: int, high: int
) -> AsyncGenerator[Any, None]:
    numbers = await session.service.store.read(entries.uids, folder.id, low, high)
    yield status
    for start in range(0, len(numbers), PAGE_NUMBERS):
        yield _numbers(numbers[start : start + PAGE_NUMBERS])
    yield b".\r\n"


def _numbers(numbers: array[int]) -> bytes:
    return b"".join([b"%d\r\n" % number for number in numbers])


def find(session: Session, name: str) -> Folder:
    """A group that the reader may read.

    Raises:
        Refused(NO_SUCH_FOLDER): it is not there, or not for them to know of.
        Refused(AUTH_REQUIRED | NO_PERMISSION): it is there, and logging in would help, or not.
    """
    folder, letters = session.service.store.peek(_find, name, session.account_id)
    if folder is None or (session.identity is not None and "l" not in letters):
        raise Refused(Reason.NO_SUCH_FOLDER)
    if not session.rights.read(name):  # by rule: it is not there for them, unless they log in
        raise session.no_permission() if session.login_helps("read") else Refused(Reason.NO_SUCH_FOLDER)
    if "r" not in letters:
        raise Refused(Reason.AUTH_REQUIRED if session.identity is None else Reason.NO_PERMISSION)
    return folder


def _find(tx: Tx, name: str, account_id: AccountId | None) -> tuple[Folder | None, str]:
    folder = groups.find(tx, name)
    return (None, "") if folder is None else (folder, access.of_folder(tx, account_id, folder))


def _selected(folder: Folder, more: str = "") -> Status:
    """RFC 3977 6.1.1.2: an empty group has a low water mark one above the high one; never 0 as low."""
    return Status(211, f"{folder.messages} {folder.low} {folder.high} {folder.name}{more}")


# --- walking ----------------------------------------------------------------------------------


def last(session: Session, command: Command, following: Input) -> Replies:
    """RFC 3977 6.1.3."""
    return _step(session, after=False)


def next_(session: Session, command: Command, following: Input) -> Replies:
    """RFC 3977 6.1.4."""
    return _step(session, after=True)


def _step(session: Session, *, after: bool) -> Replies:
    assert session.group is not None
    if not session.current:
        return [NO_CURRENT]
    store, folder_id = session.service.store, session.group.id
    number = store.peek(entries.neighbour, folder_id, session.current, after=after)
    if number is None:
        return [Status(421, "No next article") if after else Status(422, "No previous article")]
    message_id = store.peek(articles.id_of, folder_id, number) or ""
    session.current = number
    return [Status(STAT, f"{number} {shown_id(message_id, number)}")]


# --- articles ---------------------------------------------------------------------------------


def article(session: Session, command: Command, following: Input) -> Replies:
    """RFC 3977 6.2.1."""
    return fetch(session, command.args, WHOLE)


def head(session: Session, command: Command, following: Input) -> Replies:
    """RFC 3977 6.2.2."""
    return fetch(session, command.args, HEAD)


def body(session: Session, command: Command, following: Input) -> Replies:
    """RFC 3977 6.2.3."""
    return fetch(session, command.args, BODY)


def stat(session: Session, command: Command, following: Input) -> Replies:
    """RFC 3977 6.2.4."""
    return fetch(session, command.args, STAT)


def fetch(session: Session, arguments: Sequence[str], code: int) -> list[Any]:
    """The three forms of 6.2.1: by Message-ID (number 0, the current article stays), by number, current."""
    argument = arguments[0] if arguments else ""
    if argument.startswith("<"):
        found = by_id(session, argument)
        if found is None:
            return [NO_ARTICLE]
        return send(session, found, 0, code)
    number = commands.number(argument) if argument else session.current
    if session.group is None:
        return [NO_GROUP]
    if not number and not argument:
        return [NO_CURRENT]
    if code == STAT:
        return _stat(session, number, argument)
    sequential = number == session.fetched + 1
    found = session.service.ahead.get(session.group.id, number, sequential=sequential)
    if found is None:
        return [NO_NUMBER if argument else NO_CURRENT]
    session.current = session.fetched = number
    return send(session, found, number, code)


def _stat(session: Session, number: int, argument: str) -> list[Any]:
    assert session.group is not None
    message_id = session.service.store.peek(articles.id_of, session.group.id, number)
    if message_id is None:
        return [NO_NUMBER if argument else NO_CURRENT]
    session.current = number
    return [Status(STAT, f"{number} {shown_id(message_id, number)}")]


def by_id(session: Session, message_id: str) -> Article | None:
    """The article, if it is in a group that the reader may read.

    Raises:
        BadSyntax: that is no Message-ID.
    """
    if not commands.is_message_id(message_id):
        raise BadSyntax("not a message-id")
    return session.service.store.peek(_by_id, message_id, session.account_id, session.rights)


def _by_id(tx: Tx, message_id: str, account_id: AccountId | None, rights: Rights) -> Article | None:
    found = articles.by_message_id(tx, message_id)
    if found is None:
        return None
    if rights.reads_all:
        places = articles.groups_of(tx, found.message_row)
    else:
        places = [
            place for place, name in articles.named_groups_of(tx, found.message_row) if rights.read(name)
        ]
    restricted = articles.restricted_groups(tx)
    if restricted and not restricted.isdisjoint(places):
        places = [place for place in places if "r" in access.rights(tx, account_id, place)]
    return found if places else None


def send(session: Session, found: Article, number: int, code: int) -> list[Any]:
    """An article or its part, from its row or its file."""
    status = Status(code, f"{number} {shown_id(found.message_id, number)}")
    if code == STAT:
        return [status]
    stored = session.service.store.body(found.body)
    if code != HEAD and session.identity is not None:
        session.read.add((found.message_row, found.message_id))
        if len(session.read) >= reading.MOST:
            session.note_read()
    if code == WHOLE:
        return [status, Slice(stored, 0, stored.size, dotted=True)]
    header = len(found.body.prefix)
    digest = found.digest
    if digest is not None:
        header += digest.header_end
    if code == BODY:
        return [status, Slice(stored, header, stored.size - header, dotted=True)]
    data = stored.small(0, header)
    if data is None:
        blank = 2 if header < stored.size else 0
        return [status, Slice(stored, 0, header - blank, dotted=True)]
    return [status, dots.whole(_without_blank(data), stored.dotless)]


def _without_blank(header: bytes) -> bytes:
    """A header block without the blank line at its end, if it has one."""
    if header.endswith(b"\r\n\r\n") or header == b"\r\n":
        return header[:-2]
    return header[:-1] if header.endswith(b"\n\n") else header


def shown_id(message_id: str, number: int) -> str:
    """A Message-ID for a reply; a message that has none (filed by hand) needs one all the same (3.6)."""
    return message_id or f"<{number}.no-id@quintet.invalid>"
