"""Messages, recipients, attachments (MS-OXCMSG 3.2.5.1 to 3.2.5.19), and sending (MS-OXOMSG)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from quintet.mapi import recipients
from quintet.mapi.bag import Bag
from quintet.mapi.buffer import Reader, Writer
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.ids import ShortId
from quintet.mapi.nspi import names
from quintet.mapi.objects import Attachment, Box, Embedded, Folder, ItemLike, Message, packed, pid
from quintet.mapi.objects.numbers import counter, short
from quintet.mapi.rop import messages
from quintet.mapi.rop.messages import OpenMode, ReadFlag, SaveFlag
from quintet.mapi.rop.registry import Asked
from quintet.mapi.rop.serve import marks, values
from quintet.mapi.rop.serve.desk import Call, MustWrite, serves
from quintet.mapi.rop.serve.session import Session
from quintet.mapi.types import Tag
from quintet.store import pages, props
from quintet.store.store import Store
from quintet.values import dataclass

# beside what each recipient row has: columns that clients look at (R330)
COLUMNS: tuple[Tag, ...] = (
    pid.OBJECT_TYPE,
    recipients.DISPLAY_TYPE,
    recipients.SMTP_ADDRESS,
    recipients.ENTRY_ID,
    recipients.SEARCH_KEY,
    0x5FFD0003,  # PidTagRecipientFlags: who organizes a meeting (MS-OXOCAL 2.2.4.10.1)
    0x5FFF0003,  # PidTagRecipientTrackStatus: what was answered
    0x5FFB0040,  # PidTagRecipientTrackStatusTime
)
_LOGONS_PAGES = frozenset((0x0FFF, 0, values.UNICODE_PAGE))
SMALL = 64 * 1024  # bytes of a letter that the loop opens itself
LARGE = 256 * 1024  # bytes of a message that is made into a letter before the transaction that keeps it
MAX_SHOWN = 255  # recipient rows in one answer: their count has 8 bits


@dataclass(frozen=True, slots=True)
class Summary:
    """What opening and reloading tell of a message (2.2.3.1.2)."""

    has_named: bool
    prefix: str | None
    subject: str | None
    recipients: int
    columns: tuple[Tag, ...]
    rows: tuple[messages.OpenRecipient, ...]


def _summary(call: Call, item: ItemLike, page: str) -> Summary:
    has_named, prefix, subject = item.get((pid.HAS_NAMED, pid.SUBJECT_PREFIX, pid.NORMALIZED_SUBJECT))
    rows = item.recipients
    prefix, subject = _text(prefix), _text(subject)
    used = 32 + 2 * (len(prefix or "") + len(subject or "")) + 4 * len(COLUMNS)
    shown: list[messages.OpenRecipient] = []
    for bag in list(rows.values())[:MAX_SHOWN]:  # the others are had by RopReadRecipients (R329)
        raw = _row_of(bag, page)
        used += len(raw) + 7
        if used > call.room:
            break
        shown.append(messages.OpenRecipient(_kind(bag), 0x0FFF, raw))
    total = min(len(rows), 0xFFFF)
    return Summary(has_named is True, prefix, subject, total, COLUMNS, tuple(shown))


def _text(value: Any) -> str | None:  # Any: of a property
    return value[: values.MAX_CELL_TEXT] if isinstance(value, str) else None


def _kind(bag: Bag) -> int:
    kind = bag.get(pid.RECIPIENT_TYPE, 1)
    return kind & 0xFF if isinstance(kind, int) else 1


def _row_of(bag: Bag, page: str) -> bytes:
    writer = Writer()
    recipients.put(writer, recipients.of_bag(bag, COLUMNS), COLUMNS, page)
    return writer.done()


# --- opening, making, saving ------------------------------------------------------------------------------


def _is_small(session: Session, asked: Asked, handles: list[int], store: Store) -> bool:
    """Whether the letter to be opened is read at once; in a large one there may be much to unpack."""
    return store.ask(pages.size, asked.body.message.counter) <= SMALL


@serves(0x03, light=_is_small)
def open_message(call: Call) -> messages.OpenMessageAnswer:
    body: messages.OpenMessage = call.body
    call.thing(Box, Folder)
    message = call.box.message(counter(body.message), deleted=bool(body.mode & OpenMode.OPEN_SOFT_DELETED))
    if body.folder.counter and message.folder.id != body.folder.counter:
        folder = call.box.folder(counter(body.folder))
        if not folder.is_search:
            raise MapiError(Code.NOT_FOUND)  # R1477
    page = _page(call, body.code_page)
    _set_mode(message, body.mode)
    call.give(message, page=page)
    return messages.OpenMessageAnswer(*_fields(_summary(call, message, page)))


def _page(call: Call, code_page: int) -> str:
    """The charset of an object's 8-bit text; 0x0FFF is that of the logon (R655, R656).

    Raises MapiError(UNKNOWN_CODE_PAGE) (R1068).
    """
    if code_page in _LOGONS_PAGES:
        return call.session.page
    found = values.charset(code_page)
    if found is None:
        raise MapiError(Code.UNKNOWN_CODE_PAGE)
    return found


def _fields(one: Summary) -> tuple[Any, ...]:
    return one.has_named, one.prefix, one.subject, one.recipients, one.columns, one.rows


def _set_mode(item: ItemLike, mode: int) -> None:
    """Raises MapiError(ACCESS_DENIED): it was to be writable and is not (R324)."""
    wanted = mode & 0x03
    if wanted == OpenMode.READ_WRITE and not item.writable:
        raise MapiError(Code.ACCESS_DENIED)
    if wanted == OpenMode.READ_ONLY:
        item.writable = False


@serves(0x06)
def create_message(call: Call) -> messages.CreateMessageAnswer:
    """Nothing of it is in the store before it is saved (R339)."""
    body: messages.CreateMessage = call.body
    folder = call.box.folder(counter(body.folder))
    call.give(folder.create_message(associated=body.associated), page=_page(call, body.code_page))
    return messages.CreateMessageAnswer(None)


def _is_soon_saved(session: Session, asked: Asked, handles: list[int]) -> bool:
    """Not what takes long to be made into a letter, while everybody else's changes wait."""
    held = session.at(handles, asked.index)
    return held is None or not isinstance(held.thing, Message) or held.thing.weight <= LARGE


