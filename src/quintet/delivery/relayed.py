"""Which recipients exist behind us: a file of addresses and patterns, for a host that is a backup MX.

One entry a line: ``user@domain``, ``*@domain`` or ``@domain`` for all of it, ``*`` and ``?`` anywhere in the
local part; a line that begins with "!" says that there is no such recipient, "#" begins a remark.  Addresses
are compared without case, the first fitting pattern counts, after all entries without a pattern.  The file is
read again when it changes; one that cannot be read leaves what was known.  RFC 5321 3.6.2, 5.1.
"""

from __future__ import annotations

import fnmatch
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from quintet import log
from quintet.clock import Clock
from quintet.delivery.envelope import Mailbox
from quintet.delivery.ways import ascii_domain
from quintet.errors import Reason, TryLater
from quintet.store import accounts

LOOK_S = 2.0  # how often the file's date is looked at
MAX_SIZE = 64 * 1024 * 1024  # bytes; two million addresses

logger = log.get("delivery")


@dataclass(slots=True)
class Table:
    """A file as it was read."""

    plain: dict[str, bool] = field(default_factory=dict)  # address: there is one
    patterns: dict[str, list[tuple[re.Pattern[str], bool]]] = field(default_factory=dict)  # by domain

    def has(self, address: Mailbox) -> bool:
        """Whether that recipient exists; with a detail it is there when the user is."""
        domain = ascii_domain(address.domain)
        local = accounts.normal_local(address.local)
        names = [local]
        if accounts.SEPARATOR in local[1:]:
            names.append(local[: local.index(accounts.SEPARATOR, 1)])
        for name in names:
            known = self.plain.get(f"{name}@{domain}")
            if known is not None:
                return known
        for name in names:
            for pattern, there in self.patterns.get(domain, ()):
                if pattern.fullmatch(name):
                    return there
        return False


def read(text: str) -> Table:
    """Raises ValueError: a line is no entry; the text says which."""
    table = Table()
    for number, line in enumerate(text.splitlines(), 1):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        there = not entry.startswith("!")
        words = entry.removeprefix("!").split()  # what follows the address in a map of Postfix is ignored
        local, at, domain = (words[0] if words else "").rpartition("@")
        if not at or not domain or any(char in domain for char in "*?[]"):
            raise ValueError(f"line {number}: expected user@domain or @domain")
        local, domain = accounts.normal_local(local), ascii_domain(domain)
        if not local or "*" in local or "?" in local:
            shape = fnmatch.translate((local or "*").replace("[", "[[]"))
            table.patterns.setdefault(domain, []).append((re.compile(shape), there))
        else:
            table.plain[f"{local}@{domain}"] = there
    return table


class Relayed:
    """One a process."""

    def __init__(self, path: str, clock: Clock) -> None:
        self._path, self._clock = Path(path), clock
        self._table: Table | None = None
        self._seen: tuple[int, int] | None = None  # date and size of what was read
        self._look_at = 0.0

    def has(self, address: Mailbox) -> bool:
        """Whether that recipient exists.  Raises TryLater(STORAGE): the file was never read."""
        now = self._clock.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            self._refresh()
        if self._table is None:
            raise TryLater(Reason.STORAGE, "The list of recipients cannot be read")
        return self._table.has(address)

    def _refresh(self) -> None:
        try:
            status = os.stat(self._path)
            seen = (status.st_mtime_ns, status.st_size)
            if seen == self._seen:
                return
            if status.st_size > MAX_SIZE:
                raise ValueError(f"larger than {MAX_SIZE} bytes")
            self._table = read(self._path.read_text("utf-8"))
            self._seen = seen
        except (OSError, ValueError) as error:
            self._seen = None
            logger.warning("relay recipients not read", path=str(self._path), why=str(error))
