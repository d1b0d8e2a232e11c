"""The process itself: its name, its workers, the user it runs as: `[server]`."""

from __future__ import annotations

from quintet.config.field import opt
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Server:
    """What concerns the program as a whole."""

    hostname: str = opt(
        "",
        "The name this server gives itself in greetings, trace fields and Message-IDs; empty takes the "
        "machine's own. It should be a full name that the address has in DNS.",
        reload=False,
    )
    workers: int = opt(
        0,
        "Identical processes that share ports and store; 0 takes one for each core. With 1 there is no "
        "supervisor.",
        unit="processes",
        minimum=0,
        maximum=256,
        reload=False,
    )
    drain_s: float = opt(
        30.0, "Time that busy connections get to finish when the server stops.", unit="s", minimum=0
    )
    user: str = opt(
        "",
        "User to become after the ports are open, when started as root; empty stays. The systemd unit needs "
        "no such step.",
        reload=False,
    )
    group: str = opt("", "Group to become; empty takes the user's own.", reload=False)


@dataclass(frozen=True, slots=True)
class Http:
    """What the http listeners answer besides ACME challenges: `[http]`."""

    metrics_from: tuple[str, ...] = opt(
        ("127.0.0.0/8", "::1/128"), "Networks that may read /metrics and the details of /healthz."
    )
    send: bool = opt(
        False,
        "Let people with an account send by POST /send, as on submission listeners (see "
        "docs/administration.md).",
    )
    landing: bool = opt(True, "Show a page at / that says what this server is and how to connect.")
