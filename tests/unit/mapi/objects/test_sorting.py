"""Rules at delivery over the own store: filing, errors, what is deferred; nothing lost, nothing twice."""

from __future__ import annotations

from typing import Any

import pytest

from quintet.errors import Reason, Refused
from quintet.mapi import pr, restrict, ruling
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.ids import ServerId, ShortId
from quintet.mapi.objects import pid, places, ruledeeds
from quintet.mapi.objects.sorting import Sorter
from quintet.mapi.restrict import Content, Property, Relation, Where
from quintet.mapi.rules import Action, Bounce, Op, State, Target
from quintet.net.seam import Peer
from quintet.store import accounts, entries, folders
from quintet.store.content import content_of
from quintet.store.model import SEEN
from tests.support.mailhouse import envelope
from tests.unit.mapi.objects.ruledesk import LETTER, ON, Desk, desk, rule

__all__ = ["desk"]


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


async def test_a_folder_may_be_named_as_operations_name_it(desk: Desk) -> None:
    """MS-OXORULE 2.2.5.1.2.1.1: a ServerEid; the folder of another replica only the client reaches (R563)."""
    cats, dogs = await desk.folder("Cats"), await desk.folder("Dogs")

    def move(number: int, replica: int) -> Action:
        return Action(Op.MOVE, Target(ServerId(ShortId(replica, number), ShortId(0, 0)).write()))

    await desk.rules(rule(move(cats, 1), at=1), rule(move(dogs, 2), at=2))
    await desk.arrive()
    assert (await desk.subjects("Cats"), await desk.subjects("Dogs")) == (["Cats!"], [])
    assert await desk.look("deferred", pid.MESSAGE_CLASS) == [ruledeeds.ACTION_CLASS]


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


async def test_a_peer_of_lmtp_hears_of_each(desk: Desk) -> None:
    await desk.rules(rule(Action(Op.BOUNCE, Bounce.DENIED)))
    made = envelope(desk.house.inbound, "alice", "bob")
    made.peer = Peer("c2", "192.0.2.1")
    found = await desk.house.inbound.accept(made, content_of(LETTER % (9, b"", b"Cats", b"x")), each=True)
    assert [problem and problem.reason for problem in found] == [Reason.POLICY, None]


async def test_a_folder_that_was_made_for_what_is_undone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is deferred fails behind the making of its folder; another rule's error is told all the same."""
    gone = await desk.target("Gone")
    await desk.rules(rule(Action(Op.DEFER, b"data"), at=1), rule(Action(Op.COPY, gone), at=2))
    await desk.house.store.write(folders.remove, await desk.folder("Gone"))
    await desk.house.store.write(folders.remove, desk.box.special["deferred"])

    def broken(*_: object) -> None:
        raise MapiError(Code.NOT_SUPPORTED)

    monkeypatch.setattr(ruledeeds, "ServerId", broken)
    await desk.arrive()
    desk.box.special = await desk.run(lambda: places.find(desk.box.tx, desk.box.account))
    assert await desk.subjects() == ["Cats!"]
    assert await desk.errors() == [(ruledeeds.ERROR_CLASS, ruling.Cause.MOVE_COPY)]


async def test_what_the_client_is_to_move_is_not_deleted(desk: Desk) -> None:
    elsewhere = Target(bytes(4) + bytes(range(42)), store=b"another store")
    await desk.rules(rule(Action(Op.MOVE, elsewhere), Action(Op.DELETE)))
    await desk.arrive()
    assert await desk.subjects() == ["Cats!"]


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
