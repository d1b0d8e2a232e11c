"""Operations on properties and their names (MS-OXCROPS 2.2.8.1 and on)."""

from __future__ import annotations

import uuid
from typing import Annotated

from quintet.mapi import types
from quintet.mapi.buffer import Reader, Writer, bad
from quintet.mapi.rop.fields import (
    U8,
    U16,
    U32,
    Field,
    Flag,
    Flag16,
    Names,
    Numbers16,
    Problems,
    Row,
    SizedTagged,
    Tagged,
    Tags,
)
from quintet.mapi.rop.registry import Head, answer, bare, request
from quintet.mapi.types import Named


@request(0x07)
class GetPropertiesSpecific:
    limit: U16  # bytes of a value; 0 none but the buffer's
    want_unicode: Flag16
    tags: Tags


@answer(0x07)
class GetPropertiesSpecificAnswer:
    row: Row


@request(0x08)
class GetPropertiesAll:
    limit: U16
    want_unicode: Flag16


@answer(0x08)
class GetPropertiesAllAnswer:
    values: Tagged


bare(0x09, "GetPropertiesList")


@answer(0x09)
class GetPropertiesListAnswer:
    tags: Tags


@request(0x0A)
class SetProperties:
    values: SizedTagged


@request(0x79)
class SetPropertiesNoReplicate:
    values: SizedTagged


@request(0x0B)
class DeleteProperties:
    tags: Tags


@request(0x7A)
class DeletePropertiesNoReplicate:
    tags: Tags


@request(0x67, Head.TWO)
class CopyProperties:
    asynchronous: Flag
    flags: U8
    tags: Tags


@request(0x39, Head.TWO)
class CopyTo:
    asynchronous: Flag
    sub_objects: Flag
    flags: U8
    excluded: Tags


@answer(0x0A, 0x79, 0x0B, 0x7A, 0x67, 0x39)
class WithProblems:
    problems: Problems


@request(0x56)
class GetPropertyIdsFromNames:
    flags: U8  # 0x02: make those that are not there
    names: Names


@answer(0x56)
class GetPropertyIdsFromNamesAnswer:
    numbers: Numbers16


@request(0x55)
class GetNamesFromPropertyIds:
    numbers: Numbers16


@answer(0x55)
class GetNamesFromPropertyIdsAnswer:
    names: Names


def _get_maybe_guid(reader: Reader) -> uuid.UUID | None:
    return uuid.UUID(bytes_le=reader.take(16)) if reader.u8() else None


def _put_maybe_guid(writer: Writer, value: uuid.UUID | None) -> None:
    writer.u8(0 if value is None else 1)
    if value is not None:
        writer.put(value.bytes_le)


@request(0x5F)
class QueryNamedProperties:
    flags: U8  # 1: without text names; 2: without numeric ones
    guid: Annotated[uuid.UUID | None, Field(_get_maybe_guid, _put_maybe_guid)]


def _get_mapping(reader: Reader) -> tuple[tuple[int, Named | None], ...]:
    """A count, the numbers, the names."""
    numbers = [reader.u16() for _ in range(reader.counted(reader.u16(), 2))]
    return tuple([(number, types.get_name(reader)) for number in numbers])


def _put_mapping(writer: Writer, values: tuple[tuple[int, Named | None], ...]) -> None:
    if len(values) > 0xFFFF:
        raise bad("too many names")
    writer.u16(len(values))
    for number, _ in values:
        writer.u16(number)
    for _, name in values:
        types.put_name(writer, name)


@answer(0x5F)
class QueryNamedPropertiesAnswer:
    mapping: Annotated[tuple[tuple[int, Named | None], ...], Field(_get_mapping, _put_mapping)]


@request(0x50)
class Progress:
    cancel: Flag


@answer(0x50)
class ProgressAnswer:
    logon: U8
    done: U32
    total: U32
