#!/usr/bin/env python3
"""Measures this server beside Postfix, Haraka, smtp-server, Dovecot, Cyrus and INN: docs/benchmarks.md.

Every workload comes from `loadgen` (this folder) and is the same for all; the servers take turns, `--repeat`
times, and medians are compared, because absolute numbers of a busy machine move by a factor of two.
A peer that is not installed is left out and named.  All traffic stays on 127.0.0.1 and ends by itself.

    make bench                          everything, about an hour
    make bench ARGS=--quick             smaller counts, no mailbox of a million, about 20 minutes
    make bench ARGS='S1 I2'             some workloads, by their ids or how these begin
    make bench ARGS='I --servers quintet,mdbox --repeat 5'

The set-up of the peers is in `peers/NAME/` (their best honest configuration); `peers/node.sh` fetches those
that are Node programs, `peers/cyrus.sh` unpacks Cyrus, whose packages cannot stand beside Dovecot's.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench import heavy, imap, million, page
from bench.outside import START_LIMIT_S, drop_cache, expect_free, look, settle, wait_port
from bench.workloads import WORKLOADS, Result, Workload

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
INDEX_LIMIT_S = 600.0
HASH_LIMIT_S = 300.0


IDLE_SMTP = "smtp-idle --conns 1000 --hold 4 --ramp 20 --limit 90"
STORE_ALL = "imap-beside --conns 4 --procs 2 --users 1 --user-pattern one%.0s --limit 600"
HEAVY = ("--heavy", "STORE 1:* +FLAGS.SILENT (\\Flagged)")
IMAP_BASE, IMAP_STEP = 1500, 200  # ports of the comparison of IMAP, between ours
LMTP = 24  # above the first port of a peer
SINK = 2900  # above the first port of each server: what it relays to
NUMBER = {"smtp": 25, "imap": 143, "pop3": 110, "nntp": 119}


# --- servers -----------------------------------------------------------------------------------------


class Ours:
    """A server of this checkout with the users and groups that the workloads name."""

    name = "quintet"
    kinds = frozenset((*NUMBER, "feed"))

    def __init__(self, folder: Path, base: int, workers: int) -> None:
        self.dir, self.base = folder / "quintet", base
        self.sink = base + SINK
        self.process: subprocess.Popen[bytes] | None = None
        self.workers = workers

    def quintet(self, *args: str, **options: Any) -> None:  # Any: of subprocess.run
        command = [sys.executable, "-m", "quintet", *args]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.dir, **options)

    def prepare(self) -> None:
        if self.dir.exists():  # of a run before, with --home
            self.configure()
            return
        self.dir.mkdir(parents=True)
        config = self.configure()
        self.quintet("domain", "add", "bench.test", "-c", str(config))
        names = [f"u{n:04d}" for n in range(1000)] + [
            f"{kind}{n}" for kind in ("big", "pop", "app", "huge") for n in range(10)
        ]
        names += [f"mix{n}" for n in range(20)]
        accounts = self.dir / "accounts.tsv"
        accounts.write_text("".join(f"{name}@bench.test\tpw\n" for name in names))
        self.quintet("account", "load", str(accounts), "-c", str(config))
        subprocess.run([sys.executable, "-c", GROUPS, str(config)], check=True, cwd=self.dir)

    def configure(self) -> Path:
        """Writes the configuration, for as many workers as are wanted now."""
        config = self.dir / "quintet.toml"
        listeners = [OUR_LISTENER.format(name=kind, port=self.port(kind)) for kind in NUMBER]
        config.write_text(
            OUR_CONFIG.format(workers=self.workers, sink=self.sink, size=2 * heavy.LARGE) + "".join(listeners)
        )
        return config

    def up(self) -> float:
        """Starts and returns the seconds until every port answers."""
        began = time.monotonic()
        for kind in NUMBER:
            expect_free(self.port(kind))
        log = (self.dir / "log").open("ab")
        command = [sys.executable, "-m", "quintet", "serve", "-c", str(self.dir / "quintet.toml")]
        self.process = subprocess.Popen(command, cwd=self.dir, stdout=log, stderr=log)
        for kind in NUMBER:
            wait_port(self.port(kind))
        return time.monotonic() - began

    @contextlib.contextmanager
    def with_workers(self, count: int) -> Iterator[None]:
        """For the next start, unless the command line asked for more."""
        before, self.workers = self.workers, max(count, self.workers)
        if self.workers != before:
            self.configure()
        try:
            yield
        finally:
            if self.workers != before:
                self.workers = before
                self.configure()

    def wait_for_index(self) -> None:
        """Until the texts of all messages are in the index: it is built beside other work."""
        upto, end = 0, time.monotonic() + INDEX_LIMIT_S
        while time.monotonic() < end:
            upto = look(self.dir / "data" / "search.db", "SELECT value FROM state WHERE name = 'upto'")
            if upto >= look(self.dir / "data" / "quintet.db", "SELECT max(id) FROM message"):
                return
            time.sleep(1)
        print(f"the index is not built after {INDEX_LIMIT_S:.0f} s: {upto}", flush=True)

    def down(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(START_LIMIT_S)
            self.process = None

    def port(self, kind: str) -> int:
        return self.base + NUMBER["nntp" if kind == "feed" else kind]

    def meter(self) -> list[str]:
        assert self.process
        return ["--server-pid", str(self.process.pid)]

    def drop_cache(self) -> None:
        drop_cache(self.dir / "data")

    def seed_news(self, count: int) -> None:
        """100k articles by POST, as a reader would."""
        load(f"nntp-post --conns 16 --count {count} --size mixed --group bench.big --limit 300", self, "nntp")


# the same 10,000 groups as the peer has, at once: one by one would take minutes
GROUPS = """
import asyncio, sys
from pathlib import Path
from quintet.config import root
from quintet.store import groups
from quintet.store.store import Store

