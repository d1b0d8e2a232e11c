"""The personal address book: the contacts and distribution lists of one's own Contacts folder (MS-OXOCNTC).

An entry is a contact with its first address, or a list; it is called by the number that the store gave it, so
its id stays whatever it says.  What is written here is an item that every other program finds in the folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from quintet.errors import BadSyntax
from quintet.mapi import ids, pr
from quintet.mapi.bag import Bag, Item, Key
from quintet.mapi.convert import addressing, cardkeys
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.nspi import consts, names
from quintet.mapi.objects.numbers import message_entry
from quintet.mapi.providers import base, derive, listing
from quintet.mapi.providers.base import EntryId, Event, Kind, Special, Thing
from quintet.mapi.types import Value
from quintet.store import pages
from quintet.store.model import FolderId

if TYPE_CHECKING:
    from collections.abc import Callable

    from quintet.mapi.providers.local.store import LocalStore

AB_MODIFIABLE: Final = 0x4
DT_LOCAL: Final = 0x00030000  # PidTagDisplayType of a personal container
# what a wrapped id holds, and which address is meant (MS-OXOCNTC 2.2.2.2.4.1.1)
CONTACT, OTHER_LIST, PERSON, BOOK_LIST = 0xC3, 0xB4, 0xB5, 0xB6
MAX_MEMBERS: Final = 10_000
_EMAIL: Final = cardkeys.EMAILS[0]
_COMPUTED: Final = frozenset((
    pr.ENTRYID, pr.PARENT_ENTRYID, pr.RECORD_KEY, pr.INSTANCE_KEY, pr.OBJECT_TYPE, pr.DISPLAY_TYPE,
    pr.ADDRTYPE, pr.EMAIL_ADDRESS, pr.SMTP_ADDRESS, pr.SEARCH_KEY, pr.EMS_AB_CONTAINERID,
))  # fmt: skip
_NEEDED: Final[tuple[Key, ...]] = (
    pr.MESSAGE_CLASS, pr.DISPLAY_NAME, cardkeys.GROUP_NAME, cardkeys.FILE_UNDER, _EMAIL.address, _EMAIL.kind,
)  # fmt: skip


class Personal:
    """One's own contacts; everything is read when it is asked for."""

    def __init__(self, store: LocalStore) -> None:
        self.store = store
        self.folder = store.special()[Special.CONTACTS]
        self.number = int.from_bytes(self.folder[38:44], "big")
        self.entry_id: EntryId = names.permanent(consts.DT_CONTAINER, names.of_container(self.number))

    def container(self) -> Bag:
        return {
            pr.ENTRYID: self.entry_id,
            pr.DISPLAY_NAME: self.store.folder(self.folder)[pr.DISPLAY_NAME],
            pr.OBJECT_TYPE: int(Thing.CONTAINER),
            pr.DISPLAY_TYPE: DT_LOCAL,
            pr.CONTAINER_FLAGS: consts.AB_RECIPIENTS | AB_MODIFIABLE,
            pr.DEPTH: 0,
            pr.INSTANCE_KEY: self.entry_id,
            pr.RECORD_KEY: self.entry_id,
            pr.EMS_AB_CONTAINERID: self.number,
        }

    # --- ids ----------------------------------------------------------------------------------------

    def _entry(self, number: int, *, group: bool) -> EntryId:
        kind = consts.DT_DISTLIST if group else consts.DT_MAILUSER
        return names.permanent(kind, names.of_object(number, "contact"))

    def _message(self, number: int) -> EntryId:
        box = self.store.box
        return message_entry(box.provider, box.replica, self.number, number, public=False)

    def here(self, numbers: Sequence[int]) -> set[int]:
        """Those of the messages that lie in the folder."""
        store = self.store
        found = store.read(lambda: pages.within(store.box.tx, FolderId(self.number), numbers))
        return {number for number, _, hidden in found if not hidden}

    def place(self, entry: EntryId) -> EntryId:
        """The message that an entry is.  Raises MapiError(NOT_FOUND): it is none of these."""
        found = self._places([entry])
        if not found:
            raise MapiError(Code.NOT_FOUND)
        return found[0]

    def _places(self, entries: Sequence[EntryId]) -> list[EntryId]:
        """The messages that these are; what is none is left out."""
        numbers = [number for number in map(_number_of, entries) if number is not None]
        here = self.here(numbers)
        return [self._message(number) for number in numbers if number in here]

    # --- looking ------------------------------------------------------------------------------------

    def rows(self) -> _Rows:
        return _Rows(self)

    def load(self, entry: EntryId) -> Bag:
        """Raises MapiError(NOT_FOUND)."""
        return self._bag(self._loaded(self.place(entry)).props)

    def _loaded(self, message: EntryId) -> Item:
        item = self.store.load(message)
        if pr.DELETED_ON in item.props or item.props.get(pr.PARENT_ENTRYID) != self.folder:
            raise MapiError(Code.NOT_FOUND)
        return item

    def _bag(self, props: Mapping[Key, Value]) -> Bag:
        """What the address book says of an item."""
        group = _is_group(props)
        number = _number(bytes(props[pr.ENTRYID]))
        entry = self._entry(number, group=group)
        bag: Bag = {key: value for key, value in props.items() if key not in _COMPUTED and value is not None}
        bag |= {
            pr.ENTRYID: entry,
            pr.PARENT_ENTRYID: self.entry_id,
            pr.RECORD_KEY: entry,
            pr.INSTANCE_KEY: entry,
            pr.OBJECT_TYPE: int(Thing.DIST_LIST if group else Thing.MAIL_USER),
            pr.DISPLAY_TYPE: consts.DT_DISTLIST if group else consts.DT_MAILUSER,
        }
        address = props.get(_EMAIL.address)
        shown = props.get(cardkeys.GROUP_NAME) if group else None
        bag[pr.DISPLAY_NAME] = (
            shown or props.get(pr.DISPLAY_NAME) or props.get(cardkeys.FILE_UNDER) or address or ""
        )
        if address and not group:
            kind = str(props.get(_EMAIL.kind) or "SMTP").upper()
            bag |= {pr.ADDRTYPE: kind, pr.EMAIL_ADDRESS: address}
            bag[pr.SEARCH_KEY] = addressing.search_key(kind, str(address))
            if kind == "SMTP":
                bag[pr.SMTP_ADDRESS] = address
        return bag

    def resolve(self, text: str) -> list[EntryId]:
        return listing.resolve(self.rows(), text)

    # --- changing -----------------------------------------------------------------------------------

    def save(self, props: Bag, old: EntryId | None) -> EntryId:
        """Raises MapiError(NOT_FOUND): ``old`` is none of these."""
        group = props.get(pr.OBJECT_TYPE) == Thing.DIST_LIST
        place = None if old is None else self.place(old)
        before = None if place is None else self._loaded(place)
        message = self.store.save(self.folder, _item(props, before, group=group), old=place)
        return self._entry(_number(message), group=group)

    def delete(self, entries: Sequence[EntryId]) -> int:
        return self.store.delete(self._places(entries))

    # --- lists --------------------------------------------------------------------------------------

    def members(self, group: EntryId, known: Callable[[EntryId], bool]) -> list[EntryId]:
        """Those that are there, by ``known`` where they stand in another part of the book; else as one-offs.

        Raises MapiError(NOT_FOUND | INVALID_OBJECT): no list.
        """
        props = self._loaded(self.place(group)).props
        if not _is_group(props):
            raise MapiError(Code.INVALID_OBJECT)
        alone: list[object] = list(props.get(cardkeys.ONE_OFF_MEMBERS) or ())
        found = []
        for at, raw in enumerate(props.get(cardkeys.MEMBERS) or ()):
            entry = self._member(bytes(raw), known)
            if entry is None and at < len(alone):
                entry = bytes(alone[at])  # type: ignore[call-overload]  # binary values
            if entry is not None:
                found.append(entry)
        return found

    def _member(self, raw: bytes, known: Callable[[EntryId], bool]) -> EntryId | None:
        """None: nobody knows it any more."""
        try:
            one = ids.read(raw)
        except BadSyntax:
            return None
        inner = one.inner if isinstance(one, ids.WrappedEntry) else one
        if isinstance(inner, ids.OneOffEntry):
            return ids.write(inner)
        if isinstance(inner, ids.AddressBookEntry):
            entry = ids.write(inner)
            return entry if known(entry) else None
        if isinstance(inner, ids.MessageEntry) and inner.message.replica == self.store.box.replica:
            return self.rows().entry(inner.message.counter)
        return None

    def set_members(self, group: EntryId, members: Sequence[EntryId], load: Callable[[EntryId], Bag]) -> None:
        """``load`` tells of those that stand in the book.

        Raises MapiError(ACCESS_DENIED): no list of these.  MapiError(NOT_FOUND): a member is nobody.
        """
        try:
            message = self.place(group)
            item = self._loaded(message)
        except MapiError as error:
            raise MapiError(Code.ACCESS_DENIED) from error
        if not _is_group(item.props) or len(members) > MAX_MEMBERS:
            raise MapiError(Code.ACCESS_DENIED)
        wrapped: list[bytes] = []
        alone: list[bytes] = []
        for one in dict.fromkeys(members):
            entry, off = self._wrapped(one, load)
            wrapped.append(entry)
            alone.append(off)
        item.props[cardkeys.MEMBERS], item.props[cardkeys.ONE_OFF_MEMBERS] = wrapped, alone
        self.store.save(self.folder, item, old=message)

    def _wrapped(self, member: EntryId, load: Callable[[EntryId], Bag]) -> tuple[bytes, bytes]:
        """A member as a list keeps it, and as a one-off id for who finds it nowhere."""
        try:
            one = ids.read(member)
        except BadSyntax as error:
            raise MapiError(Code.NOT_FOUND) from error
        if isinstance(one, ids.OneOffEntry):
            return member, member
        bag = load(member)
        name, address = str(bag.get(pr.DISPLAY_NAME) or ""), str(bag.get(pr.EMAIL_ADDRESS) or "")
        off = addressing.one_off(name, str(bag.get(pr.ADDRTYPE) or "SMTP"), address)
        group = bag[pr.OBJECT_TYPE] == Thing.DIST_LIST
        if bag.get(pr.PARENT_ENTRYID) == self.entry_id:
            inner = ids.read(self.place(member))
            assert isinstance(inner, ids.MessageEntry)
            return ids.write(ids.WrappedEntry(OTHER_LIST if group else CONTACT, inner)), off
        assert isinstance(one, ids.AddressBookEntry)
        return ids.write(ids.WrappedEntry(BOOK_LIST if group else PERSON, one)), off

    # --- news ---------------------------------------------------------------------------------------

    def watch(self, listener: base.Listener) -> base.Cancel:
        """Events of the folder as events of its entries."""

        def tell(event: Event) -> None:
            if event.thing is not Thing.MESSAGE or self.folder not in (event.parent, event.old_parent):
                return
            kind, message = event.kind, event.entry
            if kind in (Kind.MOVED, Kind.COPIED):
                here = event.parent == self.folder
                kind, message = (Kind.CREATED, event.entry) if here else (Kind.DELETED, event.old_entry)
            if kind in (Kind.CREATED, Kind.MODIFIED, Kind.DELETED):
                number = _number(message)
                entry = self.rows().entry(number) or self._entry(number, group=False)
                listener(Event(kind, Thing.MAIL_USER, entry, self.entry_id))

        return self.store.watch(tell)


