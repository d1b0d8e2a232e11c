"""Leaving: what one needs to know of a queued message before it goes out, in one look.

Whether the leases are still the owner's, the header (with or without a digest), the bytes when they are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quintet.message.digest import Digest
from quintet.message.outline import Headed, outline
from quintet.store.content import Content
from quintet.store.db import Tx, single
from quintet.store.model import BlobId, BodyRef, MessageId
from quintet.store.queue import RecipientId, still_leased
from quintet.values import dataclass

NO_BLOB = BlobId(0)  # of a message whose bytes are at hand: nobody looks for its row
FEW_BYTES = 64 * 1024  # of a message: read along when it goes out

_CONTENT = (
    "m.blob_id, m.prefix, m.size, b.dotless, b.sha256, b.place, b.digest,"
    " CASE WHEN m.size <= ? OR length(b.digest) = 0 THEN b.data END"
)
_LOOK = f"SELECT {_CONTENT} FROM message m JOIN blob b ON b.id = m.blob_id WHERE m.id = ?"
_LOOK_AT_ONE = (
    f"SELECT {_CONTENT}, r.id FROM message m JOIN blob b ON b.id = m.blob_id"
    " LEFT JOIN queue_recipient r ON r.id = ? AND r.state = 'leased' AND r.lease_owner = ?"
    " WHERE m.id = ?"
)


@dataclass(frozen=True, slots=True)
class Look:
    """What one needs to know before a message goes out."""

    still: set[RecipientId]  # of the leases, those that are the owner's still
    head: Headed | None = None  # None: the message is gone
    ref: BodyRef | None = None  # with its bytes when they are few


def look(tx: Tx, ids: Sequence[RecipientId], owner: str, message_row: MessageId) -> Look:
    """`still_leased`, and the message, at once: each message that leaves asks for both."""
    row = tx.one(_LOOK, FEW_BYTES, message_row)
    return _look(row, still_leased(tx, ids, owner))


@single
def look_at_one(tx: Tx, recipient: RecipientId, owner: str, message_row: MessageId) -> Look:
    """`look` for one recipient, as most messages have."""
    row = tx.one(_LOOK_AT_ONE, FEW_BYTES, recipient, owner, message_row)
    return _look(row, {recipient} if row is not None and row[8] is not None else set())


def of_new(content: Content, prefix: bytes, ids: Sequence[RecipientId]) -> Look | None:
    """What `look` would say of a message that was queued and leased a moment ago; None: ask it."""
    data = content.data
    if data is None or len(data) > FEW_BYTES:
        return None
    size, dotless = len(prefix) + content.size, not content.has_dot_line
    ref = BodyRef(NO_BLOB, prefix, size, dotless, b"", True, data)
    return Look(set(ids), content.scanned or outline(data), ref)


def _look(row: tuple[Any, ...] | None, still: set[RecipientId]) -> Look:
    if row is None:
        return Look(still)
    ref = BodyRef(row[0], row[1], row[2], bool(row[3]), row[4], not row[5], row[7])
    packed, data = row[6], row[7]
    return Look(still, Digest.from_bytes(packed) if packed or data is None else outline(data), ref)
