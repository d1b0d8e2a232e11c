"""What SEARCH may ask (RFC 9051 6.4.4, RFC 3501 6.4.4, RFC 4731, 5032, 6203, 7162 3.1.5, 8474, 8514).

Pure.  Texts stay octets: `matching` decodes them by the command's charset.  The commands that search in
other ways, SORT, THREAD and ESEARCH, are `find_grammar`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from quintet.errors import BadSyntax, Reason
from quintet.imap import annotation_grammar, commands, sets
from quintet.imap.commands import Compare, When
from quintet.imap.tokens import Cursor
from quintet.values import dataclass

MAX_DEPTH = 100  # nested parentheses, NOTs and ORs: clients write a list of ten addresses as nine ORs
MAX_KEYS = 1000  # keys of one search, OR and NOT among them: reading them takes 4 ms of the loop
RETURN = frozenset(
    (b"MIN", b"MAX", b"ALL", b"COUNT", b"SAVE",  # RFC 4731 3.1, RFC 5182 2.1
     b"PARTIAL", b"CONTEXT", b"UPDATE", b"RELEVANCY")  # RFC 9394 3.1, RFC 5267 4, RFC 6203 4
)  # fmt: skip
_PARTIAL = re.compile(rb"(-?)([1-9][0-9]{0,9}):(-?)([1-9][0-9]{0,9})")
FILTER_NAME = re.compile(rb'[^\x00-\x20(){%*"\\\]/\x7f-\xff]+')  # RFC 5466 4: filter-name

SEEN, ANSWERED, FLAGGED, DELETED, DRAFT = (commands.HasFlag(bit) for bit in (1, 2, 4, 8, 16))
_WORDS: dict[bytes, commands.Key] = {
    b"ALL": commands.Everything(),
    b"ANSWERED": ANSWERED,
    b"DELETED": DELETED,
    b"DRAFT": DRAFT,
    b"FLAGGED": FLAGGED,
    b"SEEN": SEEN,
    b"UNANSWERED": commands.Not(ANSWERED),
    b"UNDELETED": commands.Not(DELETED),
    b"UNDRAFT": commands.Not(DRAFT),
    b"UNFLAGGED": commands.Not(FLAGGED),
    b"UNSEEN": commands.Not(SEEN),
    b"RECENT": commands.IsRecent(),  # these three: RFC 3501 6.4.4
    b"OLD": commands.Not(commands.IsRecent()),
    b"NEW": commands.And((commands.IsRecent(), commands.Not(SEEN))),
    b"SAVEDATESUPPORTED": commands.Everything(),  # RFC 8514 4.3: every mailbox here has save dates
}
_DATES = {
    b"BEFORE": (When.RECEIVED, Compare.BELOW),
    b"ON": (When.RECEIVED, Compare.EQUAL),
    b"SINCE": (When.RECEIVED, Compare.FROM),
    b"SENTBEFORE": (When.SENT, Compare.BELOW),
    b"SENTON": (When.SENT, Compare.EQUAL),
    b"SENTSINCE": (When.SENT, Compare.FROM),
    b"SAVEDBEFORE": (When.SAVED, Compare.BELOW),  # RFC 8514 4.3
    b"SAVEDON": (When.SAVED, Compare.EQUAL),
    b"SAVEDSINCE": (When.SAVED, Compare.FROM),
}
_FIELDS = {name: name.title() for name in (b"BCC", b"CC", b"FROM", b"SUBJECT", b"TO")}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What RETURN asks for; the fields of `commands.Searching`."""

    give: frozenset[bytes] | None = None
    partial: tuple[int, int] | None = None
    items: tuple[commands.Item, ...] = ()


def search(cursor: Cursor, tag: bytes, *, uid: bool) -> commands.Search:
    cursor.space()
    asked = wanted(cursor)
    charset, key = criteria(cursor)
    check_scores(key, asked=b"RELEVANCY" in (asked.give or ()))
    return commands.Search(tag, uid, key, charset, asked.give, asked.partial, asked.items)


