"""What restrictions match and how values sort: all twelve kinds over the properties of one object.

A restriction is compiled once into a test over a row of values, so that a table of 10,000 rows costs a call a
row.  Text is compared without regard to a locale: case by Unicode's full folding, marks by decomposition.
MS-OXCDATA 2.12; where that leaves it open, an absent property is unlike every value, and neither less nor
greater.
"""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from quintet.mapi import restrict, types
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.restrict import Relation, Restriction, Where
from quintet.mapi.types import Error, Tag, Value
from quintet.values import dataclass

IGNORE_CASE, IGNORE_MARKS, LOOSE = 1, 2, 4  # the high half of a fuzzy level (2.12.4.1)
MAX_TERMS = 1000  # simple restrictions within one; a search folder over many senders has some dozens

Row = Sequence[Value]
Parts = Callable[[Tag], Sequence[Mapping[Tag, Value]]]
"""Gives the recipients or the attachments of the object that is being looked at."""

Test = Callable[[Row, Parts], bool]
Keys = Callable[[Tag], Callable[[Value], Value]]
"""Gives what makes of a property's values that by which they are compared."""


def no_parts(table: Tag) -> Sequence[Mapping[Tag, Value]]:
    """For objects that have neither recipients nor attachments."""
    return ()


@dataclass(frozen=True, slots=True)
class Matcher:
    """A restriction that is ready: ``keys`` are the columns of the rows that ``test`` takes."""

    keys: tuple[Tag, ...]
    test: Test
    limit: int | None = None  # of a COUNT that stands outermost: no more rows than these

    def of_bag(self, bag: Mapping[Tag, Value], parts: Parts = no_parts) -> bool:
        """Whether properties given by tag match."""
        return self.test([bag.get(key) for key in self.keys], parts)


def compiled(restriction: Restriction, keys: Keys = lambda tag: key_of) -> Matcher:
    """Makes the test.  ``keys`` are those of who compares otherwise than everybody.

    Raises:
        MapiError(TOO_COMPLEX): more terms than `MAX_TERMS`, or a relation that only a directory can answer.
        MapiError(INVALID_PARAMETER): a value that is not of the property's type.
    """
    maker = _Maker(keys)
    limit = None
    if isinstance(restriction, restrict.Count):
        limit, restriction = restriction.limit, restriction.part
    test = maker.make(restriction)
    return Matcher(tuple(maker.keys), test, limit)


