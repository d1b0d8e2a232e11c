"""Rules at delivery over the own store: filing, sending, errors, absence; nothing lost, nothing twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from quintet.config.queue import Queue
from quintet.delivery.envelope import NULL, mailbox
from quintet.delivery.outbound import Runner
from quintet.errors import Reason, Refused
from quintet.mapi import objects, pr, restrict, ruling
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import Box, pid, ruledeeds, ruletable
from quintet.mapi.objects.sorting import Sorter
from quintet.mapi.restrict import Content, Property, Relation, Where
from quintet.mapi.rop.serve.storebag import StoreObject
from quintet.mapi.rules import Action, Bounce, Flavor, Op, State, Target, TemplateEntry
from quintet.net.dns import Resolver
from quintet.net.seam import Peer
from quintet.smtp.client import SmtpTransport
from quintet.store import accounts, check, entries, folders, rules
from quintet.store.content import content_of
from quintet.store.db import Tx
from quintet.store.model import SEEN, FolderId
from tests.support.mailhouse import MailHouse, envelope, mail_house

ON = State.ENABLED
CATS = Content(Where.SUBSTRING, 1, pr.SUBJECT, (pr.SUBJECT, "cats"))
LETTER = (
    b"Message-ID: <%d@example.net>\r\nFrom: Zoe <zoe@example.net>\r\nTo: <alice@example.org>\r\n%b"
    b"Subject: %b\r\nDate: Fri, 21 Nov 2025 09:00:00 +0000\r\n\r\n%b\r\n"
)


class Desk:
    """Alice's mailbox, her rules, and letters to her."""

    def __init__(self, house: MailHouse, box: Box) -> None:
        self.house, self.box = house, box
        self.sent = 0
        house.inbound.sorter = Sorter(house.inbound)

    async def run(self, work: Callable[..., Any], *args: Any) -> Any:
        def within(tx: Tx) -> Any:
            with self.box.using(tx):
                return work(*args)

        return await self.house.store.write_once(within)

    async def folder(self, name: str) -> FolderId:
        store, account = self.house.store, self.box.account.id
        found = store.peek(folders.find, account, name)
        return found.id if found else (await store.write(folders.create, account, name)).id

    async def target(self, name: str) -> Target:
        number = await self.folder(name)
        return Target(await self.run(self.box.folder_entry_id, number))

    async def rules(self, *rows: dict[int, Any], of: str = "INBOX") -> list[int]:
        number = await self.folder(of)
        return await self.run(lambda: ruletable.change(self.box.folder(number), rows))

    async def arrive(
        self,
        subject: bytes = b"Cats!",
        *to: str,
        more: bytes = b"",
        body: bytes = b"text",
        sender: str = "zoe@example.net",
        each: bool = False,
    ) -> list[Any]:
        self.sent += 1
        made = envelope(self.house.inbound, *(to or ("alice",)))
        made.sender = mailbox(sender) if sender else NULL
        content = content_of(LETTER % (self.sent, more, subject, body))
        return await self.house.inbound.accept(made, content, each=each)

    async def subjects(self, name: str = "INBOX") -> list[str]:
        return await self.look(name, pid.SUBJECT)

    async def look(self, name: str, tag: int) -> list[Any]:
        number = self.box.special.get(name) or await self.folder(name)

        def rows() -> list[Any]:
            table = self.box.folder(number).contents()
            table.set_columns([tag])
            return [value for (value,) in table.query(100)]

        return await self.run(rows)

    async def errors(self) -> list[tuple[str, int]]:
        """Class and cause of what the client is told."""
        classes = await self.look("deferred", pid.MESSAGE_CLASS)
        causes = await self.look("deferred", pr.RULE_ERROR)
        return list(zip(classes, causes, strict=True))

    async def states(self, of: str = "INBOX") -> list[int]:
        number = await self.folder(of)
        return [row.state for row in self.house.store.peek(rules.listing, number)]

    async def flush(self) -> None:
        """Runs the queue until nothing is left for mailboxes here."""
        runner = Runner(
            self.house.store,
            Queue(connect_timeout_s=1.0),
            directory=self.house.inbound.directory,
            resolver=Resolver(),
            transport=SmtpTransport("mx.example.org", clock=self.house.clock),
            hostname="mx.example.org",
            clock=self.house.clock,
            sorter=self.house.inbound.sorter,
        )
        for _ in range(8):
            await runner.once()
        await runner.stop(1.0)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with mail_house(tmp_path) as house:
        alice = await house.account_id("alice")
        box = await house.store.write(objects.logon, alice, alice, files=house.store.blobs)
        yield Desk(house, box)
        assert house.store.peek(check.everything, house.store.blobs) == []


