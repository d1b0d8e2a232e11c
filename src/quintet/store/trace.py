"""Trace: what happened to a message, in every protocol, for people who ask where it went."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from quintet.store import history
from quintet.store.db import Tx, bounded
from quintet.store.model import AccountId, Added, MessageId
from quintet.values import dataclass

_pack = msgspec.json.Encoder().encode
_INSERT = (
    "INSERT INTO trace (id, at, conn, event, account_id, message_row, message_id, detail)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_COLUMNS = "at, conn, event, account_id, message_row, message_id, detail"
_NAMED = "message_id"  # among the details
NEAR = 70_000  # numbers that one transaction gives out at most to articles, their places and their lines here


class Note(msgspec.Struct, frozen=True):  # as `letters.Letter`
    """What `entries.add` writes along with the message: one row in the same commit."""

    conn: str
    event: str
    account_id: AccountId | None = None
    detail: Mapping[str, Any] = {}  # Any: JSON


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the trace."""

    at: int
    conn: str
    event: str
    account_id: AccountId | None
    message_row: MessageId | None
    message_id: str
    detail: dict[str, Any]


@bounded()
def add(
    tx: Tx,
    at: int,
    conn: str,
    event: str,
    account_id: AccountId | None = None,
    message_id: str = "",
    detail: Mapping[str, Any] | None = None,
    *,
    message_row: MessageId | None = None,
) -> None:
    """Writes one event."""
    packed = _packed(detail) if detail else "{}"
    tx.run(_INSERT, tx.new_ids(1), at, conn, event, account_id, message_row, message_id, packed)


def add_all(tx: Tx, one: Note, messages: Sequence[tuple[MessageId, str]]) -> None:
    """Writes the same of many messages, each its row and Message-ID, in one statement."""
    if not messages:
        return
    packed = _packed(one.detail) if one.detail else "{}"
    _add_all(tx, [(one, row, message_id, packed) for row, message_id in messages])


def _add_all(tx: Tx, lines: Sequence[tuple[Note, MessageId | None, str, str]]) -> None:
    """Notes with the row and the Message-ID of their messages, and the detail as the column has it."""
    first = tx.new_ids(len(lines))
    tx.many(
        _INSERT,
        [
            (number, tx.now, one.conn, one.event, one.account_id, row, message_id, packed)
            for number, (one, row, message_id, packed) in enumerate(lines, first)
        ],
    )


def _packed(detail: Mapping[str, Any]) -> str:
    try:
        return _pack(detail).decode()
    except UnicodeEncodeError:  # half a surrogate pair, from a name that was no UTF-8
        return json.dumps(detail, separators=(",", ":"))


def note_articles(tx: Tx, notes: Sequence[tuple[Note, MessageId, str, Sequence[Added]]]) -> None:
    """`note` of many articles that this transaction filed: each with its row, Message-ID and places.

    The Message-ID stands among the details, and `_of_article` finds them by the history: the index of its
    column has keys in random order, so that each article would dirty another page.
    """
    _add_all(
        tx,
        [
            (one, row, "", _packed(_with_places(one, places) | {_NAMED: message_id}))
            for one, row, message_id, places in notes
        ],
    )


Noted = tuple[Note, MessageId | None, str, Sequence[Added]]
"""A note, the row (if it is known) and the Message-ID of its message, and where that was put."""


def note_letters(tx: Tx, notes: Sequence[Noted]) -> None:
    """`note` of many messages."""
    _add_all(
        tx,
        [
            (one, row, message_id, _packed(_with_places(one, places)))
            for one, row, message_id, places in notes
        ],
    )


def _with_places(one: Note, places: Sequence[Added]) -> dict[str, Any]:
    detail = dict(one.detail)
    if places:
        detail["places"] = [[place.folder_id, place.uid] for place in places]
    return detail


def note(
    tx: Tx, one: Note, *, message_row: MessageId | None, message_id: str, places: Sequence[Added] = ()
) -> None:
    """Writes a note with the places where the message went."""
    detail = _with_places(one, places)
    add(tx, tx.now, one.conn, one.event, one.account_id, message_id, detail, message_row=message_row)


def follow(tx: Tx, message_id: str, limit: int = 1000) -> list[Event]:
    """All that is known of a message, oldest first."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM trace WHERE message_id = ? ORDER BY at, id LIMIT ?", message_id, limit
    )
    rows = sorted(_of_article(tx, message_id) + rows, key=lambda row: int(row[0]))
    return [_event(row) for row in rows[:limit]]


def _of_article(tx: Tx, message_id: str) -> list[tuple[Any, ...]]:
    """What `note_articles` wrote when it was filed."""
    row = history.row_of(tx, message_id)
    if row is None:
        return []
    return tx.all(
        # its number was given out in the same transaction
        f"SELECT {_COLUMNS} FROM trace WHERE id > ? AND id < ? AND message_row = ? AND message_id = ''"
        " LIMIT 1", row, row + NEAR, row,
    )  # fmt: skip


def left_for(tx: Tx, message_id: str, address: str) -> bool:
    """A message of that name went on to a host, for that recipient."""
    needle = json.dumps(address.lower(), ensure_ascii=False)
    for character in "\\%_":
        needle = needle.replace(character, "\\" + character)
    found = tx.value(
        "SELECT 1 FROM trace WHERE message_id = ? AND event = 'relayed' AND lower(detail) LIKE ? ESCAPE '\\'"
        " LIMIT 1", message_id, f'%"to":{needle}%',
    )  # fmt: skip
    return found is not None


def recent(tx: Tx, limit: int = 100) -> list[Event]:
    """The last events of all messages, newest first."""
    rows = tx.all(f"SELECT {_COLUMNS} FROM trace ORDER BY id DESC LIMIT ?", limit)
    return [_event(row) for row in rows]


def of_event(tx: Tx, event: str, limit: int = 100) -> list[Event]:
    """The last events of a kind, newest first; looks at what the trace keeps."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM trace WHERE event = ? ORDER BY at DESC, id DESC LIMIT ?", event, limit
    )
    return [_event(row) for row in rows]


def _event(row: tuple[Any, ...]) -> Event:
    detail = json.loads(row[6])
    return Event(row[0], row[1], row[2], row[3], row[4], row[5] or detail.pop(_NAMED, ""), detail)


def sweep(tx: Tx, before: int, limit: int = 5000) -> int:
    """Forgets what is older; returns how many rows went.  Stops at the first that is not."""
    upto = 0
    for number, at in tx.all("SELECT id, at FROM trace ORDER BY id LIMIT ?", limit):
        if at >= before:
            break
        upto = number
    return tx.run("DELETE FROM trace WHERE id <= ?", upto) if upto else 0
