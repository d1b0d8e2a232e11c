"""Who is told what, in the transaction that does it: RFC 3461 5.2, RFC 2852, RFC 5321 4.5.5."""

import email
import email.policy
from dataclasses import replace

import pytest

from quintet.auth.identity import Identity
from quintet.config.reports import Reports as Config
from quintet.delivery import dsn, filing
from quintet.delivery.envelope import DeliverBy, Envelope, Recipient, Wishes, mailbox
from quintet.delivery.reports import PER_DOMAIN, Reports
from quintet.delivery.transport import Answer, Result
from quintet.message import headers
from quintet.net.seam import Peer
from quintet.store import accounts, queue
from quintet.store.content import content_of
from tests.support.nexthost import next_host
from tests.unit.delivery.conftest import LETTER


def told(data: bytes):
    """The report's fields: about the message, then of each recipient."""
    whole = email.message_from_bytes(data, policy=email.policy.default)
    assert whole["Return-Path"] == "<>"
    assert whole["Auto-Submitted"] == "auto-replied"
    return list(whole.iter_parts())[1].get_payload()


async def arrive(house, *to: tuple[str, tuple[str, ...]], sender="alice@example.org", data=LETTER, **more):
    """Mail for recipients with what they are asked for."""
    envelope = Envelope(
        peer=Peer("c1", "192.0.2.9"), helo="client.test", id="abc1", sender=mailbox(sender), **more
    )
    for address, notify in to:
        found = house.inbound.recipient(envelope, mailbox(address), local_only=True)
        envelope.recipients.append(replace(found, notify=notify, orcpt=f"rfc822;{address.title()}"))
    return await house.inbound.accept(envelope, content_of(data))


async def put(
    house, *to: queue.To, sender="alice@example.org", data=LETTER, params=None, expires_s=432_000.0
):
    item = queue.QueueItem(
        content_of(data), sender, params=params or {}, expires_at=house.clock.now() + round(expires_s * 1000)
    )
    await house.store.write(queue.put, item, list(to))


# --- mail that arrives --------------------------------------------------------------------------


async def test_delivered_is_told_of_when_asked_for(out):
    """RFC 3461 5.2.3."""
    wishes = Wishes(envid="QQ314")
    await arrive(out.house, ("bob@example.org", ("success",)), ("carol@example.org", ()), wishes=wishes)
    report = await out.house.last("alice")
    about, one = told(report)
    assert about["Original-Envelope-Id"] == "QQ314"
    assert about["Received-From-MTA"] == "dns; client.test"
    assert (one["Action"], one["Status"]) == ("delivered", "2.1.5")
    assert one["Final-Recipient"] == "rfc822; bob@example.org"
    assert one["Original-Recipient"] == "rfc822; Bob@Example.Org"
    assert one["Final-Log-ID"] == "abc1"
    # 6.2: of a message that arrived only the header is returned
    assert b"Content-Type: text/rfc822-headers" in report
    assert b"In-Reply-To: <1@example.org>" in report
    assert b"body" not in report.split(b"text/rfc822-headers")[1]


@pytest.mark.parametrize("notify", [(), ("never",), ("failure", "delay")])
async def test_delivered_is_not_told_of_otherwise(out, notify):
    await arrive(out.house, ("bob@example.org", notify))
    assert await out.house.count("bob") == 1
    assert await out.house.count("alice") == 0


async def test_null_sender_is_told_nothing(out):
    """RFC 3461 6.1, RFC 5321 4.5.5."""
    await arrive(out.house, ("bob@example.org", ("success", "failure")), sender="")
    assert await out.house.queued() == []
    assert [await out.house.count(name) for name in ("alice", "bob")] == [0, 1]


async def test_alias_of_several_is_expanded_and_its_members_keep_all_but_success(out):
    """RFC 3461 5.2.7.3 (c)."""
    await out.house.given("forward team@example.org to bob@example.org,zoe@example.net")
    await arrive(out.house, ("team@example.org", ("success", "failure")))
    _, one = told(await out.house.last("alice"))
    assert (one["Action"], one["Final-Recipient"]) == ("expanded", "rfc822; team@example.org")
    assert await out.house.count("alice") == 1  # and not "delivered" for bob
    (row,) = await out.house.queued()
    assert (row.address, row.params["notify"]) == ("zoe@example.net", ["failure"])
    assert row.params["orcpt"] == "rfc822;Team@Example.Org"


