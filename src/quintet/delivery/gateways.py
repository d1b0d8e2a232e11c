"""Gateways: mail of a list becomes articles, articles become mail to the list, or a digest of them.

One message has one Message-ID on both sides, so the history knows it whichever way it comes back; beside
that every crossing leaves a mark (X-Gateway, and X-Loop in mail), and what bears ours or the list's is not
sent back.  New articles are mailed in the transaction that notes how far the group was read: each once.
The letter is the article's own bytes behind a prefix, unless its header has what mail would misunderstand.
RFC 5537 3.10 (gateways), RFC 2046 5.1.5 (digests), RFC 2919 (List-Id).
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from quintet import log
from quintet.clock import Clock
from quintet.config.gateways import Gateway
from quintet.delivery import filing, listmail, togroup
from quintet.delivery.envelope import Envelope, Recipient, mailbox
from quintet.errors import Problem, Reason, Refused
from quintet.message import build, headers
from quintet.message.digest import Digest
from quintet.net.seam import Peer
from quintet.store import bringing, entries, groups, jobs
from quintet.store.content import Content, content_of
from quintet.store.db import Tx
from quintet.store.model import Folder, FolderId, Uid
from quintet.store.store import Store
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.delivery.post import PostOffice

JOB = "gateways"
LOOK_S = 30.0  # between two looks, when nothing wakes us
LEASE_MS = 300_000
PAGE = 50  # articles of one round
MAX_HELD = 8 * 1024 * 1024  # bytes of articles that are held at once, so in one digest too
EXPIRES_MS = 5 * 86_400_000  # how long mail to a list is tried
HOUR_MS = 3_600_000

# fields that mean something else in mail, or are not for the list's readers: an article without any of them
# is mailed as it is, from the same blob
_MISREAD = frozenset(
    b"approved control expires supersedes cancel-key to cc bcc x-gateway x-loop return-path".split()
)
# what goes as well from one that must be rewritten; Date and Injection-Date stay (RFC 5537 3.10.1)
_NEWS_ONLY = frozenset(
    b"path xref lines bytes injection-info distribution cancel-lock nntp-posting-host nntp-posting-date"
    b" x-trace x-complaints-to".split()
)
_ANGLE = re.compile(r"<([^<>]*)>")

logger = log.get("gateway")


class _All:
    """What a gateway may: it posts for people that the list let in."""

    def post(self, _: str) -> bool:
        return True

    approve = locally = post


# --- mail becomes articles --------------------------------------------------------------------------


async def post(office: PostOffice, gateway: Gateway, envelope: Envelope, content: Content) -> None:
    """Posts mail that came for a gateway's address, or passes it over.

    Raises:
        Refused(NO_PERMISSION): it is not of the list.  Refused, TryLater: as `PostOffice.post`.
    """
    digest = content.digest
    why = _passed_over(office, gateway, envelope, digest)
    if why:
        logger.info("passed over", group=gateway.group, message_id=content.message_id, why=why)
        return
    if gateway.list_id and gateway.list_id.lower() not in _list_ids(digest):
        raise Refused(Reason.NO_PERMISSION, "Only mail of the list is taken here")
    extra = {
        "X-Gateway": mark(gateway, office.path_host),
        "Sender": f'"Gateway of {gateway.group}" <{office.complaints_to}>',  # RFC 5537 3.10.2: a MUST
    }
    if office.is_moderated(gateway.group):
        extra["Approved"] = gateway.address
    await togroup.inject_mail(office, None, envelope, [gateway.group], content, extra=extra, grants=_All())


def _passed_over(office: PostOffice, gateway: Gateway, envelope: Envelope, digest: Digest) -> str:
    """Why mail is neither posted nor refused; "" when it is to be posted."""
    if not gateway.posts:
        return "nothing is posted here"
    if not envelope.sender:
        return "a report"
    if returned(digest, gateway, office.path_host):
        return "it came from here"
    automatic = listmail.automatic(digest) and digest.header("list-id") is None
    return "written by a program" if automatic else ""


def mark(gateway: Gateway, host: str) -> str:
    """What a message bears that went through a gateway."""
    return f"{gateway.group} {gateway.address.lower()} at {host.lower()}"


def returned(digest: Digest, gateway: Gateway, host: str) -> bool:
    """It went through this gateway before."""
    own = mark(gateway, host).encode()
    loops = [value.strip().lower() for value in digest.all("x-loop")]
    return own in [value.strip().lower() for value in digest.all("x-gateway")] or (
        gateway.address.lower().encode() in loops
    )


def _list_ids(digest: Digest) -> set[str]:
    return {
        found.strip().lower()
        for value in digest.all("list-id")
        for found in _ANGLE.findall(value.decode("latin-1"))
    }


# --- articles become mail ---------------------------------------------------------------------------


def mail_header(block: bytes) -> bytes:
    """An article's header as that of mail, without the blank line and `mail_prefix`."""
    kept = []
    for match in togroup.FIELD.finditer(block):
        name, value = match.groups()
        if name.lower() in _NEWS_ONLY or name.lower() in _MISREAD or not value.strip():
            continue
        kept.append(b"%b: %b\r\n" % (name, value))
    return b"".join(kept)


