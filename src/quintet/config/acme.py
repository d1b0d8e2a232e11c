"""Options of automatic certificates (ACME, RFC 8555)."""

from __future__ import annotations

from quintet.config.field import opt
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Acme:
    """Certificates that are fetched and renewed without anybody's doing: `[acme]`."""

    names: tuple[str, ...] = opt((), "Host names the certificate is for; none: no certificate is asked for.")
    directory: str = opt(
        "https://acme-v02.api.letsencrypt.org/directory", "Where the certificate authority is asked."
    )
    agree: bool = opt(False, "You agree to the terms of service of that authority; nothing is asked without.")
    email: str = opt("", "Address the authority may write to when a certificate is about to expire.")
    challenge: str = opt(
        "http-01",
        "How control of the names is proved: a file on port 80, or a special handshake on port 443.",
        choices=("http-01", "tls-alpn-01"),
    )
    renew_days: float = opt(
        30.0,
        "Renewed so long before the end; never earlier than in the last third of its life.",
        unit="days",
        minimum=0,
    )
    check_s: float = opt(43200.0, "How often it is looked whether that time has come.", unit="s", minimum=60)
    timeout_s: float = opt(120.0, "Time for one certificate, from order to file.", unit="s", minimum=5)
    ca_file: str = opt("", "CA file (PEM) the authority itself is checked with; empty: the well-known ones.")
    eab_kid: str = opt("", "Key identifier for authorities that want an external account (RFC 8555 7.3.4).")
    eab_key: str = opt("", "The key that goes with it, base64url.", secret=True)
