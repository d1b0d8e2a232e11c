"""Rows of the queue as objects."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import field
from typing import Any, NewType

from quintet.store.content import Content
from quintet.store.model import AccountId, MessageId
from quintet.values import dataclass

QueueId = NewType("QueueId", int)
RecipientId = NewType("RecipientId", int)

WAITING = "waiting"
LEASED = "leased"
HELD = "held"
FAILED = "failed"

NO_PARAMS = "{}"  # as most have


@dataclass(frozen=True, slots=True)
class QueueItem:
    """A message to be sent.  ``params`` are the envelope's: RET, ENVID, BODY, SMTPUTF8... as JSON values."""

    content: Content | None  # or a message that is stored already:
    sender: str  # "" for a bounce
    prefix: bytes = b""
    message_row: MessageId | None = None
    account_id: AccountId | None = None
    params: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON
    expires_at: int = 0  # 0: five days (RFC 5321 4.5.4.1)


@dataclass(frozen=True, slots=True)
class To:
    """One recipient of a `QueueItem`.  ``params``: NOTIFY, ORCPT."""

    address: str
    params: Mapping[str, Any] = field(default_factory=dict)
    domain: str = ""  # where it goes; the address's own when empty
    due_at: int = 0  # 0: now
    hold: str = ""  # why it is held from the beginning; "": only where a rule wants that


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient as it stands in the queue."""

    id: RecipientId
    queue_id: QueueId
    address: str
    domain: str
    params: dict[str, Any]
    state: str
    due_at: int
    attempts: int
    last_error: str
    delayed_notice: bool  # a "delayed" DSN went out
    message_row: MessageId
    account_id: AccountId | None
    sender: str
    item_params: dict[str, Any]
    created_at: int
    expires_at: int
    rank: int = 0  # see `lanes.rank`
    hold_reason: str = ""
    blocked: str = ""  # why nothing is sent there any more (`queue_rules.blocked`); told when it is leased


Contents = Mapping[MessageId, tuple[Content, bytes]]
"""Messages that were queued a moment ago, with their prefixes."""


@dataclass(slots=True)
class Claim:
    """A runner that leases what is queued now in the same transaction, and takes it over after the commit."""

    owner: str
    until: int  # ms; when the leases run out
    resting: Collection[str] = ()  # domains that shall wait
    taken: list[Recipient] = field(default_factory=list)
    contents: dict[MessageId, tuple[Content, bytes]] = field(default_factory=dict)  # theirs, and prefixes

    def begin(self) -> None:
        """The transaction is run, perhaps again: what it took before is undone."""
        self.taken.clear()
        self.contents.clear()


def packed(params: Mapping[str, Any]) -> str:
    """Parameters as a column has them."""
    return json.dumps(dict(params)) if params else NO_PARAMS


def unpacked(text: str) -> dict[str, Any]:
    """And back."""
    return {} if text == NO_PARAMS else json.loads(text)


def as_recipient(row: tuple[Any, ...], blocked: str = "") -> Recipient:
    """``row``: columns of the two tables as `queue` reads them."""
    return Recipient(
        row[0], row[1], row[2], row[3], unpacked(row[4]), row[5], row[6], row[7], row[8], bool(row[9]),
        row[10], row[11], row[12], unpacked(row[13]), row[14], row[15], row[16], row[17], blocked,
    )  # fmt: skip
