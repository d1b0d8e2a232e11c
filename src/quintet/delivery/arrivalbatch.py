"""A batch of articles on its way into the groups, by place in the batch, and what became of each."""

from __future__ import annotations

import enum

from quintet.delivery.arrive import Arriving, No
from quintet.errors import Reason
from quintet.store.arriving import Filing
from quintet.store.blobs import Spool
from quintet.values import dataclass


class Fate(enum.Enum):
    """What became of an article."""

    TAKEN = enum.auto()
    REFUSED = enum.auto()  # for good
    LATER = enum.auto()  # nothing was kept: it may be sent again


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fate of one article, with words for the peer."""

    fate: Fate
    text: str = ""


TAKEN = Outcome(Fate.TAKEN)
DUPLICATE = Outcome(Fate.REFUSED, "Duplicate")
FAILED = {
    Reason.DUPLICATE: DUPLICATE,
    Reason.NUMBERS_EXHAUSTED: Outcome(Fate.REFUSED, "Newsgroup full"),
    Reason.ALREADY_EXISTS: Outcome(Fate.REFUSED, "Its number in Xref was given out before"),
}


class Batch:
    """A batch on its way: by place in the batch."""

    __slots__ = (
        "articles",
        "filings",
        "groups",
        "left",
        "numbers",
        "outcomes",
        "remembered",
        "spools",
    )

    def __init__(self, size: int) -> None:
        self.outcomes: list[Outcome | None] = [None] * size
        self.articles: dict[int, Arriving] = {}
        self.left: list[int] = []  # those whose groups are not chosen yet
        self.filings: dict[int, Filing] = {}
        self.groups: dict[int, tuple[str, ...]] = {}
        self.numbers: dict[int, dict[str, int]] = {}  # by group, where another server gives them
        self.spools: dict[int, Spool] = {}
        self.remembered: list[str] = []

    def refuse(self, at: int, no: No) -> None:
        self.outcomes[at] = Outcome(Fate.REFUSED, no.text)
        if no.message_id:
            self.remembered.append(no.message_id)

    def adopt(self, at: int, alone: Batch) -> None:
        """Takes over the one article of another batch."""
        self.outcomes[at] = alone.outcomes[0]
        self.remembered += alone.remembered
        if 0 in alone.filings:
            self.articles[at], self.filings[at], self.groups[at] = (
                alone.articles[0],
                alone.filings[0],
                alone.groups[0],
            )
            if alone.numbers:
                self.numbers[at] = alone.numbers[0]

    def waiting(self) -> dict[int, Arriving]:
        """Those whose groups are not chosen yet, and that were not refused."""
        return {at: self.articles[at] for at in self.left if at in self.articles}

    def later(self, text: str) -> None:
        """Nothing of what was to be filed was kept."""
        self.outcomes = [Outcome(Fate.LATER, text) if one is None else one for one in self.outcomes]

    def results(self) -> list[Outcome]:
        """All of them; every article has one in the end."""
        found = [one for one in self.outcomes if one is not None]
        assert len(found) == len(self.outcomes)
        return found

    def discard(self) -> None:
        for spool in self.spools.values():
            spool.discard()
