"""Submission: what servers and programs are given, and what their answers mean (RFC 5321, sysexits.h)."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from quintet.mapi import pr
from quintet.mapi.bag import Item
from quintet.mapi.core import spool
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import registry
from quintet.mapi.providers.base import Failure, Transport
from tests.unit.mapi.providers import conformance
from tests.unit.mapi.providers.conformance import letter, refused

PROGRAM = """
import pathlib, sys
here = pathlib.Path({folder!r})
(here / "words").write_text("\\n".join(sys.argv[1:]))
(here / "letter").write_bytes(sys.stdin.buffer.read())
if (here / "code").exists():
    print("not today", file=sys.stderr)
    sys.exit(int((here / "code").read_text()))
"""


@pytest.fixture
def transport(tmp_path: Path) -> Transport:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(folder=str(tmp_path)))
    opened = registry.opened(
        "SENDMAIL", {"command": f"{sys.executable} {program} -oi", "address": "ann@example.com"}
    )
    assert opened.identity[pr.SMTP_ADDRESS] == "ann@example.com"
    assert opened.transport is not None
    return opened.transport


def test_program_gets_the_letter_and_the_addresses(transport: Transport, tmp_path: Path) -> None:
    item = letter("Hi")
    item.recipients += [
        conformance.recipient("hidden@example.com", 3),
        {pr.DISPLAY_NAME: "Nobody", pr.ADDRTYPE: "FAX", pr.EMAIL_ADDRESS: "+49 1"},
    ]
    (failure,) = transport.send(item, [0, 1, 2])
    assert failure.recipient == 2
    words = (tmp_path / "words").read_text().split("\n")
    assert words == ["-oi", "-f", "ann@example.com", "--", "bob@example.com", "hidden@example.com"]
    sent = (tmp_path / "letter").read_bytes()
    assert b"Subject: Hi\r\n" in sent
    assert b"hidden" not in sent


@pytest.mark.parametrize("exit_code,code", [(75, Code.SERVER_BUSY), (67, Code.NOT_COMPLETED)])
def test_exit_codes_are_errors(transport: Transport, tmp_path: Path, exit_code: int, code: Code) -> None:
    (tmp_path / "code").write_text(str(exit_code))
    refused(code, transport.send, letter("Hi"), [0])


def test_no_program_is_no_network() -> None:
    found = registry.opened(
        "SENDMAIL", {"command": "/nowhere/sendmail", "address": "a@example.com"}
    ).transport
    assert found is not None
    refused(Code.NETWORK_ERROR, found.send, letter("Hi"), [0])


@pytest.fixture
def submission(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[Transport, socket.socket]]]:
    """A transport to a server that says what it is told, and the end that hears."""
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: ours)

    def speaking(*said: str, user: str = "", password: str = "") -> tuple[Transport, socket.socket]:
        theirs.sendall(b"220 here\r\n250-here\r\n250 AUTH PLAIN\r\n")
        theirs.sendall("".join([f"{line}\r\n" for line in said]).encode())
        theirs.shutdown(socket.SHUT_WR)
        options = {"host": "mx", "port": "25", "tls": "no", "user": user, "password": password}
        found = registry.opened("SMTP", options).transport
        assert found is not None
        return found, theirs

    yield speaking
    ours.close()
    theirs.close()


@pytest.mark.parametrize(
    "said,code",
    [
        (["451 greylisted", "250 reset", "221 bye"], Code.SERVER_BUSY),
        (["550 you are not who you are", "250 reset", "221 bye"], Code.SEND_AS_DENIED),
        (["250 ok", "450 mailbox busy", "250 reset", "221 bye"], Code.SERVER_BUSY),
        (["250 ok", "250 ok", "452 disk full", "250 reset"], Code.SERVER_BUSY),
        (["250 ok", "250 ok", "354 go on", "554 spam", "250 reset"], Code.NOT_COMPLETED),
        (["250 ok", "250 ok", "354 go on", "451 later", "250 reset"], Code.SERVER_BUSY),
        (["250 ok", "250 ok", "354 go on"], Code.NETWORK_ERROR),
        (["250 ok"], Code.NETWORK_ERROR),
        (["nonsense"], Code.NETWORK_ERROR),
        ([], Code.NETWORK_ERROR),
        (["250-ok"] * 5000 + ["250 ok", "250 ok", "354 go on", "250 taken"], Code.NETWORK_ERROR),
    ],
)
def test_answers_of_a_server_are_errors(
    said: list[str], code: Code, submission: Callable[..., tuple[Transport, socket.socket]]
) -> None:
    """What begins with 4 is tried again, what begins with 5 is not (RFC 5321 4.2.1)."""
    transport, _ = submission(*said)
    refused(code, transport.send, letter("Hi"), [0])


@pytest.mark.parametrize("last", ["221 bye", "500 what?", ""])
def test_a_letter_that_was_taken_is_sent_whatever_the_server_says_then(
    last: str, submission: Callable[..., tuple[Transport, socket.socket]]
) -> None:
    transport, heard = submission("250 ok", "250 ok", "354 go on", "250 taken", *([last] if last else []))
    assert transport.send(letter("Hi"), [0]) == []
    assert b"Subject: Hi\r\n" in heard.recv(10_000)


def test_some_who_are_refused_are_told(submission: Callable[..., tuple[Transport, socket.socket]]) -> None:
    item = letter("Hi")
    item.recipients += [conformance.recipient("nobody@example.com", 1)]
    transport, _ = submission("250 ok", "250 ok", "550 who?", "354 go on", "250 taken", "221 bye")
    (failure,) = transport.send(item, [0, 1])
    assert (failure.recipient, failure.text) == (1, "550 who?")


def test_addresses_are_no_commands(submission: Callable[..., tuple[Transport, socket.socket]]) -> None:
    item = letter("Hi")
    item.recipients += [conformance.recipient("a@example.com>\r\nRCPT TO:<eve@example.com", 1)]
    transport, heard = submission("250 ok", "250 ok", "354 go on", "250 taken", "221 bye")
    (failure,) = transport.send(item, [0, 1])
    assert (failure.recipient, failure.code) == (1, Code.INVALID_PARAMETER)
    assert b"eve@" not in heard.recv(10_000).partition(b"\r\ndata\r\n")[0]


def test_what_a_server_cannot_is_not_tried_for_ever(
    submission: Callable[..., tuple[Transport, socket.socket]],
) -> None:
    item = letter("Hi")
    item.recipients = [conformance.recipient("größe@example.com", 1)]
    transport, _ = submission("250 reset", "221 bye")
    refused(Code.NOT_SUPPORTED, transport.send, item, [0])


def test_a_password_that_cannot_be_said_is_not_told(
    submission: Callable[..., tuple[Transport, socket.socket]],
) -> None:
    transport, heard = submission("535 no", "221 bye", user="ann", password="gehe\u0131m")
    assert "gehe" not in refused(Code.LOGON_FAILED, transport.send, letter("Hi"), [0])
    assert b"MAIL" not in heard.recv(10_000)


class Away(Transport):
    name, kinds = "away", ("NNTP",)

    def send(self, item: Item, recipients: Sequence[int]) -> list[Failure]:
        raise MapiError(Code.NETWORK_ERROR, "nobody there")


class Here(Transport):
    name = "here"

    def send(self, item: Item, recipients: Sequence[int]) -> list[Failure]:
        return []


def test_who_has_a_letter_does_not_get_it_again_because_others_have_not() -> None:
    item = letter("Hi")
    item.recipients += [{pr.ADDRTYPE: "NNTP", pr.EMAIL_ADDRESS: "a.b"}]
    (failure,) = spool._send(item, [Here(), Away()])
    assert (failure.recipient, "nobody there" in failure.text) == (1, True)
    item.recipients.reverse()
    refused(Code.NETWORK_ERROR, spool._send, item, [Here(), Away()])
