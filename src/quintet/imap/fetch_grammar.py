"""What FETCH may ask for (RFC 9051 6.4.5, RFC 3501 6.4.5, RFC 3516, RFC 7162 3.1.4, RFC 8474, 8514, 8970).

Pure.
"""

from __future__ import annotations

import re
from functools import lru_cache

from quintet.errors import BadSyntax, Reason
from quintet.imap import annotation_grammar, search_grammar
from quintet.imap import format as fmt
from quintet.imap.commands import Fetch, Item, Section
from quintet.imap.tokens import Cursor

MAX_ITEMS = 200  # items of one FETCH
MAX_PATH = 100  # levels of a part number; the scanner stops earlier
MAX_FIELDS = 500  # names in HEADER.FIELDS
REMEMBERED = 300  # octets of what is asked for that are remembered

_NAME = re.compile(rb"[A-Za-z0-9.]+")
_PATH = re.compile(rb"[1-9][0-9]{0,8}(?:\.[1-9][0-9]{0,8})*")
_PARTIAL = re.compile(rb"<([0-9]{1,19})\.([1-9][0-9]{0,18})>")
_LAZY = re.compile(rb" +\(LAZY(?: LAZY)*\)", re.IGNORECASE)  # other words in parentheses are modifiers
_TEXTS = (b"HEADER.FIELDS.NOT", b"HEADER.FIELDS", b"HEADER", b"TEXT", b"MIME")  # longest first

