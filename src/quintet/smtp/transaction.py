"""One mail transaction: MAIL, RCPT, then the message by DATA or BDAT.

Fills an `Envelope`, streams the message into a spool, hands both to `delivery.inbound`, says what became of
it.  What the parameters mean is `smtp.parameters`', what the octets may be `smtp.repair`'s.
RFC 5321 3.3 and 4.1.1, RFC 3030, RFC 2033 4.2, draft-hall-prdr.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from quintet import log, metrics
from quintet.delivery import solicitation
from quintet.delivery.envelope import NULL, Envelope, Mailbox, Recipient, mailbox
from quintet.delivery.submit import Completer, Rules
from quintet.errors import Hangup, Problem, Reason, Refused, TryLater
from quintet.net.seam import Input, Peer
from quintet.smtp import commands, parameters, replies
from quintet.smtp.desk import Desk, ResolveBurl, Role
from quintet.smtp.repair import BinaryGuard, Repairer
from quintet.store import queue
from quintet.store.blobs import Spool

if TYPE_CHECKING:
    from quintet.auth.service import Identity
    from quintet.delivery.checks import Later
    from quintet.delivery.inbound import Begun
    from quintet.message.digest import Digest
    from quintet.store.content import Content

logger = log.get("smtp")

MAX_SKIPPED = 1024 * 1024 * 1024  # octets of a refused BDAT that we read past before we hang up
_BURL_FAILED = {Reason.NO_PERMISSION: replies.BURL_DENIED, Reason.NO_SUCH_DOMAIN: replies.BURL_UNTRUSTED}


class Transaction:
    """From MAIL to the end of the data; made by MAIL, closed by RSET and whatever ends it."""

    __slots__ = (
        "_completer",
        "_desk",
        "_each",
        "_prdr",
        "_refused",
        "_repairer",
        "_size",
        "_spool",
        "envelope",
        "message_id",
        "reply",
    )

    def __init__(self, desk: Desk, peer: Peer, helo: str, protocol: str, identity: Identity | None) -> None:
        self._desk = desk
        self.envelope = Envelope(peer=peer, protocol=protocol, identity=identity, helo=helo)
        self._spool: Spool | None = None
        self._completer: Completer | None = None
        self._repairer: Repairer | BinaryGuard | None = None
        self._size = 0  # octets taken
        self._refused = 0  # recipients that were refused
        self._each = False  # each recipient's outcome is told
        self._prdr = False  # the client wants to know what becomes of each recipient
        self.reply = replies.SENDER_OK  # to MAIL
        self.message_id = ""  # once the whole message is there

    def close(self) -> None:
        """Lets go of what was spooled."""
        if self._spool is not None:
            self._spool.discard()
            self._spool = None

    @property
    def started(self) -> bool:
        """A BDAT was taken."""
        return self._spool is not None

    # --- the envelope -----------------------------------------------------------------------

    def mail(self, command: commands.Mail) -> Later:
        """RFC 5321 4.1.1.2; what comes back must be awaited, unless it is None.

        ``reply`` is the answer then.  Raises BadSyntax, Refused, TryLater.
        """
        envelope, desk = self.envelope, self._desk
        envelope.sender = command.sender
        if command.parameters:
            peer = envelope.peer
            asked = parameters.read_mail(
                command.parameters,
                desk.terms,
                secure=peer.tls is not None,
                trusted=envelope.identity is not None or bool(peer.user) or peer.address in desk.trusted,
            )
            envelope.size, envelope.eight_bit, envelope.utf8 = asked.size, asked.eight_bit, asked.utf8
            envelope.wishes = asked.wishes()
            self._prdr = asked.prdr
            if envelope.wishes.release_at:
                self._holdable()
            if asked.priority_said is not None:
                self._prioritized(asked.priority_said)
        if not envelope.utf8 and not command.sender.ascii:
            raise Refused(Reason.BAD_NAME, replies.SENDER_NEEDS_UTF8)
        if command.sender and self._strict and not self._whole(command.sender.domain):
            raise Refused(Reason.BAD_CONTENT, replies.UNQUALIFIED)
        return desk.inbound.sender(envelope)

    def _prioritized(self, said: int) -> None:
        """RFC 6710 4.1: what was asked for is logged, and told where it is not what is given (X.3.6)."""
        given = self.envelope.wishes.priority
        logger.info("priority", conn=self.envelope.peer.id, asked=said, given=given)
        if given != said:
            self.reply = replies.PRIORITY_LOWERED

    def _holdable(self) -> None:
        """RFC 4865 6: an account may have so many messages held.  Raises Refused(OVER_QUOTA)."""
        limit, identity = self._desk.config.hold_messages, self.envelope.identity
        if not limit or identity is None:
            return
        if self._desk.store.peek(queue.held_by, identity.account_id, limit) >= limit:
            raise Refused(Reason.OVER_QUOTA, replies.TOO_MANY_HELD)

    def rcpt(self, command: commands.Rcpt) -> Awaitable[None] | None:
        """RFC 5321 4.1.1.3; what comes back must be awaited, unless it is None.

        Raises BadSyntax, Refused, TryLater; the transaction goes on.
        """
        envelope, desk = self.envelope, self._desk
        try:
            notify, orcpt = parameters.read_rcpt(command.parameters) if command.parameters else ((), "")
            if not envelope.utf8 and not command.recipient.ascii:
                raise Refused(Reason.BAD_NAME, replies.NEEDS_UTF8)
            if len(envelope.recipients) >= desk.config.max_recipients:
                raise TryLater(Reason.TOO_MANY)
            found = desk.inbound.recipient(envelope, command.recipient, local_only=desk.role is Role.LMTP)
            if found.elsewhere and self._strict and not self._whole(found.address.domain):
                raise Refused(Reason.BAD_CONTENT, replies.UNQUALIFIED)
            if notify or orcpt:
                found = replace(found, notify=notify, orcpt=orcpt or found.orcpt)
            later = desk.inbound.probe(envelope, found)
            if later is not None:
                return self._rcpt_later(found, later)
            envelope.recipients.append(found)
        except Problem:
            self._refused += 1
            raise
        return None

    def rcpt_known(self, addresses: Sequence[str]) -> int:
        """Takes the first of these plain addresses, up to one that `rcpt` has to look at; says how many."""
        envelope, desk = self.envelope, self._desk
        room = desk.config.max_recipients - len(envelope.recipients)
        known = desk.inbound.known_recipients(envelope, addresses[: max(room, 0)])
        envelope.recipients += known
        return len(known)

    async def _rcpt_later(self, found: Recipient, later: Awaitable[Recipient | None]) -> None:
        try:
            self.envelope.recipients.append(await later or found)
        except Problem:
            self._refused += 1
            raise

    def refusal(self) -> bytes | None:
        """What DATA and BDAT are answered without a recipient; None when there is one."""
        if self.envelope.recipients:
            return None
        return replies.NO_RECIPIENTS if self._refused else replies.RECIPIENT_FIRST

    @property
    def ready_at_once(self) -> bool:
        """Nobody is to be asked at DATA, and nothing is in its way."""
        return bool(self.envelope.recipients) and not self.binary and not self._desk.inbound.places.data

    @property
    def binary(self) -> bool:
        """BODY=BINARYMIME: the message comes by BDAT only (RFC 3030 3)."""
        return self.envelope.wishes.binary

    # --- the message ------------------------------------------------------------------------

    async def data(self, following: Input) -> bytes:
        """Takes a dotted body; returns the reply.  Raises every family; nothing was taken then."""
        await self._take(following.dotted())
        return await self._finish()

    def whole(self, message: bytes) -> Begun:
        """Takes a message that came in one read; the caller drives it and then asks `told`.

        Raises every family; nothing was taken then.
        """
        self._size = len(message)
        if self._size > self._desk.config.max_message_size:
            raise Refused(Reason.TOO_BIG)
        if self._desk.role is not Role.SUBMISSION:
            skimmed = self._desk.store.skimmed(message)
            if skimmed is not None:
                return self._judged(skimmed)
        self._begin()
        spool, completer, repairer = self._spool, self._completer, self._repairer
        assert spool is not None
        if repairer is not None:
            message = repairer.feed(message) + repairer.finish()
        if completer is not None:
            message = completer.feed(message) + completer.finish()
        spool.write(message)
        return self._judged(spool.finish_now())

    async def chunk(self, command: commands.Bdat, following: Input) -> bytes:
        """Takes one chunk; returns its reply.  Raises as `data`, and Hangup for a chunk without end."""
        if command.size > MAX_SKIPPED:
            raise Hangup(Reason.TOO_BIG)
        await self._take(following.counted(command.size))
        return await self._finish() if command.last else replies.chunk_taken(command.size)

    async def burl(self, command: commands.Burl, resolve: ResolveBurl, identity: Identity) -> bytes:
        """Takes what a URL leads to (RFC 4468 3.2); returns its reply.  Raises as `data`."""
        try:
            body = await resolve(command.url, identity)
        except TryLater as error:
            raise TryLater(error.reason, replies.BURL_LATER) from error
        except Refused as error:
            raise Refused(error.reason, _BURL_FAILED.get(error.reason, replies.BURL_NOWHERE)) from error
        if self._size + body.size > self._desk.config.max_message_size:
            raise Refused(Reason.TOO_BIG)
        await self._take(body.chunks(0, body.size))
        return await self._finish() if command.last else replies.BURL_TAKEN

    async def _take(self, chunks: AsyncIterator[bytes]) -> None:
        limit = self._desk.config.max_message_size
        if self._spool is None:
            self._begin()
        spool, completer, repairer = self._spool, self._completer, self._repairer
        assert spool is not None
        began, before = self._desk.clock.monotonic(), self._size
        # cast: the seam promises an iterator, which may have no aclose; the driver gives a generator
        async with aclosing(cast("Any", chunks)) as pieces:
            async for piece in pieces:
                self._size += len(piece)
                if self._size > limit:
                    raise Refused(Reason.TOO_BIG)  # the driver reads past the rest
                if spool.size:  # a first piece has no pace yet
                    self._pace(self._size - before, began)
                if repairer is not None:
                    piece = repairer.feed(piece)
                if completer is not None:
                    piece = completer.feed(piece)
                await spool.take(piece)

    def _pace(self, taken: int, began: float) -> None:
        """Raises Hangup when a message comes so slowly that it only ties us up."""
        config = self._desk.config
        elapsed = self._desk.clock.monotonic() - began
        if elapsed > config.slow_after_s and taken < config.min_rate * elapsed:
            logger.info("too slow", conn=self.envelope.peer.id, size=taken, seconds=round(elapsed))
            self._desk.refusals.add(self.envelope, "data", f"{taken} octets in {elapsed:.0f} s")
            raise Hangup(Reason.TIMEOUT, "message comes too slowly")

    def _begin(self) -> None:
        desk, envelope = self._desk, self.envelope
        self._spool = desk.store.spool()
        config = desk.config
        if envelope.wishes.binary:
            self._repairer = BinaryGuard()
        elif "repair" in (config.bare_line_ends, config.nul, config.long_lines):
            # Deviates: RFC 5321 6.4 lets no relay repair, but what goes on as it is may be two messages there
            self._repairer = Repairer(
                guarded=desk.role is not Role.SUBMISSION,
                line_ends=config.bare_line_ends == "repair",
                nul=config.nul == "repair",
                longest=config.max_text_line if config.long_lines == "repair" else 0,
            )
        if desk.role is Role.SUBMISSION:
            identity = envelope.identity
            name = mailbox(identity.name) if identity is not None and "@" in identity.name else NULL
            self._completer = Completer(
                sender=envelope.sender,
                identity=name,
                owns=self._owns,
                hostname=desk.hostname,
                clock=desk.clock,
                rules=Rules.of(
                    config,
                    utf8=envelope.utf8,
                    addresses=(partial(self._home, name or envelope.sender), self._whole)
                    if self._strict
                    else None,
                ),
            )

    @property
    def _strict(self) -> bool:
        """Addresses must be well-formed and whole: what RFC 6409 4.2 and 5.1 ask of a submission."""
        return self._desk.role is Role.SUBMISSION and self._desk.config.check_addresses

    def _whole(self, domain: str) -> bool:
        """A domain that others know, or one label that we do; programs of this host have names like that."""
        desk = self._desk
        return (
            "." in domain
            or bool(self.envelope.peer.user)
            or domain.startswith("[")
            or domain == desk.hostname.lower()
            or desk.inbound.directory.is_local(domain)
            or domain in desk.config.relay_domains
        )

    def _home(self, author: Mailbox, local: str) -> str:
        """What a bare name gets for a domain: the author's, where it is somebody's (RFC 6409 8)."""
        if self.envelope.peer.user:
            return author.domain  # a program of this host: all its names are the host's
        try:
            found = self._desk.inbound.directory.find(mailbox(f"{local}@{author.domain}"))
        except TryLater:
            return author.domain
        except Refused:
            return ""
        return author.domain if found is not None else ""

    def _owns(self, address: str) -> bool:
        identity = self.envelope.identity
        if identity is None:
            return True  # a trusted host sends for anybody
        return self._desk.inbound.writes_as(identity.account_id, mailbox(address))

    async def _finish(self) -> bytes:
        """The whole message is there: take it or refuse it (RFC 5321 4.2.5)."""
        spool = self._spool
        assert spool is not None
        rest = self._repairer.finish() if self._repairer is not None else b""
        if self._completer is not None:
            rest = self._completer.feed(rest) + self._completer.finish()
        if rest:
            spool.write(rest)
        begun = self._judged(await spool.finish())
        return self.told(await begun.rest(begun.go()))

    def _judged(self, content: Content) -> Begun:
        desk, envelope = self._desk, self.envelope
        self.message_id = content.message_id
        self._judge(content)
        envelope.id = desk.inbound.new_id()
        self._each = (self._prdr and len(envelope.recipients) > 1) or desk.role is Role.LMTP
        return desk.inbound.begin(envelope, content, each=self._each)

    def told(self, outcomes: Sequence[Problem | None]) -> bytes:
        """The reply to a message that was taken, or to each of its recipients."""
        envelope = self.envelope
        if not self._each:
            return replies.queued(envelope.id)
        told = [
            replies.delivered(str(recipient.address), envelope.id)
            if problem is None
            else self._refuse(recipient, problem)
            for recipient, problem in zip(envelope.recipients, outcomes, strict=True)
        ]
        if (
            self._desk.role is not Role.LMTP
        ):  # draft-hall-prdr 3: that they follow, each, and what became of the message in all
            refused = all(problem is not None for problem in outcomes)
            told = [replies.EACH_FOLLOWS, *told, told[-1] if refused else replies.queued(envelope.id)]
        return b"".join(told)

    def _judge(self, content: Content) -> None:
        """Refuses what the administrator does not want; what is repaired cannot be there any more."""
        config = self._desk.config
        if content.header_end > config.max_header or content.has_more_fields(config.max_header_fields):
            raise Refused(Reason.TOO_BIG, replies.HEADER_TOO_BIG)
        if content.scanned is not None:
            self._judge_octets(content.scanned)
        if self._desk.terms.unwanted:
            parameters.wanted(solicitation.of(content.digest), self._desk.terms)  # RFC 3865 2.3

    def _judge_octets(self, digest: Digest) -> None:
        config = self._desk.config
        if (digest.bare_cr or digest.bare_lf) and not self.envelope.wishes.binary:
            # also by BDAT: what we send on by DATA would end early at a careless host
            raise Refused(Reason.BARE_LINE_END)
        if digest.nul and config.nul == "refuse" and not self.envelope.wishes.binary:
            raise Refused(Reason.BAD_CONTENT, replies.HAS_NUL)
        if digest.longest_line > config.max_text_line and config.long_lines == "refuse":
            raise Refused(Reason.BAD_CONTENT, replies.LONG_LINE)

    def _refuse(self, recipient: Recipient, problem: Problem) -> bytes:
        """One recipient of a message that others have (RFC 2033 4.2)."""
        reply, envelope = replies.problem(problem), self.envelope
        if self._desk.config.soft_bounce:
            reply = replies.softened(reply)
        text = reply[:-2].decode()
        metrics.MAIL_REFUSED.labels(self._desk.role.value, text[:3]).inc()
        logger.info(
            "refused",
            conn=envelope.peer.id,
            id=envelope.id,
            sender=str(envelope.sender),
            recipient=str(recipient.address),
            reply=text,
        )
        self._desk.refusals.add(
            envelope, "data", text, recipient=str(recipient.address), message_id=self.message_id
        )
        return reply


async def skip(size: int, following: Input) -> None:
    """Reads past a chunk that is refused: it is there whatever we say (RFC 3030 2).  Raises Hangup."""
    if size > MAX_SKIPPED:
        raise Hangup(Reason.TOO_BIG)
    async with aclosing(cast("Any", following.counted(size))) as pieces:  # Any: as in `_take`
        async for _ in pieces:
            continue
