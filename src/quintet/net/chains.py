"""Chains of certificates as a server shows them: who signed whom, until when, for which names.

For what `ssl` does not check: anchors from TLSA records, fingerprints, names other than the host's.  The
authorities of the system are OpenSSL's business (`net.tls.client_context`).  RFC 5280 6.1, RFC 6125 6.4.
"""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

MAX_DEPTH = 8  # certificates between the server's and the anchor, both counted; real chains have 2 to 4
MAX_CHAIN = 16  # certificates looked at

# RFC 8460 4.3.2: the words of reports, which say as much as anything else would
NOT_TRUSTED = "certificate-not-trusted"
EXPIRED = "certificate-expired"
HOST_MISMATCH = "certificate-host-mismatch"

# critical extensions that `verify` honours; a chain with any other one is not believed (RFC 5280 4.2)
_KNOWN = frozenset(
    (
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.NAME_CONSTRAINTS,
        # any policy will do (RFC 5280 6.1.1 (c)); what demands one is an extension of its own
        ExtensionOID.CERTIFICATE_POLICIES,
    )
)
_ADDRESS = re.compile(r"[0-9.]+|[0-9a-f:.]*:[0-9a-f:.]*")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")


class Untrusted(Exception):
    """A certificate does not prove what it should; ``kind`` is RFC 8460's word."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


def load(der: bytes) -> x509.Certificate:
    """Raises Untrusted for what is no certificate."""
    try:
        return x509.load_der_x509_certificate(der)
    except Exception as error:  # the library raises many kinds for damaged DER
        raise Untrusted(NOT_TRUSTED, "what the server showed is no certificate") from error


def public_key(der: bytes) -> bytes | None:
    """The SubjectPublicKeyInfo of a certificate (DER), None where it cannot be read."""
    try:
        return (
            load(der)
            .public_key()
            .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
    except (Untrusted, ValueError, UnsupportedAlgorithm):
        return None


def fingerprints(der: bytes) -> set[str]:
    """SHA-256 of a certificate and of its public key, lower-case hex."""
    key = public_key(der)
    return {hashlib.sha256(each).hexdigest() for each in (der, key) if each is not None}


def verify(
    chain: Sequence[bytes],
    is_anchor: Callable[[bytes], bool],
    published: bytes | None,
    now: datetime.datetime,
    *,
    key: bytes | None = None,
) -> None:
    """Follows the chain from the server's certificate to one that ``is_anchor`` says is trusted.

    The order in which issuers were sent does not matter; ``published`` is an anchor the server need not
    send, ``key`` the public key (DER) of one.  Dates, signatures, CA marks, key usage, path lengths and name
    constraints must be right up to the anchor, whose own dates count too (RFC 7671 5.2 leaves RFC 5280's
    rules in place).  An anchor that says nothing of itself (version 1) is a CA by being named.

    Raises:
        Untrusted: it does not lead there.
    """
    ders = list(dict.fromkeys([*chain[:MAX_CHAIN], *([published] if published else [])]))
    here, below = ders[0], 0
    certificate = load(here)
    _usable_by_server(certificate)
    wrong = Untrusted(NOT_TRUSTED, "the chain does not lead to a trust anchor of the TLSA records")
    seen = {here}
    for _ in range(MAX_DEPTH):
        _in_time(certificate, now)
        _no_unknown(certificate)
        if below:
            _allows(certificate, ders[0])
            if is_anchor(here):
                return
        if key is not None and _signed_by(certificate, key):
            return
        found = next(
            (
                each
                for each in ders
                if each not in seen and _issued(load(each), certificate, below, anchor=is_anchor(each))
            ),
            None,
        )
        if found is None:
            raise wrong
        here, certificate, below = found, load(found), below + 1
        seen.add(found)
    raise wrong


def _issued(issuer: x509.Certificate, certificate: x509.Certificate, below: int, *, anchor: bool) -> bool:
    """``issuer`` may sign and did; ``below`` authorities stand between it and the server's certificate."""
    try:
        if not _is_authority(issuer, below, anchor=anchor):
            return False
        certificate.verify_directly_issued_by(issuer)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.InvalidVersion):
        return False
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _is_authority(issuer: x509.Certificate, below: int, *, anchor: bool) -> bool:
    try:
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return anchor
    if not constraints.ca:
        return False
    if constraints.path_length is not None and constraints.path_length < below:
        return False
    try:
        return issuer.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return True  # RFC 5280 6.1.4 (n): where it is missing nothing is forbidden


