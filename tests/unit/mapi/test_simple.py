"""Simple MAPI: every function, its flags and its codes, in memory; the header's names and values."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from quintet.mapi import consts, plain, pr, simple
from quintet.mapi.core import dialog
from quintet.mapi.core.admin import MAPIAdminProfiles
from quintet.mapi.core.errors import fail as fail_with
from quintet.mapi.core.profile import ENVIRONMENT
from quintet.mapi.core.session import IMAPISession
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import memory
from quintet.mapi.providers.base import Special
from quintet.mapi.simple import MapiFileDesc, MapiMessage, MapiRecipDesc
from tests.unit.mapi.core.conftest import ANN, BOB
from tests.unit.mapi.providers.conformance import letter
from tests.unit.mapi.test_consts import headers
from tools import mapi_consts


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[memory.World]:
    """Ann is the default profile, Bob another."""
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "profiles.json"))
    made = memory.world(str(tmp_path))
    admin = MAPIAdminProfiles()
    for name, address, title in (("Ann", ANN, "Ann Ahorn"), ("Bob", BOB, "Bob Birke")):
        made.account(address, title)
        admin.CreateProfile(name)
        services = admin.AdminServices(name)
        uid = services.CreateMsgService("MEMORY")
        services.ConfigureMsgService(uid, 0, 0, {"world": made.name, "account": address})
    yield made
    for handle in list(simple._sessions):
        simple.MAPILogoff(handle)
    memory.forget(made.name)


@pytest.fixture
def ann(world: memory.World) -> int:
    code, handle = simple.MAPILogon(0, "Ann", None, simple.MAPI_NEW_SESSION)
    assert code == simple.SUCCESS_SUCCESS
    return int(handle)


@pytest.fixture
def bob(world: memory.World) -> int:
    return int(simple.MAPILogon(0, "Bob", None, simple.MAPI_NEW_SESSION)[1])


def to(name: str, kind: int = simple.MAPI_TO) -> MapiRecipDesc:
    return MapiRecipDesc(kind, name)


def all_ids(session: int, flags: int = simple.MAPI_GUARANTEE_FIFO, kind: str = "") -> list[str]:
    found: list[str] = []
    code, one = simple.MAPIFindNext(session, 0, kind, "", flags)
    while code == simple.SUCCESS_SUCCESS:
        found.append(one)
        code, one = simple.MAPIFindNext(session, 0, kind, one, flags)
    assert code == simple.MAPI_E_NO_MESSAGES
    return found


def test_values_are_those_of_the_header() -> None:
    text = (headers() / "mapi.h").read_text("latin-1")
    known = mapi_consts.numbers([text])
    assert len(known) > 50
    for name, value in known.items():
        assert getattr(simple, name) == value, name
    functions = set(re.findall(r"ULONG \(?WINAPI (MAPI[A-Z]+)\)", text)) | {"MAPIFREEBUFFER"}
    ours = {
        name.upper() for name in dir(simple) if name.startswith("MAPI") and callable(getattr(simple, name))
    }
    assert functions <= ours
    assert len(functions) == 12


def test_letter_goes_and_comes(ann: int, bob: int, tmp_path: Path) -> None:
    menu = tmp_path / "menu.txt"
    menu.write_bytes(b"soup\r\n")
    message = MapiMessage(
        "Lunch?",
        "At noon.\r\n",
        flFlags=simple.MAPI_RECEIPT_REQUESTED,
        lpRecips=[to("Bob Birke"), MapiRecipDesc(simple.MAPI_CC, None, f"SMTP:{ANN}")],
        lpFiles=[MapiFileDesc(str(menu), "Menu.txt", 3)],
    )
    assert simple.MAPISendMail(ann, 0, message) == simple.SUCCESS_SUCCESS
    (entry,) = all_ids(bob)
    code, found = simple.MAPIReadMail(bob, 0, entry, simple.MAPI_PEEK)
    assert code == simple.SUCCESS_SUCCESS
    assert (found.lpszSubject, found.lpszNoteText, found.lpszMessageType) == (
        "Lunch?",
        "At noon.\r\n",
        "IPM.Note",
    )
    assert found.flFlags == simple.MAPI_UNREAD | simple.MAPI_RECEIPT_REQUESTED
    assert re.fullmatch(r"\d{4}/\d\d/\d\d \d\d:\d\d", found.lpszDateReceived)
    assert abs(time.mktime(time.strptime(found.lpszDateReceived, "%Y/%m/%d %H:%M")) - time.time()) < 120
    assert (found.lpOriginator.lpszName, found.lpOriginator.lpszAddress) == ("Ann Ahorn", f"SMTP:{ANN}")
    assert [(one.ulRecipClass, one.lpszName) for one in found.lpRecips] == [
        (simple.MAPI_TO, "Bob Birke"), (simple.MAPI_CC, ANN),
    ]  # fmt: skip
    assert (found.nRecipCount, found.nFileCount) == (2, 1)
    (file,) = found.lpFiles
    assert (file.lpszFileName, file.nPosition) == ("Menu.txt", 3)
    assert Path(file.lpszPathName).read_bytes() == b"soup\r\n"
    assert simple.MAPIFreeBuffer(found) == simple.SUCCESS_SUCCESS


def test_reading_marks_as_read_unless_one_only_peeks(world: memory.World, ann: int) -> None:
    world.stores[ANN].deliver(letter("one"))
    (entry,) = all_ids(ann, simple.MAPI_UNREAD_ONLY)
    simple.MAPIReadMail(ann, 0, entry, simple.MAPI_PEEK)
    assert all_ids(ann, simple.MAPI_UNREAD_ONLY) == [entry]
    simple.MAPIReadMail(ann, 0, entry)
    assert all_ids(ann, simple.MAPI_UNREAD_ONLY) == []
    assert all_ids(ann) == [entry]


def test_parts_that_are_not_wanted(world: memory.World, ann: int, tmp_path: Path) -> None:
    item = letter("one", body="text")
    world.stores[ANN].deliver(item)
    (entry,) = all_ids(ann)
    _, envelope = simple.MAPIReadMail(ann, 0, entry, simple.MAPI_ENVELOPE_ONLY)
    assert (envelope.lpszSubject, envelope.lpszNoteText, envelope.lpFiles) == ("one", "", [])
    _, whole = simple.MAPIReadMail(ann, 0, entry, simple.MAPI_SUPPRESS_ATTACH)
    assert (whole.lpszNoteText, whole.lpFiles) == ("text", [])
    _, filed = simple.MAPIReadMail(ann, 0, entry, simple.MAPI_BODY_AS_FILE)
    assert filed.lpszNoteText is None
    assert Path(filed.lpFiles[0].lpszPathName).read_text() == "text"
    Path(filed.lpFiles[0].lpszPathName).unlink()


def test_seed_that_was_deleted_still_leads_on(world: memory.World, ann: int) -> None:
    for text in ("one", "two", "three"):
        world.stores[ANN].deliver(letter(text))
    first, second, third = all_ids(ann)
    assert simple.MAPIDeleteMail(ann, 0, second) == simple.SUCCESS_SUCCESS
    assert simple.MAPIFindNext(ann, 0, "", second, 0) == (simple.SUCCESS_SUCCESS, third)
    assert simple.MAPIReadMail(ann, 0, second)[0] == simple.MAPI_E_INVALID_MESSAGE
    assert simple.MAPIDeleteMail(ann, 0, second) == simple.MAPI_E_INVALID_MESSAGE
    assert all_ids(ann) == [first, third]


def test_messages_of_a_class(world: memory.World, ann: int) -> None:
    item = letter("form")
    item.props[pr.MESSAGE_CLASS] = "IPM.Form.Order"
    world.stores[ANN].deliver(item)
    report = letter("report")
    report.props[pr.MESSAGE_CLASS] = "REPORT.IPM.Note.NDR"
    world.stores[ANN].deliver(report)
    assert len(all_ids(ann, kind="IPM.Form")) == 1
    assert len(all_ids(ann, kind="IPM.Note")) == 0
    assert len(all_ids(ann)) == 1  # reports are not for people


def test_saving_new_and_again(world: memory.World, ann: int, tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("a")
    message = MapiMessage("Draft", "one", lpRecips=[to("Bob")], lpFiles=[MapiFileDesc(str(file))])
    code, entry = simple.MAPISaveMail(ann, 0, message)
    assert code == simple.SUCCESS_SUCCESS
    message.lpszNoteText, message.lpFiles = "two", []
    code, again = simple.MAPISaveMail(ann, 0, message, 0, 0, entry)
    assert (code, again) == (simple.SUCCESS_SUCCESS, entry)
    _, found = simple.MAPIReadMail(ann, 0, entry)
    assert (found.lpszNoteText, found.nFileCount, found.nRecipCount) == ("two", 0, 1)
    assert simple.MAPISaveMail(ann, 0, message, 0, 0, "zz") == (simple.MAPI_E_INVALID_MESSAGE, "")


def test_ids_are_short_unless_long_ones_are_taken(world: memory.World, ann: int) -> None:
    room = simple._sessions.get(ann)
    assert isinstance(room, simple._Open)
    entry = bytes(range(70))
    short = room.id_of(entry, 0)
    assert len(short) < simple.SHORT_ID
    assert room.entry_of(short) == entry
    assert len(room.id_of(entry, simple.MAPI_LONG_MSGID)) == 140


@pytest.mark.parametrize(
    "message,code",
    [
        (MapiMessage("x"), simple.MAPI_E_INVALID_RECIPS),
        (MapiMessage("x", lpRecips=[to("Nobody At All")]), simple.MAPI_E_UNKNOWN_RECIPIENT),
        (MapiMessage("x", lpRecips=[to("Bo")]), simple.MAPI_E_AMBIGUOUS_RECIPIENT),
        (MapiMessage("x", lpRecips=[to("Ann", 7)]), simple.MAPI_E_BAD_RECIPTYPE),
        (
            MapiMessage("x", lpRecips=[to("Ann")], lpFiles=[MapiFileDesc("/nowhere/at/all")]),
            simple.MAPI_E_ATTACHMENT_NOT_FOUND,
        ),
        (
            MapiMessage("x", lpRecips=[to("Ann")], lpFiles=[MapiFileDesc("/")]),
            simple.MAPI_E_ATTACHMENT_OPEN_FAILURE,
        ),
        (MapiMessage("x", lpRecips=[to("Ann")] * 100_001), simple.MAPI_E_TOO_MANY_RECIPIENTS),
        (
            MapiMessage("x", lpRecips=[to("Ann")], lpFiles=[MapiFileDesc("a")] * 10_001),
            simple.MAPI_E_TOO_MANY_FILES,
        ),
    ],
)
def test_what_cannot_be_sent(world: memory.World, ann: int, message: MapiMessage, code: int) -> None:
    world.account("bobby@example.com", "Bobby Buche")
    assert simple.MAPISendMail(ann, 0, message) == code
    assert simple.MAPISendMailW(ann, 0, message) == code
    assert simple.MAPISendMailHelper(ann, 0, message) == code
    store = world.stores[ANN]
    assert list(store.messages(store.special()[Special.SENT]).ids()) == []


def test_codes_of_what_goes_wrong_below(ann: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise MapiError(Code.ACCESS_DENIED)

    monkeypatch.setattr(memory.Loopback, "send", refuse)
    assert simple.MAPISendMail(ann, 0, MapiMessage("x", lpRecips=[to("Bob")])) == simple.MAPI_E_ACCESS_DENIED


def test_logging_on_and_off(world: memory.World) -> None:
    assert simple.MAPILogon(0, "Nobody", None, 0) == (simple.MAPI_E_LOGON_FAILURE, 0)
    code, one = simple.MAPILogon(0, None, None, 0)
    assert code == simple.SUCCESS_SUCCESS
    other = simple.MAPILogon(0, None, None, simple.MAPI_NEW_SESSION | simple.MAPI_FORCE_DOWNLOAD)[1]
    again = simple.MAPILogon(0, None, None, 0)[1]  # the one that is open
    assert simple._sessions.get(again) is simple._sessions.get(one)
    assert simple._sessions.get(other) is not simple._sessions.get(one)
    assert simple.MAPILogoff(one) == simple.SUCCESS_SUCCESS
    assert simple.MAPILogoff(one) == simple.MAPI_E_INVALID_SESSION
    assert simple.MAPIFindNext(again, 0, "", "", 0)[0] == simple.MAPI_E_NO_MESSAGES  # it goes on
    assert simple.MAPIFindNext(one, 0, "", "", 0) == (simple.MAPI_E_INVALID_SESSION, "")
    assert simple.MAPIFindNext(0, 0, "", "", 0) == (simple.MAPI_E_INVALID_SESSION, "")


def test_call_without_a_session_logs_on_by_itself(world: memory.World) -> None:
    assert simple.MAPISendMail(0, 0, MapiMessage("Hello", lpRecips=[to("Bob")])) == simple.SUCCESS_SUCCESS
    assert not len(simple._sessions)
    code, found = simple.MAPIResolveName(0, 0, "Bob", 0)
    assert (code, found.lpszAddress) == (simple.SUCCESS_SUCCESS, f"SMTP:{BOB}")


def test_names_are_resolved(world: memory.World, ann: int, monkeypatch: pytest.MonkeyPatch) -> None:
    world.account("bobby@example.com", "Bobby Buche")
    assert simple.MAPIResolveName(ann, 0, "zzz", 0) == (simple.MAPI_E_UNKNOWN_RECIPIENT, None)
    assert simple.MAPIResolveName(ann, 0, "Bo", 0) == (simple.MAPI_E_AMBIGUOUS_RECIPIENT, None)
    code, found = simple.MAPIResolveName(ann, 0, "Bob Birke", 0)
    assert (code, found.lpszName, found.ulEIDSize > 20) == (0, "Bob Birke", True)
    code, again = simple.MAPIResolveName(ann, 0, "zoe@elsewhere.example", 0)
    assert again.lpszAddress == "SMTP:zoe@elsewhere.example"
    monkeypatch.setattr(dialog, "choose", lambda names, caption: names.index("Bobby Buche"))
    assert simple.MAPIResolveName(ann, 0, "Bo", simple.MAPI_DIALOG)[1].lpszName == "Bobby Buche"


def test_without_a_terminal_dialogs_are_aborted(ann: int) -> None:
    message = MapiMessage("x", lpRecips=[to("Bob")])
    assert simple.MAPISendMail(ann, 0, message, simple.MAPI_DIALOG) == simple.MAPI_E_USER_ABORT
    assert simple.MAPISendDocuments(0, ";", "/a;/b", "a;b") == simple.MAPI_E_USER_ABORT
    assert simple.MAPIAddress(ann, 0, None, 1) == (simple.MAPI_E_USER_ABORT, ())
    assert simple.MAPIDetails(ann, 0, to("Bob")) == simple.MAPI_E_USER_ABORT


def test_nothing_where_a_message_belongs_is_a_failure(ann: int) -> None:
    assert simple.MAPISendMail(None, 0, None) == simple.MAPI_E_FAILURE
    assert simple.MAPISaveMail(ann, 0, None) == (simple.MAPI_E_FAILURE, "")
    assert simple.MAPIDetails(ann, 0, None) == simple.MAPI_E_FAILURE
    assert simple.MAPIReadMail(ann, 0, None) == (simple.MAPI_E_INVALID_MESSAGE, None)
    assert simple.MAPIDeleteMail(ann, 0, None) == simple.MAPI_E_INVALID_MESSAGE
    assert simple.MAPIResolveName(ann, 0, None) == (simple.MAPI_E_UNKNOWN_RECIPIENT, None)
    bare = MapiMessage(lpRecips=None, lpFiles=None)
    assert (bare.nRecipCount, bare.nFileCount) == (0, 0)
    assert simple.MAPISendMail(ann, 0, bare) == simple.MAPI_E_INVALID_RECIPS


def test_saving_keeps_what_never_was_saved_as_it_is_said(world: memory.World, ann: int) -> None:
    for flags in (0, simple.MAPI_UNREAD, simple.MAPI_SENT, simple.MAPI_UNREAD | simple.MAPI_SENT):
        code, entry = simple.MAPISaveMail(ann, 0, MapiMessage("x", flFlags=flags))
        assert code == simple.SUCCESS_SUCCESS
        assert simple.MAPIReadMail(ann, 0, entry, simple.MAPI_PEEK)[1].flFlags == flags
    again = simple.MAPISaveMail(0, 0, MapiMessage("y"), 0, 0, entry)
    assert again == (simple.MAPI_E_INVALID_SESSION, "")  # an id belongs to a session


def test_dialogs_that_nobody_answers(world: memory.World, ann: int, monkeypatch: pytest.MonkeyPatch) -> None:
    world.account("bobby@example.com", "Bobby Buche")
    assert simple.MAPIResolveName(ann, 0, "Bo", simple.MAPI_DIALOG) == (simple.MAPI_USER_ABORT, None)
    asked: list[list[str]] = []
    monkeypatch.setattr(dialog, "ask", lambda labels, caption="": asked.append(list(labels)))
    for fields, given in ((0, []), (1, []), (3, []), (4, []), (1, [to("a", simple.MAPI_CC), to("b")])):
        assert simple.MAPIAddress(ann, 0, None, fields, "Whom?", given)[0] == simple.MAPI_USER_ABORT
    assert asked == [[], ["Whom?"], ["To", "Cc", "Bcc"], ["To", "Cc", "Bcc"], ["To", "Cc"]]


def test_dialogs_in_a_terminal(
    world: memory.World, ann: int, bob: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "a.txt"
    file.write_text("a")
    shown: list[str] = []
    monkeypatch.setattr(dialog, "terminal", lambda: True)
    monkeypatch.setattr(dialog, "ask", lambda labels, caption="", defaults=(): ["Bob", "Two"][: len(labels)])
    monkeypatch.setattr(dialog, "text", lambda caption: "typed")
    monkeypatch.setattr(dialog, "confirm", lambda question: True)
    monkeypatch.setattr(dialog, "show", lambda lines: shown.extend(lines) or True)
    assert simple.MAPISendMail(ann, 0, MapiMessage("x"), simple.MAPI_DIALOG) == simple.SUCCESS_SUCCESS
    assert simple.MAPISendDocuments(0, ";", str(file), "A.txt") == simple.SUCCESS_SUCCESS
    _, found = simple.MAPIReadMail(bob, 0, all_ids(bob)[0])
    assert (found.lpszSubject, found.lpszNoteText) == ("Two", "typed")
    assert simple.MAPIDetails(ann, 0, to("Bob")) == simple.SUCCESS_SUCCESS
    assert shown == ["Name: Bob Birke", f"Address: SMTP:{BOB}"]
    code, people = simple.MAPIAddress(ann, 0, None, 1, None, [to("Ann")])
    assert (code, [one.lpszName for one in people]) == (0, ["Ann", "Bob Birke"])
    assert simple.MAPIAddress(ann, 0, None, 5) == (simple.MAPI_E_INVALID_EDITFIELDS, ())
    assert simple.MAPIAddress(ann, 0, None, 1, None, [to("x", 9)]) == (simple.MAPI_E_INVALID_RECIPS, ())


def test_names_of_files_stay_in_their_folder(world: memory.World, ann: int) -> None:
    from quintet.mapi.bag import Attachment

    item = letter("bad")
    item.attachments.append(
        Attachment({pr.ATTACH_METHOD: 1, pr.ATTACH_LONG_FILENAME: "../../../etc/passwd\0"}, b"x")
    )
    world.stores[ANN].deliver(item)
    _, found = simple.MAPIReadMail(ann, 0, all_ids(ann)[0])
    path = Path(found.lpFiles[0].lpszPathName)
    assert path.parent.name.startswith("mapi-")
    assert path.name == "0-_.._.._etc_passwd_"
    assert consts.ATTACH_BY_VALUE == 1


def test_a_logon_that_fails_leaves_no_session_open(
    world: memory.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the letters that wait cannot be sent (MAPI_FORCE_DOWNLOAD), or there is no store."""
    ended: list[IMAPISession] = []
    logoff = IMAPISession.Logoff

    def note(session: IMAPISession, *args: int) -> None:
        ended.append(session)
        logoff(session, *args)

    def fail(*_: object) -> None:
        raise fail_with("MAPI_E_NETWORK_ERROR")

    monkeypatch.setattr(IMAPISession, "Logoff", note)
    for call, flags in (("FlushQueues", simple.MAPI_FORCE_DOWNLOAD), ("OpenMsgStore", 0)):
        with monkeypatch.context() as patch:
            patch.setattr(IMAPISession, call, fail)
            code, handle = simple.MAPILogon(0, "Ann", None, simple.MAPI_NEW_SESSION | flags)
        assert (code, handle) == (simple.MAPI_E_NETWORK_FAILURE, 0)
    assert [one.closed for one in ended] == [True, True]
    assert not len(simple._sessions)


def test_attachments_that_cannot_be_written_leave_no_files(
    world: memory.World, ann: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = []
    for name in ("first.txt", "second.txt"):
        (tmp_path / name).write_text(name)
        files.append(MapiFileDesc(str(tmp_path / name)))
    assert simple.MAPISaveMail(ann, 0, MapiMessage("Menu", lpFiles=files))[0] == simple.SUCCESS_SUCCESS
    (one,) = all_ids(ann)
    place = tmp_path / "out"
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    assert simple.MAPIReadMail(ann, 0, one)[0] == simple.MAPI_E_ATTACHMENT_WRITE_FAILURE
    place.mkdir()
    whole = plain._write_file

    def second_fails(path: Path, data: bytes) -> None:
        if "second" in path.name:
            raise plain.NoFile(found=True, writing=True)
        whole(path, data)

    monkeypatch.setattr(plain, "_write_file", second_fails)
    assert simple.MAPIReadMail(ann, 0, one)[0] == simple.MAPI_E_ATTACHMENT_WRITE_FAILURE
    assert list(place.iterdir()) == []