class _Maker:
    """Turns restrictions into tests and gathers the columns that they look at."""

    def __init__(self, key_of_values: Keys) -> None:
        self.keys: dict[Tag, int] = {}  # in the order of the row
        self._key_of_values = key_of_values
        self._terms = 0

    def make(self, one: Restriction) -> Test:
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise MapiError(Code.TOO_COMPLEX)
        maker = getattr(self, f"_{type(one).__name__.lower()}")
        made: Test = maker(one)
        return made

    def _key(self, tag: Tag) -> int:
        """The place of a column in the row; both widths of text are one column."""
        return self.keys.setdefault(wide(tag), len(self.keys))

    def _and(self, one: restrict.And) -> Test:
        parts = [self.make(part) for part in one.parts]
        return lambda row, sub: all(part(row, sub) for part in parts)

    def _or(self, one: restrict.Or) -> Test:
        parts = [self.make(part) for part in one.parts]
        return lambda row, sub: any(part(row, sub) for part in parts)

    def _not(self, one: restrict.Not) -> Test:
        part = self.make(one.part)
        return lambda row, sub: not part(row, sub)

    def _content(self, one: restrict.Content) -> Test:
        at = self._key(one.tag)
        wanted = _same_type(one.tag, one.value)
        if not isinstance(wanted, str | bytes):
            raise MapiError(Code.INVALID_PARAMETER, "only text and bytes have content")
        holds = _holds(one.where, one.loose, wanted)
        return lambda row, sub: any(holds(each) for each in each_of(row[at]))

    def _property(self, one: restrict.Property) -> Test:
        if one.relation in (Relation.MATCHES, Relation.MEMBER_OF_DL):
            raise MapiError(Code.TOO_COMPLEX, "only a directory can tell")
        at = self._key(one.tag)
        key = self._key_of_values(one.tag)
        wanted = key(_same_type(one.tag, one.value))
        values = whole_of if isinstance(wanted, list) else each_of
        relation = _RELATIONS[one.relation]
        if one.relation == Relation.NOT_EQUAL:
            return lambda row, sub: all(key(each) != wanted for each in values(row[at]))
        return lambda row, sub: any(_related(relation, key(each), wanted) for each in values(row[at]))

    def _compare(self, one: restrict.Compare) -> Test:
        if one.relation in (Relation.MATCHES, Relation.MEMBER_OF_DL):
            raise MapiError(Code.TOO_COMPLEX, "only a directory can tell")
        left, right = self._key(one.left), self._key(one.right)
        key, relation = self._key_of_values(one.left), _RELATIONS[one.relation]
        differ = one.relation == Relation.NOT_EQUAL

        def test(row: Row, sub: Parts) -> bool:
            if is_absent(row[left]) or is_absent(row[right]):
                return differ and is_absent(row[left]) != is_absent(row[right])
            return _related(relation, key(row[left]), key(row[right]))

        return test

    def _bitmask(self, one: restrict.Bitmask) -> Test:
        at, mask, wanted = self._key(one.tag), one.mask, one.wanted
        if types.type_of(one.tag) not in (types.INTEGER32, types.INTEGER16, types.INTEGER64):
            raise MapiError(Code.INVALID_PARAMETER, "only numbers have bits")
        return lambda row, sub: isinstance(row[at], int) and bool(row[at] & mask) is wanted

    def _size(self, one: restrict.Size) -> Test:
        at, size = self._key(one.tag), one.size
        relation = _RELATIONS.get(one.relation)
        if relation is None:
            raise MapiError(Code.TOO_COMPLEX, "only a directory can tell")
        kind = types.type_of(one.tag)
        return lambda row, sub: not is_absent(row[at]) and relation(size_of(kind, row[at]), size)

    def _exist(self, one: restrict.Exist) -> Test:
        at = self._key(one.tag)
        return lambda row, sub: not is_absent(row[at])

    def _subobject(self, one: restrict.SubObject) -> Test:
        inner = _Maker(self._key_of_values)
        inner._terms = self._terms
        test = inner.make(one.part)
        self._terms = inner._terms
        keys, table = tuple(inner.keys), one.table
        return lambda row, sub: any(test([part.get(key) for key in keys], no_parts) for part in sub(table))

    def _comment(self, one: restrict.Comment) -> Test:
        if one.part is None:
            return lambda row, sub: True
        return self.make(one.part)

    def _count(self, one: restrict.Count) -> Test:
        """Within another restriction a limit of rows has no meaning: what it stands on has."""
        return self.make(one.part)


def _same_type(tag: Tag, value: tuple[Tag, Value]) -> Value:
    """The value that a property is compared with; of the property's type, or of that of one of many."""
    kind, own = types.type_of(wide(tag)), types.type_of(wide(value[0]))
    if kind != own and kind != own | types.MULTIPLE:
        raise MapiError(Code.INVALID_PARAMETER, "a value of another type than the property's")
    return text_of(value[1]) if own == types.STRING else value[1]


# --- values ---------------------------------------------------------------------------------------------


def wide(tag: Tag) -> Tag:
    """The tag with the wider of the two types of text: both are one property."""
    if tag & 0xFFF == types.STRING8:
        return tag + types.STRING - types.STRING8
    return tag


def text_of(value: Value) -> str:
    """Text of either width; a code page that nobody named is taken for Windows' western one."""
    return value.decode("cp1252", "replace") if isinstance(value, bytes) else str(value)


def is_absent(value: Value) -> bool:
    return value is None or isinstance(value, Error)


def each_of(value: Value) -> Sequence[Value]:
    """The single values of a property; none for one that is absent."""
    if isinstance(value, list):
        return value
    return () if is_absent(value) else (value,)


