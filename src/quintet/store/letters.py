"""Letters of a crowd: many in one transaction, a statement a table for all of them.

The same rows as `filing.add` writes for each; one letter for one folder takes seven statements there and a
third of the writer's time, here it is a row of each.  What a letter must be is decided in `delivery`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from quintet.store import dialect, filing, trace
from quintet.store.content import Content
from quintet.store.db import Tx
from quintet.store.model import (
    MAX_UID,
    AccountId,
    Added,
    EntryId,
    FolderId,
    MessageId,
    Modseq,
    Uid,
    pack_keywords,
)

FEW = 4  # folders of a letter; one for more is as well filed alone

_READ = (
    "SELECT f.id, f.uid_next, f.quota_bytes, f.bytes, f.quota_messages, f.messages, a.id, a.modseq,"
    " a.quota_bytes, a.used_bytes, a.quota_messages, a.used_messages"
    " FROM folder f JOIN account a ON a.id = f.account_id WHERE f.id {members}{locked}"
)
_TAKE = (
    "UPDATE account SET modseq = modseq + ?, used_bytes = used_bytes + ?, used_messages = used_messages + ?"
    " WHERE id = ?"
)
_NUMBER = (
    "UPDATE folder SET uid_next = uid_next + ?, messages = messages + ?, unseen = unseen + ?,"
    " bytes = bytes + ?, highest_modseq = ? WHERE id = ?"
)
_NO_KEYWORDS = pack_keywords(())


class Letter(msgspec.Struct, frozen=True):  # a third of what a dataclass costs to make
    """One letter to be filed, unread."""

    folder_ids: tuple[FolderId, ...]  # each once
    content: Content
    prefix: bytes  # whole header lines that we put before the content
    received_at: int  # UTC ms
    note: trace.Note


class _Count:
    """What an account or a folder gets, and how much more it may."""

    __slots__ = ("bytes", "letters", "quota")

    def __init__(self, quota: Sequence[Any]) -> None:
        self.quota = quota if quota[0] or quota[2] else None  # as `folders.check_quota` has it; None: none
        self.letters = self.bytes = 0

    def has_room(self, size: int, copies: int) -> bool:
        """For so many copies of a letter more than it got by now."""
        quota = self.quota
        if quota is None:
            return True
        limit, used, limit_letters, letters = quota
        grown = used + self.bytes + size * copies
        return not (
            (limit and grown > limit) or (limit_letters and letters + self.letters + copies > limit_letters)
        )


class _Owner(_Count):
    __slots__ = ("id", "modseq", "steps")

    def __init__(self, number: AccountId, modseq: Modseq, quota: Sequence[Any]) -> None:
        super().__init__(quota)
        self.id, self.modseq, self.steps = number, modseq, 0


class _Place(_Count):
    __slots__ = ("id", "modseq", "next", "owner")

    def __init__(self, number: FolderId, uid: Uid, owner: _Owner, quota: Sequence[Any]) -> None:
        super().__init__(quota)
        self.id, self.next, self.owner, self.modseq = number, uid, owner, Modseq(0)


def file_all(tx: Tx, letters: Sequence[Letter]) -> list[bool]:
    """Files those letters in which nothing is special; False: it was not, `filing.add` does it or tells why.

    Those are large ones, scanned ones, copies of what came a moment ago, ones for more than `FEW` folders,
    and where a folder is gone or full.  Each letter has a change number of its own in each account.
    """
    found = _places(tx, {each for one in letters for each in one.folder_ids})
    row_id = tx.new_ids(2 * len(letters) + sum([len(one.folder_ids) for one in letters]))
    now = tx.now
    blobs: list[tuple[object, ...]] = []
    messages: list[tuple[object, ...]] = []
    entries: list[tuple[object, ...]] = []
    notes: list[trace.Noted] = []
    rows: list[int] = []
    results = []
    for one in letters:
        content = one.content
        targets = [found[each] for each in one.folder_ids if each in found]
        size = len(one.prefix) + content.size
        if (
            not 0 < len(targets) <= FEW
            or len(targets) != len(one.folder_ids)
            or not _have_room(targets, size)
            or not filing.is_plain(content, row_id + 1)
        ):
            results.append(False)
            continue
        blob, message = filing.late_rows(content, row_id, one.prefix)
        blobs.append(blob)
        messages.append(message)
        owners = {place.owner for place in targets}
        for owner in owners:
            owner.modseq = Modseq(owner.modseq + 1)
            owner.steps += 1
        added = []
        for entry_id, place in enumerate(targets, row_id + 2):
            owner = place.owner
            modseq, uid = owner.modseq, place.next
            place.modseq = modseq
            entries.append(
                (
                    place.id, uid, 0, _NO_KEYWORDS, size, one.received_at, modseq, row_id, entry_id, now,
                    modseq, modseq, modseq,
                )
            )  # fmt: skip
            added.append(Added(place.id, uid, EntryId(entry_id), modseq))
            place.next = Uid(uid + 1)
            for count in (place, owner):
                count.letters += 1
                count.bytes += size
        notes.append((one.note, MessageId(row_id), content.message_id, added))
        rows.append(row_id)
        results.append(True)
        row_id += 2 + len(targets)
    if rows:
        filing.write_late(tx, blobs, messages)
        tx.many(filing.ENTRY, entries)
        trace.note_letters(tx, notes)
        tx.unrendered(rows)
        _count(tx, [place for place in found.values() if place.letters])
    return results


def _places(tx: Tx, folder_ids: Iterable[FolderId]) -> dict[FolderId, _Place]:
    members, param = dialect.among(tx.engine, folder_ids)
    locked = dialect.locked(tx.engine, "a.id, f.id")
    owners: dict[AccountId, _Owner] = {}
    places = {}
    for row in tx.all(_READ.format(members=members, locked=locked), param):
        owner = owners.get(row[6])
        if owner is None:
            owner = owners[row[6]] = _Owner(row[6], row[7], row[8:12])
        places[row[0]] = _Place(row[0], row[1], owner, row[2:6])
    return places


def _have_room(targets: Sequence[_Place], size: int) -> bool:
    for place in targets:
        if place.next > MAX_UID or not (place.has_room(size, 1) and place.owner.has_room(size, len(targets))):
            return False
    return True


def _count(tx: Tx, places: Sequence[_Place]) -> None:
    """Counts what was filed; none of it was seen or deleted."""
    owners = {place.owner for place in places}
    tx.many(_TAKE, [(it.steps, it.bytes, it.letters, it.id) for it in owners])
    tx.many(
        _NUMBER,
        [(it.letters, it.letters, it.letters, it.bytes, it.modseq, it.id) for it in places],
    )
    for place in places:
        tx.hint(place.owner.id, place.id)
