"""One serving process: reads the configuration, runs the app, and listens to signals and its supervisor.

SIGTERM and SIGINT drain and end with 0; SIGHUP and the control order "reload" read the file again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from quintet import heap, launch, log
from quintet.admin import control
from quintet.app import App
from quintet.config import load, root
from quintet.errors import Problem
from quintet.store.migrate import TooNew
from quintet.supervisor import parse

ALIVE_S = 5.0  # how often the supervisor hears that our loop turns
SWITCH_S = 0.0005  # seconds a thread that computes may go on when the loop has something to do (0245)

logger = log.get("worker")


class Worker:
    """See the module."""

    def __init__(self, path: Path, config: root.Config, sockets: launch.Sockets) -> None:
        self.path = path
        number, count = os.environ.get(launch.NUMBER, "0"), os.environ.get(launch.COUNT, "1")
        self.app = App(config, sockets=sockets, number=int(number), count=int(count))
        self._ended = asyncio.Event()
        self._status: socket.socket | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Until told to stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._hangup)
        await self.app.start()
        heap.settle()
        self.app.control.add("reload", self._reload_order)
        self._report()
        self._tasks.append(asyncio.create_task(self._keep_alive()))
        await self._ended.wait()
        launch.notify("STOPPING=1")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.app.stop()

    def _stop(self) -> None:
        if self._ended.is_set():
            os._exit(1)  # told twice: whoever asks does not want to wait
        self._ended.set()

    def _hangup(self) -> None:
        self._tasks.append(asyncio.create_task(self._reload_quietly()))

    async def _reload_quietly(self) -> None:
        launch.notify_reloading()
        with contextlib.suppress(load.ConfigError):  # logged
            await self.reload()
        launch.notify("READY=1")

    async def reload(self) -> control.Answer:
        """Reads the file again.  Raises ConfigError; the old configuration then stays."""
        try:
            config = root.from_file(self.path)
        except load.ConfigError as error:
            for fault in error.faults:
                logger.error("configuration not taken", text=str(fault))  # noqa: TRY400 - a sentence, no traceback
            raise
        changed = await self.app.reload(config)
        return {"taken": changed.taken, "restart": changed.restart}

    async def _reload_order(self, _: control.Request) -> control.Answer:
        try:
            return await self.reload()
        except load.ConfigError as error:
            return {"ok": False, "faults": [str(fault) for fault in error.faults]}

    # --- who watches us -----------------------------------------------------------------------

    def _report(self) -> None:
        """Tells that we serve: the supervisor, or the service manager and the terminal."""
        number = os.environ.get(launch.STATUS, "")
        if not number:
            launch.notify("READY=1\nSTATUS=serving")
            launch.announce()
            return
        self._status = socket.socket(fileno=int(number))
        os.set_inheritable(int(number), False)
        self._status.setblocking(False)
        with contextlib.suppress(BrokenPipeError):  # its end of file, which follows, is told below
            self._status.send(b"ready\n")
        asyncio.get_running_loop().add_reader(self._status, self._supervisor_says)

    def _supervisor_says(self) -> None:
        assert self._status is not None
        with contextlib.suppress(BlockingIOError):
            if not self._status.recv(4096):
                asyncio.get_running_loop().remove_reader(self._status)
                logger.error("supervisor is gone")
                self._ended.set()

    async def _keep_alive(self) -> None:
        """Says that the loop turns."""
        watchdog = launch.watchdog_s()
        while True:
            if self._status is not None:
                with contextlib.suppress(OSError):
                    self._status.send(b"alive\n")
            elif watchdog:
                launch.notify("WATCHDOG=1")
            await asyncio.sleep(min(watchdog or ALIVE_S, ALIVE_S))


async def _serve(path: Path, config: root.Config, sockets: launch.Sockets) -> None:
    await Worker(path, config, sockets).run()


def main(arguments: Sequence[str], config: root.Config | None = None) -> int:
    """``worker -c FILE``; what ``quintet serve`` becomes, or a supervisor starts.  Returns the exit code.

    ``config``: what FILE says, if it was read already.
    """
    path, _ = parse(arguments)
    heap.hold_down()
    sys.setswitchinterval(SWITCH_S)
    try:
        config = config or root.from_file(path)
        log.configure(config.log.level, config.log.format, levels=config.log.levels)
        sockets = launch.taken_over()
        if sockets is None:
            sockets = launch.open_sockets(config)[0]
            launch.drop_rights(config)
        asyncio.run(_serve(path, config, sockets))
    except load.ConfigError as error:
        return _say(*map(str, error.faults), code=3)
    except launch.CannotStart as error:
        return _say(str(error), code=4)
    except TooNew as error:
        return _say(str(error), code=1)
    except Problem as error:
        return _say(f"the store cannot be opened: {error.text}", code=4)
    except PermissionError as error:
        return _say(f"{error.filename}: permission denied", code=4)
    return 0


def _say(*texts: str, code: int) -> int:
    for text in texts:
        sys.stderr.write(f"quintet: {text}\n")
    return code
