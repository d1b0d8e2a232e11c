"""What ``where=`` and ``order=`` take, which kinds a listing has, and what attributes refuse."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from quintet import mapi
from quintet.mapi import consts, guids, pr, restrict, types
from quintet.mapi.api import Field, FlagStatus, Folder, Group, Importance, Item, Message, Post, Session
from quintet.mapi.api.fields import Condition
from quintet.mapi.bag import NamedTag
from quintet.mapi.core.structs import SContentRestriction, SPropValue

ANN, BOB, CID = "ann@example.com", "bob@example.com", "cid@example.com"
NOON = datetime.datetime(2026, 12, 1, 12, tzinfo=datetime.UTC)


@pytest.fixture(scope="module", params=["MEMORY", "MAILDIR"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    """Four letters: "0" to "3", of which "2" has an attachment and "3" is unread, flagged and important."""
    path = tmp_path_factory.mktemp("mail") / "Maildir"
    opened = (
        mapi.connect("MEMORY", world=str(uuid.uuid4()), account=ANN)
        if request.param == "MEMORY"
        else mapi.connect("MAILDIR", path=path, create=True, address=ANN)
    )
    with opened as session:
        made = session.store.folder("Letters", create=True)
        for number in range(4):
            letter = made.create(
                Message,
                subject=str(number),
                body=f"Text {number}",
                sender=f"Ann <{ANN}>" if number % 2 else f"Bob <{BOB}>",
                to=f"Carol <{CID}>" if number % 2 else BOB,
                cc=BOB if number == 3 else None,
                received=NOON + datetime.timedelta(hours=number),
                importance="high" if number == 3 else 1,
                flag=FlagStatus.FLAGGED if number == 3 else None,
                save=False,
            )
            if number == 2:
                letter.attachments.add(b"plan", "Plan.TXT")
            letter.save()
            letter.read = number != 3
        yield made


SUBJECT = restrict.Property(restrict.Relation.EQUAL, pr.SUBJECT, (pr.SUBJECT, "1"))


@pytest.mark.parametrize(
    "where,found",
    [
        (Item.subject == "1", "1"),
        (Item.subject != "1", "023"),
        (Item.subject.is_in(["1", "3"]), "13"),
        (Item.subject.matches("2"), "2"),
        (Item.body.contains("TEXT 2"), "2"),
        (Item.received > NOON, "123"),
        (Item.received.between(NOON, NOON + datetime.timedelta(hours=2)), "01"),
        (Item.importance == Importance.HIGH, "3"),
        (Item.unread, "3"),
        (~Item.unread, "012"),
        (Item.read, "012"),
        (Item.read == False, "3"),  # noqa: E712 (a condition)
        (Item.unread & Item.subject.exists, "3"),
        (Item.subject.exists & Item.unread, "3"),
        (Item.unread | Item.has_attachments, "23"),
        (Item.has_attachments, "2"),
        (~Item.has_attachments, "013"),
        (Item.attachments.exists, "2"),
        (Item.attachments.contains("plan"), "2"),
        (Item.attachments.contains("menu"), ""),
        (Item.to == CID, "13"),
        (Item.to == f"Carol <{CID.upper()}>", "13"),
        (Item.to != BOB, "13"),
        (Item.to.contains("carol"), "13"),
        (Item.cc.contains("bob"), "3"),
        (Item.cc.exists, "3"),
        (Item.bcc.exists, ""),
        (Item.sender == ANN, "13"),
        (Item.sender != ANN, "02"),
        (Item.sender.contains("BOB"), "02"),
        (Field(pr.SUBJECT) == "1", "1"),
        (SUBJECT, "1"),
        (
            SContentRestriction(consts.FL_FULLSTRING, pr.SUBJECT - 1, SPropValue(pr.SUBJECT - 1, b"2")),
            "2",
        ),
    ],
)
def test_conditions(folder: Folder, where: Condition, found: str) -> None:
    items = folder.items(order="subject", where=where)
    assert "".join([one.subject or "" for one in items]) == found
    assert len(items) == len(found)


@pytest.mark.parametrize("where", ["1", lambda item: True, True, Item.body, None.__class__])
def test_what_is_no_condition_is_said_at_once(folder: Folder, where: object) -> None:
    with pytest.raises(TypeError, match="condition"):
        folder.items(where=where)  # type: ignore[call-overload]


def test_conditions_on_people_want_addresses() -> None:
    for compare in (lambda: Item.to == "Carol", lambda: Item.sender == "Carol", lambda: Item.to == 5):
        with pytest.raises(TypeError, match="address"):
            compare()
    with pytest.raises(TypeError, match="datetime"):
        Item.received > datetime.date(2026, 12, 1)  # type: ignore[operator]  # noqa: B015


@pytest.mark.parametrize(
    "order,found",
    [
        ("subject", "0123"),
        (Item.subject, "0123"),
        (("-importance", "-subject"), "3210"),
        ((Item.sender_name, "-received"), "3120"),
        ("-received", "3210"),
    ],
)
def test_orders(folder: Folder, order: str, found: str) -> None:
    assert "".join([one.subject or "" for one in folder.items(order=order)]) == found
    assert (
        "".join(
            [
                one.subject or ""
                for one in folder.items().order(*[order] if isinstance(order, str | Field) else order)
            ]
        )
        == found
    )


@pytest.fixture
def session() -> Iterator[Session]:
    with mapi.connect("MEMORY", world=str(uuid.uuid4()), account=ANN, name="Ann") as opened:
        yield opened


def test_a_kind_has_those_below_it_and_no_others(session: Session) -> None:
    """`items(Kind)` gives what is an instance of it, whatever the message classes are called."""
    folder = session.store.folder("All", create=True)
    kinds = [Message, Post, mapi.MeetingRequest, mapi.MeetingResponse, mapi.TaskRequest, mapi.TaskUpdate,
             mapi.TaskAcceptance, mapi.TaskRefusal, mapi.Task, mapi.Contact, Group, mapi.Note]  # fmt: skip
    for kind in kinds:
        folder.create(kind, subject=kind.__name__, save=False).mapi.SaveChanges()
    for kind in (*kinds, Item, mapi.api.meetings.MeetingMessage, mapi.api.tasks.TaskMessage):
        found = list(folder.items(kind))
        assert all(isinstance(one, kind) for one in found)
        assert {type(one) for one in found} == {one for one in kinds if issubclass(one, kind)}


def test_a_kind_of_ones_own(session: Session) -> None:
    class Invoice(Message):
        message_class = "IPM.Note.Invoice"
        amount = Field[int](NamedTag(guids.PS_PUBLIC_STRINGS, "Amount", types.INTEGER32))

    made = session.store.inbox.create(Invoice, subject="May", amount=12)
    session.store.inbox.create(Message, subject="June")
    (found,) = session.store.inbox.items(Invoice, where=Invoice.amount > 10)
    assert (found, found.amount, type(found)) == (made, 12, Invoice)


def test_values_of_other_types_are_refused(session: Session) -> None:
    letter = session.store.new(Message)
    for name, value in (
        ("subject", 5), ("received", "noon"), ("importance", "urgent"), ("importance", 7),
        ("categories", "red"), ("to", 5),
    ):  # fmt: skip
        with pytest.raises((TypeError, ValueError)):
            setattr(letter, name, value)
    for key, wrong in (("PidTagImportance", "high"), (pr.BODY, 5), ("PidTagReplyTime", "noon")):
        with pytest.raises(TypeError):
            letter[key] = wrong
    with pytest.raises(AttributeError):
        letter.subjct = "a slip of the pen"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="size"):
        letter.size = 3


def test_properties_as_a_mapping(session: Session) -> None:
    letter = session.store.drafts.create(Message, subject="Props")
    own = NamedTag(guids.PS_PUBLIC_STRINGS, "Mine", types.STRING)
    letter["PidTagReplyTime"] = NOON
    letter[own] = "kept"
    found = session.store.item(letter.save().id)
    assert (found["PidTagReplyTime"], found.get("PR_REPLY_TIME"), found[own]) == (NOON, NOON, "kept")
    assert ("PidTagSubject" in found, own in found, "PidLidLocation" in found) == (True, True, False)
    assert dict(found)[pr.SUBJECT] == "Props"
    del found[own]
    assert own not in session.store.item(found.save().id)


def test_listings_come_in_pages(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapi.api.query, "FIRST", 2)
    monkeypatch.setattr(mapi.api.query, "PAGE", 5)
    folder = session.store.folder("Many", create=True)
    for number in range(20):
        folder.create(Message, subject=f"{number:02}")
    subjects = [f"{number:02}" for number in range(20)]
    assert [one.subject for one in folder.items()] == subjects
    assert [one.subject for one in folder.items(order="-subject")] == subjects[::-1]
    assert len(folder.items(where=Item.subject > "04")) == 15
    folder.delete()


def test_a_maildir_takes_what_python_has(tmp_path: Path) -> None:
    with mapi.connect("MAILDIR", path=tmp_path / "M", create=True, address=ANN) as opened:
        assert repr(opened) == f"<Session of {ANN}>"
        assert opened.store.inbox.items().first() is None
