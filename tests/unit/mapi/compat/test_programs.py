"""Programs written for python-mapi do here what they do there."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from quintet import mapi
from quintet.mapi import compat, consts, pr, tags
from quintet.mapi.compat import kopano, modules
from quintet.mapi.core.profile import ENVIRONMENT
from quintet.mapi.errors import MapiError
from quintet.mapi.providers import memory
from quintet.mapi.providers.base import Special
from tests.unit.mapi.compat import programs
from tests.unit.mapi.core.conftest import ANN, BOB
from tests.unit.mapi.providers.conformance import letter

Run = Callable[[str], list[Any]]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[memory.World]:
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "profiles.json"))
    made = memory.world(str(tmp_path))
    made.account(ANN, "Ann Ahorn")
    made.account(BOB, "Bob Birke")
    compat.install("MEMORY", world=made.name)
    yield made
    compat.uninstall()
    memory.forget(made.name)


@pytest.fixture
def run(world: memory.World) -> Run:
    def go(program: str) -> list[Any]:
        out: list[Any] = []
        exec(compile(program, "program", "exec"), {"out": out, "__name__": "program"})
        return out

    return go


def test_reading_the_inbox(world: memory.World, run: Run) -> None:
    world.stores[ANN].deliver(letter("one", body="first"))
    entry = world.stores[ANN].deliver(letter("two", body="second")).filed[0]
    world.stores[ANN].mark_read([entry], True)
    assert run(programs.READ_INBOX) == [(b"two", True, b"second"), (b"one", False, b"first")]


def test_sending(world: memory.World, run: Run) -> None:
    assert run(programs.SEND) == [1]
    store = world.stores[BOB]
    (entry,) = store.messages(store.special()[Special.INBOX]).ids()
    item = store.load(entry)
    assert (item.props[pr.SUBJECT], item.props[pr.BODY]) == ("Grüße", "from a program")
    assert [one[pr.EMAIL_ADDRESS] for one in item.recipients] == [BOB, "zoe@elsewhere.example"]
    assert (item.attachments[0].props[pr.ATTACH_LONG_FILENAME], item.attachments[0].data) == (
        "data.bin",
        b"12345",
    )
    own = world.stores[ANN]  # the one whom nobody reaches came back
    (report,) = own.messages(own.special()[Special.INBOX]).ids()
    assert own.load(report).props[pr.MESSAGE_CLASS] == "REPORT.IPM.Note.NDR"


def test_named_properties_and_errors(run: Run) -> None:
    assert run(programs.NAMED) == [
        [b"red", b"blue"], "1970/01/01 00:00:00 GMT", True, 0, True, "0x80070005",
    ]  # fmt: skip


def test_searching_and_walking(world: memory.World, run: Run) -> None:
    for text in ("one", "two", "someone"):
        world.stores[ANN].deliver(letter(text))
    assert run(programs.SEARCH) == [[b"one", b"someone"], True]


def test_synchronizing(world: memory.World, run: Run) -> None:
    for text in ("one", "two"):
        world.stores[ANN].deliver(letter(text))
    assert run(programs.SYNC) == [2, (0, 1)]


def test_notifications(world: memory.World, run: Run) -> None:
    out = run(programs.NOTIFY)
    world.stores[ANN].deliver(letter("new"))
    assert out == ["IPM.Note"]


def test_people_and_their_stores(run: Run) -> None:
    assert run(programs.PEOPLE) == [
        [ANN, BOB], [ANN.encode(), BOB.encode()], [], [f"Mailbox - {BOB}"], True,
    ]  # fmt: skip


def test_profile_that_a_program_makes(run: Run) -> None:
    assert run(programs.OWN_PROFILE) == [f"Mailbox - {ANN}", None]


def test_compressed_rtf(run: Run) -> None:
    assert run(programs.RTF) == [b"{\\rtf1 hello}"]


def test_moving_folders(run: Run) -> None:
    assert run(programs.MOVE_FOLDERS) == [b"of last year", [(b"one", 1), (b"two", 1)], b"Deeper", None]


LETTER = b"""From: Cid <cid@example.com>\r
To: ann@example.com\r
Subject: Plan\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=x\r
\r
--x\r
Content-Type: text/plain\r
\r
As attached.\r
--x\r
Content-Type: application/octet-stream; name=a.bin\r
Content-Disposition: attachment; filename=a.bin\r
\r
1. Begin\r
--x--\r
"""
CALENDAR = b"""BEGIN:VCALENDAR\r
BEGIN:VEVENT\r
UID:stand-up@example.com\r
SUMMARY:Stand-up\r
DTSTART:20270302T093000Z\r
DURATION:PT15M\r
END:VEVENT\r
END:VCALENDAR\r
"""
CARD = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Zoe Zander\r\nN:Zander;Zoe\r\nEND:VCARD\r\n"


def test_converting(run: Run) -> None:
    texts = f"letter, calendar, card = {LETTER!r}, {CALENDAR!r}, {CARD!r}\n"
    assert run(texts + programs.CONVERT) == [
        b"Plan", 1, [b"ann@example.com"], b"1. Begin", [b"Subject: Plan"],
        (True, b"()", b"()"), (1, True, b"stand-up@example.com"), (b"PUBLISH", True), True,
    ]  # fmt: skip


def test_rules_and_rights(world: memory.World, run: Run) -> None:
    assert run(programs.RULES_AND_RIGHTS) == [
        [(b"no advertising", 1)], [(b"Bob Birke", 0x401)],
        [(ANN, "Ann Ahorn"), (BOB, "Bob Birke")], "MAPI_E_NO_SUPPORT",
    ]  # fmt: skip
    store = world.stores[ANN]
    store.deliver(letter("Buy now"))
    assert not store.messages(store.special()[Special.INBOX]).ids()
    assert len(store.messages(store.special()[Special.DELETED]).ids()) == 1


def test_free_and_busy_times(world: memory.World, run: Run) -> None:
    with mapi.connect("MEMORY", world=world.name, account=ANN) as session:
        noon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
        session.store.calendar.create(
            mapi.Appointment, subject="Lunch", start=noon, end=noon + datetime.timedelta(hours=1)
        )
    assert run(programs.BUSY) == [
        [(60, 2, True)], [], [(True, True)], "no match", ("PR_SUBJECT", "PT_STRING8", b"hello"),
    ]  # fmt: skip


def test_replicating_to_another_store(run: Run) -> None:
    assert run(programs.REPLICATE) == [[b"one", b"two"], 1, [b"2026"]]


MISTAKES = """
from MAPI.Util import *
from MAPI import IStream

