"""The three contracts of a provider: a message store, an address book, a transport (MAPI's service
providers).

A provider is synchronous and speaks in entry ids (bytes), bags and items (`quintet.mapi.bag`); what Extended
MAPI adds (open objects, tables with sorting and bookmarks, notifications, the outbox) is `quintet.mapi.core`,
once for all of them.  What a system lacks it says by a missing flag of `Can`, and the method that needs it
raises ``MapiError(NOT_SUPPORTED)``.

Rules for all methods:

* An entry id begins with four zero bytes and the 16 bytes ``uid`` of its provider, so that a session finds
  whom to ask (MS-OXCDATA 2.2.4); what follows is the provider's own.  It stays valid while the object does.
* Properties with a name stand in bags and among keys as `NamedTag`.  In restrictions, which know numbers
  only, they have the number that `quintet.mapi.names` gives them in this process; `names.key` tells which it
  is.
* Texts are ``STRING``, never ``STRING8``; times are FILETIMEs.
* Errors are `quintet.mapi.errors.MapiError` with a code of MS-OXCDATA 2.4.
* A provider may be called from several threads, one call at a time for each object that `Service.open` gave.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field, replace
from typing import Protocol

from quintet.mapi.bag import Bag, Data, Item, Key
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import listing
from quintet.mapi.restrict import Restriction
from quintet.mapi.types import Value
from quintet.values import dataclass

EntryId = bytes


class Can(enum.Flag):
    """What a system is able to do; a program asks before it offers (PR_STORE_SUPPORT_MASK)."""

    NOTHING = 0
    SAVE = enum.auto()  # messages are made, changed, moved and deleted
    FOLDERS = enum.auto()  # folders are made, renamed, moved and deleted
    ITEMS = enum.auto()  # any class with any property is kept, not only what MIME says
    PROPS = enum.auto()  # `update` works on messages: flags, categories, any property
    READ_MARKS = enum.auto()
    ASSOCIATED = enum.auto()  # hidden messages beside the normal ones
    SOFT_DELETE = enum.auto()  # what was deleted can be listed, and restored by `move`
    SEARCH_FOLDERS = enum.auto()
    RIGHTS = enum.auto()
    RULES = enum.auto()
    RECEIVE_FOLDERS = enum.auto()
    NOTIFY = enum.auto()
    CHANGES = enum.auto()  # `changes` costs what changed, not what there is
    SUBMIT = enum.auto()  # the store sends by itself: `MessageStore.submit`
    PASSWORD = enum.auto()  # that of the login can be changed
    # of an address book
    WRITE = enum.auto()
    GROUPS = enum.auto()


class Special(enum.Enum):
    """Folders that programs look for by what they are for (MS-OXOSFLD 2.2.2, 2.2.3)."""

    INBOX = "inbox"
    OUTBOX = "outbox"
    SENT = "sent"
    DELETED = "deleted"
    DRAFTS = "drafts"
    JUNK = "junk"
    CALENDAR = "calendar"
    CONTACTS = "contacts"
    TASKS = "tasks"
    NOTES = "notes"
    JOURNAL = "journal"
    VIEWS = "views"  # common views
    FINDER = "finder"  # the root of search folders
    REMINDERS = "reminders"  # a search folder: what reminds
    PUBLIC = "public"  # the root of public folders


class View(enum.Enum):
    """Which messages of a folder."""

    NORMAL = 0
    ASSOCIATED = 1
    DELETED = 2


class Which(enum.Enum):
    """Which of a folder's tables that are changed row by row (IExchangeModifyTable)."""

    RIGHTS = "PidTagMemberId"
    RULES = "PidTagRuleId"


class Rows(Protocol):
    """What a table shows, before it is sorted and restricted."""

    def ids(self) -> Sequence[EntryId]:
        """Every row, in the system's own order."""

    def values(self, ids: Sequence[EntryId], keys: Sequence[Key]) -> list[list[Value | None]]:
        """A list a row, in the order of ``keys``; None for what is not there, or for a row that went away."""


class Kind(enum.IntFlag):
    """What happened: the bits that IMAPISession::Advise takes (fnev*)."""

    NEW_MAIL = 0x2
    CREATED = 0x4
    DELETED = 0x8
    MODIFIED = 0x10
    MOVED = 0x20
    COPIED = 0x40
    SEARCH_COMPLETE = 0x80