def _signed_by(certificate: x509.Certificate, key: bytes) -> bool:
    """By the holder of a public key of which there is no certificate."""
    try:
        public: Any = serialization.load_der_public_key(key)  # Any: the algorithms' methods differ
        how: tuple[Any, ...] = ()  # as above
        if isinstance(public, rsa.RSAPublicKey):
            how = (certificate.signature_algorithm_parameters, certificate.signature_hash_algorithm)
        elif isinstance(public, ec.EllipticCurvePublicKey):
            how = (certificate.signature_algorithm_parameters,)
        public.verify(certificate.signature, certificate.tbs_certificate_bytes, *how)
    except (ValueError, TypeError, AttributeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _allows(issuer: x509.Certificate, server: bytes) -> None:
    """Name constraints of an authority, for the server's names (RFC 5280 4.2.1.10).  Raises Untrusted.

    Constraints of other kinds than DNS names and addresses cannot be judged: such a chain is not believed.
    """
    try:
        limits = issuer.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return
    except (ValueError, x509.DuplicateExtension) as error:
        raise Untrusted(NOT_TRUSTED, "certificate with damaged extensions") from error
    permitted, excluded = limits.permitted_subtrees or (), limits.excluded_subtrees or ()
    if not all(isinstance(each, x509.DNSName | x509.IPAddress) for each in (*permitted, *excluded)):
        raise Untrusted(NOT_TRUSTED, "certificate of an authority with constraints that are not known")
    for name in names_of(server):
        kind = x509.IPAddress if _ADDRESS.fullmatch(name) else x509.DNSName
        within = [each for each in permitted if isinstance(each, kind)]
        if any(_within(name, each) for each in excluded) or (
            within and not any(_within(name, each) for each in within)
        ):
            raise Untrusted(NOT_TRUSTED, f"an authority of the chain may not vouch for {name}")


def _within(name: str, subtree: x509.GeneralName) -> bool:
    if isinstance(subtree, x509.IPAddress):
        networks = (ipaddress.IPv4Network, ipaddress.IPv6Network)
        try:
            found = ipaddress.ip_address(name)
        except ValueError:
            return False
        return isinstance(subtree.value, networks) and found in subtree.value
    if not isinstance(subtree, x509.DNSName) or _ADDRESS.fullmatch(name):
        return False
    top = subtree.value.lower().strip(".")
    return not top or f".{name}".endswith(f".{top}")


def _in_time(certificate: x509.Certificate, now: datetime.datetime) -> None:
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise Untrusted(EXPIRED, f"certificate is valid until {certificate.not_valid_after_utc:%Y-%m-%d}")


def _no_unknown(certificate: x509.Certificate) -> None:
    try:
        unknown = [each.oid for each in certificate.extensions if each.critical and each.oid not in _KNOWN]
    except (ValueError, x509.DuplicateExtension) as error:
        raise Untrusted(NOT_TRUSTED, "certificate with damaged extensions") from error
    if unknown:
        raise Untrusted(NOT_TRUSTED, f"certificate with critical extension {unknown[0].dotted_string}")


def _usable_by_server(certificate: x509.Certificate) -> None:
    """RFC 5280 4.2.1.12."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    except (ValueError, x509.DuplicateExtension) as error:
        raise Untrusted(NOT_TRUSTED, "certificate with damaged extensions") from error
    if not {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(usage):
        raise Untrusted(NOT_TRUSTED, "certificate is not for a server")


def names_of(der: bytes, *, common: bool = True) -> list[str]:
    """DNS names and addresses of a certificate, lower case.

    Its common name where it has no DNS name (RFC 6125 6.4.4), unless ``common`` is False.
    """
    certificate = load(der)
    addresses: list[str] = []
    try:
        try:
            found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            names = found.get_values_for_type(x509.DNSName)
            addresses = [str(each) for each in found.get_values_for_type(x509.IPAddress)]
        except x509.ExtensionNotFound:
            names = []
        if not names and common:
            found_names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
            names = [value for each in found_names if isinstance(value := each.value, str)]
    except (ValueError, x509.DuplicateExtension) as error:
        raise Untrusted(NOT_TRUSTED, "certificate with damaged extensions") from error
    return [name.lower().rstrip(".") for name in names] + addresses


def check_name(der: bytes, wanted: Sequence[str], *, common: bool = True) -> None:
    """The certificate bears one of ``wanted``.  Raises Untrusted(HOST_MISMATCH)."""
    found = names_of(der, common=common)
    if not any(covers(name, each) for name in found for each in wanted):
        shown = ", ".join(found[:4]) or "no name"
        raise Untrusted(HOST_MISMATCH, f"certificate is for {shown}, not for {' or '.join(wanted[:4])}")


def is_name(text: str) -> bool:
    """A DNS name of ordinary labels, without its final dot."""
    return len(text) <= 253 and all(_LABEL.fullmatch(label) for label in text.lower().split("."))


def covers(name: str, wanted: str) -> bool:
    """Whether a name in a certificate, perhaps "*.example.org", stands for ``wanted``.

    A wanted ".example.org" is every name below it.  A star is the whole left-most label and stands for one
    (RFC 6125 6.4.3; RFC 8461 4.1); of a whole top level domain none is believed, as OpenSSL does.
    """
    name, wanted = name.lower().rstrip("."), wanted.lower().rstrip(".")
    if name == wanted:
        return bool(name)
    bare = name.removeprefix("*.")
    if _ADDRESS.fullmatch(wanted) or not is_name(bare):
        return False
    if wanted.startswith("."):
        return name.endswith(wanted) and len(name) > len(wanted)
    if name.startswith("*."):
        return "." in bare and wanted.partition(".")[2] == bare and bool(wanted.partition(".")[0])
    return False
