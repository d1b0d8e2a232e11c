"""What a domain asks of those who get mail in its name without its proof: the policy of DMARC.

Only what a sender has to know, here a mailing list; judging what comes in is not done here.
RFC 7489 6.3 (the record), 6.6.3 (where it is looked for; parents are walked up to, as nobody can know for
sure where an organization begins).
"""

from __future__ import annotations

from quintet.delivery.directory import ascii_domain
from quintet.errors import TryLater
from quintet.net.dns import Resolver
from quintet.policy import dmarc

MAX_WALK = 8  # names asked for one domain
STRICT = frozenset(("quarantine", "reject"))


async def is_strict(resolver: Resolver, domain: str) -> bool:
    """The domain asks for quarantine or refusal; also when that cannot be known now: it may."""
    labels = ascii_domain(domain).rstrip(".").split(".")
    starts = range(max(0, len(labels) - MAX_WALK), max(1, len(labels) - 1))
    for start in dict.fromkeys((0, *starts)):
        try:
            texts = await resolver.txt("_dmarc." + ".".join(labels[start:]))
        except TryLater:
            return True
        found = [tags for text in texts if (tags := dmarc.record(text)) is not None]
        if len(found) == 1:
            policy = found[0].get("p", "none")
            return (policy if start == 0 else found[0].get("sp", policy)).lower() in STRICT
    return False
