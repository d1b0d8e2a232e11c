"""Operations on tables (MS-OXCROPS 2.2.5.1 and on)."""

from __future__ import annotations

import enum

from quintet.mapi.rop.fields import (
    I32,
    U8,
    U16,
    U32,
    U64,
    Flag,
    MaybeRestriction,
    MaybeRow,
    Order,
    Raw16,
    Rows,
    Tags,
)
from quintet.mapi.rop.registry import answer, bare, request

COMPLETE = 0x00  # TBLSTAT_COMPLETE (MS-OXCTABL 2.2.2.1.3): everything is done at once here (R602)


class QueryFlag(enum.IntFlag):
    """MS-OXCTABL 2.2.2.5.1."""

    NO_ADVANCE = 0x01
    ENABLE_PACKED_BUFFERS = 0x02


class FindFlag(enum.IntFlag):
    """MS-OXCTABL 2.2.2.13.1."""

    BACKWARDS = 0x01


@request(0x12)
class SetColumns:
    flags: U8
    tags: Tags


@request(0x13)
class SortTable:
    flags: U8
    order: Order


@request(0x14)
class Restrict:
    flags: U8
    restriction: MaybeRestriction


bare(0x38, "Abort")
bare(0x16, "GetStatus")


@answer(0x12, 0x13, 0x14, 0x38, 0x16)
class TableStatus:
    status: U8


@request(0x15)
class QueryRows:
    flags: U8  # QueryFlag
    forward: Flag
    count: U16


@answer(0x15)
class QueryRowsAnswer:
    origin: U8
    rows: Rows


bare(0x17, "QueryPosition")


@answer(0x17)
class QueryPositionAnswer:
    numerator: U32
    denominator: U32


@request(0x18)
class SeekRow:
    origin: U8
    rows: I32
    want_moved: Flag


@answer(0x18)
class SeekRowAnswer:
    sought_less: Flag
    rows: I32


@request(0x19)
class SeekRowBookmark:
    bookmark: Raw16
    rows: I32
    want_moved: Flag


@answer(0x19)
class SeekRowBookmarkAnswer:
    no_longer_visible: Flag
    sought_less: Flag
    rows: I32


@request(0x1A)
class SeekRowFractional:
    numerator: U32
    denominator: U32


bare(0x1B, "CreateBookmark")


@answer(0x1B)
class CreateBookmarkAnswer:
    bookmark: Raw16


bare(0x37, "QueryColumnsAll")


@answer(0x37)
class QueryColumnsAllAnswer:
    tags: Tags


@request(0x4F)
class FindRow:
    flags: U8  # FindFlag
    restriction: MaybeRestriction
    origin: U8
    bookmark: Raw16


@answer(0x4F)
class FindRowAnswer:
    no_longer_visible: Flag
    row: MaybeRow


bare(0x81, "ResetTable")


@request(0x89)
class FreeBookmark:
    bookmark: Raw16


@request(0x59)
class ExpandRow:
    most: U16
    category: U64


@answer(0x59)
class ExpandRowAnswer:
    expanded: U32
    rows: Rows


@request(0x5A)
class CollapseRow:
    category: U64


@answer(0x5A)
class CollapseRowAnswer:
    collapsed: U32


@request(0x6B)
class GetCollapseState:
    row: U64
    instance: U32


@answer(0x6B)
class GetCollapseStateAnswer:
    state: Raw16


@request(0x6C)
class SetCollapseState:
    state: Raw16


@answer(0x6C)
class SetCollapseStateAnswer:
    bookmark: Raw16
