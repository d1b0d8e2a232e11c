"""A session of a mailbox endpoint with one logon: kept, made anew when it was lost, shared by threads.

Requests go in batches, several operations in one Execute; `Talk` puts them together.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from quintet.errors import BadSyntax, Hangup
from quintet.mapi import named, names, types
from quintet.mapi.bag import Key, NamedTag
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.http.channel import ChannelError
from quintet.mapi.http.client import Line, Mailbox
from quintet.mapi.ids import LongId, ShortId
from quintet.mapi.rop import others, properties, registry, stores
from quintet.mapi.rop.batch import Batch, Slot, Step
from quintet.mapi.types import Named, Tag

IDLE_S = 20.0  # after which a connection may be dead: servers close what idles
MAX_BATCH = 24 * 1024  # bytes of requests in one Execute; a frame holds 64 KiB
MAX_OPEN = 96  # handles in one batch; it has room for 256
SMALL = 64  # bytes that a request has, beside its values
_IGNORED: Final = frozenset((Code.COMPUTED_VALUE, Code.ACCESS_DENIED, Code.NOT_SUPPORTED))
CREATE_NAMES = 0x02  # of GetPropertyIdsFromNames
T = TypeVar("T")


class Link:
    """One logon.  ``kinds``: of events to be told of, 0 for none; they come out of ``notices``."""

    def __init__(self, line: Line, beside: Line, logon: stores.Logon) -> None:
        self.lock = threading.RLock()
        self.notices: queue.SimpleQueue[Any] = queue.SimpleQueue()  # Any: of `rop.others`
        self.mailbox: Mailbox | None = None
        self.beside = beside  # the connection of what waits
        self.handle = 0  # of the logon
        self.open: list[int] = []  # handles that the present talk has opened
        self.garbage: list[int] = []  # those of talks before, which the next batch releases
        self.logon: Any = None  # Any: PrivateLogon or PublicLogon
        self.name = ""  # of who is logged on
        self._line, self._asked = line, logon
        self._used_at = 0.0
        self._kinds = 0
        self._replicas: dict[int, bytes] = {}
        self._tags: dict[tuple[object, int | str], int] = {}
        self._names: dict[int, Named | None] = {}
        self._learned = False
        try:
            self.call(lambda: None)
        except BaseException:
            self.close()
            raise

    # --- the session ----------------------------------------------------------------------------------

    def call(self, work: Callable[[], T], *, again: bool = False) -> T:
        """Does something, once more in a new session where the old one was lost.

        ``again``: also when the connection broke on the way, since nothing is changed by it.
        Raises MapiError(NETWORK_ERROR, LOGON_FAILED, CORRUPT_DATA, and what the server says).
        """
        with self.lock:
            fresh = self.mailbox is None
            try:
                if self.mailbox is None:
                    self._open()
                return work()
            except BadSyntax as error:
                self._drop()
                raise MapiError(Code.CORRUPT_DATA, str(error)) from error
            except (ChannelError, Hangup) as error:
                self._drop()
                lost = isinstance(error, ChannelError) and error.lost
                if fresh or not (lost or again):
                    raise meaning(error) from error
            try:
                self._open()
                return work()
            except (ChannelError, Hangup, BadSyntax) as error:
                self._drop()
                raise meaning(error) from error

    def _open(self) -> None:
        mailbox = Mailbox(self._line.post)
        self._used_at = time.monotonic()
        mailbox.connect()
        self.mailbox, self.name = mailbox, mailbox.name
        self.open, self.garbage = [], []
        batch = mailbox.batch()
        step = batch.add(self._asked)
        mailbox.execute(batch)
        check(step)
        assert step.opens is not None
        self.handle, self.logon = step.opens.handle, step.answer.logon
        self._replicas = {self.logon.replica: self.logon.replica_guid.bytes_le}
        self._tags.clear()
        self._names.clear()
        if self._kinds:
            self._register()

    def _drop(self) -> None:
        self.mailbox = None
        self._line.close()

    def watch(self, kinds: int) -> None:
        """Wants to hear of what happens anywhere in the store, in this session and those after it."""
        self._kinds = kinds
        self.call(self._register, again=True)

    def _register(self) -> None:
        batch = self.batch()
        step = batch.add(others.RegisterNotification(self._kinds, None), self.handle)
        self.run(batch)
        check(step)

    def close(self) -> None:
        with self.lock:
            if self.mailbox is not None:
                self.mailbox.disconnect()
                self.mailbox = None
        self._line.close()
        self.beside.close()

    # --- requests -------------------------------------------------------------------------------------

    def batch(self) -> Batch:
        assert self.mailbox is not None
        return self.mailbox.batch()

    def run(self, batch: Batch) -> None:
        """Sends a batch, and again what had no room among the answers.

        Raises MapiError(BUFFER_TOO_SMALL): one answer alone has none.
        """
        assert self.mailbox is not None
        now = time.monotonic()
        if now - self._used_at > IDLE_S:
            self._line.close()
        self._used_at = now
        self._execute(batch)
        rest = _untold(batch.steps)
        while rest:
            again, slots = self.batch(), dict[int | Slot, Slot]()
            pairs = []
            for step in rest:
                if step.body != registry.RELEASE and _has_two(step.body):
                    raise MapiError(Code.BUFFER_TOO_SMALL)  # the second handle is not known any more
                other = again.add(step.body, slots.get(step.handle, _number(step.handle)))
                if step.opens is not None and other.opens is not None:
                    slots[step.opens] = other.opens
                pairs.append((step, other))
            self._execute(again)
            for step, other in pairs:
                step.told = other.told
                if step.opens is not None and other.opens is not None:
                    step.opens.handle = other.opens.handle
            left = _untold(rest)
            if len(left) == len(rest):
                raise MapiError(Code.BUFFER_TOO_SMALL)
            rest = left

    def _execute(self, batch: Batch) -> None:
        assert self.mailbox is not None
        self.mailbox.execute(batch, plain=True)  # LZXPRESS costs both sides more than the bytes do
        for notice in batch.notices:
            self.notices.put(notice)
        for step in batch.steps:
            if step.body == registry.RELEASE:
                self.mailbox.columns.pop(_number(step.handle), None)

    # --- names and replicas ---------------------------------------------------------------------------

    def tags_of(self, keys: Sequence[Key], *, create: bool = False) -> list[Tag]:
        """The server's number for each key; 0 for a name that it does not know."""
        by_name = dict.fromkeys(one for one in keys if isinstance(one, NamedTag))
        asked = [one for one in by_name if (one.guid, one.name) not in self._tags]
        if asked:
            batch = self.batch()
            wanted = tuple([Named(one.guid, one.name) for one in asked])
            request = properties.GetPropertyIdsFromNames(CREATE_NAMES if create else 0, wanted)
            step = batch.add(request, self.handle)
            self.run(batch)
            for one, number in zip(asked, check(step).numbers, strict=True):
                if number:  # another session may name the others soon
                    self._tags[one.guid, one.name] = number
        return [
            types.tag_of(number, key.kind)
            if isinstance(key, NamedTag) and (number := self._tags.get((key.guid, key.name)))
            else key
            if isinstance(key, int)
            else 0
            for key in keys
        ]

    def learn(self) -> None:
        """Has the server number every name that Microsoft gave, once.

        What has no number in a mailbox (what came as MIME: a meeting, a contact) is left out where all
        properties of an object are told.
        """
        if not self._learned:
            self._learned = True
            self.tags_of(list(named.names().values()), create=True)

    def keys_of(self, tags: Sequence[Tag]) -> list[Key | None]:
        """The inverse; None for a number that no name has."""
        asked = [number for tag in tags if (number := tag >> 16) >= names.FIRST and number not in self._names]
        asked = list(dict.fromkeys(asked))
        if asked:
            batch = self.batch()
            step = batch.add(properties.GetNamesFromPropertyIds(tuple(asked)), self.handle)
            self.run(batch)
            self._names.update(zip(asked, check(step).names, strict=True))
        found: list[Key | None] = []
        for tag in tags:
            name = self._names.get(tag >> 16)
            if tag >> 16 < names.FIRST:
                found.append(tag)
            else:
                found.append(None if name is None else NamedTag(name.guid, name.name, types.type_of(tag)))
        return found

    def guid_of(self, replica: int) -> bytes:
        """The GUID of a replica by its number in this logon (LongTermIdFromId)."""
        if replica not in self._replicas:
            batch = self.batch()
            step = batch.add(stores.LongTermIdFromId(ShortId(replica, 1)), self.handle)
            self.run(batch)
            self._replicas[replica] = check(step).id.replica.bytes_le
        return self._replicas[replica]

    def short(self, one: LongId) -> ShortId:
        """Raises MapiError(NOT_FOUND): of a replica that this store has nothing of."""
        raw = one.replica.bytes_le
        for number, known in self._replicas.items():
            if known == raw:
                return ShortId(number, one.counter)
        raise MapiError(Code.NOT_FOUND)


