"""Quarantine: articles that filters held back, in a folder that only newsmasters see, until they let them go.

Such an article is taken as far as its sender is concerned, and its Message-ID is known; it is in none of its
groups and goes to no peer.  `release` files it as if it came now.  In a mail program the keyword $Approved
lets it go, as does moving it to the folder ``Approved`` below; $Rejected and ``Rejected`` throw it away.
"""

from __future__ import annotations

from quintet.config.news import News
from quintet.delivery import modqueue
from quintet.delivery.control import acts, orders
from quintet.delivery.envelope import NULL
from quintet.errors import Reason, Refused
from quintet.store import accounts, entries, folders, groups, history, trace
from quintet.store.content import Content
from quintet.store.db import Tx
from quintet.store.model import NEWS, Folder, FolderId, Uid

FIELD = b"X-Quarantine"
MAX_WHY = 400  # characters
DAY_MS = 86_400_000
MAX_SWEPT = 1000


def put(
    tx: Tx, content: Content, *, path: bytes, message_id: str, why: str, config: News, note: trace.Note
) -> None:
    """Holds an article back; its id is known from now on.

    Raises:
        Refused(DUPLICATE): it was known before.  TryLater(OVER_QUOTA).
    """
    if history.known(tx, message_id):
        raise Refused(Reason.DUPLICATE, message_id)
    folder = place(tx, config)
    prefix = b"Path: %b\r\n%b: %b\r\n" % (path, FIELD, " ".join(why.split())[:MAX_WHY].encode())
    entries.add(tx, [folder.id], content, prefix=prefix, received_at=tx.now, trace_note=note)
    history.remember(tx, message_id)


def drop(tx: Tx, message_id: str, note: trace.Note) -> None:
    """Only notes that an article was thrown away; its id is known from now on."""
    history.remember(tx, message_id)
    trace.note(tx, note, message_row=None, message_id=message_id)


def place(tx: Tx, config: News) -> Folder:
    """The folder, shared with the newsmasters of today."""
    return modqueue.tree(tx, accounts.news(tx).id, config.quarantine, config.newsmasters)


def release(
    tx: Tx, folder_id: FolderId, uid: Uid, content: Content, *, path: bytes, host: str, config: News, by: str
) -> tuple[str, ...]:
    """Files an article in its groups after all; returns their names, none if it was cancelled meanwhile.

    Raises:
        Refused(NO_SUCH_MESSAGE): it is gone.  Refused(NO_SUCH_FOLDER): none of its groups is here.
    """
    (row,) = entries.lines(tx, folder_id, uid, uid, 1, ("message_id",)) or [("",)]
    message_id = row[0]
    if not message_id:
        raise Refused(Reason.NO_SUCH_MESSAGE)
    names = [name.strip() for name in orders.text(content.digest, "Newsgroups").split(",")]
    found = [one for name in names if (one := groups.find(tx, name)) is not None and one.status[:1] in "ynm"]
    if not found:
        raise Refused(Reason.NO_SUCH_FOLDER, "none of its groups is here")
    entries.expunge(tx, folder_id, [uid])
    history.forget(tx, message_id)
    moderated = next((one for one in found if one.status == "m"), None)
    if moderated is not None and content.digest.header("Approved") is None:
        note = trace.Note("quarantine", "released", None, {"by": by, "group": moderated.name})
        modqueue.hold(tx, moderated.name, content, NULL, note)  # it was posted, and is not approved
        return (f"the queue of {moderated.name}",)
    added = acts.file(
        tx,
        list(dict.fromkeys(one.id for one in found)),
        content,
        path=path,
        host=host,
        received_at=tx.now,
        message_id=message_id,
        trace_note=trace.Note("quarantine", "released", None, {"by": by}),
        rules=config,
    )
    return tuple(one.name for one in found) if added else ()


def discard(tx: Tx, folder_id: FolderId, uid: Uid, by: str) -> None:
    """Throws one away."""
    (row,) = entries.lines(tx, folder_id, uid, uid, 1, ("message_id",)) or [("",)]
    entries.expunge(tx, folder_id, [uid])
    trace.add(tx, tx.now, "quarantine", "thrown away", None, row[0], {"by": by})


def sweep(tx: Tx, config: News) -> int:
    """Throws away some of what nobody let go in time; returns how many."""
    owner = accounts.find(tx, NEWS)
    found = folders.find(tx, owner.id, config.quarantine) if owner is not None else None
    if found is None:
        return 0
    gone = entries.received_before(tx, found.id, tx.now - config.quarantine_days * DAY_MS, MAX_SWEPT)
    entries.expunge(tx, found.id, gone)
    return len(gone)


def why(prefix: bytes) -> str:
    """What a filter said, from the lines before an article."""
    for line in prefix.split(b"\r\n"):
        if line.startswith(FIELD + b": "):
            return line[len(FIELD) + 2 :].decode("utf-8", "replace")
    return ""


def path_of(prefix: bytes) -> bytes:
    """The value of Path, from the lines before an article."""
    for line in prefix.split(b"\r\n"):
        if line.startswith(b"Path: "):
            return line[6:]
    return b"not-for-mail"
