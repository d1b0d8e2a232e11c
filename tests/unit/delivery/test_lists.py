"""Mailing lists: posts, held posts, joining and leaving by mail, members whose mail bounces."""

import email.policy
import re
from dataclasses import replace
from email.message import EmailMessage as Message

import pytest

from quintet.delivery import lists as work
from quintet.delivery import published
from quintet.delivery.envelope import Envelope, Wishes, mailbox
from quintet.errors import Reason, Refused
from quintet.net.seam import Peer
from quintet.store import lists, queue
from quintet.store.content import content_of
from tests.support.dnszone import dns_server
from tests.unit.delivery.conftest import Out

LIST = "talk@example.org"


async def make(out: Out, *members: str, **values) -> lists.MailingList:
    found = await out.house.store.write(lists.create, LIST, ["carol@example.org"])
    await out.house.store.write(lists.change, found.id, **values)
    for each in members:
        await out.house.store.write(lists.join, found.id, each)
    return out.house.store.peek(lists.get, LIST)


def state(out: Out, address: str) -> str:
    member = out.house.store.peek(lists.member_of, out.house.store.peek(lists.get, LIST).id, address)
    return member.state if member is not None else ""


async def mail(out: Out, to: str, text: str = "", *, sender: str = "alice@example.org") -> None:
    """Comes in by SMTP, and the queue runs once."""
    head = f"From: {sender or 'x@y.example'}\r\nMessage-ID: <m@x.example>\r\n"
    way = out.house.inbound
    way.directory.forget()
    made = Envelope(Peer("c1", "192.0.2.1"), helo="a.test", id="abc", sender=mailbox(sender))
    made.recipients.append(way.recipient(made, mailbox(to)))
    await way.accept(made, content_of((head + text.replace("\n", "\r\n")).encode()))
    await run(out)


async def run(out: Out) -> None:
    """Delivers what is for us; what would leave stays."""
    runner = out.runner()
    for _ in range(10):
        rows = [
            row for row in await out.house.queued() if row.state == "waiting" and row.domain == "example.org"
        ]
        if not rows:
            return
        for number in {row.queue_id for row in rows}:  # one message at a time, as the runner has them
            await runner._local.deliver([row for row in rows if row.queue_id == number], runner.aftermath)


async def away(out: Out) -> list[queue.Recipient]:
    return [row for row in await out.house.queued() if row.domain != "example.org"]


async def test_a_post_goes_to_members_in_the_name_of_the_list(out):
    await make(
        out, "alice@example.org", "bob@example.org", "dora@elsewhere.example", title='The "talk"', tag="t"
    )
    await mail(out, LIST, "Subject: hello\nList-Id: <other>\nDelivered-To: x@y\n\nbody\n")
    post = await out.house.last("bob")
    assert post.startswith(b"Return-Path: <talk-bounces@example.org>\r\nDelivered-To: bob@example.org\r\n")
    header = post.partition(b"\r\n\r\n")[0].decode()
    assert 'List-Id: "The \\"talk\\"" <talk.example.org>\r\n' in header  # RFC 2919 3
    assert "List-Post: <mailto:talk@example.org>\r\n" in header  # RFC 2369 3.4
    assert "List-Unsubscribe: <mailto:talk-unsubscribe@example.org>\r\n" in header
    assert header.count("List-Id") == 1
    assert "Subject: [t] hello" in header
    assert await out.house.count("alice") == 1
    (row,) = await away(out)
    assert (row.address, row.sender) == ("dora@elsewhere.example", "talk-bounces@example.org")
    assert row.item_params["verp"] is True
    assert "notify" not in row.params


async def test_nobody_gets_a_post_twice_when_it_goes_in_batches(out, monkeypatch):
    monkeypatch.setattr(work, "BATCH", 3)
    names = [f"u{n}@elsewhere.example" for n in range(8)]
    await make(out, "alice@example.org", *names)
    await mail(out, LIST, "Subject: x\n\nx\n")
    assert sorted(row.address for row in await away(out)) == sorted(names)
    assert await out.house.count("alice") == 1


async def test_a_stranger_waits_for_the_owner(out):
    await make(out, "bob@example.org")
    await mail(out, LIST, "Subject: buy\n\nbuy\n", sender="spam@elsewhere.example")
    assert await out.house.count("bob") == 0
    notice = (await out.house.last("carol")).decode()
    word = re.search(r"approve (\d+-\w+)", notice)[1]
    (waits,) = await out.house.queued()
    assert waits.state == queue.HELD

    other = word[:-1] + ("B" if word.endswith("A") else "A")  # not the owner's word
    await mail(out, "talk-request@example.org", f"Subject: approve {other}\n\n")
    assert await out.house.count("bob") == 0
    await mail(
        out, "talk-request@example.org", f"Subject: Re: approve {word}\n\n", sender="carol@example.org"
    )
    assert await out.house.count("bob") == 1
    assert await out.house.queued() == []


