"""Rows of small tables: the attachments of a message (MS-OXCMSG 2.2.3.17), and none at all."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from quintet.mapi.objects import ItemLike, pid
from quintet.mapi.table import Rows
from quintet.mapi.types import Error, Tag, Value


class AttachmentRows(Rows):
    """As they are in the message at the moment, saved or not."""

    def __init__(self, item: ItemLike) -> None:
        self._item = item

    def ids(self) -> Sequence[int]:
        return self._item.numbers()

    def values(self, ids: Sequence[int], keys: Sequence[Tag]) -> list[list[Value]]:
        there = set(self._item.numbers())
        return [self._row(number, keys) if number in there else [None] * len(keys) for number in ids]

    def _row(self, number: int, keys: Sequence[Tag]) -> list[Value]:
        """Without the content itself, which is read as a stream."""
        wanted = [pid.ATTACH_NUMBER if key == pid.ATTACH_DATA else key for key in keys]
        found = self._item.attachment(number).get(wanted)
        return [
            None if isinstance(value, Error) or key == pid.ATTACH_DATA else value
            for key, value in zip(keys, found, strict=True)
        ]

    def columns(self) -> Sequence[Tag]:
        found: dict[Tag, None] = {}
        for number in self._item.numbers():
            found.update(dict.fromkeys(self._item.attachment(number).tags()))
        return list(found)

    def version(self) -> Hashable:
        return repr([(number, self._item.attachment(number).get(_WATCHED)) for number in self.ids()])


_WATCHED = (pid.ATTACH_SIZE, pid.LAST_MODIFICATION, pid.DISPLAY_NAME)


class NoRows(Rows):
    """Of what there is nothing, and no way to have some."""

    def __init__(self, columns: Sequence[Tag]) -> None:
        self._columns = columns

    def ids(self) -> Sequence[int]:
        return ()

    def values(self, ids: Sequence[int], keys: Sequence[Tag]) -> list[list[Value]]:
        return [[None] * len(keys) for _ in ids]

    def columns(self) -> Sequence[Tag]:
        return self._columns

    def version(self) -> Hashable:
        return 0
