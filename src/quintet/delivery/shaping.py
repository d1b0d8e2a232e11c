"""How fast one site is sent to: connections, messages a time, and slowing down when it has trouble.  Pure.

A site starts with all the connections it may have.  Each message it takes gives back 1/n of a connection
(n: how many it has now), so that a whole round of successes gives one; a reply that says "slower" (4xx with
a status of system, network or policy) halves them, down to one.  A site that hangs up, or says 421
(RFC 5321 3.8), is halved too; when it has one connection only, or does not answer at all, it is left alone:
for 30 seconds, twice as long each time, a quarter of an hour at most; one message that it takes ends that.
What waits for it meanwhile does not count as tried.  The rate is a bucket that holds ten seconds' worth, so
that it is even and may still catch up after a pause.
"""

from __future__ import annotations

import enum
import re

from quintet.config.queue import Limit, Queue, rate
from quintet.values import dataclass

FIRST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 900.0
BURST_S = 10.0  # of a rate that may come at once


class Mood(enum.Enum):
    """What an attempt says about the site."""

    WELL = "well"  # it took a message, or refused it for a reason of its own
    SLOWER = "slower"  # it has too much to do
    GONE = "gone"  # it does not answer, or hung up


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds for one site; from `config.queue`."""

    connections: int
    recipients: int  # in one transaction
    messages: int = 0  # in one session; 0: any number
    rate: float = 0.0  # messages a second; 0: any
    adaptive: bool = True


def limits(config: Queue, domain: str, key: str, site: str, workers: int = 1) -> Limits:
    """What `[queue.limits]` says about a destination: the first pattern that fits, else the usual.

    ``key`` and ``site`` are the router's; a rate is for all ``workers`` together.
    """
    found = next(
        (limit for pattern, limit in config.limits.items() if _fits(pattern.lower(), domain, key, site)),
        Limit(),
    )
    return Limits(
        connections=found.connections or config.per_destination,
        recipients=found.recipients or config.max_recipients,
        messages=found.messages,
        rate=rate(found.rate) / max(1, workers),
        adaptive=found.adaptive,
    )


def _fits(pattern: str, domain: str, key: str, site: str) -> bool:
    if pattern.startswith("mx:"):
        wanted = pattern[3:]
        return any(_name_fits(wanted, name) for name in re.split("[:,]", site.lower()))
    if pattern.startswith("route:"):
        return key.lower() == pattern or key.lower().startswith(pattern + ":")
    return pattern == "*" or _name_fits(pattern, domain)


def _name_fits(pattern: str, name: str) -> bool:
    return name.endswith(pattern) if pattern.startswith(".") else name == pattern


class Shape:
    """What a site bears now.  Times are monotonic seconds, given by the caller."""

    __slots__ = ("_at", "_pause_s", "_tokens", "_window", "limits", "paused_until")

    def __init__(self, limits: Limits, now: float) -> None:
        self.limits = limits
        self._window = float(limits.connections)
        self._pause_s = 0.0
        self.paused_until = 0.0
        self._tokens, self._at = self._burst, now

    @property
    def _burst(self) -> float:
        return max(1.0, self.limits.rate * BURST_S)

    @property
    def connections(self) -> int:
        """How many it may have at once."""
        return max(1, int(self._window + 1e-9))

    @property
    def calm(self) -> bool:
        """Nothing is remembered that a new one would not know."""
        return self._window >= self.limits.connections and not self._pause_s and not self.limits.rate

    def wait_s(self, now: float) -> float:
        """Until the next message may be sent; 0.0: at once."""
        wait = max(0.0, self.paused_until - now)
        if self.limits.rate:
            self._fill(now)
            if self._tokens < 1.0:
                wait = max(wait, (1.0 - self._tokens) / self.limits.rate)
        return wait

    def sent(self, now: float) -> None:
        """A message goes out now."""
        if self.limits.rate:
            self._fill(now)
            self._tokens -= 1.0

    def heard(self, mood: Mood, now: float) -> None:
        """An attempt is over."""
        if mood is Mood.WELL:
            self._pause_s, self.paused_until = 0.0, 0.0
            self._window = min(float(self.limits.connections), self._window + 1.0 / self._window)
        elif self.limits.adaptive:
            if now < self.paused_until:
                return  # others that were under way say the same
            if mood is Mood.GONE and (self._window <= 1.0 or self._pause_s):
                self._pause_s = min(LONGEST_PAUSE_S, 2 * self._pause_s or FIRST_PAUSE_S)
                self.paused_until = now + self._pause_s
            self._window = max(1.0, self._window / 2)

    def unreachable(self, now: float) -> None:
        """No host of the site answers at all: no need to find out slowly."""
        if self.limits.adaptive and now >= self.paused_until:
            self._window = 1.0
            self.heard(Mood.GONE, now)

    def forget(self) -> None:
        """The site itself asked for its mail, or an administrator did: it has all it may have again."""
        self._window, self._pause_s, self.paused_until = float(self.limits.connections), 0.0, 0.0

    def _fill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self.limits.rate)
        self._at = now
