"""libetpan, the engine of claws-mail, does a day's work by IMAP and takes POP3 and news (libetpan/day.c)."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from quintet.store import entries
from quintet.store.model import ANSWERED, FLAGGED, SEEN
from tests.support.mailclients import (
    PASSWORD,
    TIME_S,
    USER,
    deliver,
    fill,
    flags,
    folder_of,
    idling,
    letter,
    mail_server,
    names,
    offering,
    rows,
    token,
)
from tests.support.server import Server

pytestmark = pytest.mark.interop

SOURCE = Path(__file__).parent / "libetpan" / "day.c"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    made = tmp_path_factory.mktemp("libetpan") / "day"
    command = [compiler, "-o", str(made), str(SOURCE), "-letpan"]
    built = subprocess.run(command, capture_output=True, text=True, timeout=TIME_S, check=False)
    if "libetpan/libetpan.h" in built.stderr:
        pytest.skip("libetpan-dev is not installed")
    assert built.returncode == 0, built.stderr
    return made


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with mail_server(tmp_path / "server") as running:
        yield running


class Etpan:
    """Says a verb, gives the lines of the answer."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._in, self._out = process.stdin, process.stdout

    async def __call__(self, *words: str | int) -> list[str]:
        self.begin(*words)
        return await self.end()

    def begin(self, *words: str | int) -> None:
        self._in.write("\t".join(map(str, words)).encode() + b"\n")

    async def end(self) -> list[str]:
        lines: list[str] = []
        while True:
            raw = await asyncio.wait_for(self._out.readline(), TIME_S)
            assert raw, f"libetpan ended after {lines}"
            line = raw.decode("utf-8", "replace").rstrip("\n")
            assert not line.startswith("failed"), line
            if line == "ok":
                return lines
            lines.append(line)


@asynccontextmanager
async def etpan(engine: Path) -> AsyncIterator[Etpan]:
    process = await asyncio.create_subprocess_exec(
        str(engine), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Etpan(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def port(server: Server, security: str, kind: str = "imap") -> int:
    return server.ports[f"{kind}s" if security == "tls" else kind]


async def test_libetpan_does_a_days_work(engine: Path, server: Server, tmp_path: Path) -> None:
    async with etpan(engine) as client:
        await client("connect", "none", server.ports["imap"])
        await client("login", "command", USER, PASSWORD)
        assert await client("id") == ["server Quintet"]
        await client("enable", "QRESYNC")
        assert "mailbox INBOX" in await client("list", "%")
        chosen = (await client("select", "INBOX"))[0].split()
        assert chosen[1] == "5"
        found = await client("fetch", "1:*", "overview")
        assert found[2] == f"message uid=3 subject=Letter 3 size={len(letter(3))} parts=1"
        assert await client("fetch", "2", "body") == [f"message uid=2 octets={len(letter(2))}"]
        assert await client("search", "subject", "letter 4") == ["uid 4"]
        assert await client("search", "body", "TEXT OF LETTER 5") == ["uid 5"]
        assert await client("search", "body", "grüße") == []
        await client("store", "1:2", "+", "\\Seen \\Flagged $Label1")
        await client("store", "2", "-", "\\Seen")
        await client("store", "3", "=", "\\Answered")
        assert flags(server) == {1: SEEN | FLAGGED, 2: FLAGGED, 3: ANSWERED, 4: 0, 5: 0}

        await client("create", "Work")
        await client("subscribe", "Work")
        assert await client("lsub", "W*") == ["mailbox Work"]
        assert await client("copy", "1:2", "Work") == ["uidvalidity told"]
        assert await client("move", "4", "Work") == ["uidvalidity told"]
        (tmp_path / "new.eml").write_bytes(letter(8))
        assert await client("append", "Work", tmp_path / "new.eml", "\\Seen") == ["uid 4"]
        await client("store", "5", "+", "\\Deleted")
        await client("expunge", "5")
        await client("rename", "Work", "Play")

        # what changed since it selected; its SELECT with QRESYNC lacks the parentheses of RFC 7162 3.2.5
        for items in ("flags", "body"):
            changed = await client("changed", chosen[3], items)
            assert [line.split()[1] for line in changed if line.startswith("message")] == [
                "uid=1",
                "uid=2",
                "uid=3",
            ]
            assert [line for line in changed if line.startswith("vanished")] == ["vanished 4:5"]
        await client("close")
        await client("logout")
    assert list(flags(server)) == [1, 2, 3]
    assert list(flags(server, "Play").values()) == [SEEN | FLAGGED, FLAGGED, 0, SEEN]
    assert "Work" not in names(server)


async def test_libetpan_idles(engine: Path, server: Server) -> None:
    async with etpan(engine) as client:
        await client("connect", "none", server.ports["imap"])
        await client("login", "PLAIN", USER, PASSWORD)
        await client("select", "INBOX")
        client.begin("idle")
        await idling(server)
        await fill(server, 1, first=6)
        assert await client.end() == ["exists 6"]
        client.begin("idle")
        await idling(server)
        await server.store.write(entries.expunge, folder_of(server, "INBOX").id, [2])
        assert await client.end() == ["exists 5"]
        await client("logout")


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
@pytest.mark.parametrize(
    "mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "XOAUTH2", "command"]
)
async def test_libetpan_logs_in(engine: Path, server: Server, mechanism: str, security: str) -> None:
    offering(server, *([] if mechanism == "command" else [mechanism]))
    async with etpan(engine) as client:
        await client("connect", security, port(server, security))
        await client("login", mechanism, USER, token() if mechanism == "XOAUTH2" else PASSWORD)
        assert (await client("select", "INBOX"))[0].startswith("exists 5 ")
        await client("logout")


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
async def test_libetpan_empties_a_maildrop(engine: Path, tmp_path: Path, security: str) -> None:
    async with mail_server(tmp_path / "server", only=("pop3",), letters=3) as server, etpan(engine) as client:
        given = ("engine", "pop3", security, port(server, security, "pop3"), USER, PASSWORD, "")
        sizes = [f"message octets={len(letter(number))}" for number in (1, 2, 3)]
        assert await client(*given) == sizes
        assert len(rows(server)) == 3
        assert await client(*given, "remove") == sizes
        assert not rows(server)


@pytest.mark.parametrize("security", ["none", "tls"])
async def test_libetpan_reads_news(engine: Path, tmp_path: Path, security: str) -> None:
    async with mail_server(tmp_path / "server", only=("nntp",)) as server, etpan(engine) as client:
        await deliver(server, letter(1), group="local.test")
        found = await client("engine", "nntp", security, port(server, security, "nntp"), "", "", "local.test")
        assert len(found) == 1
        assert int(found[0].partition("=")[2]) >= len(letter(1))
