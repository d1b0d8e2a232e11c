"""Counts by name that all workers of a machine keep together: connections of an address, of a listener.

Each worker writes a table of its own and adds up everybody's, so no lock is taken and nothing that one counts
is lost to another.  A worker that starts clears its table, so what its predecessor counted is gone a
moment after the connections.  Where a table is full, small counts are forgotten (`slots`).
"""

from __future__ import annotations

from pathlib import Path

from quintet.store.slots import Slots

MAX_NAMES = 8192  # of one worker
WINDOW_S = 60.0  # of a pace


class Tallies:
    """One a process; ``number`` is this worker's, from 0, of ``workers``."""

    def __init__(self, folder: Path, workers: int, number: int) -> None:
        self._tables = [Slots(MAX_NAMES, folder / f"connections.{each}") for each in range(workers)]
        self._own = self._tables.pop(number)
        self._own.clear()
        self._paces = Slots(MAX_NAMES, folder / "connections.pace")

    def close(self) -> None:
        """Lets go of the tables; what is counted here counts no more."""
        self._own.clear()
        for table in (self._own, *self._tables, self._paces):
            table.close()

    def put(self, name: str, count: int) -> None:
        """What this worker has of a name."""
        if count > 0:
            self._own.put(name, float(count))
        else:
            self._own.drop(name)

    def others(self, name: str) -> int:
        """What the other workers have of it."""
        return round(sum(table.get(name) for table in self._tables))

    def pace(self, name: str, now: float, per_minute: int) -> bool:
        """One more fits into a rate; then it is taken.  ``now`` is in seconds since 1970."""
        step = WINDOW_S / per_minute
        free_at = min(max(self._paces.get(name), now), now + WINDOW_S)
        if free_at + step > now + WINDOW_S + step * 1e-6:
            return False
        self._paces.put(name, free_at + step)
        return True