def criteria(cursor: Cursor) -> tuple[bytes, commands.Key]:
    """``[CHARSET x] key...`` up to the end: charset and key."""
    charset = b"UTF-8"  # RFC 9051 6.4.4; US-ASCII of RFC 3501 is its subset
    if word_is(cursor, b"CHARSET"):
        cursor.space()
        charset = cursor.astring()
        cursor.space()
    return charset, program(cursor)


def program(cursor: Cursor) -> commands.Key:
    """``key...`` up to the end."""
    return _Keys(cursor).program()


def word_is(cursor: Cursor, word: bytes) -> bool:
    """Moves past ``word`` if it comes next, in any case, and a space follows."""
    end = cursor.position + len(word)
    if cursor.data[cursor.position : end].upper() != word or cursor.data[end : end + 1] != b" ":
        return False
    cursor.position = end
    return True


def wanted(cursor: Cursor) -> Wanted:
    """``RETURN (...)`` and the space behind it, if it comes next; RFC 4731 3.1: ``RETURN ()`` means ALL."""
    if not word_is(cursor, b"RETURN"):
        return Wanted()
    cursor.space()
    cursor.expect(b"(")
    found: set[bytes] = set()
    part = None
    items: tuple[commands.Item, ...] = ()
    while not cursor.accept(b")"):
        if found:
            cursor.space()
        word = cursor.word()
        if word not in RETURN:
            raise BadSyntax("unknown return option")
        if word == b"PARTIAL":
            if part is not None:
                raise BadSyntax("two PARTIALs")
            cursor.space()
            part = partial(cursor)
        elif word == b"UPDATE" and cursor.accept(b" ("):  # RFC 5465 7
            from quintet.imap import fetch_grammar  # it knows this module

            cursor.position -= 1
            items = fetch_grammar.data_items(cursor)
        found.add(word)
    if {b"PARTIAL", b"ALL"} <= found:
        raise BadSyntax("PARTIAL and ALL exclude each other")  # RFC 9394 3.1
    cursor.space()
    return Wanted(frozenset(found or (b"ALL",)), part, items)


def partial(cursor: Cursor) -> tuple[int, int]:
    """``1:500`` or ``-1:-100`` (RFC 9394 4, partial-range), either end first: it is told as written."""
    found = _PARTIAL.match(cursor.data, cursor.position)
    if found is None or found[1] != found[3]:
        raise BadSyntax("expected a range like 1:100 or -1:-100")
    cursor.position = found.end()
    first, last = int(found[2]), int(found[4])
    if max(first, last) > sets.MAX_NUMBER:
        raise BadSyntax("number of more than 32 bits")
    return (-first, -last) if found[1] else (first, last)


def check_scores(key: commands.Key, *, asked: bool) -> None:
    """RFC 6203 4, 6: RELEVANCY needs a key that is FUZZY."""
    if asked and not is_fuzzy(key):
        raise BadSyntax("RELEVANCY needs a FUZZY key")


def is_fuzzy(key: commands.Key) -> bool:
    """True if some key within is FUZZY."""
    match key:
        case commands.Fuzzy():
            return True
        case commands.And(keys):
            return any(is_fuzzy(one) for one in keys)
        case commands.Or(left, right):
            return is_fuzzy(left) or is_fuzzy(right)
        case commands.Not(inner):
            return is_fuzzy(inner)
        case _:
            return False