class Thing(enum.IntEnum):
    """The kind of an object (MAPI_STORE, MAPI_FOLDER, ...)."""

    STORE = 1
    ADDRESS_BOOK = 2
    FOLDER = 3
    CONTAINER = 4
    MESSAGE = 5
    MAIL_USER = 6
    ATTACHMENT = 7
    DIST_LIST = 8
    PROFILE_SECTION = 9
    STATUS = 10
    SESSION = 11
    FORM = 12


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.  For MOVED and COPIED the ``old_`` ids tell where it was (or is).

    ``more``: others of the same moment follow, so that who looks at everything does so after the last.
    """

    kind: Kind
    thing: Thing
    entry: EntryId
    parent: EntryId = b""
    old_entry: EntryId = b""
    old_parent: EntryId = b""
    message_class: str = ""  # of NEW_MAIL
    more: bool = False


def together(events: Sequence[Event]) -> list[Event]:
    """Events of one moment, in their order."""
    return [*[replace(one, more=True) for one in events[:-1]], *events[-1:]]


Listener = Callable[[Event], None]
Cancel = Callable[[], None]


@dataclass(slots=True)
class Changes:
    """What changed in a folder since a state; ``state`` is where the next question starts."""

    state: bytes
    changed: list[EntryId] = field(default_factory=list)  # new ones too
    read: list[tuple[EntryId, bool]] = field(default_factory=list)  # changed in nothing else
    gone: list[EntryId] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Criteria:
    """What a search folder shows (IMAPIContainer::SetSearchCriteria)."""

    restriction: Restriction
    folders: tuple[EntryId, ...]
    recursive: bool = False
    running: bool = True


class MessageStore(ABC):
    """Folders and messages.

    The properties that every folder has among its rows and in `folder`: PidTagEntryId, PidTagParentEntryId,
    PidTagDisplayName, PidTagContainerClass, PidTagContentCount, PidTagContentUnreadCount, PidTagSubfolders,
    PidTagFolderType.  Every message, in rows and in `load`: PidTagEntryId, PidTagParentEntryId,
    PidTagSubject, PidTagMessageClass, PidTagMessageFlags, PidTagMessageSize, PidTagMessageDeliveryTime,
    PidTagLastModificationTime, PidTagChangeKey, PidTagHasAttachments, PidTagDisplayTo/Cc/Bcc.
    """

    name: str
    uid: bytes  # 16 bytes
    can: Can = Can.NOTHING
    entry_id: EntryId  # of the store itself
    root: EntryId  # the folder that all others are in
    top: EntryId  # where the people's folders begin (PidTagIpmSubtreeEntryId); may be ``root``

    # --- looking ------------------------------------------------------------------------------------

    @abstractmethod
    def props(self) -> Bag:
        """Of the store itself."""

    @abstractmethod
    def special(self) -> Mapping[Special, EntryId]:
        """Those that there are."""

    @abstractmethod
    def folders(self, parent: EntryId) -> Rows:
        """The folders right below.  Raises MapiError(NOT_FOUND)."""

    @abstractmethod
    def folder(self, entry: EntryId) -> Bag:
        """Raises MapiError(NOT_FOUND)."""

    @abstractmethod
    def messages(self, folder: EntryId, view: View = View.NORMAL) -> Rows:
        """Raises MapiError(NOT_FOUND, or NOT_SUPPORTED for a view that there is not)."""

    @abstractmethod
    def load(self, message: EntryId) -> Item:
        """The whole message; contents of attachments may come by reference.  Raises MapiError(NOT_FOUND).

        One that was deleted and can come back has PidTagDeletedOn.
        """

    def mime(self, message: EntryId) -> bytes | Data | None:
        """The letter byte for byte as it came, where the system keeps such; None: it is made of properties.

        Raises MapiError(NOT_FOUND).
        """
        return None

    def search(self, folder: EntryId, restriction: Restriction) -> Collection[EntryId] | None:
        """Messages that may match, where the system can tell faster than by reading all; else None.

        May give too many, never too few: the table compares what comes.
        """
        return None

    # --- changing -----------------------------------------------------------------------------------

    def save(
        self,
        folder: EntryId,
        item: Item,
        *,
        old: EntryId | None = None,
        expected: bytes | None = None,
        view: View = View.NORMAL,
    ) -> EntryId:
        """Keeps a new message, or the whole new state of ``old``; the id may be another one afterwards.

        A new one without PidTagMessageFlags is unread and no draft.
        ``expected``: the PidTagChangeKey that ``old`` must still have.
        Raises MapiError(NOT_FOUND, OBJECT_CHANGED, ACCESS_DENIED).
        """
        raise MapiError(Code.NOT_SUPPORTED)

    def add(self, folder: EntryId, item: Item, letter: bytes) -> EntryId:
        """Keeps a new message that came as MIME; a system that keeps MIME keeps these very bytes.

        ``item``: what the letter says, and what is known beside it (flags, categories).  Raises as `save`.
        """
        return self.save(folder, item)

    def update(self, entry: EntryId, changes: Bag, gone: Collection[Key] = ()) -> None:
        """Sets and removes properties of a folder, of the store itself, or (Can.PROPS) of a message."""
        raise MapiError(Code.NOT_SUPPORTED)

    def mark_read(self, messages: Sequence[EntryId], read: bool) -> None:
        """Those that are not there are passed over."""
        raise MapiError(Code.NOT_SUPPORTED)

    def move(self, messages: Sequence[EntryId], target: EntryId) -> list[EntryId]:
        """Their ids in ``target``; b"" for one that was not there."""
        raise MapiError(Code.NOT_SUPPORTED)

    def copy(self, messages: Sequence[EntryId], target: EntryId) -> list[EntryId]:
        """Their copies' ids in ``target``; b"" for one that was not there."""
        raise MapiError(Code.NOT_SUPPORTED)

    def delete(self, messages: Sequence[EntryId], *, hard: bool = False) -> int:
        """How many there were.  Without ``hard``, a system with SOFT_DELETE can give them back."""
        raise MapiError(Code.NOT_SUPPORTED)

    def make_folder(self, parent: EntryId, props: Bag) -> EntryId:
        """PidTagFolderType 2 in ``props`` makes a search folder.  Raises MapiError(COLLIDING_NAMES,
        NOT_FOUND).
        """
        raise MapiError(Code.NOT_SUPPORTED)

    def move_folder(self, folder: EntryId, parent: EntryId, name: str | None = None) -> EntryId:
        """With all below it.  Raises MapiError(COLLIDING_NAMES, FOLDER_CYCLE, NOT_FOUND)."""
        raise MapiError(Code.NOT_SUPPORTED)

    def delete_folder(self, folder: EntryId) -> None:
        """With all that is in it and below it; the caller asked already.  Raises MapiError(NOT_FOUND)."""
        raise MapiError(Code.NOT_SUPPORTED)

    # --- what some systems have ---------------------------------------------------------------------

    def changes(self, folder: EntryId, state: bytes) -> Changes:
        """Since a state; b"" is the beginning.  Without Can.CHANGES by comparing listings."""
        return Changes(*listing.compare(self.messages(folder), state))

    def entry_of(self, folder_key: bytes, message_key: bytes = b"") -> EntryId:
        """The inverse of `source_key`.  Raises MapiError(NOT_FOUND)."""
        return message_key or folder_key

    def source_key(self, entry: EntryId) -> bytes:
        """What a message or folder is called when it is synchronized (PidTagSourceKey)."""
        return entry

    def watch(self, listener: Listener) -> Cancel:
        """Tells of changes, soon, in any thread and under no lock; gives what ends it."""
        raise MapiError(Code.NOT_SUPPORTED)

    def criteria(self, folder: EntryId) -> Criteria:
        """Of a search folder.  Raises MapiError(NOT_INITIALIZED): it was given none."""
        raise MapiError(Code.NOT_SUPPORTED)

    def set_criteria(self, folder: EntryId, criteria: Criteria) -> None:
        raise MapiError(Code.NOT_SUPPORTED)

    def table(self, folder: EntryId, which: Which) -> list[Bag]:
        """Rights or rules, each row with its number (the property that ``which`` names)."""
        raise MapiError(Code.NOT_SUPPORTED)

    def set_table(self, folder: EntryId, which: Which, rows: Sequence[Bag]) -> None:
        """All rows at once; one without a number is new and gets one."""
        raise MapiError(Code.NOT_SUPPORTED)

    def change_table(
        self, folder: EntryId, which: Which, change: Callable[[list[Bag]], Sequence[Bag]]
    ) -> None:
        """`set_table` to what ``change`` makes of `table`, which nobody changes meanwhile if that can be."""
        self.set_table(folder, which, change(self.table(folder, which)))

    def receive_folder(self, message_class: str) -> tuple[EntryId, str]:
        """Where new messages of a class go, and the class that was found for it (the longest prefix).

        Raises MapiError(NO_RECEIVE_FOLDER): nothing is delivered here.
        """
        inbox = self.special().get(Special.INBOX)
        if inbox is None:
            raise MapiError(Code.NO_RECEIVE_FOLDER)
        return inbox, ""

    def set_receive_folder(self, message_class: str, folder: EntryId | None) -> None:
        raise MapiError(Code.NOT_SUPPORTED)

    def submit(self, message: EntryId) -> None:
        """Sends what stands in the store and files it (Can.SUBMIT).  Raises MapiError(NO_RECIPIENTS)."""
        raise MapiError(Code.NOT_SUPPORTED)

    def change_password(self, old: str, new: str) -> None:
        """Of who is logged on.

        Raises MapiError(LOGON_FAILED): the old one is another; (INVALID_PARAMETER): the new one is none.
        """
        raise MapiError(Code.NOT_SUPPORTED)

    def refresh(self) -> None:  # noqa: B027 (nothing is a right answer)
        """Looks now for what others changed, where the system does not tell by itself."""

    def close(self) -> None:  # noqa: B027 (nothing is a right answer)
        """Lets go of connections and files."""


