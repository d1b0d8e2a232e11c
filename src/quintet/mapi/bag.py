"""Items as values: what conversions make, what providers carry, and what an object of the store shows.

A bag is properties by tag. A named property has no number of its own, because each store gives it another
(MS-OXCPRPT 3.2.5.9), so it stands in a bag under its name and type; only a store turns it into a number.
"""

from __future__ import annotations

import uuid
from dataclasses import field
from typing import Protocol

from quintet.mapi.types import Tag, Value
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class NamedTag:
    """What a tag is for a property that has a name: its set, its name or number there, and its type."""

    guid: uuid.UUID
    name: int | str
    kind: int  # a type of MS-OXCDATA 2.11.1


Key = Tag | NamedTag
Bag = dict[Key, Value]


class Data(Protocol):
    """Bytes that need not be in memory: a part of a stored body, a file."""

    @property
    def size(self) -> int: ...

    def read(self, start: int, most: int) -> bytes:
        """Up to ``most`` bytes from ``start``; fewer only at the end."""


@dataclass(slots=True)
class Attachment:
    """An attachment: its properties, and its content as bytes, by reference, or as a message of its own.

    PidTagAttachDataBinary and PidTagAttachDataObject are never in ``props``: they are ``data`` and ``item``.
    """

    props: Bag = field(default_factory=dict)
    data: bytes | Data = b""
    item: Item | None = None  # an embedded message (PidTagAttachMethod 5)


@dataclass(slots=True)
class Item:
    """A message of any class: properties, recipients in their order, attachments in their order."""

    props: Bag = field(default_factory=dict)
    recipients: list[Bag] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
