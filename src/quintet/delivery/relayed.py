"""Which recipients exist behind us: a file of addresses and patterns, for a host that is a backup MX.

One entry a line: ``user@domain``, ``*@domain`` or ``@domain`` for all of it, ``*`` and ``?`` anywhere in the
local part; a line that begins with "!" says that there is no such recipient, "#" begins a remark.  Addresses
are compared without case, the first fitting pattern counts, after all entries without a pattern.
RFC 5321 3.6.2, 5.1.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field

from quintet.clock import Clock
from quintet.delivery.envelope import Mailbox
from quintet.delivery.watched import Watched
from quintet.delivery.ways import ascii_domain
from quintet.store import accounts


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
        self._table = Watched(path, clock, read, "list of relay recipients")

    def has(self, address: Mailbox) -> bool:
        """Whether that recipient exists.  Raises TryLater(STORAGE): the file was never read."""
        return self._table.get().has(address)
