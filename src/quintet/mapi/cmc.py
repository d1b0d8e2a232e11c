"""CMC: Common Messaging Calls of the X.400 API Association, all ten (xcmc.h).

Names, flags, structures and codes are those of the header; what C passes back through pointers comes in a
tuple behind the code: ``code, session = cmc_logon(None, "work", None, None, 0, CMC_VERSION, 0)``.  A
message's reference is its bytes, a counted string.  Without a terminal, what needs a dialog is
CMC_E_USER_CANCEL.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from quintet.mapi import consts
from quintet.mapi.cmcdefs import *
from quintet.mapi.core import admin, dialog, profile
from quintet.mapi.core import session as sessions
from quintet.mapi.core.errors import MAPIError
from quintet.mapi.errors import MapiError
from quintet.mapi.plain import (
    MAX_FILES,
    MAX_TEXT,
    Codes,
    Fail,
    File,
    Letter,
    Mailroom,
    NoFile,
    Person,
    Rooms,
    composed,
    head,
    saved,
    text_of,
)

CHARACTER_SETS = (CMC_CHAR_UNICODE, CMC_CHAR_CP1252, CMC_CHAR_ISTRING)
_CODES = Codes(
    {
        "MAPIErrorLogonFailed": CMC_E_LOGON_FAILURE,
        "MAPIErrorUnconfigured": CMC_E_INVALID_CONFIGURATION,
        "MAPIErrorUserCancel": CMC_E_USER_CANCEL,
        "MAPIErrorNotEnoughDisk": CMC_E_DISK_FULL,
        "MAPIErrorNetworkError": CMC_E_SERVICE_UNAVAILABLE,
        "MAPIErrorNoSupport": CMC_E_NOT_SUPPORTED,
        "MAPIErrorAmbiguousRecip": CMC_E_AMBIGUOUS_RECIPIENT,
        "MAPIErrorNoRecipients": CMC_E_RECIPIENT_NOT_FOUND,
        "MAPIErrorObjectChanged": CMC_E_MESSAGE_IN_USE,
        "MAPIErrorInvalidEntryid": CMC_E_INVALID_MESSAGE_REFERENCE,
        "MAPIErrorNotFound": CMC_E_INVALID_MESSAGE_REFERENCE,
        "MAPIErrorEndOfSession": CMC_E_INVALID_SESSION_ID,
    },
    files=(CMC_E_ATTACHMENT_NOT_FOUND, CMC_E_ATTACHMENT_OPEN_FAILURE, CMC_E_ATTACHMENT_WRITE_FAILURE),
    sizes=(CMC_E_TOO_MANY_RECIPIENTS, CMC_E_TOO_MANY_FILES, CMC_E_TEXT_TOO_LARGE),
    memory=CMC_E_INSUFFICIENT_MEMORY,
    other=CMC_E_FAILURE,
)
_ROLES = {
    CMC_ROLE_TO: consts.MAPI_TO,
    CMC_ROLE_CC: consts.MAPI_CC,
    CMC_ROLE_BCC: consts.MAPI_BCC,
    CMC_ROLE_ORIGINATOR: consts.MAPI_ORIG,
    CMC_ROLE_AUTHORIZING_USER: consts.MAPI_ORIG,
}
_KINDS = {kind: role for role, kind in reversed(_ROLES.items())}


# Flags of each call; all take CMC_ERROR_UI_ALLOWED, which allows what is not done here
_COMMON = CMC_ERROR_UI_ALLOWED | CMC_LOGON_UI_ALLOWED | CMC_COUNTED_STRING_TYPE
_LOGOFF = CMC_ERROR_UI_ALLOWED | CMC_LOGOFF_UI_ALLOWED
_SEND = _COMMON | CMC_SEND_UI_REQUESTED
_DOCUMENTS = _SEND | CMC_FIRST_ATTACH_AS_TEXT_NOTE
_LIST = _COMMON | CMC_LIST_UNREAD_ONLY | CMC_LIST_MSG_REFS_ONLY | CMC_LIST_COUNT_ONLY
_READ = _COMMON | CMC_DO_NOT_MARK_AS_READ | CMC_MSG_AND_ATT_HDRS_ONLY | CMC_READ_FIRST_UNREAD_MESSAGE
_RESOLVING = CMC_LOOKUP_RESOLVE_PREFIX_SEARCH | CMC_LOOKUP_RESOLVE_IDENTITY | CMC_LOOKUP_RESOLVE_UI
_LOOK_UP = _COMMON | _RESOLVING | CMC_LOOKUP_DETAILS_UI | CMC_LOOKUP_ADDRESSING_UI


def _check_flags(flags: int, known: int) -> None:
    """Raises CMC_E_INVALID_FLAG."""
    if flags & ~known:
        raise Fail(CMC_E_INVALID_FLAG)


_sessions = Rooms()


@contextmanager
def _session(number: int, flags: int = 0) -> Iterator[Mailroom]:
    """The session of a number.  0, with CMC_LOGON_UI_ALLOWED: the default profile's, for this call only.

    Raises CMC_E_USER_NOT_LOGGED_ON: 0 without that flag; CMC_E_INVALID_SESSION_ID.
    """
    found = _sessions.get(number)
    if found is not None:
        yield found
        return
    if number:
        raise Fail(CMC_E_INVALID_SESSION_ID)
    if not flags & CMC_LOGON_UI_ALLOWED:
        raise Fail(CMC_E_USER_NOT_LOGGED_ON)
    room = Mailroom(sessions.MAPILogonEx(0, None, None, _logon_flags(flags)))
    try:
        yield room
    finally:
        room.close()


def _logon_flags(flags: int) -> int:
    ui = consts.MAPI_LOGON_UI if flags & CMC_LOGON_UI_ALLOWED else 0
    return int(ui | consts.MAPI_NEW_SESSION)


def _extensions(found: Sequence[CMC_extension] | None) -> None:
    """Answers what is asked about extensions; refuses what a caller requires and we have not."""
    for one in found or ():
        if one.item_code == CMC_X_COM_SUPPORT_EXT:
            known = (CMC_X_COM_SUPPORT_EXT, CMC_X_COM_CONFIG_DATA)
            one.item_data = CMC_X_COM_SUPPORTED if one.item_data in known else CMC_X_COM_NOT_SUPPORTED
        elif one.item_code == CMC_X_COM_CONFIG_DATA:
            one.item_reference = {item: _configured(item) for item in range(1, CMC_CONFIG_VER_SPEC + 1)}
        elif one.extension_flags & CMC_EXT_REQUIRED:
            raise Fail(CMC_E_UNSUPPORTED_FUNCTION_EXT)


@_CODES.coded(session=0)
def cmc_logon(
    service: str | None,
    user: str | None,
    password: str | None,
    character_set: str | None,
    ui_id: int,
    caller_cmc_version: int,
    logon_flags: int,
    logon_extensions: Sequence[CMC_extension] | None = None,
) -> Any:
    """(code, session).  ``user`` is a profile; with a ``service`` ("IMAP"), an account of that."""
    if caller_cmc_version > CMC_VERSION:
        raise Fail(CMC_E_UNSUPPORTED_VERSION)
    if character_set and character_set not in CHARACTER_SETS:
        raise Fail(CMC_E_UNSUPPORTED_CHARACTER_SET)
    _check_flags(logon_flags, _COMMON)
    _extensions(logon_extensions)
    if service:
        session = sessions.opened(_made_up(service, user), password=password or None)
    else:
        session = sessions.MAPILogonEx(0, user or None, password or None, _logon_flags(logon_flags))
    return _sessions.add(Mailroom(session))


def _made_up(service: str, user: str | None) -> profile.Profile:
    try:
        used = profile.used(service)
    except MapiError as error:
        raise Fail(CMC_E_SERVICE_UNAVAILABLE) from error
    name = profile.options_by_id(used.offer).get(profile.WHO)
    if user and name:
        used.settings[name] = user
    return profile.Profile([used])


@_CODES.coded()
def cmc_logoff(
    session: int, ui_id: int = 0, logoff_flags: int = 0, extensions: Sequence[CMC_extension] | None = None
) -> None:
    """Code."""
    _check_flags(logoff_flags, _LOGOFF)
    _extensions(extensions)
    if not _sessions.end(session):
        raise Fail(CMC_E_INVALID_SESSION_ID)


def cmc_free(memory: object) -> int:
    """Code: success.  Python frees what nobody refers to."""
    return CMC_SUCCESS


@_CODES.coded(value=None)
def cmc_query_configuration(
    session: int, item: int, extensions: Sequence[CMC_extension] | None = None
) -> Any:
    """(code, value) of a CMC_CONFIG_ item."""
    if session and _sessions.get(session) is None:
        raise Fail(CMC_E_INVALID_SESSION_ID)
    _extensions(extensions)
    return _configured(item)


def _configured(item: int) -> Any:
    found: dict[int, Any] = {
        CMC_CONFIG_CHARACTER_SET: list(CHARACTER_SETS),
        CMC_CONFIG_LINE_TERM: CMC_LINE_TERM_CRLF,
        CMC_CONFIG_DEFAULT_SERVICE: None,
        CMC_CONFIG_DEFAULT_USER: None,
        CMC_CONFIG_REQ_PASSWORD: CMC_REQUIRED_OPT,
        CMC_CONFIG_REQ_SERVICE: CMC_REQUIRED_OPT,
        CMC_CONFIG_REQ_USER: CMC_REQUIRED_OPT,
        CMC_CONFIG_UI_AVAIL: int(dialog.terminal()),
        CMC_CONFIG_SUP_NOMKMSGREAD: CMC_TRUE,
        CMC_CONFIG_SUP_COUNTED_STR: CMC_TRUE,
        CMC_CONFIG_VER_IMPLEM: CMC_VERSION,
        CMC_CONFIG_VER_SPEC: CMC_VERSION,
    }
    if item not in found:
        raise Fail(CMC_E_INVALID_ENUM)
    if item == CMC_CONFIG_DEFAULT_USER:
        return admin.MAPIAdminProfiles().profiles.read().default or None
    return found[item]


@_CODES.coded()
def cmc_send(
    session: int,
    message: CMC_message | None,
    send_flags: int = 0,
    ui_id: int = 0,
    extensions: Sequence[CMC_extension] | None = None,
) -> None:
    """Code.  CMC_SEND_UI_REQUESTED asks for recipients, subject and text before it is sent."""
    _check_flags(send_flags, _SEND)
    _extensions(extensions)
    with _session(session, send_flags) as room:
        _send(room, _letter(message), ask=bool(send_flags & CMC_SEND_UI_REQUESTED))


def _send(room: Mailroom, letter: Letter, *, ask: bool) -> None:
    found = composed(letter) if ask else letter
    if found is None:
        raise Fail(CMC_E_USER_CANCEL)
    letter = found
    if not letter.people:
        raise Fail(CMC_E_RECIPIENT_NOT_FOUND)
    letter.people = [_found(room, one, ask=ask) for one in letter.people]
    room.send(letter, ask=ask)


@_CODES.coded()
def cmc_send_documents(
    recipient_addresses: str | None,
    subject: str | None,
    text_note: str | None,
    send_doc_flags: int,
    file_paths: str | None,
    file_names: str | None,
    delimiter: str | None,
    ui_id: int = 0,
) -> None:
    """Code.  Lists are joined by the delimiter; "cc:" and "bcc:" may stand before an address.

    Without recipients it asks for them.  It logs on and off by itself, to the default profile.
    """
    _check_flags(send_doc_flags, _DOCUMENTS)
    split = delimiter or ";"
    addresses = [one.strip() for one in (recipient_addresses or "").split(split) if one.strip()]
    if not addresses:
        answers = dialog.ask(["To"], caption=subject or "Documents")
        addresses = [] if answers is None else [one.strip() for one in answers[0].split(";") if one.strip()]
    if not addresses:
        raise Fail(CMC_E_USER_CANCEL)
    titles = (file_names or "").split(split)
    attachments = [
        CMC_attachment(titles[at] if at < len(titles) else None, None, path)
        for at, path in enumerate([part for part in (file_paths or "").split(split) if part])
    ]
    flags = CMC_MSG_TEXT_NOTE_AS_FILE if send_doc_flags & CMC_FIRST_ATTACH_AS_TEXT_NOTE else 0
    message = CMC_message(None, None, subject, None, text_note, [], attachments, flags)
    with _session(0, send_doc_flags | CMC_LOGON_UI_ALLOWED) as room:
        letter = _letter(message)
        letter.people = [_addressed(one) for one in addresses]
        _send(room, letter, ask=bool(send_doc_flags & CMC_SEND_UI_REQUESTED))


def _addressed(text: str) -> Person:
    """Raises CMC_E_RECIPIENT_NOT_FOUND: nothing behind the role."""
    kinds = {"to": consts.MAPI_TO, "cc": consts.MAPI_CC, "bcc": consts.MAPI_BCC}
    head, colon, rest = text.partition(":")
    kind, name = (
        (kinds[head.lower()], rest.strip()) if colon and head.lower() in kinds else (consts.MAPI_TO, text)
    )
    if not name:
        raise Fail(CMC_E_RECIPIENT_NOT_FOUND)
    return Person("", name, kind) if "@" in name else Person(name, "", kind)


@_CODES.coded()
def cmc_act_on(
    session: int,
    message_reference: bytes | None,
    operation: int,
    act_on_flags: int = 0,
    ui_id: int = 0,
    extensions: Sequence[CMC_extension] | None = None,
) -> None:
    """Code.  CMC_ACT_ON_DELETE is the one operation; the reference stays usable as a seed."""
    _check_flags(act_on_flags, _COMMON)
    _extensions(extensions)
    if operation != CMC_ACT_ON_DELETE:
        known = operation == CMC_ACT_ON_EXTENDED
        raise Fail(CMC_E_UNSUPPORTED_ACTION if known else CMC_E_INVALID_ENUM)
    with _session(session, act_on_flags) as room:
        room.delete(_reference(message_reference))


def _reference(found: bytes | None) -> bytes:
    if not found:
        raise Fail(CMC_E_INVALID_MESSAGE_REFERENCE)
    return found


@_CODES.coded(count=0, summaries=())
def cmc_list(
    session: int,
    message_type: str | None,
    list_flags: int,
    seed: bytes | None,
    count: int,
    ui_id: int = 0,
    extensions: Sequence[CMC_extension] | None = None,
) -> Any:
    """(code, count, summaries) of the inbox in the order of arrival, behind ``seed``; ``count`` 0: all."""
    _check_flags(list_flags, _LIST)
    _extensions(extensions)
    _check_count(count)
    with _session(session, list_flags) as room:
        unread = bool(list_flags & CMC_LIST_UNREAD_ONLY)
        found = room.listed(message_type or "", unread=unread, after=seed or b"")
        entries = list(itertools.islice(found, count) if count else found)
        if list_flags & CMC_LIST_COUNT_ONLY:
            return len(entries), []
        if list_flags & CMC_LIST_MSG_REFS_ONLY:
            return len(entries), [CMC_message_summary(one) for one in entries]
        return len(entries), [_summary(room, one) for one in entries]


def _check_count(count: int) -> None:
    """A CMC_uint32.  Raises CMC_E_INVALID_PARAMETER."""
    if count < 0:
        raise Fail(CMC_E_INVALID_PARAMETER)


def _summary(room: Mailroom, entry: bytes) -> CMC_message_summary:
    letter = head(room.message(entry))
    flags = (0 if letter.unread else CMC_SUM_READ) | (CMC_SUM_UNSENT if letter.unsent else 0)
    author = None if letter.author is None else _recipient(letter.author)
    return CMC_message_summary(
        entry, letter.kind, letter.subject, _time(letter.sent or letter.received), letter.size, author, flags
    )


@_CODES.coded(message=None)
def cmc_read(
    session: int,
    message_reference: bytes | None,
    read_flags: int = 0,
    ui_id: int = 0,
    extensions: Sequence[CMC_extension] | None = None,
) -> Any:
    """(code, CMC_message).  Without a reference the first (unread) one of the inbox.

    Attachments are files that the caller deletes; with CMC_MSG_AND_ATT_HDRS_ONLY only their titles come.
    """
    _check_flags(read_flags, _READ)
    _extensions(extensions)
    with _session(session, read_flags) as room:
        entry = message_reference
        if entry is None:
            unread = bool(read_flags & CMC_READ_FIRST_UNREAD_MESSAGE)
            entry = next(room.listed("", unread=unread), None)
        message = room.message(_reference(entry), write=True)
        letter = head(message)
        whole = not read_flags & CMC_MSG_AND_ATT_HDRS_ONLY
        attachments = _attachments(saved(message)) if whole else _titles(message)
        if letter.unread and not read_flags & CMC_DO_NOT_MARK_AS_READ:
            message.SetReadFlag(0)
        flags = (0 if letter.unread else CMC_MSG_READ) | (CMC_MSG_UNSENT if letter.unsent else 0)
        people = ([letter.author] if letter.author is not None else []) + letter.people
        return CMC_message(
            entry, letter.kind, letter.subject, _time(letter.sent or letter.received),
            text_of(message) if whole else None, [_recipient(one) for one in people], attachments, flags,
        )  # fmt: skip


def _attachments(files: list[File]) -> list[CMC_attachment]:
    return [CMC_attachment(one.name, one.mime or None, str(one.path), CMC_ATT_APP_OWNS_FILE) for one in files]


def _titles(message: Any) -> list[CMC_attachment]:
    rows = message.GetAttachmentTable(consts.MAPI_UNICODE)
    rows.SetColumns([0x3707001F])  # PidTagAttachLongFilename
    return [CMC_attachment(str(row[0].Value)) for row in rows.QueryRows(MAX_FILES)]


@_CODES.coded(count=0, recipients=())
def cmc_look_up(
    session: int,
    recipient_in: CMC_recipient | Sequence[CMC_recipient] | None,
    look_up_flags: int = 0,
    ui_id: int = 0,
    count: int = 0,
    extensions: Sequence[CMC_extension] | None = None,
) -> Any:
    """(code, count, recipients).

    CMC_LOOKUP_RESOLVE_PREFIX_SEARCH: all whose name begins so, ``count`` at most.
    CMC_LOOKUP_RESOLVE_IDENTITY: the user.  CMC_LOOKUP_RESOLVE_UI lets a person choose,
    CMC_LOOKUP_ADDRESSING_UI write a list that begins with ``recipient_in``; of several recipients all other
    flags look at the first.  CMC_LOOKUP_DETAILS_UI shows the one who is found.
    """
    _check_flags(look_up_flags, _LOOK_UP)
    _extensions(extensions)
    _check_count(count)
    given = [recipient_in] if isinstance(recipient_in, CMC_recipient) else list(recipient_in or ())
    with _session(session, look_up_flags) as room:
        if look_up_flags & CMC_LOOKUP_ADDRESSING_UI:
            found = _listed(room, given)
        elif look_up_flags & CMC_LOOKUP_RESOLVE_IDENTITY:
            found = [room.person(Person(entry=room.session.QueryIdentity()))]
        elif not given:
            raise Fail(CMC_E_INVALID_PARAMETER)
        elif look_up_flags & CMC_LOOKUP_RESOLVE_PREFIX_SEARCH:
            found = _beginning(room, given[0].name or "")
        else:
            found = [_one(room, given[0], ask=bool(look_up_flags & CMC_LOOKUP_RESOLVE_UI))]
        if look_up_flags & CMC_LOOKUP_DETAILS_UI:
            if len(found) > 1:
                raise Fail(CMC_E_AMBIGUOUS_RECIPIENT)
            if not dialog.show([f"{one.name} <{one.address}>" for one in found]):
                raise Fail(CMC_E_USER_CANCEL)
        shown = [_recipient(one) for one in found[: count or None]]
        if len(shown) < len(found):
            shown[-1].recip_flags |= CMC_RECIP_LIST_TRUNCATED
        return len(shown), shown


def _beginning(room: Mailroom, name: str) -> list[Person]:
    book = room.session.OpenAddressBook()
    entries = [one for source in book.sources for one in source.resolve(name)]
    if not entries:
        raise Fail(CMC_E_RECIPIENT_NOT_FOUND)
    return [room.person(Person(entry=one)) for one in entries]


def _listed(room: Mailroom, given: Sequence[CMC_recipient]) -> list[Person]:
    """A list that a person writes, with "cc:" and "bcc:" before some; what was given is its beginning."""
    marks = {consts.MAPI_CC: "cc:", consts.MAPI_BCC: "bcc:"}
    known = [_asked(one) for one in given]
    default = "; ".join([marks.get(one.kind, "") + (one.name or one.address) for one in known])
    answers = dialog.ask(["Recipients"], caption="Recipients, separated by ;", defaults=[default])
    if answers is None:
        raise Fail(CMC_E_USER_CANCEL)
    if answers[0] != default:
        known = [_addressed(one.strip()) for one in answers[0].split(";") if one.strip()]
    return [_found(room, one, ask=True) for one in known]


def _one(room: Mailroom, wanted: CMC_recipient, *, ask: bool) -> Person:
    return _found(room, _asked(wanted), ask=ask)


def _found(room: Mailroom, person: Person, *, ask: bool) -> Person:
    try:
        return room.person(person, ask=ask)
    except MAPIError as error:
        if type(error).__name__ in ("MAPIErrorNotFound", "MAPIErrorUnknownEntryid"):
            raise Fail(CMC_E_RECIPIENT_NOT_FOUND) from error
        raise


# --- between the structures and letters ------------------------------------------------------------------


def _asked(one: CMC_recipient) -> Person:
    """Raises CMC_E_INVALID_ENUM: no such role."""
    if one.role not in _ROLES:
        raise Fail(CMC_E_INVALID_ENUM)
    return Person(one.name or "", one.address or "", _ROLES[one.role])


def _recipient(one: Person) -> CMC_recipient:
    kind = CMC_TYPE_GROUP if one.group else CMC_TYPE_INDIVIDUAL
    return CMC_recipient(one.name, kind, one.address or None, _KINDS.get(one.kind, CMC_ROLE_TO))


def _letter(message: CMC_message | None) -> Letter:
    if message is None:
        raise Fail(CMC_E_INVALID_PARAMETER)
    recipients = message.recipients or ()
    asked = [_asked(one) for one in recipients]
    files = [
        File(Path(one.attach_filename or ""), one.attach_title or "", mime=one.attach_type or "")
        for one in message.attachments or ()
    ]
    text = message.text_note or ""
    if message.message_flags & CMC_MSG_TEXT_NOTE_AS_FILE and files:
        text = _text_file(files.pop(0).path)
    people = [
        person
        for one, person in zip(recipients, asked, strict=True)
        if not one.recip_flags & CMC_RECIP_IGNORE and person.kind != consts.MAPI_ORIG
    ]
    letter = Letter(message.subject or "", text, message.message_type or "", people, files)
    _CODES.check(letter)
    return letter


def _text_file(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_TEXT:
            raise Fail(CMC_E_TEXT_TOO_LARGE)
        return path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        raise NoFile from None
    except OSError:
        raise Fail(CMC_E_ATTACHMENT_READ_FAILURE) from None


def _time(seconds: float) -> CMC_time:
    local = time.localtime(seconds)
    return CMC_time(
        local.tm_sec, local.tm_min, local.tm_hour, local.tm_mday, local.tm_mon, local.tm_year - 1900,
        max(local.tm_isdst, 0), local.tm_gmtoff // 60,
    )  # fmt: skip
