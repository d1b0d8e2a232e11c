"""Postfix relays in to us, our queue relays out to it through the MX of a test zone, and what it refuses
comes back as a report."""

import asyncio
import dataclasses
import email
from email.message import Message

import pytest

from quintet.config.queue import Queue
from quintet.store import accounts, entries, folders, queue, trace
from tests.support.dnszone import dns_server
from tests.support.postfix import missing, postfix
from tests.support.server import Server, start_server

pytestmark = [pytest.mark.interop, pytest.mark.skipif(bool(missing()), reason=missing() or "there")]

TIME_S = 60.0
ZONE = """
postfix.test MX 10 mx.postfix.test.
mx.postfix.test A 127.0.0.1
"""


async def inbox(server: Server, name: str, count: int = 1) -> list[bytes]:
    """What lies in somebody's Inbox; waits until there are ``count``."""
    store = server.store
    account = store.peek(accounts.find, f"{name}@example.org")
    assert account is not None
    async with asyncio.timeout(TIME_S):
        while True:
            folder = store.peek(folders.find, account.id, "INBOX")
            assert folder is not None
            if folder.messages >= count:
                break
            await asyncio.sleep(0.05)
    found = store.peek(entries.listing, folder.id)
    refs = [store.peek(entries.body_ref, folder.id, each.uid) for each in found]
    return [await asyncio.to_thread(store.read_body, ref) for ref in refs]


async def say(port: int, *lines: str) -> list[str]:
    """A plain dialogue; the last line of each reply."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = []
    try:
        for line in ("", *lines):
            if line:
                writer.write(line.replace("\n", "\r\n").encode() + b"\r\n")
            while (reply := (await reader.readline()).decode())[3:4] == "-":
                continue
            heard.append(reply.strip())
    finally:
        writer.close()
        await writer.wait_closed()
    return heard


async def test_in_by_relay_out_by_mx_and_the_report_of_what_it_refused(tmp_path) -> None:
    async with (
        dns_server(ZONE) as zone,
        start_server(
            tmp_path,
            only=("smtp", "lmtp"),
            dns={"nameservers": ("127.0.0.1",), "port": zone.port},
            smtp={"relay_networks": ["127.0.0.0/8"], "postmaster": "alice@example.org"},
            queue={"enabled": False},
        ) as server,
    ):
        async with postfix(server.ports["smtp"]) as peer:
            # in: Postfix has our domain as a relay domain
            heard = await say(
                peer.port,
                "EHLO client.test",
                "MAIL FROM:<zoe@postfix.test>",
                "RCPT TO:<bob@example.org>",
                "DATA",
                "From: zoe@postfix.test\nMessage-ID: <in@postfix.test>\nSubject: in\n\n..dot\n.",
                "QUIT",
            )
            assert heard[-2].startswith("250"), (heard, peer.log)
            letter = (await inbox(server, "bob"))[0]
            assert letter.startswith(b"Return-Path: <zoe@postfix.test>\r\nDelivered-To: bob@example.org\r\n")
            assert b"\r\nReceived: from mx.postfix.test " in letter
            assert b"with ESMTPS" in letter  # it took our offer of TLS
            assert letter.endswith(b"\r\n\r\n.dot\r\n")

            # out: our queue finds it through the MX of the test zone
            await _reach(server, Queue(port=peer.port))
            await say(
                server.ports["smtp"],
                "EHLO client.test",
                "MAIL FROM:<alice@example.org>",
                "RCPT TO:<zoe@postfix.test>",
                "RCPT TO:<nobody@postfix.test>",
                "DATA",
                "From: alice@example.org\nMessage-ID: <out@example.org>\nSubject: out\n\n..dot\n.",
                "QUIT",
            )
            delivered = (await peer.letters("zoe"))[0]
            assert b"Return-Path: <alice@example.org>" in delivered
            assert delivered.replace(b"\r\n", b"\n").endswith(b"\n\n.dot\n")
            assert ("postfix.test", "MX") in zone.asked

            # back: what it refused is told to the sender
            report = email.message_from_bytes((await inbox(server, "alice"))[0])
            assert report.get_content_type() == "multipart/report"
            fields = report.get_payload()[1].get_payload()[1]
            assert fields["Final-Recipient"] == "rfc822; nobody@postfix.test"
            assert fields["Status"] == "5.1.1"
            assert server.store.peek(queue.listing) == []
            words = [each.event for each in server.store.peek(trace.follow, "<out@example.org>")]
            assert sorted(words) == ["accepted", "bounced", "relayed"]


def _fields(letter: bytes) -> tuple[Message, Message]:
    """What a report says about the message, and about its one recipient."""
    report = email.message_from_bytes(letter)
    assert report.get_content_type() == "multipart/report"
    about, one = report.get_payload()[1].get_payload()
    return about, one


async def test_wish_for_success_is_passed_on_and_answered_by_the_host_that_delivers(tmp_path) -> None:
    """RFC 3461 5.2.1 and 5.2.3, both ways: whoever takes it over tells the sender, once."""
    async with (
        dns_server(ZONE) as zone,
        start_server(
            tmp_path,
            only=("smtp",),
            dns={"nameservers": ("127.0.0.1",), "port": zone.port},
            smtp={"relay_networks": ["127.0.0.0/8"]},
            queue={"enabled": False},
        ) as server,
    ):
        async with postfix(server.ports["smtp"]) as peer:
            await _reach(server, Queue(port=peer.port))
            heard = await say(
                peer.port,
                "EHLO client.test",
                "MAIL FROM:<zoe@postfix.test> RET=HDRS ENVID=QQ+2B1",
                "RCPT TO:<bob@example.org> NOTIFY=SUCCESS ORCPT=rfc822;bob+2Bx@example.org",
                "DATA",
                "From: zoe@postfix.test\nMessage-ID: <in@postfix.test>\n\nin\n.",
                "QUIT",
            )
            assert heard[-2].startswith("250"), (heard, peer.log)
            assert b"Original-Recipient: rfc822; bob+x@example.org\r\n" in (await inbox(server, "bob"))[0]
            about, one = _fields((await peer.letters("zoe"))[0])
            assert about["Reporting-MTA"] == f"dns; {server.app.config.hostname}"
            assert about["Original-Envelope-Id"] == "QQ+1"
            assert (one["Action"], one["Original-Recipient"]) == ("delivered", "rfc822; bob+x@example.org")

            await say(
                server.ports["smtp"],
                "EHLO client.test",
                "MAIL FROM:<alice@example.org> ENVID=QQ2",
                "RCPT TO:<zoe@postfix.test> NOTIFY=SUCCESS ORCPT=rfc822;z+2Bx@postfix.test",
                "DATA",
                "From: alice@example.org\nMessage-ID: <out@example.org>\n\nout\n.",
                "QUIT",
            )
            about, one = _fields((await inbox(server, "alice"))[0])
            assert about["Reporting-MTA"] == "dns; mx.postfix.test"
            assert about["Original-Envelope-Id"] == "QQ2"
            assert (one["Action"], one["Original-Recipient"]) == ("delivered", "rfc822;z+x@postfix.test")
            assert len(await inbox(server, "alice")) == 1  # we said nothing ourselves


async def _reach(server: Server, config: Queue) -> None:
    """Lets the server's queue run, with the peer's port as the port of MX hosts."""
    await server.app.reload(dataclasses.replace(server.app.config, queue=config))
