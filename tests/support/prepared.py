"""Data directories that many tests begin with: made once a process, then copied.

A schema, three accounts and their secrets cost fifty milliseconds; a copy of the files costs two.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Hashable, Sequence
from pathlib import Path

from quintet.auth import admin
from quintet.config.auth import Auth
from quintet.store import accounts
from quintet.store.store import Store

PASSWORD = "demo"

_MADE: dict[Hashable, Path] = {}


async def prepare(folder: Path, key: Hashable, make: Callable[[Path], Awaitable[None]]) -> None:
    """Fills ``folder`` (which may be absent) with what ``make`` puts into an empty one.

    ``make`` closes what it opens; ``key`` names all that its result depends on.
    """
    model = _MADE.get(key)
    if model is None:
        above = Path(tempfile.mkdtemp(prefix="quintet-model-"))
        atexit.register(shutil.rmtree, above, ignore_errors=True)
        model = above / "data"
        await make(model)
        _MADE[key] = model
    shutil.copytree(model, folder, dirs_exist_ok=True)


async def settle(store: Store, people: Sequence[str] = (), hashing: Auth | None = None) -> None:
    """example.org, and people in it with one password."""
    await store.write(accounts.add_domain, "example.org")
    for name in people:
        account = await store.write(accounts.create, f"{name}@example.org")
        await admin.set_password(store, account.id, PASSWORD, hashing or Auth())
