"""Every remote operation by its number, and buffers of them read and written (MS-OXCROPS 2.2.1, 2.2.2).

A buffer is the size of the list, the list, and a table of handles to which operations refer by index.  A
request that cannot be read makes the whole buffer unreadable, since nothing tells where the next begins
(R4551); so the requests of all operations are known here, also of those that nobody serves.
"""

from __future__ import annotations

import enum
import typing
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any, Final, TypeVar, dataclass_transform

from quintet.mapi.buffer import Reader, Writer, bad
from quintet.mapi.rop.fields import Asks, Field, Tells
from quintet.values import dataclass

NO_HANDLE: Final = 0xFFFFFFFF  # R4560: never given out
MAX_HANDLES = 256  # of one buffer: an index has 8 bits
MAX_ROPS = 4096  # of one buffer: the smallest has 3 bytes, and each may bring work

T = TypeVar("T")


class Head(enum.Enum):
    """Which handles a request names behind its RopId and LogonId, and by which its answer goes."""

    ONE = enum.auto()  # InputHandleIndex
    OUT = enum.auto()  # InputHandleIndex, OutputHandleIndex; the answer names the second
    TWO = enum.auto()  # SourceHandleIndex, DestHandleIndex; the answer names the first
    ECHO = enum.auto()  # ResponseHandleIndex, InputHandleIndex; the answer names the first
    LOGON = enum.auto()  # OutputHandleIndex


@dataclass(slots=True)
class Body:
    """A class of requests or answers, and the fields that it is read and written by."""

    kind: type
    fields: list[tuple[str, Field]]

    def get(self, reader: Reader) -> Any:
        return self.kind(*[one.get(reader) for _, one in self.fields])

    def put(self, writer: Writer, value: Any) -> None:
        for name, one in self.fields:
            one.put(writer, getattr(value, name))


@dataclass(slots=True)
class Rop:
    """One operation."""

    id: int
    name: str
    head: Head
    request: Body | None = None
    answer: Body | None = None
    always: bytes = b""  # fields that the answer has also when it failed, as they are then


ROPS: dict[int, Rop] = {}
"""By RopId; what is not here is reserved (R1413)."""

_OF_REQUEST: dict[type, Rop] = {}


def _fields(kind: type) -> list[tuple[str, Field]]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return [(name, codec(hint)) for name, hint in hints.items()]


def codec(hint: Any) -> Field:  # Any: an Annotated type
    """The codec that an annotation carries."""
    return next(one for one in hint.__metadata__ if type(one) is Field)


@dataclass_transform(frozen_default=True)
def request(number: int, head: Head = Head.ONE, *, always: bytes = b"") -> Callable[[type[T]], type[T]]:
    """Makes a class that of an operation's requests; its name is the operation's."""

    def declare(kind: type[T]) -> type[T]:
        made = dataclass(frozen=True, slots=True)(kind)
        assert number not in ROPS
        ROPS[number] = rop = Rop(number, kind.__name__, head, Body(made, _fields(made)), always=always)
        _OF_REQUEST[made] = rop
        return made

    return declare


@dataclass_transform(frozen_default=True)
def answer(*numbers: int) -> Callable[[type[T]], type[T]]:
    """Makes a class that of the successful answers of operations."""

    def declare(kind: type[T]) -> type[T]:
        made = dataclass(frozen=True, slots=True)(kind)
        for number in numbers:
            ROPS[number].answer = Body(made, _fields(made))
        return made

    return declare


def bare(number: int, name: str, head: Head = Head.ONE) -> None:
    """An operation whose request is its head only; its value is None."""
    assert number not in ROPS
    ROPS[number] = Rop(number, name, head)


def shaped(number: int, name: str, head: Head, *parts: Any, always: bytes = b"") -> None:
    """An operation that nobody serves: its request is read to know where the next begins; a tuple."""
    codecs = [codec(part) for part in parts]
    assert number not in ROPS
    body = Body(tuple, [("", Field(lambda reader: [one.get(reader) for one in codecs], _unwritten))])
    ROPS[number] = Rop(number, name, head, body, always=always)


def _unwritten(writer: Writer, value: Any) -> None:
    raise bad("a request that is only read")


# --- requests -------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Asked:
    """A request.  ``index`` is that of the object it is made of, ``other`` of its second handle, if any."""

    rop: Rop
    logon: int
    index: int
    other: int
    body: Any  # of the class that is the operation's
    at: int = 0  # where it begins in the list of its buffer

    @property
    def reply_index(self) -> int:
        """The index that the answer names."""
        return self.other if self.rop.head in (Head.OUT, Head.ECHO) else self.index


@dataclass(slots=True)
class Buffer:
    """A ROP input buffer: what is asked, in order, and the table of handles."""

    asked: list[Asked]
    handles: list[int]
    raw: bytes = b""  # the list as it came