PLAIN = frozenset(
    (b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE", b"BODY", b"BODYSTRUCTURE", b"UID", b"MODSEQ",
     b"EMAILID", b"THREADID", b"SAVEDATE")
)  # fmt: skip
MACROS = {  # RFC 9051 6.4.5
    b"FAST": (b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE"),
    b"ALL": (b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE"),
    b"FULL": (b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE", b"BODY"),
}
_RFC822 = {  # RFC 3501 6.4.5: old names for sections; RFC822.HEADER peeks, the other two do not
    b"RFC822": (Section(), False),
    b"RFC822.HEADER": (Section(text=b"HEADER"), True),
    b"RFC822.TEXT": (Section(text=b"TEXT"), False),
}


def fetch(cursor: Cursor, tag: bytes, *, uid: bool) -> Fetch:
    cursor.space()
    numbers = cursor.sequence_set()
    cursor.space()
    rest = cursor.data[cursor.position :]
    asked = _remembered(rest) if len(rest) <= REMEMBERED else _asked(rest)
    items, changed_since, vanished, partial = asked
    cursor.position = len(cursor.data)
    if partial is not None and not uid:
        raise BadSyntax("PARTIAL needs UID FETCH")  # RFC 9394 3.3
    if vanished and (changed_since is None or not uid):
        raise BadSyntax("VANISHED needs UID FETCH and CHANGEDSINCE")  # RFC 7162 3.2.6
    if uid and not any(item.name == b"UID" for item in items):
        items = (Item(b"UID"), *items)  # RFC 9051 6.4.9
    if changed_since is not None and not any(item.name == b"MODSEQ" for item in items):
        items = (*items, Item(b"MODSEQ"))  # RFC 7162 3.1.4.1
    return Fetch(tag, uid, numbers, items, changed_since, vanished, partial)


_Asked = tuple[tuple[Item, ...], int | None, bool, tuple[int, int] | None]


def _asked(text: bytes) -> _Asked:
    """What stands behind the numbers: items, CHANGEDSINCE, VANISHED, PARTIAL."""
    cursor = Cursor(text)
    items = data_items(cursor)
    changed_since, vanished, partial = None, False, None
    if not cursor.at_end():
        cursor.space()
        changed_since, vanished, partial = _modifiers(cursor)
    cursor.end()
    return items, changed_since, vanished, partial


_remembered = lru_cache(maxsize=256)(_asked)  # a client asks for the same all day: 40 us saved


def data_items(cursor: Cursor) -> tuple[Item, ...]:
    if not cursor.accept(b"("):
        found = _NAME.match(cursor.data, cursor.position)
        macro = MACROS.get(found[0].upper()) if found else None
        if found is not None and macro is not None:
            cursor.position = found.end()
            return tuple(Item(name) for name in macro)
        return (_item(cursor),)
    items = [_item(cursor)]
    while not cursor.accept(b")"):
        cursor.space()
        if len(items) == MAX_ITEMS:
            raise BadSyntax("too many items", Reason.TOO_MANY)
        items.append(_item(cursor))
    return tuple(dict.fromkeys(items))  # a doubled item is answered once


def _item(cursor: Cursor) -> Item:
    found = _NAME.match(cursor.data, cursor.position)
    if found is None:
        raise BadSyntax("expected a data item")
    name = found[0].upper()
    cursor.position = found.end()
    if cursor.peek() == b"[":
        if name in (b"BODY", b"BODY.PEEK"):
            return _body(cursor, peek=name.endswith(b"PEEK"))
        if name in (b"BINARY", b"BINARY.PEEK", b"BINARY.SIZE"):
            return _binary(cursor, name)
    if name == b"PREVIEW":
        lazy = _LAZY.match(cursor.data, cursor.position)
        if lazy is None:
            return Item(name, label=name)
        cursor.position = lazy.end()
        return Item(b"PREVIEW (LAZY)", label=name)
    if name == b"ANNOTATION":
        cursor.space()
        return Item(name, asked=annotation_grammar.asked(cursor))  # RFC 5257 4.3
    if name in PLAIN:
        return Item(name)
    if name in _RFC822:
        section, peek = _RFC822[name]
        return Item(b"BODY[", section, None, peek, name)
    raise BadSyntax("unknown data item")


def _body(cursor: Cursor, *, peek: bool) -> Item:
    cursor.expect(b"[")
    path: tuple[int, ...] = ()
    text = b""
    fields: tuple[bytes, ...] = ()
    if cursor.peek() != b"]":
        path = part_path(cursor)
        if not path or cursor.accept(b"."):
            text = next(
                (word for word in _TEXTS if cursor.data[cursor.position :].upper().startswith(word)), b""
            )
            if not text or (text == b"MIME" and not path):
                raise BadSyntax("unknown section")
            cursor.position += len(text)
    label = b"BODY[" + b".".join((*(b"%d" % step for step in path), *((text,) if text else ())))
    if text.startswith(b"HEADER.FIELDS"):
        cursor.space()
        fields = _fields(cursor)
        label += b" (" + b" ".join(fmt.astring(field) for field in fields) + b")"
    cursor.expect(b"]")
    partial = octets(cursor)
    label += b"]" if partial is None else b"]<%d>" % partial[0]
    return Item(b"BODY[", Section(path, text, fields), partial, peek, label)


def _binary(cursor: Cursor, name: bytes) -> Item:
    """RFC 3516 4.2, RFC 9051 6.4.5."""
    cursor.expect(b"[")
    path = part_path(cursor)
    cursor.expect(b"]")
    number = b".".join(b"%d" % step for step in path)
    if name == b"BINARY.SIZE":
        return Item(b"BINARY.SIZE[", Section(path), None, True, b"BINARY.SIZE[%b]" % number)
    partial = octets(cursor)
    label = b"BINARY[%b]" % number if partial is None else b"BINARY[%b]<%d>" % (number, partial[0])
    return Item(b"BINARY[", Section(path), partial, name.endswith(b"PEEK"), label)


def part_path(cursor: Cursor) -> tuple[int, ...]:
    found = _PATH.match(cursor.data, cursor.position)
    if found is None:
        return ()
    cursor.position = found.end()
    path = tuple(int(step) for step in found[0].split(b"."))
    if len(path) > MAX_PATH:
        raise BadSyntax("part number too deep", Reason.TOO_MANY)
    return path


def _fields(cursor: Cursor) -> tuple[bytes, ...]:
    cursor.expect(b"(")
    fields = [cursor.astring()]
    while not cursor.accept(b")"):
        cursor.space()
        fields.append(cursor.astring())
        if len(fields) > MAX_FIELDS:
            raise BadSyntax("too many header fields", Reason.TOO_MANY)
    return tuple(fields)


def octets(cursor: Cursor) -> tuple[int, int] | None:
    if cursor.peek() != b"<":
        return None
    found = _PARTIAL.match(cursor.data, cursor.position)
    if found is None:
        raise BadSyntax("expected <first.count>")
    cursor.position = found.end()
    start, length = int(found[1]), int(found[2])
    if start >= 1 << 63 or length >= 1 << 63:
        raise BadSyntax("number of more than 63 bits")
    return start, length


def _modifiers(cursor: Cursor) -> tuple[int | None, bool, tuple[int, int] | None]:
    """``(CHANGEDSINCE n VANISHED PARTIAL 1:500)`` (RFC 7162 3.1.4.1, 3.2.6, RFC 9394 3.3)."""
    cursor.expect(b"(")
    changed_since, vanished, partial = None, False, None
    known: set[bytes] = set()
    while True:
        name = cursor.word()
        if name in known:
            raise BadSyntax("the same modifier twice")
        known.add(name)
        if name == b"CHANGEDSINCE":
            cursor.space()
            changed_since = cursor.number64()
        elif name == b"VANISHED":
            vanished = True
        elif name == b"PARTIAL":
            cursor.space()
            partial = search_grammar.partial(cursor)
        else:
            raise BadSyntax("unknown modifier")
        if cursor.accept(b")"):
            return changed_since, vanished, partial
        cursor.space()