class _Rows:
    """The entries, in the order of the folder."""

    def __init__(self, book: Personal) -> None:
        self._book = book
        self._source = book.store.messages(book.folder)

    def _entries(self) -> dict[EntryId, EntryId]:
        """Messages by entries; what is neither a contact nor a list is left out."""
        messages = self._source.ids()
        classes = self._source.values(messages, [pr.MESSAGE_CLASS])
        return {
            self._book._entry(_number(one), group=_is_group({pr.MESSAGE_CLASS: klass})): one
            for one, (klass,) in zip(messages, classes, strict=True)
            if str(klass).upper().startswith(("IPM.CONTACT", "IPM.DISTLIST"))
        }

    def ids(self) -> Sequence[EntryId]:
        return list(self._entries())

    def entry(self, number: int) -> EntryId | None:
        """That of a message by its number; None: it is not here."""
        if not self._book.here([number]):
            return None
        ((klass,),) = self._source.values([self._book._message(number)], [pr.MESSAGE_CLASS])
        return self._book._entry(number, group=_is_group({pr.MESSAGE_CLASS: klass}))

    def values(self, ids: Sequence[EntryId], keys: Sequence[Key]) -> list[list[Value | None]]:
        numbers = [_number_of(one) or 0 for one in ids]
        messages = [self._book._message(number) for number in numbers]
        wanted = list(dict.fromkeys([*_NEEDED, *[key for key in keys if key not in _COMPUTED]]))
        here = self._book.here(numbers)
        found: list[list[Value | None]] = []
        rows = self._source.values(messages, wanted)
        for number, message, row in zip(numbers, messages, rows, strict=True):
            if number not in here:
                found.append([None] * len(keys))
                continue
            bag = self._book._bag({**dict(zip(wanted, row, strict=True)), pr.ENTRYID: message})
            found.append([bag.get(key) for key in keys])
        return found


