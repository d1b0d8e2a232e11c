"""The pleasant layer, on the system in memory and on files: the same program, the same results."""

from __future__ import annotations

import asyncio
import datetime
from pathlib import Path

import pytest

from quintet import mapi
from quintet.mapi import pr
from quintet.mapi.api import Folder, Importance, Item, Message, Person, Session, query
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers.base import Can
from tests.unit.mapi.api.conftest import ANN, BOB, refused

NOON = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)


def filled(session: Session) -> Folder:
    folder = session.store.folder("Work/Lunch", create=True)
    for number, (subject, hour) in enumerate([("Lunch?", 10), ("RE: Lunch?", 11), ("Minutes", 9)]):
        folder.create(
            Message,
            subject=subject,
            body=f"Text {number}",
            to=[BOB, "Carol <carol@example.com>"],
            sender=f"Ann <{ANN}>",
            received=NOON.replace(hour=hour),
            importance=Importance.HIGH if number == 2 else Importance.NORMAL,
        )
    return folder


def test_what_a_listing_tells_is_what_its_items_say(session: Session) -> None:
    folder = filled(session)
    every = [item.props() for item in folder.items()]
    for key in {key for bag in every for key in bag} - query.NEVER:
        items = list(folder.items())
        assert [item.value(key) for item in items] == [bag.get(key) for bag in every], key
        assert [item._mapi is None for item in items[1:]] == [True, True]


