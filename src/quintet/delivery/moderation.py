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
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quintet import log
from quintet.auth.identity import Identity
from quintet.clock import Clock
from quintet.delivery import stamp
from quintet.delivery.control.letters import Letters
from quintet.delivery.envelope import Mailbox, mailbox
from quintet.errors import Problem, Reason, Refused
from quintet.message import headers
from quintet.net.seam import Peer
from quintet.store import access, accounts, entries, folders, groups, history, jobs, trace
from quintet.store.content import Content
from quintet.store.db import Tx
from quintet.store.model import NEWS, Folder, FolderId, Uid
from quintet.store.store import Store

if TYPE_CHECKING:
    from quintet.delivery.post import PostOffice

ROOT = "Moderation"
APPROVED, REJECTED = "Approved", "Rejected"
WORKS, ANSWERS = "lrswite", "lrsi"  # what moderators may in the queue, and in the two folders below it
MAX_SIZE = 32 * 1024 * 1024  # bytes of a submission; as much as is held to be posted
MAX_WAITING = 10_000  # of one group
ROUND = 50  # submissions of one round
LEASE_MS = 5 * 60 * 1000
PAUSE_S = 1.0  # between looks when a feed wakes us
LOOK_S = 60.0
JOB = "moderation"

_FIELD = re.compile(rb"([!-9;-~]+):[^\r\n]*(?:\r\n[ \t][^\r\n]*)*\r\n")

logger = log.get("moderation")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A submission in the queue."""

    group: str
    folder_id: FolderId
    uid: Uid
    message_id: str
    subject: str
    author: str
    arrived_at: int


@dataclass(frozen=True, slots=True)
class _Said:
    """A moderator's word about one."""

    waiting: Waiting
    approved: bool


class _Everything:
    """What the queue itself may when it posts (`post.Grants`): a moderator has decided."""

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
        self._owner = f"{os.getpid()}.{clock.token(4)}"

    async def run(self) -> None:
        """Looks at what moderators moved or marked, now and then and when something changed."""
        woken = asyncio.Event()
        account = await self._store.write(accounts.news)
        watch = self._store.watch(woken, None, account.id)
        try:
            while True:
                woken.clear()
                try:
                    await self.once()
                except Problem as problem:
                    logger.warning("moderation put off", reason=problem.reason.value)
                await asyncio.sleep(PAUSE_S)
                try:
                    async with asyncio.timeout(LOOK_S):
                        await woken.wait()
                except TimeoutError:
                    await self._store.write(sweep)
        finally:
            watch.close()

    async def once(self) -> int:
        """Does what moderators said; returns how much that was.  One worker at a time."""
        if not self._store.peek(_said):
            return 0
        until = self._clock.now() + LEASE_MS
        if await self._store.write(jobs.lease, JOB, self._owner, until) is None:
            return 0
        done = 0
        try:
            for said in self._store.peek(_said):
                done += await self._one(said)
        finally:
            await self._store.write(jobs.finish, JOB, self._owner, self._clock.now())
        return done

    async def _one(self, said: _Said) -> int:
        try:
            if said.approved:
                await self.approve(said.waiting)
            else:
                await self.reject(said.waiting, "")
        except Refused as problem:
            logger.warning("not posted", message_id=said.waiting.message_id, why=problem.text)
            await self._store.write(_back, said.waiting, problem.text)
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
            )
        except Refused as problem:
            if problem.reason is not Reason.DUPLICATE:
                raise  # a duplicate is there already: by the letter, or before a crash
        await self._store.write(_done, one, "approved", moderator, "")
        logger.info("approved", message_id=one.message_id, group=one.group, by=moderator)

    async def reject(self, one: Waiting, reason: str, by: str = "") -> None:
        """Gives it back to its author, with a reason, and takes it out of the queue."""
        data = await self._read(one)
        ref = self._store.peek(entries.body_ref, one.folder_id, one.uid)
        to = author(data, ref.prefix)
        await self._store.write(_done, one, "rejected", by, reason)
        logger.info("rejected", message_id=one.message_id, group=one.group, by=by)
        if to:
            header, _, body = data.partition(b"\r\n\r\n")
            text = (
                f"Your article for {one.group} was not accepted by the moderator.\n\n"
                + (f"{reason}\n\n" if reason else "")
                + "It was:\n\n"
                + (header[:4000] + b"\n\n" + body[:16_000]).decode("utf-8", "replace").replace("\r\n", "\n")
            )
            subject = headers.decode_words(one.subject.encode()) or "(no subject)"
            await self._letters.send(f"Rejected: {subject}", text, to=to, answers=one.message_id)

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


# --- transactions -------------------------------------------------------------------------------------------


def moderators(tx: Tx, group: Folder) -> list[str]:
    """Login names of those here who decide about a group: its address's owner, and who may insert."""
    found = [
        who for who, letters in access.listing(tx, group.id).items() if "i" in letters and who[:1] != "-"
    ]
    local, at, domain = group.moderator.rpartition("@")
    owner = accounts.resolve(tx, local, domain) if at else None
    if owner is not None and owner.account is not None:
        found.insert(0, owner.account.name)
    return [name for name in dict.fromkeys(found) if name not in access.EVERYBODY]


