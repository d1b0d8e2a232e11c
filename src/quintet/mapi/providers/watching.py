"""Events of a system that tells of nothing by itself: it is looked at now and then, and compared.

What is done through the store itself is told at once, and is no news at the next look.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from quintet.mapi.errors import MapiError
from quintet.mapi.providers.base import Cancel, EntryId, Event, Kind, Listener, Thing
from quintet.mapi.providers.listeners import Listeners

Picture = dict[EntryId, dict[EntryId, frozenset[str]]]
"""By folder and message: its marks."""


class Watch:
    """Listeners, and the thread that looks while there are any."""

    def __init__(self, look: Callable[[], Picture], poll_s: float) -> None:
        self._picture_now = look
        self._poll_s = poll_s
        self._listeners = Listeners()
        self._lock = threading.Lock()  # of the list
        self._looking = threading.Lock()  # one at a time
        self._seen: Picture = {}
        self._told: set[tuple[Kind, EntryId]] = set()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def add(self, listener: Listener) -> Cancel:
        """Tells it from now on."""
        with self._lock:
            first = not self._listeners
            forget = self._listeners.add(listener)
        if first:
            with self._looking:
                self._seen = self._picture_now()
                self._told.clear()
            self._stop = threading.Event()
            self._thread = threading.Thread(
                target=self._poll, args=(self._stop,), name="mapi-watch", daemon=True
            )
            self._thread.start()

        def cancel() -> None:
            with self._lock:
                forget()
                if not self._listeners:
                    self._stop.set()

        return cancel

    def tell(self, *events: Event) -> None:
        """What was done through us."""
        with self._lock:
            if self._listeners:
                for event in events:
                    self._told.update(_found_of(event))
        self._listeners.tell(events)

    def look(self) -> None:
        """Looks now, and tells what is new."""
        with self._lock:
            if not self._listeners:
                return
        with self._looking:
            with self._lock:
                before = set(self._told)
            now = self._picture_now()  # raises where the system is away: then all that was told counts still
            with self._lock:  # what is told meanwhile may be in the picture, or in the next
                told, self._told = self._told, self._told - before
            events = [event for event in compare(self._seen, now) if (event.kind, event.entry) not in told]
            self._seen = now
        self._listeners.tell(events)

    def _poll(self, stop: threading.Event) -> None:
        while not stop.wait(self._poll_s):
            try:
                self.look()
            except MapiError:
                continue  # away for now; what it missed is told when it is back

    def close(self) -> None:
        with self._lock:
            self._listeners.clear()
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(5)


def _found_of(event: Event) -> list[tuple[Kind, EntryId]]:
    """What a look finds of an event: who was saved under another number went, and came."""
    found = [(event.kind, event.entry)]
    if event.old_entry and event.old_entry != event.entry:
        found.append((Kind.CREATED, event.entry))
        if event.kind is not Kind.COPIED:
            found.append((Kind.DELETED, event.old_entry))
    return found


def compare(before: Picture, now: Picture) -> list[Event]:
    """What happened between two looks; what moved is one that went and one that came."""
    events = []
    for folder, messages in now.items():
        old = before.get(folder, {})
        for entry, marks in messages.items():
            if entry not in old:
                events.append(Event(Kind.CREATED, Thing.MESSAGE, entry, folder))
            elif old[entry] != marks:
                events.append(Event(Kind.MODIFIED, Thing.MESSAGE, entry, folder))
    for folder, old in before.items():
        here = now.get(folder, {})
        events += [Event(Kind.DELETED, Thing.MESSAGE, one, folder) for one in old if one not in here]
    return events
