"""Groups: folders that everybody reads, their articles by number, and the overview by range.

All belong to the account "news".  The high water mark is ``uid_next - 1``, the low one `Folder.low`
(RFC 3977 6.1.1).  What an article must look like before it is filed is decided in `delivery`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from quintet.errors import Reason, Refused, TryLater
from quintet.message import headers
from quintet.store import accounts, dialect, directory, filing, folders, history, trace
from quintet.store.content import Content
from quintet.store.db import Tx, bounded
from quintet.store.model import (
    MAX_ARTICLE,
    NEWS,
    Added,
    EntryId,
    Folder,
    FolderId,
    FolderKind,
    MessageId,
)

_PART = r"[^\x00-\x20*,?!\[\]\\/:.\x7f]+"  # RFC 5536 3.1.4, RFC 3977 4.1: no wildmat characters
_NAME = re.compile(rf"(?!poster\Z){_PART}(?:\.{_PART})*")  # no empty parts; Followup-To has another "poster"
_MODERATED = re.compile(r"[ \t]*\(moderated\)[ \t]*\Z", re.IGNORECASE)
MAX_NAME = 460  # bytes; a response line has 512 (RFC 3977 3.1)

_NUMBER = (
    "UPDATE folder SET uid_next = uid_next + 1, messages = messages + 1, unseen = unseen + 1,"
    " bytes = bytes + ?, highest_modseq = ? WHERE id = ?"
    " RETURNING uid_next, name, account_id, quota_bytes, bytes, quota_messages, messages"
)
END = "INSERT INTO article_end (message_row, expires_at) VALUES (?, ?)"
_ENTRY = (
    "INSERT INTO entry (folder_id, uid, flags, keywords, size, received_at, modseq, message_id, id, saved_at,"
    " content_modseq, read_modseq, created_modseq) VALUES (?, ?, 0, '', ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def create(
    tx: Tx, name: str, status: str = "y", description: str = "", *, moderator: str = "", created_by: str = ""
) -> Folder:
    """A new group.

    Raises:
        Refused(ALREADY_EXISTS | BAD_NAME).
    """
    if not _NAME.fullmatch(name) or len(name.encode()) > MAX_NAME:
        raise Refused(Reason.BAD_NAME, name)
    owner = accounts.news(tx)
    folder = folders.create(
        tx, owner.id, name, FolderKind.GROUP, status=status, description=_unmarked(description),
        created_by=created_by,
    )  # fmt: skip
    if moderator:
        return change(tx, folder.id, moderator=moderator)
    return folder


def described(folder: Folder) -> str:
    """A group's description as newsgroups lists have it: that of a moderated one says so (RFC 5537 5.2)."""
    text = " ".join(_unmarked(folder.description).split())
    return f"{text} (Moderated)" if text and folder.status == "m" else text


def _unmarked(description: str) -> str:
    """Without "(Moderated)", which the group's status says."""
    return _MODERATED.sub("", description)


def find(tx: Tx, name: str) -> Folder | None:
    """By its name; with case (RFC 3977 4.1)."""
    row = tx.one(
        f"SELECT {folders.COLUMNS} FROM folder WHERE account_id = (SELECT id FROM account WHERE name = ?)"
        " AND name = ? AND kind = 'group'", NEWS, name,
    )  # fmt: skip
    return None if row is None else Folder(*row)


def get(tx: Tx, folder_id: FolderId) -> Folder:
    """Raises Refused(NO_SUCH_FOLDER)."""
    folder = folders.get(tx, folder_id)
    if folder.kind != FolderKind.GROUP:
        raise Refused(Reason.NO_SUCH_FOLDER)
    return folder


def change(
    tx: Tx,
    folder_id: FolderId,
    *,
    status: str | None = None,
    description: str | None = None,
    moderator: str | None = None,
    quota_bytes: int | None = None,
    quota_messages: int | None = None,
) -> Folder:
    """Sets what is given.  Raises Refused(NO_SUCH_FOLDER)."""
    old = get(tx, folder_id)
    modseq = accounts.next_modseq(tx, old.account_id)
    tx.run(
        "UPDATE folder SET status = ?, description = ?, moderator = ?, quota_bytes = ?, quota_messages = ?,"
        " changed_modseq = ?, highest_modseq = ?, changed_at = ? WHERE id = ?",
        old.status if status is None else status,
        old.description if description is None else _unmarked(description),
        old.moderator if moderator is None else moderator,
        old.quota_bytes if quota_bytes is None else quota_bytes,
        old.quota_messages if quota_messages is None else quota_messages,
        modseq, modseq, tx.now, folder_id,
    )  # fmt: skip
    tx.hint(old.account_id, folder_id)
    return get(tx, folder_id)


