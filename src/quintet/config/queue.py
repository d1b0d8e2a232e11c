"""How mail leaves: patience, retries, parallelism; its ways are `config.route`'s."""

from __future__ import annotations

import re
from collections.abc import Iterator

from quintet.config.field import opt
from quintet.config.route import Route
from quintet.config.tls_out import TlsRule
from quintet.values import dataclass

DAY = 24 * 3600.0

_RATE = re.compile(r"(\d{1,9})\s*/\s*([smhd])")
_PERIOD_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": DAY}


def rate(text: str) -> float:
    """Messages a second of "20/m"; 0.0 for "".  Raises ValueError."""
    if not text.strip():
        return 0.0
    match = _RATE.fullmatch(text.strip())
    if match is None or not int(match[1]):
        raise ValueError(f"expected a rate such as 10/s, 500/m, 20000/h or 100000/d, got {text!r}")
    return int(match[1]) / _PERIOD_S[match[2]]


@dataclass(frozen=True, slots=True)
class Limit:
    """How much one destination gets, `[queue.limits."PATTERN"]`; the first pattern that fits is taken.

    A pattern is a domain, .example.org (every name below it), mx:host or mx:.hosts.example (who has such a
    mail exchanger), route:NAME, or *.
    """

    connections: int = opt(0, "Connections at once, in one worker; 0: per_destination.", minimum=0)
    rate: str = opt("", "Messages a time, such as 10/s, 500/m, 20000/h; empty: any number.")
    recipients: int = opt(0, "Recipients in one transaction; 0: max_recipients.", minimum=0)
    messages: int = opt(0, "Messages in one session; 0: any number.", minimum=0)
    adaptive: bool = opt(True, "Slow down when the destination has trouble, and recover.")


@dataclass(frozen=True, slots=True)
class Queue:
    """The outbound queue."""

    enabled: bool = opt(True, "false: nothing is sent; mail for elsewhere waits.")
    soft_bounce: bool = opt(
        False,
        "What a host refuses for good is tried again, and reported after expire_s: while a set-up is tried.",
    )
    retry_s: list[float] = opt(
        [60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0],
        "Waits between tries; the last repeats. Each is varied by a tenth so that tries do not gather.",
        unit="s",
        minimum=0.1,
    )
    expire_s: float = opt(
        5 * DAY, "After so long mail is returned (RFC 5321 4.5.4.1: 4-5 days).", unit="s", minimum=60
    )
    expire_report_s: float = opt(
        1 * DAY, "The same for mail with a null sender: reports about failed mail.", unit="s", minimum=60
    )
    delay_warning_s: float = opt(
        4 * 3600.0, "Tell the sender once when mail waits for so long; 0: never.", unit="s", minimum=0
    )
    concurrency: int = opt(50, "Connections out at once, in one worker.", minimum=1)
    per_destination: int = opt(5, "Connections out to one destination, in one worker.", minimum=1)
    max_recipients: int = opt(100, "Recipients in one transaction (RFC 5321 4.5.3.1.8).", minimum=1)
    idle_s: float = opt(
        5.0, "How long a session that ended well is kept for the next message.", unit="s", minimum=0
    )
    port: int = opt(25, "Port of MX hosts.", minimum=1, maximum=65535)
    helo: str = opt("", "The name we greet with; empty: the server's hostname.")
    source_address: str = opt("", "Local address that connections leave from; empty: the system's choice.")
    families: str = opt("both", "Addresses of hosts that are tried.", choices=("both", "ipv4", "ipv6"))
    connect_timeout_s: float = opt(30.0, "Time for one connection to be made.", unit="s", minimum=0.1)
    poll_s: float = opt(
        15.0,
        "How often the queue is looked at when nothing woke it (another worker may have died).",
        unit="s",
        minimum=0.1,
    )
    return_size: int = opt(
        256 * 1024,
        "Largest message that is returned whole in a report; of larger ones the header.",
        unit="bytes",
    )
    suppress_after: int = opt(
        0,
        "An address that failed for good so often is refused at once from then on; 0: never.",
        minimum=0,
    )
    suppress_window_s: float = opt(
        30 * DAY, "Failures farther apart than this do not add up.", unit="s", minimum=60
    )
    suppress_s: float = opt(90 * DAY, "How long such an address stays refused.", unit="s", minimum=60)
    limits: dict[str, Limit] = opt({}, "How much single destinations get, by pattern, in this order.")
    routes: dict[str, Route] = opt({}, "Ways out by name, tried in this order.")
    tls: dict[str, TlsRule] = opt(
        {}, "Rules about TLS by recipient domain; .example.org is every name below it, * every other domain."
    )

    def faults(self) -> Iterator[tuple[str, str]]:
        """Patterns of `limits` whose rate cannot be read, and why."""
        for pattern, limit in self.limits.items():
            try:
                rate(limit.rate)
            except ValueError as error:
                yield pattern, str(error)
