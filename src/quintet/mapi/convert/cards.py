"""Cards: vCard as contacts and distribution lists, and back (MS-OXVCARD 2.1.3; RFC 2426, RFC 6350).

Versions 2.1, 3.0 and 4.0 are read.  Contacts are written as 3.0, which every reader takes; groups as 4.0, the
first version that has them.
"""

from __future__ import annotations

import binascii
import datetime
from collections.abc import Iterable

from quintet.errors import BadSyntax
from quintet.mapi import codepages, ids
from quintet.mapi.bag import Attachment, Bag, Data, Item, Key
from quintet.mapi.convert import addressing, bodies, cardkeys, envelope, names
from quintet.mapi.convert.caltimes import filetime, moment
from quintet.mapi.convert.contentlines import (
    Component,
    Line,
    escaped,
    escaped_list,
    parse,
    unescaped,
    written,
)
from quintet.message import transfer

MAX_CARDS = 10_000  # of one text
MAX_PART = 5000  # lines of a card in a letter
MAX_PHOTO = 1024 * 1024  # bytes
MAX_MEMBERS = 5000  # of a distribution list

# each number once, with most of its types
_NUMBERS = tuple({row.key: row for row in reversed(cardkeys.TELEPHONES)}.values())[::-1]
_DATE_FORMS = ("%Y-%m-%d", "%Y%m%d")
_CLASSES = {"PUBLIC": 0, "PRIVATE": 2, "CONFIDENTIAL": 3}
_IMAGES = {"JPEG": "image/jpeg", "JPG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif"}


# --- reading ----------------------------------------------------------------------------------------------


def read(text: str) -> list[Item]:
    """The contacts and distribution lists of a text, at most `MAX_CARDS`.

    Raises BadSyntax: too long, or nested too deeply.
    """
    cards = [one for one in parse(text) if one.name == "VCARD"][:MAX_CARDS]
    items = []
    for card in cards:
        item = Item({names.IMPORTANCE: 1, names.PRIORITY: 0, names.SENSITIVITY: 0})
        _read(card, item)
        items.append(item)
    return items


def read_part(text: str, item: Item) -> bool:
    """Make a letter the contact that its card is; False: it is none, or several."""
    try:
        cards = [one for one in parse(text, most=MAX_PART) if one.name == "VCARD"]
    except BadSyntax:
        return False
    if len(cards) != 1:
        return False
    _read(cards[0], item)
    return True


def _read(card: Component, item: Item) -> None:
    kind = card.text("KIND") or card.text("X-ADDRESSBOOKSERVER-KIND") or ""
    if kind.strip().lower() == "group":
        _read_group(card, item.props)
        return
    bag = item.props
    bag[names.MESSAGE_CLASS] = cardkeys.CONTACT
    _read_name(card, bag)
    for name, key in cardkeys.TEXTS.items():
        if (text := card.text(name)) is not None and text.strip():
            bag[key] = text
    _read_organization(card, bag)
    _read_emails(card, bag)
    _read_telephones(card, bag)
    _read_addresses(card, bag)
    _read_pages(card, bag)
    _read_dates(card, bag)
    _read_rest(card, bag)
    _read_photo(card, item)


def _read_name(card: Component, bag: Bag) -> None:
    """FN and N (MS-OXVCARD 2.1.3.1): the name for people, and its parts."""
    line = card.get("N")
    if line is not None:
        for key, field in zip(cardkeys.NAMES, line.fields(), strict=False):
            if text := unescaped(field).strip():
                bag[key] = text
    parts = [bag[key] for key in (cardkeys.GIVEN, cardkeys.MIDDLE, cardkeys.SURNAME) if key in bag]
    shown = (card.text("FN") or "").strip() or " ".join(parts)
    bag[names.DISPLAY_NAME] = shown
    bag[cardkeys.FILE_UNDER] = shown
    if not bag.get(names.SUBJECT):
        envelope.put_subject(bag, shown)


