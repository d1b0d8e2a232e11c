"""What the store has of an entry: its row, the item that its MIME and its stored properties say, and back.

The MIME is the truth; beside it lies only the difference (docs/decisions/0116).  An item that never was MIME
is the difference to an empty one, so both go the same way.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from quintet.errors import Reason, TryLater
from quintet.mapi import convert, types
from quintet.mapi.bag import Bag, Data, Item, Key
from quintet.mapi.convert import reading
from quintet.mapi.convert.differences import Change, ChangedAttachment, Difference
from quintet.mapi.convert.sources import Joined
from quintet.mapi.objects import packed, pid
from quintet.message.digest import Digest
from quintet.store import ondemand, pages, props
from quintet.store.db import Tx
from quintet.store.items import Facts

if TYPE_CHECKING:
    from quintet.mapi.objects.box import Box

MAX_ATTACHMENTS = 1000  # of one item
_PARTS = 0  # the tag of a row that holds a whole part, packed

Row = pages.Whole
"""An entry with its message."""


def row(tx: Tx, entry_id: int) -> Row:
    """Raises Refused(NO_SUCH_MESSAGE)."""
    return pages.whole(tx, entry_id)


class File:
    """A body beside the database, as `Data`."""

    __slots__ = ("_path", "size")

    def __init__(self, path: os.PathLike[str], size: int) -> None:
        self._path = path
        self.size = size

    def read(self, start: int, most: int) -> bytes:
        """Raises TryLater(STORAGE)."""
        try:
            with open(self._path, "rb") as file:
                return os.pread(file.fileno(), most, start)
        except OSError as error:
            raise TryLater(Reason.STORAGE) from error


def original(box: Box, one: Row) -> bytes | Data | None:
    """The letter as every protocol fetches it: our trace fields and the body; None: an item without MIME."""
    if one.blob_id is None:
        return None
    body = _source(box, one)
    return one.prefix + body if isinstance(body, bytes) else Joined(one.prefix, body)


def derived(box: Box, one: Row) -> Item:
    """What the MIME says; an empty item where there is none."""
    if one.blob_id is None:
        return Item()
    try:
        digest = ondemand.digest(one.digest, one.data)
    except ValueError:
        digest = scanned(box, one)
    return convert.from_mime(_source(box, one), digest, received_ms=one.received_at, prefix=one.prefix)


def scanned(box: Box, one: Row) -> Digest:
    """The digest of a body whose stored one is of an older version, until `quintet reindex` mends that."""
    return reading.scanned(_source(box, one))


def _source(box: Box, one: Row) -> bytes | Data:
    return one.data if one.data is not None else File(box.files.path(one.sha256), one.blob_size)


def item(box: Box, one: Row) -> Item:
    """The item as it was saved."""
    kept = difference(box, one.id)
    mime = derived(box, one)
    return convert.merge(mime, kept) if kept else mime


# --- the difference ---------------------------------------------------------------------------------


def difference(box: Box, entry_id: int) -> Difference:
    """What lies beside the MIME."""
    own, gone = own_values(box, props.get(box.tx, props.ENTRY, entry_id))
    found = Difference(Change(own, gone))
    rows = props.get(box.tx, props.RECIPIENT, entry_id).get(_PARTS)
    if rows is not None:
        found.recipients = packed.of_rows(rows)
    if props.get(box.tx, props.ATTACHMENT, entry_id):
        found.attachments = list(_attachments(box.tx, entry_id))
    return found


def own_values(box: Box, raw: dict[int, bytes]) -> tuple[Bag, list[Key]]:
    """Stored values as a bag; and the tags of those that the MIME has and the item has not."""
    bag: Bag = {}
    gone: list[Key] = []
    for tag, value in raw.items():
        key = box.key_of(tag)
        if key is None:
            continue
        if value == packed.GONE:
            gone.append(key)
        else:
            bag[key] = packed.of_value(tag, value)
    return bag, gone


def _attachments(tx: Tx, entry_id: int) -> Iterator[ChangedAttachment]:
    for part in props.parts(tx, props.ATTACHMENT, entry_id):
        if part:
            raw = props.get(tx, props.ATTACHMENT, entry_id, part)
            one = packed.of_attachment(raw[_PARTS])
            one.data = raw.get(pid.ATTACH_DATA, one.data)
            yield one


def keep(box: Box, entry_id: int, found: Difference, extra: dict[int, bytes]) -> None:
    """Stores a difference in place of the old one; ``extra``: what tables are to find in a row of its own."""
    tx = box.tx
    props.forget_entry(tx, entry_id)
    values = dict(extra)
    for key, value in found.change.props.items():
        tag = box.tag_of(key, create=True)
        if tag is not None:
            values[tag] = packed.value(tag, value)
    for key in found.change.gone:
        tag = box.tag_of(key, create=True)
        if tag is not None:
            values[tag] = packed.GONE
    props.put(tx, props.ENTRY, entry_id, values)
    if found.recipients is not None:
        props.put(tx, props.RECIPIENT, entry_id, {_PARTS: packed.rows(found.recipients)})
    if found.attachments is not None:
        props.put(tx, props.ATTACHMENT, entry_id, {_PARTS: b"\0"})
        for part, one in enumerate(found.attachments, 1):
            raw = {_PARTS: packed.attachment(one)}
            if one.data is not None:
                raw[pid.ATTACH_DATA] = packed.whole(one.data)
            props.put(tx, props.ATTACHMENT, entry_id, raw, part)


def facts(one: Item) -> Facts:
    """What the row of an item without MIME says of it."""
    bag = one.props
    names = {row.get(pid.RECIPIENT_TYPE, 1): row.get(pid.DISPLAY_NAME) for row in reversed(one.recipients)}
    sent = bag.get(pid.SUBMIT_TIME)
    return Facts(
        size=size_of(one),
        subject=str(bag.get(pid.NORMALIZED_SUBJECT) or ""),
        sender=str(bag.get(pid.REPRESENTING_NAME) or bag.get(pid.SENDER_NAME) or ""),
        recipient=str(names.get(1) or ""),
        sent_at=types.to_ms(sent) if isinstance(sent, int) else None,
        message_id=str(bag.get(pid.INTERNET_ID) or ""),
    )


def size_of(one: Item) -> int:
    """Bytes of everything in an item, about (PidTagMessageSize, MS-OXCMSG 2.2.1.7)."""
    total = sum(map(bag_size, (one.props, *one.recipients)))
    for each in one.attachments:
        total += bag_size(each.props)
        if each.item is not None:
            total += size_of(each.item)
        else:
            total += len(each.data) if isinstance(each.data, bytes) else each.data.size
    return total


def weight(one: Item) -> int:
    """Bytes of an item that are in memory, or in files without a name, about."""
    total = sum(map(bag_size, (one.props, *one.recipients)))
    for each in one.attachments:
        total += bag_size(each.props)
        total += data_weight(each.data) if each.item is None else weight(each.item)
    return total


def data_weight(data: bytes | Data) -> int:
    """The same of content; what lies in the store weighs nothing."""
    return len(data) if isinstance(data, bytes) else getattr(data, "weight", 0)


def bag_size(bag: Mapping[Any, object]) -> int:  # Any: by keys of any kind
    """Bytes of properties, about."""
    return sum(4 + _value_size(value) for value in bag.values())


def _value_size(value: object) -> int:
    if isinstance(value, str):
        return 2 * len(value) + 2
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, list):
        return sum(map(_value_size, value))
    return 8
