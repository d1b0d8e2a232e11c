"""People: address fields as recipients, senders and reply lists, and back (MS-OXCMAIL 2.1.3.1, 2.2.3.1).

Everybody gets a one-off entry id; who knows an address book may put a better one in its place.  An address of
another kind than SMTP is encapsulated (IMCEA), so that an answer finds its way back.
"""

from __future__ import annotations

import re
from functools import lru_cache

from quintet.errors import BadSyntax
from quintet.mapi import entrylists, ids
from quintet.mapi.bag import Bag
from quintet.mapi.convert import names
from quintet.mapi.convert.names import Sender
from quintet.message import words
from quintet.message.addresses import Address, Group, mailboxes, parse_addresses

MAX_PEOPLE = 1000  # named by one Reply-To
MAX_TEXT = 500  # characters of a name or an address that are kept; a line of a header holds 998
ELSEWHERE = "imcea.invalid"  # the domain of encapsulated addresses: no host has it (RFC 2606 2)
_MAIL = ("", "SMTP", "ZARAFA")  # kinds whose addresses are those of mail; Kopano's programs say the last

_ONE_OFF_FLAGS = ids.UNICODE | ids.NO_LOOKUP | ids.NO_RICH
_MAIL_USER = 6  # PidTagObjectType
_PLAIN_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
_KEPT = re.compile(r"[^A-Za-z0-9/=-]")
_ESCAPED = re.compile(r"\+([0-9A-Fa-f]{2})")


def clean(text: str) -> str:
    return _CONTROLS.sub(" ", text).strip()[:MAX_TEXT] if text else ""


def person(one: Address) -> tuple[str, str, str]:
    """The name, the kind of address ("SMTP") and the address of a mailbox."""
    address = clean(one.spec)
    name = clean(words.decode_words(one.name)) if one.name else ""
    kind = "SMTP"
    if address.endswith("@" + ELSEWHERE):
        kind, address = _unwrapped(address)
    return name or address, kind, address


@lru_cache(maxsize=2048)
def one_off(name: str, kind: str, address: str) -> bytes:
    """A one-off entry id (MS-OXCDATA 2.2.5.1)."""
    return ids.write(ids.OneOffEntry(_ONE_OFF_FLAGS, name, kind, address))


@lru_cache(maxsize=2048)
def search_key(kind: str, address: str) -> bytes:
    """``SMTP:ZOE@EXAMPLE.ORG`` and a NUL: equal for equal addresses (MS-OXCPRPT 2.2.1.9)."""
    return f"{kind}:{address}".upper().encode("utf-8", "replace") + b"\0"


# --- from MIME --------------------------------------------------------------------------------------------


def rows(raw: bytes, recipient_type: int, room: int) -> list[Bag]:
    """The recipient rows of one field, at most ``room``."""
    return [row(person(one), recipient_type) for one in mailboxes(raw)[:room]]


def row(who: tuple[str, str, str], recipient_type: int) -> Bag:
    """The recipient row of a name, a kind of address and an address."""
    name, kind, address = who
    found: Bag = {
        names.RECIPIENT_TYPE: recipient_type,
        names.OBJECT_TYPE: _MAIL_USER,
        names.DISPLAY_TYPE: 0,
        names.DISPLAY_NAME: name,
        names.TRANSMITTABLE_NAME: name,
        names.ADDRESS_TYPE: kind,
        names.EMAIL_ADDRESS: address,
        names.ENTRY_ID: one_off(name, kind, address),
        names.SEARCH_KEY: search_key(kind, address),
    }
    if kind == "SMTP":
        found[names.SMTP_ADDRESS] = address
    return found


def put_sender(bag: Bag, tags: Sender, one: Address) -> None:
    """Say in ``bag`` who the sender is, or whom they represent."""
    name, kind, address = person(one)
    bag[tags.name] = name
    bag[tags.kind] = kind
    bag[tags.email] = address
    bag[tags.entry] = one_off(name, kind, address)
    bag[tags.search] = search_key(kind, address)
    if kind == "SMTP":
        bag[tags.smtp] = address


def put_reply_to(bag: Bag, raw: bytes) -> None:
    """PidTagReplyRecipientEntries and their names (MS-OXCMAIL 2.2.3.1)."""
    people = [person(one) for one in mailboxes(raw)[:MAX_PEOPLE]]
    if people:
        bag[names.REPLY_ENTRIES] = entrylists.write_flat_list([one_off(*one) for one in people])
        bag[names.REPLY_NAMES] = ";".join(name for name, _, _ in people)


