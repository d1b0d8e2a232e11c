"""IAddrBook and what it opens: containers, mail users, distribution lists; names that are resolved.

The address books of all services of a profile are one here: the root's containers are theirs, in their order.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from quintet.errors import Problem
from quintet.mapi import consts, ids, pr
from quintet.mapi.bag import Bag, Key
from quintet.mapi.core import dialog, notify, values
from quintet.mapi.core.container import IMAPIContainer
from quintet.mapi.core.errors import fail
from quintet.mapi.core.props import IMAPIProp
from quintet.mapi.core.structs import SPropValue
from quintet.mapi.core.table import IMAPITable, of_bags
from quintet.mapi.providers.base import AddressBook, Can, EntryId, Thing

if TYPE_CHECKING:
    from quintet.mapi.core.session import IMAPISession

CONTAINER_COLUMNS = (
    pr.ENTRYID, pr.INSTANCE_KEY, pr.DISPLAY_NAME, pr.CONTAINER_FLAGS, pr.DISPLAY_TYPE, pr.DEPTH,
    pr.OBJECT_TYPE, pr.AB_PROVIDER_ID, pr.PARENT_ENTRYID,
)  # fmt: skip
ENTRY_COLUMNS = (
    pr.ENTRYID, pr.INSTANCE_KEY, pr.DISPLAY_NAME, pr.ADDRTYPE, pr.EMAIL_ADDRESS, pr.SMTP_ADDRESS,
    pr.OBJECT_TYPE, pr.DISPLAY_TYPE, pr.SEARCH_KEY, pr.RECORD_KEY, pr.ACCOUNT,
)  # fmt: skip
RESOLVED = (  # what a resolved recipient gets
    pr.ENTRYID, pr.DISPLAY_NAME, pr.ADDRTYPE, pr.EMAIL_ADDRESS, pr.SMTP_ADDRESS, pr.OBJECT_TYPE,
    pr.DISPLAY_TYPE, pr.SEARCH_KEY,
)  # fmt: skip
MAX_MEMBERS = 100_000  # of one list
MAX_DEPTH = 8  # lists in lists
_TEMPLATES: Final = {  # what an entry id of a container goes on with, for entries that are not there yet
    pr.DEF_CREATE_MAILUSER: (b"\0person", Thing.MAIL_USER),
    pr.DEF_CREATE_DL: (b"\0list", Thing.DIST_LIST),
}


class IMailUser(IMAPIProp):
    """A person; ``container`` None: one that is not in an address book."""

    iids: ClassVar[tuple[str, ...]] = ("IID_IMailUser",)
    computed = frozenset((pr.ENTRYID, pr.OBJECT_TYPE, pr.RECORD_KEY, pr.INSTANCE_KEY, pr.PARENT_ENTRYID))

    def __init__(
        self,
        bag: Bag,
        lock: threading.RLock,
        *,
        book: AddressBook | None = None,
        container: EntryId | None = None,
        entry: EntryId | None = None,
        writable: bool = False,
    ) -> None:
        super().__init__(lock, writable=writable)
        self._own, self._book, self._container, self.entry = dict(bag), book, container, entry

    def _bag(self) -> Bag:
        return self._own

    def _take(self, changes: Bag, gone: Collection[Key]) -> None:
        self._own.update(changes)
        for key in gone:
            self._own.pop(key, None)

    def SaveChanges(self, flags: int = 0) -> None:
        """Keeps a new or changed entry.  Raises MAPIErrorNoAccess."""
        self._must_be_writable()
        if self._book is None or self._container is None:
            raise fail("MAPI_E_NO_ACCESS", "this one is in no address book that can be written")
        self._flush()
        self.entry = self._book.save(self._container, self._own, self.entry)
        self._own = self._book.load(self.entry)
        if not flags & consts.KEEP_OPEN_READWRITE:
            self._writable = False


class IABContainer(IMAPIContainer):
    """A container of an address book; ``entry`` None: the root above all of them."""

    iids: ClassVar[tuple[str, ...]] = ("IID_IABContainer",)
    computed = frozenset((pr.ENTRYID, pr.OBJECT_TYPE, pr.RECORD_KEY, pr.INSTANCE_KEY, pr.CONTAINER_FLAGS))

    def __init__(self, book: IAddrBook, source: AddressBook | None, entry: EntryId | None) -> None:
        super().__init__(book._lock, writable=source is not None and Can.WRITE in source.can)
        self.book, self.source, self.entry = book, source, entry
        self._own: Bag = (
            {
                pr.DISPLAY_NAME: "",
                pr.OBJECT_TYPE: int(Thing.CONTAINER),
                pr.CONTAINER_FLAGS: consts.AB_SUBCONTAINERS,
            }
            if source is None or entry is None
            else source.load(entry)
        )

    def _bag(self) -> Bag:
        if not self._writable or self.entry is None:
            return self._own
        return {**self._own, **{tag: self.entry + mark for tag, (mark, _) in _TEMPLATES.items()}}

    def GetHierarchyTable(self, flags: int = 0) -> IMAPITable:
        """The containers right below; all below with CONVENIENT_DEPTH."""
        bags: dict[bytes, Bag] = {}
        for source in self.book.sources if self.source is None else (self.source,):
            start = source.root if self.entry is None else self.entry
            self._gather(source, start, bags, 1, deep=bool(flags & consts.CONVENIENT_DEPTH))
        return of_bags(bags, CONTAINER_COLUMNS, self._lock, wide=bool(flags & consts.MAPI_UNICODE))

    def _gather(
        self, source: AddressBook, start: EntryId, bags: dict[bytes, Bag], depth: int, *, deep: bool
    ) -> None:
        for one in source.containers(start).ids():
            if one not in bags:  # a book that is its own container ends here
                bags[one] = {**source.load(one), pr.DEPTH: depth - 1, pr.AB_PROVIDER_ID: source.uid}
                if deep:
                    self._gather(source, one, bags, depth + 1, deep=True)

    def GetContentsTable(self, flags: int = 0) -> IMAPITable:
        """People and lists; of a distribution list its members."""
        wide = bool(flags & consts.MAPI_UNICODE)
        if self.source is None or self.entry is None:
            return of_bags({}, ENTRY_COLUMNS, self._lock, wide=wide)
        hub = self.book.hub(self.source)
        return IMAPITable(
            self.source.entries(self.entry),
            ENTRY_COLUMNS,
            lock=self._lock,
            wide=wide,
            hub=hub,
            about=self.entry,
        )

    def OpenEntry(self, entry: bytes | None, iid: bytes | None = None, flags: int = 0) -> Any:
        return self.book.OpenEntry(entry or self.entry, iid, flags)

    def CreateEntry(self, template: bytes | None = None, flags: int = 0) -> IMailUser:
        """A new entry, kept by its SaveChanges; a copy of ``template`` where that is an entry.

        PR_DEF_CREATE_MAILUSER and PR_DEF_CREATE_DL are templates of a person and of a list.
        """
        if self.source is None or self.entry is None or not self._writable:
            raise fail("MAPI_E_NO_ACCESS")
        bag: Bag = {pr.OBJECT_TYPE: int(Thing.MAIL_USER)}
        fresh = {self.entry + mark: thing for mark, thing in _TEMPLATES.values()}
        if template in fresh:
            bag[pr.OBJECT_TYPE] = int(fresh[template])
        elif template:
            found = self.book.load(template)
            bag = {key: value for key, value in found.items() if key not in IMailUser.computed}
            bag[pr.OBJECT_TYPE] = found.get(pr.OBJECT_TYPE, int(Thing.MAIL_USER))
        kind = IDistList if bag[pr.OBJECT_TYPE] == Thing.DIST_LIST else IMailUser
        return kind(bag, self._lock, book=self.source, container=self.entry, writable=True)

    def CopyEntries(
        self, entries: Sequence[EntryId], ui: int = 0, progress: object = None, flags: int = 0
    ) -> None:
        for one in entries:
            self.CreateEntry(one, 0).SaveChanges(0)

    def DeleteEntries(self, entries: Sequence[EntryId], flags: int = 0) -> None:
        if self.source is None:
            raise fail("MAPI_E_NO_ACCESS")
        self.source.delete(list(entries))

    def ResolveNames(
        self,
        tags: Sequence[int] | None,
        flags: int,
        names: Sequence[Sequence[SPropValue]],
        states: Sequence[int],
    ) -> tuple[list[list[SPropValue]], list[int]]:
        """Each row that is MAPI_UNRESOLVED is looked up here; the rows with what was found, and their
        states.
        """
        wanted = list(tags or RESOLVED)
        rows, now = [list(row) for row in names], list(states)
        for at, row in enumerate(rows):
            if now[at] != consts.MAPI_UNRESOLVED or self.source is None:
                continue
            found = self.source.resolve(_name(row), self.entry)
            if len(found) == 1:
                bag = self.source.load(found[0])
                kept = [
                    one for one in row if one.ulPropTag not in wanted
                ]  # To, Cc and what else a program knows
                rows[at] = [*kept, *[values.shown(tag, bag.get(values.key(tag))) for tag in wanted]]
                now[at] = consts.MAPI_RESOLVED
            elif found:
                now[at] = consts.MAPI_AMBIGUOUS
        return rows, now

    def SaveChanges(self, flags: int = 0) -> None:
        """A container itself is changed by nobody.  Raises MAPIErrorNoAccess."""
        raise fail("MAPI_E_NO_ACCESS")


class IDistList(IMailUser):
    """A distribution list: an entry that has members."""

    iids: ClassVar[tuple[str, ...]] = ("IID_IDistList", "IID_IMAPIContainer")

    def _must_book(self) -> AddressBook:
        if self._book is None or self.entry is None:
            raise fail("MAPI_E_NO_ACCESS", "this list is not in an address book yet")
        return self._book

    def _members(self) -> list[EntryId]:
        return self._must_book().members(self.entry or b"")

    def GetContentsTable(self, flags: int = 0) -> IMAPITable:
        """The members; those whom nobody knows any more are left out."""
        book, bags = self._must_book(), {}
        for one in self._members():
            bag = one_off(one) or (book.load(one) if one[4:20] == book.uid else None)
            if bag is not None:
                bags[one] = bag
        return of_bags(bags, ENTRY_COLUMNS, self._lock, wide=bool(flags & consts.MAPI_UNICODE))

    def CopyEntries(
        self, entries: Sequence[EntryId], ui: int = 0, progress: object = None, flags: int = 0
    ) -> None:
        """Makes them members."""
        now = [*self._members(), *entries]
        if len(now) > MAX_MEMBERS:
            raise fail("MAPI_E_TOO_BIG")
        self._must_book().set_members(self.entry or b"", now)

    def DeleteEntries(self, entries: Sequence[EntryId], flags: int = 0) -> None:
        """Members no longer."""
        now = [one for one in self._members() if one not in entries]
        self._must_book().set_members(self.entry or b"", now)


def _name(row: Sequence[SPropValue]) -> str:
    bag = values.bag_of(row)
    return str(bag.get(pr.DISPLAY_NAME) or bag.get(pr.EMAIL_ADDRESS) or "")


def one_off(entry: EntryId) -> Bag | None:
    """The properties that a one-off entry id tells; None: it is none."""
    try:
        found = ids.read(entry)
    except Problem:
        return None
    if not isinstance(found, ids.OneOffEntry):
        return None
    bag: Bag = {
        pr.ENTRYID: entry,
        pr.DISPLAY_NAME: found.name,
        pr.ADDRTYPE: found.kind,
        pr.EMAIL_ADDRESS: found.address,
        pr.OBJECT_TYPE: int(Thing.MAIL_USER),
        pr.DISPLAY_TYPE: consts.DT_MAILUSER,
        pr.SEARCH_KEY: f"{found.kind}:{found.address}".upper().encode() + b"\0",
    }
    if found.kind == "SMTP":
        bag[pr.SMTP_ADDRESS] = found.address
    return bag


class IAddrBook(IMAPIProp):
    """All address books of a session."""

    iids: ClassVar[tuple[str, ...]] = ("IID_IAddrBook",)

    def __init__(self, session: IMAPISession, sources: Sequence[AddressBook], lock: threading.RLock) -> None:
        super().__init__(lock)
        self._session, self.sources = session, list(sources)
        self._hubs: dict[bytes, notify.Hub] = {}
        self._path: list[EntryId] | None = None
        self._default: EntryId | None = None
        self._pab: EntryId | None = None
        self._connections: dict[int, tuple[notify.Hub, int]] = {}
        self._numbers = itertools.count(1)

    def _bag(self) -> Bag:
        return {pr.OBJECT_TYPE: consts.MAPI_ADDRBOOK}

    def hub(self, source: AddressBook) -> notify.Hub:
        found = self._hubs.get(source.uid)
        if found is None:
            found = self._hubs[source.uid] = notify.Hub(source)
        return found

    def source_of(self, entry: EntryId) -> AddressBook:
        """Raises MAPIErrorUnknownEntryid."""
        for one in self.sources:
            if entry[4:20] == one.uid:
                return one
        raise fail("MAPI_E_UNKNOWN_ENTRYID")

    def load(self, entry: EntryId) -> Bag:
        """The properties of an entry of any book, or of a one-off id."""
        return one_off(entry) or self.source_of(entry).load(entry)

    def OpenEntry(self, entry: bytes | None, iid: bytes | None = None, flags: int = 0) -> Any:
        """A container, a mail user, a list; None: the root above all containers."""
        if not entry:
            return IABContainer(self, None, None)
        bag = one_off(entry)
        if bag is not None:
            return IMailUser(bag, self._lock, entry=entry)
        source = self.source_of(entry)
        bag = source.load(entry)
        if bag.get(pr.OBJECT_TYPE) == Thing.CONTAINER:
            return IABContainer(self, source, entry)
        kind = IDistList if bag.get(pr.OBJECT_TYPE) == Thing.DIST_LIST else IMailUser
        parent = bag.get(pr.PARENT_ENTRYID)
        writable = Can.WRITE in source.can and parent is not None and bool(flags & consts.MAPI_MODIFY)
        return kind(bag, self._lock, book=source, container=parent, entry=entry, writable=writable)

    def CompareEntryIDs(self, first: bytes, second: bytes, flags: int = 0) -> bool:
        return same(first, second)

    def Advise(self, entry: EntryId, mask: int, sink: notify.IMAPIAdviseSink) -> int:
        source = self.source_of(entry)
        hub = self.hub(source)
        if not hub.tells:
            raise fail("MAPI_E_NO_SUPPORT")
        number = next(self._numbers)
        self._connections[number] = (hub, hub.advise(entry, mask, sink))
        return number

    def Unadvise(self, connection: int) -> None:
        if connection in self._connections:
            hub, number = self._connections.pop(connection)
            hub.forget(number)

    # --- names and recipients

    def CreateOneOff(
        self, name: str | bytes | None, kind: str | bytes, address: str | bytes, flags: int = 0
    ) -> bytes:
        """The entry id of somebody who is in no address book.  Raises MAPIErrorInvalidParameter."""
        texts = [
            one.decode("utf-8") if isinstance(one, bytes) else one or "" for one in (name, kind, address)
        ]
        if not texts[1] or not texts[2]:
            raise fail("MAPI_E_INVALID_PARAMETER", "an address has a kind and a text")
        bits = ids.UNICODE | (ids.NO_RICH if flags & consts.MAPI_SEND_NO_RICH_INFO else 0)
        return ids.write(ids.OneOffEntry(bits, texts[0] or texts[2], texts[1].upper(), texts[2]))

    def NewEntry(self, ui: int, flags: int, container: EntryId | None, template: EntryId | None) -> EntryId:
        """Asks, in a terminal, for a name and an address.  Raises MAPIErrorUserCancel: there is none."""
        answers = dialog.ask(["Name", "Address"], caption="A new address")
        if answers is None:
            raise fail("MAPI_E_USER_CANCEL")
        if container is None:
            return self.CreateOneOff(answers[0], "SMTP", answers[1], 0)
        made = self.OpenEntry(container).CreateEntry(template, 0)
        made.SetProps([SPropValue(pr.DISPLAY_NAME, answers[0]), SPropValue(pr.EMAIL_ADDRESS, answers[1])])
        made.SaveChanges(0)
        entry: EntryId = made.entry
        return entry

    def ResolveName(
        self, ui: int, flags: int, title: str | None, names: Sequence[Sequence[SPropValue]]
    ) -> list[list[SPropValue]]:
        """Every row without PR_ENTRYID gets what its PR_DISPLAY_NAME means; others stay as they are.

        "SMTP:a@b" and an address that nobody here has become one-off entries.
        Raises MAPIErrorNotFound; MAPIErrorAmbiguousRecip: several are meant; with MAPI_DIALOG
        MAPIErrorUserCancel: nobody is there to choose among them, or wants to.
        """
        found = []
        for row in names:
            bag = values.bag_of(row)
            if bag.get(pr.ENTRYID):
                found.append(list(row))
                continue
            entry = self.resolved(_name(row), ask=bool(flags & consts.MAPI_DIALOG))
            known = self.load(entry)
            kept = [one for one in row if values.key(one.ulPropTag) not in RESOLVED]
            found.append(
                [*[values.shown(tag, known[tag]) for tag in RESOLVED if known.get(tag) is not None], *kept]
            )
        return found

    def resolved(self, text: str, *, ask: bool = False) -> EntryId:
        """Whom a text means, in the order of the search path."""
        for source, container in self._search():
            found = source.resolve(text, container)
            if len(found) == 1:
                return found[0]
            if found:
                chosen = self._choose(text, found) if ask else None
                if chosen is None:
                    code = "MAPI_E_USER_CANCEL" if ask else "MAPI_E_AMBIGUOUS_RECIP"
                    raise fail(code, f"several are meant by {text}")
                return chosen
        kind, colon, rest = text.strip().partition(":")
        if colon and kind.isalnum() and rest:
            return self.CreateOneOff(None, kind, rest, 0)
        if "@" in text.strip("@ ") and " " not in text.strip():
            return self.CreateOneOff(None, "SMTP", text.strip(), 0)
        raise fail("MAPI_E_NOT_FOUND", f"nobody is called {text}")

    def _choose(self, text: str, found: list[EntryId]) -> EntryId | None:
        names = [str(self.load(one).get(pr.DISPLAY_NAME)) for one in found]
        at = dialog.choose(names, caption=f"Who is meant by {text}?")
        return None if at is None else found[at]

    def _search(self) -> list[tuple[AddressBook, EntryId | None]]:
        if self._path is None:
            return [(source, None) for source in self.sources]
        return [(self.source_of(one), one) for one in self._path]

    def PrepareRecips(
        self, flags: int, tags: Sequence[int] | None, recipients: Sequence[Sequence[SPropValue]]
    ) -> list[list[SPropValue]]:
        """Rows that have an entry id, with what the address book knows of ``tags``."""
        rows = []
        for row in recipients:
            bag = values.bag_of(row)
            entry = bag.get(pr.ENTRYID)
            known = self.load(entry) if entry else bag
            wanted = [values.shown(tag, known.get(values.key(tag))) for tag in tags or ()]
            rows.append([*wanted, *[one for one in row if one.ulPropTag not in (tags or ())]])
        return rows

    def Address(self, ui: int, recipients: Sequence[Sequence[SPropValue]]) -> list[list[SPropValue]]:
        """Asks, in a terminal, for more recipients.  Raises MAPIErrorUserCancel."""
        answers = dialog.ask(["To", "Cc"], caption="Recipients, separated by ;")
        if answers is None:
            raise fail("MAPI_E_USER_CANCEL")
        rows = [list(row) for row in recipients]
        for kind, answer in ((consts.MAPI_TO, answers[0]), (consts.MAPI_CC, answers[1])):
            new = [
                [SPropValue(pr.DISPLAY_NAME, name.strip()), SPropValue(pr.RECIPIENT_TYPE, kind)]
                for name in answer.split(";")
                if name.strip()
            ]
            rows += self.ResolveName(ui, consts.MAPI_DIALOG, None, new)
        return rows

    def Details(self, ui: int, dismiss: object, context: object, entry: EntryId, *rest: object) -> None:
        """Shows an entry in a terminal.  Raises MAPIErrorUserCancel: there is none."""
        bag = self.load(entry)
        lines = [
            f"{title}: {bag[tag]}"
            for title, tag in (
                ("Name", pr.DISPLAY_NAME),
                ("Address", pr.EMAIL_ADDRESS),
                ("Kind", pr.ADDRTYPE),
            )
            if bag.get(tag)
        ]
        if not dialog.show(lines):
            raise fail("MAPI_E_USER_CANCEL")

    def RecipOptions(self, ui: int, flags: int, recipient: object) -> None:
        """Raises MAPIErrorNoSupport: no kind of address has options here."""
        raise fail("MAPI_E_NO_SUPPORT")

    def QueryDefaultRecipOpt(self, kind: str, flags: int = 0) -> list[SPropValue]:
        """The options of a kind of address: none."""
        return []

    def expanded(self, rows: Sequence[Bag]) -> list[Bag]:
        """Recipients with the members of lists that have no address of their own in their place, each once.

        Raises MAPIErrorTooBig; MapiError(NOT_FOUND): a list is gone.
        """
        found: list[Bag] = []
        for row in rows:
            entry = row.get(pr.ENTRYID)
            if row.get(pr.EMAIL_ADDRESS) or row.get(pr.SMTP_ADDRESS) or not isinstance(entry, bytes):
                found.append(row)
                continue
            kind: Bag = {pr.RECIPIENT_TYPE: row.get(pr.RECIPIENT_TYPE, consts.MAPI_TO)}
            found += [{**bag, **kind} for bag in self._people(entry, set(), 0) or [row]]
            if len(found) > MAX_MEMBERS:
                raise fail("MAPI_E_TOO_BIG")
        return found

    def _people(self, entry: EntryId, seen: set[EntryId], depth: int) -> list[Bag]:
        """Everybody behind an entry; nobody behind one that no book here has."""
        if entry in seen or depth > MAX_DEPTH or len(seen) > MAX_MEMBERS:
            return []
        seen.add(entry)
        alone = one_off(entry)
        if alone is None and not any(entry[4:20] == one.uid for one in self.sources):
            return []
        bag = alone or self.load(entry)
        if bag.get(pr.OBJECT_TYPE) != Thing.DIST_LIST or bag.get(pr.EMAIL_ADDRESS):
            return [{tag: bag[tag] for tag in RESOLVED if bag.get(tag) is not None}]
        members = self.source_of(entry).members(entry)
        return [each for one in members for each in self._people(one, seen, depth + 1)]

    # --- containers that have a part to play

    def GetPAB(self) -> EntryId:
        """The first container that can be written.  Raises MAPIErrorNotFound."""
        if self._pab is not None:
            return self._pab
        for source in self.sources:
            for one in source.containers(source.root).ids() if Can.WRITE in source.can else ():
                if (source.load(one).get(pr.CONTAINER_FLAGS) or 0) & consts.AB_MODIFIABLE:
                    return one
        raise fail("MAPI_E_NOT_FOUND", "no address book can be written")

    def SetPAB(self, entry: EntryId) -> None:
        self.source_of(entry).load(entry)
        self._pab = entry

    def GetDefaultDir(self) -> EntryId:
        """The container that is shown first.  Raises MAPIErrorNotFound: there is no address book."""
        if self._default is None and not self.sources:
            raise fail("MAPI_E_NOT_FOUND")
        return self._default or self.sources[0].first()

    def SetDefaultDir(self, entry: EntryId) -> None:
        self.source_of(entry).load(entry)
        self._default = entry

    def GetSearchPath(self, flags: int = 0) -> list[list[SPropValue]]:
        """The containers that names are looked up in, in this order."""
        path = [source.first() for source in self.sources] if self._path is None else self._path
        tags = (pr.ENTRYID, values.tag(pr.DISPLAY_NAME, wide=bool(flags & consts.MAPI_UNICODE)))
        bags = [self.load(one) for one in path]
        return [[values.shown(tag, bag.get(values.key(tag))) for tag in tags] for bag in bags]

    def SetSearchPath(self, flags: int, rows: Sequence[Sequence[SPropValue]]) -> None:
        path = [values.bag_of(row).get(pr.ENTRYID) for row in rows]
        if None in path:
            raise fail("MAPI_E_MISSING_REQUIRED_COLUMN", "each row needs PR_ENTRYID")
        self._path = [one for one in path if one is not None]

    def close(self) -> None:
        for hub in self._hubs.values():
            hub.close()


def same(first: bytes, second: bytes) -> bool:
    """Whether two entry ids mean the same object; addresses of one-off ids without regard to case."""
    if first == second:
        return True
    one, other = one_off(first), one_off(second)
    return one is not None and other is not None and one[pr.SEARCH_KEY] == other[pr.SEARCH_KEY]
