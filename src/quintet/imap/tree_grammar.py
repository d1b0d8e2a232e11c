"""Parsers for `tree_commands` (RFC 4978 5, RFC 8437 6, RFC 5255 3.5 and 4.10, RFC 2193 6).  Pure."""

from __future__ import annotations

from quintet.errors import BadSyntax, Reason
from quintet.imap import commands, tree_commands
from quintet.imap.tokens import Cursor

MAX_RANGES = 50  # languages or comparators of one command


def compress(cursor: Cursor, tag: bytes) -> tree_commands.Compress:
    cursor.space()
    return tree_commands.Compress(tag, cursor.word())


def unauthenticate(_: Cursor, tag: bytes) -> tree_commands.Unauthenticate:
    return tree_commands.Unauthenticate(tag)


def language(cursor: Cursor, tag: bytes) -> tree_commands.Language:
    return tree_commands.Language(tag, _astrings(cursor))


def comparator(cursor: Cursor, tag: bytes) -> tree_commands.Comparator:
    return tree_commands.Comparator(tag, _astrings(cursor))


def _astrings(cursor: Cursor) -> tuple[bytes, ...]:
    found: list[bytes] = []
    while not cursor.at_end():
        if len(found) == MAX_RANGES:
            raise BadSyntax("too many arguments", Reason.TOO_MANY)
        cursor.space()
        found.append(cursor.astring())
    return tuple(found)


def _pattern(cursor: Cursor) -> tuple[bytes, bytes]:
    cursor.space()
    reference = cursor.astring()
    cursor.space()
    return reference, cursor.list_mailbox()


def rlist(cursor: Cursor, tag: bytes) -> commands.List:
    """RFC 2193 5.1: LIST with what lies on other servers; RFC 5258 3.1 calls that REMOTE."""
    reference, pattern = _pattern(cursor)
    return commands.List(tag, reference, (pattern,), frozenset((b"REMOTE",)))


def rlsub(cursor: Cursor, tag: bytes) -> commands.Lsub:
    """RFC 2193 5.2."""
    reference, pattern = _pattern(cursor)
    return commands.Lsub(tag, reference, pattern, remote=True)


def xlist(cursor: Cursor, tag: bytes) -> tree_commands.Xlist:
    reference, pattern = _pattern(cursor)
    return tree_commands.Xlist(tag, reference, (pattern,))
