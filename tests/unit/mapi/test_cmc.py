"""CMC: all ten calls, their flags and codes, in a world in memory; the header's names and values."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from quintet.mapi import cmc
from quintet.mapi.cmc import CMC_attachment, CMC_extension, CMC_message, CMC_recipient
from quintet.mapi.core import dialog
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import membook, memory
from tests.unit.mapi.core.conftest import ANN, BOB
from tests.unit.mapi.providers.conformance import letter
from tests.unit.mapi.test_consts import headers
from tests.unit.mapi.test_simple import world
from tools import mapi_consts

__all__ = ["world"]


@pytest.fixture(autouse=True)
def closing() -> Iterator[None]:
    yield
    for number in list(cmc._sessions):
        cmc.cmc_logoff(number)


@pytest.fixture
def ann(world: memory.World) -> int:
    code, session = cmc.cmc_logon(None, "Ann", None, cmc.CMC_CHAR_UNICODE, 0, cmc.CMC_VERSION, 0)
    assert code == cmc.CMC_SUCCESS
    return int(session)


@pytest.fixture
def bob(world: memory.World) -> int:
    return int(cmc.cmc_logon(None, "Bob", None, None, 0, cmc.CMC_VERSION, 0)[1])


def test_values_are_those_of_the_header() -> None:
    text = (headers() / "xcmc.h").read_text("latin-1")
    for kind in ("boolean", "flags", "enum", "return_code", "uint16", "sint16", "uint32"):
        text = text.replace(f"(CMC_{kind})", "")
    known = {name: value for name, value in mapi_consts.numbers([text]).items() if name.startswith("CMC_")}
    assert len(known) > 90
    for name, value in known.items():
        if name != "CMC_NO_TIMEZONE":  # a signed number of 16 bits
            assert getattr(cmc, name) == value, name
    assert known["CMC_NO_TIMEZONE"] == cmc.CMC_NO_TIMEZONE & 0xFFFF


def test_letter_goes_and_comes(ann: int, bob: int, tmp_path: Path) -> None:
    note, menu = tmp_path / "note.txt", tmp_path / "menu.txt"
    note.write_text("At noon.")
    menu.write_bytes(b"soup")
    message = CMC_message(
        subject="Lunch?",
        recipients=[
            CMC_recipient("Bob Birke"),
            CMC_recipient(None, address=f"SMTP:{ANN}", role=cmc.CMC_ROLE_CC),
            CMC_recipient("Nobody", recip_flags=cmc.CMC_RECIP_IGNORE),
        ],
        attachments=[CMC_attachment(None, None, str(note)), CMC_attachment("Menu", None, str(menu))],
        message_flags=cmc.CMC_MSG_TEXT_NOTE_AS_FILE,
    )
    assert cmc.cmc_send(ann, message) == cmc.CMC_SUCCESS
    code, count, (summary,) = cmc.cmc_list(bob, None, 0, None, 0)
    assert (code, count, summary.subject, summary.summary_flags) == (0, 1, "Lunch?", 0)
    assert summary.originator.name == "Ann Ahorn"
    assert summary.time_sent.year + 1900 == time.localtime().tm_year
    code, found = cmc.cmc_read(bob, summary.message_reference)
    assert (code, found.subject, found.text_note, found.message_flags) == (0, "Lunch?", "At noon.", 0)
    roles = [(one.role, one.name) for one in found.recipients]
    assert roles == [
        (cmc.CMC_ROLE_ORIGINATOR, "Ann Ahorn"), (cmc.CMC_ROLE_TO, "Bob Birke"), (cmc.CMC_ROLE_CC, ANN),
    ]  # fmt: skip
    (attachment,) = found.attachments
    assert attachment.attach_title == "Menu"
    assert Path(attachment.attach_filename).read_bytes() == b"soup"
    assert cmc.cmc_read(bob, summary.message_reference)[1].message_flags == cmc.CMC_MSG_READ
    assert cmc.cmc_free(found) == cmc.CMC_SUCCESS


def test_listing_in_pieces(world: memory.World, ann: int) -> None:
    for text in ("one", "two", "three"):
        world.stores[ANN].deliver(letter(text))
    _, count, first = cmc.cmc_list(ann, "", cmc.CMC_LIST_MSG_REFS_ONLY, None, 2)
    assert (count, [one.subject for one in first]) == (2, [None, None])
    _, _, rest = cmc.cmc_list(ann, "", 0, first[-1].message_reference, 0)
    assert [one.subject for one in rest] == ["three"]
    assert cmc.cmc_list(ann, "", cmc.CMC_LIST_COUNT_ONLY, None, 0) == (0, 3, [])
    assert cmc.cmc_act_on(ann, first[1].message_reference, cmc.CMC_ACT_ON_DELETE) == cmc.CMC_SUCCESS
    _, _, rest = cmc.cmc_list(ann, "", 0, first[1].message_reference, 0)
    assert [one.subject for one in rest] == ["three"]
    assert cmc.cmc_read(ann, first[1].message_reference) == (cmc.CMC_E_INVALID_MESSAGE_REFERENCE, None)


def test_first_unread_and_without_marking(world: memory.World, ann: int) -> None:
    world.stores[ANN].deliver(letter("one"))
    world.stores[ANN].deliver(letter("two"))
    _, found = cmc.cmc_read(ann, None, cmc.CMC_DO_NOT_MARK_AS_READ | cmc.CMC_MSG_AND_ATT_HDRS_ONLY)
    assert (found.subject, found.text_note) == ("one", None)
    for subject in ("one", "two"):
        assert cmc.cmc_read(ann, None, cmc.CMC_READ_FIRST_UNREAD_MESSAGE)[1].subject == subject
    code, found = cmc.cmc_read(ann, None, cmc.CMC_READ_FIRST_UNREAD_MESSAGE)
    assert (code, found) == (cmc.CMC_E_INVALID_MESSAGE_REFERENCE, None)
    assert cmc.cmc_list(ann, "", cmc.CMC_LIST_UNREAD_ONLY, None, 0)[1] == 0


def test_documents_are_sent(world: memory.World, bob: int, tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("the note")
    second.write_text("b")
    code = cmc.cmc_send_documents(
        f"{BOB};cc:Ann", "Papers", None, cmc.CMC_FIRST_ATTACH_AS_TEXT_NOTE, f"{first};{second}", "A;B", ";"
    )
    assert code == cmc.CMC_SUCCESS
    _, found = cmc.cmc_read(bob, None)
    assert (found.subject, found.text_note) == ("Papers", "the note")
    assert [one.attach_title for one in found.attachments] == ["B"]
    assert cmc.cmc_send_documents("cc:", "x", None, 0, None, None, None) == cmc.CMC_E_RECIPIENT_NOT_FOUND
    assert cmc.cmc_send_documents(None, "x", None, 0, None, None, None) == cmc.CMC_E_USER_CANCEL


@pytest.mark.parametrize(
    "message,code",
    [
        (CMC_message(subject="x"), cmc.CMC_E_RECIPIENT_NOT_FOUND),
        (CMC_message(recipients=[CMC_recipient("Nobody At All")]), cmc.CMC_E_RECIPIENT_NOT_FOUND),
        (CMC_message(recipients=[CMC_recipient("Bo")]), cmc.CMC_E_AMBIGUOUS_RECIPIENT),
        (CMC_message(recipients=[CMC_recipient("Ann", role=9)]), cmc.CMC_E_INVALID_ENUM),
        (
            CMC_message(
                recipients=[CMC_recipient("Ann")], attachments=[CMC_attachment(None, None, "/nowhere")]
            ),
            cmc.CMC_E_ATTACHMENT_NOT_FOUND,
        ),
        (CMC_message(recipients=[CMC_recipient("Ann")] * 100_001), cmc.CMC_E_TOO_MANY_RECIPIENTS),
    ],
)
def test_what_cannot_be_sent(world: memory.World, ann: int, message: CMC_message, code: int) -> None:
    world.account("bobby@example.com", "Bobby Buche")
    assert cmc.cmc_send(ann, message) == code


def test_looking_up(world: memory.World, ann: int) -> None:
    world.account("bobby@example.com", "Bobby Buche")
    code, count, (one,) = cmc.cmc_look_up(ann, CMC_recipient("Bob Birke"))
    assert (code, count, one.address, one.name_type) == (0, 1, f"SMTP:{BOB}", cmc.CMC_TYPE_INDIVIDUAL)
    _, count, _ = cmc.cmc_look_up(ann, CMC_recipient("Bo"), cmc.CMC_LOOKUP_RESOLVE_PREFIX_SEARCH)
    assert count == 2
    _, count, few = cmc.cmc_look_up(ann, CMC_recipient("Bo"), cmc.CMC_LOOKUP_RESOLVE_PREFIX_SEARCH, 0, 1)
    assert (count, few[-1].recip_flags) == (1, cmc.CMC_RECIP_LIST_TRUNCATED)
    _, _, (me,) = cmc.cmc_look_up(ann, CMC_recipient(), cmc.CMC_LOOKUP_RESOLVE_IDENTITY)
    assert me.name == "Ann Ahorn"
    assert cmc.cmc_look_up(ann, CMC_recipient("Bo"))[0] == cmc.CMC_E_AMBIGUOUS_RECIPIENT
    assert cmc.cmc_look_up(ann, CMC_recipient("zz"))[0] == cmc.CMC_E_RECIPIENT_NOT_FOUND
    code = cmc.cmc_look_up(ann, CMC_recipient("Bob Birke"), cmc.CMC_LOOKUP_DETAILS_UI)[0]
    assert code == cmc.CMC_E_USER_CANCEL  # no terminal is here


def test_configuration(world: memory.World, ann: int) -> None:
    assert cmc.cmc_query_configuration(ann, cmc.CMC_CONFIG_DEFAULT_USER) == (0, "Ann")
    assert cmc.CMC_CHAR_UNICODE in cmc.cmc_query_configuration(0, cmc.CMC_CONFIG_CHARACTER_SET)[1]
    assert cmc.cmc_query_configuration(ann, cmc.CMC_CONFIG_VER_SPEC) == (0, 100)
    assert cmc.cmc_query_configuration(ann, cmc.CMC_CONFIG_UI_AVAIL) == (0, 0)
    assert cmc.cmc_query_configuration(ann, 99) == (cmc.CMC_E_INVALID_ENUM, None)
    assert cmc.cmc_query_configuration(999, 1) == (cmc.CMC_E_INVALID_SESSION_ID, None)


def test_logging_on(world: memory.World) -> None:
    bad = [
        (("NOBODY", None, None, None, 0, 100, 0), cmc.CMC_E_SERVICE_UNAVAILABLE),
        ((None, "Nobody", None, None, 0, 100, 0), cmc.CMC_E_LOGON_FAILURE),
        ((None, "Ann", None, None, 0, 101, 0), cmc.CMC_E_UNSUPPORTED_VERSION),
        ((None, "Ann", None, cmc.CMC_CHAR_CP437, 0, 100, 0), cmc.CMC_E_UNSUPPORTED_CHARACTER_SET),
    ]
    for arguments, code in bad:
        assert cmc.cmc_logon(*arguments) == (code, 0)
    code, session = cmc.cmc_logon("MEMORY", "dora@example.com", None, None, 0, 100, 0)
    assert code == cmc.CMC_SUCCESS
    assert cmc.cmc_logoff(session) == cmc.CMC_SUCCESS
    assert cmc.cmc_logoff(session) == cmc.CMC_E_INVALID_SESSION_ID
    assert cmc.cmc_list(session, "", 0, None, 0) == (cmc.CMC_E_INVALID_SESSION_ID, 0, ())


def test_extensions(ann: int) -> None:
    asked = CMC_extension(cmc.CMC_X_COM_SUPPORT_EXT, cmc.CMC_X_COM_CONFIG_DATA)
    whole = CMC_extension(cmc.CMC_X_COM_CONFIG_DATA)
    assert cmc.cmc_logoff(ann, 0, 0, [asked, whole]) == cmc.CMC_SUCCESS
    assert asked.item_data == cmc.CMC_X_COM_SUPPORTED
    assert whole.item_reference[cmc.CMC_CONFIG_VER_SPEC] == 100
    unknown = CMC_extension(4711, 0, None, cmc.CMC_EXT_REQUIRED)
    assert cmc.cmc_send(0, CMC_message(), 0, 0, [unknown]) == cmc.CMC_E_UNSUPPORTED_FUNCTION_EXT


def test_other_actions_and_asking(ann: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cmc.cmc_act_on(ann, b"x", cmc.CMC_ACT_ON_EXTENDED) == cmc.CMC_E_UNSUPPORTED_ACTION
    assert cmc.cmc_act_on(ann, b"x", 7) == cmc.CMC_E_INVALID_ENUM
    assert cmc.cmc_act_on(ann, None, cmc.CMC_ACT_ON_DELETE) == cmc.CMC_E_INVALID_MESSAGE_REFERENCE
    message = CMC_message(subject="x", recipients=[CMC_recipient("Bob")])
    assert cmc.cmc_send(ann, message, cmc.CMC_SEND_UI_REQUESTED) == cmc.CMC_E_USER_CANCEL
    monkeypatch.setattr(dialog, "ask", lambda labels, caption="", defaults=(): ["Bob", "Two"])
    monkeypatch.setattr(dialog, "text", lambda caption: "typed")
    monkeypatch.setattr(dialog, "confirm", lambda question: True)
    assert cmc.cmc_send(ann, CMC_message(), cmc.CMC_SEND_UI_REQUESTED) == cmc.CMC_SUCCESS
    bob = int(cmc.cmc_logon(None, "Bob", None, None, 0, cmc.CMC_VERSION, 0)[1])
    _, found = cmc.cmc_read(bob, None)
    assert (found.subject, found.text_note) == ("Two", "typed")


def test_a_role_and_a_count_that_there_are_not(ann: int) -> None:
    nobody = CMC_recipient("bob", role=99)
    assert cmc.cmc_look_up(ann, nobody) == (cmc.CMC_E_INVALID_ENUM, 0, ())
    assert cmc.cmc_send(ann, CMC_message(recipients=[nobody])) == cmc.CMC_E_INVALID_ENUM
    assert cmc.cmc_look_up(ann, CMC_recipient("bob"), 0, 0, -1)[0] == cmc.CMC_E_INVALID_PARAMETER
    assert cmc.cmc_list(ann, None, 0, None, -1) == (cmc.CMC_E_INVALID_PARAMETER, 0, ())


def test_flags_that_a_call_does_not_have(ann: int) -> None:
    bad = 0x40
    calls = [
        (cmc.cmc_logon, (None, "Ann", None, None, 0, 100, bad)),
        (cmc.cmc_send, (ann, CMC_message(), bad)),
        (cmc.cmc_send, (ann, CMC_message(), cmc.CMC_FIRST_ATTACH_AS_TEXT_NOTE)),
        (cmc.cmc_send_documents, (ANN, "x", None, bad, None, None, None)),
        (cmc.cmc_act_on, (ann, b"x", cmc.CMC_ACT_ON_DELETE, bad)),
        (cmc.cmc_list, (ann, None, bad, None, 0)),
        (cmc.cmc_read, (ann, None, bad)),
        (cmc.cmc_look_up, (ann, CMC_recipient("Bob"), bad)),
        (cmc.cmc_logoff, (ann, 0, bad)),
    ]
    for call, arguments in calls:
        found = call(*arguments)
        assert (found[0] if isinstance(found, tuple) else found) == cmc.CMC_E_INVALID_FLAG, call
    allowed = cmc.CMC_ERROR_UI_ALLOWED | cmc.CMC_COUNTED_STRING_TYPE
    assert cmc.cmc_list(ann, None, allowed, None, 0)[0] == cmc.CMC_SUCCESS


def test_session_nought_logs_on_where_that_is_allowed(world: memory.World) -> None:
    assert cmc.cmc_list(0, None, 0, None, 0) == (cmc.CMC_E_USER_NOT_LOGGED_ON, 0, ())
    assert cmc.cmc_read(0, None) == (cmc.CMC_E_USER_NOT_LOGGED_ON, None)
    assert cmc.cmc_send(0, CMC_message()) == cmc.CMC_E_USER_NOT_LOGGED_ON
    world.stores[ANN].deliver(letter("one"))
    flags = cmc.CMC_LOGON_UI_ALLOWED | cmc.CMC_LIST_COUNT_ONLY
    assert cmc.cmc_list(0, None, flags, None, 0) == (cmc.CMC_SUCCESS, 1, [])
    assert not len(cmc._sessions)


def test_nothing_where_something_belongs(ann: int) -> None:
    assert cmc.cmc_send(ann, None) == cmc.CMC_E_INVALID_PARAMETER
    assert cmc.cmc_look_up(ann, None) == (cmc.CMC_E_INVALID_PARAMETER, 0, ())
    assert cmc.cmc_send(ann, CMC_message(recipients=None, attachments=None)) == cmc.CMC_E_RECIPIENT_NOT_FOUND


def test_a_list_of_recipients_that_a_person_writes(
    world: memory.World, ann: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = cmc.CMC_LOOKUP_ADDRESSING_UI
    given = [CMC_recipient("Bob"), CMC_recipient("Ann", role=cmc.CMC_ROLE_CC)]
    assert cmc.cmc_look_up(ann, given, flags) == (cmc.CMC_E_USER_CANCEL, 0, ())
    monkeypatch.setattr(dialog, "ask", lambda labels, caption, defaults: list(defaults))
    _, count, found = cmc.cmc_look_up(ann, given, flags)
    assert (count, [(one.name, one.role) for one in found]) == (2, [("Bob Birke", 0), ("Ann Ahorn", 1)])
    monkeypatch.setattr(dialog, "ask", lambda labels, caption, defaults: ["bcc: zoe@elsewhere.example"])
    _, _, (zoe,) = cmc.cmc_look_up(ann, None, flags)
    assert (zoe.address, zoe.role) == ("SMTP:zoe@elsewhere.example", cmc.CMC_ROLE_BCC)
    monkeypatch.setattr(dialog, "show", lambda lines: True)
    world.account("bobby@example.com", "Bobby Buche")
    both = cmc.CMC_LOOKUP_RESOLVE_PREFIX_SEARCH | cmc.CMC_LOOKUP_DETAILS_UI
    assert cmc.cmc_look_up(ann, CMC_recipient("Bo"), both)[0] == cmc.CMC_E_AMBIGUOUS_RECIPIENT


def test_a_book_that_cannot_be_reached(ann: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MapiError(Code.NETWORK_ERROR, "down")

    monkeypatch.setattr(membook.MemoryBook, "resolve", fail)
    flags = cmc.CMC_LOOKUP_RESOLVE_PREFIX_SEARCH
    assert cmc.cmc_look_up(ann, CMC_recipient("b"), flags) == (cmc.CMC_E_SERVICE_UNAVAILABLE, 0, ())
