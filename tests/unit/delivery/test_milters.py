"""Mail filters by the milter protocol: what they are told, and what their answers lead to."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from quintet.config.milters import Milter
from quintet.config.policy import Policy
from quintet.delivery import milters
from quintet.delivery.envelope import Envelope
from quintet.delivery.inbound import Inbound
from quintet.delivery.milters import Milters
from quintet.errors import Refused, TryLater
from quintet.policy import milter
from quintet.smtp import replies
from quintet.store import access, accounts, folders, groups, queue
from quintet.store.content import Content, content_of
from tests.support.mailhouse import LETTER, MailHouse, envelope, inbound, mail_house
from tests.support.milterhost import milter_host


@pytest.fixture
async def house(tmp_path: Path):
    async with mail_house(tmp_path) as made:
        yield made


def way_in(house: MailHouse, *configured: Milter) -> Inbound:
    check = Milters(configured, hostname="mx.example.org")
    return inbound(house, policy=Policy(), checks=[check], filters=[check.filter])


async def sent(way: Inbound, *names: str, content=LETTER):
    """One message for people here, as a session gives it; the transaction is over then."""
    made = envelope(way)
    try:
        return await _sent(way, made, names, content)
    finally:
        said = made.verdict.notes.get("milters") if made.verdict else None
        if isinstance(said, milters.Said):
            for talk in said.talks:
                talk.close()


async def _sent(way: Inbound, made: Envelope, names: Sequence[str], content: Content):
    later = way.sender(made)
    if later is not None:
        await later
    for name in names:
        found = envelope(way, name).recipients[0]
        asked = way.probe(made, found)
        if asked is not None:
            await asked
        made.recipients.append(found)
    later = way.ready(made)
    if later is not None:
        await later
    return await way.accept(made, content)


async def test_filter_is_told_all_of_a_message(house, tmp_path):
    async with milter_host(tmp_path) as (host, config):
        await sent(way_in(house, config), "alice", "bob")
    assert host.commands == b"CHMRRTLLNBE"
    told = dict(host.told)
    assert told[b"C"] == b"[192.0.2.9]\x004\x00\x00192.0.2.9\0"
    assert (told[b"H"], told[b"M"]) == (b"a.test\0", b"<zoe@example.net>\0")
    assert [data for command, data in host.told if command == b"R"] == [
        b"<alice@example.org>\0",
        b"<bob@example.org>\0",
    ]
    assert [data for command, data in host.told if command == b"L"] == [
        b"Message-ID\0<1@example.net>\0",
        b"Subject\0x\0",
    ]
    assert told[b"B"] == b"body\r\n"
    assert host.macros[b"C"].startswith(b"j\0mx.example.org\0")
    assert host.macros[b"E"] == b"i\0abc\0"
    assert (await house.last("alice")).endswith(b"Subject: x\r\n\r\nbody\r\n")


async def test_what_a_filter_does_not_want_it_is_not_told(house, tmp_path):
    unwanted = milter.BODY.unwanted | milter.HELO.unwanted | milter.FIELD.no_reply | milter.CONNECT.unwanted
    async with milter_host(tmp_path, {b"L": []}, protocol=unwanted) as (host, config):
        await sent(way_in(house, config), "alice")
    assert host.commands == b"MRTLLNE"


@pytest.mark.parametrize(("protocol", "told"), [(0, [b"x", b"y\n z"]), (milter.LEADING, [b" x", b"y\n z"])])
async def test_space_behind_a_colon_is_told_to_who_wants_it(house, tmp_path, protocol, told):
    """A signature over the field as it stands depends on it (RFC 6376 3.4.1)."""
    content = content_of(b"Subject: x\r\nComments:y\r\n z\r\n\r\nx\r\n")
    async with milter_host(tmp_path, protocol=protocol) as (host, config):
        await sent(way_in(house, config), "alice", content=content)
    values = [data.split(b"\0")[1] for command, data in host.told if command == b"L"]
    assert values == told


async def test_fields_are_added_changed_and_removed_and_the_body_is_another(house, tmp_path):
    said = [
        (b"h", b"X-Spam\0no\0"),
        (b"i", b"\0\0\0\1DKIM-Signature\0v=1;\n\tb=abc\0"),
        (b"m", b"\0\0\0\1SUBJECT\0[list] x\0"),
        (b"m", b"\0\0\0\1Message-ID\0\0"),
        (b"m", b"\0\0\0\1X-New\0y\0"),
        (b"p", b""),
        (b"b", b"other "),
        (b"b", b"body\r\n"),
        (b"a", b""),
    ]
    async with milter_host(tmp_path, {b"E": said}) as (_, config):
        await sent(way_in(house, config), "alice")
    found = await house.last("alice")
    head, _, body = found.partition(b"\r\n\r\n")
    assert head.startswith(b"Return-Path: <zoe@example.net>\r\n")
    assert b"\r\nDKIM-Signature: v=1;\r\n\tb=abc\r\nX-Spam: no\r\nReceived: " in head
    assert head.endswith(b"SUBJECT: [list] x\r\nX-New: y")
    assert body == b"other body\r\n"


async def test_second_filter_sees_what_the_first_has_done(house, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    said = [(b"h", b"X-Spam\0no\0"), (b"m", b"\0\0\0\1Subject\0y\0"), (b"c", b"")]
    async with milter_host(tmp_path / "a", {b"E": said}) as (_, one):
        async with milter_host(tmp_path / "b") as (host, other):
            await sent(way_in(house, one, other), "alice")
    assert [data for command, data in host.told if command == b"L"] == [
        b"X-Spam\0no\0",
        b"Message-ID\0<1@example.net>\0",
        b"Subject\0y\0",
    ]


async def test_results_of_a_filter_are_ours_and_those_that_came_are_not(house, tmp_path):
    """RFC 8601 5: a field that bears our name is removed only where it came from outside."""
    content = content_of(b"Authentication-Results: mx.example.org; spf=pass\r\nSubject: x\r\n\r\nx\r\n")
    said = [(b"h", b"Authentication-Results\0mx.example.org; dkim=pass\0"), (b"c", b"")]
    async with milter_host(tmp_path, {b"E": said}) as (_, config):
        await sent(way_in(house, config), "alice", content=content)
    found = await house.last("alice")
    assert b"dkim=pass" in found
    assert b"spf=pass" not in found


@pytest.mark.parametrize("step", [b"M", b"R", b"T", b"L", b"N", b"B", b"E"])
@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        ((b"r", b""), b"550 5.7.1 Refused by a filter\r\n"),
        ((b"t", b""), b"451 4.7.1 A filter cannot tell now\r\n"),
        ((b"y", b"554 5.7.9 Go\0"), b"554 5.7.9 Go\r\n"),
        ((b"y", b"421 Not now\0"), b"451 4.7.1 Not now\r\n"),
        ((b"y", b"550-5.7.1 one\r\n550 5.7.1 two\0"), b"550 5.7.1 one two\r\n"),
    ],
)
async def test_message_is_refused_at_any_step_in_the_filters_words(house, tmp_path, step, answer, reply):
    async with milter_host(tmp_path, {step: [answer]}) as (_, config):
        with pytest.raises((Refused, TryLater)) as caught:
            await sent(way_in(house, config), "alice")
    assert replies.problem(caught.value) == reply
    assert await house.count("alice") == 0


async def test_filter_that_refuses_a_recipient_is_asked_about_the_message_for_the_others(house, tmp_path):
    async with milter_host(tmp_path, {b"R": [(b"c", b"")]}) as (host, config):
        way = way_in(house, config)
        made = envelope(way)
        await way.sender(made)
        for name, answer in (("alice", b"c"), ("bob", b"r"), ("carol", b"t")):
            host.answers = {b"R": [(answer, b"")]}
            found = envelope(way, name).recipients[0]
            if answer == b"c":
                await way.probe(made, found)
                made.recipients.append(found)
            else:
                with pytest.raises((Refused, TryLater)):
                    await way.probe(made, found)
        await way.ready(made)
        assert await way.accept(made, LETTER) == [None]
    assert host.commands == b"CHMRRRTLLNBE"
    assert [await house.count(name) for name in ("alice", "bob", "carol")] == [1, 0, 0]


@pytest.mark.parametrize("step", [b"C", b"M", b"R", b"T", b"L", b"N", b"B", b"E"])
async def test_discarded_message_is_taken_and_nowhere(house, tmp_path, step):
    async with milter_host(tmp_path, {step: [(b"d", b"")]}) as (_, config):
        assert await sent(way_in(house, config), "alice") == [None]
    assert await house.count("alice") == 0


@pytest.mark.parametrize("step", [b"C", b"R", b"L", b"B"])
async def test_filter_that_accepts_is_asked_no_more(house, tmp_path, step):
    async with milter_host(tmp_path, {step: [(b"a", b"")]}) as (host, config):
        await sent(way_in(house, config), "alice")
    assert host.commands.endswith(step)
    assert await house.count("alice") == 1


async def test_filter_that_has_seen_enough_of_a_body_hears_of_its_end(house, tmp_path):
    letter = content_of(b"Subject: x\r\n\r\n" + b"long\r\n" * 30_000)
    async with milter_host(tmp_path, {b"B": [(b"s", b"")]}) as (host, config):
        await sent(way_in(house, config), "alice", content=letter)
    assert host.commands == b"CHMRTLNBE"


async def test_recipients_are_added_and_dropped(house, tmp_path):
    said = [
        (b"+", b"<carol@example.org>\0"),
        (b"+", b"dora@elsewhere.example\0"),
        (b"+", b"nobody@example.org\0"),
        (b"+", b"a@b>\r\nRCPT TO:<c@d\0"),
        (b"-", b"<BOB@example.org>\0"),
        (b"c", b""),
    ]
    async with milter_host(tmp_path, {b"E": said}) as (_, config):
        assert await sent(way_in(house, config), "alice", "bob") == [None, None]
    assert [await house.count(name) for name in ("alice", "bob", "carol")] == [1, 0, 1]
    assert [row.address for row in await house.queued()] == ["dora@elsewhere.example"]


async def test_quarantined_message_is_kept_from_the_inbox(house, tmp_path):
    async with milter_host(tmp_path, {b"E": [(b"q", b"looks bad\0"), (b"c", b"")]}) as (_, config):
        await sent(way_in(house, config), "alice")
    assert await house.count("alice") == 0
    names = [row.name for row in house.store.peek(folders.listing, await house.account_id("alice"))]
    assert "Quarantine" in names


async def test_quarantined_message_for_elsewhere_is_held_in_the_queue(house, tmp_path):
    """Postfix's HOLD: nobody gets it until an administrator lets it go."""
    await house.given("forward sales@example.org to dora@elsewhere.example")
    await house.given("group local.chat y")
    await house.store.write(accounts.add_address, None, "chat@example.org", "group", "local.chat")
    chat = house.store.peek(groups.find, "local.chat")
    await house.store.write(access.grant, chat.id, "anyone", "lrp")
    said = [(b"q", b"looks\r\n bad\0"), (b"c", b"")]
    async with milter_host(tmp_path, {b"E": said}) as (_, config):
        way = way_in(house, config)
        way.directory.office = house.office
        assert await sent(way, "alice", "sales", "chat") == [None, None, None]
    held = await house.queued()
    assert [(row.address, row.state) for row in held][:1] == [("dora@elsewhere.example", "held")]
    assert {row.state for row in held} == {"held"}
    assert {row.hold_reason for row in held} == {"quarantined: looks bad"}
    await house.check("group local.chat has 0")
    await house.store.write(queue.retry, held[0].id)
    assert [row.state for row in await house.queued()] == ["waiting", "held"]


