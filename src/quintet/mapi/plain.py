"""What Simple MAPI and CMC have in common: a session in which letters are found, read, written and sent.

Both are thin faces of Extended MAPI; here are its calls, there only names, flags and codes.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from quintet.errors import Problem
from quintet.mapi import consts, pr
from quintet.mapi.bag import Data
from quintet.mapi.convert import bodies
from quintet.mapi.core import dialog, places, props, structs, values
from quintet.mapi.core.errors import MAPIError, told
from quintet.mapi.core.folder import IMAPIFolder
from quintet.mapi.core.message import IMessage
from quintet.mapi.core.session import IMAPISession
from quintet.mapi.core.stream import IStream
from quintet.mapi.core.structs import SPropValue
from quintet.mapi.errors import MapiError
from quintet.mapi.providers import derive
from quintet.values import dataclass

MAX_TEXT = 64 * 1024 * 1024  # characters of a letter
MAX_FILES = 10_000
MAX_RECIPIENTS = 100_000
PIECE = 256 * 1024  # bytes of a file that are copied at once
MAX_NAME = 200  # characters of a file's name that we make up
_ORDER = (pr.MESSAGE_DELIVERY_TIME, pr.ENTRYID)


class NoFile(Exception):
    """An attachment cannot be read or written.  ``found``: it is there; ``writing``: it was to be written."""

    def __init__(self, *, found: bool = False, writing: bool = False) -> None:
        super().__init__()
        self.found, self.writing = found, writing


class Fail(Exception):
    """A code that the caller of a face gets."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Codes:
    """What a face calls what went wrong."""

    known: Mapping[str, int]  # by the name of the error's class
    files: tuple[int, int, int]  # not found, not readable, not writable
    sizes: tuple[int, int, int]  # too many recipients, too many files, too long a text
    memory: int
    other: int

    def of(self, error: Exception) -> int:
        if isinstance(error, MapiError | Problem):  # a provider's own, of a call past the interface
            error = told(error)
        if isinstance(error, Fail):
            return error.code
        if isinstance(error, NoFile):
            return self.files[2 if error.writing else 1 if error.found else 0]
        if isinstance(error, MemoryError):
            return self.memory
        return self.known.get(type(error).__name__, self.other)

    def coded(self, **nothing: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Makes a call give a code, 0 for success; ``nothing``: what stands behind the code of an error.

        Behind 0 stands what the function gave: a tuple where ``nothing`` has several names.
        """
        several, defaults = len(nothing) > 1, tuple(nothing.values())

        def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(function)
            def call(*args: Any, **kwargs: Any) -> Any:
                try:
                    code, found = 0, function(*args, **kwargs)
                    given = tuple(found) if several else (found,)
                except (Fail, MAPIError, MapiError, Problem, NoFile, MemoryError) as error:
                    code, given = self.of(error), defaults
                return (code, *given) if nothing else code

            return call

        return wrap

    def check(self, letter: Letter) -> None:
        """Raises Fail: there is too much of something."""
        found = (len(letter.people), len(letter.files), len(letter.text))
        for code, size, most in zip(self.sizes, found, (MAX_RECIPIENTS, MAX_FILES, MAX_TEXT), strict=True):
            if size > most:
                raise Fail(code)


@dataclass(slots=True)
class Person:
    """Somebody: ``address`` is "SMTP:ann@example.com", or "" where only a name is known."""

    name: str = ""
    address: str = ""
    kind: int = consts.MAPI_TO  # MAPI_ORIG, MAPI_TO, MAPI_CC, MAPI_BCC
    entry: bytes = b""
    group: bool = False


@dataclass(slots=True)
class File:
    """An attachment, as a file."""

    path: Path
    name: str = ""
    position: int = -1  # of its icon in the text; -1: it has none
    ole: int = 0  # MAPI_OLE, MAPI_OLE_STATIC
    mime: str = ""


@dataclass(slots=True)
class Letter:
    """A message in plain words."""

    subject: str = ""
    text: str = ""
    kind: str = ""  # its class; "": IPM.Note
    people: list[Person] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    author: Person | None = None
    conversation: str = ""  # PR_CONVERSATION_INDEX in hexadecimal
    received: float = 0.0  # seconds since 1970
    sent: float = 0.0
    size: int = 0  # bytes
    unread: bool = False
    unsent: bool = False
    receipt: bool = False
    from_me: bool = False


class Rooms:
    """Sessions that are open, by their handles; two handles may stand for one session."""

    def __init__(self) -> None:
        self._open: dict[int, Mailroom] = {}
        self._numbers = itertools.count(1)
        self._guard = threading.Lock()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[int]:
        return iter(list(self._open))

    def get(self, handle: object) -> Mailroom | None:
        return self._open.get(handle) if isinstance(handle, int) else None

    def first(self) -> Mailroom | None:
        """That which was opened first."""
        return next(iter(self._open.values()), None)

    def add(self, room: Mailroom) -> int:
        with self._guard:
            handle = next(self._numbers)
            self._open[handle] = room
            return handle

    def end(self, handle: int) -> bool:
        """Ends a handle, and with its last one the session; False: there is none of that handle."""
        with self._guard:
            room = self._open.pop(handle, None)
            if room is not None and room not in self._open.values():
                room.close()
            return room is not None


class Mailroom:
    """A session with its default store; ends the session where there is none (MAPIErrorNotFound)."""

    def __init__(self, session: IMAPISession) -> None:
        self.session = session
        try:
            self.store = session.OpenMsgStore(0, None, None, consts.MDB_WRITE)
        except MAPIError:
            session.Logoff()
            raise
        self.seeds: dict[bytes, tuple[int, bytes]] = {}  # where a letter stood, also when it is gone

    def close(self) -> None:
        self.session.Logoff()

    def _inbox(self, kind: str) -> IMAPIFolder:
        entry, _ = self.store.GetReceiveFolder(kind or "IPM.Note")
        found: IMAPIFolder = self.store.OpenEntry(entry, consts.IID_IMAPIFolder, consts.MAPI_MODIFY)
        return found

    # --- finding ------------------------------------------------------------------------------------

    def listed(self, kind: str, *, unread: bool = False, after: bytes = b"") -> Iterator[bytes]:
        """Letters of the inbox in the order in which they came; those behind ``after``, if it is known.

        ``kind`` "": everything for people (IPM); else that class and those below it.
        """
        table = self._inbox(kind).GetContentsTable(consts.MAPI_UNICODE)
        table.SetColumns([*_ORDER, pr.MESSAGE_CLASS, pr.MESSAGE_FLAGS])
        table.SortTable(structs.SSortOrderSet([structs.SSort(tag, 0) for tag in _ORDER]))
        start = self.seeds.get(after)
        wanted = (kind or "IPM").casefold()
        while rows := table.QueryRows(200):
            for time, entry, found, flags in [[one.Value for one in row] for row in rows]:
                place = (getattr(time, "filetime", 0), entry)
                self.seeds[entry] = place
                title = str(found).casefold()
                fits = title == wanted or title.startswith(f"{wanted}.")
                if fits and not (unread and flags & derive.READ) and (start is None or place > start):
                    yield entry

    def message(self, entry: bytes, *, write: bool = False) -> IMessage:
        found: IMessage = self.store.OpenEntry(entry, consts.IID_IMessage, consts.MAPI_MODIFY if write else 0)
        return found

    def delete(self, entry: bytes) -> None:
        message = self.message(entry)
        folder = self.store.OpenEntry(props.one(message, pr.PARENT_ENTRYID).Value, None, consts.MAPI_MODIFY)
        folder.DeleteMessages([entry])

    # --- reading ------------------------------------------------------------------------------------

    def read(self, entry: bytes, *, text: bool = True, files: bool = True, mark: bool = True) -> Letter:
        """A letter; its attachments are written to files in a new folder.  Raises NoFile."""
        message = self.message(entry, write=True)
        letter = head(message)
        if text:
            letter.text = text_of(message)
        if files:
            letter.files = saved(message)
        if mark and letter.unread:
            message.SetReadFlag(0)
        return letter

    # --- writing ------------------------------------------------------------------------------------

    def send(self, letter: Letter, *, ask: bool = False) -> None:
        """Sends it; a copy goes among what was sent.  Raises MAPIError, NoFile."""
        source, hub = self.store.source, self.store.hub
        entry = places.writing(source, hub)
        folder = self.store.OpenEntry(entry, consts.IID_IMAPIFolder, consts.MAPI_MODIFY)
        message = folder.CreateMessage()
        sent = places.sent(source, hub)
        if sent is not None:
            message.SetProps([SPropValue(pr.SENTMAIL_ENTRYID, sent)])
        self._write(message, letter, ask=ask)
        message.SubmitMessage(0)

    def save(self, letter: Letter, entry: bytes | None = None) -> bytes:
        """Keeps it in the inbox, or in place of another letter; gives its id.  Raises MAPIError, NoFile."""
        if entry is None:
            message = self._inbox(letter.kind).CreateMessage()
            flags = 0 if letter.unread else derive.READ
            flags |= derive.FROM_ME if letter.from_me else derive.UNSENT
            message.SetProps([SPropValue(pr.MESSAGE_FLAGS, flags)])
        else:
            message = self.message(entry, write=True)
            for row in list(message.GetAttachmentTable().QueryRows(MAX_FILES)):
                message.DeleteAttach(row[0].Value)
        self._write(message, letter, ask=False)
        message.SaveChanges(consts.KEEP_OPEN_READWRITE)
        found: bytes = props.one(message, pr.ENTRYID).Value
        return found

    def _write(self, message: IMessage, letter: Letter, *, ask: bool) -> None:
        found = [
            SPropValue(pr.MESSAGE_CLASS, letter.kind or "IPM.Note"),
            SPropValue(pr.SUBJECT, letter.subject),
            SPropValue(pr.BODY, letter.text),
        ]
        if letter.receipt:
            found.append(SPropValue(pr.READ_RECEIPT_REQUESTED, True))
        with contextlib.suppress(ValueError):
            if letter.conversation:
                found.append(SPropValue(pr.CONVERSATION_INDEX, bytes.fromhex(letter.conversation)))
        message.SetProps(found)
        rows = [self.row(one, ask=ask) for one in letter.people if one.kind != consts.MAPI_ORIG]
        message.ModifyRecipients(0, rows)
        for one in letter.files:
            attach(message, one)

    # --- people -------------------------------------------------------------------------------------

    def row(self, person: Person, *, ask: bool = False) -> list[SPropValue]:
        """A recipient's properties.  Raises MAPIErrorNotFound, MAPIErrorAmbiguousRecip."""
        book = self.session.OpenAddressBook()
        entry = person.entry
        kind, colon, address = person.address.partition(":")
        if not entry and person.address:
            kind, address = (kind, address) if colon else ("SMTP", person.address)
            entry = book.CreateOneOff(person.name or address, kind, address, consts.MAPI_UNICODE)
        if not entry:
            entry = book.resolved(person.name, ask=ask)
        bag = book.load(entry)
        wanted = (pr.ENTRYID, pr.DISPLAY_NAME, pr.ADDRTYPE, pr.EMAIL_ADDRESS, pr.SMTP_ADDRESS, pr.OBJECT_TYPE,
                  pr.DISPLAY_TYPE, pr.SEARCH_KEY)  # fmt: skip
        row = [values.shown(tag, bag[tag]) for tag in wanted if bag.get(tag) is not None]
        return [*row, SPropValue(pr.RECIPIENT_TYPE, person.kind)]

    def person(self, person: Person, *, ask: bool = False) -> Person:
        """Who is meant.  Raises as `row`."""
        return _person({one.ulPropTag: one.Value for one in self.row(person, ask=ask)}, person.kind)


def _person(bag: dict[int, Any], kind: int) -> Person:  # Any: values of properties
    address = str(bag.get(pr.EMAIL_ADDRESS) or "")
    return Person(
        str(bag.get(pr.DISPLAY_NAME) or address),
        f"{bag.get(pr.ADDRTYPE) or 'SMTP'}:{address}" if address else "",
        kind,
        bytes(bag.get(pr.ENTRYID) or b""),
        bag.get(pr.OBJECT_TYPE) == consts.MAPI_DISTLIST,
    )


def head(message: IMessage) -> Letter:
    """Everything but text and attachments."""
    bag = {one.ulPropTag: one.Value for one in message.GetProps(None, consts.MAPI_UNICODE)}
    flags = bag.get(pr.MESSAGE_FLAGS, 0)
    author = {
        pr.DISPLAY_NAME: bag.get(pr.SENT_REPRESENTING_NAME) or bag.get(pr.SENDER_NAME),
        pr.ADDRTYPE: bag.get(pr.SENT_REPRESENTING_ADDRTYPE) or bag.get(pr.SENDER_ADDRTYPE),
        pr.EMAIL_ADDRESS: bag.get(pr.SENT_REPRESENTING_EMAIL_ADDRESS) or bag.get(pr.SENDER_EMAIL_ADDRESS),
        pr.ENTRYID: bag.get(pr.SENT_REPRESENTING_ENTRYID) or bag.get(pr.SENDER_ENTRYID),
    }
    table = message.GetRecipientTable(consts.MAPI_UNICODE)
    people = []
    for row in table.QueryRows(MAX_RECIPIENTS):
        one = {prop.ulPropTag: prop.Value for prop in row}
        people.append(_person(one, one.get(pr.RECIPIENT_TYPE, consts.MAPI_TO) & 0xF))
    return Letter(
        subject=bag.get(pr.SUBJECT, ""),
        kind=bag.get(pr.MESSAGE_CLASS, "IPM.Note"),
        people=people,
        author=_person(author, consts.MAPI_ORIG) if any(author.values()) else None,
        conversation=(bag.get(pr.CONVERSATION_INDEX) or b"").hex().upper(),
        received=_seconds(bag.get(pr.MESSAGE_DELIVERY_TIME)),
        sent=_seconds(bag.get(pr.CLIENT_SUBMIT_TIME)),
        size=bag.get(pr.MESSAGE_SIZE, 0),
        unread=not flags & derive.READ,
        unsent=bool(flags & derive.UNSENT),
        receipt=bool(bag.get(pr.READ_RECEIPT_REQUESTED)),
        from_me=bool(flags & derive.FROM_ME) and not flags & derive.UNSENT,
    )


def composed(letter: Letter) -> Letter | None:
    """What a person makes of it in a terminal; None where there is none, or where it is not to be sent."""
    known = "; ".join([one.name or one.address for one in letter.people])
    answers = dialog.ask(["To", "Subject"], caption="A message", defaults=[known, letter.subject])
    if answers is None:
        return None
    if answers[0] != known:
        letter.people = [Person(name) for name in map(str.strip, answers[0].split(";")) if name]
    letter.subject = answers[1]
    if not letter.text:
        letter.text = dialog.text("The text") or ""
    return letter if letter.people and dialog.confirm("Send it?") else None


def _seconds(time: Any) -> float:  # Any: a FileTime, or None
    return float(time.unixtime) if isinstance(time, values.FileTime) else 0.0


def text_of(message: IMessage) -> str:
    """The text, made of the HTML or RTF where there is no plain one."""
    return bodies.plain_of(message._bag()) or ""


def attach(message: IMessage, file: File) -> None:
    """Copies a file into a message.  Raises NoFile."""
    _, one = message.CreateAttach()
    name = file.name or file.path.name
    method = consts.ATTACH_OLE if file.ole else consts.ATTACH_BY_VALUE
    one.SetProps([
        SPropValue(pr.ATTACH_METHOD, method),
        SPropValue(pr.ATTACH_LONG_FILENAME, name),
        SPropValue(pr.DISPLAY_NAME, name),
        SPropValue(pr.RENDERING_POSITION, file.position),
    ])  # fmt: skip
    if file.mime:
        one.SetProps([SPropValue(pr.ATTACH_MIME_TAG, file.mime)])
    stream: IStream = one.OpenProperty(
        pr.ATTACH_DATA_BIN, consts.IID_IStream, 0, consts.MAPI_CREATE | consts.MAPI_MODIFY
    )
    try:
        with file.path.open("rb") as source:
            while piece := source.read(PIECE):
                stream.Write(piece)
    except FileNotFoundError:
        raise NoFile from None
    except OSError:
        raise NoFile(found=True) from None
    stream.Commit(0)
    one.SaveChanges(0)


def saved(message: IMessage) -> list[File]:
    """The attachments as files in a new folder of their own; the caller deletes them.  Raises NoFile."""
    rows = message.GetAttachmentTable(consts.MAPI_UNICODE).QueryRows(MAX_FILES)
    if not rows:
        return []
    try:
        folder = Path(tempfile.mkdtemp(prefix="mapi-"))
    except OSError:
        raise NoFile(found=True, writing=True) from None
    try:
        return [_saved(message, row[0].Value, folder) for row in rows]
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _saved(message: IMessage, number: int, folder: Path) -> File:
    one = message.OpenAttach(number)
    bag = {prop.ulPropTag: prop.Value for prop in one.GetProps(None, consts.MAPI_UNICODE)}
    data = (
        one._one.data if one._one.item is None else text_of(IMessage.embedded(one._one.item, None, one._lock))
    )
    name = str(
        bag.get(pr.ATTACH_LONG_FILENAME) or bag.get(pr.ATTACH_FILENAME) or bag.get(pr.DISPLAY_NAME) or ""
    )
    path = folder / f"{number}-{safe_name(name)}"
    _write_file(path, data.encode("utf-8") if isinstance(data, str) else data)
    ole = bag.get(pr.ATTACH_METHOD) == consts.ATTACH_OLE
    position = bag.get(pr.RENDERING_POSITION, -1)
    return File(path, name or path.name, position, int(ole), str(bag.get(pr.ATTACH_MIME_TAG) or ""))


def _write_file(path: Path, data: bytes | Data) -> None:
    try:
        with path.open("wb") as target:
            size = len(data) if isinstance(data, bytes) else data.size
            for start in range(0, size, PIECE):
                target.write(
                    data[start : start + PIECE] if isinstance(data, bytes) else data.read(start, PIECE)
                )
    except OSError:
        raise NoFile(found=True, writing=True) from None


def safe_name(name: str) -> str:
    """A name that stays within its folder, whatever a stranger called the file."""
    kept = "".join([char if char.isprintable() and char not in '/\\:*?"<>|' else "_" for char in name])
    return kept.strip(" .")[-MAX_NAME:] or "attachment"
