"""Articles from elsewhere, many in one transaction: numbers, headers of ours, rows and history.

The same rows as `groups.file` writes, a statement for all of them instead of one for each: an article costs
the writer a third of the time.  What an article must be is decided in `delivery`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from quintet.errors import Reason, Refused
from quintet.store import dialect, filing, history
from quintet.store.content import Content, Raw
from quintet.store.db import Tx, bounded
from quintet.store.groups import END, ends_at
from quintet.store.model import MAX_ARTICLE, NEWS, Added, EntryId, FolderId, MessageId, Modseq, Uid

AT_ONCE = 256  # articles of one call; more of them would hold the loop too long
KEPT = 50_000  # groups that `every_group` reads, 200 bytes each: more than the public hierarchies have

_BLOB = (
    "INSERT INTO blob (id, sha256, size, dotless, place, digest, data) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (sha256) DO NOTHING"
)
_COUNT = (
    "UPDATE folder SET uid_next = uid_next + ?, low = CASE messages WHEN 0 THEN low + ? ELSE low END,"
    " messages = messages + ?, unseen = unseen + ?, bytes = bytes + ?, highest_modseq = ? WHERE id = ?"
)
_GROUPS = "SELECT id, name, account_id, uid_next, quota_bytes, bytes, quota_messages, messages FROM folder"


class Filing(msgspec.Struct, frozen=True):  # a quarter of what a frozen dataclass costs to make
    """One article to be filed."""

    message_id: str  # with angle brackets
    group_ids: tuple[FolderId, ...]  # each once
    content: Content | Raw  # without Path and Xref
    path: bytes  # value of Path
    numbers: tuple[int, ...] = ()  # in the groups, where another server gives them; () for the next ones


class Place:
    """A group while a batch is filed."""

    __slots__ = (
        "added",
        "before_first",
        "grown",
        "id",
        "messages",
        "name",
        "next",
        "quota_bytes",
        "quota_messages",
        "skipped",
        "used",
    )

    def __init__(self, row: tuple[int, str, int, int, int, int, int, int]) -> None:
        self.id, self.name, _, self.next, self.quota_bytes, self.used, self.quota_messages, self.messages = (
            row
        )
        self.added = self.grown = 0
        self.skipped = self.before_first = 0  # numbers that nobody gets, as another server gave them

    def full(self, size: int) -> bool:
        """No number is left, or no room (0: no quota)."""
        return (
            self.next > MAX_ARTICLE
            or 0 < self.quota_messages <= self.messages + self.added
            or 0 < self.quota_bytes < self.used + self.grown + size
        )

    def skip_to(self, number: int) -> None:
        """The next article gets that number."""
        self.skipped += number - self.next
        self.next = number
        if not self.added:
            self.before_first = self.skipped


def groups(tx: Tx, names: Iterable[str]) -> dict[str, tuple[FolderId, str]]:
    """Number and status of those of the groups that are here, by name."""
    owner = tx.value("SELECT id FROM account WHERE name = ?", NEWS)
    table, param = dialect.listed(tx.engine, names)
    rows = tx.all(
        # the left side of a CROSS JOIN is read first: a probe for each name
        f"SELECT f.name, f.id, f.status FROM {table} CROSS JOIN folder f"
        " WHERE f.account_id = ? AND f.name = listed.value AND f.kind = 'group'", param, owner,
    )  # fmt: skip
    return {name: (FolderId(number), status) for name, number, status in rows}


def every_group(tx: Tx, limit: int = KEPT) -> dict[str, tuple[FolderId, str]]:
    """The same of all groups, or of ``limit`` of them."""
    rows = tx.all(
        "SELECT name, id, status FROM folder WHERE account_id = (SELECT id FROM account WHERE name = ?)"
        " AND kind = 'group' LIMIT ?",
        NEWS, limit,
    )  # fmt: skip
    return {name: (FolderId(number), status) for name, number, status in rows}


def groups_changed(tx: Tx) -> int:
    """Moves when a group gets another name or status, or goes; looks at all groups."""
    owner = tx.value("SELECT id FROM account WHERE name = ?", NEWS)
    changed = tx.value("SELECT max(changed_modseq) FROM folder WHERE account_id = ?", owner) or 0
    gone = tx.value("SELECT max(modseq) FROM folder_tombstone WHERE account_id = ?", owner) or 0
    return int(max(changed, gone))


@bounded(lambda filings, *_, **__: len(filings) <= AT_ONCE)
def file_all(
    tx: Tx,
    filings: Sequence[Filing],
    *,
    host: str,
    remembered: Sequence[str] = (),
    added: dict[MessageId, list[Added]] | None = None,
) -> list[MessageId | Reason]:
    """Files articles in their groups; for each its row, or why it was not filed.

    DUPLICATE: its Message-ID is known, from before or from earlier in the list.  NUMBERS_EXHAUSTED: a group
    is full.  NO_SUCH_FOLDER: one is gone.  ALREADY_EXISTS: a number that it should get has been given out.
    All of the batch share a change number.
    ``remembered``: more ids to note in the history.  ``added`` is filled with the places of each.
    """
    perhaps = tx.perhaps_known([one.message_id for one in filings])
    taken = history.among(tx, perhaps) if perhaps else set()
    account = tx.one("UPDATE account SET modseq = modseq + 1 WHERE name = ? RETURNING id, modseq", NEWS)
    if account is None:
        raise Refused(Reason.NO_SUCH_FOLDER)
    account_id, modseq = account
    members, param = dialect.among(tx.engine, {each for one in filings for each in one.group_ids})
    places = {
        row[0]: Place(row) for row in tx.all(f"{_GROUPS} WHERE id {members}", param) if row[2] == account_id
    }
    batch = _Batch(modseq, tx.now, host.encode())
    row_id = tx.new_ids(2 * len(filings) + sum([len(one.group_ids) for one in filings]))
    results: list[MessageId | Reason] = []
    for one in filings:
        if one.message_id in taken:
            results.append(Reason.DUPLICATE)
            continue
        targets = [places[each] for each in one.group_ids if each in places]
        if len(targets) != len(one.group_ids) or not targets:
            results.append(Reason.NO_SUCH_FOLDER)
            continue
        if any(place.full(one.content.size) for place in targets):
            results.append(Reason.NUMBERS_EXHAUSTED)
            continue
        if one.numbers:
            if any(number < place.next for place, number in zip(targets, one.numbers, strict=True)):
                results.append(Reason.ALREADY_EXISTS)
                continue
            for place, number in zip(targets, one.numbers, strict=True):
                place.skip_to(number)
        taken.add(one.message_id)
        tx.learn(one.message_id)
        results.append(MessageId(row_id))
        batch.add(one, row_id, targets)
        if added is not None:
            added[MessageId(row_id)] = [
                Added(FolderId(place.id), Uid(place.next - 1), EntryId(number), modseq)
                for number, place in enumerate(targets, row_id + 2)
            ]
        row_id += 2 + len(targets)
    batch.write(tx)
    used = [place for place in places.values() if place.added]
    tx.many(
        _COUNT,
        [
            (it.added + it.skipped, it.before_first, it.added, it.added, it.grown, modseq, it.id)
            for it in used
        ],
    )
    tx.run(
        "UPDATE account SET used_messages = used_messages + ?, used_bytes = used_bytes + ? WHERE id = ?",
        sum([place.added for place in used]), sum([place.grown for place in used]), account_id,
    )  # fmt: skip
    for place in used:
        tx.hint(account_id, FolderId(place.id))
    if remembered:
        history.remember_all(tx, remembered)
    return results


class _Batch:
    """The rows of a batch, table by table."""

    __slots__ = (
        "_blobs",
        "_ends",
        "_entries",
        "_history",
        "_host",
        "_messages",
        "_modseq",
        "_now",
        "_raw_blobs",
        "_raw_messages",
    )

    def __init__(self, modseq: Modseq, now: int, host: bytes) -> None:
        self._modseq, self._now, self._host = modseq, now, host
        self._blobs: list[tuple[object, ...]] = []
        self._messages: list[tuple[object, ...]] = []
        self._raw_blobs: list[tuple[object, ...]] = []
        self._raw_messages: list[tuple[object, ...]] = []
        self._entries: list[tuple[object, ...]] = []
        self._history: list[tuple[object, ...]] = []
        self._ends: list[tuple[object, ...]] = []

    def add(self, one: Filing, row_id: int, targets: Sequence[Place]) -> None:
        """``row_id`` is the message's; the blob has the next number, then the entries."""
        content, modseq, now = one.content, self._modseq, self._now
        words = [b"%b:%d" % (place.name.encode(), place.next) for place in targets]
        xref = b"%b %b" % (self._host, b" ".join(words))
        prefix = b"Path: %b\r\nXref: %b\r\n" % (one.path, xref)
        size = len(prefix) + content.size
        if type(content) is Raw:
            blob, message = filing.raw_rows(content, row_id, prefix, xref)
            self._raw_blobs.append(blob)
            self._raw_messages.append(message)
        else:
            assert isinstance(content, Content)
            self._blobs.append(filing.blob_row(content, row_id + 1))
            self._messages.append((row_id, content.sha256, prefix, *filing.derived(content, prefix, xref)))
            ends = ends_at(content)
            if ends is not None:
                self._ends.append((row_id, ends))
        self._history.append(history.row(one.message_id, row_id, now))
        rest = (0, "", size, now, modseq, row_id)
        last = (now, modseq, modseq, modseq)
        for entry_id, place in enumerate(targets, row_id + 2):
            self._entries.append((place.id, place.next, *rest, entry_id, *last))
            place.next += 1
            place.added += 1
            place.grown += size

    def write(self, tx: Tx) -> None:
        if self._blobs:
            tx.many(_BLOB, self._blobs)
            tx.many(filing.MESSAGE_BY_HASH, self._messages)
        if self._raw_blobs:
            tx.many(filing.RAW_BLOB, self._raw_blobs)
            tx.many(filing.RAW_MESSAGE, self._raw_messages)
        tx.many(filing.ENTRY, self._entries)
        tx.many(history.INSERT, self._history)
        if self._ends:
            tx.many(END, self._ends)
