"""An administrator's own rules: a Python file whose functions are asked (docs/hooks.md).

The functions are named by the moment: ``connect``, ``helo``, ``mail``, ``rcpt``, ``data``, ``delivery`` for
mail, ``post`` for an article that one of ours posts, ``message_id``, ``article`` and ``mode`` for all news;
plain or ``async``.  Plain ones run in threads, so that one that waits holds up its own client only; each has
a time limit.  What goes wrong in them is logged, and the configuration says whether the client is put off or
goes on.

A hooks file imports what it needs from here::

    from quintet.policy.hooks import add_header, defer, discard, file_into, quarantine, refuse
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import queue
import sys
import threading
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, BinaryIO

from quintet import log, metrics
from quintet.errors import Problem, Reason, TryLater
from quintet.policy import outcomes
from quintet.policy.outcomes import (
    accept,
    add_header,
    add_score,
    close,
    defer,
    discard,
    file_into,
    quarantine,
    refuse,
    spool,
)
from quintet.values import dataclass

__all__ = [
    "Article",
    "BadHooks",
    "Hooks",
    "Message",
    "Peer",
    "Recipient",
    "accept",
    "add_header",
    "add_score",
    "close",
    "defer",
    "discard",
    "file_into",
    "quarantine",
    "refuse",
    "spool",
]

NAMES = (
    "connect", "helo", "mail", "rcpt", "data", "delivery", "post", "message_id", "article", "mode",
)  # fmt: skip
ANSWERS: dict[str, tuple[type, ...]] = {  # of what must not answer whatever `Outcome` has
    "article": (outcomes.Accept, outcomes.Refuse, outcomes.Defer, outcomes.Discard, outcomes.Quarantine),
    "message_id": (outcomes.Accept, outcomes.Refuse),
    "mode": (),
}
MODULE = "quintet_hooks"  # the name under which the file is imported
MAX_FILE = 1024 * 1024  # bytes
MAX_THREADS = 16  # plain hooks that run at once; one that never ends keeps its thread
MAX_OUTCOMES = 50  # of one call

logger = log.get("hooks")


class BadHooks(Exception):
    """The file cannot be used; the text says why."""


# --- what hooks see -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Peer:
    """The client."""

    address: str  # "192.0.2.1", "2001:db8::1", "unix"
    port: int
    helo: str  # "" at connect
    tls: str  # "TLSv1.3"; "" in clear
    account: str  # who logged in: "alice@example.org"; ""
    listener: str  # "smtp", "submission"...
    id: str  # of the connection, as in the log
    notes: dict[str, Any] = field(default_factory=dict)  # the file's own, for the life of the connection


@dataclass(frozen=True, slots=True)
class Recipient:
    """One who shall have it."""

    address: str
    account: int  # number of the local account; 0 where it goes elsewhere
    local: bool


@dataclass(frozen=True, slots=True)
class Message:
    """A message, as far as it is known: at `mail` and `rcpt` the envelope, at `data` and `delivery` all."""

    peer: Peer
    sender: str  # "" for reports (the null sender)
    recipients: tuple[str, ...]
    size: int  # bytes; as declared before the data, 0 when not
    id: str  # as in Received and the log; "" before the data
    utf8: bool  # SMTPUTF8
    headers: Sequence[tuple[str, str]] = ()  # name and value, unfolded, in their order
    results: Mapping[str, str] = field(default_factory=dict)  # "spf": "pass" (RFC 8601 2.7)
    score: float = 0.0
    opener: Callable[[], BinaryIO] | None = None

    def header(self, name: str) -> str:
        """The value of the first field of that name, in any case; "" without one."""
        wanted = name.lower()
        return next((value for own, value in self.headers if own.lower() == wanted), "")

    def open(self) -> BinaryIO:
        """The message as it came, header and body; close it.  ValueError before the data."""
        if self.opener is None:
            raise ValueError("the message has not come yet")
        return self.opener()


@dataclass(frozen=True, slots=True)
class Article:
    """An article that is about to be filed; its header is complete but for Path and Xref."""

    peer: Peer
    message_id: str
    groups: tuple[str, ...]  # of Newsgroups, those that are not here too
    size: int  # bytes
    headers: Sequence[tuple[str, str]]  # name and value, unfolded, in their order
    opener: Callable[[], BinaryIO]
    feed: str = ""  # name of the server that brings it; "" when it is posted here

    def header(self, name: str) -> str:
        """The value of the first field of that name, in any case; "" without one."""
        wanted = name.lower()
        return next((value for own, value in self.headers if own.lower() == wanted), "")

    def open(self) -> BinaryIO:
        """Header and body; close it."""
        return self.opener()


@dataclass(frozen=True, slots=True)
class Offer:
    """A Message-ID that another server offers."""

    peer: Peer
    message_id: str
    feed: str  # its name


@dataclass(frozen=True, slots=True)
class Mode:
    """The news service as it was and as it is: "stopped", "running"."""

    before: str
    now: str
    reason: str


# --- calling them -----------------------------------------------------------------------------------------


class Hooks:
    """One hooks file, read.  Raises BadHooks."""

    def __init__(self, path: Path, *, timeout_s: float = 5.0, failure: str = "defer") -> None:
        self.path, self._timeout_s, self._defers = path, timeout_s, failure == "defer"
        module = _load(path)
        self._functions = {name: getattr(module, name) for name in NAMES if hasattr(module, name)}
        wrong = [name for name, function in self._functions.items() if not callable(function)]
        if wrong:
            raise BadHooks(f"{path}: {', '.join(wrong)} is no function")
        if not self._functions:
            raise BadHooks(f"{path}: there is none of the functions {', '.join(NAMES)}")
        self._threads = _Threads()

    def __contains__(self, name: str) -> bool:
        return name in self._functions

    async def call(self, name: str, *arguments: object, conn: str = "") -> list[outcomes.Outcome]:
        """What a hook says; nothing when it has no opinion.

        Raises TryLater(BUSY) when it fails, unless failing hooks shall be passed over.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                said = _outcomes(name, await self._result(self._functions[name], arguments))
        except TimeoutError:
            return self._failed(name, "timeout", conn, text=f"took longer than {self._timeout_s} s")
        except Exception as error:  # noqa: BLE001 - somebody else's program: anything may come
            return self._failed(name, "error", conn, exc_info=error)
        metrics.HOOKS.labels(name, type(said[0]).__name__.lower() if said else "none").inc()
        return said

    async def call_each(
        self, name: str, calls: Sequence[tuple[object, ...]], conn: str = ""
    ) -> list[list[outcomes.Outcome]]:
        """As `call`, for many at once in one turn of a thread; the time limit is for all of them."""
        function = self._functions[name]
        try:
            async with asyncio.timeout(self._timeout_s):
                if inspect.iscoroutinefunction(function):
                    said = [await function(*arguments) for arguments in calls]
                else:
                    said = await self._threads.run(lambda: [function(*each) for each in calls], ())
                found = [_outcomes(name, each) for each in said]
        except TimeoutError:
            self._failed(name, "timeout", conn, text=f"took longer than {self._timeout_s} s")
        except Exception as error:  # noqa: BLE001 - as in `call`
            self._failed(name, "error", conn, exc_info=error)
        else:
            metrics.HOOKS.labels(name, "asked").inc(len(calls))
            return found
        return [[] for _ in calls]

    async def tell(self, name: str, *arguments: object) -> None:
        """Calls a hook whose answer does not matter; what goes wrong in it is only logged."""
        try:
            await self.call(name, *arguments)
        except TryLater:
            return

    async def _result(self, function: Callable[..., Any], arguments: tuple[object, ...]) -> Any:
        if inspect.iscoroutinefunction(function):
            return await function(*arguments)
        return await self._threads.run(function, arguments)

    def _failed(self, name: str, result: str, conn: str, **facts: Any) -> list[outcomes.Outcome]:
        metrics.HOOKS.labels(name, result).inc()
        logger.error("hook failed", hook=name, conn=conn, file=str(self.path), **facts)
        if self._defers:
            raise TryLater(Reason.BUSY, "Local rules cannot be asked, try again later")
        return []


