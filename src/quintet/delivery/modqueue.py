"""The queue of moderators in the store: its folders, what waits in them, and what was said about it.

Plain transaction functions; what follows from a word is `moderation`'s.  Quarantine has the same shape.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from quintet.delivery import stamp
from quintet.delivery.control import orders
from quintet.delivery.envelope import Mailbox
from quintet.errors import Reason, Refused
from quintet.store import access, accounts, entries, folders, groups, history, trace
from quintet.store.content import Content
from quintet.store.db import Tx
from quintet.store.model import NEWS, AccountId, Folder, FolderId, Uid
from quintet.values import dataclass

ROOT = "Moderation"
APPROVED, REJECTED = "Approved", "Rejected"
WORKS, ANSWERS = "lrswite", "lrsi"  # what moderators may in the queue, and in the two folders below it
SAID = ("$approved", "$rejected")  # keywords, in lower case
DECIDED = "$ok-"  # keyword of a group (by its number) whose moderators have approved a cross-post
MAX_WAITING = 10_000  # of one group
ROUND = 50  # submissions of one round


@dataclass(frozen=True, slots=True)
class Waiting:
    """A submission in the queue."""

    group: str
    folder_id: FolderId
    uid: Uid
    message_id: str
    subject: str
    author: str
    arrived_at: int


@dataclass(frozen=True, slots=True)
class Said:
    """A moderator's word about one."""

    waiting: Waiting
    approved: bool


def moderators(tx: Tx, group: Folder) -> list[str]:
    """Login names of those here who decide about a group: its address's owner, and who may insert."""
    found = [
        who for who, letters in access.listing(tx, group.id).items() if "i" in letters and who[:1] != "-"
    ]
    local, at, domain = group.moderator.rpartition("@")
    owner = accounts.resolve(tx, local, domain) if at else None
    if owner is not None and owner.account is not None:
        found.insert(0, owner.account.name)
    return [name for name in dict.fromkeys(found) if name not in access.EVERYBODY]


def hold(tx: Tx, group_name: str, content: Content, sender: Mailbox, note: trace.Note) -> None:
    """Puts a submission into the queue of a group.

    Raises:
        Refused(DUPLICATE): it waits there already, or it has been posted.  Refused(NO_SUCH_FOLDER).
        TryLater(TOO_MANY | OVER_QUOTA): the queue is full.
    """
    group = groups.find(tx, group_name)
    if group is None:
        raise Refused(Reason.NO_SUCH_FOLDER, group_name)
    place = _folder(tx, group)
    news = group.account_id
    waits = [one for one in entries.by_message_id(tx, news, content.message_id) if one.folder_id == place.id]
    if waits or history.known(tx, content.message_id):
        raise Refused(Reason.DUPLICATE, content.message_id)
    if place.messages >= MAX_WAITING:
        raise Refused(Reason.TOO_MANY, f"too much waits for the moderator of {group_name}")
    prefix = stamp.return_path(sender) if sender else b""
    entries.add(tx, [place.id], content, prefix=prefix, received_at=tx.now, trace_note=note)


def _folder(tx: Tx, group: Folder) -> Folder:
    """The queue of a group, shared with whom it concerns today."""
    return tree(tx, group.account_id, f"{ROOT}/{group.name}", moderators(tx, group))


def tree(tx: Tx, account_id: AccountId, path: str, names: Collection[str]) -> Folder:
    """A folder with two below it for what was decided; made, and shared with these accounts alone."""
    first: Folder | None = None
    for level, letters in (("", WORKS), (f"/{APPROVED}", ANSWERS), (f"/{REJECTED}", ANSWERS)):
        name = f"{path}{level}"
        found = folders.find(tx, account_id, name) or folders.create(tx, account_id, name)
        rows = access.listing(tx, found.id)
        for who in names:
            if rows.get(who.lower()) != access.spelled(letters):  # a new folder has those of the one above
                access.grant(tx, found.id, who, letters)
        for who in rows.keys() - {name.lower() for name in names}:
            access.revoke(tx, found.id, who)
        first = first or found
    assert first is not None
    return first


def pass_on(tx: Tx, one: Waiting) -> str:
    """An approved cross-post goes on to the next group whose moderators have not decided; its name, or "".

    RFC 5537 3.9: a moderator speaks for the own groups only.  Who moderates both speaks for both.

    Raises:
        Refused(MODERATED): nobody here moderates that group.  Refused(NO_SUCH_MESSAGE).
    """
    entry = entries.get(tx, one.folder_id, one.uid)
    own = groups.find(tx, one.group)
    if own is None:
        return ""
    here = set(moderators(tx, own))
    decided = {word for word in entry.keywords if word.startswith(DECIDED)} | {f"{DECIDED}{own.id}"}
    names = orders.text(entries.digest(tx, entry.message_id), "Newsgroups").split(",")
    found = [one for one in (groups.find(tx, name.strip()) for name in names) if one is not None]
    left = [(group, set(moderators(tx, group))) for group in found if group.status == "m"]
    decided |= {f"{DECIDED}{group.id}" for group, theirs in left if here and here <= theirs}
    for group, theirs in left:
        if f"{DECIDED}{group.id}" in decided:
            continue
        if not theirs:
            raise Refused(Reason.MODERATED, f"{group.name} is moderated elsewhere")
        place = _folder(tx, group)
        (pair,) = entries.move(tx, one.folder_id, [one.uid], place.id)
        entries.set_flags(tx, place.id, [pair.target_uid], "-", 0, ("$Approved", "$approved"))
        entries.set_flags(tx, place.id, [pair.target_uid], "+", 0, tuple(sorted(decided)))
        detail = {"group": one.group, "next": group.name}
        trace.add(tx, tx.now, "moderation", "passed on", None, one.message_id, detail)
        return group.name
    return ""


