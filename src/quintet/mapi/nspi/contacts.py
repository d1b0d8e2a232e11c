"""Contact folders that others share: each is a container of the address book for those who may read it.

Their contacts usually lie in the store as properties alone (MS-OXOCNTC), so a folder is one query.  One that
a client made at the top of a mailbox holds letters, each with a card; of these only the first are read.  A
folder is read when somebody asks, and kept for all as long as nothing in it changed; who may read it is asked
each time.
"""

from __future__ import annotations

import uuid
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from quintet.errors import Problem
from quintet.mapi import objects, types
from quintet.mapi.bag import NamedTag
from quintet.mapi.guids import PSETID_ADDRESS
from quintet.mapi.nspi import consts, entries, names, properties
from quintet.mapi.nspi.containers import ALL_LISTS, Container
from quintet.mapi.nspi.entries import Entry, Kind, Minimal
from quintet.mapi.nspi.view import View
from quintet.mapi.objects import stored
from quintet.mapi.types import Tag, Value
from quintet.store import access, accounts, directory, folders, pages, props
from quintet.store.blobs import Blobs
from quintet.store.db import Tx
from quintet.store.model import AccountId, Folder, FolderKind
from quintet.values import dataclass

MAX_FOLDERS: Final = 50  # that one account is shown
MAX_CONTACTS: Final = 5000  # of one folder that are shown
MAX_LETTERS: Final = 500  # that are looked at for cards: some 0.5 s
MAX_SIZE: Final = 8 << 20  # bytes of what one folder's contacts say; the others are not shown
MAX_KEPT: Final = 64 << 20  # of all folders that a process keeps
MAX_TEXT: Final = 1024  # characters of a value that is shown
_EMPTY: Final = 1000  # bytes that a contact takes that says nothing
FIRST: Final = 0x100  # containers from here on are folders, by their numbers

_CLASS: Final = consts.of("ContainerClass")
_KINDS: Final = (FolderKind.ITEM, FolderKind.MAIL)  # one made at the top holds letters, whatever its class
_MESSAGE_CLASS, _CLASSES = consts.of("MessageClass"), ("IPM.Contact", "IPM.DistList")
_ROLES: Final = frozenset(("contacts",))  # of folders that are for contacts and need not say so
_NAME, _FILE_AS, _COMPANY = consts.of("DisplayName"), 0x8005, consts.of("CompanyName")
_EMAILS: Final = (
    (0x8083, 0x8082),
    (0x8093, 0x8092),
    (0x80A3, 0x80A2),
)  # PidLidEmail1EmailAddress and type, 2, 3
_LIDS: Final = (_FILE_AS, *(lid for pair in _EMAILS for lid in pair))


@dataclass(frozen=True, slots=True)
class Shelf:
    """A contact folder that somebody may read, and its contacts as a view of their own."""

    container: Container
    view: View
    size: int = 0  # about so many bytes


def _shared(tx: Tx, reader: AccountId) -> Iterator[Folder]:
    """Contact folders of others, and public ones, that an account may read."""
    for number in access.shared_with(tx, reader):
        folder = folders.get(tx, number)
        if folder.kind not in _KINDS or "r" not in access.of_folder(tx, reader, folder):
            continue
        told = props.get(tx, props.FOLDER, number).get(_CLASS)
        klass = entries.read_card({_CLASS: bytes(told)}).get(_CLASS, "") if told else ""
        if str(klass).startswith("IPF.Contact") or (not klass and folder.role in _ROLES):
            yield folder


Said = tuple[int, Mapping[Tag, Value], Mapping[int, str]]
"""What there is of a contact: its number, its properties by tag, and texts of named ones."""


def _container(tx: Tx, folder: Folder) -> Container:
    owner = accounts.get(tx, folder.account_id)
    leaf = folder.name.rpartition("/")[2]
    return Container(
        folder.id, f"{leaf} ({owner.display_name or owner.name})", frozenset((Kind.CONTACT,)), ALL_LISTS
    )


def _read(tx: Tx, folder: Folder, files: Blobs) -> Iterator[Entry]:
    minimal = Minimal({})
    found = _items(tx, folder) if folder.kind == FolderKind.ITEM else _letters(tx, folder, files)
    left = MAX_SIZE
    for number, card, named in found:
        made = _entry(minimal, number, card, named)
        left -= _size(made)
        if left < 0:
            return
        yield made


