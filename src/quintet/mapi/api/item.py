"""Items: messages, posts, and what the other modules make of them (appointments, tasks, contacts...)."""

from __future__ import annotations

import datetime
import enum
import functools
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from quintet.mapi import codepages, consts, convert, msgfile, named, pr, tags, types
from quintet.mapi.api import fields, whom
from quintet.mapi.api.fields import Bit, Choice, Field, Moment, Text, Words
from quintet.mapi.api.parts import Attachment
from quintet.mapi.api.people import Person
from quintet.mapi.api.whom import Given
from quintet.mapi.bag import Attachment as Held
from quintet.mapi.bag import Bag, Key, NamedTag
from quintet.mapi.bag import Item as Values
from quintet.mapi.convert import bodies
from quintet.mapi.core import places
from quintet.mapi.core.message import IMessage
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import derive
from quintet.mapi.providers.base import EntryId, Special
from quintet.mapi.types import Value

if TYPE_CHECKING:
    from quintet.mapi.api.folder import Folder
    from quintet.mapi.api.store import Store

Self = TypeVar("Self", bound="Item")
UTF8_PAGE = 65001
_REPLIED, _REPLIED_ALL, _FORWARDED = 102, 103, 104  # PidTagLastVerbExecuted, MS-OXOMSG 2.2.1.6
KINDS: dict[str, type[Item]] = {}
"""Classes by the message class that they stand for; the longest beginning counts."""


class Importance(enum.IntEnum):
    LOW = 0
    NORMAL = 1
    HIGH = 2


class Sensitivity(enum.IntEnum):
    NONE = 0
    PERSONAL = 1
    PRIVATE = 2
    CONFIDENTIAL = 3


class FlagStatus(enum.IntEnum):
    NONE = 0
    COMPLETE = 1
    FLAGGED = 2


@functools.lru_cache(maxsize=1024)
def kind_of(message_class: str | None) -> type[Item]:
    """The class of Python for a message class: ``IPM.Note.Own`` is a `Message`."""
    name = (message_class or "IPM.Note").upper()
    while name:
        found = KINDS.get(name)
        if found is not None:
            return found
        name = name.rpartition(".")[0]
    return Item


class Neighbours(Protocol):
    """The items of a listing, as one of them may ask for what the others are asked next."""

    def value(self, key: Key, at: int) -> Value | None:
        """A property of the item at a place; NotImplemented: it has to look itself."""


class Mark(Bit):
    """A bit that is set at once, without `Item.save`: whether somebody read an item is no change of it."""

    def __set__(self, item: Item, value: bool | None) -> None:
        item.mark(read=bool(value) is not self._inverted)