set = change  # noqa: A001 (the word of the interface: groups.set)


def remove(tx: Tx, folder_id: FolderId) -> None:
    """With all its articles.  Raises Refused(NO_SUCH_FOLDER)."""
    get(tx, folder_id)
    folders.remove(tx, folder_id)
    directory.changed(tx)  # an address may have named it


def fewer(tx: Tx, most: int) -> bool:
    """True if there are fewer than ``most`` groups; counts no further."""
    return not tx.value("SELECT 1 FROM folder WHERE kind = 'group' LIMIT 1 OFFSET ?", most - 1)


def outline(tx: Tx) -> str:
    """Which groups there are and how they are called, as one text: to see whether that has changed.

    Whoever owns them has no other folders, numbers are never used again, and both stand in one index: 0.1 us
    a group.
    """
    numbers = dialect.joined_numbers(tx.engine, "each")
    found = tx.value(
        f"SELECT {numbers} FROM (SELECT CAST(id AS TEXT) || ' ' || name AS each FROM folder"
        " WHERE account_id = (SELECT id FROM account WHERE name = ?) ORDER BY name) AS listed", NEWS,
    )  # fmt: skip
    return found or ""


def names(tx: Tx) -> list[str]:
    """How all groups are called, in order."""
    return sorted(name for (name,) in tx.all("SELECT name FROM folder WHERE kind = 'group'"))


def listing(tx: Tx, since: int = 0) -> list[Folder]:
    """All groups, or those made at or after a time (NEWGROUPS), in the order of their names."""
    rows = tx.all(f"SELECT {folders.COLUMNS} FROM folder WHERE kind = 'group' AND created_at >= ?", since)
    return sorted((Folder(*row) for row in rows), key=lambda folder: folder.name)


@bounded(lambda group_ids, *_, **__: len(group_ids) <= 32)
def file(
    tx: Tx,
    group_ids: Sequence[FolderId],
    content: Content,
    *,
    path: bytes,
    host: str,
    received_at: int,
    message_id: str = "",
    trace_note: trace.Note | None = None,
) -> list[Added]:
    """Files an article in its groups: one message, an entry in each, and its id in the history.

    The numbers come first, then the header lines that name them: "Path: ``path``" and "Xref: ``host``
    group:number ..." are put before the content, which must have neither.  Returns one place a group.

    Raises:
        Refused(DUPLICATE): the Message-ID is known.  Refused(NO_SUCH_FOLDER): a group is gone.
        TryLater(OVER_QUOTA | NUMBERS_EXHAUSTED).
    """
    message_id = message_id or content.message_id
    row_id = MessageId(tx.new_ids(1))
    if not history.add(tx, message_id, row_id, received_at):
        raise Refused(Reason.DUPLICATE, message_id)
    account = tx.one(
        "UPDATE account SET modseq = modseq + 1, used_messages = used_messages + ? WHERE name = ?"
        " RETURNING id, modseq", len(group_ids), NEWS,
    )  # fmt: skip
    if account is None:
        raise Refused(Reason.NO_SUCH_FOLDER)
    account_id, modseq = account
    places = []
    # the size holds the Xref line, which holds the numbers: take those, then book the size
    for group_id in group_ids:
        row = tx.one(_NUMBER, 0, modseq, group_id)
        if row is None or row[2] != account_id:
            raise Refused(Reason.NO_SUCH_FOLDER)
        places.append((group_id, row[0] - 1, row[1], row[3:]))
    xref = f"{host} {' '.join(f'{name}:{uid}' for _, uid, name, _ in places)}".encode()
    prefix = b"Path: %b\r\nXref: %b\r\n" % (path, xref)
    size = len(prefix) + content.size
    filing.put_message(tx, content, prefix, xref, row_id)
    note_end(tx, content, row_id)
    first = tx.new_ids(len(places))
    tx.run("UPDATE account SET used_bytes = used_bytes + ? WHERE id = ?", size * len(places), account_id)
    added = []
    for i, (group_id, uid, _, quota) in enumerate(places):
        if uid > MAX_ARTICLE:
            raise TryLater(Reason.NUMBERS_EXHAUSTED)
        folders.check_quota((quota[0], quota[1] + size, quota[2], quota[3]), size, 1)
        tx.run("UPDATE folder SET bytes = bytes + ? WHERE id = ?", size, group_id)
        tx.run(
            _ENTRY,
            group_id,
            uid,
            size,
            received_at,
            modseq,
            row_id,
            first + i,
            tx.now,
            modseq,
            modseq,
            modseq,
        )
        tx.hint(account_id, group_id)
        added.append(Added(group_id, uid, EntryId(first + i), modseq))
    if trace_note is not None:
        trace.note(tx, trace_note, message_row=row_id, message_id=message_id, places=added)
    return added


