"""The queue runner over a real socket to a next host that does as it is told."""

import asyncio
import email
import ssl

import pytest

from quintet.config.queue import Limit
from quintet.config.route import Route
from quintet.errors import Reason, TryLater
from quintet.net.tls import write_self_signed
from quintet.store import queue, trace
from tests.support.dnszone import dns_server
from tests.support.nexthost import NextHost, next_host


async def test_letter_goes_out_with_its_received_line_and_leaves_the_queue(out, to_host):
    async with next_host() as host:
        runner = out.runner(routes=to_host(host.port))
        await out.queue("zoe@example.net")
        assert await runner.once() == 1
        assert host.messages[0].startswith(b"Received: from a by b;")
        assert host.messages[0].endswith(b"\r\n\r\nbody\r\n.dot\r\n")
        assert host.heard[:2] == [
            "EHLO mx.example.org",
            f"MAIL FROM:<alice@example.org> SIZE={len(host.messages[0])}",
        ]
        assert await out.house.queued() == []
        assert [event.event for event in out.house.traced()] == ["relayed"]
        assert out.house.traced()[0].message_id == "<1@example.org>"


async def test_recipients_of_one_host_share_a_transaction_and_letters_a_session(out, to_host):
    async with next_host() as host:
        runner = out.runner(routes=to_host(host.port), per_destination=1)
        await out.queue("a@example.net", "b@example.com")
        await out.queue("c@example.net")
        await runner.once()
        assert host.connections == 1
        assert [line for line in host.heard if line.startswith("RCPT")] == [
            "RCPT TO:<a@example.net>",
            "RCPT TO:<b@example.com>",
            "RCPT TO:<c@example.net>",
        ]
        assert len(host.messages) == 2


async def test_refused_recipient_bounces_and_the_other_one_gets_it(out, to_host):
    async with next_host(replies={"RCPT TO:<NOBODY": "550 5.1.1 who is that"}) as host:
        runner = out.runner(routes=to_host(host.port))
        await out.queue("nobody@example.net", "zoe@example.net")
        await runner.once()
        assert len(host.messages) == 1
        assert await out.house.queued() == []
        report = email.message_from_bytes(await out.house.last("alice"))
        assert report["Return-Path"] == "<>"
        assert report.get_content_type() == "multipart/report"
        text, status, original = report.get_payload()
        assert "550 5.1.1 who is that" in text.get_payload()
        fields = status.get_payload()
        assert fields[1]["Final-Recipient"] == "rfc822; nobody@example.net"
        assert fields[1]["Action"] == "failed"
        assert fields[1]["Status"] == "5.1.1"
        assert fields[1]["Remote-MTA"] == "dns; 127.0.0.1"
        assert report["In-Reply-To"] == report["References"] == "<1@example.org>"
        assert (report["Auto-Submitted"], report["Return-Path"]) == ("auto-replied", "<>")
        assert "zoe" not in status.as_string()
        assert original.get_payload()[0]["Message-ID"] == "<1@example.org>"
        words = [event.event for event in out.house.traced()]
        assert sorted(words) == ["bounced", "relayed", "reported"]


async def test_temporary_refusal_is_tried_again_later_and_later(out, to_host):
    async with next_host(replies={"RCPT": "450 4.2.1 busy"}) as host:
        runner = out.runner(routes=to_host(host.port), idle_s=0.0, delay_warning_s=0.0)
        await out.queue("zoe@example.net")
        waits = []
        for _ in range(4):
            assert await runner.once() == 1
            row = (await out.house.queued())[0]
            assert row.last_error == "450 4.2.1 busy"
            waits.append((row.due_at - out.house.clock.now()) / 1000)
            assert await runner.once() == 0  # not due yet
            out.house.clock.advance(waits[-1])
        assert waits == [60, 300, 900, 1800]
        host.replies.clear()
        await runner.once()
        assert len(host.messages) == 1
        assert host.heard.count("MAIL FROM:<alice@example.org> SIZE=" + str(len(host.messages[0]))) == 5


