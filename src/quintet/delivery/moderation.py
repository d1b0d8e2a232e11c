"""The queue of articles that wait for a moderator: folders that a mail program works on, and commands.

For each moderated group the account "news" has the folder ``Moderation/<group>`` with ``Approved`` and
``Rejected`` below it, shared with the group's moderators.  What a moderator moves into one of these, or marks
with the keyword $Approved or $Rejected, is posted or given back.  An article keeps its Message-ID, so whoever
approves it elsewhere, by the letter, empties the queue as well.  RFC 5537 3.9.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from quintet import log
from quintet.auth.identity import Identity
from quintet.clock import Clock
from quintet.delivery import modqueue, quarantine
from quintet.delivery.control import rounds
from quintet.delivery.control.letters import Letters
from quintet.delivery.envelope import Mailbox, mailbox
from quintet.delivery.modqueue import Said, Waiting
from quintet.errors import Reason, Refused, TryLater
from quintet.message import headers
from quintet.net.seam import Peer
from quintet.store import accounts, entries, groups, jobs
from quintet.store.model import NEWS
from quintet.store.store import Store

if TYPE_CHECKING:
    from quintet.delivery.post import PostOffice

MAX_SIZE = 32 * 1024 * 1024  # bytes of a submission; as much as is held to be posted
LEASE_MS = 5 * 60 * 1000
TIDY_S = 60.0
JOB = "moderation"

_FIELD = re.compile(rb"([!-9;-~]+):[^\r\n]*(?:\r\n[ \t][^\r\n]*)*\r\n")

logger = log.get("moderation")


class _Everything:
    """What the queue itself may when it posts (`postrights.Grants`): a moderator has decided."""

    def post(self, group: str) -> bool:
        return True

    def approve(self, group: str) -> bool:
        return True

    def locally(self, group: str) -> bool:
        return False


class Moderation:
    """One a process; `run` ends when it is cancelled."""

    def __init__(
        self, store: Store, office: PostOffice, letters: Letters, *, hostname: str, clock: Clock
    ) -> None:
        self._store, self._office, self._letters = store, office, letters
        self._hostname, self._clock = hostname, clock
        self._news = office.news
        self._owner = f"{os.getpid()}.{clock.token(4)}"

    async def run(self) -> None:
        """Does what moderators said, when something changed; never ends by itself."""
        await rounds.run(self._store, self._clock, self.once, self._tidy, tidy_s=TIDY_S)

    async def _tidy(self) -> None:
        """What was decided elsewhere, and what was held back too long, goes."""
        posted = await self._store.read(modqueue.posted)
        if posted:
            await self._store.write(modqueue.sweep, posted)
        await self._store.write(quarantine.sweep, self._news)

    async def once(self) -> int:
        """Does what moderators said; returns how much that was.  One worker at a time."""
        if not await self._store.read(modqueue.said, self._news.quarantine):
            return 0
        until = self._clock.now() + LEASE_MS
        if await self._store.write(jobs.lease, JOB, self._owner, until) is None:
            return 0
        done = 0
        try:
            for said in await self._store.read(modqueue.said, self._news.quarantine):
                done += await self._one(said)
        finally:
            await self._store.write(jobs.finish, JOB, self._owner, self._clock.now())
        return done

    async def _one(self, said: Said) -> int:
        try:
            if said.waiting.group == self._news.quarantine:
                if said.approved:
                    await self.release(said.waiting, "")
                else:
                    await self._store.write(quarantine.discard, said.waiting.folder_id, said.waiting.uid, "")
            elif said.approved:
                group = await self._store.write(modqueue.pass_on, said.waiting)
                if group:
                    logger.info("passed on", message_id=said.waiting.message_id, group=group)
                else:
                    await self.approve(said.waiting)
            else:
                await self.reject(said.waiting, "")
        except TryLater as problem:  # it stays where it is, and does not hold up the others
            logger.warning("put off", message_id=said.waiting.message_id, why=problem.text)
            return 0
        except Refused as problem:
            logger.warning("not posted", message_id=said.waiting.message_id, why=problem.text)
            await self._store.write(modqueue.back, said.waiting, problem.text)
            return 0
        return 1

    async def approve(self, one: Waiting, by: str = "") -> None:
        """Posts it with Approved, under its Message-ID, and takes it out of the queue.

        Raises Refused: it is no article, or nobody posts there; TryLater.
        """
        data = await self._read(one)
        group = self._store.peek(groups.find, one.group)
        if group is None:
            raise Refused(Reason.NO_SUCH_FOLDER, f"there is no group {one.group}")
        moderator = by or group.moderator or f"moderator@{self._hostname}"
        owner = self._store.peek(accounts.find, NEWS)
        assert owner is not None  # its folder holds the submission
        try:
            await self._office.post(
                Identity(owner.id, owner.name, "", "moderation"),
                Peer("moderation", ""),
                _chunks(approved(data, moderator)),
                group=one.group,
                grants=_Everything(),
                approval=True,
            )
        except Refused as problem:
            if problem.reason is not Reason.DUPLICATE:
                raise  # a duplicate is there already: by the letter, or before a crash
        await self._store.write(modqueue.done, one, "approved", moderator, "")
        logger.info("approved", message_id=one.message_id, group=one.group, by=moderator)

    async def reject(self, one: Waiting, reason: str, by: str = "") -> None:
        """Gives it back to its author, with a reason, and takes it out of the queue."""
        data = await self._read(one)
        ref = self._store.peek(entries.body_ref, one.folder_id, one.uid)
        to = author(data, ref.prefix)
        if to:  # told before it goes: a crash in between tells twice, and loses nothing
            header, _, body = data.partition(b"\r\n\r\n")
            text = (
                f"Your article for {one.group} was not accepted by the moderator.\n\n"
                + (f"{reason}\n\n" if reason else "")
                + "It was:\n\n"
                + (header[:4000] + b"\n\n" + body[:16_000]).decode("utf-8", "replace").replace("\r\n", "\n")
            )
            subject = headers.decode_words(one.subject.encode()) or "(no subject)"
            await self._letters.send(f"Rejected: {subject}", text, to=to, answers=one.message_id)
        await self._store.write(modqueue.done, one, "rejected", by, reason)
        logger.info("rejected", message_id=one.message_id, group=one.group, by=by)

    async def release(self, one: Waiting, by: str) -> tuple[str, ...]:
        """Lets an article out of quarantine, into its groups; their names.  Raises Refused, TryLater."""
        ref = self._store.peek(entries.body_ref, one.folder_id, one.uid)
        data = await self._read(one)
        spool = self._store.spool()
        try:
            spool.write(data)
            names = await self._store.write(
                quarantine.release,
                one.folder_id,
                one.uid,
                await spool.finish(),
                path=quarantine.path_of(ref.prefix),
                host=self._office.path_host,
                config=self._news,
                by=by,
            )
        finally:
            spool.discard()
        logger.info("released", message_id=one.message_id, groups=",".join(names), by=by)
        return names

    async def _read(self, one: Waiting) -> bytes:
        ref = self._store.peek(entries.body_ref, one.folder_id, one.uid)
        if ref.size > MAX_SIZE:
            raise Refused(Reason.TOO_BIG, "too large to be posted")
        return (await asyncio.to_thread(self._store.read_body, ref))[len(ref.prefix) :]


async def _chunks(data: bytes) -> AsyncIterator[bytes]:
    yield data


# --- what is posted, and who is told ------------------------------------------------------------------------


def approved(data: bytes, moderator: str) -> bytes:
    """A submission as an article: with Approved, without what only the letter to the moderator had."""
    end = data.find(b"\r\n\r\n")
    head, rest = (data[: end + 2], data[end + 2 :]) if end >= 0 else (data, b"\r\n")
    kept = [match[0] for match in _FIELD.finditer(head) if match[1].lower() not in (b"to", b"approved")]
    return b"".join([*kept, f"Approved: {moderator}\r\n".encode(), rest])


def author(data: bytes, prefix: bytes) -> Mailbox:
    """Who is told: who posted it here, as far as that is known, else who wrote it."""
    path = re.match(rb"Return-Path: <([^>\r\n]+)>", prefix)
    if path is not None:
        return mailbox(path[1].decode("utf-8", "replace"))
    for name in (b"reply-to", b"from"):
        for match in _FIELD.finditer(data.partition(b"\r\n\r\n")[0] + b"\r\n"):
            if match[1].lower() == name:
                for one in headers.mailboxes(match[0].partition(b":")[2]):
                    if one.mailbox and one.host:
                        return mailbox(one.spec)
    return Mailbox("", "")
