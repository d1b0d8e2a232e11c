"""IMAP beside Dovecot (mdbox and maildir) and Cyrus: what is run, what is read of it, and the marks.

A run is one call of the generator against each server, in turn; a row reads one number out of its result.
Nothing here is timed by a test: the page is for people.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from bench.workloads import Result

OURS = "quintet"
PEERS = ("mdbox", "maildir", "cyrus")  # by what they are called on the page
BIG = "--conns 1 --users 1 --user-pattern big%d"
HUGE = "--conns 1 --users 1 --user-pattern huge%d"
EVERYBODY = "imap-login --conns 4 --users 1000 --count 1000"
FIELDS = (  # as Thunderbird asks
    "(UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date Message-ID Priority"
    " X-Priority References Newsgroups In-Reply-To Content-Type Reply-To)])"
).replace(" ", "%20")
SEEDS = (
    ("big%d", 10_000, "--size mixed"),
    ("pop%d", 1000, "--size mixed"),
    ("huge%d", 100_000, "--size 600 --batch 500"),
)
QUERIES = (
    "header_subject", "from", "message_id", "body_rare", "body_word", "text_rare", "flags", "since",
    "sort_date", "sort_subject", "sort_arrival_size", "thread_references", "thread_orderedsubject",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """One call of the generator; ``{pattern}`` words of ``items`` may hold spaces as ``%20``."""

    id: str
    command: str
    quick: str = ""  # "": the same
    mailbox: str = "big%d"  # of SEEDS, "" for none
    peers: tuple[str, ...] = PEERS
    cold: bool = False
    workers: int = 1  # of ours
    delivers: bool = False  # needs a port to send letters to
    warm: str = ""  # run before: who logs in for the first time costs a password hash


@dataclass(frozen=True, slots=True)
class Row:
    """One line: a number of each server and, where there is one, the mark of ours."""

    id: str
    run: str
    title: str
    value: tuple[str, ...]  # the way through the result
    unit: str
    rising: bool = False  # more is better
    factor: float = 0.0  # our advantage over the best of ``against``; 0: no mark
    against: tuple[str, ...] = PEERS
    limit: float = 0.0  # our number at most (or at least, if rising); 0: no mark


OPS, CPU, P95, P99, RSS = "ops_s", "server_cpu_us_per_op", "p95_ms", "p99_ms", "server_peak_rss_mb"
DOVECOT = ("mdbox", "maildir")

RUNS = (
    Run("I1", "imap-login --conns 10 --users 1 --user-pattern big%d --duration 5", "imap-login --conns 10"
        " --users 1 --user-pattern big%d --duration 3",
        warm="imap-login --conns 1 --users 1 --user-pattern big%d --count 2"),
    Run("I1-small", "imap-login --conns 10 --users 100 --duration 5", "imap-login --conns 10 --users 100"
        " --duration 3", "",
        warm="imap-login --conns 4 --users 100 --count 100"),
    Run("I2-cold", f"imap-fetch {BIG}", cold=True),
    Run("I2-warm", f"imap-fetch {BIG} --repeat 10", f"imap-fetch {BIG} --repeat 4"),
    Run("I2-flags", f"imap-fetch {BIG} --repeat 40 --items (UID%20FLAGS)"),
    Run("I2-fields", f"imap-fetch {BIG} --repeat 5 --items {FIELDS}"),
    Run("I3", f"imap-body {BIG} --batch 50 --repeat 3", f"imap-body {BIG} --batch 50"),
    Run("I3-c4", "imap-body --conns 4 --users 1 --user-pattern big%d --batch 50 --repeat 2",
        "imap-body --conns 4 --users 1 --user-pattern big%d --batch 50"),
    Run("I4", f"imap-search {BIG} --repeat 9 --kinds {','.join(QUERIES[:8])}",
        f"imap-search {BIG} --repeat 3 --kinds {','.join(QUERIES[:8])}"),
    Run("I5", f"imap-search {BIG} --repeat 15 --kinds {','.join(QUERIES[8:])}",
        f"imap-search {BIG} --repeat 5 --kinds {','.join(QUERIES[8:])}"),
    Run("I6", f"imap-store {BIG} --messages 1000 --duration 3"),
    Run("I8", "imap-idle --conns 1000 --users 1000 --count 100 --hold 3 --ramp 20 --limit 110", "", "",
        ("mdbox",), delivers=True, warm=EVERYBODY),
    Run("I8-two", "imap-idle --conns 1000 --users 1000 --count 100 --hold 3 --ramp 20 --limit 110", "", "",
        (), workers=2, delivers=True),
    Run("I9", "imap-mixed --conns 20 --users 20 --user-pattern mix%d --duration 8 --size mixed",
        "imap-mixed --conns 20 --users 20 --user-pattern mix%d --duration 4 --size mixed", "",
        warm="imap-login --conns 4 --users 20 --user-pattern mix%d --count 40"),
    Run("I10", f"imap-qresync {HUGE} --repeat 8", f"imap-qresync {HUGE} --repeat 4", "huge%d"),
    Run("IB", "imap-beside --conns 4 --procs 2 --users 1 --user-pattern huge%d", "", "huge%d", ("mdbox",)),
)  # fmt: skip


def _query(row: str, name: str, title: str, factor: float, against: tuple[str, ...] = PEERS) -> Row:
    run = row.partition("-")[0]
    return Row(row, run, title, ("extra", name, "median_ms"), "ms", factor=factor, against=against)


ROWS = (
    Row("I1", "I1", "login, SELECT of 10k, LOGOUT, 10 connections", (OPS,), "/s", True, 3, ("maildir",)),
    Row("I1-cpu", "I1", "the same", (CPU,), "us CPU"),
    Row("I1-small", "I1-small", "the same, empty mailboxes of 100 users", (OPS,), "/s", True),
    Row("I2-cold", "I2-cold", "FETCH overview of 10k, cold", (OPS,), "messages/s", True),
    Row("I2-cold-cpu", "I2-cold", "the same", (CPU,), "us CPU a message"),
    Row("I2-warm", "I2-warm", "FETCH overview of 10k, warm", (OPS,), "messages/s", True),
    Row("I2-warm-cpu", "I2-warm", "the same", (CPU,), "us CPU a message", limit=2.5),
    Row("I2-flags", "I2-flags", "FETCH (UID FLAGS) of 10k", (OPS,), "messages/s", True, 0.7, DOVECOT),
    Row("I2-flags-cpu", "I2-flags", "the same", (CPU,), "us CPU a message"),
    Row("I2-fields", "I2-fields", "FETCH of the header fields of a listing", (OPS,), "messages/s", True),
    Row("I2-fields-cpu", "I2-fields", "the same", (CPU,), "us CPU a message"),
    Row("I3", "I3", "bodies, FETCHes of 50", ("mb_s",), "MB/s", True, 1, DOVECOT),
    Row("I3-cpu", "I3", "the same", (CPU,), "us CPU a message"),
    Row("I3-c4", "I3-c4", "bodies, 4 connections", ("mb_s",), "MB/s", True, 1, DOVECOT),
    _query("I4-subject", "header_subject", "SEARCH HEADER SUBJECT", 1),
    _query("I4-from", "from", "SEARCH FROM", 1),
    _query("I4-id", "message_id", "SEARCH HEADER MESSAGE-ID", 1),
    _query("I4-rare", "body_rare", "SEARCH BODY, rare word", 20, DOVECOT),
    _query("I4-common", "body_word", "SEARCH BODY, common word", 20, DOVECOT),
    _query("I4-text", "text_rare", "SEARCH TEXT, rare word", 20, DOVECOT),
    _query("I4-flags", "flags", "SEARCH UNSEEN", 1),
    _query("I4-since", "since", "SEARCH SINCE LARGER", 1),
    _query("I5-date", "sort_date", "SORT (DATE)", 1),
    _query("I5-subject", "sort_subject", "SORT (SUBJECT)", 1),
    _query("I5-size", "sort_arrival_size", "SORT (REVERSE SIZE)", 1),
    _query("I5-references", "thread_references", "THREAD REFERENCES", 3),
    _query("I5-orderedsubject", "thread_orderedsubject", "THREAD ORDEREDSUBJECT", 3),
    Row("I6", "I6", "STORE of one flag, flushed here and by Cyrus", (OPS,), "/s", True, 4, ("cyrus",)),
    Row("I6-mdbox", "I6", "the same", (OPS,), "/s", True, 0.5, ("mdbox",)),
    Row("I6-bulk", "I6", "STORE of 1,000", ("extra", "bulk_store_ms"), "ms"),
    Row("I6-copy", "I6", "COPY of 1,000", ("extra", "copy_ms"), "ms", factor=1, against=DOVECOT),
    Row("I6-move", "I6", "MOVE of 1,000", ("extra", "move_ms"), "ms", factor=1, against=DOVECOT),
    Row("I6-expunge", "I6", "EXPUNGE of 1,000", ("extra", "expunge_ms"), "ms", factor=1, against=DOVECOT),
    Row("I8", "I8", "1,000 IDLE: RSS of each", ("extra", "idle_rss_kb_per_conn"), "KB", limit=20),
    Row("I8-pss", "I8", "the same, PSS", ("extra", "idle_pss_kb_per_conn"), "KB"),
    Row("I8-p95", "I8", "letter sent to EXISTS seen, p95", ("extra", "notify_from_send_ms", "p95"), "ms",
        limit=10),
    Row("I8-two", "I8-two", "over two workers: RSS of each", ("extra", "idle_rss_kb_per_conn"), "KB",
        limit=20),
    Row("I8-two-p95", "I8-two", "over two workers: letter sent to EXISTS seen, p95",
        ("extra", "notify_from_send_ms", "p95"), "ms"),
    Row("I8-two-hint", "I8-two", "over two workers: letter accepted to EXISTS seen, p95",
        ("extra", "notify_from_accept_ms", "p95"), "ms", limit=10),
    Row("I9", "I9", "mixed commands, 20 connections", (OPS,), "/s", True, 2, DOVECOT),
    Row("I9-cpu", "I9", "the same", (CPU,), "us CPU"),
    Row("I10", "I10", "SELECT with QRESYNC, 100k messages, 100 changes", ("extra", "qresync_ms"), "ms",
        factor=1, against=("mdbox",)),
    Row("I10-select", "I10", "SELECT of 100k", ("extra", "plain_select_ms"), "ms"),
    Row("I10-since", "I10", "FETCH CHANGEDSINCE of 100k", ("extra", "changedsince_ms"), "ms"),
    Row("I10-store", "I10", "STORE of the 100", ("extra", "store_changes_ms"), "ms"),
    Row("IB", "IB", "FETCH 1:* BODY[] of 100k: it takes", ("extra", "heavy_s"), "s"),
    Row("IB-p95", "IB", "meanwhile a small command of others, p95", (P95,), "ms"),
    Row("IB-p99", "IB", "the same, p99", (P99,), "ms", limit=10),
    Row("IB-rss", "IB", "largest RSS meanwhile", (RSS,), "MB"),
)  # fmt: skip

HEAD = """
## IMAP, side by side

