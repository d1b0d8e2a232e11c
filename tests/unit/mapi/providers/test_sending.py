"""Sendmail-like programs: what they are given, and what their exit codes mean (sysexits.h)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from quintet.mapi import pr
from quintet.mapi.errors import Code
from quintet.mapi.providers import registry
from quintet.mapi.providers.base import Transport
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
