"""Identifiers: folders, messages, changes, and the entry ids that clients keep (MS-OXCDATA 2.2).

A counter is 48 bits and travels big-endian, while everything around it is little-endian.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from quintet.mapi.buffer import Reader, Writer, bad

Counter = int
"""GLOBCNT: 48 bits (MS-OXCFXICS 2.2.2.5)."""

MAX_COUNTER = (1 << 48) - 1
MAX_NAME = 64 * 1024  # characters of a name or an address within an entry id

ONE_OFF = uuid.UUID("a41f2b81-a3be-1910-9d6e-00dd010f5402")  # 2.2.5.1, as its bytes lie
ADDRESS_BOOK = uuid.UUID("c840a7dc-42c0-1a10-b4b9-08002b2fe182")  # 2.2.5.2
CONTACT = uuid.UUID("0aaa42fe-c718-101a-e885-0b651c240000")  # 2.2.5.3
STORE_WRAP = uuid.UUID("10bba138-e505-1a10-a1bb-08002b2a56c2")  # 2.2.4.3
PRIVATE_STORE = uuid.UUID("20fa551b-66aa-cd11-9bc8-00aa002fc45a")
PUBLIC_STORE = uuid.UUID("1002831c-66aa-cd11-9bc8-00aa002fc45a")
_DLL = b"emsmdb.dll".ljust(14, b"\0")

PRIVATE_FOLDER, PUBLIC_FOLDER = 0x0001, 0x0003  # 2.2.4.1
PRIVATE_MESSAGE, PUBLIC_MESSAGE = 0x0007, 0x0009  # 2.2.4.2


def get_counter(reader: Reader) -> Counter:
    return int.from_bytes(reader.take(6), "big")


def put_counter(writer: Writer, value: Counter) -> None:
    if not 0 <= value <= MAX_COUNTER:
        raise bad("a counter beyond 48 bits")
    writer.put(value.to_bytes(6, "big"))


@dataclass(frozen=True, slots=True)
class ShortId:
    """FID, MID or CN: a replica by its number in this store, and a counter (2.2.1.1, 2.2.1.2)."""

    replica: int
    counter: Counter


@dataclass(frozen=True, slots=True)
class LongId:
    """LongTermID: a replica by its GUID, and a counter (2.2.1.3.1)."""

    replica: uuid.UUID
    counter: Counter


def get_short(reader: Reader) -> ShortId:
    return ShortId(reader.u16(), get_counter(reader))


def put_short(writer: Writer, one: ShortId) -> None:
    writer.u16(one.replica)
    put_counter(writer, one.counter)


def get_long(reader: Reader) -> LongId:
    found = LongId(uuid.UUID(bytes_le=reader.take(16)), get_counter(reader))
    if reader.u16():
        raise bad("a long-term id whose padding is not 0")
    return found


def put_long(writer: Writer, one: LongId) -> None:
    writer.put(one.replica.bytes_le)
    put_counter(writer, one.counter)
    writer.u16(0)


# --- entry ids -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """2.2.4.1; 46 bytes.  ``provider`` is the store's GUID, or that of public folders."""

    provider: uuid.UUID
    kind: int
    folder: LongId


@dataclass(frozen=True, slots=True)
class MessageEntry:
    """2.2.4.2; 70 bytes."""

    provider: uuid.UUID
    kind: int
    folder: LongId
    message: LongId


@dataclass(frozen=True, slots=True)
class StoreEntry:
    """2.2.4.3.  ``mailbox`` is the X.500 name of a mailbox; "" for the public folders."""

    server: str
    mailbox: str

    @property
    def public(self) -> bool:
        return not self.mailbox


@dataclass(frozen=True, slots=True)
class OneOffEntry:
    """2.2.5.1: a recipient that stands in no address book."""

    flags: int  # 0x8000: the strings are UTF-16
    name: str
    kind: str  # "SMTP"
    address: str


@dataclass(frozen=True, slots=True)
class AddressBookEntry:
    """2.2.5.2, also the address book's PermanentEntryID."""

    kind: int  # display type
    x500: str


@dataclass(frozen=True, slots=True)
class ContactEntry:
    """2.2.5.3: the e-mail or fax address number ``index`` of a contact."""

    index: int
    message: MessageEntry


EntryId = FolderEntry | MessageEntry | StoreEntry | OneOffEntry | AddressBookEntry | ContactEntry
UNICODE = 0x8000


