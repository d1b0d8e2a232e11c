"""The header of a letter as properties of a message, and back (MS-OXCMAIL 2.1.3.1-2, 2.2.3.1-2)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from quintet.mapi import subjects, types
from quintet.mapi.bag import Bag, Item
from quintet.mapi.convert import addressing, contentclass, fields, languages, names, reports
from quintet.message import build, dates, words
from quintet.message.addresses import mailboxes
from quintet.message.digest import Fields

MAX_RECIPIENTS = 10_000  # rows of one letter; what is beyond stays in its header only
MAX_TRANSPORT = 256 * 1024  # bytes of the header that PidTagTransportMessageHeaders shows

_RECIPIENTS = {b"to": names.TO, b"cc": names.CC, b"bcc": names.BCC}
NOTE, POST = "IPM.Note", "IPM.Post"
FLAGGED = 2  # PidTagFlagStatus (MS-OXOFLAG 2.2.1.1)


# --- from MIME --------------------------------------------------------------------------------------------


def read(headers: Fields, item: Item) -> None:
    """Put what a header says into ``item``."""
    bag = item.props
    bag[names.MESSAGE_CLASS] = NOTE
    fields.read(headers, bag)
    firsts: dict[bytes, bytes] = {}
    for name, raw in headers:
        if (known := _known(name)) is None:
            continue
        kind = _RECIPIENTS.get(known)
        if kind is not None:
            item.recipients += addressing.rows(raw, kind, MAX_RECIPIENTS - len(item.recipients))
        elif known not in firsts:
            firsts[known] = raw
    for known, put in _READERS.items():
        if known in firsts:
            put(bag, firsts[known])
    _read_people(firsts, bag)
    put_subject(bag, words.decode_words(firsts[b"subject"]) if b"subject" in firsts else "")
    if names.NEWSGROUPS in bag and not item.recipients:
        bag[names.MESSAGE_CLASS] = POST
    elif b"subject" in firsts and names.CONVERSATION_TOPIC not in bag:  # 2.2.3.2.7: a post's is its header's
        bag[names.CONVERSATION_TOPIC] = bag[names.NORMALIZED_SUBJECT]
    if names.FLAG_REQUEST in bag:
        bag[names.FLAG_STATUS] = FLAGGED
    for tag, usual in ((names.IMPORTANCE, 1), (names.PRIORITY, 0), (names.SENSITIVITY, 0)):
        bag.setdefault(tag, usual)


def _read_people(firsts: dict[bytes, bytes], bag: Bag) -> None:
    """From and Sender; who is named alone is both (MS-OXCMAIL 2.2.3.1)."""
    authors = mailboxes(firsts.get(b"from", b""))
    senders = mailboxes(firsts.get(b"sender", b"")) or authors
    authors = authors or senders
    if authors:
        addressing.put_sender(bag, names.REPRESENTING, authors[0])
        addressing.put_sender(bag, names.SENDER, senders[0])


def put_subject(bag: Bag, subject: str) -> None:
    """The subject as it is, its prefix, and what is left without it (MS-OXCMAIL 2.2.3.2.6.1)."""
    subject = subjects.plain(subject)
    bag[names.SUBJECT] = subject
    bag[names.SUBJECT_PREFIX], bag[names.NORMALIZED_SUBJECT] = subjects.parts(subject)


def _read_receipt(bag: Bag, raw: bytes) -> None:
    """MS-OXCMAIL 2.2.3.1: who wants to hear that the letter was read, or was not."""
    people = mailboxes(raw)
    if people:
        bag[names.READ_RECEIPT] = bag[names.NON_READ_RECEIPT] = True
        addressing.put_sender(bag, names.READ_RECEIPT_TO, people[0])


def _read_return(bag: Bag, raw: bytes) -> None:
    if mailboxes(raw):
        bag[names.DELIVERY_REPORT] = True


def _read_content_id(bag: Bag, raw: bytes) -> None:
    bag[names.BODY_CONTENT_ID] = unbracketed(raw)


def _read_content_location(bag: Bag, raw: bytes) -> None:
    bag[names.BODY_CONTENT_LOCATION] = fields.text(raw)


def _read_languages(bag: Bag, raw: bytes) -> None:
    """The first of them has a property; the field itself is kept if it says more than that."""
    said = fields.text(raw).strip()
    number = languages.number(said)
    if number is not None:
        bag[names.MESSAGE_LOCALE] = number
        if languages.tag(number) == said:
            bag.pop(names.LANGUAGES, None)


_READERS: dict[bytes, Callable[[Bag, bytes], None]] = {
    b"reply-to": addressing.put_reply_to,
    b"disposition-notification-to": _read_receipt,
    b"return-receipt-to": _read_return,
    b"content-language": _read_languages,
    b"content-id": _read_content_id,  # 2.2.3.2.24
    b"content-location": _read_content_location,  # 2.2.3.2.26
}


@lru_cache(maxsize=2048)
def _known(name: bytes) -> bytes | None:
    """A field's name in lower case, if it is one of those that are read here."""
    lower = name.lower()
    return lower if lower in _RECIPIENTS or lower in _READERS or lower in _FIRSTS else None


