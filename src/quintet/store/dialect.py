"""Where SQLite and PostgreSQL differ: schema words, placeholders, sets as parameters, joined lines.

Everything else in the store is written once, in what both take.  Rules that keep it so: ``?`` as
placeholder and no per cent sign in SQL; ``ON CONFLICT`` instead of catching an error (a failed
statement ends a PostgreSQL transaction); no scalar ``max``; no NUL in text.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal

Engine = Literal["sqlite", "postgresql"]

SQLITE: Final = "sqlite"
POSTGRESQL: Final = "postgresql"

_WORDS = [
    (re.compile(r"\bINTEGER\b"), "BIGINT"),
    (re.compile(r"\bBLOB\b"), "BYTEA"),
    (re.compile(r"\)\s*WITHOUT ROWID\b"), ")"),
    (re.compile(r"^--@postgresql ", re.MULTILINE), ""),
]


def schema(sql: str, engine: Engine) -> str:
    """A schema file as ``engine`` takes it."""
    if engine == SQLITE:
        return sql
    for pattern, word in _WORDS:
        sql = pattern.sub(word, sql)
    return sql


@functools.lru_cache(maxsize=1024)
def placeholders(sql: str) -> str:
    """``?`` to ``%s``; our SQL holds neither a quoted question mark nor a per cent sign."""
    return sql.replace("?", "%s")


def among(engine: Engine, values: Iterable[int] | Iterable[str]) -> tuple[str, object]:
    """``column IN values`` for any number of values: the SQL after the column, and its one parameter."""
    every: list[object] = list(values)
    if len(every) == 1:
        return "= ?", every[0]
    if engine == SQLITE:
        return "IN (SELECT value FROM json_each(?))", json.dumps(every)
    return "= ANY(?)", every


def numbered(engine: Engine, numbers: Sequence[int]) -> tuple[str, tuple[object, ...]]:
    """As `among`, for ascending numbers: a run of them, as most sets are, is a range and a third cheaper."""
    if len(numbers) > 1 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return "BETWEEN ? AND ?", (numbers[0], numbers[-1])
    members, param = among(engine, numbers)
    return members, (param,)


def listed(engine: Engine, values: Iterable[str]) -> tuple[str, object]:
    """A table ``listed`` of one column ``value``, to be read first; and its one parameter."""
    every = list(values)
    return ("json_each(?) AS listed", json.dumps(every)) if engine == SQLITE else (_LISTED, every)


_LISTED = "unnest(CAST(? AS text[])) AS listed (value)"


def locked(engine: Engine, order: str) -> str:
    """The end of a SELECT of rows that will be changed: nobody changes them meanwhile.

    SQLite has one writer.  ``order`` (columns) is that in which they are locked, so that two wait for no
    third.
    """
    return "" if engine == SQLITE else f" ORDER BY {order} FOR UPDATE"


def joined_lines(engine: Engine, number: str, octets: str) -> str:
    """An aggregate: "number TAB octets CRLF" of every row, one after the other, as bytes.

    The subquery it is used on must be ordered; both engines then keep the order.
    """
    if engine == SQLITE:
        # group_concat casts a BLOB to TEXT byte by byte and back, nothing is validated in between
        return f"CAST(group_concat({number} || x'09' || {octets}, x'0d0a') || x'0d0a' AS BLOB)"
    return (
        f"string_agg(convert_to(CAST({number} AS TEXT), 'UTF8') || '\\x09'::bytea || {octets}"
        " || '\\x0d0a'::bytea, ''::bytea)"
    )


def joined_numbers(engine: Engine, column: str) -> str:
    """An aggregate: "1,2,5" of every row of an ordered subquery."""
    if engine == SQLITE:
        return f"group_concat({column})"
    return f"string_agg(CAST({column} AS TEXT), ',')"
