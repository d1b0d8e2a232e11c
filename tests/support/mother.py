"""A program that has everything imported and forks servers on demand: a start takes a tenth of the time.

Reads one JSON object a line, {"config": FILE, "log": FILE, "notify": SOCKET}, and answers with the process
id of a server that runs exactly what ``quintet serve`` becomes.  Ends when its standard input does; the
servers are their user's to end.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping

from quintet import worker

for name in ("smtp", "imap", "nntp", "pop3"):
    importlib.import_module(f"quintet.{name}.service")


def serve(order: Mapping[str, str]) -> None:
    """In the child: becomes a server and does not return."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing, log = (
        os.open("/dev/null", os.O_RDONLY),
        os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT),
    )
    for target, source in enumerate((nothing, log, log)):
        os.dup2(source, target)
    os.environ["NOTIFY_SOCKET"] = order["notify"]
    code = 70
    try:
        code = worker.main(["-c", order["config"]])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits: the dead are gone at once
    while line := sys.stdin.readline():
        child = os.fork()
        if not child:
            serve(json.loads(line))
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
