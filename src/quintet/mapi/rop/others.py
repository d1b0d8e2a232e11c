"""Notices, rights and rules; and the shape of what nobody serves (MS-OXCROPS 2.2.10.1 to 2.2.15.3)."""

from __future__ import annotations

from typing import Annotated

from quintet.mapi import ids
from quintet.mapi.buffer import Reader, Writer
from quintet.mapi.ids import ShortId
from quintet.mapi.rop import events
from quintet.mapi.rop.events import Event
from quintet.mapi.rop.fields import (
    COUNT8,
    COUNT16,
    LONG,
    MORE,
    TAGGED,
    U8,
    U16,
    U32,
    Field,
    Flag,
    Raw6,
    Raw16,
    Raw32,
    Tagged,
    Tags,
    listed,
)
from quintet.mapi.rop.registry import (
    BACKOFF,
    NOTIFY,
    PENDING,
    TOO_SMALL,
    Head,
    notice,
    request,
    shaped,
)
from quintet.mapi.types import Tag, Value
from quintet.values import dataclass

# --- notifications --------------------------------------------------------------------------------------


EXTENDED = 0x0400  # of the kinds: a reserved byte follows (R20005)


def _get_kinds(reader: Reader) -> int:
    kinds = reader.u16()
    if kinds & EXTENDED:
        reader.u8()
    return kinds


def _put_kinds(writer: Writer, value: int) -> None:
    writer.u16(value)
    if value & EXTENDED:
        writer.u8(0)


def _get_scope(reader: Reader) -> tuple[ShortId, ShortId] | None:
    """WantWholeStore, and FolderId with MessageId where it is false (R4341, R4344)."""
    return None if reader.u8() else (ids.get_short(reader), ids.get_short(reader))


def _put_scope(writer: Writer, value: tuple[ShortId, ShortId] | None) -> None:
    writer.u8(int(value is None))
    for one in value or ():
        ids.put_short(writer, one)


@request(0x29, Head.OUT)
class RegisterNotification:
    kinds: Annotated[int, Field(_get_kinds, _put_kinds)]  # of events, as `events.Kind`
    scope: Annotated[tuple[ShortId, ShortId] | None, Field(_get_scope, _put_scope)]  # None: the whole store


@notice(NOTIFY)
class Notify:
    handle: U32  # of the subscription, or of the table
    logon: U8
    event: Annotated[Event, Field(events.get, events.put)]


@notice(PENDING)
class Pending:
    session: U16


@notice(TOO_SMALL)
class BufferTooSmall:
    size: U16
    requests: Annotated[bytes, Field(Reader.rest, Writer.put)]


@dataclass(frozen=True, slots=True)
class BackoffRop:
    """An operation to be held back, and for how long (2.2.15.2.1.1)."""

    rop: int
    duration: int  # ms


def _get_backoff(reader: Reader) -> BackoffRop:
    return BackoffRop(reader.u8(), reader.u32())


def _put_backoff(writer: Writer, value: BackoffRop) -> None:
    writer.u8(value.rop)
    writer.u32(value.duration)


@notice(BACKOFF)
class Backoff:
    logon: U8
    duration: U32  # ms
    rops: Annotated[tuple[BackoffRop, ...], listed(Field(_get_backoff, _put_backoff), 5, COUNT8)]
    additional: Raw16


# --- rights and rules -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RowChange:
    """PermissionData and RuleData (2.2.10.1.1.1, 2.2.11.1.1.1): what to do, with which values."""

    flags: int
    values: tuple[tuple[Tag, Value], ...]


def _get_change(reader: Reader) -> RowChange:
    return RowChange(reader.u8(), TAGGED.get(reader))


def _put_change(writer: Writer, value: RowChange) -> None:
    writer.u8(value.flags)
    TAGGED.put(writer, value.values)


RowChanges = Annotated[tuple[RowChange, ...], listed(Field(_get_change, _put_change), 3, COUNT16)]


@request(0x40)
class ModifyPermissions:
    flags: U8
    changes: RowChanges


@request(0x3E, Head.OUT)
class GetPermissionsTable:
    flags: U8


@request(0x41)
class ModifyRules:
    flags: U8
    changes: RowChanges


@request(0x3F, Head.OUT)
class GetRulesTable:
    flags: U8


# --- what nobody serves: bulk transfer, synchronisation, and what servers did for each other ---------------


def _get_more(reader: Reader) -> tuple[int, int]:
    size = reader.u16()
    return size, reader.u16() if size == MORE else 0


_More = Annotated[tuple[int, int], Field(_get_more, Writer.put)]
_Range = Field(lambda reader: (LONG.get(reader), LONG.get(reader)), Writer.put)


def _get_ranges(reader: Reader) -> list[object]:
    inner = Reader(reader.take(reader.u16()))
    return [_Range.get(inner) for _ in range(inner.counted(inner.u32(), 48))]


_Ids = Annotated[list[int], listed(Field(Reader.u64, Writer.put), 8, COUNT16)]
_Ranges = Annotated[list[object], Field(_get_ranges, Writer.put)]

shaped(0x57, "UpdateDeferredActionMessages", Head.ONE, Raw16, Raw16)
shaped(0x53, "FastTransferDestinationConfigure", Head.OUT, U8, U8)
shaped(0x54, "FastTransferDestinationPutBuffer", Head.ONE, Raw16, always=bytes(9))
shaped(0x9D, "FastTransferDestinationPutBufferExtended", Head.ONE, Raw16, always=bytes(13))
shaped(0x4E, "FastTransferSourceGetBuffer", Head.ONE, _More, always=bytes(9))
shaped(0x4C, "FastTransferSourceCopyFolder", Head.OUT, U8, U8)
shaped(0x4B, "FastTransferSourceCopyMessages", Head.OUT, _Ids, U8, U8)
shaped(0x4D, "FastTransferSourceCopyTo", Head.OUT, U8, U32, U8, Tags)
shaped(0x69, "FastTransferSourceCopyProperties", Head.OUT, U8, U8, U8, Tags)
shaped(0x86, "TellVersion", Head.ONE, Raw6)
shaped(0x70, "SynchronizationConfigure", Head.OUT, U8, U8, U16, Raw16, U32, Tags)
shaped(0x72, "SynchronizationImportMessageChange", Head.OUT, U8, Tagged)
shaped(0x80, "SynchronizationImportReadStateChanges", Head.ONE, Raw16)
shaped(0x73, "SynchronizationImportHierarchyChange", Head.ONE, Tagged, Tagged)
shaped(0x74, "SynchronizationImportDeletes", Head.ONE, U8, Tagged)
shaped(0x78, "SynchronizationImportMessageMove", Head.ONE, Raw32, Raw32, Raw32, Raw32, Raw32)
shaped(0x7E, "SynchronizationOpenCollector", Head.OUT, Flag)
shaped(0x82, "SynchronizationGetTransferState", Head.OUT)
shaped(0x75, "SynchronizationUploadStateStreamBegin", Head.ONE, U32, U32)
shaped(0x76, "SynchronizationUploadStateStreamContinue", Head.ONE, Raw32)
shaped(0x77, "SynchronizationUploadStateStreamEnd", Head.ONE)
shaped(0x93, "SetLocalReplicaMidsetDeleted", Head.ONE, _Ranges)
shaped(0x7F, "GetLocalReplicaIds", Head.ONE, U32)