async def test_alias_of_one_passes_everything_on(out):
    """RFC 3461 5.2.7.2."""
    await out.house.given("forward away@example.org to zoe@example.net")
    await arrive(out.house, ("away@example.org", ("success",)), wishes=Wishes(envid="E", ret="hdrs"))
    (row,) = await out.house.queued()
    assert (row.params["notify"], row.params["orcpt"]) == (["success"], "rfc822;Away@Example.Org")
    assert (row.item_params["envid"], row.item_params["ret"]) == ("E", "hdrs")
    assert await out.house.count("alice") == 0


async def test_only_the_address_that_a_client_named_is_added_as_the_original(out, to_host):
    """RFC 3461 5.2.1 (d): an ORCPT that we add MUST be the address of the RCPT by which it came."""
    house = out.house
    await house.given("forward away@example.org to zoe@example.net")
    await house.given("forward team@example.org to bob@example.org,ann@example.net")
    names = ("away@example.org", "team@example.org", "yan@example.net")
    envelope = Envelope(peer=Peer("c1", "192.0.2.9"), helo="client.test", sender=mailbox("alice@example.org"))
    envelope.identity = Identity(await house.account_id("alice"), "alice@example.org", "PLAIN", "smtp")
    envelope.recipients = [house.inbound.recipient(envelope, mailbox(name)) for name in names]
    await house.inbound.accept(envelope, content_of(LETTER))
    async with next_host(offers=["DSN"]) as host:
        await out.runner(routes=to_host(host.port)).once()
        told = {line for line in host.heard if line.startswith("RCPT")}
    assert told == {
        "RCPT TO:<zoe@example.net>",
        "RCPT TO:<ann@example.net>",
        "RCPT TO:<yan@example.net> ORCPT=rfc822;yan@example.net",
    }


async def test_list_that_sends_mail_on_has_it_delivered(out):
    """RFC 3461 5.2.7.1: its members know nothing of what the poster wished."""
    house, sender = out.house, mailbox("alice@example.org")
    asked = replace(Recipient(mailbox("list@example.org")), mailing_list=7, notify=("success",))
    member = Recipient(mailbox("zoe@example.net"), sender=mailbox("list-bounces@example.org"))
    for recipients, expected in (([asked], 0), ([member], 1)):  # it waits in the queue; it is sent on
        envelope = Envelope(peer=Peer("c1", ""), sender=sender, recipients=recipients)
        decisions = [filing.usual(one) for one in recipients]
        work = filing.Work(envelope, content_of(LETTER), decisions, b"", house.clock.now(), 0)
        await house.store.write(filing.file, await house.inbound.reports.arriving(work, [asked]))
        assert await house.count("alice") == expected
    assert told(await house.last("alice"))[1]["Final-Recipient"] == "rfc822; list@example.org"
    assert (await house.queued())[-1].params == {}


async def test_full_mailbox_of_the_sender_does_not_keep_mail_from_others(out):
    await out.house.given("full alice")
    await arrive(out.house, ("bob@example.org", ("success",)))
    assert await out.house.count("bob") == 1
    assert [(row.address, row.sender) for row in await out.house.queued()] == [("alice@example.org", "")]


async def test_queued_mail_for_here_is_delivered_with_its_report(out):
    runner = out.runner()
    await put(out.house, queue.To("bob@example.org", {"notify": ["success"]}))
    await runner.once()
    assert await out.house.count("bob") == 1
    assert told(await out.house.last("alice"))[1]["Action"] == "delivered"
    assert await out.house.queued() == []


async def test_mail_that_waits_for_its_release_waits_in_the_queue(out):
    """RFC 4865: also when its recipient is here."""
    release = out.house.clock.now() + 3_600_000
    await arrive(out.house, ("bob@example.org", ("success",)), wishes=Wishes(release_at=release))
    assert [await out.house.count(name) for name in ("alice", "bob")] == [0, 0]
    runner = out.runner()
    assert await runner.once() == 0
    out.house.clock.advance(3601)
    await runner.once()
    assert [await out.house.count(name) for name in ("alice", "bob")] == [1, 1]


