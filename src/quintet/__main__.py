"""The program's door: ``quintet`` and ``python -m quintet``.

It stands on top of both the command line and the server, which must not know each other.  What a command
does belongs to ``quintet.admin.cli``; what a server consists of belongs to ``quintet.app``.  The two inner
commands, "worker" and "supervise", come without the command line's library, and so do "serve -c FILE" and
"sendmail", which is also what the program is when it is called by that name.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from quintet import heap

SENDMAIL = ("sendmail", "mailq", "newaliases")  # names that other programs call


def main() -> None:
    """Runs what was asked for; the exit code is the one the command documents."""
    heap.look_seldom()
    name = Path(sys.argv[0]).name
    try:
        if name in SENDMAIL:
            _sendmail(sys.argv[1:], name)
        _main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)


def _sendmail(arguments: Sequence[str], name: str = "sendmail") -> NoReturn:
    from quintet.admin.sendmail.program import main as sendmail  # as below

    sys.exit(sendmail(arguments, name))


def _main(kind: str = "", *arguments: str) -> None:
    if kind == "worker":
        from quintet.worker import main as worker  # only one of the three is ever needed

        sys.exit(worker(arguments))
    if kind == "supervise":
        from quintet.supervisor import main as supervisor  # as above

        sys.exit(supervisor(arguments))
    if kind == "sendmail" and arguments != ("--help",):
        _sendmail(arguments)
    if kind == "serve" and (code := _serve_at_once(arguments)) is not None:
        sys.exit(code)
    from quintet.admin.cli import main as cli  # as above

    cli(_serve)


def _serve_at_once(arguments: Sequence[str]) -> int | None:
    """Serves as units and scripts ask for it, in this process; None: the command line has to look.

    Saves what loading the command line takes, and a second start of the interpreter.
    """
    given = dict(zip(arguments[::2], arguments[1::2], strict=False))
    # not resolved: data lie beside the name that was given, wherever a link leads
    path = Path(given.get("-c", os.environ.get("QUINTET_CONFIG", ""))).absolute()
    if len(arguments) != 2 * len(given) or not given.keys() <= {"-c"} or not path.is_file():
        return None
    from quintet.config import load, root  # as above

    try:
        config = root.from_file(path)
    except load.ConfigError:
        return None  # told there, in words for people
    if not sys.flags.safe_path:
        del sys.path[0]  # nothing is imported from the folder that we happen to stand in
    command = ["-c", str(path)]
    if config.workers > 1:
        from quintet.supervisor import main as supervisor  # as above

        return supervisor(command, config)
    from quintet.worker import main as worker  # as above

    return worker(command, config)


def _serve(path: Path, workers: int | None, banner: str) -> None:
    """Becomes a server; returns only by an exception."""
    from quintet import launch  # as above
    from quintet.config import root

    config = root.from_file(path)
    count = config.workers if workers is None else workers
    launch.become("supervise" if count > 1 else "worker", path, count, banner)


if __name__ == "__main__":
    main()
