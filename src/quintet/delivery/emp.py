"""EMP: the same text posted again and again, told by a hash of the body (excessive multi-posting).

A body counts in a bucket that refills over an hour (`policy.rates`), in a bounded table that all workers
share and that outlives a restart.  Pure but for that table.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from quintet.config.news import News
from quintet.policy.rates import Meter
from quintet.policy.wildmat import wildmat
from quintet.store.slots import Slots

MAX_HASHED = 64 * 1024  # bytes of a body that are looked at; spam that differs behind them is still the same
HOUR_S = 3600.0

_NOISE = re.compile(rb"[\s\d>|*=_.,;:!-]+")  # what mailing programs of spammers vary
_SIGNATURE = re.compile(rb"\r?\n-- \r?\n")


def body_hash(body: bytes, least: int) -> str:
    """What copies of a text have in common; "" for texts shorter than ``least`` letters, which prove nothing.

    Case, white space, digits, quoting and the signature do not count.
    """
    text = _SIGNATURE.split(body[:MAX_HASHED], maxsplit=1)[0]
    letters = _NOISE.sub(b"", text).lower()
    if len(letters) < least:
        return ""
    return hashlib.blake2b(letters, digest_size=16).hexdigest()


class Emp:
    """Counts bodies; one a process.  ``run`` is the folder of the shared table."""

    def __init__(self, config: News, run: Path | None) -> None:
        self._config = config
        self._exempt = wildmat(config.emp_exempt) if config.emp_exempt else None
        self._meter: Meter | None = None
        if config.emp_limit:
            path = run / "counts.emp" if run is not None else None
            slots = Slots(config.emp_table, path)
            self._meter = Meter("emp", config.emp_limit, config.emp_hours * HOUR_S, slots)

    @property
    def active(self) -> bool:
        return self._meter is not None

    def too_often(self, body: bytes, groups: Sequence[str], now_s: float) -> str:
        """Counts one article; says how often its text came when that is too much, else ""."""
        if self._meter is None or (self._exempt is not None and all(map(self._exempt, groups))):
            return ""
        name = body_hash(body, self._config.emp_least)
        if not name:
            return ""
        over = self._meter.wait(name, now_s) > 0
        self._meter.take(name, now_s)
        if not over:
            return ""
        limit, hours = self._config.emp_limit, self._config.emp_hours
        return f"EMP: this text came more than {limit} times in {hours} h ({name[:12]})"
