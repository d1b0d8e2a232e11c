"""What SEARCH may ask (RFC 9051 6.4.4, RFC 3501 6.4.4, RFC 4731, 5032, 7162 3.1.5, 8474, 8514).

Pure.  Texts stay octets: `cmd.search` decodes them by the command's charset.
"""

from __future__ import annotations

from collections.abc import Callable

from quintet.errors import BadSyntax, Reason
from quintet.imap import commands
from quintet.imap.commands import Compare, When
from quintet.imap.tokens import Cursor

MAX_DEPTH = 100  # nested parentheses, NOTs and ORs: clients write a list of ten addresses as nine ORs
MAX_KEYS = 2000  # keys of one search
RETURN = frozenset((b"MIN", b"MAX", b"ALL", b"COUNT", b"SAVE"))

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


def search(cursor: Cursor, tag: bytes, *, uid: bool) -> commands.Search:
    cursor.space()
    give = None
    charset = b"UTF-8"  # RFC 9051 6.4.4; US-ASCII of RFC 3501 is its subset
    if _word_is(cursor, b"RETURN"):
        cursor.space()
        give = _return(cursor)
        cursor.space()
    if _word_is(cursor, b"CHARSET"):
        cursor.space()
        charset = cursor.astring()
        cursor.space()
    keys = _Keys(cursor)
    return commands.Search(tag, uid, keys.program(), charset, give)


def _word_is(cursor: Cursor, word: bytes) -> bool:
    """Moves past ``word`` if it comes next, in any case, and a space follows."""
    end = cursor.position + len(word)
    if cursor.data[cursor.position : end].upper() != word or cursor.data[end : end + 1] != b" ":
        return False
    cursor.position = end
    return True


def _return(cursor: Cursor) -> frozenset[bytes]:
    """RFC 4731 3.1: ``RETURN ()`` means ALL."""
    cursor.expect(b"(")
    found: set[bytes] = set()
    while not cursor.accept(b")"):
        if found:
            cursor.space()
        word = cursor.word()
        if word not in RETURN:
            raise BadSyntax("unknown return option")
        found.add(word)
    return frozenset(found or (b"ALL",))


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
    b"OLDER": _aged,
    b"YOUNGER": _aged,
    b"MODSEQ": _modseq,
    b"EMAILID": lambda cursor, _: commands.WithId(thread=False, value=cursor.atom()),
    b"THREADID": lambda cursor, _: commands.WithId(thread=True, value=cursor.atom()),
}
