"""Header fields that are properties, one to one, as a table (MS-OXCMAIL 2.1.3.2, 2.2.3.2).

People are `addressing`'s, the subject and what depends on several fields are `envelope`'s.  What no row names
is kept under its own name in PS_INTERNET_HEADERS, except where a letter only says which way it came.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from functools import lru_cache

from quintet.mapi import types
from quintet.mapi.bag import Bag, Key, NamedTag
from quintet.mapi.convert import names
from quintet.mapi.types import Value
from quintet.message import dates, transfer, words
from quintet.values import dataclass

MAX_VALUE = 64 * 1024  # characters of one field's text (MS-OXCMAIL 2.2.3.2: readers may cut at 64 KB)
MAX_NAME = 100  # characters of a field's name that becomes a property
MAX_OTHERS = 500  # fields of a letter that become properties of their own
MAX_INDEX = 22 + 5 * 200  # bytes of a conversation index: its head, and replies

_NAME = re.compile(rb"[!-9;-~]+")


@dataclass(frozen=True, slots=True)
class Field:
    """A header field and the property that says the same; None: nothing to say."""

    name: str
    key: Key
    read: Callable[[bytes], Value | None]
    write: Callable[[Value], str | None]


def text(raw: bytes) -> str:
    return words.decode_words(raw)[:MAX_VALUE]


def _text(value: Value) -> str | None:
    return value if isinstance(value, str) and value else None


def _time(raw: bytes) -> int | None:
    found = dates.parse_date(raw)
    return None if found is None else types.of_ms(found)


def date(value: Value) -> str | None:
    """A FILETIME as a header says it."""
    return dates.format_date(types.to_ms(value)) if isinstance(value, int) else None


def _word(table: dict[str, int]) -> Callable[[bytes], int | None]:
    return lambda raw: table.get(raw.decode("latin-1").strip().lower())


def _of_word(table: dict[str, int], silent: int | None) -> Callable[[Value], str | None]:
    """The word for a number; the one that is meant where nothing is said has none."""
    back = {number: word for word, number in reversed(table.items()) if number != silent}
    return lambda value: back.get(value) if isinstance(value, int) else None


def _priority(raw: bytes) -> int | None:
    """X-Priority: 1 is the highest of 5."""
    digit = raw.strip()[:1]
    return {b"1": 2, b"2": 2, b"3": 1, b"4": 0, b"5": 0}.get(digit)


def _index(raw: bytes) -> bytes | None:
    found = transfer.decode("base64", raw)
    return found if 22 <= len(found) <= MAX_INDEX else None


def _of_index(value: Value) -> str | None:
    return binascii.b2a_base64(value, newline=False).decode("ascii") if isinstance(value, bytes) else None


def _keywords(raw: bytes) -> list[str] | None:
    return [one for word in text(raw).split(",") if (one := word.strip())] or None


def _of_keywords(value: Value) -> str | None:
    return ", ".join(value) or None if isinstance(value, list) else None


_SUPPRESSED = {"dr": 1, "ndr": 2, "rn": 4, "nrn": 8, "oof": 16, "autoreply": 32}
_ALL_SUPPRESSED = 0xFFFFFFFF - (1 << 32)  # as a PtypInteger32: -1


def _suppress(raw: bytes) -> int | None:
    parts = [one.strip().lower() for one in raw.decode("latin-1").split(",")]
    if "all" in parts:
        return _ALL_SUPPRESSED
    return 0 if parts == ["none"] else sum({_SUPPRESSED.get(one, 0) for one in parts}) or None


def _of_suppress(value: Value) -> str | None:
    if not isinstance(value, int) or not value:
        return None
    if value == _ALL_SUPPRESSED:
        return "All"
    spelled = {"dr": "DR", "ndr": "NDR", "rn": "RN", "nrn": "NRN", "oof": "OOF", "autoreply": "AutoReply"}
    return ", ".join(spelled[word] for word, bit in _SUPPRESSED.items() if value & bit) or None


_IMPORTANCE = {"low": 0, "normal": 1, "high": 2}
_URGENCY = {"non-urgent": -1, "normal": 0, "urgent": 1}
_SENSITIVITY = {
    "personal": 1,
    "private": 2,
    "company-confidential": 3,
    "company confidential": 3,
    "normal": 0,
}
_SPOKEN = {"company-confidential": "Company-Confidential", "personal": "Personal", "private": "Private"}


def _of_sensitivity(value: Value) -> str | None:
    word = _of_word(_SENSITIVITY, 0)(value)
    return _SPOKEN.get(word) if word else None


def _number(raw: bytes) -> int | None:
    digits = raw.strip()
    return min(int(digits[:12]), 0x7FFFFFFF) if digits.isdigit() else None


def _of_number(value: Value) -> str | None:
    return str(value) if isinstance(value, int) and value >= 0 else None


def _true(raw: bytes) -> bool | None:
    return {b"true": True, b"false": False}.get(raw.strip().lower())


def _of_true(value: Value) -> str | None:
    return "true" if value is True else None


def _nothing(value: Value) -> None:
    """Another field says it already."""


TABLE = (
    Field("Date", names.SUBMIT_TIME, _time, date),
    Field("Message-ID", names.MESSAGE_ID, text, _text),
    Field("In-Reply-To", names.IN_REPLY_TO, text, _text),
    Field("References", names.REFERENCES, text, _text),
    Field("Thread-Topic", names.CONVERSATION_TOPIC, text, _text),
    Field("Thread-Index", names.CONVERSATION_INDEX, _index, _of_index),
    Field("Importance", names.IMPORTANCE, _word(_IMPORTANCE), _of_word(_IMPORTANCE, 1)),
    Field("X-MSMail-Priority", names.IMPORTANCE, _word(_IMPORTANCE), _nothing),
    Field("X-Priority", names.IMPORTANCE, _priority, _nothing),
    Field("Priority", names.PRIORITY, _word(_URGENCY), _of_word(_URGENCY, 0)),
    Field("Sensitivity", names.SENSITIVITY, _word(_SENSITIVITY), _of_sensitivity),
    Field("Expires", names.EXPIRY_TIME, _time, date),
    Field("Expiry-Date", names.EXPIRY_TIME, _time, _nothing),
    Field("Reply-By", names.REPLY_TIME, _time, date),
    Field("Deferred-Delivery", names.DEFERRED_DELIVERY, _time, date),
    Field("Keywords", names.KEYWORDS, _keywords, _of_keywords),
    Field("X-Message-Flag", names.FLAG_REQUEST, text, _text),
    Field("X-Auto-Response-Suppress", names.AUTO_RESPONSE_SUPPRESS, _suppress, _of_suppress),
    Field("List-Help", names.LIST_HELP, text, _text),
    Field("List-Subscribe", names.LIST_SUBSCRIBE, text, _text),
    Field("List-Unsubscribe", names.LIST_UNSUBSCRIBE, text, _text),
    Field("Newsgroups", names.NEWSGROUPS, text, _text),
    Field("Followup-To", names.FOLLOWUP_TO, text, _text),
    Field("Distribution", names.DISTRIBUTION, text, _text),
    Field("Approved", names.APPROVED, text, _text),
    Field("Control", names.CONTROL, text, _text),
    Field("Supersedes", names.SUPERSEDES, text, _text),
    Field("Organization", names.ORGANIZATION, text, _text),
    Field("Precedence", names.PRECEDENCE, text, _text),
    Field("Path", names.NNTP_PATH, text, _nothing),  # the way of one journey, not ours to write
    Field("Xref", names.XREF, text, _nothing),
    # 2.1.3.2.3, 2.2.3.2.23: calls and faxes
    Field("X-CallingTelephoneNumber", names.CALLER_NUMBER, text, _text),
    Field("X-VoiceMessageDuration", names.VOICE_DURATION, _number, _of_number),
    Field("X-VoiceMessageSenderName", names.VOICE_SENDER, text, _text),
    Field("X-AttachmentOrder", names.VOICE_ORDER, text, _text),
    Field("X-FaxNumberOfPages", names.FAX_PAGES, _number, _of_number),
    Field("X-CallID", names.CALL_ID, text, _text),
    # 2.1.3.2.17, 2.2.3.2.22: classifications, which count where the first of them says so
    Field("X-Microsoft-Classified", names.CLASSIFIED, _true, _of_true),
    Field("X-Microsoft-Classification", names.CLASSIFICATION, text, _text),
    Field("X-Microsoft-ClassDesc", names.CLASSIFICATION_TEXT, text, _text),
    Field("X-Microsoft-ClassID", names.CLASSIFICATION_ID, text, _text),
    Field("X-Microsoft-ClassKeep", names.CLASSIFICATION_KEPT, _true, _of_true),
    Field("Accept-Language", names.ACCEPT_LANGUAGE, text, _text),
)
_BY_NAME = {field.name.lower().encode("ascii"): (rank, field) for rank, field in enumerate(TABLE)}

# Read elsewhere, or true of one journey only; the whole header is in PidTagTransportMessageHeaders anyway.
_ELSEWHERE = frozenset(
    (
        b"from", b"sender", b"to", b"cc", b"bcc", b"reply-to", b"subject", b"disposition-notification-to",
        b"return-receipt-to", b"mime-version", b"content-type", b"content-transfer-encoding",
        b"content-disposition", b"content-id", b"content-location", b"content-description", b"content-base",
        b"content-md5",
        b"received", b"return-path", b"delivered-to", b"x-original-to", b"dkim-signature",
        b"domainkey-signature", b"authentication-results", b"received-spf", b"arc-seal",
        b"arc-message-signature", b"arc-authentication-results", b"lines", b"bytes",
        b"x-pgp-sig", b"cancel-lock", b"x-ms-tnef-correlator", b"resent-from", b"resent-sender",
        b"resent-to", b"resent-cc", b"resent-bcc", b"resent-date", b"resent-message-id",
    )
)  # fmt: skip


@lru_cache(maxsize=1024)
def _own_key(name: bytes) -> NamedTag | None:
    """The named property of a field without a row; names are lower case there (MS-OXCPRPT 3.2.5.9)."""
    if name in _ELSEWHERE or len(name) > MAX_NAME or not _NAME.fullmatch(name):
        return None
    return NamedTag(names.INTERNET_HEADERS, name.decode("ascii"), types.STRING)


def read(headers: tuple[tuple[bytes, bytes], ...], bag: Bag) -> None:
    """Put what the fields say into ``bag``.

    Of two for one property that counts which stands first in the table, of equal ones the first.
    """
    others = 0
    ranks: dict[Key, int] = {}
    for raw_name, raw in headers:
        name = raw_name.lower()
        if (found := _BY_NAME.get(name)) is not None:
            rank, field = found
            if rank < ranks.get(field.key, len(TABLE)) and (value := field.read(raw)) is not None:
                bag[field.key] = value
                ranks[field.key] = rank
            continue
        own = _own_key(name)
        if own is not None and own not in bag and others < MAX_OTHERS:
            others += 1
            bag[own] = text(raw)
    if names.IMPORTANCE not in bag and names.PRIORITY in bag:  # 2.2.3.2.5
        bag[names.IMPORTANCE] = bag[names.PRIORITY] + 1
    if not bag.get(names.CLASSIFIED):
        for key in (names.CLASSIFIED, *names.CLASSIFICATIONS):
            bag.pop(key, None)


def write(bag: Bag) -> list[tuple[str, str]]:
    """The fields that ``bag`` asks for: those of the table in its order, then all others by name."""
    found = [(field.name, said) for field in TABLE if (said := _said(field, bag))]
    others = [
        (key.name, value)
        for key, value in bag.items()
        if isinstance(key, NamedTag) and isinstance(key.name, str) and _is_other(key, value)
    ]
    return found + [(_spelled(name), value) for name, value in sorted(others)]


def _said(field: Field, bag: Bag) -> str | None:
    if field.key in names.CLASSIFICATIONS and not bag.get(names.CLASSIFIED):
        return None
    value = bag.get(field.key)
    if field.key == names.IMPORTANCE and value == 1 and bag.get(names.PRIORITY):
        return "normal" if field.name == "Importance" else None  # else Priority tells another
    return None if value is None else field.write(value)


def _is_other(key: NamedTag, value: Value) -> bool:
    if key.guid != names.INTERNET_HEADERS or not isinstance(value, str) or not isinstance(key.name, str):
        return False
    name = key.name.lower().encode("ascii", "replace")
    return name not in _BY_NAME and key != names.ACCEPT_LANGUAGE and _own_key(name) is not None


def _spelled(name: str) -> str:
    """As people write field names; the property's name has lost its capitals."""
    spelled = "-".join([part[:1].upper() + part[1:] for part in name.split("-")])
    return re.sub(r"\b(Id|Mime|Dkim|Ms|Sha1|Url)\b", lambda found: found.group().upper(), spelled)
