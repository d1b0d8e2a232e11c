"""Who is told of events."""

from __future__ import annotations

from quintet.mapi.providers.base import Event, Kind, Thing
from quintet.mapi.providers.listeners import Listeners


def test_one_that_fails_harms_no_other() -> None:
    listeners, told = Listeners(), list[Event]()

    def bad(event: Event) -> None:
        raise RuntimeError("mine")

    listeners.add(bad)
    cancel = listeners.add(told.append)
    first, second = [Event(Kind.CREATED, Thing.MESSAGE, entry) for entry in (b"1", b"2")]
    listeners.tell([first, second])
    assert [(one.entry, one.more) for one in told] == [(b"1", True), (b"2", False)]
    cancel()
    cancel()
    listeners.tell([first])
    assert len(told) == 2
    assert len(listeners) == 1
    listeners.clear()
    assert len(listeners) == 0