def rule(*actions: Action, on: restrict.Restriction | None = CATS, state: int = ON, at: int = 10) -> Any:
    row: dict[int, Any] = {pr.RULE_ACTIONS: actions, pr.RULE_STATE: state, pr.RULE_SEQUENCE: at}
    row |= {pr.RULE_NAME: "one", pr.RULE_PROVIDER: "test"}
    return row if on is None else row | {pr.RULE_CONDITION: on}


def to(*addresses: str) -> tuple[Any, ...]:
    return tuple([
        ((pr.DISPLAY_NAME, one), (pr.ADDRTYPE, "SMTP"), (pr.EMAIL_ADDRESS, one)) for one in addresses
    ])  # fmt: skip


# --- filing --------------------------------------------------------------------------


async def test_moving_copying_marking_tagging(desk: Desk) -> None:
    """R790, R792, R548, R551; what no rule is about stays where it was."""
    await desk.rules(
        rule(
            Action(Op.TAG, (pr.IMPORTANCE, 2)),
            Action(Op.MARK_AS_READ),
            Action(Op.MOVE, await desk.target("Cats")),
            Action(Op.COPY, await desk.target("Copies")),
        )
    )
    await desk.arrive()
    await desk.arrive(b"Dogs")
    assert await desk.subjects() == ["Dogs"]
    for name in ("Cats", "Copies"):
        assert await desk.subjects(name) == ["Cats!"]
        assert await desk.look(name, pid.IMPORTANCE) == [2]
        (entry,) = desk.house.store.peek(entries.listing, await desk.folder(name))
        assert entry.flags & SEEN
        raw = await _raw(desk, name)
        assert raw.startswith(b"Return-Path: <zoe@example.net>\r\nDelivered-To: alice@example.org\r\n")
    assert await desk.states() == [ON]


async def _raw(desk: Desk, name: str) -> bytes:
    number = await desk.folder(name)
    (entry, *_) = desk.house.store.peek(entries.listing, number)
    return desk.house.store.read_body(desk.house.store.peek(entries.body_ref, number, entry.uid))


async def test_order_the_last_word_and_rules_that_rest(desk: Desk) -> None:
    """R514, R516, R517, R857: by sequence, enabled ones only, none after ST_EXIT_LEVEL."""
    tags = [Action(Op.TAG, (pr.IMPORTANCE, number)) for number in (0, 1, 2)]
    await desk.rules(
        rule(tags[2], at=2, state=ON | State.EXIT_LEVEL),
        rule(tags[0], at=3),
        rule(tags[1], at=1),
        rule(Action(Op.DELETE), state=0),
        rule(Action(Op.DELETE), state=ON | State.ONLY_WHEN_OOF),
    )
    await desk.arrive()
    assert await desk.look("INBOX", pid.IMPORTANCE) == [2]


async def test_conditions_see_recipients_headers_and_who_is_meant(desk: Desk) -> None:
    row = restrict.SubObject(
        restrict.RECIPIENTS, Content(Where.SUBSTRING, 1, pr.EMAIL_ADDRESS, (pr.EMAIL_ADDRESS, "ALICE@"))
    )
    mine = Property(Relation.EQUAL, pr.MESSAGE_TO_ME, (pr.MESSAGE_TO_ME, True))
    sender = Property(Relation.EQUAL, pr.SENDER_SEARCH_KEY, (pr.SENDER_SEARCH_KEY, b"SMTP:ZOE@EXAMPLE.NET\0"))
    words = Content(Where.SUBSTRING, 1, pr.BODY, (pr.BODY, "mice"))
    header = Content(
        Where.SUBSTRING, 1, pr.TRANSPORT_MESSAGE_HEADERS, (pr.TRANSPORT_MESSAGE_HEADERS, "X-Colour: red")
    )
    large = restrict.Property(Relation.GREATER, pr.MESSAGE_SIZE, (pr.MESSAGE_SIZE, 300))
    await desk.rules(
        rule(
            Action(Op.MOVE, await desk.target("Cats")),
            on=restrict.And((row, mine, sender, words, header, large)),
        )
    )
    await desk.arrive(b"x", more=b"X-Colour: red\r\n", body=b"of mice" + b"." * 300)
    await desk.arrive(b"y", more=b"X-Colour: red\r\n", body=b"of men" + b"." * 300)
    assert (await desk.subjects("Cats"), await desk.subjects()) == (["x"], ["y"])


