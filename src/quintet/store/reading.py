"""Reading: the trace's note of who read a message, so that `quintet trace` can tell whether it was seen.

A note is for people who ask where a letter went, not an audit: what is read beyond `MOST` messages of one
command or session is not noted, so that marking a whole folder as read costs nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from quintet.store import dialect, receipts, trace
from quintet.store.db import Tx, bounded
from quintet.store.model import AccountId, FolderId, MessageId

EVENT = "read"
MOST = 100  # messages noted of one command: about a millisecond

Read = tuple[MessageId, str]  # the message's row and its Message-ID


class Opened(trace.Note, frozen=True):
    """The message was shown to its owner, not only marked as read."""


def by(conn: str, account_id: AccountId, protocol: str, *, opened: bool = True) -> trace.Note:
    """Who reads: a connection, its account, and the protocol's name as people know it.

    ``opened``: the body was fetched, so that its sender may be told (`receipts`).
    """
    return (Opened if opened else trace.Note)(conn, EVENT, account_id, {"by": protocol})


@bounded()
def entries(tx: Tx, one: trace.Note, folder_id: FolderId, numbers: Sequence[int]) -> None:
    """Notes the entries with these numbers, the first `MOST` that are there."""
    if not numbers:
        return
    if isinstance(one, Opened) and one.account_id is not None:
        receipts.due(tx, one.account_id, folder_id, numbers[:MOST])
    members, param = dialect.among(tx.engine, numbers[:MOST])
    messages(
        tx,
        one,
        tx.all(
            "SELECT m.id, m.message_id FROM entry e JOIN message m ON m.id = e.message_id"
            f" WHERE e.folder_id = ? AND e.uid {members} ORDER BY e.uid",
            folder_id, param,
        ),
    )  # fmt: skip


@bounded()
def messages(tx: Tx, one: trace.Note, read: Iterable[Read]) -> None:
    """Notes messages that the caller knows, the first `MOST`."""
    trace.add_all(tx, one, list(islice(read, MOST)))
