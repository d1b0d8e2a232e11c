"""Programs that keep a copy of a mailbox, both ways: mbsync (without CONDSTORE yet) and offlineimap."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from quintet.store import accounts, entries, folders
from quintet.store.model import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
from tests.support.mailclients import (
    PASSWORD,
    USER,
    deliver,
    fill,
    flags,
    folder_of,
    letter,
    mail_server,
    names,
    offering,
    program,
    run,
    token,
)
from tests.support.server import Server, write_config

pytestmark = pytest.mark.interop

LETTERS = {SEEN: "S", ANSWERED: "R", FLAGGED: "F", DRAFT: "D", DELETED: "T"}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with mail_server(tmp_path / "server") as running:
        yield running


@dataclass(slots=True)
class Maildir:
    """The copy of one folder."""

    path: Path

    def make(self) -> None:
        for part in ("cur", "new", "tmp"):
            (self.path / part).mkdir(parents=True, exist_ok=True)

    def files(self) -> list[Path]:
        return [each for part in ("cur", "new") for each in (self.path / part).iterdir()]

    def find(self, number: int) -> Path:
        wanted = f"Message-ID: <m{number}@".encode()
        return next(each for each in self.files() if wanted in each.read_bytes())

    def mark(self, number: int, letters: str) -> None:
        file = self.find(number)
        file.rename(self.path / "cur" / f"{file.name.partition(':')[0]}:2,{letters}")

    def add(self, number: int, letters: str = "") -> None:
        self.make()
        (self.path / "cur" / f"{number}.local:2,{letters}").write_bytes(
            letter(number).replace(b"\r\n", b"\n")
        )

    def state(self) -> dict[str, str]:
        """Message-ID to flags."""
        return {_ident(each.read_bytes()): each.name.partition(":2,")[2] for each in self.files()}


def _ident(raw: bytes) -> str:
    return raw.partition(b"Message-ID: <")[2].partition(b"@")[0].decode()


def there(server: Server, name: str = "INBOX") -> dict[str, str]:
    """The same of the server's folder."""
    columns = ("message_id", "flags")
    found = server.store.peek(entries.lines, folder_of(server, name).id, 1, 1 << 40, 500, columns)
    return {
        ident.strip("<>").partition("@")[0]: "".join(sorted(LETTERS[bit] for bit in LETTERS if state & bit))
        for ident, state in found
    }


# --- mbsync -------------------------------------------------------------------------------------------------

MBSYNC = """
IMAPAccount q
Host localhost
Port {port}
User {user}
Pass "{secret}"
SSLType {tls}
CertificateFile {certificate}
AuthMechs {mechanism}

IMAPStore far
Account q

MaildirStore near
Path {home}/mail/
Inbox {home}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns * !Groups* !Users* !Public*
Create Both
Remove Both
Expunge Both
SyncState *
"""


class Mbsync:
    def __init__(
        self, server: Server, home: Path, mechanism: str = "PLAIN", tls: str = "None", secret: str = PASSWORD
    ) -> None:
        self._program = program("mbsync")
        self._home = home
        self._rc = home / "rc"
        (home / "mail").mkdir()
        self._rc.write_text(
            MBSYNC.format(
                port=server.ports["imaps" if tls == "IMAPS" else "imap"],
                user=USER,
                secret=secret,
                tls=tls,
                certificate=server.certificate,
                home=home,
                mechanism=mechanism,
            )
        )

    def through(self, tunnel: str) -> None:
        """From now on it speaks to a command, and has no name and no password."""
        given = ("Port ", "User ", "Pass ", "SSLType ", "CertificateFile ", "AuthMechs ")
        lines = [one for one in self._rc.read_text().splitlines() if not one.startswith(given)]
        self._rc.write_text("\n".join(lines).replace("Host localhost", f'Tunnel "{tunnel}"'))

    def copy(self, name: str = "INBOX") -> Maildir:
        return Maildir(self._home / "mail" / name)

    async def sync(self) -> str:
        return await run(self._program, "-c", str(self._rc), "all", home=self._home)


async def test_mbsync_syncs_both_ways_until_both_are_the_same(server: Server, tmp_path: Path) -> None:
    mbsync = Mbsync(server, tmp_path)
    await mbsync.sync()
    copy, inbox = mbsync.copy(), folder_of(server, "INBOX").id
    assert copy.state() == there(server) == {f"m{number}": "" for number in range(1, 6)}

    # here: flags, a deletion, a folder with a message, a draft
    copy.mark(1, "FS")
    copy.mark(2, "RST")
    mbsync.copy("Work").add(8, "S")
    mbsync.copy("Drafts").add(9, "D")
    # there: flags (one more for the same message), an expunge, new mail, a folder
    await server.store.write(entries.set_flags, inbox, [1], "+", ANSWERED, ())
    await server.store.write(entries.set_flags, inbox, [3], "+", FLAGGED, ())
    await server.store.write(entries.expunge, inbox, [4])
    await fill(server, 2, first=6)
    account = server.store.peek(accounts.find, USER)
    assert account is not None
    await server.store.write(folders.create, account.id, "Entwürfe")
    await fill(server, 1, "Entwürfe", first=10)
    await mbsync.sync()

    same = {"m1": "FRS", "m3": "F", "m5": "", "m6": "", "m7": ""}
    assert copy.state() == there(server) == same
    assert mbsync.copy("Work").state() == there(server, "Work") == {"m8": "S"}
    assert mbsync.copy("Drafts").state() == there(server, "Drafts") == {"m9": "D"}
    assert mbsync.copy("Entw&APw-rfe").state() == there(server, "Entwürfe") == {"m10": ""}

    # nothing to do: nothing changes, not even numbers
    before = flags(server)
    await mbsync.sync()
    assert (copy.state(), flags(server)) == (same, before)

    # a folder goes (mbsync keeps one that is not empty), flags are taken back
    await server.store.write(entries.expunge, folder_of(server, "Work").id, [1])
    copy.mark(1, "S")
    await mbsync.sync()
    await server.store.write(folders.remove, folder_of(server, "Work").id)
    await mbsync.sync()
    assert there(server)["m1"] == "S"
    assert not (tmp_path / "mail" / "Work" / "cur").exists()
    assert "Work" not in names(server)