async def test_rules_of_the_folder_that_it_is_moved_to_come_first(desk: Desk) -> None:
    """R512; and folders that lead to each other come to an end."""
    one, two = await desk.target("One"), await desk.target("Two")
    await desk.rules(rule(Action(Op.MOVE, one), on=None))
    await desk.rules(rule(Action(Op.MOVE, two)), of="One")
    await desk.rules(rule(Action(Op.MOVE, one)), of="Two")
    await desk.arrive()
    await desk.arrive(b"Dogs")
    assert sorted(await desk.subjects("One")) == ["Cats!", "Dogs"]
    assert await desk.subjects("Two") == []
    assert await desk.subjects() == []


async def test_two_moves_make_two_copies(desk: Desk) -> None:
    """R791."""
    await desk.rules(
        rule(Action(Op.MOVE, await desk.target("One")), at=1),
        rule(Action(Op.MOVE, await desk.target("Two")), at=2),
    )
    await desk.arrive()
    assert (await desk.subjects("One"), await desk.subjects("Two")) == (["Cats!"], ["Cats!"])


async def test_deleting_ends_the_rules(desk: Desk) -> None:
    """R549, R550."""
    await desk.rules(rule(Action(Op.DELETE), at=1), rule(Action(Op.COPY, await desk.target("One")), at=2))
    await desk.arrive()
    assert (await desk.subjects(), await desk.subjects("One")) == ([], [])


async def test_refusing(desk: Desk) -> None:
    """R546, R547: the client hears it at once where it can, the sender by a report where others have it."""
    await desk.rules(rule(Action(Op.BOUNCE, Bounce.DENIED)))
    with pytest.raises(Refused) as caught:
        await desk.arrive()
    assert caught.value.reason is Reason.POLICY
    outcomes = await desk.arrive(b"Cats?", "alice", "bob")
    assert outcomes == [None, None]
    assert await desk.subjects() == []
    assert await desk.house.count("bob") == 1
    (one,) = await desk.house.queued()
    assert one.address == "alice@example.org"
    assert "refused" in one.params
    assert (await desk.arrive(b"Cats", each=True))[0].reason is Reason.POLICY


async def test_refusing_what_was_copied_before(desk: Desk) -> None:
    await desk.rules(
        rule(Action(Op.COPY, await desk.target("One")), at=1), rule(Action(Op.BOUNCE, Bounce.TOO_LARGE), at=2)
    )
    assert await desk.arrive() == [None]
    assert (await desk.subjects(), await desk.subjects("One")) == ([], ["Cats!"])
    (one,) = await desk.house.queued()
    assert "size" in one.params["refused"]


async def test_two_names_of_one_mailbox(desk: Desk) -> None:
    await desk.house.given("alias sales@example.org to alice")
    await desk.rules(rule(Action(Op.COPY, await desk.target("One"))))
    await desk.arrive(b"Cats", "alice", "sales", "bob")
    assert (await desk.subjects(), await desk.subjects("One")) == (["Cats"], ["Cats"])
    assert await desk.house.count("bob") == 1


# --- classes and their folders --------------------------------------------------------------------------


