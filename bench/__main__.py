#!/usr/bin/env python3
"""Measures this server beside Postfix, Haraka, smtp-server, Dovecot and INN; writes docs/benchmarks.md.

Every workload comes from `loadgen` (this folder) and is the same for all; the servers take turns, `--repeat`
times, and medians are compared, because absolute numbers of a busy machine move by a factor of two.
A peer that is not installed is left out and named.  All traffic stays on 127.0.0.1 and ends by itself.

    make bench                          everything, about 15 minutes
    make bench ARGS=--quick             smaller counts, about 5 minutes
    make bench ARGS='--only S1,I2'      some workloads

The set-up of the peers is in `peers/NAME/` (their best honest configuration); `peers/node.sh` fetches those
that are Node programs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import heavy, page
from bench.workloads import WORKLOADS, Result, Workload

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
START_LIMIT_S = 20.0


IDLE_SMTP = "smtp-idle --conns 1000 --hold 4 --ramp 20 --limit 90"
IDLE = "imap-idle --conns 1000 --users 1000 --count 100 --hold 3 --ramp 20 --limit 110"
SINK = 2900  # above the first port of each server: what it relays to
NUMBER = {"smtp": 25, "imap": 143, "pop3": 110, "nntp": 119}


# --- servers -----------------------------------------------------------------------------------------


class Ours:
    """A server of this checkout with the users and groups that the workloads name."""

    name = "quintet"
    kinds = frozenset(NUMBER)

    def __init__(self, folder: Path, base: int, workers: int) -> None:
        self.dir, self.base, self.workers = folder / "quintet", base, workers
        self.sink = base + SINK
        self.process: subprocess.Popen[bytes] | None = None

    def quintet(self, *args: str, **options: Any) -> None:  # Any: of subprocess.run
        command = [sys.executable, "-m", "quintet", *args]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.dir, **options)

    def prepare(self) -> None:
        self.dir.mkdir(parents=True)
        config = self.dir / "quintet.toml"
        listeners = [OUR_LISTENER.format(name=kind, port=self.port(kind)) for kind in NUMBER]
        config.write_text(
            OUR_CONFIG.format(workers=self.workers, sink=self.sink, size=2 * heavy.LARGE) + "".join(listeners)
        )
        self.quintet("domain", "add", "bench.test", "-c", str(config))
        names = [f"u{n:04d}" for n in range(1000)] + [
            f"{kind}{n}" for kind in ("big", "pop", "app") for n in range(10)
        ]
        accounts = self.dir / "accounts.tsv"
        accounts.write_text("".join(f"{name}@bench.test\tpw\n" for name in names))
        self.quintet("account", "load", str(accounts), "-c", str(config))
        self.quintet("group", "add", "bench.big", "-c", str(config))

    def up(self) -> float:
        """Starts and returns the seconds until every port answers."""
        began = time.monotonic()
        log = (self.dir / "log").open("ab")
        command = [sys.executable, "-m", "quintet", "serve", "-c", str(self.dir / "quintet.toml")]
        self.process = subprocess.Popen(command, cwd=self.dir, stdout=log, stderr=log)
        for kind in NUMBER:
            wait_port(self.port(kind))
        return time.monotonic() - began

    def down(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(START_LIMIT_S)
            self.process = None

    def port(self, kind: str) -> int:
        return self.base + NUMBER[kind]

    def meter(self) -> list[str]:
        assert self.process
        return ["--server-pid", str(self.process.pid)]

    def drop_cache(self) -> None:
        drop_cache(self.dir / "data")

    def seed_news(self, count: int) -> None:
        """100k articles by POST, as a reader would."""
        load(f"nntp-post --conns 16 --count {count} --size mixed --group bench.big --limit 300", self, "nntp")


OUR_CONFIG = """\
[server]
hostname = "mx.bench.test"
workers = {workers}

[store]
data = "data"

[auth]
default_domain = "bench.test"

[nntp]
post = "anyone"

[smtp]
relay_networks = ["127.0.0.0/8"]
max_message_size = {size}

[queue]
per_destination = 20

