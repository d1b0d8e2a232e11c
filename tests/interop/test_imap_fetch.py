"""Programs that come, take mail and go: curl, fetchmail, getmail."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quintet.store.model import DELETED, FLAGGED, SEEN
from tests.support.mailclients import (
    HOST,
    PASSWORD,
    TIME_S,
    USER,
    fill,
    flags,
    idling,
    letter,
    mail_server,
    names,
    offering,
    program,
    rows,
    run,
    token,
    until,
)
from tests.support.server import Server

pytestmark = pytest.mark.interop


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with mail_server(tmp_path / "server") as running:
        yield running


# --- curl -----------------------------------------------------------------------------------------------


async def test_curl_does_a_days_work(server: Server, tmp_path: Path) -> None:
    curl, url = program("curl"), f"imap://{HOST}:{server.ports['imap']}"

    async def get(path: str, *options: str, ok: tuple[int, ...] = (0,)) -> str:
        given = ("-sS", "-u", f"{USER}:{PASSWORD}", *options, url + path)
        return await run(curl, *given, home=tmp_path, ok=ok)

    assert '"/" INBOX' in await get("/")
    assert "Text of letter 2." in await get("/INBOX;UID=2")
    assert "* SEARCH 3" in await get("/INBOX?SUBJECT%20%22Letter%203%22")
    assert (await get("/INBOX;MAILINDEX=1;SECTION=TEXT")).startswith("Text of letter 1.")
    assert await get("/INBOX;UID=1;SECTION=HEADER.FIELDS%20(SUBJECT)") == "Subject: Letter 1\r\n\r\n"
    assert await get("/INBOX;UID=99", ok=(0, 78)) in {"", "curl: (78) Remote file not found\n"}
    (tmp_path / "new.eml").write_bytes(letter(7))
    await get("/Drafts", "-T", str(tmp_path / "new.eml"))
    assert [row.size for row in rows(server, "Drafts")] == [len(letter(7))]
    assert "FLAGS" in await get("/INBOX", "-X", "STORE 1 +FLAGS (\\Seen \\Flagged)")
    await get("/", "-X", "CREATE Work")
    await get("/INBOX", "-X", "UID COPY 1 Work")
    await get("/INBOX", "-X", "UID MOVE 2 Work")
    await get(
        "/INBOX", "-X", "STORE 2 +FLAGS.SILENT \\Deleted"
    )  # without parentheses: RFC 9051 9, store-att-flags
    assert flags(server) == {1: SEEN | FLAGGED, 3: DELETED, 4: 0, 5: 0}
    assert "* 2 EXPUNGE" in await get("/INBOX", "-X", "EXPUNGE")
    assert "MESSAGES 2" in await get("/", "-X", "STATUS Work (MESSAGES)")
    await get("/", "-X", "RENAME Work Play")
    assert "Play" in names(server)
    await get("/", "-X", "DELETE Play")
    assert "Play" not in names(server)
    assert list(flags(server)) == [1, 4, 5]


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
@pytest.mark.parametrize(
    "mechanism", ["PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER", ""], ids=lambda name: name or "no SASL"
)
async def test_curl_logs_in(server: Server, tmp_path: Path, mechanism: str, security: str) -> None:
    offering(server, *filter(None, [mechanism]))
    secure = security == "tls"
    url = (
        f"{'imaps' if secure else 'imap'}://localhost:{server.ports['imaps' if secure else 'imap']}/INBOX?ALL"
    )
    options = ["-sS", "--cacert", str(server.certificate)]
    if mechanism:
        options += ["--login-options", f"AUTH={mechanism}"]
    if security == "starttls":
        options.append("--ssl-reqd")
    if mechanism in {"XOAUTH2", "OAUTHBEARER"}:
        options += ["--oauth2-bearer", token(), "-u", USER]
    else:
        options += ["-u", f"{USER}:{PASSWORD}"]
    for more in ([], ["--sasl-ir"]):
        assert "* SEARCH 1 2 3 4 5" in await run(program("curl"), *options, *more, url, home=tmp_path)


# --- fetchmail ---------------------------------------------------------------------------------------------


def fetchmailrc(server: Server, home: Path, more: str, *, port: str = "imap", auth: str = "password") -> Path:
    settings = home / "fetchmailrc"
    settings.write_text(
        f"set no bouncemail\npoll localhost service {server.ports[port]} protocol IMAP auth {auth}\n"
        f'  user "{USER}" password "{PASSWORD}" {more}\n'
        f'  mda "cat >> {home}/box"\n'
    )
    settings.chmod(0o600)
    return settings


async def test_fetchmail_takes_new_mail_and_leaves_it(server: Server, tmp_path: Path) -> None:
    settings = fetchmailrc(server, tmp_path, 'keep sslproto ""')
    command = (program("fetchmail"), "-f", str(settings), "--nosyslog", "-v")
    await run(*command, home=tmp_path)
    assert (tmp_path / "box").read_bytes().count(b"Text of letter") == 5
    assert all(row.flags & SEEN for row in rows(server))
    await fill(server, 1, first=6)
    await run(*command, home=tmp_path)
    assert (tmp_path / "box").read_bytes().count(
        b"Text of letter"
    ) == 6  # what it had seen it does not take again


@pytest.mark.parametrize(
    ("more", "port"),
    [
        ('sslproto ""', "imap"),
        ("ssl sslcertck sslcertfile {certificate}", "imaps"),
        ("sslproto 'auto' sslcertck sslcertfile {certificate}", "imap"),
    ],
    ids=["none", "tls", "starttls"],
)
async def test_fetchmail_empties_folders(server: Server, tmp_path: Path, more: str, port: str) -> None:
    await fill(server, 2, "Archive", first=6)
    words = more.format(certificate=server.certificate)
    settings = fetchmailrc(server, tmp_path, f'no keep fetchall folder "INBOX","Archive" {words}', port=port)
    await run(program("fetchmail"), "-f", str(settings), "--nosyslog", "-v", home=tmp_path)
    assert (tmp_path / "box").read_bytes().count(b"Text of letter") == 7
    assert not rows(server)
    assert not rows(server, "Archive")


async def test_fetchmail_idles(server: Server, tmp_path: Path) -> None:
    settings = fetchmailrc(server, tmp_path, 'no keep idle sslproto ""')
    command = (program("fetchmail"), "-f", str(settings), "--nosyslog", "-v")
    process = await asyncio.create_subprocess_exec(
        *command,
        env={"HOME": str(tmp_path), "PATH": "/usr/local/bin:/usr/bin:/bin"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await until(lambda: not rows(server))
        await idling(server)
        await fill(server, 1, first=6)
        await until(lambda: (tmp_path / "box").read_bytes().count(b"Text of letter") == 6)
        await until(lambda: not rows(server))
        assert process.returncode is None  # it goes on waiting
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), TIME_S)
    assert (tmp_path / "box").read_bytes().count(b"Text of letter") == 6


# --- getmail ----------------------------------------------------------------------------------------------

TRIES = 5
STUCK_S = 10.0
GETMAIL = """
[retriever]
type = {kind}
server = localhost
port = {port}
username = {user}
password = {password}
mailboxes = ("INBOX", "Archive")
{more}
[destination]
type = MDA_external
path = /bin/sh
allow_root_commands = true
arguments = ("-c", "cat >> {home}/box; echo >> {home}/box")
[options]
{options}
"""


class Getmail:
    def __init__(self, server: Server, home: Path, options: str, kind: str = "IMAP", more: str = "") -> None:
        self._program, self._home = program("getmail"), home
        (home / "getmailrc").write_text(
            GETMAIL.format(
                kind=f"Simple{kind}Retriever",
                port=server.ports["imaps" if kind == "IMAPSSL" else "imap"],
                user=USER,
                password=PASSWORD,
                home=home,
                options=options,
                more=more,
            )
        )

    async def fetch(self) -> int:
        """How many different letters there are then.

        Its 6.18 waits for ever, now and then, for a delivery that has ended (a lock taken where SIGCHLD is
        handled): then it is run again, and gives some letters twice.
        """
        command = (self._program, f"--getmaildir={self._home}", f"--rcfile={self._home}/getmailrc")
        for _ in range(TRIES - 1):
            with contextlib.suppress(TimeoutError):
                await run(*command, home=self._home, seconds=STUCK_S)
                break
        else:
            await run(*command, home=self._home)
        return len(set(re.findall(rb"Text of letter \d+", (self._home / "box").read_bytes())))


async def test_getmail_takes_new_mail_and_leaves_it(server: Server, tmp_path: Path) -> None:
    await fill(server, 2, "Archive", first=6)
    getmail = Getmail(server, tmp_path, "delete = false\nread_all = false")
    assert await getmail.fetch() == 7
    await fill(server, 1, first=8)
    assert await getmail.fetch() == 8
    assert len(rows(server)) == 6


@pytest.mark.parametrize("kind", ["IMAP", "IMAPSSL"])
async def test_getmail_empties_folders(server: Server, tmp_path: Path, kind: str) -> None:
    await fill(server, 2, "Archive", first=6)
    more = f"ca_certs = {server.certificate}" if kind == "IMAPSSL" else ""
    assert await Getmail(server, tmp_path, "delete = true", kind, more).fetch() == 7
    assert not rows(server)
    assert not rows(server, "Archive")


async def test_getmail_moves_what_it_took(server: Server, tmp_path: Path) -> None:
    getmail = Getmail(server, tmp_path, "delete = true", more='move_on_delete = "Trash"')
    assert await getmail.fetch() == 5
    assert (len(rows(server)), len(rows(server, "Trash"))) == (0, 5)


async def test_getmail_logs_in_with_a_token(server: Server, tmp_path: Path) -> None:
    offering(server, "XOAUTH2")
    (tmp_path / "give").write_text(f"#!/bin/sh\nprintf '%s' '{token()}'\n")
    (tmp_path / "give").chmod(0o700)
    more = f'use_xoauth2 = true\npassword_command = ("{tmp_path}/give",)\nca_certs = {server.certificate}'
    assert await Getmail(server, tmp_path, "delete = false", "IMAPSSL", more).fetch() == 5
