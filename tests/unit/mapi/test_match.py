"""What each of the twelve restrictions matches (MS-OXCDATA 2.12)."""

from __future__ import annotations

import uuid

import pytest

from quintet.mapi import match, restrict, types
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.restrict import Relation, Restriction, Where
from quintet.mapi.types import Tag, Value

SUBJECT, SIZE, OTHER, FLAG, DATA = 0x0037001F, 0x0E080003, 0x0E090003, 0x0E69000B, 0x30130102
WORDS, GUID, NAME = 0x8001101F, 0x80020048, 0x3001001F
BAG = {
    SUBJECT: "Café Menü", SIZE: 10, OTHER: 12, FLAG: True, DATA: b"\1\2\3", WORDS: ["Red", "blue"],
    GUID: uuid.UUID(int=7), 0x66660003: types.Error(0x8004010F),
}  # fmt: skip


def content(text: str, where: Where = Where.SUBSTRING, loose: int = 0, tag: Tag = SUBJECT) -> Restriction:
    return restrict.Content(where, loose, tag, (tag & ~0x1000, text))


def prop(relation: Relation, tag: Tag, value: Value) -> Restriction:
    return restrict.Property(relation, tag, (tag & ~0x1000, value))


SMALL, BIG = prop(Relation.LESS, SIZE, 5), prop(Relation.GREATER, SIZE, 5)


