"""The arguments of APPEND and REPLACE, a line at a time (RFC 9051 6.3.12, RFC 3502 6.3.11, RFC 4469 5).

Pure.  What a line means depends on the literal before it; `stretch` is told which.
"""

from __future__ import annotations

import re

from quintet.errors import BadSyntax
from quintet.imap import annotation_grammar
from quintet.imap.append_commands import Begin, End, FromUrl, Holds, Literal, Step, Stretch
from quintet.imap.tokens import Cursor
from quintet.store.entry_annotations import Remark

# what nearly every client says; anything else is read token by token
_USUAL = re.compile(
    rb'([^\x00- (){%%*"\\+\x7f-\xff]+) (?i:APPEND) ("?)([A-Za-z0-9./_-]+)\2(?: \((%b(?: %b)*)?\))?'
    rb" \{([0-9]{1,18})(\+?)\}" % ((rb"\\?[A-Za-z0-9$_-]+",) * 2)
)
_LITERAL = re.compile(rb"(~?)\{([0-9]{1,19})(\+?)\}")


def usual(line: bytes) -> tuple[bytes, bytes, Stretch] | None:
    """Tag, mailbox and the rest of an APPEND with flags alone; None: it is to be read as any other."""
    found = _USUAL.fullmatch(line)
    if found is None:
        return None
    tag, _, mailbox, flags, size, unasked = found.groups()
    begin = Begin(tuple(flags.split(b" ")) if flags else (), None)
    return tag, mailbox, Stretch((begin,), Literal(Holds.MESSAGE, int(size), not unasked))


def stretch(cursor: Cursor, after: Literal | None = None) -> Stretch:
    """What stands from ``cursor`` to the end of its line, behind the literal ``after`` (None: the name).

    Behind a `Holds.REMARK` a message's beginning is read again: ``cursor`` is at the front of what was
    `Literal.begun`, with the literal and the rest of its line.
    """
    steps: list[Step] = []
    listed = after is not None and after.holds in (Holds.TEXT, Holds.URL)
    if after is not None and after.holds is Holds.REMARK:
        after = None
    if after is not None and after.utf8:
        cursor.expect(b")")
    while True:
        if listed:
            literal = _pieces(cursor, steps)
        else:
            begun = after is not None or bool(steps)
            if begun and not cursor.data[cursor.position :].strip(b" "):
                cursor.position = len(cursor.data)
                return Stretch(tuple(steps), None)
            start = cursor.position
            cursor.space()
            try:
                begin, literal = _begin(cursor)
            except annotation_grammar.Unfinished as found:
                text = cursor.data[start:]
                cursor.position = len(cursor.data)
                return Stretch(tuple(steps), Literal(Holds.REMARK, found.size, found.waits, begun=text))
            steps.append(begin)
        if literal is not None:
            return Stretch(tuple(steps), literal)
        listed = not listed


def _begin(cursor: Cursor) -> tuple[Begin, Literal | None]:
    """`` [(flags)] ["date"] [ANNOTATION (...)]`` and the literal behind; None: a list of pieces is opened."""
    flags: tuple[bytes, ...] = ()
    moment = None
    remarks: tuple[Remark, ...] = ()
    if cursor.peek() == b"(":
        flags = cursor.flags()
        cursor.space()
    if cursor.peek() == b'"':
        moment = cursor.date_time()
        cursor.space()
    if cursor.peek() in (b"A", b"a"):
        if cursor.word() != b"ANNOTATION":
            raise BadSyntax("expected a literal")
        cursor.space()
        remarks = annotation_grammar.remarks(cursor)
        cursor.space()
    if cursor.peek() in (b"U", b"u"):
        return Begin(flags, moment, remarks=remarks), _utf8(cursor, Holds.MESSAGE)
    if cursor.peek() in (b"C", b"c"):
        if cursor.word() != b"CATENATE":
            raise BadSyntax("expected a literal")
        cursor.space()
        cursor.expect(b"(")
        return Begin(flags, moment, catenate=True, remarks=remarks), None
    return Begin(flags, moment, remarks=remarks), _literal(cursor, Holds.MESSAGE)


def _pieces(cursor: Cursor, steps: list[Step]) -> Literal | None:
    """Pieces up to a literal, or (None) to the end of the list."""
    while True:
        if steps and isinstance(steps[-1], Begin):
            pass  # a list begins with a piece
        elif cursor.accept(b")"):
            steps.append(End())
            return None
        else:
            cursor.space()
        word = cursor.word()
        if word == b"UTF8":
            return _utf8(cursor, Holds.TEXT, named=True)
        cursor.space()
        if word == b"TEXT":
            return _literal(cursor, Holds.TEXT)
        if word != b"URL":
            raise BadSyntax("expected TEXT or URL")
        if cursor.peek() == b"{":
            return _literal(cursor, Holds.URL)
        steps.append(FromUrl(cursor.astring()))


def _utf8(cursor: Cursor, holds: Holds, *, named: bool = False) -> Literal:
    """``UTF8 (~{size}``: the list is closed behind the literal."""
    if not named and cursor.word() != b"UTF8":
        raise BadSyntax("expected a literal")
    cursor.space()
    cursor.expect(b"(")
    return _literal(cursor, holds, utf8=True)


def _literal(cursor: Cursor, holds: Holds, *, utf8: bool = False) -> Literal:
    found = _LITERAL.fullmatch(cursor.data, cursor.position)
    if found is None:
        raise BadSyntax("expected a literal")
    if utf8 and not found[1]:
        raise BadSyntax("expected a literal8")
    size = int(found[2])
    if size >= 1 << 63:
        raise BadSyntax("literal of more than 63 bits")
    cursor.position = len(cursor.data)
    return Literal(holds, size, not found[3], bool(found[1]), utf8)
