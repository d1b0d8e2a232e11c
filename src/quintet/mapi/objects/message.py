"""Messages: an entry of a folder as an object (MS-OXCMSG 3.2.5.1 to 3.2.5.3, 3.2.5.11).

A message that lies in a mail folder is MIME there, whoever made it.  Saving one that was made by properties
renders it; setting what no MIME carries leaves the letter and its number alone; everything else makes another
letter, which keeps the message's id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from quintet.errors import Problem
from quintet.mapi import changelists, convert, types
from quintet.mapi.bag import Attachment as AttachmentBag
from quintet.mapi.bag import Bag, Data, Item
from quintet.mapi.convert import addressing
from quintet.mapi.convert import names as converted
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import flags, numbers, packed, people, permissions, pid, sending, stored
from quintet.mapi.objects.bagged import Fact
from quintet.mapi.objects.box import mapped
from quintet.mapi.objects.itemlike import ItemLike, initial
from quintet.mapi.types import Tag, Value
from quintet.store import entries, items, keeping, pages, props
from quintet.store.blobs import Spool
from quintet.store.content import Content
from quintet.store.model import EntryId, FolderKind

if TYPE_CHECKING:
    from quintet.mapi.objects.box import Box
    from quintet.mapi.objects.folder import Folder
    from quintet.mapi.objects.foldercore import Wish


LITTLE = 64 * 1024  # bytes of a letter that is not weighed
MAX_SIZE = 256 * 1024 * 1024  # bytes of one message with all that is attached; quotas are smaller


class Message(ItemLike):
    """One message, opened or just created (``row`` None)."""

    def __init__(
        self,
        folder: Folder,
        item: Item,
        row: stored.Row | None,
        *,
        hidden: bool = False,
        writable: bool = True,
    ) -> None:
        super().__init__(folder.box, item, writable=writable)
        self.folder = folder
        self.row = row
        self.hidden = hidden
        self._read: bool | None = None  # for a new one: as which it is to be saved
        self.reserved = EntryId(0)  # the id of one that is about to be posted
        self.letter: bytes | None = None  # of a new one that came as MIME: kept as it is
        self._rendered: Content | None = None  # ahead of being saved
        self._sending: tuple[str, list[str]] | None = None  # sender and recipients, ahead of being sent
        if row is not None:
            flags.overlay(item.props, row.flags)

    # --- opening and creating -----------------------------------------------------------------------

    @classmethod
    def open(cls, box: Box, number: EntryId, *, deleted: bool = False) -> Message:
        """Raises MapiError(NOT_FOUND) (R323, R335), MapiError(ACCESS_DENIED) (R324)."""
        with mapped():
            gone = deleted and not pages.present(box.tx, [number])
            row = keeping.whole(box.tx, number) if gone else stored.row(box.tx, number)
        folder = box.folder(row.folder_id)
        folder.check("r")
        made = cls(folder, stored.item(box, row), row, hidden=bool(row.hidden))
        made.writable = not gone and made._may_be_edited()
        return made

    @classmethod
    def create(cls, folder: Folder, *, hidden: bool = False) -> Message:
        """A new one; nothing of it is kept before `save` (R339).  Raises MapiError(ACCESS_DENIED) (R3018)."""
        folder.check("p" if folder.is_group else "i")
        if folder.is_search:
            raise MapiError(Code.SEARCH_FOLDER)
        made = cls(folder, Item(initial(folder.box.now())), None, hidden=hidden)
        made.changed.add(pid.MESSAGE_CLASS)
        if not folder.box.is_owner:
            made.item.props[pid.CREATOR] = folder.box.reader.name
        return made

    @property
    def weight(self) -> int:
        if self.row is not None and self.row.size <= LITTLE and not self.is_dirty:
            return 2 * self.row.size
        return super().weight

    def _may_be_edited(self) -> bool:
        folder = self.folder
        return folder.may("w") or (self.is_own and folder.may_own(permissions.EDIT_OWNED))

    @property
    def is_own(self) -> bool:
        """The reader made it, in a folder of somebody else (MS-OXCPERM_R131)."""
        return self.item.props.get(pid.CREATOR) == self.box.reader.name

    @property
    def number(self) -> int:
        """The message's id; 0 before it is saved for the first time."""
        return self.reserved if self.row is None else self.row.id

    # --- saving -------------------------------------------------------------------------------------

    def render(self) -> None:
        """Makes the letter that `save` will keep, where nobody waits for it: in a transaction that reads.

        Nothing may be changed in between.
        """
        if not self.is_mime or (self.folder.is_group and not self.hidden):
            return
        if self.row is None:
            self.item.props.setdefault(pid.DELIVERY_TIME, self.box.now())
        if self.row is None or (self.is_dirty and self.content_changed):
            self._rendered = self._content(bcc=True)

    def save(self, *, force: bool = False) -> int:
        """Keeps the changes; returns the message's id (RopSaveChangesMessage).

        In a public group a new message becomes an article: it is posted by an errand (`errands`), and is
        there when that has been done.

        Raises:
            MapiError(OBJECT_CHANGED): somebody else saved meanwhile, and not ``force`` (R705).
            MapiError(OBJECT_DELETED): somebody took it away.  MapiError(MAX_SUBMISSION): it is too large.
            MapiError(ACCESS_DENIED | QUOTA_EXCEEDED): and the other problems of the store.
        """
        self.check_writable()
        if self.row is None:
            self.folder.check("p" if self.folder.is_group else "i")
        elif self.is_dirty and not self._may_be_edited():  # any more
            raise MapiError(Code.ACCESS_DENIED)
        if stored.size_of(self.item) > MAX_SIZE:
            raise MapiError(Code.MAX_SUBMISSION, "the message is too large")
        self.item.props[pid.LAST_MODIFICATION] = self.box.now()
        try:
            if self.row is None:
                self._save_new()
            elif self.is_dirty:
                self._check_unchanged(force)
                if self.content_changed:
                    self._save_content()
                else:
                    self._save_props()
        finally:
            self._rendered = None
        self.changed.clear()
        self.parts_changed = False
        self.box.written()
        return self.number

    def save_beside(self) -> None:
        """Keeps properties of one that is there, and leaves its letter as it came whatever they say."""
        self._save_props()
        self.changed.clear()
        self.box.written()

    def _check_unchanged(self, force: bool) -> None:
        assert self.row is not None
        now = self.box.tx.value("SELECT content_modseq FROM entry WHERE id = ?", self.row.id)
        if now is None:
            raise MapiError(Code.OBJECT_DELETED)
        if now != self.row.content_modseq and not force:
            raise MapiError(Code.OBJECT_CHANGED)

    def _save_new(self) -> None:
        folder, box = self.folder, self.box
        if folder.is_group and not self.hidden:
            self._post()
            return
        bag = self.item.props
        received_at = types.to_ms(bag.setdefault(pid.DELIVERY_TIME, box.now()))
        state = flags.of_message(bag, read=self._read)
        if self.is_mime:
            content = self._rendered or self._content(bcc=True)
            (added,) = entries.add(box.tx, [folder.id], content, received_at=received_at, flags=state)
        else:
            added = items.add(
                box.tx, folder.id, stored.facts(self.item), received_at=received_at, flags=state,
                hidden=self.hidden,
            )  # fmt: skip
        self.adopt(added.entry_id)

    def _post(self) -> None:
        """An article has its id from the beginning, and its number in the group when it has been posted."""
        self.reserved = self.reserved or EntryId(self.box.tx.new_ids(1))
        pieces = self.mime(bcc=False)
        self.box.errands.append(sending.Post(self, self.reserved, pieces, self.folder.row.name))

    def adopt(self, number: EntryId) -> None:
        """The entry that it has become: keeps beside its MIME what that does not say."""
        self.row, self.letter = stored.row(self.box.tx, number), None
        self._keep(stored.derived(self.box, self.row))

    def _save_content(self) -> None:
        """The letter is another one now; its id stays (docs/decisions/0117)."""
        assert self.row is not None
        if self.folder.is_group and not self.hidden:
            raise MapiError(Code.ACCESS_DENIED, "an article is not changed; it is superseded")
        number, tx = self.row.id, self.box.tx
        if self.is_mime:
            stays = self._kept_times()
            entries.replace_content(tx, number, self._rendered or self._content(bcc=True))
            self.item.props.update(stays)
        else:
            items.replace(tx, number, stored.facts(self.item))
        self.row = stored.row(tx, number)
        self._save_flags()
        self._keep(stored.derived(self.box, self.row))

    def _save_props(self) -> None:
        """Only what the letter does not carry: the same letter, the same number."""
        assert self.row is not None
        items.touch(self.box.tx, self.row.id)
        self._save_flags()
        self._keep(stored.derived(self.box, self.row))

    def _kept_times(self) -> Bag:
        """When it was made, for a letter that is replaced."""
        assert self.row is not None
        made = self.item.props.get(pid.CREATION_TIME, types.of_ms(self.row.saved_at))
        return {pid.CREATION_TIME: made}

    def _save_flags(self) -> None:
        """Flags that are the entry's own: what `flags` makes of properties that were set."""
        assert self.row is not None
        if self.hidden:
            self.row = stored.row(self.box.tx, self.row.id)
            return
        wanted = flags.of_changes(self.item.props, self.changed, self.row.flags)
        self.folder.mark([self.row.uid], set_=wanted & ~self.row.flags, clear=self.row.flags & ~wanted)
        self.row = stored.row(self.box.tx, self.row.id)

    def _keep(self, derived: Item) -> None:
        """Stores the difference, with what tables read in rows of its own; then it is what was stored."""
        assert self.row is not None
        own = Item(flags.without(self.item.props), self.item.recipients, self.item.attachments)
        found = convert.difference(own, derived)
        parts = found.recipients is not None or found.attachments is not None
        extra = self._for_tables() if parts or self.row.blob_id is None else {}
        stored.keep(self.box, self.row.id, found, extra)
        self.item = convert.merge(derived, found)
        flags.overlay(self.item.props, self.row.flags)
        self.reload_recipients()

    def _for_tables(self) -> dict[int, bytes]:
        tags = (pid.DISPLAY_TO, pid.DISPLAY_CC, pid.DISPLAY_BCC, pid.HAS_ATTACHMENTS)
        return {tag: packed.value(tag, self.value(tag)) for tag in tags}

    @property
    def is_mime(self) -> bool:
        """It is, or will be, a letter that all protocols can fetch."""
        if self.row is not None and self.row.blob_id is not None:
            return True
        return self.folder.kind != FolderKind.ITEM and not self.hidden

    def _content(self, *, bcc: bool) -> Content:
        """The letter that it is, scanned; large ones go beside the database."""
        spool = Spool(self.box.files)
        try:
            for piece in self.mime(bcc=bcc) if self.letter is None else (self.letter,):
                spool.write(piece)
            return spool.finish_now()
        finally:
            spool.discard()

    @property
    def original(self) -> bytes | Data | None:
        """The letter byte for byte as all protocols fetch it; None: it is none, or was not saved yet."""
        return None if self.row is None else stored.original(self.box, self.row)

    def mime(self, *, bcc: bool = True) -> list[bytes]:
        """The letter in pieces; who says no From writes in the name of the mailbox."""
        people.complete(self.box.tx, self.item)
        item = Item(self.item.props, self.item.recipients, self.item.attachments)
        if not any(item.props.get(tag) for tag in (pid.REPRESENTING_ADDRESS, pid.SENDER_ADDRESS)):
            item.props = item.props | self.authors()
        return list(convert.to_mime(item, bcc=bcc, now_ms=self.box.tx.now))

    def authors(self) -> Bag:
        """Sender properties of who writes: the mailbox, by the hand of the reader."""
        bag: Bag = {}
        for tags, who in ((converted.REPRESENTING, self.box.owner), (converted.SENDER, self.box.reader)):
            who = self.box.reader if self.box.public else who
            if who.address:
                bag[tags.name], bag[tags.kind] = who.display_name, "SMTP"
                bag[tags.email] = bag[tags.smtp] = who.address
                bag[tags.entry] = addressing.one_off(who.display_name, "SMTP", who.address)
                bag[tags.search] = addressing.search_key("SMTP", who.address)
        return bag

    def take_over(self, other: Message) -> None:
        """Everything that another message says, as it was sent or copied; what is the entry's own stays."""
        self.item = Item(
            {key: value for key, value in other.item.props.items() if key not in _NOT_COPIED},
            [dict(row) for row in other.item.recipients],
            [AttachmentBag(dict(one.props), one.data, one.item) for one in other.item.attachments],
        )
        self.item.props[pid.MESSAGE_FLAGS] = other._flags() & ~pid.MF_SUBMITTED
        self.reload_recipients()
        self._read = other.is_read
        self.parts_changed = True

    # --- sending ------------------------------------------------------------------------------------

    def submit(self) -> None:
        """Sends it (RopSubmitMessage, RopTransportSend): an errand hands it over, and files it as sent.

        Until then it is marked as submitted.  Raises:
            MapiError(NO_RECIPIENTS), MapiError(NOT_FOUND): a recipient without an address.
            MapiError(ALREADY_SENT): it is on its way.  MapiError(ACCESS_DENIED): the reader may not.
        """
        (sender, recipients), self._sending = self._sending or self._begun(), None
        if self.row is not None:
            try:
                self.save()
            except (MapiError, Problem):
                self.item.props[pid.MESSAGE_FLAGS] = self._flags() & ~pid.MF_SUBMITTED
                raise
        self.box.errands.append(sending.Submit(self, sender, recipients))

    def prepare_submit(self) -> None:
        """The half of `submit` that takes long, in a transaction that reads; the other follows at once."""
        self._sending = self._begun()
        if self.row is not None:
            self.render()

    def _begun(self) -> tuple[str, list[str]]:
        """Marks it as submitted; sender and recipients of the envelope.  Raises as `submit`."""
        self.check_writable()
        if self._flags() & pid.MF_SUBMITTED:
            raise MapiError(Code.ALREADY_SENT)
        people.complete(self.box.tx, self.item)
        recipients = sending.addresses(self.item.recipients)
        if not recipients:
            raise MapiError(Code.NO_RECIPIENTS)
        bag = self.item.props
        if not any(bag.get(tag) for tag in (pid.REPRESENTING_ADDRESS, pid.SENDER_ADDRESS)):
            bag.update(self.authors())
        bag[pid.SUBMIT_TIME] = self.box.now()
        bag[pid.MESSAGE_FLAGS] = self._flags() | pid.MF_SUBMITTED
        sender = next(
            (
                str(bag[tag])
                for tag in (pid.SENDER_SMTP, pid.SENDER_ADDRESS, pid.REPRESENTING_SMTP)
                if bag.get(tag)
            ),
            self.box.reader.address,
        )
        if self.row is not None:
            self.changed.update((pid.SUBMIT_TIME, pid.MESSAGE_FLAGS))
        return sender, recipients

    def take_back(self) -> None:
        """It could not be sent: it is a draft again."""
        bag = self.item.props
        bag[pid.MESSAGE_FLAGS] = self._flags() & ~pid.MF_SUBMITTED
        if self.row is not None and self.box.tx.one("SELECT 1 FROM entry WHERE id = ?", self.row.id):
            self.changed.add(pid.MESSAGE_FLAGS)
            self.save(force=True)

    # --- reading and marking --------------------------------------------------------------------------

    @property
    def is_read(self) -> bool:
        if self.row is None:
            return self._read is not False
        return self.folder.is_read(self.row.uid, self.row.flags)

    def set_read(self, value: bool | None, wish: Wish | None = None) -> bool:
        """Marks it for the reader, at once (RopSetMessageReadFlag, R1710); True: the state has changed.

        None: the mark stays.  ``wish``: of the receipt.
        """
        if self.row is None:
            self._read = self._read if value is None else value
            return value is not None
        if wish is not None and not self.hidden:
            self.folder.receipts([self.row.uid], wish)
        if self.hidden or value is None or self.is_read == value:
            return False
        self.folder.mark([self.row.uid], set_=int(value), clear=int(not value))
        self.row = stored.row(self.box.tx, self.row.id)
        return True

    # --- facts ------------------------------------------------------------------------------------------

    def _flags(self) -> int:
        found = super()._flags() & ~(pid.MF_READ | pid.MF_EVER_READ)
        if self.row is not None:
            found = flags.shown(self.row.flags, self.item.props)
        found |= pid.MF_HAS_ATTACH if self.has_attachments else 0
        found |= pid.MF_ASSOCIATED if self.hidden else 0
        return found | (pid.MF_READ | pid.MF_EVER_READ if self.is_read else 0)

    def _set_fact(self, tag: Tag, value: Value) -> None:
        """Flags are set before the first save only (MS-OXCMSG 2.2.1.6); read state by its own way."""
        if tag == pid.MESSAGE_FLAGS and self.row is None and isinstance(value, int):
            self.check_writable()
            self.item.props[pid.MESSAGE_FLAGS] = value
            self._read = bool(value & pid.MF_READ)
            return
        raise MapiError(Code.COMPUTED_VALUE)

    def _of_row(self, name: str) -> Value:
        return None if self.row is None else getattr(self.row, name)

    def _number(self) -> Value:
        return None if self.row is None else numbers.on_wire(self.row.id)

    def _entry_id(self) -> Value:
        return None if self.row is None else self.box.message_entry_id(self.folder.id, self.row.id)

    def _change_key(self) -> Value:
        return None if self.row is None else self.box.source_key(self.row.content_modseq)

    def _predecessors(self) -> Value:
        if self.row is None:
            return None
        known = self.item.props.get(pid.PREDECESSORS, b"")
        own = changelists.change(self.box.replica, self.row.content_modseq)
        return changelists.write(changelists.joined(changelists.read(known), own))

    def _size(self) -> int:
        return stored.size_of(self.item) if self.row is None else self.row.size

    def _created(self) -> Value:
        told = self.item.props.get(pid.CREATION_TIME)
        return told if told or self.row is None else types.of_ms(self.row.saved_at)

    def _modified(self) -> Value:
        told = self.item.props.get(pid.LAST_MODIFICATION)
        return told if told or self.row is None else types.of_ms(self.row.saved_at)

    def _status(self) -> int:
        if self.row is None:
            return 0
        raw = props.get(self.box.tx, props.ENTRY, self.row.id).get(pid.MESSAGE_STATUS)
        return 0 if raw is None else int(packed.of_value(pid.MESSAGE_STATUS, raw))

    def _access(self) -> int:
        """A new one may be taken back by whoever makes it (R1914)."""
        may_delete = self.row is None or self.folder.may("te")
        may_delete = may_delete or (self.is_own and self.folder.may_own(permissions.DELETE_OWNED))
        return pid.ACCESS_READ | pid.ACCESS_MODIFY * self.writable | pid.ACCESS_DELETE * may_delete

    facts: ClassVar[Mapping[Tag, Fact]] = {
        **ItemLike.facts,
        pid.ACCESS: _access,
        pid.MESSAGE_ID: _number,
        pid.FOLDER_ID: lambda self: numbers.on_wire(self.folder.id),
        pid.PARENT_FOLDER_ID: lambda self: numbers.on_wire(self.folder.id),
        pid.ENTRY_ID: _entry_id,
        pid.RECORD_KEY: _entry_id,
        pid.PARENT_ENTRY_ID: lambda self: self.box.folder_entry_id(self.folder.id),
        pid.SOURCE_KEY: lambda self: None if self.row is None else self.box.source_key(self.row.id),
        pid.PARENT_SOURCE_KEY: lambda self: self.box.source_key(self.folder.id),
        pid.CHANGE_KEY: _change_key,
        pid.PREDECESSORS: _predecessors,
        pid.CHANGE_NUMBER: lambda self: (
            None if self.row is None else numbers.on_wire(self.row.content_modseq)
        ),
        pid.MAPPING_SIGNATURE: lambda self: self.box.account.guid,
        pid.STORE_RECORD_KEY: lambda self: self.box.account.guid,
        pid.STORE_ENTRY_ID: lambda self: self.box.store_entry_id or None,
        pid.MESSAGE_SIZE: lambda self: min(self._size(), 0x7FFFFFFF),
        pid.MESSAGE_SIZE_EXTENDED: _size,
        pid.MESSAGE_STATUS: _status,
        pid.ASSOCIATED: lambda self: self.hidden,
        pid.READ: lambda self: self.is_read,
        pid.CREATION_TIME: _created,
        pid.LAST_MODIFICATION: _modified,
        pid.LOCAL_COMMIT: _modified,
        pid.ARTICLE_NUMBER: lambda self: self._of_row("uid"),
    }


# an entry's own, and what the flags tell
_NOT_COPIED = frozenset((
    pid.MESSAGE_FLAGS, pid.PREDECESSORS, pid.SENT_MAIL, pid.DELETE_AFTER_SUBMIT, pid.CREATION_TIME,
    pid.LAST_MODIFICATION,
))  # fmt: skip
