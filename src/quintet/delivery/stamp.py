"""The trace fields that we put in front of a message: Return-Path and Received.

Pure.  They are the prefix of a message; the bytes that came are never changed.  RFC 5321 4.4,
RFC 3848 and 6531 4.3 (with), RFC 3865 2.6 (solicit), RFC 8314 4.3 (tls), RFC 6710 4.1 (priority).
"""

from __future__ import annotations

import re

from quintet.delivery.envelope import Envelope, Mailbox
from quintet.message import headers
from quintet.net.seam import Peer

HIDDEN = "submission.invalid"  # RFC 2606 2: a name that nobody has
MAX_CLAUSE = 250  # octets of one word that the client chose
MAX_SOLICIT = 900  # octets; RFC 3865 2.2 allows 1000, a line holds 998
MAX_ORCPT = 900  # octets; RFC 3461 5.4 asks for 500, a line holds 998

_DOMAIN = re.compile(  # of A-Za-z0-9_ and what is not ASCII, with dots and hyphens between; or a literal
    r"[^\x00-/:-@\[-^`{-\x7f]+(?:[.-]+[^\x00-/:-@\[-^`{-\x7f]+)*|\[[A-Za-z0-9:.-]+\]"
)
_UNSAFE = re.compile(r"[\x00- ()\\\x7f]")  # what a comment must not hold: RFC 5322 3.2.2
_TLS12 = re.compile(r"((?:EC)?DHE)-(RSA|ECDSA)-(AES\d+-GCM-SHA\d+|CHACHA20-POLY1305)")


def return_path(sender: Mailbox) -> bytes:
    """The sender of the envelope, put there by the host of final delivery (RFC 5321 4.4).

    Deviates: it should be the only one; what a sender wrote stays below it, for a message has one body here,
    which also goes to others, and a relay must not look for it.
    """
    return f"Return-Path: <{sender}>\r\n".encode()


def delivered_to(address: Mailbox | str) -> bytes:
    """An address of ours that it was filed for or forwarded by; loops are found by it (RFC 9228)."""
    return f"Delivered-To: {address}\r\n".encode()


def original_recipient(orcpt: str) -> bytes:
    """Whom the sender named, where that was said on the way (RFC 8098 2.3); nothing else."""
    kind, semicolon, address = orcpt.partition(";")
    if not semicolon or not orcpt.isprintable() or len(orcpt.encode()) > MAX_ORCPT:
        return b""
    return f"Original-Recipient: {kind.strip()}; {address.strip()}\r\n".encode()


def received(envelope: Envelope, hostname: str, now: int, *, hide: bool = False) -> bytes:
    """Our line of the message's way.  ``for`` stands only when it gives nobody away (RFC 5321 7.6).

    ``hide`` says nothing about the client's host (RFC 6409 leaves that to the site).
    """
    peer = envelope.peer
    client = HIDDEN if hide else _client(envelope.helo, peer)
    parts = [f"Received: from {client}\r\n\tby {hostname} with {with_protocol(envelope)}"]
    if envelope.wishes.solicit and len(envelope.wishes.solicit) <= MAX_SOLICIT:
        parts.append(f"\r\n\t(SOLICIT={envelope.wishes.solicit})")  # RFC 3865 2.6
    if peer.tls is not None:
        parts.append(f" ({peer.tls.version} cipher {peer.tls.cipher})")
    parts.append(f"\r\n\tid {envelope.id}")
    if len(envelope.recipients) == 1:
        parts.append(f"\r\n\tfor <{envelope.recipients[0].address}>")
    if peer.tls is not None and (name := registered_cipher(peer.tls.cipher)):
        parts.append(f"\r\n\ttls {name}")
    if envelope.wishes.priority:
        parts.append(f"\r\n\tpriority {envelope.wishes.priority}")  # RFC 6710 4.1
    parts.append(f";\r\n\t{headers.format_date(now)}\r\n")
    return "".join(parts).encode()


def with_protocol(envelope: Envelope) -> str:
    """The registered word for how the message came: ESMTPSA, UTF8LMTPS and so on."""
    word = envelope.protocol
    if word not in ("ESMTP", "LMTP"):
        return word  # SMTP before EHLO, NNTP: they have no suffixes
    if envelope.utf8:
        word = "UTF8SMTP" if word == "ESMTP" else "UTF8LMTP"
    return word + ("S" if envelope.peer.secure else "") + ("A" if envelope.identity is not None else "")


def registered_cipher(name: str) -> str:
    """OpenSSL's name as IANA's; "" for those that we do not offer."""
    if name.startswith("TLS_"):
        return name
    found = _TLS12.fullmatch(name)
    if found is None:
        return ""
    suite = found[3].replace("AES", "AES_").replace("-", "_")
    if suite.startswith("CHACHA"):
        suite += "_SHA256"
    return f"TLS_{found[1]}_{found[2]}_WITH_{suite}"


def literal(address: str) -> str:
    """An address literal; "" for what is no IP address (a Unix socket)."""
    if ":" in address:
        return f"[IPv6:{address.partition('%')[0]}]"
    return f"[{address}]" if address[:1].isdigit() else ""


def _client(helo: str, peer: Peer) -> str:
    """What the client calls itself, and where it really is."""
    where = literal(peer.address) or (f"local user {_UNSAFE.sub('?', peer.user)}" if peer.user else "")
    name = helo[:MAX_CLAUSE]
    if not _DOMAIN.fullmatch(name):
        clean = _UNSAFE.sub("?", name)
        place = literal(peer.address) or "localhost"
        return f"{place} (helo={clean})" if clean else place
    return f"{name} ({where})" if where else name