@pytest.mark.parametrize(
    ("said", "sender"),
    [
        (b"<desk@example.org>\0", "desk@example.org"),
        (b"Desk@Example.ORG\0RET=HDRS\0", "Desk@example.org"),
        (b"<>\0", ""),
        (b"\0", ""),
        (b"<a@b>\r\nRCPT TO:<c@d>\0", "zoe@example.net"),
        (b"nonsense\0", "zoe@example.net"),
    ],
)
async def test_filter_changes_the_sender_of_a_message(house, tmp_path, said, sender):
    """libmilter's smfi_chgfrom: in queue, Return-Path and forwards; what is no address changes nothing."""
    await house.given("forward sales@example.org to dora@elsewhere.example")
    async with milter_host(tmp_path, {b"E": [(b"e", said), (b"c", b"")]}, actions=0x7F) as (_, config):
        await sent(way_in(house, config), "alice", "sales")
    assert (await house.last("alice")).startswith(f"Return-Path: <{sender}>\r\n".encode())
    (row,) = await house.queued()
    if sender != "zoe@example.net":  # which is foreign, and gets a sender of ours (SRS)
        assert row.sender == sender
    assert house.traced()[-1].detail["from"] == sender


@pytest.mark.parametrize(
    "answers",
    [
        {b"O": [(b"O", b"\0\0\0\7\0\0\0\0\0\0\0\0")]},
        {b"O": [(b"c", b"")]},
        {b"O": [(b"O", b"")]},
        {b"M": [(b"z", b"")]},
        {b"M": [(b"y", b"what\0")]},
        {b"E": [(b"h", b"no end")]},
        {b"E": [(b"m", b"\0")]},
    ],
)
@pytest.mark.parametrize("on_failure", ["defer", "accept"])
async def test_filter_that_talks_nonsense_fails(house, tmp_path, answers, on_failure):
    async with milter_host(tmp_path, answers) as (_, config):
        way = way_in(house, replace(config, on_failure=on_failure))
        if on_failure == "accept":
            assert await sent(way, "alice") == [None]
        else:
            with pytest.raises(TryLater):
                await sent(way, "alice")
    assert await house.count("alice") == (on_failure == "accept")