async def test_recipients_put_off_together_go_together_next_time(out, to_host):
    async with next_host(replies={"MAIL": "451 4.3.0 no"}) as host:
        chances = iter([0.1, 0.9, 0.4, 0.6])
        out.house.clock.random = lambda: next(chances)
        runner = out.runner(routes=to_host(host.port))
        await out.queue("zoe@example.net", "yan@example.net")
        await runner.once()
        assert len({row.due_at for row in await out.house.queued()}) == 1


async def test_late_mail_is_told_of_once_and_given_up_when_it_expires(out, to_host):
    async with next_host(replies={"MAIL": "451 4.3.0 no"}) as host:
        runner = out.runner(routes=to_host(host.port))
        await out.queue("zoe@example.net")
        await runner.once()
        assert await out.house.count("alice") == 0
        for _ in range(2):
            out.house.clock.advance(4 * 3600)
            await runner.once()
            assert await out.house.count("alice") == 1
        warning = email.message_from_bytes(await out.house.last("alice"))
        assert warning.get_payload()[1].get_payload()[1]["Action"] == "delayed"
        out.house.clock.advance(5 * 86_400)
        await runner.once()
        assert await out.house.count("alice") == 2
        assert await out.house.queued() == []
        bounce = email.message_from_bytes(await out.house.last("alice")).get_payload()[1].get_payload()[1]
        assert (bounce["Action"], bounce["Status"]) == ("failed", "5.4.7")


async def test_report_that_fails_is_never_answered(out, to_host):
    async with next_host(replies={"RCPT": "550 no"}) as host:
        runner = out.runner(routes=to_host(host.port))
        await out.queue("zoe@example.net", sender="")
        await runner.once()
        assert await out.house.queued() == []
        assert [event.event for event in out.house.traced()] == ["bounced", "dropped"]


async def test_report_to_a_stranger_is_queued_with_a_null_sender(out, to_host):
    async with next_host(replies={"RCPT TO:<NOBODY": "550 5.1.1 no"}) as host:
        runner = out.runner(routes=to_host(host.port), retry_s=[5.0])
        await out.queue("nobody@example.net", sender="zoe@example.com")
        await runner.once()
        assert "MAIL FROM:<> SIZE=" + str(len(host.messages[-1])) in host.heard
        assert b"To: <zoe@example.com>" in host.messages[-1]


async def test_report_to_a_full_mailbox_waits_in_the_queue(out, to_host):
    async with next_host(replies={"RCPT": "550 5.1.1 no"}) as host:
        runner = out.runner(routes=to_host(host.port))
        await out.queue("nobody@example.net")
        await out.house.given("full alice")
        await runner.once()
        waiting = await out.house.queued()
        assert [(row.address, row.sender) for row in waiting] == [("alice@example.org", "")]


async def test_pipelined_data_that_nobody_may_have_is_ended_at_once(out, to_host):
    async with next_host(replies={"RCPT": "450 4.2.1 busy"}, gullible=True) as host:
        runner = out.runner(routes=to_host(host.port))
        await out.queue("zoe@example.net")
        await runner.once()
        assert host.messages == [b""]
        assert (await out.house.queued())[0].last_error == "450 4.2.1 busy"


async def test_host_that_hangs_up_in_the_middle_leaves_the_mail_in_the_queue(out, to_host):
    for command in ("MAIL", "RCPT", "DATA"):
        async with next_host(replies={command: ""}) as host:
            runner = out.runner(routes=to_host(host.port), idle_s=0.0)
            number = await out.queue("zoe@example.net")
            await runner.once()
            row = next(each for each in await out.house.queued() if each.queue_id == number)
            assert (row.state, row.attempts) == ("waiting", 1)
            await out.house.store.write(queue.remove, row.id)


