"""Operations on a logon: logging on, identifiers, receive folders (MS-OXCROPS 2.2.3.1 and on)."""

from __future__ import annotations

import enum
import uuid
from typing import Annotated

from quintet.mapi import ids, rows
from quintet.mapi.buffer import Reader, Writer, bad
from quintet.mapi.ids import ShortId
from quintet.mapi.rop.fields import (
    U8,
    U16,
    U32,
    Ascii,
    Asks,
    Field,
    Flag,
    Guid,
    Id,
    Long,
    Longs,
    Raw16,
    SizedAscii,
    Tells,
)
from quintet.mapi.rop.registry import RELEASE, Head, answer, bare, request
from quintet.values import dataclass

FOLDERS = 13  # of a logon's answer (R53)


class LogonFlag(enum.IntFlag):
    """MS-OXCSTOR 2.2.1.1.1."""

    PRIVATE = 0x01
    UNDERCOVER = 0x02
    GHOSTED = 0x04


class OpenFlag(enum.IntFlag):
    """MS-OXCSTOR 2.2.1.1.1."""

    USE_ADMIN_PRIVILEGE = 0x00000001
    PUBLIC = 0x00000002
    HOME_LOGON = 0x00000004
    TAKE_OWNERSHIP = 0x00000008
    ALTERNATE_SERVER = 0x00000100
    IGNORE_HOME_MDB = 0x00000200
    NO_MAIL = 0x00000400
    USE_PER_MDB_REPLID_MAPPING = 0x01000000
    SUPPORT_PROGRESS = 0x20000000


@request(0xFE, Head.LOGON)
class Logon:
    flags: U8  # LogonFlag
    open_flags: U32  # OpenFlag
    store_state: U32
    essdn: SizedAscii


@dataclass(frozen=True, slots=True)
class LogonTime:
    """When a logon was made, UTC (2.2.3.1.2.1)."""

    seconds: int
    minutes: int
    hour: int
    day_of_week: int  # 0 is Sunday
    day: int
    month: int
    year: int


@dataclass(frozen=True, slots=True)
class PrivateLogon:
    """2.2.3.1.2."""

    flags: int
    folders: tuple[ShortId, ...]
    response_flags: int
    mailbox: uuid.UUID
    replica: int
    replica_guid: uuid.UUID
    time: LogonTime
    gwart_time: int
    store_state: int


@dataclass(frozen=True, slots=True)
class PublicLogon:
    """2.2.3.1.3."""

    flags: int
    folders: tuple[ShortId, ...]
    replica: int
    replica_guid: uuid.UUID
    per_user: uuid.UUID


def _get_logon(reader: Reader) -> PrivateLogon | PublicLogon:
    flags = reader.u8()
    folders = tuple([ids.get_short(reader) for _ in range(FOLDERS)])
    if not flags & LogonFlag.PRIVATE:
        return PublicLogon(flags, folders, reader.u16(), _guid(reader), _guid(reader))
    response, mailbox, replica, guid = reader.u8(), _guid(reader), reader.u16(), _guid(reader)
    seconds, minutes, hour, weekday, day, month = reader.take(6)
    time = LogonTime(seconds, minutes, hour, weekday, day, month, reader.u16())
    return PrivateLogon(flags, folders, response, mailbox, replica, guid, time, reader.u64(), reader.u32())


def _guid(reader: Reader) -> uuid.UUID:
    return uuid.UUID(bytes_le=reader.take(16))


def _put_logon(writer: Writer, value: PrivateLogon | PublicLogon) -> None:
    writer.u8(value.flags)
    if len(value.folders) != FOLDERS:
        raise bad("a logon has thirteen folders")
    for folder in value.folders:
        ids.put_short(writer, folder)
    if isinstance(value, PublicLogon):
        writer.u16(value.replica)
        writer.put(value.replica_guid.bytes_le + value.per_user.bytes_le)
        return
    writer.u8(value.response_flags)
    writer.put(value.mailbox.bytes_le)
    writer.u16(value.replica)
    writer.put(value.replica_guid.bytes_le)
    time = value.time
    for number in (time.seconds, time.minutes, time.hour, time.day_of_week, time.day, time.month):
        writer.u8(number)
    writer.u16(time.year)
    writer.u64(value.gwart_time)
    writer.u32(value.store_state)


@answer(0xFE)
class LogonAnswer:
    logon: Annotated[PrivateLogon | PublicLogon, Field(_get_logon, _put_logon)]


bare(RELEASE, "Release")


