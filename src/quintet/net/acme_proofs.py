"""Proofs for an ACME authority, as files that every worker shows: HTTP-01 and TLS-ALPN-01.

The worker that fetches a certificate writes them; the authority's question may reach any worker.  A proof
is gone when its certificate is there or was refused.  RFC 8555 8.3, RFC 8737 3.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import re
import ssl
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ALPN = "acme-tls/1"  # RFC 8737 6.2
IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")  # RFC 8737 6.1: id-pe-acmeIdentifier

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,128}")  # RFC 8555 8.3: base64url, so no path can be built of it
_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


def write_private(path: Path, data: bytes) -> None:
    """``data`` in a file only its owner reads; whole or not at all, on the disk when this returns."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:  # mode 0600
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Proofs:
    """The proofs in ``directory``; reading costs nothing while there are none."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._contexts: dict[str, tuple[int, ssl.SSLContext]] = {}

    def http(self, token: str) -> str | None:
        """What GET /.well-known/acme-challenge/``token`` answers (as application/octet-stream), or None."""
        if not _TOKEN.fullmatch(token):
            return None
        try:
            return (self._directory / f"{token}.http").read_text("ascii")
        except OSError:
            return None

    def alpn_certificate(self, name: str) -> tuple[bytes, bytes] | None:
        """Certificate and key (PEM) of a handshake for ``name`` with ALPN "acme-tls/1", or None."""
        path = self._alpn_path(name)
        try:
            pem = path.read_bytes() if path else b""
        except OSError:
            return None
        at = pem.find(b"-----BEGIN CERTIFICATE")
        return (pem[at:], pem[:at]) if at > 0 else None

    def alpn_context(self, name: str) -> ssl.SSLContext | None:
        """The context for such a handshake, or None; one look at a file, so cheap enough for each SNI."""
        path = self._alpn_path(name)
        if path is None:
            return None
        try:
            stamp = path.stat().st_mtime_ns
        except OSError:
            self._contexts.pop(name, None)
            return None
        known = self._contexts.get(name)
        if known is None or known[0] != stamp:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.set_alpn_protocols([ALPN])
            try:
                context.load_cert_chain(path)
            except OSError:  # also ssl.SSLError: it was removed under our hands
                return None
            known = self._contexts[name] = (stamp, context)
        return known[1]

    def put_http(self, token: str, answer: str) -> None:
        """Raises ValueError for a token that is none, OSError."""
        if not _TOKEN.fullmatch(token):
            raise ValueError("not an ACME token")
        write_private(self._directory / f"{token}.http", answer.encode("ascii"))

    def put_alpn(self, name: str, answer: str) -> None:
        """Raises ValueError for a name that is none, OSError."""
        path = self._alpn_path(name)
        if path is None:
            raise ValueError("not a host name")
        write_private(path, alpn_pem(name, answer))

    def clear(self) -> None:
        """Removes every proof."""
        for path in (*self._directory.glob("*.http"), *self._directory.glob("*.alpn")):
            path.unlink(missing_ok=True)

    def _alpn_path(self, name: str) -> Path | None:
        name = name.lower().rstrip(".")
        return self._directory / f"{name}.alpn" if _NAME.fullmatch(name) and len(name) < 250 else None


def alpn_pem(name: str, answer: str) -> bytes:
    """Key and self-signed certificate of RFC 8737 3 for one name, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    digest = hashlib.sha256(answer.encode("ascii")).digest()
    octets = b"\x04\x20" + digest  # DER: an OCTET STRING of 32 bytes
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.UnrecognizedExtension(IDENTIFIER, octets), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return secret + certificate.public_bytes(serialization.Encoding.PEM)