class AddressBook(ABC):
    """Containers with mail users and distribution lists.

    Every entry, in rows and in `load`: PidTagEntryId, PidTagDisplayName, PidTagObjectType, PidTagDisplayType,
    and where it has an address PidTagAddressType, PidTagEmailAddress, PidTagSmtpAddress.
    """

    name: str
    uid: bytes  # 16 bytes
    can: Can = Can.NOTHING
    root: EntryId

    @abstractmethod
    def containers(self, parent: EntryId) -> Rows:
        """Right below.  Raises MapiError(NOT_FOUND)."""

    @abstractmethod
    def entries(self, container: EntryId) -> Rows:
        """People and lists.  Raises MapiError(NOT_FOUND)."""

    @abstractmethod
    def load(self, entry: EntryId) -> Bag:
        """A container, a mail user or a list.  Raises MapiError(NOT_FOUND)."""

    def members(self, group: EntryId) -> list[EntryId]:
        """Of a list (Can.GROUPS)."""
        raise MapiError(Code.NOT_SUPPORTED)

    def resolve(self, text: str, container: EntryId | None = None) -> list[EntryId]:
        """Whom ``text`` may mean: an address or a name exactly, else by the beginnings of words.

        At most `listing.MAX_FOUND`; one is an answer, several are an ambiguity.
        """
        container = self.first() if container is None else container
        return listing.resolve(self.entries(container), text)

    def first(self) -> EntryId:
        """The container that names are looked up in when none is told."""
        found = self.containers(self.root).ids()
        return found[0] if found else self.root

    def save(self, container: EntryId, props: Bag, old: EntryId | None = None) -> EntryId:
        """A new entry, or the whole new state of ``old`` (Can.WRITE)."""
        raise MapiError(Code.NOT_SUPPORTED)

    def set_members(self, group: EntryId, members: Sequence[EntryId]) -> None:
        """Other books' ids and one-off ids may be among them (Can.WRITE and Can.GROUPS)."""
        raise MapiError(Code.NOT_SUPPORTED)

    def delete(self, entries: Sequence[EntryId]) -> int:
        """How many there were (Can.WRITE)."""
        raise MapiError(Code.NOT_SUPPORTED)

    def watch(self, listener: Listener) -> Cancel:
        """See `MessageStore.watch` (Can.NOTIFY)."""
        raise MapiError(Code.NOT_SUPPORTED)

    def close(self) -> None:  # noqa: B027 (nothing is a right answer)
        """Lets go of connections and files."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A recipient that was refused at once: its place in the item, and why, for people."""

    recipient: int
    text: str
    code: Code = Code.NOT_COMPLETED


