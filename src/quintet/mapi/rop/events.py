"""NotificationData: what happened, as RopNotify tells it (MS-OXCNOTIF 2.2.1.4.1.2)."""

from __future__ import annotations

import enum
from typing import Final

from quintet.mapi import ids, rows
from quintet.mapi.buffer import Reader, Writer, bad
from quintet.mapi.ids import ShortId
from quintet.mapi.types import Tag
from quintet.values import dataclass


class Kind(enum.IntFlag):
    """Types of events (2.2.1.2.1.1), and bits beside them in NotificationFlags."""

    NEW_MAIL = 0x0002
    CREATED = 0x0004
    DELETED = 0x0008
    MODIFIED = 0x0010
    MOVED = 0x0020
    COPIED = 0x0040
    SEARCH_COMPLETE = 0x0080
    TABLE_MODIFIED = 0x0100
    TOTAL = 0x1000  # the number of messages changed
    UNREAD = 0x2000  # the number of unread ones changed
    SEARCH_FOLDER = 0x4000
    MESSAGE = 0x8000


KIND: Final = 0x0FFF  # of NotificationFlags: the type alone (R101)


class TableEvent(enum.IntEnum):
    """2.2.1.1.1."""

    CHANGED = 0x0001
    ROW_ADDED = 0x0003
    ROW_DELETED = 0x0004
    ROW_MODIFIED = 0x0005
    RESTRICTION_CHANGED = 0x0007


NOTHING = ShortId(0, 0)
Row = tuple[ShortId, ShortId, int]
"""A row of a table: folder, message and instance; of a hierarchy table only the folder."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event; which fields are told follows from ``flags`` and ``table``."""

    flags: int  # Kind
    folder: ShortId = NOTHING
    message: ShortId = NOTHING
    parent: ShortId = NOTHING
    old_folder: ShortId = NOTHING
    old_message: ShortId = NOTHING
    old_parent: ShortId = NOTHING
    tags: tuple[Tag, ...] = ()
    total: int = 0
    unread: int = 0
    message_flags: int = 0
    message_class: str = ""
    table: int = TableEvent.CHANGED
    row: Row = (NOTHING, NOTHING, 0)
    after: Row = (NOTHING, NOTHING, 0)  # the row before it; nothing: it is the first
    data: bytes = b""  # a PropertyRow of the table's columns


def _says_parent(flags: int) -> bool:
    """R179."""
    kinds = Kind.CREATED | Kind.DELETED | Kind.MOVED | Kind.COPIED
    both = Kind.SEARCH_FOLDER | Kind.MESSAGE
    return bool(flags & KIND & kinds) and flags & both in (0, both)


def put(writer: Writer, event: Event) -> None:
    flags = event.flags
    kind = flags & KIND
    writer.u16(flags)
    if kind == Kind.TABLE_MODIFIED:
        _put_table(writer, event)
    else:
        ids.put_short(writer, event.folder)
        if flags & Kind.MESSAGE:
            ids.put_short(writer, event.message)
    if _says_parent(flags):
        ids.put_short(writer, event.parent)
    if kind in (Kind.MOVED, Kind.COPIED):
        ids.put_short(writer, event.old_folder)
        ids.put_short(writer, event.old_message if flags & Kind.MESSAGE else event.old_parent)
    if kind in (Kind.CREATED, Kind.MODIFIED):
        rows.put_tags(writer, event.tags)
    if flags & Kind.TOTAL:
        writer.u32(event.total)
    if flags & Kind.UNREAD:
        writer.u32(event.unread)
    if kind == Kind.NEW_MAIL:
        writer.u32(event.message_flags)
        writer.u8(1)
        writer.text(event.message_class)


def _put_table(writer: Writer, event: Event) -> None:
    writer.u16(event.table)
    rowed = (TableEvent.ROW_ADDED, TableEvent.ROW_DELETED, TableEvent.ROW_MODIFIED)
    if event.table not in rowed:
        return
    _put_row(writer, event.row, event.flags)
    if event.table != TableEvent.ROW_DELETED:
        _put_row(writer, event.after, event.flags)
        writer.u16(len(event.data))
        writer.put(event.data)


def _put_row(writer: Writer, row: Row, flags: int) -> None:
    ids.put_short(writer, row[0])
    if flags & Kind.MESSAGE:
        ids.put_short(writer, row[1])
        writer.u32(row[2])


def get(reader: Reader) -> Event:
    """Raises BadSyntax."""
    flags = reader.u16()
    kind = flags & KIND
    told: dict[str, object] = {}
    if kind == Kind.TABLE_MODIFIED:
        _get_table(reader, flags, told)
    else:
        told["folder"] = ids.get_short(reader)
        if flags & Kind.MESSAGE:
            told["message"] = ids.get_short(reader)
    if _says_parent(flags):
        told["parent"] = ids.get_short(reader)
    if kind in (Kind.MOVED, Kind.COPIED):
        told["old_folder"] = ids.get_short(reader)
        told["old_message" if flags & Kind.MESSAGE else "old_parent"] = ids.get_short(reader)
    if kind in (Kind.CREATED, Kind.MODIFIED):
        told["tags"] = _get_tags(reader)
    if flags & Kind.TOTAL:
        told["total"] = reader.u32()
    if flags & Kind.UNREAD:
        told["unread"] = reader.u32()
    if kind == Kind.NEW_MAIL:
        told["message_flags"] = reader.u32()
        told["message_class"] = reader.text() if reader.u8() else reader.text8().decode("latin-1")
    return Event(flags, **told)  # type: ignore[arg-type] # each by its field's name


def _get_tags(reader: Reader) -> tuple[Tag, ...]:
    """0xFFFF says that all may have changed (R203)."""
    count = reader.u16()
    return () if count == 0xFFFF else tuple([reader.u32() for _ in range(reader.counted(count, 4))])


def _get_table(reader: Reader, flags: int, told: dict[str, object]) -> None:
    try:
        table = told["table"] = TableEvent(reader.u16())
    except ValueError:
        raise bad("no such event of a table") from None
    if table in (TableEvent.CHANGED, TableEvent.RESTRICTION_CHANGED):
        return
    told["row"] = _get_row(reader, flags)
    if table != TableEvent.ROW_DELETED:
        told["after"] = _get_row(reader, flags)
        told["data"] = reader.take(reader.u16())


def _get_row(reader: Reader, flags: int) -> Row:
    folder = ids.get_short(reader)
    return (folder, ids.get_short(reader), reader.u32()) if flags & Kind.MESSAGE else (folder, NOTHING, 0)
