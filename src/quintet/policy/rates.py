"""How much may come: buckets that hold an amount and refill evenly over a time.

"100/hour" lets a hundred come at once and then one each 36 seconds.  A bucket is one number, the moment when
it will be full again (the generic cell rate algorithm), so it lies in a table that all workers share and that
outlives a restart.  Who is counted, and when, is the caller's business.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from quintet.config.policy import RATES, rate
from quintet.config.policy import Rates as Config
from quintet.store.slots import Slots
from quintet.values import dataclass

MAX_NOTED = 200  # names that hit a limit, remembered for `quintet policy show`


@dataclass(frozen=True, slots=True)
class Level:
    """How full one bucket is."""

    rate: str  # "address_messages"
    name: str
    used: float
    limit: int
    window_s: float
    wait_s: float  # until one more fits; 0: it fits


class Meter:
    """One rate: many buckets of one size, by name."""

    def __init__(self, name: str, limit: int, window_s: float, slots: Slots) -> None:
        self.name, self.limit, self.window_s = name, limit, window_s
        self._slots = slots
        self._step = window_s / limit  # seconds in which one comes back
        self._noted: OrderedDict[str, None] = OrderedDict()

    def wait(self, name: str, now: float, amount: float = 1) -> float:
        """Seconds until ``amount`` fits; 0 when it does.  More than the whole limit fits an unused bucket."""
        free_at = self._slots.get(name)
        over = min(free_at, now + self.window_s) - now  # a clock that was set back locks nobody out for long
        if over <= 0:
            return 0.0
        missing = over + min(amount, self.limit) * self._step - self.window_s
        if missing <= self._step * 1e-6:  # what a float of seconds since 1970 cannot tell apart
            return 0.0
        self._note(name)
        return missing

    def take(self, name: str, now: float, amount: float = 1) -> None:
        """Uses up an amount, whether or not it fits."""
        free_at = min(max(self._slots.get(name), now), now + self.window_s)
        self._slots.put(name, min(free_at + amount * self._step, now + self.window_s))

    def used(self, name: str, now: float) -> float:
        """How much of the limit is used up now."""
        return max(0.0, min(self._slots.get(name) - now, self.window_s)) / self._step

    def level(self, name: str, now: float) -> Level:
        free_at = min(self._slots.get(name), now + self.window_s)
        wait_s = max(0.0, free_at + self._step - now - self.window_s)
        return Level(self.name, name, self.used(name, now), self.limit, self.window_s, wait_s)

    def reset(self, name: str) -> None:
        """Empties a bucket."""
        self._slots.drop(name)
        self._noted.pop(name, None)

    def clear(self) -> None:
        """Empties all."""
        self._slots.clear()
        self._noted.clear()

    def busy(self, now: float) -> int:
        """Buckets that are not empty."""
        return self._slots.count(now)

    def noted(self) -> list[str]:
        """Names that had to wait lately, the youngest last."""
        return list(self._noted)

    def _note(self, name: str) -> None:
        self._noted[name] = None
        self._noted.move_to_end(name)
        if len(self._noted) > MAX_NOTED:
            self._noted.popitem(last=False)


Use = tuple[Meter, str, float]  # a meter, whose bucket, how much


class Rates:
    """The meters that are configured, by name; those of a reload keep what the old ones counted.

    ``run`` is the folder of the shared tables; without one this process counts alone.
    """

    def __init__(self, config: Config, run: Path | None = None) -> None:
        self.config = config
        self.meters: dict[str, Meter] = {}
        for name in RATES:
            found = rate(getattr(config, name))
            if found is not None:
                path = run / f"counts.{name}" if run is not None else None
                self.meters[name] = Meter(name, *found, Slots(config.table, path))

    def get(self, name: str) -> Meter | None:
        return self.meters.get(name)

    def find(self, name: str, now: float) -> list[Level]:
        """Every bucket of that name that is in use."""
        levels = [meter.level(name, now) for meter in self.meters.values()]
        return [level for level in levels if level.used > 0]

    def reset(self, name: str) -> None:
        """Empties every bucket of that name."""
        for meter in self.meters.values():
            meter.reset(name)


def use(wanted: Sequence[Use], now: float) -> tuple[Meter, str, float] | None:
    """Takes from all buckets, or from none.

    Returns None when all had room, else the one for which one must wait longest: meter, name, seconds.
    """
    worst: tuple[Meter, str, float] | None = None
    for meter, name, amount in wanted:
        wait_s = meter.wait(name, now, amount)
        if wait_s > 0 and (worst is None or wait_s > worst[2]):
            worst = meter, name, wait_s
    if worst is None:
        for meter, name, amount in wanted:
            meter.take(name, now, amount)
    return worst
