"""Looks, through IMAP and NNTP, at what a server holds: for tests that compare it with what was sent."""

from __future__ import annotations

import asyncio
import re

from tests.support.hammer import ALICE, BOB, GROUP, Line, Sent, connected, login

FOLDERS = {"alice/INBOX": (ALICE, "INBOX"), "bob/INBOX": (BOB, "INBOX"), GROUP: (ALICE, f"Groups/{GROUP}")}

_LITERAL = re.compile(rb"\{(\d+)\}\r\n$")
_UID = re.compile(rb"UID (\d+)")
_IDENT = re.compile(rb"^Message-ID:\s*<([^>]+)>", re.IGNORECASE | re.MULTILINE)


async def fetch(port: int, place: str, after: int, item: str = "BODY.PEEK[]") -> dict[int, bytes]:
    """UID to the octets of ``item``, of all messages with a UID above ``after``."""
    name, folder = FOLDERS[place]
    async with connected(port) as line:
        await line.line()
        await login(line, name)
        await _done(line, f'EXAMINE "{folder}"')
        line.send(f"f UID FETCH {after + 1}:* (UID {item})\r\n".encode())
        found: dict[int, bytes] = {}
        while not (got := await line.line()).startswith(b"f "):
            literal = _LITERAL.search(got)
            if literal is None:
                continue
            data = await line.reader.readexactly(int(literal[1]))
            uid = _UID.search(got + await line.line())
            assert uid is not None, got
            if int(uid[1]) > after:  # "n:*" names the last message even when it is older
                assert int(uid[1]) not in found, "one UID, given twice"
                found[int(uid[1])] = data
        assert got.startswith(b"f OK"), got
        return found


async def _done(line: Line, command: str) -> None:
    line.send(f"d {command}\r\n".encode())
    while not (got := await line.line()).startswith(b"d "):
        pass
    assert got.startswith(b"d OK"), (command, got)


async def articles(port: int, after: int) -> dict[int, bytes]:
    """Number to article of the group, above ``after``, as a news reader gets them."""
    async with connected(port) as line:
        await line.line()
        line.send(b"GROUP " + GROUP.encode() + b"\r\n")
        words = (await line.line()).split()
        assert words[0] == b"211", words
        found: dict[int, bytes] = {}
        for number in range(max(after + 1, int(words[2])), int(words[3]) + 1):
            line.send(b"ARTICLE %d\r\n" % number)
        for number in range(max(after + 1, int(words[2])), int(words[3]) + 1):
            got = await line.line()
            if got.startswith(b"220"):
                found[number] = await _dotted(line)
        return found


async def _dotted(line: Line) -> bytes:
    data = await line.reader.readuntil(b"\r\n.\r\n")
    return (b"\r\n" + data[:-3]).replace(b"\r\n..", b"\r\n.")[2:]


def ident_of(data: bytes) -> str:
    """The Message-ID, without its brackets."""
    found = _IDENT.search(data)
    assert found is not None, data[:300]
    return found[1].decode()


def is_whole(sent: Sent, stored: bytes) -> bool:
    """Whether ``stored`` is what was sent, with nothing but our own header lines before it.

    A news server completes the header of what is posted (RFC 5537 3.5), so there the body is compared.
    """
    if sent.way == "nntp":
        return stored.partition(b"\r\n\r\n")[2] == sent.data.partition(b"\r\n\r\n")[2]
    if sent.way == "imap":
        return stored == sent.data
    before = stored[: -len(sent.data)]
    return stored.endswith(sent.data) and before.startswith(b"Return-Path: <") and b"\r\n\r\n" not in before


async def all_idents(port: int, place: str) -> dict[int, str]:
    """UID to Message-ID of everything in a folder."""
    found = await fetch(port, place, 0, "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]")
    return {uid: ident_of(data) for uid, data in found.items()}


async def look(
    ports: dict[str, int], places: tuple[str, ...], after: dict[str, int]
) -> dict[str, dict[int, bytes]]:
    """Everything new in some folders, by place."""
    results = await asyncio.gather(*(fetch(ports["imap"], place, after.get(place, 0)) for place in places))
    return dict(zip(places, results, strict=True))
