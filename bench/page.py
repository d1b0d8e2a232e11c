"""docs/benchmarks.md out of the results."""

from __future__ import annotations

import os
import platform
import statistics
import time

from bench.workloads import Result, Workload

Results = dict[tuple[str, str], list[Result]]  # by workload id and server

HEAD = """\
# Benchmarks

Written by `make bench` on {date}: CPython {python}, {cores} cores, {workers} worker(s) of ours; the generator
and the servers share the machine.  Medians of {repeat} run(s), the servers in turn.  Ratios are what counts:
absolute numbers of a shared machine move by a factor of two.  A ratio above 1 is in our favour.
Load of the machine over the last five minutes of the run: {load:.1f}.

| id | workload | peer | ours: ops/s | us CPU/op | peer: ops/s | us CPU/op | ratio | mark | reached |
|---|---|---|---|---|---|---|---|---|---|"""

NOTES = """
S1, S2 and S3 of Postfix include its delivery to maildirs; smtp-server writes and flushes a file a message and
does no more (no queue, no index).  Dovecot and INN do not flush before every answer (Dovecot flags, INN
articles); we do before every 250, 240 and OK.
"""


def errors(result: Result) -> str:
    """What went wrong in one run, "" for nothing."""
    return f"errors {result['errors']}" if result.get("errors") else ""


def median(rows: list[Result], key: str) -> float:
    """Over the runs that did something; 0 when there are none."""
    values = [row[key] for row in rows if row.get(key) is not None and row.get("ops")]
    return statistics.median(values) if values else 0.0


def row(workload: Workload, mine: list[Result], theirs: list[Result]) -> str:
    """One line of the table."""
    a, b = median(mine, workload.metric), median(theirs, workload.metric)
    ratio = 0.0 if not a or not b else (a / b if workload.metric == "ops_s" else b / a)
    reached = ("yes" if ratio >= workload.factor else "no") if ratio else "not measured"
    wrong = sum(v for r in mine + theirs for v in r.get("errors", {}).values() if isinstance(v, int))
    cells = [
        workload.id,
        workload.title,
        workload.peer,
        *(
            f"{median(rows, key):,.{digits}f}"
            for rows in (mine, theirs)
            for key, digits in (("ops_s", 0), ("server_cpu_us_per_op", 1))
        ),
        f"{ratio:.2f} ({'ops/s' if workload.metric == 'ops_s' else 'CPU'})",
        f">= {workload.factor:g}",
        reached + (f", {wrong} errors" if wrong else ""),
    ]
    return f"| {' | '.join(cells)} |"


def idle_rows(started_s: float, rss_mb: float) -> list[str]:
    """Start and idle memory."""
    return [
        f"| start, until every port answers | {started_s:.2f} s | < 1 s |",
        f"| idle after the start, RSS of all processes | {rss_mb:.0f} MB | < 80 MB |",
    ]


def idle_smtp(result: Result) -> str:
    each = result.get("idle_rss_kb_per_conn", "?")
    return f"| S5: RSS of each of {result.get('ops', 0):,} idle SMTP connections | {each} KB | <= 25 KB |"


def large(result: Result) -> list[str]:
    """A message of 1 GiB."""
    took = f"{result['seconds']:.1f} s, {result['reply']}"
    return [
        f"| S6: a message of 1 GiB by BDAT | {took} | |",
        f"| S6: largest RSS of all processes meanwhile | {result['peak_mb']:.0f} MB | < 100 MB |",
    ]


def million(result: Result) -> list[str]:
    """The large mailbox."""
    what = f"IM: mailbox of {result['messages']:,}"
    times = (
        ("SELECT, first and median", "select_first_ms", "select_ms", 50),
        ("FETCH of 100 anywhere, median and longest", "page_ms", "page_max_ms", 10),
        ("SEARCH of a rare word, median and longest", "search_ms", "search_max_ms", 50),
    )
    rows = [
        f"| {what}: {title} | {result[one]:.1f}, {result[other]:.1f} ms | < {mark} ms |"
        for title, one, other, mark in times
    ]
    waits = result["store_p99_ms"] or 0
    return [
        *rows,
        f"| {what}: largest RSS of all processes by then | {result['peak_mb']:.0f} MB | < 200 MB |",
        f"| {what}: STORE 1:* takes | {result['store_s'] or 0:.1f} s | |",
        f"| {what}: small commands of others meanwhile, p99 | {waits:.1f} ms | < 10 ms |",
        f"| {what}: largest RSS meanwhile | {result['store_peak_mb']:.0f} MB | < 200 MB |",
    ]


def queue(result: Result) -> list[str]:
    """The large queue."""
    what = f"S7: queue of {result['recipients']:,} recipients"
    ran = f"sent in {result['run_s']:.0f} s, {result['domains']:,} domains"
    return [
        f"| {what}: start, until the port answers | {result['start_s']:.2f} s | < 2 s |",
        f"| {what}: start, until the first message is at the next host | {result['first_s']:.2f} s | |",
        f"| {what}: {ran} | {result['sent_s']:,.0f} transactions/s | |",
        f"| {what}: largest RSS meanwhile | {result['peak_mb']:.0f} MB | < 300 MB |",
        f"| {what}: of it not the database, which is mapped | {result['own_mb']:.0f} MB | |",
    ]


def page(
    results: Results,
    wanted: list[Workload],
    idling: tuple[float, float] | None,
    missing: list[str],
    repeat: int,
    workers: int,
    marks: list[str],
    imap: str,
) -> str:
    """The whole page."""
    date = time.strftime("%Y-%m-%d")
    python, cores = platform.python_version(), os.cpu_count()
    load = os.getloadavg()[1]
    lines = [HEAD.format(date=date, python=python, cores=cores, workers=workers, repeat=repeat, load=load)]
    lines += [row(w, results.get((w.id, "quintet"), []), results.get((w.id, w.peer), [])) for w in wanted]
    if idling or marks:
        lines += ["", "| what | measured | mark |", "|---|---|---|"]
    if idling:
        lines += idle_rows(*idling)
    lines += marks
    if missing:
        lines += ["", f"Not installed here, so not compared: {', '.join(missing)}."]
    return "\n".join(lines) + "\n" + NOTES + imap
