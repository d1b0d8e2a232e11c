"""Real news readers: slrn, tin, suck, rpost, Python's nntplib, curl, and what Thunderbird says."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
import sys
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from quintet.net.client import Client
from quintet.store import groups
from quintet.store.content import content_of
from tests.support.server import HOST, HOSTNAME, Server, start_server

pytestmark = pytest.mark.interop

TIME_S = 60.0
GROUP = "local.test"


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


@asynccontextmanager
async def serving(folder: Path, **options: Any) -> AsyncIterator[Server]:
    """A server with three articles in local.test."""
    async with start_server(folder, only=("nntp",), **options) as server:
        found = server.store.peek(groups.find, GROUP)
        assert found is not None
        for number, (subject, body) in enumerate(
            (("First thing", "Hello.\r\n.A dot.\r\n"), ("Re: First thing", "Yes.\r\n"), ("Grüße", "Zoë\r\n")),
            1,
        ):
            refs = "References: <1@example.org>\r\n" if subject.startswith("Re") else ""
            data = (
                f"From: Zoë <zoe@example.org>\r\nNewsgroups: {GROUP}\r\nSubject: {subject}\r\n{refs}"
                f"Date: Fri, 21 Nov 2025 09:0{number}:00 +0000\r\nMessage-ID: <{number}@example.org>\r\n"
                "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                f"Content-Transfer-Encoding: 8bit\r\n\r\n{body}"
            ).encode()
            await server.store.write(
                groups.file,
                [found.id],
                content_of(data),
                path=b"x!not-for-mail",
                host=HOSTNAME,
                received_at=server.app.clock.now(),
            )
        yield server


def articles(server: Server, group: str = GROUP) -> int:
    found = server.store.peek(groups.find, group)
    assert found is not None
    return found.messages


async def run(*command: str, home: Path, text: bytes = b"", code: int = 0) -> bytes:
    """Runs a client with a home of its own; its output."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "xterm", "LANG": "C.UTF-8"}
    environ["RES_OPTIONS"] = "timeout:1 attempts:1"  # slrn looks up its own host's name
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=home,
        env=environ,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(TIME_S):
            said, _ = await process.communicate(text)
    except TimeoutError:
        process.kill()
        said, _ = await process.communicate()
        raise AssertionError(f"{command[0]} did not end: {said[-2000:]!r}") from None
    assert process.returncode == code, said.decode(errors="replace")[-3000:]
    return said


EXPECT = """
set timeout 8
log_file -noappend screen
set env(TERM) vt100
set stty_init "rows 40 columns 100"
spawn {command}
{steps}
expect eof {{ }} timeout {{ exit 99 }}
"""


async def screen(home: Path, command: str, *steps: tuple[str, str]) -> bytes:
    """Sits before a reader's screen: (what it must show, what is typed then)."""
    script = "\n".join(
        f'expect "{shown}" {{ }} timeout {{ exit {number} }} eof {{ exit {number} }}\nsleep 0.2\n'
        f'catch {{ send "{typed}" }}'
        for number, (shown, typed) in enumerate(steps, 10)
    )
    (home / "script").write_text(EXPECT.format(command=command, steps=script))
    try:
        return await run("expect", "script", home=home)
    except AssertionError as error:
        raise AssertionError(f"{error}; its screen: {(home / 'screen').read_bytes()[-1500:]!r}") from None


# --- readers ----------------------------------------------------------------------------------


@needs("expect")
@needs("slrn")
async def test_slrn_reads_by_xover(tmp_path: Path) -> None:
    async with serving(tmp_path / "server") as server:
        (tmp_path / "rc").write_text(
            'set hostname "example.org"\nset username "zoe"\nset confirm_actions 0\n'
        )
        (tmp_path / "newsrc").write_text(f"{GROUP}: \n")
        said = await screen(
            tmp_path,
            f"slrn -n -i rc -f newsrc -h {HOST} -p {server.ports['nntp']}",
            (GROUP, "\\r"),
            ("First thing", "\\r"),
            ("Hello.", ""),
            (".A dot.", "q"),
            ("News Groups", "q"),
        )
    assert b".A dot." in said
    assert "Grüße".encode() in said
    assert b"1" in (tmp_path / "newsrc").read_bytes()  # marked as read


