"""GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208).

An account is the quota root ``#user/NAME`` of all its mailboxes, a newsgroup that of itself,
``#group/NAME``.  STORAGE and MESSAGE are what an administrator set; MAILBOX is the same for all,
ANNOTATION-STORAGE too where no other is set.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from quintet.errors import BadSyntax, Reason, Refused
from quintet.imap import format as fmt
from quintet.imap import names, places, updates
from quintet.store import access, accounts, folders, groups
from quintet.store.model import Account, FolderKind

if TYPE_CHECKING:
    from quintet.imap import share_commands
    from quintet.imap.session import Session
    from quintet.net.seam import Input
    from quintet.store.db import Tx
    from quintet.store.model import Folder

USER = "#user/"
GROUP = "#group/"
UNIT = 1024  # bytes; RFC 9208 5.1
MAX_LIMIT = (1 << 63) // UNIT - 1  # of STORAGE, so that its bytes are a number of 63 bits
_SETTABLE = frozenset((b"STORAGE", b"MESSAGE", b"ANNOTATION-STORAGE"))


async def get(session: Session, command: share_commands.GetQuota, _: Input) -> AsyncGenerator[Any, None]:
    line = await session.house.store.read(_get, session, _root(command.root))
    for reply in await _end(session, line, command.tag):
        yield reply


async def get_root(
    session: Session, command: share_commands.GetQuotaRoot, _: Input
) -> AsyncGenerator[Any, None]:
    name = names.decode(command.mailbox, utf8=session.utf8)
    lines = await session.house.store.read(_get_root, session, name)
    for reply in await _end(session, lines, command.tag):
        yield reply


async def change(session: Session, command: share_commands.SetQuota, _: Input) -> AsyncGenerator[Any, None]:
    line = await session.house.store.write(_change, session, _root(command.root), dict(command.limits))
    for reply in await _end(session, line, command.tag):
        yield reply


async def _end(session: Session, lines: bytes, tag: bytes) -> list[Any]:
    return [lines, *await updates.told(session), b"%b OK Done\r\n" % tag]


def _root(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadSyntax("quota root is not UTF-8") from error


def _of(tx: Tx, root: str) -> Account | Folder:
    """Raises Refused(NO_SUCH_ACCOUNT): there is no such root."""
    found: Account | Folder | None = None
    if root.startswith(USER):
        found = accounts.find(tx, root.removeprefix(USER))
    elif root.startswith(GROUP):
        found = groups.find(tx, root.removeprefix(GROUP))
    if found is None:
        raise Refused(Reason.NO_SUCH_ACCOUNT, "no such quota root")
    return found


def _is_admin(session: Session) -> bool:
    return session.user.name.lower() in {name.lower() for name in session.house.config.quota_admins}


def _get(tx: Tx, session: Session, root: str) -> bytes:
    """Deviates: RFC 9208 6 lets everybody ask; we tell how full others are only to who reads there."""
    try:
        found = _of(tx, root)
    except Refused:
        found = None
    me = session.user.account_id
    if found is None:
        may = False
    elif _is_admin(session):
        may = True
    elif isinstance(found, Account):
        may = found.id == me or any(
            folders.get(tx, number).account_id == found.id and "r" in access.rights(tx, me, number)
            for number in access.shared_with(tx, me)
        )
    else:
        may = "r" in access.of_folder(tx, me, found)
    if found is None or not may:
        raise Refused(Reason.NO_SUCH_ACCOUNT, "no such quota root")  # the same for both
    return _line(tx, session, root, found)


def _get_root(tx: Tx, session: Session, name: str) -> bytes:
    """RFC 9208 4.1.2: also of a mailbox of one's own that is not there yet."""
    where = places.find(tx, session.user.account_id, name)
    if where is not None or name.startswith(names.RESERVED):
        where = places.allowed(where, "r")
    found: Account | Folder
    if where is not None and where.folder.kind == FolderKind.GROUP:
        root, found = GROUP + where.folder.name, where.folder
    else:
        owner = where.folder.account_id if where is not None else session.user.account_id
        found = accounts.get(tx, owner)
        root = USER + found.name
    mailbox = fmt.mailbox(name, utf8=session.utf8)
    head = b"* QUOTAROOT %b %b\r\n" % (mailbox, fmt.string(root.encode(), utf8=session.utf8))
    return head + _line(tx, session, root, found)


def _line(tx: Tx, session: Session, root: str, found: Account | Folder) -> bytes:
    """``* QUOTA root (...)``: what is limited, with its use (RFC 9208 4.2.1)."""
    if isinstance(found, Account):
        used_bytes, used_messages = found.used_bytes, found.used_messages
    else:
        used_bytes, used_messages = found.bytes, found.messages
    told = []
    if found.quota_bytes:
        told.append(b"STORAGE %d %d" % (-(-used_bytes // UNIT), -(-found.quota_bytes // UNIT)))
    if found.quota_messages:
        told.append(b"MESSAGE %d %d" % (used_messages, found.quota_messages))
    if isinstance(found, Account):
        config = session.house.config
        told.append(b"MAILBOX %d %d" % (folders.count(tx, found.id), config.max_folders))
        # Deviates: RFC 9208 5.4 counts all in a root's mailboxes; private annotations count for their reader
        # instead, who would otherwise fill the room of somebody else
        room = found.quota_remarks or config.annotation_room
        told.append(b"ANNOTATION-STORAGE %d %d" % (-(-found.used_remarks // UNIT), room // UNIT))
    return b"* QUOTA %b (%b)\r\n" % (fmt.string(root.encode(), utf8=session.utf8), b" ".join(told))


def _change(tx: Tx, session: Session, root: str, limits: dict[bytes, int]) -> bytes:
    """RFC 9208 4.1.3: what is not named is not limited any more."""
    if not _is_admin(session):
        raise Refused(Reason.NO_PERMISSION)
    found = _of(tx, root)
    if not _SETTABLE.issuperset(limits):
        raise Refused(Reason.UNSUPPORTED, "only STORAGE, MESSAGE and ANNOTATION-STORAGE can be set")
    if any(not 0 < limit <= MAX_LIMIT for limit in limits.values()):
        raise Refused(Reason.UNSUPPORTED, "this limit cannot be set")
    room, most = limits.get(b"STORAGE", 0) * UNIT, limits.get(b"MESSAGE", 0)
    remarks = limits.get(b"ANNOTATION-STORAGE", 0) * UNIT
    changed: Account | Folder
    if isinstance(found, Account):
        changed = accounts.change(tx, found.id, quota_bytes=room, quota_messages=most, quota_remarks=remarks)
    elif remarks:
        raise Refused(Reason.UNSUPPORTED, "annotations in groups are their readers' own")
    else:
        changed = groups.change(tx, found.id, quota_bytes=room, quota_messages=most)
    return _line(tx, session, root, changed)
