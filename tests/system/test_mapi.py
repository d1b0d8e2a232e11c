"""MAPI over HTTP through the real server, beside the other protocols over the one store."""

from __future__ import annotations

import asyncio
import email
import email.policy
import imaplib
import os
import poplib
import re
import shutil
import signal
import smtplib
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quintet.errors import Hangup
from quintet.mapi import recipients
from quintet.mapi.buffer import Writer
from quintet.mapi.http.channel import ChannelError
from quintet.mapi.rop import events, folders, messages, others, properties, streams
from tests.support.mapiclient import (
    FLAGS,
    FOLDER_ID,
    INBOX,
    MID,
    NAME,
    OUTBOX,
    SENT,
    Box,
    mapi,
    short,
)
from tests.support.server import HOST, Server, spawn_server, start_server

LETTER = "From: bob@example.org\r\nTo: alice@example.org\r\nSubject: {}\r\n\r\nHello.\r\n"
WAIT_S = 60.0


async def elsewhere(work: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(work)


def send(port: int, subject: str) -> None:
    with smtplib.SMTP(HOST, port) as smtp:
        smtp.sendmail("bob@example.org", ["alice@example.org"], LETTER.format(subject))


def imap(port: int) -> imaplib.IMAP4:
    client = imaplib.IMAP4(HOST, port)
    client.login("alice@example.org", "demo")
    return client


async def test_a_letter_wakes_who_waits(tmp_path: Path) -> None:
    """MS-OXCMAPIHTTP R308, R1371, R318; MS-OXCNOTIF R103: the events come with the next Execute."""
    async with start_server(tmp_path) as server, mapi(server.ports["http"]) as box:
        handle = await box.open(others.RegisterNotification(events.Kind.NEW_MAIL | events.Kind.CREATED, None))
        waiting = asyncio.create_task(box.wait())
        await asyncio.sleep(0.2)
        assert not waiting.done()
        started = time.monotonic()
        await elsewhere(lambda: send(server.ports["smtp"], "Wake up"))
        async with asyncio.timeout(WAIT_S):
            assert await waiting is True
        assert time.monotonic() - started < 15  # he looks by himself every 30 seconds
        await box.run(box.batch())
        told = {
            one.event.flags & events.KIND for one in box.notices if one.event.folder == box.folders[INBOX]
        }
        assert told == {events.Kind.NEW_MAIL, events.Kind.CREATED}
        assert {one.handle for one in box.notices} == {handle}
        new = next(one.event for one in box.notices if one.event.flags & events.Kind.NEW_MAIL)
        rows = await box.contents(await box.folder(INBOX))
        assert (short(rows[0][0]), rows[0][1]) == (new.message, "Wake up")


async def test_a_flag_set_by_imap_shows_in_rows(tmp_path: Path) -> None:
    async with start_server(tmp_path) as server, mapi(server.ports["http"]) as box:
        await elsewhere(lambda: send(server.ports["smtp"], "Flags"))
        inbox = await box.folder(INBOX)
        assert [row[2] & 1 for row in await box.contents(inbox)] == [0]
        table = await box.open(folders.GetContentsTable(0), inbox)
        await box.rows(table, (MID, FLAGS))

        def mark() -> None:
            client = imap(server.ports["imap"])
            client.select("INBOX")
            client.store("1", "+FLAGS", r"(\Seen \Flagged)")
            client.logout()

        await elsewhere(mark)
        # the open table tells that it is another one now, and its rows are those of now
        rows = await box.rows(table, (MID, FLAGS, 0x10900003))
        assert [row[1] & 1 for row in rows] == [1]
        assert [row[2] for row in rows] == [2]


def recipient(address: str, name: str) -> bytes:
    row = recipients.Row(kind=recipients.Address.SMTP, name=name, email=address)
    writer = Writer()
    recipients.put(writer, row, ())
    return writer.done()


async def write_letter(box: Box, subject: str, body: str, to: str) -> int:
    handle = await box.open(messages.CreateMessage(0x0FFF, box.folders[INBOX], False))
    await box.put(handle, subject=subject, body=body)
    changes = messages.Changes((), (messages.ChangedRecipient(0, 1, recipient(to, "Somebody")),))
    await box.ask(messages.ModifyRecipients(changes), handle)
    return handle


async def test_what_operations_made_is_a_letter_for_imap_and_pop3(tmp_path: Path) -> None:
    async with start_server(tmp_path) as server, mapi(server.ports["http"]) as box:
        handle = await write_letter(box, "Fünf Äpfel", "One line.\r\nAnother: ü.\r\n", "bob@example.org")
        attachment = await box.ask(0x23, handle)
        assert attachment.opens is not None
        part = attachment.opens.handle
        names = ((0x3707001F, "notes.txt"), (0x370E001F, "text/plain"), (0x37050003, 1))
        await box.ask(properties.SetProperties(names), part)
        stream = await box.open(streams.OpenStream(0x37010102, 2), part)
        await box.ask(streams.WriteStream(b"attached text" * 1000), stream)
        await box.ask(0x5D, stream)
        await box.ask(messages.SaveChangesAttachment(0x0A), part)
        saved = await box.save(handle)
        assert saved.counter

        def fetched() -> list[bytes]:
            client = imap(server.ports["imap"])
            client.select("INBOX")
            _, data = client.fetch("1", "(BODY.PEEK[])")
            client.logout()
            pop = poplib.POP3(HOST, server.ports["pop3"])
            pop.user("alice@example.org")
            pop.pass_("demo")
            lines = pop.retr(1)[1]
            pop.quit()
            return [data[0][1], b"\r\n".join((*lines, b""))]  # type: ignore[index]

        by_imap, by_pop3 = await elsewhere(fetched)
        assert by_imap == by_pop3
        letter = email.message_from_bytes(by_imap, policy=email.policy.default)
        assert letter["subject"] == "Fünf Äpfel"
        assert letter["to"].addresses[0].addr_spec == "bob@example.org"
        assert letter["from"].addresses[0].addr_spec == "alice@example.org"
        body = letter.get_body(("plain",))
        assert body is not None
        assert body.get_content().replace("\r\n", "\n").rstrip() == "One line.\nAnother: ü."
        (attached,) = letter.iter_attachments()
        assert attached.get_filename() == "notes.txt"
        content = attached.get_content()
        assert (
            content if isinstance(content, bytes) else content.encode()
        ).rstrip() == b"attached text" * 1000


async def test_submitting_sends(tmp_path: Path) -> None:
    """RopSubmitMessage: the other one has it, and it is filed as sent."""
    async with start_server(tmp_path) as server, mapi(server.ports["http"]) as box:
        handle = await write_letter(box, "Sent by an operation", "Hi", "bob@example.org")
        await box.ask(messages.SubmitMessage(0), handle)
        assert [row[1] for row in await box.contents(await box.folder(SENT))] == ["Sent by an operation"]
        async with mapi(server.ports["http"], "bob@example.org") as bob:
            async with asyncio.timeout(WAIT_S):
                while not (rows := await bob.contents(await bob.folder(INBOX))):
                    await asyncio.sleep(0.05)
            assert rows[0][1] == "Sent by an operation"


async def test_a_letter_in_one_buffer(tmp_path: Path) -> None:
    """As small programs send it: fixed handles, hidden, unsent flags, columns in the recipient, no save."""
    columns = (0x0FFE0003, 0x39000003, 0x3003001F, 0x3A710003, 0x39050003, 0x5FF6001F, 0x5FFD0003, 0x5FFF0003)
    flags = 0x0200 | 0x20 | 0x10 | 0x08 | 0x03  # UTF-16, three names, of SMTP
    row = Writer()
    row.u16(flags)
    for text in ("bob@example.org", "Bob", "Bob"):
        row.text(text)
    row.u16(len(columns))
    row.u8(0)
    row.u32(6)
    row.u32(0)
    row.text("bob@example.org")
    row.u32(0)
    row.u32(0x40000000)
    row.text("Bob")
    row.u32(1)
    row.u32(0)
    values = (
        (0x1000001F, "Hello.\n\r"), (0x001A001F, "IPM.Note"), (0x0E070003, 8), (0x0070001F, "One buffer"),
        (0x10800003, 1), (0x10160003, 1), (0x0037001F, "One buffer"), (0x0E1D001F, "One buffer"),
        (0x10F4000B, True),
    )  # fmt: skip
    async with start_server(tmp_path) as server, mapi(server.ports["http"], log_on=False) as box:
        await box.log_on(logon=12)
        assert box.handle == 0x0C000000
        batch = box.batch()
        made = batch.add(messages.CreateMessage(0x0FFF, box.folders[OUTBOX], False), 0x0C000000)
        batch.add(properties.SetProperties(values), made.opens)
        changed = messages.ChangedRecipient(1, 1, row.done())
        batch.add(messages.ModifyRecipients(messages.Changes(columns, (changed,))), made.opens)
        batch.add(messages.SubmitMessage(0), made.opens)
        await box.run(batch)
        assert [step.told.code for step in batch.steps if step.told] == [0, 0, 0, 0]
        assert made.opens.handle == 0x0C000001
        async with mapi(server.ports["http"], "bob@example.org") as bob:
            inbox = await bob.folder(INBOX)
            async with asyncio.timeout(WAIT_S):
                while not (rows := await bob.contents(inbox)):
                    await asyncio.sleep(0.05)
            assert rows[0][1] == "One buffer"
            letter = await bob.open(messages.OpenMessage(0x0FFF, bob.folders[INBOX], 0, short(rows[0][0])))
            assert await bob.values(letter, 0x0C1F001F, 0x0E04001F) == ["alice@example.org", "Bob"]


async def test_a_post_in_a_public_folder_is_an_article(tmp_path: Path) -> None:
    async with start_server(tmp_path) as server, mapi(server.ports["http"], public=True) as box:
        subtree = await box.folder(1)
        table = await box.open(folders.GetHierarchyTable(4), subtree)
        found = {row[0]: short(row[1]) for row in await box.rows(table, (NAME, FOLDER_ID))}
        group = found["local.test"]
        handle = await box.open(messages.CreateMessage(0x0FFF, group, False))
        await box.put(handle, subject="Posted by an operation", body="An article.", klass="IPM.Post")
        saved = await box.save(handle)
        rows = await box.contents(await box.folder(group))
        assert [(short(row[0]), row[1]) for row in rows] == [(saved, "Posted by an operation")]

        lines = await elsewhere(lambda: article(server.ports["nntp"]))
        assert lines[-2:] == [b"An article.", b"."]
        posted = email.message_from_bytes(b"\r\n".join(lines[:-1]), policy=email.policy.default)
        assert (posted["subject"], posted["newsgroups"]) == ("Posted by an operation", "local.test")
        assert posted["path"].startswith("mail.example.org!")
        assert posted["from"].addresses[0].addr_spec == "alice@example.org"
        assert re.fullmatch(r"<[^<>@\s]+@[^<>@\s]+>", posted["message-id"])
        assert posted["date"].datetime
        assert posted["bcc"] is None


def article(port: int) -> list[bytes]:
    """The first article of local.test as NNTP has it."""
    with socket.create_connection((HOST, port), timeout=WAIT_S) as sock, sock.makefile("rwb") as file:
        file.readline()
        found: list[bytes] = []
        for command in (
            b"AUTHINFO USER alice@example.org",
            b"AUTHINFO PASS demo",
            b"GROUP local.test",
            b"ARTICLE 1",
        ):
            file.write(command + b"\r\n")
            file.flush()
            status = file.readline()
            assert status[:1] in b"23", status
        while not found or found[-1] != b".":
            found.append(file.readline().rstrip(b"\r\n"))
        return found


def test_a_program_of_many_workers_serves_a_session_in_each(tmp_path: Path) -> None:
    """docs/decisions/0120: every connection meets any worker; the session is one."""

    async def ask(port: int) -> None:
        async with mapi(port) as box:
            waiting = asyncio.create_task(box.wait())
            await box.open(others.RegisterNotification(events.Kind.NEW_MAIL, None))
            for _ in range(6):
                box.line.close()  # the next request has a connection of its own
                assert await box.contents(await box.folder(INBOX)) == []
            await elsewhere(lambda: send(server.ports["smtp"], "To any worker"))
            async with asyncio.timeout(WAIT_S):
                assert await waiting is True

    with spawn_server(tmp_path, workers=3) as server:
        asyncio.run(ask(server.ports["http"]))


def test_a_worker_that_is_killed_takes_its_sessions_along(tmp_path: Path) -> None:
    """MS-OXCMAPIHTTP R1283: X-ResponseCode 10, wherever the client asks; it connects anew, and goes on."""

    async def ask(port: int) -> None:
        async with mapi(port) as box:
            await box.contents(await box.folder(INBOX))
            for one in status:
                os.kill(one["pid"], signal.SIGKILL)
            refused = None
            async with asyncio.timeout(WAIT_S):
                while refused is None:
                    box.line.close()
                    try:
                        await box.run(box.batch())
                    except Hangup:  # nobody is there yet
                        await asyncio.sleep(0.1)
                    except ChannelError as error:
                        refused = error.code, error.status
            assert refused == (10, 200)
            await elsewhere(box.mailbox.connect)
            await box.log_on()
            assert await box.contents(await box.folder(INBOX)) == []

    with spawn_server(tmp_path, workers=2) as server:
        status = server.status()
        asyncio.run(ask(server.ports["http"]))


CURL = shutil.which("curl")
ASK = (
    '<?xml version="1.0"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/'
    'requestschema/2006"><Request><EMailAddress>alice@example.org</EMailAddress><AcceptableResponseSchema>'
    "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
    "</AcceptableResponseSchema></Request></Autodiscover>"
)


@pytest.mark.skipif(CURL is None, reason="curl is not installed")
async def test_curl_shows_autodiscover(tmp_path: Path) -> None:
    async def curl(server: Server, path: str, *arguments: str) -> str:
        assert CURL is not None
        process = await asyncio.create_subprocess_exec(
            CURL, "-s", "-i", *arguments, f"http://{HOST}:{server.ports['http']}{path}",
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        return (await process.communicate())[0].decode()

    async with start_server(tmp_path, auth={"ntlm": True}) as server:
        xml = "/Autodiscover/Autodiscover.xml"
        login = ("-u", "alice@example.org:demo")
        said = await curl(server, xml, *login, "-H", "X-MapiHttpCapability: 1", "-d", ASK)
        assert '<Protocol Type="mapiHttp" Version="1"><MailStore>' in said
        assert "https://mail.example.org/mapi/emsmdb/?MailboxId=" in said
        assert "<LegacyDN>/o=Quintet/" in said
        without = await curl(server, xml, *login, "-d", ASK)
        assert "mapiHttp" not in without
        assert "<Type>IMAP</Type>" in without
        by_ntlm = await curl(server, xml, "--ntlm", *login, "-H", "X-MapiHttpCapability: 2", "-d", ASK)
        assert "mapiHttp" in by_ntlm or "NTLM" not in await curl(server, xml, "--version")
        assert "401" in (await curl(server, xml, "-d", ASK)).splitlines()[0]
        wrong = await curl(server, xml, *login, "-d", ASK.replace("alice@", "carol@"))
        assert "<ErrorCode>500</ErrorCode>" in wrong
        assert "<ErrorCode>600</ErrorCode>" in await curl(server, xml, *login, "-d", "<!DOCTYPE x><x/>")
        assert "302" in (await curl(server, xml)).splitlines()[0]
        found = await curl(
            server, "/autodiscover/autodiscover.json?Email=x@example.org&Protocol=AutodiscoverV1"
        )
        assert '"Url": "https://mail.example.org/autodiscover/autodiscover.xml"' in found
