"""`quintet trace` tells who read a message, in IMAP, POP3 and NNTP, once each time and never too many."""

import asyncio
from pathlib import Path
from typing import Any

from quintet.store import accounts, entries, folders, groups, trace
from quintet.store.content import content_of
from quintet.store.db import Tx
from tests.support.lines import Line
from tests.support.server import Server, start_server
from tests.support.stores import expect_sound


def _letter(number: int) -> bytes:
    return (
        f"From: bob@example.org\r\nTo: alice@example.org\r\nSubject: {number}\r\n"
        f"Message-ID: <r{number}@example.org>\r\n\r\nText {number}\r\n"
    ).encode()


def _fill(tx: Tx, count: int) -> None:
    alice = accounts.find(tx, "alice@example.org")
    assert alice is not None
    inbox = folders.find(tx, alice.id, "INBOX")
    assert inbox is not None
    for number in range(1, count + 1):
        entries.add(tx, [inbox.id], content_of(_letter(number)), received_at=tx.now)


async def _events(server: Server, number: int) -> list[tuple[str, Any]]:
    rows = server.store.peek(trace.follow, f"<r{number}@example.org>")
    return [(row.event, row.detail) for row in rows if row.event == "read"]


async def _told(server: Server, number: int, count: int) -> list[tuple[str, Any]]:
    """The events, once there are ``count``: notes at a session's end are written behind it."""
    for _ in range(200):
        found = await _events(server, number)
        if len(found) >= count:
            return found
        await asyncio.sleep(0.01)
    return found


async def test_imap_notes_what_becomes_seen(tmp_path: Path) -> None:
    async with start_server(tmp_path, only=("imap",)) as server:
        await server.store.write(_fill, 150)
        client = await Line.to(server, "imap")
        await client.say("a LOGIN alice@example.org demo", "a OK")
        await client.say("b SELECT INBOX", "b OK")
        await client.say("c FETCH 1 BODY.PEEK[]", "c OK")
        assert await _events(server, 1) == []
        await client.say("d FETCH 1 BODY[]", "d OK")
        await client.say("e FETCH 1 BODY[]", "e OK")
        assert await _events(server, 1) == [("read", {"by": "imap"})]
        await client.say("f STORE 2 +FLAGS (\\Seen)", "f OK")
        await client.say("g STORE 2 +FLAGS (\\Flagged)", "g OK")
        await client.say("h STORE 3 +FLAGS (\\Flagged)", "h OK")
        assert await _events(server, 2) == [("read", {"by": "imap"})]
        assert await _events(server, 3) == []
        await client.say("i STORE 1:* +FLAGS.SILENT (\\Seen)", "i OK")
        assert len(await _events(server, 102)) == 1  # the hundredth that was new
        assert await _events(server, 103) == []
        [row, *_] = server.store.peek(trace.follow, "<r2@example.org>")
        assert row.account_id == server.store.peek(accounts.find, "alice@example.org").id  # type: ignore[union-attr]
        assert row.conn
        await client.close()
        expect_sound(server.store)


async def test_pop3_notes_what_was_retrieved_also_when_it_is_deleted(tmp_path: Path) -> None:
    async with start_server(tmp_path, only=("pop3",)) as server:
        await server.store.write(_fill, 3)
        client = await Line.to(server, "pop3")
        await client.say("USER alice@example.org", "+OK")
        await client.say("PASS demo", "+OK")
        await client.say("RETR 1", ".")
        await client.say("TOP 2 5", ".")
        await client.say("RETR 3", ".")
        await client.say("DELE 3", "+OK")
        await client.say("QUIT", "+OK")
        await client.close()
        for number, expected in ((1, 1), (2, 0), (3, 1)):
            assert await _told(server, number, expected) == [("read", {"by": "pop3"})] * expected
        client = await Line.to(server, "pop3")
        await client.say("USER alice@example.org", "+OK")
        await client.say("PASS demo", "+OK")
        await client.say("RETR 2", ".")
        await client.close()  # no QUIT
        assert await _told(server, 2, 1) == [("read", {"by": "pop3"})]
        expect_sound(server.store)


async def test_nntp_notes_what_a_known_reader_was_sent(tmp_path: Path) -> None:
    def post(tx: Tx) -> None:
        group = groups.find(tx, "local.test")
        assert group is not None
        for number in (1, 2):
            body = _letter(number).replace(b"To: alice@example.org", b"Newsgroups: local.test")
            groups.file(tx, [group.id], content_of(body), path=b"x", host="h", received_at=tx.now)

    async with start_server(tmp_path, only=("nntp",)) as server:
        await server.store.write(post)
        client = await Line.to(server, "nntp")
        await client.say("GROUP local.test", "211")
        await client.say("ARTICLE 1", ".")
        await client.say("AUTHINFO USER alice@example.org", "381")
        await client.say("AUTHINFO PASS demo", "281")
        await client.say("HEAD 1", ".")
        await client.say("BODY 2", ".")
        await client.say("QUIT", "205")
        await client.close()
        assert await _told(server, 2, 1) == [("read", {"by": "nntp"})]
        assert await _events(server, 1) == []  # nobody knows who it was
        expect_sound(server.store)