def read(raw: bytes) -> EntryId:
    """An entry id of any kind.  Raises BadSyntax: none that we know, or malformed."""
    reader = Reader(raw)
    if reader.u32():
        raise bad("an entry id that is not for ever")  # its flags
    provider = uuid.UUID(bytes_le=reader.take(16))
    if provider == ONE_OFF:
        found: EntryId = _get_one_off(reader)
    elif provider == ADDRESS_BOOK:
        if reader.u32() != 1:
            raise bad("no such version of an address book's entry id")
        found = AddressBookEntry(reader.u32(), _ascii(reader))
    elif provider == CONTACT:
        found = _get_contact(reader)
    elif provider == STORE_WRAP:
        found = _get_store(reader)
    else:
        found = _get_object(reader, provider)
    if len(reader):
        raise bad("more than an entry id")
    return found


def write(one: EntryId) -> bytes:
    """The same as bytes.  Raises BadSyntax: a name that cannot be told."""
    writer = Writer()
    writer.u32(0)
    if isinstance(one, OneOffEntry):
        _put_one_off(writer, one)
    elif isinstance(one, AddressBookEntry):
        writer.put(ADDRESS_BOOK.bytes_le)
        writer.u32(1)
        writer.u32(one.kind)
        writer.text8(_of_ascii(one.x500))
    elif isinstance(one, ContactEntry):
        writer.put(CONTACT.bytes_le)
        inner = write(one.message)
        for number in (3, 4, one.index, len(inner)):
            writer.u32(number)
        writer.put(inner)
    elif isinstance(one, StoreEntry):
        _put_store(writer, one)
    else:
        writer.put(one.provider.bytes_le)
        writer.u16(one.kind)
        put_long(writer, one.folder)
        if isinstance(one, MessageEntry):
            put_long(writer, one.message)
    return writer.done()


def _get_object(reader: Reader, provider: uuid.UUID) -> FolderEntry | MessageEntry:
    kind = reader.u16()
    folder = get_long(reader)
    if kind in (PRIVATE_FOLDER, PUBLIC_FOLDER):
        return FolderEntry(provider, kind, folder)
    if kind in (PRIVATE_MESSAGE, PUBLIC_MESSAGE):
        return MessageEntry(provider, kind, folder, get_long(reader))
    raise bad("no such kind of entry id")


def _get_one_off(reader: Reader) -> OneOffEntry:
    if reader.u16():
        raise bad("no such version of a one-off entry id")
    flags = reader.u16()
    take = reader.text if flags & UNICODE else lambda: _latin(reader)
    return OneOffEntry(flags, take(), take(), take())


def _put_one_off(writer: Writer, one: OneOffEntry) -> None:
    writer.put(ONE_OFF.bytes_le)
    writer.u16(0)
    writer.u16(one.flags)
    for text in (one.name, one.kind, one.address):
        if one.flags & UNICODE:
            writer.text(text)
        else:
            writer.text8(_of_latin(text))


def _get_contact(reader: Reader) -> ContactEntry:
    if (reader.u32(), reader.u32()) != (3, 4):
        raise bad("no such version of a contact's entry id")
    index, size = reader.u32(), reader.u32()
    message = read(reader.take(size)) if size <= 1024 else None
    if not isinstance(message, MessageEntry):
        raise bad("a contact's entry id without a message")
    return ContactEntry(index, message)


def _get_store(reader: Reader) -> StoreEntry:
    head = reader.take(2 + len(_DLL))
    if head[:2] != b"\0\0" or head[2:].lower() != _DLL or reader.u32():
        raise bad("no such version of a store's entry id")
    wrapped, kind = uuid.UUID(bytes_le=reader.take(16)), reader.u32()
    server = _ascii(reader)
    if wrapped == PUBLIC_STORE and kind == 6:
        return StoreEntry(server, "")
    if wrapped == PRIVATE_STORE and kind == 12 and (mailbox := _ascii(reader)):
        return StoreEntry(server, mailbox)
    raise bad("no such kind of store")


def _put_store(writer: Writer, one: StoreEntry) -> None:
    writer.put(STORE_WRAP.bytes_le + b"\0\0" + _DLL + bytes(4))
    writer.put((PUBLIC_STORE if one.public else PRIVATE_STORE).bytes_le)
    writer.u32(6 if one.public else 12)
    writer.text8(_of_ascii(one.server))
    if not one.public:
        writer.text8(_of_ascii(one.mailbox))


def _ascii(reader: Reader) -> str:
    raw = reader.text8()
    if not raw.isascii():
        raise bad("a name that is not ASCII")
    return raw.decode("ascii")


def _of_ascii(text: str) -> bytes:
    if not text.isascii():
        raise bad("a name that is not ASCII")
    return text.encode("ascii")


def _latin(reader: Reader) -> str:
    return reader.text8().decode("latin-1")


def _of_latin(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise bad("a name that 8 bits cannot tell") from None
