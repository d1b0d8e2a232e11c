"""Certificates for tests of TLS out: authorities, servers with any dates and names, their TLSA records."""

import datetime
import hashlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DER = serialization.Encoding.DER
PEM = serialization.Encoding.PEM


@dataclass
class Holder:
    """A certificate with its key, and those above it that a server shows."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
    above: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(DER)

    @property
    def chain(self) -> list[bytes]:
        return [self.der, *(each.public_bytes(DER) for each in self.above)]

    @property
    def spki(self) -> bytes:
        return self.key.public_key().public_bytes(DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    def tlsa(self, usage: int, selector: int, matching: int) -> str:
        """The record that names this certificate, in presentation form."""
        data = self.spki if selector else self.der
        if matching:
            data = hashlib.new({1: "sha256", 2: "sha512"}[matching], data).digest()
        return f"{usage} {selector} {matching} {data.hex()}"

    def save(self, path: Path) -> Path:
        """Key and chain in one PEM file."""
        key = self.key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path.write_bytes(key + b"".join(each.public_bytes(PEM) for each in (self.certificate, *self.above)))
        return path

    def context(self, folder: Path) -> ssl.SSLContext:
        """A server's."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.save(folder / f"{self.certificate.serial_number}.pem"))
        return made


def issue(
    names: Sequence[str],
    by: Holder | None = None,
    *,
    ca: bool = False,
    path_length: int | None = None,
    days: tuple[int, int] = (-1, 30),
    common: str = "",
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    now: datetime.datetime | None = None,
    show_root: bool = True,
) -> Holder:
    """One certificate; ``days`` from now when it begins and ends; ``by`` None signs itself."""
    now = now or datetime.datetime.now(datetime.UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common or (names[0] if names else "x"))])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if by is not None:
        issuer = by.key.public_key()
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), critical=False
        )
    if names and not ca:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        )
    if ca:
        builder = builder.add_extension(_ca_usage(), critical=True)
    else:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
            critical=False,
        )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    signer = by.key if by else key
    made = builder.sign(signer, None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    above = () if by is None else (by.certificate, *by.above)
    return Holder(made, key, above if show_root else above[:-1])


def authority(name: str = "Test CA", by: Holder | None = None, **options) -> Holder:
    """An authority's certificate."""
    return issue([], by, ca=True, common=name, **options)


def bare_authority(by: Holder | None = None) -> Holder:
    """A certificate without extensions, as old authorities have."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Old CA")])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .sign(by.key if by else key, hashes.SHA256())
    )
    return Holder(made, key, () if by is None else (by.certificate, *by.above))


def _ca_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