async def test_an_owner_throws_a_post_away(out):
    await make(out, "bob@example.org")
    await mail(out, LIST, "Subject: buy\n\nbuy\n", sender="spam@elsewhere.example")
    word = re.search(r"reject (\d+-\w+)", (await out.house.last("carol")).decode())[1]
    await mail(
        out, "talk-request@example.org", f"Subject: none\n\nreject {word}\n", sender="carol@example.org"
    )
    assert await out.house.queued() == []
    assert await out.house.count("bob") == 0


async def test_who_may_not_post_hears_it_at_rcpt(out):
    """RFC 5321 6.2: no report is made of what can be refused."""
    await make(out, others="refuse", max_size=1000)
    for sender, size, reason in (
        ("spam@elsewhere.example", 0, Reason.NO_PERMISSION),
        ("", 0, Reason.POLICY),
        ("carol@example.org", 2000, Reason.TOO_BIG),
    ):
        made = Envelope(Peer("c1", "192.0.2.1"), sender=mailbox(sender), size=size)
        with pytest.raises(Refused) as refused:
            out.house.inbound.recipient(made, mailbox(LIST))
        assert refused.value.reason is reason


async def test_joining_and_leaving_take_a_word_that_only_the_mailbox_sees(out):
    await make(out)
    await mail(out, "talk-subscribe@example.org", "Subject: let me in\n\n", sender="bob@example.org")
    assert state(out, "bob@example.org") == ""
    asked = (await out.house.last("bob")).decode()
    assert "Return-Path: <>\r\n" in asked
    assert "Auto-Submitted: auto-replied\r\n" in asked
    back = re.search(r"Reply-To: <(talk-confirm\+\w+@example.org)>", asked)[1]

    await mail(out, back, "Subject: Re: x\n\n", sender="alice@example.org")  # somebody else's mailbox
    assert state(out, "alice@example.org") == state(out, "bob@example.org") == ""
    await mail(out, back, "Subject: Re: x\n\n", sender="bob@example.org")
    assert state(out, "bob@example.org") == "active"

    out.house.clock.advance(work.QUIET_S + 1)
    await mail(out, "talk-request@example.org", "Subject: unsubscribe\n\n", sender="bob@example.org")
    word = re.search(r"Subject: (confirm \w+)", (await out.house.last("bob")).decode())[1]
    await mail(out, "talk-request@example.org", f"Subject: Re: {word}\n\n", sender="bob@example.org")
    assert state(out, "bob@example.org") == ""


async def test_a_word_ends_after_some_days(out):
    await make(out)
    await mail(out, "talk-subscribe@example.org", "Subject: let me in\n\n", sender="bob@example.org")
    word = re.search(r"Subject: (confirm \w+)", (await out.house.last("bob")).decode())[1]
    out.house.clock.advance(6 * 86_400.0)
    await mail(out, "talk-request@example.org", f"Subject: {word}\n\n", sender="bob@example.org")
    assert state(out, "bob@example.org") == ""


async def test_programs_get_no_answer_and_post_nothing(out):
    """RFC 3834 2."""
    await make(out, "bob@example.org", post="anyone")
    for to in (LIST, "talk-request@example.org"):
        await mail(out, to, "Auto-Submitted: auto-replied\nSubject: away\n\n")
    assert await out.house.count("bob") == await out.house.count("alice") == 0
    assert await out.house.queued() == []


async def test_a_post_from_the_list_itself_is_a_loop(out):
    await make(out, "bob@example.org", post="anyone")
    await mail(out, LIST, "Subject: x\nList-Id: talk <Talk.Example.Org>\n\n")
    assert await out.house.count("bob") == 0
    assert b"Status: 5.4.6" in await out.house.last("alice")


REPORT = """Content-Type: multipart/report; report-type=delivery-status; boundary=b
Subject: failed

--b

x
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; x

Final-Recipient: rfc822; dora@elsewhere.example
Action: {action}
Status: 5.1.1

--b--
"""


