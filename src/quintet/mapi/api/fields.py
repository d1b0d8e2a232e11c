"""Attributes of items that are properties; on the class they make conditions.

item.subject = "Lunch"                          # sets PidTagSubject
folder.items(where=Item.subject.contains("lunch") & (Item.received > yesterday) & Item.unread)
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from quintet.mapi import names, pr, restrict, types
from quintet.mapi.bag import Key
from quintet.mapi.core import values
from quintet.mapi.core.errors import MAPIError
from quintet.mapi.core.structs import SRestriction
from quintet.mapi.restrict import Relation, Restriction
from quintet.mapi.types import Value
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.mapi.api.item import Item

T = TypeVar("T")
E = TypeVar("E", bound=enum.IntEnum)
JOINED = "conditions are joined by & | ~, not by 'and', 'or', 'not'"
IGNORE_CASE = 1  # of a fuzzy level, MS-OXCDATA 2.12.4.1


@dataclass(frozen=True, slots=True)
class Where:
    """A condition on items; ``&``, ``|`` and ``~`` join them.  ``restriction`` is MAPI's form of it."""

    restriction: Restriction

    def __and__(self, other: Condition) -> Where:
        return Where(restrict.And((self.restriction, condition(other).restriction)))

    def __or__(self, other: Condition) -> Where:
        return Where(restrict.Or((self.restriction, condition(other).restriction)))

    def __invert__(self) -> Where:
        return Where(restrict.Not(self.restriction))

    def __bool__(self) -> bool:
        raise TypeError(JOINED)


class Field(Generic[T]):
    """One property.  ``read`` and ``write`` turn its value into what people use, and back."""

    def __init__(
        self,
        key: Key,
        read: Callable[[Any], T] | None = None,
        write: Callable[[T], Value] | None = None,
        *,
        also: Iterable[Key] = (),
        fixed: bool = False,
        doc: str = "",
    ) -> None:
        self.key = key
        self._read, self._write = read, write
        self._also = tuple(also)  # other properties that say the same
        self._fixed = fixed
        self.__doc__ = doc
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, item: None, owner: type | None = None) -> Self: ...
    @overload
    def __get__(self, item: Item, owner: type | None = None) -> T | None: ...
    def __get__(self, item: Item | None, owner: type | None = None) -> Self | T | None:
        if item is None:
            return self
        value = item.value(self.key)
        return self.shown(value)

    def shown(self, value: Value | None) -> T | None:
        """A property's value as people use it."""
        if value is None:
            return None
        found: T = value if self._read is None else self._read(value)
        return found

    def __set__(self, item: Item, value: T | None) -> None:
        self._must_be_ours()
        if value is None:
            item.take({}, (self.key, *self._also))
        else:
            kept = checked(self.name, self.key, self.kept(value))
            item.take({self.key: kept} | dict.fromkeys(self._also, kept))

    def _must_be_ours(self) -> None:
        if self._fixed:
            raise AttributeError(f"{self.name} is the system's to say")

    def __delete__(self, item: Item) -> None:
        self.__set__(item, None)

    def kept(self, value: T) -> Value:
        """The property's value for what people use."""
        return value if self._write is None else self._write(value)

    # --- conditions

    @property
    def tag(self) -> int:
        return names.tag(self.key)

    def _than(self, relation: Relation, value: T) -> Where:
        kept = checked(self.name, self.key, self.kept(value))
        return Where(restrict.Property(relation, self.tag, (self.tag, kept)))

    def __eq__(self, value: object) -> Where:  # type: ignore[override]
        if value is None:
            return ~self.exists
        return self._than(Relation.EQUAL, value)  # type: ignore[arg-type]

    def __ne__(self, value: object) -> Where:  # type: ignore[override]
        if value is None:
            return self.exists
        return self._than(Relation.NOT_EQUAL, value)  # type: ignore[arg-type]

    __hash__ = object.__hash__

    def __lt__(self, value: T) -> Where:
        return self._than(Relation.LESS, value)

    def __le__(self, value: T) -> Where:
        return self._than(Relation.LESS_OR_EQUAL, value)

    def __gt__(self, value: T) -> Where:
        return self._than(Relation.GREATER, value)

    def __ge__(self, value: T) -> Where:
        return self._than(Relation.GREATER_OR_EQUAL, value)

    def between(self, low: T, high: T) -> Where:
        """From ``low`` on, and before ``high``."""
        return (self >= low) & (self < high)

    @property
    def exists(self) -> Where:
        return Where(restrict.Exist(self.tag))

    def is_in(self, values: Iterable[T]) -> Where:
        return Where(restrict.Or(tuple([self._than(Relation.EQUAL, one).restriction for one in values])))


class Text(Field[str]):
    """A text.  Comparisons of parts pass over case."""

    def _content(self, where: restrict.Where, text: str) -> Where:
        return Where(restrict.Content(where, IGNORE_CASE, self.tag, (self.tag, text)))

    def contains(self, text: str) -> Where:
        return self._content(restrict.Where.SUBSTRING, text)

    def startswith(self, text: str) -> Where:
        return self._content(restrict.Where.PREFIX, text)

    def matches(self, text: str) -> Where:
        """The whole text, whatever its case."""
        return self._content(restrict.Where.FULL_STRING, text)