def _number_of(entry: EntryId) -> int | None:
    """That of the message which an entry may be."""
    dn = names.read_or_none(entry)
    return names.number_of(dn) if isinstance(dn, str) else None


def _number(message: EntryId) -> int:
    return int.from_bytes(message[62:68], "big")


def _is_group(props: Mapping[Key, Value]) -> bool:
    return str(props.get(pr.MESSAGE_CLASS)).upper().startswith("IPM.DISTLIST")


def _item(props: Bag, before: Item | None, *, group: bool) -> Item:
    """An entry as an item; attachments (a photo) and the members of a list stay with it."""
    item = Item() if before is None else derive.copied(before)
    bag: Bag = {key: value for key, value in props.items() if key not in _COMPUTED}
    name = str(props.get(pr.DISPLAY_NAME) or "")
    address = props.get(pr.SMTP_ADDRESS) if pr.ADDRTYPE not in props else props.get(pr.EMAIL_ADDRESS)
    address = address or props.get(pr.EMAIL_ADDRESS)
    bag[pr.MESSAGE_CLASS] = cardkeys.GROUP if group else cardkeys.CONTACT
    bag[pr.SUBJECT] = bag[pr.DISPLAY_NAME] = name
    for part in (pr.SUBJECT_PREFIX, pr.NORMALIZED_SUBJECT):
        bag.pop(part, None)
    if group:
        bag[cardkeys.GROUP_NAME] = name
        for key in (cardkeys.MEMBERS, cardkeys.ONE_OFF_MEMBERS):
            if key in item.props:
                bag.setdefault(key, item.props[key])
    else:
        bag.setdefault(cardkeys.FILE_UNDER, name)
        if address:
            kind = str(props.get(pr.ADDRTYPE) or "SMTP").upper()
            bag |= {
                _EMAIL.address: address,
                _EMAIL.kind: kind,
                _EMAIL.shown: f"{name} ({address})",
                _EMAIL.original: address,
                _EMAIL.entry: addressing.one_off(name, kind, str(address)),
            }
        else:
            for one in (_EMAIL.address, _EMAIL.kind, _EMAIL.shown, _EMAIL.original, _EMAIL.entry):
                bag.pop(one, None)
    item.props = bag
    return item
