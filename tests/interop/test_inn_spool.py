"""A spool that innd wrote is brought over; what we write for INN is read by INN's own programs."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

import pytest

from quintet.admin.transfer import inn_dump, inn_load
from quintet.store import entries, groups
from tests.support.stores import open_store

BIN = Path("/usr/lib/news/bin")
GROUPS = ("local.one", "local.two")
ARTICLES = 12

pytestmark = pytest.mark.skipif(not (BIN / "innd").exists(), reason="INN is not installed (Debian: inn2)")

CONF = """\
mta: "/bin/false %s"
mailcmd: /bin/false
organization: "Test"
pathhost: inn.example
domain: example
ovmethod: tradindexed
hismethod: hisv6
enableoverview: true
wireformat: true
artcutoff: 0
maxconnections: 20
port: {port}
bindaddress: 127.0.0.1
remembertrash: true
pgpverify: false
rlimitnofile: -1
icdsynccount: 1
doinnwatch: false
runasuser: {user}
runasgroup: {group}
pathnews: /usr/lib/news
pathbin: /usr/lib/news/bin
pathcontrol: /usr/lib/news/bin/control
pathdb: {root}/db
pathetc: {root}/etc
pathfilter: {root}/etc
pathhttp: {root}/http
pathlog: {root}/log
pathrun: {root}/run
pathspool: {root}/spool
patharticles: {root}/spool/articles
pathincoming: {root}/spool/incoming
pathoutgoing: {root}/spool/outgoing
pathoverview: {root}/spool/overview
patharchive: {root}/spool/archive
"""


class Inn:
    """One INN in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        spools = [f"spool/{name}" for name in ("articles", "overview", "incoming/bad", "outgoing", "archive")]
        for name in ("etc", "db", "log", "run", "http", *spools):
            (root / name).mkdir(parents=True, exist_ok=True)
        user, group = ("news", "news") if os.getuid() == 0 else (_name(), _name())
        (root / "etc/inn.conf").write_text(CONF.format(root=root, port=self.port, user=user, group=group))
        (root / "etc/storage.conf").write_text("method tradspool {\n newsgroups: *\n class: 0\n}\n")
        (root / "etc/newsfeeds").write_text("ME:*::\n")
        (root / "etc/incoming.conf").write_text('peer all {\n  hostname: "127.0.0.1"\n}\n')
        for name in (
            "control.ctl",
            "expire.ctl",
            "readers.conf",
            "moderators",
            "distributions",
            "nnrpd.track",
        ):
            (root / "etc" / name).touch()

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """One of INN's programs as the user news."""
        return subprocess.run(
            [*self._who, str(BIN / program), *arguments],
            env={**os.environ, "INNCONF": str(self.root / "etc/inn.conf")},
            cwd=self.root / "db",
            capture_output=True,
            timeout=60,
            check=False,
        )

    @property
    def _who(self) -> list[str]:
        return ["setpriv", "--reuid=news", "--regid=news", "--clear-groups"] if os.getuid() == 0 else []

    def own(self) -> None:
        if os.getuid() == 0:
            subprocess.run(["chown", "-R", "news:news", str(self.root)], check=True)

    @contextmanager
    def serving(self) -> Iterator[None]:
        process = subprocess.Popen(
            [*self._who, str(BIN / "innd"), "-f", "-N"],
            env={**os.environ, "INNCONF": str(self.root / "etc/inn.conf")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            until = time.monotonic() + 20
            while time.monotonic() < until:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                        break
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def _name() -> str:
    import getpass

    return getpass.getuser()


@pytest.fixture
def inn(tmp_path: Path) -> Iterator[Inn]:
    # news must be able to reach it, and pytest's own folders are closed to others
    root = Path("/tmp") / f"inn-{os.getpid()}-{time.monotonic_ns()}"
    root.mkdir(mode=0o755)
    try:
        yield Inn(root)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def feed(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as conn, conn.makefile("rwb") as file:
        assert file.readline().startswith(b"200")
        for number in range(ARTICLES):
            names = GROUPS if number % 3 == 0 else GROUPS[:1]
            text = (
                f"TAKETHIS <{number}@Feed.Example>\r\nPath: feed!not-for-mail\r\nFrom: a@example.org\r\n"
                f"Newsgroups: {','.join(names)}\r\nSubject: s{number}\r\nDate: {formatdate()}\r\n"
                f"Message-ID: <{number}@Feed.Example>\r\n\r\nHello\r\n..two dots\r\n.\r\n"
            )
            file.write(text.encode())
            file.flush()
            assert file.readline().startswith(b"239")
        file.write(b"QUIT\r\n")
        file.flush()
        file.readline()


def test_spool_of_innd_comes_over_and_back(inn: Inn, tmp_path: Path) -> None:
    (inn.root / "db/active").write_text(
        "".join(f"{name} 0000000000 0000000001 n\n" for name in ("control", "control.cancel", "junk"))
        + "".join(f"{name} 0000000000 0000000001 y\n" for name in GROUPS)
    )
    for name in ("active.times", "newsgroups", "history"):
        (inn.root / "db" / name).touch()
    inn.own()
    assert inn.run("makedbz", "-i", "-o").returncode == 0
    with inn.serving():
        feed(inn.port)

    async def over() -> dict[str, bytes]:
        async with open_store(tmp_path / "data") as store:
            result = await inn_load.load(store, inn.root / "db", inn.root / "spool")
            assert (result.added, result.failures) == (ARTICLES, 0)
            one, two = (store.peek(groups.find, name) for name in GROUPS)
            assert one is not None
            assert two is not None
            assert (one.low, one.high, one.messages) == (1, ARTICLES, ARTICLES)
            assert two.messages == ARTICLES // 3
            await inn_dump.dump(store, tmp_path / "out")
            refs = store.peek(entries.bodies, one.id, [1, 2, 3])
            rows = store.peek(entries.lines, one.id, 1, 3, columns=("uid", "message_id"))
            return {text: store.read_body(refs[uid]) for uid, text in rows}

    texts = asyncio.run(over())
    theirs = {line.split("\t")[0] for line in (inn.root / "db/history").read_text().splitlines()}
    ours = (tmp_path / "out/db/history").read_text().splitlines()
    assert {line.split("\t")[0] for line in ours} == theirs
    # and back: what was written is INN's now
    shutil.rmtree(inn.root / "db")
    shutil.rmtree(inn.root / "spool")
    shutil.copytree(tmp_path / "out/db", inn.root / "db")
    shutil.copytree(tmp_path / "out/spool", inn.root / "spool")
    (inn.root / "spool/overview").mkdir()
    inn.own()
    assert inn.run("makedbz", "-i", "-o").returncode == 0
    for message_id, text in texts.items():
        token = inn.run("grephistory", message_id).stdout.strip().decode()
        assert token.startswith("@05"), token
        told = inn.run("sm", "-R", token)
        assert told.stdout.replace(b"\r\n..", b"\r\n.").removesuffix(b".\r\n") == text
