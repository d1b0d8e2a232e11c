"""From MIME: a letter as an item (MS-OXCMAIL 2.2).

Whatever the bytes, an item comes out.  It holds the header, the texts and small parts; large ones stay where
they are and are read when asked for.
"""

from __future__ import annotations

import re

from quintet.mapi import codepages, types
from quintet.mapi.bag import Attachment, Bag, Data, Item
from quintet.mapi.convert import (
    attachments,
    bodies,
    calendars,
    cards,
    contentclass,
    envelope,
    names,
    protected,
    reports,
    structure,
    tnefparts,
)
from quintet.mapi.convert.sources import Letter, pieces
from quintet.mapi.convert.structure import Attached, Shape
from quintet.message import entity, transfer, words
from quintet.message.digest import Digest, Fields, Part
from quintet.message.scan import Scanner

MAX_DEPTH = 32  # messages in messages; a deeper one is an attachment with the message's bytes
MAX_UNPACKED = 1024 * 1024  # bytes of a message that is opened though it is encoded, against RFC 2046 5.2.1

_LONE_LF = re.compile(r"(?<!\r)\n")


def from_mime(
    source: bytes | Data, digest: Digest | None = None, *, received_ms: int | None = None, prefix: bytes = b""
) -> Item:
    """The item that a letter is.

    ``digest``: what a scan found in ``source``, where it is known.  ``received_ms``: when we got it, else the
    last trace line tells.  ``prefix``: trace lines that belong before ``source``.
    """
    letter = Letter(source)
    if digest is None:
        digest = scanned(source)
    received = types.of_ms(received_ms) if received_ms is not None else envelope.delivered(digest.headers)
    head = prefix + letter.range(0, min(digest.header_end, envelope.MAX_TRANSPORT))
    return _Reader(letter, 0).item(digest.headers, digest.root, head, received)


def scanned(source: bytes | Data) -> Digest:
    """The digest of a letter that has none yet."""
    scanner = Scanner()
    for piece in pieces(source):
        scanner.feed(piece)
    return scanner.finish()


