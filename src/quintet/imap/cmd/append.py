"""APPEND and REPLACE (RFC 9051 6.3.12, RFC 3502, RFC 4315 3, RFC 4469, RFC 6855 4, RFC 7889, RFC 8508).

A literal is refused before it is sent where the client waits for "+", and read past where it does not.
All messages of one command are added in one transaction, after the last has arrived; in the same one goes
the message that REPLACE replaces.  How messages are put together is `drafts`'s.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from quintet.errors import BadSyntax, Reason, Refused, TryLater
from quintet.imap import answers, append_grammar, commands, limits, names, places, sets, updates
from quintet.imap import format as fmt
from quintet.imap.append_commands import Begin, Holds, Literal, Stretch
from quintet.imap.cmd import annotate, fetch, post, uploads
from quintet.imap.cmd.drafts import Drafts, Letter, check_octets
from quintet.imap.cmd.store import flags_of
from quintet.imap.tokens import Cursor
from quintet.imap.wire import MAX_COMMAND
from quintet.net.seam import Ask, Pending
from quintet.store import accounts, entries, seen
from quintet.store.db import bounded
from quintet.store.model import IN_ROW, SEEN, Added, FolderId, FolderKind, Uid
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.imap.places import Place
    from quintet.imap.session import Session
    from quintet.net.seam import Input, Replies
    from quintet.store.db import Tx
    from quintet.store.model import AccountId


@dataclass(frozen=True, slots=True)
class Old:
    """The message that goes in place of the new one."""

    folder_id: FolderId
    uid: Uid


def append(session: Session, command: commands.Append, following: Input) -> Replies:
    """One small message that is there is filed at once; anything else is read as it comes."""
    letter = _at_once(session, command)
    if letter is None:
        return _append(session, command, following)
    name = names.decode(command.mailbox, utf8=session.utf8)
    filing = session.house.store.submit(_file, session, name, [letter], session.house.clock.now(), None)

    def then() -> Replies:
        session.filed, added = filing.result()
        code = _code(session, session.filed, added)
        normalized = fmt.normalized(command.mailbox, name) if session.rev2 else b""
        return updates.then(session, b"%b%b OK %bDone\r\n" % (normalized, command.tag, code))

    return Pending(filing, then)


def _at_once(session: Session, command: commands.Append) -> Letter | None:
    """The message, where the usual command came with all of it in one read; else nothing is taken.

    Raises as `drafts.Drafts.take` does.
    """
    literal, steps = command.first.literal, command.first.steps
    if (
        literal is None
        or literal.waits
        or not 0 < literal.size <= min(IN_ROW, session.wire.max_unasked, session.house.config.max_message)
        or literal.holds is not Holds.MESSAGE
        or literal.utf8
        or literal.binary
        or len(steps) != 1
        or isinstance(command, commands.Replace)
        or command.mailbox.upper().startswith(b"GROUPS/")
    ):
        return None
    begin = steps[0]
    if not isinstance(begin, Begin) or begin.catenate or begin.remarks:
        return None
    data = session.wire.take_ended(literal.size)
    if data is None:
        return None
    marks = flags_of(begin.flags)  # refused or not, the literal was read
    session.house.store.blobs.check_space(len(data))
    content = session.house.store.content_of(data)
    check_octets(content)
    return Letter(content, *marks, begin.moment)


async def _append(session: Session, command: commands.Append, following: Input) -> AsyncGenerator[Any, None]:
    drafts = Drafts(session)
    began = time.monotonic()
    stretch = command.first
    unread: Literal | None = stretch.literal  # announced, and not yet read
    try:
        old = _replaced(session, command) if isinstance(command, commands.Replace) else None
        while True:
            where = await _arguments(session, command, drafts, stretch, old)
            literal = stretch.literal
            if literal is None:
                break
            if where is not None and where.folder.kind == FolderKind.GROUP:
                unread = None  # who posts reads it
                begin = stretch.steps[-1]
                assert isinstance(begin, Begin)
                async with aclosing(post.post(session, command, begin, literal, where, following)) as told:
                    async for reply in told:
                        yield reply
                return
            # Deviates: RFC 6855 4 has us refuse 8-bit header fields from who did not enable UTF8=ACCEPT,
            # because what people move here from elsewhere has them, raw and in any charset, and must not be
            # lost for it.
            if literal.holds is Holds.REMARK and len(literal.begun) + literal.size > MAX_COMMAND:
                raise BadSyntax("command too long", Reason.TOO_LONG)
            if not literal.waits and literal.size > session.wire.max_unasked:  # RFC 7888 5
                raise BadSyntax("literal too long to come unasked", Reason.TOO_BIG)
            if literal.waits:
                yield uploads.GO_AHEAD
                yield Ask.FLUSH
            unread = None
            if time.monotonic() - began > uploads.TURN_S:  # what came together never makes us wait
                await asyncio.sleep(0)
                began = time.monotonic()
            stretch = await _literal(drafts, literal, following)
            unread = stretch.literal
        for reply in await _add(session, command, drafts.letters, old):
            yield reply
    except (BadSyntax, Refused, TryLater):
        await uploads.pass_over(unread, following)
        raise
    finally:
        drafts.discard()


async def _literal(drafts: Drafts, literal: Literal, following: Input) -> Stretch:
    """Takes a literal; what stands behind it.  Reads to the command's end before it raises."""
    begun = b""
    try:
        if literal.holds is Holds.REMARK:
            begun = b"%b\r\n%b" % (literal.begun, await _held(literal, following))
        else:
            await drafts.receive(literal, following)
    except (BadSyntax, Refused, TryLater):
        await uploads.pass_rest(await following.line(), following)
        raise
    line = await following.line()
    try:
        return append_grammar.stretch(Cursor(begun + line), literal)
    except BadSyntax:
        await uploads.pass_rest(line, following)
        raise


