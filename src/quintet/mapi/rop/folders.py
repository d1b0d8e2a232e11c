"""Operations on folders (MS-OXCROPS 2.2.4.1 and on; MS-OXCFOLD 2.2.1)."""

from __future__ import annotations

import enum
from typing import Annotated, Any

from quintet.mapi import restrict
from quintet.mapi.buffer import Reader, Writer
from quintet.mapi.rop.fields import (
    ID,
    U8,
    U32,
    Field,
    Flag,
    Id,
    Ids,
    MaybeRestriction,
    Text,
)
from quintet.mapi.rop.registry import Head, answer, request
from quintet.mapi.rop.stores import REPLICAS, Replicas

NOT_PARTIAL = b"\0"  # PartialCompletion, which these answers have also when they failed


class TableFlag(enum.IntFlag):
    """MS-OXCFOLD 2.2.1.13.1, 2.2.1.14.1."""

    ASSOCIATED = 0x02
    DEPTH = 0x04
    DEFERRED_ERRORS = 0x08
    NO_NOTIFICATIONS = 0x10
    SOFT_DELETES = 0x20
    USE_UNICODE = 0x40
    SUPPRESSES_NOTIFICATIONS = 0x80
    CONVERSATION_MEMBERS = 0x80


class DeleteFlag(enum.IntFlag):
    """MS-OXCFOLD 2.2.1.3.1."""

    MESSAGES = 0x01
    FOLDERS = 0x04
    HARD = 0x10


@request(0x02, Head.OUT)
class OpenFolder:
    folder: Id
    flags: U8  # 0x04: what was deleted softly too


@answer(0x02)
class OpenFolderAnswer:
    has_rules: Flag
    replicas: Replicas


def _get_texts(reader: Reader) -> tuple[int, bool, bool, Text, Text]:
    """FolderType, OpenExisting, the reserved byte; name and comment by UseUnicodeStrings (R603, R4612)."""
    kind, wide, existing, reserved = reader.u8(), reader.u8(), reader.u8(), reader.u8()
    take = reader.text if wide else reader.text8
    return kind, existing != 0, reserved != 0, take(), take()


def _put_texts(writer: Writer, value: tuple[int, bool, bool, Text, Text]) -> None:
    kind, existing, reserved, name, comment = value
    for number in (kind, isinstance(name, str), existing, reserved):
        writer.u8(int(number))
    for text in (name, comment):
        _put_text(writer, text)


def _put_text(writer: Writer, text: Text) -> None:
    if isinstance(text, str):
        writer.text(text)
    else:
        writer.text8(text)


@request(0x1C, Head.OUT)
class CreateFolder:
    wanted: Annotated[tuple[int, bool, bool, Text, Text], Field(_get_texts, _put_texts)]
    """The type (1 generic, 2 search), whether an existing one will do, 0, name, comment."""


def _get_existing(reader: Reader) -> tuple[bool, Any] | None:
    """HasRules and replicas, only of a folder that was there already (R622, R626)."""
    if not reader.u8():
        return None
    return reader.u8() != 0, REPLICAS.get(reader)


def _put_existing(writer: Writer, value: tuple[bool, Any] | None) -> None:
    writer.u8(0 if value is None else 1)
    if value is not None:
        writer.u8(int(value[0]))
        REPLICAS.put(writer, value[1])


@answer(0x1C)
class CreateFolderAnswer:
    folder: Id
    existing: Annotated[tuple[bool, Any] | None, Field(_get_existing, _put_existing)]


@request(0x1D, always=NOT_PARTIAL)
class DeleteFolder:
    flags: U8  # DeleteFlag
    folder: Id


@request(0x30)
class SetSearchCriteria:
    restriction: MaybeRestriction
    folders: Ids
    flags: U32


@request(0x31)
class GetSearchCriteria:
    use_unicode: Flag
    with_restriction: Flag
    with_folders: Flag


def _get_criteria(reader: Reader) -> Any:
    """RestrictionData, then LogonId in the midst (R735), then FolderIds and SearchFlags."""
    raw = reader.take(reader.u16())
    return restrict.get(Reader(raw)) if raw else None


def _put_criteria(writer: Writer, value: Any) -> None:
    inner = Writer()
    if value is not None:
        restrict.put(inner, value)
    raw = inner.done()
    writer.u16(len(raw))
    writer.put(raw)


@answer(0x31)
class GetSearchCriteriaAnswer:
    restriction: Annotated[Any, Field(_get_criteria, _put_criteria)]
    logon: U8
    folders: Ids
    flags: U32


@request(0x33, Head.TWO, always=NOT_PARTIAL)
class MoveCopyMessages:
    messages: Ids
    asynchronous: Flag
    copy: Flag


def _get_move(reader: Reader) -> tuple[Any, Text]:
    wide, folder = reader.u8(), ID.get(reader)
    return folder, reader.text() if wide else reader.text8()


def _put_move(writer: Writer, value: tuple[Any, Text]) -> None:
    writer.u8(int(isinstance(value[1], str)))
    ID.put(writer, value[0])
    _put_text(writer, value[1])


FolderAndName = Annotated[tuple[Any, Text], Field(_get_move, _put_move)]
"""UseUnicode, FolderId, NewFolderName: the folder and its new name."""


@request(0x35, Head.TWO, always=NOT_PARTIAL)
class MoveFolder:
    asynchronous: Flag
    target: FolderAndName


@request(0x36, Head.TWO, always=NOT_PARTIAL)
class CopyFolder:
    asynchronous: Flag
    recursive: Flag
    target: FolderAndName


@request(0x58, always=NOT_PARTIAL)
class EmptyFolder:
    asynchronous: Flag
    associated: Flag


@request(0x92, always=NOT_PARTIAL)
class HardDeleteMessagesAndSubfolders:
    asynchronous: Flag
    associated: Flag


@request(0x1E, always=NOT_PARTIAL)
class DeleteMessages:
    asynchronous: Flag
    notify_non_read: Flag
    messages: Ids


@request(0x91, always=NOT_PARTIAL)
class HardDeleteMessages:
    asynchronous: Flag
    notify_non_read: Flag
    messages: Ids


@request(0x66, always=NOT_PARTIAL)
class SetReadFlags:
    asynchronous: Flag
    flags: U8
    messages: Ids


@answer(0x1D, 0x33, 0x35, 0x36, 0x58, 0x92, 0x1E, 0x91, 0x66)
class Partial:
    """Whether something was left undone."""

    partial: Flag


@request(0x04, Head.OUT)
class GetHierarchyTable:
    flags: U8  # TableFlag


@request(0x05, Head.OUT)
class GetContentsTable:
    flags: U8  # TableFlag


@answer(0x04, 0x05)
class RowCount:
    rows: U32
