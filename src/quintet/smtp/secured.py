"""TLS towards the next host as a policy wants it: the handshake, what must be proved, what is told.

What the policy is stands in `delivery.tlspolicy`.  A handshake that fails costs the connection; whether
another one may do with less is the policy's ``fallback``.  RFC 3207, RFC 7672 3, RFC 8461 4.2, RFC 8460 4.3.
"""

from __future__ import annotations

import datetime
import functools
import ipaddress
import ssl
from collections.abc import Container

from quintet import log
from quintet.clock import Clock
from quintet.delivery.tlspolicy import HopPolicy, Outcome
from quintet.errors import Hangup, Reason, Refused, TryLater
from quintet.net import chains, dane
from quintet.net.client import Client
from quintet.net.tls import client_context

NOT_OFFERED = "starttls-not-supported"
OTHER = "validation-failure"

# RFC 3463 3.8, as others answer it: 4 not offered, 5 not to be believed
_STATUS = {NOT_OFFERED: "4.7.4"}

# OpenSSL's X509_V_ERR_*
_EXPIRED = (9, 10)  # not yet valid, no longer valid

logger = log.get("smtp")


class TlsFailed(TryLater):
    """TLS is not as the policy wants it; ``kind`` is RFC 8460's word, ``status`` RFC 3463's code."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(Reason.TLS_REQUIRED, text)
        self.kind = kind
        self.status = _STATUS.get(kind, "4.7.5")


class NotSecured(Refused):
    """A message that demands TLS cannot go by this host (RFC 8689 4.2.1); ``status`` is RFC 3463's code."""

    def __init__(self, status: str, text: str) -> None:
        super().__init__(Reason.TLS_REQUIRED, text)
        self.status = status


class Securer:
    """One a process.  ``ca_file`` holds the authorities we trust, None: those of the system."""

    def __init__(self, clock: Clock, ca_file: str | None = None) -> None:
        self._clock, self._ca_file = clock, ca_file

    @functools.cached_property
    def _verifying(self) -> ssl.SSLContext:
        """Made when first needed: reading every CA costs time and memory.  Names are checked by us."""
        context = client_context(True, ca_file=self._ca_file)
        context.check_hostname = False
        return context

    @functools.cached_property
    def _believing(self) -> ssl.SSLContext:
        return client_context(False)

    async def shake(self, client: Client, host: str, policy: HopPolicy) -> None:
        """Shakes hands and checks what ``policy`` asks for; call it when the server is ready to.

        Raises:
            TlsFailed, NotSecured: it did not work, or the server proved nothing; the connection is of no use
                any more.
        """
        by_authority = policy.level == "verify" and not policy.tlsa and not policy.pins
        context = self._verifying if by_authority else self._believing
        try:
            await client.start_tls(context, _sni(policy.sni or host))
            self._check(client, host, policy)
        except Hangup as error:
            kind, text = _what(error)
        except chains.Untrusted as error:
            kind, text = error.kind, error.text
        else:
            policy.tell(Outcome("", "", client.address, client.local_address))
            return
        client.abort()
        self._failed(client, policy, kind, text)
        raise _failure(policy, kind, f"{host}: {text}")

    def missing(self, client: Client, host: str, policy: HopPolicy, text: str = "offers no TLS") -> None:
        """The server has no STARTTLS, or none now.  Raises as `shake` where there must be TLS."""
        if policy.wanted:
            self._failed(client, policy, NOT_OFFERED, text)
        if policy.mandatory:
            raise _failure(policy, NOT_OFFERED, f"{host} {text}")

    def relays_secured(self, host: str, policy: HopPolicy, offers: Container[str]) -> None:
        """For a message that demands TLS the server must promise to demand it too.  Raises NotSecured."""
        if policy.strict and "REQUIRETLS" not in offers:
            raise NotSecured("5.7.30", f"{host} does not support REQUIRETLS")

    def _failed(self, client: Client, policy: HopPolicy, kind: str, text: str) -> None:
        if policy.mandatory or kind != NOT_OFFERED:  # much of the world has none: no news
            logger.info("tls failed", address=client.address, policy=policy.why, kind=kind, text=text)
        policy.tell(Outcome(kind, text, client.address, client.local_address))

    def _check(self, client: Client, host: str, policy: HopPolicy) -> None:
        """Raises Untrusted."""
        if policy.level != "verify":
            return
        chain = client.chain
        names = policy.names or (host,)
        now = datetime.datetime.fromtimestamp(self._clock.now() / 1000, datetime.UTC)
        if policy.tlsa:
            dane.verify(policy.tlsa, chain, names, now)
        elif policy.pins:
            if not chain or not chains.fingerprints(chain[0]) & set(policy.pins):
                raise chains.Untrusted(
                    chains.NOT_TRUSTED, "the certificate is not the one that is configured"
                )
        else:
            # RFC 8461 4.2: a DNS name of the certificate, never its common name
            chains.check_name(chain[0] if chain else b"", names, common=False)


def _failure(policy: HopPolicy, kind: str, text: str) -> TlsFailed | NotSecured:
    return NotSecured("5.7.10", text) if policy.strict else TlsFailed(kind, text)


def _sni(host: str) -> str:
    """RFC 6066 3: names only."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "" if host.startswith("unix:") else host
    return ""


def _what(error: Hangup) -> tuple[str, str]:
    """RFC 8460's word for a handshake that failed, and its reason."""
    cause = error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        kind = chains.EXPIRED if cause.verify_code in _EXPIRED else chains.NOT_TRUSTED
        return kind, cause.verify_message or "certificate not trusted"
    if isinstance(cause, ssl.SSLError) and cause.reason:
        return OTHER, f"TLS handshake failed: {cause.reason.lower().replace('_', ' ')}"
    return OTHER, f"TLS handshake failed: {error.text}"