async def _held(literal: Literal, following: Input) -> bytes:
    return b"".join([chunk async for chunk in following.counted(literal.size)])


def _replaced(session: Session, command: commands.Replace) -> Old:
    """The message to replace, if this session may remove it (RFC 8508 4.1).

    Raises:
        BadSyntax: no message has that number.
        Refused(NO_PERMISSION | NO_SUCH_MESSAGE).
    """
    here = session.here
    if here.read_only:
        raise Refused(Reason.NO_PERMISSION, "mailbox is read-only")
    if not {"t", "e"} <= set(here.rights):
        raise Refused(Reason.NO_PERMISSION, "messages cannot be removed from here")
    uids = here.view.uids(fetch.wanted(here, command.number, uid=command.uid))
    if not uids:
        raise Refused(Reason.NO_SUCH_MESSAGE, "no such message")
    return Old(here.folder_id, Uid(uids[0]))


async def _arguments(
    session: Session, command: commands.Append, drafts: Drafts, stretch: Stretch, old: Old | None
) -> Place | None:
    """All that stands in a line; the target, where it had to be looked at.

    None: a small message that comes anyway; the transaction that files it asks all that can be asked before.
    """
    where = None
    literal = stretch.literal
    limit = limits.saved(session)  # RFC 9738 3.1
    name = names.decode(command.mailbox, utf8=session.utf8)
    ask = name.startswith(names.GROUPS) or (literal is not None and (literal.waits or literal.size > IN_ROW))
    if any(isinstance(step, Begin) and step.catenate for step in stretch.steps):
        session.house.store.peek(_room, session.user.account_id, name, drafts.total, old)
    for step in stretch.steps:
        if isinstance(step, Begin) and len(drafts.letters) == limit:
            raise answers.Coded(b"MESSAGELIMIT %d" % limit, Reason.TOO_MANY, "too many messages at once")
        if isinstance(step, Begin) and step.remarks:
            found = session.house.store.peek(places.find, session.user.account_id, name)
            if found is None or found.folder.kind != FolderKind.GROUP:
                places.allowed(found, "i" + annotate.needed(step.remarks))
                annotate.check(step.remarks, session.house.config)
        await drafts.take(step)
    if old is not None and (len(drafts.letters) > 1 or (drafts.letters and literal is not None)):
        raise BadSyntax("REPLACE takes one message")  # RFC 8508 4.7
    if literal is not None and literal.holds is not Holds.REMARK:
        drafts.expect(literal)
    if ask:
        where = session.house.store.peek(_room, session.user.account_id, name, drafts.total, old)
        group = where.folder.kind == FolderKind.GROUP
        begun = [step for step in stretch.steps if isinstance(step, Begin)]
        plain = (
            literal is not None and literal.holds is Holds.MESSAGE and not any(one.remarks for one in begun)
        )
        if group and (old is not None or not plain):
            raise Refused(Reason.UNSUPPORTED, "a group takes one whole message")
    return where