def _read_organization(card: Component, bag: Bag) -> None:
    line = card.get("ORG")
    fields = [unescaped(field).strip() for field in line.fields()] if line else []
    for key, text in zip((cardkeys.COMPANY, cardkeys.DEPARTMENT), fields, strict=False):
        if text:
            bag[key] = text


def _read_emails(card: Component, bag: Bag) -> None:
    """The first three, the preferred one before the others (MS-OXVCARD 2.1.3.5)."""
    lines = [line for line in card.all("EMAIL") if line.text.strip()]
    lines.sort(key=lambda line: not _preferred(line))
    for keys, line in zip(cardkeys.EMAILS, lines, strict=False):
        spec = addressing.clean(line.text.removeprefix("mailto:"))
        shown = str(bag[names.DISPLAY_NAME]) or spec
        bag[keys.address] = bag[keys.original] = spec
        bag[keys.kind] = "SMTP"
        bag[keys.shown] = f"{shown} ({spec})" if shown != spec else spec
        bag[keys.entry] = addressing.one_off(shown, "SMTP", spec)


def _preferred(line: Line) -> bool:
    return line.has("TYPE", "PREF") or "PREF" in line.params


def _types(line: Line) -> set[str]:
    return {word.strip().upper() for value in line.params.get("TYPE", ()) for word in value.split(",")}


def _read_telephones(card: Component, bag: Bag) -> None:
    """Each number goes where its types fit best and nothing is yet (MS-OXVCARD 2.1.3.4.1)."""
    for line in [*card.all("TEL"), *card.all("X-MS-TEL")]:
        number = line.text.strip().removeprefix("tel:")
        types = _types(line)
        rows = [row for row in cardkeys.TELEPHONES if row.header == line.name and row.types <= types]
        rows.sort(key=lambda row: -len(row.types))
        free = next((row for row in rows if row.key not in bag), None)
        if free is not None and number:
            bag[free.key] = number


def _read_addresses(card: Component, bag: Bag) -> None:
    """ADR: of work, of home, else the other one (MS-OXVCARD 2.1.3.2.1)."""
    for line in card.all("ADR"):
        types = _types(line)
        where = next((one for one in ("WORK", "HOME") if one in types), "")
        keys = cardkeys.ADDRESSES[where]
        if any(key in bag for key in keys if key is not None):
            continue
        for key, field in zip(keys, line.fields(), strict=False):
            text = unescaped(field).strip()
            if key is not None and text:
                bag[key] = text
        if _preferred(line):
            bag[cardkeys.POSTAL] = cardkeys.POSTAL_NUMBERS[where]


def _read_pages(card: Component, bag: Bag) -> None:
    for line in card.all("URL"):
        work = "WORK" in _types(line)
        bag.setdefault(cardkeys.BUSINESS_PAGE if work else cardkeys.PERSONAL_PAGE, line.text.strip())


def _read_dates(card: Component, bag: Bag) -> None:
    """Days, as midnights of UTC (MS-OXVCARD 2.1.3.1.5)."""
    for headers, key in cardkeys.DATES:
        text = next((found for name in headers if (found := card.text(name))), "")
        day = text.strip().partition("T")[0]
        for form in _DATE_FORMS:
            try:
                at = datetime.datetime.strptime(day, form).replace(tzinfo=datetime.UTC)
            except ValueError:
                continue
            bag[key] = filetime(at)


def _read_rest(card: Component, bag: Bag) -> None:
    note = card.text("NOTE")
    if note and names.BODY not in bag:
        bag[names.BODY] = note.replace("\n", "\r\n")
        bag[names.CODEPAGE] = codepages.UTF8
        bag[names.NATIVE_BODY] = bodies.PLAIN
    categories = [word for line in card.all("CATEGORIES") for word in line.texts() if word.strip()]
    if categories:
        bag[names.KEYWORDS] = categories
    children = [line.text for line in card.all("X-MS-CHILD") if line.text]
    if children:
        bag[cardkeys.CHILDREN] = children
    sensitivity = {"PUBLIC": 0, "PRIVATE": 2, "CONFIDENTIAL": 3}.get(
        (card.text("CLASS") or "").strip().upper()
    )
    if sensitivity is not None:
        bag[names.SENSITIVITY] = sensitivity
    messenger = card.text("X-MS-IMADDRESS") or (card.text("IMPP") or "").partition(":")[2]
    if messenger:
        bag[cardkeys.MESSENGER] = messenger