def waiting(tx: Tx, group: str = "", limit: int = 1000) -> list[Waiting]:
    """What waits, oldest first, of one group or of all."""
    found: list[Waiting] = []
    for name, level, folder in _queues(tx):
        if level == "" and group in ("", name):
            found += _rows(tx, name, folder.id, limit)
    return sorted(found, key=lambda one: one.arrived_at)[:limit]


def held(tx: Tx, place: str, limit: int = 1000) -> list[Waiting]:
    """What lies in quarantine (the folder ``place``), oldest first."""
    owner = accounts.find(tx, NEWS)
    found = folders.find(tx, owner.id, place) if owner is not None else None
    return [] if found is None else _rows(tx, place, found.id, limit)


def find(tx: Tx, what: str, place: str) -> Waiting | None:
    """By Message-ID, or "group:number"; of what waits, and of what lies in quarantine (``place``)."""
    owner = accounts.find(tx, NEWS)
    if owner is None:
        return None
    for name in (what, f"<{what}>"):
        for entry in entries.by_message_id(tx, owner.id, name):
            path = folders.get(tx, entry.folder_id).name
            root, _, group = ("", "", place) if path == place else path.partition("/")
            if root in ("", ROOT) and "/" not in group:  # what was decided lies further below
                return _rows(tx, group, entry.folder_id, 1, entry.uid)[0]
    group, _, number = what.rpartition(":")
    folder = folders.find(tx, owner.id, place if group == place else f"{ROOT}/{group}")
    if folder is None or not re.fullmatch(r"[0-9]{1,10}", number):
        return None
    return next(iter(_rows(tx, group, folder.id, 1, int(number))), None)


def _queues(tx: Tx, place: str = "") -> list[tuple[str, str, Folder]]:
    """(group, level, folder) of all that have something in them; with ``place`` of that folder as well."""
    owner = accounts.find(tx, NEWS)
    if owner is None:
        return []
    root = folders.find(tx, owner.id, ROOT)
    queues = {one.name.removeprefix(f"{ROOT}/"): one for one in folders.children(tx, root.id)} if root else {}
    quarantine = folders.find(tx, owner.id, place) if place else None
    if quarantine is not None:
        queues[place] = quarantine
    found = []
    for name, queue in queues.items():
        levels = {f"{queue.name}/{level}": level for level in (APPROVED, REJECTED)} | {queue.name: ""}
        found += [
            (name, levels[folder.name], folder)
            for folder in (queue, *folders.children(tx, queue.id))
            if folder.messages and folder.name in levels
        ]
    return found


_COLUMNS = ("uid", "message_id", "base_subject", "from_display", "received_at")


def _rows(tx: Tx, group: str, folder_id: FolderId, limit: int, uid: int | None = None) -> list[Waiting]:
    """The first ones of a folder, or the one with a number."""
    low, high = (1, 1 << 40) if uid is None else (uid, uid)
    return [
        Waiting(group, folder_id, Uid(row[0]), *row[1:])
        for row in entries.lines(tx, folder_id, low, high, limit, _COLUMNS)
    ]


def said(tx: Tx, place: str) -> list[Said]:
    """What moderators decided, a bounded number: by moving, or by a keyword."""
    found: list[Said] = []
    for name, level, folder in _queues(tx, place):
        if level:
            found += [Said(one, level == APPROVED) for one in _rows(tx, name, folder.id, ROUND)]
            continue
        for *row, keywords in entries.keyworded(tx, folder.id, SAID, ROUND, (*_COLUMNS, "keywords")):
            found.append(Said(Waiting(name, folder.id, *row), SAID[1] not in keywords.lower().split()))
    return found[:ROUND]


def done(tx: Tx, one: Waiting, event: str, by: str, reason: str) -> None:
    entries.expunge(tx, one.folder_id, [one.uid])
    detail = {"group": one.group, "by": by, "reason": reason}
    trace.add(tx, tx.now, "moderation", event, None, one.message_id, detail)


def back(tx: Tx, one: Waiting, why: str) -> None:
    """What cannot be posted goes back into the queue, marked, so that it is not tried again and again."""
    owner = accounts.find(tx, NEWS)
    place = folders.find(tx, owner.id, f"{ROOT}/{one.group}") if owner is not None else None
    if place is None and owner is not None:
        place = folders.find(tx, owner.id, one.group)  # quarantine
    if place is not None and place.id != one.folder_id:
        (pair,) = entries.move(tx, one.folder_id, [one.uid], place.id)
        entries.set_flags(tx, place.id, [pair.target_uid], "+", 0, ("$Failed",))
    elif place is not None:
        entries.set_flags(tx, place.id, [one.uid], "-", 0, ("$Approved", "$Rejected"))
        entries.set_flags(tx, place.id, [one.uid], "+", 0, ("$Failed",))
    trace.add(tx, tx.now, "moderation", "not posted", None, one.message_id, {"group": one.group, "why": why})


def posted(tx: Tx) -> list[Waiting]:
    """What was posted by other ways meanwhile.  Looks at all that waits: for a thread."""
    return [
        one for one in waiting(tx, limit=MAX_WAITING) if one.message_id and history.known(tx, one.message_id)
    ]


def sweep(tx: Tx, gone: Sequence[Waiting]) -> None:
    """Takes out what was posted by other ways."""
    for one in gone:
        done(tx, one, "approved", "", "posted by another way")
