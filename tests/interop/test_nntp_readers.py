"""A day's work of real news readers: list, read, search, post, follow up, cancel where they can."""

from __future__ import annotations

import asyncio
import datetime
import importlib.metadata
import importlib.util
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from quintet import metrics
from quintet.store import articles as stored
from quintet.store import entries, groups
from tests.interop.test_nntp_clients import GROUP, TIME_S, articles, needs, run, screen, serving
from tests.support.server import HOST, Server

pytestmark = pytest.mark.interop

OTHER = "comp.lang.python"
WHO, SECRET = "alice@example.org", "demo"


def text_of(server: Server, number: int) -> bytes:
    """An article as it is stored."""
    found = server.store.peek(groups.find, GROUP)
    assert found is not None
    return server.store.read_body(server.store.peek(entries.bodies, found.id, [number])[number])


def stored_number(server: Server, number: int) -> bool:
    """Whether an article of that number is there."""
    found = server.store.peek(groups.find, GROUP)
    assert found is not None
    return server.store.peek(stored.id_of, found.id, number) is not None


def here(server: Server, message_id: str) -> bool:
    return server.store.peek(stored.by_message_id, message_id) is not None


# --- pynntp -----------------------------------------------------------------------------------


def _client_library() -> Any:  # Any: a module without stubs
    """pynntp by its place: folders of tests bear the same name, and may have been imported first."""
    try:
        package = Path(str(importlib.metadata.distribution("pynntp").locate_file("nntp")))
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("pynntp is not installed")
    spec = importlib.util.spec_from_file_location(
        "pynntp_client", package / "__init__.py", submodule_search_locations=[str(package)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _pynntp(port: int) -> None:
    nntp = _client_library()
    with nntp.NNTPClient(HOST, port, WHO, SECRET, timeout=int(TIME_S)) as news:
        assert "READER" in list(news.capabilities())
        assert abs(news.date() - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(minutes=1)
        assert GROUP in [each.name for each in news.list_active()]
        assert GROUP in [name for name, _, _ in list(news.list_active_times())]
        assert [name for name, _ in list(news.list_overview_fmt())][:2] == ["Subject", "From"]
        assert news.group(GROUP) == (3, 1, 3, GROUP)
        plain = list(news.xover((1,)))
        assert [one[0] for one in plain] == [1, 2, 3]
        assert plain[0][1]["Subject"] == "First thing"
        assert list(news.xzver((1,))) == plain  # deflated and in yEnc
        subjects = list(news.xhdr("Subject", (1,)))
        assert (subjects[0][0], subjects[0][1].strip()) == (1, "First thing")
        assert list(news.xzhdr("Subject", (1,))) == subjects
        assert [line.split()[0] for line in news.xpat("Subject", (1,), "*thing*")] == ["1", "2"]
        # (a line with a dot it gives twice, whoever serves it)
        number, fields, body = news.article("<2@example.org>")
        assert (number, body) == (0, b"Yes.\r\n")
        assert fields["Message-ID"] == "<2@example.org>"
        assert news.next() == (2, "<2@example.org>")
        assert "<1@example.org>" in list(news.newnews(GROUP, datetime.datetime(2000, 1, 1)))
        head = {"From": WHO, "Newsgroups": GROUP, "Subject": "By pynntp", "Message-ID": "<p1@example.org>"}
        assert news.post(head, "First.\n")
        answer = head | {"Subject": "Re: By pynntp", "References": "<p1@example.org>"}
        answer["Newsgroups"] = f"{GROUP},{OTHER}"
        assert news.post(answer | {"Message-ID": "<p2@example.org>"}, "Second.\n")
        assert news.body("<p1@example.org>") == b"First.\r\n"
        cancel = head | {"Control": "cancel <p1@example.org>", "Subject": "cmsg cancel <p1@example.org>"}
        assert news.post(cancel | {"Message-ID": "<p3@example.org>"}, "Gone.\n")
        with pytest.raises(nntp.NNTPReplyError):
            news.body("<p1@example.org>")
    for terminator in (False, True):
        with nntp.NNTPClient(HOST, port, timeout=int(TIME_S)) as news:
            news.group(GROUP)
            assert news.xfeature_compress_gzip(terminator)
            assert list(news.xover((1, 3))) == plain[:3]


async def test_pynntp(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await asyncio.to_thread(_pynntp, server.ports["nntp"])
        assert not here(server, "<p1@example.org>")
        assert here(server, "<p2@example.org>")
        assert articles(server, OTHER) == 1


# --- Python's nntplib: the rest of its day ----------------------------------------------------------


def _nntplib(port: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import nntplib
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        news = nntplib.NNTP(HOST, port, user=WHO, password=SECRET, timeout=TIME_S)
        listed: Any = news.list("local.*")[1]
        assert listed[0].group.startswith("local.")
        assert news.description(GROUP) == news.descriptions(GROUP)[1].get(GROUP, "")
        news.group(GROUP)
        found = [number for number, text in news.xhdr("subject", "1-")[1] if "thing" in text]
        assert found == ["1", "2"]
        head = f"From: {WHO}\r\nNewsgroups: {GROUP}\r\nSubject: Long\r\n"
        refs = "\r\n ".join(f"<r{number}@a-rather-long-name.example.org>" for number in range(40))
        news.post(f"{head}References: {refs}\r\nMessage-ID: <n1@example.org>\r\n\r\nx\r\n".encode())
        overviews = news.over((1, None))[1]  # no line above 2048 octets, or it gives up
        assert overviews[-1][1]["references"].startswith("<r0@")
        assert news.xhdr("references", "4")[1][0][1].count("<") == 40
        news.post(
            f"{head}Control: cancel <n1@example.org>\r\nMessage-ID: <n2@example.org>\r\n\r\nx\r\n".encode()
        )
        with pytest.raises(nntplib.NNTPTemporaryError, match=r"^430 "):
            news.stat("<n1@example.org>")
        both = head.replace(GROUP, f"{GROUP},{OTHER}")
        news.post(f"{both}Message-ID: <n3@example.org>\r\n\r\nIn two groups\r\n".encode())
        assert news.group(OTHER)[1:4] == (1, 1, 1)
        assert news.article()[1].message_id == "<n3@example.org>"
        assert news.xhdr("xref", "1")[1][0][1].split()[1:] == [f"{GROUP}:5", f"{OTHER}:1"]
        with pytest.raises(nntplib.NNTPTemporaryError, match=r"^441 "):
            news.post(b"From: nobody\r\nSubject: x\r\n\r\nx\r\n")
        news.quit()


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="nntplib left Python with 3.13")
async def test_nntplib_searches_follows_up_and_cancels(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await asyncio.to_thread(_nntplib, server.ports["nntp"])
        assert articles(server, OTHER) == 1


# --- on the screen ----------------------------------------------------------------------------


def _editor(home: Path) -> Path:
    """An editor that writes one line at the end of what it is given, and is done."""
    path = home / "editor"
    path.write_text('#!/bin/sh\nsleep 1.1\nfor file; do :; done\nprintf "By hand.\\n.A dot.\\n" >>"$file"\n')
    path.chmod(0o755)
    return path


@needs("expect")
@needs("slrn")
async def test_slrn_posts_follows_up_and_cancels(tmp_path: Path) -> None:
    async with serving(tmp_path / "server") as server:
        editor = _editor(tmp_path)
        (tmp_path / "rc").write_text(
            f'set hostname "example.org"\nset username "alice"\nset realname "Alice"\n'
            f'set confirm_actions 0\nset editor_command "{editor} %s"\nset netiquette_warnings 0\n'
            f'nnrpaccess "{HOST}" "{WHO}" "{SECRET}"\nset force_authentication 1\n'
            'set generate_message_id 0\nset use_localtime 0\nset save_posts ""\n'
        )
        (tmp_path / "newsrc").write_text(f"{GROUP}: \n")
        said = await screen(
            tmp_path,
            f"slrn -n -i rc -f newsrc -h {HOST} -p {server.ports['nntp']}",
            (GROUP, "P"),
            ("Newsgroup", f"\\025{GROUP},{OTHER}\\r"),
            ("Followup-To", "\\r"),
            ("Subject", "By slrn\\r"),
            ("Post the message", "y"),
            ("done", "\\r"),
            ("First thing", "f"),
            ("Post the message", "y"),
            ("done", "\\033\\003"),
            ("cancel this article", "y"),
            ("ancel", "q"),
            ("News Groups", "q"),
        )
        assert articles(server) == 4, said[-2000:]  # one of two was cancelled
        assert articles(server, OTHER) == stored_number(server, 4)  # if not the one of both groups
        kept = 5 if stored_number(server, 5) else 4
        posted = text_of(server, kept)
    assert b"\r\nSubject: " in posted
    assert b"By hand.\r\n.A dot.\r\n" in posted
    assert kept == 4 or b"\r\nReferences: " in posted


@needs("expect")
@needs("tin")
async def test_tin_posts(tmp_path: Path) -> None:
    async with serving(tmp_path / "server") as server:
        editor = _editor(tmp_path)
        (tmp_path / "newsrc").write_text(f"{GROUP}: \n")
        (tmp_path / ".newsauth").write_text(f"{HOST} {SECRET} {WHO}\n")
        (tmp_path / ".newsauth").chmod(0o600)
        os.makedirs(tmp_path / ".tin", exist_ok=True)
        (tmp_path / ".tin" / "tinrc").write_text(
            f"default_editor_format={editor} %F\nunlink_article=ON\nmail_address=Alice <{WHO}>\n"
            "start_editor_offset=OFF\n"
        )
        said = await screen(
            tmp_path,
            f"env EDITOR={editor} VISUAL={editor} tin -r -q -A -g {HOST} -p {server.ports['nntp']}"
            f" -f newsrc {GROUP}",
            ("First thing", "w"),
            ("subject", "By tin\\r"),
            ("p=post", "p"),
            ("First thing", "q"),
            ("Group Selection", "q"),
            ("really want to quit", "y"),
        )
        assert articles(server) == 4, said[-3000:]
        assert b"\r\nSubject: By tin\r\n" in text_of(server, 4)


@needs("expect")
@needs("neomutt")
async def test_neomutt_reads_posts_and_follows_up(tmp_path: Path) -> None:
    async with serving(tmp_path / "server") as server:
        editor = _editor(tmp_path)
        (tmp_path / "news").mkdir()
        (tmp_path / "rc").write_text(
            f'set news_server="news://{HOST}:{server.ports["nntp"]}"\nset newsrc="{tmp_path}/newsrc"\n'
            f'set nntp_user="{WHO}"\nset nntp_pass="{SECRET}"\nset nntp_authenticators="user"\n'
            f'set from="{WHO}"\nset editor="{editor}"\nset news_cache_dir="{tmp_path}/news"\n'
            "set autoedit=yes\n"
            "set fast_reply=yes\nset include=yes\nset copy=no\nset ssl_starttls=no\nset sig_dashes=no\n"
            f'set inews=""\nset help=no\nset followup_to_poster=yes\nset post_moderated=yes\n'
            f'set folder="{tmp_path}"\nset record=""\n'
            "bind index x followup-message\nbind index z post-message\nbind index q exit\n"
            "set quit=yes\nset delete=no\nset move=no\n"
        )
        (tmp_path / "newsrc").write_text(f"{GROUP}: \n")
        said = await screen(
            tmp_path,
            f"neomutt -n -F rc -f news://{HOST}:{server.ports['nntp']}/{GROUP}",
            ("accept", "o"),
            ("First thing", "\\r"),
            ("A dot", "i"),
            ("First thing", "x"),
            ("Compose", "y"),
            ("posted", "z"),
            ("Newsgroups", "\\r"),
            ("Subject", "By mutt\\r"),
            ("Compose", "y"),
            ("posted", "q"),
        )
        assert articles(server) >= 4, said[-3000:]
        posted = text_of(server, 4)
    assert b"\r\nReferences: <1@example.org>\r\n" in posted
    assert b"By hand." in posted


# ends when a file "stop" appears, and by itself
PAN = (
    "timeout -k 5 40 xvfb-run -a pan headers:{group} & "
    "while kill -0 $! && [ ! -e stop ]; do sleep 0.2; done; kill $!; wait; true"
)


def told(command: str) -> float:
    """How often a command was answered since the process began."""
    return metrics.NNTP_COMMANDS.labels(command)._value.get()


@needs("pan")
@needs("xvfb-run")
@pytest.mark.parametrize(("packing", "command"), [(0, "XOVER"), (1, "XZVER")])
async def test_pan_fetches_headers(tmp_path: Path, packing: int, command: str) -> None:
    """pan before a screen that nobody sees, plain and with the packed answers it knows."""
    async with serving(tmp_path / "server", nntp={"read": "anyone"}) as server:
        pan = tmp_path / ".pan2"
        pan.mkdir()
        (pan / "servers.xml").write_text(
            '<server-properties>\n<server id="1">\n'
            f"<host>{HOST}</host>\n<port>{server.ports['nntp']}</port>\n"
            "<username></username>\n<password></password>\n"
            "<expiration-days>0</expiration-days>\n<connection-limit>2</connection-limit>\n"
            "<newsrc>newsrc-1</newsrc>\n<rank>1</rank>\n<use-ssl>0</use-ssl>\n<trust>0</trust>\n"
            f"<compression-type>{packing}</compression-type>\n<cert></cert>\n"
            "</server>\n</server-properties>\n"
        )
        (pan / "newsrc-1").write_text(f"{GROUP}: \n")
        before = told(command)
        task = asyncio.create_task(run("sh", "-c", PAN.format(group=GROUP), home=tmp_path))
        group = pan / "groups" / GROUP
        while not task.done() and not (told(command) > before and group.exists()):
            await asyncio.sleep(0.2)
        if not task.done():
            await asyncio.sleep(1)
        saved = group.read_bytes() if group.exists() else b""
        (tmp_path / "stop").touch()
        await task
    assert told(command) > before
    assert b"First thing" in saved
