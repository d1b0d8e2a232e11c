"""Verified passwords, remembered for minutes, so that argon2 does not run at every POP3 login.

What is kept is a keyed hash (the key is of this process and never leaves it) and which credential
matched.  A remembered password counts only while that credential is stored unchanged: the service
looks it up each time, so a change by another process is seen at once.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass

from quintet.store.model import AccountId


@dataclass(slots=True)
class Remembered:
    """One password that was right."""

    account_id: AccountId
    account: str  # login name as stored
    credential_id: int
    stored: str  # the credential's secret as it was
    scopes: frozenset[str]  # empty: all
    app: str  # name of the app password, or ""
    until: float  # monotonic seconds
    address: str  # that logged in last


class Memory:
    """A bounded table; the oldest goes first."""

    def __init__(self, size: int) -> None:
        self._key = secrets.token_bytes(32)
        self._size = size
        self._table: OrderedDict[bytes, Remembered] = OrderedDict()

    def __len__(self) -> int:
        return len(self._table)

    def find(self, name: str, secret: str, now: float) -> tuple[bytes, Remembered | None]:
        """The table key of a name and password as typed, and what is remembered of them."""
        text = f"{len(name)}\0{name}{secret}".encode("utf-8", "surrogatepass")
        key = hashlib.blake2b(text, digest_size=16, key=self._key).digest()
        entry = self._table.get(key)
        if entry is not None and entry.until <= now:
            del self._table[key]
            entry = None
        return key, entry

    def keep(self, key: bytes, entry: Remembered) -> None:
        if self._size == 0:
            return
        self._table[key] = entry
        self._table.move_to_end(key)
        if len(self._table) > self._size:
            self._table.popitem(last=False)

    def drop(self, key: bytes) -> None:
        self._table.pop(key, None)
