"""The columns that lists ask for, read off stored rows: no MIME is parsed for them.

A `Line` is an entry with what its row, its message's row and, where a column needs it, its digest say.  What
is not here (a body, a rare header field) is taken from the item itself, one row at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from quintet.mapi import types
from quintet.mapi.bag import Bag
from quintet.mapi.convert import addressing, structure
from quintet.mapi.convert.envelope import put_subject
from quintet.mapi.objects import flags, numbers, pid
from quintet.mapi.types import Tag, Value
from quintet.message import words
from quintet.message.addresses import mailboxes
from quintet.message.digest import Digest, Part
from quintet.store.model import ANSWERED, FLAGGED

if TYPE_CHECKING:
    from quintet.mapi.objects.folder import Folder

_SIMPLE = frozenset(("text", "multipart"))
_PLAIN = frozenset(("plain", "html", "mixed", "alternative", "related"))
_URGENT = (b"importance", b"x-priority", b"x-msmail-priority")


class Line:
    """One entry."""

    __slots__ = (
        "_headers", "_subject", "blob_id", "content_modseq", "created_modseq", "digest", "flags", "folder",
        "hidden", "id", "message_id", "message_row", "modseq", "received_at", "refs", "saved_at", "sent_at",
        "size", "uid",
    )  # fmt: skip

    def __init__(self, folder: Folder, row: tuple[Any, ...], packed: bytes | None) -> None:
        """``row``: of `store.pages.LINE`."""
        self.folder = folder
        self.id: int = row[0]
        (
            _, _, self.uid, self.message_row, self.flags, self.size, self.received_at, self.saved_at,
            self.modseq, self.content_modseq, self.created_modseq, self.hidden, self.blob_id, self.sent_at,
            self.message_id, self.refs,
        ) = row  # fmt: skip
        self.digest = None if packed is None else Digest.from_bytes(packed)
        self._headers: dict[bytes, bytes] | None = None
        self._subject: Bag | None = None

    def header(self, name: bytes) -> bytes:
        """The first field of a name (lower case), b"" where there is none."""
        if self._headers is None:
            fields = self.digest.headers if self.digest is not None else ()
            self._headers = {key.lower(): value for key, value in reversed(fields)}
        return self._headers.get(name, b"")

    def subject(self, tag: Tag) -> Value:
        if self._subject is None:
            self._subject = {}
            put_subject(self._subject, words.decode_words(self.header(b"subject")))
        return self._subject[tag]

    def person(self, fields: tuple[bytes, ...], which: int) -> Value:
        """Name, kind or address of the first mailbox in the first of the fields that has one."""
        for name in fields:
            raw = self.header(name)
            found = mailboxes(raw) if raw else []
            if found:
                return addressing.person(found[0])[which]
        return None

    def names(self, field: bytes) -> str:
        raw = self.header(field)
        return "; ".join(addressing.person(one)[0] for one in mailboxes(raw)) if raw else ""

    def topic(self) -> Value:
        told = self.header(b"thread-topic")
        if told:
            return words.decode_words(told)
        return self.subject(pid.NORMALIZED_SUBJECT) if self.header(b"subject") else None

    def has_attachments(self) -> bool:
        if self.digest is None:
            return False
        root = self.digest.root
        if root.type == "text" and root.subtype in _PLAIN and root.disposition is None:
            return False
        return any(not one.related for one in structure.of(root).attached)

    def message_flags(self) -> int:
        found = flags.shown(self.flags, {}) | (pid.MF_ASSOCIATED if self.hidden else 0)
        found |= pid.MF_READ | pid.MF_EVER_READ if self.folder.is_read(self.uid, self.flags) else 0
        return found | (pid.MF_HAS_ATTACH if self.has_attachments() else 0)

    def is_ordinary(self) -> bool:
        """An ordinary letter, whatever it says: no report, no invitation, nothing signed or packed."""
        return self.digest is None or _is_ordinary(self.digest.root)


def _is_ordinary(part: Part) -> bool:
    if part.type in _SIMPLE and part.subtype not in _PLAIN:
        return False
    if part.type == "application" and ("pkcs7" in part.subtype or "tnef" in part.subtype):
        return False
    return all(map(_is_ordinary, part.children))


def _urgency(line: Line) -> Value:
    """Usual, unless a field speaks of it: then the whole item is asked."""
    return NotImplemented if any(map(line.header, _URGENT)) else 1


def _class(line: Line) -> Value:
    if not line.is_ordinary():
        return NotImplemented
    return "IPM.Post" if line.folder.is_group else "IPM.Note"


def _verb(line: Line) -> Value:
    return flags.REPLIED if line.flags & ANSWERED else None


def _time(ms: int | None) -> Value:
    return None if ms is None else types.of_ms(ms)


ENTRY: Final[dict[Tag, Callable[[Line], Value]]] = {
    pid.MESSAGE_ID: lambda line: numbers.on_wire(line.id),
    pid.FOLDER_ID: lambda line: numbers.on_wire(line.folder.id),
    pid.PARENT_FOLDER_ID: lambda line: numbers.on_wire(line.folder.id),
    pid.ENTRY_ID: lambda line: line.folder.box.message_entry_id(line.folder.id, line.id),
    pid.RECORD_KEY: lambda line: line.folder.box.message_entry_id(line.folder.id, line.id),
    pid.PARENT_ENTRY_ID: lambda line: line.folder.box.folder_entry_id(line.folder.id),
    pid.SOURCE_KEY: lambda line: line.folder.box.source_key(line.id),
    pid.PARENT_SOURCE_KEY: lambda line: line.folder.box.source_key(line.folder.id),
    pid.CHANGE_KEY: lambda line: line.folder.box.source_key(line.content_modseq),
    pid.CHANGE_NUMBER: lambda line: numbers.on_wire(line.content_modseq),
    pid.MAPPING_SIGNATURE: lambda line: line.folder.box.account.guid,
    pid.STORE_RECORD_KEY: lambda line: line.folder.box.account.guid,
    pid.STORE_ENTRY_ID: lambda line: line.folder.box.store_entry_id or None,
    pid.OBJECT_TYPE: lambda line: pid.MESSAGE_OBJECT,
    pid.ACCESS: lambda line: 3 if line.folder.may("w") else 2,
    pid.MESSAGE_SIZE: lambda line: min(line.size, 0x7FFFFFFF),
    pid.MESSAGE_SIZE_EXTENDED: lambda line: line.size,
    pid.MESSAGE_STATUS: lambda line: 0,
    pid.ASSOCIATED: lambda line: bool(line.hidden),
    pid.READ: lambda line: line.folder.is_read(line.uid, line.flags),
    pid.DELIVERY_TIME: lambda line: types.of_ms(line.received_at),
    pid.CREATION_TIME: lambda line: types.of_ms(line.saved_at),
    pid.LAST_MODIFICATION: lambda line: types.of_ms(line.saved_at),
    pid.LOCAL_COMMIT: lambda line: types.of_ms(line.saved_at),
    pid.SUBMIT_TIME: lambda line: _time(line.sent_at),
    pid.INTERNET_ID: lambda line: line.message_id or None,
    pid.ARTICLE_NUMBER: lambda line: line.uid,
    pid.FLAG_STATUS: lambda line: flags.FOLLOW_UP if line.flags & FLAGGED else None,
    pid.LAST_VERB: _verb,
}
"""What the rows of entry and message say."""

_SENDER, _AUTHOR = (b"sender", b"from"), (b"from", b"sender")

MIME: Final[dict[Tag, Callable[[Line], Value]]] = {
    pid.MESSAGE_FLAGS: Line.message_flags,
    pid.HAS_ATTACHMENTS: Line.has_attachments,
    pid.MESSAGE_CLASS: _class,
    pid.SUBJECT: lambda line: line.subject(pid.SUBJECT),
    pid.SUBJECT_PREFIX: lambda line: line.subject(pid.SUBJECT_PREFIX),
    pid.NORMALIZED_SUBJECT: lambda line: line.subject(pid.NORMALIZED_SUBJECT),
    pid.CONVERSATION_TOPIC: Line.topic,
    pid.SENDER_NAME: lambda line: line.person(_SENDER, 0),
    pid.SENDER_KIND: lambda line: line.person(_SENDER, 1),
    pid.SENDER_ADDRESS: lambda line: line.person(_SENDER, 2),
    pid.REPRESENTING_NAME: lambda line: line.person(_AUTHOR, 0),
    pid.REPRESENTING_KIND: lambda line: line.person(_AUTHOR, 1),
    pid.REPRESENTING_ADDRESS: lambda line: line.person(_AUTHOR, 2),
    pid.DISPLAY_TO: lambda line: line.names(b"to"),
    pid.DISPLAY_CC: lambda line: line.names(b"cc"),
    pid.DISPLAY_BCC: lambda line: line.names(b"bcc"),
    pid.IMPORTANCE: _urgency,
    pid.PRIORITY: lambda line: NotImplemented if line.header(b"priority") else 0,
    pid.SENSITIVITY: lambda line: NotImplemented if line.header(b"sensitivity") else 0,
}
"""What its digest says; NotImplemented where only the item itself can tell."""