_FIRSTS = (b"from", b"sender", b"subject")


def unbracketed(raw: bytes) -> str:
    """A content id without its angle brackets."""
    return fields.text(raw).strip().removeprefix("<").removesuffix(">")


def delivered(headers: Fields) -> int | None:
    """When the last server before us says that it took the letter, as a FILETIME."""
    for name, raw in headers:
        if name.lower() == b"received":
            at = dates.parse_date(raw.rpartition(b";")[2].strip())
            return None if at is None else types.of_ms(at)
    return None


# --- to MIME ----------------------------------------------------------------------------------------------


def write(item: Item, *, bcc: bool) -> list[tuple[str, str]]:
    """Names and values of the fields that say what ``item`` says; encoding them is `build.header`'s."""
    bag = item.props
    found: list[tuple[str, str]] = []
    author = addressing.sender(bag, names.REPRESENTING)
    sender = addressing.sender(bag, names.SENDER)
    found.append(("From", author or sender))
    if author and sender and _differ(bag):
        found.append(("Sender", sender))
    found.append(("Reply-To", addressing.reply_to(bag)))
    if reports.report_type(bag) == reports.OF_DELIVERY:
        found.append(("To", addressing.sender(bag, reports.ORIGINAL_SENDER)))
    else:
        found.append(("To", addressing.recipients(item.recipients, names.TO)))
        found.append(("Cc", addressing.recipients(item.recipients, names.CC)))
        if bcc:
            found.append(("Bcc", addressing.recipients(item.recipients, names.BCC)))
    found.append(("Subject", subject(bag)))
    found.append(("Content-Class", contentclass.of(item) or ""))
    found += fields.write(bag) + _languages(bag)
    # 2.1.3.1.4-5: who is named for it, else the sender
    wanted = addressing.sender(bag, names.READ_RECEIPT_TO) or sender or author
    if bag.get(names.READ_RECEIPT) or bag.get(names.NON_READ_RECEIPT):
        found.append(("Disposition-Notification-To", wanted))
    if bag.get(names.DELIVERY_REPORT):
        found.append(("Return-Receipt-To", wanted))
    return [(name, value) for name, value in found if value]


def _languages(bag: Bag) -> list[tuple[str, str]]:
    """Content-Language of the number, where the field is not kept as it was."""
    number = bag.get(names.MESSAGE_LOCALE)
    if not isinstance(number, int) or bag.get(names.LANGUAGES):
        return []
    return [("Content-Language", languages.tag(number) or "")]


def _differ(bag: Bag) -> bool:
    """Whether somebody writes for somebody else; another name for the same address is nobody else."""
    one, other = (bag.get(who.smtp) or bag.get(who.email) or "" for who in (names.SENDER, names.REPRESENTING))
    return str(one).lower() != str(other).lower()


def subject(bag: Bag) -> str:
    """The whole subject; a client may have set its pieces only (MS-OXCMSG 2.2.1.46)."""
    whole = bag.get(names.SUBJECT)
    if not isinstance(whole, str):
        whole = f"{bag.get(names.SUBJECT_PREFIX, '')}{bag.get(names.NORMALIZED_SUBJECT, '')}"
    return whole


def encoded(found: list[tuple[str, str]]) -> bytes:
    """The fields as bytes."""
    return b"".join([build.header(name, value) for name, value in found])
