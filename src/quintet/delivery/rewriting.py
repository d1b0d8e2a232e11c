"""Addresses that are called something else: `[rewrite]`, in what comes in and in what leaves.

Canonical, on the way in: the recipient at RCPT, so that it is the new name that must exist; sender and header
among the first steps, so that filters see, and sign, what goes on.  Generic, on the way out: all of it, for
the next host alone; the queue and the sender's reports know the addresses as they were.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from quintet.clock import Clock
from quintet.config.rewrite import Rewrite
from quintet.delivery import addressmap, remade
from quintet.delivery.addressmap import Ours, Table
from quintet.delivery.checks import Later
from quintet.delivery.envelope import Mailbox, mailbox
from quintet.delivery.letter import HeldBody
from quintet.delivery.names import Names
from quintet.delivery.transport import Letter, To
from quintet.delivery.watched import Watched
from quintet.message import readdress, words
from quintet.message.outline import Headed
from quintet.net.seam import CHUNK, Body
from quintet.store.blobs import StoredBody
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.delivery.inbound import Passage

SENDERS = (
    b"from", b"sender", b"reply-to", b"errors-to", b"disposition-notification-to", b"return-receipt-to",
    b"resent-from", b"resent-sender", b"resent-reply-to",
)  # fmt: skip
RECIPIENTS = (b"to", b"cc", b"bcc", b"apparently-to", b"resent-to", b"resent-cc", b"resent-bcc")
MAX_HEADER = 1024 * 1024  # bytes; of a message that leaves, as `submit` has it


class Maps:
    """Tables that are asked one after the other, each about what the one before made of an address."""

    def __init__(self, config: Rewrite, names: Sequence[str], *, clock: Clock, ours: Ours) -> None:
        self._ours = ours
        self._tables: list[Table | Watched[Table]] = []
        for name in names:
            entries, file = config.of(name)
            if entries:
                self._tables.append(addressmap.of(entries))
            if file:
                self._tables.append(Watched(file, clock, addressmap.read, f"table rewrite.{name}_file"))

    def of(self, box: Mailbox) -> Mailbox:
        """What an address becomes; itself where nothing says so.  Raises TryLater: a file was never read."""
        if not box.domain:
            return box
        for table in self._tables:
            known = table if isinstance(table, Table) else table.get()
            box = known.find(box, self._ours) or box
        return box

    def written(self, address: bytes) -> bytes | None:
        """The same for an address as a header field has it; None: it stays."""
        box = mailbox(words.decode_bytes(address))
        other = self.of(box)
        return None if other == box else str(other).encode()


class Canonical(Names):
    """What comes in; one a process."""

    plain = False

    def __init__(self, config: Rewrite, *, clock: Clock, ours: Ours) -> None:
        senders = Maps(config, ("sender_canonical", "canonical"), clock=clock, ours=ours)
        recipients = Maps(config, ("recipient_canonical", "canonical"), clock=clock, ours=ours)
        classes = config.canonical_classes
        self._sender = senders if "envelope_sender" in classes else None
        self._recipient = recipients if "envelope_recipient" in classes else None
        self._author = senders if "header_sender" in classes else None
        self._everybody = config.headers_of == "everybody"
        self._fields: dict[bytes, readdress.Other] = {}
        if self._author is not None:
            self._fields |= dict.fromkeys(SENDERS, senders.written)
        if "header_recipient" in classes:
            self._fields |= dict.fromkeys(RECIPIENTS, recipients.written)

    def recipient(self, address: Mailbox) -> Mailbox:
        """See `Names`."""
        return address if self._recipient is None else self._recipient.of(address)

    def sender(self, address: Mailbox) -> Mailbox:
        """See `Names`."""
        return address if self._sender is None else self._sender.of(address)

    def author(self, address: Mailbox) -> Mailbox:
        """See `Names`."""
        return address if self._author is None else self._author.of(address)

    def step(self, passage: Passage) -> Later:
        """A `inbound.Step`: sender and header.  Raises TryLater(STORAGE)."""
        envelope = passage.envelope
        if (sender := self.sender(envelope.sender)) != envelope.sender:
            utf8 = envelope.utf8 or not str(sender).isascii()
            passage.envelope = replace(envelope, sender=sender, utf8=utf8)
        if not self._fields or not (self._everybody or _trusted(passage)):
            return None
        return self._header(passage) if readdress.changes(passage.content.headers, self._fields) else None

    async def _header(self, passage: Passage) -> None:
        content, store = passage.content, passage.inbound.store
        header = readdress.block(await remade.block(content), self._fields)
        passage.content = await remade.changed(store, content, header)


def _trusted(passage: Passage) -> bool:
    envelope, inbound = passage.envelope, passage.inbound
    return envelope.identity is not None or bool(envelope.peer.user) or inbound.trusts(envelope.peer.address)


class Generic:
    """What leaves by SMTP; one a process."""

    def __init__(self, config: Rewrite, *, clock: Clock, ours: Ours) -> None:
        self._maps = Maps(config, ("generic",), clock=clock, ours=ours)
        self._fields: Mapping[bytes, readdress.Other] = dict.fromkeys(
            (*SENDERS, *RECIPIENTS), self._maps.written
        )

    def letter(self, letter: Letter, head: Headed | None) -> Letter:
        """As the next host gets it, in seven bits as well.  Raises TryLater(STORAGE)."""
        sender = self._maps.of(letter.sender)
        header = head is not None and readdress.changes(head.headers, self._fields)
        if sender == letter.sender and not header:
            return letter
        made, narrow = self._made(letter, sender, header), letter.narrowed
        if narrow is None:
            return made

        async def narrowed() -> Letter | None:
            found = await narrow()
            return None if found is None else self._made(found, sender, header)

        return replace(made, narrowed=narrowed)

    def _made(self, letter: Letter, sender: Mailbox, header: bool) -> Letter:
        body = self._readdressed(letter.body) if header else letter.body
        return replace(letter, sender=sender, body=body)

    def _readdressed(self, body: Body) -> Body:
        small = body.small(0, body.size)
        data = body.beginning(MAX_HEADER) if small is None and isinstance(body, StoredBody) else small or b""
        end = data.find(b"\r\n\r\n") + 2
        if end < 2:
            return body  # nothing but a header without an end: it goes as it is
        header = readdress.block(data[:end], self._fields)
        if small is not None:
            return HeldBody(header + data[end:], body.dotless)
        return Spliced(header, body, end)

    def to(self, addresses: Sequence[To]) -> list[To]:
        """Recipients as the next host hears of them, in order.  Raises TryLater(STORAGE)."""
        return [replace(one, address=self._maps.of(one.address)) for one in addresses]


@dataclass(frozen=True, slots=True)
class Spliced:
    """`seam.Body` of another header and the rest of a body."""

    head: bytes
    rest: Body
    skipped: int  # bytes of ``rest`` that ``head`` stands for

    @property
    def size(self) -> int:
        return len(self.head) + self.rest.size - self.skipped

    @property
    def dotless(self) -> bool:
        return self.rest.dotless

    def small(self, start: int, length: int) -> bytes | None:
        """See `seam.Body`."""
        return self.head[start : start + length] if start + length <= len(self.head) else None

    async def chunks(self, start: int, length: int) -> AsyncIterator[bytes]:
        """See `seam.Body`."""
        length = min(length, self.size - start)
        head = self.head[start : start + length]
        for at in range(0, len(head), CHUNK):
            yield head[at : at + CHUNK]
        begin = self.skipped + max(start - len(self.head), 0)
        async with aclosing(cast("Any", self.rest.chunks(begin, length - len(head)))) as pieces:
            async for piece in pieces:
                yield piece
