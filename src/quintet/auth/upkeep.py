"""What is written after a login, behind the client's back: last uses, and passwords in better form.

None of it may fail a login: a full disk or a busy store only means that it is tried again at a later one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

from quintet import log
from quintet.auth import passwords, vault
from quintet.clock import Clock
from quintet.config.auth import Auth
from quintet.errors import Problem
from quintet.store import accounts
from quintet.store.store import Store

TOUCH_EVERY_MS = 3_600_000  # a last use is noted once an hour, not at every login
MAX_TASKS = 64  # at once; more are simply not begun
MAX_BETTER = 2000  # passwords that wait to be stored in a better form; more wait for a later login

logger = log.get("auth")


class Upkeep:
    """Background tasks, bounded; owns them until `close`."""

    def __init__(self, store: Store, hasher: passwords.Hasher, clock: Clock) -> None:
        self._store = store
        self._hasher = hasher
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._touched: dict[int, int] = {}  # credential: ms, of what we wrote lately
        self._better: dict[int, tuple[vault.Found, vault.Secret, str, Auth]] = {}  # by credential
        self._improving = False

    def touch(self, used: vault.Secret | None) -> None:
        """Notes that a credential was used, unless that was noted within the hour."""
        now = self._clock.now()
        if used is None or now - max(used.last_used_at, self._touched.get(used.id, 0)) < TOUCH_EVERY_MS:
            return
        if self._begin(self._write_touch(used.id)):
            if len(self._touched) > 10_000:
                self._touched.clear()  # at worst some are written twice
            self._touched[used.id] = now

    def improve(self, found: vault.Found, used: vault.Secret, prepared: str, config: Auth) -> None:
        """Stores the password as a new one would be, if it is not, now that it is known.

        Not before all logins that wait are through: after a move thousands log in for the first time at once,
        and hashing each anew would double what they wait for.
        """
        own = {row.kind for row in found.secrets if not row.name}
        wanted = {passwords.PASSWORD, *(passwords.SCRAM_KINDS[name] for name in config.scram)}
        if (
            wanted <= own
            and used.kind == passwords.PASSWORD
            and not passwords.needs_rehash(used.stored, config)
            and (passwords.NT in own) == config.ntlm
        ):
            return
        if len(self._better) >= MAX_BETTER:
            return
        self._better[used.id] = (found, used, prepared, config)
        if not self._improving:
            self._improving = self._begin(self._improve())

    async def settle(self) -> None:
        """Waits until what was begun is done."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._better.clear()

    async def _improve(self) -> None:
        try:
            while self._better:
                await self._write_improved(*self._better.pop(next(iter(self._better))))
        finally:
            self._improving = False

    def _begin(self, work: Coroutine[object, object, None]) -> bool:
        if len(self._tasks) >= MAX_TASKS:
            work.close()
            return False
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _write_touch(self, credential_id: int) -> None:
        try:
            await self._store.write(accounts.touch_credential, credential_id)
        except Problem as problem:
            logger.warning("last use not noted", reason=problem.reason.value)

    async def _write_improved(
        self, found: vault.Found, used: vault.Secret, prepared: str, config: Auth
    ) -> None:
        try:
            rows = await self._hasher.run_behind(
                passwords.hash_secret, prepared, config, vault.shared_salts(found)
            )
            if await self._store.write(vault.upgrade, found.account.id, used.stored, rows):
                logger.info("password stored in a better form", account=found.account.name)
        except Problem as problem:
            logger.warning("password not improved", account=found.account.name, reason=problem.reason.value)
