"""Identifiers: folders, messages, changes, and the entry ids that clients keep (MS-OXCDATA 2.2).

A counter is 48 bits and travels big-endian, while everything around it is little-endian.  Lists of entry ids
are in `entrylists`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable

from quintet.mapi.buffer import Reader, Writer, bad
from quintet.values import dataclass

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
PUBLIC_FOLDERS = uuid.UUID("9073441a-66aa-cd11-9bc8-00aa002fc45a")  # provider of what is in them (2.2.4.1)
WRAPPED = uuid.UUID("d3ad91c0-9d51-11cf-a4a9-00aa0047faa4")  # MS-OXOCNTC 2.2.2.2.4.1.1
_DLL = b"emsmdb.dll".ljust(14, b"\0")

PRIVATE_FOLDER, PUBLIC_FOLDER, MAPPED_FOLDER = 0x0001, 0x0003, 0x0005  # 2.2.4.1
PRIVATE_MESSAGE, PUBLIC_MESSAGE, MAPPED_MESSAGE = 0x0007, 0x0009, 0x000B  # 2.2.4.2
NEWSGROUP = 0x000C  # a public folder by its name
_FOLDERS = (PRIVATE_FOLDER, PUBLIC_FOLDER, MAPPED_FOLDER)
_MESSAGES = (PRIVATE_MESSAGE, PUBLIC_MESSAGE, MAPPED_MESSAGE)
_EPHEMERAL = 0x87  # the first byte of an entry id that lives as long as a session (MS-OXNSPI_R362)
_MAX_INNER = 4096  # bytes of an entry id within another one


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


@dataclass(frozen=True, slots=True)
class ServerId:
    """PtypServerId as a server makes it: what a row of a table is (2.11.1.4); ``message`` 0 for a folder."""

    folder: ShortId
    message: ShortId
    instance: int = 0

    @classmethod
    def read(cls, raw: bytes) -> ServerId:
        """Raises BadSyntax: malformed, or of a client's own making."""
        reader = Reader(raw)
        if len(raw) != 21 or reader.u8() != 1:
            raise bad("an id that no server made")
        return cls(get_short(reader), get_short(reader), reader.u32())

    def write(self) -> bytes:
        writer = Writer()
        writer.u8(1)
        put_short(writer, self.folder)
        put_short(writer, self.message)
        writer.u32(self.instance)
        return writer.done()


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
class NewsgroupEntry:
    """A folder of news by its name (2.2.4)."""

    name: str


@dataclass(frozen=True, slots=True)
class StoreEntry:
    """2.2.4.3.  ``mailbox`` is the X.500 name of a mailbox; "" for the public folders.

    ``extra`` is what newer clients append (the server's and the mailbox's addresses), as it came.
    """

    server: str
    mailbox: str
    extra: bytes = b""

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
    """2.2.5.2, also the address book's PermanentEntryID (MS-OXNSPI 2.2.9.3)."""

    kind: int  # display type
    x500: str


@dataclass(frozen=True, slots=True)
class ContactEntry:
    """2.2.5.3: the e-mail or fax address number ``index`` of a contact."""

    index: int  # 0 to 2: an e-mail address; 3 to 5: a fax
    message: MessageEntry


@dataclass(frozen=True, slots=True)
class PersonalListEntry:
    """2.2.5.4: a distribution list that someone keeps among the contacts."""

    message: MessageEntry


@dataclass(frozen=True, slots=True)
class EphemeralEntry:
    """An object of the address book for as long as a session lasts (MS-OXNSPI 2.2.9.2); 32 bytes."""

    server: uuid.UUID
    kind: int  # display type
    minimal: int  # MId


@dataclass(frozen=True, slots=True)
class WrappedEntry:
    """A member of a personal distribution list (MS-OXOCNTC 2.2.2.2.4.1.1).

    ``kind`` says what ``inner`` is, and which of its addresses is meant.
    """

    kind: int  # one byte
    inner: OneOffEntry | MessageEntry | AddressBookEntry


EntryId = (
    FolderEntry
    | MessageEntry
    | NewsgroupEntry
    | StoreEntry
    | OneOffEntry
    | AddressBookEntry
    | ContactEntry
    | PersonalListEntry
    | EphemeralEntry
    | WrappedEntry
)
UNICODE = 0x8000
NO_RICH = 0x0001  # of a one-off entry's flags: this recipient takes no rich text
NO_LOOKUP = 0x1000  # never look this one up in the address book


def read(raw: bytes) -> EntryId:
    """An entry id of any kind.  Raises BadSyntax: none that we know, or malformed."""
    reader = Reader(raw)
    flags = reader.u32()
    provider = uuid.UUID(bytes_le=reader.take(16))
    if flags == _EPHEMERAL:
        found: EntryId = _get_ephemeral(reader, provider)
    elif flags:
        raise bad("an entry id that is not for ever")
    elif provider in _GETTERS:
        found = _GETTERS[provider](reader)
    else:
        found = _get_object(reader, provider)
    if len(reader):
        raise bad("more than an entry id")
    return found


