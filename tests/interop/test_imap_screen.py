"""Mail programs of the terminal do a day's work by IMAP: mutt, neomutt, alpine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quintet.store import entries
from quintet.store.model import DELETED, FLAGGED, SEEN
from tests.support.mailclients import (
    PASSWORD,
    USER,
    Screen,
    fill,
    flags,
    folder_of,
    idling,
    letter,
    mail_server,
    names,
    offering,
    program,
    rows,
    token,
    until,
)
from tests.support.server import Server

pytestmark = pytest.mark.interop

REDRAW = "\x0c"
MUTTS = pytest.mark.parametrize("name", ["mutt", "neomutt"])


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with mail_server(tmp_path / "server") as running:
        yield running


# --- mutt and neomutt ---------------------------------------------------------------------------------------

MUTTRC = """
set imap_user="{user}" imap_pass="{password}"
set folder="{scheme}://localhost:{port}/" spoolfile="+INBOX" record="" postponed="+Drafts"
set certificate_file="{certificate}" ssl_force_tls={force} ssl_starttls={starttls}
set imap_authenticators="{mechanism}"
set confirmappend=no confirmcreate=no delete=yes quit=yes move=no mail_check=1 timeout=1 sort=mailbox-order
set index_format="%Z %s" status_format="%f: %M shown, %n new" help=no wait_key=no resolve=no
set imap_check_subscribed=yes
{more}
"""


def mutt(
    name: str, server: Server, home: Path, *more: str, mechanism: str = "plain", security: str = "none"
) -> Screen:
    (home / "muttrc").write_text(
        MUTTRC.format(
            user=USER,
            password=PASSWORD,
            scheme="imaps" if security == "tls" else "imap",
            port=server.ports["imaps" if security == "tls" else "imap"],
            certificate=server.certificate,
            starttls="yes" if security == "starttls" else "no",
            force="no" if security == "none" else "yes",
            mechanism=mechanism,
            more="\n".join(more),
        )
    )
    return Screen(program(name), "-F", str(home / "muttrc"), home=home)


@MUTTS
async def test_mutt_does_a_days_work(server: Server, tmp_path: Path, name: str) -> None:
    (tmp_path / "box").write_bytes(
        b"From zoe@example.net Fri Nov 21 09:00:00 2025\n" + letter(8).replace(b"\r\n", b"\n")
    )
    async with mutt(name, server, tmp_path) as screen:
        await screen.shows("Letter 5")
        await screen.keys("\r", "Text of letter")  # the cursor is on the first that is new
        await screen.keys("i", "Letter 5")
        await screen.keys("2\r")
        await screen.keys("F")  # flag
        await screen.keys("3\r")
        await screen.keys("s=Work\r", "Copying")  # save: copied there, marked as deleted here
        await screen.keys("4\r")
        await screen.keys("Wr")  # a flag set by hand, and one taken back
        await screen.keys("/=b 'letter 5'\r")  # the server searches the bodies
        await screen.keys("d")
        await screen.keys("$")
        await until(lambda: list(flags(server)) == [1, 2, 4])
        await screen.keys(f"c{tmp_path}/box\r", "Letter 8")
        await screen.keys("C=Sent\r")  # copied up
        await until(lambda: len(rows(server, "Sent")) == 1)
        await screen.keys("c=Work\r")
        await screen.keys(REDRAW, "Letter 3")
        await screen.keys("q")
        assert await screen.ended() == 0
    assert {uid: state & (SEEN | FLAGGED) for uid, state in flags(server).items()} == {
        1: SEEN,
        2: FLAGGED,
        4: 0,
    }
    assert len(rows(server, "Work")) == 1


@MUTTS
async def test_mutt_idles(server: Server, tmp_path: Path, name: str) -> None:
    async with mutt(name, server, tmp_path, "set imap_idle=yes") as screen:
        await screen.shows("Letter 5")
        await idling(server)
        screen.drawn = ""
        await fill(server, 1, first=6)
        await screen.shows("Letter 6")
        await screen.keys("x")
        assert await screen.ended() == 0
    assert len(rows(server)) == 6


@MUTTS
async def test_mutt_catches_up_from_its_cache(server: Server, tmp_path: Path, name: str) -> None:
    """With CONDSTORE and QRESYNC, and the headers it kept."""
    more = "set imap_condstore=yes imap_qresync=yes"
    cache = f"set header_cache={tmp_path}/cache"
    (tmp_path / "cache").mkdir()
    for turn in range(3):
        async with mutt(name, server, tmp_path, more, cache) as screen:
            await screen.shows(f"{5 - turn} shown")
            await screen.keys("q")
            assert await screen.ended() == 0
        inbox = folder_of(server, "INBOX").id
        await server.store.write(entries.set_flags, inbox, [5], "+", FLAGGED, ())
        await server.store.write(entries.expunge, inbox, [1 + 2 * turn, 2 + 2 * turn])
        await fill(server, 1, first=10 + turn)


@MUTTS
@pytest.mark.parametrize(
    ("security", "mechanisms"),
    [
        ("none", ("PLAIN", "SCRAM-SHA-256", "")),
        ("starttls", ("PLAIN", "SCRAM-SHA-1")),
        ("tls", ("PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "OAUTHBEARER", "XOAUTH2", "")),
    ],
    ids=["none", "starttls", "tls"],
)
async def test_mutt_logs_in(
    server: Server, tmp_path: Path, name: str, security: str, mechanisms: tuple[str, ...]
) -> None:
    """By one mechanism after the other ("": the command LOGIN)."""
    more = f"set imap_oauth_refresh_command=\"printf '%s' '{token()}'\""
    for mechanism in mechanisms:
        offering(server, *filter(None, [mechanism]))
        given = mechanism.lower() or "login"
        async with mutt(name, server, tmp_path, more, mechanism=given, security=security) as screen:
            assert "Letter 5" in await screen.shows("Letter 5")


# --- alpine -----------------------------------------------------------------------------------------------

PINERC = """
personal-name=Alice
user-domain=example.org
inbox-path={{localhost:{port}/user={user}/novalidate-cert{how}}}INBOX
folder-collections=there {{localhost:{port}/user={user}/novalidate-cert{how}}}[]
default-fcc=
postponed-folder={{localhost:{port}/user={user}/novalidate-cert{how}}}Drafts
feature-list=enable-aggregate-command-set,enable-flag-cmd,expunge-without-confirm,quit-without-confirm,
 enable-aggregate-command-set,select-without-confirm
