"""Restrictions: what a table or a search folder shows (MS-OXCDATA 2.12), all twelve kinds.

As values and as bytes; what they match is the tables' business.  COUNTs follow the buffer's width.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import replace

from quintet.mapi import types
from quintet.mapi.buffer import Reader, Writer, bad
from quintet.mapi.types import Tag, Value
from quintet.values import dataclass

RECIPIENTS: Tag = 0x0E12000D  # PidTagMessageRecipients
ATTACHMENTS: Tag = 0x0E13000D  # PidTagMessageAttachments


class Relation(enum.IntEnum):
    """How two values compare (2.12.5.1)."""

    LESS = 0x00
    LESS_OR_EQUAL = 0x01
    GREATER = 0x02
    GREATER_OR_EQUAL = 0x03
    EQUAL = 0x04
    NOT_EQUAL = 0x05
    MATCHES = 0x06  # a regular expression, in the address book only
    MEMBER_OF_DL = 0x64


class Where(enum.IntEnum):
    """The low half of a fuzzy level (2.12.4.1)."""

    FULL_STRING = 0x0000
    SUBSTRING = 0x0001
    PREFIX = 0x0002


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Restriction, ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Restriction, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Restriction


@dataclass(frozen=True, slots=True)
class Content:
    """The property holds the value: ``where``, with ``loose`` bits (1 no case, 2 no marks, 4 loose)."""

    where: Where
    loose: int
    tag: Tag
    value: tuple[Tag, Value]


@dataclass(frozen=True, slots=True)
class Property:
    relation: Relation
    tag: Tag
    value: tuple[Tag, Value]


@dataclass(frozen=True, slots=True)
class Compare:
    """Two properties of the same object."""

    relation: Relation
    left: Tag
    right: Tag


@dataclass(frozen=True, slots=True)
class Bitmask:
    """``wanted`` False: all bits of the mask are 0; True: some is not (2.12.7)."""

    wanted: bool
    tag: Tag
    mask: int


@dataclass(frozen=True, slots=True)
class Size:
    relation: Relation
    tag: Tag
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class Exist:
    tag: Tag


@dataclass(frozen=True, slots=True)
class SubObject:
    """Some recipient, or some attachment, matches."""

    table: Tag  # RECIPIENTS or ATTACHMENTS
    part: Restriction


@dataclass(frozen=True, slots=True)
class Comment:
    """Notes of the client that mean nothing, and what they stand on."""

    notes: tuple[tuple[Tag, Value], ...]
    part: Restriction | None


@dataclass(frozen=True, slots=True)
class Count:
    """No more than ``limit`` rows, of those that match."""

    limit: int
    part: Restriction


Restriction = (
    And | Or | Not | Content | Property | Compare | Bitmask | Size | Exist | SubObject | Comment | Count
)


Change = Callable[[Tag, Value], tuple[Tag, Value]]


def changed(one: Restriction, change: Change) -> Restriction:
    """With other values of other types; the properties that are compared with them have these types, too."""
    if isinstance(one, And | Or):
        return type(one)(tuple([changed(part, change) for part in one.parts]))
    if isinstance(one, Content | Property):
        value = change(*one.value)
        return replace(one, tag=_retyped(one.tag, one.value[0], value[0]), value=value)
    if isinstance(one, Comment):
        part = None if one.part is None else changed(one.part, change)
        return Comment(tuple([change(*note) for note in one.notes]), part)
    if isinstance(one, Not | SubObject | Count):
        return replace(one, part=changed(one.part, change))
    return one


def _retyped(tag: Tag, old: Tag, new: Tag) -> Tag:
    """Multi-value or not, as before."""
    same = types.type_of(tag) & ~types.MULTIPLE == types.type_of(old) & ~types.MULTIPLE
    return tag + types.type_of(new) - types.type_of(old) if same else tag


def get(reader: Reader) -> Restriction:
    """Raises BadSyntax: malformed, or nested deeper than `buffer.MAX_DEPTH`."""
    getter = _GETTERS.get(reader.u8())
    if getter is None:
        raise bad("no such kind of restriction")
    reader.deeper()
    found = getter(reader)
    reader.shallower()
    return found


def put(writer: Writer, restriction: Restriction) -> None:
    code, putter = _PUTTERS[type(restriction)]
    writer.u8(code)
    putter(writer, restriction)


def _relation(reader: Reader) -> Relation:
    try:
        return Relation(reader.u8())
    except ValueError:
        raise bad("no such relation") from None


def _parts(reader: Reader) -> tuple[Restriction, ...]:
    return tuple([get(reader) for _ in range(reader.count(2))])


def _get_content(reader: Reader) -> Content:
    where, loose = reader.u16(), reader.u16()
    try:
        return Content(Where(where), loose, reader.u32(), types.get_tagged(reader))
    except ValueError:
        raise bad("no such way to compare text") from None


def _get_comment(reader: Reader) -> Comment:
    notes = tuple([types.get_tagged(reader) for _ in range(reader.counted(reader.u8(), 4))])
    return Comment(notes, get(reader) if reader.flag() else None)


def _get_sub_object(reader: Reader) -> SubObject:
    table = reader.u32()
    if table not in (RECIPIENTS, ATTACHMENTS):
        raise bad("no such table of a message")
    return SubObject(table, get(reader))


_GETTERS: dict[int, Callable[[Reader], Restriction]] = {
    0x00: lambda reader: And(_parts(reader)),
    0x01: lambda reader: Or(_parts(reader)),
    0x02: lambda reader: Not(get(reader)),
    0x03: _get_content,
    0x04: lambda reader: Property(_relation(reader), reader.u32(), types.get_tagged(reader)),
    0x05: lambda reader: Compare(_relation(reader), reader.u32(), reader.u32()),
    0x06: lambda reader: Bitmask(reader.flag(), reader.u32(), reader.u32()),
    0x07: lambda reader: Size(_relation(reader), reader.u32(), reader.u32()),
    0x08: lambda reader: Exist(reader.u32()),
    0x09: _get_sub_object,
    0x0A: _get_comment,
    0x0B: lambda reader: Count(reader.u32(), get(reader)),
}


def _put_parts(writer: Writer, restriction: And | Or) -> None:
    writer.count(len(restriction.parts))
    for part in restriction.parts:
        put(writer, part)


def _put_content(writer: Writer, restriction: Content) -> None:
    writer.u16(restriction.where)
    writer.u16(restriction.loose)
    writer.u32(restriction.tag)
    types.put_tagged(writer, *restriction.value)


def _put_property(writer: Writer, restriction: Property) -> None:
    writer.u8(restriction.relation)
    writer.u32(restriction.tag)
    types.put_tagged(writer, *restriction.value)


def _put_compare(writer: Writer, restriction: Compare) -> None:
    writer.u8(restriction.relation)
    writer.u32(restriction.left)
    writer.u32(restriction.right)


def _put_bitmask(writer: Writer, restriction: Bitmask) -> None:
    writer.u8(int(restriction.wanted))
    writer.u32(restriction.tag)
    writer.u32(restriction.mask)


def _put_size(writer: Writer, restriction: Size) -> None:
    writer.u8(restriction.relation)
    writer.u32(restriction.tag)
    writer.u32(restriction.size)


def _put_sub_object(writer: Writer, restriction: SubObject) -> None:
    writer.u32(restriction.table)
    put(writer, restriction.part)


def _put_comment(writer: Writer, restriction: Comment) -> None:
    writer.u8(len(restriction.notes))
    for tag, value in restriction.notes:
        types.put_tagged(writer, tag, value)
    writer.u8(int(restriction.part is not None))
    if restriction.part is not None:
        put(writer, restriction.part)


def _put_count(writer: Writer, restriction: Count) -> None:
    writer.u32(restriction.limit)
    put(writer, restriction.part)


_PUTTERS: dict[type, tuple[int, Callable[[Writer, Value], None]]] = {
    And: (0x00, _put_parts),
    Or: (0x01, _put_parts),
    Not: (0x02, lambda writer, restriction: put(writer, restriction.part)),
    Content: (0x03, _put_content),
    Property: (0x04, _put_property),
    Compare: (0x05, _put_compare),
    Bitmask: (0x06, _put_bitmask),
    Size: (0x07, _put_size),
    Exist: (0x08, lambda writer, restriction: writer.u32(restriction.tag)),
    SubObject: (0x09, _put_sub_object),
    Comment: (0x0A, _put_comment),
    Count: (0x0B, _put_count),
}
