"""IAttach: an attachment of an open message; its changes reach the message by SaveChanges."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, ClassVar

from quintet.mapi import consts, pr
from quintet.mapi.bag import Attachment, Bag, Data, Item, Key
from quintet.mapi.core.errors import fail
from quintet.mapi.core.props import IMAPIProp
from quintet.mapi.providers import derive

if TYPE_CHECKING:
    from quintet.mapi.core.message import IMessage


class IAttach(IMAPIProp):
    """``save`` puts the attachment, as it then is, into its message."""

    iids: ClassVar[tuple[str, ...]] = ("IID_IAttachment",)
    computed = frozenset((pr.ATTACH_SIZE, pr.ATTACH_NUM, pr.OBJECT_TYPE, pr.ACCESS_LEVEL, pr.RECORD_KEY))

    def __init__(
        self,
        number: int,
        attachment: Attachment,
        save: Callable[[Attachment], None],
        lock: threading.RLock,
        *,
        writable: bool,
    ) -> None:
        super().__init__(lock, writable=writable)
        self._number = number
        self._one = Attachment(dict(attachment.props), attachment.data, attachment.item)
        self._save = save

    def _bag(self) -> Bag:
        bag = bag_of(self._number, self._one)
        if self._one.item is None and isinstance(self._one.data, bytes) and self._has_data():
            bag[pr.ATTACH_DATA_BIN] = self._one.data
        return bag

    def _has_data(self) -> bool:
        return bool(self._one.data) or self._one.props.get(pr.ATTACH_METHOD) == derive.BY_VALUE

    def _take(self, changes: Bag, gone: Collection[Key]) -> None:
        if pr.ATTACH_DATA_BIN in changes:
            self._one.data = changes.pop(pr.ATTACH_DATA_BIN)
            self._one.item = None
        self._one.props.update(changes)
        for key in gone:
            if key == pr.ATTACH_DATA_BIN:
                self._one.data = b""
            self._one.props.pop(key, None)

    def _data(self, key: Key) -> bytes | Data | str | None:
        if key in (pr.ATTACH_DATA_BIN, pr.ATTACH_DATA_OBJ):
            return self._one.data if self._has_data() or not isinstance(self._one.data, bytes) else None
        return super()._data(key)

    def _take_data(self, key: Key, data: bytes | Data | str) -> None:
        if key in (pr.ATTACH_DATA_BIN, pr.ATTACH_DATA_OBJ) and not isinstance(data, str):
            self._one.data, self._one.item = data, None
        else:
            super()._take_data(key, data)

    def OpenProperty(self, tag: int, iid: bytes | None = None, options: int = 0, flags: int = 0) -> Any:
        """PR_ATTACH_DATA_OBJ with IID_IMessage opens the message within; MAPI_CREATE makes a new one."""
        if tag == pr.ATTACH_DATA_OBJ and iid == consts.IID_IMessage:
            return self._embedded(flags)
        return super().OpenProperty(tag, iid, options, flags)

    def _embedded(self, flags: int) -> IMessage:
        from quintet.mapi.core.message import IMessage  # it knows this class

        writable = bool(flags & (consts.MAPI_MODIFY | consts.MAPI_CREATE))
        if writable:
            self._must_be_writable()
        item = self._one.item
        if flags & consts.MAPI_CREATE:
            item = Item({pr.MESSAGE_CLASS: "IPM.Note"})
        if item is None:
            raise fail("MAPI_E_NOT_FOUND", "no message is attached")

        def save(new: Item) -> None:
            self._one.item, self._one.data = new, b""
            self._one.props[pr.ATTACH_METHOD] = consts.ATTACH_EMBEDDED_MSG

        return IMessage.embedded(item, save if writable else None, self._lock)

    def SaveChanges(self, flags: int = 0) -> None:
        """Puts the attachment into the message, which still has to be saved."""
        self._must_be_writable()
        self._flush()
        self._save(Attachment(dict(self._one.props), self._one.data, self._one.item))
        if not flags & consts.KEEP_OPEN_READWRITE:
            self._writable = False


def bag_of(number: int, one: Attachment) -> Bag:
    """What the table of attachments shows."""
    return {
        **one.props,
        pr.ATTACH_NUM: number,
        pr.ATTACH_SIZE: derive.size_of(Item({}, [], [one])),
        pr.OBJECT_TYPE: consts.MAPI_ATTACH,
        pr.RECORD_KEY: number.to_bytes(4, "little"),
        pr.INSTANCE_KEY: number.to_bytes(4, "little"),
    }
