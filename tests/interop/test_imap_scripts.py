"""Clients that scripts are written for: imapfilter (Lua), Mail::IMAPClient (Perl, of imapsync), s-nail."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quintet.store.model import ANSWERED, FLAGGED, SEEN
from tests.support.mailclients import (
    PASSWORD,
    USER,
    flags,
    letter,
    mail_server,
    names,
    offering,
    program,
    rows,
    run,
    token,
)
from tests.support.server import Server

pytestmark = pytest.mark.interop


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with mail_server(tmp_path / "server") as running:
        yield running


# --- imapfilter ---------

IMAPFILTER = """
options.timeout = 20
options.create = true
options.subscribe = true
options.namespace = false
here = IMAP {{ server = "localhost", port = {port}, username = "{user}", password = "{password}" {more} }}
"""

RULES = """
here:create_mailbox("Work")
mailboxes, folders = here:list_all()
inbox = here.INBOX
results = inbox:contain_subject("Letter 1") + inbox:contain_body("Text of letter 2")
results:mark_flagged()
inbox:match_subject("Letter 3"):move_messages(here["Büro"])
results = inbox:contain_from("zoe@example.net") * inbox:is_flagged()
results:copy_messages(here.Work)
inbox:is_larger(10):mark_seen()
inbox:contain_field("Message-ID", "m5@example.net"):delete_messages()
exist, unread, unseen, uidnext = inbox:check_status()
print("status", exist, unseen, uidnext)
for _, message in ipairs(inbox:select_all()) do
    mailbox, uid = table.unpack(message)
    print("message", uid, mailbox[uid]:fetch_field("Subject"), #mailbox[uid]:fetch_message())
end
here.Archive:append_message("Subject: from a script\\r\\n\\r\\nText\\r\\n")
here:rename_mailbox("Work", "Play")
"""


async def imapfilter(
    server: Server, home: Path, rules: str, *, security: str = "none", more: str = ""
) -> str:
    port = server.ports["imaps" if security == "tls" else "imap"]
    more += {"none": "", "starttls": "", "tls": ', ssl = "auto"'}[security]
    (home / "rules.lua").write_text(
        IMAPFILTER.format(port=port, user=USER, password=PASSWORD, more=more)
        + f"options.starttls = {'true' if security == 'starttls' else 'false'}\n"
        + rules
    )
    trust = ("-t", str(server.certificate))
    return await run(program("imapfilter"), *trust, "-c", str(home / "rules.lua"), home=home)


async def test_imapfilter_does_a_days_work(server: Server, tmp_path: Path) -> None:
    told = await imapfilter(server, tmp_path, RULES)
    assert "status\t3\t0\t6" in told, told
    assert f"message\t1\tSubject: Letter 1\t{len(letter(1))}" in told.replace("\r\n\r\n", ""), told
    assert flags(server) == {1: SEEN | FLAGGED, 2: SEEN | FLAGGED, 4: SEEN}
    assert {"Büro", "Play"} <= set(names(server))
    assert len(rows(server, "Play")) == 2
    assert len(rows(server, "Archive")) == 1


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
async def test_imapfilter_logs_in(server: Server, tmp_path: Path, security: str) -> None:
    rules = 'print("status", here.INBOX:check_status())'
    assert "status\t5" in await imapfilter(server, tmp_path, rules, security=security)
    if security == "tls":
        offering(server, "XOAUTH2")
        more = f', oauth2 = "{_xoauth2()}"'
        assert "status\t5" in await imapfilter(server, tmp_path, rules, security=security, more=more)


def _xoauth2() -> str:
    return base64.b64encode(f"user={USER}\1auth=Bearer {token()}\1\1".encode()).decode()


# --- Mail::IMAPClient ---

PERL = Path(__file__).parent / "perl" / "day.pl"


async def perl(server: Server, home: Path, security: str = "none", mechanism: str = "") -> str:
    found = program("perl")
    if "no" in await run(found, "-e", "print eval { require Mail::IMAPClient } ? 'yes' : 'no'", home=home):
        pytest.skip("Mail::IMAPClient is not installed")
    port = server.ports["imaps" if security == "tls" else "imap"]
    given = (str(port), USER, PASSWORD, security, mechanism, str(server.certificate))
    return await run(found, str(PERL), *given, home=home)


async def test_perl_does_a_days_work(server: Server, tmp_path: Path) -> None:
    told = (await perl(server, tmp_path)).splitlines()
    assert told == [
        "count 5",
        "search 3",
        "sort 5 4 3 2 1",
        "threads 5",
        f"size {len(letter(2))}",
        "type TEXT",
        f"octets {len(letter(2))}",
        "header Letter 4",
        "uid 4",
        "unseen 2",
        "quota told",
    ]
    assert flags(server) == {1: SEEN | FLAGGED, 2: ANSWERED, 4: 0}
    assert len(rows(server, "Play")) == 4


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("mechanism", ["", "PLAIN", "LOGIN"])
async def test_perl_logs_in(server: Server, tmp_path: Path, mechanism: str, security: str) -> None:
    offering(server, *filter(None, [mechanism]))
    assert await perl(server, tmp_path, security, mechanism) == "count 5\n"


# --- s-nail -------------


async def test_s_nail_reads_saves_and_deletes(server: Server, tmp_path: Path) -> None:
    url = f"imap://{USER.replace('@', '%40')}:{PASSWORD}@localhost:{server.ports['imap']}/INBOX"
    commands = "headers\ntype 2\nflag 3\ncopy 1 +Work\ndelete 5\nquit\n"
    set_folder = f"folder={url.removesuffix('/INBOX')}"
    options = ("-:/", "-S", "v15-compat", "-S", "imap-auth=login", "-S", set_folder, "-f", url)
    told = await run(program("s-nail"), *options, home=tmp_path, stdin=commands.encode())
    assert "Text of letter 2." in told, told
    assert list(flags(server)) == [1, 2, 3, 4]