async def test_receive_folders_by_the_longest_class(desk: Desk) -> None:
    """MS-OXCSTOR 3.2.5.2: the nearest class above; the rules are those of that folder."""
    meetings, reports = await desk.folder("Meetings"), await desk.folder("Reports")
    await desk.run(desk.box.set_receive_folder, "IPM.Schedule", meetings)
    await desk.run(desk.box.set_receive_folder, "REPORT.IPM.Note", reports)
    await desk.rules(rule(Action(Op.COPY, await desk.target("Cats"))), of="Meetings")
    calendar = (
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\n"
        b"DTSTAMP:20251121T090000Z\r\nDTSTART:20251122T090000Z\r\nDTEND:20251122T100000Z\r\n"
        b"ORGANIZER:mailto:zoe@example.net\r\nATTENDEE:mailto:alice@example.org\r\nSUMMARY:Cats\r\n"
        b"END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    await desk.arrive(b"Cats", more=b"Content-Type: text/calendar; method=REQUEST\r\n", body=calendar)
    report = (
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\nMIME-Version: 1.0\r\n'
    )
    parts = (
        b"--b\r\n\r\nIt failed.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        b"Reporting-MTA: dns; a.test\r\n\r\nFinal-Recipient: rfc822; x@y.test\r\nAction: failed\r\n"
        b"Status: 5.1.1\r\n\r\n--b--"
    )
    await desk.arrive(b"Failed", more=report, body=parts, sender="")
    await desk.arrive(b"Plain")
    assert await desk.look("Meetings", pid.MESSAGE_CLASS) == ["IPM.Schedule.Meeting.Request"]
    assert await desk.look("Reports", pid.MESSAGE_CLASS) == ["REPORT.IPM.Note.NDR"]
    assert await desk.subjects("Cats") == ["Cats"]
    assert await desk.subjects() == ["Plain"]
    await desk.run(desk.box.set_receive_folder, "IPM.Schedule", 0)
    await desk.arrive(b"Again", more=b"Content-Type: text/calendar; method=REQUEST\r\n", body=calendar)
    assert await desk.subjects() == ["Plain", "Again"]


# --- what goes wrong --------------------------------------------------------------------------


async def test_a_folder_that_is_gone_costs_the_rule_not_the_letter(desk: Desk) -> None:
    """R805, R813, R581: told once, marked; what the rule would have deleted stays."""
    gone = await desk.target("Gone")
    await desk.rules(rule(Action(Op.MOVE, gone), Action(Op.DELETE)))
    await desk.house.store.write(folders.remove, await desk.folder("Gone"))
    await desk.arrive()
    await desk.arrive()
    assert await desk.subjects() == ["Cats!", "Cats!"]
    assert await desk.states() == [ON | State.ERROR]
    assert await desk.errors() == [(ruledeeds.ERROR_CLASS, ruling.Cause.MOVE_COPY)]
    assert await desk.look("deferred", pr.RULE_ACTION_TYPE) == [Op.MOVE]
    (told,) = await desk.look("deferred", pr.DAM_ORIGINAL_ENTRYID)
    (number, *_) = [one.id for one in desk.house.store.peek(entries.listing, await desk.folder("INBOX"))]
    assert told == await desk.run(desk.box.message_entry_id, await desk.folder("INBOX"), number)


async def test_a_condition_that_nobody_can_answer(desk: Desk) -> None:
    asked = Property(Relation.MEMBER_OF_DL, pr.SENDER_ENTRYID, (pr.SENDER_ENTRYID, b"list"))
    await desk.rules(rule(Action(Op.DELETE), on=asked))
    await desk.arrive()
    assert await desk.subjects() == ["Cats!"]
    assert await desk.errors() == [(ruledeeds.ERROR_CLASS, ruling.Cause.PROCESSING)]
    assert await desk.states() == [ON | State.ERROR]


async def test_a_rule_that_is_damaged(desk: Desk) -> None:
    (number,) = await desk.rules(rule(Action(Op.DELETE)))
    await desk.house.store.write(lambda tx: tx.run("UPDATE rule SET actions = ? WHERE id = ?", b"?", number))
    await desk.arrive()
    assert await desk.subjects() == ["Cats!"]
    assert await desk.states() == [ON | State.ERROR | State.PARSE_ERROR]


async def test_a_mistake_of_ours_costs_nobody_a_letter(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.rules(rule(Action(Op.DELETE)))

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(ruling, "run", broken)
    await desk.arrive()
    assert await desk.subjects() == ["Cats!"]


async def test_a_tag_that_nobody_may_set_is_undone_alone(desk: Desk) -> None:
    await desk.rules(
        rule(Action(Op.TAG, (pid.MESSAGE_ID, 5)), Action(Op.TAG, (pr.IMPORTANCE, 2)), Action(Op.MARK_AS_READ))
    )
    await desk.arrive()
    assert await desk.look("INBOX", pid.IMPORTANCE) == [2]
    assert await desk.errors() == [(ruledeeds.ERROR_CLASS, ruling.Cause.EXECUTION)]


async def test_a_folder_that_goes_between_looking_and_filing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.rules(rule(Action(Op.MOVE, await desk.target("Brief"))))
    number = await desk.folder("Brief")
    sort = Sorter.sort

    async def slow(self: Sorter, one: Any) -> Any:
        found = await sort(self, one)
        if desk.house.store.peek(folders.find, desk.box.account.id, "Brief"):
            await desk.house.store.write(folders.remove, number)
        return found

    monkeypatch.setattr(Sorter, "sort", slow)
    await desk.arrive()
    assert await desk.subjects() == ["Cats!"]


async def test_copies_that_have_no_room_leave_the_letter(desk: Desk) -> None:
    await desk.rules(
        rule(Action(Op.COPY, await desk.target("One")), Action(Op.COPY, await desk.target("Two")))
    )
    used = desk.house.store.peek(accounts.get, desk.box.account.id).used_bytes
    await desk.house.store.write(accounts.change, desk.box.account.id, quota_bytes=used + 1500)
    await desk.arrive(body=b"x" * 600)
    assert (await desk.subjects(), await desk.subjects("One")) == (["Cats!"], [])


async def test_without_anybody_who_runs_rules_the_queue_does(desk: Desk) -> None:
    await desk.rules(rule(Action(Op.MOVE, await desk.target("Cats"))))
    sorter, desk.house.inbound.sorter = desk.house.inbound.sorter, None
    await desk.arrive()
    assert (await desk.subjects(), await desk.subjects("Cats")) == ([], [])
    assert [one.address for one in await desk.house.queued()] == ["alice@example.org"]
    desk.house.inbound.sorter = sorter
    await desk.flush()
    assert (await desk.subjects(), await desk.subjects("Cats")) == ([], ["Cats!"])
    assert await desk.house.queued() == []


# --- what is deferred --------------------------------------------------------------------------


async def test_what_only_the_client_can_do_is_left_to_it(desk: Desk) -> None:
    """R535, R536, R563, R569, R571: one message for each provider, about the letter, which stays."""
    elsewhere = Target(bytes(4) + bytes(range(42)), store=b"another store")
    other = rule(Action(Op.DEFER, b"client data"), at=3) | {pr.RULE_PROVIDER: "other"}
    numbers = await desk.rules(
        rule(Action(Op.DEFER, b"client data"), at=1), rule(Action(Op.MOVE, elsewhere), at=2), other
    )
    await desk.arrive()
    assert await desk.subjects() == ["Cats!"]
    assert await desk.look("INBOX", ruledeeds.HAS_DEFERRED) == [True]
    assert await desk.look("deferred", pid.MESSAGE_CLASS) == [ruledeeds.ACTION_CLASS] * 2
    assert await desk.look("deferred", pr.RULE_PROVIDER) == ["test", "other"]
    first, second = await desk.look("deferred", pr.RULE_IDS)
    assert first == numbers[0].to_bytes(8, "little") * 2
    assert second == numbers[2].to_bytes(8, "little")
    actions = await desk.look("deferred", pr.CLIENT_ACTIONS)
    assert b"client data" in actions[0]
    assert b"another store" in actions[0]
    assert await desk.look("deferred", pr.DAM_BACK_PATCHED) == [False, False]


# --- sending --------------------------------------------------------------------------


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


# --- the table --------------------------------------------------------------------------


async def test_rows_of_the_table(desk: Desk) -> None:
    """R66, R77, R96, R100, R597, R598, R604 to R606."""
    inbox = await desk.folder("INBOX")
    full = rule(Action(Op.DELETE), state=ON | State.ERROR | State.PARSE_ERROR) | {
        pr.RULE_LEVEL: 0, pr.RULE_USER_FLAGS: 7, pr.RULE_PROVIDER_DATA: b"\1\2",
    }  # fmt: skip
    assert await desk.run(lambda: desk.box.folder(inbox).value(pid.HAS_RULES)) is False
    one, two = await desk.rules(full, rule(Action(Op.DELETE), on=None, at=1))
    rows = await desk.run(lambda: ruletable.listing(desk.box.folder(inbox)))
    assert [row[pr.RULE_ID] for row in rows] == [two, one]
    assert rows[1] == full | {pr.RULE_ID: one, pr.RULE_STATE: ON}
    assert await desk.run(lambda: desk.box.folder(inbox).value(pid.HAS_RULES)) is True
    await desk.house.store.write(rules.set_bits, one, State.ERROR)
    rows = await desk.run(lambda: ruletable.listing(desk.box.folder(inbox)))
    assert await desk.rules(*rows) == [two, one]  # what is not changed keeps its state
    assert await desk.states() == [ON, ON | State.ERROR]
    assert await desk.rules(rows[1] | {pr.RULE_NAME: "new"}) == [one]
    assert await desk.states() == [ON]
    await desk.rules()
    assert await desk.run(lambda: desk.box.folder(inbox).value(pid.HAS_RULES)) is False


async def test_rows_that_are_none(desk: Desk) -> None:
    for bad, code in (
        ({pr.RULE_NAME: "x"}, Code.INVALID_PARAMETER),
        (rule(Action(Op.BOUNCE, b"?")), Code.INVALID_PARAMETER),
        (rule(Action(Op.DELETE)) | {pr.RULE_SEQUENCE: 1 << 40}, Code.INVALID_PARAMETER),
        (rule(Action(Op.DELETE)) | {pr.RULE_ID: 99}, Code.NOT_FOUND),
        (rule(Action(Op.DELETE), on=Content(Where.PREFIX, 0, pr.IMPORTANCE, (pr.IMPORTANCE, 1))),
         Code.INVALID_PARAMETER),
        (rule(Action(Op.DEFER, bytes(300_000))), Code.OUT_OF_MEMORY),
    ):  # fmt: skip
        with pytest.raises(MapiError) as caught:
            await desk.rules(bad)
        assert caught.value.code == code
    with pytest.raises(MapiError) as caught:
        await desk.rules(*[rule(Action(Op.DELETE))] * (rules.MAX_RULES + 1))
    assert caught.value.code == Code.OUT_OF_MEMORY


async def test_who_may_only_read_sees_no_rules(desk: Desk) -> None:
    inbox = await desk.folder("INBOX")
    await desk.rules(rule(Action(Op.DELETE)))
    await desk.house.given("INBOX of alice grants bob@example.org lrswi")
    bob = await desk.house.account_id("bob")
    box = await desk.house.store.write(objects.logon, desk.box.account.id, bob, files=desk.house.store.blobs)
    theirs = Desk(desk.house, box)
    for work in (ruletable.listing, lambda folder: ruletable.change(folder, [])):
        with pytest.raises(MapiError) as caught:
            await theirs.run(lambda work=work: work(theirs.box.folder(inbox)))
        assert caught.value.code == Code.ACCESS_DENIED
    assert len(await desk.states()) == 1


async def test_a_peer_of_lmtp_hears_of_each(desk: Desk) -> None:
    await desk.rules(rule(Action(Op.BOUNCE, Bounce.DENIED)))
    made = envelope(desk.house.inbound, "alice", "bob")
    made.peer = Peer("c2", "192.0.2.1")
    found = await desk.house.inbound.accept(made, content_of(LETTER % (9, b"", b"Cats", b"x")), each=True)
    assert [problem and problem.reason for problem in found] == [Reason.POLICY, None]


async def test_what_the_client_is_to_move_is_not_deleted(desk: Desk) -> None:
    elsewhere = Target(bytes(4) + bytes(range(42)), store=b"another store")
    await desk.rules(rule(Action(Op.MOVE, elsewhere), Action(Op.DELETE)))
    await desk.arrive()
    assert await desk.subjects() == ["Cats!"]
