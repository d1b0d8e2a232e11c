"""Programs written for python-mapi do here what they do there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from quintet.mapi import compat, pr
from quintet.mapi.compat import modules
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
MAPICore IMAPISession
"""


def test_modules_export_what_programs_import(run: Run) -> None:
    lines = [line.split() for line in EXPORTS.strip().split("\n")]
    assert {line[0] for line in lines} == set(modules.TABLES)
    for name, *exports in lines:
        for each in exports:
            run(f"from {name} import {each}")


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
