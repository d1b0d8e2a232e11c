"""Bringing articles over from another server: the same numbers, the same arrival, the same Xref.

`groups.file` gives the next number; here the numbers were given elsewhere, and what was brought so far is
noted in the same transaction, so that a run that was stopped goes on exactly where it was.
"""

from __future__ import annotations

from collections.abc import Sequence

from quintet.store import accounts, filing, folders, groups, history
from quintet.store.content import Content
from quintet.store.db import Tx
from quintet.store.model import Folder, FolderId, MessageId
from quintet.values import dataclass

MARK = "brought "  # settings of this name and a source say how far it was read


@dataclass(frozen=True, slots=True)
class Brought:
    """One article with its places there."""

    message_id: str  # with angle brackets
    places: tuple[tuple[FolderId, int], ...]  # group and number
    content: Content  # without Path and Xref
    path: bytes
    xref: bytes  # value, with the host
    received_at: int


def mark(tx: Tx, source: str) -> str:
    """How far a source was read; "" at the beginning."""
    found = tx.value("SELECT value FROM setting WHERE name = ?", MARK + source)
    return str(found or "")


def set_mark(tx: Tx, source: str, value: str) -> None:
    tx.run(
        "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE"
        " SET value = excluded.value", MARK + source, value,
    )  # fmt: skip


def make_group(tx: Tx, name: str, status: str, description: str, created_at: int, created_by: str) -> Folder:
    """A group as it was there; one that is here already is taken as it is.  Raises Refused(BAD_NAME)."""
    found = groups.find(tx, name)
    if found is not None:
        return found
    made = groups.create(tx, name, status, description, created_by=created_by)
    if created_at:
        tx.run("UPDATE folder SET created_at = ? WHERE id = ?", created_at, made.id)
    return folders.get(tx, made.id)


def bring(tx: Tx, articles: Sequence[Brought], source: str, value: str) -> int:
    """Files articles under their numbers, and notes how far the source was read; returns how many were new.

    An article whose Message-ID is known, or whose numbers are all taken, is passed over.
    """
    account = accounts.news(tx)
    modseq = accounts.next_modseq(tx, account.id)
    added = messages = size = 0
    for one in articles:
        places = [place for place in one.places if _is_free(tx, *place)]
        row_id = MessageId(tx.new_ids(1))
        if not places or not history.add(tx, one.message_id, row_id, one.received_at):
            continue
        prefix = b"Path: %b\r\nXref: %b\r\n" % (one.path, one.xref)
        filing.put_message(tx, one.content, prefix, one.xref, row_id)
        groups.note_end(tx, one.content, row_id)
        whole = len(prefix) + one.content.size
        first = tx.new_ids(len(places))
        for at, (folder_id, uid) in enumerate(places):
            tx.run(
                filing.ENTRY, folder_id, uid, 0, "", whole, one.received_at, modseq, row_id, first + at,
                tx.now, modseq, modseq, modseq,
            )  # fmt: skip
            tx.run(
                "UPDATE folder SET uid_next = CASE WHEN uid_next > ? THEN uid_next ELSE ? END,"
                " messages = messages + 1, unseen = unseen + 1, bytes = bytes + ?, highest_modseq = ?"
                " WHERE id = ?", uid, uid + 1, whole, modseq, folder_id,
            )  # fmt: skip
            tx.hint(account.id, folder_id)
        added += 1
        messages += len(places)
        size += whole * len(places)
    tx.run(
        "UPDATE account SET used_messages = used_messages + ?, used_bytes = used_bytes + ? WHERE id = ?",
        messages, size, account.id,
    )  # fmt: skip
    set_mark(tx, source, value)
    return added


def _is_free(tx: Tx, folder_id: FolderId, uid: int) -> bool:
    return tx.one("SELECT 1 FROM entry WHERE folder_id = ? AND uid = ?", folder_id, uid) is None


def settle_group(tx: Tx, folder_id: FolderId, high: int) -> None:
    """All of it is here: numbers go on above ``high``, the low mark is that of the first article."""
    folder = folders.get(tx, folder_id)
    uid_next = max(folder.uid_next, high + 1)
    lowest = tx.value("SELECT min(uid) FROM entry WHERE folder_id = ? AND hidden = 0", folder_id)
    low = uid_next if lowest is None else int(lowest)
    if (uid_next, low) == (folder.uid_next, folder.low):
        return
    modseq = accounts.next_modseq(tx, folder.account_id)
    tx.run(
        "UPDATE folder SET uid_next = ?, low = ?, highest_modseq = ? WHERE id = ?",
        uid_next, low, modseq, folder_id,
    )  # fmt: skip
    tx.hint(folder.account_id, folder_id)
