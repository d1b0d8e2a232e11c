"""What a client asked by NOTIFY to be told of other mailboxes than the selected one (RFC 5465 5, 6).

Of each mailbox we keep what the client was told last; a hint names folders to look at again, and the
difference is told.  So nothing is queued for a client that does not read, and a lost hint does no harm.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from quintet.errors import Reason, Refused
from quintet.imap import format as fmt
from quintet.imap import names, places, recents
from quintet.imap.cmd import metadata, status
from quintet.imap.notify_commands import (
    ANNOTATIONS,
    EXPUNGE,
    FLAGS,
    METADATA,
    NAMES,
    NEW,
    OF_MESSAGES,
    OF_SELECTED,
    SERVER_METADATA,
    SUBSCRIPTIONS,
    Group,
    Where,
)
from quintet.net.wake import Wake
from quintet.store import accounts, folders
from quintet.store import annotations as remarks  # the name means something else in a module with futures
from quintet.store.model import AccountKind, Folder, FolderId, FolderKind
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.imap.places import Place
    from quintet.imap.session import Session
    from quintet.store.db import Tx
    from quintet.store.hints import Watch

MAX_WATCHED = 10_000  # mailboxes of one client; more is NOTIFICATIONOVERFLOW
PAGE = 50  # mailboxes looked at in one stay on the loop: about two milliseconds
OWN = (Where.PERSONAL, Where.INBOXES)  # letters can be delivered to any mailbox: by rules, by name
_CHANGES = frozenset((FLAGS, ANNOTATIONS))
NOTHING = FolderId(0)  # the account itself: its subscriptions and remarks


@dataclass(frozen=True, slots=True)
class State:
    """A mailbox as it was told last."""

    name: str
    listed: bool  # it may be looked up
    readable: bool
    uid_validity: int
    uid_next: int
    messages: int
    unseen: int
    modseq: int


class Notices:
    """What one client wants to hear, and what it knows."""

    __slots__ = (
        "_dirty", "_groups", "_known", "_others", "_remarks", "_renamed", "_session", "_subscribed",
        "_watches", "delayed", "items", "selected", "wake",
    )  # fmt: skip

    def __init__(self, session: Session, groups: Iterable[Group]) -> None:
        self._session = session
        groups = tuple(groups)
        mine = next((group for group in groups if group.where in OF_SELECTED), None)
        self.selected: frozenset[str] = mine.events if mine is not None else frozenset()
        self.items = mine.items if mine is not None else ()
        self.delayed = mine is not None and mine.where is Where.SELECTED_DELAYED
        self._groups = [
            (group, frozenset(names.decode(name, utf8=session.utf8) for name in group.names))
            for group in groups
            if group.where not in OF_SELECTED and group.events
        ]
        self.wake = Wake()
        self._known: dict[FolderId, State] = {}
        self._remarks: dict[FolderId, dict[str, int]] = {}
        self._subscribed: set[str] = set()
        self._renamed: list[tuple[str, str]] = []
        self._dirty: set[FolderId] = set()
        self._watches: list[Watch] = []
        self._others: set[FolderId] = set()  # of other accounts, which are watched one by one

    @property
    def active(self) -> bool:
        """Something can be told between commands."""
        return bool(self.selected or self._groups)

    def close(self) -> None:
        for watch in self._watches:
            watch.close()
        self._watches.clear()

    # --- the beginning -------------------------------------------------------------------------------

    def begin(self) -> None:
        """Listens first, then notes how things are, so that nothing falls between."""
        if not self._groups:
            return
        store, account = self._session.house.store, self._session.user.account_id
        watch = store.watch(self.wake, None, account)
        watch.dirty = self._dirty
        self._watches.append(watch)

    def note(self, tx: Tx) -> list[Place]:
        """Notes every mailbox that is wanted; those of other accounts are watched one by one.

        Raises:
            Refused: more than `MAX_WATCHED`.
        """
        account = self._session.user.account_id
        self._subscribed = set(folders.subscriptions(tx, account))
        found: dict[FolderId, Place] = {}
        for place in self._candidates(tx):
            if self.events_of(place.name, own=place.folder.account_id == account):
                found[place.folder.id] = place
                if len(found) > MAX_WATCHED:
                    raise Refused(Reason.TOO_MANY)
        for number, place in found.items():
            self._known[number] = _state(tx, place)
            if METADATA in self.events_of(place.name, own=place.folder.account_id == account):
                self._remarks[number] = self._remarks_of(tx, place.folder)
        if any(SERVER_METADATA in group.events for group, _ in self._groups):
            self._remarks[NOTHING] = self._remarks_of(tx, None)
        return list(found.values())

    def watch_others(self, found: Iterable[Place]) -> None:
        account = self._session.user.account_id
        others = {place.folder.id for place in found if place.folder.account_id != account} - self._others
        self._others |= others
        if others:
            watch = self._session.house.store.watch(self.wake, others)
            watch.dirty = self._dirty
            self._watches.append(watch)

    def _candidates(self, tx: Tx) -> Iterable[Place]:
        account = self._session.user.account_id
        yield from places.own(tx, account)
        wanted = {name for _, named in self._groups for name in named}
        if any(group.where is Where.SUBSCRIBED for group, _ in self._groups):
            wanted |= self._subscribed
        prefixes = (names.GROUPS, names.USERS, names.PUBLIC)
        if any(group.where is Where.SUBTREE for group, _ in self._groups):
            above = {prefix for prefix in prefixes for name in wanted if f"{name}/".startswith(prefix)}
            if names.GROUPS in above:
                yield from places.newsgroups(tx, account)
            if above - {names.GROUPS}:
                yield from places.shared(tx, account)
        for name in wanted:
            if name.startswith(prefixes) and (place := places.find(tx, account, name)) is not None:
                yield place

    def events_of(self, name: str, *, own: bool) -> frozenset[str]:
        """What is wanted of a mailbox; several groups may name it (RFC 5465 6)."""
        events: set[str] = set()
        for group, named in self._groups:
            match group.where:
                case Where.SUBSCRIBED:
                    covered = name in self._subscribed
                case Where.SUBTREE:
                    covered = any(name == top or name.startswith(f"{top}/") for top in named)
                case Where.MAILBOXES:
                    covered = name in named
                case _:
                    covered = own
            if covered:
                events |= group.events
        return frozenset(events)

    # --- what this client does itself is not told (RFC 5465 5) ---------------------------------------

    def did(self, tx: Tx, *touched: str) -> None:
        """Notes names as they are that this client made, removed, renamed or subscribed to."""
        account = self._session.user.account_id
        for number, old in list(self._known.items()):
            if _within(old.name, touched):
                place = _find(tx, self._session, number)
                if place is None:
                    del self._known[number]
                else:
                    self._known[number] = replace(old, name=place.name, listed=place.may("l"))
        above = {name[:at] for name in touched for at, letter in enumerate(name) if letter == "/"}
        for place in places.own(tx, account):
            known = place.folder.id in self._known or not self.events_of(place.name, own=True)
            if not known and (place.name in above or _within(place.name, touched)):
                self._known[place.folder.id] = _state(tx, place)
        subscribed = set(folders.subscriptions(tx, account))
        self._subscribed = self._subscribed.difference(touched) | subscribed.intersection(touched)

    def remarked(self, tx: Tx, folder: Folder | None, entries: Iterable[str]) -> None:
        """Notes values as they are that this client set; ``folder``: None for the server."""
        before = self._remarks.get(folder.id if folder is not None else NOTHING)
        if before is None:
            return
        now = self._remarks_of(tx, folder)
        for entry in entries:
            before.pop(entry, None)
            if entry in now:
                before[entry] = now[entry]

    # --- what happened -----------------------------------------------------------------------------

    def collect(self) -> tuple[list[bytes], bool]:
        """The next `PAGE` mailboxes' news; true if there is more."""
        if any(watch.missed for watch in self._watches):
            for watch in self._watches:
                watch.missed = False
            self._dirty |= self._known.keys() | {NOTHING}
            self._dirty.update(self._session.house.store.peek(_own_ids, self._session))
        if not self._dirty:
            return [], False
        if len(self._dirty) > 2 * MAX_WATCHED:
            return [self.overflow()], False
        # a renamed mailbox before what is below it (RFC 5465 5.4)
        first = sorted(
            self._dirty, key=lambda number: len(self._known[number].name) if number in self._known else 0
        )
        page = first[:PAGE]
        self._dirty.difference_update(page)
        told = self._session.house.store.peek(self._look, page)
        if not self._dirty:
            self._renamed.clear()
        if len(self._known) > MAX_WATCHED:
            told.append(self.overflow())
        return told, bool(self._dirty)

    def overflow(self) -> bytes:
        """RFC 5465 5.8: from now on as after NOTIFY NONE."""
        self.close()
        self._groups, self.selected, self.items = [], frozenset(), ()
        self._dirty.clear()
        self._known.clear()
        return b"* OK [NOTIFICATIONOVERFLOW] Too much happens\r\n"

    def _look(self, tx: Tx, page: list[FolderId]) -> list[bytes]:
        told: list[bytes] = []
        for number in page:
            if number == NOTHING:
                told += self._subscriptions(tx)
                if NOTHING in self._remarks:
                    told += self._metadata(tx, NOTHING, None, "")
            else:
                told += self._folder(tx, number)
        return told

    def _folder(self, tx: Tx, number: FolderId) -> list[bytes]:
        old, place = self._known.get(number), _find(tx, self._session, number)
        new = _state(tx, place) if place is not None else None
        name = new.name if new is not None else old.name if old is not None else ""
        own = place is not None and place.reader is None
        events = self.events_of(name, own=own or (place is None and old is not None and _is_own(name)))
        if not events:
            self._known.pop(number, None)
            return []
        told = self._names(tx, old, new) if NAMES in events else []
        if place is not None and new is not None:
            if old is None and place.reader is not None:
                self.watch_others([place])  # it was given to this account just now
            self._known[number] = new
            here = self._session.selected
            if events & OF_MESSAGES and new.readable and not (here is not None and here.folder_id == number):
                told += self._messages(tx, place, events, old, new)
            if METADATA in events:
                told += self._metadata(tx, number, place.folder, name)
        else:
            self._known.pop(number, None)
            self._remarks.pop(number, None)
        return told

    def _names(self, tx: Tx, old: State | None, new: State | None) -> list[bytes]:
        """Created, deleted, renamed, or the right to look it up given or taken (RFC 5465 5.4)."""
        was, now = old is not None and old.listed, new is not None and new.listed
        if was and now and old is not None and new is not None:
            if old.name == new.name:
                return []
            if any(
                old.name.startswith(f"{source}/") and new.name == target + old.name[len(source) :]
                for source, target in self._renamed
            ):
                return []  # its parent's name says it
            self._renamed.append((old.name, new.name))
            return [self._listed(tx, new.name, old.name)]
        if was == now:
            return []
        name = new.name if new is not None else old.name if old is not None else ""
        told = [self._listed(tx, name)]
        parent = name.rpartition("/")[0]
        if parent and NAMES in self.events_of(parent, own=_is_own(parent)):
            told.append(self._listed(tx, parent))
        return told

    def _messages(
        self, tx: Tx, place: Place, events: frozenset[str], old: State | None, new: State
    ) -> list[bytes]:
        items: list[bytes] = []
        condstore = self._session.condstore
        if old is None or (old.uid_next, old.messages) != (new.uid_next, new.messages):
            if old is None and not new.messages:
                return []
            items += [b"UIDNEXT", b"MESSAGES"]  # RFC 5465 5.2, 5.3
        elif not events & _CHANGES or old.modseq == new.modseq:
            return []
        if FLAGS in events and old is not None and old.unseen != new.unseen:
            items.append(b"UNSEEN")
        if condstore:
            items.append(b"HIGHESTMODSEQ")
        if items and (events & _CHANGES or (old is not None and old.uid_validity != new.uid_validity)):
            items.append(b"UIDVALIDITY")
        return [status.line(tx, self._session, place, tuple(items))] if items else []

    def _subscriptions(self, tx: Tx) -> list[bytes]:
        before, account = self._subscribed, self._session.user.account_id
        self._subscribed = set(folders.subscriptions(tx, account))
        told = []
        for name in sorted(before ^ self._subscribed):
            place = places.find(tx, account, name)
            if SUBSCRIPTIONS in self.events_of(name, own=_is_own(name)) or (
                SUBSCRIPTIONS in {event for group, _ in self._groups for event in group.events
                                  if group.where is Where.SUBSCRIBED}
            ):  # fmt: skip
                told.append(self._listed(tx, name))
            if place is None or name not in self._subscribed or place.folder.id in self._known:
                continue
            if self.events_of(name, own=place.reader is None):
                self._known[place.folder.id] = _state(tx, place)
                self.watch_others([place])
        return told

    def _metadata(self, tx: Tx, number: FolderId, folder: Folder | None, name: str) -> list[bytes]:
        """RFC 5465 5.6, 5.7: the names of what changed."""
        before = self._remarks.get(number, {})
        now = self._remarks[number] = self._remarks_of(tx, folder)
        changed = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
        if not changed:
            return []
        words = b" ".join(fmt.astring(key.encode("utf-8", "replace")) for key in changed)
        where = fmt.mailbox(name, utf8=self._session.utf8) if name else b'""'
        return [b"* METADATA %b %b\r\n" % (where, words)]

    def _remarks_of(self, tx: Tx, folder: Folder | None) -> dict[str, int]:
        account = self._session.user.account_id
        if folder is not None:
            return {name: hash(value) for name, value in metadata.of_folder(tx, account, folder).items()}
        return {
            f"{prefix}/{name}": hash(value)
            for reader, prefix in ((remarks.SHARED, "/shared"), (account, "/private"))
            for name, value in recents.entries(tx, account, NOTHING, reader).items()
        }

    def _listed(self, tx: Tx, name: str, old: str = "") -> bytes:
        """``* LIST (...) "/" name ("OLDNAME" ("old"))`` as it is now."""
        account = self._session.user.account_id
        place = places.find(tx, account, name)
        words: list[bytes] = []
        if name in self._subscribed:
            words.append(b"\\Subscribed")
        if place is not None and place.reader is not None:
            above = folders.is_above(tx, place.folder.account_id, place.folder.name)
        else:
            above = _is_own(name) and folders.is_above(tx, account, name)
        there = place is not None and place.may("l")
        if not there:
            words.append(b"\\NonExistent")
        if there or above:
            words.append(b"\\HasChildren" if above else b"\\HasNoChildren")
        if there and place is not None and not place.may("r"):
            words.append(b"\\NoAccess")
        utf8 = self._session.utf8
        extra = b' ("OLDNAME" (%b))' % fmt.mailbox(old, utf8=utf8) if old else b""
        return b'* LIST (%b) "/" %b%b\r\n' % (b" ".join(words), fmt.mailbox(name, utf8=utf8), extra)

    # --- the answer to NOTIFY SET ------------------------------------------------------------------

    def first(self, tx: Tx, found: list[Place], with_status: bool) -> bytes:
        """STATUS where it was asked for, and LIST of what may not be read (RFC 5465 3.1)."""
        account, told = self._session.user.account_id, []
        here = self._session.selected
        for place in found:
            events = self.events_of(place.name, own=place.folder.account_id == account)
            if place.may("l") and not place.may("r"):
                told.append(self._listed(tx, place.name))
            elif with_status and place.may("r") and not (here and here.folder_id == place.folder.id):
                items = _first_items(events, self._session.condstore)
                if items:
                    told.append(status.line(tx, self._session, place, items))
        return b"".join(told)