def note_end(tx: Tx, content: Content, row_id: MessageId) -> None:
    """Notes until when the poster says an article matters."""
    ends = ends_at(content)
    if ends is not None:
        tx.run(END, row_id, ends)


def ends_at(content: Content) -> int | None:
    """What Expires says (RFC 5536 3.2.5); what is no date says nothing."""
    said = content.digest.header(b"expires")
    return headers.parse_date(said) if said else None


def overview(tx: Tx, folder_id: FolderId, low: int, high: int, limit: int = 1000) -> tuple[bytes, int, int]:
    """Overview lines of a range, ready to send: "number TAB ... CRLF" one after the other.

    Returns (the bytes, how many lines, the number after the last one looked at); when the latter is
    at most ``high``, ask again from there (RFC 3977 8.3).
    """
    lines = dialect.joined_lines(tx.engine, "uid", "overview")
    row = tx.one(
        f"SELECT {lines}, count(*), max(uid) FROM (SELECT e.uid AS uid, m.overview AS overview"
        " FROM entry e JOIN message m ON m.id = e.message_id"
        " WHERE e.folder_id = ? AND e.uid BETWEEN ? AND ? AND e.hidden = 0 ORDER BY e.uid LIMIT ?) AS page",
        folder_id, low, high, limit,
    )  # fmt: skip
    if row is None or not row[1]:
        return b"", 0, high + 1
    return bytes(row[0]), row[1], (row[2] + 1 if row[1] == limit else high + 1)


def overview_of(tx: Tx, message_row: MessageId, number: int = 0) -> bytes | None:
    """The overview line of one article by its message (OVER message-id gives number 0)."""
    line = tx.value("SELECT overview FROM message WHERE id = ?", message_row)
    return None if line is None else b"%d\t%b\r\n" % (number, line)


def arrived(
    tx: Tx,
    low: int,
    high: int,
    wanted: Iterable[FolderId] | None,
    limit: int = 500,
    after: tuple[int, int] = (0, 0),
) -> list[tuple[str, int, MessageId]]:
    """Articles that arrived from ``low`` to before ``high`` (ms), oldest first: Message-ID, arrival, row.

    Only those in ``wanted`` groups, None for all.  ``after`` continues behind the (arrival, row) of
    the last one (NEWNEWS, RFC 3977 7.4).
    """
    where, params = "", []
    if wanted is not None:
        members, param = dialect.among(tx.engine, sorted(wanted))
        where = " AND EXISTS (SELECT 1 FROM entry e WHERE e.message_id = h.id AND e.folder_id "
        where += f"{members})"
        params = [param]
    return tx.all(
        # the left side of a CROSS JOIN is read first: in the order of arrival
        "SELECT m.message_id, h.arrived_at, h.id FROM history h CROSS JOIN message m WHERE m.id = h.id"
        " AND h.gone = 0 AND h.arrived_at >= ? AND h.arrived_at < ?"
        f" AND (h.arrived_at > ? OR (h.arrived_at = ? AND h.id > ?)){where}"
        " ORDER BY h.arrived_at, h.id LIMIT ?",
        max(low, after[0]), high, after[0], after[0], after[1], *params, limit,
    )  # fmt: skip


def count_arrivals(tx: Tx, low: int, high: int) -> int:
    """Ids of the history of a time, those of articles that are gone too; some 0.1 us each."""
    found: int = tx.value("SELECT count(*) FROM history WHERE arrived_at >= ? AND arrived_at < ?", low, high)
    return found


def last_arrival(tx: Tx) -> int:
    """When the youngest article arrived (ms); 0 without any."""
    return tx.value("SELECT max(arrived_at) FROM history") or 0