class _Keys:
    """Recursive descent over the keys, with its bounds."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._count = 0

    def program(self, depth: int = 0, end: bytes = b"") -> commands.Key:
        """Keys up to ``end``, all of which must match."""
        cursor = self._cursor
        keys = [self._key(depth)]
        while not (cursor.accept(end) if end else cursor.at_end()):
            cursor.space()
            if not end and cursor.at_end():
                break
            keys.append(self._key(depth))
        return keys[0] if len(keys) == 1 else commands.And(tuple(keys))

    def _key(self, depth: int) -> commands.Key:
        self._count += 1
        if depth > MAX_DEPTH or self._count > MAX_KEYS:
            raise BadSyntax("search is too large", Reason.TOO_MANY)
        cursor = self._cursor
        if cursor.accept(b"("):
            return self.program(depth + 1, b")")
        if cursor.peek() in b"0123456789*$" and not cursor.at_end():
            return commands.Numbered(cursor.sequence_set(), uid=False)
        word = cursor.word()
        if word in _WORDS:
            return _WORDS[word]
        if word == b"NOT":
            cursor.space()
            return commands.Not(self._key(depth + 1))
        if word == b"FUZZY":
            cursor.space()
            return commands.Fuzzy(self._key(depth + 1))
        if word == b"OR":
            cursor.space()
            left = self._key(depth + 1)
            cursor.space()
            return commands.Or(left, self._key(depth + 1))
        build = _ARGUMENTS.get(word)
        if build is None:
            raise BadSyntax("unknown search key")
        cursor.space()
        return build(cursor, word)


def _dated(cursor: Cursor, word: bytes) -> commands.Key:
    when, compare = _DATES[word]
    return commands.Dated(when, compare, cursor.date())


def _field(cursor: Cursor, word: bytes) -> commands.Key:
    return commands.InHeader(_FIELDS[word], cursor.astring())


def _header(cursor: Cursor, _: bytes) -> commands.Key:
    field = cursor.astring()
    cursor.space()
    return commands.InHeader(field, cursor.astring())


def _keyword(cursor: Cursor, word: bytes) -> commands.Key:
    key = commands.HasKeyword(cursor.flag())
    return commands.Not(key) if word == b"UNKEYWORD" else key


def _filter(cursor: Cursor, _: bytes) -> commands.Key:
    found = FILTER_NAME.match(cursor.data, cursor.position)
    if found is None:
        raise BadSyntax("expected the name of a filter")
    cursor.position = found.end()
    return commands.Filtered(found[0])


def _beside(cursor: Cursor, word: bytes) -> commands.Key:
    """UIDAFTER, UIDBEFORE (RFC 9738 3.2)."""
    uid = cursor.number()
    if not uid:
        raise BadSyntax("no message has the UID 0")
    low, high = (uid + 1, sets.MAX_NUMBER) if word == b"UIDAFTER" else (1, uid - 1)
    if low > high:
        return commands.Nothing()
    return commands.Numbered(sets.NumberSet(((low, high),)), uid=True)


def _aged(cursor: Cursor, word: bytes) -> commands.Key:
    seconds = cursor.number()
    if not seconds:
        raise BadSyntax("interval of no seconds")  # RFC 5032 3: nz-number
    return commands.Aged(word == b"OLDER", seconds)


def _modseq(cursor: Cursor, _: bytes) -> commands.Key:
    """``MODSEQ ["entry" type] number``: entries of flags have no counters of their own here."""
    if cursor.peek() == b'"':
        cursor.string()
        cursor.space()
        if cursor.word() not in (b"PRIV", b"SHARED", b"ALL"):
            raise BadSyntax("unknown entry type")
        cursor.space()
    return commands.ChangedFrom(cursor.number64())


_ARGUMENTS: dict[bytes, Callable[[Cursor, bytes], commands.Key]] = {
    **dict.fromkeys(_DATES, _dated),
    **dict.fromkeys(_FIELDS, _field),
    b"HEADER": _header,
    b"KEYWORD": _keyword,
    b"UNKEYWORD": _keyword,
    b"BODY": lambda cursor, _: commands.InText(cursor.astring(), with_header=False),
    b"TEXT": lambda cursor, _: commands.InText(cursor.astring(), with_header=True),
    b"LARGER": lambda cursor, _: commands.Sized(Compare.ABOVE, cursor.number64()),
    b"SMALLER": lambda cursor, _: commands.Sized(Compare.BELOW, cursor.number64()),
    b"UID": lambda cursor, _: commands.Numbered(cursor.sequence_set(), uid=True),
    b"UIDAFTER": _beside,
    b"UIDBEFORE": _beside,
    b"OLDER": _aged,
    b"YOUNGER": _aged,
    b"MODSEQ": _modseq,
    b"FILTER": _filter,
    b"ANNOTATION": annotation_grammar.search_key,
    b"EMAILID": lambda cursor, _: commands.WithId(thread=False, value=cursor.atom()),
    b"THREADID": lambda cursor, _: commands.WithId(thread=True, value=cursor.atom()),
}