def whole_of(value: Value) -> Sequence[Value]:
    """The value as it is, if there is one."""
    return () if is_absent(value) else (value,)


def folded(text: str) -> str:
    """Text without its case and, as far as Unicode composes them, its marks."""
    return text.lower() if text.isascii() else unmarked(text.casefold())


def unmarked(text: str) -> str:
    """Text without marks: "é" is "e"."""
    if text.isascii():
        return text
    return "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))


def text_key(text: str) -> tuple[str, str]:
    """What text is compared by: without case; marks count only where nothing else differs."""
    if text.isascii():
        return text.lower(), ""
    exact = unicodedata.normalize("NFC", text).casefold()
    return unmarked(exact), "" if exact.isascii() else exact


def key_of(value: Value) -> Value:
    """What a value is compared by: text folded, GUIDs by their bytes, Booleans as numbers."""
    if isinstance(value, str):
        return text_key(value)
    if isinstance(value, uuid.UUID):
        return value.bytes_le
    if isinstance(value, list):
        return [key_of(each) for each in value]
    return value


def sort_key(value: Value) -> tuple[int, Value]:
    """Absent values come first (MS-OXCTABL leaves it open; Exchange does so)."""
    return (0, 0) if is_absent(value) else (1, key_of(value))


_FIXED_SIZES = {
    types.INTEGER16: 2, types.INTEGER32: 4, types.INTEGER64: 8, types.FLOATING32: 4, types.FLOATING64: 8,
    types.CURRENCY: 8, types.FLOATING_TIME: 8, types.TIME: 8, types.BOOLEAN: 1, types.GUID: 16,
    types.ERROR_CODE: 4,
}  # fmt: skip


def size_of(kind: int, value: Value) -> int:
    """Bytes of a value as PidTagMessageSize and size restrictions count them; text in UTF-16 with its end."""
    if isinstance(value, str):
        return 2 * len(value) + 2
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, list):
        return sum(size_of(kind & ~types.MULTIPLE, each) for each in value)
    return _FIXED_SIZES.get(kind, 8)


def _related(relation: Callable[[Value, Value], bool], left: Value, right: Value) -> bool:
    try:
        return relation(left, right)
    except TypeError:  # a stored value that is not of its column's type
        return False


_RELATIONS: Final[dict[Relation, Callable[[Value, Value], bool]]] = {
    Relation.LESS: lambda a, b: bool(a < b),
    Relation.LESS_OR_EQUAL: lambda a, b: bool(a <= b),
    Relation.GREATER: lambda a, b: bool(a > b),
    Relation.GREATER_OR_EQUAL: lambda a, b: bool(a >= b),
    Relation.EQUAL: lambda a, b: bool(a == b),
    Relation.NOT_EQUAL: lambda a, b: bool(a != b),
}


def _holds(where: Where, loose: int, wanted: str | bytes) -> Callable[[Value], bool]:
    """Whether a single value holds what a content restriction wants (2.12.4)."""
    if isinstance(wanted, bytes):
        return lambda value: isinstance(value, bytes) and _found(where, value, wanted)
    image = _image(loose)
    needle = image(wanted)
    return lambda value: isinstance(value, str) and _found(where, image(value), needle)


def _found(where: Where, value: str | bytes, wanted: str | bytes) -> bool:
    if where == Where.FULL_STRING:
        return value == wanted
    if where == Where.PREFIX:
        return value.startswith(wanted)  # type: ignore[arg-type]  # both are of one type: see `_holds`
    return wanted in value  # type: ignore[operator]  # the same


def _image(loose: int) -> Callable[[str], str]:
    if loose & LOOSE or loose & (IGNORE_CASE | IGNORE_MARKS) == IGNORE_CASE | IGNORE_MARKS:
        return folded
    if loose & IGNORE_CASE:
        return lambda text: text.lower() if text.isascii() else text.casefold()
    if loose & IGNORE_MARKS:
        return unmarked
    return lambda text: text