def mail_prefix(gateway: Gateway, host: str) -> bytes:
    """What stands in front of an article that is mailed: for whom, and the marks of the crossing."""
    return (
        f"To: {gateway.list}\r\nX-Gateway: {mark(gateway, host)}\r\nX-Loop: {gateway.address.lower()}\r\n"
    ).encode()


@dataclass(frozen=True, slots=True)
class Fresh:
    """A new article of a group."""

    uid: Uid
    data: bytes  # prefix and blob
    blob_at: int  # where the blob begins in it
    blob_key: bytes  # of the blob: its hash, or what stands in its place
    digest: Digest  # of the blob


class Gateways:
    """Mails new articles on; one a process, and one of them at a time does it."""

    def __init__(self, store: Store, gateways: Sequence[Gateway], *, host: str, clock: Clock) -> None:
        self._store, self._clock, self._host = store, clock, host.lower()
        self._gateways = [one for one in gateways if one.mails or one.digest_to]
        self._owner = f"{os.getpid()}.{clock.token(4)}"
        self._noted: set[str] = set()  # addresses of gateways whose first time is in the store

    async def run(self) -> None:
        """Until it is cancelled."""
        if not self._gateways:
            return
        event = asyncio.Event()
        folders = [folder.id for folder in map(self._folder, self._gateways) if folder is not None]
        watch = self._store.watch(event, folders)
        try:
            while True:
                event.clear()
                try:
                    await self.round()
                except Problem as problem:
                    logger.warning("gateways put off", reason=problem.reason.value)
                except Exception as bug:  # must not end them for good
                    logger.error("gateways failed", exc_info=bug)  # noqa: TRY400 - ours has no exception()
                try:
                    await asyncio.wait_for(event.wait(), LOOK_S)
                except TimeoutError:
                    for folder in map(self._folder, self._gateways):
                        if folder is not None:
                            watch.add(folder.id)
        finally:
            watch.close()

    async def round(self) -> int:
        """Mails what is new; returns how many messages that made.  Nothing while another process does it."""
        until = self._clock.now() + LEASE_MS
        if await self._store.write(jobs.lease, JOB, self._owner, until) is None:
            return 0
        try:
            return sum([await self._each(one) for one in self._gateways])
        finally:
            await self._store.write(jobs.finish, JOB, self._owner, self._clock.now())

    async def _each(self, gateway: Gateway) -> int:
        await self._note(gateway)
        folder = self._folder(gateway)
        if folder is None:
            return 0
        count = 0
        if gateway.mails:
            count += await self._mail(gateway, folder)
        if gateway.digest_to:
            count += await self._digest(gateway, folder)
        return count

    def _folder(self, gateway: Gateway) -> Folder | None:
        return self._store.peek(groups.find, gateway.group)

    async def _mail(self, gateway: Gateway, folder: Folder) -> int:
        source = f"gateway {gateway.address.lower()} {folder.id}"
        count = 0
        read = await self._begin(gateway, source, folder)
        while read < folder.high:
            fresh, upto = await self._fresh(folder, read)
            works = [
                self._work(gateway, (gateway.list,), _letter(one), mail_prefix(gateway, self._host))
                for one in fresh
                if not self._stays(gateway, one.digest)
            ]
            if not await self._store.write(_file_all, works, source, read, str(upto)):
                break
            count += len(works)
            read = upto
        return count

    def _stays(self, gateway: Gateway, digest: Digest) -> bool:
        """It came from the list, or is nothing for people."""
        return (
            returned(digest, gateway, self._host)
            or digest.header("control") is not None
            or bool(gateway.list_id and gateway.list_id.lower() in _list_ids(digest))
        )

    async def _begin(self, gateway: Gateway, source: str, folder: Folder) -> int:
        """The number up to which a group was read; what came before the gateway was there counts as read."""
        text = await self._store.read(bringing.mark, source)
        if not text:
            text = await self._store.write(_begun, _name(gateway), source, folder.id)
        return int(text.split()[0])

    async def _note(self, gateway: Gateway) -> None:
        """Remembers since when there is this gateway: its group may be made later."""
        if gateway.address not in self._noted:
            await self._store.write(_first_seen, _name(gateway))
            self._noted.add(gateway.address)

    async def _fresh(self, folder: Folder, read: int, most: int = PAGE) -> tuple[list[Fresh], int]:
        """Articles behind a number, and the number up to which these are all.

        At most ``most`` and `MAX_HELD` bytes, but always one if there is one.
        """
        listed = await self._store.read(entries.listing, folder.id, read + 1, folder.high, most)
        uids = [one.uid for one in listed]
        refs = await self._store.read(entries.bodies, folder.id, uids)
        digests = await self._store.read(entries.digests, folder.id, uids)
        fresh: list[Fresh] = []
        size = 0
        for uid in uids:
            if uid in refs and uid in digests:
                size += refs[uid].size
                if fresh and size > MAX_HELD:
                    return fresh, fresh[-1].uid
                data = await asyncio.to_thread(self._store.read_body, refs[uid])
                fresh.append(Fresh(uid, data, len(refs[uid].prefix), refs[uid].sha256, digests[uid]))
        return fresh, folder.high if len(listed) < most else uids[-1]

    def _work(
        self, gateway: Gateway, to: Sequence[str], content: Content, prefix: bytes = b""
    ) -> filing.Work:
        """Mail from the gateway, for the queue."""
        envelope = Envelope(
            Peer("gateway", ""), protocol="NNTP", sender=mailbox(gateway.address), id=self._clock.token(6)
        )
        envelope.recipients.extend(Recipient(mailbox(address)) for address in to)
        decisions = [filing.Send((address,)) for address in to]
        now = self._clock.now()
        return filing.Work(envelope, content, decisions, prefix, now, now + EXPIRES_MS, event="gateway")

    # --- digests --------------------------------------------------------------------------------

    async def _digest(self, gateway: Gateway, folder: Folder) -> int:
        source = f"digest {gateway.address.lower()} {folder.id}"
        read = await self._begin(gateway, source, folder)
        sent_at = int((await self._store.read(bringing.mark, source)).split()[1])
        now = self._clock.now()
        if read >= folder.high or now < sent_at + round(gateway.digest_hours * HOUR_MS):
            return 0
        count = 0
        while read < folder.high:
            found, upto = await self._fresh(folder, read, gateway.digest_most)
            fresh = [one for one in found if not _is_digest(one.digest)]
            works = []
            if fresh:
                made = self._made(gateway, fresh, count + 1)
                works.append(self._work(gateway, gateway.digest_to, made))
            if not await self._store.write(_file_all, works, source, read, f"{upto} {now}"):
                break
            count += len(works)
            read = upto
        return count

    def _made(self, gateway: Gateway, fresh: Sequence[Fresh], number: int) -> Content:
        """A table of contents and the articles."""
        now = self._clock.now()
        lines = [
            f"{at}. {_text(one.digest, 'subject') or '(no subject)'} ({_text(one.digest, 'from')})"
            for at, one in enumerate(fresh, 1)
        ]
        boundary = f"digest-{self._clock.token(12)}".encode()
        inner = b"in-" + boundary
        top = [
            ("From", f"{gateway.group} <{gateway.address}>"),
            ("To", f"{gateway.group} <{gateway.address}>"),
            ("Subject", f"{gateway.group} digest, {len(fresh)} articles"),
            ("Date", headers.format_date(now)),
            ("Message-ID", f"<{self._clock.token(12)}.{number}@{self._host}>"),
            ("MIME-Version", "1.0"),
            ("Auto-Submitted", "auto-generated"),
            ("X-Loop", gateway.address.lower()),
        ]
        head = b"".join([build.header(name, value) for name, value in top])
        contents = "\r\n".join([f"New in {gateway.group}:", "", *lines, ""]).encode()
        parts = [
            head,
            b'Content-Type: multipart/mixed; boundary="%b"\r\n\r\n' % boundary,
            b"--%b\r\nContent-Type: text/plain; charset=utf-8\r\n" % boundary,
            b"Content-Transfer-Encoding: 8bit\r\n\r\n",
            contents,
            b'\r\n--%b\r\nContent-Type: multipart/digest; boundary="%b"\r\n\r\n' % (boundary, inner),
            *[b"--%b\r\n\r\n%b\r\n" % (inner, one.data) for one in fresh],
            b"--%b--\r\n\r\n--%b--\r\n" % (inner, boundary),
        ]
        return content_of(b"".join(parts))


