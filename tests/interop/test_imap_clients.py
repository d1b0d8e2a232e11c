"""Real IMAP clients against a running server: each does some of its day's work."""

from __future__ import annotations

import asyncio
import imaplib
import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from quintet.store import accounts, entries, folders
from quintet.store.content import content_of
from tests.support.server import Server, start_server

pytestmark = pytest.mark.interop

USER, PASSWORD = "alice@example.org", "demo"
TIME_S = 60.0


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with start_server(tmp_path / "server", only=("imap",)) as running:
        await fill(running, 5)
        yield running


def letter(number: int) -> bytes:
    return (
        f"From: Zoe <zoe@example.net>\r\nTo: {USER}\r\nSubject: Letter {number}\r\n"
        f"Date: Fri, 21 Nov 2025 09:{number:02}:00 +0000\r\nMessage-ID: <m{number}@example.net>\r\n"
        f"\r\nText of letter {number}.\r\n.starts with a dot\r\n"
    ).encode()


async def fill(server: Server, count: int, name: str = "INBOX") -> None:
    folder = folder_of(server, name)
    for number in range(1, count + 1):
        await server.store.write(
            entries.add,
            [folder.id],
            content_of(letter(number)),
            received_at=1_763_715_600_000 + number * 1000,
        )


def folder_of(server: Server, name: str) -> Any:
    account = server.store.peek(accounts.find, USER)
    assert account is not None
    found = server.store.peek(folders.find, account.id, name)
    assert found is not None, name
    return found


def rows(server: Server, name: str = "INBOX") -> list[Any]:
    return server.store.peek(entries.listing, folder_of(server, name).id)


async def run(*command: str, home: Path, stdin: bytes = b"", ok: tuple[int, ...] = (0,)) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "TERM": "dumb", "LC_ALL": "C.UTF-8"},
        cwd=home,
    )
    try:
        async with asyncio.timeout(TIME_S):
            output, _ = await process.communicate(stdin)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    text = output.decode("utf-8", "replace")
    assert process.returncode in ok, f"{command[0]} ended with {process.returncode}:\n{text[-3000:]}"
    return text


# --- Python's own, and IMAPClient ----------------------------------------------------------------------


async def test_imaplib_does_a_days_work(server: Server) -> None:
    def work() -> None:
        with imaplib.IMAP4("127.0.0.1", server.ports["imap"], timeout=20) as client:
            client.login(USER, PASSWORD)
            assert client.select("INBOX") == ("OK", [b"5"])
            assert client.search(None, "SUBJECT", '"Letter 3"') == ("OK", [b"3"])
            _, data = client.fetch("1:2", "(UID RFC822.SIZE BODY.PEEK[])")
            assert [piece[1] for piece in data if isinstance(piece, tuple)] == [letter(1), letter(2)]
            assert client.store("2", "+FLAGS", "(\\Deleted)")[1] == [b"2 (UID 2 FLAGS (\\Deleted \\Recent))"]
            assert client.expunge()[1] == [b"2"]
            client.create("Work")
            assert client.copy("1:2", "Work")[0] == "OK"
            stamp = imaplib.Time2Internaldate(1_700_000_000)
            assert client.append("Work", "(\\Seen)", stamp, letter(9))[0] == "OK"
            assert client.status("Work", "(MESSAGES UNSEEN)")[1] == [b"Work (MESSAGES 3 UNSEEN 2)"]
            assert client.list('""', "Wo*")[1] == [b'(\\HasNoChildren) "/" Work']
            client.logout()

    await asyncio.to_thread(work)
    assert [row.uid for row in rows(server)] == [1, 3, 4, 5]
    assert len(rows(server, "Work")) == 3


async def test_imaplib_over_tls_and_starttls(server: Server) -> None:
    context = ssl.create_default_context(cafile=str(server.certificate))
    context.check_hostname = False

    def work() -> None:
        with imaplib.IMAP4_SSL("127.0.0.1", server.ports["imaps"], ssl_context=context, timeout=20) as client:
            client.authenticate("PLAIN", lambda _: f"\0{USER}\0{PASSWORD}".encode())
            assert client.select("INBOX", readonly=True)[1] == [b"5"]
        with imaplib.IMAP4("127.0.0.1", server.ports["imap"], timeout=20) as client:
            client.starttls(context)
            client.login(USER, PASSWORD)
            assert client.noop()[0] == "OK"

    await asyncio.to_thread(work)


