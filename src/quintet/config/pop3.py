"""How POP3 listeners behave: `[pop3]`."""

from __future__ import annotations

from quintet.config.field import opt
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Pop3:
    """One section for all POP3 listeners."""

    timeout_s: float = opt(
        600.0, "Silence allowed after login; RFC 1939 3 asks for ten minutes at least.", unit="s", minimum=600
    )
    login_timeout_s: float = opt(
        600.0,
        "Silence allowed before login; less than ten minutes deviates from RFC 1939 3.",
        unit="s",
        minimum=10,
    )
    max_errors: int = opt(
        20, "Commands refused before login, or nonsense in a row, until a connection is closed.", minimum=3
    )
    max_login_failures: int = opt(5, "Failed logins until a connection is closed.", minimum=1)
    login_delay_s: int = opt(
        0, "Least time between two logins to a maildrop; 0 is no limit (RFC 2449 6.5).", unit="s", minimum=0
    )
    expire_days: int = opt(
        -1,
        "How long messages stay, as CAPA tells it (RFC 2449 6.7); -1 is for ever. Nothing is removed by it.",
        unit="days",
        minimum=-1,
    )
    mark_seen: bool = opt(False, "Messages fetched by RETR count as seen for IMAP after QUIT.")
    ascii_clients: str = opt(
        "surrogate",
        "What a client that did not say UTF8 gets for a message whose header needs it (RFC 6856 2.1): a copy "
        "whose header is made ASCII, a refusal, or the message as it is (a deviation that old clients like).",
        choices=("surrogate", "refuse", "send"),
    )
    language: str = opt(
        "en",
        "Language of our texts when a client asks for the preferred one (LANG *).",
        choices=("en", "de", "fr"),
    )
    implementation: str = opt("Quintet", "IMPLEMENTATION in CAPA; empty: not told.")