session = OpenECSession("ann@example.com", "", None)
store = GetDefaultStore(session)
root = store.OpenEntry(None, None, MAPI_MODIFY)
inbox = store.OpenEntry(store.GetReceiveFolder(b"IPM", 0)[0], None, MAPI_MODIFY)
message = inbox.CreateMessage(None, 0)
book = session.OpenAddressBook(0, None, 0)
profiles = MAPIAdminProfiles(0)

def code(call, *args):
    try:
        return call(*args)
    except MAPIError as error:
        assert error.name in str(error)
        return error.name

for call in (
    (store.DeleteProps, None), (store.CompareEntryIDs, None, None, 0), (store.OpenProperty, 0, None, 0, 0),
    (store.AbortSubmit, None, 0), (store.SetLockState, None, 0), (store.FinishedMsg, 0, None),
    (store.NotifyNewMail, None), (store.NotifyNewMail, NEWMAIL_NOTIFICATION(None, None, 0, None, 0)),
    (inbox.OpenProperty, 0, None, 0, 0), (inbox.CreateFolder, 0, None, None, None, 0),
    (inbox.CreateFolder, 7, b"x", None, None, 0), (inbox.GetMessageStatus, None, 0),
    (message.ModifyRecipients, MODRECIP_ADD, None), (book.CreateOneOff, None, None, None, 0),
    (book.CreateOneOff, b"Name", b"SMTP", None, 0), (profiles.CreateProfile, None, None, 0, 0),
):
    out.append(code(*call))
"""


def test_what_may_not_be_null_is_refused(run: Run) -> None:
    assert set(run(MISTAKES)) == {"MAPI_E_INVALID_PARAMETER"}


READING_ONLY = """
store = GetDefaultStore(OpenECSession("ann@example.com", "", None))
root = store.OpenEntry(None, IID_IMAPIFolder, 0)
for call in (
    lambda: root.SetProps([SPropValue(PR_COMMENT, b"Test")]), lambda: root.CreateMessage(None, 0),
    lambda: store.OpenEntry(None, IID_IMessage, MAPI_MODIFY),
):
    try:
        call()
    except MAPIError as error:
        out.append(error.name)
for tag, iid in (
    (PR_CONTAINER_CONTENTS, IID_IMAPITable), (PR_FOLDER_ASSOCIATED_CONTENTS, IID_IMAPITable),
    (PR_CONTAINER_HIERARCHY, IID_IMAPITable), (PR_ACL_TABLE, IID_IExchangeModifyTable),
):
    root.OpenProperty(tag, iid, 0, 0)
    out.append(tag >> 16)
