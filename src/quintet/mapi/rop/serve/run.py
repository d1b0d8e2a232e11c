"""A buffer of operations, carried out in order, as far as the answers fit.

Operations that read are one transaction, a snapshot; those that write, and what costs little beside them, are
another.  What an operation leaves to be done outside of it (sending, posting, searching: `objects.errands`)
is done before its answer is given, and the others then go on in a transaction of their own.
"""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from quintet import log
from quintet.mapi.buffer import Writer
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import Box, Errand, errands, mapped
from quintet.mapi.rop import registry
from quintet.mapi.rop.others import BufferTooSmall, Notify, Pending
from quintet.mapi.rop.registry import Asked, Buffer
from quintet.mapi.rop.serve import (  # noqa: F401 - they fill the table
    of_copies,
    of_folders,
    of_messages,
    of_notices,
    of_properties,
    of_rights,
    of_searches,
    of_stores,
    of_streams,
    of_tables,
)
from quintet.mapi.rop.serve.desk import SERVED, Call, MustWrite, Served
from quintet.mapi.rop.serve.notices import Hints, Notices
from quintet.mapi.rop.serve.session import Session
from quintet.store.db import Tx
from quintet.store.store import Store

MAX_PAYLOAD = 0x8000  # bytes of all answers together (MS-OXCRPC R961, R1628)
LEAST = 48  # bytes that must be left for an operation to be begun: no answer of fixed size needs more
LEAST_LOGON = 176  # but this one

# RopSeekRow, RopSeekRowBookmark, RopCreateBookmark: with these errors the last of a buffer that is processed
_STOPPING: Final = frozenset((0x18, 0x19, 0x1B))  # MS-OXCTABL R501, R510, R528
_STOPPING_CODES: Final = frozenset((Code.NOT_SUPPORTED, Code.INVALID_BOOKMARK))

_HOLDING: Final = frozenset((
    0x03, 0x04, 0x05, 0x0A, 0x0E, 0x13, 0x14, 0x15, 0x17, 0x18, 0x19, 0x1A, 0x22, 0x23, 0x2B, 0x2D, 0x2E,
    0x2F, 0x39, 0x3A, 0x46, 0x4F, 0x67, 0x79, 0x90, 0xA3,
))  # fmt: skip
"""Operations after which an object, old or new, holds more: messages, streams, orders of tables."""
_PASSING: Final = frozenset((0x0C, 0x25, 0x5D))
"""Operations that give what an object holds to the one it belongs to; never refused for lack of room."""

logger = log.get("mapi")


class Services(errands.Services, Protocol):
    """What operations need around a session besides what errands do."""

    @property
    def hostname(self) -> str: ...


class TooSmall(Exception):
    """Not even the note that the buffer is too small fits (MS-OXCROPS R4546)."""


@dataclass(slots=True)
class _Doing:
    """How far a buffer is done; ``room`` is that of all answers together, without the table of handles."""

    buffer: Buffer
    room: int
    out: Writer = field(default_factory=Writer)
    used: int = 0
    next: int = 0
    full: bool = False
    errands: list[Errand] = field(default_factory=list)
    owed: tuple[Asked, Any] | None = None  # the answer that waits for the errands
    hints: Hints = field(default_factory=Hints)  # where something happened before
    writes: bool = False  # what comes next changes the store, whatever it looks like
    wrote: bool = False
    stopped: bool = False  # nothing that follows is done

    @property
    def left(self) -> int:
        return self.room - self.used

    def put(self, raw: bytes) -> None:
        self.out.put(raw)
        self.used += len(raw)


async def run(session: Session, buffer: Buffer, most: int, services: Services) -> bytes:
    """The payload of answers to a buffer, of at most ``most`` bytes.

    Raises:
        TooSmall: no answer can be given in so little.
        TryLater: the store has trouble; what the objects of the session hold is to be taken for lost.
    """
    room = min(most, MAX_PAYLOAD) - 2 - 4 * len(buffer.handles)
    doing = _Doing(buffer, room)
    doing.hints = session.notices.take()
    while (doing.next < len(buffer.asked) or doing.hints) and not doing.full:
        await _transact(session, doing, services)
        await _do_errands(doing, services)
    if doing.wrote:
        await collect(session.notices, services.store, own=True)
    session.notices.settle()
    if doing.full:
        _put_too_small(doing, most)
    else:
        _put_notices(session, doing)
    return registry.join(doing.out.done(), buffer.handles)


