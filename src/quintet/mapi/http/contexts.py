"""Session contexts of one worker: made by a request, named by a cookie, forgotten after silence.

A context outlives connections (MS-OXCMAPIHTTP 3.2.5.1).  Its cookie begins with the number of the worker that
holds it, so that each worker knows where to ask (`crossing`); docs/decisions/0120.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable
from dataclasses import field
from typing import Any

from quintet import log
from quintet.auth.identity import Identity
from quintet.clock import Clock
from quintet.config.mapi import Mapi
from quintet.errors import BadSyntax, Problem, Reason, TryLater
from quintet.mapi.http.endpoint import Begun, Call, Code, Done, Endpoint, Failed, Wrong, failure
from quintet.net.seam import Peer
from quintet.store.tallies import Tallies
from quintet.values import dataclass

TOO_BUSY = 0x000006BB  # StatusCode of what may work later (MS-OXCROPS 3.2.4.2)
LOGON_LIMIT = 0x000004DB  # MaxObjsExceeded (MS-OXCDATA 2.4): as many sessions as an account may have
CALL_FAILED = 0x80004005
SWEEP_S = 30.0  # between two looks for contexts that are too old
TOKEN = 16  # bytes of chance in a cookie

_COOKIE = re.compile(r"(\d{1,4})\.([A-Za-z0-9_-]{22})")

logger = log.get("mapi")


@dataclass(slots=True, eq=False)
class Context:
    """One session of one client."""

    name: str  # its cookie
    endpoint: Endpoint
    path: str
    identity: Identity
    state: Any  # the endpoint's
    touched_at: float  # monotonic seconds
    sequence: int = 0
    running: asyncio.Task[Done] | None = None  # the one request that is worked on
    waiting: set[asyncio.Task[Done]] = field(default_factory=set)

    @property
    def cookie(self) -> str:
        """The sequence that the next request must show."""
        return f"{self.sequence}-{self.name[-6:]}"


@dataclass(frozen=True, slots=True)
class Running:
    """A request that was accepted, and how it will end."""

    begun: Begun
    done: asyncio.Future[Done]


def worker_of(cookie: str) -> int:
    """The number of the worker that holds a context.  Raises Wrong: no cookie of ours."""
    found = _COOKIE.fullmatch(cookie)
    if found is None:
        raise Wrong(Code.INVALID_CONTEXT_COOKIE, "MapiContext is not a cookie of ours")
    return int(found[1])


class Contexts:
    """All contexts that this worker holds."""

    def __init__(
        self,
        config: Callable[[], Mapi],
        clock: Clock,
        *,
        number: int = 0,
        tallies: Tallies | None = None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._number = number
        self._tallies = tallies
        self._by_name: dict[str, Context] = {}
        self._of_account: dict[int, int] = {}
        self._tasks: set[asyncio.Task[Done]] = set()
        self._sweeping: asyncio.TimerHandle | None = None
        self._closing = False

    def __len__(self) -> int:
        return len(self._by_name)

    async def begin(self, endpoint: Endpoint, call: Call, peer: Peer | None = None) -> Running:
        """Starts a request.  Raises Wrong: it is not accepted."""
        if self._closing:
            raise Wrong(Code.SHUTTING_DOWN, "the server is shutting down")
        if call.kind == endpoint.opening:
            return await self._open(endpoint, call, peer)
        if not call.context:
            raise Wrong(Code.MISSING_COOKIE, "a MapiContext cookie is required")
        context = self._find(call)
        if call.kind in endpoint.waiting:
            task = self._start(self._run(context, call))
            context.waiting.add(task)
        else:
            self._in_order(context, call)
            context.sequence += 1
            task = context.running = self._start(self._run(context, call))
        begun = Begun(context.name, context.cookie, call.kind in endpoint.waiting)
        task.add_done_callback(lambda done: self._ended(context, call, done))
        return Running(begun, task)

    def _start(self, work: Any) -> asyncio.Task[Done]:  # Any: a coroutine that gives Done
        task: asyncio.Task[Done] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _find(self, call: Call) -> Context:
        """The context of a cookie; one of another account is as good as none (R1225)."""
        worker_of(call.context)
        context = self._by_name.get(call.context)
        if context is None or context.path != call.path:
            raise Wrong(Code.CONTEXT_NOT_FOUND, "there is no such session context (any more)")
        if context.identity.account_id != call.identity.account_id:
            raise Wrong(Code.CONTEXT_NOT_FOUND, "the session context is another account's")
        return context

    @staticmethod
    def _in_order(context: Context, call: Call) -> None:
        """One request at a time, each with the cookie of the answer before it (R1227, R1228, R1150)."""
        begun = Begun(context.name, context.cookie)
        if call.sequence is None:
            raise Wrong(Code.MISSING_COOKIE, "a MapiSequence cookie is required", begun)
        if context.running is not None:
            text = "another request of this session context is being worked on"
            raise Wrong(Code.INVALID_SEQUENCE, text, begun)
        if call.sequence != context.cookie:
            raise Wrong(Code.INVALID_SEQUENCE, "MapiSequence is not that of the answer before", begun)

    # --- from the first request to the last --------------------------------------------------------

    async def _open(self, endpoint: Endpoint, call: Call, peer: Peer | None) -> Running:
        account = call.identity.account_id
        count = self._of_account.get(account, 0)
        elsewhere = self._tallies.others(f"mapi {account}") if self._tallies is not None else 0
        if count + elsewhere >= self._config().max_sessions:
            logger.info("too many sessions", account=call.identity.name, path=call.path)
            return Running(Begun(), finished(Done(0, failure(LOGON_LIMIT))))
        self._count(account, 1)  # before waiting
        opened = None
        try:
            opened, done = await self._make(endpoint, call, peer)
        finally:
            if opened is None:
                self._count(account, -1)
        if opened is None:
            return Running(Begun(), finished(done))
        name = f"{self._number}.{secrets.token_urlsafe(TOKEN)}"
        context = Context(name, endpoint, call.path, call.identity, opened, self._clock.monotonic())
        self._by_name[name] = context
        self._sweep_later()
        return Running(Begun(name, context.cookie), finished(done))

    async def _make(self, endpoint: Endpoint, call: Call, peer: Peer | None) -> tuple[Any, Done]:
        """The endpoint's state (None: refused) and the answer."""
        try:
            opened = await endpoint.open(call.identity, call.body, peer)
            return opened.state, Done(0, opened.body)
        except Exception as error:  # noqa: BLE001 - told apart, and our bugs are logged, there
            return None, _ended_badly(error, call)

    async def _run(self, context: Context, call: Call) -> Done:
        if call.kind == "ping":
            return Done(0, b"")
        try:
            return Done(0, await context.endpoint.answer(context.state, call.kind, call.body))
        except Exception as error:  # noqa: BLE001 - as above
            return _ended_badly(error, call)

    def _ended(self, context: Context, call: Call, task: asyncio.Task[Done]) -> None:
        context.waiting.discard(task)
        if context.running is task:
            context.running = None
            if call.kind == context.endpoint.closing and not task.cancelled() and not task.result().code:
                self._forget(context)
        context.touched_at = self._clock.monotonic()

    def drop(self, call: Call) -> None:
        """Destroys the context that a reconnecting client names, whatever its sequence (R1277, R1279)."""
        context = self._by_name.get(call.context)
        if context is not None and context.identity.account_id == call.identity.account_id:
            self._forget(context)

    def _forget(self, context: Context) -> None:
        if self._by_name.pop(context.name, None) is None:
            return
        self._count(context.identity.account_id, -1)
        for task in (*context.waiting, *((context.running,) if context.running else ())):
            if not task.done() and task is not asyncio.current_task():
                task.cancel()
        context.endpoint.close(context.state)

    def _count(self, account: int, change: int) -> None:
        now = self._of_account.get(account, 0) + change
        if now:
            self._of_account[account] = now
        else:
            self._of_account.pop(account, None)
        if self._tallies is not None:
            self._tallies.put(f"mapi {account}", now)

    # --- time ---------------------------------------------------------------------------------------

    def _sweep_later(self) -> None:
        if self._sweeping is None and self._by_name:
            self._sweeping = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = None
        self.sweep()
        self._sweep_later()

    def sweep(self) -> None:
        """Forgets contexts without a request for too long (3.2.6, R1284, R1285)."""
        oldest = self._clock.monotonic() - self._config().idle_s
        for context in list(self._by_name.values()):
            if context.touched_at < oldest and context.running is None and not context.waiting:
                self._forget(context)

    def drain(self) -> None:
        """Takes no more requests; those that wait for nothing in particular end."""
        self._closing = True
        for context in self._by_name.values():
            for task in context.waiting:
                task.cancel()

    async def close(self) -> None:
        self.drain()
        if self._sweeping is not None:
            self._sweeping.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks))
        for context in list(self._by_name.values()):
            self._forget(context)


def finished(done: Done) -> asyncio.Future[Done]:
    """A request that has ended before anybody waited."""
    future: asyncio.Future[Done] = asyncio.get_running_loop().create_future()
    future.set_result(done)
    return future


def _ended_badly(error: Exception, call: Call) -> Done:
    """An endpoint's exception as an answer; anything but the named ones is our bug."""
    if isinstance(error, BadSyntax):
        return Done(Code.INVALID_REQUEST_BODY, error.text.encode())
    if isinstance(error, Failed):
        return Done(0, failure(error.status))
    if isinstance(error, TryLater):
        return Done(0, failure(TOO_BUSY if error.reason is Reason.BUSY else CALL_FAILED))
    if isinstance(error, Problem):
        return Done(0, failure(CALL_FAILED))
    logger.error("request failed", path=call.path, kind=call.kind, exc_info=error)
    return Done(Code.UNKNOWN_FAILURE, b"internal error")
