"""Real POP3 clients: fetchmail, getmail, curl, mpop, mutt and Python's poplib empty and read a maildrop."""

from __future__ import annotations

import asyncio
import contextlib
import mailbox
import os
import poplib
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from quintet.store import accounts, entries, folders
from quintet.store.content import content_of
from quintet.store.model import FolderId
from tests.support.server import Server, start_server

pytestmark = pytest.mark.interop

TIME_S = 60.0
LETTERS = [
    (
        b"From: ann@example.org\r\nTo: alice@example.org\r\nSubject: dots\r\nMessage-ID: <1@example.org>\r\n"
        b"Date: Fri, 21 Nov 2025 09:00:00 +0000\r\n\r\n.one dot\r\n..two dots\r\n.\r\nafter the dot\r\n"
    ),
    "From: =?utf-8?q?Zo=C3=AB?= <zoe@example.org>\r\nTo: alice@example.org\r\nSubject: 8bit\r\n"
    "Message-ID: <2@example.org>\r\nDate: Fri, 21 Nov 2025 09:01:00 +0000\r\nMIME-Version: 1.0\r\n"
    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    "naïve café\r\n".encode(),
    b"From: ann@example.org\r\nTo: alice@example.org\r\nSubject: large\r\nMessage-ID: <3@example.org>\r\n"
    b"Date: Fri, 21 Nov 2025 09:02:00 +0000\r\n\r\n"
    + b".a line that begins with a dot and goes on\r\n"
    * 6000,
]


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Server]:
    async with start_server(folder, only=("pop3",)) as server:
        inbox = _inbox(server)
        for letter in LETTERS:
            await server.store.write(entries.add, [inbox], content_of(letter), received_at=1_763_715_600_000)
        yield server


def _inbox(server: Server) -> FolderId:
    account = server.store.peek(accounts.find, "alice@example.org")
    assert account is not None
    inbox = server.store.peek(folders.find, account.id, "INBOX")
    assert inbox is not None
    return inbox.id


def left(server: Server) -> list[int]:
    return list(server.store.peek(entries.uids, _inbox(server)))


