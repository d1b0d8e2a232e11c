"""How mail leaves under TLS: rules for destinations, what we believe, what we report, our own MTA-STS policy.

`[queue.tls."DOMAIN"]` is a rule for one destination, `[tls_out]` what holds for all, `[mta_sts]` what we
publish about our own domains (RFC 8461 3).
"""

from __future__ import annotations

import re

from quintet.config.field import opt
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class TlsRule:
    """TLS towards one destination, `[queue.tls."example.org"]`; ".example.org" is every name below it.

    A rule is the administrator's word: it stands above DANE and MTA-STS.
    """

    level: str = opt(
        "may",
        "none: cleartext; may: TLS when offered, any certificate; must: TLS or nothing, any certificate; "
        "verify: a certificate of a known authority for one of names; pinned: a certificate or key of "
        "fingerprints; dane: what the domain's TLSA records say, or nothing is sent; auto: DANE, else "
        "MTA-STS, else may.",
        choices=("none", "may", "must", "verify", "pinned", "dane", "auto"),
    )
    names: tuple[str, ...] = opt(
        (),
        "For verify: names that the certificate may bear instead of the host's; .example.org is every name "
        "below it.",
    )
    fingerprints: tuple[str, ...] = opt(
        (), "For pinned: SHA-256 of the certificate or of its public key, in hex, colons allowed."
    )

    def faults(self) -> list[str]:
        """What is wrong with the rule, a sentence each."""
        found = [
            f"fingerprints: expected 64 hexadecimal digits, got {each!r}"
            for each in self.fingerprints
            if not re.fullmatch(r"[0-9a-fA-F]{64}", each.replace(":", ""))
        ]
        if self.level == "pinned" and not self.fingerprints:
            found.append("fingerprints: level pinned needs at least one")
        return found


@dataclass(frozen=True, slots=True)
class TlsOut:
    """What holds for mail to every destination."""

    dane: bool = opt(
        True,
        "Obey TLSA records (RFC 7672); takes effect where the resolver is trusted to validate DNSSEC.",
    )
    mta_sts: bool = opt(True, "Obey the MTA-STS policies of other domains (RFC 8461).")
    ca_file: str = opt("", "File with the authorities we trust (PEM); empty: those of the system.")
    fetch_timeout_s: float = opt(
        60.0,
        "Time for fetching one MTA-STS policy (RFC 8461 3.3 suggests a minute).",
        unit="s",
        minimum=1,
        maximum=300,
    )
    policy_port: int = opt(
        443,
        "Port that MTA-STS policies are fetched from; the standard knows only 443.",
        minimum=1,
        maximum=65535,
    )
    private: bool = opt(
        False,
        "Fetch policies from, and POST reports to, hosts in private networks too. Others choose these hosts.",
    )
    reports: bool = opt(
        True, "Count what became of TLS and send other domains a report once a day where they ask (RFC 8460)."
    )
    report_contact: str = opt(
        "", "Address for questions about these reports; empty: postmaster at our hostname."
    )
    report_organization: str = opt("", "Who sends the reports; empty: our hostname.")


@dataclass(frozen=True, slots=True)
class MtaSts:
    """The MTA-STS policy of our own domains, served at https://mta-sts.DOMAIN/.well-known/mta-sts.txt."""

    mode: str = opt(
        "",
        "enforce: others must not send without verified TLS; testing: they only report; none: no policy any "
        "more; empty: nothing is served. The http listener must be reachable as https on port 443 with a "
        'certificate for mta-sts.DOMAIN, and DNS needs _mta-sts.DOMAIN TXT "v=STSv1; id=...".',
        choices=("", "enforce", "testing", "none"),
    )
    domains: tuple[str, ...] = opt((), "Domains it is served for; empty: every domain of ours.")
    mx: tuple[str, ...] = opt(
        (), "Names of the hosts that take mail for them, *.example.org allowed; empty: our hostname."
    )
    max_age_s: int = opt(
        604_800,
        "How long others may remember it (RFC 8461 3.2: at most a year; weeks are usual).",
        unit="s",
        minimum=86_400,
        maximum=31_557_600,
    )
