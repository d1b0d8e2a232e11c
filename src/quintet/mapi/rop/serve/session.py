"""One client's session: logons, handles, code page, and what it waits for (MS-OXCROPS 3.2.1).

Handles are numbered within their logon: the logon's own is LogonId << 24, the objects' follow one by one, as
clients that were written by looking at the wire expect.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quintet.auth.identity import Identity
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.rop.registry import NO_HANDLE
from quintet.mapi.rop.serve.notices import Notices

if TYPE_CHECKING:
    from quintet.mapi.objects import Box

MAX_OBJECTS = 4000  # open in one session; Exchange allows some hundreds of a kind
MAX_LOGONS = 32  # of one session
# bytes that all sessions of an account may hold in memory and in files without a name, in one process; a body
# may have 16 MB and is held some times over
MAX_WEIGHT = 256 * 1024 * 1024


@dataclass(slots=True, eq=False)
class Logon:
    """An active logon and the numbers that it gives."""

    id: int
    box: Box
    given: int = 0  # handles so far, beside its own

    @property
    def handle(self) -> int:
        return self.id << 24


@dataclass(slots=True, eq=False)
class Held:
    """What a handle stands for."""

    logon: Logon
    thing: Any  # a Box, a Folder, a Message, an Attachment, an `OpenTable`, a `Stream`, a `Subscription`
    page: str  # the charset of its 8-bit text
    weight: int = 0  # bytes that it holds, about


class Session:
    """Everything that a Connect has made; ``page``: the charset of 8-bit text, where an object has no own."""

    def __init__(
        self, identity: Identity, page: str, notices: Notices, beside: Collection[Session] = ()
    ) -> None:
        """``beside``: all sessions of the account, as they come and go."""
        self.identity = identity
        self.page = page
        self.notices = notices
        self.logons: dict[int, Logon] = {}
        self.held: dict[int, Held] = {}
        self.weight = 0  # of everything that is held
        self._beside = beside
        self.writing: dict[int, Any] = {}  # streams that write to folders, which keep values at once

    @property
    def public(self) -> set[int]:
        """Numbers of the logons that are public."""
        return {one.id for one in self.logons.values() if one.box.public}

    def log_on(self, number: int, box: Box) -> int:
        """A new logon's handle; one of the same number is released (R28, R29)."""
        old = self.logons.get(number)
        if old is not None:
            self.release(old.handle)
        if len(self.logons) >= MAX_LOGONS:
            raise MapiError(Code.MAX_ATTACHMENTS, "too many logons")
        made = self.logons[number] = Logon(number, box)
        self.held[made.handle] = Held(made, box, self.page)
        return made.handle

    def give(self, logon: Logon, thing: Any, page: str) -> int:
        """A handle for a new object (R4556).  Raises MapiError(MAX_OBJECTS): too many are open."""
        if len(self.held) >= MAX_OBJECTS:
            raise MapiError(Code.MAX_ATTACHMENTS, "too many objects are open")
        while True:
            logon.given += 1
            handle = logon.handle | logon.given & 0xFFFFFF
            if handle not in self.held and handle != NO_HANDLE:
                self.held[handle] = Held(logon, thing, page)
                return handle

    def weigh(self, handle: int, *, above: bool = False) -> None:
        """Notes what an object holds now; ``above``: also the one that it belongs to."""
        found = self.held.get(handle)
        if found is None:
            return
        self._weigh(found)
        owners = [getattr(found.thing, name, None) for name in ("owner", "parent", "holder")] if above else ()
        for owner in filter(None, owners):
            for held in self.held.values():
                if held.thing is owner:
                    self._weigh(held)

    def _weigh(self, held: Held) -> None:
        fresh: int = getattr(held.thing, "weight", 0)
        self.weight += fresh - held.weight
        held.weight = fresh

    def check_room(self) -> None:
        """Raises MapiError(OUT_OF_MEMORY): the account's sessions hold all that they may."""
        if sum([one.weight for one in tuple(self._beside)]) > MAX_WEIGHT:
            raise MapiError(Code.OUT_OF_MEMORY, "too much is held open")

    def at(self, handles: Sequence[int], index: int) -> Held | None:
        """What stands at a place of a table of handles; None: nothing, yet, or there is no such place."""
        return self.held.get(handles[index]) if index < len(handles) else None

    def find(self, logon_id: int, handle: int) -> Held:
        """What a handle stands for.

        Raises MapiError(NULL_OBJECT): no such logon, or a handle that was never given (R4555, R457302);
        MapiError(INVALID_OBJECT): it was released (R457301); MapiError(ACCESS_DENIED): it is of another
        logon (R457303).
        """
        logon, found = self.logons.get(logon_id), self.held.get(handle)
        if logon is None:
            raise MapiError(Code.NULL_OBJECT)
        if found is None:
            was = handle >> 24 == logon_id and handle & 0xFFFFFF <= logon.given
            raise MapiError(Code.INVALID_OBJECT if was else Code.NULL_OBJECT)
        if found.logon is not logon:
            raise MapiError(Code.ACCESS_DENIED)
        return found

    def settle(self, thing: Any) -> None:
        """What was written to streams of an object is its value before somebody asks it.

        That it does not take the value is told by RopCommitStream.
        """
        for handle, held in self.held.items():
            stream = held.thing
            if getattr(stream, "dirty", False) and getattr(stream, "owner", None) is thing:
                with contextlib.suppress(MapiError):
                    stream.commit()
                stream.dirty = stream.dirty or handle in self.writing  # what asks may yet be undone

    @property
    def unsettled(self) -> bool:
        """Whether `settle` might have to write to the store."""
        return any(stream.dirty for stream in self.writing.values())

    def release(self, handle: int) -> None:
        """Lets go of an object; of a logon with everything in it (R4587).  Never raises."""
        found = self.held.pop(handle, None)
        if found is None:
            return
        self.weight -= found.weight
        self.notices.forget(handle)
        self.writing.pop(handle, None)
        if found.thing is found.logon.box:
            self.logons.pop(found.logon.id, None)
            for number, other in list(self.held.items()):
                if other.logon is found.logon:
                    del self.held[number]
                    self.weight -= other.weight
                    self.writing.pop(number, None)
                    self.notices.forget(number)

    def close(self) -> None:
        """The session is over."""
        for handle in [one.handle for one in self.logons.values()]:
            self.release(handle)
        self.notices.close()
