"""Sites: what waits in memory for each group of hosts, who goes next, and how much of it may be here.

A site is what `Router.site` names: all domains whose mail goes to the same hosts, so that they share
connections and patience.  It holds a few batches only; the rest stays in the store, and a site that is full
does not keep others from being leased.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from quintet.delivery.route import Destination
from quintet.delivery.shaping import Shape
from quintet.store.queue import Recipient

MAX_WAITING = 200  # recipients waiting for one site while there is room
FEW_WAITING = 20  # while there is little: others must not wait for a slow site
MAX_SITES = 20_000  # beyond, those that have nothing to do are forgotten with all they taught
EVERY = 4  # of so many batches, one is the oldest instead of the most urgent


@dataclass(slots=True)
class Batch:
    """Recipients of one message that go the same way."""

    destination: Destination
    recipients: list[Recipient]

    @property
    def rank(self) -> int:
        return self.recipients[0].rank

    @property
    def age(self) -> tuple[int, int]:
        return self.recipients[0].created_at, self.recipients[0].id


@dataclass(slots=True)
class Site:
    """Everything that goes to the same hosts."""

    key: str
    shape: Shape
    ranks: dict[int, deque[Batch]] = field(default_factory=dict)
    domains: dict[str, int] = field(default_factory=dict)  # of who waits; how many recipients each
    recipients: int = 0  # waiting
    batches: int = 0  # waiting
    workers: int = 0
    served: int = 0  # when it last got a worker: a running number
    picks: int = 0
    timer: bool = False  # somebody will look again
    seen: set[str] = field(default_factory=set)  # domains that were put off

    def add(self, batch: Batch) -> None:
        self.ranks.setdefault(batch.rank, deque()).append(batch)
        self.batches += 1
        self.recipients += len(batch.recipients)
        for one in batch.recipients:
            self.domains[one.domain] = self.domains.get(one.domain, 0) + 1

    def pick(self) -> Batch | None:
        """The most urgent batch, and now and then the oldest, so that nobody waits for ever."""
        if not self.ranks:
            return None
        rank = self._rank()
        self.picks += 1
        return self._out(rank, self.ranks[rank].popleft())

    def first(self) -> Batch | None:
        """What `pick` would take out."""
        return self.ranks[self._rank()][0] if self.ranks else None

    def _rank(self) -> int:
        if (self.picks + 1) % EVERY:
            return max(self.ranks)
        return min(self.ranks, key=lambda each: self.ranks[each][0].age)

    def last(self) -> Batch | None:
        """Takes out the batch that would go last."""
        if not self.ranks:
            return None
        rank = min(self.ranks)
        return self._out(rank, self.ranks[rank].pop())

    def empty(self) -> Iterator[Batch]:
        """Takes out everything, the most urgent first."""
        while self.ranks:
            rank = max(self.ranks)
            yield self._out(rank, self.ranks[rank].popleft())

    def _out(self, rank: int, batch: Batch) -> Batch:
        if not self.ranks[rank]:
            del self.ranks[rank]
        self.batches -= 1
        self.recipients -= len(batch.recipients)
        for one in batch.recipients:
            if self.domains[one.domain] > 1:
                self.domains[one.domain] -= 1
            else:
                del self.domains[one.domain]
        return batch

    @property
    def idle(self) -> bool:
        return not self.workers and not self.batches


class Sites:
    """All of them; those with nothing to do and nothing to remember are forgotten."""

    def __init__(self) -> None:
        self.by_key: dict[str, Site] = {}

    def __iter__(self) -> Iterator[Site]:
        return iter(list(self.by_key.values()))

    def busy(self, crowded: bool) -> set[str]:
        """Domains of which enough waits here."""
        return {
            domain
            for site in self.by_key.values()
            if site.recipients >= _room(crowded)
            for domain in site.domains
        }

    def excess(self, crowded: bool) -> list[Batch]:
        """Takes out what waits beyond the room of its site (but for its only batch)."""
        found: list[Batch] = []
        for site in self.by_key.values():
            while site.recipients > 2 * _room(crowded) and site.batches > 1:
                batch = site.last()
                assert batch is not None
                found.append(batch)
        return found

    def tidy(self, site: Site) -> None:
        if site.idle and site.shape.calm:
            self.by_key.pop(site.key, None)
        elif len(self.by_key) > MAX_SITES:
            for key in [each.key for each in self.by_key.values() if each.idle]:
                del self.by_key[key]

    def everything(self) -> Iterable[Batch]:
        """Takes out all that waits."""
        return [batch for site in self.by_key.values() for batch in site.empty()]


def _room(crowded: bool) -> int:
    return FEW_WAITING if crowded else MAX_WAITING
