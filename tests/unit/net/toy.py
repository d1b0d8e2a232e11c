"""The smallest protocol that uses everything of the seam; the net tests drive it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from quintet.errors import Hangup, Problem, Reason, Refused
from quintet.net import lines
from quintet.net.client import Client
from quintet.net.seam import Ask, HandOver, Input, Need, Peer, Pending, Replies, Slice, TlsInfo
from quintet.net.wake import Wake


class MemoryBody:
    """A stored body; ``waits`` makes it one that cannot be had at once."""

    def __init__(
        self, data: bytes, *, dotless: bool = False, waits: bool = False, fails_at: int = -1
    ) -> None:
        self.data, self.dotless, self._waits, self._fails_at = data, dotless, waits, fails_at
        self.open = 0

    @property
    def size(self) -> int:
        return len(self.data)

    def small(self, start: int, length: int) -> bytes | None:
        return None if self._waits else self.data[start : start + length]

    async def chunks(self, start: int, length: int) -> AsyncIterator[bytes]:
        self.open += 1
        try:
            for at in range(start, start + length, 65536):
                if 0 <= self._fails_at <= at:
                    raise OSError("disk")
                await asyncio.sleep(0)
                yield self.data[at : min(at + 65536, start + length)]
        finally:
            self.open -= 1


@dataclass
class Store:
    """What the toy sessions share."""

    stored: list[bytes] = field(default_factory=list)
    bodies: dict[bytes, MemoryBody] = field(default_factory=dict)
    watches: list[Any] = field(default_factory=list)
    spools: int = 0
    closed: int = 0
    plain_event: bool = False
    timeout_s: float = 60.0
    flushes: list[asyncio.Future[bytes]] = field(default_factory=list)  # what WAIT waits for

    def commit(self, data: bytes) -> None:
        self.stored.append(data)
        for watch in self.watches:
            watch.set()


class Wire:
    owed = False

    def __init__(self) -> None:
        self._lines = lines.LineBuffer(max_line=1000)
        self.feed = self._lines.feed
        self.take_line = self._lines.take_line
        self.take = self._lines.take
        self.untake = self._lines.untake
        self.clear = self._lines.clear
        self._literal = -1
        self._head = b""

    def next(self) -> Any:
        if self._literal >= 0:
            if len(self._lines) < self._literal:
                return Need.DATA
            self._head += self._lines.take(self._literal)
            self._literal = -1
        line = self._lines.take_line()
        if line is None:
            return Need.DATA
        line, self._head = self._head + line, b""
        if line.endswith(b"}") and not line.startswith(b"APPEND"):
            head, _, size = line[:-1].rpartition(b"{")
            self._head, self._literal = head, int(size)
            return Need.LITERAL
        return line

    def encode(self, reply: Any) -> bytes:
        return b"+ more\r\n" if reply is Need.LITERAL else str(reply).encode() + b"\r\n"


class Session:
    def __init__(self, store: Store, peer: Peer) -> None:
        self.store, self.peer = store, peer
        self.pushing = False
        self.watch: asyncio.Event = asyncio.Event() if store.plain_event else Wake()
        self.told = len(store.stored)
        store.watches.append(self.watch)

    @property
    def wants_push(self) -> bool:
        return self.pushing

    @property
    def timeout_s(self) -> float:
        return self.store.timeout_s

    def greet(self) -> Replies:
        return [b"ready\r\n"]

    def handle(self, command: bytes, following: Input) -> Replies:
        word, _, argument = command.partition(b" ")
        match word:
            case b"ECHO":
                return [argument.decode()]
            case b"MANY":
                return [b"x" * 99 + b"\r\n"] * int(argument)
            case b"SLOW":
                return self._slow(argument)
            case b"DATA":
                return self._data(following)
            case b"HALF":
                return self._half(following)
            case b"COUNT":
                return self._count(int(argument), following)
            case b"LINE":
                return self._line(following)
            case b"GET":
                body = self.store.bodies[argument]
                return ["sending", Slice(body, 0, body.size, dotted=True), "sent"]
            case b"RAW":
                body = self.store.bodies[argument]
                return ["sending", Slice(body, 0, body.size), "sent"]
            case b"TLS":
                return ["go", Ask.START_TLS]
            case b"WAIT":
                return self._wait()
            case b"TURN":
                return ["turning", HandOver(self._turned)]
            case b"ZIP":
                return ["go", Ask.COMPRESS]
            case b"IDLE":
                self.pushing = True
                return ["idling"]
            case b"DONE":
                self.pushing = False
                return ["done"]
            case b"REFUSE":
                raise Refused(Reason.NO_PERMISSION)
            case b"CRASH":
                raise ZeroDivisionError("our bug")
            case b"CRASHLATER":
                return self._crash()
            case b"NOW":
                return self._at_once()
            case b"HANGUP":
                raise Hangup(Reason.TOO_MANY_ERRORS)
            case b"QUIT":
                return ["bye", Ask.CLOSE]
            case _:
                return [f"unknown {command.decode('latin-1')}"]

    async def _slow(self, argument: bytes) -> Any:
        await asyncio.sleep(0)
        yield argument.decode()

    def _wait(self) -> Replies:
        """Two flushes, one after the other."""
        first: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.store.flushes.append(first)

        def then() -> Replies:
            self.store.spools -= 1
            return ["first", f"flushed {first.result().decode()}"]

        self.store.spools += 1
        return Pending(first, then)

    def _at_once(self) -> Replies:
        """A flush that is over before anybody waits for it."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return Pending(done, lambda: ["flushed at once"])

    async def _turned(self, client: Client) -> None:
        line = await client.line()
        await client.write(b"asked about " + line + b"\r\n")
        self.store.commit(await client.line())

    async def _crash(self) -> Any:
        await asyncio.sleep(0)
        yield "part"
        raise ZeroDivisionError("our bug")

    async def _data(self, following: Input) -> Any:
        yield "go ahead"
        self.store.spools += 1
        try:
            data = b"".join([piece async for piece in following.dotted()])
            self.store.commit(data)
        finally:
            self.store.spools -= 1
        yield f"stored {len(data)}"

    async def _half(self, following: Input) -> Any:
        yield "go ahead"
        async for _ in following.dotted():
            raise Refused(Reason.OVER_QUOTA)

    async def _count(self, size: int, following: Input) -> Any:
        data = b"".join([piece async for piece in following.counted(size)])
        self.store.commit(data)
        yield f"counted {len(data)}"

    async def _line(self, following: Input) -> Any:
        yield "say"
        yield f"said {(await following.line(100)).decode()}"

    def poll(self) -> Replies:
        if self.told != len(self.store.stored):
            self.told = len(self.store.stored)
            return [f"now {self.told}"]
        return []

    def problem(self, error: Problem, command: Any) -> Replies:
        return [f"error {type(error).__name__} {error.reason.name}"]

    def farewell(self, reason: Reason) -> bytes:
        return f"farewell {reason.name}\r\n".encode()

    def secured(self, tls: TlsInfo) -> None:
        self.store.stored.append(b"secured " + tls.version.encode())

    def close(self) -> None:
        self.store.closed += 1
        self.store.watches.remove(self.watch)


class Service:
    name = "toy"

    def __init__(self, store: Store | None = None) -> None:
        self.store = store or Store()

    def open(self, peer: Peer) -> tuple[Wire, Session]:
        return Wire(), Session(self.store, peer)
