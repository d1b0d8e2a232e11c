"""GETMETADATA, SETMETADATA (RFC 5464), METADATA of LIST (RFC 9590), special uses as an entry (RFC 6154 4).

``/private`` entries are each reader's own, ``/shared`` ones are for all who may read the mailbox; who
changes those needs the right to write.  Of the server all read ``/shared/admin`` and ``/shared/comment``,
which its configuration has; nobody sets shared ones there.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from typing import TYPE_CHECKING, Any

from quintet.errors import Reason, Refused
from quintet.imap import answers, filters, names, places, recents, tree, updates
from quintet.imap import format as fmt
from quintet.store import annotations as remarks
from quintet.store import folders
from quintet.store.model import FolderKind

if TYPE_CHECKING:
    from quintet.imap import share_commands
    from quintet.imap.places import Place
    from quintet.imap.session import Session
    from quintet.net.seam import Input
    from quintet.store.db import Tx
    from quintet.store.model import AccountId, Folder, FolderId

MAX_BYTES = 1 << 20  # bytes of all values of one kind on one mailbox
_ANY = frozenset("rswip")  # one of these besides "l" (RFC 5464 3.3)
_PRIVATE = "/private/"
_USE = "specialuse"  # RFC 6154 4; to whom the mailbox is not his own it never has a value

Values = dict[str, bytes]


async def get(session: Session, command: share_commands.GetMetadata, _: Input) -> AsyncGenerator[Any, None]:
    name = names.decode(command.mailbox, utf8=session.utf8)
    values = await session.house.store.read(_values, session, name)
    told, longest = chosen(values, command.entries, command.depth, command.max_size)
    if told:
        yield line(session, name, told)
    for reply in await updates.told(session):
        yield reply
    code = b"[METADATA LONGENTRIES %d] " % longest if longest else b""
    yield b"%b OK %bDone\r\n" % (command.tag, code)


def chosen(
    values: Values, entries: Iterable[str], depth: int = 0, max_size: int | None = None
) -> tuple[dict[str, bytes | None], int]:
    """What is told of the entries that were asked for, and the size of the longest one that is too long.

    An entry without a value is told as None where it alone was asked for.
    """
    told: dict[str, bytes | None] = {}
    longest = 0
    for asked in entries:
        if not depth:
            told.setdefault(asked, None)
        for name in values:
            below = name[len(asked) + 1 :] if name.startswith(asked + "/") else None
            if name != asked and (below is None or not depth or (depth == 1 and "/" in below)):
                continue
            if max_size is not None and len(values[name]) > max_size:
                longest = max(longest, len(values[name]))
                told.pop(name, None)
            else:
                told[name] = values[name]
    return told, longest


def line(session: Session, name: str, told: dict[str, bytes | None]) -> bytes:
    """``* METADATA name (entry value ...)``; octets that no string holds travel as a literal8."""
    pairs = [
        b"%b %b" % (fmt.astring(entry.encode("ascii")), fmt.octets(value, utf8=session.utf8))
        for entry, value in told.items()
    ]
    mailbox = fmt.mailbox(name, utf8=session.utf8) if name else b'""'
    return b"* METADATA %b (%b)\r\n" % (mailbox, b" ".join(pairs))


def _values(tx: Tx, session: Session, name: str) -> Values:
    if not name:
        return _of_server(tx, session)
    where = _allowed(places.find(tx, session.user.account_id, name))
    return of_place(tx, session.user.account_id, where)


def _of_server(tx: Tx, session: Session) -> Values:
    me, config = session.user.account_id, session.house.config
    found = {"/shared/admin": config.admin.encode(), "/shared/comment": config.comment.encode()}
    values = {name: value for name, value in found.items() if value}
    own = recents.entries(tx, me, remarks.ON_ACCOUNT, me)
    return values | {_PRIVATE + name: value for name, value in own.items()}


def of_place(tx: Tx, reader: AccountId, where: Place) -> Values:
    """All entries of a mailbox by their whole names."""
    return of_folder(tx, reader, where.folder)


def of_folder(tx: Tx, reader: AccountId, folder: Folder) -> Values:
    """The same; a group's description is its comment."""
    shared = recents.entries(tx, folder.account_id, folder.id, remarks.SHARED)
    if folder.kind == FolderKind.GROUP and folder.description:
        shared.setdefault("comment", folder.description.encode())
    own = recents.entries(tx, folder.account_id, folder.id, reader)
    own.pop(_USE, None)  # kept as any other by servers before this one
    if use := tree.use_of(folder, reader):
        own[_USE] = use
    values = {f"/shared/{name}": value for name, value in shared.items()}
    return values | {_PRIVATE + name: value for name, value in own.items()}


