"""Programs that speak the milter protocol and are asked about each message."""

from __future__ import annotations

from collections.abc import Sequence

from quintet.config.access import is_place, place
from quintet.config.field import opt
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Milter:
    """One mail filter, `[[milter]]`; they are asked in the order of their blocks."""

    address: str = opt("", 'Where it listens: "unix:/run/opendkim.sock", or host:port.')
    on_failure: str = opt(
        "defer",
        "What a message meets when the filter does not answer. defer: it may come again. accept: it passes.",
        choices=("defer", "accept"),
    )
    timeout_s: float = opt(30.0, "How long it may take for one answer.", unit="s", minimum=0.1, maximum=600)
    only: tuple[str, ...] = opt((), "Names of the listeners whose mail it is asked about; none: of all.")

    @property
    def place(self) -> tuple[str, int]:
        """Host and port; the port is 0 for a Unix socket."""
        return place(self.address)


def faults(milters: Sequence[Milter]) -> list[tuple[int, str, str]]:
    """What is wrong although every value alone is right: number of the block, option, a sentence."""
    found = []
    for at, one in enumerate(milters):
        if not is_place(one.address):
            found.append((at, "address", f'expected "unix:/path" or host:port, got {one.address!r}'))
    return found
