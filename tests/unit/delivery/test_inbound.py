"""The steps of the way in: places for checks and filters, and what a decision does."""

from pathlib import Path

import pytest

from quintet.delivery import filing
from quintet.delivery.checks import Check
from quintet.delivery.envelope import Envelope, mailbox
from quintet.delivery.inbound import Passage
from quintet.delivery.verdict import Verdict
from quintet.errors import Reason, Refused, TryLater
from quintet.store import entries, folders, model
from tests.support.mailhouse import LETTER, envelope, inbound, mail_house


@pytest.fixture
async def house(tmp_path: Path):
    async with mail_house(tmp_path) as made:
        yield made


async def test_check_adds_results_above_received_and_a_verdict(house):
    seen = {}

    class Spf(Check):
        def mail(self, envelope: Envelope, verdict: Verdict) -> None:
            verdict.add("spf", "pass", smtp_mailfrom=str(envelope.sender))

        async def message(self, passage: Passage) -> None:
            passage.verdict.add("dkim", "none")

    async def look(passage: Passage, number: int) -> None:
        seen[number] = passage.verdict.results

    way = inbound(house, checks=[Spf()], filters=[look])
    made = envelope(way, "alice")
    assert way.sender(made) is None
    assert await way.accept(made, LETTER) == [None]
    fields = (await house.last("alice")).split(b"\r\n")
    assert fields[:5] == [
        b"Return-Path: <zoe@example.net>",
        b"Delivered-To: alice@example.org",
        b"Authentication-Results: mx.example.org;",
        b"\tspf=pass smtp.mailfrom=zoe@example.net;",
        b"\tdkim=none",
    ]
    assert fields[5].startswith(b"Received: from a.test")
    assert seen == {0: {"spf": "pass", "dkim": "none"}}


async def test_filters_decide_for_each_and_the_first_opinion_wins(house):
    junk = house.store.peek(folders.by_role, await house.account_id("alice"), "junk")

    async def first(passage: Passage, number: int) -> filing.Decision | None:
        return [filing.File(junk.id, model.SEEN, ("spam",)), filing.Discard(), None][number]

    async def second(passage: Passage, number: int) -> filing.Decision | None:
        return filing.Send(("carol@example.com", "dave@example.com"))

    way = inbound(house, filters=[first, second])
    assert await way.accept(envelope(way, "alice", "bob", "carol"), LETTER) == [None] * 3
    (entry,) = house.store.peek(entries.listing, junk.id)
    assert (entry.flags, entry.keywords) == (model.SEEN, ("spam",))
    assert [await house.count(name) for name in ("alice", "bob", "carol")] == [0, 0, 0]
    assert [row.address for row in await house.queued()] == ["carol@example.com", "dave@example.com"]
    assert (await house.queued_bytes((await house.queued())[0])).startswith(b"Received: from a.test")


async def test_rejected_by_a_filter_is_said_where_the_protocol_can(house):
    async def filter_(passage: Passage, number: int) -> filing.Decision | None:
        return filing.Reject(Refused(Reason.POLICY, "no cats")) if number == 0 else None

    way = inbound(house, filters=[filter_])
    outcomes = await way.accept(envelope(way, "alice", "bob"), LETTER, each=True)
    assert [outcome and str(outcome) for outcome in outcomes] == ["no cats", None]
    with pytest.raises(Refused, match="no cats"):
        await way.accept(envelope(way, "alice"), LETTER)
    assert await house.queued() == []


async def test_rejected_for_one_of_many_is_reported_by_the_queue(out):
    async def filter_(passage: Passage, number: int) -> filing.Decision | None:
        return filing.Reject(Refused(Reason.POLICY, "no cats")) if number == 0 else None

    way = inbound(out.house, filters=[filter_])
    made = envelope(way, "alice", "bob")
    made.sender = mailbox("carol@example.org")
    assert await way.accept(made, LETTER) == [None, None]
    runner = out.runner()
    assert await runner.once() == 1
    assert await out.house.count("alice") == 0
    assert await out.house.count("bob") == 1
    report = await out.house.last("carol")
    assert b"no cats" in report
    assert b"Final-Recipient: rfc822; alice@example.org" in report


async def test_account_removed_between_rcpt_and_data(house):
    from quintet.store import accounts

    way = inbound(house)
    made = envelope(way, "alice", "bob")
    await house.store.write(accounts.remove, await house.account_id("alice"))
    assert await way.accept(made, LETTER) == [None, None]
    assert await house.count("bob") == 1
    assert [row.address for row in await house.queued()] == ["alice@example.org"]


async def test_nobody_left_who_could_have_it(house):
    way = inbound(house)
    made = envelope(way, "alice")
    await house.given("quota alice 10")
    with pytest.raises(TryLater) as caught:
        await way.accept(made, LETTER)
    assert caught.value.reason is Reason.OVER_QUOTA
    assert house.traced() == []
    assert house.store.peek(lambda tx: tx.value("SELECT count(*) FROM blob")) == 0
