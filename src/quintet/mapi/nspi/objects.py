"""What NSPI says of objects, containers and templates (MS-OXNSPI 3.1.4).  Pure: over a view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from quintet.mapi import types
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.nspi import codepages, consts, containers, names, properties, tables, templates
from quintet.mapi.nspi.containers import Container
from quintet.mapi.nspi.entries import Entry
from quintet.mapi.nspi.messages import Stat, Tagged, Tags
from quintet.mapi.nspi.properties import House
from quintet.mapi.nspi.tables import Look
from quintet.mapi.nspi.view import FEW
from quintet.mapi.types import Error, Tag, Value


def prop_list(look: Look, house: House, mid: int, flags: int) -> list[Tag]:
    """NspiGetPropList (3.1.4.1.6).  Raises MapiError(INVALID_OBJECT): there is none."""
    entry, container = look.entry(mid), look.container(mid)
    if entry is not None:
        return properties.listed(entry, house, wide=False, objects=not flags & consts.SKIP_OBJECTS)
    if container is not None:
        return [properties.width(tag, False) for tag in _of_container(container)]
    raise MapiError(Code.INVALID_OBJECT)


def wanted(look: Look, house: House, stat: Stat, tags: Tags | None, flags: int) -> Tags:
    """The properties that NspiGetProps answers (3.1.4.1.7, constraints 4 to 6).

    Raises MapiError(INVALID_BOOKMARK): no such container; (TABLE_TOO_BIG); and as `prop_list`.
    """
    tables.table_of(look, stat)
    if tags is None:
        found = prop_list(look, house, stat.current, flags)
        return tuple([properties.width(tag, stat.code_page == consts.CP_UNICODE) for tag in found])
    return tables.checked(tags, stat.code_page)


def props(
    entry: Entry | None, house: House, stat: Stat, tags: Tags, flags: int
) -> tuple[int, tuple[Tagged, ...]]:
    """NspiGetProps: the return value and a value for each tag, an error where there is none (R909, R910)."""
    made = properties.compiled(tags, stat.code_page, bool(flags & consts.EPHEMERAL_IDS))
    values = tuple(map(_tagged, tags, properties.row(entry, house, made)))
    failed = any(isinstance(value, int) and _is_error(tag) for tag, value in values)
    return (consts.ERRORS_RETURNED if failed else consts.SUCCESS), values


def container_props(container: Container, stat: Stat, tags: Tags) -> tuple[int, tuple[Tagged, ...]]:
    """As `props`, of what the hierarchy tells."""
    held = {tag >> 16: (tag, value) for tag, value in _of_container(container).items()}
    values = tuple([_told(*held.get(tag >> 16, (0, properties.ABSENT)), tag, stat.code_page) for tag in tags])
    failed = any(_is_error(tag) for tag, _ in values)
    return (consts.ERRORS_RETURNED if failed else consts.SUCCESS), values


def _told(native: Tag, value: Value, wanted: Tag, page: int) -> Tagged:
    """A value as its native type, or text as the narrow one."""
    if wanted == properties.width(native, False) != native:
        return wanted, codepages.encode(value, page)
    if types.type_of(wanted) in (types.UNSPECIFIED, types.type_of(native)):
        return _tagged(native, value)
    return _tagged(wanted, properties.ABSENT)


def _tagged(tag: Tag, value: Value) -> Tagged:
    if isinstance(value, Error):
        return types.tag_of(tag >> 16, types.ERROR_CODE), value.code
    if types.type_of(tag) == types.UNSPECIFIED:
        kind, inner = value
        return types.tag_of(tag >> 16, kind), inner
    return tag, value


def _is_error(tag: Tag) -> bool:
    return types.type_of(tag) == types.ERROR_CODE


def mids_of(look: Look, dns: Sequence[bytes]) -> list[int]:
    """NspiDNToMId (3.1.4.1.13): 0 for what is not there (R1260)."""
    return [_mid_of(look, raw.decode("latin-1")) for raw in dns]


def _mid_of(look: Look, dn: str) -> int:
    container = names.container_of(dn)
    if container is not None:
        return container if container in containers.BY_MID or container in look.shelves else 0
    entry = look.by_dn(dn)
    return 0 if entry is None else entry.mid


def resolve(look: Look, stat: Stat, texts: Sequence[str]) -> tuple[list[int], list[Entry]]:
    """NspiResolveNamesW (3.1.4.1.17): an outcome a text, and an entry a text that means one."""
    tables.table_of(look, stat)
    outcomes, found = [], []
    for text in texts:
        meant = look.resolve(text, stat.container, FEW)
        outcomes.append((consts.UNRESOLVED, consts.RESOLVED, consts.AMBIGUOUS)[min(len(meant), 2)])
        if len(meant) == 1:
            found.append(meant[0])
    return outcomes, found


# --- containers -------------------------------------------------------------------------------------------

_ROW: Final = tuple(map(consts.of, (
    "EntryId", "ContainerFlags", "Depth", "AddressBookContainerId", "DisplayName", "AddressBookIsMaster",
    "AddressBookParentEntryId",
)))  # fmt: skip
_OBJECT_TYPE = consts.of("ObjectType")


def _of_container(one: Container) -> dict[Tag, Value]:
    """What a container has: a row of the hierarchy, and what kind of object it is.

    DT_CONTAINER stands in its entry id and nowhere else (R57).
    """
    values: list[Value] = [one.entry_id, one.flags, one.depth, one.mid, one.name, False]
    if one.parent is not None:
        values.append(containers.BY_MID[one.parent].entry_id)
    row = dict(zip(_ROW, values, strict=False))  # the parent is last, and may be missing (R1863)
    return row | {_OBJECT_TYPE: consts.OBJECT_CONTAINER}


def hierarchy(look: Look, stat: Stat, flags: int) -> tuple[tuple[Tagged, ...], ...]:
    """The rows of the hierarchy table (R1863 to R1866): what everybody has, then contact folders."""
    wide = bool(flags & consts.UNICODE_STRINGS) or stat.code_page == consts.CP_UNICODE
    every = (*containers.HIERARCHY, *(shelf.container for shelf in look.shelves.values()))
    return tuple([_container_row(one, wide, stat.code_page) for one in every])


def _container_row(one: Container, wide: bool, page: int) -> tuple[Tagged, ...]:
    held = _of_container(one)
    return tuple([
        _told(tag, held[tag], properties.width(tag, wide), page) for tag in _ROW if tag in held
    ])  # fmt: skip


# --- templates --------------------------------------------------------------------------------------------


def template(flags: int, display_type: int, dn: bytes | None, page: int) -> tuple[Tagged, ...]:
    """NspiGetTemplateInfo (3.1.4.1.18); one template a display type serves every language.

    Raises MapiError(INVALID_CODEPAGE): R1467, R1469; (INVALID_LOCALE): there is no such template (R1476).
    """
    if not codepages.is_known(page):
        raise MapiError(Code.INVALID_CODEPAGE)
    controls = templates.TEMPLATES.get(display_type) if dn is None else None
    if controls is None:
        raise MapiError(Code.INVALID_LOCALE)
    found: list[Tagged] = []
    if flags & consts.TEMPLATE:
        found.append((templates.DATA, templates.encode(controls)))
    if flags & consts.SCRIPT:  # only templates that make addresses have scripts
        found.append(_tagged(templates.SCRIPT, properties.ABSENT))
    return tuple(found)