@request(0x27)
class GetReceiveFolder:
    message_class: Ascii


@answer(0x27)
class GetReceiveFolderAnswer:
    folder: Id
    message_class: Ascii


@request(0x26)
class SetReceiveFolder:
    folder: Id
    message_class: Ascii


bare(0x68, "GetReceiveFolderTable")
RECEIVE_COLUMNS = (0x67480014, 0x001A001E, 0x30080040)
"""PidTagFolderId, PidTagMessageClass, PidTagLastModificationTime (R211); 8-bit text (MS-OXCSTOR R305)."""


def _get_receive_rows(reader: Tells) -> tuple[list[object], ...]:
    return tuple([rows.get_row(reader, RECEIVE_COLUMNS) for _ in range(reader.counted(reader.u32()))])


def _put_receive_rows(writer: Writer, values: tuple[list[object], ...]) -> None:
    writer.u32(len(values))
    for value in values:
        rows.put_row(writer, RECEIVE_COLUMNS, value)


@answer(0x68)
class GetReceiveFolderTableAnswer:
    rows: Annotated[tuple[list[object], ...], Field(_get_receive_rows, _put_receive_rows)]


bare(0x7B, "GetStoreState")


@answer(0x7B)
class GetStoreStateAnswer:
    state: U32


@request(0x42)
class GetOwningServers:
    folder: Id


def _get_servers(reader: Reader) -> tuple[int, tuple[str, ...]]:
    count, cheap = reader.u16(), reader.u16()
    return cheap, tuple([reader.text8().decode("latin-1") for _ in range(reader.counted(count))])


def _put_servers(writer: Writer, value: tuple[int, tuple[str, ...]]) -> None:
    cheap, names = value
    writer.u16(len(names))
    writer.u16(cheap)
    for name in names:
        writer.text8(name.encode("latin-1"))


Servers = Annotated[tuple[int, tuple[str, ...]], Field(_get_servers, _put_servers)]
"""How many of the servers are cheap, and their names."""


def _get_replicas(reader: Reader) -> tuple[int, tuple[str, ...]] | None:
    return _get_servers(reader) if reader.u8() else None


def _put_replicas(writer: Writer, value: tuple[int, tuple[str, ...]] | None) -> None:
    writer.u8(0 if value is None else 1)
    if value is not None:
        _put_servers(writer, value)


REPLICAS = Field(_get_replicas, _put_replicas)
Replicas = Annotated[tuple[int, tuple[str, ...]] | None, REPLICAS]
"""IsGhosted, and where it is true the servers that have the folder."""


@answer(0x42)
class GetOwningServersAnswer:
    servers: Servers


@request(0x45)
class PublicFolderIsGhosted:
    folder: Id


@answer(0x45)
class PublicFolderIsGhostedAnswer:
    replicas: Replicas


@request(0x43)
class LongTermIdFromId:
    id: Id


@answer(0x43)
class LongTermIdFromIdAnswer:
    id: Long


@request(0x44)
class IdFromLongTermId:
    id: Long


@answer(0x44)
class IdFromLongTermIdAnswer:
    id: Id


@request(0x60)
class GetPerUserLongTermIds:
    database: Guid


@answer(0x60)
class GetPerUserLongTermIdsAnswer:
    ids: Longs


@request(0x61)
class GetPerUserGuid:
    id: Long


@answer(0x61)
class GetPerUserGuidAnswer:
    database: Guid


@request(0x63)
class ReadPerUserInformation:
    folder: Long
    reserved: U8
    offset: U32
    most: U16


@answer(0x63)
class ReadPerUserInformationAnswer:
    finished: Flag
    data: Raw16


def _get_per_user(reader: Reader) -> tuple[int, bytes, uuid.UUID | None]:
    """DataOffset, Data, and for the first piece in a private mailbox a replica (R521)."""
    offset, data = reader.u32(), reader.take(reader.u16())
    private = not isinstance(reader, Asks) or reader.logon not in reader.public
    return offset, data, _guid(reader) if private and offset == 0 else None


def _put_per_user(writer: Writer, value: tuple[int, bytes, uuid.UUID | None]) -> None:
    writer.u32(value[0])
    writer.u16(len(value[1]))
    writer.put(value[1])
    if value[2] is not None:
        writer.put(value[2].bytes_le)


@request(0x64)
class WritePerUserInformation:
    folder: Long
    finished: Flag
    data: Annotated[tuple[int, bytes, uuid.UUID | None], Field(_get_per_user, _put_per_user)]
