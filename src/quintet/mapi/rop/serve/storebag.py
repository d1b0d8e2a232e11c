"""The properties of a logon: of the mailbox as a whole (MS-OXCSTOR 2.2.2.1, 2.2.2.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from quintet.mapi.bag import Bag, Key
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.nspi import names
from quintet.mapi.objects import defaults, numbers, pid, searching, sorting, stored
from quintet.mapi.objects.bagged import Bagged, Fact, put_in
from quintet.mapi.objects.foldercore import packed_value
from quintet.mapi.types import Tag, Value
from quintet.store import accounts, folders, props, rules

_FOLDERS: Final = {  # PidTag...EntryId of folders by their roles
    0x35E00102: "subtree",
    0x35E20102: "outbox",
    0x35E30102: "trash",
    0x35E40102: "sent",
    0x35E50102: "views",
    0x35E60102: "common_views",
    0x35E70102: "finder",
    **defaults.ROLES,
}
VALID_FOLDERS: Final = 0xFF  # PidTagValidFolderMask: all of the eight are there
# entry ids are unique, objects can be searched, modified, created, attachments are there, categories, ...
SUPPORT: Final = 0x0003FFFD
STORE_OBJECT: Final = 1
MAX_SUBMIT_KIB: Final = 64 * 1024
DISPLAY_TYPE_MAIL_USER: Final = 0
LOCALE: Final = 0x0409  # of what the server words, and of the order of tables


def _entry(role: str) -> Fact:
    return lambda self: self.box.folder_entry_id(self.box.special[role]) if role in self.box.special else None


def _owner_entry(self: StoreObject) -> bytes:
    owner = self.box.owner
    return names.permanent(DISPLAY_TYPE_MAIL_USER, names.of_object(owner.id, owner.name))


def _user_entry(self: StoreObject) -> bytes:
    reader = self.box.reader
    return names.permanent(DISPLAY_TYPE_MAIL_USER, names.of_object(reader.id, reader.name))


class StoreObject(Bagged):
    """A mailbox, or the public folders, as an object with properties of its own."""

    def _bag(self) -> Bag:
        raw = props.get(self.box.tx, props.ACCOUNT, self.box.account.id)
        return stored.own_values(self.box, raw)[0]

    def _put(self, fresh: Bag) -> None:
        bag = self._bag()
        put_in(bag, fresh)
        self._save(bag)

    def _drop(self, gone: Sequence[Key]) -> None:
        self._save({key: value for key, value in self._bag().items() if key not in gone})

    def _save(self, bag: Bag) -> None:
        """Raises MapiError(ACCESS_DENIED): only the owner may."""
        if not self.box.is_owner:
            raise MapiError(Code.ACCESS_DENIED)
        tx, account = self.box.tx, self.box.account.id
        raw = {self.box.tag_of(key, create=True): packed_value(key, value) for key, value in bag.items()}
        props.remove(tx, props.ACCOUNT, account)
        props.put(tx, props.ACCOUNT, account, {tag: value for tag, value in raw.items() if tag is not None})

    def _set_fact(self, tag: Tag, value: Value) -> None:
        """Who comes back has told nobody yet, the next time (MS-OXORULE 3.2.4.2)."""
        if tag != pid.AWAY or not isinstance(value, bool):
            raise MapiError(Code.COMPUTED_VALUE)
        self._put({pid.AWAY: value})
        if not value:
            rules.forget_told(self.box.tx, self.box.account.id)

    def _size(self) -> int:
        return accounts.get(self.box.tx, self.box.account.id).used_bytes

    def _quota(self) -> int | None:
        """KiB that it may hold, for what comes and what is sent alike; None: as much as there is."""
        bytes_ = accounts.get(self.box.tx, self.box.account.id).quota_bytes
        return None if self.box.public or not bytes_ else min(bytes_ // 1024, 0x7FFFFFFF)

    facts: ClassVar[Mapping[Tag, Fact]] = {
        **{tag: _entry(role) for tag, role in _FOLDERS.items()},
        pid.DISPLAY_NAME: lambda self: self.box.owner.display_name,
        pid.OBJECT_TYPE: lambda self: STORE_OBJECT,
        pid.RECORD_KEY: lambda self: self.box.account.guid,
        pid.MAPPING_SIGNATURE: lambda self: self.box.account.guid,
        pid.STORE_RECORD_KEY: lambda self: self.box.account.guid,
        pid.STORE_ENTRY_ID: lambda self: self.box.store_entry_id or None,
        pid.ENTRY_ID: lambda self: self.box.store_entry_id or None,
        pid.MESSAGE_SIZE: lambda self: min(self._size(), 0x7FFFFFFF),
        pid.MESSAGE_SIZE_EXTENDED: _size,
        pid.CONTENT_COUNT: lambda self: folders.messages(self.box.tx, self.box.account.id),
        0x340D0003: lambda self: SUPPORT,
        0x340E0003: lambda self: searching.store_state(self.box),
        0x35DF0003: lambda self: None if self.box.public else VALID_FOLDERS,
        0x661B0102: lambda self: None if self.box.public else _owner_entry(self),
        0x661C001F: lambda self: None if self.box.public else self.box.owner.display_name,
        0x66190102: _user_entry,
        pid.AWAY: lambda self: sorting.is_away(self.box),
        pid.EXTENDED_LIMIT: lambda self: None if self.box.public else pid.MAX_EXTENDED,
        0x666D0003: lambda self: MAX_SUBMIT_KIB,
        0x666A0003: _quota,  # PidTagProhibitReceiveQuota
        0x666E0003: _quota,  # PidTagProhibitSendQuota
        0x66380102: lambda self: numbers.OWN_REPLICA.to_bytes(2, "little") + self.box.account.guid,
        0x66A10003: lambda self: LOCALE,  # PidTagLocaleId
        0x67050003: lambda self: LOCALE,  # PidTagSortLocaleId
        0x66C30003: lambda self: 1252,  # PidTagCodePageId
    }
