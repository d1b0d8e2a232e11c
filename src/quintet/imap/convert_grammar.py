"""Parsers for `convert_commands` (RFC 5259 10).  Pure."""

from __future__ import annotations

import re

from quintet.errors import BadSyntax, Reason
from quintet.imap import fetch_grammar
from quintet.imap.commands import Item, Section
from quintet.imap.convert_commands import Conversions, Convert, UidBatches
from quintet.imap.tokens import Cursor

MAX_PARAMS = 50  # of one conversion
MAX_ITEMS = 50  # of one CONVERT

_TOKEN = r"[A-Za-z0-9!#$&.+^_-]{1,127}"
_TYPE = re.compile(rf"{_TOKEN}/{_TOKEN}")
_WILD = re.compile(rf"\*|{_TOKEN}/\*|{_TOKEN}/{_TOKEN}")
_NAME = re.compile(rb"[A-Za-z.]+")
_SECTIONS = (b"BINARY", b"BINARY.SIZE", b"BODYPARTSTRUCTURE", b"AVAILABLECONVERSIONS")


def conversions(cursor: Cursor, tag: bytes) -> Conversions:
    cursor.space()
    source = _mime(cursor.astring(), _WILD)
    cursor.space()
    return Conversions(tag, source, _mime(cursor.astring(), _WILD))


def convert(cursor: Cursor, tag: bytes, *, uid: bool) -> Convert:
    cursor.space()
    numbers = cursor.sequence_set()
    cursor.space()
    cursor.expect(b"(")
    if cursor.peek() == b'"':
        target = _mime(cursor.string(), _TYPE)
    elif cursor.word() == b"NIL":
        target = ""
    else:
        raise BadSyntax("expected a MIME type or NIL")
    params: tuple[tuple[str, str], ...] = ()
    if cursor.peek() == b" ":
        cursor.space()
        params = _params(cursor)
    cursor.expect(b")")
    cursor.space()
    items = _items(cursor)
    if target and any(item.name == b"BODY[" for item in items):
        raise BadSyntax("headers are converted to NIL")  # RFC 5259 6
    return Convert(tag, uid, numbers, target, params, items)


def batches(cursor: Cursor, tag: bytes) -> UidBatches:
    """``UIDBATCHES 2000 [1:10]``."""
    cursor.space()
    size = cursor.number()
    if not size:
        raise BadSyntax("batches of nothing")
    if cursor.at_end():
        return UidBatches(tag, size)
    cursor.space()
    numbers = cursor.sequence_set()
    if numbers.saved or len(numbers.ranges) != 1 or 0 in numbers.ranges[0]:
        raise BadSyntax("expected one range of batches")
    low, high = numbers.ranges[0]
    if low > high:
        raise BadSyntax("a range of batches goes up")
    return UidBatches(tag, size, low, high)


def _mime(raw: bytes, pattern: re.Pattern[str]) -> str:
    text = raw.decode("latin-1").lower()
    if pattern.fullmatch(text) is None:
        raise BadSyntax("not a MIME type")
    return text


def _params(cursor: Cursor) -> tuple[tuple[str, str], ...]:
    cursor.expect(b"(")
    found: dict[str, str] = {}
    while not found or not cursor.accept(b")"):
        if found:
            cursor.space()
        name = cursor.astring().decode("utf-8", "replace").lower()
        cursor.space()
        if name in found or len(found) == MAX_PARAMS:
            raise BadSyntax("a parameter twice, or too many", Reason.TOO_MANY)
        found[name] = cursor.astring().decode("utf-8", "replace")
    return tuple(found.items())


def _items(cursor: Cursor) -> tuple[Item, ...]:
    if not cursor.accept(b"("):
        return (_item(cursor),)
    items = [_item(cursor)]
    while not cursor.accept(b")"):
        cursor.space()
        if len(items) == MAX_ITEMS:
            raise BadSyntax("too many items", Reason.TOO_MANY)
        items.append(_item(cursor))
    return tuple(dict.fromkeys(items))


def _item(cursor: Cursor) -> Item:
    found = _NAME.match(cursor.data, cursor.position)
    name = found[0].upper() if found else b""
    cursor.position += len(name)
    if name == b"UID":
        return Item(name, label=name)
    if name not in (*_SECTIONS, b"BODY"):
        raise BadSyntax("unknown data item")
    cursor.expect(b"[")
    path = fetch_grammar.part_path(cursor)
    number = b".".join(b"%d" % step for step in path)
    if name == b"BODY":
        if path:
            cursor.expect(b".")
        text = cursor.word()
        if text != b"HEADER" and (text != b"MIME" or not path):
            raise BadSyntax("only headers")
        cursor.expect(b"]")
        label = b"BODY[%b%b%b]" % (number, b"." if path else b"", text)
        return Item(b"BODY[", Section(path, text), label=label)
    cursor.expect(b"]")
    partial = fetch_grammar.octets(cursor) if name == b"BINARY" else None
    label = b"%b[%b]" % (name, number) + (b"<%d>" % partial[0] if partial is not None else b"")
    return Item(name + b"[", Section(path), partial, label=label)
