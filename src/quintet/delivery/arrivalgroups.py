"""The groups that arriving articles are filed in, as the store knew them a moment ago."""

from __future__ import annotations

import asyncio

from quintet.clock import Clock
from quintet.delivery import arrive
from quintet.errors import Problem, Reason, Refused
from quintet.store import arriving, groups
from quintet.store.model import FolderId
from quintet.store.store import Store

FOUND_S = 5.0  # how late a changed status of a group may be heeded; a new group is seen at once
SPECIAL = {
    arrive.CONTROL: "Control messages (no posting)",
    arrive.JUNK: "Articles of groups that are filed here (no posting)",
}


class ArrivalGroups:
    """One for all connections of peers."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._found: dict[str, tuple[FolderId, str]] = {}  # by name
        self._found_until = 0.0
        self._found_as_of = -1  # what `groups_changed` said then
        self._missing: set[str] = set()  # groups that we make ourselves, and that nobody needed yet
        self._looking: asyncio.Task[None] | None = None

    def find(self, names: set[str]) -> dict[str, tuple[FolderId, str]]:
        """Those of the groups that are here; what was found lately is not asked for again."""
        now = self._clock.monotonic()
        if now > self._found_until and (self._looking is None or self._looking.done()):
            self._found_until = now + FOUND_S
            self._looking = asyncio.ensure_future(self._look_again())
        found = self._found
        unsure = [name for name in names if name not in found and name not in self._missing]
        if unsure:
            found.update(self._store.peek(arriving.groups, unsure))
            self._missing.update([name for name in unsure if name in SPECIAL and name not in found])
        return {name: found[name] for name in names if name in found}

    async def _look_again(self) -> None:
        """Reads all groups anew when any has changed; asking for each by its name takes ten times as long."""
        try:
            changed = await self._store.read(arriving.groups_changed)
            found = self._found
            if changed != self._found_as_of:
                found = await self._store.read(arriving.every_group)
        except Problem:
            changed, found = -1, {}
        if changed != self._found_as_of:
            self._missing.clear()
        self._found, self._found_as_of = found, changed

    async def make(self, names: set[str]) -> None:
        """Groups for control messages and junk, where they are missing."""
        self._missing.clear()
        for name in names & SPECIAL.keys():
            try:
                await self._store.write(groups.create, name, "n", SPECIAL[name], created_by="quintet")
            except Refused as refused:
                if refused.reason is not Reason.ALREADY_EXISTS:
                    raise

    async def close(self) -> None:
        """Waits for what is being read."""
        if self._looking is not None:
            await asyncio.gather(self._looking, return_exceptions=True)
