"""Operations on messages, recipients, attachments, and sending (MS-OXCROPS 2.2.6.1, 2.2.7.1 and on)."""

from __future__ import annotations

import enum
from typing import Annotated

from quintet.mapi import ids, rows
from quintet.mapi.buffer import Reader, Writer
from quintet.mapi.ids import ShortId
from quintet.mapi.rop.fields import (
    COUNT8,
    COUNT32,
    U8,
    U16,
    U32,
    Ascii,
    AsciiList,
    Asks,
    Field,
    Flag,
    Id,
    Raw16,
    Tagged,
    Tags,
    TypedString,
    listed,
)
from quintet.mapi.rop.registry import Head, answer, bare, request
from quintet.mapi.types import Tag
from quintet.values import dataclass


class OpenMode(enum.IntFlag):
    """MS-OXCMSG 2.2.3.1.1."""

    READ_ONLY = 0x00
    READ_WRITE = 0x01
    CREATE = 0x02
    BEST_ACCESS = 0x03
    OPEN_SOFT_DELETED = 0x04


class SaveFlag(enum.IntFlag):
    """MS-OXCMSG 2.2.3.3.1."""

    KEEP_OPEN_READ_ONLY = 0x01
    KEEP_OPEN_READ_WRITE = 0x02
    FORCE_SAVE = 0x04


class ReadFlag(enum.IntFlag):
    """MS-OXCMSG 2.2.3.11.1."""

    SUPPRESS_RECEIPT = 0x01
    CLEAR_READ_FLAG = 0x04
    RESERVED = 0x0A
    GENERATE_RECEIPT_ONLY = 0x10
    CLEAR_NOTIFY_READ = 0x20
    CLEAR_NOTIFY_UNREAD = 0x40


# --- rows of recipients: the RecipientRow itself stays bytes, since its text is in the session's code page --


@dataclass(frozen=True, slots=True)
class OpenRecipient:
    """An OpenRecipientRow (2.2.6.1.2.1); ``row`` is read with `recipients.get` and the answer's columns."""

    kind: int
    code_page: int
    row: bytes


def _get_open(reader: Reader) -> OpenRecipient:
    kind, code_page = reader.u8(), reader.u16()
    reader.u16()
    return OpenRecipient(kind, code_page, reader.take(reader.u16()))


def _put_open(writer: Writer, value: OpenRecipient) -> None:
    writer.u8(value.kind)
    writer.u16(value.code_page)
    writer.u16(0)
    writer.u16(len(value.row))
    writer.put(value.row)


@dataclass(frozen=True, slots=True)
class ChangedRecipient:
    """A ModifyRecipientRow (2.2.6.5.1.1); an empty row deletes."""

    id: int
    kind: int
    row: bytes


@dataclass(frozen=True, slots=True)
class Changes:
    """Columns, and what is to be done with recipients."""

    columns: tuple[Tag, ...]
    rows: tuple[ChangedRecipient, ...]


def _get_changes(reader: Reader) -> Changes:
    columns = tuple(rows.get_tags(reader))
    found = [
        ChangedRecipient(reader.u32(), reader.u8(), reader.take(reader.u16()))
        for _ in range(reader.counted(reader.u16(), 7))
    ]
    return Changes(columns, tuple(found))


def _put_changes(writer: Writer, value: Changes) -> None:
    rows.put_tags(writer, value.columns)
    writer.u16(len(value.rows))
    for row in value.rows:
        writer.u32(row.id)
        writer.u8(row.kind)
        writer.u16(len(row.row))
        writer.put(row.row)


@dataclass(frozen=True, slots=True)
class ReadRecipient:
    """A ReadRecipientRow (2.2.6.6.2.1)."""

    id: int
    kind: int
    code_page: int
    row: bytes


def _get_read(reader: Reader) -> ReadRecipient:
    number, kind, code_page = reader.u32(), reader.u8(), reader.u16()
    reader.u16()
    return ReadRecipient(number, kind, code_page, reader.take(reader.u16()))


def _put_read(writer: Writer, value: ReadRecipient) -> None:
    writer.u32(value.id)
    writer.u8(value.kind)
    writer.u16(value.code_page)
    writer.u16(0)
    writer.u16(len(value.row))
    writer.put(value.row)


OpenRecipients = Annotated[tuple[OpenRecipient, ...], listed(Field(_get_open, _put_open), 7, COUNT8)]
ReadRecipientRows = Annotated[tuple[ReadRecipient, ...], listed(Field(_get_read, _put_read), 11, COUNT8)]
ChangedRecipients = Annotated[Changes, Field(_get_changes, _put_changes)]

# --- messages ---------------------------------------------------------------------------------------------


@request(0x03, Head.OUT)
class OpenMessage:
    code_page: U16
    folder: Id
    mode: U8  # OpenMode
    message: Id


@answer(0x03)
class OpenMessageAnswer:
    has_named: Flag
    prefix: TypedString
    subject: TypedString  # without the prefix
    recipients: U16  # how many there are
    columns: Tags
    rows: OpenRecipients


