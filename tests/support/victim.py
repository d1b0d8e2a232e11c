"""A server program that a test may kill at any moment and start again: fixed ports, all its processes known.

It runs what ``quintet serve`` becomes (the command line's own process is replaced by it).  A `Mother` makes
the start of a server with one worker cheap: its child has every module already.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from quintet.config.listeners import STANDARD
from tests.support import ports, server

READY_S = 60.0
END_S = 60.0


def plain_environment() -> dict[str, str]:
    """Without the coverage measurement of child processes, which doubles the time of a start."""
    return {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}


class Mother:
    """``mother.py``, running: forks servers that have everything imported."""

    def __init__(self) -> None:
        self._program = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("mother.py"))],
            env=plain_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def start(self, **order: str) -> psutil.Process:
        """A new server process."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(json.dumps(order).encode() + b"\n")
        self._program.stdin.flush()
        return psutil.Process(int(self._program.stdout.readline()))

    def close(self) -> None:
        self._program.communicate(timeout=END_S)


class Victim:
    """A data directory with a server on it, now and then."""

    def __init__(self, folder: Path, protocols: tuple[str, ...], **sections: Any) -> None:
        self.folder = folder
        self._keeping = contextlib.ExitStack()
        self.ports = dict(zip(protocols, ports.keep_some(len(protocols), self._keeping), strict=True))
        standard = {each.name: each for each in STANDARD}
        listeners = {
            name: dataclasses.replace(standard[name], address=server.HOST, port=port, tls="none")
            for name, port in self.ports.items()
        }
        self.config = server.configured(
            folder, {"store": {"sync": "full"}, "listeners": listeners, **sections}
        )
        self.path = server.write_config(folder, self.config)
        self.process: subprocess.Popen[bytes] | psutil.Process | None = None
        self._notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notices.bind(str(folder / "notify"))
        self._notices.setblocking(False)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    async def start(self, workers: int = 1, mother: Mother | None = None) -> None:
        """Until it says that it serves."""
        with contextlib.suppress(BlockingIOError):
            while self._notices.recv(4096):
                pass
        notify, log = self.folder / "notify", self.folder / "log"
        if mother is not None:
            self.process = mother.start(config=str(self.path), log=str(log), notify=str(notify))
        else:
            kind = ["supervise", "--workers", str(workers)] if workers > 1 else ["worker"]
            command = [sys.executable, "-P", "-m", "quintet", kind[0], "-c", str(self.path), *kind[1:]]
            environ = {**plain_environment(), "NOTIFY_SOCKET": str(notify)}
            with log.open("ab") as errors:
                self.process = subprocess.Popen(command, env=environ, stdout=errors, stderr=errors)
        await asyncio.wait_for(self._ready(psutil.Process(self.process.pid)), READY_S)

    async def _ready(self, process: psutil.Process) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                said = await asyncio.wait_for(loop.sock_recv(self._notices, 4096), 0.5)
            except TimeoutError:
                said = b""
            if b"READY=1" in said:
                return
            assert _alive(process), f"the server did not start:\n{self.log[-4000:]}"

    def workers(self) -> list[psutil.Process]:
        """The worker processes under a supervisor."""
        assert self.process is not None
        return psutil.Process(self.process.pid).children()

    def processes(self) -> list[psutil.Process]:
        """Every process of the server; the supervisor first."""
        assert self.process is not None
        return [psutil.Process(self.process.pid), *self.workers()]

    async def kill(self) -> None:
        """SIGKILL to every process at once; returns when all are gone."""
        if self.process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            # stopped first, or a supervisor in the middle of a fork has a child that we do not know
            await _stopped(psutil.Process(self.process.pid))
            everyone = self.processes()
            for each in everyone:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
            for each in everyone:
                await _gone(each)
        with contextlib.suppress(psutil.NoSuchProcess):
            self.process.wait(END_S)
        self.process = None

    async def end(self) -> int | None:
        """SIGTERM; the exit code (None of a mother's child)."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code: int | None = await asyncio.to_thread(self.process.wait, END_S)
        self.process = None
        return code

    def close(self) -> None:
        self._notices.close()
        self._keeping.close()


def _alive(process: psutil.Process) -> bool:
    """Whether it runs, or a thread of it is still in the kernel (flushing a file), its ports open."""
    try:
        if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            return True
        return len(os.listdir(f"/proc/{process.pid}/task")) > 1
    except (psutil.NoSuchProcess, OSError):
        return False


async def _stopped(process: psutil.Process) -> None:
    """Stops a process; returns when it does."""
    process.suspend()
    async with asyncio.timeout(END_S):
        while process.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE):
            await asyncio.sleep(0.001)


async def _gone(process: psutil.Process) -> None:
    """Waits for the end of a process that may be somebody else's child."""
    async with asyncio.timeout(END_S):
        while _alive(process):
            await asyncio.sleep(0.002)
