"""Profiles, their services and settings, and sessions over them."""

from __future__ import annotations

import stat
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from quintet.mapi import consts, pr
from quintet.mapi.core import dialog, errors, profile, props, session
from quintet.mapi.core.admin import IMsgServiceAdmin, IProfAdmin, MAPIAdminProfiles
from quintet.mapi.core.message import IMessage
from quintet.mapi.core.notify import IMAPIAdviseSink
from quintet.mapi.core.profile import SECRET, WHERE, WHO
from quintet.mapi.core.session import IMAPISession, MAPILogonEx
from quintet.mapi.core.structs import ERROR_NOTIFICATION, STATUS_OBJECT_NOTIFICATION, SPropValue
from quintet.mapi.core.table import IMAPITable
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import memory, registry
from quintet.mapi.providers.base import Opened, Option, Service
from tests.unit.mapi.core.conftest import ANN, BOB, opened
from tests.unit.mapi.providers.conformance import letter


def column(table: IMAPITable, tag: int) -> list[object]:
    table.SetColumns([tag])
    return [row[0].Value for row in table.QueryRows(1000)]


@pytest.fixture
def admin(profiles: Path) -> IProfAdmin:
    return MAPIAdminProfiles(0, profiles)


@pytest.fixture
def services(admin: IProfAdmin, world: memory.World) -> IMsgServiceAdmin:
    """A profile "Work" with Ann's account."""
    admin.CreateProfile("Work")
    found = admin.AdminServices("Work")
    uid = found.CreateMsgService("MEMORY", "Ann's mail")
    found.ConfigureMsgService(uid, 0, 0, {"world": world.name, "account": ANN})
    return found


def test_profiles_are_made_copied_renamed_and_deleted(admin: IProfAdmin, profiles: Path) -> None:
    admin.CreateProfile("one")
    admin.CreateProfile(b"two")
    with pytest.raises(errors.MAPIErrorNoAccess):
        admin.CreateProfile("one")
    admin.CopyProfile("one", None, "three")
    admin.RenameProfile("two", None, "four")
    table = admin.GetProfileTable(consts.MAPI_UNICODE)
    assert column(table, pr.DISPLAY_NAME) == ["four", "one", "three"]
    assert column(admin.GetProfileTable(), pr.DEFAULT_PROFILE) == [False, True, False]
    admin.SetDefaultProfile("four")
    admin.DeleteProfile("four")
    assert column(admin.GetProfileTable(), pr.DEFAULT_PROFILE) == [False, False]
    with pytest.raises(errors.MAPIErrorNotFound):
        admin.DeleteProfile("four")
    assert stat.S_IMODE(profiles.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["", " x", "x" * 65])
def test_impossible_names(admin: IProfAdmin, name: str) -> None:
    with pytest.raises(errors.MAPIErrorInvalidParameter):
        admin.CreateProfile(name)


def test_profiles_have_no_passwords(admin: IProfAdmin) -> None:
    with pytest.raises(errors.MAPIErrorNoSupport):
        admin.CreateProfile("x", "secret")
    with pytest.raises(errors.MAPIErrorNoSupport):
        admin.ChangeProfilePassword("x", "a", "b")


@pytest.mark.parametrize("text", ["{ not json", '{"x":' * 5000])
def test_damaged_file_is_an_error_and_stays(admin: IProfAdmin, profiles: Path, text: str) -> None:
    profiles.write_text(text)
    with pytest.raises(errors.MAPIErrorCorruptData):
        admin.CreateProfile("x")
    assert profiles.read_text() == text


def test_changes_of_two_programs_are_both_kept(profiles: Path) -> None:
    """Each has the file open for itself, as two processes have."""
    one, other = profile.Profiles(profiles), profile.Profiles(profiles)

    def change() -> None:
        with other.change() as book:
            book.profiles["other"] = profile.Profile()

    thread = threading.Thread(target=change)
    with one.change() as book:
        thread.start()
        thread.join(0.1)  # it waits; who does not would be done by now
        book.profiles["one"] = profile.Profile()
    thread.join()
    assert sorted(one.read().profiles) == ["one", "other"]