def _room(tx: Tx, account_id: AccountId, name: str, size: int, old: Old | None) -> Place:
    """The target; raises TRYCREATE's NO_SUCH_FOLDER, NO_PERMISSION, OVER_QUOTA."""
    found = places.find(tx, account_id, name)
    if found is not None and found.folder.kind == FolderKind.GROUP:
        return places.allowed(found, "p")
    where = places.allowed(found, "i")
    if old is not None:  # RFC 8508 3.4: only what it takes more counts
        rows = entries.listing(tx, old.folder_id, old.uid, old.uid)
        if not rows:
            raise _gone()
        size -= rows[0].size
    owner = accounts.get(tx, where.folder.account_id)
    if (owner.full and old is None) or 0 < owner.quota_bytes < owner.used_bytes + size:
        raise TryLater(Reason.OVER_QUOTA, "mailbox is full")
    return where


def _gone() -> Refused:
    return answers.Coded(b"EXPUNGEISSUED", Reason.NO_SUCH_MESSAGE, "the message is gone")  # RFC 5530 3


async def _add(
    session: Session, command: commands.Append, letters: list[Letter], old: Old | None
) -> list[Any]:
    name = names.decode(command.mailbox, utf8=session.utf8)
    where, added = await session.house.store.write(
        _file, session, name, letters, session.house.clock.now(), old
    )
    code = _code(session, where, added)
    told: list[Any] = []
    if old is not None:  # before EXPUNGE, so that the client knows what came instead (RFC 8508 4.3)
        told.append(b"* OK %bReplacement is there\r\n" % code)
    told += await updates.told(session)
    if session.rev2:
        told.append(fmt.normalized(command.mailbox, name))
    if old is not None:
        here = session.selected
        code = b"[HIGHESTMODSEQ %d] " % here.cursor if session.qresync and here is not None else b""
    return [*told, b"%b OK %bDone\r\n" % (command.tag, code)]


def _code(session: Session, where: Place, added: list[Added]) -> bytes:
    """``[APPENDUID ...] ``, b"" where it would tell too much (RFC 9051 11.4); notes what is our own."""
    here = session.selected
    told = session.notices is not None and bool(session.notices.selected)  # RFC 5465 5.2
    if told and here is not None and here.folder_id == where.folder.id:
        here.made.update(one.uid for one in added)
    if not where.may("r"):
        return b""
    uids = sets.write(sets.runs([one.uid for one in added]))
    return b"[APPENDUID %d %b] " % (where.folder.uid_validity, uids)


@bounded(lambda session, name, letters, now, old: len(letters) <= 4)
def _file(
    tx: Tx, session: Session, name: str, letters: list[Letter], now: int, old: Old | None
) -> tuple[Place, list[Added]]:
    """All or none (RFC 3502 6.3.11); the target is looked up in the transaction that writes."""
    where = places.again(tx, session.user.account_id, name, session.filed, "i")
    if where.folder.kind != FolderKind.MAIL:
        raise Refused(Reason.UNSUPPORTED)
    if old is not None and not entries.expunge(tx, old.folder_id, [old.uid]):
        raise _gone()
    added: list[Added] = []
    for letter in letters:
        flags = letter.flags & places.flag_bits(where.rights)  # RFC 4314 4: others are passed over
        keywords = letter.keywords if where.may("w") else ()
        own = SEEN if where.reader is not None else 0  # in a shared folder \\Seen is each reader's own mark
        moment = letter.moment if letter.moment is not None else now
        added += entries.add(
            tx, [where.folder.id], letter.content, received_at=moment, flags=flags & ~own, keywords=keywords
        )
        if flags & own and where.reader is not None:
            seen.mark(tx, where.folder.id, where.reader, [added[-1].uid], True)
        if letter.remarks:
            places.allowed(where, annotate.needed(letter.remarks))
            annotate.file(
                tx, where.folder, added[-1].uid, letter.remarks, session.user.account_id, session.house.config
            )
    return where, added
