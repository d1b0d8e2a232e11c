"""Stores: a person's mailbox, public folders, somebody else's system."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, TypeVar

from quintet.mapi import consts, pr
from quintet.mapi.api.folder import Change, Folder, watched
from quintet.mapi.api.item import Item, kind_of
from quintet.mapi.core import places
from quintet.mapi.core.message import IMessage, draft
from quintet.mapi.core.store import IMsgStore
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers.base import Can, EntryId, MessageStore, Special

if TYPE_CHECKING:
    from quintet.mapi.api.session import Session

I = TypeVar("I", bound=Item)  # noqa: E741 (an item)


class Store:
    """A message store.  ``store.source`` is its provider, ``store.mapi`` the IMsgStore."""

    def __init__(self, session: Session, source: MessageStore) -> None:
        self.session, self.source = session, source
        with session.errors():
            self.mapi: IMsgStore = session.mapi.OpenMsgStore(0, source.entry_id, None, consts.MDB_WRITE)

    @property
    def name(self) -> str:
        return str(self.source.props().get(pr.DISPLAY_NAME) or self.source.name)

    def can(self, what: Can) -> bool:
        """Whether the system is able to do something, before it is tried."""
        return what in self.source.can

    # --- folders

    def special(self, which: Special) -> EntryId | None:
        """The id of a folder by what it is for; None: there is none, and `place` would make one."""
        return places.found(self.source, which)

    def place(self, which: Special) -> Folder:
        """A folder by what it is for; made where a system has folders but not this one.

        Raises MapiError(NOT_FOUND): there is none, and none can be made.
        """
        return Folder(self, places.place(self.source, self.mapi.hub, which))

    @property
    def root(self) -> Folder:
        return Folder(self, self.source.root)

    @property
    def top(self) -> Folder:
        """Where people's folders begin."""
        return Folder(self, self.source.top)

    @property
    def inbox(self) -> Folder:
        return self.place(Special.INBOX)

    @property
    def outbox(self) -> Folder:
        return self.place(Special.OUTBOX)

    @property
    def sent(self) -> Folder:
        return self.place(Special.SENT)

    @property
    def deleted(self) -> Folder:
        return self.place(Special.DELETED)

    @property
    def drafts(self) -> Folder:
        return self.place(Special.DRAFTS)

    @property
    def junk(self) -> Folder:
        return self.place(Special.JUNK)

    @property
    def calendar(self) -> Folder:
        return self.place(Special.CALENDAR)

    @property
    def contacts(self) -> Folder:
        return self.place(Special.CONTACTS)

    @property
    def tasks(self) -> Folder:
        return self.place(Special.TASKS)

    @property
    def notes(self) -> Folder:
        return self.place(Special.NOTES)

    @property
    def journal(self) -> Folder:
        return self.place(Special.JOURNAL)

    @property
    def reminders(self) -> Folder:
        """The search folder of what reminds, or comes again."""
        return self.place(Special.REMINDERS)

    @property
    def public(self) -> Folder:
        """The root of public folders."""
        return self.place(Special.PUBLIC)

    def folders(self) -> list[Folder]:
        """Right below the top."""
        return self.top.folders()

    def folder(self, path: str, *, create: bool = False, kind: str = "IPF.Note") -> Folder:
        """See `Folder.folder`."""
        return self.top.folder(path, create=create, kind=kind)

    def folder_of(self, entry: EntryId) -> Folder:
        return Folder(self, entry)

    # --- items

    def item(self, entry: EntryId | str, folder: EntryId = b"") -> Item:
        """By its entry id, as bytes or as `Item.id` wrote it.

        Raises MapiError(NOT_FOUND): there is none; INVALID_ENTRY_ID: no id at all.
        """
        try:
            key = bytes.fromhex(entry) if isinstance(entry, str) else entry
        except ValueError:
            raise MapiError(Code.INVALID_ENTRY_ID, f"{entry!r} is no id of an item") from None
        values = self.source.load(key)
        above = folder or values.props.get(pr.PARENT_ENTRYID) or b""
        message = IMessage(self.mapi, above, key, values, self.mapi._lock, writable=True)
        return kind_of(values.props.get(pr.MESSAGE_CLASS))(self, above, key, mapi=message)

    def new(self, kind: type[I]) -> I:
        """A new, unsaved item; when it is saved, it lies among the drafts.

        Where a system keeps nothing it can be sent all the same.
        """
        keeps = Can.SAVE in self.source.can
        entry = self.place(Special.DRAFTS).entry if keeps else places.writing(self.source, self.mapi.hub)
        message = IMessage(self.mapi, entry, None, draft(kind.message_class), self.mapi._lock, writable=True)
        return kind(self, entry, None, mapi=message)

    async def watch(self) -> AsyncIterator[Change]:
        """What happens anywhere in the store; see `Folder.watch`."""
        async for change in watched(self, None):
            yield change

    def refresh(self) -> None:
        """Looks now for what others changed, where the system does not tell by itself."""
        self.source.refresh()

    def __repr__(self) -> str:
        return f"<Store {self.name!r}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Store) and self.source is other.source

    def __hash__(self) -> int:
        return hash(self.source.entry_id)