class _Reader:
    """Makes items of a letter and of those in it."""

    def __init__(self, letter: Letter, depth: int) -> None:
        self._letter = letter
        self._depth = depth

    def item(self, headers: Fields, root: Part, head: bytes, received: int | None) -> Item:
        item = Item()
        bag = item.props
        envelope.read(headers, item)
        bag[names.TRANSPORT_HEADERS] = words.decode_bytes(head)
        if received is None:
            received = bag.get(names.SUBMIT_TIME)
        if received is not None:
            bag[names.DELIVERY_TIME] = received
        self._content(root, item, headers)
        return item

    def _content(self, root: Part, item: Item, headers: Fields) -> None:
        """Bodies and attachments, and the class that they make."""
        how = protected.kind(root)
        if how is not None:
            item.props[names.MESSAGE_CLASS] = how.value
            item.props[protected.CONTENT_TYPE] = protected.content_type(self._letter, root)
            if how is protected.Kind.SIGNED:
                self._bodies(structure.of(root.children[0]), item.props)
            item.attachments.append(protected.read(how, self._letter, root))
            return
        shape = structure.of(root)
        report = reports.part_of(root)
        self._bodies(shape, item.props)
        for one in shape.attached:
            if one.part is not report and not self._unpacked(one.part, headers, item):
                item.attachments.append(self._attachment(one, len(item.attachments)))
        _hide_pictures(item)
        self._other_forms(shape, item)
        contentclass.read(item)
        if report is not None:
            reports.read(report.content_type, self._letter.text(report), item)

    def _bodies(self, shape: Shape, bag: Bag) -> None:
        if shape.plain is not None:
            raw, charset = self._octets(shape.plain, html=False)
            text = words.decode_bytes(raw, charset)
            if (shape.plain.param("format") or "").lower() == "flowed":
                deleted = (shape.plain.param("delsp") or "").lower() == "yes"
                text = bodies.unflowed(text, delete_space=deleted)
            bag[names.BODY] = with_line_ends(text)
            bag[names.CODEPAGE] = codepages.page_of(charset) or codepages.UTF8
            bag[names.NATIVE_BODY] = bodies.PLAIN
        if shape.html is not None:
            raw, charset = self._octets(shape.html, html=True)
            page = codepages.page_of(charset)
            if page is None:  # octets must have a code page that clients know
                raw, page = words.decode_bytes(raw, charset).encode("utf-8"), codepages.UTF8
            bag[names.HTML] = raw
            bag[names.CODEPAGE] = page
            bag[names.NATIVE_BODY] = bodies.MARKUP

    def _octets(self, part: Part, *, html: bool) -> tuple[bytes, str]:
        """A text as it came, and its charset."""
        raw = self._letter.text(part)
        return raw, codepages.detected(raw, part.param("charset"), html=html)

    def _unpacked(self, part: Part, headers: Fields, item: Item) -> bool:
        """Whether a part was a TNEF stream, whose content is in ``item`` now."""
        return tnefparts.is_tnef(part) and tnefparts.read(self._letter.text(part), headers, item)

    def _other_forms(self, shape: Shape, item: Item) -> None:
        """A calendar or a card as a form of the body; one that says nothing we know is attached."""
        for part, read in ((shape.calendar, calendars.read_part), (shape.card, cards.read_part)):
            if part is None:
                continue
            # RFC 5545 3.1.4, RFC 6350 3.1: UTF-8 where nothing else is said
            text = words.decode_bytes(self._letter.text(part), part.charset)
            if not read(text, item):
                item.attachments.append(self._attachment(Attached(part, False), len(item.attachments)))

    def _attachment(self, one: Attached, number: int) -> Attachment:
        part = one.part
        if part.message is not None and self._depth < MAX_DEPTH:
            item = self._embedded(part)
            if item is not None:
                subject = item.props[names.SUBJECT]
                return Attachment(attachments.read(part, number, related=False, subject=subject), item=item)
        data = self._letter.content(part)
        named = part.encoding != "base64"  # uuencode tells the name in the body
        start = self._letter.range(part.body_start, part.body_start + 512) if named else b""
        bag = attachments.read(part, number, related=one.related, subject=None, start=start)
        # the size of the encoded form is near enough, and known without decoding
        bag[names.ATTACH_SIZE] = len(data) if isinstance(data, bytes) else part.size
        return Attachment(bag, data)

    def _embedded(self, part: Part) -> Item | None:
        """The message that a part is; None: it cannot be opened."""
        assert part.message is not None
        letter, root = self._letter, part.message.body
        if part.encoding in _ENCODED:
            if part.size > MAX_UNPACKED:
                return None
            content = letter.text(part)
            letter, root = Letter(content), scanned(content).root
        head = letter.header(root)
        inner = _Reader(letter, self._depth + 1)
        headers = tuple(entity.fields(head))
        return inner.item(headers, root, head[: envelope.MAX_TRANSPORT], envelope.delivered(headers))


_ENCODED = transfer.KNOWN - {"7bit", "8bit", "binary"}


def with_line_ends(text: str) -> str:
    """The text with CRLF at each line's end, which is what clients expect in PidTagBody."""
    return _LONE_LF.sub("\r\n", text) if text.count("\n") != text.count("\r\n") else text


def _hide_pictures(item: Item) -> None:
    """What the HTML shows is no attachment for people (MS-OXCMAIL 2.2.3.4.1)."""
    html = item.props.get(names.HTML)
    if html is None or not item.attachments:
        return
    shown = bodies.pictures(html)
    for one in item.attachments:
        if one.props.get(names.ATTACH_CONTENT_ID) in shown:
            one.props[names.ATTACH_FLAGS] = names.IN_BODY
            one.props[names.ATTACH_HIDDEN] = True
