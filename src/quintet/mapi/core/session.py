"""IMAPISession: a profile at work, its services open; and MAPILogonEx, where everything begins."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path
from typing import Any, ClassVar

from quintet.errors import Problem
from quintet.mapi import consts, pr
from quintet.mapi.bag import Bag
from quintet.mapi.core import addrbook, admin, dialog, errors, manage, notify, profile, spool, status, structs
from quintet.mapi.core.errors import MAPIError, fail
from quintet.mapi.core.profile import Profile, Profiles, Used
from quintet.mapi.core.store import IMsgStore, provider_uid
from quintet.mapi.core.structs import SPropValue
from quintet.mapi.core.table import IMAPITable, of_bags
from quintet.mapi.core.unknown import IUnknown
from quintet.mapi.errors import MapiError
from quintet.mapi.providers import registry
from quintet.mapi.providers.base import EntryId, MessageStore, Opened, Transport

STORE_COLUMNS = (
    pr.ENTRYID, pr.INSTANCE_KEY, pr.DISPLAY_NAME, pr.DEFAULT_STORE, pr.MDB_PROVIDER, pr.RESOURCE_FLAGS,
    pr.RESOURCE_TYPE, pr.RECORD_KEY, pr.PROVIDER_DISPLAY, pr.OBJECT_TYPE, pr.STORE_ENTRYID,
    pr.STORE_RECORD_KEY,
)  # fmt: skip

_sessions: dict[str, IMAPISession] = {}
_guard = threading.Lock()


def MAPIInitialize(init: object = None) -> None:
    """Nothing has to be prepared; the call is here because programs make it."""


def MAPIUninitialize() -> None:
    """See `MAPIInitialize`."""


def MAPILogonEx(
    ui: int = 0,
    name: str | bytes | None = None,
    password: str | bytes | None = None,
    flags: int = 0,
    *,
    path: Path | None = None,
) -> IMAPISession:
    """Opens the services of a profile; without a name, those of the default one.

    ``password``: for the first service that needs one and has none in the profile.  ``path``: the profiles'
    file.  Flags:

    * MAPI_NEW_SESSION: not one of the same profile that MAPI_ALLOW_OTHERS shares.
    * MAPI_USE_DEFAULT: the default profile, whatever the name; MAPI_EXPLICIT_PROFILE: not that one without a
      name.
    * MAPI_LOGON_UI and MAPI_PASSWORD_UI ask in a terminal for what is missing.
    * MAPI_NO_MAIL: nothing goes by a transport; MAPI_FORCE_DOWNLOAD: what waits goes, what came is seen.

    Raises MAPIErrorLogonFailed: no such profile, or a service refused; MAPIErrorUnconfigured: nothing in it.
    """
    profiles = admin._shared(path or profile.default_path())
    text = name.decode("utf-8") if isinstance(name, bytes) else name
    if flags & consts.MAPI_USE_DEFAULT:
        text = None
    with _guard:
        if not flags & consts.MAPI_NEW_SESSION:
            shared = _sessions.get(f"{profiles.path}\0{text or ''}")
            if shared is not None and not shared.closed:
                return shared
    explicit = flags & consts.MAPI_EXPLICIT_PROFILE and not flags & consts.MAPI_USE_DEFAULT
    title = text or ("" if explicit else profiles.read().default)
    if not title and flags & consts.MAPI_LOGON_UI:
        title = _ask_profile(profiles)
    if not title:
        raise fail("MAPI_E_LOGON_FAILED", "there is no default profile")
    found = profiles.read().profiles.get(title)
    if found is None:
        raise fail("MAPI_E_LOGON_FAILED", f"no profile is called {title}")
    secret = password.decode("utf-8") if isinstance(password, bytes) else password
    asks = bool(flags & (consts.MAPI_LOGON_UI | consts.MAPI_PASSWORD_UI))
    session = opened(found, name=title, password=secret, profiles=profiles, asks=asks)
    session.mails = not flags & consts.MAPI_NO_MAIL
    if flags & consts.MAPI_FORCE_DOWNLOAD and session.mails:
        try:
            session.FlushQueues()
        except MAPIError:
            session.Logoff()
            raise
    if flags & consts.MAPI_ALLOW_OTHERS:
        with _guard:
            _sessions[f"{profiles.path}\0{text or ''}"] = session
    return session


def _ask_profile(profiles: Profiles) -> str:
    names = sorted(profiles.read().profiles)
    at = dialog.choose(names, caption="Which profile?") if names else None
    if at is None:
        raise fail("MAPI_E_USER_CANCEL")
    return names[at]


def opened(
    found: Profile,
    *,
    name: str = "",
    password: str | None = None,
    profiles: Profiles | None = None,
    asks: bool = False,
) -> IMAPISession:
    """A session over a profile, written or not.  Raises as `MAPILogonEx`; what was opened is closed again."""
    if not found.services:
        raise fail("MAPI_E_UNCONFIGURED", "the profile has no services")
    services: dict[bytes, Opened] = {}
    try:
        for one in found.services:
            services[one.uid] = _open(one, password, asks=asks)
    except (MapiError, Problem) as error:
        for each in services.values():
            each.close()
        raise errors.told(error) from error
    return IMAPISession(name, found, services, profiles)


def _open(one: Used, password: str | None, *, asks: bool) -> Opened:
    settings = dict(one.settings)
    for option in one.offer.options:
        if option.secret and not settings.get(option.name):
            given = password or (dialog.secret(f"{one.title}, {option.name}") if asks else None)
            if given is not None:
                settings[option.name] = given
    return registry.opened(one.service, settings)


class IMAPISession(IUnknown):
    """Open services; everything that is opened from here works under one lock."""

    iids: ClassVar[tuple[str, ...]] = ("IID_IMAPISession",)

    def __init__(
        self, name: str, used: Profile, services: dict[bytes, Opened], profiles: Profiles | None = None
    ) -> None:
        super().__init__()
        self.name, self._profile, self._services, self._profiles = name, used, services, profiles
        self.closed = False
        self._hubs: dict[EntryId, notify.Hub] = {}
        self._others: dict[tuple[bytes, str], Opened] = {}  # mailboxes of others, by service and name
        self._book: addrbook.IAddrBook | None = None
        self._connections: dict[int, list[tuple[notify.Hub, int]]] = {}
        self._numbers = itertools.count(1)
        self._sinks: dict[int, tuple[int, notify.IMAPIAdviseSink]] = {}  # of those who asked about everything
        self.spooling: int = consts.STATUS_AVAILABLE
        self.mails = True  # its transports are at work

    # --- what the services give

    def sources(self) -> list[tuple[bytes, MessageStore]]:
        """Every store with its service's uid, the default one first."""
        found = []
        for uid, one in self._services.items():
            found += [(uid, each) for each in (one.store, *one.more_stores) if each is not None]
        if not found:
            return []
        first = self._profile.store or found[0][0]
        default = next((at for at, (uid, _) in enumerate(found) if uid == first), 0)
        return [found[default], *found[:default], *found[default + 1 :]]

    def _opened_stores(self) -> list[MessageStore]:
        """Those of `sources`, and the mailboxes of others that were opened."""
        others = [one.store for one in self._others.values() if one.store is not None]
        return [*[one for _, one in self.sources()], *others]

    def service_of(self, source: MessageStore) -> Opened:
        for uid, one in self.sources():
            if one is source:
                return self._services[uid]
        for opened_one in self._others.values():
            if opened_one.store is source:
                return opened_one
        raise fail("MAPI_E_NOT_FOUND", "a store of another session")

    def transports(self, first: Opened | None = None) -> list[Transport]:
        """Every transport; that of the service ``first`` before the others."""
        if not self.mails:
            return []
        order = [first] if first is not None else []
        order += [one for one in self._services.values() if one is not first]
        return [one.transport for one in order if one.transport is not None]

    def hub(self, source: MessageStore) -> notify.Hub:
        found = self._hubs.get(source.entry_id)
        if found is None:
            found = self._hubs[source.entry_id] = notify.Hub(source)
        return found

    def mailbox_entry(self, source: MessageStore, name: str) -> EntryId:
        """An entry id that opens a mailbox beside one (IExchangeManageStore::CreateStoreEntryID).

        Raises MAPIErrorNoSupport: its system knows only one's own.
        """
        for uid, one in self.sources():
            if one is source:
                if not self._used(uid).offer.mailbox:
                    break
                return manage.entry_of(uid, name)
        raise fail("MAPI_E_NO_SUPPORT", "this system has no other mailboxes")

    def _used(self, uid: bytes) -> Used:
        return profile.find(self._profile, uid)

    def _other(self, uid: bytes, name: str) -> MessageStore:
        """Somebody's mailbox; opened once.  Raises MAPIErrorNotFound, MAPIErrorLogonFailed,
        MAPIErrorNoAccess.
        """
        if uid not in self._services:
            raise fail("MAPI_E_NOT_FOUND")
        known = self._others.get((uid, name))
        if known is None:
            used = self._used(uid)
            settings = {**used.settings, used.offer.mailbox: name}
            known = self._others[uid, name] = registry.opened(used.service, settings)
        if known.store is None:
            raise fail("MAPI_E_NOT_FOUND")
        return known.store

    def _must_be_open(self) -> None:
        if self.closed:
            raise fail("MAPI_E_END_OF_SESSION")

    # --- stores

    def GetMsgStoresTable(self, flags: int = 0) -> IMAPITable:
        """One row a store; PR_DEFAULT_STORE marks the default one."""
        self._must_be_open()
        bags: dict[bytes, Bag] = {}
        for at, (uid, one) in enumerate(self.sources()):
            bags[one.entry_id] = {
                pr.ENTRYID: one.entry_id,
                pr.DISPLAY_NAME: one.name,
                pr.DEFAULT_STORE: at == 0,
                pr.MDB_PROVIDER: provider_uid(one),
                pr.RESOURCE_FLAGS: consts.STATUS_DEFAULT_STORE | consts.STATUS_PRIMARY_STORE
                if at == 0
                else 0,
                pr.RESOURCE_TYPE: consts.MAPI_STORE_PROVIDER,
                pr.RECORD_KEY: one.uid,
                pr.STORE_RECORD_KEY: one.uid,
                pr.STORE_ENTRYID: one.entry_id,
                pr.PROVIDER_DISPLAY: self._title(uid),
                pr.OBJECT_TYPE: consts.MAPI_STORE,
            }
        return of_bags(bags, STORE_COLUMNS, self._lock, wide=bool(flags & consts.MAPI_UNICODE))

    def _title(self, uid: bytes) -> str:
        return next((one.title for one in self._profile.services if one.uid == uid), "")

    def OpenMsgStore(
        self, ui: int = 0, entry: bytes | None = None, iid: bytes | None = None, flags: int = 0
    ) -> IMsgStore:
        """A store of the table; None: the default one.  MDB_WRITE or MAPI_BEST_ACCESS to change anything.

        Raises MAPIErrorNotFound.
        """
        self._must_be_open()
        writable = bool(flags & (consts.MDB_WRITE | consts.MAPI_BEST_ACCESS))
        other = manage.parsed(entry) if entry else None
        if other is not None:
            return IMsgStore(self, self._other(*other), self._lock, writable=writable)
        for one in self._opened_stores():
            if entry in (None, b"", one.entry_id):
                return IMsgStore(self, one, self._lock, writable=writable)
        raise fail("MAPI_E_NOT_FOUND", "no store of this profile has that entry id")

    def SetDefaultStore(self, flags: int, entry: EntryId) -> None:
        """Raises MAPIErrorNotFound."""
        for uid, one in self.sources():
            if one.entry_id == entry:
                self._profile.store = uid
                if self._profiles is not None and self.name:
                    with self._profiles.change() as book:
                        if self.name in book.profiles:
                            book.profiles[self.name].store = uid
                return
        raise fail("MAPI_E_NOT_FOUND")

    # --- everything else that opens

    def OpenAddressBook(self, ui: int = 0, iid: bytes | None = None, flags: int = 0) -> addrbook.IAddrBook:
        """The address books of all services as one."""
        self._must_be_open()
        if self._book is None:
            books = [one.book for one in self._services.values() if one.book is not None]
            self._book = addrbook.IAddrBook(self, books, self._lock)
        return self._book

    def OpenEntry(self, entry: bytes | None, iid: bytes | None = None, flags: int = 0) -> Any:
        """Whatever an entry id means: a store, what is in one, an address, a status object.

        Raises MAPIErrorUnknownEntryid: none of this session's providers made it.
        """
        self._must_be_open()
        if not entry:
            raise fail("MAPI_E_INVALID_ENTRYID")
        for one in self._opened_stores():
            if entry == one.entry_id:
                return self.OpenMsgStore(0, entry, None, consts.MAPI_BEST_ACCESS)
            if entry[4:20] == one.uid:
                store = self.OpenMsgStore(0, one.entry_id, None, consts.MAPI_BEST_ACCESS)
                return store.OpenEntry(entry, iid, flags)
        if entry[4:20] == status.UID:
            return status.opened(self, entry)
        return self.OpenAddressBook().OpenEntry(entry, iid, flags)

    def OpenProfileSection(
        self, uid: bytes | None, iid: bytes | None = None, flags: int = 0
    ) -> admin.IProfSect:
        """Raises MAPIErrorNoSupport: the session's profile is in no file."""
        if self._profiles is None:
            raise fail("MAPI_E_NO_SUPPORT")
        writable = bool(flags & consts.MAPI_MODIFY)
        return admin.IProfSect(self._profiles, self.name, uid or bytes(16), writable=writable)

    def AdminServices(self, flags: int = 0) -> admin.IMsgServiceAdmin:
        """The services of the session's profile; changes count from the next logon on."""
        if self._profiles is None:
            raise fail("MAPI_E_NO_SUPPORT")
        return admin.IMsgServiceAdmin(self._profiles, self.name)

    def keep_password(self, uid: bytes, password: str) -> None:
        """In the profile, where it keeps one for the service."""
        settings = profile.find(self._profile, uid).settings
        if not settings.get("password"):
            return
        settings["password"] = password
        if self._profiles is not None and self.name:
            self.AdminServices().ConfigureMsgService(uid, 0, 0, {"password": password})

    def GetStatusTable(self, flags: int = 0) -> IMAPITable:
        """One row a provider, and one for the spooler and the address book."""
        self._must_be_open()
        return of_bags(status.rows(self), status.COLUMNS, self._lock, wide=bool(flags & consts.MAPI_UNICODE))

    def CompareEntryIDs(self, first: bytes, second: bytes, flags: int = 0) -> bool:
        return addrbook.same(first, second)

    # --- who and how

    def identity(self) -> Bag:
        """The properties of the person, of the service that was chosen for it."""
        uids = [self._profile.identity, self._profile.store, *self._services]
        for uid in uids:
            if uid in self._services and self._services[uid].identity:
                return dict(self._services[uid].identity)
        return {}

    def QueryIdentity(self) -> EntryId:
        """The entry id of the person.  Raises MAPIErrorNotFound: no service knows who that is."""
        found = self.identity()
        if found.get(pr.ENTRYID):
            return bytes(found[pr.ENTRYID])
        if not found.get(pr.EMAIL_ADDRESS):
            raise fail("MAPI_E_NOT_FOUND")
        return self.OpenAddressBook().CreateOneOff(
            found.get(pr.DISPLAY_NAME), found.get(pr.ADDRTYPE, "SMTP"), found[pr.EMAIL_ADDRESS], 0
        )

    def EnumAdrTypes(self, flags: int = 0) -> list[str]:
        """Kinds of addresses that some transport takes."""
        return list(dict.fromkeys([kind for one in self.transports() for kind in one.kinds]))

    def MessageOptions(self, ui: int, flags: int, kind: str, message: object) -> None:
        """Raises MAPIErrorNoSupport: no transport has options for messages."""
        raise fail("MAPI_E_NO_SUPPORT")

    def QueryDefaultMessageOpt(self, kind: str, flags: int = 0) -> list[SPropValue]:
        """The options of a kind of address: none."""
        return []

    # --- news

    def Advise(self, entry: EntryId | None, mask: int, sink: notify.IMAPIAdviseSink) -> int:
        """Tells of an object in any store.

        None: of everything in all of them, of the spooler (fnevStatusObjectModified), and of the session's
        end (fnevCriticalError).
        """
        self._must_be_open()
        hubs = [
            (self.hub(one), None if entry in (None, one.entry_id) else entry)
            for one in self._opened_stores()
            if entry is None or entry[4:20] == one.uid
        ]
        if not hubs:
            raise fail("MAPI_E_UNKNOWN_ENTRYID")
        number = next(self._numbers)
        if entry is None:
            self._sinks[number] = (mask, sink)
        self._connections[number] = [(hub, hub.advise(about, mask, sink)) for hub, about in hubs]
        return number

    def Unadvise(self, connection: int) -> None:
        self._sinks.pop(connection, None)
        for hub, number in self._connections.pop(connection, ()):
            hub.forget(number)

    # --- the end

    def _tell(self, kind: int, note: structs.NOTIFICATION) -> None:
        """News of the session itself, to those who asked for it."""
        for mask, sink in list(self._sinks.values()):
            if mask & kind:
                sink.OnNotify([note])

    def _spooler(self, code: int) -> None:
        """Says what the spooler is doing (fnevStatusObjectModified)."""
        self.spooling = code
        entry = bytes(4) + status.UID + status.SPOOLER
        told = [SPropValue(pr.STATUS_CODE, code)]
        self._tell(consts.fnevStatusObjectModified, structs.STATUS_OBJECT_NOTIFICATION(entry, told))

    def FlushQueues(self) -> int:
        """Sends what waits in the outboxes; gives how many messages left."""
        self._spooler(consts.STATUS_AVAILABLE | consts.STATUS_OUTBOUND_FLUSH)
        try:
            return self._flushed()
        finally:
            self._spooler(consts.STATUS_AVAILABLE)

    def _flushed(self) -> int:
        left = 0
        for _, one in self.sources():
            one.refresh()
            left += spool.flush(IMsgStore(self, one, self._lock, writable=True))
        return left

    def Logoff(self, ui: int = 0, flags: int = 0, reserved: int = 0) -> None:
        """Ends the session; what was opened from it is of no more use."""
        if self.closed:
            return
        self.closed = True
        end = structs.ERROR_NOTIFICATION(b"", consts.MAPI_E_END_OF_SESSION, 0, None)
        self._tell(consts.fnevCriticalError, end)
        for hub in self._hubs.values():
            hub.close()
        if self._book is not None:
            self._book.close()
        for one in (*self._others.values(), *self._services.values()):
            one.close()
        with _guard:
            for key in [key for key, one in _sessions.items() if one is self]:
                del _sessions[key]

    def ShowForm(self, *args: object) -> None:
        """Raises MAPIErrorNoSupport: there are no forms here."""
        raise fail("MAPI_E_NO_SUPPORT")

    PrepareForm = ShowForm