[queue.routes.sink]
via = "smtp"
host = "127.0.0.1"
port = {sink}
tls = "never"
"""
OUR_LISTENER = """
[listeners.{name}]
protocol = "{name}"
address = "127.0.0.1"
port = {port}
max_per_address = 20000
"""


class Peer:
    """Postfix, Dovecot or INN by its up and down scripts."""

    def __init__(self, name: str, folder: Path, base: int, variant: str, kinds: tuple[str, ...]) -> None:
        self.name, self.dir, self.base, self.variant = name, folder / name, base, variant
        self.kinds = frozenset(kinds)
        self.sink = base + SINK

    def run(self, script: str, *more: str) -> None:
        command = [
            str(HERE / "peers" / self.name / script),
            "--dir",
            str(self.dir),
            "--base",
            str(self.base),
            "--variant",
            self.variant,
            "--sink",
            str(self.sink),
            *more,
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def prepare(self) -> None:
        self.run("up")
        self.run("down")

    def up(self) -> float:
        began = time.monotonic()
        self.run("up", "--keep")
        return time.monotonic() - began

    def down(self) -> None:
        self.run("down")

    def port(self, kind: str) -> int:
        return self.base + (1119 if kind == "nntp" else NUMBER[kind])

    def meter(self) -> list[str]:
        if Path("/sys/fs/cgroup/cpuacct").is_dir():
            return ["--server-cgroup", self.name]
        return ["--server-pid", str(self.dir / "pid")]

    def drop_cache(self) -> None:
        drop_cache(self.dir / "mail")

    def seed_news(self, count: int) -> None:
        """By streaming to its feed port: INN's way in."""
        command = (
            f"nntp-stream --conns 2 --count {count} --limit 300 --size mixed --group bench.big --no-check"
        )
        run_load(command, self.base + NUMBER["nntp"], self.meter())


Server = Ours | Peer
NODE = Path(os.environ.get("NODE_DIR", str(ROOT / "build" / "node"))) / "node_modules"
PEERS = {
    "postfix": ("/usr/sbin/postfix", "virtual", ("smtp",)),
    "dovecot": ("/usr/sbin/dovecot", "mdbox", ("imap", "pop3")),
    "inn": ("/usr/lib/news/bin/innd", "tradindexed", ("nntp",)),
    "smtp-server": (f"{NODE}/smtp-server", "", ("smtp",)),
    "haraka": (f"{NODE}/Haraka", "", ("smtp",)),
}


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


def settle(pid: int) -> None:
    """Waits until a server that has just started is done with it: a second worker, its first look round."""
    sys.path.insert(0, str(HERE))
    from loadgen import core

    end, calm, before = time.monotonic() + START_LIMIT_S, 0, -1.0
    while calm < 3 and time.monotonic() < end:
        time.sleep(0.2)
        used = sum(cpu for cpu, _ in core.tree([pid]).values())
        calm = calm + 1 if used - before < 0.02 else 0
        before = used


@contextlib.contextmanager
def running(server: Server) -> Iterator[float]:
    started = server.up()
    if isinstance(server, Ours) and server.process:
        settle(server.process.pid)
    try:
        yield started
    finally:
        server.down()


# --- load --------------------------------------------------------------------------------------------


def run_load(command: str, port: int, more: list[str]) -> Result:
    line = [sys.executable, "-m", "loadgen", *command.split(), "--port", str(port), *more]
    done = subprocess.run(line, cwd=HERE, check=False, stdout=subprocess.PIPE, text=True)
    try:
        result: Result = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        result = {"ops": 0, "errors": {"loadgen": f"exit {done.returncode}"}}
    return result


def load(command: str, server: Server, kind: str) -> Result:
    return run_load(command.format(sink=server.sink), server.port(kind), server.meter())


def seed(server: Server, articles: int, messages: int) -> None:
    with running(server):
        if "imap" in server.kinds:
            for pattern, count in (("big%d", messages), ("pop%d", 1000)):
                load(
                    f"imap-seed --conns 1 --users 1 --user-pattern {pattern}"
                    f" --messages {count} --pool {count} --size mixed",
                    server,
                    "imap",
                )
        if "nntp" in server.kinds:
            server.seed_news(articles)


