"""What is asked of the address book and what it answers, as values (MS-OXCMAPIHTTP 2.2.5.1 to 2.2.5.19).

A field that may be absent is None then.  How they look as bytes is `bodies`', which also knows the auxiliary
buffer that each of them ends with.
"""

from __future__ import annotations

import uuid
from typing import dataclass_transform

from quintet.mapi.restrict import Restriction
from quintet.mapi.types import Tag, Value
from quintet.values import dataclass


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


@dataclass_transform(frozen_default=True)
class Body:
    """What all have in common: each is a frozen dataclass."""

    def __init_subclass__(cls) -> None:
        dataclass(frozen=True)(cls)


# --- requests ---------------------------------------------------------------------------------------------


class Bind(Body):
    flags: int = 0
    state: Stat | None = None


class Unbind(Body):
    reserved: int = 0


class CompareMinIds(Body):
    reserved: int = 0
    state: Stat | None = None
    first: int = 0
    second: int = 0


class DnToMinId(Body):
    reserved: int = 0
    names: tuple[bytes, ...] | None = None


class GetMatches(Body):
    reserved: int = 0
    state: Stat | None = None
    mids: Mids | None = None
    options: int = 0
    filter: Restriction | None = None
    property: tuple[uuid.UUID, int] | None = None  # a named property: set and id
    most: int = 0  # rows
    columns: Tags | None = None


class GetPropList(Body):
    flags: int = 0
    mid: int = 0
    code_page: int = 1252


class GetProps(Body):
    flags: int = 0
    state: Stat | None = None
    tags: Tags | None = None


class GetSpecialTable(Body):
    flags: int = 0
    state: Stat | None = None
    version: int | None = None


class GetTemplateInfo(Body):
    flags: int = 0
    display_type: int = 0
    dn: bytes | None = None
    code_page: int = 1252
    locale: int = 0x409


class ModLinkAtt(Body):
    flags: int = 0
    tag: Tag = 0
    mid: int = 0
    entry_ids: tuple[bytes, ...] | None = None


class ModProps(Body):
    reserved: int = 0
    state: Stat | None = None
    gone: Tags | None = None
    values: tuple[Tagged, ...] | None = None


class QueryRows(Body):
    flags: int = 0
    state: Stat | None = None
    table: Mids = ()
    count: int = 0  # rows
    columns: Tags | None = None


class QueryColumns(Body):
    reserved: int = 0
    flags: int = 0


class ResolveNames(Body):
    reserved: int = 0
    state: Stat | None = None
    columns: Tags | None = None
    names: tuple[str, ...] | None = None


class ResortRestriction(Body):
    reserved: int = 0
    state: Stat | None = None
    mids: Mids | None = None


class SeekEntries(Body):
    reserved: int = 0
    state: Stat | None = None
    target: Tagged | None = None
    table: Mids | None = None
    columns: Tags | None = None


class UpdateStat(Body):
    reserved: int = 0
    state: Stat | None = None
    delta_wanted: bool = False


class GetMailboxUrl(Body):
    flags: int = 0
    dn: str = ""


class GetAddressBookUrl(Body):
    flags: int = 0
    dn: str = ""


# --- answers ----------------------------------------------------------------------------------------------


class Bound(Body):
    error: int
    server: uuid.UUID


class Plain(Body):
    """Of Unbind, ModProps and ModLinkAtt."""

    error: int


class Compared(Body):
    error: int
    result: int = 0


class Mapped(Body):
    error: int
    mids: Mids | None = None


class Matched(Body):
    error: int
    state: Stat | None = None
    mids: Mids | None = None
    table: Table | None = None


class Columns(Body):
    """Of GetPropList and QueryColumns."""

    error: int
    tags: Tags | None = None


class Props(Body):
    """Of GetProps and GetTemplateInfo."""

    error: int
    code_page: int
    values: tuple[Tagged, ...] | None = None


class SpecialTable(Body):
    error: int
    code_page: int
    version: int | None = None
    rows: tuple[tuple[Tagged, ...], ...] | None = None


class Rows(Body):
    """Of QueryRows and SeekEntries."""

    error: int
    state: Stat | None = None
    table: Table | None = None


class Resolved(Body):
    error: int
    code_page: int
    mids: Mids | None = None
    table: Table | None = None


class Resorted(Body):
    error: int
    state: Stat | None = None
    mids: Mids | None = None


class Updated(Body):
    error: int
    state: Stat | None = None
    delta: int | None = None


class Url(Body):
    error: int
    url: str = ""
