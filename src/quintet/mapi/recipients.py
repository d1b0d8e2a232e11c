"""Recipient rows: how ROPs tell the recipients of a message (MS-OXCDATA 2.8.3), and bags of them.

A row is a few standard values, each announced by a bit of its flags, and a row of the columns that the ROP
named.  Text is UTF-16, or in the code page that only the connection knows.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence

from quintet.mapi import rows, types
from quintet.mapi.bag import Bag
from quintet.mapi.buffer import Reader, Writer, bad
from quintet.mapi.types import Error, Tag, Value
from quintet.values import dataclass

ENTRY_ID: Tag = 0x0FFF0102
DISPLAY_NAME: Tag = 0x3001001F
ADDRESS_TYPE: Tag = 0x3002001F
EMAIL_ADDRESS: Tag = 0x3003001F
SEARCH_KEY: Tag = 0x300B0102
DISPLAY_TYPE: Tag = 0x39000003
SIMPLE_NAME: Tag = 0x39FF001F  # PidTagAddressBookDisplayNamePrintable
TRANSMITTABLE_NAME: Tag = 0x3A20001F
RICH_INFO: Tag = 0x3A40000B
RESPONSIBILITY: Tag = 0x0E0F000B
SMTP_ADDRESS: Tag = 0x39FE001F


class Address(enum.IntEnum):
    """The type of an address, the low bits of the flags (2.8.3.1)."""

    NONE = 0
    X500 = 1
    MS_MAIL = 2
    SMTP = 3
    FAX = 4
    OFFICE_SYSTEM = 5
    PERSONAL_LIST_1 = 6
    PERSONAL_LIST_2 = 7


_WORDS = {
    Address.X500: "EX",
    Address.MS_MAIL: "MS",
    Address.SMTP: "SMTP",
    Address.FAX: "FAX",
    Address.OFFICE_SYSTEM: "PROFS",
    Address.PERSONAL_LIST_1: "MAPIPDL",
    Address.PERSONAL_LIST_2: "MAPIPDL",
}
_KINDS = {word: kind for kind, word in reversed(_WORDS.items())}
_LISTS = (Address.PERSONAL_LIST_1, Address.PERSONAL_LIST_2)

_EMAIL, _NAME, _TRANSMITTABLE, _SAME, _OTHER_TRANSPORT = 0x08, 0x10, 0x20, 0x40, 0x80
_NO_RICH, _UNICODE, _SIMPLE, _OTHER_TYPE = 0x0100, 0x0200, 0x0400, 0x8000


@dataclass(frozen=True, slots=True)
class Row:
    """A RecipientRow (2.8.3.2).  None stands for text that the row does not hold.

    ``values`` are those of the first of the ROP's columns; there may be fewer than columns.
    """

    kind: Address = Address.NONE
    other_kind: str | None = None  # the address type where ``kind`` has no word for it
    name: str | None = None
    email: str | None = None
    simple_name: str | None = None
    transmittable: str | None = None  # equal to ``name``: told by a bit
    no_rich: bool = False  # takes no rich text
    other_transport: bool = False  # somebody else delivers
    unicode: bool = True
    x500: str = ""  # of Address.X500
    prefix_used: int = 0  # characters of the prefix of a bulk transfer (MS-OXCFXICS 2.2.4.1.5.6)
    display_type: int = 0
    entry_id: bytes = b""  # of a personal list
    search_key: bytes = b""
    values: tuple[Value, ...] = ()


def get(reader: Reader, columns: Sequence[Tag], charset: str = "latin-1") -> Row:
    """``charset`` is of text that is not Unicode.  Raises BadSyntax: malformed."""
    flags = reader.u16()
    kind = Address(flags & 7)
    text = _text_of(reader, charset) if not flags & _UNICODE else reader.text
    prefix_used, display_type, x500, entry_id, search_key = 0, 0, "", b"", b""
    if kind == Address.X500:
        prefix_used, display_type, x500 = reader.u8(), reader.u8(), _decoded(reader.text8(), charset)
    elif kind in _LISTS:
        entry_id, search_key = reader.take(reader.u16()), reader.take(reader.u16())
    # R158: an address type stands where the flags have none for it, and is never Unicode
    other = kind == Address.NONE and flags & _OTHER_TYPE
    other_kind = _decoded(reader.text8(), charset) if other else None
    email = text() if flags & _EMAIL else None
    name = text() if flags & _NAME else None
    simple = text() if flags & _SIMPLE else None
    transmittable = text() if flags & _TRANSMITTABLE else name if flags & _SAME else None
    number = reader.u16()
    if number > len(columns):
        raise bad("a recipient of more columns than there are")
    values = tuple(rows.get_row(reader, columns[:number]))
    return Row(
        kind, other_kind, name, email, simple, transmittable, bool(flags & _NO_RICH),
        bool(flags & _OTHER_TRANSPORT), bool(flags & _UNICODE), x500, prefix_used, display_type,
        entry_id, search_key, values,
    )  # fmt: skip


def put(writer: Writer, row: Row, columns: Sequence[Tag], charset: str = "latin-1") -> None:
    """The same the other way; what ``charset`` cannot tell becomes ``?``."""
    same = row.transmittable is not None and row.transmittable == row.name
    other = row.kind == Address.NONE and row.other_kind is not None
    bits = (
        (row.email is not None, _EMAIL), (row.name is not None, _NAME), (same, _SAME),
        (row.transmittable is not None and not same, _TRANSMITTABLE), (row.unicode, _UNICODE),
        (row.other_transport, _OTHER_TRANSPORT), (row.no_rich, _NO_RICH),
        (row.simple_name is not None, _SIMPLE), (other, _OTHER_TYPE),
    )  # fmt: skip
    writer.u16(row.kind | sum(bit for is_set, bit in bits if is_set))
    if row.kind == Address.X500:
        writer.u8(row.prefix_used)
        writer.u8(row.display_type)
        writer.text8(_encoded(row.x500, charset))
    elif row.kind in _LISTS:
        for raw in (row.entry_id, row.search_key):
            writer.u16(len(raw))
            writer.put(raw)
    if other:
        writer.text8(_encoded(row.other_kind or "", charset))
    for value in (row.email, row.name, row.simple_name, None if same else row.transmittable):
        if value is not None and row.unicode:
            writer.text(value)
        elif value is not None:
            writer.text8(_encoded(value, charset))
    writer.u16(len(row.values))
    rows.put_row(writer, columns[: len(row.values)], row.values)


def _text_of(reader: Reader, charset: str) -> Callable[[], str]:
    return lambda: _decoded(reader.text8(), charset)


def _decoded(raw: bytes, charset: str) -> str:
    return raw.decode(charset, "replace")


def _encoded(text: str, charset: str) -> bytes:
    return text.encode(charset, "replace")


# --- rows and bags --------------------------------------------------------------------------------------


def to_bag(row: Row, columns: Sequence[Tag]) -> Bag:
    """The properties of a recipient; a column's value stands above the same thing told by the row."""
    bag: Bag = {DISPLAY_TYPE: row.display_type} if row.kind == Address.X500 else {}
    word = row.other_kind if row.kind == Address.NONE else _WORDS[row.kind]
    told = (
        (ADDRESS_TYPE, word),
        (EMAIL_ADDRESS, row.x500 if row.kind == Address.X500 else row.email),
        (DISPLAY_NAME, row.name),
        (SIMPLE_NAME, row.simple_name),
        (TRANSMITTABLE_NAME, row.transmittable),
        (ENTRY_ID, row.entry_id or None),
        (SEARCH_KEY, row.search_key or None),
        (SMTP_ADDRESS, row.email if row.kind == Address.SMTP else None),
    )
    bag.update((tag, value) for tag, value in told if value is not None)
    bag[RICH_INFO] = not row.no_rich
    bag[RESPONSIBILITY] = not row.other_transport
    for tag, value in zip(columns, row.values, strict=False):
        if value is not None and not isinstance(value, Error) and types.type_of(tag) != types.UNSPECIFIED:
            bag[tag] = value
    return bag


