"""Notifications: who is told of what (IMAPIAdviseSink, Advise and Unadvise).

A `Hub` stands between a provider and those who asked.  Where a provider cannot tell (no Can.NOTIFY), what
this program does through the hub's store is told at least.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence

from quintet import log
from quintet.mapi.core import structs
from quintet.mapi.core.errors import fail
from quintet.mapi.providers.base import AddressBook, Can, EntryId, Event, Kind, MessageStore, Thing

logger = log.get("mapi")

Sink = Callable[[Sequence[structs.NOTIFICATION]], object]

MAX_SINKS = 10_000  # of one store: a program that forgets to unadvise hears of it


class IMAPIAdviseSink:
    """Is told what happened.  Subclass it, or give a function to the constructor.

    `OnNotify` runs in whatever thread the news came by, and should be short.
    """

    def __init__(self, call: Sink | None = None) -> None:
        self._call = call

    def OnNotify(self, notifications: Sequence[structs.NOTIFICATION]) -> int:
        """Gives S_OK; what it gives is not looked at."""
        if self._call is not None:
            self._call(notifications)
        return 0


class MAPIAdviseSink(IMAPIAdviseSink):
    """The name that python-mapi's programs subclass; ``interfaces`` is not needed here."""

    def __init__(self, interfaces: Sequence[bytes] = ()) -> None:
        super().__init__()


class Hub:
    """Events of one provider, told to its listeners; counts them by folder, so that tables know what is
    stale.
    """

    def __init__(self, source: MessageStore | AddressBook) -> None:
        self._source = source
        self._listeners: dict[int, Callable[[Event], None]] = {}
        self._numbers = itertools.count(1)
        self._counts: dict[EntryId, int] = {}  # of what somebody asked for: messages are many
        self._guard = threading.Lock()
        self.tells = Can.NOTIFY in source.can
        self._cancel = source.watch(self.tell) if self.tells else None

    def tell(self, event: Event) -> None:
        """Passes an event on; a listener that fails harms no other."""
        with self._guard:
            for entry in {event.entry, event.parent, event.old_parent, b""}:
                if entry in self._counts:
                    self._counts[entry] += 1
            listeners = list(self._listeners.values())
        for listener in listeners:
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001 (the program's own code; the provider must go on)
                logger.warning("sink failed", error=repr(error))

    def did(self, kind: Kind, thing: Thing, entry: EntryId, parent: EntryId = b"") -> None:
        """Something that this program did; told here unless the provider tells it itself."""
        if not self.tells:
            self.tell(Event(kind, thing, entry, parent))

    def version(self, entry: EntryId) -> int:
        """Grows with each event that is about an object or what is right below it; b"" stands for all."""
        return self._counts.setdefault(entry, 0)

    def listen(self, listener: Callable[[Event], None]) -> int:
        with self._guard:
            if len(self._listeners) >= MAX_SINKS:
                raise fail("MAPI_E_NOT_ENOUGH_RESOURCES", "too many sinks")
            number = next(self._numbers)
            self._listeners[number] = listener
        return number

    def forget(self, number: int) -> None:
        with self._guard:
            self._listeners.pop(number, None)

    def advise(self, entry: EntryId | None, mask: int, sink: IMAPIAdviseSink) -> int:
        """The connection's number.  ``entry`` None: everything in the store."""

        def told(event: Event) -> None:
            if concerns(event, entry):
                tell(sink, mask, event)

        return self.listen(told)

    def close(self) -> None:
        self._listeners.clear()
        if self._cancel is not None:
            self._cancel()
            self._cancel = None


def tell(sink: IMAPIAdviseSink, mask: int, event: Event) -> None:
    """Hands an event to a sink that asked for its kind."""
    if event.kind & mask:
        sink.OnNotify([notification(event)])


def concerns(event: Event, entry: EntryId | None) -> bool:
    """An object hears of itself; a folder also of what is right in it (IMsgStore::Advise)."""
    return entry is None or entry in (event.entry, event.old_entry, event.parent, event.old_parent)


def notification(event: Event) -> structs.NOTIFICATION:
    """The structure for an event."""
    if event.kind is Kind.NEW_MAIL:
        return structs.NEWMAIL_NOTIFICATION(event.entry, event.parent, 0, event.message_class, 0)
    return structs.OBJECT_NOTIFICATION(
        int(event.kind), event.entry, int(event.thing), event.parent, event.old_entry, event.old_parent, []
    )
