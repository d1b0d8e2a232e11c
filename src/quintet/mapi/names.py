"""Numbers for properties with names, as long as the process lives: one map for every store that programs
open.

Each store on the wire has a map of its own (MS-OXCPRPT 3.2.5.9); a program that works with several would have
to translate at each step.  So `quintet.mapi.core` and the providers count here, and only a provider whose
system keeps numbers turns them into its own.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import Any

from quintet.mapi import guids, restrict, types
from quintet.mapi.bag import Key, NamedTag
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.restrict import Restriction
from quintet.mapi.types import Named, Tag

FIRST, LAST = 0x8000, 0xFFFE

_numbers: dict[Named, int] = {}
_names: list[Named] = []
_guard = threading.Lock()


def number(name: Named, *, create: bool = True) -> int | None:
    """The id of a name; None where nobody asked for it before and ``create`` is False.

    Names are compared with regard to case (MS-OXCPRPT 3.2.5.9).
    Raises MapiError(NAMED_PROPERTY_QUOTA): 32,766 names are there.
    """
    if name.guid == guids.PS_MAPI:
        return name.name if isinstance(name.name, int) and name.name < FIRST else None
    with _guard:
        found = _numbers.get(name)
        if found is None and create:
            found = FIRST + len(_names)
            if found > LAST:
                raise MapiError(Code.NAMED_PROPERTY_QUOTA)
            _numbers[name] = found
            _names.append(name)
        return found


def name(number: int) -> Named | None:
    """The name of an id; None where it has none."""
    if number < FIRST:
        return Named(guids.PS_MAPI, number)
    place = number - FIRST
    return _names[place] if place < len(_names) else None


def every() -> list[Named]:
    """All names that have a number, in the order of the numbers."""
    return list(_names)


def key(tag: Tag) -> Key:
    """What stands for a tag in a bag.  An id above FIRST that no name has stays what it is, and finds
    nothing.
    """
    if tag < FIRST << 16:
        return tag
    known = name(tag >> 16)
    return tag if known is None else NamedTag(known.guid, known.name, types.type_of(tag))


def tag(key: Key) -> Tag:
    """The same the other way; a number is made where there is none.  Raises as `number`."""
    if isinstance(key, int):
        return key
    found = number(Named(key.guid, key.name))
    return 0 if found is None else types.tag_of(found, key.kind)


def restated(restriction: Restriction, change: Callable[[Tag], Tag]) -> Restriction:
    """The same restriction with other tags, of what it compares and of the values it compares with."""
    changed: dict[str, Any] = {}  # Any: a field of one of the twelve kinds
    for each in dataclasses.fields(restriction):
        value = getattr(restriction, each.name)
        if each.name in ("tag", "left", "right"):
            changed[each.name] = change(value)
        elif each.name == "value":
            changed[each.name] = (change(value[0]), value[1])
        elif each.name == "parts":
            changed[each.name] = tuple([restated(part, change) for part in value])
        elif each.name == "part" and value is not None:
            changed[each.name] = restated(value, change)
    return dataclasses.replace(restriction, **changed)


def tags_of(restriction: Restriction) -> set[Tag]:
    """Every property that a restriction looks at."""
    found: set[Tag] = set()

    def note(tag: Tag) -> Tag:
        found.add(tag)
        return tag

    restated(restriction, note)
    return found - {restrict.RECIPIENTS, restrict.ATTACHMENTS}
