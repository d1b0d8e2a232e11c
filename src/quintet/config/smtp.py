"""What the SMTP and LMTP servers allow: sizes, counts, patience and who may relay."""

from __future__ import annotations

from dataclasses import dataclass

from quintet.config.field import opt


@dataclass(frozen=True, slots=True)
class Smtp:
    """One section for all listeners that take mail: MX, submission, LMTP."""

    max_message_size: int = opt(
        50 * 1024 * 1024,
        "Largest message taken; told to clients as SIZE (RFC 1870).",
        unit="bytes",
        minimum=65536,
    )
    max_recipients: int = opt(
        1000, "Recipients of one transaction; RFC 5321 4.5.3.1.8 asks for 100 at least.", minimum=100
    )
    max_hops: int = opt(100, "Received fields after which a message is a loop (RFC 5321 6.3).", minimum=10)
    max_errors: int = opt(20, "Refused commands after which a connection is closed.", minimum=3)
    tarpit_errors: int = opt(
        5, "Refused commands after which each further refusal is held back for a while.", minimum=1
    )
    tarpit_s: float = opt(
        2.0, "How long a refusal is held back then; 0: not at all.", unit="s", minimum=0, maximum=60
    )
    greet_delay_s: float = opt(
        0.0,
        "Wait on MX listeners before the greeting; who talks earlier is noted (most spam senders do).",
        unit="s",
        minimum=0,
        maximum=30,
    )
    timeout_s: float = opt(
        300.0, "Silence allowed between commands and in a message (RFC 5321 4.5.3.2.7).", unit="s", minimum=10
    )
    bare_line_ends: str = opt(
        "repair",
        "A message with a bare CR or LF. refuse: not taken. repair: each becomes CRLF, unless it looks like "
        "a hidden end of the message (then it is refused). Such bytes never end a message.",
        choices=("refuse", "repair"),
    )
    relay_domains: list[str] = opt(
        [], "Domains, not ours, that mail is taken for and sent on to (as a backup MX, or by a route)."
    )
    relay_networks: list[str] = opt([], "Networks whose hosts may send to any address without logging in.")
    auth_on_mx: bool = opt(False, "Offer AUTH on MX listeners too.")
    require_tls: bool = opt(
        True, "On submission listeners: no AUTH and no MAIL before TLS, unless from this host."
    )
    check_sender: bool = opt(
        True, "Who logged in may send only from own addresses (envelope; a foreign From gets a Sender)."
    )
    postmaster: str = opt(
        "",
        "Account or address that gets mail for postmaster where no such address exists (RFC 5321 4.5.1); "
        "empty: the oldest account.",
    )
