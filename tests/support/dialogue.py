"""Dialogues: protocol tests that someone who knows the RFC checks by eye.

A file ``tests/dialogues/<protocol>/*.txt`` holds one or more of them.  Each begins with
``# RFC 1939 7: title`` (or ``# Quintet: title``; any other ``#`` line is a remark) and goes on with lines of

    given TEXT      the world before it begins; the protocol's own `World.given` understands TEXT
    tls             the connection is said to be under TLS from the start; with ``run(..., real_tls=True)`` it
                    truly is, handshake and records going through memory
    address TEXT    the client's address, default 127.0.0.1
    C: text         the client sends this line and CRLF; lines that follow each other are pipelined
    C+: text        the client sends exactly this; escapes as in Python bytes (\\r \\n \\t \\x00 \\\\)
    C<: N text      the client sends text N times (as C+:), for floods
    S: text         the server sends this line; ``...`` stands for any text; ``${name}`` catches a word the
                    first time and must be the same later; in C: it is put in
    S+:             any number of lines, also none, up to one that matches the next S: line
    closed          the server has closed the connection (closed2: that of C2)
    eof             the client closes its side (eof2...)
    do TEXT         something happens meanwhile; the protocol's own `World.do` understands TEXT
    store TEXT      what must hold now; the protocol's own `World.check` understands TEXT

``C2:`` and ``S2:`` (any digit) are further connections of the same world.  The greeting may be left out:
when a connection's first line is ``C:``, it is passed over.  Whatever the server sends must be expected.
"""

from __future__ import annotations

import asyncio
import functools
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest
import trustme

from quintet.net import tls
from quintet.net.filters import TlsFilter
from quintet.net.memory import Talk
from quintet.net.seam import Service, TlsInfo
from quintet.net.stream import NOBODY

FOLDER = Path(__file__).parent.parent / "dialogues"
# bytes a packet
AT_ONCE = (1 << 20,)
IN_PIECES = (1, 2, 3, 7)
CHUNKS = (*IN_PIECES, *AT_ONCE)
TIME_S = 120.0  # for one dialogue; a busy machine is no defect
TLS_NAME = "server.example.org"

_LINE = re.compile(r"(?P<side>[CS])(?P<conn>\d?)(?P<kind>[+<]?):(?: (?P<text>.*))?$")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


class World(Protocol):
    """What a protocol's room gives: a service over a store, and what its dialogues' words mean."""

    @property
    def service(self) -> Service: ...
    async def given(self, text: str) -> None: ...
    async def do(self, text: str) -> None: ...
    async def check(self, text: str) -> None: ...


@dataclass(frozen=True)
class Step:
    """One line of a dialogue."""

    number: int  # in the file
    what: str  # "C", "C+", "C<", "S", "S+", "given", "closed", ...
    text: str = ""
    conn: str = ""


@dataclass
class Dialogue:
    """One dialogue of a file."""

    file: Path
    number: int
    title: str
    steps: list[Step] = field(default_factory=list)

    def __str__(self) -> str:
        words = re.sub(r"[^A-Za-z0-9.]+", "-", self.title).strip("-")
        return f"{self.file.stem}:{words[:70]}"

    @property
    def tls(self) -> bool:
        return any(step.what == "tls" for step in self.steps)

    async def run(self, world: World, chunk: int = 1 << 20, *, real_tls: bool = False) -> None:
        """Plays it in memory, every packet ``chunk`` bytes; AssertionError shows where it went wrong."""
        async with asyncio.timeout(TIME_S):
            await _Run(self, world, chunk, real_tls).play()


def load(protocol: str) -> list[Dialogue]:
    """All dialogues of a protocol, in the order of files and lines."""
    found = [one for path in sorted((FOLDER / protocol).glob("**/*.txt")) for one in parse(path)]
    assert found, f"no dialogues in {FOLDER / protocol}"
    return found


def parse(path: Path) -> list[Dialogue]:
    """The dialogues of one file; ValueError names the line that is none of the above."""
    found: list[Dialogue] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if re.match(r"# (RFC|MS-|draft-|Quintet)", line):
            found.append(Dialogue(path, number, line[2:].strip()))
        elif line.strip() and not line.startswith("#"):
            if not found:
                raise ValueError(f"{path.name}:{number}: a dialogue begins with '# RFC ...: title'")
            found[-1].steps.append(_step(path, number, line))
    return found