def measure(
    servers: dict[str, Server], wanted: list[Workload], repeat: int, quick: bool
) -> dict[tuple[str, str], list[Result]]:
    results: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for turn in range(repeat):
        for workload in wanted:
            for name in ("quintet", workload.peer):
                server = servers.get(name)
                if server is None:
                    continue
                if workload.cold:
                    server.drop_cache()
                with running(server):
                    result = load(workload.quick if quick else workload.command, server, workload.kind)
                results[workload.id, name].append(result)
                print(
                    f"  {turn + 1}/{repeat} {workload.id:13} {name:8} {result.get('ops_s', 0):>10} ops/s"
                    f" {result.get('server_cpu_us_per_op', '-'):>8} us/op {page.errors(result)}",
                    flush=True,
                )
    return results


def errors(result: Result) -> str:
    return f"errors {result['errors']}" if result.get("errors") else ""


def idle(ours: Ours) -> tuple[Result, float, float]:
    """Memory after the start, seconds of the start, and 1,000 IDLE connections."""
    sys.path.insert(0, str(HERE))
    from loadgen import core

    with running(ours) as started:
        time.sleep(2)
        assert ours.process
        rss = sum(memory for _, memory in core.tree([ours.process.pid]).values()) / 1e6
        more = ["--deliver-port", str(ours.port("smtp"))]
        result = run_load(IDLE, ours.port("imap"), ours.meter() + more)
    return result, started, rss


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="ids, or their beginnings, comma-separated")
    parser.add_argument("--quick", action="store_true", help="smaller counts")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1, help="worker processes of ours")
    parser.add_argument("--dir", type=Path, help="where the servers live (default: a temporary folder)")
    parser.add_argument("--keep", action="store_true", help="leave the folder with data and logs")
    parser.add_argument("--base", type=int, default=20000, help="first port; each server takes the next 2000")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks.md")
    parser.add_argument("--raw", type=Path, help="append the raw results here, a JSON line each")
    options = parser.parse_args()

    prefixes = [p for p in options.only.split(",") if p]
    wanted = [w for w in WORKLOADS if not prefixes or any(w.id.startswith(p) for p in prefixes)]
    with_idle = not prefixes or any("I8".startswith(p) for p in prefixes)
    folder = Path(tempfile.mkdtemp(prefix="quintet-bench-", dir=options.dir))
    folder.chmod(0o755)  # the peers run under users of their own
    missing = [name for name, (binary, _, _) in PEERS.items() if not Path(binary).exists()]
    ours = Ours(folder, options.base, options.workers)
    servers: dict[str, Server] = {"quintet": ours}
    for index, (name, (_, variant, kinds)) in enumerate(PEERS.items()):
        if name not in missing and any(w.peer == name for w in wanted):
            servers[name] = Peer(name, folder, options.base + 3000 * (index + 1), variant, kinds)
    articles, messages = (20_000, 10_000) if options.quick else (100_000, 10_000)
    try:
        for name, server in servers.items():
            print(f"preparing {name}", flush=True)
            server.prepare()
            if any(w.kind != "smtp" for w in wanted) and server.kinds != {"smtp"}:
                seed(server, articles, messages)
        results = measure(servers, wanted, options.repeat, options.quick)
        idling = idle(ours) if with_idle else None
        marks = []
        if not prefixes or "S5" in prefixes:
            with running(ours):
                marks.append(page.idle_smtp(run_load(IDLE_SMTP, ours.port("smtp"), ours.meter())))
        if not prefixes or "S6" in prefixes:
            with running(ours):
                assert ours.process
                marks += page.large(heavy.large(ours.port("smtp"), ours.process.pid))
        if not prefixes or "S7" in prefixes:
            marks += page.queue(heavy.queue(folder, options.base))
        text = page.page(results, wanted, idling, missing, options.repeat, options.workers, marks)
        options.out.write_text(text)
        if options.raw:
            with options.raw.open("a") as file:
                file.writelines(
                    json.dumps({"id": i, "server": s, **row}) + "\n"
                    for (i, s), rows in results.items()
                    for row in rows
                )
        print(f"written: {options.out}")
    finally:
        for server in servers.values():
            with contextlib.suppress(Exception):  # whatever state the run left behind
                server.down()
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
