"""Certificates from pebble, the test authority of Let's Encrypt (RFC 8555, RFC 8737), on loopback."""

import asyncio
import contextlib
import dataclasses
import json
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trustme
from cryptography import x509

from quintet.clock import FrozenClock, SystemClock
from quintet.config.acme import Acme
from quintet.config.listeners import STANDARD
from quintet.config.net import Certificate, Tls
from quintet.net import acme, tls
from tests.support import ports
from tests.support.server import spawn_server
from tests.support.serving import serving

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        not (shutil.which("pebble") and shutil.which("pebble-challtestsrv")),
        reason="Debian's package pebble is not installed",
    ),
]

NAMES = ("mail.quintet.test", "news.quintet.test")


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert process.poll() is None, "it ended at once"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    pytest.fail("it does not listen")


class Authority:
    """A running pebble; it asks our ``http_port`` and ``tls_port`` for proofs."""

    def __init__(self, folder: Path) -> None:
        self._keeping = contextlib.ExitStack()
        numbers = ports.keep_some(6, self._keeping)
        self.port, self.http_port, self.tls_port, self._dns, self._management, self._admin = numbers
        self.ca_file = folder / "ca.pem"
        self._folder = folder
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca_file)
        pair = authority.issue_cert("127.0.0.1", "localhost")
        pair.private_key_pem.write_to_path(folder / "key.pem")
        for index, blob in enumerate(pair.cert_chain_pems):
            blob.write_to_path(folder / "cert.pem", append=index > 0)
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def directory(self) -> str:
        return f"https://127.0.0.1:{self.port}/dir"

    def start(self) -> None:
        settings = {
            "listenAddress": f"127.0.0.1:{self.port}",
            "managementListenAddress": f"127.0.0.1:{self._admin}",
            "certificate": str(self._folder / "cert.pem"),
            "privateKey": str(self._folder / "key.pem"),
            "httpPort": self.http_port,
            "tlsPort": self.tls_port,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
        }
        (self._folder / "pebble.json").write_text(json.dumps({"pebble": settings}))
        off = [f"-{name}=" for name in ("http01", "https01", "tlsalpn01", "defaultIPv6")]
        names = ["-dns01", f"127.0.0.1:{self._dns}", "-management", f"127.0.0.1:{self._management}"]
        self._run("pebble-challtestsrv", *off, *names, port=self._management)
        config = ["-config", str(self._folder / "pebble.json"), "-dnsserver", f"127.0.0.1:{self._dns}"]
        self._run("pebble", *config, port=self.port)

    def _run(self, *command: str, port: int) -> None:
        env = {
            **os.environ,
            "PEBBLE_VA_NOSLEEP": "1",
            "PEBBLE_AUTHZREUSE": "0",
            "PEBBLE_WFE_NONCEREJECT": "0",
        }
        with (self._folder / f"{command[0]}.log").open("wb") as log:
            process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        self._processes.append(process)
        wait_for(port, process)

    def stop(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(10)
        self._keeping.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    made = Authority(tmp_path_factory.mktemp("pebble"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


def config(authority: Authority, **options) -> Acme:
    base = {
        "names": NAMES,
        "directory": authority.directory,
        "agree": True,
        "ca_file": str(authority.ca_file),
    }
    return Acme(**{**base, "email": "postmaster@quintet.test", "timeout_s": 30.0, **options})


@contextlib.asynccontextmanager
async def http_server(port: int, issuer: acme.Issuer) -> AsyncIterator[list[str]]:
    """As much of an HTTP server as the challenge needs."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ")[1].decode()
        asked.append(path)
        answer = issuer.proofs.http(path.removeprefix("/.well-known/acme-challenge/"))
        status, body = ("200 OK", answer) if answer else ("404 Not Found", "")
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()
        )
        await writer.drain()
        writer.close()

    async with serving(serve, port=port):
        yield asked


def issued(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes())


async def test_certificate_by_http_01_is_issued_kept_and_renewed(
    authority: Authority, tmp_path: Path
) -> None:
    renewed: list[int] = []
    clock = FrozenClock(SystemClock().now())
    issuer = acme.Issuer(config(authority), tmp_path, clock=clock, renewed=lambda: renewed.append(1))
    assert issuer.prepare() == tmp_path / acme.CERTIFICATE
    contexts = tls.Contexts(Tls(certificates=(Certificate(certificate=str(issuer.path)),)))
    assert issuer.due()
    async with http_server(authority.http_port, issuer) as asked:
        assert await issuer.renew()
        assert len(set(asked)) == 2  # several validators ask for each name
        chain = issued(issuer.path)
        assert set(tls.certificate_names(chain[0])) == set(NAMES)
        assert chain[0].issuer == chain[1].subject
        assert (issuer.path.stat().st_mode & 0o777, renewed) == (0o600, [1])
        assert contexts.refresh()  # what stands there is a pair that fits
        assert not issuer.due()
        assert await issuer.renew()
        assert len(set(asked)) == 2  # nothing was due
        account = (tmp_path / acme.ACCOUNT).read_bytes()
        clock.advance(86400 * 365 * 6)
        assert issuer.due()
        assert await acme.Issuer(config(authority), tmp_path, clock=clock).renew()  # as after a restart
        assert issued(issuer.path)[0].serial_number != chain[0].serial_number
        assert (tmp_path / acme.ACCOUNT).read_bytes() == account
        (tmp_path / acme.ACCOUNT).write_text(
            json.dumps({**json.loads(account), "directory": "https://other/"})
        )
        assert await issuer.renew(force=True)  # the key is known there: the account is found again
        assert json.loads((tmp_path / acme.ACCOUNT).read_bytes())["account"] == json.loads(account)["account"]
    assert list((tmp_path / acme.PROOFS).iterdir()) == []


async def test_certificate_by_tls_alpn_01(authority: Authority, tmp_path: Path) -> None:
    """RFC 8737, shown by the contexts that every listener uses."""
    issuer = acme.Issuer(config(authority, challenge="tls-alpn-01"), tmp_path)
    contexts = tls.Contexts(Tls(certificates=(Certificate(certificate=str(issuer.prepare())),)))
    contexts.challenger = issuer.proofs.alpn_context

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    async with serving(serve, port=authority.tls_port, ssl=contexts.server("http")):
        assert await issuer.renew()
        assert set(tls.certificate_names(issued(issuer.path)[0])) == set(NAMES)
        assert contexts.refresh()
        trusting = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        _, writer = await asyncio.open_connection(
            "127.0.0.1", authority.tls_port, ssl=trusting, server_hostname=NAMES[0]
        )
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_refused_proof_leaves_the_old_certificate_and_is_explained(
    authority: Authority, tmp_path: Path
) -> None:
    from quintet import log

    issuer = acme.Issuer(config(authority), tmp_path)
    before = issuer.prepare().read_bytes()
    with log.capture() as lines:
        assert not await issuer.renew()  # nobody listens on the port that is asked
    assert lines[-1]["event"] == "certificate not issued"
    assert "connection" in lines[-1]["text"].lower()
    assert issuer.path.read_bytes() == before
    assert list((tmp_path / acme.PROOFS).iterdir()) == []


@pytest.mark.parametrize("challenge", ["http-01", "tls-alpn-01"])
def test_a_whole_server_fetches_its_certificate_and_shows_it(
    authority: Authority, tmp_path: Path, challenge: str
) -> None:
    """Two workers, of which one asks and any may be asked; mail and web show the new certificate unasked."""
    made = {
        each.name: dataclasses.replace(each, address="127.0.0.1", port=0)
        for each in STANDARD
        if each.name in ("http", "https", "imaps")
    }
    made["http"] = dataclasses.replace(made["http"], port=authority.http_port)
    made["https"] = dataclasses.replace(made["https"], port=authority.tls_port)
    section = {each: getattr(config(authority), each) for each in ("names", "directory", "agree", "ca_file")}
    with spawn_server(
        tmp_path, workers=2, listeners=made, acme={**section, "challenge": challenge}, tls={"check_s": 1.0}
    ) as server:
        for name in ("imaps", "https"):
            shown = shown_in_the_end(server.ports[name])
            assert all("Pebble" in each for each in shown), f"{name} shows {shown}\n{server.log.read_text()}"


def shown_in_the_end(port: int) -> list[str]:
    """The issuers of four certificates, of either worker: all of the authority, or as they are after 30 s."""
    for _ in range(300):
        shown = [issuer_of(port, NAMES[0]) for _ in range(4)]
        if all("Pebble" in each for each in shown):
            break
        time.sleep(0.1)
    return shown


def issuer_of(port: int, name: str) -> str:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 5) as plain:
        with context.wrap_socket(plain, server_hostname=name) as secured:
            return x509.load_der_x509_certificate(secured.getpeercert(True)).issuer.rfc4514_string()