def make(tx):
    for name in ("bench.big", "bench.post", "bench.small", *(f"bench.g{n:05d}" for n in range(10000))):
        groups.create(tx, name)

async def main():
    store = await Store.open(root.from_file(Path(sys.argv[1])).store)
    await store.write(make)
    await store.close()

asyncio.run(main())
"""

OUR_CONFIG = """\
[server]
hostname = "mx.bench.test"
workers = {workers}

[store]
data = "data"

[auth]
default_domain = "bench.test"

[imap]
list_groups = false  # the peers of IMAP have no newsgroups, and LIST is part of what is compared

[nntp]
post = "anyone"
acknowledge = "received"
max_peer_article = 10000000
max_peer_age_days = 100

[[nntp.peer]]
name = "bench"
addresses = ["127.0.0.1"]
max_in = 200

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

    def __init__(
        self, name: str, folder: Path, base: int, variant: str, kinds: tuple[str, ...], label: str = ""
    ) -> None:
        """``label``: where several of one program are compared."""
        self.name, self.dir, self.base, self.variant = name, folder / (label or name), base, variant
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
        if kind == "feed":
            return self.base + NUMBER["nntp"]
        return self.base + (1119 if kind == "nntp" else NUMBER[kind])

    def meter(self) -> list[str]:
        if Path("/sys/fs/cgroup/cpuacct").is_dir():
            return ["--server-cgroup", f"{self.name}-{self.base}"]
        return ["--server-pid", str(self.dir / "pid")]

    def drop_cache(self) -> None:
        drop_cache(self.dir / ("spool" if self.name == "cyrus" else "mail"))

    def seed_news(self, count: int) -> None:
        """By streaming to its feed port: INN's way in."""
        command = (
            f"nntp-stream --conns 2 --count {count} --limit 300 --size mixed --group bench.big --no-check"
        )
        run_load(command, self.base + NUMBER["nntp"], self.meter())


Server = Ours | Peer
INN_PLACES = ("/usr/lib/news", str(ROOT / "build" / "unpacked/usr/lib/news"))  # installed, or unpacked
INN = os.environ.setdefault(
    "INN_HOME", next((place for place in INN_PLACES if Path(place, "bin/innd").exists()), INN_PLACES[0])
)
NODE = Path(os.environ.get("NODE_DIR", str(ROOT / "build" / "node"))) / "node_modules"
DOVECOT = {  # what its configuration here speaks, each in a package of its own
    "/usr/sbin/dovecot": "dovecot-core",
    "/usr/lib/dovecot/imap": "dovecot-imapd",
    "/usr/lib/dovecot/pop3": "dovecot-pop3d",
    "/usr/lib/dovecot/lmtp": "dovecot-lmtpd",
}
PEERS = {  # files that must be there, by what brings them
    "postfix": ({"/usr/sbin/postfix": "postfix"}, "virtual", ("smtp",)),
    "dovecot": (DOVECOT, "mdbox", ("imap", "pop3")),
    "inn": ({f"{INN}/bin/innd": "inn2, or tests/interop/install.sh"}, "tradindexed", ("nntp", "feed")),
    "smtp-server": ({f"{NODE}/smtp-server": "bench/peers/node.sh"}, "", ("smtp",)),
    "haraka": ({f"{NODE}/Haraka": "bench/peers/node.sh"}, "", ("smtp",)),
}
CYRUS = Path(os.environ.get("CYRUS_ROOT", str(ROOT / "build" / "cyrus")))
IMAP_PEERS = {  # beside us in `bench.imap`
    "mdbox": ("dovecot", DOVECOT, "mdbox"),
    "maildir": ("dovecot", DOVECOT, "maildir"),
    "cyrus": ("cyrus", {f"{CYRUS}/usr/lib/cyrus/bin/master": "bench/peers/cyrus.sh"}, ""),
}
INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")  # Dovecot watches a mailbox by one each