def test_flags_of_logging_on(admin: IProfAdmin, services: IMsgServiceAdmin, profiles: Path) -> None:
    admin.CreateProfile("Other")
    used = MAPILogonEx(0, "Other", None, consts.MAPI_USE_DEFAULT | consts.MAPI_NEW_SESSION, path=profiles)
    assert used.name == "Work"
    with pytest.raises(errors.MAPIErrorLogonFailed):
        MAPILogonEx(0, None, None, consts.MAPI_EXPLICIT_PROFILE | consts.MAPI_NEW_SESSION, path=profiles)
    quiet = MAPILogonEx(0, "Work", None, consts.MAPI_NO_MAIL | consts.MAPI_NEW_SESSION, path=profiles)
    assert (quiet.transports(), len(used.transports())) == ([], 1)
    for one in (used, quiet):
        one.Logoff()


def test_services_are_administered(services: IMsgServiceAdmin) -> None:
    (uid,) = column(services.GetMsgServiceTable(), pr.SERVICE_UID)
    assert isinstance(uid, bytes)
    assert column(services.GetMsgServiceTable(consts.MAPI_UNICODE), pr.DISPLAY_NAME) == ["Ann's mail"]
    services.RenameMsgService(uid, 0, "Mail")
    services.CopyMsgService(uid, "Again", None, 0, services)
    assert column(services.GetMsgServiceTable(consts.MAPI_UNICODE), pr.DISPLAY_NAME) == ["Mail", "Again"]
    second = column(services.GetMsgServiceTable(), pr.SERVICE_UID)[1]
    assert isinstance(second, bytes)
    services.MsgServiceTransportOrder([second])
    assert column(services.GetMsgServiceTable(consts.MAPI_UNICODE), pr.DISPLAY_NAME) == ["Again", "Mail"]
    services.SetPrimaryIdentity(second)
    services.DeleteMsgService(second)
    with pytest.raises(errors.MAPIErrorNotFound):
        services.DeleteMsgService(second)
    kinds = column(services.GetProviderTable(), pr.RESOURCE_TYPE)
    assert set(kinds) == {
        consts.MAPI_STORE_PROVIDER, consts.MAPI_AB_PROVIDER, consts.MAPI_TRANSPORT_PROVIDER,
    }  # fmt: skip
    assert services.AdminProviders(uid).GetProviderTable().GetRowCount() == 3
    with pytest.raises(errors.MAPIErrorNotFound):
        services.CreateMsgService("NOBODY")
    with pytest.raises(errors.MAPIErrorInvalidParameter):
        services.ConfigureMsgService(uid, 0, 0, {"colour": "red"})


def test_settings_are_properties_too(services: IMsgServiceAdmin, profiles: Path) -> None:
    (uid,) = column(services.GetMsgServiceTable(), pr.SERVICE_UID)
    assert isinstance(uid, bytes)
    text = consts.PT_UNICODE
    services.ConfigureMsgService(uid, 0, 0, [SPropValue(WHO << 16 | text, BOB), SPropValue(pr.SUBJECT, "?")])
    section = services.OpenProfileSection(uid, None, consts.MAPI_MODIFY)
    assert props.one(section, WHO << 16 | text).Value == BOB
    section.SetProps(
        [SPropValue(WHO << 16 | text, ANN), SPropValue(0x6800001F, "own"), SPropValue(0x68010102, b"\0")]
    )
    assert props.one(section, WHO << 16 | text).Value == ANN
    again = services.OpenProfileSection(uid)
    assert [one.Value for one in again.GetProps([0x6800001F, 0x68010102])] == ["own", b"\0"]
    with pytest.raises(errors.MAPIErrorNoAccess):
        again.SetProps([SPropValue(0x6800001F, "x")])
    section.DeleteProps([0x6800001F])
    assert again.GetProps([0x6800001F])[0].Value == consts.MAPI_E_NOT_FOUND


def test_logon_opens_the_default_profile(services: IMsgServiceAdmin, profiles: Path) -> None:
    found = MAPILogonEx(0, None, None, 0, path=profiles)
    assert column(found.GetMsgStoresTable(consts.MAPI_UNICODE), pr.DISPLAY_NAME) == [f"Mailbox - {ANN}"]
    assert column(found.GetMsgStoresTable(), pr.DEFAULT_STORE) == [True]
    found.Logoff()
    found.Logoff()
    with pytest.raises(errors.MAPIErrorEndOfSession):
        found.GetMsgStoresTable()