class Item:
    """Anything that lies in a folder.

    Attributes are properties; what is set is kept by `save`.  Any other property is ``item[...]``: by tag
    (``0x0037001F``), by name (``"PidTagSubject"``, ``"PidLidLocation"``), or by a `NamedTag`; times are
    datetimes.  ``item.mapi`` is the IMessage below.
    """

    __slots__ = (
        "__weakref__",
        "_among",
        "_entry",
        "_folder",
        "_mapi",
        "_row",
        "store",
    )  # a slip of the pen is an error

    message_class: ClassVar[str] = "IPM"
    late: ClassVar[tuple[str, ...]] = ()  # attributes that need others: `Folder.create` sets them last

    subject = Text(pr.SUBJECT)
    topic = Text(pr.CONVERSATION_TOPIC, fixed=True, doc="the subject without RE: and FW:")
    body = Text(pr.BODY, doc="as plain text")
    kind = Text(pr.MESSAGE_CLASS, doc="the message class")
    size = Field[int](pr.MESSAGE_SIZE, fixed=True, doc="bytes")
    received = Moment(pr.MESSAGE_DELIVERY_TIME)
    sent_at = Moment(pr.CLIENT_SUBMIT_TIME)
    created = Moment(pr.CREATION_TIME, fixed=True)
    modified = Moment(pr.LAST_MODIFICATION_TIME, fixed=True)
    importance = Choice(pr.IMPORTANCE, Importance)
    sensitivity = Choice(pr.SENSITIVITY, Sensitivity)
    categories = Words(named.key("PidNameKeywords"))
    flag = Choice(pr.FLAG_STATUS, FlagStatus)
    has_attachments = fields.Flag(pr.HASATTACH, fixed=True)
    draft = Bit(pr.MESSAGE_FLAGS, derive.UNSENT, fixed=True)
    read = Mark(pr.MESSAGE_FLAGS, derive.READ, doc="set at once: it is no change of the item")
    unread = Mark(pr.MESSAGE_FLAGS, derive.READ, inverted=True)
    sender = whom.Sender()
    to, cc, bcc = whom.TO, whom.CC, whom.BCC
    attachments = whom.Parts()
    sender_name = Text(pr.SENT_REPRESENTING_NAME, doc="for listings and conditions; see `sender`")
    sender_address = Text(pr.SENT_REPRESENTING_EMAIL_ADDRESS)
    display_to = Text(pr.DISPLAY_TO, fixed=True)
    display_cc = Text(pr.DISPLAY_CC, fixed=True)
    message_id = Text(pr.INTERNET_MESSAGE_ID)
    in_reply_to = Text(pr.IN_REPLY_TO_ID)
    references = Text(pr.INTERNET_REFERENCES)
    headers = Text(pr.TRANSPORT_MESSAGE_HEADERS, fixed=True, doc="as they came")

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if "message_class" in cls.__dict__:
            KINDS.setdefault(cls.message_class.upper(), cls)
            kind_of.cache_clear()

    def __init__(
        self,
        store: Store,
        folder: EntryId,
        entry: EntryId | None,
        *,
        row: Bag | None = None,
        mapi: IMessage | None = None,
        among: tuple[Neighbours, int] | None = None,
    ) -> None:
        self.store = store
        self._among = among  # the listing, and its place there
        self._folder, self._entry = folder, entry
        self._row: Mapping[Key, Value] = row or {}  # what a listing told, until the item is opened
        self._mapi = mapi

    # --- where it is

    @property
    def mapi(self) -> IMessage:
        """The open message.  Raises MapiError(NOT_FOUND): it went away."""
        if self._mapi is None:
            item = self.store.source.load(self.entry)
            root = self.store.mapi
            self._mapi = IMessage(root, self._folder, self.entry, item, root._lock, writable=True)
            self._row = {}
        return self._mapi

    @property
    def entry(self) -> EntryId:
        """The entry id.  Raises MapiError(NOT_INITIALIZED): it was never saved."""
        if self._entry is None:
            raise MapiError(Code.NOT_INITIALIZED, "the item was not saved yet")
        return self._entry

    @property
    def id(self) -> str:
        """The entry id in hexadecimal digits, for `Store.item`."""
        return self.entry.hex()

    @property
    def folder(self) -> Folder:
        return self.store.folder_of(self._folder)

    # --- properties

    def value(self, key: Key) -> Value | None:
        """A property as MAPI has it; None for none."""
        if key in self._row:
            return self._row[key]
        if self._among is not None and self._mapi is None:
            page, at = self._among
            found = page.value(key, at)
            if found is not NotImplemented:
                return found
        bag = self.mapi._bag()
        found = bag.get(key)
        if found is None and isinstance(key, int) and key in (pr.BODY, pr.HTML, pr.RTF_COMPRESSED):
            found = bodies.synthesized(bag, key)
        return found

    def take(self, changes: Bag, gone: Collection[Key] = ()) -> None:
        """Sets and removes properties, until `save` in memory only."""
        if pr.BODY in changes or pr.HTML in changes:  # the other forms of the text follow anew
            others = {pr.BODY, pr.HTML, pr.RTF_COMPRESSED} - set(changes)
            gone = {*gone, *others}
        self.mapi._take(changes, gone)

    def __getitem__(self, key: Key | str) -> Any:
        """Raises KeyError: it has no such property, or nobody calls one so."""
        found = self.get(key)
        if found is None:
            raise KeyError(key)
        return found

    def get(self, key: Key | str, default: Any = None) -> Any:
        """Raises KeyError: nobody calls a property so."""
        tag = key_of(key)
        found = self.value(tag)
        if found is None:
            return default
        kind = tag.kind if isinstance(tag, NamedTag) else types.type_of(tag)
        return fields.moment(found) if kind == types.TIME else found

    def __setitem__(self, key: Key | str, value: Any) -> None:
        """Raises KeyError: nobody calls a property so; TypeError: it has values of another type."""
        tag = key_of(key)
        self.take({tag: fields.checked(key if isinstance(key, str) else "", tag, value)})

    def __delitem__(self, key: Key | str) -> None:
        self.take({}, (key_of(key),))

    def __contains__(self, key: Key | str) -> bool:
        """Raises KeyError: nobody calls a property so."""
        return self.value(key_of(key)) is not None

    def __iter__(self) -> Iterator[Key]:
        """The keys of its properties."""
        return iter(self.props())

    keys = __iter__

    def props(self) -> dict[Key, Value]:
        """All of them."""
        return dict(self.mapi._bag())

    @property
    def html(self) -> str | None:
        """The text as HTML; made of the plain one where only that is there."""
        raw = self.value(pr.HTML)
        if raw is None:
            return None
        return codepages.decode(raw, self.value(pr.INTERNET_CPID))

    @html.setter
    def html(self, text: str) -> None:
        self.take({pr.HTML: text.encode("utf-8"), pr.INTERNET_CPID: UTF8_PAGE})

    def attach(self, held: Held) -> Attachment:
        """Adds an attachment as it is; see `Attachments.add`."""
        with self.store.session.errors():
            number, opened = self.mapi.CreateAttach()
            opened._one = held
            opened.SaveChanges()
        return Attachment(self, number, self.mapi._attachments[number])

    # --- people

    def recipients(self, kind: int | None = None) -> list[Person]:
        """All, or those of a kind: 1 To, 2 Cc, 3 Bcc."""
        return [
            Person.read(bag)
            for bag in self.mapi._item.recipients
            if kind is None or bag.get(pr.RECIPIENT_TYPE, derive.TO) & 0xF == kind
        ]

    def set_recipients(self, kind: int, who: Given) -> None:
        """In place of all of this kind.  Names are looked up (`Session.people`)."""
        found = dict.fromkeys(self.store.session.people(who))
        known: dict[Person, Bag] = {}
        others = []
        for bag in self.mapi._item.recipients:
            if bag.get(pr.RECIPIENT_TYPE, derive.TO) & 0xF == kind:
                known[Person.read(bag)] = bag
            else:
                others.append(bag)
        bags = [{**known.get(one, {}), **one.bag(), pr.RECIPIENT_TYPE: kind} for one in found]
        self.mapi._add_recipients([*others, *bags], keep=False)
        self.mapi._changed, self.mapi._row = True, None
        self.mapi._item.recipients.sort(key=lambda bag: bag.get(pr.RECIPIENT_TYPE, derive.TO) & 0xF)

    def mark(self, *, read: bool) -> None:
        """As read or unread, at once."""
        if self._entry is not None:
            self.store.source.mark_read([self._entry], read)
        flags = Item.read.changed(self, on=read)
        if self._entry is None:
            self.take({pr.MESSAGE_FLAGS: flags})
        elif self._mapi is not None:
            self._mapi._item.props[pr.MESSAGE_FLAGS] = flags
            self._mapi._row = None
        else:
            self._row = {**self._row, pr.MESSAGE_FLAGS: flags}

    # --- life

    def save(self: Self, *, force: bool = False) -> Self:
        """Keeps what was set.

        Raises MapiError(OBJECT_CHANGED): somebody saved another version since this one was read; with
        ``force`` ours counts.
        """
        self.before_save()
        flags = consts.KEEP_OPEN_READWRITE | (consts.FORCE_SAVE if force else 0)
        with self.store.session.errors():
            self.mapi.SaveChanges(flags)
        self._entry = self.mapi._entry
        return self

    def before_save(self) -> None:
        """What a kind of item has to put in order first."""

    def refresh(self: Self) -> Self:
        """Forgets what was set, and reads anew."""
        if self._entry is not None:
            self._mapi, self._row, self._among = None, {}, None
        return self

    def delete(self, *, hard: bool = False) -> None:
        """Into the folder of deleted items; for good with ``hard``, or where it lies there already."""
        bin_ = self.store.special(Special.DELETED)
        if hard or bin_ is None or bin_ == self._folder:
            self.store.source.delete([self.entry], hard=hard)
        else:
            self.move(self.store.folder_of(bin_))

    def move(self, target: Folder) -> Item:
        """The item in another folder, of this store or another."""
        return target.bring(self, keep=False)

    def copy(self, target: Folder) -> Item:
        return target.bring(self, keep=True)

    def send(self) -> None:
        """Sends it; the copy is then among what was sent, and this is read only.

        Raises MapiError(NO_RECIPIENTS, NOT_SUPPORTED, SEND_AS_DENIED and what the transport says).
        """
        self.before_save()
        if self.value(pr.SENTMAIL_ENTRYID) is None and not self.get(pr.DELETE_AFTER_SUBMIT):
            sent = places.sent(self.store.source, self.store.mapi.hub)
            if sent is not None:
                self.take({pr.SENTMAIL_ENTRYID: sent})
        with self.store.session.errors():
            self.mapi.SubmitMessage()

    # --- other forms

    def values(self) -> Values:
        """The item as a value: properties, recipients, attachments."""
        return self.mapi.contents()

    def eml(self) -> bytes:
        """As a MIME message: the one that came, where the system keeps it and nothing was set since."""
        if self._entry is not None and (self._mapi is None or not self._mapi._changed):
            came = self.store.source.mime(self._entry)
            if came is not None:
                return came if isinstance(came, bytes) else came.read(0, came.size)
        return b"".join(convert.to_mime(self.values()))

    def ics(self) -> bytes:
        """As iCalendar.  Raises MapiError(NOT_SUPPORTED): it is neither a date nor a task."""
        raise MapiError(Code.NOT_SUPPORTED, f"a {type(self).__name__} is neither a date nor a task")

    def vcf(self) -> bytes:
        """As a vCard.  Raises MapiError(NOT_SUPPORTED): it is no contact and no group."""
        raise MapiError(Code.NOT_SUPPORTED, f"a {type(self).__name__} is no contact and no group")

    def msg(self) -> bytes:
        """As a .msg file (MS-OXMSG)."""
        return msgfile.write(self.values())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.subject or '(no subject)'!r}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Item) or self._entry is None:
            return self is other
        return self._entry == other._entry

    def __hash__(self) -> int:
        return hash(self._entry) if self._entry is not None else id(self)


