"""Clients that log in by a certificate (EXTERNAL, RFC 4422 A): IMAPClient, curl, mbsync, mutt."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import imapclient
import pytest
import trustme

from tests.support.mailclients import USER, Screen, mail_server, offering, program, run
from tests.support.server import Server

pytestmark = pytest.mark.interop


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    authority.issue_cert(USER).private_key_and_cert_chain_pem.write_to_path(tmp_path / "alice.pem")
    async with mail_server(
        tmp_path / "server", auth={"external": "email"}, tls={"client_ca": str(tmp_path / "authority.pem")}
    ) as running:
        offering(running, "EXTERNAL")
        yield running


async def test_imapclient_logs_in_by_certificate(server: Server, tmp_path: Path) -> None:
    context = ssl.create_default_context(cafile=str(server.certificate))
    context.load_cert_chain(tmp_path / "alice.pem")

    def work() -> None:
        client = imapclient.IMAPClient("localhost", server.ports["imaps"], ssl_context=context, timeout=20)
        client.sasl_login("EXTERNAL", lambda _: b"")
        assert client.select_folder("INBOX")[b"EXISTS"] == 5
        client.logout()

    await asyncio.to_thread(work)


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_curl_logs_in_by_certificate(server: Server, tmp_path: Path, security: str) -> None:
    secure = security == "tls"
    url = (
        f"{'imaps' if secure else 'imap'}://localhost:{server.ports['imaps' if secure else 'imap']}/INBOX?ALL"
    )
    options = [
        "-sS",
        "--ssl-reqd",
        "--cacert",
        str(server.certificate),
        "--cert",
        str(tmp_path / "alice.pem"),
    ]
    options += ["-u", f"{USER}:", "--login-options", "AUTH=EXTERNAL"]
    assert "* SEARCH 1 2 3 4 5" in await run(program("curl"), *options, url, home=tmp_path)


async def test_mbsync_logs_in_by_certificate(server: Server, tmp_path: Path) -> None:
    (tmp_path / "mail").mkdir()
    (tmp_path / "rc").write_text(
        f"IMAPAccount q\nHost localhost\nPort {server.ports['imaps']}\nUser {USER}\nPass none\n"
        f"SSLType IMAPS\nCertificateFile {server.certificate}\nAuthMechs EXTERNAL\n"
        f"ClientCertificate {tmp_path}/alice.pem\nClientKey {tmp_path}/alice.pem\n\n"
        "IMAPStore far\nAccount q\n\nMaildirStore near\n"
        f"Path {tmp_path}/mail/\nInbox {tmp_path}/mail/INBOX\n\n"
        "Channel all\nFar :far:\nNear :near:\nPatterns INBOX\nCreate Near\nSyncState *\n"
    )
    await run(program("mbsync"), "-c", str(tmp_path / "rc"), "all", home=tmp_path)
    assert len(list((tmp_path / "mail" / "INBOX" / "new").iterdir())) == 5


async def test_mutt_logs_in_by_certificate(server: Server, tmp_path: Path) -> None:
    (tmp_path / "muttrc").write_text(
        f'set imap_user="{USER}" folder="imaps://localhost:{server.ports["imaps"]}/" spoolfile="+INBOX"\n'
        f'set certificate_file="{server.certificate}" ssl_client_cert="{tmp_path}/alice.pem"\n'
        'set imap_authenticators="external" index_format="%Z %s"\n'
    )
    async with Screen(program("mutt"), "-F", str(tmp_path / "muttrc"), home=tmp_path) as screen:
        assert "Letter 5" in await screen.shows("Letter 5")
