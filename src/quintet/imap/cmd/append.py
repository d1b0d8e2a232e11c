"""APPEND of one message or many (RFC 9051 6.3.12, RFC 3502, RFC 4315 3, RFC 6855 4, RFC 7889).

A literal is refused before it is sent where the client waits for "+", and read past where it does not.
All messages of one command are added in one transaction, after the last has arrived.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quintet.errors import Problem, Reason, Refused, TryLater
from quintet.imap import answers, names, places, sets, updates
from quintet.imap import format as fmt
from quintet.imap.cmd import post, uploads
from quintet.imap.cmd.store import flags_of
from quintet.net.seam import Ask
from quintet.store import accounts, entries
from quintet.store.db import bounded
from quintet.store.model import DELETED, IN_ROW, SEEN, Added, FolderKind

if TYPE_CHECKING:
    from quintet.imap import commands
    from quintet.imap.places import Place
    from quintet.imap.session import Session
    from quintet.net.seam import Input
    from quintet.store.content import Content
    from quintet.store.db import Tx
    from quintet.store.model import AccountId

MAX_MESSAGES = 10_000  # of one command
MAX_HELD = 64 * 1024 * 1024  # bytes of small messages held in memory until the last has come


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that has arrived."""

    content: Content
    flags: int
    keywords: tuple[str, ...]
    moment: int | None  # ms; None: now


async def append(session: Session, command: commands.Append, following: Input) -> AsyncGenerator[Any, None]:
    upload: commands.Upload | None = command.first
    letters: list[Letter] = []
    held = total = 0  # bytes in memory, and in all
    while upload is not None:
        try:
            total += upload.size
            where = _check(session, command, upload, total, len(letters))
            flags, keywords = flags_of(upload.flags)
            if held > MAX_HELD:
                raise Refused(Reason.TOO_MANY, "too many messages at once")
        except Problem:
            await uploads.pass_over(upload, following)
            raise
        if where is not None and where.folder.kind == FolderKind.GROUP:
            async for reply in post.post(session, command, where, following):
                yield reply
            return
        # Deviates: RFC 6855 4 has us refuse 8-bit header fields from who did not enable UTF8=ACCEPT, because
        # what people move here from elsewhere has them, raw and in any charset, and must not be lost for it.
        if upload.waits:
            yield uploads.GO_AHEAD
            yield Ask.FLUSH
        try:
            content = await _receive(session, upload, following)
        except (Refused, TryLater):
            await uploads.pass_over(await uploads.next_one(upload, following), following)
            raise
        held += content.size if content.data is not None else 0
        letters.append(Letter(content, flags, keywords, upload.moment))
        upload = await uploads.next_one(upload, following)
    for reply in await _add(session, command, letters):
        yield reply


def _check(
    session: Session, command: commands.Append, upload: commands.Upload, total: int, count: int
) -> Place | None:
    """What can be known before the bytes: the name, rights, size, room.

    None: a small message that comes anyway; the transaction that files it asks all that.
    """
    if upload.size > session.house.config.max_message:
        raise Refused(Reason.TOO_BIG, f"message is larger than {session.house.config.max_message} bytes")
    if upload.size == 0:
        raise Refused(Reason.BAD_CONTENT, "message is empty")  # to cancel (RFC 3502 6.3.11)
    if count == MAX_MESSAGES:
        raise Refused(Reason.TOO_MANY, "too many messages at once")
    name = names.decode(command.mailbox, utf8=session.utf8)
    if not upload.waits and upload.size <= IN_ROW and not name.startswith(names.GROUPS):
        return None
    return session.house.store.peek(_room, session.user.account_id, name, total)


def _room(tx: Tx, account_id: AccountId, name: str, size: int) -> Place:
    """The target; raises TRYCREATE's NO_SUCH_FOLDER, NO_PERMISSION, OVER_QUOTA."""
    where = places.get(tx, account_id, name)
    if where.folder.kind == FolderKind.GROUP:
        if not where.may("p"):
            raise Refused(Reason.NO_PERMISSION, "this group takes no postings")
        return where
    if not where.may("i"):
        raise Refused(Reason.NO_PERMISSION)
    owner = accounts.get(tx, where.folder.account_id)
    if owner.full or 0 < owner.quota_bytes < owner.used_bytes + size:
        raise TryLater(Reason.OVER_QUOTA, "mailbox is full")
    return where


async def _receive(session: Session, upload: commands.Upload, following: Input) -> Content:
    spool = session.house.store.spool()
    problem: Problem | None = None
    try:
        async for chunk in following.counted(upload.size):
            if problem is not None:
                continue  # the rest is read past, so that the next command is found
            try:
                spool.write(chunk)
            except TryLater as error:
                problem = error
        if problem is not None:
            raise problem
        content = await spool.finish()
    finally:
        spool.discard()
    if content.digest.nul:  # RFC 9051 4.3; RFC 3516 4.4 where a literal8 said so
        raise answers.Coded(
            b"UNKNOWN-CTE" if upload.binary else b"CANNOT", Reason.BAD_CONTENT, "message holds NUL octets"
        )
    return content


async def _add(session: Session, command: commands.Append, letters: list[Letter]) -> list[Any]:
    name = names.decode(command.mailbox, utf8=session.utf8)
    uid_validity, added = await session.house.store.write(
        _file, session.user.account_id, name, letters, session.house.clock.now()
    )
    replies = await updates.told(session)
    if session.rev2:
        replies.append(fmt.normalized(command.mailbox, name))
    uids = sets.write(sets.runs([one.uid for one in added]))
    code = b"[APPENDUID %d %b] " % (uid_validity, uids)
    return [*replies, b"%b OK %bDone\r\n" % (command.tag, code)]


@bounded(lambda account_id, name, letters, now: len(letters) <= 4)
def _file(
    tx: Tx, account_id: AccountId, name: str, letters: list[Letter], now: int
) -> tuple[int, list[Added]]:
    """All or none (RFC 3502 6.3.11); the target is looked up in the transaction that writes."""
    where = places.get(tx, account_id, name, "i")
    added: list[Added] = []
    for letter in letters:
        flags = letter.flags
        keywords = letter.keywords
        if "w" not in where.rights:  # RFC 4314 4: flags without the right are passed over
            flags &= (SEEN if "s" in where.rights else 0) | (DELETED if "t" in where.rights else 0)
            keywords = ()
        moment = letter.moment if letter.moment is not None else now
        added += entries.add(
            tx, [where.folder.id], letter.content, received_at=moment, flags=flags, keywords=keywords
        )
    return where.folder.uid_validity, added
