"""Who is told of what happens in a store or an address book; from any thread."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from quintet import log
from quintet.mapi.providers.base import Cancel, Event, Listener, together

logger = log.get("mapi")


class Listeners:
    """One that fails harms no other."""

    def __init__(self) -> None:
        self._by_number: dict[int, Listener] = {}
        self._numbers = itertools.count(1)

    def __len__(self) -> int:
        return len(self._by_number)

    def add(self, listener: Listener) -> Cancel:
        number = next(self._numbers)
        self._by_number[number] = listener

        def cancel() -> None:
            self._by_number.pop(number, None)

        return cancel

    def tell(self, events: Sequence[Event]) -> None:
        """All of one moment, in their order."""
        told = together(events)
        for listener in list(self._by_number.values()):
            try:
                for event in told:
                    listener(event)
            except Exception as error:  # noqa: BLE001 (the program's own code; the provider must go on)
                logger.warning("listener failed", error=repr(error))

    def clear(self) -> None:
        self._by_number.clear()
