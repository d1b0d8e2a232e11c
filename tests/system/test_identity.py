"""Logging in to a whole server over sockets: every mechanism in every protocol, under real TLS.

Machines of mechanisms are `quintet.auth.client`'s where it has them; what one protocol wraps around a
response is the table `WORDS`.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import jwt
import pytest
import trustme

from quintet.auth import admin, client
from quintet.clock import SystemClock
from quintet.config.listeners import STANDARD
from quintet.config.net import Certificate, Tls
from quintet.errors import Refused
from quintet.net.filters import server_end_point
from quintet.store import accounts, entries, folders
from quintet.store.content import content_of
from quintet.store.db import Tx
from quintet.store.model import FolderId
from tests.support.server import HOST, Server, start_server

ALICE, SECRET = "alice@example.org", "demo"
TOKEN_KEY = b"0123456789abcdef0123456789abcdef"
TIME_S = 60.0


@dataclasses.dataclass(frozen=True)
class Words:
    """How a protocol carries SASL."""

    command: bytes
    challenge: bytes
    good: tuple[bytes, ...]
    bad: tuple[bytes, ...]


WORDS = {
    "imaps": Words(b"a AUTHENTICATE", b"+ ", (b"a OK",), (b"a NO", b"a BAD")),
    "submissions": Words(b"AUTH", b"334 ", (b"235 ",), (b"4", b"5")),
    "pop3s": Words(b"AUTH", b"+ ", (b"+OK",), (b"-ERR",)),
    "nntps": Words(b"AUTHINFO SASL", b"383 ", (b"281 ", b"283 "), (b"4", b"5")),
}


class Token:
    """OAUTHBEARER (RFC 7628 3.1)."""

    complete = True

    def __init__(self, name: str, token: str) -> None:
        self._response = f"n,a={name},\x01auth=Bearer {token}\x01\x01".encode()

    def first(self) -> bytes:
        return self._response

    def answer(self, challenge: bytes) -> bytes:
        return b"\x01"


class External:
    """RFC 4422 A."""

    complete = True

    def __init__(self, name: str = "") -> None:
        self._name = name.encode()

    def first(self) -> bytes:
        return self._name

    def answer(self, challenge: bytes) -> bytes:
        return b""


@dataclasses.dataclass
class House:
    """A server that asks for client certificates and takes tokens."""

    server: Server
    authority: trustme.CA
    folder: Path

    def context(self, *, certificate: str = "") -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        context.check_hostname = False
        if certificate:
            self.authority.issue_cert(certificate).configure_cert(context)
        return context

    async def connect(self, listener: str, context: ssl.SSLContext | None = None):
        reader, writer = await asyncio.open_connection(
            HOST,
            self.server.ports[listener],
            ssl=context or self.context(),
            server_hostname="mail.example.org",
        )
        await reader.readline()
        if listener == "submissions":
            writer.write(b"EHLO test\r\n")
            while not (await reader.readline()).startswith(b"250 "):
                pass
        return reader, writer

    async def login(
        self,
        listener: str,
        mechanism: str,
        machine: client.Machine | Token,
        context: ssl.SSLContext | None = None,
    ) -> bytes:
        """The protocol's last line."""
        async with asyncio.timeout(TIME_S):
            reader, writer = await self.connect(listener, context)
            try:
                return await converse(reader, writer, WORDS[listener], mechanism, machine)
            finally:
                writer.close()


async def converse(reader, writer, words: Words, mechanism: str, machine) -> bytes:
    first = machine.first()
    initial = b"" if first is None else b" " + (base64.b64encode(first) or b"=")
    writer.write(words.command + b" " + mechanism.encode() + initial + b"\r\n")
    while True:
        line = await reader.readline()
        if not line.startswith(words.challenge):
            break
        answer = machine.answer(base64.b64decode(line[len(words.challenge) :]))
        writer.write(base64.b64encode(answer) + b"\r\n")
    if line.startswith(b"283 "):  # RFC 4643 2.4: success with the server's last word
        machine.answer(base64.b64decode(line[4:]))
    while line.startswith(b"* "):  # IMAP tells what changed
        line = await reader.readline()
    assert line.startswith(words.good + words.bad), line
    assert machine.complete or line.startswith(words.bad)
    return line