def _is_digest(digest: Digest) -> bool:
    """A gateway made it: in another digest it would come back, by groups and lists, and grow each time."""
    automatic = (digest.header("auto-submitted") or b"").strip().lower().startswith(b"auto-generated")
    return automatic and digest.header("x-loop") is not None


def _letter(one: Fresh) -> Content:
    """An article as mail, but for `mail_prefix`: its own blob where mail can have it."""
    blob = one.data[one.blob_at :]
    if not any(name.lower() in _MISREAD for name, _ in one.digest.headers):
        content = content_of(blob)
        content.hashed = one.blob_key
        return content
    end = blob.find(b"\r\n\r\n")
    return content_of(mail_header(blob[: end + 2]) + blob[end + 2 :])


def _text(digest: Digest, name: str) -> str:
    value = digest.header(name)
    return "" if value is None else " ".join(headers.decode_words(value).split())[:200]


def _name(gateway: Gateway) -> str:
    return f"gateway {gateway.address.lower()}"


def _first_seen(tx: Tx, name: str) -> int:
    """Since when there is a gateway: noted at its first look."""
    text = bringing.mark(tx, name)
    if not text:
        text = str(tx.now)
        bringing.set_mark(tx, name, text)
    return int(text)


def _begun(tx: Tx, name: str, source: str, folder_id: FolderId) -> str:
    """Notes where reading a group begins: behind what came before there was the gateway.

    A group is seen at the next look only, and may have articles by then.
    """
    since, folder = _first_seen(tx, name), groups.get(tx, folder_id)
    read = folder.high
    if folder.created_at > since:  # what was imported into it may be older
        read = entries.last_until(tx, folder_id, since)
    text = f"{read} {tx.now}"
    bringing.set_mark(tx, source, text)
    return text


def _file_all(tx: Tx, works: Sequence[filing.Work], source: str, read: int, mark_: str) -> bool:
    """Queues mail and notes how far the group was read, together: neither is ever without the other.

    False, and nothing is done, when the group was not read up to ``read``: our lease ran out, and another
    process went on.
    """
    if int(bringing.mark(tx, source).split()[0]) != read:
        return False
    for work in works:
        filing.file(tx, work)
    bringing.set_mark(tx, source, mark_)
    return True