async def test_kept_session_that_died_meanwhile_costs_no_attempt(out, to_host):
    async with next_host() as host:
        runner = out.runner(routes=to_host(host.port), per_destination=1)
        await out.queue("zoe@example.net")
        await runner.once()
        host.replies["MAIL"] = "421 4.4.2 waited too long"
        host.connections = 0
        await out.queue("zoe@example.net")
        real = host._talk

        async def second(reader, writer):
            host.replies.clear()
            await real(reader, writer)

        host._talk = second
        await runner.once()
        assert host.connections == 1
        assert len(host.messages) == 2
        assert await out.house.queued() == []


async def test_unreachable_host_defers_everything_behind_it_at_once(out, to_host):
    async with next_host() as host:
        port = host.port
    runner = out.runner(routes=to_host(port), per_destination=1)
    for number in range(5):
        await out.queue(f"u{number}@example.net")
    assert await runner.once() == 5
    rows = await out.house.queued()
    assert {row.attempts for row in rows} == {1}
    assert all("cannot connect" in row.last_error for row in rows)


async def test_garbage_is_no_reply(out, to_host):
    async with next_host(greeting="HTTP/1.1 400 Bad Request") as host:
        runner = out.runner(routes=to_host(host.port))
        await out.queue("zoe@example.net")
        await runner.once()
        assert "no reply" in (await out.house.queued())[0].last_error


async def test_refusal_is_tried_again_while_bounces_are_soft(out, to_host):
    async with next_host(replies={"RCPT": "550 5.1.1 who"}) as host:
        runner = out.runner(routes=to_host(host.port), soft_bounce=True)
        await out.queue("zoe@example.net")
        await runner.once()
        (row,) = await out.house.queued()
        assert (row.attempts, row.last_error) == (1, "550 5.1.1 who")
        out.house.clock.advance(6 * 86_400)
        await runner.once()
    assert await out.house.queued() == []
    assert b"Status: 5.1.1" in await out.house.last("alice")


@pytest.mark.parametrize("late", [False, True])
async def test_eight_bit_mail_is_rewritten_for_a_host_of_seven_bits(out, to_host, late):
    """RFC 6152 3."""
    letter = b"Subject: x\r\n\r\nz\xc3\xbcrich\r\n.\r\n"
    async with next_host(offers=["PIPELINING"]) as host:
        runner = out.runner(routes=to_host(host.port))
        await out.queue("zoe@example.net", data=letter, late=late)
        await runner.once()
        assert host.heard[1] == "MAIL FROM:<alice@example.org>"
        assert host.messages[0].startswith(b"Received: from a by b;")
        assert host.messages[0].endswith(b"quoted-printable\r\n\r\nz=C3=BCrich\r\n=2E\r\n")
    async with next_host() as host:
        runner = out.runner(routes=to_host(host.port))
        await out.queue("zoe@example.net", data=letter, late=late)
        await runner.once()
        assert host.heard[1].endswith(" BODY=8BITMIME")
        assert host.messages[0].endswith(letter)


@pytest.mark.parametrize("late", [False, True])
async def test_eight_bit_mail_that_cannot_be_rewritten_is_returned(out, to_host, late):
    async with next_host(offers=["PIPELINING"]) as host:
        runner = out.runner(routes=to_host(host.port))
        await out.queue("zoe@example.net", data=b"Subject: z\xc3\xbcrich\r\n\r\nx\r\n", late=late)
        await runner.once()
        assert host.messages == []
        assert b"Status: 5.6.3" in await out.house.last("alice")


@pytest.mark.parametrize("late", [False, True])
async def test_what_a_header_asks_for_is_done_whether_it_was_scanned_or_not(out, to_host, late):
    """RFC 3865 2.7; the trace names the message."""
    async with next_host(offers=["PIPELINING", "NO-SOLICITING"]) as host:
        runner = out.runner(routes=to_host(host.port))
        letter = b"Message-ID: <a@b>\r\nSolicitation: org.example:ADV\r\nSubject: x\r\n\r\nx\r\n"
        await out.queue("zoe@example.net", data=letter, late=late)
        await runner.once()
        assert host.heard[1].endswith(" SOLICIT=org.example:ADV")
    events = out.house.store.peek(trace.follow, "<a@b>")
    assert [each.event for each in events] == ["relayed"]


