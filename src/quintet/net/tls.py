"""TLS contexts: made from certificate files, chosen by server name, made anew when a file changes.

TLS 1.2 and later only (RFC 8996), certificates by SNI (RFC 6066 3), ALPN by protocol (RFC 7301).
The handshake itself is in `filters` and `stream`.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import ssl
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from quintet import log
from quintet.config.net import Certificate, Tls
from quintet.net.filters import server_end_point
from quintet.values import dataclass

ALPN = {"imap": ("imap",), "pop3": ("pop3",), "nntp": ("nntp",), "http": ("http/1.1",)}  # IANA's registry

logger = log.get("tls")


class Context(ssl.SSLContext):
    """A server context that knows the channel binding of its certificate."""

    end_point: bytes = b""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate as it was read."""

    certificate: str  # file
    key: str  # file
    names: tuple[str, ...]  # lower case; may begin with "*."
    end_point: bytes


class Contexts:
    """All server contexts of a process; one object serves every listener.

    Files are looked at again at most every ``config.check_s`` seconds, when a handshake begins; when they
    cannot be used the old certificates stay and the log says why.  Connections that stand are not touched.

    Raises:
        OSError, ssl.SSLError, ValueError: at the start only: a file is missing or no certificate.
    """

    def __init__(self, config: Tls, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._monotonic = monotonic
        self._pairs = [_read(each) for each in config.certificates]
        self._seen = self._look()
        self._checked_at = monotonic()
        self._made: dict[str, list[Context]] = {}  # by protocol, in the order of _pairs
        self._names: dict[str, dict[str, Context]] = {}  # by protocol: which of them a server name gets
        self._challenges: dict[str, ssl.SSLContext] = {}
        self.challenger: Callable[[str], ssl.SSLContext | None] | None = None
        """Asked at each handshake with SNI, for proofs of any worker (`acme_proofs.Proofs.alpn_context`)."""
        self.available = bool(self._pairs)
        if self.available:
            self._contexts("")  # a key that does not fit is told now

    def server(self, protocol: str = "") -> ssl.SSLContext:
        """The context to begin a handshake with; the client's SNI then chooses the certificate.

        It may be kept for ever: each handshake begun with it looks for the certificates of that moment.
        """
        return self._current(protocol)[0]

    def giver(self, protocol: str) -> Callable[[], ssl.SSLContext] | None:
        """`server` for one protocol, None where there is no certificate at all."""
        return (lambda: self.server(protocol)) if self.available else None

    def refresh(self, config: Tls | None = None) -> bool:
        """Looks at the files (or takes another configuration); True when certificates changed."""
        self._checked_at = self._monotonic()
        wanted = config or self._config
        try:
            seen = self._look(wanted)
            if config is None and seen == self._seen:
                return False
            pairs = [_read(each) for each in wanted.certificates]
            for pair in pairs:
                _make(pair, wanted, ())
        except (OSError, ssl.SSLError, ValueError) as error:
            logger.warning("certificate unusable", text=str(error))
            return False
        self._config, self._pairs, self._seen, self._made = wanted, pairs, seen, {}
        self.available = bool(pairs)
        logger.info("certificates read", names=[name for pair in pairs for name in pair.names])
        return True

    def challenge(self, name: str, context: ssl.SSLContext | None) -> None:
        """Shows ``context`` to those who ask for ``name`` (RFC 8737), until called with None."""
        if context is None:
            self._challenges.pop(name.lower(), None)
        else:
            self._challenges[name.lower()] = context

    def _current(self, protocol: str) -> list[Context]:
        if self._monotonic() - self._checked_at >= self._config.check_s:
            self.refresh()
        return self._contexts(protocol)

    def _contexts(self, protocol: str) -> list[Context]:
        made = self._made.get(protocol)
        if made is None:
            if not self._pairs:
                raise ValueError("no certificate is configured")
            made = [_make(pair, self._config, ALPN.get(protocol, ())) for pair in self._pairs]
            made[0].sni_callback = self._chooser(protocol)
            self._made[protocol] = made
            by_name = self._names[protocol] = {}
            for pair, context in zip(self._pairs, made, strict=True):
                for name in pair.names:
                    by_name.setdefault(name, context)
        return made

    def _chooser(self, protocol: str) -> Callable[[ssl.SSLObject, str, ssl.SSLContext], int | None]:
        def choose(connection: ssl.SSLObject, name: str, _: ssl.SSLContext) -> None:
            name = (name or "").lower().rstrip(".")  # typeshed forgets that it is None without SNI
            setattr(connection, "server_name", name)  # noqa: B010 - SSLObject declares no such attribute
            proof = self.challenger(name) if self.challenger is not None else None
            current = self._current(protocol)  # an HTTP server keeps the context it began with
            by_name = self._names[protocol]
            chosen = proof or self._challenges.get(name) or by_name.get(name) or by_name.get(_wildcard(name))
            connection.context = chosen or current[0]

        return choose

    def _look(self, config: Tls | None = None) -> list[tuple[str, int, int, int]]:
        seen = []
        wanted = config or self._config
        for each in wanted.certificates:
            for name in (each.certificate, each.key or each.certificate):
                found = os.stat(name)
                seen.append((name, found.st_mtime_ns, found.st_size, found.st_ino))
        return seen


def _wildcard(name: str) -> str:
    return "*." + name.partition(".")[2]


def _read(each: Certificate) -> Pair:
    pem = Path(each.certificate).read_bytes()
    certificate = x509.load_pem_x509_certificate(pem)
    names = tuple(name.lower() for name in each.names) or tuple(certificate_names(certificate))
    der = certificate.public_bytes(serialization.Encoding.DER)
    return Pair(each.certificate, each.key or each.certificate, names, server_end_point(der))


def certificate_names(certificate: x509.Certificate) -> list[str]:
    """The DNS names it is for, lower case; its common name where it has none (RFC 6125 6.4.4)."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = found.value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        names = []
    if not names:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        names = [value for each in common if isinstance(value := each.value, str)]
    return [name.lower() for name in names]


def _make(pair: Pair, config: Tls, alpn: Sequence[str]) -> Context:
    context = Context(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = (
        ssl.TLSVersion.TLSv1_3 if config.minimum_version == "1.3" else ssl.TLSVersion.TLSv1_2
    )
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 1
    if config.ciphers:
        context.set_ciphers(config.ciphers)
    context.load_cert_chain(pair.certificate, pair.key)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if config.client_ca:
        context.load_verify_locations(config.client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    context.end_point = pair.end_point
    return context


def client_context(
    verify: bool, *, ca_file: str | None = None, minimum: str = "1.2", alpn: Sequence[str] = ()
) -> ssl.SSLContext:
    """A context for connecting out: with ``verify`` the chain and the name must be right."""
    context = ssl.create_default_context(cafile=ca_file)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if minimum == "1.3" else ssl.TLSVersion.TLSv1_2
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def self_signed(names: Iterable[str], *, days: int = 3650, now: datetime.datetime | None = None) -> bytes:
    """A new key (P-256) and a certificate signed by itself, as PEM; ``names`` are host names or addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = list(names)
    begin = (now or datetime.datetime.now(datetime.UTC)) - datetime.timedelta(hours=1)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    public = key.public_key()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return secret + certificate.public_bytes(serialization.Encoding.PEM)


def write_self_signed(path: Path, names: Iterable[str]) -> bool:
    """`self_signed` into a file that only its owner reads; False: a file that is there already stays."""
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:  # mode 0600
        file.write(self_signed(names))
    try:
        os.link(file.name, path)
    except FileExistsError:  # another worker was first, and uses its own already
        return False
    finally:
        os.unlink(file.name)
    return True


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