@request(0x10)
class ReloadCachedInformation:
    reserved: U16


@answer(0x10)
class ReloadCachedInformationAnswer:
    has_named: Flag
    prefix: TypedString
    subject: TypedString
    recipients: U16
    columns: Tags
    rows: OpenRecipients


@request(0x06, Head.OUT)
class CreateMessage:
    code_page: U16
    folder: Id
    associated: Flag


def _get_maybe_id(reader: Reader) -> ShortId | None:
    return ids.get_short(reader) if reader.u8() else None


def _put_maybe_id(writer: Writer, value: ShortId | None) -> None:
    writer.u8(0 if value is None else 1)
    if value is not None:
        ids.put_short(writer, value)


@answer(0x06)
class CreateMessageAnswer:
    message: Annotated[ShortId | None, Field(_get_maybe_id, _put_maybe_id)]  # R1777, R1778


@request(0x0C, Head.ECHO)
class SaveChangesMessage:
    flags: U8  # SaveFlag


@answer(0x0C)
class SaveChangesMessageAnswer:
    index: U8  # InputHandleIndex
    message: Id


@request(0x0D)
class RemoveAllRecipients:
    reserved: U32


@request(0x0E)
class ModifyRecipients:
    changes: ChangedRecipients


@request(0x0F)
class ReadRecipients:
    start: U32
    reserved: U16


@answer(0x0F)
class ReadRecipientsAnswer:
    rows: ReadRecipientRows


@request(0x20)
class SetMessageStatus:
    message: Id
    status: U32
    mask: U32


@request(0x1F)
class GetMessageStatus:
    message: Id


@answer(0x20, 0x1F)
class MessageStatus:
    status: U32  # for SetMessageStatus that before


def _get_client_data(reader: Asks) -> bytes:
    """Only in public logons (R2094, R2095)."""
    return reader.take(24) if reader.logon in reader.public else b""


@request(0x11, Head.ECHO)
class SetMessageReadFlag:
    flags: U8  # ReadFlag
    client_data: Annotated[bytes, Field(_get_client_data, Writer.put)]


def _get_changed(reader: Reader) -> tuple[bool, bytes]:
    """ReadStatusChanged, and ClientData where it is true (R2113)."""
    changed = reader.u8() != 0
    return changed, reader.take(24) if changed else b""


def _put_changed(writer: Writer, value: tuple[bool, bytes]) -> None:
    writer.u8(int(value[0]))
    if value[0]:
        writer.put(value[1])


@answer(0x11)
class SetMessageReadFlagAnswer:
    changed: Annotated[tuple[bool, bytes], Field(_get_changed, _put_changed)]


# --- attachments ------------------------------------------------------------------------------------------


@request(0x21, Head.OUT)
class GetAttachmentTable:
    flags: U8


bare(0x52, "GetValidAttachments")


@answer(0x52)
class GetValidAttachmentsAnswer:
    numbers: Annotated[tuple[int, ...], listed(Field(Reader.u32, Writer.u32), 4, COUNT32)]


@request(0x22, Head.OUT)
class OpenAttachment:
    mode: U8
    number: U32


bare(0x23, "CreateAttachment", Head.OUT)


@answer(0x23)
class CreateAttachmentAnswer:
    number: U32


@request(0x24)
class DeleteAttachment:
    number: U32


@request(0x25, Head.ECHO)
class SaveChangesAttachment:
    flags: U8  # SaveFlag


@request(0x46, Head.OUT)
class OpenEmbeddedMessage:
    code_page: U16
    mode: U8


@answer(0x46)
class OpenEmbeddedMessageAnswer:
    reserved: U8
    message: Id
    has_named: Flag
    prefix: TypedString
    subject: TypedString
    recipients: U16
    columns: Tags
    rows: OpenRecipients


# --- sending ----------------------------------------------------------------------------------------------


@request(0x32)
class SubmitMessage:
    flags: U8


@request(0x34)
class AbortSubmit:
    folder: Id
    message: Id


bare(0x49, "GetAddressTypes")


@answer(0x49)
class GetAddressTypesAnswer:
    types: AsciiList


bare(0x47, "SetSpooler")


@request(0x48)
class SpoolerLockMessage:
    message: Id
    state: U8


bare(0x4A, "TransportSend")


@answer(0x4A)
class TransportSendAnswer:
    no_properties: Flag
    values: Tagged


@request(0x51)
class TransportNewMail:
    message: Id
    folder: Id
    message_class: Ascii
    flags: U32


bare(0x6D, "GetTransportFolder")


@answer(0x6D)
class GetTransportFolderAnswer:
    folder: Id


@request(0x6F)
class OptionsData:
    address_type: Ascii
    want_win32: Flag


@answer(0x6F)
class OptionsDataAnswer:
    reserved: U8
    options: Raw16
    help: Raw16
