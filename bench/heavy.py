"""What is large: one message of a gigabyte, and a queue of a million recipients; time and memory."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from bench.loadgen.smtp import sink_main
from bench.micro import queue_start
from bench.workloads import Result

LARGE = 1 << 30  # bytes
CHUNK = 1 << 20  # bytes; of one BDAT
RECIPIENTS, DOMAINS = 1_000_000, 50_000
RUN_S = 15.0
LIMIT_S = 300.0
QUEUE_CONFIG = """\
[server]
hostname = "mx.bench.test"
workers = 1

[store]
data = "data"

[listeners.smtp]
protocol = "smtp"
address = "127.0.0.1"
port = {port}

[queue]
per_destination = 20

[queue.routes.sink]
via = "smtp"
host = "127.0.0.1"
port = {sink}
tls = "never"
"""


class Memory(threading.Thread):
    """Watches a process and its children; what they held at most."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.process = psutil.Process(pid)
        self.peak = self.own = 0  # bytes; ``own`` without mapped files
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.05):
            with contextlib.suppress(psutil.Error):
                every = [one.memory_info() for one in (self.process, *self.process.children(recursive=True))]
                self.peak = max(self.peak, sum(one.rss for one in every))
                self.own = max(self.own, sum(one.rss - one.shared for one in every))


@contextlib.contextmanager
def watched(pid: int) -> Iterator[Memory]:
    memory = Memory(pid)
    memory.start()
    try:
        yield memory
    finally:
        memory.ended.set()
        memory.join()


def large(port: int, pid: int) -> Result:
    """One message of a gigabyte by CHUNKING (RFC 3030), and what the server held meanwhile."""
    chunk = (b"A line of a message that is much too large for mail, as everybody says.\r\n" * CHUNK)[:CHUNK]
    with watched(pid) as memory, socket.create_connection(("127.0.0.1", port), LIMIT_S) as sock:
        file = sock.makefile("rb")

        def say(line: bytes) -> bytes:
            sock.sendall(line)
            while (answer := file.readline())[3:4] == b"-":
                pass
            return answer

        say(b"")
        say(b"EHLO client.bench.test\r\n")
        say(b"MAIL FROM:<a@client.bench.test>\r\n")
        say(b"RCPT TO:<u0001@bench.test>\r\n")
        head = b"From: a@client.bench.test\r\nMessage-ID: <large@bench.test>\r\nSubject: large\r\n\r\n"
        began = time.monotonic()
        say(b"BDAT %d\r\n%b" % (len(head), head))
        answer = b""
        for _ in range(LARGE // CHUNK):
            answer = say(b"BDAT %d\r\n%b" % (CHUNK, chunk))
            if answer[:1] != b"2":
                break
        else:
            answer = say(b"BDAT 0 LAST\r\n")
        took = time.monotonic() - began
        file.close()
    return {"seconds": took, "reply": answer[:3].decode(), "peak_mb": memory.peak / 1e6}


def queue(folder: Path, base: int) -> Result:
    """A server that is started with a full queue and sends it to a sink for a while."""
    home = folder / "queue"
    (home / "data").mkdir(parents=True)
    asyncio.run(queue_start.fill(home / "data", RECIPIENTS, DOMAINS))
    (home / "quintet.toml").write_text(QUEUE_CONFIG.format(port=base + 25, sink=base + 24))
    context = multiprocessing.get_context("fork")
    value, ready = context.Value("L", 0), context.Event()
    sink = context.Process(target=sink_main, args=(base + 24, value, ready), daemon=True)
    sink.start()
    ready.wait(5)
    command = [sys.executable, "-m", "quintet", "serve", "-c", str(home / "quintet.toml")]
    began = time.monotonic()
    with (home / "log").open("ab") as log:
        server = subprocess.Popen(command, cwd=home, stdout=log, stderr=log)
    try:
        with watched(server.pid) as memory:
            _until(lambda: _answers(base + 25))
            started = time.monotonic() - began
            _until(lambda: value.value > 0)
            first, before, since = time.monotonic() - began, value.value, time.monotonic()
            time.sleep(RUN_S)
            sent, ran = value.value - before, time.monotonic() - since
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)
        sink.terminate()
    return {
        "recipients": RECIPIENTS,
        "domains": DOMAINS,
        "start_s": started,
        "first_s": first,
        "run_s": ran,
        "sent_s": sent / ran,
        "peak_mb": memory.peak / 1e6,
        "own_mb": memory.own / 1e6,
    }


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT_S
    while not holds():
        if time.monotonic() > end:
            raise SystemExit("the server with the large queue does not answer")
        time.sleep(0.01)