def _read_photo(card: Component, item: Item) -> None:
    """A picture in the card becomes an attachment (MS-OXVCARD 2.1.3.1.4); one elsewhere is not fetched."""
    line = card.get("PHOTO")
    if line is None or len(line.value) > MAX_PHOTO * 2:
        return
    kind = _IMAGES.get(line.param("TYPE").upper(), "")
    value = line.value
    if value.lower().startswith("data:"):
        head, _, value = value[5:].partition(",")
        kind = head.partition(";")[0].lower() or kind
        if ";base64" not in head.lower():
            return
    elif not (line.has("ENCODING", "B") or line.has("ENCODING", "BASE64")):
        return
    raw = transfer.decode("base64", value.encode("ascii", "replace"))
    if not raw:
        return
    item.props[cardkeys.HAS_PICTURE] = True
    bag: Bag = {
        names.ATTACH_NUMBER: len(item.attachments),
        names.ATTACH_METHOD: names.BY_VALUE,
        names.ATTACH_LONG_NAME: "ContactPicture.jpg",
        names.ATTACH_MIME_TAG: kind or "image/jpeg",
        names.ATTACH_FLAGS: 0,
        names.RENDERING_POSITION: names.NOT_RENDERED,
        cardkeys.CONTACT_PHOTO: True,
    }
    item.attachments.append(Attachment(bag, raw))


def _read_group(card: Component, bag: Bag) -> None:
    """A distribution list (MS-OXOCNTC 2.2.2) of the members that have an address."""
    bag[names.MESSAGE_CLASS] = cardkeys.GROUP
    shown = (card.text("FN") or "").strip()
    bag[names.DISPLAY_NAME] = bag[cardkeys.GROUP_NAME] = bag[cardkeys.FILE_UNDER] = shown
    if not bag.get(names.SUBJECT):
        envelope.put_subject(bag, shown)
    members = []
    for line in [*card.all("MEMBER"), *card.all("X-ADDRESSBOOKSERVER-MEMBER")][:MAX_MEMBERS]:
        head, _, spec = line.value.strip().partition(":")
        if head.lower() == "mailto" and spec:
            spec = addressing.clean(spec)
            members.append(addressing.one_off(line.param("CN") or spec, "SMTP", spec))
    bag[cardkeys.MEMBERS] = bag[cardkeys.ONE_OFF_MEMBERS] = members


# --- writing ----------------------------------------------------------------------------------------------


def write(items: Iterable[Item]) -> str:
    """Cards of these items; what is neither contact nor distribution list is left out."""
    return "".join([written(card) for item in items if (card := _card(item)) is not None])


def part(item: Item) -> bytes | None:
    """The card that belongs into an item's letter; None: it is neither contact nor distribution list."""
    card = _card(item, photo=False)
    return None if card is None else written(card).encode("utf-8", "replace")


def _card(item: Item, *, photo: bool = True) -> Component | None:
    own = str(item.props.get(names.MESSAGE_CLASS, "")).lower()
    for kind, make in ((cardkeys.CONTACT, _contact), (cardkeys.GROUP, _group)):
        if own == kind.lower() or own.startswith(kind.lower() + "."):
            card = make(item.props)
            if photo and kind == cardkeys.CONTACT:
                _write_photo(card, item)
            return card
    return None


def _text(bag: Bag, key: Key | None) -> str:
    value = bag.get(key) if key is not None else None
    return value if isinstance(value, str) else ""


