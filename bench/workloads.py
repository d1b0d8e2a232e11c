"""What is measured: one row of the page each, with the mark to reach.  IMAP's rows are in `bench.imap`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Result = dict[str, Any]  # Any: one JSON line of loadgen


@dataclass(frozen=True, slots=True)
class Workload:
    """One row of the page: a mark to reach, against one peer."""

    id: str
    title: str
    peer: str  # "postfix", "smtp-server", "haraka", "dovecot", "inn"
    kind: str  # which port: smtp, imap, pop3, nntp (readers), feed (peers)
    command: str  # of loadgen; {sink} is a free port
    quick: str  # the same, smaller
    metric: str  # "ops_s" (more is better) or "server_cpu_us_per_op" (less is better)
    factor: float  # ours must be this many times as good
    cold: bool = False  # caches dropped and server restarted before it


WORKLOADS = (
    Workload(
        "S1",
        "SMTP in, durable, 20 connections, 2 KB",
        "postfix",
        "smtp",
        "smtp-in --conns 20 --duration 8 --count 20000",
        "smtp-in --conns 20 --duration 4",
        "ops_s",
        4.0,
    ),
    Workload(
        "S1-node",
        "the same, durable by a file each",
        "smtp-server",
        "smtp",
        "smtp-in --conns 20 --duration 8 --count 20000",
        "smtp-in --conns 20 --duration 4",
        "ops_s",
        0.7,
    ),
    Workload(
        "S2",
        "SMTP in, one connection a message",
        "postfix",
        "smtp",
        "smtp-in --conns 20 --per-conn 1 --duration 8 --count 20000",
        "smtp-in --conns 20 --per-conn 1 --duration 4",
        "ops_s",
        3.0,
    ),
    Workload(
        "S3",
        "SMTP in, 50 recipients a message",
        "postfix",
        "smtp",
        "smtp-in --conns 10 --rcpts 50 --duration 8 --count 500",
        "smtp-in --conns 10 --rcpts 50 --duration 4 --count 200",
        "ops_s",
        8.0,
    ),
    Workload(
        "S4",
        "SMTP in, queued, sent on to a sink",
        "postfix",
        "smtp",
        "smtp-relay --conns 20 --count 3000 --rcpt-pattern u%04d@relay.test --limit 60 --sink-port {sink}",
        "smtp-relay --conns 20 --count 1000 --rcpt-pattern u%04d@relay.test --limit 60 --sink-port {sink}",
        "ops_s",
        4.0,
    ),
    Workload(
        "S4-haraka",
        "the same",
        "haraka",
        "smtp",
        "smtp-relay --conns 20 --count 3000 --rcpt-pattern u%04d@relay.test --limit 60 --sink-port {sink}",
        "smtp-relay --conns 20 --count 1000 --rcpt-pattern u%04d@relay.test --limit 60 --sink-port {sink}",
        "ops_s",
        2.0,
    ),
    Workload(
        "I7",
        "APPEND, 10 connections, 2 KB",
        "dovecot",
        "imap",
        "imap-append --conns 10 --users 10 --user-pattern app%d --duration 5",
        "imap-append --conns 10 --users 10 --user-pattern app%d --duration 3",
        "ops_s",
        2.0,
    ),
    Workload(
        "P1",
        "POP3 drain of 1,000 messages, lock-step",
        "dovecot",
        "pop3",
        "pop3-drain --conns 1 --users 1 --user-pattern pop%d --batch 1 --duration 4 --count 100",
        "pop3-drain --conns 1 --users 1 --user-pattern pop%d --batch 1 --duration 2 --count 100",
        "ops_s",
        1.0,
    ),
    Workload(
        "P1-pipelined",
        "POP3 drain, 50 RETR in a pipeline",
        "dovecot",
        "pop3",
        "pop3-drain --conns 1 --users 1 --user-pattern pop%d --batch 50 --duration 4 --count 100",
        "pop3-drain --conns 1 --users 1 --user-pattern pop%d --batch 50 --duration 2 --count 100",
        "ops_s",
        1.0,
    ),
    Workload(
        "N1-stream",
        "CHECK and TAKETHIS, batches of 50, 8 connections, 10k groups; ours flushed",
        "inn",
        "feed",
        "nntp-stream --conns 8 --count 40000 --limit 60 --size mixed --groups 10000 --batch 50",
        "nntp-stream --conns 8 --count 8000 --limit 60 --size mixed --groups 10000 --batch 50",
        "ops_s",
        1.0,
    ),
    Workload(
        "N1-ihave",
        "IHAVE, 8 connections; both answer before the flush",
        "inn",
        "feed",
        "nntp-ihave --conns 8 --count 20000 --limit 60 --size mixed --groups 10000",
        "nntp-ihave --conns 8 --count 4000 --limit 60 --size mixed --groups 10000",
        "ops_s",
        0.7,
    ),
    Workload(
        "N2",
        "CHECK of known ids, 100 in a pipeline, 4 connections",
        "inn",
        "feed",
        "nntp-check --conns 4 --messages 2000 --duration 3 --limit 60 --batch 100 --group bench.small",
        "nntp-check --conns 4 --messages 500 --duration 2 --limit 60 --batch 100 --group bench.small",
        "ops_s",
        1.0,
    ),
    Workload(
        "N3-500",
        "OVER, ranges of 500, 4 connections",
        "inn",
        "nntp",
        "nntp-over --conns 4 --duration 4 --batch 500",
        "nntp-over --conns 4 --duration 2 --batch 500",
        "server_cpu_us_per_op",
        4.0,
    ),
    Workload(
        "N3-all",
        "OVER of the whole group",
        "inn",
        "nntp",
        "nntp-over --conns 1 --count 20 --batch 0",
        "nntp-over --conns 1 --count 5 --batch 0",
        "server_cpu_us_per_op",
        4.0,
    ),
    Workload(
        "N4-number",
        "ARTICLE by number, 20 in a pipeline",
        "inn",
        "nntp",
        "nntp-article --conns 4 --duration 4 --batch 20",
        "nntp-article --conns 4 --duration 2 --batch 20",
        "server_cpu_us_per_op",
        1.5,
    ),
    Workload(
        "N4-id",
        "ARTICLE by Message-ID, 20 in a pipeline",
        "inn",
        "nntp",
        "nntp-article --conns 4 --duration 4 --batch 20 --by id",
        "nntp-article --conns 4 --duration 2 --batch 20 --by id",
        "server_cpu_us_per_op",
        1.0,
    ),
    Workload(
        "N5",
        "POST, 16 connections",
        "inn",
        "nntp",
        "nntp-post --conns 16 --duration 6 --size mixed --group bench.post",
        "nntp-post --conns 16 --duration 3 --size mixed --group bench.post",
        "ops_s",
        1.5,
    ),
    Workload(
        "N6-group",
        "GROUP, 20 in a pipeline, among 10,000",
        "inn",
        "nntp",
        "nntp-group --conns 4 --duration 4 --batch 20 --groups 10000",
        "nntp-group --conns 4 --duration 2 --batch 20 --groups 10000",
        "server_cpu_us_per_op",
        1.0,
    ),
    Workload(
        "N6-list",
        "LIST ACTIVE of 10,000 groups",
        "inn",
        "nntp",
        "nntp-group --conns 2 --duration 4 --by list",
        "nntp-group --conns 2 --duration 2 --by list",
        "server_cpu_us_per_op",
        10.0,
    ),
    Workload(
        "N7",
        "NEWNEWS of a day, 100,000 articles",
        "inn",
        "nntp",
        "nntp-newnews --conns 1 --duration 6 --group bench.big",
        "nntp-newnews --conns 1 --duration 3 --group bench.big",
        "server_cpu_us_per_op",
        10.0,
    ),
)
