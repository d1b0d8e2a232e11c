"""Feeds: which articles other servers have not been offered yet, in ranges that are leased.

A feed is a place in the order in which articles were filed.  Whoever works for it takes the next range, and
says how far it came; what was put off is kept one by one.  Which articles a feed wants, and how they are
sent, is `delivery.feeds`'s business.
"""

from __future__ import annotations

from collections.abc import Sequence

from quintet.message.digest import Digest
from quintet.store import dialect
from quintet.store.db import Tx, bounded
from quintet.store.model import AccountId, BodyRef, FolderId, MessageId
from quintet.values import dataclass

LEASE_MS = 120_000  # a range that was not heard of for so long is taken by another
HEAD = 32 * 1024  # bytes of an article that are looked at to choose it
HEADS = 1024 * 1024  # bytes of headers that are read together, and one more header


@dataclass(frozen=True, slots=True)
class Lease:
    """A range of message rows, ours for a while."""

    id: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Listed:
    """An article as it is chosen."""

    row: MessageId
    message_id: str
    arrived_at: int
    size: int
    head: bytes  # its header with our lines, and perhaps more: whole, for nearly all


@dataclass(frozen=True, slots=True)
class Backlog:
    """What one feed has before it."""

    name: str
    ahead: int  # articles not looked at yet; counted up to COUNTED
    ranges: int  # of which somebody is sending some
    later: int  # put off
    oldest_at: int | None  # when the oldest of those ahead arrived
    paused: bool
    state: str


COUNTED = 100_000  # where counting ahead ends

_ARTICLE = (
    "SELECT h.id, m.message_id, h.arrived_at, m.size, m.prefix, substr(b.data, 1, ?), b.digest"
    " FROM history h JOIN message m ON m.id = h.id LEFT JOIN blob b ON b.id = m.blob_id"
)

_LEFT_RANGE = "SELECT 1 FROM feed_range WHERE name = ? AND lease_until <= ? LIMIT 1"
_DUE_ITEM = "SELECT 1 FROM feed_item WHERE name = ? AND due_at <= ? LIMIT 1"
_AHEAD = (
    "SELECT 1 FROM history WHERE id >= (SELECT next_row FROM feed WHERE name = ? AND paused = 0)"
    " AND gone = 0 AND arrived_at < ? LIMIT 1"
)


@bounded()
def open_feed(tx: Tx, name: str) -> None:
    """Makes a feed that begins with what is filed from now on; nothing if it is there."""
    last = tx.value("SELECT max(id) FROM history") or 0
    tx.run(
        "INSERT INTO feed (name, next_row, created_at) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING",
        name, last + 1, tx.now,
    )  # fmt: skip


@bounded()
def close_feed(tx: Tx, name: str) -> bool:
    """Forgets a feed and its backlog; False when there was none."""
    return tx.run("DELETE FROM feed WHERE name = ?", name) > 0


@bounded()
def skip(tx: Tx, name: str) -> None:
    """Drops the backlog: the feed goes on with what is filed from now on."""
    last = tx.value("SELECT max(id) FROM history") or 0
    tx.run("UPDATE feed SET next_row = ? WHERE name = ?", last + 1, name)
    tx.run("DELETE FROM feed_range WHERE name = ?", name)
    tx.run("DELETE FROM feed_item WHERE name = ?", name)


@bounded()
def rewind(tx: Tx, name: str, since: int) -> None:
    """Offers again what arrived at or after a time (ms)."""
    first = tx.value("SELECT min(id) FROM history WHERE arrived_at >= ? AND gone = 0", since)
    if first is not None:
        tx.run("UPDATE feed SET next_row = ? WHERE name = ? AND next_row > ?", first, name, first)
        _call(tx)


@bounded()
def pause(tx: Tx, name: str, paused: bool) -> None:
    tx.run("UPDATE feed SET paused = ? WHERE name = ?", int(paused), name)
    if not paused:
        _call(tx)


def _call(tx: Tx) -> None:
    """Wakes the feeds, as a new article in any group does: what they may send has changed."""
    found = tx.one("SELECT account_id, id FROM folder WHERE kind = 'group' LIMIT 1")
    if found is not None:
        tx.hint(AccountId(found[0]), FolderId(found[1]))