async def test_utf8_address_needs_smtputf8_but_a_utf8_domain_does_not(out, to_host):
    async with next_host(offers=["PIPELINING", "8BITMIME"]) as host:
        runner = out.runner(routes=to_host(host.port))
        await out.queue("zoë@example.net", "zoe@bücher.example")
        await runner.once()
        assert [line for line in host.heard if line.startswith("RCPT")] == [
            "RCPT TO:<zoe@xn--bcher-kva.example>"
        ]
        assert b"Status: 5.6.7" in await out.house.last("alice")


async def test_size_that_the_host_does_not_take_is_not_sent(out, to_host):
    async with next_host(offers=["SIZE 50"]) as host:
        runner = out.runner(routes=to_host(host.port))
        await out.queue("zoe@example.net")
        await runner.once()
        assert host.messages == []
        assert b"Status: 5.3.4" in await out.house.last("alice")


async def test_host_without_ehlo_and_pipelining_is_served_step_by_step(out, to_host):
    async with next_host(replies={"EHLO": "502 what"}) as host:
        runner = out.runner(routes=to_host(host.port))
        await out.queue("zoe@example.net", "b@example.net")
        await runner.once()
        assert host.heard[1:4] == [
            "HELO mx.example.org",
            "MAIL FROM:<alice@example.org>",
            "RCPT TO:<zoe@example.net>",
        ]
        assert len(host.messages) == 1


async def test_large_letter_streams_and_dots_are_stuffed(out, to_host):
    letter = b"Subject: x\r\n\r\n" + b".0123456789\r\n" * 20_000
    async with next_host() as host:
        runner = out.runner(routes=to_host(host.port))
        await out.queue("zoe@example.net", data=letter)
        await runner.once()
        assert host.messages[0].endswith(letter)


async def test_lmtp_route_hears_a_status_for_each(out, to_host):
    async with next_host(lmtp=True, final=["250 2.0.0 ok", "550 5.2.2 full for ever"]) as host:
        runner = out.runner(routes=to_host(host.port, via="lmtp"))
        await out.queue("a@example.net", "b@example.net")
        await runner.once()
        assert host.heard[0] == "LHLO mx.example.org"
        assert await out.house.queued() == []
        report = await out.house.last("alice")
        assert b"Final-Recipient: rfc822; b@example.net" in report
        assert b"rfc822; a@example.net" not in report


async def test_discard_and_error_routes(out):
    routes = {
        "hole": Route(domains=["hole.example"], via="discard"),
        "wall": Route(domains=[".wall.example"], via="error", text="that company is closed"),
    }
    runner = out.runner(routes=routes)
    await out.queue("a@hole.example", "b@office.wall.example")
    await runner.once()
    assert await out.house.queued() == []
    assert b"that company is closed" in await out.house.last("alice")


async def test_forward_to_a_local_name_is_filed(out):
    await out.house.given("forward away@example.org to carol@example.org")
    runner = out.runner()
    await out.queue("away@example.org")
    await runner.once()
    assert await out.house.queued() == []
    letter = await out.house.last("carol")
    assert letter.startswith(
        b"Return-Path: <alice@example.org>\r\nDelivered-To: away@example.org\r\nReceived: from a by b;"
    )
    assert letter.endswith(b"body\r\n.dot\r\n")


async def test_forwards_in_a_circle_end(out):
    await out.house.given("forward a@example.org to b@example.org")
    await out.house.given("forward b@example.org to a@example.org")
    runner = out.runner()
    await out.queue("a@example.org")
    await runner.once()
    assert await out.house.queued() == []
    assert b"Status: 5.4.6" in await out.house.last("alice")