def split(raw: bytes) -> tuple[bytes, list[int]]:
    """The list of operations and the handles of a buffer of either direction.  Raises BadSyntax."""
    reader = Reader(raw)
    size = reader.u16()
    if size < 2:
        raise bad("a list that does not count its own size")  # R7
    listed = reader.take(size - 2)
    rest = len(reader)
    if rest % 4 or rest // 4 > MAX_HANDLES:
        raise bad("a table of handles of no possible size")
    return listed, [reader.u32() for _ in range(rest // 4)]


def join(listed: bytes, handles: Sequence[int]) -> bytes:
    """The inverse.  Raises BadSyntax: more than a buffer holds."""
    writer = Writer()
    writer.u16(len(listed) + 2)
    writer.put(listed)
    for handle in handles:
        writer.u32(handle)
    return writer.done()


def read(raw: bytes, public: set[int] | None = None) -> Buffer:
    """Reads requests; ``public`` are the numbers of logons that are known to be public.

    Raises BadSyntax: malformed, or an operation that is reserved (R18).
    """
    listed, handles = split(raw)
    reader = Asks(listed, set(public or ()))
    found: list[Asked] = []
    while len(reader):
        if len(found) == MAX_ROPS:
            raise bad("too many operations at once")
        found.append(_read_one(reader))
    return Buffer(found, handles, listed)


def _read_one(reader: Asks) -> Asked:
    at = reader.at
    rop = ROPS.get(reader.u8())
    if rop is None:
        raise bad("a reserved operation")
    logon = reader.logon = reader.u8()
    first = reader.u8()
    other = reader.u8() if rop.head in (Head.OUT, Head.TWO, Head.ECHO) else first
    if rop.head is Head.ECHO:
        first, other = other, first
    body = rop.request.get(reader) if rop.request is not None else None
    if rop.head is Head.LOGON and body is not None:
        (reader.public.discard if body.flags & 1 else reader.public.add)(logon)
    return Asked(rop, logon, first, other, body, at)


def rop_of(body: Any) -> Rop:
    """The operation of a request's class."""
    return _OF_REQUEST[type(body)]


def put_request(writer: Writer, body: Any, logon: int, index: int, other: int = 0) -> None:
    """Writes a request; ``body`` is of a request class, or the number of an operation without one."""
    rop = ROPS[body] if isinstance(body, int) else _OF_REQUEST[type(body)]
    writer.u8(rop.id)
    writer.u8(logon)
    if rop.head is Head.ECHO:
        index, other = other, index
    writer.u8(index)
    if rop.head in (Head.OUT, Head.TWO, Head.ECHO):
        writer.u8(other)
    if rop.request is not None:
        rop.request.put(writer, body)


# --- answers --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Told:
    """An answer as a client reads it; ``body`` is there only where it succeeded and has fields."""

    rop: Rop
    index: int
    code: int
    body: Any = None


RELEASE, NOTIFY, PENDING, BACKOFF, TOO_SMALL = 0x01, 0x2A, 0x6E, 0xF9, 0xFF
NULL_DESTINATION: Final = 0x00000503


def put_answer(writer: Writer, asked: Asked, body: Any) -> None:
    """A successful answer; ``body`` None where it has no fields."""
    writer.u8(asked.rop.id)
    writer.u8(asked.reply_index)
    writer.u32(0)
    if asked.rop.answer is not None and body is not None:
        asked.rop.answer.put(writer, body)


def put_failure(writer: Writer, asked: Asked, code: int) -> None:
    """An answer that failed: it ends behind ReturnValue, but for what is `Rop.always` there."""
    writer.u8(asked.rop.id)
    writer.u8(asked.reply_index)
    writer.u32(code)
    if code == NULL_DESTINATION and asked.rop.head is Head.TWO:  # R790 and its like: which handle was meant
        writer.u32(asked.other)
    writer.put(asked.rop.always)


@dataclass(slots=True)
class Answers:
    """What a client reads of a ROP output buffer."""

    told: list[Told | Any] = field(default_factory=list)  # Any: notices (`others.Notify` and its like)
    handles: list[int] = field(default_factory=list)


def read_answers(raw: bytes, columns: Callable[[int], Sequence[int]] = lambda place: ()) -> Answers:
    """Reads answers.  ``columns(place)``: what rows in the answer number ``place`` consist of.

    Notices are not counted.  Raises BadSyntax.
    """
    listed, handles = split(raw)
    reader = Tells(listed)
    found = Answers(handles=handles)
    place = 0
    while len(reader):
        number = reader.u8()
        if number in NOTICES:
            found.told.append(NOTICES[number].get(reader))
            continue
        rop = ROPS.get(number)
        if rop is None:
            raise bad("the answer of a reserved operation")
        told = Told(rop, reader.u8(), reader.u32())
        if told.code == 0 or told.code in _SUCCESSES:
            reader.columns = columns(place)
            told.body = rop.answer.get(reader) if rop.answer is not None else None
        else:
            if told.code == NULL_DESTINATION and rop.head is Head.TWO:
                reader.u32()
            reader.take(len(rop.always))
        found.told.append(told)
        place += 1
    return found


_SUCCESSES = (0x00040380, 0x00040680)  # with errors, or partially: the fields are there all the same

NOTICES: dict[int, Body] = {}
"""Answers that nobody asked for, without an index and a ReturnValue."""


@dataclass_transform(frozen_default=True)
def notice(number: int) -> Callable[[type[T]], type[T]]:
    """Makes a class that of such answers."""

    def declare(kind: type[T]) -> type[T]:
        made = dataclass(frozen=True, slots=True)(kind)
        NOTICES[number] = Body(made, _fields(made))
        return made

    return declare


def put_notice(writer: Writer, number: int, body: Any) -> None:
    writer.u8(number)
    NOTICES[number].put(writer, body)