def test_sessions_are_shared_where_that_is_wanted(services: IMsgServiceAdmin, profiles: Path) -> None:
    one = MAPILogonEx(0, "Work", None, consts.MAPI_ALLOW_OTHERS, path=profiles)
    assert MAPILogonEx(0, "Work", None, 0, path=profiles) is one
    other = MAPILogonEx(0, "Work", None, consts.MAPI_NEW_SESSION, path=profiles)
    assert other is not one
    other.Logoff()
    one.Logoff()
    third = MAPILogonEx(0, "Work", None, 0, path=profiles)
    assert third is not one
    third.Logoff()


def test_logon_that_fails(
    services: IMsgServiceAdmin, admin: IProfAdmin, profiles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(errors.MAPIErrorLogonFailed):
        MAPILogonEx(0, "Nobody", None, 0, path=profiles)
    admin.CreateProfile("Empty")
    with pytest.raises(errors.MAPIErrorUnconfigured):
        MAPILogonEx(0, "Empty", None, 0, path=profiles)
    admin.SetDefaultProfile(None)
    with pytest.raises(errors.MAPIErrorLogonFailed):
        MAPILogonEx(0, None, None, 0, path=profiles)
    monkeypatch.setattr(dialog, "choose", lambda names, caption: None)
    with pytest.raises(errors.MAPIErrorUserCancel):
        MAPILogonEx(0, None, None, consts.MAPI_LOGON_UI, path=profiles)
    monkeypatch.setattr(dialog, "choose", lambda names, caption: names.index("Work"))
    MAPILogonEx(0, None, None, consts.MAPI_LOGON_UI, path=profiles).Logoff()


@pytest.fixture
def guarded(world: memory.World, monkeypatch: pytest.MonkeyPatch) -> str:
    """A service that takes only the password "open sesame"."""
    closed: list[str] = []

    def check(options: Mapping[str, str]) -> Opened:
        if options["password"] != "open sesame":
            raise MapiError(Code.LOGON_FAILED)
        return world.account(options["user"])

    name = f"G{uuid.uuid4().hex}"
    options = (
        Option("server", "where", "here"),
        Option("user", "who"),
        Option("password", "", "", secret=True),
    )
    service = Service(name, "Guarded", check, options)
    monkeypatch.setitem(registry._added, name.upper(), service)
    assert closed == []
    return name


def test_password_is_given_at_logon_or_asked(
    guarded: str, services: IMsgServiceAdmin, profiles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = services.CreateMsgService(guarded)
    services.ConfigureMsgService(uid, 0, 0, {"user": ANN})
    MAPILogonEx(0, "Work", "open sesame", 0, path=profiles).Logoff()
    with pytest.raises(errors.MAPIErrorLogonFailed):
        MAPILogonEx(0, "Work", "wrong", 0, path=profiles)
    with pytest.raises(errors.MAPIErrorLogonFailed):
        MAPILogonEx(0, "Work", None, 0, path=profiles)
    monkeypatch.setattr(dialog, "secret", lambda label: "open sesame")
    MAPILogonEx(0, "Work", None, consts.MAPI_LOGON_UI, path=profiles).Logoff()
    assert "sesame" not in profiles.read_text()
    services.ConfigureMsgService(uid, 0, 0, [SPropValue(SECRET << 16 | consts.PT_STRING8, b"open sesame")])
    MAPILogonEx(0, "Work", None, 0, path=profiles).Logoff()
    section = services.OpenProfileSection(uid)
    assert section.GetProps([SECRET << 16 | consts.PT_UNICODE])[0].Value == consts.MAPI_E_NOT_FOUND
    assert section.GetProps([WHERE << 16 | consts.PT_UNICODE])[0].Value == consts.MAPI_E_NOT_FOUND


def test_default_store_is_chosen(world: memory.World) -> None:
    found = opened(world, ANN, BOB)
    first, second = column(found.GetMsgStoresTable(), pr.ENTRYID)
    assert isinstance(second, bytes)
    assert found.OpenMsgStore().source.entry_id == first
    found.SetDefaultStore(0, second)
    assert column(found.GetMsgStoresTable(), pr.ENTRYID) == [second, first]
    with pytest.raises(errors.MAPIErrorNotFound):
        found.SetDefaultStore(0, b"nobody's")
    with pytest.raises(errors.MAPIErrorNotFound):
        found.OpenMsgStore(0, b"nobody's")
    found.Logoff()


def test_session_opens_whatever_an_entry_id_means(mapi: IMAPISession, write: Callable[..., IMessage]) -> None:
    message = write("x")
    found = mapi.OpenEntry(props.one(message, pr.ENTRYID).Value)
    assert props.one(found, pr.SUBJECT).Value == "x"
    store = mapi.OpenEntry(props.one(message, pr.STORE_ENTRYID).Value)
    assert props.one(store, pr.OBJECT_TYPE).Value == consts.MAPI_STORE
    me = mapi.OpenEntry(mapi.QueryIdentity())
    assert props.one(me, pr.EMAIL_ADDRESS).Value == ANN
    with pytest.raises(errors.MAPIErrorUnknownEntryid):
        mapi.OpenEntry(bytes(50))
    with pytest.raises(errors.MAPIErrorInvalidEntryid):
        mapi.OpenEntry(None)


def test_status_objects(mapi: IMAPISession) -> None:
    table = mapi.GetStatusTable(consts.MAPI_UNICODE)
    table.SetColumns([pr.RESOURCE_TYPE, pr.ENTRYID, pr.IDENTITY_DISPLAY])
    rows = {row[0].Value: row for row in table.QueryRows(50)}
    assert set(rows) == {
        consts.MAPI_SPOOLER, consts.MAPI_AB, consts.MAPI_STORE_PROVIDER, consts.MAPI_TRANSPORT_PROVIDER,
    }  # fmt: skip
    assert rows[consts.MAPI_SPOOLER][2].Value == "Ann Ahorn"
    spooler = mapi.OpenEntry(rows[consts.MAPI_SPOOLER][1].Value)
    spooler.ValidateState()
    spooler.FlushQueues()
    with pytest.raises(errors.MAPIErrorNoSupport):
        mapi.OpenEntry(rows[consts.MAPI_AB][1].Value).FlushQueues()
    with pytest.raises(errors.MAPIErrorNoAccess):
        spooler.SetProps([SPropValue(pr.STATUS_STRING, "x")])


def test_news_of_all_stores(world: memory.World) -> None:
    found = opened(world, ANN, BOB)
    news: list[object] = []
    connection = found.Advise(None, consts.fnevNewMail, IMAPIAdviseSink(news.extend))
    for account in (ANN, BOB):
        world.stores[account].deliver(letter("new"))
    assert len(news) == 2
    found.Unadvise(connection)
    world.stores[ANN].deliver(letter("new"))
    assert len(news) == 2
    assert found.EnumAdrTypes() == ["SMTP"]
    with pytest.raises(errors.MAPIErrorUnknownEntryid):
        found.Advise(bytes(40), consts.fnevNewMail, IMAPIAdviseSink())
    found.Logoff()


def test_importing_the_interface_imports_no_server() -> None:
    """docs/decisions/0127: a program that uses MAPI over other people's systems needs none of ours."""
    import subprocess
    import sys

    code = (
        "import sys, quintet.mapi.core.session, quintet.mapi.providers.memory;"
        "print(*[name for name in sys.modules if name.startswith(('quintet.store', 'quintet.delivery',"
        " 'quintet.auth', 'quintet.net', 'apsw'))])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""


def test_calls_that_prepare_and_end(mapi: IMAPISession) -> None:
    session.MAPIInitialize(None)
    session.MAPIUninitialize()
    assert mapi.QueryDefaultMessageOpt("SMTP") == []
    with pytest.raises(errors.MAPIErrorNoSupport):
        mapi.ShowForm()
    with pytest.raises(errors.MAPIErrorNoSupport):
        mapi.OpenProfileSection(None)


def test_news_of_the_session_itself(world: memory.World) -> None:
    found = opened(world, ANN)
    news: list[object] = []
    every = consts.fnevCriticalError | consts.fnevStatusObjectModified
    found.Advise(None, every, IMAPIAdviseSink(news.extend))
    found.FlushQueues()
    codes = [one.lpPropVals[0].Value for one in news if isinstance(one, STATUS_OBJECT_NOTIFICATION)]
    assert codes == [consts.STATUS_AVAILABLE | consts.STATUS_OUTBOUND_FLUSH, consts.STATUS_AVAILABLE]
    found.Logoff()
    assert isinstance(news[-1], ERROR_NOTIFICATION)
    assert news[-1].scode == consts.MAPI_E_END_OF_SESSION