async def test_tls_is_used_when_offered_and_cleartext_when_it_breaks(out, to_host, tmp_path):
    write_self_signed(tmp_path / "cert.pem", ["other.test"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "cert.pem")
    async with next_host(offers=["STARTTLS", "PIPELINING"], context=context) as host:
        runner = out.runner(routes=to_host(host.port))
        await out.queue("zoe@example.net")
        await runner.once()
        assert host.heard[:3] == ["EHLO mx.example.org", "STARTTLS", "EHLO mx.example.org"]
        assert len(host.messages) == 1
        await runner.links.close()
    async with next_host(offers=["STARTTLS"], context=context) as host:
        runner = out.runner(routes=to_host(host.port, tls="verify"))
        await out.queue("zoe@example.net")
        await runner.once()
        row = (await out.house.queued())[0]
        assert "TLS" in row.last_error or "certificate" in row.last_error.lower()
        assert host.messages == []
        await out.house.store.write(queue.remove, row.id)
    async with next_host(offers=["STARTTLS"], replies={"STARTTLS": "454 not today"}) as host:
        runner = out.runner(routes=to_host(host.port))
        await out.queue("zoe@example.net")
        await runner.once()
        assert len(host.messages) == 1
    async with next_host() as host:
        runner = out.runner(routes=to_host(host.port, tls="must"))
        await out.queue("zoe@example.net")
        await runner.once()
        assert host.messages == []
        assert "offers no TLS" in (await out.house.queued())[0].last_error


async def test_smarthost_login(out, to_host):
    async with next_host(offers=["PIPELINING", "AUTH PLAIN LOGIN"], replies={"AUTH": "235 2.7.0 in"}) as host:
        runner = out.runner(routes=to_host(host.port, user="relay", password="secret"))
        await out.queue("zoe@example.net")
        await runner.once()
        assert host.heard[1] == "AUTH PLAIN AHJlbGF5AHNlY3JldA=="
        assert len(host.messages) == 1


async def test_run_wakes_for_new_mail_and_stop_gives_leases_back(out, to_host):
    async with next_host() as host:
        runner = out.runner(routes=to_host(host.port), poll_s=3600.0)
        running = asyncio.create_task(runner.run())
        await asyncio.sleep(0)
        await out.queue("zoe@example.net")
        async with asyncio.timeout(30):
            while await out.house.queued():
                await asyncio.sleep(0.01)
        await runner.stop(1.0)
        await running
        assert len(host.messages) == 1
    await out.queue("zoe@example.net")
    leased = await out.house.store.write(queue.lease, runner.owner, out.house.clock.now() + 1000, 10)
    runner._in_hand = {one.id: one for one in leased}
    await runner.stop(1.0)
    assert [row.state for row in await out.house.queued()] == ["waiting"]


async def test_lease_of_a_dead_worker_is_taken_over(out, to_host):
    async with next_host() as host:
        await out.queue("zoe@example.net")
        dead = out.runner(routes=to_host(host.port))
        await out.house.store.write(queue.lease, dead.owner, out.house.clock.now() + 60_000, 10)
        living = out.runner(routes=to_host(host.port))
        assert await living.once() == 0
        out.house.clock.advance(61)
        assert await living.once() == 1
        assert len(host.messages) == 1


ZONE = """
two.test MX 10 first.two.test.
two.test MX 20 second.two.test.
first.two.test A 127.0.0.1
second.two.test A 127.0.0.2
"""


@pytest.mark.parametrize(
    "said",
    [
        {"greeting": "421 4.3.2 too busy"},
        {"greeting": "554 no"},
        {"replies": {"EHLO": ""}},
        {"replies": {"MAIL": ""}},
        {"replies": {"MAIL": "421 4.3.2 enough"}},
    ],
)
async def test_next_exchanger_is_tried_when_the_first_has_no_time(out, said):
    """RFC 5321 5.1."""
    async with (
        dns_server(ZONE) as zone,
        next_host(**said) as first,
        next_host(address="127.0.0.2", port=first.port) as second,
    ):
        runner = out.runner(resolver=zone.resolver(), port=first.port)
        await out.queue("zoe@two.test")
        await runner.once()
        assert first.connections == 1
        assert len(second.messages) == 1
        assert await out.house.queued() == []


async def test_all_exchangers_hang_up(out):
    told = {"MAIL": "421 4.3.2 enough"}
    async with (
        dns_server(ZONE) as zone,
        next_host(replies=told) as first,
        next_host(address="127.0.0.2", port=first.port, replies=told) as second,
    ):
        runner = out.runner(resolver=zone.resolver(), port=first.port)
        await out.queue("zoe@two.test")
        await runner.once()
        assert (first.connections, second.connections) == (1, 1)
        row = (await out.house.queued())[0]
        assert (row.attempts, row.last_error) == (1, "first.two.test said: 421 4.3.2 enough")


async def test_exchanger_that_turns_out_to_be_ourselves(out):
    """RFC 5321 5.1: known by its address only, under a name that is none of ours."""
    async with dns_server(ZONE) as zone, next_host(replies={"EHLO": "250 MX.example.org hello"}) as host:
        runner = out.runner(resolver=zone.resolver(), port=host.port)
        await out.queue("zoe@two.test")
        await runner.once()
        assert not any(line.startswith("MAIL") for line in host.heard)
        report = email.message_from_bytes(await out.house.last("alice"))
        assert report.get_payload()[1].get_payload()[1]["Status"] == "5.4.6"
        assert await out.house.queued() == []


@pytest.mark.parametrize("more", [[], ["CHUNKING"]])
async def test_end_of_a_letter_is_not_said_before_the_last_one_is_written_down(out, to_host, more):
    """Whoever is killed meanwhile sends one letter of a session twice, not two."""
    async with next_host(offers=["PIPELINING", "8BITMIME", "SMTPUTF8", *more]) as host:
        runner = out.runner(routes=to_host(host.port), per_destination=1)
        written, write = asyncio.Event(), runner.aftermath.write

        async def slowly(*args):
            await written.wait()
            await write(*args)

        runner.aftermath.write = slowly
        await out.queue("a@example.net")
        await out.queue("b@example.net")
        sending = asyncio.create_task(runner.once())
        async with asyncio.timeout(30):
            while not host.messages or (not more and "RCPT TO:<b@example.net>" not in host.heard):
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert len(host.messages) == 1
        written.set()
        await sending
        assert len(host.messages) == 2
        assert host.connections == 1


@pytest.mark.parametrize("at_once", [True, False])
async def test_what_became_of_a_letter_is_written_when_the_disk_takes_it_again(
    out, to_host, monkeypatch, at_once
):
    """Forgotten, it went out again when its lease had run out."""
    monkeypatch.setattr("quintet.delivery.settling.FIRST_AGAIN_S", 0.01)
    async with next_host() as host:
        runner = out.runner(routes=to_host(host.port), per_destination=1)
        write, tries = runner.aftermath.write, 0

        async def later():
            raise TryLater(Reason.DISK_FULL)

        def full(*args):
            nonlocal tries
            tries += 1
            if tries > 3:
                return write(*args)
            if at_once:
                raise TryLater(Reason.DISK_FULL)
            return later()

        runner.aftermath.write = full
        await out.queue("a@example.net")
        await out.queue("b@example.net")
        sending = asyncio.create_task(runner.run())
        async with asyncio.timeout(30):
            while await out.house.queued():
                await asyncio.sleep(0.01)
                assert len(host.messages) <= 1 + (tries > 3)  # nor does the session send more meanwhile
        await runner.stop(1.0)
        await sending
        assert (len(host.messages), tries) == (2, 5)
        assert [event.event for event in out.house.traced()] == ["relayed"] * 2


async def test_a_disk_that_stays_full_does_not_hold_up_the_end(out, to_host):
    async with next_host() as host:
        runner = out.runner(routes=to_host(host.port))

        def full(*args):
            raise TryLater(Reason.DISK_FULL)

        runner.aftermath.write = full
        await out.queue("a@example.net")
        sending = asyncio.create_task(runner.run())
        async with asyncio.timeout(30):
            while not host.messages:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            await runner.stop(1.0)
            await sending
        assert [row.state for row in await out.house.queued()] == [
            "leased"
        ]  # until who comes next takes it over


async def test_sessions_are_shared_again_after_too_many_ways_were_known(out, to_host, monkeypatch):
    monkeypatch.setattr("quintet.delivery.links.MAX_KNOWN", 1)
    async with next_host() as host, next_host() as other:
        routes = to_host(host.port) | {
            "other": Route(
                domains=["other.example"], via="smtp", host="127.0.0.1", port=other.port, tls="never"
            )
        }
        runner = out.runner(routes=dict(reversed(routes.items())), per_destination=1)
        for _ in range(3):
            await out.queue("a@example.net")
            await out.queue("b@other.example")
        await runner.once()
        assert (len(host.messages), len(other.messages)) == (3, 3)
        assert host.connections == other.connections == 1
        await runner.stop()
        assert host.heard[-1] == other.heard[-1] == "QUIT"


async def test_host_that_takes_no_mail_is_passed_over_and_at_last_believed(out):
    """RFC 7504 3: 521 in place of the greeting."""
    zone = "far.test. MX 10 no.far.test.\nfar.test. MX 20 yes.far.test.\nno.far.test. A 127.0.0.1\n"
    async with (
        dns_server(zone + "yes.far.test. A 127.0.0.2\nnone.test. MX 10 no.far.test.") as server,
        next_host(greeting="521 5.3.2 Server does not accept mail") as refusing,
        next_host("127.0.0.2", port=refusing.port) as taking,
    ):
        runner = out.runner(resolver=server.resolver(), port=refusing.port)
        await out.queue("zoe@far.test")
        await out.queue("zoe@none.test")
        await runner.once()
        assert len(taking.messages) == 1
        assert await out.house.queued() == []
        assert b"Status: 5.3.2" in await out.house.last("alice")


class OneEach(NextHost):
    """Hangs up after each message that it took, whatever it heard behind it."""

    async def _data(self, reader, say, accepted) -> None:
        await super()._data(reader, say, accepted)
        await asyncio.sleep(0)
        raise ConnectionResetError


async def test_letters_that_a_host_heard_of_before_it_hung_up_go_by_another_session(out, to_host):
    async with next_host(kind=OneEach) as host:
        runner = out.runner(routes=to_host(host.port), per_destination=1)
        for number in range(3):
            await out.queue(f"z{number}@example.net")
        await runner.once()
        assert (len(host.messages), host.connections) == (3, 3)
        assert await out.house.queued() == []
        assert [event.detail["try"] for event in out.house.traced()] == [1, 1, 1]  # RFC 2920 3.1: no fault


async def test_a_session_ends_after_its_last_message_and_no_other_is_announced_in_it(out, to_host):
    async with next_host() as host:
        limits = {"*": Limit(messages=2)}
        runner = out.runner(routes=to_host(host.port), per_destination=1, limits=limits)
        for number in range(4):
            await out.queue(f"z{number}@example.net")
        await runner.once()
        assert (len(host.messages), host.connections) == (4, 2)
        assert [line[:4] for line in host.heard if line[:4] in ("MAIL", "QUIT")] == [
            "MAIL",
            "MAIL",
            "QUIT",
        ] * 2


@pytest.mark.parametrize("offers", [["PIPELINING"], ["CHUNKING", "PIPELINING"], []])
async def test_a_host_that_answers_twice_is_not_believed_for_the_next_letter(out, to_host, offers):
    # RFC 5321 4.2: one reply a command; the second one would be taken for that to the next MAIL
    async with next_host(offers=offers, final=["250 2.0.0 taken\r\n250 2.0.0 taken"]) as host:
        runner = out.runner(routes=to_host(host.port), per_destination=1)
        await out.queue("a@example.net")
        await runner.once()
        host.replies["RCPT TO:<B@"] = "550 5.1.1 no such user"
        await out.queue("b@example.net")
        await runner.once()
        assert (len(host.messages), host.connections) == (1, 2)
        assert sorted(event.event for event in out.house.traced()) == ["bounced", "relayed", "reported"]
