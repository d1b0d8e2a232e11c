"""Folders: what they hold, what is made in them, and what happens there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from quintet.errors import Problem
from quintet.mapi import convert, msgfile, pr
from quintet.mapi.api.fields import Condition, Field, condition
from quintet.mapi.api.item import Item, Message, Post, kind_of
from quintet.mapi.api.query import Items, Order
from quintet.mapi.api.whom import Recipients, Sender
from quintet.mapi.bag import Bag, Key
from quintet.mapi.bag import Item as Values
from quintet.mapi.convert import calendars, cards
from quintet.mapi.core.folder import IMAPIFolder, carried
from quintet.mapi.core.message import IMessage, draft
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import derive, listing
from quintet.mapi.providers.base import EntryId, Event, Kind, Thing, View
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.mapi.api.store import Store

I = TypeVar("I", bound=Item)  # noqa: E741 (an item)
WAITING = 10_000  # changes that nobody fetched yet; beyond it only "lost" is told
_WORDS = {
    Kind.NEW_MAIL: "new",
    Kind.CREATED: "created",
    Kind.DELETED: "deleted",
    Kind.MODIFIED: "modified",
    Kind.MOVED: "moved",
    Kind.COPIED: "copied",
}


@dataclass(frozen=True, slots=True)
class Change:
    """Something happened: "new", "created", "modified", "deleted", "moved", "copied".

    "lost": more happened than was fetched; look at the folder, or `Folder.sync`.
    """

    what: str
    entry: EntryId
    item: Item | None  # None for what is gone, and for a folder
    folder: Folder | None = None


@dataclass(frozen=True, slots=True)
class Sync:
    """What changed since a state; ``state`` is for the next time."""

    state: bytes
    changed: list[Item]
    read: list[tuple[Item, bool]]  # only whether it was read
    gone: list[EntryId]


class Folder:
    """A folder of a store."""

    def __init__(self, store: Store, entry: EntryId) -> None:
        self.store, self.entry = store, entry

    @property
    def mapi(self) -> IMAPIFolder:
        """The IMAPIFolder below.  Raises MapiError(NOT_FOUND)."""
        return IMAPIFolder(self.store.mapi, self.entry, writable=True)

    def _bag(self) -> Bag:
        return self.store.source.folder(self.entry)

    @property
    def id(self) -> str:
        return self.entry.hex()

    @property
    def name(self) -> str:
        return str(self._bag().get(pr.DISPLAY_NAME) or "")

    @name.setter
    def name(self, name: str) -> None:
        """Raises MapiError(COLLIDING_NAMES)."""
        self._moved(self.store.source.move_folder(self.entry, self._bag()[pr.PARENT_ENTRYID], name))

    def _moved(self, entry: EntryId) -> None:
        self.entry = entry

    @property
    def path(self) -> str:
        """From below the top, with "/" between."""
        above = self.parent
        return f"{above.path}/{self.name}".removeprefix("/") if above is not None else ""

    @property
    def parent(self) -> Folder | None:
        if self.entry in (self.store.source.root, self.store.source.top):
            return None
        above = self._bag().get(pr.PARENT_ENTRYID)
        return None if above in (None, self.entry) else Folder(self.store, above)

    @property
    def kind(self) -> str:
        """The container class: "IPF.Note", "IPF.Appointment"..."""
        return str(self._bag().get(pr.CONTAINER_CLASS) or "IPF.Note")

    def __len__(self) -> int:
        return int(self._bag().get(pr.CONTENT_COUNT) or 0)

    def __bool__(self) -> bool:
        return True

    @property
    def unread(self) -> int:
        return int(self._bag().get(pr.CONTENT_UNREAD) or 0)

    # --- folders below

    def folders(self) -> list[Folder]:
        """Right below."""
        return [Folder(self.store, one) for one in self.store.source.folders(self.entry).ids()]

    def walk(self) -> Iterator[Folder]:
        """This one and all below it."""
        yield self
        for one in self.folders():
            yield from one.walk()

    def folder(self, path: str, *, create: bool = False, kind: str = "IPF.Note") -> Folder:
        """By names with "/" between.  Raises MapiError(NOT_FOUND), unless it is to be made."""
        found = self
        for name in [part for part in path.split("/") if part]:
            entry = listing.named(self.store.source.folders(found.entry), name)
            if entry is None and not create:
                raise MapiError(Code.NOT_FOUND, f"no folder {path!r} in {self.name or self.store.name!r}")
            found = found.make(name, kind=kind) if entry is None else Folder(self.store, entry)
        return found

    def make(self, name: str, *, kind: str = "IPF.Note") -> Folder:
        """A new folder below.  Raises MapiError(COLLIDING_NAMES)."""
        entry = self.store.source.make_folder(self.entry, {pr.DISPLAY_NAME: name, pr.CONTAINER_CLASS: kind})
        self.store.mapi.hub.did(Kind.CREATED, Thing.FOLDER, entry, self.entry)
        return Folder(self.store, entry)

    def move(self, parent: Folder, name: str | None = None) -> None:
        self._moved(self.store.source.move_folder(self.entry, parent.entry, name))

    def delete(self) -> None:
        """With all that is in it."""
        self.store.source.delete_folder(self.entry)
        self.store.mapi.hub.did(Kind.DELETED, Thing.FOLDER, self.entry)

    def empty(self) -> int:
        """Deletes every item for good; how many there were."""
        return self.items().delete(hard=True)

    # --- items

    @overload
    def items(
        self,
        *,
        order: Order = (),
        where: Condition | None = None,
        columns: Sequence[Key] = (),
        deleted: bool = False,
    ) -> Items[Item]: ...
    @overload
    def items(
        self,
        kind: type[I],
        *,
        order: Order = (),
        where: Condition | None = None,
        columns: Sequence[Key] = (),
        deleted: bool = False,
    ) -> Items[I]: ...
    def items(
        self,
        kind: type[Any] = Item,
        *,
        order: Order = (),
        where: Condition | None = None,
        columns: Sequence[Key] = (),
        deleted: bool = False,
    ) -> Items[Any]:
        """The items, or those of a kind that meet a condition.

            folder.items(order="-received", where=Item.subject.contains("lunch"))

        ``columns``: properties besides `query.COLUMNS` to bring along.  ``deleted``: those that can be
        restored (by `Item.move`).
        """
        found = None if where is None else condition(where)
        view = View.DELETED if deleted else View.NORMAL
        return Items(self, kind, order=order, where=found, columns=columns, view=view)

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items())

    def search(self, text: str, *, below: bool = False) -> list[Item]:
        """Items whose subject, text or sender holds a text; with ``below`` also in all folders below."""
        wanted = Item.subject.contains(text) | Item.body.contains(text) | Item.sender_name.contains(text)
        found: list[Item] = []
        for one in self.walk() if below else (self,):
            found += one.items(where=wanted)
        return found

    @overload
    def create(self, *, save: bool = True, **values: Any) -> Message: ...
    @overload
    def create(self, kind: type[I], *, save: bool = True, **values: Any) -> I: ...
    def create(self, kind: type[Any] = Message, *, save: bool = True, **values: Any) -> Any:
        """A new item: ``folder.create(Appointment, subject="Lunch", start=...)``.

        Raises TypeError: the kind has no such attribute.
        """
        message = IMessage(
            self.store.mapi, self.entry, None, draft(kind.message_class), self.store.mapi._lock, writable=True
        )
        made = kind(self.store, self.entry, None, mapi=message)
        if unknown := [name for name in values if not hasattr(kind, name)]:
            known = ", ".join([name for name in dir(kind) if _can_be_set(getattr(kind, name))])
            raise TypeError(f"{kind.__name__} has no attribute {unknown[0]!r}: there are {known}")
        for name in sorted(values, key=lambda name: kind.late.index(name) if name in kind.late else -1):
            setattr(made, name, values[name])
        return made.save() if save else made

    def add(
        self,
        values: Values | None = None,
        *,
        eml: bytes | str | None = None,
        ics: bytes | str | None = None,
        vcf: bytes | str | None = None,
        msg: bytes | None = None,
    ) -> Item:
        """One item, saved here: of its properties, of MIME, iCalendar, a vCard or a .msg file.

        Where a system keeps MIME, ``eml`` stays what it is, byte for byte.

        Raises MapiError(INVALID_PARAMETER): there is none in it, or several; see `add_all`.  TypeError: it is
        neither bytes nor a text.
        """
        if eml is not None:
            eml = _bytes(eml)
        if values is None:
            found = _read(eml=eml, ics=ics, vcf=vcf, msg=msg)
            if len(found) != 1:
                raise MapiError(Code.INVALID_PARAMETER, f"{len(found)} items, and not one")
            (values,) = found
        source = self.store.source
        if eml is None:
            entry = source.save(self.entry, derive.copied(values))
        else:
            entry = source.add(self.entry, values, eml)
        self.store.mapi.hub.did(Kind.CREATED, Thing.MESSAGE, entry, self.entry)
        return kind_of(values.props.get(pr.MESSAGE_CLASS))(self.store, self.entry, entry)

    def add_all(self, *, ics: bytes | str | None = None, vcf: bytes | str | None = None) -> list[Item]:
        """Everything in a calendar or an address book file, saved here."""
        return [self.add(one) for one in _read(ics=ics, vcf=vcf)]

    def bring(self, item: Item, *, keep: bool) -> Item:
        """Moves or copies an item here, from wherever it is."""
        source = item.store.source
        if item.store is self.store:
            ids = [item.entry]
            (entry,) = source.copy(ids, self.entry) if keep else source.move(ids, self.entry)
            if not entry:
                raise MapiError(Code.NOT_FOUND)
            kind = Kind.COPIED if keep else Kind.MOVED
            self.store.mapi.hub.did(kind, Thing.MESSAGE, entry, self.entry)
            return type(item)(self.store, self.entry, entry)
        entry = carried(source, item.entry, self.store.source, self.entry)
        self.store.mapi.hub.did(Kind.CREATED, Thing.MESSAGE, entry, self.entry)
        if not keep:
            source.delete([item.entry], hard=True)
        return self.store.item(entry, self.entry)

    def publish(self, item: Post) -> None:
        """See `Post.post`: by a transport for newsgroups where the store is one of news, else kept here."""
        service = self.store.session.mapi.service_of(self.store.source)
        if service.transport is not None and "NNTP" in service.transport.kinds:
            values = item.values()
            identity = service.identity
            values.props |= {
                pr.SENDER_NAME: identity.get(pr.DISPLAY_NAME),
                pr.SENDER_EMAIL_ADDRESS: identity.get(pr.EMAIL_ADDRESS),
                pr.SENDER_ADDRTYPE: "SMTP",
            }
            values.recipients = [
                {pr.ADDRTYPE: "NNTP", pr.EMAIL_ADDRESS: self.name, pr.DISPLAY_NAME: self.name}
            ]
            failures = service.transport.send(values, [0])
            if failures:
                raise MapiError(failures[0].code, failures[0].text)
            return
        item.save()

    # --- what happens

    def sync(self, state: bytes = b"") -> Sync:
        """What changed since a state that this method gave; b"" is the beginning."""
        found = self.store.source.changes(self.entry, state)
        return Sync(
            found.state,
            self._opened(found.changed),
            list(
                zip(
                    self._opened([one for one, _ in found.read]),
                    [read for _, read in found.read],
                    strict=True,
                )
            ),
            found.gone,
        )

    def _opened(self, ids: Iterable[EntryId]) -> list[Item]:
        return [self.store.item(one, self.entry) for one in ids]

    async def watch(self) -> AsyncIterator[Change]:
        """What happens in this folder from now on, until the loop around it ends.

        async for change in folder.watch(): ...
        """
        async for change in watched(self.store, self.entry):
            yield change

    @property
    def rights(self) -> list[Bag]:
        """Who may do what (MS-OXCPERM 2.2.4): rows with PidTagMemberName, PidTagMemberRights."""
        from quintet.mapi.providers.base import Which

        return self.store.source.table(self.entry, Which.RIGHTS)

    def __repr__(self) -> str:
        return f"<Folder {self.path or self.store.name!r}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Folder) and self.entry == other.entry

    def __hash__(self) -> int:
        return hash(self.entry)


def _can_be_set(attribute: object) -> bool:
    """It is one of a kind of item that `Folder.create` takes by name."""
    if isinstance(attribute, property):
        return attribute.fset is not None
    return isinstance(attribute, Recipients | Sender) or (
        isinstance(attribute, Field) and not attribute._fixed
    )


def _bytes(given: bytes | str) -> bytes:
    if isinstance(given, str):
        return given.encode("utf-8", "surrogateescape")
    if not isinstance(given, bytes | bytearray | memoryview):
        raise TypeError(f"content is bytes, or a text: not {given!r}")
    return bytes(given)


def _read(
    *,
    eml: bytes | None = None,
    ics: bytes | str | None = None,
    vcf: bytes | str | None = None,
    msg: bytes | None = None,
) -> list[Values]:
    try:
        if eml is not None:
            return [convert.from_mime(eml)]
        if ics is not None:
            return calendars.read(_bytes(ics).decode("utf-8", "replace"))
        if vcf is not None:
            return cards.read(_bytes(vcf).decode("utf-8", "replace"))
        if msg is not None:
            return [msgfile.read(_bytes(msg))]
    except Problem as error:
        raise MapiError(Code.INVALID_PARAMETER, error.text) from error
    return []


async def watched(store: Store, folder: EntryId | None) -> AsyncIterator[Change]:
    """Changes of a folder, or of the whole store.  The watch begins before the first step is waited for."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Event | None] = asyncio.Queue(WAITING + 1)

    def put(event: Event) -> None:
        if queue.qsize() < WAITING:
            queue.put_nowait(event)
        elif queue.qsize() == WAITING:
            queue.put_nowait(None)

    def told(event: Event) -> None:
        if folder is None or folder in (event.parent, event.old_parent):
            loop.call_soon_threadsafe(put, event)

    number = store.mapi.hub.listen(told)
    search = await asyncio.to_thread(store.mapi.searched, folder, told)
    try:
        while True:
            event = await queue.get()
            if event is None:
                yield Change("lost", b"", None)
                continue
            what = _WORDS.get(event.kind)
            if what is not None:
                yield _change(store, what, event)
    finally:
        store.mapi.hub.forget(number)
        if search is not None:
            search.end()


def _change(store: Store, what: str, event: Event) -> Change:
    is_message = event.thing is Thing.MESSAGE
    item = store.item(event.entry, event.parent) if is_message and what != "deleted" else None
    parent = Folder(store, event.parent) if event.parent else None
    return Change(what, event.entry, item, parent)
