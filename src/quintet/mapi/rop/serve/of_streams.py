"""Streams: a property's value as bytes, read and written in pieces (MS-OXCPRPT 3.2.5.11 to 3.2.5.19).

What is only read is read where it lies; what is written is kept in a `Paper` until the stream is committed or
released, or until somebody asks the object, to whom it is the value already (R56401).
"""

from __future__ import annotations

from typing import Final

from quintet.mapi import types
from quintet.mapi.bag import Data
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import Attachment, Folder, ItemLike, pid, stored
from quintet.mapi.objects.bagged import MAX_VALUE, Bagged
from quintet.mapi.rop import streams
from quintet.mapi.rop.registry import Asked
from quintet.mapi.rop.serve import values
from quintet.mapi.rop.serve.desk import Call, serves
from quintet.mapi.rop.serve.paper import IN_MEMORY, Paper
from quintet.mapi.rop.serve.session import Session
from quintet.mapi.rop.streams import StreamMode
from quintet.mapi.types import Error, Tag

CHUNK = 64 * 1024
MAX_POSITION = 0x7FFFFFFF  # R582

STREAM_ACCESS_DENIED: Final = 0x80030005  # error codes of streams alone (MS-OXCDATA 2.4)
STREAM_SEEK_ERROR: Final = 0x80030019
STREAM_INVALID_PARAM: Final = 0x80030057
_KINDS = (types.STRING, types.STRING8, types.BINARY, types.OBJECT)


class StreamError(MapiError):
    """With a code that only streams have."""

    def __init__(self, code: int) -> None:
        super().__init__(Code.GENERAL_FAILURE)
        self.code = code  # type: ignore[assignment] # beyond the common ones


class Stream:
    """One open stream.  ``owner`` and ``tag``: whose value it is."""

    def __init__(self, owner: Bagged, tag: Tag, mode: int, page: str, source: bytes | Data) -> None:
        self.owner, self.tag, self.mode, self.page = owner, tag, mode, page
        self.position = 0
        self.dirty = False
        self._source: bytes | Data = source
        self._paper: Paper | None = None  # what was written

    @property
    def size(self) -> int:
        if self._paper is not None:
            return self._paper.size
        return len(self._source) if isinstance(self._source, bytes) else self._source.size

    @property
    def weight(self) -> int:
        """Bytes that it holds, about; what is an attachment's content now is the attachment's."""
        if self._paper is not None and isinstance(self.owner, Attachment) and self.owner.data is self._paper:
            return 0
        return stored.data_weight(self._source if self._paper is None else self._paper)

    def read(self, most: int) -> bytes:
        found = self._piece(self.position, most)
        self.position += len(found)
        return found

    def _piece(self, start: int, most: int) -> bytes:
        source = self._source if self._paper is None else self._paper
        return source[start : start + most] if isinstance(source, bytes) else source.read(start, most)

    def check_writable(self) -> None:
        if self.mode == StreamMode.READ_ONLY:
            raise StreamError(STREAM_ACCESS_DENIED)

    def _written(self) -> Paper:
        """The copy that is written to."""
        if self._paper is None:
            made = Paper()
            for start in range(0, self.size, CHUNK):
                made.write(start, self._piece(start, CHUNK))
            self._paper, self._source = made, b""
        self.dirty = True
        return self._paper

    def write(self, data: bytes) -> int:
        """Raises MapiError(VALUE_TOO_BIG): nothing was written (R564)."""
        if self.position + len(data) > MAX_VALUE:
            raise MapiError(Code.VALUE_TOO_BIG)
        self._written().write(self.position, data)
        self.position += len(data)
        return len(data)

    def resize(self, size: int) -> None:
        """R57706, R57707."""
        if size > MAX_VALUE:
            raise MapiError(Code.VALUE_TOO_BIG)
        self._written().resize(size)

    def seek(self, origin: int, offset: int) -> int:
        if origin not in (0, 1, 2):
            raise StreamError(STREAM_INVALID_PARAM)
        target = (0, self.position, self.size)[origin] + offset
        if not 0 <= target <= MAX_POSITION:
            raise StreamError(STREAM_SEEK_ERROR)
        if target > self.size and self.mode != StreamMode.READ_ONLY:  # R583
            self.resize(target)
        self.position = target
        return target

    def commit(self) -> None:
        """What was written is the value now (R571).  Raises MapiError: the object does not take it."""
        if not self.dirty:
            return
        paper = self._written()
        if isinstance(self.owner, Attachment) and self.tag >> 16 == pid.ATTACH_DATA >> 16:
            self.owner.data = paper if paper.size > IN_MEMORY else paper.read(0, paper.size)
        else:
            tag, value = values.incoming(self.tag, self._text(paper.read(0, paper.size)), self.page)
            for trouble in self.owner.set([(tag, value)]):
                raise MapiError(trouble.code)
        self.dirty = False

    def _text(self, raw: bytes) -> str | bytes:
        """A value of the tag's type; text ends before NULs that clients write behind it."""
        kind = types.type_of(self.tag)
        if kind == types.STRING:
            return raw.decode("utf-16-le", "replace").rstrip("\0")
        return raw.rstrip(b"\0") if kind == types.STRING8 else raw


