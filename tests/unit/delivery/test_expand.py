"""Recipients that stand for others: what is filed, what is queued, and in whose name."""

from dataclasses import replace

import pytest

from quintet.delivery import links, srs
from quintet.delivery.envelope import Envelope, mailbox
from quintet.errors import Reason, Refused, TryLater
from quintet.net.seam import Peer
from quintet.smtp import replies
from quintet.store import accounts
from quintet.store.content import content_of
from tests.support.mailhouse import SMTP, MailHouse, mail_house

LETTER = content_of(b"From: zoe@example.net\r\nMessage-ID: <z@example.net>\r\nSubject: x\r\n\r\nbody\r\n")


@pytest.fixture
async def house(tmp_path):
    async with mail_house(tmp_path) as made:
        yield made


def envelope(house: MailHouse, *names: str, sender: str = "zoe@example.net") -> Envelope:
    way = house.inbound
    made = Envelope(Peer("c1", "192.0.2.1"), helo="a.test", id="abc", sender=mailbox(sender))
    for name in names:
        made.recipients.append(way.recipient(made, mailbox(name)))
    return made


async def send(
    house: MailHouse, *names: str, sender: str = "zoe@example.net", each: bool = False, data=LETTER
):
    return await house.inbound.accept(envelope(house, *names, sender=sender), data, each=each)


async def test_a_forward_goes_out_under_a_rewritten_sender_and_its_bounce_comes_back(house):
    await house.given("forward away@example.org to dora@elsewhere.example")
    await send(house, "away@example.org")
    (row,) = await house.queued()
    assert row.sender.startswith("SRS0=")
    assert row.sender.endswith("=example.net=zoe@example.org")
    assert (await house.queued_bytes(row)).startswith(
        b"Delivered-To: away@example.org\r\nReceived: from a.test"
    )

    bounce = envelope(house, row.sender, sender="")
    (back,) = bounce.recipients
    assert [str(one.address) for one in back.leads] == ["zoe@example.net"]
    await house.inbound.accept(bounce, LETTER)
    rows = await house.queued()
    assert [(one.address, one.sender) for one in rows[1:]] == [("zoe@example.net", "")]
    assert b"Delivered-To" not in await house.queued_bytes(rows[1])


async def test_the_return_address_ends_after_its_days(house):
    await house.given("forward away@example.org to dora@elsewhere.example")
    await send(house, "away@example.org")
    (row,) = await house.queued()
    house.clock.advance((srs.DAYS + 1) * 86_400.0)
    with pytest.raises(Refused) as refused:
        house.inbound.recipient(envelope(house, sender=""), mailbox(row.sender))
    assert refused.value.reason is Reason.NO_SUCH_ADDRESS


@pytest.mark.parametrize("case", ["lower", "upper"])
async def test_the_return_address_may_lose_its_case(house, case):
    await house.given("forward away@example.org to dora@elsewhere.example")
    await send(house, "away@example.org")
    (row,) = await house.queued()
    local, _, domain = row.sender.rpartition("@")
    found = house.inbound.directory.find(mailbox(f"{getattr(local, case)()}@{domain}"))
    assert str(found.leads[0].address).lower() == "zoe@example.net"


async def test_a_long_sender_is_kept_under_a_token(house):
    sender = "bounces+1234567-abcd-user=example.org@em1234.newsletter.example.com"
    await house.given("forward away@example.org to dora@elsewhere.example")
    await send(house, "away@example.org", sender=sender)
    (row,) = await house.queued()
    assert row.sender.startswith("SRSK=")
    assert len(row.sender.partition("@")[0]) <= srs.MAX_LOCAL
    found = house.inbound.directory.find(mailbox(row.sender.lower()))
    assert str(found.leads[0].address) == sender


@pytest.mark.parametrize("sender", ["", "bob@example.org"])
async def test_our_own_senders_and_none_are_left_alone(house, sender):
    await house.given("forward away@example.org to dora@elsewhere.example")
    await send(house, "away@example.org", sender=sender)
    (row,) = await house.queued()
    assert row.sender == sender


async def test_srs_can_be_turned_off(house):
    house.configure(replace(SMTP, srs=False))
    await house.given("forward away@example.org to dora@elsewhere.example")
    await send(house, "away@example.org")
    assert [row.sender for row in await house.queued()] == ["zoe@example.net"]


async def test_a_catch_all_does_not_swallow_what_comes_back(house):
    await house.store.write(accounts.add_address, await house.account_id("bob"), "@example.org")
    await house.given("forward away@example.org to dora@elsewhere.example")
    await send(house, "away@example.org")
    (row,) = await house.queued()
    found = house.inbound.directory.find(mailbox(row.sender))
    assert str(found.leads[0].address) == "zoe@example.net"
    assert house.inbound.directory.find(mailbox("srs0=x@example.org")).account_id == await house.account_id(
        "bob"
    )