def good(listener: str, line: bytes) -> bool:
    return line.startswith(WORDS[listener].good)


@asynccontextmanager
async def opened(folder: Path, **auth: object) -> AsyncIterator[House]:
    authority = trustme.CA()
    ca, pem, key = folder / "ca.pem", folder / "server.pem", folder / "token.key"
    authority.cert_pem.write_to_path(ca)
    authority.issue_cert("mail.example.org").private_key_and_cert_chain_pem.write_to_path(pem)
    key.write_bytes(TOKEN_KEY)
    section = {
        "token_keys": (f"hs256:{key}",),
        "token_audience": "mail.example.org",
        "external": "email",
        **auth,
    }
    tls = {"certificates": (Certificate(str(pem)),), "client_ca": str(ca), "check_s": 1.0}
    async with start_server(folder, only=("imap", "smtp", "pop3", "nntp"), auth=section, tls=tls) as server:
        yield House(server, authority, folder)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(tmp_path) as made:
        yield made


def token(
    name: str = ALICE, *, key: bytes = TOKEN_KEY, audience: str = "mail.example.org", left_s: int = 600
) -> str:
    return jwt.encode(
        {"email": name, "aud": audience, "exp": int(time.time()) + left_s}, key, algorithm="HS256"
    )


async def end_point(house: House) -> bytes:
    _, writer = await house.connect("imaps")
    certificate = writer.get_extra_info("ssl_object").getpeercert(True)
    writer.close()
    return server_end_point(certificate)


@pytest.mark.parametrize("listener", WORDS)
async def test_scram_with_channel_binding(house: House, listener: str) -> None:
    for mechanism in ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1"):
        binding = await end_point(house) if mechanism.endswith("PLUS") else b""
        right = client.Scram(mechanism, ALICE, SECRET, "nonce", end_point=binding)
        assert good(listener, await house.login(listener, mechanism, right))
    elsewhere = client.Scram("SCRAM-SHA-256-PLUS", ALICE, SECRET, "nonce", end_point=b"another certificate")
    with pytest.raises(Exception, match="channel-bindings-dont-match"):
        await house.login(listener, "SCRAM-SHA-256-PLUS", elsewhere)
    cut = client.Scram("SCRAM-SHA-256", ALICE, SECRET, "nonce", may_bind=True)  # RFC 5802 6: "y" is a warning
    with pytest.raises(Exception, match="server-does-support-channel-binding"):
        await house.login(listener, "SCRAM-SHA-256", cut)


@pytest.mark.parametrize("listener", WORDS)
async def test_plain_and_login(house: House, listener: str) -> None:
    assert good(listener, await house.login(listener, "PLAIN", client.Plain(ALICE, SECRET)))
    assert good(listener, await house.login(listener, "login", client.Login(ALICE, SECRET)))
    assert good(listener, await house.login(listener, "PLAIN", client.Plain("alice", SECRET, "alice")))
    assert not good(
        listener, await house.login(listener, "PLAIN", client.Plain(ALICE, SECRET, "bob@example.org"))
    )


@pytest.mark.parametrize("listener", WORDS)
async def test_tokens(house: House, listener: str) -> None:
    for mechanism, machine in (("OAUTHBEARER", Token), ("XOAUTH2", client.XOAuth2)):
        assert good(listener, await house.login(listener, mechanism, machine(ALICE, token())))
        for wrong in (
            token(key=b"f" * 32),
            token(audience="other"),
            token(left_s=-600),
            token("bob@example.org"),
            "x.y.z",
            "",
        ):
            assert not good(listener, await house.login(listener, mechanism, machine(ALICE, wrong)))


