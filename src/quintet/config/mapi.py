"""The door for MAPI clients on the http listeners: `[mapi]`."""

from __future__ import annotations

from quintet.config.field import opt
from quintet.values import dataclass

LOGINS = ("basic", "bearer", "ntlm", "negotiate")


@dataclass(frozen=True, slots=True)
class Mapi:
    """MAPI over HTTP and Autodiscover."""

    enabled: bool = opt(True, "Answer /mapi and /autodiscover on the http listeners.")
    logins: tuple[str, ...] = opt(
        ("negotiate", "ntlm", "basic", "bearer"),
        "How clients may log in, in the order in which they are told. ntlm, and negotiate, which is ntlm in "
        "a wrapper here, appear only with auth.ntlm; bearer only with auth.token_keys.",
    )
    url: str = opt(
        "",
        "Base of the addresses that Autodiscover tells, such as https://mail.example.org; empty takes "
        "https:// and server.hostname.",
    )
    max_sessions: int = opt(
        64, "Sessions of one account at once, of all workers together.", unit="sessions", minimum=1
    )
    idle_s: int = opt(
        900, "Silence after which a session is forgotten (X-ExpirationInfo).", unit="s", minimum=30
    )
    pending_s: float = opt(
        30.0,
        "Time between two signs of life while a request is worked on (X-PendingPeriod).",
        unit="s",
        minimum=1,
    )
    wait_s: float = opt(
        300.0,
        "Longest wait for a notification; MS-OXCMAPIHTTP 3.2.2 says five minutes.",
        unit="s",
        minimum=1,
        maximum=300,
    )

    def faults(self) -> list[str]:
        """What is wrong, as sentences that name the key; empty when all is well."""
        found = [
            f"mapi.logins: {word!r} is not one of {', '.join(LOGINS)}"
            for word in self.logins
            if word not in LOGINS
        ]
        if self.url and not self.url.startswith(("https://", "http://")):
            found.append(f"mapi.url: expected an address that begins with https://, got {self.url!r}")
        return found
