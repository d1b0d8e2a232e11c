"""What became of TLS with other domains' hosts, counted until it is written down for their reports.

In memory for some minutes, in bounds: a report is a statistic, and what a crash forgets is not missed.
Which domains want to know, and how they are told, is `delivery.tlsrpt`'s.  RFC 8460 4.
"""

from __future__ import annotations

import json
from collections import Counter

from quintet.delivery.tlspolicy import Outcome
from quintet.values import dataclass

MAX_KEYS = 20_000  # different outcomes kept between two writes
MAX_A_DOMAIN = 200  # of one domain; a report need not hold more
MAX_TEXT = 200  # characters of a reason
MAX_POLICY = 100  # lines of a policy


@dataclass(frozen=True, slots=True)
class Applied:
    """The policy that a session was held to (RFC 8460 4.4)."""

    type: str = "no-policy-found"  # or "sts", "tlsa"
    domain: str = ""  # it was made for; "" is the domain that mail goes to
    lines: tuple[str, ...] = ()
    mx: tuple[str, ...] = ()  # patterns


class Tally:
    """One a process."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._domains: Counter[str] = Counter()
        self.lost = 0  # outcomes that found no room

    def count(self, domain: str, applied: Applied, host: str, outcome: Outcome) -> None:
        """One session with ``host``, an exchanger of ``domain``; "" for a failure before there was one."""
        key = (domain, _detail(domain, applied, host, outcome))
        if key not in self._counts:
            if len(self._counts) >= MAX_KEYS or self._domains[domain] >= MAX_A_DOMAIN:
                self.lost += 1
                return
            self._domains[domain] += 1
        self._counts[key] += 1

    def take(self) -> dict[str, list[tuple[str, int]]]:
        """Everything counted so far, by domain: details as JSON and sessions.  Begins anew."""
        counts, self._counts, self._domains = self._counts, Counter(), Counter()
        found: dict[str, list[tuple[str, int]]] = {}
        for (domain, detail), sessions in counts.items():
            found.setdefault(domain, []).append((detail, sessions))
        return found


def _detail(domain: str, applied: Applied, host: str, outcome: Outcome) -> str:
    """One line of JSON; successes with all hosts of a policy are one."""
    found: dict[str, object] = {
        "type": applied.type,
        "domain": applied.domain or domain,
        "lines": list(applied.lines[:MAX_POLICY]),
        "mx": list(applied.mx[:MAX_POLICY]),
    }
    if outcome.kind:
        found |= {
            "kind": outcome.kind,
            "host": host,
            "sending": outcome.sending,
            "receiving": outcome.receiving,
            "reason": outcome.text[:MAX_TEXT],
        }
    return json.dumps(found, sort_keys=True, separators=(",", ":"))