def absent(name: str, files: Mapping[str, str]) -> bool:
    """Whether a peer cannot be compared; says what would bring what it lacks."""
    lacking = [package for path, package in files.items() if not Path(path).exists()]
    if lacking:
        print(f"{name} is left out; not installed: {', '.join(lacking)}", flush=True)
    return bool(lacking)


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
    return run_words(command.split(), port, more)


def run_words(words: list[str], port: int, more: list[str]) -> Result:
    line = [sys.executable, "-m", "loadgen", *words, "--port", str(port), *more]
    done = subprocess.run(line, cwd=HERE, check=False, stdout=subprocess.PIPE, text=True)
    try:
        result: Result = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        result = {"ops": 0, "errors": {"loadgen": f"exit {done.returncode}"}}
    return result


def load(command: str, server: Server, kind: str) -> Result:
    return run_load(command.format(sink=server.sink), server.port(kind), server.meter())


def seed_mailbox(server: Server, pattern: str, count: int, more: str) -> None:
    load(
        f"imap-seed --conns 1 --users 1 --user-pattern {pattern}"
        f" --messages {count} --pool {min(count, 10_000)} {more} --limit 900",
        server,
        "imap",
    )


def seed(server: Server, articles: int) -> None:
    with running(server):
        if "imap" in server.kinds:
            seed_mailbox(server, "pop%d", 1000, "--size mixed")
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


def idle(ours: Ours) -> tuple[float, float]:
    """Seconds of the start, and megabytes after it."""
    sys.path.insert(0, str(HERE))
    from loadgen import core

    with running(ours) as started:
        time.sleep(2)
        assert ours.process
        rss = sum(memory for _, memory in core.tree([ours.process.pid]).values()) / 1e6
    return started, rss


@contextlib.contextmanager
def many_watches() -> Iterator[None]:
    """Lets Dovecot watch a thousand mailboxes, where we may say so."""
    before = INSTANCES.read_text() if INSTANCES.exists() else ""
    allowed = bool(before) and os.access(INSTANCES, os.W_OK)
    if allowed:
        INSTANCES.write_text("4096")
    try:
        yield
    finally:
        if allowed:
            INSTANCES.write_text(before)