def _step(path: Path, number: int, line: str) -> Step:
    if match := _LINE.match(line):
        side, kind = match["side"], match["kind"]
        if side == "S" and kind == "<":
            raise ValueError(f"{path.name}:{number}: S<: is not a thing")
        return Step(number, side + kind, match["text"] or "", match["conn"])
    word, _, text = line.partition(" ")
    if found := re.fullmatch(r"(closed|eof)(\d)", word):
        return Step(number, found[1], text.strip(), found[2])
    if word not in ("given", "tls", "address", "closed", "eof", "do", "store"):
        raise ValueError(f"{path.name}:{number}: {word!r} is not a directive")
    return Step(number, word, text.strip())


@functools.cache
def _contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    ca = trustme.CA()
    server, client = tls.Context(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    ca.issue_cert(TLS_NAME).configure_cert(server)
    ca.configure_trust(client)
    return server, client


class TlsTalk(Talk):
    """A conversation through real TLS over memory."""

    async def begin(self) -> None:
        server, client = _contexts()
        self.stream.receiver, driver = NOBODY, self.stream.receiver
        self.stream.connection_made(self.transport)
        done: list[object] = []
        self.stream.secure(server, done.append)
        self._filter = TlsFilter(client, server_side=False, server_hostname=TLS_NAME)
        while not done:
            self._filter.handshake()
            self.stream.take(self._filter.outgoing())
            self._filter.feed(super().take())
        (info,) = done
        assert isinstance(info, TlsInfo), info
        self.peer.tls = info
        self.stream.receiver = driver
        self.driver.begin()
        await self.settle()

    async def send(self, data: bytes, chunk: int = 4096) -> None:
        await super().send(self._filter.encrypt(data), chunk)

    def take(self) -> bytes:
        self._filter.feed(super().take())
        return b"".join(self._filter.decrypted())


class _Run:
    """One playing of one dialogue."""

    def __init__(self, dialogue: Dialogue, world: World, chunk: int, real_tls: bool) -> None:
        self._dialogue, self._world, self._chunk = dialogue, world, chunk
        self._make: type[Talk] = TlsTalk if real_tls else Talk
        self._talks: dict[str, Talk] = {}
        self._unsent: dict[str, bytearray] = {}
        self._heard: dict[str, bytearray] = {}
        self._values: dict[str, str] = dict(getattr(world, "values", {}))
        self._address = "127.0.0.1"
        self._transcript: list[str] = []

    async def play(self) -> None:
        steps = self._dialogue.steps
        try:
            for at, step in enumerate(steps):
                await self._one(step, steps[at + 1 :])
            for conn in list(self._talks):
                await self._say(conn)
                await self._nothing_more(conn, None)
        finally:
            for talk in self._talks.values():
                await talk.end()

    async def _one(self, step: Step, later: list[Step]) -> None:
        match step.what:
            case "given":
                await self._world.given(step.text)
                self._values.update(getattr(self._world, "values", {}))
            case "address":
                self._address = step.text
            case "tls":
                pass
            case "do" | "store":
                for conn in list(self._talks):
                    await self._say(conn)
                await (self._world.do if step.what == "do" else self._world.check)(step.text)
                for talk in self._talks.values():
                    await talk.settle()
            case "eof":
                talk = await self._talk(step.conn, greeted=True)
                await self._say(step.conn)
                self._hear(step.conn)
                await talk.end()
            case "closed":
                talk = await self._talk(step.conn, greeted=True)
                await self._say(step.conn)
                await self._nothing_more(step.conn, step)
                if not talk.over:
                    self._fail(step, "the connection to be closed", "it is open")
            case "C" | "C+" | "C<":
                await self._talk(step.conn, greeted=False)
                if step.conn not in self._unsent:
                    await self._nothing_more(step.conn, step)
                self._unsent.setdefault(step.conn, bytearray()).extend(self._bytes(step))
            case "S":
                await self._talk(step.conn, greeted=True)
                await self._say(step.conn)
                self._expect(step)
            case "S+":
                await self._talk(step.conn, greeted=True)
                await self._say(step.conn)
                self._pass(step, later)

    async def _talk(self, conn: str, *, greeted: bool) -> Talk:
        talk = self._talks.get(conn)
        if talk is None:
            talk = self._talks[conn] = self._make(
                self._world.service,
                address=self._address,
                tls=self._dialogue.tls,
                listener=getattr(self._world, "listener", ""),
                identity=f"memory{conn}",
            )
            self._heard[conn] = bytearray()
            await talk.begin()
            if not greeted:
                self._transcript.append(f"S{conn}: (greeting) {talk.take()!r}")
        return talk

    def _bytes(self, step: Step) -> bytes:
        text = _VARIABLE.sub(lambda found: self._value(found[1]), step.text)
        if step.what == "C":
            self._transcript.append(f"C{step.conn}: {text}")
            return text.encode() + b"\r\n"
        times = 1
        if step.what == "C<":
            count, _, text = text.partition(" ")
            times = int(count)
        raw = text.encode().decode("unicode_escape").encode("latin-1")
        self._transcript.append(
            f"C{step.conn}+: {times} x {raw!r}" if times > 1 else f"C{step.conn}+: {raw!r}"
        )
        return raw * times

    def _value(self, name: str) -> str:
        compute = getattr(self._world, "compute", None)
        if name not in self._values and compute is not None:
            self._values[name] = compute(name, self._values)
        return self._values[name]

    async def _say(self, conn: str) -> None:
        data = self._unsent.pop(conn, None)
        if data is not None:
            await self._talks[conn].send(bytes(data), self._chunk)

    def _hear(self, conn: str) -> bytearray:
        self._heard[conn] += self._talks[conn].take()
        return self._heard[conn]

    def _line(self, conn: str) -> str | None:
        heard = self._hear(conn)
        if not heard:
            return None
        end = heard.find(b"\r\n")
        line = bytes(heard if end < 0 else heard[:end])
        del heard[: len(line) + 2]
        return line.decode("utf-8", "backslashreplace")

    def _expect(self, step: Step) -> None:
        line = self._line(step.conn)
        if line is None or not self._matches(step.text, line):
            self._fail(step, step.text, line)
        self._transcript.append(f"S{step.conn}: {line}")

    def _pass(self, step: Step, later: list[Step]) -> None:
        until = next(
            (s for s in later if s.conn == step.conn and s.what in ("S", "C", "C+", "C<", "closed")), None
        )
        heard = self._hear(step.conn)
        while heard:
            end = heard.find(b"\r\n")
            line = bytes(heard if end < 0 else heard[:end]).decode("utf-8", "backslashreplace")
            if until is not None and until.what == "S" and self._matches(until.text, line):
                return
            self._line(step.conn)
            self._transcript.append(f"S{step.conn}: {line}")

    def _matches(self, pattern: str, line: str) -> bool:
        expression, at, names = "", 0, []
        for found in re.finditer(r"\.\.\.|\$\{(\w+)\}", pattern):
            expression += re.escape(pattern[at : found.start()])
            at = found.end()
            if found[1] is None:
                expression += ".*"
            elif found[1] in self._values or found[1] in names:
                known = self._values.get(found[1])
                expression += re.escape(known) if known is not None else f"(?P={found[1]})"
            else:
                names.append(found[1])
                expression += f"(?P<{found[1]}>.+?)"
        match = re.fullmatch(expression + re.escape(pattern[at:]), line, re.DOTALL)
        if match is None:
            return False
        self._values.update({name: match[name] for name in names})
        return True

    async def _nothing_more(self, conn: str, step: Step | None) -> None:
        line = self._line(conn)
        if line is not None:
            self._fail(step, "nothing more", line)

    def _fail(self, step: Step | None, expected: str, got: str | None) -> None:
        rest = {conn: bytes(heard) for conn, heard in self._heard.items() if heard}
        where = f"{self._dialogue.file.name}:{step.number if step else self._dialogue.number}"
        lines = [
            f"{where}: {self._dialogue.title}",
            f"chunks of {self._chunk} bytes",
            *("    " + line for line in self._transcript[-40:]),
            f"  - expected: {expected}",
            f"  + got:      {got if got is not None else '(nothing)'}",
        ]
        lines += [f"  + then{conn}:     {heard[:500]!r}" for conn, heard in rest.items()]
        raise AssertionError("\n".join(lines))


def cases(protocol: str) -> Iterator[Any]:
    """For ``pytest.mark.parametrize(("talk", "chunks"), dialogue.cases("pop3"))``; each chunk wants a world.

    Pieces take the same ways through our code as the whole, so that they are not measured for coverage.
    """
    for one in load(protocol):
        yield pytest.param(one, AT_ONCE, id=str(one))
        yield pytest.param(one, IN_PIECES, id=f"{one}-in-pieces", marks=pytest.mark.unmeasured)