def test_going_through_a_listing_does_not_open_its_items(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = filled(session)
    for number in range(20):
        folder.create(Message, subject=str(number), sender=BOB)
    opened: list[bytes] = []
    source = type(session.store.source)
    load = source.load
    monkeypatch.setattr(source, "load", lambda self, entry: opened.append(entry) or load(self, entry))
    senders = [(item.sender, item.categories, item["PidTagNormalizedSubject"]) for item in folder]
    assert [who for who, _, _ in senders] == [Person(ANN)] * 3 + [Person(BOB)] * 20
    assert len(set(opened)) <= 3  # one a property, which then comes for many


def test_item_is_what_was_set(session: Session) -> None:
    folder = filled(session)
    assert folder.path == "Work/Lunch"
    assert len(folder) == 3
    item = folder.items(where=Message.subject == "Minutes")[0]
    assert type(item) is Message
    assert (item.subject, item.importance) == ("Minutes", Importance.HIGH)
    assert (item.body or "").strip() == "Text 2"
    assert item.to == [Person(BOB), Person("carol@example.com")]
    assert [one.name for one in item.to][1] == "Carol"
    assert (item.sender, item.sender_name) == (Person(ANN), "Ann")
    assert item.received == NOON.replace(hour=9)
    assert item.folder == folder
    assert session.store.item(item.id) == item
    item.subject = "Protocol"
    item.cc = Person("dora@example.com", "Dora")
    assert item.save().cc == [Person("dora@example.com")]
    assert session.store.item(item.id).subject == "Protocol"
    assert len(folder) == 3


def test_listing_in_an_order_by_conditions(session: Session) -> None:
    folder = filled(session)
    assert [one.subject for one in folder.items(order="-received")] == ["RE: Lunch?", "Lunch?", "Minutes"]
    assert [one.subject for one in folder.items(order=("topic", "-received"))] == [
        "RE: Lunch?",
        "Lunch?",
        "Minutes",
    ]
    lunch = folder.items(order="received", where=Item.subject.contains("lunch"))
    assert [one.subject for one in lunch] == ["Lunch?", "RE: Lunch?"]
    late = lunch.where(Item.received > NOON.replace(hour=10, minute=30))
    assert [one.subject for one in late] == ["RE: Lunch?"]
    assert [one.subject for one in folder.items(where=~Item.subject.contains("lunch"))] == ["Minutes"]
    either = Item.subject.startswith("min") | Item.importance.is_in([Importance.LOW])
    assert [one.subject for one in folder.items(where=either)] == ["Minutes"]
    assert folder.items(where=Item.received.between(NOON, NOON)).first() is None
    assert [one.subject for one in folder.items(order="received")[1:]] == ["Lunch?", "RE: Lunch?"]
    assert [one.subject for one in folder.search("text 1")] == ["RE: Lunch?"]
    assert len(session.store.top.search("lunch", below=True)) == 2
    with pytest.raises(AttributeError):
        folder.items(order="colour")[0]
    with pytest.raises(TypeError):
        bool(Item.subject == "x")


def test_marks(session: Session) -> None:
    folder = filled(session)
    one = folder.items(where=Item.subject == "Minutes")[0]
    assert (one.read, folder.unread) == (True, 0)  # what a program makes was read by it
    one.read = False
    assert (one.read, folder.unread) == (False, 1)
    folder.items().mark_read(False)
    assert folder.unread == 3
    folder.items().mark_read()
    assert folder.unread == 0


def test_moving_copying_deleting(session: Session) -> None:
    folder = filled(session)
    other = session.store.folder("Other", create=True)
    moved = folder.items(where=Item.subject == "Lunch?")[0].move(other)
    assert (moved.subject, moved.folder) == ("Lunch?", other)
    copied = moved.copy(folder)
    assert copied.subject == "Lunch?"
    assert (len(folder), len(other)) == (3, 1)
    copied.delete(hard=True)
    moved.delete()
    assert (len(folder), len(other)) == (2, 0)
    assert folder.items(where=Item.subject.startswith("re")).delete(hard=True) == 1
    assert folder.empty() == 1
    other.name = "Renamed"
    assert session.store.folder("renamed").name == "Renamed"
    other.delete()
    refused(Code.NOT_FOUND, session.store.folder, "Renamed")


def test_attachments(session: Session, tmp_path: Path) -> None:
    folder = session.store.folder("Trial", create=True)
    item = folder.create(Message, subject="With parts", body="See.", save=False)
    (tmp_path / "notes.txt").write_bytes(b"notes\n")
    item.attachments.add(tmp_path / "notes.txt")
    item.attachments.add(b"\x89PNG", "dot.png", content_id="dot")
    item.attachments.add(folder.create(Message, subject="Within", body="Inner"))
    item.html = '<p>See <img src="cid:dot"></p>'
    item.save()
    found = session.store.item(item.id)
    by_name = {one.name: one for one in found.attachments}
    assert by_name["notes.txt"].data == b"notes\n"
    assert (by_name["dot.png"].inline, by_name["notes.txt"].inline) == (True, False)
    assert by_name["notes.txt"].type == "text/plain"
    (within,) = [one for one in found.attachments if one.values is not None]
    assert within.values is not None
    assert within.values.props[pr.SUBJECT] == "Within"
    assert b"Subject: Within" in within.data
    saved = found.attachments["notes.txt"].save(tmp_path)
    assert saved.read_bytes() == b"notes\n"
    for name, kept in (("..", "attachment"), ("../x\0y", "x_y"), ("a\\b.txt", "b.txt")):
        assert item.attachments.add(b"", name).save(tmp_path) == tmp_path / kept
    assert found.body is not None
    assert found.body.strip().startswith("See")
    found.attachments.remove("dot.png")
    assert len(found.save().attachments) == 2


def test_properties_by_tag_and_by_name(session: Session) -> None:
    folder = session.store.folder("Trial", create=True)
    item = folder.create(Message, subject="Props", save=False)
    item["PidTagInternetMessageId"] = "<a@example.com>"
    item[pr.CLIENT_SUBMIT_TIME] = NOON
    item.save()
    found = session.store.item(item.id)
    assert found["PR_INTERNET_MESSAGE_ID"] == found[0x1035001F] == "<a@example.com>"
    assert found.sent_at == NOON
    assert found.get("PidLidLocation") is None
    with pytest.raises(KeyError):
        found["PidLidLocation"]
    with pytest.raises(KeyError):
        found["PidTagOfNobody"]
    with pytest.raises(AttributeError):
        found.size = 3
    with pytest.raises(TypeError):
        folder.create(Message, colour="red")
    if Can.ITEMS in session.store.source.can:
        found["PidLidLocation"] = "Here"
        found.categories = ["red", "blue", "red"]
        found.save()
        again = session.store.item(item.id)
        assert (again["PidLidLocation"], again.categories) == ("Here", ["red", "blue"])
        assert folder.items(where=Item.categories.contains("blue"))[0] == again
        again.categories = None
        assert again.save().categories == []


def test_message_as_mime_and_back(session: Session) -> None:
    folder = session.store.folder("Trial", create=True)
    item = folder.add(
        eml=b"From: Zo\xc3\xab <zoe@example.net>\r\nSubject: Hi\r\nMessage-ID: <1@x>\r\n\r\nText\r\n"
    )
    assert (item.subject, item.message_id) == ("Hi", "<1@x>")
    assert b"\r\nMessage-ID: <1@x>\r\n" in b"\r\n" + item.eml()


def test_letter_stays_the_same_bytes_on_its_way(session: Session, tmp_path: Path) -> None:
    raw = b"From:  zoe@example.net\r\nsubject: as   it\tcame\r\n\r\nText\r\n"
    with mapi.connect("MH", path=tmp_path / "mh", create=True, address=ANN) as other:
        there = other.store.inbox.add(eml=raw)
        assert there.eml() == raw
        here = there.copy(session.store.folder("Here", create=True))
        back = here.move(other.store.folder("Back", create=True))
        if Can.ITEMS not in session.store.source.can:  # else it was properties in between
            assert back.eml() == raw
        assert back.subject == "as   it\tcame".replace("\t", " ")
        back.subject = "Another"
        assert b"Another" in back.eml()
        assert raw not in (back.eml(), back.save().eml())


def test_sync_tells_what_changed(session: Session) -> None:
    folder = filled(session)
    first = folder.sync()
    assert {one.subject for one in first.changed} == {"Lunch?", "RE: Lunch?", "Minutes"}
    first.changed[0].read = False
    gone = first.changed[1].entry
    first.changed[1].delete(hard=True)
    new = folder.create(Message, subject="New")
    then = folder.sync(first.state)
    assert ([one.subject for one in then.changed], then.gone) == (["New"], [gone])
    assert then.read == [(first.changed[0], False)]
    assert new in then.changed


async def test_watching(session: Session) -> None:
    folder = session.store.folder("Trial", create=True)
    seen = []

    async def watch() -> None:
        async for change in folder.watch():
            seen.append((change.what, change.item and change.item.subject))
            if change.what == "deleted":
                return

    task = asyncio.create_task(watch())
    await asyncio.sleep(0.05)
    item = await asyncio.to_thread(folder.create, Message, subject="One")
    await asyncio.sleep(0.05)
    await asyncio.to_thread(item.delete, hard=True)
    async with asyncio.timeout(30):
        await task
    assert seen == [("created", "One"), ("deleted", None)]


def test_two_people_write_to_each_other(people: dict[str, Session]) -> None:
    ann, bob = people[ANN], people[BOB]
    letter = ann.store.new(Message)
    letter.to = "bob bei"
    letter.subject, letter.body = "Lunch?", "At noon"
    letter.send()
    (got,) = bob.store.inbox.items(Message)
    assert (got.sender, got.read, got.body) == (Person(ANN), False, "At noon")
    assert [one.subject for one in ann.store.sent] == ["Lunch?"]
    answer = got.reply("Gladly")
    assert (answer.subject, answer.to) == ("RE: Lunch?", [Person(ANN)])
    answer.send()
    assert bob.store.inbox.items()[0].get("PidTagLastVerbExecuted") == 102
    (back,) = ann.store.inbox.items(Message)
    assert back.body is not None
    assert back.body.startswith("Gladly\r\n\r\nAnn <ann@example.com> wrote")
    assert "> At noon" in back.body
    back.attachments.add(b"menu", "menu.txt")
    forwarded = back.save().forward(BOB, "FYI")
    assert [one.name for one in forwarded.attachments] == ["menu.txt"]
    forwarded.send()
    assert bob.store.inbox.items(order="-sent_at")[0].subject == "FW: Lunch?"


def test_changes_of_two_programs_do_not_get_lost(people: dict[str, Session]) -> None:
    ann = people[ANN]
    item = ann.store.drafts.create(Message, subject="One")
    other = ann.store.item(item.id)
    other.subject = "Two"
    other.save()
    item.subject = "Three"
    refused(Code.OBJECT_CHANGED, item.save)
    item.save(force=True)
    assert ann.store.item(item.id).subject == "Three"


def test_names_are_looked_up(people: dict[str, Session]) -> None:
    ann = people[ANN]
    assert ann.me == Person(ANN)
    assert ann.resolve("Beispiel").address == BOB
    refused(Code.NOT_FOUND, ann.resolve, "zacharias")
    letter = ann.store.new(Message)
    letter.to = ["Bob Beispiel", "Carol <carol@example.com>; dora@example.com"]
    assert [one.address for one in letter.to] == [BOB, "carol@example.com", "dora@example.com"]
    empty = ann.store.new(Message)
    refused(Code.NO_RECIPIENTS, empty.send)


def test_special_folders_are_made_where_they_are_missing(session: Session) -> None:
    assert session.store.calendar.kind == "IPF.Appointment"
    assert session.store.calendar == session.store.calendar
    assert session.store.contacts.path in ("Contacts", "IPM/Contacts")
    with pytest.raises(MapiError):
        mapi.connect("NOBODY")


def test_lists_of_people_change_their_item(session: Session) -> None:
    item = session.store.new(Message)
    item.to = BOB
    item.to.append("Carol <carol@example.com>")
    item.cc.extend(["dora@example.com", Person("emil@example.com")])
    assert [one.address for one in item.to] == [BOB, "carol@example.com"]
    item.to.insert(0, "anton@example.com")
    item.to.remove(BOB)
    item.to[1] = "berta@example.com"
    del item.cc[0]
    assert [one.address for one in item.to] == ["anton@example.com", "berta@example.com"]
    assert item.cc.pop().address == "emil@example.com"
    item.to.clear()
    assert item.recipients() == []
    with pytest.raises(ValueError, match="not in list"):
        item.to.remove(BOB)


def test_who_stays_on_a_list_keeps_what_is_known_of_them(session: Session) -> None:
    item = session.store.new(Message)
    item.to = [BOB]
    item.mapi._item.recipients[0][pr.RECIPIENT_TRACKSTATUS] = 3
    item.to.append("carol@example.com")
    assert [bag.get(pr.RECIPIENT_TRACKSTATUS) for bag in item.mapi._item.recipients] == [3, None]


def test_mistakes_say_what_would_be_right(session: Session) -> None:
    folder = filled(session)
    with pytest.raises(TypeError, match=r"joined by & \| ~"):
        folder.items(where=Message.unread and Message.subject == "Lunch?")
    with pytest.raises(TypeError, match=r"no attribute 'sent': there are .*\bsubject\b"):
        folder.create(Message, sent=True)
    with pytest.raises(TypeError, match="bytes, or a text"):
        folder.add(eml=Path("letter.eml"))  # type: ignore[arg-type]
    assert folder.add(eml="Subject: as text\r\n\r\n").subject == "as text"
    now = NOON.replace(tzinfo=None)
    with pytest.raises(TypeError, match="with its zone"):
        mapi.find_times({}, datetime.timedelta(hours=1), now, now)
    with pytest.raises(TypeError, match="calendars_of"):
        mapi.find_times(["bob"], datetime.timedelta(hours=1), NOON, NOON)  # type: ignore[arg-type]
    assert {"Message", "connect", "find_times"} <= set(dir(mapi))
