"""What is asked of the address book and what it answers, as values (MS-OXCMAPIHTTP 2.2.5.1 to 2.2.5.19).

A field that may be absent is None then.  How they look as bytes is `bodies`'.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from quintet.mapi.restrict import Restriction
from quintet.mapi.types import Tag, Value


@dataclass(frozen=True, slots=True)
class Stat:
    """STAT: a container, an order and a position in it (MS-OXNSPI 2.2.8)."""

    sort: int = 0
    container: int = 0
    current: int = 0  # Minimal Entry ID, or a place of 2.2.1.8
    delta: int = 0  # rows
    position: int = 0  # NumPos
    total: int = 0  # TotalRecs
    code_page: int = 1252
    template_locale: int = 0x409
    sort_locale: int = 0x409


Tags = tuple[Tag, ...]
Mids = tuple[int, ...]
Tagged = tuple[Tag, Value]


@dataclass(frozen=True, slots=True)
class Table:
    """Columns, and rows of a value each: None absent, `types.Error` failed."""

    columns: Tags
    rows: tuple[list[Value], ...]


# --- requests ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bind:
    flags: int = 0
    state: Stat | None = None
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class Unbind:
    reserved: int = 0
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class CompareMinIds:
    reserved: int = 0
    state: Stat | None = None
    first: int = 0
    second: int = 0
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class DnToMinId:
    reserved: int = 0
    names: tuple[bytes, ...] | None = None
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class GetMatches:
    reserved: int = 0
    state: Stat | None = None
    mids: Mids | None = None
    options: int = 0
    filter: Restriction | None = None
    property: tuple[uuid.UUID, int] | None = None  # a named property: set and id
    most: int = 0  # rows
    columns: Tags | None = None
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class GetPropList:
    flags: int = 0
    mid: int = 0
    code_page: int = 1252
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class GetProps:
    flags: int = 0
    state: Stat | None = None
    tags: Tags | None = None
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class GetSpecialTable:
    flags: int = 0
    state: Stat | None = None
    version: int | None = None
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class GetTemplateInfo:
    flags: int = 0
    display_type: int = 0
    dn: bytes | None = None
    code_page: int = 1252
    locale: int = 0x409
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class ModLinkAtt:
    flags: int = 0
    tag: Tag = 0
    mid: int = 0
    entry_ids: tuple[bytes, ...] | None = None
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class ModProps:
    reserved: int = 0
    state: Stat | None = None
    gone: Tags | None = None
    values: tuple[Tagged, ...] | None = None
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class QueryRows:
    flags: int = 0
    state: Stat | None = None
    table: Mids = ()
    count: int = 0  # rows
    columns: Tags | None = None
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class QueryColumns:
    reserved: int = 0
    flags: int = 0
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class ResolveNames:
    reserved: int = 0
    state: Stat | None = None
    columns: Tags | None = None
    names: tuple[str, ...] | None = None
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class ResortRestriction:
    reserved: int = 0
    state: Stat | None = None
    mids: Mids | None = None
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class SeekEntries:
    reserved: int = 0
    state: Stat | None = None
    target: Tagged | None = None
    table: Mids | None = None
    columns: Tags | None = None
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class UpdateStat:
    reserved: int = 0
    state: Stat | None = None
    delta_wanted: bool = False
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class GetMailboxUrl:
    flags: int = 0
    dn: str = ""
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class GetAddressBookUrl:
    flags: int = 0
    dn: str = ""
    auxiliary: bytes = b""


# --- answers ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bound:
    error: int
    server: uuid.UUID
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class Plain:
    """Of Unbind, ModProps and ModLinkAtt."""

    error: int
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class Compared:
    error: int
    result: int = 0
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class Mapped:
    error: int
    mids: Mids | None = None
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class Matched:
    error: int
    state: Stat | None = None
    mids: Mids | None = None
    table: Table | None = None
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class Columns:
    """Of GetPropList and QueryColumns."""

    error: int
    tags: Tags | None = None
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class Props:
    """Of GetProps and GetTemplateInfo."""

    error: int
    code_page: int
    values: tuple[Tagged, ...] | None = None
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class SpecialTable:
    error: int
    code_page: int
    version: int | None = None
    rows: tuple[tuple[Tagged, ...], ...] | None = None
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class Rows:
    """Of QueryRows and SeekEntries."""

    error: int
    state: Stat | None = None
    table: Table | None = None
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class Resolved:
    error: int
    code_page: int
    mids: Mids | None = None
    table: Table | None = None
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class Resorted:
    error: int
    state: Stat | None = None
    mids: Mids | None = None
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class Updated:
    error: int
    state: Stat | None = None
    delta: int | None = None
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class Url:
    error: int
    url: str = ""
    auxiliary: bytes = b""
