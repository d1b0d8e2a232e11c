"""Real programs send mail in: swaks, curl, msmtp and Python's smtplib, with STARTTLS, TLS and AUTH."""

import asyncio
import shutil
import smtplib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quintet.store import accounts, entries, folders
from tests.support.server import Server, start_server

pytestmark = pytest.mark.interop

TIME_S = 60.0
LETTER = b"From: alice@example.org\r\nTo: bob@example.org\r\nSubject: by a program\r\n\r\nbody\r\n.dot\r\n"


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with start_server(tmp_path, only=("smtp", "lmtp")) as running:
        yield running


async def run(*command: str, stdin: bytes = b"") -> str:
    """Runs a program to its end; what it printed.  A failure shows that."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(TIME_S):
        printed, _ = await process.communicate(stdin)
    text = printed.decode(errors="replace")
    assert process.returncode == 0, text
    return text


async def inbox(server: Server, name: str) -> list[bytes]:
    store = server.store
    account = store.peek(accounts.find, f"{name}@example.org")
    assert account is not None
    folder = store.peek(folders.find, account.id, "INBOX")
    assert folder is not None
    found = store.peek(entries.listing, folder.id)
    refs = [store.peek(entries.body_ref, folder.id, each.uid) for each in found]
    return [await asyncio.to_thread(store.read_body, ref) for ref in refs]


@needs("swaks")
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
async def test_swaks_starttls_and_auth(server: Server, mechanism: str) -> None:
    said = await run(
        "swaks", "--server", "127.0.0.1", "--port", str(server.ports["submission"]),
        "--from", "alice@example.org", "--to", "bob@example.org", "--tls",
        "--auth", mechanism, "--auth-user", "alice@example.org", "--auth-password", "demo",
    )  # fmt: skip
    assert "235 2.7.0" in said
    letter = (await inbox(server, "bob"))[0]
    assert b" with ESMTPSA (TLSv1.3 " in letter


@needs("swaks")
async def test_swaks_to_mx_and_lmtp(server: Server) -> None:
    for port, protocol in ((server.ports["smtp"], "ESMTP"), (server.ports["lmtp"], "LMTP")):
        await run(
            "swaks", "--server", "127.0.0.1", "--port", str(port), "--protocol", protocol,
            "--from", "zoe@example.net", "--to", "bob@example.org,carol@example.org",
        )  # fmt: skip
    assert len(await inbox(server, "bob")) == 2
    assert len(await inbox(server, "carol")) == 2


@needs("swaks")
async def test_swaks_is_refused_as_a_relay(server: Server) -> None:
    with pytest.raises(AssertionError, match=r"550 5\.7\.1 Relaying denied"):
        await run(
            "swaks", "--server", "127.0.0.1", "--port", str(server.ports["smtp"]),
            "--from", "zoe@example.net", "--to", "victim@example.com",
        )  # fmt: skip


@needs("curl")
@pytest.mark.parametrize("data", [LETTER, LETTER.replace(b"\r\n", b"\n")], ids=["crlf", "lf"])
async def test_curl_under_tls(server: Server, data: bytes) -> None:
    await run(
        "curl", "-sv", "--cacert", str(server.certificate), "-k",
        f"smtps://127.0.0.1:{server.ports['submissions']}/client.test",
        "--mail-from", "alice@example.org", "--mail-rcpt", "bob@example.org",
        "-u", "alice@example.org:demo", "-T", "-", stdin=data,
    )  # fmt: skip
    letter = (await inbox(server, "bob"))[0]
    # of bare LFs curl makes one empty line more at the end
    more = b"" if data is LETTER else b"\r\n"
    assert letter.endswith(b"Subject: by a program\r\n\r\nbody\r\n.dot\r\n" + more)


@needs("msmtp")
@pytest.mark.parametrize("mechanism", ["plain", "scram-sha-256"])
async def test_msmtp(server: Server, tmp_path: Path, mechanism: str) -> None:
    if mechanism not in (await run("msmtp", "--version")).lower() and mechanism != "plain":
        pytest.skip(f"this msmtp was built without {mechanism}")
    config = tmp_path / "msmtprc"
    config.write_text(
        f"account default\nhost 127.0.0.1\nport {server.ports['submission']}\nfrom alice@example.org\n"
        "tls on\ntls_starttls on\ntls_certcheck off\n"
        f"auth {mechanism}\nuser alice@example.org\npassword demo\n"
    )
    config.chmod(0o600)
    await run("msmtp", "-C", str(config), "bob@example.org", stdin=LETTER.replace(b"\r\n", b"\n"))
    letter = (await inbox(server, "bob"))[0]
    assert letter.endswith(b"\r\n\r\nbody\r\n.dot\r\n")
    assert b"\r\nMessage-ID: <" in letter


async def test_smtplib_sends_utf8_and_eight_bit(server: Server) -> None:
    def send() -> None:
        context = ssl.create_default_context(cafile=str(server.certificate))
        context.check_hostname = False
        with smtplib.SMTP("127.0.0.1", server.ports["submission"], local_hostname="client.test") as client:
            client.starttls(context=context)
            client.login("alice@example.org", "demo")
            text = "From: alice@example.org\r\nSubject: zürich\r\n\r\nnaïve\r\n".encode()
            client.sendmail(
                "alice@example.org", ["bob@example.org"], text, mail_options=["SMTPUTF8", "BODY=8BITMIME"]
            )

    await asyncio.to_thread(send)
    letter = (await inbox(server, "bob"))[0]
    assert b" with UTF8SMTPSA " in letter
    assert letter.endswith("Subject: zürich\r\n\r\nnaïve\r\n".encode())
