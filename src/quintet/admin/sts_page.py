"""The MTA-STS policy of our own domains, as others fetch it.  RFC 8461 3.2, 3.3."""

from __future__ import annotations

from quintet.config.root import Config
from quintet.errors import Problem
from quintet.store import accounts
from quintet.store.store import Store

PREFIX = "mta-sts."


def policy(config: Config, store: Store, host: str) -> str | None:
    """The policy file that ``host`` ("mta-sts.DOMAIN", lower case) shows; None where there is none."""
    own = config.mta_sts
    domain = host.removeprefix(PREFIX)
    if not own.mode or domain == host:
        return None
    if own.domains:
        ours = domain in (each.lower() for each in own.domains)
    else:
        try:
            ours = store.peek(accounts.is_local, domain)
        except Problem:
            return None
    if not ours:
        return None
    from quintet.net.mtasts import StsPolicy  # only where somebody asks

    mx = () if own.mode == "none" else tuple(each.lower() for each in own.mx or (config.hostname,))
    return StsPolicy(own.mode, own.max_age_s, mx).text()