table = store.OpenProperty(PR_RECEIVE_FOLDER_SETTINGS, IID_IMAPITable, 0, 0)
out.append(table.QueryColumns(0)[0] == PR_MESSAGE_CLASS)
"""


def test_opened_without_modify_is_for_reading(run: Run) -> None:
    assert run("from MAPI.Util import *\n" + READING_ONLY) == [
        "MAPI_E_NO_ACCESS", "MAPI_E_NO_ACCESS", "MAPI_E_INTERFACE_NOT_SUPPORTED",
        0x360F, 0x3610, 0x360E, 0x3FE0, True,
    ]  # fmt: skip


EXPORTS = """
MAPI IStream MAPIAdviseSink MAPILogonEx MAPI_UNICODE ECImportHierarchyChanges PT_LONG IID_IMessage STGM_WRITE
MAPI.Defs PROP_TAG PROP_TYPE PROP_ID CHANGE_PROP_TYPE PpropFindProp HrGetOneProp DEFINE_GUID bin2hex
MAPI.Struct SPropValue SSort SSortOrderSet MAPINAMEID SPropProblem SAndRestriction SOrRestriction
MAPI.Struct SNotRestriction SContentRestriction SBitMaskRestriction SPropertyRestriction SSizeRestriction
MAPI.Struct SComparePropsRestriction SExistRestriction SSubRestriction SCommentRestriction actMoveCopy
MAPI.Struct actReply actDeferAction actBounce actFwdDelegate actTag ACTION ACTIONS MAPIError READSTATE
MAPI.Struct MAPIErrorNotFound MAPIErrorNoAccess MVPROPMAP ECUSER ECGROUP ECCOMPANY ERROR_NOTIFICATION
MAPI.Struct NEWMAIL_NOTIFICATION
MAPI.Struct OBJECT_NOTIFICATION TABLE_NOTIFICATION ROWENTRY ECQUOTA ECQUOTASTATUS STATSTG SYSTEMTIME ECSERVER
MAPI.Tags PR_SUBJECT PR_SUBJECT_W PR_SUBJECT_A PR_NULL PT_TSTRING PR_EC_USERNAME_W PR_ACL_TABLE
MAPI.Time FileTime unixtime NANOSECS_BETWEEN_EPOCH
MAPI.Util OpenECSession GetDefaultStore GetPublicStore GetUserList SPropValue PR_ENTRYID MDB_WRITE
MAPI.Util.AddressBook GetGab GetCompanyList GetAbObjectList GetUserList GetGroupList MUIDECSAB
MAPI.Util.Generators GetStores GetFolders
MAPI.Util.Iterators StoreIterator FolderIterator
MAPI STGM_DIRECT STGTY_STREAM LOCK_WRITE kc_session_save kc_session_restore TestRestriction UnwrapObject
MAPI IExchangeManageStore IECServiceAdmin ExchangeImportContentsChanges MAPINotifSink
MAPI.Tags PR_EC_IMAP_EMAIL_SIZE PR_EC_OUTOFOFFICE PR_EC_ENABLED_FEATURES_W PR_ZC_ORIGINAL_ENTRYID PS_EC_IMAP
MAPI.Tags ACTTYPE EDK_RULES_VERSION ST_ENABLED ecRightsFullControl respAccepted PSETID_AirSync
MAPI.Tags IID_IECServiceAdmin IID_ECMsgStoreOnline ZARAFA_STORE_PUBLIC_GUID PURGE_CACHE_ALL SHOW_SOFT_DELETES
MAPI.Tags PSETID_Kopano_CalDav PSETID_Archive PSETID_Meeting PR_FREEBUSY_BUSY_EVENTS
MAPI.Struct FreeBusyBlock MAPIStruct ECUSERCLIENTUPDATESTATUS
MAPI.Util.codepage GetCharsetByCP GetCPByCharset
MAPICore IMAPISession
_MAPICore PT_LONG MAPI_E_NOT_FOUND
inetmapi IMToMAPI IMToINet createIMAPProperties sending_options delivery_options
icalmapi CreateICalToMapi CreateMapiToICal create_vcftomapi create_mapitovcf VTODO M2IC_NO_VTIMEZONE
libfreebusy IFreeBusySupport HrPublishDefaultCalendar fbBusy
"""


def test_modules_export_what_programs_import(run: Run) -> None:
    lines = [line.split() for line in EXPORTS.strip().split("\n")]
    assert {line[0] for line in lines} == set(modules.TABLES)
    for name, *exports in lines:
        for each in exports:
            run(f"from {name} import {each}")


def test_structures_have_a_class_in_common(run: Run) -> None:
    """What programs ask of a value before they look into its fields, and make structures of their own of."""
    assert run("""
from MAPI.Struct import *
class Own(MAPIStruct):
    def __init__(self, a): self.a = a
things = SPropValue(1, 2), SAndRestriction([]), ACTIONS(1, []), ECUSER("a", "b", "c", "d"), Own(1)
out.append([isinstance(one, MAPIStruct) for one in things])
out.append([isinstance(one, MAPIStruct) for one in (1, b"", [], MAPIError(5))])
out.append((Own(1) == Own(1), Own(1) == Own(2), repr(Own(1))))
""") == [[True] * 5, [False] * 4, (True, False, "{'a': 1}")]


def test_narrow_unless_unicode_was_said(run: Run) -> None:
    assert run("from MAPI.Tags import *\nout.append(hex(PR_SUBJECT))") == ["0x37001e"]


def test_uninstalled_modules_are_gone(run: Run) -> None:
    run("import MAPI.Util")
    compat.uninstall()
    assert "MAPI" not in sys.modules
    with pytest.raises(ModuleNotFoundError):
        run("import MAPI")


def test_service_that_nobody_offers() -> None:
    with pytest.raises(MapiError):
        compat.install("NOBODY")


def test_names_besides_the_headers_contradict_none_of_them() -> None:
    known = {**consts.every(), **tags.names()}
    both = {**kopano.NUMBERS, **kopano.GUIDS, **kopano.tags(wide=True)}
    assert {name: value for name, value in both.items() if known.get(name, value) != value} == {}
