"""FILTER: search criteria that are kept on the server under a name (RFC 5466 3).

They are annotations of the account, "/private/filters/values/NAME", else "/shared/filters/values/NAME".
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from quintet.errors import BadSyntax, Reason, Refused
from quintet.imap import answers, commands, effort, matching, search_grammar, uidonly
from quintet.imap.tokens import Cursor
from quintet.store import annotations as remarks
from quintet.store.model import AccountId

if TYPE_CHECKING:
    from quintet.imap.session import Session
    from quintet.store.db import Tx

MAX_PASSES = 10  # filters within filters (RFC 5466 3.1: at least 3); what goes on is a loop
MAX_FILTERS = 50  # looked up for one search
MAX_LEVELS = 200  # parentheses, NOTs and ORs of a search with all its filters: each is a call within a call
ROOT = "filters/values/"


def expand(session: Session, key: commands.Key, charset: bytes) -> tuple[commands.Key, bytes]:
    """The key with each FILTER replaced by what it stands for, and the charset of all its texts.

    Raises:
        Coded(UNDEFINED-FILTER): no such filter, one without end, or one that is no search (RFC 5466 3.1).
        BadSyntax: a charset that filters, which are in UTF-8, cannot be mixed with; numbers that are switched
            off (RFC 9586).
        Refused(TOO_MANY): more keys, or levels of them, in all than one search may have.
    """
    if not matching.any_key(key, lambda one: isinstance(one, commands.Filtered)):
        return key, charset
    if charset.upper() not in (b"UTF-8", b"US-ASCII"):
        raise BadSyntax("filters are in UTF-8", Reason.UNKNOWN_CHARSET)
    expanded = _Expansion(session, key).expand(key, 0)
    if session.uid_only and uidonly.counts(expanded):
        raise uidonly.required()
    return expanded, b"UTF-8"


class _Expansion:
    def __init__(self, session: Session, key: commands.Key) -> None:
        self._session = session
        self._looked = 0
        self._keys = effort.keys(key)

    def expand(self, key: commands.Key, depth: int, level: int = 0) -> commands.Key:
        """``depth`` in filters, ``level`` in keys."""
        if level > MAX_LEVELS:
            raise Refused(Reason.TOO_MANY, "search is too large")
        inside = functools.partial(self.expand, depth=depth, level=level + 1)
        match key:
            case commands.Filtered(name):
                return self._filter(name, depth + 1, level)
            case commands.And(keys):
                return commands.And(tuple(map(inside, keys)))
            case commands.Or(left, right):
                return commands.Or(inside(left), inside(right))
            case commands.Not(inner):
                return commands.Not(inside(inner))
            case commands.Fuzzy(inner):
                return commands.Fuzzy(inside(inner))
            case _:
                return key

    def _filter(self, name: bytes, depth: int, level: int) -> commands.Key:
        self._looked += 1
        if depth > MAX_PASSES or self._looked > MAX_FILTERS:
            raise undefined(name)
        value = self._session.house.store.peek(value_of, self._session.user.account_id, name.decode("ascii"))
        if value is None:
            raise undefined(name)
        try:
            key = parse(value)
        except BadSyntax:
            raise undefined(name) from None
        self._keys += effort.keys(key)
        if self._keys > search_grammar.MAX_KEYS:
            raise Refused(Reason.TOO_MANY, "search is too large")
        return self.expand(key, depth, level)


def undefined(name: bytes) -> Refused:
    return answers.Coded(b"UNDEFINED-FILTER " + name, Reason.NO_SUCH_MESSAGE, "no such filter")


def parse(value: bytes) -> commands.Key:
    """The criteria of a filter.  Raises BadSyntax: it is not a search (RFC 5466 3.2)."""
    cursor = Cursor(value.strip())
    key = search_grammar.program(cursor)
    cursor.end()
    return key


def check(entry: str, value: bytes | None) -> None:
    """Raises Refused: an entry of the server that is to be a filter, and is none (RFC 5466 3.2, 4)."""
    _, _, name = entry.partition(f"/{ROOT}")
    if not name or not entry.startswith((f"/private/{ROOT}", f"/shared/{ROOT}")) or value is None:
        return
    if search_grammar.FILTER_NAME.fullmatch(name.encode("ascii")) is None:
        raise Refused(Reason.BAD_NAME, "no name of a filter")
    try:
        value.decode("utf-8")
        parse(value)
    except (BadSyntax, UnicodeDecodeError):
        raise Refused(Reason.BAD_CONTENT, "not a search") from None


def value_of(tx: Tx, account_id: AccountId, name: str) -> bytes | None:
    """A filter's criteria: the account's own, else the one that all share."""
    path = ROOT + name.lower()
    for reader in (account_id, remarks.SHARED):
        kept = remarks.get(tx, account_id, remarks.ON_ACCOUNT, reader)
        if path in kept:
            return kept[path]
    return None
