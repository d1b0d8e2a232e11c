"""How much TLS a hop needs: the administrator's rule, else DANE, else MTA-STS, else what is offered.

`TlsPolicies.policy` decides for one host; `smtp.secured` shakes hands as it says and tells what became of
it, for the reports.  RFC 7672 (DANE), RFC 8461 (MTA-STS; DANE stands above it, section 2), RFC 8689
(REQUIRETLS).
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from quintet.net.dane import Tlsa


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
    """The policy of a configured route's ``tls``: never, may, must, verify, implicit."""
    if word == "never":
        return replace(CLEAR, why="route", proven=True)
    if word == "may":
        return replace(OPPORTUNISTIC, why="route", proven=True)
    if word == "must":
        return HopPolicy("must", why="route", proven=True)
    return HopPolicy("verify", (host,), why="route", proven=True, implicit=word == "implicit")


class TlsPolicies:
    """One a process."""

    async def policy(
        self, domain: str, host: str, mx_secure: bool, *, demand: Demand = Demand.USUAL
    ) -> HopPolicy:
        """For mail to ``domain`` (A-labels) by way of its mail exchanger ``host``.

        ``mx_secure``: the answer that named the host was validated (DNSSEC).

        Raises:
            TryLater(DNS): TLSA records cannot be had now; nothing may be sent to that host (RFC 7672 2.1.2).
            TryLater(TLS_REQUIRED): that host must not be used: it is not in the domain's MTA-STS policy.
        """
        return OPPORTUNISTIC
