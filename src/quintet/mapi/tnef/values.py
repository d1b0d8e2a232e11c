"""Lists of properties as TNEF has them: every value fills whole words of four bytes (MS-OXTNEF 2.1.3.4).

Text of a code page is read as text; a name goes with each property that has one.
"""

from __future__ import annotations

import struct
import uuid
from typing import Final

from quintet.mapi import codepages, types
from quintet.mapi.bag import Bag, Key, NamedTag
from quintet.mapi.buffer import Reader, Writer, bad
from quintet.mapi.types import Value

FIRST_NAMED: Final = 0x8000
MAX_PROPS: Final = 10_000  # of one list
_FIXED: Final = {
    types.INTEGER16: struct.Struct("<h2x"),
    types.INTEGER32: struct.Struct("<i"),
    types.FLOATING32: struct.Struct("<f"),
    types.FLOATING64: struct.Struct("<d"),
    types.CURRENCY: struct.Struct("<q"),
    types.FLOATING_TIME: struct.Struct("<d"),
    types.ERROR_CODE: struct.Struct("<I"),
    types.BOOLEAN: struct.Struct("<H2x"),
    types.INTEGER64: struct.Struct("<q"),
    types.TIME: struct.Struct("<Q"),
}
_VARIABLE: Final = (types.STRING8, types.STRING, types.BINARY, types.OBJECT)


def get_list(reader: Reader, page: int) -> Bag:
    """A MsgPropertyList, its text in ``page`` where it is not wide.

    The value of an object is its interface and its data.  Of several properties with one tag the last counts.
    Raises BadSyntax: malformed, or more than `MAX_PROPS`.
    """
    number = reader.counted(reader.u32(), 8)
    if number > MAX_PROPS:
        raise bad("too many properties")
    bag: Bag = {}
    for _ in range(number):
        tag = reader.u32()
        name = _get_name(reader) if types.id_of(tag) >= FIRST_NAMED else None
        kind, value = _get(reader, tag & 0xFFFF, page)
        key: Key = types.tag_of(types.id_of(tag), kind)
        if name is not None:
            key = NamedTag(name[0], name[1], kind)
        if kind != types.NULL:
            bag[key] = value
    return bag


def _get_name(reader: Reader) -> tuple[uuid.UUID, int | str]:
    guid, kind = uuid.UUID(bytes_le=reader.take(16)), reader.u32()
    if kind == 0:
        return guid, reader.u32()
    if kind == 1:
        return guid, _wide(_padded(reader))
    raise bad("no such kind of name")


def _get(reader: Reader, kind: int, page: int) -> tuple[int, Value]:
    """The type that the value has in a bag, and the value."""
    many = kind & types.MULTIPLE
    one = kind & ~types.MULTIPLE
    if one == types.NULL and not many:
        return kind, None
    if one not in _FIXED and one not in _VARIABLE and one != types.GUID:
        raise bad("no such property type")
    single = not many and one not in _VARIABLE
    number = 1 if single else reader.counted(reader.u32(), 4)
    form = _FIXED.get(one) if many and one != types.BOOLEAN else None
    if form is not None:
        return kind, [value for (value,) in form.iter_unpack(reader.take(number * form.size))]
    values = [_one(reader, one, page) for _ in range(number)]
    if one == types.STRING8:
        one = types.STRING
    if many:
        return many | one, values
    if not values:  # a text of no values, as some write an empty one
        return one, "" if one == types.STRING else b""
    return one, values[0]


def _one(reader: Reader, kind: int, page: int) -> Value:
    form = _FIXED.get(kind)
    if form is not None:
        value = reader.unpack(form)[0]
        return bool(value) if kind == types.BOOLEAN else value
    if kind == types.GUID:
        return uuid.UUID(bytes_le=reader.take(16))
    raw = _padded(reader)
    if kind == types.STRING:
        return _wide(raw)
    return narrow(raw, page) if kind == types.STRING8 else raw


def _padded(reader: Reader) -> bytes:
    size = reader.u32()
    raw = reader.take(size)
    reader.take(min(-size % 4, len(reader)))  # the very last one may go without
    return raw


def _wide(raw: bytes) -> str:
    return raw[: len(raw) & ~1].decode("utf-16-le", "surrogatepass").removesuffix("\0")


def narrow(raw: bytes, page: int) -> str:
    """Text of a code page, up to its NUL."""
    return codepages.decode(raw.partition(b"\0")[0], page)


# --- writing --------------------------------------------------------------------------------------------


def put_list(writer: Writer, bag: Bag) -> None:
    """What TNEF cannot tell (restrictions, actions, errors) is left out, and several values that are none.

    Raises BadSyntax: a value that is none of its type.
    """
    told = [(key, value) for key, value in bag.items() if value is not None and _is_told(kind_of(key), value)]
    # several values come first: libytnef 2.0 cannot read them at the very end
    told.sort(key=lambda pair: not kind_of(pair[0]) & types.MULTIPLE)
    writer.u32(len(told))
    number = FIRST_NAMED
    for key, value in told:
        if isinstance(key, NamedTag):
            writer.u32(types.tag_of(number, key.kind))
            _put_name(writer, key)
            number += 1
        else:
            writer.u32(key)
        put_value(writer, kind_of(key), value)


def kind_of(key: Key) -> int:
    return key.kind if isinstance(key, NamedTag) else key & 0xFFFF


def _is_told(kind: int, value: Value) -> bool:
    if kind & types.MULTIPLE and value == []:  # readers break off there
        return False
    one = kind & ~types.MULTIPLE
    return one == types.GUID or one in _VARIABLE or (one in _FIXED and one != types.ERROR_CODE)


def _put_name(writer: Writer, key: NamedTag) -> None:
    writer.put(key.guid.bytes_le)
    writer.u32(int(isinstance(key.name, str)))
    if isinstance(key.name, str):
        _put_padded(writer, _of_wide(key.name))
    else:
        writer.u32(key.name)


def put_value(writer: Writer, kind: int, value: Value) -> None:
    many = bool(kind & types.MULTIPLE)
    one = kind & ~types.MULTIPLE
    if many or one in _VARIABLE:
        writer.u32(len(value) if many else 1)
    for each in value if many else (value,):
        form = _FIXED.get(one)
        if form is not None:
            writer.pack(form, int(each) if one == types.BOOLEAN else each)
        elif one == types.GUID:
            writer.put(each.bytes_le)
        elif one == types.STRING:
            _put_padded(writer, _of_wide(each))
        else:
            _put_padded(writer, each + b"\0" if one == types.STRING8 else each)


def _of_wide(text: str) -> bytes:
    return (text + "\0").encode("utf-16-le", "surrogatepass")


def _put_padded(writer: Writer, raw: bytes) -> None:
    writer.u32(len(raw))
    writer.put(raw)
    writer.put(bytes(-len(raw) % 4))