# --- mail in the queue --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("notify", "result", "status", "more", "expected"),
    [
        (["success"], Result.DONE, "2.0.0", {}, "relayed"),  # 5.2.2 (b)
        (["success"], Result.DONE, "2.0.0", {"passed_on": True}, ""),  # the next host tells
        (["success"], Result.DONE, "2.0.0", {"final": True}, "delivered"),
        ([], Result.DONE, "2.0.0", {}, ""),  # 5.2.2 (e)
        (["never"], Result.DONE, "2.0.0", {}, ""),
        (["never"], Result.NEVER, "5.1.1", {}, ""),  # 5.2.2 (d)
        (["success", "delay"], Result.NEVER, "5.1.1", {}, ""),  # 5.2.6 (b)
        (["failure"], Result.NEVER, "5.1.1", {}, "failed"),
        ([], Result.NEVER, "5.1.1", {}, "failed"),  # 5.2.6 (c)
    ],
)
async def test_what_an_answer_tells_the_sender(out, notify, result, status, more, expected):
    runner = out.runner()
    await put(out.house, queue.To("zoe@example.net", {"notify": notify, "orcpt": "rfc822;Z@example.net"}))
    rows = await out.house.store.write(queue.lease, "me", out.house.clock.now() + 1000, 10)
    answer = Answer(result, status, f"{status} said", "mx.test", command="RCPT TO:<zoe@example.net>", **more)
    await runner.aftermath.settle(rows, [answer])
    assert await out.house.queued() == []
    assert await out.house.count("alice") == bool(expected)
    if expected:
        _, one = told(await out.house.last("alice"))
        assert (one["Action"], one["Status"]) == (expected, status)
        assert one["Remote-MTA"] == "dns; mx.test"  # 6.3 (h), (i)
        assert one["Diagnostic-Code"] == f"smtp; {status} said"
        assert one["Original-Recipient"] == "rfc822; Z@example.net"


@pytest.mark.parametrize(
    ("ret", "action", "kind"),
    [("", Result.NEVER, b"message/rfc822"), ("full", Result.NEVER, b"message/rfc822"),
     ("hdrs", Result.NEVER, b"text/rfc822-headers"), ("full", Result.DONE, b"text/rfc822-headers")],
)  # fmt: skip
async def test_what_is_returned(out, ret, action, kind):
    """RFC 3461 4.3, 6.2."""
    runner = out.runner()
    await put(out.house, queue.To("z@example.net", {"notify": ["success", "failure"]}), params={"ret": ret})
    rows = await out.house.store.write(queue.lease, "me", out.house.clock.now() + 1000, 10)
    await runner.aftermath.settle(rows, [Answer(action, "5.0.0", "x", "mx.test")])
    assert b"\r\nContent-Type: " + kind + b"\r\n" in await out.house.last("alice")


async def test_report_of_a_message_that_required_tls_has_its_header_only_and_requires_tls(out):
    """RFC 8689 5."""
    runner = out.runner()
    params = {"require_tls": True, "ret": "full"}
    for sender in ("alice@example.org", "zoe@far.example"):
        await put(out.house, queue.To("z@example.net"), params=params, sender=sender)
        rows = await out.house.store.write(queue.lease, "me", out.house.clock.now() + 1000, 10)
        await runner.aftermath.settle(rows, [Answer(Result.NEVER, "5.0.0", "x", "mx.test")])
    assert b"\r\nContent-Type: text/rfc822-headers\r\n" in await out.house.last("alice")
    (report,) = await out.house.queued()
    assert (report.sender, report.address) == ("", "zoe@far.example")
    assert report.item_params["require_tls"] is True


async def test_a_report_has_the_priority_of_its_message(out):
    """RFC 6710 4.6."""
    runner = out.runner()
    await put(out.house, queue.To("z@example.net"), params={"priority": 4}, sender="zoe@far.example")
    rows = await out.house.store.write(queue.lease, "me", out.house.clock.now() + 1000, 10)
    await runner.aftermath.settle(rows, [Answer(Result.NEVER, "5.0.0", "x", "mx.test")])
    (report,) = await out.house.queued()
    assert (report.sender, report.item_params["priority"], report.rank) == ("", 4, rows[0].rank)


async def test_one_report_for_all_that_failed_together(out, to_host):
    """RFC 3461 5.2.8: and nobody in it who did not ask."""
    async with next_host(replies={"RCPT": "550 5.1.1 no"}) as host:
        runner = out.runner(routes=to_host(host.port))
        names = [queue.To(f"{name}@example.net") for name in "abc"]
        await put(out.house, *names, queue.To("d@example.net", {"notify": ["never"]}))
        await runner.once()
    assert await out.house.count("alice") == 1
    fates = told(await out.house.last("alice"))[1:]
    assert [one["Final-Recipient"] for one in fates] == [f"rfc822; {name}@example.net" for name in "abc"]


