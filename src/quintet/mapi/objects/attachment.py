"""Attachments of a message, and messages that are attachments (MS-OXCMSG 2.2.3.12 to 2.2.3.18)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from quintet.mapi.bag import Attachment as AttachmentBag
from quintet.mapi.bag import Bag, Data, Item, Key
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import packed, pid, stored
from quintet.mapi.objects.bagged import MAX_VALUE, Bagged, Fact, put_in
from quintet.mapi.objects.itemlike import READ_ONLY, READ_WRITE, ItemLike, initial
from quintet.mapi.types import Tag, Value

BY_VALUE, EMBEDDED = 1, 5  # PidTagAttachMethod (MS-OXCMSG 2.2.2.9)
MAX_DEPTH = 32  # messages in messages, as many as conversion takes


class Attachment(Bagged):
    """One attachment as its holder sees it; `save` puts it into the message, which is saved apart (R1062)."""

    def __init__(self, parent: ItemLike, number: int, one: AttachmentBag) -> None:
        super().__init__(parent.box)
        self.parent, self.number = parent, number
        self._one = AttachmentBag(dict(one.props), one.data, one.item)
        self.is_dirty, self._writable = False, True

    @classmethod
    def fresh(cls, parent: ItemLike, number: int) -> Attachment:
        """A new one with what it has from the beginning (R447 to R453)."""
        now = parent.box.now()
        made = cls(parent, number, AttachmentBag())
        made._one.props = {
            pid.ATTACH_NUMBER: number,
            pid.RENDERING_POSITION: -1,
            pid.CREATION_TIME: now,
            pid.LAST_MODIFICATION: now,
        }
        made.is_dirty = True
        return made

    @property
    def weight(self) -> int:
        """Bytes that it holds, about; what it shares with its message is the message's."""
        one = self._one
        if not self.is_dirty:
            return 0
        return stored.data_weight(one.data) if one.item is None else stored.weight(one.item)

    @property
    def writable(self) -> bool:
        """Its message may be changed, and it was not itself opened to be read only (R917)."""
        return self._writable and self.parent.writable

    @writable.setter
    def writable(self, value: bool) -> None:
        self._writable = value

    def check_writable(self) -> None:
        """Raises MapiError(ACCESS_DENIED): it was opened to be read only."""
        if not self.writable:
            raise MapiError(Code.ACCESS_DENIED)

    # --- properties -----------------------------------------------------------------------------------

    def _bag(self) -> Bag:
        return self._one.props

    def _put(self, fresh: Bag) -> None:
        self.check_writable()
        put_in(self._one.props, fresh)
        self.is_dirty = True

    def _drop(self, gone: Sequence[Key]) -> None:
        self.check_writable()
        for key in gone:
            del self._one.props[key]
        self.is_dirty = True

    def _set_fact(self, tag: Tag, value: Value) -> None:
        """The content is set as if it were a property like others."""
        if tag != pid.ATTACH_DATA or not isinstance(value, bytes):
            raise MapiError(Code.COMPUTED_VALUE)
        self.data = value

    def _remove_fact(self, tag: Tag) -> None:
        if tag != pid.ATTACH_DATA:
            raise MapiError(Code.COMPUTED_VALUE)
        self.data = b""

    def _content(self) -> Value:
        return None if self._one.item is not None else packed.whole(self._one.data)

    facts: ClassVar[Mapping[Tag, Fact]] = {
        pid.ATTACH_NUMBER: lambda self: self.number,
        pid.ATTACH_SIZE: lambda self: self.size,
        pid.ATTACH_DATA: lambda self: self._content(),
        pid.ACCESS_LEVEL: lambda self: READ_WRITE if self.writable else READ_ONLY,
        pid.OBJECT_TYPE: lambda self: pid.ATTACHMENT_OBJECT,
    }

    def tags(self) -> list[Tag]:
        """The content is no property of a list: it may be large, and is read as a stream."""
        return [tag for tag in super().tags() if tag != pid.ATTACH_DATA]

    # --- content ----------------------------------------------------------------------------------------

    @property
    def data(self) -> bytes | Data:
        """The content (PidTagAttachDataBinary), by reference where it is large; b"" for a message."""
        return self._one.data if self._one.item is None else b""

    @data.setter
    def data(self, value: bytes | Data) -> None:
        """Raises MapiError(ACCESS_DENIED | VALUE_TOO_BIG)."""
        self.check_writable()
        if (len(value) if isinstance(value, bytes) else value.size) > MAX_VALUE:
            raise MapiError(Code.VALUE_TOO_BIG)
        self._one.data, self._one.item = value, None
        self.is_dirty = True

    @property
    def size(self) -> int:
        """Bytes, about (PidTagAttachSize)."""
        told = self._one.props.get(pid.ATTACH_SIZE)
        if isinstance(self._one.data, bytes):
            return len(self._one.data)
        return told if isinstance(told, int) else min(self._one.data.size, 0x7FFFFFFF)

    def embedded(self, *, create: bool = False) -> Embedded:
        """The message that it is (RopOpenEmbeddedMessage).

        Raises MapiError(NOT_FOUND): it is none, and none was to be made; MapiError(ACCESS_DENIED).
        """
        if self._one.item is not None:
            return Embedded(self, self._one.item)
        if not create:
            raise MapiError(Code.NOT_FOUND, "not a message")
        self.check_writable()
        put_in(self._one.props, {pid.ATTACH_METHOD: EMBEDDED})
        return Embedded(self, Item(initial(self.box.now())), fresh=True)

    def put_embedded(self, item: Item) -> None:
        """What saving the embedded message does (R481)."""
        self._one.item, self._one.data = item, b""
        self.is_dirty = True

    def save(self) -> None:
        """Into the message (RopSaveChangesAttachment).  Raises MapiError(ACCESS_DENIED)."""
        self.check_writable()
        bag = self._one.props
        bag.setdefault(pid.ATTACH_METHOD, EMBEDDED if self._one.item is not None else BY_VALUE)
        if isinstance(self._one.data, bytes):
            bag[pid.ATTACH_SIZE] = len(self._one.data)
        bag[pid.LAST_MODIFICATION] = self.box.now()
        self.parent.put_attachment(self.number, AttachmentBag(dict(bag), self._one.data, self._one.item))
        self.is_dirty = False


class Embedded(ItemLike):
    """A message within an attachment; `save` puts it there."""

    def __init__(self, holder: Attachment, item: Item, *, fresh: bool = False) -> None:
        copy = Item(
            dict(item.props),
            [dict(row) for row in item.recipients],
            [AttachmentBag(dict(one.props), one.data, one.item) for one in item.attachments],
        )
        super().__init__(holder.box, copy, writable=holder.writable)
        self.holder = holder
        self.is_new = fresh
        if _depth(holder.parent) >= MAX_DEPTH:
            raise MapiError(Code.TOO_COMPLEX, "messages nested too deeply")

    def save(self) -> None:
        """Raises MapiError(ACCESS_DENIED)."""
        self.check_writable()
        self.item.props[pid.LAST_MODIFICATION] = self.box.now()
        self.holder.put_embedded(self.item)
        self.changed.clear()
        self.parts_changed = self.is_new = False
        self.reload_recipients()


def _depth(parent: ItemLike) -> int:
    depth = 0
    while isinstance(parent, Embedded):
        parent = parent.holder.parent
        depth += 1
    return depth