def of_bag(bag: Bag, columns: Sequence[Tag], *, unicode: bool = True) -> Row:
    """The row that tells a recipient; absent columns are absent there too."""
    word = bag.get(ADDRESS_TYPE)
    kind = _KINDS.get(word.upper(), Address.NONE) if word else Address.NONE
    email = bag.get(EMAIL_ADDRESS)
    entry_id, search_key = bag.get(ENTRY_ID, b""), bag.get(SEARCH_KEY, b"")
    return Row(
        kind=kind,
        other_kind=word if kind == Address.NONE else None,
        name=bag.get(DISPLAY_NAME),
        email=None if kind == Address.X500 else email,
        simple_name=bag.get(SIMPLE_NAME),
        transmittable=bag.get(TRANSMITTABLE_NAME),
        no_rich=not bag.get(RICH_INFO, True),
        other_transport=not bag.get(RESPONSIBILITY, True),
        unicode=unicode,
        x500=(email or "") if kind == Address.X500 else "",
        display_type=bag.get(DISPLAY_TYPE, 0) & 0xFF if kind == Address.X500 else 0,
        entry_id=entry_id if kind in _LISTS else b"",
        search_key=search_key if kind in _LISTS else b"",
        values=tuple(bag.get(tag) for tag in columns),
    )
