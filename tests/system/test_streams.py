"""SMTP over what is no TCP port: pipes, inetd's sockets, files; beside a running server or without one."""

from __future__ import annotations

import imaplib
import json
import shlex
import shutil
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from quintet.config.listeners import Listener
from tests.support.server import HOST, Spawned, lay_out, spawn_server

TIME_S = 60.0
LETTER = (
    b"MAIL FROM:<x@y.test>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nSubject: by a pipe\r\n\r\n.\r\nQUIT\r\n"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spawned]:
    folder = tmp_path_factory.mktemp("s")
    listeners = {
        "imap": Listener(name="imap", protocol="imap", address=HOST),
        "local": Listener(
            name="local",
            protocol="smtp",
            role="submission",
            address=f"unix:{folder}/submit",
            mode="0600",
            local_users=True,
        ),
    }
    with spawn_server(folder, listeners=listeners) as running:
        yield running


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """A data directory without a server."""
    return lay_out(tmp_path)


def command(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "quintet", "smtp", "-c", str(folder), *words]


def subjects(server: Spawned, name: str) -> list[bytes]:
    with imaplib.IMAP4(HOST, server.ports["imap"]) as client:
        client.login(f"{name}@example.org", "demo")
        client.select()
        _, found = client.fetch("1:*", "(BODY[HEADER.FIELDS (SUBJECT)])")
    return [each[1].strip() for each in found if isinstance(each, tuple)]


def test_pipes_beside_a_running_server(server: Spawned) -> None:
    done = subprocess.run(
        command(server.folder, "--stdio"),
        input=b"EHLO a.test\r\n" + LETTER,
        capture_output=True,
        timeout=TIME_S,
        check=True,
    )
    assert done.stdout.startswith(b"220 mail.example.org ESMTP")
    assert done.stdout.endswith(b"221 2.0.0 Bye\r\n")
    assert b"Subject: by a pipe" in subjects(server, "bob")


@pytest.mark.parametrize(
    ("words", "hello", "banner", "last"),
    [
        (["--lmtp"], b"LHLO a\r\n", b"220 mail.example.org LMTP", b"250 2.1.5 <bob@example.org> OK"),
        (["--submission"], b"EHLO a\r\n", b"220 mail.example.org ESMTP", b"250 2.0.0 OK"),
    ],
)
def test_roles_without_a_server(
    alone: Path, words: list[str], hello: bytes, banner: bytes, last: bytes
) -> None:
    done = subprocess.run(
        command(alone, "--stdio", *words),
        input=hello + LETTER,
        capture_output=True,
        timeout=TIME_S,
        check=True,
    )
    assert done.stdout.startswith(banner)
    assert last in done.stdout


def test_who_comes_by_a_pipe_may_not_relay(alone: Path) -> None:
    script = b"EHLO a\r\nMAIL FROM:<x@y.test>\r\nRCPT TO:<z@far.test>\r\nQUIT\r\n"
    done = subprocess.run(
        command(alone, "--stdio"), input=script, capture_output=True, timeout=TIME_S, check=True
    )
    assert b"550 5.7.1 Relaying denied" in done.stdout


def test_connection_that_inetd_accepted(alone: Path) -> None:
    """inetd's "nowait": the connection is standard input, output and error."""
    with socket.create_server((HOST, 0)) as listening:
        with socket.create_connection(listening.getsockname()) as client:
            accepted, _ = listening.accept()
            with accepted:
                process = subprocess.Popen(
                    command(alone, "--stdio"), stdin=accepted, stdout=accepted, stderr=accepted
                )
            client.settimeout(TIME_S)
            client.sendall(b"EHLO a\r\nSTARTTLS\r\nNOOP\r\n")  # what comes early is dropped
            heard = b""
            while b"Ready to start TLS" not in heard:
                heard += client.recv(4096)
            assert heard.startswith(b"220 mail.example.org ESMTP")
            assert b"{" not in heard  # no line of the log
            client.close()
        assert process.wait(TIME_S) == 0


