"""How mail leaves: patience, retries, parallelism; its ways are `config.route`'s."""

from __future__ import annotations

from dataclasses import dataclass

from quintet.config.field import opt
from quintet.config.route import Route

DAY = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Queue:
    """The outbound queue."""

    enabled: bool = opt(True, "false: nothing is sent; mail for elsewhere waits.")
    retry_s: list[float] = opt(
        [60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0],
        "Waits between tries; the last repeats. Each is varied by a tenth so that tries do not gather.",
        unit="s",
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
    routes: dict[str, Route] = opt({}, "Ways out by name, tried in this order.")