def of_listed(tx: Tx, session: Session, where: Place, entries: Iterable[str]) -> bytes:
    """The line that follows a LIST (RFC 9590 3)."""
    told, _ = chosen(of_place(tx, session.user.account_id, where), entries)
    return line(session, where.name, told)


def may(where: Place) -> bool:
    """RFC 5464 3.3."""
    return where.may("l") and bool(_ANY & set(where.rights))


def _allowed(found: Place | None) -> Place:
    where = places.allowed(found, "l")
    if not may(where):
        raise Refused(Reason.NO_PERMISSION)
    return where


async def change(
    session: Session, command: share_commands.SetMetadata, _: Input
) -> AsyncGenerator[Any, None]:
    name = names.decode(command.mailbox, utf8=session.utf8)
    limit = session.house.config.max_metadata
    if any(value is not None and len(value) > limit for _, value in command.values):
        raise answers.Coded(b"METADATA MAXSIZE %d" % limit, Reason.TOO_BIG, "value is too long")
    for entry, value in command.values if not name else ():
        filters.check(entry, value)
    await session.house.store.write(_change, session, name, command.values)
    if session.notices is not None:  # RFC 5465 5: who does it need not be told
        session.house.store.peek(_noted, session, name, [entry for entry, _ in command.values])
    for reply in await updates.told(session):
        yield reply
    yield b"%b OK Done\r\n" % command.tag


def _noted(tx: Tx, session: Session, name: str, entries: Iterable[str]) -> None:
    where = places.find(tx, session.user.account_id, name) if name else None
    if session.notices is not None and (where is not None or not name):
        session.notices.remarked(tx, where.folder if where is not None else None, entries)


def _give_use(tx: Tx, me: AccountId, folder: Folder, value: bytes | None) -> None:
    """RFC 6154 4: what CREATE may give; the folder that had the use loses it."""
    words = (value or b"").split()
    roles = [tree.GIVEN.get(word.upper(), "") for word in words]
    mine = folder.account_id == me and folder.kind == FolderKind.MAIL
    free = not folder.role or folder.role in tree.GIVEN.values()  # INBOX and some others are what they are
    if "" in roles or len(roles) > 1 or not (mine and free):
        raise answers.no_use()
    role = roles[0] if roles else ""
    if role != folder.role:
        folders.set_role(tx, folder.id, role)


def _change(tx: Tx, session: Session, name: str, values: tuple[tuple[str, bytes | None], ...]) -> None:
    """All of them or none (RFC 5464 4.3)."""
    me = session.user.account_id
    shared = any(not entry.startswith(_PRIVATE) for entry, _ in values)
    owner: AccountId = me
    folder_id: FolderId = remarks.ON_ACCOUNT
    folder: Folder | None = None
    if not name:
        if shared:
            raise Refused(Reason.NO_PERMISSION, "shared entries of the server are set by its configuration")
    else:
        where = _allowed(places.find(tx, me, name))
        if shared and not where.may("w"):
            raise Refused(Reason.NO_PERMISSION)
        folder = where.folder
        owner, folder_id = folder.account_id, folder.id
    kinds = set()
    for entry, value in values:
        if folder is not None and entry == _PRIVATE + _USE:
            _give_use(tx, me, folder, value)
            continue
        reader = me if entry.startswith(_PRIVATE) else remarks.SHARED
        note = entry.split("/", 2)[2]
        if note.startswith(recents.OURS):
            raise Refused(Reason.NO_PERMISSION, "this entry belongs to the server")
        kinds.add(reader)
        remarks.put(tx, owner, folder_id, reader, note, value)
    for reader in kinds:
        count, size = remarks.room(tx, owner, folder_id, reader)
        if count > session.house.config.max_metadata_entries or size > MAX_BYTES:
            raise answers.Coded(b"METADATA TOOMANY", Reason.TOO_MANY, "too many entries")