def _first_items(events: frozenset[str], condstore: bool) -> tuple[bytes, ...]:
    items: dict[bytes, None] = {}
    if NEW in events or EXPUNGE in events:
        items.update({b"MESSAGES": None, b"UIDNEXT": None, b"UIDVALIDITY": None})
    if events & _CHANGES or (condstore and items):
        items.update({b"UIDVALIDITY": None, b"HIGHESTMODSEQ": None})
    return tuple(items)


def _within(name: str, roots: Iterable[str]) -> bool:
    """True for one of ``roots`` and what is below it."""
    return any(name == root or name.startswith(f"{root}/") for root in roots)


def _is_own(name: str) -> bool:
    return not name.startswith((names.GROUPS, names.USERS, names.PUBLIC))


def _own_ids(tx: Tx, session: Session) -> list[FolderId]:
    rows = tx.all("SELECT id FROM folder WHERE account_id = ?", session.user.account_id)
    return [FolderId(number) for (number,) in rows]


def _find(tx: Tx, session: Session, number: FolderId) -> Place | None:
    """A folder as this account sees it."""
    try:
        folder = folders.get(tx, number)
    except Refused:
        return None
    if folder.kind == FolderKind.ITEM:
        return None
    name = folder.name
    if folder.kind == FolderKind.GROUP:
        name = names.GROUPS + name
    elif folder.account_id != session.user.account_id:
        owner = accounts.get(tx, folder.account_id)
        name = f"{names.PUBLIC if owner.kind == AccountKind.SHARED else names.USERS}{owner.name}/{name}"
    return places.place(tx, session.user.account_id, folder, name)


def _state(tx: Tx, place: Place) -> State:
    folder = place.folder
    return State(
        place.name, place.may("l"), place.may("r"), folder.uid_validity, folder.uid_next, folder.messages,
        places.unseen(tx, place), folder.highest_modseq,
    )  # fmt: skip
