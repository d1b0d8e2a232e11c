"""What all connections share beyond their listener: waiting, TLS and the name service."""

from __future__ import annotations

import ipaddress

from quintet.config.field import opt
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Net:
    """Waiting and limits of every connection: `[net]`."""

    write_timeout_s: float = opt(
        300.0, "A client that reads nothing for so long is cut off.", unit="s", minimum=1
    )
    handshake_timeout_s: float = opt(60.0, "Time for a TLS handshake.", unit="s", minimum=1)
    proxy_timeout_s: float = opt(5.0, "Time for a PROXY header to come.", unit="s", minimum=0.1)
    unlimited: tuple[str, ...] = opt(
        ("127.0.0.0/8", "::1/128"), "Networks to which the listeners' limits for one address do not apply."
    )
    reuse_port: bool = opt(True, "Let several workers listen on one port (SO_REUSEPORT).", reload=False)


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate and its key, both PEM files: `[[tls.certificates]]`."""

    certificate: str = opt("", "File with the certificate and its chain (PEM).")
    key: str = opt("", "File with the private key (PEM); empty: in the certificate's file.")
    names: tuple[str, ...] = opt((), "Server names (SNI) it is shown for; empty: those that stand in it.")


@dataclass(frozen=True, slots=True)
class Tls:
    """Certificates and what we accept: `[tls]`."""

    certificates: tuple[Certificate, ...] = opt((), "Certificates; the first one is shown when no name fits.")
    minimum_version: str = opt("1.2", "The oldest TLS version we speak.", choices=("1.2", "1.3"))
    ciphers: str = opt("", "OpenSSL cipher list for TLS 1.2; empty: the modern default.")
    client_ca: str = opt("", "File with CAs (PEM) of client certificates; empty: none are asked for.")
    check_s: float = opt(60.0, "How often certificate files are looked at for a change.", unit="s", minimum=1)


@dataclass(frozen=True, slots=True)
class Dns:
    """How names are looked up: `[dns]`."""

    nameservers: tuple[str, ...] = opt(
        (),
        "Addresses of resolvers, also as ADDRESS:PORT or [IPv6]:PORT; empty: those of the system.",
    )
    port: int = opt(53, "Port of those that name none.", minimum=1, maximum=65535)
    timeout_s: float = opt(5.0, "Time for one question to one resolver.", unit="s", minimum=0.1)
    lifetime_s: float = opt(15.0, "Time for one question over all tries.", unit="s", minimum=0.1)
    cache: int = opt(10_000, "Answers remembered.", unit="answers", minimum=0)
    min_ttl_s: float = opt(
        5.0, "Answers are remembered at least so long, whatever they say.", unit="s", minimum=0, maximum=300
    )
    max_ttl_s: float = opt(86_400.0, "And at most so long.", unit="s", minimum=1)
    negative_ttl_s: float = opt(
        3600.0, "How long at most it is remembered that there is nothing (RFC 2308 5).", unit="s", minimum=0
    )
    trust_ad: str = opt(
        "auto",
        "Whether resolvers that say that an answer was validated (DNSSEC) are believed: yes, no, or auto: "
        "those on this machine. DANE needs it.",
        choices=("auto", "yes", "no"),
    )

    def faults(self) -> list[str]:
        """What is wrong with ``nameservers``, a sentence each."""
        found = []
        for text in self.nameservers:
            try:
                resolver_at(text, self.port)
            except ValueError as error:
                found.append(str(error))
        return found


def resolver_at(text: str, port: int) -> tuple[str, int]:
    """Address and port of a resolver; ``port`` stands where none is given.  Raises ValueError."""
    address, _, given = text.rpartition(":") if _has_port(text) else (text, "", str(port))
    address = address.removeprefix("[").removesuffix("]")
    number = int(given) if given.isdecimal() and len(given) <= 5 else 0
    try:
        ipaddress.ip_address(address)
    except ValueError:
        number = 0
    if not 0 < number < 65536:
        raise ValueError(f"expected the address of a resolver, ADDRESS:PORT or [IPv6]:PORT, got {text!r}")
    return address, number


def _has_port(text: str) -> bool:
    return text.count(":") == 1 or "]:" in text
