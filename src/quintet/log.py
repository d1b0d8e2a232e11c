"""Structured events, one line each: for people on a terminal, JSON otherwise.

``logger = log.get("smtp")`` once a module, then ``logger.info("accepted", conn=peer.id, size=size)``.  An
event is a short fixed string; what varies is a field.  A call below the level costs one comparison.
Values of fields whose name says secret are masked, and never is a message body logged.  Lines go to
standard error: at once what is a warning or worse, the others of a turn of the event loop together.
"""

from __future__ import annotations

import atexit
import collections
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

import msgspec

from quintet.clock import SystemClock

if TYPE_CHECKING:
    import asyncio

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
SECRET = frozenset(
    (
        "password",
        "secret",
        "token",
        "credential",
        "authorization",
        "passwd",
        "key",
        "digest",
        "challenge",
        "response",
    )
)
HELD = frozenset(("debug", "info"))  # levels of lines that may wait for the end of the turn
_MASK = "***"
_COLOURS = {"debug": "\x1b[2m", "info": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[31;1m"}
_CLOCK = SystemClock()
MAX_VALUE = 2000  # characters of one value: a hostile client's words must not fill the disk


class Logger:
    """Events of one room."""

    __slots__ = ("_sink", "level", "name")

    def __init__(self, name: str, sink: Sink) -> None:
        self.name = name
        self.level = sink.level_of(name)  # events below are not written
        self._sink = sink

    def debug(self, event: str, **fields: Any) -> None:
        if self.level <= 10:
            self._sink.emit("debug", self.name, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        if self.level <= 20:
            self._sink.emit("info", self.name, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        if self.level <= 30:
            self._sink.emit("warning", self.name, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """``exc_info=error`` adds its traceback."""
        self._sink.emit("error", self.name, event, fields)

    def enabled(self, level: str) -> bool:
        """Whether an event of this level would be written: for fields that cost something to make."""
        return self.level <= LEVELS[level]


class Sink:
    """Where events go; one a process."""

    def __init__(self) -> None:
        self.loggers: dict[str, Logger] = {}
        self._levels: tuple[int, dict[str, int]] = (20, {})
        self.captured: list[dict[str, Any]] | None = None
        self._stream: TextIO = sys.stderr
        self._human = self._colours = False
        self._second = (-1, "")  # of the last line, and how it is written
        self._held: collections.deque[bytes] = collections.deque()  # lines of this turn of the loop
        self._turned: asyncio.AbstractEventLoop | None = None  # the loop that was asked to write them
        self.configure()
        self.configured = False  # by somebody else

    def level_of(self, room: str) -> int:
        """The least level that a room writes."""
        return self._levels[1].get(room, self._levels[0])

    def set_levels(self, level: int, rooms: dict[str, int]) -> tuple[int, dict[str, int]]:
        """Sets them for every logger there is and will be; the ones before."""
        before, self._levels = self._levels, (level, rooms)
        for logger in self.loggers.values():
            logger.level = self.level_of(logger.name)
        return before

    def configure(
        self,
        level: str = "info",
        style: str = "auto",
        stream: TextIO | None = None,
        levels: Mapping[str, str] | None = None,
    ) -> None:
        """``style`` is "human", "json" or "auto" (human on a terminal)."""
        self.set_levels(LEVELS[level], {room: LEVELS[each] for room, each in (levels or {}).items()})
        self.configured = True
        self._stream = stream or sys.stderr
        self._colours = self._stream.isatty()
        self._human = style == "human" or (style == "auto" and self._colours)
        self._write = _octets_to(self._stream)

    def emit(self, level: str, room: str, event: str, fields: dict[str, Any]) -> None:
        line: dict[str, Any] = {"event": event, "level": level, "room": room, **fields}
        for name, value in fields.items():  # exact types: a line is made for each message
            if type(value) is str:
                if len(value) > MAX_VALUE:
                    line[name] = value[:MAX_VALUE] + "..."
            elif type(value) is bytes:
                line[name] = value[:MAX_VALUE].decode("utf-8", "backslashreplace")
        if not SECRET.isdisjoint(fields):
            line.update(dict.fromkeys(SECRET.intersection(fields), _MASK))
        if self.captured is not None:
            self.captured.append(line)
            return
        if "exc_info" in line:
            error = line.pop("exc_info")
            if isinstance(error, BaseException):
                line["exception"] = "".join(traceback.format_exception(error)).rstrip()
        try:
            if self._human:
                self._stream.write(_for_people(line, self._colours) + "\n")
                self._stream.flush()
            elif level in HELD and (loop := _running_loop()) is not None:
                self._held.append(self._as_json(line))
                if len(self._held) == 1 or loop is not self._turned:  # another was closed before it did
                    self._turned = loop
                    loop.call_soon(self.let_go)
            else:
                self.let_go()
                self._write(self._as_json(line))
        except (OSError, ValueError):
            return  # standard error is gone; there is nobody left to tell

    def let_go(self) -> None:
        """Writes what was held back; a write for each line is a fiftieth of what a message costs."""
        lines = []
        with suppress(IndexError):  # any thread may take some of them, and none is written twice
            while True:
                lines.append(self._held.popleft())
        if lines:
            with suppress(OSError, ValueError):
                self._write(b"".join(lines))

    def _as_json(self, line: dict[str, Any]) -> bytes:
        second, thousandth = divmod(_CLOCK.now(), 1000)
        known, moment = self._second
        if known != second:
            moment = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            self._second = second, moment
        whole = {"time": f"{moment}.{thousandth:03}Z", **line}
        try:
            return _pack(whole) + b"\n"
        except UnicodeEncodeError:  # half a surrogate pair: what a peer said was no UTF-8
            return json.dumps(whole, default=str).encode() + b"\n"


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """That of this thread; commands that have no loop are not to import what it takes."""
    events = sys.modules.get("asyncio.events")
    return events._get_running_loop() if events is not None else None


def _octets_to(stream: TextIO) -> Callable[[bytes], None]:
    """What writes a line at once: past the encoding of ``stream``, where it has octets beneath."""
    octets: BinaryIO | None = getattr(stream, "buffer", None)

    def write(line: bytes) -> None:
        if octets is None:
            stream.write(line.decode())
            stream.flush()
        else:
            octets.write(line)
            octets.flush()

    return write


def _for_people(line: MutableMapping[str, Any], colours: bool) -> str:
    """Time, level, room and event in columns, then the fields; a traceback follows in lines of its own."""
    moment = datetime.fromtimestamp(_CLOCK.now() / 1000).astimezone().strftime("%H:%M:%S.%f")[:-3]
    level, room, event, error = (line.pop(name, "") for name in ("level", "room", "event", "exception"))
    fields = " ".join(f"{name}={_plain(value)}" for name, value in line.items())
    colour, off = (_COLOURS[level], "\x1b[0m") if colours else ("", "")
    text = f"{moment} {colour}{level:7}{off} {room:10} {colour}{event}{off} {fields}".rstrip()
    return f"{text}\n{error}" if error else text


def _plain(value: Any) -> str:
    """A value in one line; quoted where it could be taken for something else."""
    text = str(value)
    return text if text and text.isprintable() and " " not in text and "=" not in text else repr(text)


_pack = msgspec.json.Encoder(enc_hook=str).encode
_SINK = Sink()
atexit.register(_SINK.let_go)


def get(name: str) -> Logger:
    """The logger of a room: "net", "smtp", "store"; the same object each time."""
    logger = _SINK.loggers.get(name)
    if logger is None:
        logger = _SINK.loggers[name] = Logger(name, _SINK)
    return logger


def configure(
    level: str = "info",
    style: str = "auto",
    stream: TextIO | None = None,
    levels: Mapping[str, str] | None = None,
) -> None:
    """Sets level and style of every logger, old and new; other libraries' warnings come along.

    ``levels`` gives single rooms another level.
    """
    _SINK.configure(level, style, stream, levels)
    root = logging.getLogger()
    root.handlers = [_Foreign()]
    root.setLevel(logging.WARNING)


def quiet() -> None:
    """For a library in somebody's program: warnings alone, unless the program said what it wants."""
    if not _SINK.configured and _SINK.captured is None:
        _SINK.set_levels(LEVELS["warning"], {})


@contextmanager
def capture(level: str = "debug") -> Iterator[list[dict[str, Any]]]:
    """For tests: events land in the list as dicts with "event", "level", "room" and their fields."""
    captured, _SINK.captured = _SINK.captured, []
    levels = _SINK.set_levels(LEVELS[level], {})
    try:
        yield _SINK.captured
    finally:
        _SINK.captured = captured
        _SINK.set_levels(*levels)


class _Foreign(logging.Handler):
    """Records of other libraries (asyncio, aiohttp) as events of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"text": record.getMessage()}
        if record.exc_info and record.exc_info[1] is not None:
            fields["exc_info"] = record.exc_info[1]
        level = record.levelname.lower()
        _SINK.emit(level if level in LEVELS else "error", record.name, "library", fields)
