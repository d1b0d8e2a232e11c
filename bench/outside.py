"""Looking at servers from outside: whether a port is free or answers, whether a process has come to rest."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
START_LIMIT_S = 20.0


def look(database: Path, question: str) -> int:
    """A number out of a database that is in use; 0 when there is none."""
    with contextlib.suppress(sqlite3.Error), sqlite3.connect(f"file:{database}?mode=ro", uri=True) as found:
        return int(found.execute(question).fetchone()[0] or 0)
    return 0


def expect_free(port: int) -> None:
    """Ports are shared by workers, so a server of somebody else would take half of our load, unseen."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        raise SystemExit(f"port {port} is in use: choose others with --base")


def wait_port(port: int) -> None:
    end = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise SystemExit(f"no answer on port {port} after {START_LIMIT_S:.0f} s")


def drop_cache(folder: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "loadgen", "dropcache", str(folder)],
        cwd=HERE,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def settle(pid: int, limit_s: float = START_LIMIT_S) -> None:
    """Waits until a server that has just started is done with it: a second worker, its first look round.

    Or with what it does behind answers, such as hashing a thousand passwords anew: a minute or two.
    """
    sys.path.insert(0, str(HERE))
    from loadgen import core

    end, calm, before = time.monotonic() + limit_s, 0, -1.0
    while calm < 3 and time.monotonic() < end:
        time.sleep(0.2)
        used = sum(cpu for cpu, _ in core.tree([pid]).values())
        calm = calm + 1 if used - before < 0.02 else 0
        before = used