@bounded()
def note(tx: Tx, name: str, state: str) -> None:
    """What the last connection came to."""
    tx.run("UPDATE feed SET state = ? WHERE name = ?", state[:200], name)


@bounded()
def take(tx: Tx, name: str, owner: str, count: int, arrived_before: int) -> Lease | None:
    """Leases the next range of at most ``count`` articles that arrived before a time; None: there is none."""
    until = tx.now + LEASE_MS
    row = tx.one(
        "SELECT id, low, high FROM feed_range WHERE name = ? AND lease_until <= ? ORDER BY low LIMIT 1",
        name,
        tx.now,
    )
    if row is not None:
        tx.run("UPDATE feed_range SET lease_owner = ?, lease_until = ? WHERE id = ?", owner, until, row[0])
        return Lease(*row)
    feed = tx.one("SELECT next_row, paused FROM feed WHERE name = ?", name)
    if feed is None or feed[1]:
        return None
    high = tx.value(
        "SELECT max(id) FROM (SELECT id FROM history WHERE id >= ?"
        " AND gone = 0 AND arrived_at < ? ORDER BY id LIMIT ?) AS page", feed[0], arrived_before, count,
    )  # fmt: skip
    if high is None:
        return None
    lease = Lease(tx.new_ids(1), feed[0], high)
    tx.run("UPDATE feed SET next_row = ? WHERE name = ?", high + 1, name)
    tx.run(
        "INSERT INTO feed_range (id, name, low, high, lease_owner, lease_until) VALUES (?, ?, ?, ?, ?, ?)",
        lease.id, name, lease.low, lease.high, owner, until,
    )  # fmt: skip
    return lease


@bounded(lambda name, owner, moved, later=(), done=(): len(moved) + len(later) + len(done) <= 500)
def settle(
    tx: Tx,
    name: str,
    owner: str,
    moved: Sequence[tuple[int, int]],
    later: Sequence[tuple[int, int, int]] = (),
    done: Sequence[int] = (),
) -> None:
    """Notes what became of articles, in one transaction.

    ``moved``: (range, first row that is still open): the lease is renewed, a range that is through goes.
    ``later``: (row, due, attempts) that were put off.  ``done``: rows that had been put off, and are through.
    """
    for range_id, low in moved:
        tx.run(
            "UPDATE feed_range SET low = ?, lease_until = ? WHERE id = ? AND lease_owner = ?",
            low, tx.now + LEASE_MS, range_id, owner,
        )  # fmt: skip
        tx.run("DELETE FROM feed_range WHERE id = ? AND low > high", range_id)
    tx.many(
        "INSERT INTO feed_item (name, message_row, due_at, attempts) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (name, message_row) DO UPDATE SET due_at = excluded.due_at,"
        " attempts = excluded.attempts",
        [(name, *each) for each in later],
    )
    tx.many("DELETE FROM feed_item WHERE name = ? AND message_row = ?", [(name, row) for row in done])


@bounded()
def renew(tx: Tx, owner: str) -> None:
    """Keeps the leases of an owner."""
    tx.run("UPDATE feed_range SET lease_until = ? WHERE lease_owner = ?", tx.now + LEASE_MS, owner)


@bounded()
def give_back(tx: Tx, owner: str) -> None:
    """Ends all leases of an owner at once; others go on with them."""
    tx.run("UPDATE feed_range SET lease_until = 0 WHERE lease_owner = ?", owner)


def owners(tx: Tx, name: str) -> list[str]:
    """Who has leases of a feed."""
    return [owner for (owner,) in tx.all("SELECT DISTINCT lease_owner FROM feed_range WHERE name = ?", name)]


@bounded()
def take_later(tx: Tx, name: str, count: int) -> list[tuple[int, int]]:
    """Rows that were put off and are due: (row, attempts).  They are ours for the time of a lease."""
    rows = tx.all(
        "SELECT message_row, attempts FROM feed_item WHERE name = ? AND due_at <= ? ORDER BY due_at LIMIT ?",
        name, tx.now, count,
    )  # fmt: skip
    tx.many(
        "UPDATE feed_item SET due_at = ? WHERE name = ? AND message_row = ?",
        [(tx.now + LEASE_MS, name, row) for row, _ in rows],
    )
    return [(row, attempts) for row, attempts in rows]