class Words(Field[list[str]]):
    """A list of texts; none is the same as an empty one."""

    def shown(self, value: Value | None) -> list[str]:
        return list(value or ())

    def __set__(self, item: Item, value: Iterable[str] | None) -> None:
        if isinstance(value, str):  # most likely meant as one word; it would be taken for its letters
            raise TypeError(f"{self.name} takes a list of texts, not {value!r}")
        super().__set__(item, list(dict.fromkeys(value or ())) or None)

    def contains(self, word: str) -> Where:
        one = self.tag & ~types.MULTIPLE
        return Where(restrict.Property(Relation.EQUAL, self.tag, (one, word)))


class Flag(Field[bool]):
    """Yes or no; none is no.  As a condition it stands for itself: ``where=Item.unread & ~Item.draft``."""

    def shown(self, value: Value | None) -> bool:
        return bool(value)

    def kept(self, value: bool) -> Value:
        return bool(value)

    @property
    def where(self) -> Where:
        return Where(restrict.Property(Relation.EQUAL, self.tag, (self.tag, True)))

    def __and__(self, other: Condition) -> Where:
        return self.where & other

    def __or__(self, other: Condition) -> Where:
        return self.where | other

    __rand__, __ror__ = __and__, __or__

    def __bool__(self) -> bool:
        raise TypeError(JOINED)

    def __invert__(self) -> Where:
        return ~self.where

    def __eq__(self, value: object) -> Where:  # type: ignore[override]
        return self.where if value else ~self.where

    def __ne__(self, value: object) -> Where:  # type: ignore[override]
        return ~(self == value)

    __hash__ = object.__hash__


class Bit(Flag):
    """A bit of a number."""

    def __init__(
        self, key: Key, mask: int, *, inverted: bool = False, fixed: bool = False, doc: str = ""
    ) -> None:
        super().__init__(key, fixed=fixed, doc=doc)
        self._mask, self._inverted = mask, inverted

    def shown(self, value: Value | None) -> bool:
        return bool((value or 0) & self._mask) is not self._inverted

    def __set__(self, item: Item, value: bool | None) -> None:
        self._must_be_ours()
        item.take({self.key: self.changed(item, on=bool(value))})

    def changed(self, item: Item, *, on: bool) -> int:
        """The number with this bit as it is to be."""
        before = int(item.value(self.key) or 0)
        return before | self._mask if on is not self._inverted else before & ~self._mask

    @property
    def where(self) -> Where:
        return Where(restrict.Bitmask(not self._inverted, self.tag, self._mask))


class Moment(Field[datetime.datetime]):
    """A point in time: given with a zone, or meant in this machine's; told in UTC."""

    def __init__(self, key: Key, *, also: Iterable[Key] = (), fixed: bool = False, doc: str = "") -> None:
        super().__init__(key, moment, filetime, also=also, fixed=fixed, doc=doc)


class Choice(Field[E]):
    """One of an enumeration, also by its number or its name; a value that it lacks is told as its first."""

    def __init__(self, key: Key, kind: type[E], *, doc: str = "") -> None:
        def read(value: int) -> E:
            try:
                return kind(value)
            except ValueError:
                return next(iter(kind))

        def write(value: E | int | str) -> int:
            if isinstance(value, str):
                known = {one.name.lower(): one for one in kind}
                if value.lower() not in known:
                    raise ValueError(f"{self.name} is one of {', '.join(known)}, not {value!r}")
                return int(known[value.lower()])
            return int(kind(value))

        super().__init__(key, read, write, doc=doc)
        self._first = next(iter(kind))

    def shown(self, value: Value | None) -> E:
        found = super().shown(value)
        return self._first if found is None else found


class Span(Field[datetime.timedelta]):
    """A number of minutes."""

    def __init__(self, key: Key, *, also: Iterable[Key] = (), doc: str = "") -> None:
        super().__init__(
            key,
            lambda minutes: datetime.timedelta(minutes=minutes),
            lambda span: round(span.total_seconds() / 60),
            also=also,
            doc=doc,
        )


Condition = Where | Flag | Restriction | SRestriction
"""What ``where=`` takes: conditions of attributes, and MAPI's restrictions of either kind."""


def condition(one: Condition) -> Where:
    """Raises TypeError: it is no condition."""
    if isinstance(one, Where):
        return one
    if isinstance(one, Flag):
        return one.where
    if isinstance(one, Restriction | SRestriction):
        return Where(values.restriction(one))
    raise TypeError(f"a condition is made of attributes, like Item.subject.contains('lunch'): not {one!r}")


def checked(name: str, key: Key, value: Value) -> Value:
    """A value as its property keeps it.  Raises TypeError: it is none of the property's type."""
    kind = types.type_of(key) if isinstance(key, int) else key.kind
    try:
        return values.inward(kind, value)
    except MAPIError as error:
        raise TypeError(f"{name or f'{names.tag(key):#010x}'} does not take {value!r}") from error


def moment(value: int) -> datetime.datetime:
    """A FILETIME as UTC."""
    try:
        return datetime.datetime.fromtimestamp(types.to_ms(value) / 1000, datetime.UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.datetime.max.replace(tzinfo=datetime.UTC)


def filetime(at: datetime.datetime) -> int:
    """The FILETIME of a time; without a zone it is this machine's.  Raises TypeError: a day is no time."""
    if not isinstance(at, datetime.datetime):
        raise TypeError(f"a time is a datetime: not {at!r}")
    return types.of_ms(round(at.timestamp() * 1000))


def zoned(at: datetime.datetime) -> datetime.datetime:
    """Raises TypeError: a time without a zone, which nobody can compare with those of a calendar; a day."""
    if getattr(at, "tzinfo", None) is None:
        raise TypeError(f"a time here is a datetime with its zone (tzinfo=): not {at!r}")
    return at


CLASS = pr.MESSAGE_CLASS