async def test_imapclient_idles_moves_and_asks_conditionally(server: Server) -> None:
    imapclient = pytest.importorskip("imapclient", reason="IMAPClient is not installed")
    loop = asyncio.get_running_loop()

    def work() -> None:
        client = imapclient.IMAPClient("127.0.0.1", server.ports["imap"], ssl=False, timeout=20)
        client.login(USER, PASSWORD)
        assert client.namespace().shared == (("Groups/", "/"), ("Public/", "/"))
        chosen = client.select_folder("INBOX")
        assert (chosen[b"EXISTS"], chosen[b"UIDNEXT"]) == (5, 6)
        envelope = client.fetch([3], ["ENVELOPE", "FLAGS", "INTERNALDATE", "BODYSTRUCTURE"])[3][b"ENVELOPE"]
        assert (envelope.subject, envelope.from_[0].mailbox) == (b"Letter 3", b"zoe")
        client.create_folder("Entwürfe & mehr")
        assert "Entwürfe & mehr" in [name for _, _, name in client.list_folders()]
        client.move([1, 2], "Entwürfe & mehr")
        assert client.search(["ALL"]) == [3, 4, 5]
        assert client.search(["SUBJECT", "letter 4"], charset="UTF-8") == [4]
        client.idle()
        asyncio.run_coroutine_threadsafe(fill(server, 1), loop).result()
        heard = client.idle_check(timeout=10)
        client.idle_done()
        assert (4, b"EXISTS") in heard
        assert client.get_flags([3])[3] == () or b"\\Recent" in client.get_flags([3])[3]
        changed = client.fetch([3, 4], ["FLAGS"], ["CHANGEDSINCE 999999"])
        assert changed == {}
        client.delete_messages([3])
        client.uid_expunge([3])
        client.logout()

    await asyncio.to_thread(work)
    assert [row.uid for row in rows(server)] == [4, 5, 6]


# --- programs --------------------------------------------------------------------------------


async def test_curl_lists_reads_uploads_and_searches(server: Server, tmp_path: Path) -> None:
    curl = program("curl")
    url = f"imap://127.0.0.1:{server.ports['imap']}"
    login = ("-sS", "-u", f"{USER}:{PASSWORD}")
    assert '"/" INBOX' in await run(curl, *login, url, home=tmp_path)
    assert "Text of letter 2." in await run(curl, *login, f"{url}/INBOX;UID=2", home=tmp_path)
    assert "* SEARCH 3" in await run(curl, *login, f"{url}/INBOX?SUBJECT%20%22Letter%203%22", home=tmp_path)
    assert await run(curl, *login, f"{url}/INBOX;MAILINDEX=1;SECTION=TEXT", home=tmp_path)
    (tmp_path / "new.eml").write_bytes(letter(7))
    await run(curl, *login, "-T", str(tmp_path / "new.eml"), f"{url}/Drafts", home=tmp_path)
    assert [row.size for row in rows(server, "Drafts")] == [len(letter(7))]
    secure = f"imaps://127.0.0.1:{server.ports['imaps']}"
    assert '"/" Drafts' in await run(curl, "-k", *login, secure, home=tmp_path)


MBSYNC = """
IMAPAccount q
Host 127.0.0.1
Port {port}
User {user}
Pass {password}
{tls}
AuthMechs {mechanisms}

IMAPStore far
Account q

MaildirStore near
Path {home}/mail/
Inbox {home}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns INBOX Drafts Trash Work
Create Both
Expunge Both
SyncState *
"""


