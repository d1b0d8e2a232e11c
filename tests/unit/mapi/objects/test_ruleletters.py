"""Letters that rules send at delivery: passed on, answered, in the owner's absence."""

from __future__ import annotations

from pathlib import Path

import pytest

from quintet.config.dkim import Dkim
from quintet.delivery.signing import Signer
from quintet.mapi import objects, pr, ruling
from quintet.mapi.objects import pid, ruledeeds
from quintet.mapi.rop.serve.storebag import StoreObject
from quintet.mapi.rules import Action, Flavor, Op, State, TemplateEntry
from quintet.policy import dkim
from tests.unit.delivery.test_signing import verified
from tests.unit.mapi.objects.ruledesk import ON, Desk, desk, rule, to

__all__ = ["desk"]


async def test_forwarding_in_three_ways(desk: Desk) -> None:
    """2.2.5.1.1: within another letter, as it is, attached."""
    row = to("bob@example.org")
    await desk.rules(
        rule(
            Action(Op.FORWARD, row),
            Action(Op.FORWARD, row, Flavor.UNCHANGED | Flavor.PRESERVE_SENDER),
            Action(Op.FORWARD, row, Flavor.AS_ATTACHMENT),
        )
    )
    await desk.arrive(body=b"of mice")
    assert await desk.subjects() == ["Cats!"]
    await desk.flush()
    found = await desk.house.messages("bob")
    assert len(found) == 3
    whole = next(one for one in found if b"\r\nSubject: Cats!\r\n" in one and b"Resent-From" in one)
    assert b"Delivered-To: alice@example.org\r\n" in whole
    assert b"\r\nFrom: Zoe <zoe@example.net>\r\n" in whole
    attached = next(one for one in found if b"message/rfc822" in one)
    plain = next(one for one in found if one not in (whole, attached))
    for one in (plain, attached):
        assert b"Subject: FW: Cats!" in one
        assert b"Auto-Submitted: auto-generated" in one
        assert b"alice@example.org" in one.partition(b"\r\nFrom: ")[2].partition(b"\r\n")[0]
        assert b"of mice" in one
        assert one.startswith(b"Return-Path: <alice@example.org>")


async def test_two_who_forward_to_each_other(desk: Desk) -> None:
    """Each has it once: Delivered-To tells where it was, also in letters about letters."""
    bob = await desk.house.account_id("bob")
    box = await desk.house.store.write(objects.logon, bob, bob, files=desk.house.store.blobs)
    theirs = Desk(desk.house, box)
    await desk.house.given("alias sales@example.org to alice")
    for flavor in (Flavor.UNCHANGED, 0):
        await desk.rules(rule(Action(Op.FORWARD, to("bob@example.org", "zoe@example.net"), flavor)))
        await theirs.rules(rule(Action(Op.FORWARD, to("sales@example.org"), flavor)))
        before = len(await desk.subjects()), len(await theirs.subjects())
        await desk.arrive()
        await desk.flush()
        assert (len(await desk.subjects()), len(await theirs.subjects())) == (before[0] + 2, before[1] + 1)
        assert await desk.house.queued() == []  # nothing went back to who wrote it (R537)


async def test_delegates_have_it_with_whose_it_is(desk: Desk) -> None:
    """R539 to R545."""
    await desk.rules(rule(Action(Op.DELEGATE, to("bob@example.org", "far@example.com"))))
    await desk.arrive()
    bob = await desk.house.account_id("bob")
    box = await desk.house.store.write(objects.logon, bob, bob, files=desk.house.store.blobs)
    theirs = Desk(desk.house, box)
    assert await theirs.subjects() == ["Cats!"]
    assert await theirs.look("INBOX", pr.DELEGATED_BY_RULE) == [True]
    assert await theirs.look("INBOX", pr.RCVD_REPRESENTING_NAME) == ["alice@example.org"]
    (entry,) = await theirs.look("INBOX", pr.RCVD_REPRESENTING_ENTRYID)
    assert b"/cn=" in entry
    assert [one.address for one in await desk.house.queued()] == ["far@example.com"]


async def _template(desk: Desk, subject: str = "Away") -> TemplateEntry:
    import uuid

    def make() -> bytes:
        message = desk.box.inbox.create_message(associated=True)
        message.set([(pid.SUBJECT, subject), (pid.BODY, "No cats today.\r\n")])
        message.save()
        return desk.box.message_entry_id(message.folder.id, message.number)

    return TemplateEntry(await desk.run(make), uuid.uuid4())


async def test_answering(desk: Desk) -> None:
    """R525, RFC 3834 3.1: from nobody, to the sender of the envelope, marked, in its thread."""
    await desk.rules(rule(Action(Op.REPLY, await _template(desk))))
    await desk.arrive(sender="zoe+list@example.net")
    (one,) = await desk.house.queued()
    assert (one.address, one.sender) == ("zoe+list@example.net", "")
    raw = await desk.house.queued_bytes(one)
    for part in (
        b"Subject: Away", b"Auto-Submitted: auto-replied", b"In-Reply-To: <1@example.net>", b"No cats today.",
        b"alice@example.org",
    ):  # fmt: skip
        assert part in raw
    assert await desk.subjects() == ["Cats!"]


