"""Entry ids of a store on the wire, made of the numbers that tables tell and back (MS-OXCDATA 2.2.4)."""

from __future__ import annotations

import uuid

from quintet.errors import BadSyntax
from quintet.mapi import ids
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.ids import FolderEntry, MessageEntry, ShortId
from quintet.mapi.providers.base import EntryId
from quintet.mapi.providers.wire.link import Link


class Entries:
    """Of one logon; ``provider`` is what all its entry ids begin with."""

    def __init__(self, link: Link, provider: uuid.UUID, *, public: bool) -> None:
        self._link = link
        self._head = bytes(4) + provider.bytes_le
        self._folder_kind = (ids.PUBLIC_FOLDER if public else ids.PRIVATE_FOLDER).to_bytes(2, "little")
        self._message_kind = (ids.PUBLIC_MESSAGE if public else ids.PRIVATE_MESSAGE).to_bytes(2, "little")

    def folder(self, one: ShortId) -> EntryId:
        return self._head + self._folder_kind + self._long(one)

    def message(self, folder: ShortId, one: ShortId) -> EntryId:
        return self._head + self._message_kind + self._long(folder) + self._long(one)

    def _long(self, one: ShortId) -> bytes:
        return self._link.guid_of(one.replica) + one.counter.to_bytes(6, "big") + b"\0\0"

    def parsed(self, entry: EntryId) -> FolderEntry | MessageEntry:
        """Raises MapiError(NOT_FOUND): not of this store."""
        try:
            found = ids.read(entry)
        except BadSyntax:
            raise MapiError(Code.NOT_FOUND) from None
        if not isinstance(found, FolderEntry | MessageEntry) or entry[:20] != self._head:
            raise MapiError(Code.NOT_FOUND)
        return found

    def folder_of(self, entry: EntryId) -> ShortId:
        """A folder's number.  Raises MapiError(NOT_FOUND): the entry id is none of a folder here."""
        found = self.parsed(entry)
        if not isinstance(found, FolderEntry):
            raise MapiError(Code.NOT_FOUND)
        return self._link.short(found.folder)

    def pair_of(self, entry: EntryId) -> tuple[ShortId, ShortId]:
        """A message's folder and number.  Raises MapiError(NOT_FOUND)."""
        found = self.parsed(entry)
        if not isinstance(found, MessageEntry):
            raise MapiError(Code.NOT_FOUND)
        return self._link.short(found.folder), self._link.short(found.message)

    def maybe(self, entry: EntryId) -> tuple[ShortId, ShortId] | None:
        """The same; None for an entry id of something else."""
        try:
            return self.pair_of(entry)
        except MapiError:
            return None


def short(value: int) -> ShortId:
    """FID or MID as a table tells it, a PtypInteger64 (2.2.1.1)."""
    raw = (value & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little")
    return ShortId(int.from_bytes(raw[:2], "little"), int.from_bytes(raw[2:], "big"))
