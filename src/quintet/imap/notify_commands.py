"""NOTIFY as a value (RFC 5465 8)."""

from __future__ import annotations

import enum

from quintet.imap.commands import Command, Item
from quintet.values import dataclass

NEW, EXPUNGE, FLAGS, ANNOTATIONS = "MessageNew", "MessageExpunge", "FlagChange", "AnnotationChange"
NAMES, SUBSCRIPTIONS = "MailboxName", "SubscriptionChange"
METADATA, SERVER_METADATA = "MailboxMetadataChange", "ServerMetadataChange"
OF_MESSAGES = frozenset((NEW, EXPUNGE, FLAGS, ANNOTATIONS))
EVENTS = (NEW, EXPUNGE, FLAGS, ANNOTATIONS, NAMES, SUBSCRIPTIONS, METADATA, SERVER_METADATA)


class Where(enum.Enum):
    """Which mailboxes (RFC 5465 6)."""

    SELECTED = "SELECTED"
    SELECTED_DELAYED = "SELECTED-DELAYED"
    INBOXES = "INBOXES"
    PERSONAL = "PERSONAL"
    SUBSCRIBED = "SUBSCRIBED"
    SUBTREE = "SUBTREE"
    MAILBOXES = "MAILBOXES"


OF_SELECTED = (Where.SELECTED, Where.SELECTED_DELAYED)


@dataclass(frozen=True, slots=True)
class Group:
    """Some mailboxes, and what to tell of them."""

    where: Where
    names: tuple[bytes, ...] = ()
    events: frozenset[str] = frozenset()  # as `EVENTS` spells them; others as the client wrote them
    items: tuple[Item, ...] = ()  # what to fetch of a new message in the selected mailbox


@dataclass(frozen=True, slots=True)
class Notify(Command):
    """RFC 5465 3.1; no groups is NOTIFY NONE."""

    groups: tuple[Group, ...] = ()
    status: bool = False
