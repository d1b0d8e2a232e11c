"""Two workers, real programs: a moderator who only has a mail program, and a cancel seen in every view."""

import subprocess
import sys
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from quintet.config.news import ControlRule
from quintet.config.peers import Peer
from tests.scenario.test_across import ALICE, BOB, TIME_S, done, imap, news, trace
from tests.support import pgp
from tests.support.server import Spawned, spawn_server

QUEUE = "Users/news/Moderation/local.announce"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spawned]:
    with spawn_server(tmp_path_factory.mktemp("control"), workers=2) as spawned:
        command = [sys.executable, "-m", "quintet", "group", "set", "local.announce", "--moderator", BOB]
        subprocess.run([*command, "-c", str(spawned.config)], check=True, capture_output=True, timeout=TIME_S)
        yield spawned


def test_moderator_moves_a_submission_and_it_is_posted_once(server: Spawned) -> None:
    head = (
        f"From: {ALICE}\r\nNewsgroups: local.announce\r\nSubject: Please\r\nMessage-ID: <q1@example.org>\r\n"
    )
    with news(server, ALICE) as reader:
        reader.post(f"{head}\r\nNews.\r\n".encode())
    with imap(server, BOB) as client:
        (count,) = done(client.select(QUEUE))
        assert count == b"1"
        done(client._simple_command("MOVE", "1", f"{QUEUE}/Approved"))
    with news(server) as reader:
        until = time.monotonic() + TIME_S
        while reader.ask("GROUP local.announce", b"211").split()[1] != b"1" and time.monotonic() < until:
            time.sleep(0.2)
        head_lines = reader.lines("HEAD <q1@example.org>", b"221")
    assert f"Approved: {BOB}".encode() in head_lines
    until = time.monotonic() + TIME_S
    while (words := [row["event"] for row in trace(server, "<q1@example.org>")])[-1] != "approved":
        assert time.monotonic() < until, words
    assert words.count("posted") == 1


def test_a_cancel_is_seen_by_who_reads_the_group_as_mail(server: Spawned) -> None:
    head = f"From: {ALICE}\r\nNewsgroups: local.test\r\nSubject: Oops\r\n"
    with imap(server, BOB) as client:
        (before,) = done(client.select("Groups/local.test"))
        with news(server, ALICE) as reader:
            reader.post(f"{head}Message-ID: <oops@example.org>\r\n\r\nText.\r\n".encode())
            done(client.noop())
            (uid,) = done(client.search(None, "HEADER", "Message-ID", "<oops@example.org>"))
            assert uid
            reader.post(f"{head}Control: cancel <oops@example.org>\r\n\r\nCancel.\r\n".encode())
            assert reader.ask("STAT <oops@example.org>", b"430")
        client.untagged_responses.clear()
        done(client.noop())
        assert client.untagged_responses.get("EXPUNGE") == [uid]
        (status,) = done(client.status("Groups/local.test", "(MESSAGES)"))
        assert status.endswith(b"(MESSAGES %b)" % before)


def test_somebody_else_cannot_cancel_it(server: Spawned) -> None:
    """Posts of those who logged in carry a Cancel-Lock: an equal From line is not enough."""
    head = f"From: {ALICE}\r\nNewsgroups: local.test\r\nSubject: Mine\r\n"
    with news(server, ALICE) as reader:
        reader.post(f"{head}Message-ID: <mine@example.org>\r\n\r\nText.\r\n".encode())
    with news(server, BOB) as reader:
        reader.post(f"{head}Control: cancel <mine@example.org>\r\n\r\nCancel.\r\n".encode())
        assert reader.ask("STAT <mine@example.org>", b"223")
    (refused,) = [row for row in trace(server, "<mine@example.org>") if row["event"] == "cancel refused"]
    assert refused["detail"]["why"] == "no key opens its lock"


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[pgp.Ring]:
    if why := pgp.missing():
        pytest.skip(why)
    made = pgp.Ring(tmp_path / "gpg", "local.admin")
    yield made
    made.close()


def test_a_signed_newgroup_from_a_peer_makes_the_group(tmp_path: Path, ring: pgp.Ring) -> None:
    rule = ControlRule("newgroup", "admin@far.example", "local.*", "verify-local.admin")
    head = (
        f"Path: far.example!x\r\nFrom: admin@far.example\r\nNewsgroups: local.new\r\nSubject: cmsg\r\n"
        f"Date: {formatdate()}\r\nApproved: admin@far.example\r\n"
    )
    body = "\r\nFor your newsgroups file:\r\nlocal.new\tMade by a signature\r\n"
    forged = f"{head}Message-ID: <n1@far.example>\r\nControl: newgroup local.forged\r\n{body}".encode()
    signed = ring.sign(
        f"{head}Message-ID: <n2@far.example>\r\nControl: newgroup local.new\r\n{body}".encode()
    )
    with (
        spawn_server(
            tmp_path / "server",
            workers=2,
            nntp={"peer": (Peer(name="far", addresses=("127.0.0.1",)),)},
            news={"control": (rule,), "keyring": str(ring.keyring)},
        ) as server,
        news(server) as reader,
    ):
        for name, data in (("<n1@far.example>", forged), ("<n2@far.example>", signed)):
            reader.ask(f"IHAVE {name}", b"335")
            reader._socket.sendall(data + b".\r\n")
            reader.line(b"235")
        until = time.monotonic() + TIME_S
        while not (
            found := [row for row in reader.lines("LIST NEWSGROUPS local.*", b"215") if b"local.new" in row]
        ):
            assert time.monotonic() < until, server.log.read_text()[-2000:]
            time.sleep(0.3)
        assert found == [b"local.new\tMade by a signature"]
        assert not [row for row in reader.lines("LIST ACTIVE local.*", b"215") if b"forged" in row]
        (event,) = [row for row in trace(server, "<n1@far.example>") if row["event"] == "control"]
        assert event["detail"]["why"] == "no signature that can be read"
