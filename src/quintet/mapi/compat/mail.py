"""inetmapi and icalmapi: letters, calendars and cards into open messages, and out of them.

Charsets and time zones are told by what is read, so what programs say of them besides is taken and not
needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from quintet.errors import Problem
from quintet.mapi import consts, convert, pr, types
from quintet.mapi.bag import Item
from quintet.mapi.convert import calendars, caltasks, calwrite, cards
from quintet.mapi.convert import calkeys as keys
from quintet.mapi.core.errors import fail
from quintet.mapi.core.message import IMessage
from quintet.mapi.core.values import now
from quintet.mapi.globalid import GlobalId
from quintet.message import render, scan

VEVENT, VTODO, VJOURNAL = 0, 1, 2
IC2M_NO_RECIPIENTS, IC2M_APPEND_ONLY, IC2M_NO_ORGANIZER = 1, 2, 4
M2IC_CENSOR_PRIVATE, M2IC_NO_VTIMEZONE = 1, 2
_SENDER = (
    pr.SENDER_NAME, pr.SENDER_EMAIL_ADDRESS, pr.SENDER_ADDRTYPE, pr.SENDER_ENTRYID, pr.SENDER_SEARCH_KEY,
    pr.SENT_REPRESENTING_NAME, pr.SENT_REPRESENTING_EMAIL_ADDRESS, pr.SENT_REPRESENTING_ADDRTYPE,
    pr.SENT_REPRESENTING_ENTRYID, pr.SENT_REPRESENTING_SEARCH_KEY,
)  # fmt: skip

_TIMES = (
    pr.MESSAGE_CLASS, pr.SENSITIVITY, keys.START, keys.END, keys.WHOLE_DAY, keys.BUSY, keys.GLOBAL_ID,
    keys.CLEAN_ID, keys.RECUR, keys.RECURRING,
)  # fmt: skip


# --- letters ------------------------------------------------------------------------------------------------


@dataclass
class sending_options:
    """How a letter is written; here ``use_tnef`` and ``headers_only`` count."""

    alternate_boundary: str | None = None
    no_recipients_workaround: bool = False
    msg_in_msg: bool = False
    headers_only: bool = False
    add_received_date: bool = False
    use_tnef: int = 0
    charset_upgrade: str = "windows-1252"
    allow_send_to_everyone: bool = True
    enable_dsn: bool = True


@dataclass
class delivery_options:
    """How a letter is taken; here ``use_received_date`` and ``mark_as_read`` count."""

    use_received_date: bool = True
    mark_as_read: bool = False
    add_imap_data: bool = False
    parse_smime_signed: bool = False
    ascii_upgrade: str | None = None
    header_strict_rfc: bool = False


def IMToMAPI(
    session: object,
    store: object,
    book: object,
    message: IMessage,
    letter: bytes | str,
    options: delivery_options,
) -> None:
    """Makes an open message what a letter is; it still has to be saved."""
    item = convert.from_mime(letter.encode("utf-8", "surrogateescape") if isinstance(letter, str) else letter)
    flags = item.props.get(pr.MESSAGE_FLAGS) or 0
    item.props[pr.MESSAGE_FLAGS] = flags & ~1 | int(options.mark_as_read)
    if not options.use_received_date or pr.MESSAGE_DELIVERY_TIME not in item.props:
        item.props[pr.MESSAGE_DELIVERY_TIME] = now().filetime
    message.fill(item)


def IMToINet(session: object, book: object, message: IMessage, options: sending_options) -> bytes:
    """The letter that an open message is, the one that came where its system keeps that.

    Raises MAPIErrorCorruptData: messages nested too deeply.
    """
    store, entry = message._store, message._entry
    came = None if store is None or entry is None or message._changed else store.source.mime(entry)
    try:
        whole = (
            b"".join(convert.to_mime(message.contents(), tnef=options.use_tnef > 0))
            if came is None
            else came
            if isinstance(came, bytes)
            else came.read(0, came.size)
        )
    except Problem as error:
        raise fail("MAPI_E_CORRUPT_DATA", error.text) from error
    return whole.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if options.headers_only else whole


def createIMAPProperties(letter: bytes | str) -> tuple[bytes, bytes, bytes]:
    """ENVELOPE, BODY and BODYSTRUCTURE of a letter (RFC 9051 7.5.2), as such programs keep them beside it."""
    raw = letter.encode("utf-8", "surrogateescape") if isinstance(letter, str) else letter
    shown = render.everything(scan.scan(raw))
    return shown.envelope, shown.body, shown.bodystructure


# --- calendars ----------------------------------------------------------------------------------------------


def _read(read: Any, raw: bytes | str) -> list[Item]:
    try:
        found: list[Item] = read(raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw)
    except Problem as error:
        raise fail("MAPI_E_CORRUPT_DATA", error.text) from error
    return found


class ICalToMapi:
    """What CreateICalToMapi gives."""

    def __init__(self, no_recipients: bool) -> None:
        self._items: list[Item] = []
        self._no_recipients = no_recipients

    def ParseICal(
        self, raw: bytes | str, charset: str = "", zone: str = "", user: object = None, flags: int = 0
    ) -> None:
        """Reads a calendar in place of what was read before.  Raises MAPIErrorCorruptData."""
        self._items = _read(calendars.read, raw)

    def GetItemCount(self) -> int:
        return len(self._items)

    def _at(self, place: int) -> Item:
        if not 0 <= place < len(self._items):
            raise fail("MAPI_E_INVALID_PARAMETER", "no such item")
        return self._items[place]

    def GetItemInfo(self, place: int) -> tuple[int, int, bytes]:
        """Its kind (VEVENT...), when it was changed last (seconds since 1970; 0: nobody said), its UID."""
        bag = self._at(place).props
        kind = VTODO if caltasks.is_task(bag) else VEVENT
        changed = bag.get(pr.LAST_MODIFICATION_TIME)
        raw = bag.get(keys.GLOBAL_ID)
        uid = GlobalId.read(raw).uid().encode("utf-8") if isinstance(raw, bytes) else b""
        return kind, 0 if changed is None else types.to_ms(changed) // 1000, uid

    def GetItem(self, place: int, flags: int, message: IMessage) -> None:
        """Makes an open message the item; IC2M_NO_RECIPIENTS, IC2M_NO_ORGANIZER leave people out."""
        found = self._at(place)
        item = Item(dict(found.props), list(found.recipients), list(found.attachments))
        if self._no_recipients or flags & IC2M_NO_RECIPIENTS:
            item.recipients = []
        if flags & IC2M_NO_ORGANIZER:
            item.props = {key: value for key, value in item.props.items() if key not in _SENDER}
        message.fill(item)


class MapiToICal:
    """What CreateMapiToICal gives."""

    def __init__(self) -> None:
        self._items: list[Item] = []

    def AddMessage(self, message: IMessage, zone: str = "", flags: int = 0) -> None:
        """With M2IC_CENSOR_PRIVATE what is private tells its times only.

        Raises MAPIErrorTypeNoSupport: it is neither a date nor a task.
        """
        item = message.contents()
        if not caltasks.is_task(item.props) and calwrite.method_of(item.props) is None:
            raise fail("MAPI_E_TYPE_NO_SUPPORT", "neither a date nor a task")
        if flags & M2IC_CENSOR_PRIVATE and item.props.get(pr.SENSITIVITY) == consts.SENSITIVITY_PRIVATE:
            kept = {key: item.props[key] for key in _TIMES if key in item.props}
            item = Item({**kept, pr.SUBJECT: "Private"})
        self._items.append(item)

    def Finalize(self, flags: int = 0) -> tuple[bytes, bytes]:
        """The method and the calendar, with the rules of its zones even where M2IC_NO_VTIMEZONE is said."""
        text = calendars.write(self._items)
        method = next((line[7:] for line in text.split("\r\n") if line.startswith("METHOD:")), "PUBLISH")
        return method.encode("ascii"), text.encode("utf-8")

    def ResetObject(self) -> None:
        self._items = []


def CreateICalToMapi(of: object, book: object, no_recipients: bool = False) -> ICalToMapi:
    return ICalToMapi(no_recipients)


def CreateMapiToICal(book: object, charset: str = "utf-8") -> MapiToICal:
    return MapiToICal()


# --- cards --------------------------------------------------------------------------------------------------


class vcftomapi:
    """What create_vcftomapi gives."""

    def __init__(self) -> None:
        self._items: list[Item] = []

    def parse_vcf(self, raw: bytes | str) -> None:
        """Raises MAPIErrorCorruptData."""
        self._items = _read(cards.read, raw)

    def get_item(self, message: IMessage) -> None:
        """Makes an open message the first card.  Raises MAPIErrorInvalidObject: there is none."""
        if not self._items:
            raise fail("MAPI_E_INVALID_OBJECT", "no card was read")
        message.fill(self._items[0])


class mapitovcf:
    """What create_mapitovcf gives."""

    def __init__(self) -> None:
        self._items: list[Item] = []

    def add_message(self, message: IMessage) -> None:
        self._items.append(message.contents())

    def finalize(self) -> bytes:
        return cards.write(self._items).encode("utf-8")


def create_vcftomapi(of: object) -> vcftomapi:
    return vcftomapi()


def create_mapitovcf() -> mapitovcf:
    return mapitovcf()


def inetmapi() -> dict[str, Any]:
    """What the module of that name exports."""
    exported = (sending_options, delivery_options, IMToMAPI, IMToINet, createIMAPProperties)
    return {each.__name__: each for each in exported}


def icalmapi() -> dict[str, Any]:
    """The same of the other."""
    makers = (CreateICalToMapi, CreateMapiToICal, create_vcftomapi, create_mapitovcf)
    flags = ("VEVENT", "VTODO", "VJOURNAL", "IC2M_NO_RECIPIENTS", "IC2M_APPEND_ONLY", "IC2M_NO_ORGANIZER",
             "M2IC_CENSOR_PRIVATE", "M2IC_NO_VTIMEZONE")  # fmt: skip
    return {name: globals()[name] for name in flags} | {
        each.__name__: each for each in (ICalToMapi, MapiToICal, vcftomapi, mapitovcf, *makers)
    }
