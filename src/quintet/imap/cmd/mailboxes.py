"""CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 9051 6.3.4 to 6.3.8, RFC 6154 3)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from quintet.errors import Reason, Refused
from quintet.imap import answers, names, places, referrals, tree, updates
from quintet.imap import format as fmt
from quintet.imap.cmd import listing
from quintet.store import folders

if TYPE_CHECKING:
    from quintet.imap import commands
    from quintet.imap.session import Session
    from quintet.net.seam import Input
    from quintet.store.db import Tx
    from quintet.store.model import AccountId, FolderId


async def create(session: Session, command: commands.Create, _: Input) -> AsyncGenerator[Any, None]:
    name = names.check(names.decode(command.mailbox, utf8=session.utf8))
    roles = [tree.GIVEN.get(use.upper(), "") for use in command.use]
    if "" in roles or len(roles) > 1:
        raise answers.no_use()
    role = roles[0] if roles else ""
    limit = session.house.config.max_folders
    object_id = await session.house.store.write(_create, session.user.account_id, name, role, limit)
    _did(session, name)
    for reply in await updates.told(session):
        yield reply
    if session.rev2:
        yield fmt.normalized(command.mailbox, name)
    yield b"%b OK [MAILBOXID (%b)] Created\r\n" % (command.tag, object_id.encode("ascii"))


def _did(session: Session, *touched: str) -> None:
    """RFC 5465 5: who does it need not be told."""
    if session.notices is not None:
        session.house.store.peek(session.notices.did, *touched)


def _create(tx: Tx, account_id: AccountId, name: str, role: str, limit: int) -> str:
    if names.is_inbox(name):
        raise Refused(Reason.ALREADY_EXISTS, "INBOX is there always")
    owner, rest = _owner(tx, account_id, name, "k")
    if folders.find(tx, owner, rest) is None and not folders.room(tx, owner, rest, limit):
        raise Refused(Reason.TOO_MANY, "too many mailboxes")
    if role and (owner != account_id or folders.by_role(tx, owner, role) is not None):
        raise answers.no_use()  # one folder a role, and only of one's own
    return folders.create(tx, owner, rest, role=role).object_id


def _owner(tx: Tx, account_id: AccountId, name: str, right: str) -> tuple[AccountId, str]:
    """Whose folder ``name`` would be, and its name there; others' need ``right`` on what is above it.

    RFC 4314 4: the nearest mailbox above that is there.
    """
    if name.startswith(names.GROUPS) or name + "/" in names.RESERVED:
        raise Refused(Reason.NO_PERMISSION, "this name belongs to the server")
    if not name.startswith(names.RESERVED):
        return account_id, name
    owner, rest = places.owner_of(tx, name)
    if owner is not None and owner.id == account_id:
        return account_id, rest
    if owner is None:
        raise Refused(Reason.NO_SUCH_FOLDER, "no such mailbox")
    above = next((one for one in tree.above(rest) if folders.number(tx, owner.id, one) is not None), "")
    where = places.get(tx, account_id, f"{name.removesuffix(rest)}{above}", right)
    return where.folder.account_id, rest


async def delete(session: Session, command: commands.Delete, _: Input) -> AsyncGenerator[Any, None]:
    name = names.decode(command.mailbox, utf8=session.utf8)
    if names.is_inbox(name):
        raise Refused(Reason.UNSUPPORTED, "INBOX cannot be deleted")  # RFC 9051 6.3.5
    gone = await session.house.store.write(_delete, session.user.account_id, name)
    _did(session, name)
    if session.selected is not None and session.selected.folder_id == gone:
        session.leave()
        yield b"* OK [CLOSED] The selected mailbox was deleted\r\n"
    for reply in await updates.told(session):
        yield reply
    if session.rev2:
        yield fmt.normalized(command.mailbox, name, b"\\NonExistent")
    yield b"%b OK Deleted\r\n" % command.tag


def _delete(tx: Tx, account_id: AccountId, name: str) -> FolderId:
    where = places.get(tx, account_id, name, "x")
    if where.folder.kind != "mail" or names.is_inbox(where.folder.name):
        raise Refused(Reason.NO_PERMISSION)
    folders.remove(tx, where.folder.id)
    return where.folder.id


async def rename(session: Session, command: commands.Rename, _: Input) -> AsyncGenerator[Any, None]:
    source = names.decode(command.source, utf8=session.utf8)
    target = names.check(names.decode(command.target, utf8=session.utf8))
    if names.is_inbox(target):
        raise Refused(Reason.ALREADY_EXISTS, "INBOX is there always")
    limit = session.house.config.max_folders
    await session.house.store.write(_rename, session.user.account_id, source, target, limit)
    _did(session, source, target)
    for reply in await updates.told(session):
        yield reply
    if session.rev2 and any(
        fmt.normalized(raw, name) for raw, name in ((command.source, source), (command.target, target))
    ):
        yield fmt.normalized(command.source, target)
    yield b"%b OK Renamed\r\n" % command.tag


def _rename(tx: Tx, account_id: AccountId, source: str, target: str, limit: int) -> None:
    where = places.get(tx, account_id, source, "x")
    if where.folder.kind != "mail":
        raise Refused(Reason.NO_PERMISSION)
    owner, name = _owner(tx, account_id, target, "k")
    if owner != where.folder.account_id:
        raise Refused(Reason.UNSUPPORTED, "a mailbox cannot change its owner")
    if name.startswith(where.folder.name + "/") and not names.is_inbox(where.folder.name):
        raise Refused(Reason.BAD_NAME, "a mailbox cannot go below itself")
    if "/" in name and not folders.room(tx, owner, name.rpartition("/")[0], limit):
        raise Refused(Reason.TOO_MANY, "too many mailboxes")  # what lies above the new name is made
    folders.rename(tx, where.folder.id, name)


async def subscribe(session: Session, command: commands.Subscribe, _: Input) -> AsyncGenerator[Any, None]:
    """Names, not mailboxes: UNSUBSCRIBE takes one that is gone; SUBSCRIBE wants it there (RFC 9051 6.3.7)."""
    name = names.decode(command.mailbox, utf8=session.utf8).removesuffix("/")
    must_be = command.wanted and not referrals.hosts_of(listing.remote(session), name)
    await session.house.store.write(_subscribe, session.user.account_id, name, command.wanted, must_be)
    _did(session, name)
    yield b"%b OK Done\r\n" % command.tag


def _subscribe(tx: Tx, account_id: AccountId, name: str, wanted: bool, must_be: bool) -> None:
    if not wanted:
        folders.unsubscribe(tx, account_id, name)
        return
    if must_be:
        places.get(tx, account_id, name)
    folders.subscribe(tx, account_id, name)
