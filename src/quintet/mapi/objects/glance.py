"""The columns that lists ask for, read off stored rows: no MIME is parsed for them.

A `Line` is an entry with what its row, its message's row and, where a column needs it, its digest say.  What
is not here (a body, a rare header field) is taken from the item itself, one row at a time.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from quintet.mapi import subjects, types
from quintet.mapi.convert import addressing, structure
from quintet.mapi.convert.fields import text
from quintet.mapi.objects import flags, numbers, pid
from quintet.mapi.types import Tag, Value
from quintet.message import scan, words
from quintet.message.addresses import mailboxes
from quintet.message.digest import Digest, Part
from quintet.store.model import ANSWERED, DRAFT, FLAGGED

if TYPE_CHECKING:
    from quintet.mapi.objects.folder import Folder

T = TypeVar("T")

MAX_HEADS = 20_000  # remembered of a store; 0.6 KB each
MAX_STORES = 8  # of a process, whose heads are remembered
MAX_HEAD = 4 * 1024  # bytes of fields: a letter to hundreds is looked at again

_FIELDS = frozenset((
    b"subject", b"from", b"sender", b"to", b"cc", b"bcc", b"thread-topic", b"importance", b"x-priority",
    b"x-msmail-priority", b"priority", b"sensitivity", b"message-id",
))  # fmt: skip
_LISTS = frozenset((b"to", b"cc", b"bcc"))
_SIMPLE = frozenset(("text", "multipart"))
_PLAIN = frozenset(("plain", "html", "mixed", "alternative", "related"))
_TEXTS = ("plain", "html")
_URGENT = frozenset((b"importance", b"x-priority", b"x-msmail-priority", b"priority"))


class Head:
    """What lists want to know of a letter's MIME; a message is never changed, so it may be remembered."""

    __slots__ = ("_subject", "attached", "fields", "message_row", "more", "ordinary", "size")

    def __init__(self, digest: Digest, message_row: int = 0) -> None:
        self.message_row = message_row  # whose it is
        fields: dict[bytes, bytes] = {}
        more: list[tuple[bytes, bytes]] = []
        size = 0
        for name, value in digest.headers:
            lower = name.lower()
            if lower in _FIELDS:
                if lower not in fields:
                    fields[lower] = value
                elif lower in _LISTS:  # two fields are one longer list
                    more.append((lower, value))
                size += len(value)
        self.fields = fields  # raw, by names in lower case
        self.more: Sequence[tuple[bytes, bytes]] = more or ()  # not a list each: thousands are remembered
        self.size = size  # bytes of its fields
        bare = _is_bare(digest.root)
        # no report, no invitation, nothing signed or packed
        self.ordinary = bare or _is_ordinary(digest.root)
        # PidTagHasAttachments; None: only the item can tell, and who asked it may note it here
        self.attached = (not bare and _has_attached(digest.root)) if self.ordinary else None
        self._subject: str | None = None

    def subject(self, tag: Tag) -> Value:
        if self._subject is None:
            self._subject = subjects.plain(words.decode_words(self.fields.get(b"subject", b"")))
        if tag == pid.SUBJECT:
            return self._subject
        return subjects.parts(self._subject)[tag == pid.NORMALIZED_SUBJECT]


@functools.cache
def _no_head() -> Head:
    """That of an item without MIME."""
    return Head(scan.scan(b"\r\n"))


_Heads = dict[int, Head]
_heads: dict[str, _Heads] = {}  # by the store's directory, then by the entry


def heads(store: str) -> _Heads:
    """Heads that are remembered, by their entries; each perhaps of the message that its entry had before."""
    known = _heads.get(store)
    if known is None:
        for oldest in list(_heads)[: max(len(_heads) - MAX_STORES + 1, 0)]:
            _heads.pop(oldest, None)
        known = _heads.setdefault(store, {})
    return known