async def test_one_copy_whoever_stands_for_whom(house):
    await house.given("forward staff@example.org to alice@example.org,dora@elsewhere.example")
    await house.given("forward all@example.org to staff@example.org,alice+x@example.org")
    made = envelope(house, "staff@example.org", "alice@example.org", "all@example.org")
    made.recipients.append(
        replace(made.recipients[1], address=mailbox("dora@elsewhere.example"), folder_id=0)
    )
    await house.inbound.accept(made, LETTER)
    assert await house.count("alice") == 1
    assert [(row.address, row.sender) for row in await house.queued()] == [
        ("dora@elsewhere.example", "zoe@example.net")
    ]


async def test_a_full_mailbox_behind_an_alias_is_tried_again_and_the_others_have_it(house):
    await house.given("forward staff@example.org to alice@example.org,bob@example.org")
    made = envelope(house, "staff@example.org")
    await house.given("full bob")
    assert await house.inbound.accept(made, LETTER, each=True) == [None]
    assert await house.count("alice") == 1
    assert [row.address for row in await house.queued()] == ["bob@example.org"]


async def test_an_alias_of_one_mailbox_is_refused_as_that_mailbox_is(house):
    await house.given("forward boss@example.org to bob@example.org")
    await house.given("full bob")
    with pytest.raises(TryLater) as refused:
        envelope(house, "boss@example.org")
    assert refused.value.reason is Reason.OVER_QUOTA


async def test_wishes_for_reports_are_inherited(house):
    """RFC 3461 5.2.7.2 and 5.2.7.3 (c)."""
    seen = []

    async def look(passage, number):
        seen.append(passage.envelope.recipients[number])

    await house.given("forward one@example.org to dora@elsewhere.example")
    await house.given("forward two@example.org to alice@example.org,dora@elsewhere.example")
    for name, notify in (
        ("one@example.org", ("success", "failure")),
        ("two@example.org", ("success", "failure")),
        ("two@example.org", ("success",)),
    ):
        made = envelope(house, name)
        made.recipients[0] = replace(made.recipients[0], notify=notify, orcpt="rfc822;x@y")
        house.inbound.filters = (look,)
        await house.inbound.accept(made, LETTER)
    assert [(one.notify, one.orcpt, one.expanded) for one in seen] == [
        (("success", "failure"), "rfc822;x@y", ""),
        (("failure",), "rfc822;x@y", "two@example.org"),
        (("failure",), "rfc822;x@y", "two@example.org"),
        (("never",), "rfc822;x@y", "two@example.org"),
        (("never",), "rfc822;x@y", "two@example.org"),
    ]


async def test_too_many_names_are_refused(house):
    await house.given(
        "forward big@example.org to " + ",".join(f"u{n}@elsewhere.example" for n in range(2100))
    )
    with pytest.raises(Refused) as refused:
        envelope(house, "big@example.org")
    assert refused.value.reason is Reason.TOO_MANY
    # RFC 3463 3.3, X.2.4; the client heard 452 4.5.3 and came again and again
    reply = b"550 5.2.4 That address stands for too many others\r\n"
    assert replies.problem(refused.value) == reply
    assert links.trouble(refused.value) == ("5.2.4", "That address stands for too many others")


@pytest.mark.parametrize("reason", sorted(links._STATUS, key=str))
def test_report_says_of_a_problem_what_a_reply_says(reason):
    """RFC 3463 3.1 to 3.8: X.0.0 only where there is no code for it; class 4 for now, 5 for good."""
    for kind, words in ((Refused, "5"), (TryLater, "4")):
        problem = kind(reason)
        status, reply = links.trouble(problem)[0], replies.status(problem)
        assert status[0] == words == reply.enhanced[0] == str(reply.code)[0]
        if reason not in (
            Reason.CLOSED,
            Reason.TIMEOUT,
            Reason.TLS_REQUIRED,
        ):  # of the host's connection there
            assert status == reply.enhanced


async def test_a_deep_chain_ends(house):
    for n in range(40):
        await house.given(f"forward a{n}@example.org to a{n + 1}@example.org")
    await house.given("forward a40@example.org to alice@example.org")
    with pytest.raises(Refused) as refused:
        envelope(house, "a0@example.org")
    assert refused.value.reason is Reason.LOOP
    assert envelope(house, "a35@example.org").recipients[0].account_id == await house.account_id("alice")


async def test_who_may_send_as_whom(house):
    owns, alice = house.inbound.directory.owns, await house.account_id("alice")
    await house.given("forward boss@example.org to alice@example.org")
    await house.given("forward staff@example.org to alice@example.org,bob@example.org")
    await house.given("domain other.example")
    assert owns(alice, mailbox("boss@example.org"))
    assert owns(alice, mailbox("alice+x@example.org"))
    assert not owns(alice, mailbox("staff@example.org"))
    assert not owns(alice, mailbox("any@other.example"))
    await house.given("may alice send as staff@example.org")
    await house.given("may alice send as @other.example")
    assert owns(alice, mailbox("Staff+x@example.org"))
    assert owns(alice, mailbox("any@other.example"))
    assert not owns(alice, mailbox("bob@example.org"))
    assert not owns(await house.account_id("bob"), mailbox("staff@example.org"))
    await house.given("may bob send as *")
    assert owns(await house.account_id("bob"), mailbox("x@anywhere.example"))