async def collect(notices: Notices, store: Store, *, own: bool = False) -> None:
    """Reads what hints named, where none of the operations' transactions does."""
    await _collect(notices, store, notices.take(), own=own)


async def _collect(notices: Notices, store: Store, hints: Hints, *, own: bool) -> None:
    if not hints:
        return
    work = functools.partial(notices.collect, hints=hints, own=own)
    if notices.heavy(hints):
        await store.read(work)
    else:
        store.peek(work)


async def _transact(session: Session, doing: _Doing, services: Services) -> None:
    """One transaction: it ends where the next operation had better be in one of the other kind.

    What reads for long is never done in one that writes, since everybody else's changes wait for that.
    """
    store = services.store
    rest = [(asked, SERVED.get(asked.rop.id)) for asked in doing.buffer.asked[doing.next :]]
    light = [_is_light(one, session, asked, doing, store) for asked, one in rest]
    writing = [session.unsettled or _writes(one, session, asked, doing) for asked, one in rest]
    writes = bool(rest) and (doing.writes or writing[0])
    doing.writes = False
    if writes:
        goes = [True, *[quick or change for quick, change in zip(light[1:], writing[1:], strict=True)]]
    else:
        goes = [not change for change in writing]
    end = doing.next + (goes.index(False) if False in goes else len(goes))
    work = functools.partial(_some, session=session, doing=doing, services=services, writes=writes, end=end)
    if writes:
        await _collect(session.notices, store, doing.hints, own=False)
        doing.hints = Hints()
        await store.write_once(work)
        doing.wrote = True
    elif not session.notices.heavy(doing.hints) and all(light[: end - doing.next]):
        store.peek(work)
    else:
        await store.read(work)


def _writes(served: Served | None, session: Session, asked: Asked, doing: _Doing) -> bool:
    if served is None:  # the release of a folder's stream keeps what was written (R56405)
        return False  # what writes to it makes the session unsettled, or is in this buffer
    if isinstance(served.writes, bool):
        return served.writes
    return served.writes(session, asked, doing.buffer.handles)


def _is_light(served: Served | None, session: Session, asked: Asked, doing: _Doing, store: Store) -> bool:
    if served is None:
        return True
    if isinstance(served.light, bool):
        return served.light
    return served.light(session, asked, doing.buffer.handles, store)


def _some(tx: Tx, *, session: Session, doing: _Doing, services: Services, writes: bool, end: int) -> None:
    """Carries out operations before ``end`` until all are done, no answer fits, or one leaves an errand.

    What happened before is read first, on the same snapshot: so tables tell all of it, and show it.
    """
    if doing.hints:
        session.notices.collect(tx, doing.hints)
        doing.hints = Hints()
    with contextlib.ExitStack() as stack:
        entered: set[int] = set()
        while doing.next < end:
            asked = doing.buffer.asked[doing.next]
            for logon in session.logons.values():
                if id(logon.box) not in entered:
                    entered.add(id(logon.box))
                    stack.enter_context(logon.box.using(tx))
            least = LEAST_LOGON if asked.rop.head is registry.Head.LOGON else LEAST
            if asked.rop.id != registry.RELEASE and doing.left < least:
                doing.full = True
                return
            call = Call(session, asked, doing.buffer.handles, doing.left - 6, tx, services, writes)
            try:
                fits = _one(call, doing, writes=writes)
            except MustWrite:
                doing.writes = True
                return
            if not fits:
                doing.full = True
                return
            doing.next = len(doing.buffer.asked) if doing.stopped else doing.next + 1
            if doing.errands:
                return


