"""IMessage: a message that is open; what is changed on it is kept by SaveChanges."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from quintet.mapi import consts, pr, types
from quintet.mapi.bag import Attachment, Bag, Item, Key, NamedTag
from quintet.mapi.convert import bodies
from quintet.mapi.core import attach, table, values
from quintet.mapi.core.errors import fail
from quintet.mapi.core.props import IMAPIProp
from quintet.mapi.core.structs import SPropValue
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import derive
from quintet.mapi.providers.base import Can, EntryId, Kind, Thing, View
from quintet.mapi.types import Value

if TYPE_CHECKING:
    from quintet.mapi.core.store import IMsgStore

# What a program changes without meaning a new version of the message: flags, categories, follow-up,
# reminders.
NOTES = frozenset((
    pr.FLAG_STATUS, pr.FLAG_COMPLETE_TIME, pr.FOLLOWUP_ICON, pr.ICON_INDEX, pr.LAST_VERB_EXECUTED,
    pr.LAST_VERB_EXECUTION_TIME, pr.REPLY_TIME, pr.READ_RECEIPT_REQUESTED, pr.MSG_STATUS, pr.TODO_ITEM_FLAGS,
    pr.MESSAGE_FLAGS,
))  # fmt: skip
_KEPT_WHOLE = (
    "IPM.APPOINTMENT", "IPM.TASK", "IPM.CONTACT", "IPM.DISTLIST", "IPM.ACTIVITY", "IPM.STICKYNOTE",
    "IPM.DOCUMENT",
)  # fmt: skip
RECIPIENT_COLUMNS = (
    pr.ROWID, pr.RECIPIENT_TYPE, pr.DISPLAY_NAME, pr.ADDRTYPE, pr.EMAIL_ADDRESS, pr.ENTRYID, pr.SMTP_ADDRESS,
    pr.OBJECT_TYPE, pr.DISPLAY_TYPE, pr.SEARCH_KEY, pr.RESPONSIBILITY, pr.RECIPIENT_TRACKSTATUS,
)  # fmt: skip
ATTACHMENT_COLUMNS = (
    pr.ATTACH_NUM, pr.ATTACH_METHOD, pr.ATTACH_LONG_FILENAME, pr.ATTACH_FILENAME, pr.ATTACH_SIZE,
    pr.ATTACH_MIME_TAG, pr.ATTACH_CONTENT_ID, pr.DISPLAY_NAME, pr.RENDERING_POSITION, pr.ATTACHMENT_HIDDEN,
    pr.OBJECT_TYPE, pr.RECORD_KEY, pr.INSTANCE_KEY, pr.LAST_MODIFICATION_TIME,
)  # fmt: skip
_BODIES = (pr.BODY, pr.HTML)  # made of each other where only one was written
MAX_RECIPIENTS = 100_000
MAX_ATTACHMENTS = 10_000


class IMessage(IMAPIProp):
    """``entry`` None: it was never saved."""

    iids: ClassVar[tuple[str, ...]] = ("IID_IMessage",)
    computed = frozenset((
        pr.ENTRYID, pr.PARENT_ENTRYID, pr.RECORD_KEY, pr.STORE_ENTRYID, pr.STORE_RECORD_KEY, pr.HASATTACH,
        pr.MESSAGE_SIZE, pr.DISPLAY_TO, pr.DISPLAY_CC, pr.DISPLAY_BCC, pr.OBJECT_TYPE, pr.ACCESS,
        pr.ACCESS_LEVEL, pr.CHANGE_KEY, pr.MAPPING_SIGNATURE, pr.INSTANCE_KEY, pr.STORE_SUPPORT_MASK,
        pr.MDB_PROVIDER, pr.SOURCE_KEY, pr.PARENT_SOURCE_KEY, pr.ORIGINAL_ENTRYID,
    ))  # fmt: skip

    def __init__(
        self,
        store: IMsgStore | None,
        folder: EntryId,
        entry: EntryId | None,
        item: Item,
        lock: threading.RLock,
        *,
        writable: bool,
        view: View = View.NORMAL,
    ) -> None:
        super().__init__(lock, writable=writable)
        self._store, self._folder, self._entry, self._view = store, folder, entry, view
        self._item = item
        self._attachments: dict[int, Attachment] = dict(enumerate(item.attachments))
        self._next = len(item.attachments)
        self._row: Bag | None = None
        self._noted: Bag = {}  # changes of NOTES
        self._removed: set[Key] = set()
        self._changed = entry is None  # anything else
        self._bodies: set[int] = set()  # forms of the body that were written here
        self._save: Callable[[Item], None] | None = None
        self._number_recipients()

    @classmethod
    def embedded(cls, item: Item, save: Callable[[Item], None] | None, lock: threading.RLock) -> IMessage:
        """A message within an attachment; ``save`` None: for reading."""
        made = cls(None, b"", None, derive.copied(item), lock, writable=save is not None)
        made._save = save
        return made

    def contents(self) -> Item:
        """The message as a value, as it is now: properties, recipients, attachments."""
        return Item(dict(self._bag()), list(self._item.recipients), list(self._attachments.values()))

    def fill(self, item: Item) -> None:
        """Takes all that a value has; what the message had besides stays."""
        IMessage.embedded(item, None, self._lock).CopyTo(None, None, 0, None, None, self, 0)

    def _number_recipients(self) -> None:
        for number, one in enumerate(self._item.recipients):
            one[pr.ROWID] = number
        self._next_row = len(self._item.recipients)

    # --- properties

    def _bag(self) -> Bag:
        if self._row is None:
            self._item.attachments = list(self._attachments.values())
            self._row = derive.row_of(self._item)
            for tag in _BODIES:
                if tag not in self._row and (made := bodies.synthesized(self._row, tag)) is not None:
                    self._row[tag] = made
            if self._store is not None:
                self._row |= self._store.fixed
            access = consts.MAPI_ACCESS_MODIFY | consts.MAPI_ACCESS_DELETE if self._writable else 0
            self._row.setdefault(pr.ACCESS, consts.MAPI_ACCESS_READ | access)
            self._row[pr.ACCESS_LEVEL] = int(self._writable)
            self._row.setdefault(pr.MSG_STATUS, 0)
        return self._row

    def _made(self, key: Key) -> Value | None:
        """The compressed RTF of a message that has another form of its body, where somebody asks for it."""
        return bodies.synthesized(self._bag(), key) if key == pr.RTF_COMPRESSED else None

    def _whole(self) -> Bag:
        return derive.row_of(self._item)

    def _take(self, changes: Bag, gone: Collection[Key]) -> None:
        props = self._item.props
        if pr.SUBJECT in changes:  # the parts follow anew, unless they are told too
            for part in (pr.SUBJECT_PREFIX, pr.NORMALIZED_SUBJECT):
                if part not in changes:
                    props.pop(part, None)
        elif pr.NORMALIZED_SUBJECT in changes or pr.SUBJECT_PREFIX in changes:
            props.pop(pr.SUBJECT, None)
        if any(tag in changes for tag in (*_BODIES, pr.RTF_COMPRESSED)):
            self._write_body(changes)
        props.update(changes)
        for key in gone:
            props.pop(key, None)
        for key in (*changes, *gone):
            if key in NOTES or isinstance(key, NamedTag):
                self._noted.update({key: changes[key]} if key in changes else {})
            else:
                self._changed = True
        self._removed = (self._removed | set(gone)) - set(changes)
        self._noted = {key: value for key, value in self._noted.items() if key not in self._removed}
        self._row = None

    def _write_body(self, changes: Bag) -> None:
        """Forms of the body that nobody wrote on this object would go on to say what it was."""
        forms = (*_BODIES, pr.RTF_COMPRESSED)
        self._bodies |= {tag for tag in forms if tag in changes}
        for tag in forms:
            if tag not in self._bodies:
                self._item.props.pop(tag, None)

    # --- recipients

    def GetRecipientTable(self, flags: int = 0) -> table.IMAPITable:
        """To, Cc and Bcc in their order, as they are now."""
        bags = {_row_key(one): one for one in self._item.recipients}
        wide = bool(flags & consts.MAPI_UNICODE)
        return table.of_bags(bags, RECIPIENT_COLUMNS, self._lock, wide=wide)

    def ModifyRecipients(self, flags: int, recipients: Sequence[Sequence[SPropValue]]) -> None:
        """MODRECIP_ADD, MODRECIP_MODIFY and MODRECIP_REMOVE (both by PR_ROWID), or 0: replaces all."""
        self._must_be_writable()
        bags = [values.bag_of(one) for one in recipients]
        if flags in (0, consts.MODRECIP_ADD):
            self._add_recipients(bags, keep=flags != 0)
        elif flags in (consts.MODRECIP_MODIFY, consts.MODRECIP_REMOVE):
            by_row = {one[pr.ROWID]: at for at, one in enumerate(self._item.recipients)}
            gone = set()
            for bag in bags:
                at = by_row.get(bag.get(pr.ROWID))
                if at is None:
                    raise fail("MAPI_E_NOT_FOUND", "no recipient has that PR_ROWID")
                if flags == consts.MODRECIP_REMOVE:
                    gone.add(at)
                else:
                    self._item.recipients[at] = bag
            kept = [one for at, one in enumerate(self._item.recipients) if at not in gone]
            self._item.recipients = kept
        else:
            raise fail("MAPI_E_UNKNOWN_FLAGS")
        self._changed, self._row = True, None

    def _add_recipients(self, bags: list[Bag], *, keep: bool) -> None:
        before = self._item.recipients if keep else []
        if len(before) + len(bags) > MAX_RECIPIENTS:
            raise fail("MAPI_E_TOO_BIG", "too many recipients")
        for bag in bags:
            bag.setdefault(pr.RECIPIENT_TYPE, derive.TO)
            bag[pr.ROWID] = self._next_row
            self._next_row += 1
        self._item.recipients = [*before, *bags]

    def expand_recipients(self, expanded: Callable[[Sequence[Bag]], list[Bag]]) -> None:
        """Lists that only an address book knows become the people on them, as they are now.

        Raises MAPIErrorTooBig.
        """
        found = expanded(self._item.recipients)
        if found != self._item.recipients:
            self._add_recipients(found, keep=False)
            self._changed, self._row = True, None

    # --- attachments

    def GetAttachmentTable(self, flags: int = 0) -> table.IMAPITable:
        bags = {
            number.to_bytes(4, "big"): attach.bag_of(number, one) for number, one in self._attachments.items()
        }
        wide = bool(flags & consts.MAPI_UNICODE)
        return table.of_bags(bags, ATTACHMENT_COLUMNS, self._lock, wide=wide)

    def OpenAttach(self, number: int, iid: bytes | None = None, flags: int = 0) -> attach.IAttach:
        """By its PR_ATTACH_NUM.  Raises MAPIErrorNotFound."""
        if number not in self._attachments:
            raise fail("MAPI_E_NOT_FOUND")
        writable = self._writable and bool(flags & (consts.MAPI_MODIFY | consts.MAPI_BEST_ACCESS))
        return self._opened(number, self._attachments[number], writable=writable)

    def CreateAttach(self, iid: bytes | None = None, flags: int = 0) -> tuple[int, attach.IAttach]:
        """A new one, and its number; it is in the message once it was saved."""
        self._must_be_writable()
        if self._next >= MAX_ATTACHMENTS:
            raise fail("MAPI_E_TOO_BIG", "too many attachments")
        number, self._next = self._next, self._next + 1
        return number, self._opened(number, Attachment({pr.RENDERING_POSITION: -1}), writable=True)

    def _opened(self, number: int, one: Attachment, *, writable: bool) -> attach.IAttach:
        def save(new: Attachment) -> None:
            self._attachments[number] = new
            self._changed, self._row = True, None

        return attach.IAttach(number, one, save, self._lock, writable=writable)

    def DeleteAttach(self, number: int, ui: int = 0, progress: object = None, flags: int = 0) -> None:
        """Raises MAPIErrorNotFound."""
        self._must_be_writable()
        if self._attachments.pop(number, None) is None:
            raise fail("MAPI_E_NOT_FOUND")
        self._changed, self._row = True, None

    # --- the whole

    def SaveChanges(self, flags: int = 0) -> None:
        """Keeps the message.  KEEP_OPEN_READWRITE lets it be changed further.

        Raises MAPIErrorObjectChanged: somebody saved another version since it was opened; FORCE_SAVE
        overwrites that.  MAPIErrorObjectDeleted: it is gone.  MAPIErrorNoAccess.
        """
        self._must_be_writable()
        self._flush()
        self._item.attachments = list(self._attachments.values())
        if self._save is not None:
            self._save(derive.copied(self._item))
        elif self._store is not None:
            self._keep(self._store, force=bool(flags & consts.FORCE_SAVE))
        if not flags & consts.KEEP_OPEN_READWRITE:
            self._writable, self._row = False, None

    def _keep(self, store: IMsgStore, *, force: bool) -> None:
        source = store.source
        if self._entry is not None and not self._changed and Can.PROPS in source.can:
            if self._noted or self._removed:
                try:
                    source.update(self._entry, dict(self._noted), list(self._removed))
                except MapiError as error:
                    if error.code != Code.NOT_SUPPORTED or not self._tells_names():
                        raise
                    self._keep_whole(store, force=force)
        elif self._changed or self._noted or self._removed:
            self._keep_whole(store, force=force)
        if self._entry is not None:
            self._reread(store, self._entry)

    def _tells_names(self) -> bool:
        """What a task, a contact or the like has under names is its content where it is kept as MIME."""
        own = str(self._item.props.get(pr.MESSAGE_CLASS) or "").upper()
        return own.startswith(_KEPT_WHOLE) and any(
            isinstance(key, NamedTag) for key in (*self._noted, *self._removed)
        )

    def _keep_whole(self, store: IMsgStore, *, force: bool) -> None:
        new = self._entry is None
        expected = None if new or force else self._item.props.get(pr.CHANGE_KEY)
        props = self._item.props
        item = Item({key: props[key] for key in props if key not in store.fixed})
        item.recipients, item.attachments = self._item.recipients, self._item.attachments
        self._entry = store.source.save(
            self._folder, item, old=self._entry, expected=expected, view=self._view
        )
        store.hub.did(Kind.CREATED if new else Kind.MODIFIED, Thing.MESSAGE, self._entry, self._folder)

    def _reread(self, store: IMsgStore, entry: EntryId) -> None:
        numbers = list(self._attachments)
        self._item = store.source.load(entry)
        found = self._item.attachments
        if len(numbers) == len(found):
            self._attachments = dict(zip(numbers, found, strict=True))
        else:  # a provider may keep some of them otherwise
            self._attachments = dict(enumerate(found))
            self._next = max(self._next, len(found))
        self._number_recipients()
        self._row, self._noted, self._removed, self._changed = None, {}, set(), False
        self._bodies.clear()

    def SubmitMessage(self, flags: int = 0) -> None:
        """Saves the message and sends it.

        It is then in the folder that PR_SENTMAIL_ENTRYID names, or gone (PR_DELETE_AFTER_SUBMIT), or where it
        was.  A system that cannot be reached leaves it in the outbox for the next FlushQueues, where messages
        can have that mark; elsewhere that is an error, and it stays a draft.
        Raises MAPIErrorNoRecipients, MAPIErrorNoAccess, MAPIErrorNetworkError.
        """
        from quintet.mapi.core import spool  # it knows this class

        if self._store is None:
            raise fail("MAPI_E_NO_SUPPORT", "a message within another is not sent by itself")
        self._must_be_writable()
        if not self._item.recipients:
            raise fail("MAPI_E_NO_RECIPIENTS")
        spool.submit(self, self._store)
        self._writable = False

    def SetReadFlag(self, flags: int = 0) -> None:
        """Marks it as read; as unread with CLEAR_READ_FLAG.

        The receipt that its sender asked for is sent once, unless SUPPRESS_RECEIPT is given; with
        GENERATE_RECEIPT_ONLY nothing else is done.  Raises MAPIErrorNoSupport: nobody here sends receipts.
        """
        read = not flags & consts.CLEAR_READ_FLAG
        only = bool(flags & consts.GENERATE_RECEIPT_ONLY)
        if read and not flags & consts.SUPPRESS_RECEIPT:
            self._receipt(flags)
        if only:
            return
        now = self._item.props.get(pr.MESSAGE_FLAGS, 0)
        self._item.props[pr.MESSAGE_FLAGS] = now | derive.READ if read else now & ~derive.READ
        self._row = None
        if self._store is not None and self._entry is not None:
            self._store.source.mark_read([self._entry], read)
            self._store.hub.did(Kind.MODIFIED, Thing.MESSAGE, self._entry, self._folder)

    def _receipt(self, flags: int) -> None:
        from quintet.mapi.core import spool  # it knows this class

        if self._store is None or self._entry is None or self._store.session is None:
            return
        if spool.answer(self._store, self._entry, self._item, flags):
            self._row = None

    def OpenProperty(self, tag: int, iid: bytes | None = None, options: int = 0, flags: int = 0) -> Any:
        """PR_MESSAGE_RECIPIENTS and PR_MESSAGE_ATTACHMENTS open tables; anything else a stream."""
        if tag == pr.MESSAGE_RECIPIENTS and iid == consts.IID_IMAPITable:
            return self.GetRecipientTable(options)
        if tag == pr.MESSAGE_ATTACHMENTS and iid == consts.IID_IMAPITable:
            return self.GetAttachmentTable(options)
        return super().OpenProperty(tag, iid, options, flags)

    def _copy_parts(self, without: Collection[int], target: IMAPIProp, flags: int) -> None:
        if not isinstance(target, IMessage):
            return
        if pr.MESSAGE_RECIPIENTS >> 16 not in without:
            bags = [dict(one) for one in self._item.recipients]
            target._add_recipients(bags, keep=bool(flags & consts.MAPI_NOREPLACE))
        if pr.MESSAGE_ATTACHMENTS >> 16 not in without:
            if not flags & consts.MAPI_NOREPLACE:
                target._attachments.clear()
            for one in derive.copied(Item({}, [], list(self._attachments.values()))).attachments:
                target._attachments[target._next] = one
                target._next += 1
        target._changed, target._row = True, None


def _row_key(one: Bag) -> bytes:
    number: int = one[pr.ROWID]
    return number.to_bytes(4, "big")


def draft(message_class: str = "IPM.Note") -> Item:
    """What a new message is before anything is set."""
    return Item(
        {
            pr.MESSAGE_CLASS: message_class,
            pr.MESSAGE_FLAGS: derive.UNSENT | derive.READ,
            pr.CREATION_TIME: types.of_ms(int(values.now().unixtime * 1000)),
            pr.IMPORTANCE: 1,
            pr.SENSITIVITY: 0,
        }
    )