@pytest.mark.parametrize(
    "to", ["talk-bounces@example.org", "talk-bounces+dora=elsewhere.example@example.org"]
)
async def test_a_member_whose_mail_bounces_on_many_days_is_off(out, to):
    await make(out, "dora@elsewhere.example", max_bounces=3)
    for _day in range(3):
        assert state(out, "dora@elsewhere.example") == "active"
        for _ in range(2):  # once a day counts
            await mail(out, to, REPORT.format(action="failed"), sender="")
        out.house.clock.advance(86_400.0)
    assert state(out, "dora@elsewhere.example") == "dead"
    await mail(out, LIST, "Subject: x\n\nx\n", sender="carol@example.org")
    assert await away(out) == []
    await out.house.store.write(
        lists.join, out.house.store.peek(lists.get, LIST).id, "dora@elsewhere.example"
    )
    assert state(out, "dora@elsewhere.example") == "active"


async def test_what_is_no_failure_counts_nothing(out):
    await make(out, "dora@elsewhere.example", max_bounces=1)
    to = "talk-bounces+dora=elsewhere.example@example.org"
    await mail(out, to, REPORT.format(action="delayed"), sender="")
    await mail(out, to, "Auto-Submitted: auto-replied\nSubject: on holiday\n\n", sender="")
    assert state(out, "dora@elsewhere.example") == "active"
    await mail(out, to, "Subject: no such user\n\nsorry\n", sender="")  # a report of some other form
    assert state(out, "dora@elsewhere.example") == "dead"


async def test_what_is_no_report_goes_to_the_owner(out):
    """RFC 3461 5.2.7.1 (a); RFC 2142 6."""
    await make(out)
    await mail(out, "talk-bounces@example.org", "Subject: hello?\n\n", sender="zoe@example.net")
    await mail(out, "talk-owner@example.org", "Subject: you?\n\n", sender="zoe@example.net")
    assert [b"hello?" in each or b"you?" in each for each in await out.house.messages("carol")] == [
        True,
        True,
    ]


async def test_a_list_behind_an_alias_and_a_success_report(out):
    """RFC 3461 5.2.7.1: the list has it, so it is delivered."""
    await make(out, "bob@example.org", post="anyone")
    await out.house.given("forward all@example.org to talk@example.org,carol@example.org")
    await mail(out, "all@example.org", "Subject: x\n\nx\n")
    assert await out.house.count("bob") == await out.house.count("carol") == 1
    way = out.house.inbound
    made = Envelope(Peer("c1", "192.0.2.1"), helo="a.test", id="abc", sender=mailbox("alice@example.org"))
    made.recipients.append(replace(way.recipient(made, mailbox(LIST)), notify=("success",)))
    await way.accept(made, content_of(b"From: a@b.example\r\n\r\nx\r\n"))
    await run(out)
    assert b"Action: delivered" in await out.house.last("alice")


async def test_addresses_that_are_taken_are_left_alone(out):
    await out.house.given("alias talk-owner@example.org to alice")
    with pytest.raises(Refused) as refused:
        await make(out)
    assert refused.value.reason is Reason.ALREADY_EXISTS
    assert out.house.store.peek(lists.listing) == []


# --- From, where DMARC would have posts refused ---------------------------------------------------------

POLICIES = """
_dmarc.strict.example. TXT "v=DMARC1; p=reject; sp=none"
_dmarc.parent.example. TXT "v=DMARC1;p=none;sp=quarantine"
_dmarc.open.example. TXT "v=DMARC1; p=none"
_dmarc.twice.example. TXT "v=DMARC1; p=reject"
_dmarc.twice.example. TXT "v=DMARC1; p=none"
_dmarc.other.example. TXT "v=spf1 p=reject"
"""


@pytest.mark.parametrize(
    "domain, strict",
    [
        ("strict.example", True),
        ("STRICT.example", True),
        ("a.strict.example", False),  # sp=
        ("parent.example", False),
        ("a.b.parent.example", True),
        ("open.example", False),
        ("twice.example", False),  # RFC 7489 6.6.3: several are none
        ("other.example", False),
        ("nothing.example", False),
        ("example", False),
        ("x" * 70 + ".example", False),
        (".".join("abcdefghijkl") + ".parent.example", True),
    ],
)
async def test_what_a_domain_asks_for(domain, strict):
    async with dns_server(POLICIES) as zone:
        assert await published.is_strict(zone.resolver(), domain) is strict


async def test_a_policy_that_cannot_be_known_may_be_strict():
    async with dns_server(POLICIES) as zone:
        zone.broken_kinds.add("TXT")
        assert await published.is_strict(zone.resolver(), "open.example")