class Message(Item):
    """A letter."""

    __slots__ = ("_answers",)
    _answers: tuple[Item, int]  # what it answers and how; only of an answer

    message_class = "IPM.Note"

    read_receipt = fields.Flag(pr.READ_RECEIPT_REQUESTED, doc="the sender wants to hear that it was read")

    def reply(self, text: str = "", *, everybody: bool = False) -> Message:
        """An answer as a new, unsaved message; send it by `send`."""
        answer = self._follow("RE: ", text, _REPLIED_ALL if everybody else _REPLIED)
        sender = self.sender
        me = self.store.session.me
        answer.to = [sender] if sender else []
        if everybody:
            answer.cc = [one for one in (*self.to, *self.cc) if one not in (me, sender)]
        return answer

    def forward(self, to: Given, text: str = "") -> Message:
        """The whole message, attachments too, for somebody else; a new, unsaved message."""
        made = self._follow("FW: ", text, _FORWARDED)
        made.to = to
        for one in self.values().attachments:
            made.attach(Held(dict(one.props), one.data, one.item))
        return made

    def _follow(self, prefix: str, text: str, verb: int) -> Message:
        made = self.store.new(Message)
        normal = self.get(pr.NORMALIZED_SUBJECT) or self.subject or ""
        made.subject = f"{prefix}{normal}"
        made.body = f"{text}\r\n\r\n{self._quoted()}" if text else f"\r\n\r\n{self._quoted()}"
        if self.message_id:
            made.in_reply_to = self.message_id
            made.references = " ".join([*(self.references or "").split(), self.message_id])
        made._answers = self, verb
        return made

    def _quoted(self) -> str:
        sender = self.sender
        at = self.sent_at or self.received
        head = f"{sender or 'Somebody'} wrote{f' on {at:%Y-%m-%d %H:%M}' if at else ''}:"
        body = (self.body or "").replace("\r\n", "\n").rstrip("\n")
        return "\r\n".join([head, *[f"> {line}" for line in body.split("\n")], ""])

    def send(self) -> None:
        super().send()
        if hasattr(self, "_answers"):
            original, verb = self._answers
            try:
                now = fields.filetime(datetime.datetime.now(datetime.UTC))
                original.take({pr.LAST_VERB_EXECUTED: verb, pr.LAST_VERB_EXECUTION_TIME: now})
                original.save()
            except MapiError as error:  # its folder may be somebody else's
                if error.code not in (Code.NOT_SUPPORTED, Code.ACCESS_DENIED, Code.NOT_FOUND):
                    raise


class Post(Message):
    """What is written into a folder for all who read there: an article in a newsgroup."""

    __slots__ = ()

    message_class = "IPM.Post"

    def post(self) -> None:
        """Puts it where it belongs: kept in a folder, posted to a newsgroup of a news server."""
        self.folder.publish(self)


class Report(Item):
    """A delivery report or a receipt."""

    __slots__ = ()

    message_class = "REPORT"

    text = Text(pr.REPORT_TEXT)


KINDS["IPM"] = Item


def key_of(key: Key | str) -> Key:
    """What stands for a property.  Raises KeyError: nobody calls one so."""
    if not isinstance(key, str):
        return key
    try:
        return named.key(key)
    except KeyError:
        return tags.tag(key)