async def test_a_refused_token_is_told_why(house: House) -> None:
    heard: list[bytes] = []

    class Listening(Token):
        def answer(self, challenge: bytes) -> bytes:
            heard.append(challenge)
            return b"\x01"

    assert not good("imaps", await house.login("imaps", "OAUTHBEARER", Listening(ALICE, "bad")))
    assert json.loads(heard[0])["status"] == "invalid_token"  # RFC 7628 3.2.2


@pytest.mark.parametrize("listener", WORDS)
async def test_external_by_client_certificate(house: House, listener: str) -> None:
    with_hers = house.context(certificate=ALICE)
    assert good(listener, await house.login(listener, "EXTERNAL", External(), with_hers))
    assert good(
        listener, await house.login(listener, "EXTERNAL", External(ALICE), with_hers)
    )  # session resumed
    assert not good(listener, await house.login(listener, "EXTERNAL", External("bob@example.org"), with_hers))
    assert not good(listener, await house.login(listener, "EXTERNAL", External()))  # shows none
    stranger = house.context(certificate="mallory@example.org")
    assert not good(listener, await house.login(listener, "EXTERNAL", External(), stranger))


async def test_a_certificate_of_a_strange_authority_is_not_taken(house: House) -> None:
    context = house.context()
    trustme.CA().issue_cert(ALICE).configure_cert(context)
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
        await house.login("imaps", "EXTERNAL", External(), context)


async def test_app_password_serves_its_protocols_until_it_expires(house: House) -> None:
    store = house.server.store
    account = store.peek(accounts.find, ALICE)
    config, now = house.server.app.config.auth, SystemClock().now()
    pop = await admin.add_app_password(store, account.id, "old phone", ("pop3",), now + 3_600_000, config)
    past = await admin.add_app_password(store, account.id, "older", (), now - 1, config)
    for listener in WORDS:
        for mechanism in ("PLAIN", "SCRAM-SHA-256"):

            def machine(secret: str, mechanism: str = mechanism) -> client.Machine:
                if mechanism == "PLAIN":
                    return client.Plain(ALICE, secret)
                return client.Scram(mechanism, ALICE, secret, "nonce")

            try:
                answer = await house.login(listener, mechanism, machine(pop))
            except Refused:
                answer = b""
            assert good(listener, answer) is (listener == "pop3s"), (listener, mechanism)
            try:
                answer = await house.login(listener, mechanism, machine(past))
            except Refused:
                answer = b""
            assert not good(listener, answer), (listener, mechanism)


async def test_pop3_reads_a_folder_by_every_mechanism(house: House) -> None:
    name = "alice@example.org+Sent"
    sent = house.server.store.peek(_sent)
    await house.server.store.write(_letter, sent)
    binding = await end_point(house)
    ways = {
        "PLAIN": client.Plain(name, SECRET),
        "LOGIN": client.Login(name, SECRET),
        "SCRAM-SHA-256": client.Scram("SCRAM-SHA-256", name, SECRET, "nonce"),
        "SCRAM-SHA-256-PLUS": client.Scram("SCRAM-SHA-256-PLUS", name, SECRET, "nonce", end_point=binding),
        "SCRAM-SHA-1": client.Scram("SCRAM-SHA-1", "alice+Sent", SECRET, "nonce"),
        "OAUTHBEARER": Token(name, token()),
        "XOAUTH2": client.XOAuth2(name, token()),
        "EXTERNAL": External(name),
    }
    for mechanism, machine in ways.items():
        context = house.context(certificate=ALICE) if mechanism == "EXTERNAL" else None
        assert (await house.login("pop3s", mechanism, machine, context)).startswith(b"+OK 1 messages"), (
            mechanism
        )
    assert (await house.login("pop3s", "PLAIN", client.Plain(ALICE, SECRET))).startswith(b"+OK 0 messages")
    authzid = client.Scram("SCRAM-SHA-256", ALICE, SECRET, "nonce", authzid=name)
    assert (await house.login("pop3s", "SCRAM-SHA-256", authzid)).startswith(b"+OK 1 messages")


def _sent(tx: Tx) -> FolderId:
    account = accounts.find(tx, ALICE)
    assert account is not None
    found = folders.find(tx, account.id, "Sent")
    assert found is not None
    return found.id