async def posted(out: Out, head: str, sender: str, **values) -> Message:
    """What bob gets of a post."""
    async with dns_server(POLICIES) as zone:
        out.resolver = zone.resolver()
        await make(out, "bob@example.org", post="anyone", title="Täglich", **values)
        await mail(out, LIST, f"{head}Subject: hi\n\nbody\n", sender=sender)
        return email.message_from_bytes(await out.house.last("bob"), policy=email.policy.default)


async def test_post_of_a_strict_domain_comes_in_the_name_of_the_list(out):
    post = await posted(out, "To: talk@example.org\n", "zoe@strict.example", rewrite="munge")
    assert post.get_all("From") == ["zoe via Täglich <talk@example.org>"]
    assert post["Reply-To"] == "zoe@strict.example"
    assert post.get_content().split() == ["body"]


async def test_post_of_an_open_domain_keeps_its_author(out):
    post = await posted(out, "", "zoe@open.example", rewrite="munge")
    assert (post["From"], post["Reply-To"]) == ("zoe@open.example", None)


async def test_author_of_every_post_is_rewritten_where_a_list_says_always(out):
    post = await posted(
        out,
        "Cc: <x@y.example>\nReply-To: <z@y.example>\n",
        "zoe@open.example",
        rewrite="munge",
        rewrite_when="always",
        reply_to="list",
    )
    assert post["From"].addresses[0].addr_spec == LIST
    assert post["Reply-To"] == LIST
    assert [each.addr_spec for each in post["Cc"].addresses] == ["x@y.example", "zoe@open.example"]


async def test_author_who_says_where_answers_go_is_believed(out):
    post = await posted(out, "Reply-To: <z@y.example>\n", "zoe@strict.example", rewrite="munge")
    assert post.get_all("Reply-To") == ["z@y.example"]


async def test_post_is_held_whole_in_a_message_of_the_list(out):
    head = "DKIM-Signature: v=1; b=x\nBcc: <secret@y.example>\nContent-Type: text/plain\n"
    post = await posted(out, head, "zoe@strict.example", rewrite="wrap", tag="t")
    assert post["From"].addresses[0].addr_spec == LIST
    assert post["Reply-To"] == "zoe@strict.example"
    assert (post["Subject"], post.get_content_type()) == ("[t] hi", "message/rfc822")
    assert post["DKIM-Signature"] is None
    (inner,) = post.iter_parts()
    assert (inner["From"], inner["Subject"], inner["DKIM-Signature"]) == (
        "zoe@strict.example",
        "hi",
        "v=1; b=x",
    )
    assert inner["Bcc"] is None
    assert inner.get_content().split() == ["body"]


@pytest.mark.parametrize("rewrite", ["no", "munge", "wrap"])
def test_a_list_signs_what_it_says_itself_and_nothing_in_others_names(rewrite):
    """A forged author at our own domain must not come out proved."""
    found = lists.MailingList(1, LIST, "", "carol@example.org", "anyone", "", "", "", "", 0, 0, 0)
    content = content_of(b"From: boss@example.org\r\nSubject: x\r\n\r\nbody\r\n")
    made = work._as_post(content, found, rewrite, lambda data: b"DKIM-Signature: x\r\n" + data)
    assert made.data.startswith(b"DKIM-Signature") is (rewrite != "no")


async def test_a_list_rewrites_only_as_it_can(out):
    with pytest.raises(Refused):
        await make(out, rewrite="sometimes")


async def test_post_that_demands_tls_demands_it_of_every_member(out):
    """RFC 8689 6; also what the owner is shown of one that waits.  RFC 6710 4.4: its priority is kept."""
    await make(out, "dora@elsewhere.example")
    await make_owner_elsewhere(out)
    way = out.house.inbound
    for sender in ("dora@elsewhere.example", "stranger@elsewhere.example"):
        made = Envelope(Peer("c1", "192.0.2.1"), helo="a.test", id="abc", sender=mailbox(sender))
        made.wishes = Wishes(require_tls=True, priority=3)
        made.recipients.append(way.recipient(made, mailbox(LIST)))
        text = f"From: {sender}\r\nMessage-ID: <{sender}>\r\nSubject: x\r\n\r\nbody\r\n"
        await way.accept(made, content_of(text.encode()))
        await run(out)
    rows = await away(out)
    assert {row.address for row in rows} == {"dora@elsewhere.example", "carol@elsewhere.example"}
    assert all(row.item_params["require_tls"] is True for row in rows)
    assert [row.item_params["priority"] for row in rows if row.address == "dora@elsewhere.example"] == [3]


async def make_owner_elsewhere(out: Out) -> None:
    found = out.house.store.peek(lists.get, LIST)
    await out.house.store.write(lists.change, found.id, owners="carol@elsewhere.example")