Medians of {repeat} run(s); the servers in turn, one at a time.  The ratio is our advantage over the best of
those that the mark names.  Dovecot does not flush flags before it answers; Cyrus and we do.

| id | what | unit | ours | {names} | ratio | mark | reached |
|---|---|---|---|{lines}|---|---|---|"""

Results = dict[tuple[str, str], list[Result]]  # by run and server


def picked(name: str, prefixes: list[str]) -> bool:
    """Whether an id was asked for: by itself, or by its beginning ("I1" is not "I10"); all without any."""
    return not prefixes or any(
        name.startswith(one) and not (one[-1:].isdigit() and name[len(one) :][:1].isdigit())
        for one in prefixes
    )


def wanted(prefixes: list[str]) -> tuple[list[Run], list[Row]]:
    """The runs and rows whose id begins so; all without prefixes."""
    rows = [row for row in ROWS if picked(row.id, prefixes)]
    names = {row.run for row in rows}
    return [run for run in RUNS if run.id in names], rows


def command(run: Run, *, quick: bool) -> list[str]:
    """The generator's arguments."""
    return [word.replace("%20", " ") for word in ((quick and run.quick) or run.command).split()]


def value(result: Result, way: tuple[str, ...]) -> float | None:
    """The number at the end of ``way``; lists are told by their median."""
    found: object = result
    for name in way:
        found = found.get(name) if isinstance(found, dict) else None
    if isinstance(found, list):
        found = statistics.median(found) if found else None
    return float(found) if isinstance(found, int | float) else None


