"""CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 9051 6.3.4 to 6.3.8, RFC 6154 3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from quintet.errors import Reason, Refused
from quintet.imap import answers, names, places, referrals, tree, updates
from quintet.imap import format as fmt
from quintet.imap.cmd import listing
from quintet.imap.pace import Pace
from quintet.imap.progress import Progress
from quintet.store import emptying, folders

if TYPE_CHECKING:
    from quintet.imap import commands
    from quintet.imap.session import Session
    from quintet.net.seam import Input
    from quintet.store.db import Tx
    from quintet.store.model import AccountId, Folder, FolderId

WHOLE = 1000  # messages of a mailbox that go with it in one transaction: 14 ms or so where they move


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
    write, account = session.house.store.write, session.user.account_id
    large = await session.house.store.read(_large, account, name)
    if large is not None:
        emptied = Emptied(session, command.tag, large.messages, emptying.drain, large.id)
        emptied.end = _delete, account, name, large.id
        async with aclosing(emptied.run()) as news:
            async for reply in news:
                yield reply
    gone = await write(_delete, account, name, None if large is None else large.id)
    _did(session, name)
    if session.selected is not None and session.selected.folder_id == gone:
        session.leave()
        yield b"* OK [CLOSED] The selected mailbox was deleted\r\n"
    for reply in await updates.told(session):
        yield reply
    if session.rev2:
        yield fmt.normalized(command.mailbox, name, b"\\NonExistent")
    yield b"%b OK Deleted\r\n" % command.tag


def _deletable(tx: Tx, account_id: AccountId, name: str) -> Folder:
    where = places.get(tx, account_id, name, "x")
    if where.folder.kind != "mail" or names.is_inbox(where.folder.name):
        raise Refused(Reason.NO_PERMISSION)
    return where.folder


def _large(tx: Tx, account_id: AccountId, name: str) -> Folder | None:
    """The mailbox, where it has more messages than are taken away with it."""
    folder = _deletable(tx, account_id, name)
    return folder if folder.messages > WHOLE else None


def _delete(tx: Tx, account_id: AccountId, name: str, folder_id: FolderId | None) -> FolderId:
    folder = _deletable(tx, account_id, name)
    if folder_id is not None and folder.id != folder_id:
        raise Refused(Reason.NO_SUCH_FOLDER, "it was renamed meanwhile")
    folders.remove(tx, folder.id)
    return folder.id


class Emptied:
    """Does ``work(tx, *args, limit)`` until it finds nothing more.

    A client that goes away has asked for the whole all the same, with the transaction ``end`` behind it.
    """

    def __init__(
        self, session: Session, tag: bytes, total: int, work: Callable[..., int], *args: Any
    ) -> None:
        self._house = session.house
        self._work: tuple[Callable[..., int], *tuple[Any, ...]] = (work, *args)
        self._pace = Pace(total, 0, WHOLE)
        self._news = Progress(session, tag, total)
        self.end: tuple[Any, ...] = ()

    async def run(self) -> AsyncGenerator[Any, None]:
        """Tells how far it is; something after each transaction."""
        done = 0
        try:
            while more := await self._step():
                done += more
                for reply in self._news.at(done) or (b"",):
                    yield reply
        except (GeneratorExit, asyncio.CancelledError):
            self._house.later(self._rest())
            raise

    async def _step(self) -> int:
        limit = self._pace.size
        return await self._pace.write(self._house.store, limit, *self._work, limit)

    async def _rest(self) -> None:
        while await self._step():
            pass
        if self.end:
            await self._house.store.write(*self.end)


async def rename(session: Session, command: commands.Rename, _: Input) -> AsyncGenerator[Any, None]:
    source = names.decode(command.source, utf8=session.utf8)
    target = names.check(names.decode(command.target, utf8=session.utf8))
    if names.is_inbox(target):
        raise Refused(Reason.ALREADY_EXISTS, "INBOX is there always")
    limit = session.house.config.max_folders
    left = await session.house.store.write(_rename, session.user.account_id, source, target, limit)
    _did(session, source, target)
    if left is not None:
        # Deviates: INBOX is large, so this takes many transactions (docs/decisions/0249), because nobody else
        # could write meanwhile; RFC 9051 6.3.6 speaks of one act.
        inbox, made = left
        last = inbox.uid_next - 1
        poured = Emptied(session, command.tag, inbox.messages, emptying.pour, inbox.id, made.id, last)
        async with aclosing(poured.run()) as news:
            async for told in news:
                yield told
                for reply in await updates.told(session):
                    yield reply
    for reply in await updates.told(session):
        yield reply
    if session.rev2 and any(
        fmt.normalized(raw, name) for raw, name in ((command.source, source), (command.target, target))
    ):
        yield fmt.normalized(command.source, target)
    yield b"%b OK Renamed\r\n" % command.tag


def _rename(
    tx: Tx, account_id: AccountId, source: str, target: str, limit: int
) -> tuple[Folder, Folder] | None:
    """INBOX and the new mailbox, where what INBOX had up to now is still to be moved there."""
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
    made = folders.rename(tx, where.folder.id, name, most=WHOLE)
    large = where.folder.name == folders.INBOX and where.folder.messages > WHOLE
    return (where.folder, made) if large else None


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
