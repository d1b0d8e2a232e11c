"""IExchangeManageStore: other people's mailboxes of the same system, and objects by their source keys."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from quintet.mapi.core.errors import fail
from quintet.mapi.core.unknown import IUnknown
from quintet.mapi.providers.base import EntryId

if TYPE_CHECKING:
    from quintet.mapi.core.store import IMsgStore

UID = hashlib.sha256(b"quintet.mapi mailboxes").digest()[:16]
MAX_NAME = 1024  # bytes


class IExchangeManageStore(IUnknown):
    """What IMsgStore::QueryInterface gives for IID_IExchangeManageStore."""

    iids = ("IID_IExchangeManageStore",)

    def __init__(self, store: IMsgStore) -> None:
        super().__init__(store._lock)
        self._store = store

    def CreateStoreEntryID(self, server: str | bytes | None, mailbox: str | bytes, flags: int = 0) -> EntryId:
        """An entry id by which IMAPISession::OpenMsgStore opens somebody's mailbox, if one may.

        Raises MAPIErrorNoSupport: the system knows only one's own.
        """
        session = self._store.session
        if session is None:
            raise fail("MAPI_E_NO_SUPPORT")
        name = mailbox if isinstance(mailbox, bytes) else mailbox.encode("utf-8")
        if not 0 < len(name) <= MAX_NAME:
            raise fail("MAPI_E_INVALID_PARAMETER")
        return session.mailbox_entry(self._store.source, name.decode("utf-8"))

    def EntryIDFromSourceKey(self, folder: bytes, message: bytes = b"") -> EntryId:
        """Of a folder, or of a message in it.  Raises MAPIErrorNotFound."""
        return self._store.source.entry_of(folder, message)


def entry_of(service: bytes, name: str) -> EntryId:
    """The entry id that names a mailbox of a service of the profile."""
    return bytes(4) + UID + service + name.encode("utf-8")


def parsed(entry: EntryId) -> tuple[bytes, str] | None:
    """Service and name; None: not such an id."""
    if entry[4:20] != UID or len(entry) <= 36:
        return None
    try:
        return entry[20:36], entry[36:].decode("utf-8")
    except UnicodeDecodeError:
        raise fail("MAPI_E_INVALID_ENTRYID") from None
