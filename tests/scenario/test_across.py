"""One message seen through every protocol, with a server that runs as a program of its own."""

import imaplib
import json
import poplib
import re
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.server import HOST, Spawned, spawn_server

TIME_S = 60.0
ALICE, BOB, SECRET = "alice@example.org", "bob@example.org", "demo"
GROUP = "local.test"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spawned]:
    with spawn_server(tmp_path_factory.mktemp("across")) as spawned:
        yield spawned


class News:
    """A news reader on a socket."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port), TIME_S)
        self._file = self._socket.makefile("rb")
        self.line(b"200")

    def line(self, code: bytes) -> bytes:
        line = self._file.readline().removesuffix(b"\r\n")
        assert line.startswith(code + b" "), line
        return line

    def ask(self, command: str, code: bytes) -> bytes:
        self._socket.sendall(command.encode() + b"\r\n")
        return self.line(code)

    def lines(self, command: str, code: bytes) -> list[bytes]:
        self.ask(command, code)
        found = []
        while (line := self._file.readline().removesuffix(b"\r\n")) != b".":
            found.append(line)
        return found

    def login(self, name: str) -> None:
        self.ask(f"AUTHINFO USER {name}", b"381")
        self.ask(f"AUTHINFO PASS {SECRET}", b"281")

    def post(self, article: bytes) -> None:
        self.ask("POST", b"340")
        self._socket.sendall(article + b".\r\n")
        self.line(b"240")

    def close(self) -> None:
        self.ask("QUIT", b"205")
        self._file.close()
        self._socket.close()


@contextmanager
def news(server: Spawned, name: str = "") -> Iterator[News]:
    reader = News(server.ports["nntp"])
    if name:
        reader.login(name)
    yield reader
    reader.close()


@contextmanager
def imap(server: Spawned, name: str) -> Iterator[imaplib.IMAP4]:
    with imaplib.IMAP4(HOST, server.ports["imap"], TIME_S) as client:
        client.login(name, SECRET)
        yield client


def done(answer: tuple[str, list[Any]]) -> list[Any]:
    assert answer[0] == "OK", answer
    return answer[1]


def trace(server: Spawned, message_id: str) -> list[dict[str, Any]]:
    """What ``quintet trace`` says."""
    command = [sys.executable, "-m", "quintet", "trace", message_id, "-c", str(server.config), "--json"]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIME_S).stdout
    rows = json.loads(said)
    assert isinstance(rows, list)
    return rows


def unseen(client: imaplib.IMAP4, folder: str) -> int:
    (status,) = done(client.status(folder, "(UNSEEN)"))
    found = re.search(rb"UNSEEN (\d+)", status)
    assert found is not None
    return int(found[1])


def test_letter_by_smtp_is_seen_by_pop3_imap_and_trace(server: Spawned) -> None:
    letter = (
        f"From: {ALICE}\r\nTo: {BOB}\r\nSubject: Across\r\nMessage-ID: <letter@example.org>\r\n"
        "Date: Fri, 21 Nov 2025 09:00:00 +0000\r\n\r\n.One dot.\r\n"
    )
    with smtplib.SMTP(HOST, server.ports["smtp"], timeout=TIME_S) as sender:
        sender.sendmail(ALICE, [BOB], letter)
    maildrop = poplib.POP3(HOST, server.ports["pop3"], TIME_S)
    maildrop.user(BOB)
    maildrop.pass_(SECRET)
    assert maildrop.stat()[0] == 1
    by_pop3 = b"\r\n".join(maildrop.retr(1)[1]) + b"\r\n"
    maildrop.quit()
    with imap(server, BOB) as client:
        assert done(client.select("INBOX")) == [b"1"]
        by_imap = done(client.fetch("1", "(BODY.PEEK[])"))[0][1]
    assert by_imap == by_pop3
    assert by_imap.endswith(b"\r\nSubject: Across\r\nMessage-ID: <letter@example.org>\r\n"
                            b"Date: Fri, 21 Nov 2025 09:00:00 +0000\r\n\r\n.One dot.\r\n")  # fmt: skip
    assert by_imap.startswith(
        b"Return-Path: <alice@example.org>\r\nDelivered-To: bob@example.org\r\nReceived: "
    )
    events = trace(server, "<letter@example.org>")
    assert events[0]["event"] == "accepted"
    assert BOB in json.dumps(events[0])


def test_article_by_nntp_has_the_same_number_in_imap_and_is_read_by_each_for_themselves(
    server: Spawned,
) -> None:
    folder = f'"Groups/{GROUP}"'
    article = f"From: {ALICE}\r\nNewsgroups: {GROUP}\r\nSubject: Article\r\nMessage-ID: <art@example.org>\r\n"
    with news(server, ALICE) as reader:
        before = int(reader.ask(f"GROUP {GROUP}", b"211").split()[3])
        reader.post(article.encode() + b"\r\nText.\r\n..Dot.\r\n")
        number = int(reader.ask(f"GROUP {GROUP}", b"211").split()[3])
        assert number == before + 1
        by_news = b"\r\n".join(reader.lines(f"ARTICLE {number}", b"220")) + b"\r\n"
        (xref,) = reader.lines(f"HDR Xref {number}", b"225")
        assert xref.endswith(f"{GROUP}:{number}".encode())
    with imap(server, BOB) as client:
        done(client.select(folder))
        (found,) = done(client.uid("SEARCH", "HEADER", "Message-ID", "<art@example.org>"))
        assert found == b"%d" % number
        by_imap = done(client.uid("FETCH", str(number), "(BODY.PEEK[])"))[0][1]
        assert by_imap == by_news.replace(b"\r\n..Dot", b"\r\n.Dot")
        assert done(client.uid("FETCH", str(number), "(FLAGS)"))[0].count(b"\\Seen") == 0
        done(client.uid("STORE", str(number), "+FLAGS", r"(\Seen)"))
        assert done(client.uid("FETCH", str(number), "(FLAGS)"))[0].count(b"\\Seen") == 1
        client.unselect()
        for_bob = unseen(client, folder)
    with imap(server, ALICE) as client:
        done(client.select(folder))
        assert done(client.uid("FETCH", str(number), "(FLAGS)"))[0].count(b"\\Seen") == 0
        client.unselect()
        assert unseen(client, folder) == for_bob + 1
    events = trace(server, "<art@example.org>")
    assert (events[0]["event"], events[0]["account"]) == ("posted", ALICE)
    assert ("read", BOB) in [(event["event"], event["account"]) for event in events]


def test_message_appended_by_imap_is_an_article(server: Spawned) -> None:
    letter = (
        f"Return-Path: <x@example.net>\r\nReceived: from a by b\r\nFrom: {BOB}\r\nTo: {ALICE}\r\n"
        "Subject: Put there\r\nMessage-ID: <put@example.org>\r\nDate: Mon, 3 Feb 2020 09:00:00 +0000\r\n"
        "\r\nHello.\r\n"
    )
    with imap(server, BOB) as client:
        (said,) = done(client.append(f'"Groups/{GROUP}"', None, None, letter.encode()))
        found = re.search(rb"APPENDUID \d+ (\d+)", said)
        assert found is not None
        number = int(found[1])
    with news(server) as reader:
        last = int(reader.ask(f"GROUP {GROUP}", b"211").split()[3])
        assert last == number
        lines = reader.lines(f"ARTICLE {number}", b"220")
        (over,) = reader.lines(f"OVER {number}", b"224")
        assert b"<put@example.org>" in reader.lines(f"NEWNEWS {GROUP} 20200101 000000 GMT", b"230")
    assert f"Newsgroups: {GROUP}".encode() in lines
    assert not any(line.startswith((b"Received:", b"Return-Path:")) for line in lines)
    assert b"!.POSTED" in lines[0]
    assert over.startswith(b"%d\tPut there\t" % number)


def test_moderated_group_sends_the_article_to_its_moderator(server: Spawned) -> None:
    command = [sys.executable, "-m", "quintet", "group", "set", "local.announce", "--moderator", BOB]
    subprocess.run([*command, "-c", str(server.config)], check=True, capture_output=True, timeout=TIME_S)
    head = (
        f"From: {ALICE}\r\nNewsgroups: local.announce\r\nSubject: Please\r\nMessage-ID: <mod@example.org>\r\n"
    )
    with news(server, ALICE) as reader:
        reader.post(f"{head}\r\nNews.\r\n".encode())
        assert reader.ask("GROUP local.announce", b"211").split()[1] == b"0"
    with imap(server, BOB) as client:
        done(client.select("INBOX"))
        (found,) = done(client.search(None, "HEADER", "Newsgroups", "local.announce"))
        assert found
    with news(server, BOB) as reader:
        reader.post(f"{head}Approved: {BOB}\r\n\r\nNews.\r\n".encode())
        assert reader.ask("GROUP local.announce", b"211").split()[1] == b"1"
