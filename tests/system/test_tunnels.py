"""IMAP over what is no port: a mail program's tunnel, inetd; beside a running server or without one."""

from __future__ import annotations

import imaplib
import os
import pwd
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server import HOST, lay_out

TIME_S = 60.0
DAY = b"a SELECT INBOX\r\nb UNSELECT\r\nc LOGOUT\r\n"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory without a server."""
    return lay_out(tmp_path_factory.mktemp("alone"))


def command(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "quintet", "imap", "-c", str(folder), *words]


def say(folder: Path, *words: str, script: bytes = DAY) -> bytes:
    done = subprocess.run(
        command(folder, "--stdio", *words), input=script, capture_output=True, timeout=TIME_S, check=True
    )
    return done.stdout


def test_a_tunnel_is_logged_in_already(alone: Path) -> None:
    """RFC 9051 7.1.4: PREAUTH tells the capabilities of the authenticated state, and STARTTLS is over.

    RFC 8437 4.1: UNAUTHENTICATE makes it forget what the system said.
    """
    script = b"t STARTTLS\r\nl LOGIN bob demo\r\nu UNAUTHENTICATE\r\ns SELECT INBOX\r\n"
    again = b"m LOGIN alice@example.org demo\r\n"
    heard = say(alone, "--user", "bob@example.org", script=script + again + DAY)
    greeting, rest = heard.split(b"\r\n", 1)
    assert greeting.startswith(b"* PREAUTH [CAPABILITY IMAP4rev1 ")
    assert greeting.endswith(b"] mail.example.org Quintet ready, logged in as bob@example.org")
    assert b" AUTH=" not in greeting and b"STARTTLS" not in greeting
    assert b"t BAD [CLIENTBUG] Already logged in\r\n" in rest
    assert b"l BAD [CLIENTBUG] Already logged in\r\n" in rest
    assert b"s BAD [CLIENTBUG] Log in first\r\n" in rest
    assert b"m OK" in rest and b"a OK [READ-WRITE] Selected\r\n" in rest
    assert rest.endswith(b"c OK Done\r\n")


def test_who_has_no_account_hears_bye(alone: Path) -> None:
    """RFC 9051 7.1.5: BYE as a greeting; by default it is the user of the system who comes."""
    name = pwd.getpwuid(os.getuid()).pw_name.encode("ascii")
    heard = say(alone)
    assert heard.startswith(b"* BYE [NONEXISTENT] There is no account " + name)
    assert heard.count(b"\r\n") == 1


def test_with_login_a_pipe_asks_for_the_password(alone: Path) -> None:
    heard = say(alone, "--login", script=b"s SELECT INBOX\r\nl LOGIN alice@example.org demo\r\n" + DAY)
    assert heard.startswith(b"* OK [CAPABILITY ")
    assert b"s BAD [CLIENTBUG] Log in first\r\n" in heard and b"a OK [READ-WRITE]" in heard


@pytest.mark.parametrize("waits", [False, True], ids=["nowait", "wait"])
def test_who_comes_over_the_network_logs_in(alone: Path, waits: bool) -> None:
    """inetd's connection or listening socket: nobody vouches for who is there, whatever --user says."""
    with socket.create_server((HOST, 0)) as listening:
        if waits:
            process = subprocess.Popen(
                command(alone, "--stdio", "--user", "bob@example.org"), stdin=listening
            )
            client = imaplib.IMAP4(*listening.getsockname(), timeout=TIME_S)
        else:
            with socket.create_connection(listening.getsockname()) as raw:
                accepted, _ = listening.accept()
                with accepted:
                    process = subprocess.Popen(
                        command(alone, "--stdio", "--user", "bob@example.org"),
                        stdin=accepted, stdout=accepted, stderr=accepted,
                    )  # fmt: skip
                raw.settimeout(TIME_S)
                assert raw.recv(5) == b"* OK "
                raw.sendall(b"z LOGOUT\r\n")
                assert process.wait(TIME_S) == 0
            return
        try:
            assert client.state == "NONAUTH"
            client.login("alice@example.org", "demo")
            client.logout()
        finally:
            process.kill()
            process.wait()


def test_command_line_that_means_nothing(alone: Path) -> None:
    words = command(alone, "--stdio", "--login", "--user", "bob")
    done = subprocess.run(words, capture_output=True, timeout=TIME_S, check=False)
    assert done.returncode == 2
    assert b"which?" in done.stderr