@pytest.mark.parametrize("piece", [(b"b", b"x" * 1000), (b"h", b"X\0y\0"), (b"+", b"<x@example.org>\0")])
async def test_filter_that_changes_without_end_fails(house, tmp_path, monkeypatch, piece):
    monkeypatch.setattr(milters, "MAX_CHANGED", 100_000)
    async with milter_host(tmp_path, {b"E": [piece] * 400}) as (_, config):
        with pytest.raises(TryLater):
            await sent(way_in(house, config), "alice")
    assert await house.count("alice") == 0


async def test_filter_that_is_not_there_or_says_nothing_fails(house, tmp_path):
    with pytest.raises(TryLater):
        await sent(way_in(house, Milter(address=f"unix:{tmp_path}/none")), "alice")
    async with milter_host(tmp_path) as (host, config):
        host.silent = True
        with pytest.raises(TryLater):
            await sent(way_in(house, replace(config, timeout_s=0.1)), "alice")


async def test_filters_of_other_listeners_are_not_asked(house, tmp_path):
    async with milter_host(tmp_path) as (host, config):
        await sent(way_in(house, replace(config, only=("submission",))), "alice")
    assert host.connections == 0


async def test_connection_of_a_transaction_that_is_dropped_is_closed(house, tmp_path):
    async with milter_host(tmp_path) as (host, config):
        way = way_in(house, config)
        made = envelope(way)
        await way.sender(made)
        assert not host.ended.is_set()
        del made
        gc.collect()
        async with asyncio.timeout(30):
            await host.ended.wait()
