"""Where the server listens: one table a listening socket, `[listeners.NAME]`.

What is said on a connection belongs to the protocol's own section; opening sockets, TLS and the PROXY
header belong to ``net``.  Standard ports: RFC 5321, 6409, 8314 (SMTP), 2033 (LMTP), 1939 and 8314 (POP3),
9051 and 8314 (IMAP), 3977 and 4642 (NNTP).
"""

from __future__ import annotations

from dataclasses import field

from quintet.config.field import opt
from quintet.values import dataclass

PROTOCOLS = ("smtp", "lmtp", "pop3", "imap", "nntp", "http")
TLS_MODES = ("none", "starttls", "implicit")


@dataclass(frozen=True, slots=True)
class Listener:
    """One listening socket."""

    name: str = field(default="", metadata={"hidden": True})  # the table's own name, set by the loader
    protocol: str = opt("smtp", "Protocol spoken here.", choices=PROTOCOLS, reload=False)
    role: str = opt(
        "",
        "What the listener is for: smtp knows mx (from other servers, no login needed), submission (from "
        "mail programs, login needed) and odmr (hosts that log in and fetch their mail by ATRN, port 366); "
        "nntp knows reader and transit; empty takes the first.",
        choices=("", "mx", "submission", "odmr", "reader", "transit"),
        reload=False,
    )
    address: str = opt(
        "*",
        "IP address to listen on; * is every address, IPv4 and IPv6; unix:/path is a Unix socket.",
        reload=False,
    )
    port: int = opt(0, "TCP port; 0 takes a free one (tests).", minimum=0, maximum=65535, reload=False)
    mode: str = opt("0666", "Permissions of a Unix socket, octal: who may write may connect.", reload=False)
    owner: str = opt(
        "",
        "Owner of a Unix socket: user, user:group or :group; empty: who starts the server.",
        reload=False,
    )
    local_users: bool = opt(
        False,
        "smtp with role submission on a Unix socket: who is logged in on this machine sends without a "
        "password, and the system says who that is. The sendmail command uses such a listener.",
        reload=False,
    )
    tls: str = opt(
        "none",
        "none: never; starttls: cleartext that can be upgraded; implicit: TLS from the first byte.",
        choices=TLS_MODES,
        reload=False,
    )
    proxy: tuple[str, ...] = opt(
        (),
        "Networks whose connections start with a PROXY header (version 1 or 2) and are believed; "
        "connections from there without it are closed.",
    )
    max_connections: int = opt(
        20000, "Connections at once on this listener, of all workers together.", unit="connections", minimum=1
    )
    max_per_address: int = opt(
        100,
        "Connections at once from one address (IPv6: one /64), of all workers together.",
        unit="connections",
        minimum=1,
    )
    rate_per_minute: int = opt(
        0,
        "New connections from one address in a minute, of all workers together; 0 is no limit.",
        unit="connections",
        minimum=0,
    )
    backlog: int = opt(1024, "Connections the system holds before they are taken.", minimum=1, reload=False)
    enabled: bool = opt(True, "false leaves this listener out.", reload=False)


def _of(
    name: str, protocol: str, port: int, tls: str = "none", role: str = "", address: str = "*"
) -> Listener:
    return Listener(name=name, protocol=protocol, role=role, address=address, port=port, tls=tls)


STANDARD: tuple[Listener, ...] = (
    _of("smtp", "smtp", 25, "starttls", "mx"),
    _of("submission", "smtp", 587, "starttls", "submission"),
    _of("submissions", "smtp", 465, "implicit", "submission"),
    _of("lmtp", "lmtp", 24, address="127.0.0.1"),
    _of("pop3", "pop3", 110, "starttls"),
    _of("pop3s", "pop3", 995, "implicit"),
    _of("imap", "imap", 143, "starttls"),
    _of("imaps", "imap", 993, "implicit"),
    _of("nntp", "nntp", 119, "starttls", "reader"),
    _of("nntps", "nntp", 563, "implicit", "reader"),
    _of("http", "http", 80, address="127.0.0.1"),
    _of("https", "http", 443, "implicit"),
)
"""What a server listens on when the file names no listener."""


def standard() -> dict[str, Listener]:
    """The standard listeners by name; a new dict each time."""
    return {listener.name: listener for listener in STANDARD}
