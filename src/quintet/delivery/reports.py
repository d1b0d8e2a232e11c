"""Who is told about a message, in which language, and how often; makes the reports ready to be filed.

What stands in a report is `dsn`'s, when one is due is `aftermath`'s (for queued mail) and `filing`'s (for
mail that arrives).  Never backscatter: nobody is told who has no address or whose address is ours and
unknown, and what goes to one address elsewhere about mail from outside has a limit.
RFC 3461 5.2, 6; RFC 5321 4.5.5.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from quintet.clock import Clock
from quintet.config.reports import Reports as Config
from quintet.delivery import dsn, filing, notify, wording
from quintet.delivery.directory import Directory
from quintet.delivery.envelope import USUAL, Envelope, Mailbox, mailbox
from quintet.delivery.envelope import Recipient as Addressee
from quintet.errors import Refused, TryLater
from quintet.message import headers
from quintet.message.digest import Digest
from quintet.net.seam import Peer
from quintet.store import accounts, entries
from quintet.store.content import Content, content_of
from quintet.store.model import AccountId, MessageId
from quintet.store.queue import Recipient
from quintet.store.store import Store
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.delivery.signing import Signer

MAX_MESSAGE_ID = 900  # octets; a line holds 998 (RFC 5322 2.1.1)
MAX_HEADER = 64 * 1024  # bytes of a header block that is returned
MAX_COUNTED = 10_000  # addresses whose reports are counted at once
UNDELIVERED_MS = 5 * 86_400_000  # how long a report about a batch is tried
HOUR_S = 3600.0
PER_DOMAIN = 10  # times what one address gets

POSTMASTER = Mailbox("postmaster", "")


@dataclass(frozen=True, slots=True)
class Way:
    """How a sender is reached, and what they read."""

    to: Addressee
    decision: filing.Decision
    language: str


class Reports:
    """One a process, so that its count of what was told is right."""

    def __init__(
        self, store: Store, config: Config, *, directory: Directory, hostname: str, clock: Clock
    ) -> None:
        self._store, self._config, self._directory = store, config, directory
        self._hostname, self._clock = hostname, clock
        self.signer: Signer | None = None  # for what leaves; joined from above
        self._counts: dict[str, int] = {}
        self._counted_from = clock.monotonic()

    # --- mail in the queue --------------------------------------------------------------------------

    async def queued(
        self, one: Recipient, fates: Sequence[dsn.Fate], *, expires_at: int, return_size: int
    ) -> filing.Work | None:
        """The report to the sender of ``one``, all fates of one action; None when there is nobody to tell.

        A report that failed itself is told to postmaster, where that is wished and postmaster's mailbox is
        here; that one is filed, so that it can never fail in turn.
        """
        row = MessageId(one.message_row)
        digest = self._store.peek(entries.digest, row)
        sender = mailbox(one.sender)
        if not sender:
            way = self._to_postmaster() if fates[0].action == dsn.FAILED else None
            sender = Mailbox("postmaster", self._hostname)
        else:
            way = self.way(sender, digest, trusted=one.account_id is not None)
        if way is None:
            return None
        guarded = bool(one.item_params.get("require_tls"))  # RFC 8689 5: as if RET=HDRS had been said
        wanted = fates[0].action == dsn.FAILED and one.item_params.get("ret") != "hdrs" and not guarded
        content, whole = await self._returned(row, digest, return_size if wanted else 0)
        about = dsn.About(
            sender,
            one.created_at,
            content,
            whole,
            envelope_id=str(one.item_params.get("envid", "")),
            message_id=_message_id(digest),
            log_id=str(one.item_params.get("id", "")),
            received_from=str(one.item_params.get("helo", "")),
            language=way.language,
            seven_bit=not isinstance(way.decision, filing.File),
            deliver_by=int((one.item_params.get("by") or {}).get("at", 0)),
            hold=str(one.item_params.get("hold", "")),
        )
        priority = int(one.item_params.get("priority") or 0)
        return self._work(
            about, fates, way, f"queue-{one.queue_id}", expires_at, guarded=guarded, priority=priority
        )

    async def _returned(self, row: MessageId, digest: Digest, limit: int) -> tuple[bytes, bool]:
        """The message when it is no larger than ``limit``, else its header block; RFC 3461 6.2."""
        ref = self._store.peek(entries.message_body, row)
        whole = ref.size <= limit
        size = ref.size if whole else min(len(ref.prefix) + digest.header_end, MAX_HEADER)
        return b"".join([piece async for piece in self._store.body(ref).chunks(0, size)]), whole

    async def undelivered(
        self, sender: Mailbox, fates: Sequence[dsn.Fate], head: bytes, *, envid: str = ""
    ) -> filing.Work | None:
        """The report about a message that nobody keeps, which began with ``head``; None: nobody to tell."""
        digest = content_of(head).digest
        way = self.way(sender, digest, trusted=False)
        if way is None:
            return None
        now = self._clock.now()
        about = dsn.About(
            sender,
            now,
            head[: min(digest.header_end, MAX_HEADER)],
            whole=False,
            envelope_id=envid,
            message_id=_message_id(digest),
            language=way.language,
            seven_bit=not isinstance(way.decision, filing.File),
        )
        return self._work(about, fates, way, "batch", now + UNDELIVERED_MS)

    # --- mail that arrives --------------------------------------------------------------------------

    @staticmethod
    def wanted(work: filing.Work, asked: Sequence[Addressee]) -> bool:
        """Whether the sender asked to hear of any recipient that it was delivered."""
        if not work.envelope.sender:
            return False
        for one in asked:
            if notify.SUCCESS in one.notify:
                return True
        return any(notify.SUCCESS in one.notify for one in work.envelope.recipients)

    async def arriving(
        self, work: filing.Work, asked: Sequence[Addressee], *, arrived_at: int = 0, trusted: bool = False
    ) -> filing.Work:
        """The same work, with the reports "delivered" and "expanded" that its sender asked for.

        ``asked`` are the recipients as they were named, before aliases were followed.  Which of them are
        told of is known in the transaction that files the message, and the reports are filed by it too.
        ``trusted``: an account here sent it.
        """
        if not self.wanted(work, asked):
            return work
        recipients = work.envelope.recipients
        wanting = [one for one in asked if notify.SUCCESS in one.notify]
        # 5.2.7.1: a list has it once it is sent on to its members, not while it waits for that
        lists = [one for one in wanting if one.mailing_list and one not in recipients]
        expanded = [one for one in wanting if len(one.leads) > 1 and not one.mailing_list]
        envelope, content = work.envelope, work.content
        way = self.way(envelope.sender, content.digest, trusted=trusted)
        if way is None:
            return work
        about = dsn.About(
            envelope.sender,
            arrived_at or work.now,
            work.received + await asyncio.to_thread(_header, content),
            whole=False,  # RFC 3461 6.2: nothing failed
            envelope_id=envelope.wishes.envid,
            message_id=_message_id(content.digest),
            log_id=envelope.id,
            received_from=envelope.helo,
            language=way.language,
            seven_bit=not isinstance(way.decision, filing.File),
            deliver_by=envelope.wishes.by.at if envelope.wishes.by is not None else 0,
            hold=envelope.wishes.hold,
        )

        def tell(there: Sequence[int], careful: bool) -> list[filing.Work]:
            filed = [recipients[number] for number in there]
            delivered = [one for one in filed if notify.SUCCESS in one.notify] + lists
            mix = (
                [_good(one, dsn.DELIVERED, work.now) for one in delivered],
                [_good(one, dsn.EXPANDED, work.now) for one in expanded],
            )
            ready = replace(way, decision=filing.Send((str(way.to.address),))) if careful else way
            conn, guarded, priority = envelope.peer.id, envelope.wishes.require_tls, envelope.wishes.priority
            return [
                self._work(about, fates, ready, conn, work.expires_at, guarded=guarded, priority=priority)
                for fates in mix
                if fates
            ]

        return replace(work, tell=tell)

    # --- to whom ------------------------------------------------------------------------------------

    def way(self, sender: Mailbox, digest: Digest, *, trusted: bool) -> Way | None:
        """Where a report goes; None when nobody is there, or they have had enough."""
        try:
            found = self._directory.find(sender)
        except TryLater:
            found = None
        except Refused:
            return None
        to = found or Addressee(sender)
        decision = filing.usual(to) if found is not None else filing.Send((str(sender),))
        if isinstance(decision, filing.Send) and not trusted and not self._may_tell(sender):
            return None
        return Way(to, decision, self._language(to.account_id, digest))

    def _to_postmaster(self) -> Way | None:
        if not self._config.double_bounces:
            return None
        try:
            found = self._directory.find(POSTMASTER)
        except (Refused, TryLater):
            return None
        if found is None or not found.folder_id:
            return None
        return Way(found, filing.File(found.folder_id), self._language(found.account_id, None))

    def _language(self, account_id: int, digest: Digest | None) -> str:
        """The account's setting, else what the message says its author reads, else the house's."""
        tag = ""
        if account_id:
            tag = wording.known([self._store.peek(accounts.get, AccountId(account_id)).language])
        if not tag and digest is not None:
            fields = [digest.header(name) or b"" for name in (b"accept-language", b"content-language")]
            tag = wording.wanted(*(value.decode("ascii", "replace") for value in fields))
        return tag or self._config.language

    def _may_tell(self, sender: Mailbox) -> bool:
        """Counts one more report to somebody elsewhere; False when that is too many."""
        limit = self._config.per_sender
        if not limit:
            return True
        now = self._clock.monotonic()
        if now - self._counted_from >= HOUR_S or len(self._counts) >= MAX_COUNTED:
            self._counts.clear()
            self._counted_from = now
        address, domain = str(sender).lower(), "@" + sender.domain.lower()
        had, domain_had = self._counts.get(address, 0), self._counts.get(domain, 0)
        if had >= limit or domain_had >= PER_DOMAIN * limit:
            return False
        self._counts[address], self._counts[domain] = had + 1, domain_had + 1
        return True

    def _work(
        self,
        about: dsn.About,
        fates: Sequence[dsn.Fate],
        way: Way,
        conn: str,
        expires_at: int,
        *,
        guarded: bool = False,
        priority: int = 0,
    ) -> filing.Work:
        data = dsn.report(
            about, fates, hostname=self._hostname, now=self._clock.now(), token=self._clock.token(12)
        )
        return self.ready(data, way, conn=conn, expires_at=expires_at, guarded=guarded, priority=priority)

    def ready(
        self,
        data: bytes,
        way: Way,
        *,
        conn: str,
        expires_at: int,
        event: str = "reported",
        guarded: bool = False,
        priority: int = 0,
    ) -> filing.Work:
        """A report with its envelope: a null sender, so that nothing ever answers it (RFC 5321 4.5.5).

        Signed where it leaves: with a null sender, DMARC has little else to go by (RFC 7489 3.1.2).
        ``guarded``: it is about a message with REQUIRETLS, and asks for that too (RFC 8689 5).
        ``priority`` is that message's (RFC 6710 4.6).
        """
        if self.signer is not None and isinstance(way.decision, filing.Send):
            with contextlib.suppress(TryLater):  # a key that cannot be read, which the log tells
                data = self.signer.sealed(data)
        envelope = Envelope(
            peer=Peer(conn, ""),
            helo=self._hostname,
            id=self._clock.token(8),
            recipients=[way.to],
            eight_bit=not data.isascii(),
            utf8=not way.to.address.ascii,
            wishes=replace(USUAL, require_tls=guarded, priority=priority) if guarded or priority else USUAL,
        )
        return filing.Work(
            envelope=envelope,
            content=content_of(data),
            decisions=[way.decision],
            received=b"",
            now=self._clock.now(),
            expires_at=expires_at,
            event=event,
        )


def _good(one: Addressee, action: str, now: int) -> dsn.Fate:
    status = "2.1.5" if action == dsn.DELIVERED else "2.0.0"
    return dsn.Fate(one.address, action, status, at=now, original=one.orcpt)


def _message_id(digest: Digest) -> str:
    """What a report refers to; "" when it has none that fits into one field."""
    found = headers.msg_ids(digest.header(b"message-id") or b"")
    return found[0] if found and found[0].isascii() and len(found[0]) <= MAX_MESSAGE_ID else ""


def _header(content: Content) -> bytes:
    size = min(content.digest.header_end, MAX_HEADER)
    if content.data is not None:
        return content.data[:size]
    assert content.path is not None
    with content.path.open("rb") as file:
        return file.read(size)