def next_due(tx: Tx, name: str) -> int | None:
    """When the first article that was put off is due (ms)."""
    due: int | None = tx.value("SELECT min(due_at) FROM feed_item WHERE name = ?", name)
    return due


def waits(tx: Tx, name: str, arrived_before: int) -> bool:
    """Whether there is anything to take."""
    return (
        tx.one(_LEFT_RANGE, name, tx.now) is not None
        or tx.one(_DUE_ITEM, name, tx.now) is not None
        or tx.one(_AHEAD, name, arrived_before) is not None
    )


def listed(tx: Tx, low: int, high: int) -> tuple[list[Listed], int]:
    """The articles of a range that are still here, in their order, and where to go on.

    No more of them than `HEADS` has room for; to go on beyond ``high`` is not needed.
    """
    found: list[Listed] = []
    size = 0
    for row in tx.rows(
        f"{_ARTICLE} WHERE h.id BETWEEN ? AND ? AND h.gone = 0 ORDER BY h.id", HEAD, low, high
    ):
        one = _listed(row)
        found.append(one)
        size += len(one.head)
        if size >= HEADS:
            return found, one.row + 1
    return found, high + 1


def still_here(tx: Tx, numbers: Sequence[int]) -> list[tuple[int, str, int]]:
    """Those of the articles that are: row, Message-ID, bytes."""
    members, param = dialect.among(tx.engine, numbers)
    return tx.all(
        "SELECT h.id, m.message_id, m.size FROM history h JOIN message m ON m.id = h.id"
        f" WHERE h.id {members} AND h.gone = 0",
        param,
    )


def _listed(row: tuple[int, str, int, int, bytes, bytes | None, bytes | None]) -> Listed:
    number, message_id, arrived_at, size, prefix, data, digest = row
    if digest and (
        data is None or b"\r\n\r\n" not in data
    ):  # in a file, or a header longer than what was read
        data = _fields(digest)
    return Listed(MessageId(number), message_id, arrived_at, size, prefix + (data or b""))


def _fields(digest: bytes) -> bytes:
    return b"".join([b"%b: %b\r\n" % field for field in Digest.from_bytes(digest).headers]) + b"\r\n"


def bodies(tx: Tx, numbers: Sequence[int]) -> dict[int, BodyRef]:
    """The articles' bytes; of large ones only where they are."""
    members, param = dialect.among(tx.engine, numbers)
    rows = tx.all(
        "SELECT m.id, m.blob_id, m.prefix, m.size, b.dotless, b.sha256, b.place, b.data"
        f" FROM message m JOIN blob b ON b.id = m.blob_id WHERE m.id {members}", param,
    )  # fmt: skip
    return {row[0]: BodyRef(row[1], row[2], row[3], bool(row[4]), row[5], not row[6], row[7]) for row in rows}


def backlogs(tx: Tx) -> list[Backlog]:
    """Every feed, by name."""
    found = []
    for name, next_row, paused, state in tx.all(
        "SELECT name, next_row, paused, state FROM feed ORDER BY name"
    ):
        ahead = tx.value(
            "SELECT count(*) FROM (SELECT 1 FROM history WHERE id >= ? AND gone = 0 LIMIT ?) AS page",
            next_row,
            COUNTED,
        )
        oldest = tx.value(
            "SELECT arrived_at FROM history WHERE id >= ? AND gone = 0 ORDER BY id LIMIT 1", next_row
        )
        ranges = tx.value("SELECT count(*) FROM feed_range WHERE name = ?", name)
        later = tx.value("SELECT count(*) FROM feed_item WHERE name = ?", name)
        found.append(Backlog(name, ahead, ranges, later, oldest, bool(paused), state))
    return found


# --- what is fetched -------------------------------------------------------------------------------


def fetched_upto(tx: Tx, name: str) -> dict[str, int]:
    """How far each group of a server was fetched; with "" the time of the last look (ms)."""
    return dict(tx.all("SELECT folder, upto FROM pull WHERE name = ?", name))


@bounded()
def fetched(tx: Tx, name: str, folder: str, upto: int) -> None:
    """Notes how far; the articles up to there are filed, or not wanted."""
    tx.run(
        "INSERT INTO pull (name, folder, upto, looked_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (name, folder) DO UPDATE SET upto = excluded.upto, looked_at = excluded.looked_at",
        name, folder, upto, tx.now,
    )  # fmt: skip
