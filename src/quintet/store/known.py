"""Known: the history of Message-IDs in memory, in front of the one on disk.

What this process took or looked up lately is held exactly; for all others the table shared by the processes
(`idtable`) says "never" or "perhaps", and only a "perhaps" is asked of the database.  Ids go into the table
before their commit, under the gate, so that it never knows less than the database: a process that is
killed in between leaves a "perhaps" too many.  See docs/decisions/0090.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quintet import log
from quintet.store import history, idtable
from quintet.store.db import Tx, bounded
from quintet.store.idtable import IdTable

RECENT = 100_000  # ids of one generation, two are held: 30 MiB at most
RECENT_S = 3600.0  # an older generation is dropped, so that ids that were forgotten are
RETRY_S = 60.0  # after the table could not be opened
PAGE = 2000  # ids that go into a new table in one turn: a millisecond
TOKEN: Final = "history table"  # the secret that names the store

logger = log.get("store")

Ask = Callable[[Sequence[str]], set[str]]


@dataclass(slots=True)
class Work:
    """Where the building of a table by this process stands (`remembering`)."""

    number: int = 0  # 0: none is being built
    after: int = 0  # row of the history
    count: int = 0


class Known:
    """One a process.  ``monotonic`` is the clock's."""

    def __init__(self, data: Path, token: bytes, *, sync: bool, monotonic: Callable[[], float]) -> None:
        self.path = data / "history.ids"
        self._token, self._sync, self._monotonic = token, sync, monotonic
        self._recent: set[str] = set()
        self._older: set[str] = set()
        self._turned = monotonic()
        self._table: IdTable | None = None
        self._last: IdTable | None = None  # the table before: somebody may be looking into it just now
        self._next: IdTable | None = None  # the one being built, here or elsewhere
        self._next_number = 0
        self._failed_at: float | None = None
        self._swap = threading.Lock()
        self.work = Work()

    def many(self, ids: Collection[str], ask: Ask) -> set[str]:
        """Those of ``ids`` that the history has; ``ask`` asks the database about a few of them."""
        if self._monotonic() - self._turned > RECENT_S:
            self._turn()
        recent, older = self._recent, self._older
        rest = [one for one in ids if one not in recent and one not in older]
        found = set(ids).difference(rest) if len(rest) < len(ids) else set()
        if rest:
            table = self._current()
            if table is not None and table.state == idtable.READY:
                rest = table.maybe(rest)
            if rest:
                asked = ask(rest)
                self.committed(asked)
                found |= asked
        return found

    def perhaps(self, ids: Sequence[str]) -> Sequence[str]:
        """Those of ``ids`` that the table does not rule out.  Under the gate, where nobody adds meanwhile."""
        table = self._current()
        return ids if table is None or table.state != idtable.READY else table.maybe(ids)

    def begin_empty(self, tx: Tx) -> None:
        """A history without ids is complete in a table without ids."""
        if tx.one("SELECT 1 FROM history LIMIT 1") is None:
            table = self._current()
            if table is not None and not table.successor:
                table.set_state(idtable.READY)

    @property
    def table(self) -> IdTable | None:
        """The table that is asked now; None when there is none."""
        return self._current()

    @property
    def is_partial(self) -> bool:
        """The database is asked about every id, since of some only the MD5 came."""
        table = self._current()
        return table is not None and table.state == idtable.PARTIAL

    # --- what comes to be known ---------------------------------------------------------------

    def before_commit(self, ids: Sequence[str]) -> None:
        """Called under the gate, with the ids that the open transaction adds."""
        table = self._current()
        if table is None:
            return
        table.add(ids, sync=self._sync)
        if table.successor:
            follower = self._following(table.successor)
            if follower is not None:
                follower.add(ids, sync=False)

    @bounded()
    def admit(self, tx: Tx, hashes: Sequence[tuple[bytes, int]]) -> int:
        """`history.add_hashes`; while there are such ids, every process asks the database about each id."""
        table = self._current()
        if table is not None and table.state == idtable.READY:
            table.set_state(idtable.PARTIAL)
        return history.add_hashes(tx, hashes)

    def settle(self, tx: Tx) -> None:
        """Believes the table again, where the last of those ids is gone."""
        table = self._current()
        if table is not None and table.state == idtable.PARTIAL and not history.has_hashes(tx):
            history.no_more_hashes(tx)
            table.set_state(idtable.READY)

    def committed(self, ids: Collection[str]) -> None:
        """These are in the database for certain."""
        self._recent.update(ids)
        if len(self._recent) > RECENT:
            self._turn()

    def _turn(self) -> None:
        self._older, self._recent = self._recent, set()
        self._turned = self._monotonic()

    # --- the table ----------------------------------------------------------------------------

    def _current(self) -> IdTable | None:
        """The open table; opened, or made anew, when it is not."""
        table = self._table
        if table is not None and table.state != idtable.RETIRED:
            return table
        with self._swap:
            if self._table is not None and self._table.state == idtable.RETIRED:
                if self._last is not None:
                    self._last.close()
                self._last, self._table = self._table, None
            if self._table is None:
                self._table = self._open()
            return self._table

    def _open(self) -> IdTable | None:
        if self._failed_at is not None and self._monotonic() - self._failed_at < RETRY_S:
            return None
        try:
            with idtable.opening(self.path):
                found = IdTable.open(self.path, self._token)
                return found or IdTable.create(self.path, idtable.MIN_SLOTS, self._token)
        except OSError as error:  # no room, most likely: the database answers alone
            self._failed_at = self._monotonic()
            logger.warning("history not in memory", why=str(error))
            return None

    def _following(self, number: int) -> IdTable | None:
        """The table that a process is building, by its number."""
        if self._next_number != number:
            self._let_next_go()
            self._next, self._next_number = IdTable.open(self._next_path, self._token), number
        return self._next

    @property
    def _next_path(self) -> Path:
        return self.path.with_name(self.path.name + ".next")

    def _let_next_go(self) -> None:
        if self._next is not None:
            self._next.close()
        self._next, self._next_number = None, 0

    def close(self) -> None:
        """The last process to close flushes the table, so that it is there after the machine stopped."""
        self._let_next_go()
        if self._last is not None:
            self._last.close()
        if self._table is not None:
            with idtable.opening(self.path):
                self._table.close(flush=self._sync)
        self._table = self._last = None

    # --- a new table: in three kinds of transactions, so under the gate -----------------------

    @property
    def wants_building(self) -> bool:
        """The table misses ids, or is about to be full."""
        table = self._current()
        return table is not None and (table.state == idtable.BUILDING or table.crowded)

    def begin(self, tx: Tx, count: int) -> int:
        """Makes the next table, for ``count`` ids and some more; returns its number.

        From now on every process adds to both.  Raises OSError: no room.
        """
        table = self._current()
        assert table is not None
        self._let_next_go()
        self._next = IdTable.create(self._next_path, idtable.slots_for(count), self._token)
        self._next_number = int.from_bytes(os.urandom(7)) + 1
        table.set_successor(self._next_number)
        return self._next_number

    @bounded()
    def fill(self, tx: Tx, number: int, tags: Sequence[int]) -> bool:
        """Puts ids of the database into the table of that number; False when another has taken over."""
        table = self._current()
        if table is None or table.successor != number or self._next is None:
            return False
        self._next.add_tags([each for each in tags if each != history.HASH_ONLY])
        return True

    @bounded()
    def finish(self, tx: Tx, number: int) -> bool:
        """The next table is complete and takes the place of the old one; False as `fill`."""
        table = self._current()
        if table is None or table.successor != number or self._next is None:
            return False
        with idtable.opening(self.path):
            self._next.set_state(idtable.PARTIAL if history.has_hashes(tx) else idtable.READY)
            os.rename(self._next_path, self.path)
            table.set_successor(0)
            table.set_state(idtable.RETIRED)
        self._let_next_go()
        return True


def token(tx: Tx) -> bytes:
    """16 bytes that name this store, so that a table of another is not believed; made when it is missing."""
    found = tx.value("SELECT value FROM secret WHERE name = ?", TOKEN)
    if found is None:
        found = os.urandom(16)
        tx.run("INSERT INTO secret (name, value) VALUES (?, ?)", TOKEN, found)
    return bytes(found)
