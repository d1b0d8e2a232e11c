"""One mail transaction: MAIL, RCPT, then the message by DATA or BDAT.

Fills an `Envelope`, streams the message into a spool, hands both to `delivery.inbound`, says what became of
it.  RFC 5321 3.3 and 4.1.1, RFC 1870, RFC 3030, RFC 6152, RFC 6531, RFC 2033 4.2.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from quintet import log, metrics
from quintet.delivery.envelope import NULL, Envelope, Recipient, mailbox
from quintet.delivery.submit import Completer
from quintet.errors import BadSyntax, Hangup, Problem, Reason, Refused, TryLater
from quintet.net.seam import Input, Peer
from quintet.smtp import commands, replies
from quintet.smtp.desk import Desk, Role
from quintet.store.blobs import Spool

if TYPE_CHECKING:
    from quintet.auth.service import Identity

logger = log.get("smtp")

MAX_SKIPPED = 1024 * 1024 * 1024  # octets of a refused BDAT that we read past before we hang up

_NUMBER = re.compile(rb"[0-9]{1,20}")
_BODIES = {b"7BIT": False, b"8BITMIME": True}


class Transaction:
    """From MAIL to the end of the data; made by MAIL, closed by RSET and whatever ends it."""

    __slots__ = ("_completer", "_desk", "_refused", "_repairer", "_size", "_spool", "envelope")

    def __init__(self, desk: Desk, peer: Peer, helo: str, protocol: str, identity: Identity | None) -> None:
        self._desk = desk
        self.envelope = Envelope(peer=peer, protocol=protocol, identity=identity, helo=helo)
        self._spool: Spool | None = None
        self._completer: Completer | None = None
        self._repairer: Repairer | None = None
        self._size = 0  # octets taken
        self._refused = 0  # recipients that were refused

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

    def mail(self, command: commands.Mail) -> None:
        """RFC 5321 4.1.1.2.  Raises BadSyntax, Refused."""
        envelope = self.envelope
        envelope.sender = command.sender
        for keyword, value in command.parameters:
            self._parameter(keyword, value)
        if not envelope.utf8 and not command.sender.ascii:
            raise Refused(Reason.BAD_NAME, replies.NEEDS_UTF8)
        self._desk.inbound.sender(envelope)

    def _parameter(self, keyword: str, value: bytes | None) -> None:
        envelope = self.envelope
        if keyword == "SIZE":
            if value is None or not _NUMBER.fullmatch(value):
                raise BadSyntax("SIZE needs a number")
            envelope.size = int(value)
            if envelope.size > self._desk.config.max_message_size:
                raise Refused(Reason.TOO_BIG)  # RFC 1870 6.1
        elif keyword == "BODY":
            eight_bit = _BODIES.get((value or b"").upper())
            if eight_bit is None:
                raise BadSyntax("BODY is 7BIT or 8BITMIME")
            envelope.eight_bit = eight_bit
        elif keyword == "SMTPUTF8" and value is None:
            envelope.utf8 = True
        elif keyword == "AUTH" and value is not None:
            return  # RFC 4954 5: who submitted it elsewhere; we trust nobody with that
        else:
            raise BadSyntax(f"Parameter {keyword} not supported", Reason.UNSUPPORTED)

    def rcpt(self, command: commands.Rcpt) -> None:
        """RFC 5321 4.1.1.3.  Raises BadSyntax, Refused, TryLater; the transaction goes on."""
        envelope, desk = self.envelope, self._desk
        try:
            if command.parameters:
                keyword = command.parameters[0][0]
                raise BadSyntax(f"Parameter {keyword} not supported", Reason.UNSUPPORTED)
            if not envelope.utf8 and not command.recipient.ascii:
                raise Refused(Reason.BAD_NAME, replies.NEEDS_UTF8)
            if len(envelope.recipients) >= desk.config.max_recipients:
                raise TryLater(Reason.TOO_MANY)
            envelope.recipients.append(
                desk.inbound.recipient(envelope, command.recipient, local_only=desk.role is Role.LMTP)
            )
        except Problem:
            self._refused += 1
            raise

    def refusal(self) -> bytes | None:
        """What DATA and BDAT are answered without a recipient; None when there is one."""
        if self.envelope.recipients:
            return None
        return replies.NO_RECIPIENTS if self._refused else replies.RECIPIENT_FIRST

    # --- the message ------------------------------------------------------------------------

    async def data(self, following: Input) -> bytes:
        """Takes a dotted body; returns the reply.  Raises every family; nothing was taken then."""
        await self._take(following.dotted())
        return await self._finish()

    async def chunk(self, command: commands.Bdat, following: Input) -> bytes:
        """Takes one chunk; returns its reply.  Raises as `data`, and Hangup for a chunk without end."""
        if command.size > MAX_SKIPPED:
            raise Hangup(Reason.TOO_BIG)
        await self._take(following.counted(command.size))
        return await self._finish() if command.last else replies.chunk_taken(command.size)

    async def _take(self, chunks: AsyncIterator[bytes]) -> None:
        limit = self._desk.config.max_message_size
        if self._spool is None:
            self._begin()
        spool, completer, repairer = self._spool, self._completer, self._repairer
        assert spool is not None
        # cast: the seam promises an iterator, which may have no aclose; the driver gives a generator
        async with aclosing(cast("Any", chunks)) as pieces:
            async for piece in pieces:
                self._size += len(piece)
                if self._size > limit:
                    raise Refused(Reason.TOO_BIG)  # the driver reads past the rest
                if repairer is not None:
                    piece = repairer.feed(piece)
                if completer is not None:
                    piece = completer.feed(piece)
                spool.write(piece)

    def _begin(self) -> None:
        desk, envelope = self._desk, self.envelope
        self._spool = desk.store.spool()
        if desk.config.bare_line_ends == "repair":
            self._repairer = Repairer(guarded=desk.role is not Role.SUBMISSION)
        if desk.role is Role.SUBMISSION:
            identity = envelope.identity
            name = mailbox(identity.name) if identity is not None and "@" in identity.name else NULL
            self._completer = Completer(
                sender=envelope.sender,
                identity=name,
                owns=self._owns,
                hostname=desk.hostname,
                clock=desk.clock,
            )

    def _owns(self, address: str) -> bool:
        identity = self.envelope.identity
        if identity is None:
            return True  # a trusted host sends for anybody
        return self._desk.inbound.directory.owns(identity.account_id, mailbox(address))

    async def _finish(self) -> bytes:
        """The whole message is there: take it or refuse it (RFC 5321 4.2.5)."""
        spool, desk, envelope = self._spool, self._desk, self.envelope
        assert spool is not None
        rest = self._repairer.finish() if self._repairer is not None else b""
        if self._completer is not None:
            rest = self._completer.feed(rest) + self._completer.finish()
        if rest:
            spool.write(rest)
        content = await spool.finish()
        digest = content.digest
        if digest.bare_cr or digest.bare_lf:
            # also by BDAT: what we send on by DATA would end early at a careless host
            raise Refused(Reason.BARE_LINE_END)
        envelope.id = desk.inbound.new_id()
        outcomes = await desk.inbound.accept(envelope, content, each=desk.role is Role.LMTP)
        if desk.role is not Role.LMTP:
            return replies.queued(envelope.id)
        return b"".join(
            replies.delivered(str(recipient.address), envelope.id)
            if problem is None
            else self._refuse(recipient, problem)
            for recipient, problem in zip(envelope.recipients, outcomes, strict=True)
        )

    def _refuse(self, recipient: Recipient, problem: Problem) -> bytes:
        """One recipient of a message that others have (RFC 2033 4.2)."""
        reply, envelope = replies.problem(problem), self.envelope
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
        return reply


async def skip(size: int, following: Input) -> None:
    """Reads past a chunk that is refused: it is there whatever we say (RFC 3030 2).  Raises Hangup."""
    if size > MAX_SKIPPED:
        raise Hangup(Reason.TOO_BIG)
    async with aclosing(cast("Any", following.counted(size))) as pieces:  # Any: as in `_take`
        async for _ in pieces:
            continue


# CR or LF alone before a dot that ends its line, or right after a CRLF (where the reader took a dot away):
# another server could take it for the end of the message.
_HIDDEN_END = re.compile(rb"(?:(?<!\r)\n|\r(?!\n))\.[\r\n]|\r\n(?:\n|\r(?!\n))")


class Repairer:
    """Turns every bare CR and bare LF into CRLF, in any chunking.

    ``guarded`` refuses what looks like an end of data that somebody wanted to smuggle past us; our own
    users may write what they like.
    """

    __slots__ = ("_bare", "_cr", "_guarded", "_tail")

    def __init__(self, *, guarded: bool = False) -> None:
        self._guarded = guarded
        self._cr = False  # a CR at the end of what came, whose LF may follow
        self._bare = False  # the tail has one
        self._tail = b"\r\n"  # the last octets before the next piece; DATA itself ended with CRLF

    def feed(self, data: bytes) -> bytes:
        """What came, mended.  Raises Refused(BARE_LINE_END)."""
        if self._cr:
            data = b"\r" + data
        self._cr = data.endswith(b"\r")
        return self._mend(data[:-1] if self._cr else data)

    def finish(self) -> bytes:
        """The CR that was held back, mended.  Raises as `feed`."""
        held, self._cr = self._cr, False
        return self._mend(b"\r") if held else b""

    def _mend(self, data: bytes) -> bytes:
        if not self._bare and not _has_bare(data):
            if data:
                self._tail = (self._tail + data if len(data) < 5 else data)[-5:]
            return data
        seen = self._tail.removeprefix(b"\n") + data  # an LF in front may have lost its CR
        if self._guarded and _HIDDEN_END.search(seen):
            raise Refused(Reason.BARE_LINE_END)
        self._tail = seen[-5:]
        self._bare = _has_bare(self._tail.removeprefix(b"\n"))
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


def _has_bare(data: bytes) -> bool:
    return not data.count(b"\r\n") == data.count(b"\n") == data.count(b"\r")