def _one(call: Call, doing: _Doing, *, writes: bool) -> bool:
    """One operation and its answer; False: that does not fit, and nothing of it was done in the store."""
    asked = call.asked
    if asked.rop.id == registry.RELEASE:  # has no answer
        _release(call)
        return True
    served = SERVED.get(asked.rop.id)
    answer = Writer()
    if served is None:
        registry.put_failure(answer, asked, Code.NOT_SUPPORTED)
    else:
        if writes:
            call.tx.savepoint()
        fits = _serve(call, served, answer, doing)
        if writes and fits is True:
            call.tx.release()
        elif writes:
            call.tx.back_to_savepoint()
        if fits is None:
            return False
    if doing.owed is None:
        doing.put(answer.done())
    return True


def _release(call: Call) -> None:
    """A stream is committed before; what its object does not take is lost, since there is nobody to tell."""
    asked, session = call.asked, call.session
    handle = call.handles[asked.index] if asked.index < len(call.handles) else registry.NO_HANDLE
    with contextlib.suppress(MapiError):
        thing = session.find(asked.logon, handle).thing
        if isinstance(thing, of_streams.Stream):
            with contextlib.suppress(MapiError), mapped():
                thing.commit()
        session.release(handle)


def _serve(call: Call, served: Served, answer: Writer, doing: _Doing) -> bool | None:
    """True: done; False: it failed, and says so; None: its answer is too long."""
    asked = call.asked
    try:
        with mapped():
            if asked.rop.id in _HOLDING:
                call.session.check_room()
            body = served.serve(call)
            if asked.rop.id in _HOLDING or asked.rop.id in _PASSING:
                for index in {asked.index, asked.other} & set(range(len(call.handles))):
                    call.session.weigh(call.handles[index], above=asked.rop.id in _PASSING)
            errands = _errands_of(call.session)
    except MapiError as error:
        _errands_of(call.session)
        registry.put_failure(answer, asked, error.code)
        doing.stopped = asked.rop.id in _STOPPING and error.code in _STOPPING_CODES
        return False
    except MustWrite:
        raise
    except Exception as bug:
        _errands_of(call.session)
        logger.error("operation failed", rop=asked.rop.name, exc_info=bug)  # noqa: TRY400 - ours has no exception()
        registry.put_failure(answer, asked, Code.GENERAL_FAILURE)
        return False
    if errands:
        doing.errands, doing.owed = errands, (asked, body)
        return True
    registry.put_answer(answer, asked, body)
    return True if len(answer.done()) <= doing.left else None


def _errands_of(session: Session) -> list[Errand]:
    boxes: list[Box] = [one.box for one in session.logons.values()]
    return [errand for box in boxes for errand in box.take_errands()]


async def _do_errands(doing: _Doing, services: Services) -> None:
    """Sends and posts; then the answer that waited for it is given, or the failure."""
    if doing.owed is None:
        return
    (asked, body), errands = doing.owed, doing.errands
    doing.owed, doing.errands = None, []
    answer = Writer()
    try:
        for errand in errands:
            await errand.run(services)
    except MapiError as error:
        registry.put_failure(answer, asked, error.code)
    else:
        registry.put_answer(answer, asked, body)
    doing.put(answer.done())


def _put_too_small(doing: _Doing, most: int) -> None:
    """RopBufferTooSmall with what was not done (R4443 to R4447, R454502).  Raises TooSmall."""
    rest = doing.buffer.raw[doing.buffer.asked[doing.next].at :]
    writer = Writer()
    registry.put_notice(writer, registry.TOO_SMALL, BufferTooSmall(MAX_PAYLOAD, rest))
    raw = writer.done()
    if len(raw) > doing.left or (most >= MAX_PAYLOAD and not doing.next):
        raise TooSmall
    doing.put(raw)


def _put_notices(session: Session, doing: _Doing) -> None:
    """RopNotify for each event that fits, RopPending when one does not (R452201, R452202)."""
    told: dict[int, bytes] = {}

    def size(notify: Notify) -> int:
        writer = Writer()
        registry.put_notice(writer, registry.NOTIFY, notify)
        told[id(notify)] = writer.done()
        return len(told[id(notify)])

    pending = 3  # bytes of RopPending
    for notify in session.notices.take_fitting(doing.left - pending, size):
        doing.put(told[id(notify)])
    if session.notices.queue and doing.left >= pending:
        writer = Writer()
        registry.put_notice(writer, registry.PENDING, Pending(0))
        doing.put(writer.done())
