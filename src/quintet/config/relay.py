"""Backup MX: which recipients exist in the domains we relay for."""

from __future__ import annotations

from quintet.config.field import opt
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Relay:
    """Recipients elsewhere: `[relay]`.  Who is known to be missing is refused at RCPT.

    All but the check of domains is about smtp.relay_domains.
    """

    recipients: list[str] = opt(
        [], "Addresses and @domains that exist there, * and ? stand for anything; nothing here: any may."
    )
    recipients_file: str = opt("", "More of them in a file, one a line; read again when it changes.")
    verify: bool = opt(
        False,
        "Ask the domain's own host at RCPT whether the recipient exists; while it does not answer: yes.",
    )
    check_domains: bool = opt(
        False,
        "Ask the name service at RCPT about domains elsewhere: one that does not exist or takes no mail "
        "(null MX) is refused at once, instead of by a report later.",
    )
    check_timeout_s: float = opt(
        3.0,
        "How long a client waits for that, smtp.sender_domain and policy.refuse.dns_lists; then it is taken.",
        unit="s",
        minimum=0.1,
    )
    verify_timeout_s: float = opt(20.0, "How long a client waits for that.", unit="s", minimum=0.1)
    positive_s: float = opt(86_400.0, "How long a yes is remembered.", unit="s", minimum=0)
    negative_s: float = opt(1_800.0, "How long a no is remembered.", unit="s", minimum=0)
    verify_at_once: int = opt(20, "Such questions at once, in one worker.", minimum=1)