def test_listening_socket_of_inetd(alone: Path) -> None:
    """inetd's "wait": standard input is the listening socket."""
    with socket.create_server((HOST, 0)) as listening:
        process = subprocess.Popen(command(alone, "--stdio"), stdin=listening)
        try:
            for _ in range(2):
                with smtplib.SMTP(*listening.getsockname(), timeout=TIME_S) as client:
                    refused = client.sendmail("x@y.test", ["bob@example.org"], b"Subject: x\r\n\r\nx\r\n")
                    assert refused == {}
        finally:
            process.kill()
            process.wait()


def test_unix_socket_knows_its_users(server: Spawned) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(TIME_S)
        client.connect(f"{server.folder}/submit")
        client.sendall(b"EHLO a\r\n" + LETTER.replace(b"by a pipe", b"by a socket"))
        heard = b""
        while piece := client.recv(4096):
            heard += piece
    assert b"250 2.0.0 OK" in heard
    assert b"Subject: by a socket" in subjects(server, "bob")


@pytest.mark.parametrize("where", ["file", "stdin", "labelled"])
def test_batch_file_and_its_report(server: Spawned, tmp_path: Path, where: str) -> None:
    text = (
        b"EHLO uucp.test\nMAIL FROM:<x@y.test>\nRCPT TO:<bob@example.org>\nRCPT TO:<nobody@example.org>\n"
        b"DATA\nSubject: by a file\n\n..dot\n.\nQUIT\n"
    )
    path = tmp_path / "b.bsmtp"
    label = b"Content-Type: application/batch-SMTP\n\n" if where == "labelled" else b""  # RFC 2442
    path.write_bytes(label + text)
    words = ["--batch", "-" if where == "stdin" else str(path)]
    given = text if where == "stdin" else b""
    done = subprocess.run(
        command(server.folder, *words), input=given, capture_output=True, timeout=TIME_S, check=False
    )
    assert done.returncode == 1
    lines = done.stdout.decode().splitlines()
    assert lines[3] == "4 RCPT TO:<nobody@example.org> -> 550 5.1.1 No such user here"
    assert lines[-2:] == ["1 messages accepted, 1 commands refused, 0 put off", "1 reports to senders"]
    assert done.stderr == b""
    assert b"Subject: by a file" in subjects(server, "bob")


def test_report_as_json(alone: Path) -> None:
    done = subprocess.run(
        command(alone, "--batch", "-", "--json"),
        input=b"EHLO a\r\n" + LETTER,
        capture_output=True,
        timeout=TIME_S,
        check=True,
    )
    report = json.loads(done.stdout)
    assert (report["accepted"], report["refused"]) == (1, 0)
    assert [each["code"] for each in report["replies"]] == [250, 250, 250, 250, 221]


@pytest.mark.parametrize("words", [[], ["--stdio", "--batch", "-"], ["--stdio", "--lmtp", "--submission"]])
def test_what_makes_no_sense(alone: Path, words: list[str]) -> None:
    done = subprocess.run(command(alone, *words), capture_output=True, timeout=TIME_S, check=False)
    assert done.returncode == 2


@pytest.mark.interop
@pytest.mark.parametrize("way", ["pipe", "socket"])
def test_swaks(server: Spawned, way: str) -> None:
    if shutil.which("swaks") is None:
        pytest.skip("swaks is not installed")
    program = shlex.join(command(server.folder, "--stdio"))
    where = ["--pipe", program] if way == "pipe" else ["--socket", f"{server.folder}/submit"]
    done = subprocess.run(
        ["swaks", *where, "--from", "x@y.test", "--to", "bob@example.org", "--h-Subject", f"by swaks {way}"],
        capture_output=True,
        timeout=TIME_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Subject: by swaks {way}".encode() in subjects(server, "bob")
