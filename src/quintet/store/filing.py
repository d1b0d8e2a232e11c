"""Filing: one content becomes a blob, a message and an entry in each folder.

Five statements for a letter to one folder; each costs the writer about 5 us.  Numbers are taken from
the rows of account and folder, under their locks, so that they become visible in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

from quintet.errors import Reason, Refused, TryLater
from quintet.store import folders, spreading, trace
from quintet.store.content import READY, Content, Raw
from quintet.store.db import Tx, bounded
from quintet.store.model import (
    DELETED,
    MAX_UID,
    SEEN,
    AccountId,
    Added,
    BlobId,
    EntryId,
    FolderId,
    MessageId,
    Modseq,
    Uid,
    pack_keywords,
    text_key,
)

MAX_TEXT = 1000  # characters of a sort column; more does not change an order that anybody sees

_TAKE = (
    "UPDATE account SET modseq = modseq + 1, used_bytes = used_bytes + ?, used_messages = used_messages + 1"
    " WHERE id = (SELECT account_id FROM folder WHERE id = ?)"
    " RETURNING id, modseq, quota_bytes, used_bytes, quota_messages, used_messages"
)
_NUMBER = (
    "UPDATE folder SET uid_next = uid_next + 1, messages = messages + 1, unseen = unseen + ?,"
    " deleted = deleted + ?, bytes = bytes + ?, highest_modseq = ? WHERE id = ?"
    " RETURNING uid_next, quota_bytes, bytes, quota_messages, messages"
)
_BLOB = (
    "INSERT INTO blob (id, sha256, size, dotless, place, digest, data) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (sha256) DO NOTHING"
)
_DERIVED = (
    "envelope", "bodystructure", "overview", "body", "size", "lines", "message_key", "sent_at", "thread_key",
    "from_mailbox", "to_mailbox", "cc_mailbox", "from_display", "to_display", "base_subject", "is_reply",
    "ready", "message_id", "refs",
)  # fmt: skip
_MESSAGE = (
    f"INSERT INTO message (id, blob_id, prefix, {', '.join(_DERIVED)})"
    f" VALUES (?, ?, ?{', ?' * len(_DERIVED)})"
)
# of what is rendered when somebody asks: its blob is its own (`raw_key`)
RAW_BLOB = "INSERT INTO blob (id, sha256, size, dotless, place, digest, data) VALUES (?, ?, ?, ?, 0, ?, ?)"
_RAW = {
    **dict.fromkeys(("message_key", "thread_key", "is_reply", "ready"), "0"),
    **dict.fromkeys(
        ("from_mailbox", "to_mailbox", "cc_mailbox", "from_display", "to_display", "base_subject", "refs"),
        "''",
    ),
}
RAW_MESSAGE = (
    f"INSERT INTO message (id, blob_id, prefix, {', '.join(_DERIVED)})"
    f" VALUES (?, ?, ?, {', '.join([_RAW.get(name, '?') for name in _DERIVED])})"
)
# for many at once: whether its blob was new or there before does not matter
MESSAGE_BY_HASH = _MESSAGE.replace("(?, ?, ", "(?, (SELECT id FROM blob WHERE sha256 = ?), ", 1)
# of a letter that is rendered when somebody asks (`late_rows`): found by its Message-ID, unlike an article
_LATE = {name: value for name, value in _RAW.items() if name not in {"message_key", "thread_key"}}
LATE_MESSAGE = (
    f"INSERT INTO message (id, blob_id, prefix, {', '.join(_DERIVED)})"
    f" VALUES (?, ?, ?, {', '.join([_LATE.get(name, '?') for name in _DERIVED])})"
)
_REFRESH = f"UPDATE message SET {', '.join(f'{name} = ?' for name in _DERIVED)} WHERE id = ?"
ENTRY = (
    "INSERT INTO entry (folder_id, uid, flags, keywords, size, received_at, modseq, message_id, id, saved_at,"
    " content_modseq, read_modseq, created_modseq) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


# where bodies without a hash were put lately; who finds one looks whether it is there, and the same
_lately: dict[int, int] = {}
MAX_LATELY = 1000


@bounded(lambda folder_ids, *_, **__: len(folder_ids) <= 100)
def add(
    tx: Tx,
    folder_ids: Sequence[FolderId],
    content: Content,
    *,
    prefix: bytes = b"",
    received_at: int,
    flags: int = 0,
    keywords: Sequence[str] = (),
    trace_note: trace.Note | None = None,
) -> list[Added]:
    """One message into one or more folders, each named once, of any accounts; all of them or none.

    ``prefix`` are whole header lines that we put before the content.  Returns one place per folder,
    in their order.

    Raises:
        Refused(NO_SUCH_FOLDER): one is gone.
        TryLater(OVER_QUOTA | NUMBERS_EXHAUSTED).
    """
    message_id = put(tx, content, prefix)
    if content.ready is None:
        tx.unrendered((message_id,))
    size = len(prefix) + content.size
    packed = pack_keywords(tuple(keywords))
    if len(folder_ids) == 1:
        added = [_place(tx, folder_ids[0], size, flags)]
    else:
        added = spreading.places(tx, folder_ids, size, flags)
    tx.many(
        ENTRY,
        [
            (
                one.folder_id, one.uid, flags, packed, size, received_at, one.modseq, message_id,
                one.entry_id, tx.now, one.modseq, one.modseq, one.modseq,
            )
            for one in added
        ],
    )  # fmt: skip
    if trace_note is not None:
        trace.note(tx, trace_note, message_row=message_id, message_id=content.message_id, places=added)
    return added


def _place(tx: Tx, folder_id: FolderId, size: int, flags: int) -> Added:
    """Counts a message into one folder; `spreading.places` does so for many."""
    account_id, modseq = take(tx, folder_id, size)
    uid = number(tx, folder_id, size, flags, modseq)
    tx.hint(account_id, folder_id)
    return Added(folder_id, uid, EntryId(tx.new_ids(1)), modseq)


def take(tx: Tx, folder_id: FolderId, size: int) -> tuple[AccountId, Modseq]:
    """Books a message of ``size`` with the folder's owner; returns the owner and the change number.

    Raises:
        Refused(NO_SUCH_FOLDER), TryLater(OVER_QUOTA).
    """
    row = tx.one(_TAKE, size, folder_id)
    if row is None:
        raise Refused(Reason.NO_SUCH_FOLDER)
    folders.check_quota(row[2:], size, 1)
    return row[0], row[1]


def number(tx: Tx, folder_id: FolderId, size: int, flags: int, modseq: Modseq, limit: int = MAX_UID) -> Uid:
    """Counts a message into a folder and returns its number.

    Raises:
        Refused(NO_SUCH_FOLDER), TryLater(OVER_QUOTA | NUMBERS_EXHAUSTED).
    """
    row = tx.one(_NUMBER, 0 if flags & SEEN else 1, 1 if flags & DELETED else 0, size, modseq, folder_id)
    if row is None:
        raise Refused(Reason.NO_SUCH_FOLDER)
    uid = row[0] - 1
    if row[1] or row[3]:
        folders.check_quota(row[1:], size, 1)
    if uid > limit:
        raise TryLater(Reason.NUMBERS_EXHAUSTED)
    return Uid(uid)


def put_blob(tx: Tx, content: Content) -> BlobId:
    """The row of these bytes: a new one, or the one that is there."""
    blob_id = BlobId(tx.new_ids(1))
    if tx.run(_BLOB, *blob_row(content, blob_id)):
        return blob_id
    return BlobId(tx.value("SELECT id FROM blob WHERE sha256 = ?", content.sha256))


def blob_row(content: Content, blob_id: int) -> tuple[object, ...]:
    """The columns of a blob's row."""
    in_row = content.path is None
    return (
        blob_id, content.sha256, content.size, int(not content.has_dot_line), int(not in_row),
        content.digest.to_bytes(), content.data if in_row else None,
    )  # fmt: skip


