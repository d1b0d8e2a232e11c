"""Which function serves which operation, and what it is given: a `Call`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, overload

from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import Box
from quintet.mapi.rop.registry import ROPS, Asked
from quintet.mapi.rop.serve.session import Held, Logon, Session
from quintet.store.db import Tx
from quintet.store.store import Store
from quintet.values import dataclass

T = TypeVar("T")
U = TypeVar("U")


class MustWrite(Exception):
    """An operation has found that it changes the store, in a transaction that cannot: it is begun anew."""


@dataclass(slots=True, eq=False)
class Call:
    """One operation that is carried out.

    ``handles`` is the buffer's table, ``room`` how many bytes the answer's fields may have.
    """

    session: Session
    asked: Asked
    handles: list[int]
    room: int
    tx: Tx
    services: Any  # `run.Services`
    writes: bool  # whether the transaction may change the store

    @property
    def body(self) -> Any:  # Any: of the request class of the operation
        return self.asked.body

    @property
    def logon(self) -> Logon:
        """Raises MapiError(NULL_OBJECT): there is no such logon (R4555)."""
        found = self.session.logons.get(self.asked.logon)
        if found is None:
            raise MapiError(Code.NULL_OBJECT)
        return found

    @property
    def box(self) -> Box:
        return self.logon.box

    @property
    def page(self) -> str:
        """The charset of 8-bit text of the object that the operation is asked of."""
        held = self.session.at(self.handles, self.asked.index)
        return self.session.page if held is None else held.page

    def held(self, index: int) -> Held:
        """What the handle at an index stands for.  Raises MapiError(NULL_OBJECT) (R4712)."""
        if index >= len(self.handles):
            raise MapiError(Code.NULL_OBJECT)
        return self.session.find(self.asked.logon, self.handles[index])

    @overload
    def thing(self, kind: type[T], /) -> T: ...
    @overload
    def thing(self, kind: type[T], other: type[U], /) -> T | U: ...
    def thing(self, *kinds: Any) -> Any:
        """The object that the operation is asked of.

        Raises MapiError(NULL_OBJECT): there is none; MapiError(NOT_SUPPORTED): it is of another kind, for
        which operations on messages say NULL_OBJECT too.
        """
        return self._of(self.held(self.asked.index), kinds)

    def _of(self, held: Held, kinds: tuple[type, ...]) -> Any:
        if not isinstance(held.thing, kinds):
            raise MapiError(Code.NULL_OBJECT if self.asked.rop.id in _STRICT else Code.NOT_SUPPORTED)
        self.session.settle(held.thing)
        return held.thing

    def destination(self, kind: type[T]) -> T:
        """The second object.  Raises MapiError(NULL_DESTINATION | NOT_SUPPORTED)."""
        try:
            held = self.held(self.asked.other)
        except MapiError:
            raise MapiError(Code.NULL_DESTINATION) from None
        found: T = self._of(held, (kind,))
        return found

    def give(self, thing: Any, *, page: str = "") -> int:
        """Puts a new object into the table of handles, where the request wants it (R4558).

        ``page``: the charset of its 8-bit text; "": that of what it was opened from.

        Raises MapiError(NULL_OBJECT): there is no such place.
        """
        index = self.asked.reply_index
        if index >= len(self.handles):
            raise MapiError(Code.NULL_OBJECT)
        handle = self.session.give(self.logon, thing, page or self.page)
        self.handles[index] = handle
        return handle


_STRICT: Final = frozenset((
    0x03, 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x1F, 0x20, 0x21, 0x22, 0x23, 0x24, 0x46, 0x66,
))  # fmt: skip
"""Operations for which an object of another kind is none (MS-OXCMSG R1478, R1493, R1982, R1057 and so on)."""


Serve = Callable[[Call], Any]
"""Gives the answer's fields, None where it has none.  Raises MapiError, BadSyntax."""

Writes = bool | Callable[[Session, Asked, list[int]], bool]
"""Whether it changes the store; where that depends, on what."""


Light = bool | Callable[[Session, Asked, list[int], Store], bool]
"""Whether it costs so little that the loop may do it; where that depends, on what."""


@dataclass(frozen=True, slots=True)
class Served:
    """An operation that is served."""

    serve: Serve
    writes: Writes
    light: Light


SERVED: dict[int, Served] = {}
"""By RopId; what is not here is answered with NotSupported (MS-OXCDATA R927)."""


def serves(number: int, *, writes: Writes = False, light: Light = False) -> Callable[[Serve], Serve]:
    """Enters a function into the table."""
    assert number in ROPS

    def enter(serve: Serve) -> Serve:
        assert number not in SERVED
        SERVED[number] = Served(serve, writes, light)
        return serve

    return enter
