"""SORT, THREAD, ESEARCH and CANCELUPDATE (RFC 5256 5, RFC 5957, RFC 5267 5, RFC 7377 4).

Pure.  Their search keys are `search_grammar`'s.
"""

from __future__ import annotations

from quintet.errors import BadSyntax, Reason
from quintet.imap import annotation_grammar, find_commands, search_grammar
from quintet.imap.find_commands import Criterion, Source
from quintet.imap.tokens import Cursor

MAX_CRITERIA = 20  # there are ten keys; more cannot change an order
MAX_SOURCES = 1000  # mailboxes named in one ESEARCH
MAX_TAGS = 100  # of one CANCELUPDATE; a session has fewer contexts
CRITERIA = frozenset(
    (b"ARRIVAL", b"CC", b"DATE", b"FROM", b"SIZE", b"SUBJECT", b"TO",  # RFC 5256 3
     b"DISPLAYFROM", b"DISPLAYTO", b"RELEVANCY",  # RFC 5957 3, RFC 6203 6
     b"MODSEQ", b"UID")  # SORT=MODSEQ and SORT=UID, as Cyrus has them
)  # fmt: skip
ALGORITHMS = frozenset((b"ORDEREDSUBJECT", b"REFERENCES", b"REFS"))
_WHOLE = frozenset((b"SELECTED", b"INBOXES", b"PERSONAL", b"SUBSCRIBED"))
_NAMED = frozenset((b"SUBTREE", b"SUBTREE-ONE", b"MAILBOXES"))


def sort(cursor: Cursor, tag: bytes, *, uid: bool) -> find_commands.Sort:
    cursor.space()
    asked = search_grammar.wanted(cursor)
    cursor.expect(b"(")
    criteria: list[Criterion] = []
    while not criteria or not cursor.accept(b")"):
        if criteria:
            cursor.space()
        if len(criteria) == MAX_CRITERIA:
            raise BadSyntax("too many sort criteria", Reason.TOO_MANY)
        criteria.append(_criterion(cursor))
    cursor.space()
    charset = cursor.astring()
    cursor.space()
    key = search_grammar.program(cursor)
    by_score = any(one.name == b"RELEVANCY" for one in criteria)
    search_grammar.check_scores(key, asked=by_score or b"RELEVANCY" in (asked.give or ()))
    return find_commands.Sort(tag, uid, key, charset, asked.give, asked.partial, asked.items, tuple(criteria))


def _criterion(cursor: Cursor) -> Criterion:
    word = cursor.word()
    reverse = word == b"REVERSE"
    if reverse:
        cursor.space()
        word = cursor.word()
    if word == b"ANNOTATION":
        return Criterion(word, reverse, *annotation_grammar.sort_key(cursor))
    if word not in CRITERIA:
        raise BadSyntax("unknown sort criterion")
    return Criterion(word, reverse)


def thread(cursor: Cursor, tag: bytes, *, uid: bool) -> find_commands.Thread:
    cursor.space()
    algorithm = cursor.word()
    if algorithm not in ALGORITHMS:
        raise BadSyntax("unknown threading algorithm")
    cursor.space()
    charset = cursor.astring()
    cursor.space()
    return find_commands.Thread(tag, uid, algorithm, search_grammar.program(cursor), charset)


def multi_search(cursor: Cursor, tag: bytes) -> find_commands.MultiSearch:
    cursor.space()
    sources: tuple[Source, ...] = ()
    if search_grammar.word_is(cursor, b"IN"):
        cursor.space()
        sources = _sources(cursor)
        cursor.space()
    asked = search_grammar.wanted(cursor)
    give = asked.give
    if give is not None and b"SAVE" in give and any(one.kind != b"SELECTED" for one in sources):
        raise BadSyntax("SAVE is for the selected mailbox alone")  # RFC 7377 2.2
    charset, key = search_grammar.criteria(cursor)
    search_grammar.check_scores(key, asked=b"RELEVANCY" in (give or ()))
    give = give or frozenset((b"ALL",))
    return find_commands.MultiSearch(tag, True, key, charset, give, asked.partial, asked.items, sources)


def _sources(cursor: Cursor) -> tuple[Source, ...]:
    """``(mailboxes "a" subtree (b c) personal)`` (RFC 7377 4, esearch-source-opts)."""
    cursor.expect(b"(")
    found: list[Source] = []
    count = 0
    while not found or not cursor.accept(b")"):
        if found:
            cursor.space()
        if cursor.peek() == b"(":
            raise BadSyntax("unknown scope option")  # RFC 7377 4: none is defined
        source = _source(cursor)
        count += len(source.names) or 1
        if count > MAX_SOURCES:
            raise BadSyntax("too many mailboxes", Reason.TOO_MANY)
        found.append(source)
    return tuple(found)


def _source(cursor: Cursor) -> Source:
    kind = cursor.word()
    if kind in _WHOLE:
        return Source(kind)
    if kind not in _NAMED:
        raise BadSyntax("unknown source of mailboxes")
    cursor.space()
    if not cursor.accept(b"("):
        return Source(kind, (cursor.astring(),))
    names = [cursor.astring()]
    while not cursor.accept(b")"):
        cursor.space()
        if len(names) == MAX_SOURCES:
            raise BadSyntax("too many mailboxes", Reason.TOO_MANY)
        names.append(cursor.astring())
    return Source(kind, tuple(names))


def cancel_update(cursor: Cursor, tag: bytes) -> find_commands.CancelUpdate:
    tags: list[bytes] = []
    while not tags or not cursor.at_end():
        if len(tags) == MAX_TAGS:
            raise BadSyntax("too many tags", Reason.TOO_MANY)
        cursor.space()
        tags.append(cursor.astring())
    return find_commands.CancelUpdate(tag, tuple(tags))