def _letter(tx: Tx, folder: FolderId) -> None:
    entries.add(tx, [folder], content_of(b"Subject: a\r\n\r\nb\r\n"), received_at=1)


async def test_cleartext_is_hidden_from_elsewhere(tmp_path: Path) -> None:
    """From an address that is not this machine, and without TLS, no secret may cross."""
    made = {
        each.name: dataclasses.replace(each, address=HOST, port=0, proxy=(f"{HOST}/32",))
        for each in STANDARD
        if each.name in ("imap", "pop3", "nntp", "submission")
    }
    asks = {
        "imap": b"a CAPABILITY\r\n",
        "pop3": b"CAPA\r\n",
        "nntp": b"CAPABILITIES\r\n",
        "submission": b"EHLO x\r\n",
    }
    tries = {
        "imap": b"b LOGIN alice@example.org demo\r\n",
        "pop3": b"USER alice@example.org\r\n",
        "nntp": b"AUTHINFO USER alice@example.org\r\n",
        "submission": b"AUTH PLAIN AGFsaWNlQGV4YW1wbGUub3JnAGRlbW8=\r\n",
    }
    refusals = {"imap": b"b NO [PRIVACYREQUIRED]", "pop3": b"-ERR", "nntp": b"483 ", "submission": b"538 "}
    async with start_server(tmp_path, only=("imap", "smtp", "pop3", "nntp"), listeners=made) as server:
        for name, ask in asks.items():
            for address, local in (("192.0.2.7", False), (HOST, True)):
                reader, writer = await asyncio.open_connection(HOST, server.ports[name])
                writer.write(f"PROXY TCP4 {address} {HOST} 1 2\r\n".encode())
                async with asyncio.timeout(TIME_S):
                    await reader.readline()
                    writer.write(ask)
                    heard = await _heard(reader)
                    assert (b"PLAIN" in heard) is local, (name, address, heard)
                    assert b"LS" in heard  # STARTTLS, STLS
                    if not local:
                        writer.write(tries[name])
                        answer = await _heard(reader)
                        assert answer.startswith((refusals[name], b"530 ")), answer
                writer.close()


async def test_guessing_is_slowed_and_the_owner_is_not_locked_out(tmp_path: Path) -> None:
    """Two strange addresses guess; the owner enters at once from home, soon from a new place."""
    imap = next(each for each in STANDARD if each.name == "imap")
    made = {"imap": dataclasses.replace(imap, address=HOST, port=0, proxy=(f"{HOST}/32",))}
    auth = {
        "cleartext": "always",
        "free_failures": 2,
        "max_delay_s": 30.0,
        "account_delay_s": 0.4,
        "remember_s": 0,
    }
    async with start_server(tmp_path, only=("imap",), listeners=made, auth=auth) as server:

        async def enter(address: str, secret: str, longest_s: float) -> bytes:
            reader, writer = await asyncio.open_connection(HOST, server.ports["imap"])
            writer.write(f"PROXY TCP4 {address} {HOST} 1 2\r\n".encode())
            try:
                async with asyncio.timeout(longest_s):
                    await reader.readline()
                    writer.write(f"a LOGIN {ALICE} {secret}\r\n".encode())
                    return await reader.readline()
            except TimeoutError:
                return b"waits"
            finally:
                writer.close()

        assert (await enter("203.0.113.9", SECRET, TIME_S)).startswith(b"a OK")
        for number in range(8):
            await enter(f"198.51.100.{number % 2}", f"guess{number}", 1.0)
        assert await enter("198.51.100.0", "another-guess", 1.0) == b"waits"
        at_home = []
        for _ in range(5):  # one of them is not held up by what else the machine does
            begun = time.monotonic()
            assert (await enter("203.0.113.9", SECRET, TIME_S)).startswith(b"a OK")
            at_home.append(time.monotonic() - begun)
        begun = time.monotonic()
        assert (await enter("192.0.2.50", SECRET, TIME_S)).startswith(b"a OK")
        assert min(at_home) < 0.35
        assert time.monotonic() - begun < 15.0  # a guesser has up to 30 seconds to wait