async def test_answers_are_signed_as_what_the_mailbox_sends(desk: Desk, tmp_path: Path) -> None:
    key, house = dkim.generate("ed25519"), desk.house
    (tmp_path / "key.pem").write_text(key.pem)
    for file in ("gone.pem", "key.pem"):  # an answer does not wait for a key
        house.inbound.reports.signer = Signer(
            [Dkim(("example.org",), "s1", str(tmp_path / file))], house.clock
        )
        await desk.rules(rule(Action(Op.REPLY, await _template(desk))))
        await desk.arrive()
    unsigned, signed = [await house.queued_bytes(one) for one in await house.queued()]
    assert b"DKIM-Signature" not in unsigned
    assert verified(signed, key)["d"] == "example.org"


@pytest.mark.parametrize(
    ("more", "sender"),
    [
        (b"", ""),
        (b"Auto-Submitted: auto-replied\r\n", "zoe@example.net"),
        (b"List-Id: <cats.example.net>\r\n", "zoe@example.net"),
        (b"Precedence: bulk\r\n", "zoe@example.net"),
        (b"X-Auto-Response-Suppress: All\r\n", "zoe@example.net"),
        (b"X-Auto-Response-Suppress: AutoReply\r\n", "zoe@example.net"),
        (b"", "alice@example.org"),
        (b"", "owner-cats@example.net"),
        (b"", "MAILER-DAEMON@example.net"),
    ],
)
async def test_who_is_not_answered(desk: Desk, more: bytes, sender: str) -> None:
    """R526, R528, RFC 3834 2: programs, lists, reports, oneself."""
    await desk.rules(rule(Action(Op.REPLY, await _template(desk))))
    await desk.arrive(more=more, sender=sender)
    assert await desk.house.queued() == []
    assert await desk.states() == [ON]


async def test_answers_to_one_address_have_an_end(desk: Desk) -> None:
    await desk.rules(rule(Action(Op.REPLY, await _template(desk))))
    for _ in range(12):
        await desk.arrive()
    assert len(await desk.house.queued()) == 10
    await desk.arrive(sender="other@example.net")
    assert len(await desk.house.queued()) == 11
    desk.house.clock.advance(25 * 3600)
    await desk.arrive()
    assert len(await desk.house.queued()) == 12


async def test_a_template_that_is_gone(desk: Desk) -> None:
    template = await _template(desk)
    await desk.run(lambda: desk.box.inbox.empty(associated=True, hard=True))
    await desk.rules(rule(Action(Op.REPLY, template), Action(Op.DELETE)))
    await desk.arrive()
    assert await desk.subjects() == ["Cats!"]
    assert await desk.errors() == [(ruledeeds.ERROR_CLASS, ruling.Cause.TEMPLATE)]


async def test_absence(desk: Desk) -> None:
    """R517, R553, R556 to R558, R560, R585, R807: once to each until they are back."""

    async def away(value: bool) -> None:
        assert await desk.run(lambda: StoreObject(desk.box).set([(pid.AWAY, value)])) == []

    state = ON | State.ONLY_WHEN_OOF | State.KEEP_OOF_HISTORY
    await desk.rules(
        rule(Action(Op.MARK_AS_READ), at=1, state=ON | State.EXIT_LEVEL),
        rule(Action(Op.OOF_REPLY, await _template(desk, "")), at=2, state=state),
    )
    await desk.arrive()
    assert await desk.house.queued() == []
    await away(True)
    assert await desk.run(lambda: StoreObject(desk.box).value(pid.AWAY)) is True
    await desk.arrive()
    await desk.arrive()
    await desk.arrive(sender="other@example.net")
    assert sorted([one.address for one in await desk.house.queued()]) == [
        "other@example.net", "zoe@example.net",
    ]  # fmt: skip
    raw = await desk.house.queued_bytes((await desk.house.queued())[0])
    assert b"Subject: Automatic reply: Cats!" in raw
    await away(False)
    await desk.arrive()
    assert len(await desk.house.queued()) == 2
    await away(True)
    await desk.arrive()
    assert len(await desk.house.queued()) == 3


async def test_no_more_letters_than_a_message_may_make(desk: Desk) -> None:
    many = to(*[f"a{number}@example.net" for number in range(ruling.MAX_RECIPIENTS + 1)])
    await desk.rules(rule(Action(Op.FORWARD, many), Action(Op.DELETE)))
    await desk.arrive()
    assert await desk.house.queued() == []
    assert await desk.subjects() == ["Cats!"]
    assert await desk.errors() == [(ruledeeds.ERROR_CLASS, ruling.Cause.TOO_MANY_RECIPIENTS)]
