"""A message read over the wire: its properties, recipients and attachments, what is long as a stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from quintet.mapi import pr, recipients, types
from quintet.mapi.bag import Attachment, Bag, Data, Item
from quintet.mapi.buffer import Reader
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.ids import ShortId
from quintet.mapi.providers import derive
from quintet.mapi.providers.wire.link import Link, Talk, check, failed
from quintet.mapi.rop import messages, properties, registry, streams
from quintet.mapi.rop.batch import Slot
from quintet.mapi.rop.messages import OpenMode
from quintet.mapi.types import Error, Tag, Value

CODE_PAGE: Final = 0x0FFF  # the logon's
PROPERTIES_LIST: Final = 0x09  # RopGetPropertiesList
VALID_ATTACHMENTS: Final = 0x52  # RopGetValidAttachments
DATA: Final[Tag] = 0x37010102  # PidTagAttachDataBinary
PIECE = 0x7000  # bytes of a stream in one answer
LARGE = 256 * 1024  # bytes of an attachment that is read when it is wanted
MAX_DEPTH = 32  # messages within messages
_STREAMED = (types.STRING, types.BINARY)


def opened(talk: Talk, pair: tuple[ShortId, ShortId], mode: int = OpenMode.READ_ONLY) -> tuple[Slot, Any]:
    """An open message and what opening it tells.  Raises MapiError(NOT_FOUND)."""
    step = talk.ask(messages.OpenMessage(CODE_PAGE, pair[0], mode, pair[1]))
    talk.run()
    assert step.opens is not None
    return step.opens, check(step)


def item(link: Link, pair: tuple[ShortId, ShortId]) -> Item:
    """The whole message.  Raises MapiError(NOT_FOUND)."""
    link.learn()
    talk = Talk(link)
    try:
        handle, told = opened(talk, pair)
    except MapiError as error:
        if error.code != Code.NOT_FOUND:
            raise
        handle, told = opened(talk, pair, OpenMode.OPEN_SOFT_DELETED)
    return _Loading(link, talk, pair).item(handle, told, ())


def values(
    link: Link, pair: tuple[ShortId, ShortId], tags: Sequence[Tag], *, deleted: bool = False
) -> list[Value]:
    """Some properties of a message, however long they are; None for what it has not."""
    talk = Talk(link)
    mode = OpenMode.OPEN_SOFT_DELETED if deleted else OpenMode.READ_ONLY
    handle, _ = opened(talk, pair, mode)
    found = some(talk, handle, tags)
    talk.ask(registry.RELEASE, handle)
    return found


def some(talk: Talk, handle: Slot | int, tags: Sequence[Tag]) -> list[Value]:
    """Some properties of an open object; what is too long for a row comes as a stream."""
    if not tags:
        return []
    step = talk.ask(properties.GetPropertiesSpecific(0, True, tuple(tags)), handle)
    talk.run()
    found = []
    for tag, value in zip(tags, check(step).row, strict=True):
        if isinstance(value, Error):
            long = value.code == Code.OUT_OF_MEMORY and tag & 0xFFFF in _STREAMED
            value = streamed(talk, handle, tag) if long else None
        found.append(value)
    return found


def every(talk: Talk, handle: Slot | int, more: Sequence[Tag] = ()) -> dict[Tag, Value]:
    """All properties of an open object, and of ``more`` those that it has."""
    listed = talk.ask(PROPERTIES_LIST, handle)
    all_of_them = talk.ask(properties.GetPropertiesAll(0, True), handle)
    talk.run()
    found = {tag: value for tag, value in check(all_of_them).values if tag & 0xFFFF != types.ERROR_CODE}
    wanted = [*check(listed).tags, *more]
    left = [tag for tag in wanted if tag not in found and tag & 0xFFFF not in _OBJECTS and tag != DATA]
    rest = zip(left, some(talk, handle, left), strict=True)
    return found | {tag: value for tag, value in rest if value is not None}


_OBJECTS = (types.OBJECT, types.ERROR_CODE)


def streamed(talk: Talk, handle: Slot | int, tag: Tag) -> Value:
    """The whole of one property."""
    stream = talk.open(streams.OpenStream(tag, streams.StreamMode.READ_ONLY), handle)
    raw = _drained(talk, stream)
    return raw.decode("utf-16-le", "replace") if tag & 0xFFFF == types.STRING else raw


def _drained(talk: Talk, stream: Slot) -> bytes:
    pieces = []
    while True:
        step = talk.ask(streams.ReadStream(PIECE), stream)
        talk.run()
        piece = check(step).data
        if not piece:
            break
        pieces.append(piece)
    talk.ask(registry.RELEASE, stream)
    return b"".join(pieces)


class _Loading:
    """One message, and the way to what lies within it."""

    def __init__(self, link: Link, talk: Talk, pair: tuple[ShortId, ShortId]) -> None:
        self._link, self._talk, self._pair = link, talk, pair

    def item(self, handle: Slot, told: Any, way: tuple[int, ...]) -> Item:  # Any: what opening it told
        bag = self._bag(every(self._talk, handle, () if way else (pr.BODY,)))
        made = Item(bag, self._recipients(handle, told))
        if len(way) < MAX_DEPTH:
            made.attachments = self._attachments(handle, way)
        self._talk.ask(registry.RELEASE, handle)
        return made

    def _bag(self, found: dict[Tag, Value]) -> Bag:
        keys = self._link.keys_of(list(found))
        return {key: value for key, value in zip(keys, found.values(), strict=True) if key is not None}

    def _recipients(self, handle: Slot, told: Any) -> list[Bag]:  # Any: as above
        """Those that opening told, or all of them where these were not all."""
        rows: list[Any] = list(told.rows)
        if told.recipients > len(rows):
            rows, start = [], 0
            while len(rows) < told.recipients:
                step = self._talk.ask(messages.ReadRecipients(start, 0), handle, may_fail=True)
                self._talk.run()
                if failed(step):
                    break
                rows += step.answer.rows
                start = rows[-1].id + 1
        return [self._recipient(row, told.columns) for row in rows]

    def _recipient(self, row: Any, columns: Sequence[Tag]) -> Bag:  # Any: OpenRecipient or ReadRecipient
        found = recipients.to_bag(recipients.get(Reader(row.row), columns, "cp1252"), columns)
        bag = self._bag({tag: value for tag, value in found.items() if isinstance(tag, int)})
        return {pr.RECIPIENT_TYPE: row.kind, **bag}

    def _attachments(self, handle: Slot, way: tuple[int, ...]) -> list[Attachment]:
        step = self._talk.ask(VALID_ATTACHMENTS, handle)
        self._talk.run()
        return [self._attachment(handle, number, way) for number in check(step).numbers]

    def _attachment(self, message: Slot, number: int, way: tuple[int, ...]) -> Attachment:
        handle = self._talk.open(messages.OpenAttachment(OpenMode.READ_ONLY, number), message)
        made = Attachment(self._bag(every(self._talk, handle)))
        if made.props.get(pr.ATTACH_METHOD) == derive.EMBEDDED:
            step = self._talk.ask(messages.OpenEmbeddedMessage(CODE_PAGE, OpenMode.READ_ONLY), handle)
            self._talk.run()
            assert step.opens is not None
            made.item = self.item(step.opens, check(step), (*way, number))
        else:
            made.data = self._data(handle, (*way, number))
        self._talk.ask(registry.RELEASE, handle)
        return made

    def _data(self, handle: Slot, way: tuple[int, ...]) -> bytes | Data:
        step = self._talk.ask(streams.OpenStream(DATA, 0), handle, may_fail=True)
        self._talk.run()
        if failed(step) or step.opens is None:
            return b""
        size = step.answer.size
        if size <= LARGE:
            return _drained(self._talk, step.opens)
        self._talk.ask(registry.RELEASE, step.opens)
        return _Remote(self._link, self._pair, way, size)


class _Remote:
    """A large attachment, read piece by piece where it lies."""

    def __init__(self, link: Link, pair: tuple[ShortId, ShortId], way: tuple[int, ...], size: int) -> None:
        self._link, self._pair, self._way, self.size = link, pair, way, size

    def read(self, start: int, most: int) -> bytes:
        return self._link.call(lambda: self._read(start, min(most, self.size - start)), again=True)

    def _read(self, start: int, most: int) -> bytes:
        talk = Talk(self._link)
        opened_ones = [opened(talk, self._pair)[0]]
        for depth, number in enumerate(self._way):
            if depth:
                opened_ones.append(
                    talk.open(messages.OpenEmbeddedMessage(CODE_PAGE, OpenMode.READ_ONLY), opened_ones[-1])
                )
            opened_ones.append(
                talk.open(messages.OpenAttachment(OpenMode.READ_ONLY, number), opened_ones[-1])
            )
        stream = talk.open(streams.OpenStream(DATA, 0), opened_ones[-1])
        talk.ask(streams.SeekStream(0, start), stream)
        found = b""
        while len(found) < most:
            step = talk.ask(streams.ReadStream(min(PIECE, most - len(found))), stream)
            talk.run()
            piece = check(step).data
            if not piece:
                break
            found += piece
        for one in (stream, *reversed(opened_ones)):
            talk.ask(registry.RELEASE, one)
        return found
