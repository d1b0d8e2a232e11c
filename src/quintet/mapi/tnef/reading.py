"""TNEF to an item.  A hostile stream costs no more than a few times its size.

Where an attribute and a property tell the same, the property counts.  Checksums are not looked at: wrong ones
are common, and right ones protect from nothing.
"""

from __future__ import annotations

import datetime
import struct
from dataclasses import dataclass, field

from quintet.mapi import guids, types
from quintet.mapi.bag import Attachment, Bag, Item
from quintet.mapi.buffer import Reader, bad
from quintet.mapi.tags import tag as tag_of
from quintet.mapi.tnef import attributes as att
from quintet.mapi.tnef import values
from quintet.mapi.tnef.attributes import Form
from quintet.mapi.types import Tag, Value

MAX_ATTACHMENTS = 4096
MAX_RECIPIENTS = 10_000
MAX_EMBEDDED = 16  # levels of messages within messages
MAX_NESTED = 128 * 1024 * 1024  # bytes of a message times its level: each level holds its own copy
_WINDOWS = 1252  # the code page where none is told
_SMALLEST = 11  # bytes of an attribute
_DATE = struct.Struct("<7H")
_RENDERING = struct.Struct("<HiHHI")  # type, position, width, height, flags
_MAC_BINARY = 0x00000001


@dataclass(slots=True)
class _Part:
    """An attachment while its attributes come."""

    told: Bag = field(default_factory=dict)  # by attributes
    props: Bag = field(default_factory=dict)
    data: bytes = b""


def read(raw: bytes) -> Item:
    """The item that a stream carries.

    Raises BadSyntax: no TNEF, malformed, or beyond one of the limits above.
    """
    return _read(Reader(raw), 0)


def _read(reader: Reader, depth: int) -> Item:
    if depth > MAX_EMBEDDED or depth * len(reader) > MAX_NESTED:
        raise bad("messages nested too deeply")
    if reader.u32() != att.SIGNATURE:
        raise bad("not a TNEF stream")
    reader.u16()  # a key, which serves nothing any more
    page = _WINDOWS
    told: Bag = {}
    props: Bag = {}
    rows: list[Bag] = []
    parts: list[_Part] = []
    owner: Reader | None = None
    while len(reader) >= _SMALLEST:
        level, number = reader.u8(), reader.u32()
        data = reader.take(reader.u32())
        reader.u16()
        if level == att.ATTACHMENT:
            _attach(parts, number, data, page)
        elif level != att.MESSAGE:
            raise bad("no such level of an attribute")
        elif number == att.OEM_CODEPAGE:
            page = Reader(data).u32()
        elif number == att.MESSAGE_PROPS:
            props |= values.get_list(Reader(data), page)
        elif number == att.RECIPIENTS:
            rows += _recipients(Reader(data), page)
        elif number == att.OWNER:
            owner = Reader(data)
        elif number in att.ATTRIBUTES:
            _tell(told, number, data, page)
    bag = told | props
    if owner is not None:
        bag = _owner(owner, bag, page) | bag
    bag = {key: value for key, value in bag.items() if values.kind_of(key) != types.OBJECT}
    return Item(bag, rows, [_attachment(part, depth) for part in parts])


def _recipients(reader: Reader, page: int) -> list[Bag]:
    number = reader.counted(reader.u32(), 4)
    if number > MAX_RECIPIENTS:
        raise bad("too many recipients")
    return [values.get_list(reader, page) for _ in range(number)]


# --- attachments ----------------------------------------------------------------------------------------


def _attach(parts: list[_Part], number: int, data: bytes, page: int) -> None:
    """One attribute of the attachment that the last attAttachRenddata began."""
    if number == att.RENDERING or not parts:
        if len(parts) == MAX_ATTACHMENTS:
            raise bad("too many attachments")
        parts.append(_Part())
    part = parts[-1]
    if number == att.RENDERING:
        _render(part.told, data)
    elif number == att.ATTACHMENT_DATA:
        part.data = data
    elif number == att.ATTACHMENT_PROPS:
        part.props |= values.get_list(Reader(data), page)
    elif number in att.ATTRIBUTES:
        _tell(part.told, number, data, page)