async def test_deadline_that_passed_is_told_of_once_and_mail_goes_on(out, to_host):
    """RFC 2852 4, mode N."""
    by = DeliverBy(out.house.clock.now() + 120_000, "N")
    wish = {"by": {"at": by.at, "mode": by.mode, "trace": False}}
    async with next_host(replies={"MAIL": "451 4.3.0 no"}) as host:
        runner = out.runner(routes=to_host(host.port))
        await put(out.house, queue.To("zoe@example.net"), params=wish)
        await runner.once()
        for _ in range(3):
            due = (await out.house.queued())[0].due_at
            out.house.clock.advance((due - out.house.clock.now()) / 1000 + 0.001)
            await runner.once()
            if (await out.house.queued())[0].attempts == 2:
                assert out.house.clock.now() <= by.at + 1000
    assert await out.house.count("alice") == 1
    whole, one = told(await out.house.last("alice"))
    assert (one["Action"], one["Status"]) == ("delayed", "4.4.7")  # 4.1.3
    assert whole["Deliver-By-Date"] == headers.format_date(by.at)  # 5
    assert len(await out.house.queued()) == 1


@pytest.mark.parametrize(
    ("by", "notify", "more", "expected"),
    [
        ("NT", [], {"passed_on": True, "punctual": True}, "relayed"),  # 4.1.4: a trace, whatever was asked
        ("NT", ["failure"], {}, "relayed"),
        ("NT", ["never"], {}, ""),
        ("N", [], {"passed_on": True}, "relayed"),  # 4.1.4.2: the next host does not know the deadline
        ("N", [], {"passed_on": True, "punctual": True}, ""),
        ("N", ["success"], {"punctual": True}, "relayed"),
        ("R", [], {"punctual": True}, ""),
        ("N", [], {"final": True}, ""),
    ],
)
async def test_relaying_mail_with_a_deadline_is_told_of(out, by, notify, more, expected):
    """RFC 2852 4.1.4."""
    runner = out.runner()
    wish = {"by": {"at": out.house.clock.now() + 60_000, "mode": by[0], "trace": by[1:] == "T"}}
    await put(out.house, queue.To("zoe@example.net", {"notify": notify}), params=wish)
    rows = await out.house.store.write(queue.lease, "me", out.house.clock.now() + 1000, 10)
    await runner.aftermath.settle(rows, [Answer(Result.DONE, "2.0.0", "250 ok", "mx.test", **more)])
    assert await out.house.count("alice") == bool(expected)
    if expected:
        assert told(await out.house.last("alice"))[1]["Action"] == expected


async def test_report_says_that_a_release_was_asked_for(out):
    """RFC 4865 5.1.2."""
    runner = out.runner()
    await put(out.house, queue.To("zoe@example.net"), params={"hold": "for;3600"})
    rows = await out.house.store.write(queue.lease, "me", out.house.clock.now() + 1000, 10)
    await runner.aftermath.settle(rows, [Answer(Result.NEVER, "5.1.1", "550 who", "mx.test")])
    whole, _ = told(await out.house.last("alice"))
    assert whole["Future-Release-Request"] == "for;3600"
    assert whole["Arrival-Date"]


async def test_deadline_of_mode_r_fails_the_mail(out, to_host):
    """RFC 2852 4, mode R; RFC 3463 X.4.7."""
    wish = {"by": {"at": out.house.clock.now() + 120_000, "mode": "R", "trace": False}}
    async with next_host(replies={"MAIL": "451 4.3.0 no"}, offers=["PIPELINING", "DELIVERBY"]) as host:
        runner = out.runner(routes=to_host(host.port))
        await put(out.house, queue.To("zoe@example.net"), params=wish, expires_s=120.0)
        await runner.once()
        out.house.clock.advance(121)
        await runner.once()
    _, one = told(await out.house.last("alice"))
    assert (one["Action"], one["Status"]) == ("failed", "5.4.7")


async def test_delayed_is_not_told_of_to_who_did_not_ask(out, to_host):
    """RFC 3461 5.2.5 (c)."""
    async with next_host(replies={"MAIL": "451 4.3.0 no"}) as host:
        runner = out.runner(routes=to_host(host.port))
        await put(out.house, queue.To("zoe@example.net", {"notify": ["failure"]}))
        out.house.clock.advance(5 * 3600)
        await runner.once()
    assert await out.house.count("alice") == 0


# --- languages ------------------------------------------------------------------------------------


