"""What of ACME needs no authority: proofs as files, when a certificate is due, patience after failures."""

import asyncio
import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from quintet import log
from quintet.clock import FrozenClock, SystemClock
from quintet.config.acme import Acme
from quintet.net import acme, acme_proofs, tls

TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
ANSWER = TOKEN + ".9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"


def test_http_proof_is_there_until_cleared_and_nothing_else_is(tmp_path: Path) -> None:
    writer, reader = acme_proofs.Proofs(tmp_path / "p"), acme_proofs.Proofs(tmp_path / "p")
    assert reader.http(TOKEN) is None
    writer.put_http(TOKEN, ANSWER)
    assert reader.http(TOKEN) == ANSWER
    (tmp_path / "secret.http").write_text("secret")
    for token in ("../secret", "", "a/b", "x" * 129, "caf\u00e9", TOKEN + "\n"):
        assert reader.http(token) is None
        with pytest.raises(ValueError, match="token"):
            writer.put_http(token, ANSWER)
    writer.clear()
    assert reader.http(TOKEN) is None


def test_alpn_proof_is_the_certificate_of_rfc_8737(tmp_path: Path) -> None:
    proofs = acme_proofs.Proofs(tmp_path)
    assert proofs.alpn_certificate("mail.example.org") is None
    assert proofs.alpn_context("mail.example.org") is None
    proofs.put_alpn("Mail.Example.org", ANSWER)
    pair = proofs.alpn_certificate("mail.example.org")
    assert pair is not None
    certificate = x509.load_pem_x509_certificate(pair[0])
    assert tls.certificate_names(certificate) == ["mail.example.org"]
    extension = certificate.extensions.get_extension_for_oid(acme_proofs.IDENTIFIER)
    assert extension.critical
    assert isinstance(extension.value, x509.UnrecognizedExtension)
    assert extension.value.value[:2] == b"\x04\x20"
    assert len(extension.value.value) == 34
    assert serialization.load_pem_private_key(pair[1], None).public_key() == certificate.public_key()
    context = proofs.alpn_context("mail.example.org")
    assert isinstance(context, ssl.SSLContext)
    assert proofs.alpn_context("mail.example.org.") is not None
    assert proofs.alpn_context("mail.example.org") is context
    for name in ("", "../x", "a" * 70, "other.example.org"):
        assert proofs.alpn_context(name) is None
    with pytest.raises(ValueError, match="name"):
        proofs.put_alpn("../x", ANSWER)
    proofs.clear()
    assert proofs.alpn_context("mail.example.org") is None


def test_alpn_proof_reaches_who_asks_for_it(tmp_path: Path) -> None:
    """A handshake in memory: the proof is chosen by SNI, and its protocol agreed on."""
    from quintet.config.net import Certificate, Tls

    proofs = acme_proofs.Proofs(tmp_path / "p")
    own = tmp_path / "own.pem"
    assert tls.write_self_signed(own, ["mail.example.org"])
    contexts = tls.Contexts(Tls(certificates=(Certificate(certificate=str(own)),)))
    contexts.challenger = proofs.alpn_context

    def protocol() -> str | None:
        asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        asking.check_hostname, asking.verify_mode = False, ssl.CERT_NONE
        asking.set_alpn_protocols([acme_proofs.ALPN])
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        here = asking.wrap_bio(to_client, to_server, server_hostname="mail.example.org")
        there = contexts.server("imap").wrap_bio(to_server, to_client, server_side=True)
        for _ in range(4):
            for side in (here, there):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
        return here.selected_alpn_protocol()

    proofs.put_alpn("mail.example.org", ANSWER)
    assert protocol() == acme_proofs.ALPN
    proofs.clear()
    assert protocol() is None


def signed(names: list[str], begin: datetime.datetime, days: int) -> bytes:
    """A certificate that is not signed by itself."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    return (
        x509.CertificateBuilder(
            issuer, subject, key.public_key(), 1, begin, begin + datetime.timedelta(days=days)
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


@pytest.mark.parametrize(
    ("names", "life", "age", "due"),
    [
        (["a.test"], 90, 0, False),
        (["a.test"], 90, 59, False),
        (["a.test"], 90, 61, True),
        (["a.test"], 6, 3, False),
        (["a.test"], 6, 5, True),
        (["a.test", "b.test"], 90, 0, False),
        (["b.test"], 90, 0, True),
    ],
)
def test_certificate_is_due_in_the_last_third_or_month(
    tmp_path: Path, names: list[str], life: int, age: int, due: bool
) -> None:
    clock = FrozenClock(1_763_715_600_000)
    issuer = acme.Issuer(Acme(names=("A.test",)), tmp_path, clock=clock)
    assert issuer.due()
    issuer.prepare()
    assert issuer.due()  # it signed itself
    begin = datetime.datetime.fromtimestamp(clock.now() / 1000, datetime.UTC) - datetime.timedelta(days=age)
    issuer.path.write_bytes(signed(names, begin, life))
    assert issuer.due() is due


async def test_failures_wait_longer_and_nothing_is_asked_without_consent(tmp_path: Path) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 10:
            raise asyncio.CancelledError

    refused = Acme(names=("a.test",), agree=True, directory="http://127.0.0.1:9/dir", timeout_s=5.0)
    issuer = acme.Issuer(refused, tmp_path, clock=SystemClock(), sleep=sleep)
    with log.capture() as lines, pytest.raises(asyncio.CancelledError):
        await issuer.run()
    assert waits == [600, 1200, 2400, 4800, 9600, 19200, 38400, 76800, 86400, 86400]
    assert {line["event"] for line in lines} == {"certificate not issued"}
    for quiet in (Acme(), Acme(names=("a.test",))):
        assert await acme.Issuer(quiet, tmp_path).renew(force=True)
