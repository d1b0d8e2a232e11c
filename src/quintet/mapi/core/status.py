"""IMAPIStatus: how the parts of a session are (IMAPISession::GetStatusTable)."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import TYPE_CHECKING, ClassVar

from quintet.mapi import consts, pr
from quintet.mapi.bag import Bag, Key
from quintet.mapi.core.errors import fail
from quintet.mapi.core.props import IMAPIProp
from quintet.mapi.providers.base import Can, EntryId

if TYPE_CHECKING:
    from quintet.mapi.core.session import IMAPISession

UID = hashlib.sha256(b"quintet.mapi status objects").digest()[:16]
COLUMNS = (
    pr.ENTRYID, pr.INSTANCE_KEY, pr.DISPLAY_NAME, pr.PROVIDER_DISPLAY, pr.RESOURCE_TYPE, pr.RESOURCE_METHODS,
    pr.RESOURCE_FLAGS, pr.STATUS_CODE, pr.STATUS_STRING, pr.IDENTITY_DISPLAY, pr.IDENTITY_ENTRYID,
    pr.OBJECT_TYPE,
)  # fmt: skip
SPOOLER, BOOK, STORE = b"spooler", b"book", b"store"


def rows(session: IMAPISession) -> dict[bytes, Bag]:
    """By entry id: spooler, address book, stores, transports."""
    found: dict[bytes, Bag] = {}
    identity = session.identity()

    def add(name: bytes, title: str, kind: int, methods: int) -> None:
        entry = bytes(4) + UID + name
        found[entry] = {
            pr.ENTRYID: entry,
            pr.DISPLAY_NAME: title,
            pr.PROVIDER_DISPLAY: title,
            pr.RESOURCE_TYPE: kind,
            pr.RESOURCE_METHODS: methods,
            pr.RESOURCE_FLAGS: consts.STATUS_NO_DEFAULT_STORE,
            pr.STATUS_CODE: consts.STATUS_AVAILABLE,
            pr.STATUS_STRING: "Available",
            pr.IDENTITY_DISPLAY: identity.get(pr.DISPLAY_NAME, ""),
            pr.IDENTITY_ENTRYID: identity.get(pr.ENTRYID),
            pr.OBJECT_TYPE: consts.MAPI_STATUS,
        }

    flush = consts.STATUS_VALIDATE_STATE | consts.STATUS_FLUSH_QUEUES
    add(SPOOLER, "Spooler", consts.MAPI_SPOOLER, flush)
    found[bytes(4) + UID + SPOOLER][pr.STATUS_CODE] = session.spooling
    add(BOOK, "Address Book", consts.MAPI_AB, consts.STATUS_VALIDATE_STATE)
    for _, store in session.sources():
        methods = consts.STATUS_VALIDATE_STATE
        methods |= consts.STATUS_CHANGE_PASSWORD if Can.PASSWORD in store.can else 0
        add(STORE + store.uid, store.name, consts.MAPI_STORE_PROVIDER, methods)
    for at, transport in enumerate(session.transports()):
        add(b"transport%d" % at, transport.name, consts.MAPI_TRANSPORT_PROVIDER, flush)
    return found


def opened(session: IMAPISession, entry: EntryId) -> IMAPIStatus:
    """Raises MAPIErrorNotFound."""
    found = rows(session).get(entry)
    if found is None:
        raise fail("MAPI_E_NOT_FOUND")
    return IMAPIStatus(session, found)


class IMAPIStatus(IMAPIProp):
    """One part of a session."""

    iids: ClassVar[tuple[str, ...]] = ("IID_IMAPIStatus",)

    def __init__(self, session: IMAPISession, bag: Bag) -> None:
        super().__init__(session._lock, writable=False)
        self._session, self._own = session, bag

    def _bag(self) -> Bag:
        return self._own

    def _take(self, changes: Bag, gone: Collection[Key]) -> None:
        raise fail("MAPI_E_NO_ACCESS")

    def ValidateState(self, ui: int = 0, flags: int = 0) -> None:
        """Looks now for what others changed."""
        for _, store in self._session.sources():
            store.refresh()

    def FlushQueues(self, ui: int = 0, target: EntryId | None = None, flags: int = 0) -> None:
        """Sends what waits.  Raises MAPIErrorNoSupport: this part sends nothing."""
        if not self._own[pr.RESOURCE_METHODS] & consts.STATUS_FLUSH_QUEUES:
            raise fail("MAPI_E_NO_SUPPORT")
        self._session.FlushQueues()

    def SettingsDialog(self, ui: int = 0, flags: int = 0) -> None:
        """Raises MAPIErrorNoSupport: settings are the profile's (IMsgServiceAdmin)."""
        raise fail("MAPI_E_NO_SUPPORT")

    def ChangePassword(self, old: str, new: str, flags: int = 0) -> None:
        """Of who is logged on to a store; a profile that keeps the old one keeps the new one then.

        Raises MAPIErrorNoSupport: this part has no password that can be changed; MAPIErrorLogonFailed: the
        old one is another; MAPIErrorInvalidParameter: nobody can have the new one.
        """
        if not self._own[pr.RESOURCE_METHODS] & consts.STATUS_CHANGE_PASSWORD:
            raise fail("MAPI_E_NO_SUPPORT")
        own = self._own[pr.ENTRYID].removeprefix(bytes(4) + UID + STORE)
        uid, store = next((uid, one) for uid, one in self._session.sources() if one.uid == own)
        store.change_password(old, new)
        self._session.keep_password(uid, new)
