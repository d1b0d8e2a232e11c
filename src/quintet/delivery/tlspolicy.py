"""What TLS must be with one host: the value that routing makes and the handshake obeys.

`delivery.tlspolicies` decides; `smtp.secured` shakes hands as it says and tells what became of it, for the
reports.  RFC 8689 (REQUIRETLS), RFC 8460 (reports).
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from dataclasses import field, replace

from quintet.message.outline import Headed
from quintet.net.dane import Tlsa
from quintet.values import dataclass


class Demand(enum.Enum):
    """What a message asks of its way (RFC 8689)."""

    USUAL = ""
    REQUIRE = "require"  # MAIL ... REQUIRETLS
    IGNORE = "ignore"  # TLS-Required: No; meant only where REQUIRE is not said


@dataclass(frozen=True, slots=True)
class Outcome:
    """How TLS came out in one session, for the reports (RFC 8460 4.3)."""

    kind: str  # "" when it stands as wanted, else a result type
    text: str = ""  # the failure's reason code
    receiving: str = ""  # IP
    sending: str = ""  # IP


def _nobody(_: Outcome) -> None:
    return


@dataclass(frozen=True, slots=True)
class HopPolicy:
    """What TLS must be with one host.

    ``level`` is "none" (cleartext), "may" (what is offered), "must" (TLS or nothing, any certificate),
    "verify" (the certificate must prove itself: by ``tlsa`` where there are any, else by ``pins`` where
    there are any, else by an authority we trust and one of ``names``).
    """

    level: str = "may"
    names: tuple[str, ...] = ()  # what the certificate may bear; ".example.org" is any name below
    tlsa: tuple[Tlsa, ...] = ()  # secure and usable
    pins: tuple[str, ...] = ()  # SHA-256 of certificate or key, lower-case hex
    why: str = "default"  # "default", "rule", "route", "dane", "mta-sts", "requiretls": for log and bounce
    proven: bool = False  # that host is the right one for the domain: DNSSEC, MTA-STS, or configured
    implicit: bool = False  # TLS from the first byte
    strict: bool = False  # the message itself demands it: failing is final (RFC 8689 4.2.1)
    fallback: HopPolicy | None = None  # what is tried when TLS does not work out; None: nothing
    sni: str = ""  # the name sent in the handshake; "" is the host's
    tell: Callable[[Outcome], None] = field(default=_nobody, compare=False)  # once a session

    @property
    def wanted(self) -> bool:
        """TLS is tried at all."""
        return self.level != "none"

    @property
    def mandatory(self) -> bool:
        """Nothing goes in the clear."""
        return self.level in ("must", "verify")


CLEAR = HopPolicy("none")
OPPORTUNISTIC = HopPolicy("may", fallback=CLEAR)


def of_route(word: str, host: str) -> HopPolicy:
    """Policy of a configured route's ``tls``: never, may, must, verify, implicit; "dane" verifies here."""
    if word == "never":
        return replace(CLEAR, why="route", proven=True)
    if word == "may":
        return replace(OPPORTUNISTIC, why="route", proven=True)
    if word == "must":
        return HopPolicy("must", why="route", proven=True)
    return HopPolicy("verify", (host,), why="route", proven=True, implicit=word == "implicit")


def demand(require_tls: bool, null_sender: bool, head: Headed) -> Demand:
    """What a message asks for (RFC 8689 4.1); a report is never lost for want of TLS (section 5)."""
    if require_tls:
        return Demand.USUAL if null_sender else Demand.REQUIRE
    found = head.all(b"tls-required")
    if len(found) == 1 and re.fullmatch(rb"\s*no\s*", found[0], re.IGNORECASE):
        return Demand.IGNORE
    return Demand.USUAL