@serves(0x0C, writes=_is_soon_saved)
def save_changes_message(call: Call) -> messages.SaveChangesMessageAnswer:
    body: messages.SaveChangesMessage = call.body
    item = call.thing(Message, Embedded)
    if not item.writable:  # R1699
        raise MapiError(Code.GENERAL_FAILURE)
    number = 0
    if isinstance(item, Message):
        if not call.writes:
            item.render()
            raise MustWrite
        number = item.save(force=bool(body.flags & SaveFlag.FORCE_SAVE))
    else:
        item.save()
    if body.flags & SaveFlag.KEEP_OPEN_READ_ONLY and not body.flags & SaveFlag.KEEP_OPEN_READ_WRITE:
        item.writable = False
    return messages.SaveChangesMessageAnswer(call.asked.index, short(number))


@serves(0x10, light=True)
def reload_cached_information(call: Call) -> messages.ReloadCachedInformationAnswer:
    return messages.ReloadCachedInformationAnswer(*_fields(_summary(call, call.thing(ItemLike), call.page)))


# --- recipients -------------------------------------------------------------------------------------------


@serves(0x0D)
def remove_all_recipients(call: Call) -> None:
    call.thing(ItemLike).remove_recipients()


@serves(0x0E)
def modify_recipients(call: Call) -> None:
    changes: messages.Changes = call.body.changes
    wanted: dict[int, Bag | None] = {}
    for change in changes.rows:
        if not change.row:
            wanted[change.id] = None
            continue
        row = recipients.get(Reader(change.row), changes.columns, call.page)
        if row.prefix_used:  # of the prefix that Connect told (MS-OXCRPC_R539)
            row = replace(row, x500=names.RECIPIENTS[: row.prefix_used] + row.x500)
        bag = recipients.to_bag(row, changes.columns)
        bag[pid.RECIPIENT_TYPE] = change.kind & 0x0F
        wanted[change.id] = dict(
            values.incoming(tag, value, call.page) for tag, value in bag.items() if isinstance(tag, int)
        )
    call.thing(ItemLike).modify_recipients(wanted)


@serves(0x0F, light=True)
def read_recipients(call: Call) -> messages.ReadRecipientsAnswer:
    """From a row id on, as many as fit; ids have gaps, and who reads on asks for the one behind the last.

    Raises MapiError(NOT_FOUND): there are none (R1055, R403); MapiError(BUFFER_TOO_SMALL): not a single one
    fits (R1056).
    """
    found: list[messages.ReadRecipient] = []
    room = call.room - 1
    rows = {
        number: bag for number, bag in call.thing(ItemLike).recipients.items() if number >= call.body.start
    }
    if not rows:
        raise MapiError(Code.NOT_FOUND)
    for number, bag in rows.items():
        raw = _row_of(bag, call.page)
        room -= len(raw) + 11
        if room < 0 or len(found) == MAX_SHOWN:
            break
        found.append(messages.ReadRecipient(number, _kind(bag), 0x0FFF, raw))
    if not found:
        raise MapiError(Code.BUFFER_TOO_SMALL)
    return messages.ReadRecipientsAnswer(tuple(found))


# --- states -----------------------------------------------------------------------------------------------


@serves(0x11, writes=True)
def set_message_read_flag(call: Call) -> messages.SetMessageReadFlagAnswer:
    """Marks it for the reader at once (R1710).

    In a public folder a client hears of a change, and gets its data back (R2113), though it is kept here.
    """
    body: messages.SetMessageReadFlag = call.body
    message = call.thing(Message)
    if body.flags & ReadFlag.RESERVED:
        raise MapiError(Code.INVALID_PARAMETER)
    changed = message.set_read(marks.read(body.flags), marks.wish(body.flags))
    told = changed and call.box.public
    return messages.SetMessageReadFlagAnswer((told, body.client_data if told else b""))