def _render(bag: Bag, data: bytes) -> None:
    kind, position, _, _, flags = (int(value) for value in Reader(data).unpack(_RENDERING))
    bag[att.ATTACH_METHOD] = att.OLE if kind == 2 else att.BY_VALUE
    bag[att.RENDERING_POSITION] = position
    if flags & _MAC_BINARY:
        bag[att.ATTACH_ENCODING] = att.MAC_BINARY


def _attachment(part: _Part, depth: int) -> Attachment:
    """Properties, and the content from wherever it stands."""
    bag = part.told | part.props
    found = bag.pop(att.ATTACH_OBJECT, b"")
    data = bag.pop(att.ATTACH_BYTES, b"") or part.data
    bag = {key: value for key, value in bag.items() if values.kind_of(key) != types.OBJECT}
    if not found:
        return Attachment(bag, data)
    reader = Reader(found)
    interface = reader.take(16)
    if interface == guids.INTERFACES["IID_IMessage"].bytes_le:
        bag[att.ATTACH_METHOD] = att.EMBEDDED
        return Attachment(bag, b"", _read(reader, depth + 1))
    bag[att.ATTACH_METHOD] = att.OLE
    return Attachment(bag, reader.rest())


# --- attributes -----------------------------------------------------------------------------------------


def _tell(bag: Bag, number: int, data: bytes, page: int) -> None:
    """The property, or the three of a person, that an attribute stands for."""
    form, tag = att.ATTRIBUTES[number]
    if form is Form.TRIPLE:
        bag.update(_triple(Reader(data), tag, page))
    elif form is Form.COUNTED:
        bag.update(_counted(Reader(data), tag, page))
    else:
        value = _value(form, data, page)
        if value is not None:
            bag[tag] = value


def _value(form: Form, data: bytes, page: int) -> Value:
    """None for a value that says nothing: a date of zeros, an unknown priority."""
    match form:
        case Form.TEXT:
            return values.narrow(data, page)
        case Form.CLASS:
            name = values.narrow(data, page)
            return _CLASSES.get(name.lower(), name)
        case Form.HEX:
            try:
                return bytes.fromhex(values.narrow(data, page))
            except ValueError:
                return None
        case Form.DATE:
            return _date(Reader(data))
        case Form.SHORT:
            return bool(Reader(data).u16())
        case Form.LONG:
            return int.from_bytes(Reader(data).take(4), "little", signed=True)
        case Form.IMPORTANCE:
            number = Reader(data).u16()
            return 3 - number if 1 <= number <= 3 else None
        case Form.STATUS:
            return _status(Reader(data).u8())
        case _:
            return data


_CLASSES = {old.lower(): new for old, new in att.CLASSES.items()}


def _date(reader: Reader) -> int | None:
    year, month, day, hour, minute, second, _ = (int(value) for value in reader.unpack(_DATE))
    try:
        when = datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.UTC)
    except ValueError:
        return None
    return types.of_ms((when - _EPOCH) // datetime.timedelta(milliseconds=1))


_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def _status(status: int) -> int:
    flags = sum(flag for bit, flag in att.STATUS if status & bit)
    return flags if status & att.MODIFIED else flags | att.UNMODIFIED


def _owner(reader: Reader, bag: Bag, page: int) -> Bag:
    """Of a meeting's answer it is whom the answer is for, else whom the sender stands for (2.2.3.11)."""
    answer = "meeting.resp" in str(bag.get(att.ATTRIBUTES[att.MESSAGE_CLASS][1], "")).lower()
    return _counted(reader, _RECEIVED if answer else att.ATTRIBUTES[att.OWNER][1], page)


_RECEIVED = tag_of("PidTagReceivedRepresentingName")


def _counted(reader: Reader, tag: Tag, page: int) -> Bag:
    name = reader.take(reader.u16())
    return _person(tag, name, reader.take(reader.u16()), page)


def _triple(reader: Reader, tag: Tag, page: int) -> Bag:
    """A TRP structure: what it is, its size, the lengths of the name and of the address."""
    kind, _, name, address = (reader.u16() for _ in range(4))
    if kind != 4:  # trpidOneOff; groups and nothing have no address
        return {}
    return _person(tag, reader.take(name), reader.take(address), page)


def _person(tag: Tag, name: bytes, address: bytes, page: int) -> Bag:
    type_tag, address_tag = att.PEOPLE[tag]
    kind, _, rest = values.narrow(address, page).partition(":")
    return {tag: values.narrow(name, page), type_tag: kind, address_tag: rest}
