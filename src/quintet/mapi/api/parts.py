"""Attachments of an item."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from quintet.mapi import pr
from quintet.mapi.bag import Attachment as Held
from quintet.mapi.bag import Bag
from quintet.mapi.bag import Item as Values
from quintet.mapi.plain import safe_name
from quintet.mapi.providers import derive
from quintet.mapi.providers.files import FileData

if TYPE_CHECKING:
    from quintet.mapi.api.item import Item

IN_MEMORY = 1024 * 1024  # bytes of a file that is read at once when it is attached


class Attachment:
    """One attachment, of an item that may not be saved yet."""

    def __init__(self, item: Item, number: int, held: Held) -> None:
        self._item, self.number, self._held = item, number, held

    @property
    def props(self) -> Bag:
        return self._held.props

    @property
    def name(self) -> str:
        for tag in (pr.ATTACH_LONG_FILENAME, pr.ATTACH_FILENAME, pr.DISPLAY_NAME):
            if self.props.get(tag):
                return str(self.props[tag])
        return f"attachment-{self.number}"

    @property
    def type(self) -> str:
        """Its MIME type."""
        told = self.props.get(pr.ATTACH_MIME_TAG) or mimetypes.guess_type(self.name)[0]
        return str(told or "application/octet-stream")

    @property
    def inline(self) -> bool:
        """It is shown within the text (a picture), not beside it."""
        return bool(self.props.get(pr.ATTACHMENT_HIDDEN))

    @property
    def size(self) -> int:
        return derive.data_size(self._held)

    @property
    def data(self) -> bytes:
        """The content; of a message within, the message as MIME."""
        if self._held.item is not None:
            from quintet.mapi import convert

            return b"".join(convert.to_mime(self._held.item))
        held = self._held.data
        return held if isinstance(held, bytes) else held.read(0, held.size)

    @property
    def values(self) -> Values | None:
        """The message within, if it is one."""
        return self._held.item

    def save(self, path: str | Path) -> Path:
        """Writes the content into a file, or under its own name into a directory; piece by piece."""
        where = Path(path)
        if where.is_dir():
            where /= safe_name(self.name.replace("\\", "/").rpartition("/")[2])
        held = self._held.data
        with where.open("wb") as file:
            if self._held.item is not None or isinstance(held, bytes):
                file.write(self.data)
            else:
                for start in range(0, held.size, IN_MEMORY):
                    file.write(held.read(start, IN_MEMORY))
        return where

    def __repr__(self) -> str:
        return f"<Attachment {self.name!r}, {self.size} bytes>"


class Attachments:
    """The attachments of an item, in their order."""

    def __init__(self, item: Item) -> None:
        self._item = item

    def _held(self) -> dict[int, Held]:
        return self._item.mapi._attachments

    def __iter__(self) -> Iterator[Attachment]:
        return iter([Attachment(self._item, number, one) for number, one in self._held().items()])

    def __len__(self) -> int:
        return len(self._held())

    def __getitem__(self, which: int | str) -> Attachment:
        """By place, or by name.  Raises IndexError, KeyError."""
        if isinstance(which, int):
            return list(self)[which]
        for one in self:
            if one.name == which:
                return one
        raise KeyError(which)

    def add(
        self,
        what: str | Path | bytes | Item,
        name: str = "",
        *,
        type: str = "",  # noqa: A002 (as everybody calls it)
        content_id: str = "",
    ) -> Attachment:
        """Attaches a file, bytes with a ``name``, or an item; with ``content_id`` as a part of the HTML."""
        props: Bag = {pr.ATTACH_METHOD: derive.BY_VALUE, pr.RENDERING_POSITION: -1}
        held = Held(props)
        if isinstance(what, str | Path):
            path = Path(what)
            name = name or path.name
            held.data = path.read_bytes() if path.stat().st_size <= IN_MEMORY else FileData(path)
        elif isinstance(what, bytes):
            held.data = what
            name = name or "attachment"
        else:
            held.item = derive.copied(what.values())
            props[pr.ATTACH_METHOD] = derive.EMBEDDED
            name = name or what.subject or "message"
            props[pr.DISPLAY_NAME] = name
        if held.item is None:
            props[pr.ATTACH_LONG_FILENAME] = name
            props[pr.ATTACH_MIME_TAG] = type or mimetypes.guess_type(name)[0] or "application/octet-stream"
        if content_id:
            props |= {pr.ATTACH_CONTENT_ID: content_id, pr.ATTACHMENT_HIDDEN: True}
        return self._item.attach(held)

    def remove(self, one: Attachment | int | str) -> None:
        found = one if isinstance(one, Attachment) else self[one]
        self._item.mapi.DeleteAttach(found.number)

    def __repr__(self) -> str:
        return repr(list(self))