@pytest.mark.parametrize("tls", ["None", "STARTTLS", "IMAPS"])
@pytest.mark.parametrize("mechanism", ["LOGIN", "PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"])
async def test_mbsync_logs_in(server: Server, tmp_path: Path, mechanism: str, tls: str) -> None:
    offering(server, mechanism)
    mbsync = Mbsync(server, tmp_path, mechanism, tls)
    await mbsync.sync()
    assert len(mbsync.copy().state()) == 5


async def test_mbsync_syncs_through_a_tunnel(server: Server, tmp_path: Path) -> None:
    """RFC 9051 7.1.4: it is PREAUTH that spares the password; the tunnel works beside the server."""
    mbsync = Mbsync(server, tmp_path)
    config = write_config(tmp_path / "server", server.app.config)
    mbsync.through(f"{sys.executable} -m quintet imap --stdio --user {USER} -c {config}")
    await mbsync.sync()
    mbsync.copy().mark(2, "S")
    await mbsync.sync()
    same = {f"m{number}": "S" if number == 2 else "" for number in range(1, 6)}
    assert mbsync.copy().state() == there(server) == same


async def test_mbsync_takes_a_large_mailbox_and_large_letters(server: Server, tmp_path: Path) -> None:
    mbsync = Mbsync(server, tmp_path)
    await fill(server, 45, first=10)
    large = letter(99) + b"A line of a letter that is too large for one write.\r\n" * 60_000
    await deliver(server, large)
    await mbsync.sync()
    copy = mbsync.copy()
    assert copy.state() == there(server)
    got = copy.find(99).read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert got.endswith(large[-2_000_000:])
    # and up again, all of it, into a folder of its own
    mbsync.copy("Copy").make()
    for file in copy.files():
        (mbsync.copy("Copy").path / "new" / file.name.partition(",U=")[0]).write_bytes(file.read_bytes())
    await mbsync.sync()
    assert there(server, "Copy") == there(server)


# --- offlineimap -------------------------------------------------------------------------------------------

OFFLINEIMAP = """
[general]
accounts = q
ui = basic
[Account q]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {home}/mail
[Repository far]
type = IMAP
remotehost = localhost
remoteport = {port}
remoteuser = {user}
auth_mechanisms = {mechanism}
ssl = {ssl}
starttls = {starttls}
sslcacertfile = {certificate}
folderfilter = lambda name: not name.startswith(("Groups", "Users", "Public"))
{secret}
"""


class Offlineimap:
    def __init__(self, server: Server, home: Path, mechanism: str = "PLAIN", security: str = "none") -> None:
        self._program = program("offlineimap")
        self._home = home
        secret = f"oauth2_access_token = {token()}" if mechanism == "XOAUTH2" else f"remotepass = {PASSWORD}"
        (home / "rc").write_text(
            OFFLINEIMAP.format(
                port=server.ports["imaps" if security == "tls" else "imap"],
                home=home,
                user=USER,
                mechanism=mechanism,
                ssl="yes" if security == "tls" else "no",
                starttls="yes" if security == "starttls" else "no",
                certificate=server.certificate,
                secret=secret,
            )
        )

    def copy(self, name: str = "INBOX") -> Maildir:
        return Maildir(self._home / "mail" / name)

    async def sync(self) -> str:
        return await run(self._program, "-o", "-c", str(self._home / "rc"), home=self._home)


async def test_offlineimap_syncs_both_ways(server: Server, tmp_path: Path) -> None:
    offlineimap = Offlineimap(server, tmp_path)
    await offlineimap.sync()
    copy, inbox = offlineimap.copy(), folder_of(server, "INBOX").id
    assert copy.state() == there(server) == {f"m{number}": "" for number in range(1, 6)}
    copy.mark(1, "FS")
    copy.mark(2, "ST")
    copy.find(5).unlink()
    offlineimap.copy("Work").add(8, "S")
    offlineimap.copy("Drafts").add(9, "D")
    await server.store.write(entries.set_flags, inbox, [3], "+", ANSWERED, ())
    await server.store.write(entries.expunge, inbox, [4])
    await fill(server, 1, first=6)
    await offlineimap.sync()
    assert copy.state() == there(server) == {"m1": "FS", "m2": "ST", "m3": "R", "m6": ""}
    assert offlineimap.copy("Work").state() == there(server, "Work") == {"m8": "S"}
    assert there(server, "Drafts") == {"m9": "D"}


@pytest.mark.parametrize(
    ("mechanism", "security"),
    [("LOGIN", "none"), ("PLAIN", "starttls"), ("PLAIN", "tls"), ("XOAUTH2", "tls")],
)
async def test_offlineimap_logs_in(server: Server, tmp_path: Path, mechanism: str, security: str) -> None:
    offering(server, mechanism)
    offlineimap = Offlineimap(server, tmp_path, mechanism, security)
    await offlineimap.sync()
    assert len(offlineimap.copy().state()) == 5
