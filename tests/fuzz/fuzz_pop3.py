"""Fuzz target: any bytes as a POP3 client's lines; only BadSyntax and Hangup may come out."""

from __future__ import annotations

from quintet.errors import BadSyntax, Hangup
from quintet.net import dots
from quintet.net.seam import Need
from quintet.pop3 import sending, surrogate
from quintet.pop3.commands import Command
from quintet.pop3.wire import Wire

SEEDS: list[bytes] = [
    (
        b"CAPA\r\nUSER alice@example.org\r\nPASS a b c\r\nSTAT\r\nLIST\r\nUIDL 1\r\n"
        b"RETR 1\r\nTOP 1 10\r\nDELE 1\r\nQUIT\r\n"
    ),
    (
        b"AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\nAPOP alice c4c9334bac560ecc979e58001b3e22fb\r\n"
        b"LANG de-AT\r\nUTF8\r\nSTLS\r\n"
    ),
    b"From: Zo\xc3\xab <zo\xc3\xab@example.org>\r\nSubject: =?utf-8?q?x?= \xff\r\n\r\n.body\r\n.\r\n",
]


def target(data: bytes) -> None:
    """Wire in two chunkings, and what is done with a message's bytes."""
    whole, halves = _commands(data, len(data) or 1), _commands(data, 3)
    assert whole == halves
    made = surrogate.header(data[: surrogate.split(data)])
    assert made.isascii()
    end = sending.end_of(data, 2)
    assert 0 <= end <= len(data)
    reader = dots.Reader()
    out = reader.feed(dots.whole(data))
    assert reader.done
    assert out == (data if data.endswith(b"\r\n") or not data else data + b"\r\n")


def _commands(data: bytes, chunk: int) -> list[Command | str]:
    wire, found = Wire(), list[Command | str]()
    try:
        for start in range(0, len(data), chunk):
            wire.feed(data[start : start + chunk])
            while True:
                try:
                    command = wire.next()
                except BadSyntax as error:
                    found.append(error.reason.name)
                    continue
                if isinstance(command, Need):
                    break
                found.append(command)
    except Hangup as error:
        found.append(error.reason.name)
    return found
