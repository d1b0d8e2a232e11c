"""TLSA records: read, judged usable for mail, and compared with what a server shows.

Pure; where the records come from and whether they can be believed is `delivery.tlspolicy`'s.
RFC 6698 2.1 (the record), RFC 7671, RFC 7672 3.1 (what mail makes of it).
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from quintet.errors import BadSyntax
from quintet.net import chains
from quintet.values import dataclass

TRUST_ANCHOR = 2  # DANE-TA: the chain leads to it
END_ENTITY = 3  # DANE-EE: it is the server's own

MAX_RECORDS = 32  # of one name that are looked at; real ones have two to six
MAX_DATA = 16 * 1024  # bytes of a record's data; a certificate has one to three thousand

_HASHES = {1: ("sha256", 32), 2: ("sha512", 64)}  # RFC 6698 2.1.3


@dataclass(frozen=True, slots=True)
class Tlsa:
    """One record (RFC 6698 2.1)."""

    usage: int
    selector: int  # 0: the whole certificate, 1: its public key
    matching: int  # 0: the data itself, 1: SHA-256, 2: SHA-512
    data: bytes

    @property
    def usable(self) -> bool:
        """RFC 7672 3.1.3: PKIX-TA and PKIX-EE are not, nor is what we cannot read."""
        if self.usage not in (TRUST_ANCHOR, END_ENTITY) or self.selector not in (0, 1):
            return False
        if self.matching in _HASHES:
            return len(self.data) == _HASHES[self.matching][1]
        return self.matching == 0 and self._readable()

    def _readable(self) -> bool:
        try:
            if self.selector == 0:
                x509.load_der_x509_certificate(self.data)
            else:
                serialization.load_der_public_key(self.data)
        except Exception:  # noqa: BLE001 - the library raises many kinds for damaged DER
            return False
        return True

    def fits(self, der: bytes) -> bool:
        """Whether it speaks of this certificate.  Never raises."""
        selected = der if self.selector == 0 else chains.public_key(der)
        if selected is None:
            return False
        if self.matching in _HASHES:
            return hashlib.new(_HASHES[self.matching][0], selected).digest() == self.data
        return self.matching == 0 and selected == self.data

    def __str__(self) -> str:
        return f"{self.usage} {self.selector} {self.matching} {self.data.hex()}"


def read(text: str) -> Tlsa:
    """The presentation form "3 1 1 HEX", white space in the hex allowed (RFC 6698 2.2).  Raises BadSyntax."""
    words = text.split()
    try:
        usage, selector, matching = (_octet(word) for word in words[:3])
        data = bytes.fromhex("".join(words[3:]))
    except ValueError:
        raise BadSyntax(f"no TLSA record: {text[:80]!r}") from None
    if not data or len(data) > MAX_DATA:
        raise BadSyntax("a TLSA record without data, or with too much")
    return Tlsa(usage, selector, matching, data)


def _octet(word: str) -> int:
    if not (word.isascii() and word.isdigit()) or int(word) > 255:
        raise ValueError(word)
    return int(word)


def records(found: Sequence[Any]) -> tuple[Tlsa, ...]:
    """Those of an answer, dnspython's TLSA rdata (Any: the library's class is made at run time)."""
    return tuple(
        Tlsa(each.usage, each.selector, each.mtype, bytes(each.cert))
        for each in found[:MAX_RECORDS]
        if len(each.cert) <= MAX_DATA
    )


def verify(
    tlsa: Sequence[Tlsa], chain: Sequence[bytes], names: Sequence[str], now: datetime.datetime
) -> Tlsa:
    """The record that proves the server; ``chain`` (DER) is what it showed, its own certificate first.

    ``names`` are what a certificate under a trust anchor may bear (RFC 7672 3.2.2); for DANE-EE neither
    names nor dates count (RFC 7672 3.1.1).

    Raises:
        chains.Untrusted: no usable record matches; it says what was wrong with the nearest one.
    """
    if not chain:
        raise chains.Untrusted(chains.NOT_TRUSTED, "the server showed no certificate")
    usable = [each for each in tlsa if each.usable]
    for each in usable:
        if each.usage == END_ENTITY and each.fits(chain[0]):
            return each
    wrong: chains.Untrusted | None = None
    for each in usable:
        if each.usage == TRUST_ANCHOR:
            try:
                chains.verify(chain, each.fits, _published(each), now, key=_key(each))
                chains.check_name(chain[0], names)
            except chains.Untrusted as problem:
                # a chain that led to the anchor and failed by its name says more than one that did not
                wrong = problem if wrong is None or problem.kind != chains.NOT_TRUSTED else wrong
            else:
                return each
    raise wrong or chains.Untrusted(chains.NOT_TRUSTED, "no TLSA record matches the certificate")


def _published(record: Tlsa) -> bytes | None:
    """A trust anchor's certificate where the record holds it whole: the server need not send it."""
    return record.data if record.selector == 0 and record.matching == 0 else None


def _key(record: Tlsa) -> bytes | None:
    """A trust anchor's public key where the record holds it whole (RFC 7671 5.2.2)."""
    return record.data if record.selector == 1 and record.matching == 0 else None