def side_by_side(
    ours: Ours, folder: Path, base: int, options: argparse.Namespace, prefixes: list[str]
) -> tuple[str, dict[tuple[str, str], list[Result]], list[str]]:
    """IMAP: the section of the page, the results, the peers that are not there."""
    runs, rows = imap.wanted(prefixes)
    asked = [name for name in options.servers.split(",") if name] or [imap.OURS, *imap.PEERS]
    servers: dict[str, Server] = {imap.OURS: ours} if imap.OURS in asked else {}
    missing = [name for name in imap.PEERS if runs and name in asked and absent(name, IMAP_PEERS[name][1])]
    for index, name in enumerate(imap.PEERS):
        script, _, variant = IMAP_PEERS[name]
        if name in asked and name not in missing and any(name in run.peers for run in runs):
            servers[name] = Peer(script, folder, base + IMAP_STEP * index, variant, ("imap",), name)
    for name, server in servers.items():
        if server is not ours and runs and not server.dir.exists():
            print(f"preparing {name}", flush=True)
            server.prepare()
        mailboxes = {run.mailbox for run in runs if name == imap.OURS or name in run.peers}
        for pattern, count, more in imap.SEEDS:
            done = server.dir / f"seeded-{pattern}"
            if pattern in mailboxes and not done.exists():
                print(f"filling {pattern} of {name}", flush=True)
                with running(server):
                    seed_mailbox(server, pattern, count, more)
                    if isinstance(server, Ours):
                        server.wait_for_index()
                done.touch()

    def one(run: imap.Run, name: str) -> Result:
        server = servers[name]
        if run.cold:
            server.drop_cache()
        with many_watches() if run.delivers else contextlib.nullcontext():
            if isinstance(server, Ours):
                with server.with_workers(run.workers), running(server):
                    return call(run, server)
            with running(server):
                return call(run, server)

    def call(run: imap.Run, server: Server) -> Result:
        if run.warm:
            run_words(run.warm.split(), server.port("imap"), [])
            if isinstance(server, Ours) and server.process:
                settle(server.process.pid, HASH_LIMIT_S)  # after first logins passwords are stored anew
                run_words(run.warm.split(), server.port("imap"), [])
        more = server.meter()
        if run.delivers and isinstance(server, Peer):
            more += ["--deliver-port", str(server.base + LMTP), "--lmtp"]
        elif run.delivers:
            more += ["--deliver-port", str(server.port("smtp"))]
        return run_words(imap.command(run, quick=options.quick), server.port("imap"), more)

    peers = tuple(name for name in imap.PEERS if name in servers)
    results = imap.measure(runs, tuple(servers), options.repeat, one)
    return imap.page(results, rows, peers, options.repeat), results, missing


def huge(folder: Path, base: int) -> Result:
    """The mailbox of a million."""
    port = base + NUMBER["imap"]

    def store(pid: int) -> Result:
        return run_words([*STORE_ALL.split(), *HEAVY], port, ["--server-pid", str(pid)])

    return million.measure(folder / "million", port, million.MESSAGES, store)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ids", nargs="*", help="what to run, as with --only")
    parser.add_argument("--only", default="", help="ids, or their beginnings, comma-separated")
    parser.add_argument("--quick", action="store_true", help="smaller counts")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--servers", default="", help="of IMAP: quintet,mdbox,maildir,cyrus")
    parser.add_argument("--workers", type=int, default=1, help="worker processes of ours")
    parser.add_argument("--dir", type=Path, help="where the servers live (default: a temporary folder)")
    parser.add_argument("--home", type=Path, help="live here, stay here, and use what IMAP's filled before")
    parser.add_argument("--keep", action="store_true", help="leave the folder with data and logs")
    parser.add_argument("--base", type=int, default=20000, help="first port; each server takes the next 2000")
    parser.add_argument(
        "--out", type=Path, help="the page: docs/benchmarks.md, build/benchmarks.md for a part"
    )
    parser.add_argument("--raw", type=Path, help="append the raw results here, a JSON line each")
    options = parser.parse_args()

    prefixes = [p for p in (*options.only.split(","), *options.ids) if p]
    options.out = options.out or ROOT / ("build" if prefixes else "docs") / "benchmarks.md"
    options.out.parent.mkdir(exist_ok=True)
    wanted = [w for w in WORKLOADS if imap.picked(w.id, prefixes)]
    with_idle = not prefixes or "idle" in prefixes
    folder = options.home or Path(tempfile.mkdtemp(prefix="quintet-bench-", dir=options.dir))
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)  # the peers run under users of their own
    missing = [name for name, (files, _, _) in PEERS.items() if absent(name, files)]
    ours = Ours(folder, options.base, options.workers)
    servers: dict[str, Server] = {"quintet": ours}
    for index, (name, (_, variant, kinds)) in enumerate(PEERS.items()):
        if name not in missing and any(w.peer == name for w in wanted):
            servers[name] = Peer(name, folder, options.base + 3000 * (index + 1), variant, kinds)
    articles = 20_000 if options.quick else 100_000
    try:
        for name, server in servers.items():
            print(f"preparing {name}", flush=True)
            server.prepare()
            if any(w.kind != "smtp" for w in wanted) and server.kinds != {"smtp"}:
                seed(server, articles)
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
        if "IM" in prefixes or not (prefixes or options.quick):
            marks += page.million(huge(folder, options.base))
        section, beside, gone = side_by_side(ours, folder, options.base + IMAP_BASE, options, prefixes)
        missing += [name for name in gone if name not in missing]
        results |= beside
        text = page.page(results, wanted, idling, missing, options.repeat, options.workers, marks, section)
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
        if not options.keep and not options.home:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