@pytest.mark.parametrize(
    ("restriction", "matches"),
    [
        (restrict.And((BIG, BIG)), True),
        (restrict.And((BIG, SMALL)), False),
        (restrict.And(()), True),
        (restrict.Or((SMALL, BIG)), True),
        (restrict.Or((SMALL,)), False),
        (restrict.Or(()), False),
        (restrict.Not(SMALL), True),
        (content("Menü"), True),
        (content("menü"), False),
        (content("menü", loose=match.IGNORE_CASE), True),
        (content("menu", loose=match.IGNORE_CASE), False),
        (content("Menu", loose=match.IGNORE_MARKS), True),
        (content("menu", loose=match.LOOSE), True),
        (content("CAFÉ MENÜ", Where.FULL_STRING, match.IGNORE_CASE), True),
        (content("café", Where.FULL_STRING, match.IGNORE_CASE), False),
        (content("CAFE", Where.PREFIX, match.LOOSE), True),
        (content("menu", Where.PREFIX, match.LOOSE), False),
        (content("RED", Where.FULL_STRING, match.IGNORE_CASE, WORDS), True),  # any of its values
        (content("green", tag=WORDS), False),
        (content("x", tag=NAME), False),  # absent
        (restrict.Content(Where.SUBSTRING, 0, DATA, (DATA, b"\2\3")), True),
        (restrict.Content(Where.PREFIX, 0, DATA, (DATA, b"\2")), False),
        (restrict.Content(Where.SUBSTRING, 1, 0x0037001E, (0x0037001E, b"caf\xe9")), True),
        (prop(Relation.EQUAL, SUBJECT, "CAFÉ MENÜ"), True),  # text has no case
        (prop(Relation.EQUAL, SUBJECT, "cafe menu"), False),
        (prop(Relation.LESS_OR_EQUAL, SIZE, 10), True),
        (prop(Relation.GREATER_OR_EQUAL, SIZE, 11), False),
        (prop(Relation.NOT_EQUAL, SIZE, 10), False),
        (prop(Relation.EQUAL, WORDS, "BLUE"), True),
        (prop(Relation.NOT_EQUAL, WORDS, "blue"), False),
        (restrict.Property(Relation.EQUAL, WORDS, (WORDS, ["red", "blue"])), True),
        (prop(Relation.EQUAL, NAME, "x"), False),
        (prop(Relation.NOT_EQUAL, NAME, "x"), True),  # absent is unlike everything
        (prop(Relation.LESS, NAME, "x"), False),
        (prop(Relation.NOT_EQUAL, 0x66660003, 1), True),  # so is what could not be had
        (prop(Relation.EQUAL, GUID, uuid.UUID(int=7)), True),
        (prop(Relation.EQUAL, FLAG, True), True),
        (restrict.Compare(Relation.LESS, SIZE, OTHER), True),
        (restrict.Compare(Relation.EQUAL, SIZE, OTHER), False),
        (restrict.Compare(Relation.NOT_EQUAL, SIZE, 0x11110003), True),
        (restrict.Compare(Relation.NOT_EQUAL, 0x11120003, 0x11110003), False),
        (restrict.Compare(Relation.GREATER, SIZE, 0x11110003), False),
        (restrict.Compare(Relation.LESS, SIZE, SUBJECT), False),  # of two types: never
        (restrict.Bitmask(True, SIZE, 2), True),
        (restrict.Bitmask(False, SIZE, 2), False),
        (restrict.Bitmask(False, SIZE, 5), True),
        (restrict.Bitmask(False, 0x11110003, 5), False),
        (restrict.Size(Relation.EQUAL, DATA, 3), True),
        (restrict.Size(Relation.EQUAL, SUBJECT, 20), True),  # UTF-16 with its end
        (restrict.Size(Relation.GREATER, SIZE, 4), False),
        (restrict.Size(Relation.EQUAL, WORDS, 18), True),
        (restrict.Size(Relation.LESS, NAME, 100), False),
        (restrict.Exist(SUBJECT), True),
        (restrict.Exist(0x0037001E), True),  # the other width is the same property
        (restrict.Exist(NAME), False),
        (restrict.Exist(0x66660003), False),
        (restrict.SubObject(restrict.RECIPIENTS, content("ann", tag=NAME)), True),
        (restrict.SubObject(restrict.RECIPIENTS, content("eve", tag=NAME)), False),
        (restrict.SubObject(restrict.ATTACHMENTS, restrict.Exist(NAME)), False),
        (restrict.Comment(((SUBJECT, "note"),), None), True),
        (restrict.Comment((), SMALL), False),
        (restrict.Count(1, BIG), True),
        (restrict.Not(restrict.Count(0, BIG)), False),  # inside there are no rows to count
    ],
)
def test_restriction(restriction: Restriction, matches: bool) -> None:
    def parts(table: Tag) -> list[dict[Tag, Value]]:
        return [{NAME: "ben"}, {NAME: "ann"}] if table == restrict.RECIPIENTS else []

    assert match.compiled(restriction).of_bag(BAG, parts) is matches


@pytest.mark.parametrize(
    ("restriction", "code"),
    [
        (prop(Relation.MATCHES, SUBJECT, "x"), Code.TOO_COMPLEX),
        (prop(Relation.MEMBER_OF_DL, SUBJECT, "x"), Code.TOO_COMPLEX),
        (restrict.Compare(Relation.MATCHES, SIZE, OTHER), Code.TOO_COMPLEX),
        (restrict.Size(Relation.MATCHES, SIZE, 1), Code.TOO_COMPLEX),
        (restrict.And((SMALL,) * 1000), Code.TOO_COMPLEX),
        (restrict.And((restrict.SubObject(restrict.RECIPIENTS, SMALL),) * 600), Code.TOO_COMPLEX),
        (restrict.Property(Relation.EQUAL, SIZE, (SUBJECT, "1")), Code.INVALID_PARAMETER),
        (restrict.Content(Where.PREFIX, 0, SIZE, (SIZE, 1)), Code.INVALID_PARAMETER),
        (restrict.Bitmask(True, SUBJECT, 1), Code.INVALID_PARAMETER),
    ],
)
def test_what_cannot_be_matched_is_refused_at_once(restriction: Restriction, code: Code) -> None:
    with pytest.raises(MapiError) as caught:
        match.compiled(restriction)
    assert caught.value.code == code