def put(tx: Tx, content: Content, prefix: bytes) -> MessageId:
    """The message row of what came now; without a digest, where nobody has asked for that (`ondemand`)."""
    if content.scanned is None:
        return _put_skimmed(tx, content, prefix)
    return put_message(tx, content, prefix)


def _put_skimmed(tx: Tx, content: Content, prefix: bytes) -> MessageId:
    """`put_message` for what was not scanned: its blob has neither hash nor digest (`raw_key`).

    The same bytes that came a moment ago are not kept twice, as when a list sends to many of us one by one.
    """
    data = content.data
    assert data is not None
    message_id = MessageId(tx.new_ids(2))
    before = _lately.get(hash(data))
    blob, message = late_rows(content, message_id, prefix)
    if before is not None and tx.one("SELECT 1 FROM blob WHERE id = ? AND data = ?", before, data):
        message = (message_id, before, *message[2:])
    else:
        tx.run(RAW_BLOB, *blob)
        _note_lately(data, message_id + 1)
    tx.run(LATE_MESSAGE, *message)
    return message_id


def is_plain(content: Content, blob_id: int) -> bool:
    """Whether it was not scanned, nor came a moment ago; then this is its blob's number from now on."""
    data = content.data
    if content.scanned is not None or data is None or hash(data) in _lately:
        return False
    _note_lately(data, blob_id)
    return True


def _note_lately(data: bytes, blob_id: int) -> None:
    if len(_lately) >= MAX_LATELY:
        _lately.clear()
    _lately[hash(data)] = blob_id


def write_late(tx: Tx, blobs: Sequence[tuple[object, ...]], messages: Sequence[tuple[object, ...]]) -> None:
    """What `late_rows` made of several."""
    tx.many(RAW_BLOB, blobs)
    tx.many(LATE_MESSAGE, messages)