class Transport(ABC):
    """A way for messages to leave."""

    name: str
    kinds: tuple[str, ...] = ("SMTP",)  # address types that it takes, in capitals

    @abstractmethod
    def send(self, item: Item, recipients: Sequence[int]) -> list[Failure]:
        """Hands the message on for those of its recipients; the ones that were refused come back.

        The sender's and the sent-representing properties are set.  Raises MapiError(NETWORK_ERROR,
        ACCESS_DENIED, ...): nothing was handed on.
        """

    def close(self) -> None:  # noqa: B027 (nothing is a right answer)
        """Lets go of connections."""


@dataclass(slots=True)
class Opened:
    """What a message service gives once it is open; any part may be missing.

    ``identity``: who the person is there (PidTagDisplayName, PidTagAddressType, PidTagEmailAddress,
    PidTagSmtpAddress, and PidTagEntryId where an address book knows them).
    """

    store: MessageStore | None = None
    more_stores: Sequence[MessageStore] = ()  # public folders, others' mailboxes
    book: AddressBook | None = None
    transport: Transport | None = None
    identity: Bag = field(default_factory=dict)

    def close(self) -> None:
        for part in (self.transport, self.book, *self.more_stores, self.store):
            if part is not None:
                part.close()


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of a message service, as a profile keeps it: always text."""

    name: str
    help: str
    default: str | None = None  # None: it must be given
    secret: bool = False  # asked for at logon where the profile does not keep it


@dataclass(frozen=True, slots=True)
class Service:
    """A message service that a profile can have (IMsgServiceAdmin::CreateMsgService).

    ``open`` takes every option, defaults filled in.  It raises MapiError(LOGON_FAILED, NETWORK_ERROR,
    INVALID_PARAMETER).
    """

    name: str  # "IMAP"
    title: str  # for people
    open: Callable[[Mapping[str, str]], Opened]
    options: tuple[Option, ...] = ()
    resources: frozenset[str] = frozenset(("store", "book", "transport"))  # which of them it gives
    mailbox: str = ""  # the option that opens somebody else's mailbox, where the system has others