initial-keystroke-list=
last-version-used=9.999
sort-key=Arrival
mail-check-interval=15
"""


def alpine(server: Server, home: Path, security: str = "none") -> Screen:
    how = {"none": "/notls", "starttls": "/tls", "tls": "/ssl"}[security]
    port = server.ports["imaps" if security == "tls" else "imap"]
    (home / "pinerc").write_text(PINERC.format(port=port, user=USER, how=how))
    return Screen(program("alpine"), "-p", str(home / "pinerc"), "-i", home=home)


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
async def test_alpine_logs_in(server: Server, tmp_path: Path, security: str) -> None:
    for mechanism in ("PLAIN", "LOGIN", ""):
        offering(server, *filter(None, [mechanism]))
        async with alpine(server, tmp_path, security) as screen:
            await screen.shows("ENTER PASSWORD")
            await screen.keys(f"{PASSWORD}\r", "Preserve password on DISK")
            await screen.keys("n", "Letter 5")
            await screen.keys("q")
            assert await screen.ended() == 0
    assert all(state in {0, SEEN} for state in flags(server).values())


async def test_alpine_does_a_days_work(server: Server, tmp_path: Path) -> None:
    async with alpine(server, tmp_path) as screen:
        await screen.shows("ENTER PASSWORD")
        await screen.keys(f"{PASSWORD}\r", "Preserve password on DISK")
        await screen.keys("n", "Letter 5")
        await screen.keys("j")
        await screen.keys("1\r")
        await screen.keys("\r", "Text of letter 1")
        await screen.keys("<", "Letter 5")
        await screen.keys("j")
        await screen.keys("2\r")
        await screen.keys("*", "Flag")
        await screen.keys("*")  # important
        await screen.keys("j")
        await screen.keys("3\r")
        await screen.keys("s")
        await screen.keys("\x15Work\r")
        await screen.keys("y")
        await until(lambda: "Work" in names(server) and len(rows(server, "Work")) == 1)
        await screen.keys("j4\rd")
        await screen.keys("x")
        await until(lambda: list(flags(server)) == [1, 2, 5])
        await screen.keys("q")
        assert await screen.ended() == 0
    assert not any(state & DELETED for state in flags(server).values())