@pytest.mark.parametrize("mechanisms", ["LOGIN", "PLAIN"])
async def test_mbsync_syncs_both_ways(server: Server, tmp_path: Path, mechanisms: str) -> None:
    mbsync = program("mbsync")
    (tmp_path / "mail").mkdir()
    version = await run(mbsync, "--version", home=tmp_path)
    tls = "TLSType None" if "isync 1.5" in version else "SSLType None"
    settings = MBSYNC.format(
        port=server.ports["imap"], user=USER, password=PASSWORD, home=tmp_path, mechanisms=mechanisms, tls=tls
    )
    (tmp_path / "rc").write_text(settings)

    async def sync() -> None:
        await run(mbsync, "-c", str(tmp_path / "rc"), "all", home=tmp_path)

    await sync()
    inbox = tmp_path / "mail" / "INBOX"
    got = sorted(path for part in ("cur", "new") for path in (inbox / part).iterdir())
    assert len(got) == 5
    first = next(path for path in got if b"Letter 1\n" in path.read_bytes().replace(b"\r\n", b"\n"))
    second = next(path for path in got if b"Letter 2\n" in path.read_bytes().replace(b"\r\n", b"\n"))
    first.rename(inbox / "cur" / (first.name.split(":")[0] + ":2,FS"))
    second.rename(inbox / "cur" / (second.name.split(":")[0] + ":2,ST"))
    work = tmp_path / "mail" / "Work"
    for part in ("cur", "new", "tmp"):
        (work / part).mkdir(parents=True)
    (work / "new" / "1.local").write_bytes(letter(8).replace(b"\r\n", b"\n"))
    await sync()
    assert {row.uid: row.flags for row in rows(server)} == {1: 1 | 4, 3: 0, 4: 0, 5: 0}
    assert len(rows(server, "Work")) == 1
    folder = folder_of(server, "INBOX")
    await server.store.write(entries.set_flags, folder.id, [3], "+", 2, ())
    await server.store.write(entries.expunge, folder.id, [4])
    await fill(server, 1)
    await sync()
    left = [path.name for part in ("cur", "new") for path in (inbox / part).iterdir()]
    assert len(left) == 4
    assert sum("R" in name.rpartition(",")[2] for name in left) == 1


async def test_offlineimap_fetches_and_uploads(server: Server, tmp_path: Path) -> None:
    offlineimap = program("offlineimap")
    (tmp_path / "rc").write_text(
        f"""
[general]
accounts = q
ui = basic
[Account q]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {tmp_path}/mail
[Repository far]
type = IMAP
remotehost = 127.0.0.1
remoteport = {server.ports["imap"]}
remoteuser = {USER}
remotepass = {PASSWORD}
ssl = no
starttls = no
folderfilter = lambda name: name in ("INBOX", "Drafts")
"""
    )
    command = (offlineimap, "-o", "-c", str(tmp_path / "rc"))
    await run(*command, home=tmp_path)
    inbox = tmp_path / "mail" / "INBOX"
    got = [path for part in ("cur", "new") for path in (inbox / part).iterdir()]
    assert len(got) == 5
    (tmp_path / "mail" / "Drafts" / "new" / "1.local").write_bytes(letter(8).replace(b"\r\n", b"\n"))
    await run(*command, home=tmp_path)
    assert len(rows(server, "Drafts")) == 1


@pytest.mark.parametrize("name", ["mutt", "neomutt"])
async def test_mutt_reads_flags_and_saves(server: Server, tmp_path: Path, name: str) -> None:
    mutt = program(name)
    (tmp_path / "rc").write_text(
        f"""
set imap_user="{USER}" imap_pass="{PASSWORD}" ssl_starttls=no ssl_force_tls=no
set folder="imap://127.0.0.1:{server.ports["imap"]}/" spoolfile="+INBOX" record="" header_cache=""
set confirmappend=no confirmcreate=no delete=yes quit=yes move=no mail_check=1 sort=mailbox-order
unset wait_key resolve
push "<first-entry><flag-message><next-entry><save-message>=Archive<enter>\
<last-entry><display-message><exit><sync-mailbox><quit>"
"""
    )
    script = program("script")
    await run(script, "-qec", f"{mutt} -F {tmp_path}/rc -e 'set my_x=1'", "/dev/null", home=tmp_path)
    state = {row.uid: row.flags for row in rows(server)}
    assert 2 not in state
    assert state[1] & 4
    assert state[5] & 1
    assert len(rows(server, "Archive")) == 1


async def test_fetchmail_takes_new_mail(server: Server, tmp_path: Path) -> None:
    fetchmail = program("fetchmail")
    settings = tmp_path / "rc"
    settings.write_text(
        f"poll 127.0.0.1 service {server.ports['imap']} protocol IMAP auth password\n"
        f'  user "{USER}" password "{PASSWORD}" keep sslproto ""\n'
        f'  mda "cat >> {tmp_path}/box"\n'
    )
    settings.chmod(0o600)
    await run(fetchmail, "-f", str(settings), "--nosyslog", "-v", home=tmp_path)
    text = (tmp_path / "box").read_bytes()
    assert text.count(b"Text of letter") == 5
    assert all(row.flags & 1 for row in rows(server))