def number(results: list[Result], way: tuple[str, ...]) -> float | None:
    """The median over the runs."""
    values = [one for one in (value(result, way) for result in results) if one is not None]
    return statistics.median(values) if values else None


def shown(amount: float | None) -> str:
    if amount is None:
        return ""
    return f"{amount:,.0f}" if amount >= 100 else f"{amount:.3g}"


def line(row: Row, results: Results, peers: tuple[str, ...]) -> str:
    """One line of the table."""
    numbers = {name: number(results.get((row.run, name), []), row.value) for name in (OURS, *peers)}
    mine = numbers[OURS]
    others = [one for name in row.against if (one := numbers.get(name))]
    ratio, marks, reached = "", [], []
    if mine and others and (row.factor or not row.limit):
        best = max(others) if row.rising else min(others)
        gain = mine / best if row.rising else best / mine
        ratio = f"{gain:.2f}"
        if row.factor:
            reached.append(gain >= row.factor)
    if row.factor:
        whom = " and ".join(row.against) if row.against != PEERS else "the best"
        marks.append(f">= {row.factor:g}x {whom}")
    if row.limit:
        marks.append(f"{'>=' if row.rising else '<='} {row.limit:g}")
        if mine is not None:
            reached.append(mine >= row.limit if row.rising else mine <= row.limit)
    told = ("" if not marks else "not measured") if not reached else "yes" if all(reached) else "no"
    wrong = sum(len(one.get("errors", {})) for one in results.get((row.run, OURS), []))
    cells = [row.id, row.title, row.unit, *(shown(numbers[name]) for name in (OURS, *peers))]
    return f"| {' | '.join([*cells, ratio, ', '.join(marks), told + (' (errors)' if wrong else '')])} |"


def page(results: Results, rows: list[Row], peers: tuple[str, ...], repeat: int) -> str:
    """The section of the page."""
    if not rows:
        return ""
    names = " | ".join(f"Dovecot {one}" if one in DOVECOT else one.capitalize() for one in peers) or "none"
    head = HEAD.format(repeat=repeat, names=names, lines="|".join(["---"] * max(len(peers), 1)))
    return "\n".join([head, *(line(row, results, peers) for row in rows)]) + "\n"


def measure(
    runs: list[Run],
    servers: tuple[str, ...],
    repeat: int,
    one: Callable[[Run, str], Result],
) -> Results:
    """Every run against every server that it is for, in turn, ``repeat`` times."""
    results: Results = {}
    for turn in range(repeat):
        for run in runs:
            for name in servers:
                if name == OURS or name in run.peers:
                    result = one(run, name)
                    results.setdefault((run.id, name), []).append(result)
                    told = {key: result.get(key) for key in ("ops_s", "mb_s", CPU, P95, P99, "extra")}
                    wrong = f" ERRORS {result['errors']}" if result.get("errors") else ""
                    print(f"  {turn + 1}/{repeat} {run.id:9} {name:8} {told}{wrong}"[:900], flush=True)
    return results
