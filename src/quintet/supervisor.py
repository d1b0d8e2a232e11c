"""Keeps N workers alive: opens the ports once, starts identical processes, restarts one that dies.

It speaks no protocol and opens no store.  Each worker has listening sockets of its own on shared ports
(SO_REUSEPORT) which stay open here, so connections that arrive while a worker is restarted wait for the
new one.  SIGHUP and SIGTERM go on to every worker.  On its status socket a worker says "ready" and, while
its loop turns, "alive"; its end of file tells the worker that we are gone.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from quintet import launch
from quintet.config import load, root

BACKOFF_S = 0.2  # before the first restart; doubles with each
MAX_BACKOFF_S = 30.0
SETTLED_S = 60.0  # a worker that lived so long starts again without delay
SILENT_S = 30.0  # a worker that did not turn its loop for so long is no longer called alive
HUNG_S = 120.0  # after so long it is killed; nothing of ours holds the loop for seconds
START_S = 60.0  # a worker that is not ready by then is stopped
GRACE_S = 10.0  # more than the drain time, before a worker is killed


@dataclass(slots=True)
class Slot:
    """A place for one worker: its sockets outlive it."""

    number: int
    sockets: launch.Sockets
    process: subprocess.Popen[bytes] | None = None
    status: socket.socket | None = None
    ready: bool = False
    started_at: float = 0.0
    heard_at: float = 0.0
    failures: int = 0
    due_at: float = 0.0  # when to start it again


class Supervisor:
    """See the module."""

    def __init__(self, path: Path, config: root.Config, count: int) -> None:
        self.path = path
        self.config = config
        self.slots = [Slot(at, opened) for at, opened in enumerate(launch.open_sockets(config, count))]
        self.stopping_at = 0.0
        self.code = 0
        self._told_ready = False
        self._selector = selectors.DefaultSelector()
        self._signals: list[int] = []
        self._wake, self._woken = socket.socketpair()
        for end in (self._wake, self._woken):
            end.setblocking(False)
        self._watchdog_s = launch.watchdog_s()
        self._watchdog_at = 0.0
        self._tended_at = time.monotonic()

    def run(self) -> int:
        """Until told to stop; returns the exit code."""
        before = signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, self._note)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        for slot in self.slots:
            self._start(slot)
        while not (self.stopping_at and all(slot.process is None for slot in self.slots)):
            for key, _ in self._selector.select(self._wait_s()):
                if key.data is None:
                    with contextlib.suppress(BlockingIOError):
                        self._woken.recv(4096)
                else:
                    self._hear(key.data)
            self._take_signals()
            self._reap()
            self._tend()
        signal.set_wakeup_fd(before)
        self.close()
        return self.code

    def close(self) -> None:
        """Lets go of what it waits with; the sockets are the slots'."""
        self._selector.close()
        self._wake.close()
        self._woken.close()

    # --- workers --------------------------------------------------------------------------

    def _start(self, slot: Slot) -> None:
        self._forget(slot)  # its end of file may not have been heard yet
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        environ = {
            **{key: value for key, value in os.environ.items() if key not in _NOT_PASSED},
            launch.SOCKETS: launch.pass_on(slot.sockets),
            launch.STATUS: str(theirs.fileno()),
            launch.NUMBER: str(slot.number),
            launch.COUNT: str(len(self.slots)),
        }
        numbers = [sock.fileno() for opened in slot.sockets.values() for sock in opened]
        command = [sys.executable, "-P", "-m", "quintet", "worker", "-c", str(self.path)]
        slot.started_at = slot.heard_at = time.monotonic()
        try:
            slot.process = subprocess.Popen(command, env=environ, pass_fds=[*numbers, theirs.fileno()])
        except OSError as error:
            ours.close()
            if not self._told_ready:
                raise
            self._later(slot, "worker cannot be started", text=str(error))  # no memory; the others serve on
            return
        finally:
            theirs.close()
        slot.status, slot.ready = ours, False
        self._selector.register(ours, selectors.EVENT_READ, slot)

    def _hear(self, slot: Slot) -> None:
        assert slot.status is not None
        try:
            data = slot.status.recv(4096)
        except OSError:
            data = b""
        if not data:
            self._forget(slot)
            return
        slot.heard_at = time.monotonic()
        if b"ready" in data:
            slot.ready = True
            self._maybe_ready()

    def _forget(self, slot: Slot) -> None:
        if slot.status is not None:
            self._selector.unregister(slot.status)
            slot.status.close()
            slot.status = None

    def _maybe_ready(self) -> None:
        if not self._told_ready and all(slot.ready for slot in self.slots):
            self._told_ready = True
            launch.notify(f"READY=1\nSTATUS={len(self.slots)} workers")
            launch.announce()
            self._say("info", "serving", workers=len(self.slots))

    def _reap(self) -> None:
        for slot in self.slots:
            process = slot.process
            if process is None or process.poll() is None:
                continue
            slot.process = None
            if self.stopping_at:
                self.code = self.code or max(process.returncode, 0)
                continue
            if not self._told_ready and process.returncode > 0:
                self._stop(process.returncode)  # it said why on standard error: the same would happen again
                continue
            self._later(slot, "worker died", code=process.returncode)

    def _later(self, slot: Slot, event: str, **fields: object) -> None:
        """Starts it (again) after a while, which grows while it does not settle."""
        now = time.monotonic()
        slot.failures = 1 if now - slot.started_at > SETTLED_S else slot.failures + 1
        wait = min(BACKOFF_S * 2 ** (slot.failures - 1), MAX_BACKOFF_S)
        slot.due_at = now + wait
        self._say("error", event, worker=slot.number, **fields, restart_s=wait)

    def _tend(self) -> None:
        """What is due: restarts, a worker that hangs, the watchdog, the end of patience."""
        now = time.monotonic()
        # after a longer rest than our own we stood still (a container that was frozen), and so did they
        if now - self._tended_at > 2 * SILENT_S:
            for slot in self.slots:
                slot.heard_at = now
        self._tended_at = now
        for slot in self.slots:
            if slot.process is None:
                if slot.due_at and not self.stopping_at and now >= slot.due_at:
                    slot.due_at = 0.0
                    self._start(slot)
            elif not slot.ready and not self.stopping_at and now - slot.started_at > START_S:
                self._say("error", "worker did not start", worker=slot.number)
                slot.process.kill()
            elif slot.ready and now - slot.heard_at > HUNG_S:
                self._say("error", "worker hangs", worker=slot.number)
                slot.heard_at = now
                slot.process.kill()
        if self.stopping_at and now >= self.stopping_at:
            for slot in self.slots:
                if slot.process is not None:
                    self._say("error", "worker killed", worker=slot.number)
                    slot.process.kill()
            self.stopping_at = now + GRACE_S
        if self._watchdog_s and now >= self._watchdog_at and self._alive(now):
            launch.notify("WATCHDOG=1")
            self._watchdog_at = now + self._watchdog_s

    def _alive(self, now: float) -> bool:
        return all(slot.process is None or now - slot.heard_at < SILENT_S for slot in self.slots)

    def _wait_s(self) -> float:
        due = [slot.due_at for slot in self.slots if slot.due_at and slot.process is None]
        if self.stopping_at:
            due.append(self.stopping_at)
        if self._watchdog_s:
            due.append(self._watchdog_at)
        return max(0.0, min([each - time.monotonic() for each in due], default=SILENT_S))

    # --- signals --------------------------------------------------------------------------

    def _note(self, number: int, _: object) -> None:
        self._signals.append(number)

    def _take_signals(self) -> None:
        taken, self._signals = self._signals, []
        if signal.SIGTERM in taken or signal.SIGINT in taken:
            if self.stopping_at:
                self.stopping_at = time.monotonic()  # told twice: no more patience
            else:
                self._stop(0)
        elif signal.SIGHUP in taken and not self.stopping_at:
            self._reload()

    def _stop(self, code: int) -> None:
        self.code = code
        launch.notify("STOPPING=1")
        self.stopping_at = time.monotonic() + self.config.server.drain_s + GRACE_S
        self._forward(signal.SIGTERM)

    def _reload(self) -> None:
        launch.notify_reloading()
        try:
            self.config = root.from_file(self.path)
        except load.ConfigError as error:
            for fault in error.faults:
                self._say("error", "configuration not taken", text=str(fault))
        else:
            self._forward(signal.SIGHUP)
        launch.notify("READY=1")

    def _forward(self, number: signal.Signals) -> None:
        for slot in self.slots:
            if slot.process is not None:
                with contextlib.suppress(ProcessLookupError):
                    slot.process.send_signal(number)

    def _say(self, level: str, event: str, **fields: object) -> None:
        """A line of the log; the log's own machinery would double our size."""
        style = self.config.log.format
        if style == "human" or (style == "auto" and sys.stderr.isatty()):
            facts = " ".join(f"{key}={value}" for key, value in fields.items())
            sys.stderr.write(f"{time.strftime('%H:%M:%S')} [{level}] supervisor {event} {facts}\n")
        else:
            import json  # small, and needed by nothing else here

            seconds, part = divmod(time.time_ns() // 1_000_000, 1000)
            moment = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{part:03}Z"
            line = {"time": moment, "event": event, "level": level, "room": "supervisor", **fields}
            sys.stderr.write(json.dumps(line, separators=(",", ":")) + "\n")
        sys.stderr.flush()


_NOT_PASSED = frozenset(("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", launch.BANNER))


def main(arguments: Sequence[str], config: root.Config | None = None) -> int:
    """``supervise -c FILE [--workers N]``; what ``quintet serve`` becomes when it has several workers.

    ``config``: what FILE says, if it was read already.
    """
    path, count = parse(arguments)
    try:
        config = config or root.from_file(path)
        supervisor = Supervisor(path, config, count or config.workers)
        launch.drop_rights(config)
    except load.ConfigError as error:
        for fault in error.faults:
            sys.stderr.write(f"quintet: {fault}\n")
        return 3
    except launch.CannotStart as error:
        sys.stderr.write(f"quintet: {error}\n")
        return 4
    return supervisor.run()


def parse(arguments: Sequence[str]) -> tuple[Path, int | None]:
    """The two options of the inner commands; they are written by ``launch.become`` only."""
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    workers = given.get("--workers")
    return Path(given["-c"]), int(workers) if workers else None