@needs("expect")
@needs("tin")
async def test_tin_reads_a_thread(tmp_path: Path) -> None:
    async with serving(tmp_path / "server") as server:
        (tmp_path / "newsrc").write_text(f"{GROUP}: \n")
        said = await screen(
            tmp_path,
            f"tin -r -q -g {HOST} -p {server.ports['nntp']} -f newsrc {GROUP}",
            ("to continue", "\\r"),
            ("First thing", "\\r"),
            (".A dot.", "q"),
            ("", "q"),
            ("Group Selection", "q"),
            ("really want to quit", "y"),
        )
    assert b"Hello." in said


@needs("tin")
async def test_tin_saves_what_is_unread(tmp_path: Path) -> None:
    async with serving(tmp_path / "server") as server:
        (tmp_path / "newsrc").write_text(f"{GROUP}: \ncomp.lang.python: \n")
        port = str(server.ports["nntp"])
        said = await run(
            "tin", "-r", "-g", HOST, "-p", port, "-S", "-v", "-f", "newsrc", home=tmp_path
        )  # fmt: skip
    assert b"Saved 3 articles" in said
    saved = b"".join(sorted(path.read_bytes() for path in (tmp_path / "News").rglob("*") if path.is_file()))
    assert b"\n.A dot.\n" in saved


@needs("suck")
async def test_suck_fetches_each_article_once(tmp_path: Path) -> None:
    async with serving(tmp_path / "server") as server:
        (tmp_path / "sucknewsrc").write_text(f"{GROUP} 0\n")
        (tmp_path / "Msgs").mkdir()
        command = (
            "suck",
            f"{HOST}:{server.ports['nntp']}",
            "-M",
            "-m",
            "-dd",
            ".",
            "-dt",
            ".",
            "-dm",
            "Msgs",
        )
        await run(*command, home=tmp_path)
        fetched = [path.read_bytes() for path in (tmp_path / "Msgs").iterdir()]
        (tmp_path / "suck.newrc").replace(tmp_path / "sucknewsrc")
        said = await run(*command, home=tmp_path, code=1)  # its way to say that there was nothing
        assert b"0 Articles to download" in said
        assert len(list((tmp_path / "Msgs").iterdir())) == 3
    assert len(fetched) == 3
    assert any(b"\n.A dot.\n" in article for article in fetched)
    assert (tmp_path / "sucknewsrc").read_text().split() == [GROUP, "3"]


@needs("rpost")
async def test_rpost_posts_after_login(tmp_path: Path) -> None:
    async with serving(tmp_path / "server") as server:
        (tmp_path / "article").write_text(
            f"Newsgroups: {GROUP}\nFrom: alice@example.org\nSubject: By rpost\n\n.A dot.\n"
        )
        (tmp_path / "batch").write_text(f"{tmp_path / 'article'}\n")
        address = f"{HOST}:{server.ports['nntp']}"
        login = ("-U", "alice@example.org", "-P", "demo")
        await run("rpost", address, "-M", *login, "-b", "batch", home=tmp_path)
        assert articles(server) == 4


@needs("curl")
async def test_curl_talks_by_telnet(tmp_path: Path) -> None:
    async with serving(tmp_path / "server") as server:
        said = await run(
            "curl", "-s", "--max-time", "20", f"telnet://{HOST}:{server.ports['nntp']}",
            home=tmp_path, text=f"GROUP {GROUP}\nHEAD 1\nQUIT\n".encode(),
        )  # fmt: skip
    assert f"211 3 1 3 {GROUP}\r\n".encode() in said
    assert said.endswith(b"205 Bye\r\n")


# --- Python's nntplib -------------------------------------------------------------------------