async def test_report_speaks_the_language_of_the_account(out):
    await out.house.store.write(accounts.change, await out.house.account_id("alice"), language="de")
    await arrive(out.house, ("bob@example.org", ("success",)))
    assert b"Ihre Nachricht wurde" in await out.house.last("alice")


async def test_report_speaks_the_language_of_the_message(out):
    letter = b"Accept-Language: xx, fr;q=0.5\r\nContent-Language: de\r\n" + LETTER
    await arrive(out.house, ("bob@example.org", ("success",)), data=letter)
    report = email.message_from_bytes(await out.house.last("alice"), policy=email.policy.default)
    assert report["Subject"] == "Message distribué"


# --- no backscatter, no loops -----------------------------------------------------------------------


async def test_nobody_is_told_whose_address_is_ours_and_unknown(out):
    await arrive(out.house, ("bob@example.org", ("success",)), sender="forged@example.org")
    assert await out.house.queued() == []


async def test_reports_to_one_address_elsewhere_have_a_limit(out):
    for _ in range(5):
        await arrive(out.house, ("bob@example.org", ("success",)), sender="zoe@example.net")
    assert len(await out.house.queued()) == 5
    inbound = out.house.inbound
    inbound.reports = Reports(
        inbound.store, Config(per_sender=2), directory=inbound.directory, hostname="mx", clock=inbound.clock
    )
    for _ in range(5):
        await arrive(out.house, ("bob@example.org", ("success",)), sender="yan@example.net")
    assert len(await out.house.queued()) == 7
    for number in range(30):
        await arrive(out.house, ("bob@example.org", ("success",)), sender=f"u{number}@example.net")
    assert len(await out.house.queued()) == 5 + 2 * PER_DOMAIN
    out.house.clock.advance(3601)
    await arrive(out.house, ("bob@example.org", ("success",)), sender="yan@example.net")
    assert len(await out.house.queued()) == 5 + 2 * PER_DOMAIN + 1
    assert await out.house.count("bob") == 41


async def test_report_that_fails_goes_to_postmaster_where_that_is_wished(out, to_host):
    async with next_host(replies={"RCPT": "550 5.1.1 no"}) as host:
        runner = out.runner(routes=to_host(host.port))
        await put(out.house, queue.To("zoe@example.net"), sender="")
        await runner.once()
        assert await out.house.count("alice") == 0  # postmaster of this house
        runner.aftermath.reports._config = Config(double_bounces=True)
        await put(out.house, queue.To("zoe@example.net"), sender="")
        await runner.once()
    assert await out.house.count("alice") == 1
    report = await out.house.last("alice")
    assert told(report)[1]["Action"] == dsn.FAILED
    assert b"To: <postmaster@mx.example.org>" in report
    assert await out.house.queued() == []


async def test_double_bounce_never_waits_in_the_queue(out, to_host):
    await out.house.given("full alice")
    async with next_host(replies={"RCPT": "550 5.1.1 no"}) as host:
        runner = out.runner(routes=to_host(host.port))
        runner.aftermath.reports._config = Config(double_bounces=True)
        await put(out.house, queue.To("zoe@example.net"), sender="")
        await runner.once()
    assert await out.house.queued() == []
    assert "dropped" in [event.event for event in out.house.traced()]


async def test_reports_end_whatever_refuses_them(out, to_host):
    """A report of a report of a report: there is no second one."""
    async with next_host(replies={"RCPT": "550 5.1.1 no", "MAIL FROM:<>": "550 5.7.1 no reports"}) as host:
        runner = out.runner(routes=to_host(host.port))
        await put(out.house, queue.To("nobody@example.net"), sender="zoe@example.com")
        for _ in range(5):
            await runner.once()
            out.house.clock.advance(600)
    assert await out.house.queued() == []
    assert sum(line.startswith("MAIL") for line in host.heard) == 2


# --- what the mailbox holds -----------------------------------------------------------------------


async def test_original_recipient_stands_in_the_mailbox_of_who_is_alone(out):
    """RFC 8098 2.3; never where it would tell one recipient of another."""
    await arrive(out.house, ("bob@example.org", ("never",)))
    assert b"\r\nOriginal-Recipient: rfc822; Bob@Example.Org\r\n" in await out.house.last("bob")
    await arrive(out.house, ("bob@example.org", ("never",)), ("carol@example.org", ("never",)))
    assert b"Original-Recipient" not in await out.house.last("bob")