def hold(tx: Tx, group_name: str, content: Content, sender: Mailbox, note: trace.Note) -> None:
    """Puts a submission into the queue of a group.

    Raises:
        Refused(DUPLICATE): it waits there already, or it has been posted.  Refused(NO_SUCH_FOLDER).
        TryLater(TOO_MANY | OVER_QUOTA): the queue is full.
    """
    group = groups.find(tx, group_name)
    if group is None:
        raise Refused(Reason.NO_SUCH_FOLDER, group_name)
    place = _folder(tx, group)
    news = group.account_id
    waits = [one for one in entries.by_message_id(tx, news, content.message_id) if one.folder_id == place.id]
    if waits or history.known(tx, content.message_id):
        raise Refused(Reason.DUPLICATE, content.message_id)
    if place.messages >= MAX_WAITING:
        raise Refused(Reason.TOO_MANY, f"too much waits for the moderator of {group_name}")
    prefix = stamp.return_path(sender) if sender else b""
    entries.add(tx, [place.id], content, prefix=prefix, received_at=tx.now, trace_note=note)


def _folder(tx: Tx, group: Folder) -> Folder:
    """The queue's folder; made, and shared with whom it concerns today."""
    names = moderators(tx, group)
    first: Folder | None = None
    for level, letters in (("", WORKS), (f"/{APPROVED}", ANSWERS), (f"/{REJECTED}", ANSWERS)):
        name = f"{ROOT}/{group.name}{level}"
        found = folders.find(tx, group.account_id, name) or folders.create(tx, group.account_id, name)
        rows = access.listing(tx, found.id)
        for who in names:
            if rows.get(who) != access.spelled(letters):  # a new folder has those of the one above
                access.grant(tx, found.id, who, letters)
        for who in rows:
            if who not in names:
                access.revoke(tx, found.id, who)
        first = first or found
    assert first is not None
    return first


def waiting(tx: Tx, group: str = "", limit: int = 1000) -> list[Waiting]:
    """What waits, oldest first, of one group or of all."""
    found: list[Waiting] = []
    for name, level, folder in _queues(tx):
        if level == "" and group in ("", name):
            found += _rows(tx, name, folder.id, limit)
    return sorted(found, key=lambda one: one.arrived_at)[:limit]


def find(tx: Tx, what: str) -> Waiting | None:
    """By Message-ID, or "group:number"."""
    group, _, number = what.rpartition(":")
    for one in waiting(tx):
        if one.message_id in (what, f"<{what}>") or (one.group == group and str(one.uid) == number):
            return one
    return None


def _queues(tx: Tx) -> list[tuple[str, str, Folder]]:
    """(group, level, folder) of all that have something in them."""
    owner = accounts.find(tx, NEWS)
    root = folders.find(tx, owner.id, ROOT) if owner is not None else None
    if root is None:
        return []
    found = []
    for queue in folders.children(tx, root.id):
        name = queue.name.removeprefix(f"{ROOT}/")
        levels = {f"{queue.name}/{level}": level for level in (APPROVED, REJECTED)} | {queue.name: ""}
        found += [
            (name, levels[folder.name], folder)
            for folder in (queue, *folders.children(tx, queue.id))
            if folder.messages and folder.name in levels
        ]
    return found


_COLUMNS = ("uid", "message_id", "base_subject", "from_display", "received_at", "keywords")


def _rows(tx: Tx, group: str, folder_id: FolderId, limit: int) -> list[Waiting]:
    return [
        Waiting(group, folder_id, Uid(row[0]), row[1], row[2], row[3], row[4])
        for row in entries.lines(tx, folder_id, 1, 1 << 40, limit, _COLUMNS)
    ]


def _said(tx: Tx) -> list[_Said]:
    """What moderators decided, a bounded number: by moving, or by a keyword."""
    found: list[_Said] = []
    for name, level, folder in _queues(tx):
        if level:
            found += [_Said(one, level == APPROVED) for one in _rows(tx, name, folder.id, ROUND)]
            continue
        for row in entries.lines_where(tx, folder.id, 1, 1 << 40, ROUND, _COLUMNS, ("e.keywords <> ''", [])):
            words = row[5].lower().split()
            if "$approved" in words or "$rejected" in words:
                one = Waiting(name, folder.id, Uid(row[0]), row[1], row[2], row[3], row[4])
                found.append(_Said(one, "$rejected" not in words))
    return found[:ROUND]


def _done(tx: Tx, one: Waiting, event: str, by: str, reason: str) -> None:
    entries.expunge(tx, one.folder_id, [one.uid])
    detail = {"group": one.group, "by": by, "reason": reason}
    trace.add(tx, tx.now, JOB, event, None, one.message_id, detail)


def _back(tx: Tx, one: Waiting, why: str) -> None:
    """What cannot be posted goes back into the queue, marked, so that it is not tried again and again."""
    owner = accounts.find(tx, NEWS)
    place = folders.find(tx, owner.id, f"{ROOT}/{one.group}") if owner is not None else None
    if place is not None and place.id != one.folder_id:
        (pair,) = entries.move(tx, one.folder_id, [one.uid], place.id)
        entries.set_flags(tx, place.id, [pair.target_uid], "+", 0, ("$Failed",))
    elif place is not None:
        entries.set_flags(tx, place.id, [one.uid], "-", 0, ("$Approved", "$Rejected"))
        entries.set_flags(tx, place.id, [one.uid], "+", 0, ("$Failed",))
    trace.add(tx, tx.now, JOB, "not posted", None, one.message_id, {"group": one.group, "why": why})


def sweep(tx: Tx) -> int:
    """Takes out what was posted by other ways meanwhile; returns how many those were."""
    gone = 0
    for one in waiting(tx, limit=MAX_WAITING):
        if one.message_id and history.known(tx, one.message_id):
            _done(tx, one, "approved", "", "posted by another way")
            gone += 1
    return gone