def _nntplib(port: int, certificate: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import nntplib
    context = ssl.create_default_context(cafile=str(certificate))
    context.check_hostname = False
    with nntplib.NNTP(HOST, port, timeout=TIME_S, readermode=True) as news:
        assert news.getwelcome().startswith("200 ")
        assert {"READER", "OVER", "HDR", "STARTTLS"} <= set(news.getcapabilities())
        news.starttls(context)
        assert "STARTTLS" not in news.getcapabilities()
        news.login("alice@example.org", "demo")
        assert news.nntp_version == 2
        listed: Any = news.list()[1]
        assert GROUP in [group.group for group in listed]
        assert GROUP in news.descriptions("local.*")[1]
        _, count, first, last, name = news.group(GROUP)
        assert (count, first, last, name) == (3, 1, 3, GROUP)
        _, overviews = news.over((1, None))
        assert [over["subject"] for _, over in overviews] == ["First thing", "Re: First thing", "Grüße"]
        assert overviews[1][1]["references"] == "<1@example.org>"
        assert overviews[0][1]["xref"] == f"{HOSTNAME} {GROUP}:1"
        assert int(overviews[0][1][":lines"]) == 2
        assert news.xhdr("message-id", "1-2")[1] == [("1", "<1@example.org>"), ("2", "<2@example.org>")]
        _, info = news.article("<1@example.org>")
        assert info.lines[-2:] == [b"Hello.", b".A dot."]
        assert news.stat(2)[1:] == (2, "<2@example.org>")
        assert news.next()[1:] == (3, "<3@example.org>")
        assert news.date()[1].year >= 2025
        assert news.newgroups(news.date()[1].replace(year=2000))[1]
        assert "<1@example.org>" in news.newnews(GROUP, news.date()[1].replace(year=2000))[1]
        head = f"From: alice@example.org\r\nNewsgroups: {GROUP}\r\nSubject: By nntplib\r\n"
        news.post(f"{head}\r\n.A dot.\r\n".encode())
        assert news.group(GROUP)[1] == 4
        assert news.body("4")[1].lines == [b".A dot."]


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="nntplib left Python with 3.13")
async def test_nntplib(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await asyncio.to_thread(_nntplib, server.ports["nntp"], server.certificate)
        assert articles(server) == 4


# --- what Thunderbird says --------------------------------------------------------------------


async def test_thunderbird_dialogue_over_tls(tmp_path: Path) -> None:
    """Implicit TLS, MODE READER, login when asked, XOVER, XHDR, XPAT, LISTGROUP, ARTICLE, POST."""
    async with serving(tmp_path, nntp={"read": "authenticated"}) as server:
        context = ssl.create_default_context(cafile=str(server.certificate))
        context.check_hostname = False
        client = await Client.connect(HOST, server.ports["nntps"], timeout_s=TIME_S, tls=context)
        try:
            await _thunderbird(client)
        finally:
            await client.close()
        assert articles(server) == 4


async def _thunderbird(client: Client) -> None:
    async def ask(command: str, code: bytes, *, lines: bool = False) -> list[bytes]:
        await client.write(command.encode() + b"\r\n")
        first = await client.line()
        assert first.startswith(code + b" "), first
        assert len(first) > 4  # text behind every code
        found = [first]
        while lines:
            found.append(await client.line())
            if found[-1] == b".":
                break
        return found

    assert (await client.line()).startswith(b"200 ")
    await ask("MODE READER", b"200")
    await ask("LIST", b"480")
    await ask("AUTHINFO user alice@example.org", b"381")
    await ask("AUTHINFO pass demo", b"281")
    listed = await ask("LIST", b"215", lines=True)
    assert b"local.test 3 1 y" in listed
    await ask("NEWGROUPS 20200101 000000 GMT", b"231", lines=True)
    await ask(f"GROUP {GROUP}", b"211")
    assert len(await ask("XOVER 1-3", b"224", lines=True)) == 5
    await ask("XHDR to 1-3", b"221", lines=True)
    assert len(await ask("XPAT subject 1-3 *[Ff][Ii][Rr][Ss][Tt]*", b"221", lines=True)) == 4
    assert await ask(f"LISTGROUP {GROUP}", b"211", lines=True)
    await ask("ARTICLE 1", b"220", lines=True)
    await ask("ARTICLE <2@example.org>", b"220", lines=True)
    await ask("GROUP local.none", b"411")
    await ask("POST", b"340")
    await client.write(
        f"From: a@example.org\r\nNewsgroups: {GROUP}\r\nSubject: From TB\r\n\r\nhi\r\n.\r\n".encode()
    )
    assert (await client.line()).startswith(b"240 ")
    await ask("QUIT", b"205")
