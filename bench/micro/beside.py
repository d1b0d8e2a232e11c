"""How long others wait while one session of the same worker does something large.

    .venv/bin/python -m bench.micro.beside DIR PORT [--messages 100000] [COMMAND ...]

Fills a store below DIR, if it is not there yet, as `bench.million` does.  What commands change stays changed,
so begin with a copy.  One connection gives the commands, one after the other; meanwhile three others,
each with a mailbox of its own, ask: NOOP, a STORE of one flag, a FETCH of one letter.  Every connection is a
process, so that none of them waits for another's interpreter.

House rule (issue 4): others are served within 10 ms.  Prints p50, p99 and the longest wait of each in
milliseconds, first of all while nobody does anything large.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import multiprocessing.connection
import time
from pathlib import Path

from bench import million

COMMANDS = (
    "FETCH 1:* BODY.PEEK[]",
    "FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE INTERNALDATE RFC822.SIZE)",
    "SEARCH BODY zq",
    "STORE 1:* +FLAGS.SILENT (\\Flagged)",
    "CREATE Copied",
    "COPY 1:* Copied",
    "DELETE Copied",
    "CREATE Moved",
    "MOVE 1:* Moved",
    "SELECT Moved",
    "MOVE 1:* INBOX",
    "SELECT INBOX",
    "RENAME INBOX Old",
    "SELECT Old",
    "STORE 1:* +FLAGS.SILENT (\\Deleted)",
    "EXPUNGE",
)
SHORT = ("SELECT", "CREATE")  # not worth a line
PROBES = {
    "NOOP": (b"NOOP",),
    "STORE": (b"STORE 1 +FLAGS.SILENT (\\Flagged)", b"STORE 1 -FLAGS.SILENT (\\Flagged)"),
    "FETCH": (b"FETCH 1 (UID FLAGS ENVELOPE BODY.PEEK[])",),
}
PAUSE_S = 0.003  # between two questions
QUIET_S = 3.0
LETTER = b"Subject: small\r\n\r\nsmall\r\n"

Pipe = multiprocessing.connection.Connection


def _line(port: int, user: bytes) -> million.Line:
    line = million.Line(port)
    line.ask(b'LOGIN "%b" "pw"' % user)
    return line


def _probe(port: int, number: int, texts: tuple[bytes, ...], pipe: Pipe) -> None:
    """Asks, and tells how long each took whenever it is asked for that."""
    line = _line(port, b"u%04d" % number)
    line.ask(b"APPEND INBOX {%d+}\r\n%b" % (len(LETTER), LETTER))
    line.ask(b"SELECT INBOX")
    took: list[float] = []
    pipe.send(None)
    turn = 0
    while True:
        if pipe.poll():
            if pipe.recv() is None:
                return
            pipe.send(took)
            took = []
        took.append(line.ask(texts[turn % len(texts)]))
        turn += 1
        time.sleep(PAUSE_S)


def _heavy(port: int, pipe: Pipe) -> None:
    line = _line(port, b"one")
    line.ask(b"SELECT INBOX")
    pipe.send(None)
    while (command := pipe.recv()) is not None:
        pipe.send(line.ask(command.encode()))


def _told(took: list[float]) -> str:
    took.sort()
    count = len(took)
    return f"{took[count // 2]:6.2f} {took[min(count * 99 // 100, count - 1)]:6.2f} {took[-1]:7.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dir", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("command", nargs="*", default=COMMANDS)
    parser.add_argument("--messages", type=int, default=100_000)
    options = parser.parse_args()
    if not (options.dir / "filled").exists():
        (options.dir / "data").mkdir(parents=True, exist_ok=True)
        asyncio.run(million.fill(options.dir / "data", options.messages))
        (options.dir / "filled").touch()
    context = multiprocessing.get_context("fork")
    with million.serving(options.dir, options.port):
        begun: list[tuple[multiprocessing.process.BaseProcess, Pipe]] = []

        def begin(work: object, *args: object) -> Pipe:
            ours, theirs = context.Pipe()
            process = context.Process(target=work, args=(options.port, *args, theirs), daemon=True)  # type: ignore[arg-type]
            process.start()
            begun.append((process, ours))
            ours.recv()
            return ours

        heavy = begin(_heavy)
        probes = {name: begin(_probe, at, texts) for at, (name, texts) in enumerate(PROBES.items(), 1)}

        def waits() -> dict[str, list[float]]:
            for pipe in probes.values():
                pipe.send("tell")
            return {name: pipe.recv() for name, pipe in probes.items()}

        print(f"{'':40} seconds" + "".join(f" | {name:5} p50    p99     max" for name in probes))
        waits()
        time.sleep(QUIET_S)
        print(f"{'(nothing)':40} {QUIET_S:7.2f}" + "".join(f" | {_told(took)}" for took in waits().values()))
        for command in options.command:
            waits()
            heavy.send(command)
            took = heavy.recv()
            told = "".join(f" | {_told(took)}" for took in waits().values())
            if not command.startswith(SHORT):
                shown = command if len(command) <= 40 else command[:37] + "..."
                print(f"{shown:40} {took / 1000:7.2f}{told}", flush=True)
        for process, pipe in begun:
            pipe.send(None)
            process.join(10)


if __name__ == "__main__":
    main()
