"""What a feeder asks of a connection to a peer; `quintet.nntp.client` is one."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Protocol

from quintet.config.peers import Peer
from quintet.net.seam import Body
from quintet.values import dataclass


class Verdict(enum.Enum):
    """What a peer said of an article."""

    WANTED = enum.auto()  # it may be sent now
    TAKEN = enum.auto()
    KNOWN = enum.auto()  # it has it: 435, 438
    REFUSED = enum.auto()  # it does not want it: 437, 439
    LATER = enum.auto()  # 431, 436


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One article on its way."""

    message_id: str
    body: Body
    header_only: bool = False


@dataclass(frozen=True, slots=True)
class Most:
    """How much one round takes."""

    articles: int = 50
    size: int = 512 * 1024  # bytes of articles, as far as they are small


class Link(Protocol):
    """One connection that stands.  Every method raises Hangup when it does not any more."""

    most: Most

    @property
    def streams(self) -> bool:
        """Articles may be offered and sent many at a time."""
        ...

    async def round(
        self, articles: Sequence[Outgoing], offers: Sequence[str]
    ) -> tuple[list[Verdict], list[Verdict]]:
        """Sends articles and offers further ones in one go; what was said of both."""
        ...

    async def offer_one(self, article: Outgoing) -> Verdict:
        """Offers an article and sends it if it is wanted, in lock-step."""
        ...

    async def close(self) -> None:
        """Takes leave."""
        ...


class Opener(Protocol):
    """Makes connections."""

    async def __call__(self, peer: Peer) -> Link:
        """Raises Hangup, TryLater (the peer asks for patience), Refused (it wants nothing from us)."""
        ...
