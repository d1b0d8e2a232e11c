"""CMC's constants and structures, by the names and values of xcmc.h; `quintet.mapi.cmc` has the calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

CMC_FALSE, CMC_TRUE = 0, 1
CMC_VERSION = 100
CMC_NO_TIMEZONE = -0x8000
CMC_EXT_REQUIRED, CMC_EXT_OUTPUT, CMC_EXT_LAST_ELEMENT = 0x00010000, 0x00020000, 0x80000000
CMC_EXT_RSV_FLAG_MASK, CMC_EXT_ITEM_FLAG_MASK = 0xFFFF0000, 0x0000FFFF
CMC_ATT_APP_OWNS_FILE, CMC_ATT_LAST_ELEMENT = 1, 0x80000000
CMC_TYPE_UNKNOWN, CMC_TYPE_INDIVIDUAL, CMC_TYPE_GROUP = 0, 1, 2
CMC_ROLE_TO, CMC_ROLE_CC, CMC_ROLE_BCC, CMC_ROLE_ORIGINATOR, CMC_ROLE_AUTHORIZING_USER = 0, 1, 2, 3, 4
CMC_RECIP_IGNORE, CMC_RECIP_LIST_TRUNCATED, CMC_RECIP_LAST_ELEMENT = 1, 2, 0x80000000
CMC_MSG_READ, CMC_MSG_TEXT_NOTE_AS_FILE, CMC_MSG_UNSENT, CMC_MSG_LAST_ELEMENT = 1, 2, 4, 0x80000000
CMC_SUM_READ, CMC_SUM_UNSENT, CMC_SUM_LAST_ELEMENT = 1, 2, 0x80000000
CMC_ERROR_UI_ALLOWED, CMC_LOGON_UI_ALLOWED = 0x01000000, 0x02000000
CMC_COUNTED_STRING_TYPE = 0x04000000
CMC_SEND_UI_REQUESTED = 1
CMC_FIRST_ATTACH_AS_TEXT_NOTE = 2
CMC_ACT_ON_EXTENDED, CMC_ACT_ON_DELETE = 0, 1
CMC_LIST_UNREAD_ONLY, CMC_LIST_MSG_REFS_ONLY, CMC_LIST_COUNT_ONLY = 1, 2, 4
CMC_LENGTH_UNKNOWN = 0xFFFFFFFF
CMC_DO_NOT_MARK_AS_READ, CMC_MSG_AND_ATT_HDRS_ONLY, CMC_READ_FIRST_UNREAD_MESSAGE = 1, 2, 4
CMC_LOOKUP_RESOLVE_PREFIX_SEARCH, CMC_LOOKUP_RESOLVE_IDENTITY, CMC_LOOKUP_RESOLVE_UI = 1, 2, 4
CMC_LOOKUP_DETAILS_UI, CMC_LOOKUP_ADDRESSING_UI = 8, 16
CMC_LOGOFF_UI_ALLOWED = 1
CMC_CONFIG_CHARACTER_SET, CMC_CONFIG_LINE_TERM, CMC_CONFIG_DEFAULT_SERVICE, CMC_CONFIG_DEFAULT_USER = (
    1,
    2,
    3,
    4,
)
CMC_CONFIG_REQ_PASSWORD, CMC_CONFIG_REQ_SERVICE, CMC_CONFIG_REQ_USER, CMC_CONFIG_UI_AVAIL = 5, 6, 7, 8
CMC_CONFIG_SUP_NOMKMSGREAD, CMC_CONFIG_SUP_COUNTED_STR = 9, 10
CMC_CONFIG_VER_IMPLEM, CMC_CONFIG_VER_SPEC = 11, 12
CMC_LINE_TERM_CRLF, CMC_LINE_TERM_CR, CMC_LINE_TERM_LF = 0, 1, 2
CMC_REQUIRED_NO, CMC_REQUIRED_YES, CMC_REQUIRED_OPT = 0, 1, 2
CMC_CHAR_CP437 = "1 2 840 113556 3 2 437"
CMC_CHAR_CP850 = "1 2 840 113556 3 2 850"
CMC_CHAR_CP1252 = "1 2 840 113556 3 2 1252"
CMC_CHAR_ISTRING = "1 2 840 113556 3 2 0"
CMC_CHAR_UNICODE = "1 2 840 113556 3 2 1"
CMC_XS_COM, CMC_X_COM_SUPPORT_EXT, CMC_X_COM_CONFIG_DATA = 0, 16, 17
CMC_X_COM_SUPPORTED, CMC_X_COM_NOT_SUPPORTED = 1, 2

CMC_ERROR_DISPLAYED, CMC_ERROR_RSV_MASK, CMC_ERROR_IMPL_MASK = 0x00008000, 0x0000FFFF, 0xFFFF0000
CMC_SUCCESS = 0
CMC_E_AMBIGUOUS_RECIPIENT = 1
CMC_E_ATTACHMENT_NOT_FOUND = 2
CMC_E_ATTACHMENT_OPEN_FAILURE = 3
CMC_E_ATTACHMENT_READ_FAILURE = 4
CMC_E_ATTACHMENT_WRITE_FAILURE = 5
CMC_E_COUNTED_STRING_UNSUPPORTED = 6
CMC_E_DISK_FULL = 7
CMC_E_FAILURE = 8
CMC_E_INSUFFICIENT_MEMORY = 9
CMC_E_INVALID_CONFIGURATION = 10
CMC_E_INVALID_ENUM = 11
CMC_E_INVALID_FLAG = 12
CMC_E_INVALID_MEMORY = 13
CMC_E_INVALID_MESSAGE_PARAMETER = 14
CMC_E_INVALID_MESSAGE_REFERENCE = 15
CMC_E_INVALID_PARAMETER = 16
CMC_E_INVALID_SESSION_ID = 17
CMC_E_INVALID_UI_ID = 18
CMC_E_LOGON_FAILURE = 19
CMC_E_MESSAGE_IN_USE = 20
CMC_E_NOT_SUPPORTED = 21
CMC_E_PASSWORD_REQUIRED = 22
CMC_E_RECIPIENT_NOT_FOUND = 23
CMC_E_SERVICE_UNAVAILABLE = 24
CMC_E_TEXT_TOO_LARGE = 25
CMC_E_TOO_MANY_FILES = 26
CMC_E_TOO_MANY_RECIPIENTS = 27
CMC_E_UNABLE_TO_NOT_MARK_AS_READ = 28
CMC_E_UNRECOGNIZED_MESSAGE_TYPE = 29
CMC_E_UNSUPPORTED_ACTION = 30
CMC_E_UNSUPPORTED_CHARACTER_SET = 31
CMC_E_UNSUPPORTED_DATA_EXT = 32
CMC_E_UNSUPPORTED_FLAG = 33
CMC_E_UNSUPPORTED_FUNCTION_EXT = 34
CMC_E_UNSUPPORTED_VERSION = 35
CMC_E_USER_CANCEL = 36
CMC_E_USER_NOT_LOGGED_ON = 37


@dataclass
class CMC_time:
    """A local time; ``year`` since 1900, ``month`` 1 to 12, ``tmzone`` in minutes from UTC."""

    second: int = 0
    minute: int = 0
    hour: int = 0
    day: int = 0
    month: int = 0
    year: int = 0
    isdst: int = 0
    tmzone: int = CMC_NO_TIMEZONE


@dataclass
class CMC_extension:
    item_code: int
    item_data: int = 0
    item_reference: Any = None
    extension_flags: int = 0


@dataclass
class CMC_attachment:
    attach_title: str | None = None
    attach_type: str | None = None
    attach_filename: str | None = None
    attach_flags: int = 0
    attach_extensions: Sequence[CMC_extension] = ()


@dataclass
class CMC_recipient:
    """``address``: "SMTP:ann@example.com", or the address alone; without one the name is looked up."""

    name: str | None = None
    name_type: int = CMC_TYPE_UNKNOWN
    address: str | None = None
    role: int = CMC_ROLE_TO
    recip_flags: int = 0
    recip_extensions: Sequence[CMC_extension] = ()


@dataclass
class CMC_message:
    message_reference: bytes | None = None
    message_type: str | None = None
    subject: str | None = None
    time_sent: CMC_time | None = None
    text_note: str | None = None
    recipients: list[CMC_recipient] | None = field(default_factory=list)
    attachments: list[CMC_attachment] | None = field(default_factory=list)
    message_flags: int = 0
    message_extensions: Sequence[CMC_extension] = ()


@dataclass
class CMC_message_summary:
    message_reference: bytes
    message_type: str | None = None
    subject: str | None = None
    time_sent: CMC_time | None = None
    byte_length: int = CMC_LENGTH_UNKNOWN
    originator: CMC_recipient | None = None
    summary_flags: int = 0
    message_summary_extensions: Sequence[CMC_extension] = ()