# --- to MIME ----------------------------------------------------------------------------------------------


def recipients(bags: list[Bag], recipient_type: int) -> str:
    """The value of To, Cc or Bcc; "" for nobody."""
    # the upper bits tell how sending went (MS-OXOMSG 2.2.3.1.1)
    wanted = [bag for bag in bags if (bag.get(names.RECIPIENT_TYPE, names.TO) & 0x0F) == recipient_type]
    return ", ".join([text for bag in wanted if (text := _recipient(bag))])


def _recipient(bag: Bag) -> str:
    smtp = bag.get(names.SMTP_ADDRESS)
    return mailbox(
        bag.get(names.DISPLAY_NAME, ""),
        "SMTP" if smtp else bag.get(names.ADDRESS_TYPE, "SMTP"),
        smtp or bag.get(names.EMAIL_ADDRESS, ""),
        bag.get(names.ENTRY_ID),
    )


def sender(bag: Bag, tags: Sender) -> str:
    """The value of From or Sender; "" where nobody is named."""
    smtp = bag.get(tags.smtp)
    return mailbox(
        bag.get(tags.name, ""),
        "SMTP" if smtp else bag.get(tags.kind, "SMTP"),
        smtp or bag.get(tags.email, ""),
        bag.get(tags.entry),
    )


def reply_to(bag: Bag) -> str:
    """The value of Reply-To; of entries that are no one-off ones nothing is known here."""
    try:
        entries = entrylists.read_flat_list(bag.get(names.REPLY_ENTRIES, b""))
    except BadSyntax:
        return ""
    return ", ".join([text for one in entries if (text := mailbox("", "SMTP", "", one))])


def mailbox(name: object, kind: object, address: object, entry: object = None) -> str:
    """One mailbox as a header says it, not yet encoded; a name alone becomes an empty group."""
    texts = [clean(one) if isinstance(one, str) else "" for one in (name, kind, address)]
    shown, how, spec = texts
    if not spec and isinstance(entry, bytes):
        shown, how, spec = _of_entry(entry, shown, how)
    if not spec:
        return f"{_phrase(shown)}:;" if shown else ""
    if "@" not in spec or how.upper() not in _MAIL or _unsafe(spec):
        spec = _wrapped(how or "SMTP", spec)
    return spec if shown in ("", spec) else f"{_phrase(shown)} <{spec}>"


def _of_entry(entry: bytes, name: str, kind: str) -> tuple[str, str, str]:
    try:
        found = ids.read(entry)
    except BadSyntax:
        return name, kind, ""
    if not isinstance(found, ids.OneOffEntry):
        return name, kind, ""
    return name or clean(found.name), clean(found.kind), clean(found.address)


def _phrase(name: str) -> str:
    if _PLAIN_NAME.fullmatch(name):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _unsafe(spec: str) -> bool:
    """Whether it reads back as anything else than itself."""
    found = parse_addresses(f"<{spec}>".encode("utf-8", "replace"))
    return len(found) != 1 or isinstance(found[0], Group) or found[0].spec != spec or not found[0].host


def _wrapped(kind: str, address: str) -> str:
    """The IMCEA encapsulation of an address (MS-OXCMAIL 2.1.3.1)."""
    kind = re.sub(r"[^A-Za-z0-9]", "", kind)
    coded = _KEPT.sub(lambda one: "".join(f"+{byte:02X}" for byte in one.group().encode("utf-8")), address)
    return f"IMCEA{kind}-{coded.replace('/', '_')}@{ELSEWHERE}"


def _unwrapped(spec: str) -> tuple[str, str]:
    """Kind and address of an encapsulation; of anything else "SMTP" and itself."""
    head, dash, coded = spec.removesuffix("@" + ELSEWHERE).partition("-")
    kind = head.removeprefix("IMCEA")
    if kind == head or not dash or not (kind.isascii() and kind.isalnum()):
        return "SMTP", spec
    raw = _ESCAPED.sub(lambda one: chr(int(one.group(1), 16)), coded.replace("_", "/"))
    address = clean(raw.encode("latin-1", "replace").decode("utf-8", "replace"))
    return "SMTP" if "@" in address and kind.upper() in _MAIL else kind, address