def _contact(bag: Bag) -> Component:
    card = Component("VCARD")
    card.add("VERSION", "3.0")
    card.add("PRODID", "-//Quintet//MAPI//EN")
    shown = _text(bag, names.DISPLAY_NAME) or _text(bag, cardkeys.FILE_UNDER) or envelope.subject(bag)
    card.add_text("FN", shown)
    card.add("N", ";".join([escaped(_text(bag, key)) for key in cardkeys.NAMES]))
    for name, key in cardkeys.TEXTS.items():
        if text := _text(bag, key):
            card.add_text(name, text)
    organization = [_text(bag, key) for key in (cardkeys.COMPANY, cardkeys.DEPARTMENT)]
    if any(organization):
        card.add("ORG", ";".join(map(escaped, organization)))
    for number, keys in enumerate(cardkeys.EMAILS):
        if spec := _text(bag, keys.address):
            card.add_text("EMAIL", spec, {"TYPE": ["INTERNET", *(["PREF"] if number == 0 else [])]})
    for row in _NUMBERS:
        if telephone := _text(bag, row.key):
            card.add_text(row.header, telephone, {"TYPE": sorted(row.types)} if row.types else None)
    _write_addresses(card, bag)
    for page, kind in ((cardkeys.BUSINESS_PAGE, "WORK"), (cardkeys.PERSONAL_PAGE, "HOME")):
        if text := _text(bag, page):
            card.add("URL", text, {"TYPE": [kind]})
    for headers, key in cardkeys.DATES:
        if isinstance(at := bag.get(key), int):
            card.add(headers[0], f"{moment(at):%Y-%m-%d}")
    _write_rest(card, bag)
    return card


def _write_addresses(card: Component, bag: Bag) -> None:
    for where, keys in cardkeys.ADDRESSES.items():
        fields = [_text(bag, key) for key in keys]
        if any(fields):
            preferred = bag.get(cardkeys.POSTAL) == cardkeys.POSTAL_NUMBERS[where]
            types = [where or "POSTAL", *(["PREF"] if preferred else [])]
            card.add("ADR", ";".join(map(escaped, fields)), {"TYPE": types})


def _write_rest(card: Component, bag: Bag) -> None:
    if note := bodies.plain_of(bag):
        card.add_text("NOTE", note)
    if isinstance(words := bag.get(names.KEYWORDS), list) and words:
        card.add("CATEGORIES", escaped_list(words))
    for child in bag.get(cardkeys.CHILDREN) or ():
        card.add_text("X-MS-CHILD", child)
    card.add("CLASS", {2: "PRIVATE", 3: "CONFIDENTIAL"}.get(bag.get(names.SENSITIVITY, 0), "PUBLIC"))
    if messenger := _text(bag, cardkeys.MESSENGER):
        card.add_text("X-MS-IMADDRESS", messenger)
    if isinstance(at := bag.get(names.MODIFICATION_TIME), int):
        card.add("REV", f"{moment(at):%Y-%m-%dT%H:%M:%SZ}")


def _write_photo(card: Component, item: Item) -> None:
    for one in item.attachments:
        data: bytes | Data = one.data
        if one.props.get(cardkeys.CONTACT_PHOTO) and isinstance(data, bytes) and len(data) <= MAX_PHOTO:
            kind = str(one.props.get(names.ATTACH_MIME_TAG, "")).rpartition("/")[2].upper() or "JPEG"
            coded = binascii.b2a_base64(data, newline=False).decode("ascii")
            card.add("PHOTO", coded, {"ENCODING": ["b"], "TYPE": [kind]})
            return


def _group(bag: Bag) -> Component:
    card = Component("VCARD")
    card.add("VERSION", "4.0")
    card.add("KIND", "group")
    card.add_text(
        "FN", _text(bag, cardkeys.GROUP_NAME) or _text(bag, names.DISPLAY_NAME) or envelope.subject(bag)
    )
    for entry in (bag.get(cardkeys.ONE_OFF_MEMBERS) or bag.get(cardkeys.MEMBERS) or ())[:MAX_MEMBERS]:
        try:
            found = ids.read(entry)
        except BadSyntax:
            continue
        if isinstance(found, ids.OneOffEntry) and "@" in found.address:
            named = {"CN": [found.name]} if found.name not in ("", found.address) else None
            card.add("MEMBER", f"mailto:{addressing.clean(found.address)}", named)
    return card