def write(one: EntryId) -> bytes:
    """The same as bytes.  Raises BadSyntax: a name that cannot be told."""
    writer = Writer()
    writer.u32(_EPHEMERAL if isinstance(one, EphemeralEntry) else 0)
    match one:
        case OneOffEntry():
            _put_one_off(writer, one)
        case AddressBookEntry():
            writer.put(ADDRESS_BOOK.bytes_le)
            writer.u32(1)
            writer.u32(one.kind)
            writer.text8(_of_ascii(one.x500))
        case EphemeralEntry():
            writer.put(one.server.bytes_le)
            for number in (1, one.kind, one.minimal):
                writer.u32(number)
        case ContactEntry():
            _put_contact(writer, 4, one.index, one.message)
        case PersonalListEntry():
            _put_contact(writer, 5, 0xFF, one.message)
        case WrappedEntry():
            writer.put(WRAPPED.bytes_le)
            writer.u8(one.kind)
            writer.put(write(one.inner))
        case StoreEntry():
            _put_store(writer, one)
        case NewsgroupEntry():
            writer.put(STORE_WRAP.bytes_le)
            writer.u16(NEWSGROUP)
            writer.text8(_of_latin(one.name))
        case FolderEntry() | MessageEntry():
            writer.put(one.provider.bytes_le)
            writer.u16(one.kind)
            put_long(writer, one.folder)
            if isinstance(one, MessageEntry):
                put_long(writer, one.message)
    return writer.done()


def _get_object(reader: Reader, provider: uuid.UUID) -> FolderEntry | MessageEntry:
    kind = reader.u16()
    folder = get_long(reader)
    if kind in _FOLDERS:
        return FolderEntry(provider, kind, folder)
    if kind in _MESSAGES:
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


def _get_ephemeral(reader: Reader, server: uuid.UUID) -> EphemeralEntry:
    if reader.u32() != 1:
        raise bad("no such version of an address book's entry id")
    return EphemeralEntry(server, reader.u32(), reader.u32())


def _get_address_book(reader: Reader) -> AddressBookEntry:
    if reader.u32() != 1:
        raise bad("no such version of an address book's entry id")
    return AddressBookEntry(reader.u32(), _ascii(reader))


def _get_contact(reader: Reader) -> ContactEntry | PersonalListEntry:
    version, kind, index, size = reader.u32(), reader.u32(), reader.u32(), reader.u32()
    if version != 3 or kind not in (4, 5):
        raise bad("no such version of a contact's entry id")
    message = _inner(reader.take(size))
    if not isinstance(message, MessageEntry):
        raise bad("a contact's entry id without a message")
    return ContactEntry(index, message) if kind == 4 else PersonalListEntry(message)


def _put_contact(writer: Writer, kind: int, index: int, message: MessageEntry) -> None:
    writer.put(CONTACT.bytes_le)
    inner = write(message)
    for number in (3, kind, index, len(inner)):
        writer.u32(number)
    writer.put(inner)


def _get_wrapped(reader: Reader) -> WrappedEntry:
    kind, inner = reader.u8(), _inner(reader.rest())
    if not isinstance(inner, OneOffEntry | MessageEntry | AddressBookEntry):
        raise bad("no such member of a distribution list")
    return WrappedEntry(kind, inner)


def _inner(raw: bytes) -> EntryId | None:
    """An entry id within another one; None for one that cannot stand there, which ends all nesting."""
    if len(raw) > _MAX_INNER or raw[4:20] in (WRAPPED.bytes_le, CONTACT.bytes_le):
        return None
    return read(raw)


def _get_store(reader: Reader) -> StoreEntry | NewsgroupEntry:
    version = reader.u16()
    if version == NEWSGROUP:
        return NewsgroupEntry(_latin(reader))
    if version or reader.take(len(_DLL)).lower() != _DLL or reader.u32():
        raise bad("no such version of a store's entry id")
    wrapped, kind = uuid.UUID(bytes_le=reader.take(16)), reader.u32()
    server = _ascii(reader)
    if wrapped == PUBLIC_STORE and kind == 6:
        return StoreEntry(server, "", reader.rest())
    if wrapped == PRIVATE_STORE and kind == 12 and (mailbox := _ascii(reader)):
        return StoreEntry(server, mailbox, reader.rest())
    raise bad("no such kind of store")


def _put_store(writer: Writer, one: StoreEntry) -> None:
    writer.put(STORE_WRAP.bytes_le + b"\0\0" + _DLL + bytes(4))
    writer.put((PUBLIC_STORE if one.public else PRIVATE_STORE).bytes_le)
    writer.u32(6 if one.public else 12)
    writer.text8(_of_ascii(one.server))
    if not one.public:
        writer.text8(_of_ascii(one.mailbox))
    writer.put(one.extra)


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


_GETTERS: dict[uuid.UUID, Callable[[Reader], EntryId]] = {
    ONE_OFF: _get_one_off,
    ADDRESS_BOOK: _get_address_book,
    CONTACT: _get_contact,
    STORE_WRAP: _get_store,
    WRAPPED: _get_wrapped,
}