async def _heard(reader: asyncio.StreamReader) -> bytes:
    """What comes in one breath: an answer is written whole."""
    return await reader.read(65536)


def issue(folder: Path, name: str) -> tuple[trustme.CA, Certificate]:
    authority = trustme.CA()
    path = folder / f"{name}.pem"
    authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(path)
    return authority, Certificate(str(path))


async def _shown(port: int, name: str) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection(HOST, port, ssl=context, server_hostname=name)
    try:
        return writer.get_extra_info("ssl_object").getpeercert(True)
    finally:
        writer.close()


async def test_certificates_by_name_and_anew_without_restart(tmp_path: Path) -> None:
    _, one = issue(tmp_path, "one.example.org")
    _, two = issue(tmp_path, "two.example.org")
    tls = dataclasses.asdict(Tls(certificates=(one, two), check_s=1.0)) | {"certificates": (one, two)}
    async with start_server(tmp_path, only=("imap", "pop3", "http"), tls=tls) as server:
        port = server.ports["imaps"]
        first = {name: await _shown(port, name) for name in ("one.example.org", "two.example.org")}
        assert first["one.example.org"] != first["two.example.org"]
        assert await _shown(port, "stranger.example.org") == first["one.example.org"]
        assert await _shown(server.ports["pop3s"], "two.example.org") == first["two.example.org"]
        issue(tmp_path, "two.example.org")
        async with asyncio.timeout(TIME_S):
            while await _shown(port, "two.example.org") == first["two.example.org"]:
                await asyncio.sleep(0.2)
        assert await _shown(port, "one.example.org") == first["one.example.org"]
        assert await _shown(server.ports["https"], "two.example.org") != first["two.example.org"]
        assert await _shown(server.ports["https"], "one.example.org") == first["one.example.org"]


@pytest.mark.parametrize(
    ("listener", "before", "start", "inject", "after", "sign"),
    [
        ("imap", b"", b"a STARTTLS\r\n", b"b NOOP\r\n", b"c NOOP\r\n", b"c OK"),
        ("pop3", b"", b"STLS\r\n", b"CAPA\r\n", b"QUIT\r\n", b"+OK good-bye"),
        ("nntp", b"", b"STARTTLS\r\n", b"DATE\r\n", b"QUIT\r\n", b"205 "),
        ("submission", b"EHLO x\r\n", b"STARTTLS\r\n", b"EHLO evil\r\n", b"NOOP\r\n", b"250 2.0.0"),
    ],
)
async def test_bytes_before_the_handshake_are_thrown_away(
    tmp_path: Path, listener: str, before: bytes, start: bytes, inject: bytes, after: bytes, sign: bytes
) -> None:
    """RFC 3501 6.2.1, RFC 2595 4, RFC 4642 2.2.2, RFC 3207 4.2 (CVE-2011-0411)."""
    async with start_server(tmp_path, only=("imap", "smtp", "pop3", "nntp")) as server:
        reader, writer = await asyncio.open_connection(HOST, server.ports[listener])
        async with asyncio.timeout(TIME_S):
            await reader.readline()
            if before:
                writer.write(before)
                while not (await reader.readline()).startswith(b"250 "):
                    pass
            writer.write(start + inject)
            assert (await reader.readline()).startswith((b"a OK", b"+OK", b"382", b"220"))
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            await writer.start_tls(context)
            writer.write(after)
            assert (await reader.readline()).startswith(sign)
        writer.close()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", ["TLSv1_1", "TLSv1_2", "TLSv1_3"])
async def test_old_tls_is_refused(tmp_path: Path, version: str) -> None:
    """RFC 8996."""
    async with start_server(tmp_path, only=("imap",)) as server:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
        opening = asyncio.open_connection(HOST, server.ports["imaps"], ssl=context)
        if version == "TLSv1_1":
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await opening
        else:
            _, writer = await opening
            assert writer.get_extra_info("ssl_object").version() == version.replace("_", ".")
            writer.close()