def remember(known: _Heads, line: Line) -> None:
    """Keeps the head for whoever lists the entry next; the oldest are forgotten, long ones not kept."""
    if line.head.size > MAX_HEAD:
        return
    if len(known) >= MAX_HEADS:
        for key in list(itertools.islice(known, MAX_HEADS // 4)):
            known.pop(key, None)  # another thread may have done it
    known[line.id] = line.head


class Line:
    """One entry."""

    __slots__ = (
        "blob_id", "content_modseq", "flags", "folder", "from_display", "head", "hidden", "id", "message_id",
        "message_row", "received_at", "saved_at", "sent_at", "size", "uid",
    )  # fmt: skip

    def __init__(self, folder: Folder, row: tuple[Any, ...], head: Head | None = None) -> None:
        """``row``: of `store.pages.LINE`; ``head`` None: that of an item without MIME."""
        self.folder = folder
        self.id: int = row[0]
        (
            _, _, self.uid, self.message_row, self.flags, self.size, self.received_at, self.saved_at,
            self.content_modseq, self.hidden, self.blob_id, self.sent_at, self.message_id, self.from_display,
        ) = row  # fmt: skip
        self.head = head or _no_head()

    def name_of(self, fields: tuple[bytes, bytes]) -> Value:
        """The name in the first of two fields that names somebody; mostly it is that of the row."""
        raw = self.head.fields
        if (fields[0] == b"from" or fields[0] not in raw) and b":" not in raw.get(b"from", b""):  # no group
            return self.from_display or self.person(fields, 0)
        return self.person(fields, 0)

    def person(self, fields: tuple[bytes, bytes], which: int) -> Value:
        """Name, kind or address of the first mailbox in the first of the fields that has one."""
        for name in fields:
            raw = self.head.fields.get(name)
            found = _first(raw) if raw else None
            if found is not None:
                return found[which]
        return None

    def names(self, field: bytes) -> str:
        raw = self.head.fields.get(field)
        if not self.head.more:
            return _names(raw) if raw else ""
        more = [value for name, value in self.head.more if name == field]
        return "; ".join(filter(None, map(_names, [raw or b"", *more])))

    def topic(self) -> Value:
        told = self.head.fields.get(b"thread-topic")
        if told is not None:
            return text(told)
        return self.head.subject(pid.NORMALIZED_SUBJECT) if b"subject" in self.head.fields else None

    def internet_id(self) -> Value:
        """As the letter spells it; that of the row is what other letters refer to."""
        told = self.head.fields.get(b"message-id")
        return (self.message_id or None) if told is None else text(told)

    def message_flags(self) -> Any:  # an integer or NotImplemented
        if self.head.attached is None:
            return NotImplemented
        found = (pid.MF_UNSENT if self.flags & DRAFT else 0) | (pid.MF_ASSOCIATED if self.hidden else 0)
        found |= pid.MF_READ | pid.MF_EVER_READ if self.folder.is_read(self.uid, self.flags) else 0
        return found | (pid.MF_HAS_ATTACH if self.head.attached else 0)


def _remembered(read: Callable[[bytes], T]) -> Callable[[bytes], T]:
    """Of short values what was read: the same people write, and are written to, again and again."""
    kept = functools.lru_cache(maxsize=4096)(read)
    return lambda raw: kept(raw) if len(raw) <= MAX_HEAD else read(raw)


@_remembered
def _first(raw: bytes) -> tuple[str, str, str] | None:
    found = mailboxes(raw)
    return addressing.person(found[0]) if found else None


@_remembered
def _names(raw: bytes) -> str:
    return "; ".join(addressing.person(one)[0] for one in mailboxes(raw))


def _is_bare(part: Part) -> bool:
    """A text, or its two forms, and nothing else: what most letters are."""
    if part.type == "text":
        return _is_text(part)
    if part.subtype != "alternative":
        return False
    forms = {child.subtype for child in part.children if child.type == "text" and _is_text(child)}
    return 0 < len(forms) == len(part.children)


def _is_text(part: Part) -> bool:
    return part.disposition is None and part.subtype in _TEXTS and part.size <= structure.MAX_BODY


def _has_attached(root: Part) -> bool | None:
    """None: it depends on what the HTML shows, which is not read for a list.

    Two things are taken for granted: a picture beside the HTML is in it, and what is marked as an
    attachment of the letter is not.
    """
    shape = structure.of(root)
    doubt = False
    for one in shape.attached:
        marked = one.part.disposition == "attachment"
        if shape.html is None or one.part.content_id is None or (marked and not one.related):
            return True
        doubt = doubt or marked or not one.related or one.part.type != "image"
    return None if doubt else False


def _is_ordinary(part: Part) -> bool:
    if part.type in _SIMPLE and part.subtype not in _PLAIN:
        return False
    if part.type == "application" and ("pkcs7" in part.subtype or "tnef" in part.subtype):
        return False
    return all(map(_is_ordinary, part.children))


def _attached(line: Line) -> Value:
    return NotImplemented if line.head.attached is None else line.head.attached


def _subject(tag: Tag) -> Callable[[Line], Value]:
    """A card or an invitation tells it elsewhere."""

    def read(line: Line) -> Value:
        head = line.head
        return head.subject(tag) if head.ordinary or head.fields.get(b"subject") else NotImplemented

    return read


def _urgency(line: Line) -> Value:
    """Usual, unless a field speaks of it: then the whole item is asked."""
    return 1 if _URGENT.isdisjoint(line.head.fields) else NotImplemented


def _class(line: Line) -> Value:
    if not line.head.ordinary:
        return NotImplemented
    return "IPM.Post" if line.folder.is_group else "IPM.Note"


def _verb(line: Line) -> Value:
    return flags.REPLIED if line.flags & ANSWERED else None


def _time(ms: int | None) -> Value:
    return None if ms is None else types.of_ms(ms)


ENTRY: Final[dict[Tag, Callable[[Line], Value]]] = {
    pid.MESSAGE_ID: lambda line: numbers.on_wire(line.id),
    pid.FOLDER_ID: lambda line: line.folder.wire_id,
    pid.PARENT_FOLDER_ID: lambda line: line.folder.wire_id,
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
    pid.ACCESS: lambda line: pid.ACCESS_READ | line.folder.access_of_messages(),
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
    pid.ARTICLE_NUMBER: lambda line: line.uid,
    pid.FLAG_STATUS: lambda line: flags.FOLLOW_UP if line.flags & FLAGGED else None,
    pid.LAST_VERB: _verb,
}
"""What the rows of entry and message say."""

_SENDER, _AUTHOR = (b"sender", b"from"), (b"from", b"sender")

MIME: Final[dict[Tag, Callable[[Line], Value]]] = {
    pid.MESSAGE_FLAGS: Line.message_flags,
    pid.HAS_ATTACHMENTS: _attached,
    pid.MESSAGE_CLASS: _class,
    pid.INTERNET_ID: Line.internet_id,
    pid.SUBJECT: _subject(pid.SUBJECT),
    pid.SUBJECT_PREFIX: _subject(pid.SUBJECT_PREFIX),
    pid.NORMALIZED_SUBJECT: _subject(pid.NORMALIZED_SUBJECT),
    pid.CONVERSATION_TOPIC: Line.topic,
    pid.SENDER_NAME: lambda line: line.name_of(_SENDER),
    pid.SENDER_KIND: lambda line: line.person(_SENDER, 1),
    pid.SENDER_ADDRESS: lambda line: line.person(_SENDER, 2),
    pid.REPRESENTING_NAME: lambda line: line.name_of(_AUTHOR),
    pid.REPRESENTING_KIND: lambda line: line.person(_AUTHOR, 1),
    pid.REPRESENTING_ADDRESS: lambda line: line.person(_AUTHOR, 2),
    pid.DISPLAY_TO: lambda line: line.names(b"to"),
    pid.DISPLAY_CC: lambda line: line.names(b"cc"),
    pid.DISPLAY_BCC: lambda line: line.names(b"bcc"),
    pid.IMPORTANCE: _urgency,
    pid.PRIORITY: lambda line: NotImplemented if b"priority" in line.head.fields else 0,
    pid.SENSITIVITY: lambda line: NotImplemented if b"sensitivity" in line.head.fields else 0,
}
"""What its digest says; NotImplemented where only the item itself can tell."""
