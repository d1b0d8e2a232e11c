"""What NOTIFY may ask for (RFC 5465 8).  Pure."""

from __future__ import annotations

from quintet.errors import BadSyntax, Reason
from quintet.imap import fetch_grammar
from quintet.imap.commands import Item
from quintet.imap.notify_commands import (
    EVENTS,
    EXPUNGE,
    NEW,
    OF_MESSAGES,
    OF_SELECTED,
    Group,
    Notify,
    Where,
)
from quintet.imap.tokens import Cursor

MAX_GROUPS = 100  # of one command
MAX_NAMES = 1000  # mailboxes of one group
_EVENTS = {name.upper().encode("ascii"): name for name in EVENTS}


def notify(cursor: Cursor, tag: bytes) -> Notify:
    cursor.space()
    word = cursor.word()
    if word == b"NONE":
        return Notify(tag)
    if word != b"SET":
        raise BadSyntax("expected SET or NONE")
    cursor.space()
    status = cursor.peek() != b"("
    if status:
        if cursor.word() != b"STATUS":
            raise BadSyntax("expected STATUS or a group")
        cursor.space()
    groups = [_group(cursor)]
    while not cursor.at_end():
        cursor.space()
        if len(groups) == MAX_GROUPS:
            raise BadSyntax("too many groups", Reason.TOO_MANY)
        groups.append(_group(cursor))
    if sum(group.where in OF_SELECTED for group in groups) > 1:
        raise BadSyntax("the selected mailbox twice")  # RFC 5465 6.1
    return Notify(tag, tuple(groups), status)


def _group(cursor: Cursor) -> Group:
    cursor.expect(b"(")
    try:
        where = Where(cursor.word().decode("ascii"))
    except ValueError:
        raise BadSyntax("unknown mailbox specifier") from None
    names: tuple[bytes, ...] = ()
    cursor.space()
    if where in (Where.SUBTREE, Where.MAILBOXES):
        names = _names(cursor)
        cursor.space()
    events, items = _events(cursor)
    cursor.expect(b")")
    if where in OF_SELECTED:
        if events & set(EVENTS) - OF_MESSAGES:
            raise BadSyntax("only message events of the selected mailbox")  # RFC 5465 6.1
    elif items:
        raise BadSyntax("only of the selected mailbox can be fetched")  # RFC 5465 8
    both = {NEW, EXPUNGE}
    if events & OF_MESSAGES and not both <= events:  # RFC 5465 5
        raise BadSyntax("MessageNew and MessageExpunge go together, and before FlagChange")
    return Group(where, names, events, items)


def _names(cursor: Cursor) -> tuple[bytes, ...]:
    if not cursor.accept(b"("):
        return (cursor.astring(),)
    names = [cursor.astring()]
    while not cursor.accept(b")"):
        cursor.space()
        if len(names) == MAX_NAMES:
            raise BadSyntax("too many mailboxes", Reason.TOO_MANY)
        names.append(cursor.astring())
    return tuple(names)


def _events(cursor: Cursor) -> tuple[frozenset[str], tuple[Item, ...]]:
    if not cursor.accept(b"("):
        if cursor.word() != b"NONE":
            raise BadSyntax("expected events or NONE")
        return frozenset(), ()
    events: set[str] = set()
    items: tuple[Item, ...] = ()
    while True:
        word = cursor.word()
        event = _EVENTS.get(word, word.decode("ascii"))
        events.add(event)
        if len(events) > MAX_GROUPS:
            raise BadSyntax("too many events", Reason.TOO_MANY)
        if cursor.accept(b")"):
            return frozenset(events), items
        cursor.space()
        if event == NEW and cursor.peek() == b"(":
            items = fetch_grammar.data_items(cursor)
            if cursor.accept(b")"):
                return frozenset(events), items
            cursor.space()