def _value(call: Call, owner: Bagged, tag: Tag) -> bytes | Data | None:
    """The value as bytes; None where there is none."""
    kind = types.type_of(tag)
    if isinstance(owner, Attachment) and tag >> 16 == pid.ATTACH_DATA >> 16:
        return owner.data
    wide = types.tag_of(types.id_of(tag), types.STRING) if kind == types.STRING8 else tag
    (found,) = owner.get((wide,))
    if found is None or isinstance(found, Error):
        return None
    if isinstance(found, str):
        return found.encode(call.page if kind == types.STRING8 else "utf-16-le", "replace")
    return found if isinstance(found, bytes) else None


def to_folder(session: Session, asked: Asked, handles: list[int]) -> bool:
    """A folder keeps values at once; what the same buffer opens may be one, or a stream of one."""
    held = session.at(handles, asked.index)
    if held is None:
        return True
    return isinstance(held.thing.owner if isinstance(held.thing, Stream) else held.thing, Folder)


def _copied_to_folder(session: Session, asked: Asked, handles: list[int]) -> bool:
    held = session.at(handles, asked.other)
    return held is None or (isinstance(held.thing, Stream) and isinstance(held.thing.owner, Folder))


def _created_on_folder(session: Session, asked: Asked, handles: list[int]) -> bool:
    return asked.body.mode == StreamMode.CREATE and to_folder(session, asked, handles)


@serves(0x2B, writes=_created_on_folder)
def open_stream(call: Call) -> streams.OpenStreamAnswer:
    owner, tag, mode = call.thing(Bagged), call.body.tag, call.body.mode
    if types.type_of(tag) not in _KINDS or _is_descriptor(owner, tag):
        raise MapiError(Code.NOT_SUPPORTED)
    if mode not in (StreamMode.READ_ONLY, StreamMode.READ_WRITE, StreamMode.CREATE):
        raise MapiError(Code.INVALID_PARAMETER)
    if mode != StreamMode.READ_ONLY:
        if call.box.public and isinstance(owner, Folder):  # R88501
            raise MapiError(Code.NOT_SUPPORTED)
        _check_writable(owner)
    found = b"" if mode == StreamMode.CREATE else _value(call, owner, tag)
    if found is None:
        raise MapiError(Code.NOT_FOUND)  # R891
    made = Stream(owner, tag, mode, call.page, found)
    made.dirty = mode == StreamMode.CREATE
    handle = call.give(made)
    if isinstance(owner, Folder) and mode != StreamMode.READ_ONLY:
        call.session.writing[handle] = made
    return streams.OpenStreamAnswer(min(made.size, 0xFFFFFFFF))


def _is_descriptor(owner: Bagged, tag: Tag) -> bool:
    """PidTagSecurityDescriptorAsXml of a folder, whose rights are a table (MS-OXCPERM R152, R183)."""
    return isinstance(owner, Folder) and tag >> 16 == 0x0E6A


def _check_writable(owner: Bagged) -> None:
    if isinstance(owner, (ItemLike, Folder, Attachment)):
        owner.check_writable()


@serves(0x2C)
def read_stream(call: Call) -> streams.ReadStreamAnswer:
    most = min(call.body.most, call.room - 2)
    return streams.ReadStreamAnswer(call.thing(Stream).read(most))


def _write(call: Call) -> int:
    stream = call.thing(Stream)
    stream.check_writable()
    return stream.write(call.body.data)


@serves(0x2D, writes=to_folder)
def write_stream(call: Call) -> streams.WriteStreamAnswer:
    return streams.WriteStreamAnswer(_write(call))


@serves(0xA3, writes=to_folder)
def write_stream_extended(call: Call) -> streams.WriteStreamExtendedAnswer:
    return streams.WriteStreamExtendedAnswer(_write(call))


@serves(0x90, writes=to_folder)
def write_and_commit_stream(call: Call) -> streams.WriteStreamAnswer:
    written = _write(call)
    call.thing(Stream).commit()
    return streams.WriteStreamAnswer(written)


@serves(0x5D, writes=to_folder)
def commit_stream(call: Call) -> None:
    stream = call.thing(Stream)
    stream.check_writable()
    stream.commit()


@serves(0x5E, light=True)
def get_stream_size(call: Call) -> streams.GetStreamSizeAnswer:
    return streams.GetStreamSizeAnswer(min(call.thing(Stream).size, 0xFFFFFFFF))


@serves(0x2F, writes=to_folder)
def set_stream_size(call: Call) -> None:
    stream = call.thing(Stream)
    stream.check_writable()
    stream.resize(call.body.size)


@serves(0x2E, writes=to_folder)
def seek_stream(call: Call) -> streams.SeekStreamAnswer:
    return streams.SeekStreamAnswer(call.thing(Stream).seek(call.body.origin, call.body.offset))


@serves(0x3A, writes=_copied_to_folder)
def copy_to_stream(call: Call) -> streams.CopyToStreamAnswer:
    source, target = call.thing(Stream), call.destination(Stream)
    target.check_writable()
    done = 0
    while done < call.body.count and (piece := source.read(min(CHUNK, call.body.count - done))):
        done += target.write(piece)
    return streams.CopyToStreamAnswer(done, done)
