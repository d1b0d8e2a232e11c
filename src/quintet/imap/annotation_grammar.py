"""ANNOTATION in STORE, APPEND, FETCH, SEARCH and SORT (RFC 5257 5).

Pure.  Names of entries and attributes are told apart by case (RFC 5257 3.2).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from quintet.errors import BadSyntax, Reason
from quintet.imap.annotation_values import Asked, is_pattern, matcher, part_of
from quintet.imap.commands import WithRemark
from quintet.imap.tokens import Cursor
from quintet.store.entry_annotations import Remark

MAX_NAME = 255  # octets of an entry's name
MAX_PAIRS = 200  # values set, or entries asked for, by one command
MAX_PATH = 100  # levels of a part number; the scanner stops earlier

T = TypeVar("T")

_NAME = re.compile(r"(?:/[^/]+)+")
_MATCH = re.compile(r"/?[^/]+(?:/[^/]+)*")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}(?:\.[1-9][0-9]{0,8})*")
_ANNOUNCED = re.compile(rb"(~?)\{([0-9]{1,19})(\+?)\}\Z")
_KINDS = {"": (False, True), ".priv": (False,), ".shared": (True,)}
_FLAGS = (b"1", b"0")


class Unfinished(BadSyntax):
    """A name or value is a literal that has yet to come: of APPEND, whose line ends with it."""

    def __init__(self, size: int, *, waits: bool) -> None:
        super().__init__("literal is cut short")
        self.size = size
        self.waits = waits


def remarks(cursor: Cursor) -> tuple[Remark, ...]:
    """``(/comment (value.priv "x" value.shared NIL) ...)`` (entry-att).

    Raises:
        BadSyntax: a name that cannot be, an attribute that is not ours to set, or the same value twice.
        Unfinished: the frame ends where a literal is announced.
    """
    cursor.expect(b"(")
    found: dict[tuple[str, bool], Remark] = {}
    while not found or not cursor.accept(b")"):
        if found:
            cursor.space()
        entry = _entry(cursor)
        cursor.space()
        cursor.expect(b"(")
        first = True
        while first or not cursor.accept(b")"):
            if not first:
                cursor.space()
            first = False
            one = _remark(cursor, entry)
            if (one.name, one.shared) in found:
                raise BadSyntax("the same value twice")
            found[one.name, one.shared] = one
            if len(found) > MAX_PAIRS:
                raise BadSyntax("too many values", Reason.TOO_MANY)
    return tuple(found.values())


def _remark(cursor: Cursor, entry: str) -> Remark:
    name, kinds = _attribute(cursor)
    if name != "value":
        raise BadSyntax("only values can be set")  # RFC 5257 3.2.2: size is read-only
    if len(kinds) != 1:
        raise BadSyntax("expected .priv or .shared")  # RFC 5257 3.2.2
    cursor.space()
    _expect_literal(cursor)
    value = cursor.nstring()
    if part_of(entry) and "/flags/" in f"{entry}/" and value not in (None, *_FLAGS):
        raise BadSyntax('the value of a flag is "1", "0" or NIL')  # RFC 5257 3.2.1
    return Remark(entry, kinds[0], value)


def _expect_literal(cursor: Cursor) -> None:
    announced = _ANNOUNCED.match(cursor.data, cursor.position)
    if announced is not None:
        raise Unfinished(int(announced[2]), waits=not announced[3])


def asked(cursor: Cursor) -> Asked:
    """``(entries attributes)`` of FETCH."""
    cursor.expect(b"(")
    entries = _listed(cursor, lambda: _pattern(cursor))
    cursor.space()
    attributes = _listed(cursor, lambda: _attribute(cursor))
    cursor.expect(b")")
    each = [(name, shared) for name, kinds in attributes for shared in kinds]
    return Asked(tuple(dict.fromkeys(entries)), tuple(dict.fromkeys(each)))


def _listed(cursor: Cursor, take: Callable[[], T]) -> list[T]:
    """One, or several in parentheses."""
    if not cursor.accept(b"("):
        return [take()]
    found = [take()]
    while not cursor.accept(b")"):
        cursor.space()
        if len(found) == MAX_PAIRS:
            raise BadSyntax("too many of them", Reason.TOO_MANY)
        found.append(take())
    return found


def search_key(cursor: Cursor, _: bytes) -> WithRemark:
    """``entry attribute value``: RFC 5257 4.8."""
    entry = _pattern(cursor)
    cursor.space()
    kinds = _value_of(cursor)
    cursor.space()
    return WithRemark(entry, kinds, cursor.nstring())


def sort_key(cursor: Cursor) -> tuple[str, bool]:
    """`` entry attribute``: RFC 5257 4.9; no wildcards, and one of the two kinds."""
    cursor.space()
    entry = _entry(cursor)
    cursor.space()
    kinds = _value_of(cursor)
    if len(kinds) != 1:
        raise BadSyntax("expected value.priv or value.shared")
    return entry, kinds[0]


def _value_of(cursor: Cursor) -> tuple[bool, ...]:
    name, kinds = _attribute(cursor)
    if name != "value":
        raise BadSyntax("only values can be searched and sorted")
    return kinds


def _attribute(cursor: Cursor) -> tuple[str, tuple[bool, ...]]:
    """Name without its suffix, and the kinds (False: private, True: shared) that this means."""
    _expect_literal(cursor)
    text = cursor.astring()
    for suffix in (".priv", ".shared", ""):
        name = text.removesuffix(suffix.encode("ascii")).decode("ascii", "replace")
        if text.endswith(suffix.encode("ascii")) and name in ("value", "size"):
            return name, _KINDS[suffix]
    raise BadSyntax("unknown attribute")


def _entry(cursor: Cursor) -> str:
    """A whole name.  RFC 5257 3.2: ASCII, no empty level, no wildcard."""
    _expect_literal(cursor)
    name = _ascii(cursor.astring())
    if is_pattern(name) or _NAME.fullmatch(name) is None:
        raise BadSyntax("not the name of an entry")
    return _possible(name)


def _pattern(cursor: Cursor) -> str:
    name = _ascii(cursor.list_mailbox())
    if not is_pattern(name):
        if _NAME.fullmatch(name) is None:
            raise BadSyntax("not the name of an entry")
        return _possible(name)
    if _MATCH.fullmatch(name) is None or name[0] not in "/*%":
        raise BadSyntax("not the name of an entry")
    matcher(name)  # so that too many wildcards are refused here
    return name


def _ascii(raw: bytes) -> str:
    if not raw.isascii() or b"\0" in raw or len(raw) > MAX_NAME:
        raise BadSyntax("not the name of an entry")
    return raw.decode("ascii")


def _possible(name: str) -> str:
    """Raises BadSyntax: what is reserved, or a part number that cannot be (RFC 5257 3.2.1, 3.5)."""
    levels = name.split("/")
    if levels[1] == "flags":
        raise BadSyntax("/flags is reserved")
    if levels[1][0].isdigit():
        if _NUMBER.fullmatch(levels[1]) is None or levels[1].count(".") >= MAX_PATH:
            raise BadSyntax("no such part")
        if len(levels) == 2:
            raise BadSyntax("a part by itself has no value")
    return name