def _size(entry: Entry) -> int:
    return _EMPTY + sum(len(value) for value in entry.card.values())


def _items(tx: Tx, folder: Folder) -> Iterator[Said]:
    lids = {
        number: lid
        for lid in _LIDS
        if (number := props.named(tx, folder.account_id, PSETID_ADDRESS.bytes_le, f"#{lid}", create=False))
    }
    wanted = [_NAME, *properties.CARD, *(types.tag_of(number, types.STRING) for number in lids)]
    for number, raw in directory.items(tx, folder.id, wanted, MAX_CONTACTS, MAX_SIZE).items():
        card = entries.read_card(raw)
        yield number, card, {lids[tag >> 16]: str(value) for tag, value in card.items() if tag >> 16 in lids}


def _letters(tx: Tx, folder: Folder, files: Blobs) -> Iterator[Said]:
    owner = objects.reader_of(tx, folder.account_id)
    box = objects.Box(accounts.get(tx, folder.account_id), owner, {}, files=files, owner=owner)
    with box.using(tx):
        for number in pages.ids(tx, folder.id)[:MAX_LETTERS]:
            try:
                bag = stored.item(box, stored.row(tx, number)).props
            except Problem:  # one that cannot be read does not hide the others
                continue
            if str(bag.get(_MESSAGE_CLASS, "")).startswith(_CLASSES):
                named = {
                    int(key.name): str(value)
                    for key, value in bag.items()
                    if isinstance(key, NamedTag) and key.guid == PSETID_ADDRESS and key.name in _LIDS
                }
                yield number, {key: value for key, value in bag.items() if isinstance(key, int)}, named


def _entry(minimal: Minimal, number: int, card: Mapping[Tag, Value], named: Mapping[int, str]) -> Entry:
    """An entry of a contact; one of a name alone has no address."""
    addresses = [
        named[address]
        for address, kind in _EMAILS
        if "@" in named.get(address, "")
        and len(named[address]) <= MAX_TEXT
        and named.get(kind, "SMTP").upper() == "SMTP"
    ]
    shown = card.get(_NAME) or named.get(_FILE_AS) or card.get(_COMPANY) or (addresses or ["?"])[0]
    dn = names.of_object(number, addresses[0] if addresses else "contact")
    own = {
        tag: value
        for tag, value in card.items()
        if tag in properties.CARD and isinstance(value, str) and len(value) <= MAX_TEXT
    }
    return Entry(
        minimal.of(number, dn), Kind.CONTACT, number, dn, dn, str(shown)[:MAX_TEXT], (addresses or [""])[0],
        tuple(addresses[1:]), card=own,
    )  # fmt: skip


Kept = Mapping[int, tuple[int, Shelf]]
"""Folders as they were read, each with the change number that it had, by the folder."""


class Shelves:
    """The folders that a process keeps, the least used first to go.  For the loop's thread alone."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, tuple[int, Shelf]] = OrderedDict()

    def snapshot(self) -> Kept:
        return dict(self._kept)

    def keep(self, used: Kept) -> None:
        """What `of` found, read just now or not."""
        for number, pair in used.items():
            self._kept[number] = pair
            self._kept.move_to_end(number)
        while sum(shelf.size for _, shelf in self._kept.values()) > MAX_KEPT:
            self._kept.popitem(last=False)


def of(tx: Tx, reader: AccountId, server: uuid.UUID, kept: Kept, files: Blobs) -> Kept:
    """The folders that an account may read; those that did not change are the ones that are ``kept``."""
    found: dict[int, tuple[int, Shelf]] = {}
    for folder in islice(_shared(tx, reader), MAX_FOLDERS):
        version = max(folder.highest_modseq, folder.changed_modseq)
        pair = kept.get(folder.id)
        if pair is None or pair[0] != version:
            container = _container(tx, folder)
            view = View(_read(tx, folder, files), server, kinds={container.mid: container.kinds})
            pair = version, Shelf(container, view, sum(map(_size, view.entries)))
        found[folder.id] = pair
    return found


def version(shelves: Mapping[int, Shelf]) -> int:
    """Of the hierarchy: differs when other folders are in it, or by other names; never 0."""
    told = "".join(f"{number} {shelf.container.name}\n" for number, shelf in sorted(shelves.items()))
    return 1 + (zlib.crc32(told.encode()) & 0x7FFFFFFE)
