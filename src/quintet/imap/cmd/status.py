"""STATUS (RFC 9051 6.3.11, RFC 7162 3.1.2.2, RFC 7889 3.1, RFC 8438 3, RFC 8474 4.3, RFC 9208 4.1.4)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any

from quintet.imap import format as fmt
from quintet.imap import names, places, updates
from quintet.store import folders

if TYPE_CHECKING:
    from quintet.imap import commands
    from quintet.imap.places import Place
    from quintet.imap.session import Session
    from quintet.net.seam import Input, Replies
    from quintet.store.db import Tx


def status(session: Session, command: commands.Status, _: Input) -> Replies:
    name = names.decode(command.mailbox, utf8=session.utf8)
    if b"HIGHESTMODSEQ" in command.items:
        session.enable((b"CONDSTORE",))  # RFC 7162 3.1
    if b"DELETED-STORAGE" in command.items:
        return _waiting(session, command, name)
    line = session.house.store.peek(_one, session, name, command.items)
    return updates.then(session, line + b"%b OK Done\r\n" % command.tag)


async def _waiting(session: Session, command: commands.Status, name: str) -> AsyncGenerator[Any, None]:
    """What is summed over entries is summed in a thread."""
    yield await session.house.store.read(_one, session, name, command.items)
    for reply in await updates.told(session):
        yield reply
    yield b"%b OK Done\r\n" % command.tag


def _one(tx: Tx, session: Session, name: str, items: tuple[bytes, ...]) -> bytes:
    where = places.get(tx, session.user.account_id, name, "r")
    return line(tx, session, where, items)


def line(tx: Tx, session: Session, where: Place, items: tuple[bytes, ...]) -> bytes:
    """``* STATUS name (MESSAGES 3 ...)``."""
    told = b" ".join([b"%b %b" % (item, ITEMS[item](tx, session, where)) for item in items])
    return b"* STATUS %b (%b)\r\n" % (fmt.mailbox(where.name, utf8=session.utf8), told)


def _unseen(tx: Tx, _: Session, where: Place) -> bytes:
    return b"%d" % places.unseen(tx, where)


def _recent(tx: Tx, session: Session, where: Place) -> bytes:
    """RFC 3501 6.3.10; not a message is fetched for it: numbers above the mark are as good as messages."""
    folder = where.folder
    free = session.house.recents.peek(tx, folder.account_id, folder.id)
    return b"%d" % min(max(folder.uid_next - free, 0), folder.messages)


ITEMS: dict[bytes, Callable[[Tx, Session, Place], bytes]] = {
    b"MESSAGES": lambda _, __, where: b"%d" % where.folder.messages,
    b"UIDNEXT": lambda _, __, where: b"%d" % where.folder.uid_next,
    b"UIDVALIDITY": lambda _, __, where: b"%d" % where.folder.uid_validity,
    b"UNSEEN": _unseen,
    b"DELETED": lambda _, __, where: b"%d" % where.folder.deleted,
    b"SIZE": lambda _, __, where: b"%d" % where.folder.bytes,
    b"RECENT": _recent,
    b"DELETED-STORAGE": lambda tx, _, where: b"%d" % folders.deleted_bytes(tx, where.folder),
    b"HIGHESTMODSEQ": lambda _, __, where: b"%d" % where.folder.highest_modseq,
    b"MAILBOXID": lambda _, __, where: b"(%b)" % where.folder.object_id.encode("ascii"),
    b"APPENDLIMIT": lambda _, session, __: b"%d" % session.house.config.max_message,
}
