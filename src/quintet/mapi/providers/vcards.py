"""vCard files as an address book: one .vcf file, or a directory of them (RFC 6350, RFC 2426).

A card that nobody changes keeps its text; one that is changed keeps the lines that MAPI has no property for.
A group is a card of KIND:group, its members are UIDs of other cards, or mail addresses.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from quintet.errors import BadSyntax
from quintet.mapi import ids, pr
from quintet.mapi.bag import Bag, Item
from quintet.mapi.convert import cardkeys, cards
from quintet.mapi.convert.contentlines import Component, Line, parse, written
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import base, files, listing
from quintet.mapi.providers.base import Can, EntryId, Opened, Option, Rows, Service, Thing

MAX_FILES = 50_000  # of a directory
MAX_FILE = 64 * 1024 * 1024  # bytes; an address book of a hundred thousand cards
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")  # no line that we write holds them
_CARD: Final = re.compile(r"(?ims)^BEGIN:VCARD[ \t]*\r?\n.*?^END:VCARD[ \t]*\r?\n?")
_UUID: Final = "urn:uuid:"
_MAILTO: Final = "mailto:"
_USER, _LIST = 0, 1  # PidTagDisplayType
_TOLD: Final = frozenset(
    (
        "VERSION", "PRODID", "FN", "N", "ORG", "EMAIL", "TEL", "ADR", "LABEL", "URL", "NOTE", "CATEGORIES",
        "X-MS-CHILD", "CLASS", "X-MS-IMADDRESS", "REV", "KIND", *cardkeys.TEXTS,
        *[name for headers, _ in cardkeys.DATES for name in headers],
    )
)  # fmt: skip
"""The lines that properties tell: a changed card has them anew."""


@dataclass(slots=True)
class _Card:
    """One card of a file; ``text`` is how it stands there."""

    text: str
    lines: Component
    uid: str
    bag: Bag = field(default_factory=dict)

    @property
    def is_group(self) -> bool:
        return bool(self.bag[pr.DISPLAY_TYPE] == _LIST)


@dataclass(slots=True)
class _File:
    """A file as it was when it was read."""

    stamp: tuple[int, int]  # when it was changed (ns), and its size
    cards: dict[EntryId, _Card]
    rest: str = ""  # what is no card


class CardBook(base.AddressBook):
    """One container with all cards; files that others changed are read again."""

    can = Can.WRITE | Can.GROUPS

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._files: dict[Path, _File] = {}
        self.name = name or path.stem or "Contacts"
        self.uid = hashlib.sha256(f"vcards\0{path.resolve()}".encode()).digest()[:16]
        self._head = bytes(4) + self.uid
        self.root = self._head + b"\0"
        self._all = self._head + b"\1"

    # --- files ----------------------------------------------------------------------------------------

    def _cards(self) -> dict[EntryId, _Card]:
        """Every card, as the files have them now."""
        paths = sorted(self._path.glob("*.vcf"))[:MAX_FILES] if self._path.is_dir() else [self._path]
        for gone in self._files.keys() - set(paths):
            del self._files[gone]
        found: dict[EntryId, _Card] = {}
        for path in paths:
            found.update(self._read(path).cards)
        return found

    def _read(self, path: Path) -> _File:
        """Raises MapiError(CORRUPT_DATA): a single file that is too large, or nested too deeply."""
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            known = self._files.get(path)
            if known is not None and known.stamp == stamp:
                return known
            if status.st_size > MAX_FILE:
                raise MapiError(Code.CORRUPT_DATA, f"{path.name} is too large")
            text = path.read_bytes().decode("utf-8", "surrogateescape")  # cards of other charsets stay so
        except FileNotFoundError:
            return _File((0, 0), {})
        except OSError as error:
            raise MapiError(Code.ACCESS_DENIED, str(error)) from error
        made = self._files[path] = _File(stamp, {}, _CARD.sub("", text))
        for one in _split(text):
            entry, again = self._entry(one.uid), 1
            while entry in made.cards:  # a UID that two cards have
                again += 1
                entry = self._entry(f"{one.uid}\0{again}")
            one.bag = self._bag(entry, one)
            made.cards[entry] = one
        return made

    def _entry(self, uid: str) -> EntryId:
        return self._head + b"\2" + hashlib.sha256(uid.encode("utf-8", "replace")).digest()[:16]

    def _bag(self, entry: EntryId, card: _Card) -> Bag:
        found = cards.read(written(card.lines))
        bag = dict(found[0].props) if found else {}
        group = bag.get(pr.MESSAGE_CLASS) == cardkeys.GROUP
        address = bag.get(cardkeys.EMAILS[0].address)
        bag |= {
            pr.ENTRYID: entry,
            pr.PARENT_ENTRYID: self._all,
            pr.RECORD_KEY: entry,
            pr.INSTANCE_KEY: entry,
            pr.OBJECT_TYPE: int(Thing.DIST_LIST if group else Thing.MAIL_USER),
            pr.DISPLAY_TYPE: _LIST if group else _USER,
        }
        bag.setdefault(pr.DISPLAY_NAME, "")
        if address and not group:
            bag |= {pr.ADDRTYPE: "SMTP", pr.EMAIL_ADDRESS: address, pr.SMTP_ADDRESS: address}
            bag[pr.SEARCH_KEY] = f"SMTP:{address}".upper().encode() + b"\0"
        return bag

    def _place(self, entry: EntryId) -> tuple[Path, _Card]:
        """Raises MapiError(NOT_FOUND)."""
        self._cards()
        for path, file in self._files.items():
            if entry in file.cards:
                return path, file.cards[entry]
        raise MapiError(Code.NOT_FOUND)

    def _write(self, path: Path, changed: Mapping[EntryId, _Card | None]) -> None:
        """The file with some cards changed, added, or (None) left out; all of it or none."""
        try:
            with files.locked(path.parent):
                self._write_locked(path, changed)
        except OSError as error:
            raise MapiError(Code.ACCESS_DENIED, str(error)) from error

    def _write_locked(self, path: Path, changed: Mapping[EntryId, _Card | None]) -> None:
        before = self._read(path)
        there = {**before.cards, **changed}
        rest = before.rest if before.rest.strip() else ""
        text = "".join([*[one.text for one in there.values() if one is not None], rest])
        beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            if not text and self._path.is_dir():
                path.unlink(missing_ok=True)
                return
            with beside.open("xb") as file:
                file.write(text.encode("utf-8", "surrogateescape"))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            raise
        finally:
            self._files.pop(path, None)

    # --- looking --------------------------------------------------------------------------------------

    def containers(self, parent: EntryId) -> Rows:
        if parent not in (self.root, self._all):
            raise MapiError(Code.NOT_FOUND)
        return listing.BagRows({self._all: self._container()} if parent == self.root else {})

    def _container(self) -> Bag:
        return {
            pr.ENTRYID: self._all,
            pr.PARENT_ENTRYID: self.root,
            pr.DISPLAY_NAME: self.name,
            pr.OBJECT_TYPE: int(Thing.CONTAINER),
            pr.DISPLAY_TYPE: 0x00030000,  # DT_LOCAL
            pr.CONTAINER_FLAGS: 0x1 | 0x4,  # it has recipients, and can be written
            pr.DEPTH: 0,
            pr.INSTANCE_KEY: self._all,
            pr.RECORD_KEY: self._all,
        }

    def entries(self, container: EntryId) -> Rows:
        if container == self.root:
            return listing.BagRows({})
        if container != self._all:
            raise MapiError(Code.NOT_FOUND)
        with self._lock:
            return listing.BagRows({entry: one.bag for entry, one in self._cards().items()})

    def load(self, entry: EntryId) -> Bag:
        if entry == self._all:
            return self._container()
        if entry == self.root:
            return {**self._container(), pr.ENTRYID: entry, pr.CONTAINER_FLAGS: 0x2}
        with self._lock:
            return dict(self._place(entry)[1].bag)

    def members(self, group: EntryId) -> list[EntryId]:
        with self._lock:
            card = self._place(group)[1]
            if not card.is_group:
                raise MapiError(Code.INVALID_OBJECT)
            everybody = self._cards()
            uids = {one.uid: entry for entry, one in everybody.items()}
            addresses = {
                str(one.bag[pr.SMTP_ADDRESS]).lower(): entry
                for entry, one in everybody.items()
                if pr.SMTP_ADDRESS in one.bag
            }
            found = [_member(line, uids, addresses) for line in _members(card.lines)]
            return [entry for entry in found if entry is not None]

    # --- changing -------------------------------------------------------------------------------------

    def save(self, container: EntryId, props: Bag, old: EntryId | None = None) -> EntryId:
        if container != self._all:
            raise MapiError(Code.ACCESS_DENIED)
        with self._lock:
            if old is not None:
                path, before = self._place(old)
                uid, kept = before.uid, [line for line in before.lines.lines if line.name not in _TOLD]
            else:
                uid, kept = f"{_UUID}{uuid.uuid4()}", []
                path = self._path / f"{uid.removeprefix(_UUID)}.vcf" if self._path.is_dir() else self._path
            if not any(line.name == "UID" for line in kept):
                kept.insert(0, Line("UID", {}, uid))
            made = _component(props)
            made.lines += kept
            entry = self._entry(uid) if old is None else old  # others may have that UID
            self._write(path, {entry: _Card(written(made), made, uid)})
            return entry

    def set_members(self, group: EntryId, members: Sequence[EntryId]) -> None:
        with self._lock:
            path, card = self._place(group)
            if not card.is_group:
                raise MapiError(Code.ACCESS_DENIED)
            everybody = self._cards()
            lines = [line for line in card.lines.lines if line not in _members(card.lines)]
            added = [_line_of(one, everybody.get(one)) for one in dict.fromkeys(members)]
            made = Component("VCARD", lines + [line for line in added if line is not None])
            self._write(path, {group: _Card(written(made), made, card.uid)})

    def delete(self, entries: Sequence[EntryId]) -> int:
        count = 0
        with self._lock:
            for one in dict.fromkeys(entries):
                try:
                    path, _ = self._place(one)
                except MapiError:
                    continue
                self._write(path, {one: None})
                count += 1
        return count


def _split(text: str) -> Iterator[_Card]:
    """The cards of a file; one that cannot be read is passed over, but stays where it is."""
    for found in _CARD.finditer(text):
        raw = found[0] if found[0].endswith("\n") else found[0] + "\r\n"
        try:
            components = parse(raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
        except BadSyntax:
            components = []
        card = next((one for one in components if one.name == "VCARD"), Component("VCARD"))
        uid = (
            _CONTROL.sub("", card.text("UID") or "").strip()
            or hashlib.sha256(raw.encode("utf-8", "replace")).hexdigest()
        )
        yield _Card(raw, card, uid)


def _component(props: Bag) -> Component:
    """A card of the properties of an entry."""
    bag: Bag = dict(props)
    group = bag.get(pr.OBJECT_TYPE) == Thing.DIST_LIST
    bag[pr.MESSAGE_CLASS] = cardkeys.GROUP if group else cardkeys.CONTACT
    if group:
        bag[cardkeys.GROUP_NAME] = bag.get(pr.DISPLAY_NAME, "")
        bag.pop(cardkeys.MEMBERS, None)
        bag.pop(cardkeys.ONE_OFF_MEMBERS, None)
    address = bag.get(pr.SMTP_ADDRESS) or bag.get(pr.EMAIL_ADDRESS)
    if address and bag.get(pr.ADDRTYPE, "SMTP") == "SMTP":
        bag[cardkeys.EMAILS[0].address] = address
    (made,) = parse(cards.write([Item(bag)]))
    return made


# --- members of groups ------------------------------------------------------------------------------------


def _members(card: Component) -> list[Line]:
    return [line for line in card.lines if line.name in ("MEMBER", "X-ADDRESSBOOKSERVER-MEMBER")]


def _member(line: Line, uids: Mapping[str, EntryId], addresses: Mapping[str, EntryId]) -> EntryId | None:
    """Whom a line means; None for one that is not in the book and has no address."""
    value = line.value.strip()
    if value.lower().startswith(_MAILTO):
        address = value[len(_MAILTO) :]
        shown = line.param("CN") or address
        known = addresses.get(address.lower())
        return known or ids.write(ids.OneOffEntry(ids.UNICODE, shown, "SMTP", address))
    return uids.get(value) or uids.get(value.removeprefix(_UUID))


def _line_of(entry: EntryId, card: _Card | None) -> Line | None:
    """The line for a member: its UID where that is a URI, else its address."""
    if card is not None and ":" in card.uid:
        return Line("MEMBER", {}, card.uid)
    if card is not None and pr.SMTP_ADDRESS not in card.bag:
        return Line("MEMBER", {}, _UUID + card.uid)
    name, address = "", ""
    if card is not None:
        name, address = str(card.bag[pr.DISPLAY_NAME]), str(card.bag[pr.SMTP_ADDRESS])
    else:
        with contextlib.suppress(BadSyntax):
            found = ids.read(entry)
            if isinstance(found, ids.OneOffEntry):
                name, address = found.name, found.address
    if not address:
        return None
    return Line("MEMBER", {"CN": [name]} if name not in ("", address) else {}, _MAILTO + address)


def _open(options: Mapping[str, str]) -> Opened:
    path = Path(options["path"]).expanduser()
    if not path.exists():
        if options["create"] != "yes":
            raise MapiError(Code.INVALID_PARAMETER, f"{path} is not there: create=yes makes it")
        try:
            if path.suffix.lower() == ".vcf":
                path.touch()
            else:
                path.mkdir(parents=True)
        except OSError as error:
            raise MapiError(Code.ACCESS_DENIED, str(error)) from error
    return Opened(book=CardBook(path, options["name"]))


SERVICE = Service(
    name="VCARD",
    title="vCard files",
    open=_open,
    options=(
        Option("path", "a .vcf file, or a directory of them"),
        Option("create", "yes: make it where it is missing", "no"),
        Option("name", "how the address book is called; empty: as the file", ""),
    ),
    resources=frozenset(("book",)),
)