async def run(*command: str, home: Path, text: bytes = b"", code: int = 0) -> bytes:
    """Runs a client with a home of its own; its output."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TERM": "xterm",
        "LANG": "C.UTF-8",
        "XDG_CONFIG_HOME": str(home),
        "FETCHMAILHOME": str(home),
    }
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environ,
        cwd=home,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(TIME_S):
            output, _ = await process.communicate(text)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == code, output.decode("utf-8", "replace")
    return output


def body_of(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n").partition(b"\n\n")[2].rstrip(b"\n")


def messages(path: Path) -> int:
    box = mailbox.mbox(str(path))
    try:
        return len(box)
    finally:
        box.close()


def private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


@needs("fetchmail")
@pytest.mark.parametrize("secure", ["", "ssl", "stls"])
async def test_fetchmail_empties_the_maildrop(tmp_path: Path, secure: str) -> None:
    async with serving(tmp_path / "server") as server:
        home = tmp_path / "home"
        home.mkdir()
        port = server.ports["pop3s" if secure == "ssl" else "pop3"]
        words = {"": "sslproto ''", "ssl": "ssl", "stls": "sslproto 'auto'"}[secure]
        trust = f"sslcertck sslcertfile {server.certificate}" if secure else ""
        private(
            home / "rc",
            f"poll localhost protocol pop3 port {port} auth password\n"
            "  user 'alice@example.org' password 'demo'\n"
            f"  {words} {trust} no keep fetchall\n"
            f"  mda \"/bin/sh -c 'cat >> {home}/out; echo >> {home}/out'\"\n",
        )
        output = await run("fetchmail", "-f", str(home / "rc"), "--nosyslog", "-v", home=home)
        assert b"3 messages" in output
        got = (home / "out").read_bytes().replace(b"\r\n", b"\n")
        for letter in LETTERS:
            assert body_of(letter) in got
        assert left(server) == []


@needs("fetchmail")
async def test_fetchmail_remembers_what_it_has_seen(tmp_path: Path) -> None:
    async with serving(tmp_path / "server") as server:
        home = tmp_path / "home"
        home.mkdir()
        private(
            home / "rc",
            f"poll localhost protocol pop3 port {server.ports['pop3']} uidl auth password\n"
            "  user 'alice@example.org' password 'demo' sslproto '' keep\n"
            "  mda \"/bin/sh -c 'cat > /dev/null'\"\n",
        )
        command = ("fetchmail", "-f", str(home / "rc"), "--nosyslog", "-v", "-i", str(home / "ids"))
        assert b"3 messages" in await run(*command, home=home)
        again = await run(*command, home=home, code=1)  # 1: there was no new mail
        assert b"3 seen" in again
        assert left(server) == [1, 2, 3]


@needs("getmail")
async def test_getmail_empties_the_maildrop(tmp_path: Path) -> None:
    async with serving(tmp_path / "server") as server:
        home = tmp_path / "home"
        home.mkdir()
        private(
            home / "rc",
            "[retriever]\ntype = SimplePOP3SSLRetriever\nserver = localhost\n"
            f"port = {server.ports['pop3s']}\nusername = alice@example.org\npassword = demo\n"
            # not its own Maildir delivery: that refuses to work for root, which CI is
            "[destination]\ntype = MDA_external\npath = /bin/sh\nallow_root_commands = true\n"
            f'arguments = ("-c", "cat >> {home}/out; echo >> {home}/out")\n[options]\ndelete = true\n',
        )
        for _ in range(4):  # its 6.18 waits for ever, now and then, for a delivery that has ended
            with contextlib.suppress(TimeoutError):
                await run("getmail", f"--getmaildir={home}", f"--rcfile={home}/rc", home=home)
                break
        got = (home / "out").read_bytes().replace(b"\r\n", b"\n")
        for letter in LETTERS:
            assert body_of(letter) in got
        assert left(server) == []


@needs("curl")
@pytest.mark.parametrize("scheme", ["pop3", "pop3s", "stls"])
async def test_curl_lists_and_retrieves(tmp_path: Path, scheme: str) -> None:
    async with serving(tmp_path / "server") as server:
        port = server.ports["pop3s" if scheme == "pop3s" else "pop3"]
        url = f"{'pop3s' if scheme == 'pop3s' else 'pop3'}://localhost:{port}/"
        base = ["curl", "-sS", "--cacert", str(server.certificate), "-u", "alice@example.org:demo"]
        if scheme == "stls":
            base.append("--ssl-reqd")
        listed = await run(*base, url, home=tmp_path)
        sizes = [f"{number} {len(letter)}" for number, letter in enumerate(LETTERS, 1)]
        assert listed.decode().split("\r\n")[:3] == sizes
        for number, letter in enumerate(LETTERS, 1):
            assert await run(*base, url + str(number), home=tmp_path) == letter
        assert b"\r\n" in await run(*base, "-X", "UIDL", url, home=tmp_path)
        await run(*base, "-I", "-X", "DELE 2", url, home=tmp_path)
        assert left(server) == [1, 3]


@needs("curl")
async def test_curl_reads_a_folder_and_a_group(tmp_path: Path) -> None:
    async with start_server(tmp_path / "server", letters=True, only=("pop3",)) as server:
        url = f"pop3://localhost:{server.ports['pop3']}/"
        for name, secret in (("alice@example.org+Groups/comp.lang.python", "demo"), ("alice+Sent", "demo")):
            listed = await run("curl", "-sS", "-u", f"{name}:{secret}", url, home=tmp_path)
            assert listed.strip() == b"" or listed.startswith(b"1 ")
        await run("curl", "-sS", "-u", "alice@example.org+Nowhere:demo", url, home=tmp_path, code=67)


@needs("mpop")
async def test_mpop_delivers(tmp_path: Path) -> None:
    async with serving(tmp_path / "server") as server:
        home = tmp_path / "home"
        home.mkdir()
        private(
            home / "rc",
            f"account default\nhost localhost\nport {server.ports['pop3s']}\ntls on\ntls_starttls off\n"
            f"tls_trust_file {server.certificate}\nuser alice@example.org\npassword demo\n"
            f"keep off\nuidls_file {home}/uidls\ndelivery mbox {home}/out\n",
        )
        await run("mpop", f"--file={home}/rc", home=home)
        assert messages(home / "out") == 3
        assert left(server) == []


@needs("mutt")
async def test_mutt_reads_by_pop(tmp_path: Path) -> None:
    async with serving(tmp_path / "server") as server:
        home = tmp_path / "home"
        home.mkdir()
        private(
            home / "muttrc",
            f'set folder="{home}"\nset pop_user="alice@example.org"\nset pop_pass="demo"\n'
            f'set certificate_file="{server.certificate}"\nset ssl_starttls=no\nset ssl_force_tls=no\n'
            'set pop_authenticators="user"\nset pop_delete=no\nset header_cache=""\nset quit=yes\n'
            f"set copy=no\nset confirmappend=no\nset confirmcreate=no\n"
            "set delete=yes\nset wait_key=no\nset mbox_type=mbox\n"
            f'push "<tag-pattern>~A<enter><tag-prefix><copy-message>{home}/out<enter><quit>"\n',
        )
        mutt = f"mutt -F {home}/muttrc -f pop://localhost:{server.ports['pop3']}/"
        script = shutil.which("script")
        if script is None:
            pytest.skip("script is not installed: mutt wants a terminal")
        await run(script, "-qec", mutt, "/dev/null", home=home)
        assert messages(home / "out") == 3
        assert left(server) == [1, 2, 3]


async def test_poplib_speaks_it_all(tmp_path: Path) -> None:
    def talk(port: int, certificate: str) -> None:
        client = poplib.POP3("127.0.0.1", port, timeout=TIME_S)
        assert client.capa()["SASL"]
        client.stls(ssl.create_default_context(cafile=certificate))
        client.utf8()
        client.user("alice@example.org")
        client.pass_("demo")
        count, size = client.stat()
        assert (count, size) == (3, sum(map(len, LETTERS)))
        for number, letter in enumerate(LETTERS, 1):
            lines = client.retr(number)[1]
            assert b"\r\n".join([*lines, b""]) == letter
            assert client.top(number, 0)[1] == [*letter.partition(b"\r\n\r\n")[0].split(b"\r\n"), b""]
        assert len({line.split()[1] for line in client.uidl()[1]}) == 3
        client.dele(1)
        client.rset()
        client.dele(3)
        client.quit()

    async with serving(tmp_path / "server") as server:
        config = server.certificate
        # the certificate is for names: 127.0.0.1 stands in it as an address
        await asyncio.to_thread(talk, server.ports["pop3"], str(config))
        assert left(server) == [1, 2]