def _outcomes(name: str, said: object) -> list[outcomes.Outcome]:
    """A hook's answer as a list.  Raises TypeError for what is no answer."""
    if said is None:
        return []
    given: list[outcomes.Outcome] = []
    for each in (said if isinstance(said, list | tuple) else [said])[:MAX_OUTCOMES]:
        if not isinstance(each, outcomes.Outcome):
            kind = type(each).__name__
            raise TypeError(f"{name} gave {kind}, not refuse(...), file_into(...), ... or None")
        if name in ANSWERS:
            if not isinstance(each, ANSWERS[name]):
                raise TypeError(f"{name} cannot answer {type(each).__name__}")
        elif isinstance(each, outcomes.MAIL_ONLY if name == "post" else outcomes.NEWS_ONLY):
            raise TypeError(f"{name} cannot answer {type(each).__name__}")
        if name == "delivery" and isinstance(each, outcomes.AddHeader | outcomes.AddScore):
            raise TypeError("delivery is too late for add_header and add_score: use data")
        given.append(each)
    return given


def _load(path: Path) -> types.ModuleType:
    """Runs a file as a module of its own.  Raises BadHooks."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            source = file.read(MAX_FILE + 1)
    except OSError as error:
        raise BadHooks(f"{path}: {error.strerror}") from error
    if status.st_mode & 0o002:
        raise BadHooks(f"{path}: everybody may write to it")
    if len(source) > MAX_FILE:
        raise BadHooks(f"{path}: larger than {MAX_FILE} bytes")
    module = types.ModuleType(MODULE)
    module.__file__ = str(path)
    before = sys.modules.get(MODULE)
    sys.modules[MODULE] = module  # dataclasses and pickles look their module up
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)  # noqa: S102 - what the file is for
    except BaseException as error:
        if before is None:
            del sys.modules[MODULE]
        else:
            sys.modules[MODULE] = before
        if isinstance(error, Exception | SystemExit):
            raise BadHooks(f"{path}: {type(error).__name__}: {error}") from error
        raise
    return module


class _Threads:
    """A few threads that hold up nobody's end: a hook that never returns must not keep the server alive."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self._threads = 0
        self._idle = 0
        self._lock = threading.Lock()

    async def run(self, function: Callable[..., Any], arguments: tuple[object, ...]) -> Any:
        """``function(*arguments)`` in a thread.  When all are stuck it waits, for the caller's time limit."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        self._work.put((loop, done, function, arguments))
        with self._lock:
            wanted = self._idle < self._work.qsize() and self._threads < MAX_THREADS
            self._threads += wanted
        if wanted:
            threading.Thread(target=self._serve, name="hook", daemon=True).start()
        return await done

    def _serve(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            loop, done, function, arguments = self._work.get()
            with self._lock:
                self._idle -= 1
            if done.cancelled():  # its time is over already
                continue
            result: Any = None
            error: BaseException | None = None
            try:
                result = function(*arguments)
            except BaseException as caught:  # noqa: BLE001 - told to who waits, who logs it
                error = caught
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_settle, done, result, error)


def _settle(done: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(result)
    elif isinstance(error, Exception) and not isinstance(error, StopIteration | Problem):
        done.set_exception(error)
    else:
        done.set_exception(RuntimeError(f"{type(error).__name__}: {error}"))