def late_rows(
    content: Content, message_row: int, prefix: bytes
) -> tuple[tuple[object, ...], tuple[object, ...]]:
    """For `RAW_BLOB` and `LATE_MESSAGE`: of a letter that was not scanned, its blob has the next number."""
    data = content.data
    assert data is not None
    size, lines, message_id = len(prefix) + content.size, content.lines, content.message_id
    key = text_key(message_id)
    blob_id = message_row + 1
    return (
        (blob_id, raw_key(blob_id, data), content.size, int(not content.has_dot_line), b"", data),
        (
            message_row, blob_id, prefix, b"", b"", b"%b\t%d\t%d" % (content.overview, size, lines), b"",
            size, lines, key, content.sent_at, key, text(message_id),
        ),
    )  # fmt: skip


def put_message(
    tx: Tx, content: Content, prefix: bytes, xref: bytes = b"", message_id: MessageId | None = None
) -> MessageId:
    """A message row: prefix and content.  ``xref`` goes into the overview line ("host g:1 h:2")."""
    blob_id = put_blob(tx, content)
    message_id = message_id or MessageId(tx.new_ids(1))
    tx.run(_MESSAGE, message_id, blob_id, prefix, *derived(content, prefix, xref))
    return message_id


def refresh(tx: Tx, message_id: MessageId, content: Content, prefix: bytes, xref: bytes) -> None:
    """Writes anew what is derived from the bytes of a message that is there."""
    tx.run(_REFRESH, *derived(content, prefix, xref), message_id)


def derived(content: Content, prefix: bytes, xref: bytes) -> tuple[object, ...]:
    """The columns of _DERIVED."""
    ready = content.ready
    if ready is None:
        return unrendered(content, prefix, xref)
    keys = ready.keys
    size = len(prefix) + content.size
    overview = b"%b\t%d\t%d" % (content.overview, size, content.lines)
    if xref:
        overview += b"\tXref: " + xref
    own = keys.message_id or ""
    root = keys.thread_root
    own_key = text_key(own)
    return (
        ready.envelope, ready.bodystructure, overview, ready.body, size, content.lines, own_key,
        keys.sent_at, own_key if root == own else text_key(root), text(keys.from_mailbox),
        text(keys.to_mailbox), text(keys.cc_mailbox), text(keys.from_display), text(keys.to_display),
        text(keys.base_subject), int(keys.is_reply), READY, text(own),
        text(" ".join(keys.references), 20 * MAX_TEXT),
    )  # fmt: skip


def raw_rows(
    content: Raw, message_row: int, prefix: bytes, xref: bytes
) -> tuple[tuple[object, ...], tuple[object, ...]]:
    """For `RAW_BLOB` and `RAW_MESSAGE`: what is rendered when somebody asks (`ondemand`)."""
    size, lines = len(prefix) + content.size, content.lines
    blob_id, data = message_row + 1, content.data
    overview = b"%b\t%d\t%d\tXref: %b" % (content.overview, size, lines, xref)
    return (
        (blob_id, raw_key(blob_id, data), content.size, int(not content.has_dot_line), b"", data),
        (
            message_row, blob_id, prefix, b"", b"", overview, b"", size, lines, content.sent_at,
            content.message_id,
        ),
    )  # fmt: skip


def unrendered(content: Content, prefix: bytes, xref: bytes) -> tuple[object, ...]:
    """The columns of _DERIVED of what is rendered when somebody asks (`ondemand`)."""
    size = len(prefix) + content.size
    key = text_key(content.message_id)
    overview = b"%b\t%d\t%d" % (content.overview, size, content.lines)
    if xref:
        overview += b"\tXref: " + xref
    return (
        b"", b"", overview, b"", size, content.lines, key, content.sent_at, key, "", "", "", "", "", "", 0, 0,
        text(content.message_id), "",
    )  # fmt: skip


def raw_key(blob_id: int, data: bytes) -> bytes:
    """What stands in place of a hash: its own number, and a checksum.

    No other letter has these bytes, since an article's Message-ID is among them and no id is filed twice; and
    keys that ascend fill one page of the index, where a hash dirties another page for each article.
    """
    return blob_id.to_bytes(8) + crc32(data).to_bytes(4)


def columns(content: Content) -> dict[str, object]:
    """What is derived from a body, by the names that listings use."""
    made: dict[str, object] = dict(zip(_DERIVED, derived(content, b"", b""), strict=True))
    return made | {"references": made["refs"]}


def text(value: str, limit: int = MAX_TEXT) -> str:
    """What both engines take as text: no NUL, no half of a surrogate pair."""
    if len(value) > limit:
        value = value[:limit]
    if value.isascii():
        return value.replace("\0", "") if "\0" in value else value
    return value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
