"""A queued message as it leaves: its bytes by reference, and in seven bits for hosts that take no more.

What sender and recipients asked for stands in the rows' parameters, and is read here.  RFC 6152 3.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from quintet.delivery import solicitation, tlspolicy
from quintet.delivery.envelope import USUAL, DeliverBy, Wishes, mailbox
from quintet.delivery.transport import Letter, To, Turn
from quintet.message import narrow
from quintet.message.digest import Digest
from quintet.message.outline import Headed
from quintet.message.scan import scan
from quintet.net.seam import CHUNK
from quintet.store import entries
from quintet.store.db import Tx
from quintet.store.leaving import Look
from quintet.store.model import BodyRef, MessageId
from quintet.store.queue import Recipient
from quintet.store.store import Store
from quintet.values import dataclass

WISHED = frozenset(
    ("binary", "ret", "envid", "require_tls", "priority", "release_at", "by", "solicit", "submitter")
)
MAX_NARROWED = 32 * 1024 * 1024  # bytes of a message that we hold to rewrite it; larger ones are returned


@dataclass(frozen=True, slots=True)
class HeldBody:
    """`seam.Body` of bytes in memory."""

    data: bytes
    dotless: bool = False

    @property
    def size(self) -> int:
        return len(self.data)

    def small(self, start: int, length: int) -> bytes | None:
        """See `seam.Body`."""
        return self.data[start : start + length]

    async def chunks(self, start: int, length: int) -> AsyncIterator[bytes]:
        """See `seam.Body`."""
        end = min(start + length, len(self.data))
        for at in range(start, end, CHUNK):
            yield self.data[at : min(at + CHUNK, end)]


def letter(store: Store, recipient: Recipient, look: Look | None = None, after: Turn | None = None) -> Letter:
    """The message that a recipient waits for; read, unless it has been.  Raises what reading raises."""
    head: Headed
    if look is not None and look.head is not None and look.ref is not None:
        head, ref = look.head, look.ref
    else:
        head, ref = store.peek(_content, MessageId(recipient.message_row))
    plain = ref.prefix.isascii() and (not head.eight_bit or all(value.isascii() for _, value in head.headers))
    # a raw 8-bit header that came without SMTPUTF8 is ugly, and goes on as it came
    utf8 = not plain and bool(recipient.item_params.get("utf8"))
    asked = wishes(recipient.item_params)
    if not asked.solicit and (said := solicitation.of(head)):
        asked = replace(asked, solicit=said)  # RFC 3865 2.7: as if the client had said so
    eight_bit = head.eight_bit or utf8
    sender = mailbox(recipient.sender)
    found = Letter(
        sender,
        store.body(ref),
        eight_bit,
        utf8,
        wishes=asked,
        demand=tlspolicy.demand(asked.require_tls, not sender, head),
        after=after,
    )
    if not (eight_bit or asked.binary) or not plain or ref.size > MAX_NARROWED:
        return found
    return replace(found, narrowed=functools.partial(_narrowed, store, ref, head, found))


def _content(tx: Tx, row: MessageId) -> tuple[Digest, BodyRef]:
    return entries.digest(tx, row), entries.message_body(tx, row)


def wishes(params: Mapping[str, Any]) -> Wishes:  # Any: JSON
    """What the sender asked for, from the parameters of a queue row."""
    if params.keys().isdisjoint(WISHED):
        return USUAL
    by = params.get("by")
    return Wishes(
        binary=bool(params.get("binary")),
        ret=str(params.get("ret", "")),
        envid=str(params.get("envid", "")),
        require_tls=bool(params.get("require_tls")),
        priority=int(params.get("priority") or 0),
        release_at=int(params.get("release_at") or 0),
        by=DeliverBy(int(by["at"]), str(by["mode"]), bool(by.get("trace"))) if by else None,
        solicit=str(params.get("solicit", "")),
        submitter=str(params.get("submitter", "")),
    )


def addressed(recipient: Recipient) -> To:
    """One recipient as a host is to hear of it."""
    params = recipient.params
    orcpt = str(params.get("orcpt", "")) or _original(recipient)
    return To(mailbox(recipient.address), tuple(params.get("notify", ())), orcpt)


def _original(recipient: Recipient) -> str:
    """RFC 3461 5.2.1: we may add the address as it came to us; what it was led to is no such address."""
    if recipient.params.get("led"):
        return ""
    address = recipient.address
    return f"{'rfc822' if address.isascii() else 'utf-8'};{address}"


async def _narrowed(store: Store, ref: BodyRef, head: Headed, wide: Letter) -> Letter | None:
    data = await asyncio.to_thread(_read, store, ref, head, wide.wishes.binary)
    if data is None:
        return None
    asked = replace(wide.wishes, binary=False)
    return replace(wide, body=HeldBody(data), eight_bit=False, narrowed=None, wishes=asked)


def _read(store: Store, ref: BodyRef, head: Headed, binary: bool) -> bytes | None:
    """Signatures that cover the body break, as with every gateway that does so: better than no mail."""
    data = store.read_body(ref)[len(ref.prefix) :]
    digest = head if isinstance(head, Digest) else scan(data)
    narrowed = narrow.seven_bit(data, digest, binary=binary)
    return None if narrowed is None else ref.prefix + narrowed
