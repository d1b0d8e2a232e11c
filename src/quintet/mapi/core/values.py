"""Between what programs see (`structs`) and what providers keep (bags, `restrict`, `rows`): one place for it.

What a program sees: PT_UNICODE is ``str``, PT_STRING8 ``bytes``, PT_SYSTIME a `FileTime`, PT_CLSID 16
``bytes``, an absent property the type PT_ERROR with MAPI_E_NOT_FOUND.  Where it gives a value, ``int`` is
taken for a time,
``uuid.UUID`` for a GUID and ``str`` for PT_STRING8 as well.
"""

from __future__ import annotations

import datetime
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from quintet.mapi import match, names, restrict, rows, types
from quintet.mapi.bag import Bag, Key
from quintet.mapi.core import actions
from quintet.mapi.core import structs as s
from quintet.mapi.core.errors import fail
from quintet.mapi.restrict import Relation, Restriction, Where
from quintet.mapi.types import Error, Tag, Value

NOT_FOUND = 0x8004010F
_EPOCH = 116_444_736_000_000_000  # 1970 as a FILETIME
CODEPAGE = "cp1252"  # of 8-bit text; what it lacks becomes "?", as everywhere in MAPI


class FileTime:
    """A time: ``filetime`` in 100 ns since 1601, ``unixtime`` in seconds since 1970; both can be set."""

    __slots__ = ("filetime",)

    def __init__(self, filetime: int) -> None:
        self.filetime = filetime

    @property
    def unixtime(self) -> float:
        return (self.filetime - _EPOCH) / 10_000_000

    @unixtime.setter
    def unixtime(self, seconds: float) -> None:
        self.filetime = round(seconds * 10_000_000) + _EPOCH

    @property
    def datetime(self) -> datetime.datetime:
        """In UTC."""
        start = datetime.datetime(1601, 1, 1, tzinfo=datetime.UTC)
        return start + datetime.timedelta(microseconds=self.filetime // 10)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FileTime) and other.filetime == self.filetime

    def __lt__(self, other: FileTime) -> bool:
        return self.filetime < other.filetime

    def __le__(self, other: FileTime) -> bool:
        return self.filetime <= other.filetime

    def __gt__(self, other: FileTime) -> bool:
        return self.filetime > other.filetime

    def __ge__(self, other: FileTime) -> bool:
        return self.filetime >= other.filetime

    def __hash__(self) -> int:
        return hash(self.filetime)

    def __repr__(self) -> str:
        try:
            return time.strftime("%Y/%m/%d %H:%M:%S GMT", time.gmtime(self.unixtime))
        except (ValueError, OverflowError, OSError):
            return str(self.filetime)


def unixtime(seconds: float) -> FileTime:
    """The time of so many seconds since 1970."""
    made = FileTime(0)
    made.unixtime = seconds
    return made


def now() -> FileTime:
    return unixtime(time.time())


# --- values -------------------------------------------------------------------------------------------

_OUT: dict[int, Callable[[Any], Any]] = {
    types.RESTRICTION: lambda value: shown_restriction(value),  # noqa: PLW0108 (it stands below)
    types.RULE_ACTION: lambda value: actions.shown(value, shown),
    types.TIME: FileTime,
    types.STRING8: lambda value: value.encode(CODEPAGE, "replace") if isinstance(value, str) else value,
    types.GUID: lambda value: value.bytes_le if isinstance(value, uuid.UUID) else value,
}


def _time(value: object) -> int:
    if isinstance(value, FileTime):
        return value.filetime
    if isinstance(value, datetime.datetime):
        return types.of_ms(int(value.timestamp() * 1000))
    number: int = _of(int, value)
    return number


def _of(kind: type | tuple[type, ...], value: Any) -> Any:
    if not isinstance(value, kind):
        raise fail("MAPI_E_INVALID_PARAMETER", f"{type(value).__name__} is no value of this type")
    return value


def _text(value: Any) -> str:
    return value.decode(CODEPAGE, "replace") if isinstance(value, bytes) else str(_of(str, value))


_IN: dict[int, Callable[[Any], Any]] = {
    types.RESTRICTION: lambda value: restriction(value),  # noqa: PLW0108 (it stands below)
    types.RULE_ACTION: lambda value: actions.taken(_of(s.ACTIONS, value), _prop),
    types.TIME: _time,
    types.STRING8: _text,
    types.STRING: _text,
    types.GUID: lambda value: value if isinstance(value, uuid.UUID) else uuid.UUID(bytes_le=_guid(value)),
    types.BINARY: lambda value: bytes(_of((bytes, bytearray, memoryview), value)),
    types.BOOLEAN: lambda value: bool(_of(int, value)),
    types.FLOATING32: lambda value: float(_of((int, float), value)),
    types.FLOATING64: lambda value: float(_of((int, float), value)),
    types.FLOATING_TIME: lambda value: float(_of((int, float), value)),
    types.INTEGER16: lambda value: _signed(value, 16),
    types.INTEGER32: lambda value: _signed(value, 32),
    types.INTEGER64: lambda value: _signed(value, 64),
    types.CURRENCY: lambda value: _signed(value, 64),
}


def _guid(value: Any) -> bytes:
    raw: bytes = _of(bytes, value)
    if len(raw) != 16:
        raise fail("MAPI_E_INVALID_PARAMETER", "a GUID has 16 bytes")
    return raw


def _signed(value: Any, bits: int) -> int:
    """C programs give 0xFFFFFFFF where they mean -1."""
    number: int = _of(int, value)
    if not -(1 << bits - 1) <= number < 1 << bits:
        raise fail("MAPI_E_INVALID_PARAMETER", f"{number} has more than {bits} bits")
    return number - (1 << bits) if number >= 1 << bits - 1 else number


def outward(kind: int) -> Callable[[Value], Any]:
    """What turns a provider's value of a type into a program's; a multi-value type gives lists."""
    one = _OUT.get(kind & ~(types.MULTIPLE | types.INSTANCE))
    if kind & types.MULTIPLE and not kind & types.INSTANCE:
        return list if one is None else (lambda value: [one(each) for each in value])
    return one or (lambda value: value)


def inward(kind: int, value: Any) -> Value:
    """The other way.  Raises MAPIErrorInvalidParameter: a value that is none of that type."""
    one = _IN.get(kind & ~types.MULTIPLE)
    if kind & types.MULTIPLE:
        _of((list, tuple), value)
        return list(value) if one is None else [one(each) for each in value]
    return value if one is None else one(value)


def absent(tag: Tag, code: int = NOT_FOUND) -> s.SPropValue:
    return s.SPropValue(tag & 0xFFFF0000 | types.ERROR_CODE, code)


def shown(tag: Tag, value: Value) -> s.SPropValue:
    """One property as a program sees it, under the tag that it asked for."""
    if value is None:
        return absent(tag)
    if isinstance(value, Error):
        return absent(tag, value.code)
    return s.SPropValue(tag, outward(tag & 0xFFFF)(value))


def shown_rows(tags: Sequence[Tag], found: Iterable[Sequence[Value]]) -> list[list[s.SPropValue]]:
    """Rows of a table; what turns values is looked up once a column."""
    prop = s.SPropValue
    columns = [(tag, outward(tag & 0xFFFF), absent(tag)) for tag in tags]
    return [
        [
            (missing if value is None else absent(tag, value.code))
            if value is None or isinstance(value, Error)
            else prop(tag, turn(value))
            for (tag, turn, missing), value in zip(columns, row, strict=True)
        ]
        for row in found
    ]


def bag_of(props: Iterable[s.SPropValue]) -> Bag:
    """What a program gave, as a provider keeps it; PT_ERROR values are passed over, as SetProps does."""
    found: Bag = {}
    for one in props:
        kind = one.ulPropTag & 0xFFFF
        if kind not in (types.ERROR_CODE, types.NULL):
            found[key(one.ulPropTag)] = inward(kind, one.Value)
    return found


def key(tag: Tag) -> Key:
    """What a tag of either text width stands for in a bag."""
    return names.key(match.wide(tag & ~types.INSTANCE))


def tag(key: Key, *, wide: bool = True) -> Tag:
    """The tag that a program sees; 8-bit text unless ``wide``."""
    found = names.tag(key)
    if not wide and found & 0xFFF == types.STRING:
        found -= types.STRING - types.STRING8
    return found


def listed(bag: Bag, *, wide: bool) -> list[s.SPropValue]:
    """Every property of a bag."""
    return [shown(tag(each, wide=wide), value) for each, value in bag.items() if value is not None]


# --- restrictions and orders ----------------------------------------------------------------------------


def restriction(one: s.SRestriction | Restriction | None) -> Restriction:
    """The value that tables and providers understand.  Raises MAPIErrorInvalidParameter."""
    maker = _MAKERS.get(type(one))
    if maker is not None:
        try:
            made: Restriction = maker(one)
        except (ValueError, TypeError, AttributeError) as error:
            raise fail("MAPI_E_INVALID_PARAMETER", str(error)) from error
        return made
    if isinstance(one, Restriction):
        return one
    raise fail("MAPI_E_INVALID_PARAMETER", "no restriction")


def _prop(one: s.SPropValue) -> tuple[Tag, Value]:
    return match.wide(one.ulPropTag), inward(one.ulPropTag & 0xFFFF, one.Value)


_MAKERS: dict[type, Callable[[Any], Restriction]] = {
    s.SAndRestriction: lambda one: restrict.And(tuple([restriction(each) for each in one.lpRes])),
    s.SOrRestriction: lambda one: restrict.Or(tuple([restriction(each) for each in one.lpRes])),
    s.SNotRestriction: lambda one: restrict.Not(restriction(one.lpRes)),
    s.SContentRestriction: lambda one: restrict.Content(
        Where(one.ulFuzzyLevel & 0xFFFF), one.ulFuzzyLevel >> 16, match.wide(one.ulPropTag), _prop(one.lpProp)
    ),
    s.SPropertyRestriction: lambda one: restrict.Property(
        Relation(one.relop), match.wide(one.ulPropTag), _prop(one.lpProp)
    ),
    s.SComparePropsRestriction: lambda one: restrict.Compare(
        Relation(one.relop), match.wide(one.ulPropTag1), match.wide(one.ulPropTag2)
    ),
    s.SBitMaskRestriction: lambda one: restrict.Bitmask(bool(one.relBMR), one.ulPropTag, one.ulMask),
    s.SSizeRestriction: lambda one: restrict.Size(Relation(one.relop), match.wide(one.ulPropTag), one.cb),
    s.SExistRestriction: lambda one: restrict.Exist(match.wide(one.ulPropTag)),
    s.SSubRestriction: lambda one: restrict.SubObject(one.ulSubObject, restriction(one.lpRes)),
    s.SCommentRestriction: lambda one: restrict.Comment(
        tuple([_prop(each) for each in one.lpProp]), None if one.lpRes is None else restriction(one.lpRes)
    ),
    s.SCountRestriction: lambda one: restrict.Count(one.ulCount, restriction(one.lpRes)),
}


def _shown_prop(prop: tuple[Tag, Value]) -> s.SPropValue:
    return shown(*prop)


_SHOWERS: dict[type, Callable[[Any], s.SRestriction]] = {
    restrict.And: lambda one: s.SAndRestriction([shown_restriction(each) for each in one.parts]),
    restrict.Or: lambda one: s.SOrRestriction([shown_restriction(each) for each in one.parts]),
    restrict.Not: lambda one: s.SNotRestriction(shown_restriction(one.part)),
    restrict.Content: lambda one: s.SContentRestriction(
        int(one.where) | one.loose << 16, one.tag, _shown_prop(one.value)
    ),
    restrict.Property: lambda one: s.SPropertyRestriction(int(one.relation), one.tag, _shown_prop(one.value)),
    restrict.Compare: lambda one: s.SComparePropsRestriction(int(one.relation), one.left, one.right),
    restrict.Bitmask: lambda one: s.SBitMaskRestriction(int(one.wanted), one.tag, one.mask),
    restrict.Size: lambda one: s.SSizeRestriction(int(one.relation), one.tag, one.size),
    restrict.Exist: lambda one: s.SExistRestriction(one.tag),
    restrict.SubObject: lambda one: s.SSubRestriction(one.table, shown_restriction(one.part)),
    restrict.Comment: lambda one: s.SCommentRestriction(
        None if one.part is None else shown_restriction(one.part), [_shown_prop(each) for each in one.notes]
    ),
    restrict.Count: lambda one: s.SCountRestriction(one.limit, shown_restriction(one.part)),
}


def shown_restriction(one: Restriction) -> s.SRestriction:
    """The other way."""
    return _SHOWERS[type(one)](one)


_ORDERS = {0: rows.Order.ASCENDING, 1: rows.Order.DESCENDING, 4: rows.Order.MAXIMUM_CATEGORY}


def sort_order(one: s.SSortOrderSet) -> rows.SortOrder:
    """Raises MAPIErrorInvalidParameter; MAPIErrorTooComplex: an order of a key that tables do not have."""
    if not 0 <= one.cExpanded <= one.cCategories <= len(one.aSort):
        raise fail("MAPI_E_INVALID_PARAMETER", "more categories than keys")
    keys = []
    for each in one.aSort:
        if each.ulOrder not in _ORDERS:
            raise fail("MAPI_E_TOO_COMPLEX", f"order {each.ulOrder}")
        keys.append(rows.Key(match.wide(each.ulPropTag), _ORDERS[each.ulOrder]))
    return rows.SortOrder(tuple(keys), one.cCategories, one.cExpanded)


def shown_order(order: rows.SortOrder | None) -> s.SSortOrderSet:
    if order is None:
        return s.SSortOrderSet([], 0, 0)
    keys = [s.SSort(each.tag, int(each.order)) for each in order.keys]
    return s.SSortOrderSet(keys, order.categories, order.expanded)
