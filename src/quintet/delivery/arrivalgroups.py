"""The groups that arriving articles are filed in, as the store knew them a moment ago."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

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
        self.ids: dict[str, FolderId] = {}  # by name
        self.status: dict[str, str] = {}  # of the same: y, n, m, x, j, "=other" (RFC 6048 3.1)
        self._found_until = 0.0
        self._found_as_of = -1  # what `groups_changed` said then
        self._missing: set[str] = set()  # groups that we make ourselves, and that nobody needed yet
        self._looking: asyncio.Task[None] | None = None

    def heed(self) -> None:
        """Call now and then: what was found a while ago is looked at again, beside the loop."""
        now = self._clock.monotonic()
        if now > self._found_until and (self._looking is None or self._looking.done()):
            self._found_until = now + FOUND_S
            self._looking = asyncio.ensure_future(self._look_again())

    def find(self, names: set[str]) -> None:
        """Asks the store about those of the groups, and their aliases, that are not known to be here."""
        unsure = names - self.ids.keys() - self._missing
        while unsure:
            found = self._store.peek(arriving.groups, unsure)
            self._keep(found)
            self._missing.update((unsure & SPECIAL.keys()) - found.keys())
            unsure = {status[1:] for _, status in found.values() if status.startswith("=")} - self.ids.keys()

    def _keep(self, found: Mapping[str, tuple[FolderId, str]]) -> None:
        self.ids.update({name: number for name, (number, _) in found.items()})
        self.status.update({name: status for name, (_, status) in found.items()})

    async def _look_again(self) -> None:
        """Reads all groups anew when any has changed; asking for each by its name takes ten times as long."""
        found: Mapping[str, tuple[FolderId, str]] = {}
        try:
            changed = await self._store.read(arriving.groups_changed)
            if changed == self._found_as_of:
                return
            found = await self._store.read(arriving.every_group)
        except Problem:
            changed = -1
        self._missing.clear()
        self.ids, self.status = {}, {}
        self._keep(found)
        self._found_as_of = changed

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
