"""Content-Class: faxes, calls and forms by their header (MS-OXCMAIL 2.1.3.2.2, 2.2.3.2.15)."""

from __future__ import annotations

from quintet.mapi import types
from quintet.mapi.bag import Item, NamedTag
from quintet.mapi.convert import names

CONTENT_CLASS = NamedTag(names.INTERNET_HEADERS, "content-class", types.STRING)  # PidNameContentClass

# The header's value, the class, and the kind of attachment without which it is a note after all
_TABLE = (
    ("fax", "IPM.Note.Microsoft.Fax", "image/tiff"),
    ("fax-ca", "IPM.Note.Microsoft.Fax.CA", "image/tiff"),
    ("missedcall", "IPM.Note.Microsoft.Missed.Voice", ""),
    ("voice-uc", "IPM.Note.Microsoft.Conversation.Voice", ""),
    ("voice-ca", "IPM.Note.Microsoft.Voicemail.UM.CA", "audio/"),
    ("voice", "IPM.Note.Microsoft.Voicemail.UM", "audio/"),
)
_PREFIXES = (("urn:content-class:custom.", "IPM.Note.Custom."), ("InfoPathForm.", "IPM.InfoPathForm."))
_NOTE = "IPM.Note"
MAX_CLASS = 255  # characters (MS-OXCMSG 2.2.1.3)


def read(item: Item) -> None:
    """Give a note the class that its header tells; what has another one keeps it."""
    said = item.props.get(CONTENT_CLASS)
    if not said or item.props.get(names.MESSAGE_CLASS) != _NOTE:
        return
    for value, kind, attached in _TABLE:
        if said.lower() == value and (not attached or _has(item, attached)):
            item.props[names.MESSAGE_CLASS] = kind
    for value, kind in _PREFIXES:
        rest = said[len(value) :]
        if said.lower().startswith(value.lower()) and rest.isascii() and rest.isprintable():
            item.props[names.MESSAGE_CLASS] = (kind + rest)[:MAX_CLASS]


def _has(item: Item, kind: str) -> bool:
    return any(str(one.props.get(names.ATTACH_MIME_TAG, "")).startswith(kind) for one in item.attachments)


def of(item: Item) -> str | None:
    """The header's value for an item's class; None: its class has none, or PidNameContentClass says one."""
    own = str(item.props.get(names.MESSAGE_CLASS, ""))
    if CONTENT_CLASS in item.props:
        return None
    for value, kind, _ in _TABLE:
        if own.lower() == kind.lower():
            return value
    for value, kind in _PREFIXES:
        if own.lower().startswith(kind.lower()):
            return value + own[len(kind) :]
    return None
