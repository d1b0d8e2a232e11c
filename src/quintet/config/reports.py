"""What senders are told about their mail, and how much of it."""

from __future__ import annotations

from quintet.config.field import opt
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Reports:
    """Reports about mail: failed, delayed, delivered, relayed, expanded (RFC 3464)."""

    language: str = opt(
        "en",
        "Language of reports to people who have not said theirs: by their account's setting, or by "
        "Accept-Language or Content-Language of their message. English stands below every other.",
        choices=("en", "cs", "de", "es", "fr", "it", "ja", "nl", "pl", "pt", "ru", "sv", "tr", "uk", "zh"),
    )
    per_sender: int = opt(
        100,
        "Reports an hour, in one worker, to one address elsewhere about mail that came from outside; ten "
        "times as many to one domain. What is more is dropped with a line in the trace, for senders can be "
        "forged. 0: no limit.",
        minimum=0,
    )
    double_bounces: bool = opt(
        False, "Tell postmaster about reports that cannot be delivered; otherwise the trace has them."
    )
