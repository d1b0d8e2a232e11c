"""Simple MAPI: the twelve functions of mapi.h, MAPISendMailW and MAPISendMailHelper.

Names, flags, structures and codes are MAPI's; what C passes back through pointers comes in a tuple behind the
code: ``code, session = MAPILogon(0, "work", None, 0)``.  Nothing here raises for what a letter or a system
does. Dialogs are asked in a terminal; where there is none, MAPI_E_USER_ABORT is the answer.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quintet.mapi.core import dialog
from quintet.mapi.core import session as sessions
from quintet.mapi.core.errors import MAPIError
from quintet.mapi.plain import (
    Codes,
    Fail,
    File,
    Letter,
    Mailroom,
    Person,
    Rooms,
    composed,
)

lhSessionNull = 0

SUCCESS_SUCCESS = 0
MAPI_USER_ABORT = MAPI_E_USER_ABORT = 1
MAPI_E_FAILURE = 2
MAPI_E_LOGON_FAILURE = MAPI_E_LOGIN_FAILURE = 3
MAPI_E_DISK_FULL = 4
MAPI_E_INSUFFICIENT_MEMORY = 5
MAPI_E_ACCESS_DENIED = 6
MAPI_E_TOO_MANY_SESSIONS = 8
MAPI_E_TOO_MANY_FILES = 9
MAPI_E_TOO_MANY_RECIPIENTS = 10
MAPI_E_ATTACHMENT_NOT_FOUND = 11
MAPI_E_ATTACHMENT_OPEN_FAILURE = 12
MAPI_E_ATTACHMENT_WRITE_FAILURE = 13
MAPI_E_UNKNOWN_RECIPIENT = 14
MAPI_E_BAD_RECIPTYPE = 15
MAPI_E_NO_MESSAGES = 16
MAPI_E_INVALID_MESSAGE = 17
MAPI_E_TEXT_TOO_LARGE = 18
MAPI_E_INVALID_SESSION = 19
MAPI_E_TYPE_NOT_SUPPORTED = 20
MAPI_E_AMBIGUOUS_RECIPIENT = MAPI_E_AMBIG_RECIP = 21
MAPI_E_MESSAGE_IN_USE = 22
MAPI_E_NETWORK_FAILURE = 23
MAPI_E_INVALID_EDITFIELDS = 24
MAPI_E_INVALID_RECIPS = 25
MAPI_E_NOT_SUPPORTED = 26

MAPI_LOGON_UI = 0x1
MAPI_NEW_SESSION = 0x2
MAPI_DIALOG = 0x8
MAPI_EXTENDED = 0x20
MAPI_UNREAD_ONLY = 0x20
MAPI_ENVELOPE_ONLY = 0x40
MAPI_PEEK = 0x80
MAPI_GUARANTEE_FIFO = 0x100
MAPI_BODY_AS_FILE = 0x200
MAPI_AB_NOMODIFY = 0x400
MAPI_SUPPRESS_ATTACH = 0x800
MAPI_FORCE_DOWNLOAD = 0x1000
MAPI_LONG_MSGID = 0x4000
MAPI_PASSWORD_UI = 0x20000

MAPI_ORIG, MAPI_TO, MAPI_CC, MAPI_BCC = 0, 1, 2, 3
MAPI_UNREAD, MAPI_RECEIPT_REQUESTED, MAPI_SENT = 0x1, 0x2, 0x4
MAPI_OLE, MAPI_OLE_STATIC = 0x1, 0x2

MAX_SESSIONS = 100  # of a process
SHORT_ID = 64  # characters of a message's id, with its end, without MAPI_LONG_MSGID
NO_POSITION = 0xFFFFFFFF  # nPosition of an attachment whose place nobody told

_CODES = Codes(
    {
        "MAPIErrorLogonFailed": MAPI_E_LOGON_FAILURE,
        "MAPIErrorUnconfigured": MAPI_E_LOGON_FAILURE,
        "MAPIErrorUserCancel": MAPI_USER_ABORT,
        "MAPIErrorNoAccess": MAPI_E_ACCESS_DENIED,
        "MAPIErrorNotEnoughDisk": MAPI_E_DISK_FULL,
        "MAPIErrorNotEnoughMemory": MAPI_E_INSUFFICIENT_MEMORY,
        "MAPIErrorNetworkError": MAPI_E_NETWORK_FAILURE,
        "MAPIErrorNoSupport": MAPI_E_NOT_SUPPORTED,
        "MAPIErrorAmbiguousRecip": MAPI_E_AMBIGUOUS_RECIPIENT,
        "MAPIErrorNoRecipients": MAPI_E_INVALID_RECIPS,
        "MAPIErrorObjectChanged": MAPI_E_MESSAGE_IN_USE,
        "MAPIErrorEndOfSession": MAPI_E_INVALID_SESSION,
        "MAPIErrorSessionLimit": MAPI_E_TOO_MANY_SESSIONS,
    },
    files=(MAPI_E_ATTACHMENT_NOT_FOUND, MAPI_E_ATTACHMENT_OPEN_FAILURE, MAPI_E_ATTACHMENT_WRITE_FAILURE),
    sizes=(MAPI_E_TOO_MANY_RECIPIENTS, MAPI_E_TOO_MANY_FILES, MAPI_E_TEXT_TOO_LARGE),
    memory=MAPI_E_INSUFFICIENT_MEMORY,
    other=MAPI_E_FAILURE,
)


@dataclass
class MapiFileDesc:
    """An attachment, as a file."""

    lpszPathName: str
    lpszFileName: str | None = None  # as the receiver sees it; None: as the file is called
    nPosition: int = NO_POSITION
    flFlags: int = 0  # MAPI_OLE, MAPI_OLE_STATIC
    lpFileType: Any = None  # a MIME type
    ulReserved: int = 0


@dataclass
class MapiRecipDesc:
    """A recipient or the author: by ``lpEntryID``, ``lpszAddress`` ("SMTP:ann@example.com") or
    ``lpszName``.
    """

    ulRecipClass: int = MAPI_TO
    lpszName: str | None = None
    lpszAddress: str | None = None
    lpEntryID: bytes | None = None
    ulReserved: int = 0

    @property
    def ulEIDSize(self) -> int:
        return len(self.lpEntryID or b"")


@dataclass
class MapiMessage:
    """A message.  ``lpszDateReceived``: "YYYY/MM/DD HH:MM", local time."""

    lpszSubject: str | None = None
    lpszNoteText: str | None = None
    lpszMessageType: str | None = None  # None or "": for people (IPM.Note)
    lpszDateReceived: str | None = None
    lpszConversationID: str | None = None
    flFlags: int = 0  # MAPI_UNREAD, MAPI_RECEIPT_REQUESTED, MAPI_SENT
    lpOriginator: MapiRecipDesc | None = None
    lpRecips: list[MapiRecipDesc] | None = field(default_factory=list)
    lpFiles: list[MapiFileDesc] | None = field(default_factory=list)
    ulReserved: int = 0

    @property
    def nRecipCount(self) -> int:
        return len(self.lpRecips or ())

    @property
    def nFileCount(self) -> int:
        return len(self.lpFiles or ())


MapiMessageW, MapiRecipDescW, MapiFileDescW = MapiMessage, MapiRecipDesc, MapiFileDesc


class _Open(Mailroom):
    """A session behind a handle; short ids stand for entry ids that are too long for 64 characters."""

    def __init__(self, session: sessions.IMAPISession) -> None:
        super().__init__(session)
        self._short: dict[str, bytes] = {}

    def id_of(self, entry: bytes, flags: int) -> str:
        long = entry.hex().upper()
        if flags & MAPI_LONG_MSGID or len(long) < SHORT_ID:
            return long
        short = f"#{entry[-30:].hex().upper()}"[: SHORT_ID - 1]
        self._short[short] = entry
        return short

    def entry_of(self, text: str | None) -> bytes:
        """Raises MAPI_E_INVALID_MESSAGE: no id of ours."""
        try:
            found = self._short[text] if text in self._short else bytes.fromhex(text or "")
        except ValueError:
            found = b""
        if not found:
            raise Fail(MAPI_E_INVALID_MESSAGE)
        return found


_sessions = Rooms()


def _opened(name: str | None, password: str | None, flags: int) -> _Open:
    wanted = flags & (MAPI_LOGON_UI | MAPI_PASSWORD_UI | MAPI_FORCE_DOWNLOAD)
    return _Open(sessions.MAPILogonEx(0, name or None, password or None, wanted | MAPI_NEW_SESSION))


@contextmanager
def _session(handle: int, flags: int = 0) -> Iterator[_Open]:
    """The session of a handle; for 0 the one that is open, else one for this call only."""
    room = _sessions.get(handle) if handle else None if flags & MAPI_NEW_SESSION else _sessions.first()
    if room is not None:
        assert isinstance(room, _Open)
        yield room
        return
    if handle:
        raise Fail(MAPI_E_INVALID_SESSION)
    made = _opened(None, None, flags & MAPI_LOGON_UI)
    try:
        yield made
    finally:
        made.close()


@_CODES.coded(session=0)
def MAPILogon(ui: int, profile: str | None, password: str | None, flags: int = 0, reserved: int = 0) -> Any:
    """(code, session).

    Without a profile, and without MAPI_NEW_SESSION, it is one that is open, which then ends with the last of
    its handles.  MAPI_LOGON_UI and MAPI_PASSWORD_UI ask for what is missing, MAPI_FORCE_DOWNLOAD sends and
    fetches at once, MAPI_EXTENDED changes nothing here.
    """
    if len(_sessions) >= MAX_SESSIONS:
        raise Fail(MAPI_E_TOO_MANY_SESSIONS)
    shared = None if profile or flags & MAPI_NEW_SESSION else _sessions.first()
    if shared is not None and flags & MAPI_FORCE_DOWNLOAD:
        shared.session.FlushQueues()
    return _sessions.add(shared or _opened(profile, password, flags))


@_CODES.coded()
def MAPILogoff(session: int, ui: int = 0, flags: int = 0, reserved: int = 0) -> None:
    """Code.  MAPI_E_INVALID_SESSION: there is none of that handle."""
    if not _sessions.end(session):
        raise Fail(MAPI_E_INVALID_SESSION)


@_CODES.coded()
def MAPISendMail(
    session: int, ui: int, message: MapiMessage | None, flags: int = 0, reserved: int = 0
) -> None:
    """Code.  MAPI_DIALOG asks for recipients, subject and text; without it there must be a recipient."""
    with _session(session, flags) as room:
        letter = _letter(message)
        if flags & MAPI_DIALOG:
            letter = _composed(letter)
        if not letter.people:
            raise Fail(MAPI_E_INVALID_RECIPS)
        _check_people(room, letter, ask=bool(flags & MAPI_DIALOG))
        room.send(letter, ask=bool(flags & MAPI_DIALOG))


def MAPISendMailW(session: int, ui: int, message: MapiMessage, flags: int = 0, reserved: int = 0) -> int:
    """`MAPISendMail` for wide text, which all text is here."""
    code: int = MAPISendMail(session, ui, message, flags, reserved)
    return code


def MAPISendMailHelper(session: int, ui: int, message: MapiMessage, flags: int = 0, reserved: int = 0) -> int:
    """`MAPISendMailW` where the system has it, else `MAPISendMail`: here the same."""
    return MAPISendMailW(session, ui, message, flags, reserved)


@_CODES.coded()
def MAPISendDocuments(
    ui: int, delimiter: str | None, paths: str | None, names: str | None = None, reserved: int = 0
) -> None:
    """Code.  Files to be sent, their paths and names joined by the delimiter; always asks to whom."""
    if not dialog.terminal():
        raise Fail(MAPI_E_USER_ABORT)
    split = delimiter or ";"
    found = [part for part in (paths or "").split(split) if part]
    called = (names or "").split(split)
    files = [File(Path(part), called[at] if at < len(called) else "") for at, part in enumerate(found)]
    with _session(0, MAPI_LOGON_UI) as room:
        letter = _composed(
            Letter(subject=", ".join([one.name or one.path.name for one in files]), files=files)
        )
        _check_people(room, letter, ask=True)
        room.send(letter, ask=True)


@_CODES.coded(message_id="")
def MAPIFindNext(
    session: int, ui: int, message_type: str | None, seed: str | None, flags: int = 0, reserved: int = 0
) -> Any:
    """(code, message id): the first of the inbox for seed "", else the one behind it, also when it was
    deleted.

    ``message_type`` "": messages for people.  MAPI_E_NO_MESSAGES: there is no more.
    """
    if not session:
        raise Fail(MAPI_E_INVALID_SESSION)
    with _session(session) as room:
        after = room.entry_of(seed) if seed else b""
        unread = bool(flags & MAPI_UNREAD_ONLY)
        for entry in room.listed(message_type or "", unread=unread, after=after):
            return room.id_of(entry, flags)
        raise Fail(MAPI_E_NO_MESSAGES)


@_CODES.coded(message=None)
def MAPIReadMail(session: int, ui: int, message_id: str, flags: int = 0, reserved: int = 0) -> Any:
    """(code, MapiMessage).  Attachments are files that the caller deletes.

    MAPI_ENVELOPE_ONLY: no text, no attachments.  MAPI_SUPPRESS_ATTACH: no attachments.  MAPI_BODY_AS_FILE:
    the text is the first of them.  MAPI_PEEK: it stays unread.
    """
    if not session:
        raise Fail(MAPI_E_INVALID_SESSION)
    with _session(session) as room:
        entry = room.entry_of(message_id)
        whole = not flags & MAPI_ENVELOPE_ONLY
        try:
            letter = room.read(
                entry,
                text=whole,
                files=whole and not flags & MAPI_SUPPRESS_ATTACH,
                mark=not flags & MAPI_PEEK,
            )
        except MAPIError as error:
            raise Fail(_missing(error)) from error
        found = _shown(letter)
        if whole and flags & MAPI_BODY_AS_FILE:
            _body_as_file(found)
        return found


def _missing(error: MAPIError) -> int:
    """Codes of a message that is not there."""
    gone = ("MAPIErrorNotFound", "MAPIErrorInvalidEntryid", "MAPIErrorObjectDeleted")
    return MAPI_E_INVALID_MESSAGE if type(error).__name__ in gone else _CODES.of(error)


def _body_as_file(message: MapiMessage) -> None:
    try:
        number, path = tempfile.mkstemp(prefix="mapi-", suffix=".txt")
        with open(number, "w", encoding="utf-8", newline="") as file:
            file.write(message.lpszNoteText or "")
    except OSError:
        raise Fail(MAPI_E_ATTACHMENT_WRITE_FAILURE) from None
    message.lpszNoteText = None
    message.lpFiles = [MapiFileDesc(path, "body.txt"), *(message.lpFiles or ())]


@_CODES.coded(message_id="")
def MAPISaveMail(
    session: int,
    ui: int,
    message: MapiMessage,
    flags: int = 0,
    reserved: int = 0,
    message_id: str | None = "",
) -> Any:
    """(code, message id).  A new message in the inbox for id "", else the new state of that one.

    Of a new one MAPI_UNREAD and MAPI_SENT are kept.  The id of one that is there needs its session.
    """
    if message_id and not session:
        raise Fail(MAPI_E_INVALID_SESSION)
    with _session(session, flags) as room:
        letter = _letter(message)
        _check_people(room, letter, ask=False)
        try:
            return room.id_of(room.save(letter, room.entry_of(message_id) if message_id else None), flags)
        except MAPIError as error:
            raise Fail(_missing(error)) from error


@_CODES.coded()
def MAPIDeleteMail(session: int, ui: int, message_id: str, flags: int = 0, reserved: int = 0) -> None:
    """Code.  The id stays usable as a seed."""
    if not session:
        raise Fail(MAPI_E_INVALID_SESSION)
    with _session(session) as room:
        try:
            room.delete(room.entry_of(message_id))
        except MAPIError as error:
            raise Fail(_missing(error)) from error


@_CODES.coded()
def MAPIFreeBuffer(buffer: object) -> None:
    """Code: success.  Python frees what nobody refers to."""


@_CODES.coded(recipients=())
def MAPIAddress(
    session: int,
    ui: int,
    caption: str | None,
    edit_fields: int = 1,
    labels: str | None = None,
    recipients: list[MapiRecipDesc] | None = None,
    flags: int = 0,
    reserved: int = 0,
) -> Any:
    """(code, recipients).  Asks for To, Cc and Bcc, as many as ``edit_fields`` (0 to 4; 4: all) say, and as
    many as ``recipients`` has kinds of.
    """
    if not 0 <= edit_fields <= 4:
        raise Fail(MAPI_E_INVALID_EDITFIELDS)
    found = list(recipients or [])
    if any(one.ulRecipClass not in (MAPI_ORIG, MAPI_TO, MAPI_CC, MAPI_BCC) for one in found):
        raise Fail(MAPI_E_INVALID_RECIPS)
    with _session(session, flags) as room:
        fields = max(edit_fields, len({one.ulRecipClass for one in found} - {MAPI_ORIG}))
        kinds = [("To", MAPI_TO), ("Cc", MAPI_CC), ("Bcc", MAPI_BCC)][: min(fields, 3)]
        titles = [labels or title if fields == 1 else title for title, _ in kinds]
        answers = dialog.ask(titles, caption=caption or "Recipients, separated by ;")
        if answers is None:
            raise Fail(MAPI_E_USER_ABORT)
        for (_, kind), answer in zip(kinds, answers, strict=True):
            named = [Person(name.strip(), kind=kind) for name in answer.split(";") if name.strip()]
            found += [_described(_resolved(room, one, ask=True)) for one in named]
        return found


@_CODES.coded()
def MAPIDetails(session: int, ui: int, recipient: MapiRecipDesc, flags: int = 0, reserved: int = 0) -> None:
    """Code.  Shows who it is; nobody can change that here (MAPI_AB_NOMODIFY)."""
    if recipient is None:
        raise Fail(MAPI_E_FAILURE)
    with _session(session, flags) as room:
        found = _resolved(room, _asked(recipient), ask=False)
        if not dialog.show([f"Name: {found.name}", f"Address: {found.address}"]):
            raise Fail(MAPI_E_USER_ABORT)


@_CODES.coded(recipient=None)
def MAPIResolveName(session: int, ui: int, name: str, flags: int = 0, reserved: int = 0) -> Any:
    """(code, MapiRecipDesc).  MAPI_DIALOG lets a person choose among several.

    MAPI_E_UNKNOWN_RECIPIENT, MAPI_E_AMBIGUOUS_RECIPIENT.
    """
    with _session(session, flags) as room:
        if not name:
            raise Fail(MAPI_E_UNKNOWN_RECIPIENT)
        return _described(_resolved(room, Person(name), ask=bool(flags & MAPI_DIALOG)))


# --- between the structures and letters ------------------------------------------------------------------


def _asked(one: MapiRecipDesc) -> Person:
    return Person(one.lpszName or "", one.lpszAddress or "", one.ulRecipClass, one.lpEntryID or b"")


def _described(one: Person) -> MapiRecipDesc:
    return MapiRecipDesc(one.kind, one.name, one.address or None, one.entry or None)


def _resolved(room: _Open, person: Person, *, ask: bool) -> Person:
    try:
        return room.person(person, ask=ask)
    except MAPIError as error:
        unknown = type(error).__name__ in ("MAPIErrorNotFound", "MAPIErrorUnknownEntryid")
        raise Fail(MAPI_E_UNKNOWN_RECIPIENT) if unknown else error from error


def _check_people(room: _Open, letter: Letter, *, ask: bool) -> None:
    letter.people = [_resolved(room, one, ask=ask) for one in letter.people if one.kind != MAPI_ORIG]


def _letter(message: MapiMessage | None) -> Letter:
    """Raises the codes for what is too much or impossible."""
    if message is None:
        raise Fail(MAPI_E_FAILURE)
    recipients = message.lpRecips or ()
    if any(one.ulRecipClass not in (MAPI_ORIG, MAPI_TO, MAPI_CC, MAPI_BCC) for one in recipients):
        raise Fail(MAPI_E_BAD_RECIPTYPE)
    files = [
        File(
            Path(one.lpszPathName),
            one.lpszFileName or "",
            -1 if one.nPosition == NO_POSITION else one.nPosition,
            one.flFlags & (MAPI_OLE | MAPI_OLE_STATIC),
            one.lpFileType if isinstance(one.lpFileType, str) else "",
        )
        for one in message.lpFiles or ()
    ]
    letter = Letter(
        subject=message.lpszSubject or "",
        text=message.lpszNoteText or "",
        kind=message.lpszMessageType or "",
        people=[_asked(one) for one in recipients],
        files=files,
        conversation=message.lpszConversationID or "",
        receipt=bool(message.flFlags & MAPI_RECEIPT_REQUESTED),
        unread=bool(message.flFlags & MAPI_UNREAD),
        from_me=bool(message.flFlags & MAPI_SENT),
    )
    _CODES.check(letter)
    return letter


def _shown(letter: Letter) -> MapiMessage:
    flags = (
        (MAPI_UNREAD if letter.unread else 0)
        | (MAPI_RECEIPT_REQUESTED if letter.receipt else 0)
        | (MAPI_SENT if letter.from_me else 0)
    )
    return MapiMessage(
        lpszSubject=letter.subject,
        lpszNoteText=letter.text,
        lpszMessageType=letter.kind,
        lpszDateReceived=time.strftime("%Y/%m/%d %H:%M", time.localtime(letter.received)),
        lpszConversationID=letter.conversation or None,
        flFlags=flags,
        lpOriginator=None if letter.author is None else _described(letter.author),
        lpRecips=[_described(one) for one in letter.people],
        lpFiles=[
            MapiFileDesc(
                str(one.path),
                one.name,
                NO_POSITION if one.position < 0 else one.position,
                one.ole,
                one.mime or None,
            )
            for one in letter.files
        ],
    )


def _composed(letter: Letter) -> Letter:
    """`plain.composed`, or MAPI_E_USER_ABORT."""
    found = composed(letter)
    if found is None:
        raise Fail(MAPI_E_USER_ABORT)
    return found