class Talk:
    """Requests that are put together, and run when their answers are wanted or there is enough of them.

    What they opened is released with the first batch of the next talk; there is one at a time.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        link.garbage += link.open
        link.open = []
        self._batch = link.batch()
        self._size = 0
        self._opened = 0
        self._may_fail: set[int] = set()

    def ask(
        self,
        body: Any,  # of a request class, or the number of an operation
        handle: int | Slot | None = None,
        second: int | Slot | None = None,
        *,
        size: int = 0,
        may_fail: bool = False,
    ) -> Step:
        """``handle`` None: the logon's; ``size``: bytes of the request's values."""
        if self._size + size > MAX_BATCH or self._opened >= MAX_OPEN:
            self.run()
        self._size += size + SMALL
        first = _current(self._link.handle if handle is None else handle)
        if second is None:
            step = self._batch.add(body, first)
        else:
            step = self._batch.add(body, first, _current(second))
        self._opened += step.opens is not None
        if may_fail:
            self._may_fail.add(id(step))
        return step

    def open(self, body: Any, handle: int | Slot | None = None) -> Slot:  # Any: as above
        """Asks for a new object."""
        step = self.ask(body, handle)
        assert step.opens is not None
        return step.opens

    def run(self) -> None:
        """Raises MapiError: the first that failed, unless it may."""
        link, batch = self._link, self._batch
        may_fail, self._may_fail = self._may_fail, set()  # another step may get the number of one that went
        self._batch = link.batch()
        self._size = self._opened = 0
        for handle in link.garbage[:MAX_OPEN]:
            batch.add(registry.RELEASE, handle)
        del link.garbage[:MAX_OPEN]
        link.run(batch)
        released = {_number(step.handle) for step in batch.steps if step.body == registry.RELEASE}
        opened = [step.opens.handle for step in batch.steps if step.opens is not None]
        link.open = [one for one in (*link.open, *opened) if one not in released | {registry.NO_HANDLE}]
        for step in batch.steps:
            if step.body != registry.RELEASE and id(step) not in may_fail:
                check(step)


def check(step: Step) -> Any:  # Any: the fields of the answer
    """The answer.  Raises MapiError: it failed, or set a property not, for a reason that matters."""
    if step.told is None:
        raise MapiError(Code.CORRUPT_DATA, "a request without an answer")
    if failed(step):
        code = _code(step.told.code)
        raise MapiError(code, f"{step.told.rop.name}: {MapiError(code).text}")
    if isinstance(step.answer, properties.WithProblems):
        for problem in step.answer.problems:
            if problem.code not in _IGNORED:
                raise MapiError(_code(problem.code), f"0x{problem.tag:08X}: 0x{problem.code:08X}")
    return step.answer


def failed(step: Step) -> bool:
    """Whether it was refused; what is done in part is done."""
    return step.told is None or (step.told.code != 0 and step.told.body is None)


def meaning(error: Exception) -> MapiError:
    """What a failure of the channel means to a program."""
    if isinstance(error, MapiError):
        return error
    if isinstance(error, ChannelError) and error.status in (401, 403):
        return MapiError(Code.LOGON_FAILED, str(error))
    code = Code.CORRUPT_DATA if isinstance(error, BadSyntax) else Code.NETWORK_ERROR
    return MapiError(code, str(error))


def _code(number: int) -> Code:
    try:
        return Code(number)
    except ValueError:
        return Code.GENERAL_FAILURE


def _has_two(body: Any) -> bool:  # Any: as above
    rop = registry.ROPS[body] if isinstance(body, int) else registry.rop_of(body)
    return rop.head is registry.Head.TWO


def _number(handle: int | Slot) -> int:
    return handle.handle if isinstance(handle, Slot) else handle


def _current(handle: int | Slot) -> int | Slot:
    """A handle that is known already stands for its slot, which belongs to a batch before."""
    known = _number(handle)
    return handle if known == registry.NO_HANDLE else known


def _untold(steps: Sequence[Step]) -> list[Step]:
    """From the first request on that has no answer."""
    for at, step in enumerate(steps):
        if step.told is None and step.body != registry.RELEASE:
            return list(steps[at:])
    return []
