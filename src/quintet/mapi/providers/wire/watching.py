"""News of a store on the wire: NotificationWait over a connection of its own, events told in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from quintet.errors import BadSyntax, Hangup
from quintet.mapi.errors import MapiError
from quintet.mapi.http.channel import ChannelError
from quintet.mapi.providers.base import Cancel, Event, Kind, Listener, Thing
from quintet.mapi.providers.listeners import Listeners
from quintet.mapi.providers.wire.entries import Entries
from quintet.mapi.providers.wire.link import Link, Talk
from quintet.mapi.rop import events, others

KINDS = 0x00FE  # all but changes of tables
PAUSE_S = 5.0  # before the next look when the server is away
JOIN_S = 5.0


class Watching:
    """The listeners of one store; it waits until it is closed."""

    def __init__(self, link: Link, entries: Entries) -> None:
        self._link, self._entries = link, entries
        self._listeners = Listeners()
        self._stop = threading.Event()
        link.watch(KINDS)
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for name, work in (("mapi-wait", self._wait), ("mapi-tell", self._tell))
        ]
        for one in self._threads:
            one.start()

    def add(self, listener: Listener) -> Cancel:
        return self._listeners.add(listener)

    def close(self) -> None:
        self._listeners.clear()
        self._stop.set()
        self._link.notices.put(None)
        self._link.beside.abort()
        for one in self._threads:
            if one is not threading.current_thread():
                one.join(JOIN_S)

    # --- the two threads ------------------------------------------------------------------------------

    def _wait(self) -> None:
        """An Execute without requests brings what a wait announced (MS-OXCMAPIHTTP 2.2.4.4)."""
        while not self._stop.is_set():
            try:
                mailbox = self._link.mailbox
                if mailbox is None or mailbox.wait(self._link.beside.post):
                    self.look()
            except (ChannelError, Hangup, BadSyntax, MapiError):
                if not self._stop.wait(PAUSE_S):
                    self._look_again()

    def look(self) -> None:
        """Asks now for what happened."""
        self._link.call(lambda: Talk(self._link).run(), again=True)

    def _look_again(self) -> None:
        try:
            self.look()
        except MapiError:
            return  # still away

    def _tell(self) -> None:
        while not self._stop.is_set():
            notices = [self._link.notices.get()]
            while not self._link.notices.empty():
                notices.append(self._link.notices.get())
            if None in notices:
                return
            events = [event for one in notices if isinstance(one, others.Notify) for event in self._of(one)]
            self._listeners.tell(events)

    def _of(self, notice: Any) -> Iterator[Event]:  # Any: `others.Notify`
        event: events.Event = notice.event
        try:
            yield self._made(event)
        except MapiError:
            return  # of an object that this session cannot name any more

    def _made(self, event: events.Event) -> Event:
        entries, kind = self._entries, Kind(event.flags & 0xFE)
        if event.flags & events.Kind.MESSAGE:
            old = entries.message(event.old_folder, event.old_message) if event.old_message.counter else b""
            return Event(
                kind,
                Thing.MESSAGE,
                entries.message(event.folder, event.message),
                entries.folder(event.folder),
                old,
                entries.folder(event.old_folder) if old else b"",
                event.message_class,
            )
        parent, old, old_parent = [
            entries.folder(one) if one.counter else b""
            for one in (event.parent, event.old_folder, event.old_parent)
        ]
        return Event(kind, Thing.FOLDER, entries.folder(event.folder), parent, old, old_parent)