def _of_folder(call: Call, number: ShortId) -> Message:
    folder = call.thing(Folder)
    return folder.message(counter(number))


@serves(0x1F)
def get_message_status(call: Call) -> messages.MessageStatus:
    return messages.MessageStatus(_status(_of_folder(call, call.body.message)))


@serves(0x20, writes=True)
def set_message_status(call: Call) -> messages.MessageStatus:
    """The bits of the mask; answers what they were (R1699)."""
    body: messages.SetMessageStatus = call.body
    message = _of_folder(call, body.message)
    before = _status(message)
    message.folder.check("w")
    fresh = before & ~body.mask | body.status & body.mask
    raw = packed.value(pid.MESSAGE_STATUS, fresh - (fresh >> 31 << 32))
    props.put(call.tx, props.ENTRY, message.number, {pid.MESSAGE_STATUS: raw})
    return messages.MessageStatus(before)


def _status(message: Message) -> int:
    found = message.value(pid.MESSAGE_STATUS)
    return found & 0xFFFFFFFF if isinstance(found, int) else 0


# --- attachments ------------------------------------------------------------------------------------------


@serves(0x22)
def open_attachment(call: Call) -> None:
    """No fields in its answer."""
    item, mode = call.thing(ItemLike), call.body.mode & 0x03
    if mode == OpenMode.READ_WRITE:
        item.check_writable()
    attachment = item.attachment(call.body.number)
    attachment.writable = mode != OpenMode.READ_ONLY
    call.give(attachment)


@serves(0x23)
def create_attachment(call: Call) -> messages.CreateAttachmentAnswer:
    made = call.thing(ItemLike).create_attachment()
    call.give(made)
    return messages.CreateAttachmentAnswer(made.number)


@serves(0x24)
def delete_attachment(call: Call) -> None:
    call.thing(ItemLike).delete_attachment(call.body.number)


@serves(0x25)
def save_changes_attachment(call: Call) -> None:
    """Into the message, which is saved by itself (R1062)."""
    flags = call.body.flags
    if flags & ~0x0F or flags & 0x03 == 0x03:  # R466; 0x08 Outlook sends always
        raise MapiError(Code.NOT_SUPPORTED)
    attachment = call.thing(Attachment)
    attachment.save()
    attachment.writable = not flags & SaveFlag.KEEP_OPEN_READ_ONLY  # R462


@serves(0x52)
def get_valid_attachments(call: Call) -> messages.GetValidAttachmentsAnswer:
    return messages.GetValidAttachmentsAnswer(tuple(call.thing(ItemLike).numbers()))


@serves(0x46)
def open_embedded_message(call: Call) -> messages.OpenEmbeddedMessageAnswer:
    attachment, mode = call.thing(Attachment), call.body.mode
    page = _page(call, call.body.code_page)
    found: Embedded = attachment.embedded(create=bool(mode & OpenMode.CREATE))
    if mode & 0x03 == OpenMode.READ_ONLY:
        found.writable = False
    call.give(found, page=page)
    return messages.OpenEmbeddedMessageAnswer(0, short(0), *_fields(_summary(call, found, page)))


# --- sending ----------------------------------------------------------------------------------------------


@serves(0x32, writes=_is_soon_saved)
def submit_message(call: Call) -> None:
    """Saved and handed to the queue; it is accepted when the answer comes (MS-OXOMSG 3.2.5.1)."""
    message = call.thing(Message)
    if not call.writes:
        message.prepare_submit()
        raise MustWrite
    message.submit()


@serves(0x4A, writes=_is_soon_saved)
def transport_send(call: Call) -> messages.TransportSendAnswer:
    submit_message(call)
    return messages.TransportSendAnswer(no_properties=True, values=())


@serves(0x34, light=True)
def abort_submit(call: Call) -> None:
    """What was submitted is accepted already: it cannot be had back."""
    call.box.message(counter(call.body.message))
    raise MapiError(Code.ABORT_FAILED)


@serves(0x47, light=True)
def set_spooler(call: Call) -> None:
    """This client sends for others: there is nothing left for it to send."""
    call.thing(Box)


@serves(0x48, light=True)
def spooler_lock_message(call: Call) -> None:
    """Nothing waits for a client to send it, so nothing can be locked."""
    call.box.message(counter(call.body.message))


@serves(0x49, light=True)
def get_address_types(call: Call) -> messages.GetAddressTypesAnswer:
    call.thing(Box)
    return messages.GetAddressTypesAnswer(("EX", "SMTP"))


@serves(0x6D, light=True)
def get_transport_folder(call: Call) -> messages.GetTransportFolderAnswer:
    """Where what is sent is kept meanwhile: the Outbox."""
    box = call.thing(Box)
    if box.public:
        raise MapiError(Code.NOT_SUPPORTED)
    return messages.GetTransportFolderAnswer(short(box.special.get("outbox", 0)))


@serves(0x6F, light=True)
def options_data(call: Call) -> messages.OptionsDataAnswer:
    """No options of an address type (R2571: the reserved byte is 1)."""
    call.thing(Box)
    return messages.OptionsDataAnswer(1, b"", b"")
