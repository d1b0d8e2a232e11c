"""To MIME: an item as a letter, in pieces (MS-OXCMAIL 2.1).

The same item gives the same bytes.  Everything is ASCII in short lines, so that any transport takes it; data
that is not in memory is read as the pieces are asked for.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence

from quintet.mapi import codepages, tnef
from quintet.mapi.bag import Attachment, Bag, Item
from quintet.mapi.buffer import bad
from quintet.mapi.convert import (
    attachments,
    bodies,
    calendars,
    calseries,
    cards,
    envelope,
    names,
    protected,
    reports,
    sources,
    tnefparts,
)
from quintet.mapi.convert.sources import PIECE
from quintet.message import build, dates, transfer
from quintet.values import dataclass

MAX_DEPTH = 32  # messages in messages

_LINE = 57  # bytes that a line of base64 holds
_LINE_END = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Entity:
    """A part: its header without the blank line, and its body in pieces."""

    header: bytes
    body: Callable[[], Iterator[bytes]]


def to_mime(
    item: Item, *, bcc: bool = True, now_ms: int | None = None, tnef: bool = False
) -> Iterator[bytes]:
    """The letter that an item is.

    ``bcc``: with the blind copies, as the sender keeps it.  ``now_ms``: the Date of an item that tells none.
    ``tnef``: with all properties and the attachments in a TNEF part, for readers of MAPI; what asks for a
    task always has one, as nothing of MIME says so.

    Raises:
        BadSyntax: messages nested deeper than `MAX_DEPTH`, before the first piece; with ``tnef``, a value
            that is none of its type, while its piece is made.
    """
    return _Writer(item, bcc=bcc, tnef=tnef or tnefparts.is_needed(item)).letter(now_ms)


class _Writer:
    """Writes one letter; those in it share its boundaries' seed and its depth."""

    def __init__(self, item: Item, outer: _Writer | None = None, *, bcc: bool, tnef: bool = False) -> None:
        self._item = item
        self._bcc = bcc
        self._tnef = tnef
        self._depth: int = outer._depth + 1 if outer else 0
        if self._depth > MAX_DEPTH:
            raise bad("messages nested too deeply")
        self._seed: bytes = outer._seed if outer else _seed(item)
        self._protected = protected.of(item)
        self._numbers: list[int] = outer._numbers if outer else [0]

    def letter(self, now_ms: int | None) -> Iterator[bytes]:
        fields = envelope.write(self._item, bcc=self._bcc)
        if now_ms is not None and names.SUBMIT_TIME not in self._item.props:
            fields.insert(0, ("Date", dates.format_date(now_ms)))
        entity = self._entity()
        if self._tnef:
            fields.append((tnefparts.CORRELATOR, tnefparts.carried(self._item)[1]))
        elif mark := tnefparts.others_mark(self._item):
            fields.append((tnefparts.CORRELATOR, mark))
        own = b"" if self._protected else self._own_fields()
        head = envelope.encoded(fields) + b"MIME-Version: 1.0\r\n" + own + entity.header
        return _chain(head + b"\r\n", entity.body)

    def _own_fields(self) -> bytes:
        """Content-ID and -Location of the whole (MS-OXCMAIL 2.1.3.4.2.3)."""
        out = b""
        for field, tag, form in _IDENTITIES:
            value = self._item.props.get(tag)
            if isinstance(value, str) and value:
                out += build.header(field, form.format(value))
        return out

    def _entity(self) -> Entity:
        """The whole body: texts, what belongs into them, what is attached."""
        if self._protected is not None and (entity := self._whole(*self._protected)) is not None:
            return entity
        bag = self._item.props
        html = bodies.html_of(bag)
        shown = bodies.pictures(html[0]) if html else frozenset()
        files = [one for one in self._item.attachments if not calseries.is_exception(one)]
        inline = [one for one in files if html and _is_inline(one, shown)]
        apart = [one for one in files if not (html and _is_inline(one, shown))]
        texts: list[Entity] = []
        plain = bodies.plain_of(bag)
        if plain is not None:
            texts.append(_text_entity(*codepages.encode(plain, bag.get(names.CODEPAGE)), "plain"))
        if html:
            entity = _text_entity(*html, "html")
            if inline:
                pieces = [self._attachment(one, inline=True) for one in inline]
                entity = self._multipart("related", [entity, *pieces], b';\r\n type="text/html"')
            texts.append(entity)
        forms = _other_forms(self._item)
        if forms and not texts and (self._tnef or apart):
            texts = [_EMPTY]  # a calendar beside other parts would be a file; one form of two is none
        texts += forms
        body = self._multipart("alternative", texts) if len(texts) > 1 else texts[0] if texts else None
        if self._tnef:
            return self._multipart("mixed", [body or _EMPTY, self._tnef_part()])
        report = reports.report_type(bag)
        if report is not None:
            return self._report(report, body or _EMPTY, apart)
        if not apart:
            return body or _EMPTY
        parts = [self._attachment(one, inline=False) for one in apart]
        return self._multipart("mixed", [body, *parts] if body else parts)

    def _whole(self, how: protected.Kind, one: Attachment) -> Entity | None:
        """The body of a signed or encrypted letter (MS-OXOSMIME 2.1); None: the data is no such thing."""
        if how is protected.Kind.SIGNED:
            found = protected.signed_entity(one)
            return None if found is None else Entity(found[0], lambda: sources.pieces(found[1]))
        kind, _ = attachments.content_type(one)
        header = attachments.header(one, kind, "base64", inline=False)
        if (field := protected.opaque_field(self._item, one)) is not None:
            header = field + b"Content-Transfer" + header.partition(b"\r\nContent-Transfer")[2]
        return Entity(header, lambda: _base64(one))

    def _report(self, kind: str, body: Entity, apart: Sequence[Attachment]) -> Entity:
        """RFC 6522 3: what people read, what machines read, what it is about."""
        told = reports.write(self._item)
        header = f"Content-Type: message/{kind}\r\nContent-Transfer-Encoding: 7bit\r\n".encode("ascii")
        parts = [body, Entity(header, lambda: iter((told,)))]
        parts += [self._attachment(one, inline=False) for one in apart]
        return self._multipart("report", parts, f"; report-type={kind}".encode("ascii"))

    def _tnef_part(self) -> Entity:
        name = tnefparts.FILE_NAME.encode("ascii")
        header = (
            b'Content-Type: application/ms-tnef; name="%b"\r\nContent-Transfer-Encoding: base64\r\n'
            b'Content-Disposition: attachment; filename="%b"\r\n' % (name, name)
        )
        return Entity(header, lambda: _base64_of(tnef.chunks(tnefparts.carried(self._item)[0])))

    def _attachment(self, one: Attachment, *, inline: bool) -> Entity:
        kind, bare = attachments.content_type(one)
        if one.item is not None:
            # never encoded (RFC 2046 5.2.1); only what somebody signed may be 8bit
            encoding = "7bit" if protected.is_ascii(one.item) else "8bit"
            header = attachments.header(one, kind, encoding, inline=inline)
            # a letter that goes out names no blind copies of those in it either
            inner = _Writer(one.item, self, bcc=self._bcc).letter(None)
            return Entity(header, lambda: _without_last_line_end(inner))
        if bare:
            header = attachments.header(one, kind, "7bit", inline=inline)
            return Entity(header, lambda: sources.pieces(one.data))
        return Entity(attachments.header(one, kind, "base64", inline=inline), lambda: _base64(one))

    def _multipart(self, subtype: str, parts: Sequence[Entity], more: bytes = b"") -> Entity:
        self._numbers[0] += 1
        word = hashlib.sha256(self._seed + self._numbers[0].to_bytes(4, "big")).hexdigest()[:32]
        # no line of quoted-printable or base64 begins like this; others would have to hold their own hash
        boundary = b"=_" + word.encode("ascii")
        header = b'Content-Type: multipart/%b%b;\r\n boundary="%b"\r\n' % (
            subtype.encode("ascii"),
            more,
            boundary,
        )
        return Entity(header, lambda: _parts(boundary, parts))


_IDENTITIES = (
    ("Content-ID", names.BODY_CONTENT_ID, "<{}>"),
    ("Content-Location", names.BODY_CONTENT_LOCATION, "{}"),
)


def _other_forms(item: Item) -> list[Entity]:
    """The calendar or the card that an item is, after the forms that people read (MS-OXCMAIL 2.1.3.3.8)."""
    found: list[Entity] = []
    calendar = calendars.part(item)
    if calendar is not None:
        found.append(_text_entity(calendar[0], "utf-8", "calendar", f"; method={calendar[1]}"))
    card = cards.part(item)
    if card is not None:
        found.append(_text_entity(card, "utf-8", "vcard"))
    return found


def _is_inline(one: Attachment, shown: frozenset[str]) -> bool:
    if one.item is not None:
        return False
    flags = one.props.get(names.ATTACH_FLAGS, 0)
    return bool(flags & names.IN_BODY) or one.props.get(names.ATTACH_CONTENT_ID) in shown


def _chain(head: bytes, body: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
    yield head
    yield from body()


def _parts(boundary: bytes, parts: Sequence[Entity]) -> Iterator[bytes]:
    for part in parts:
        # the line end before a delimiter belongs to it (RFC 2046 5.1.1)
        yield b"--%b\r\n%b\r\n" % (boundary, part.header)
        yield from part.body()
        yield b"\r\n"
    yield b"--%b--\r\n" % boundary


def _without_last_line_end(pieces: Iterator[bytes]) -> Iterator[bytes]:
    held = b""
    for piece in pieces:
        if held:
            yield held
        held = piece
    yield held.removesuffix(b"\r\n")


def _base64(one: Attachment) -> Iterator[bytes]:
    return _base64_of(sources.pieces(one.data))


def _base64_of(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Pieces of any size as lines, without the last line's end."""
    held = b""
    for piece in pieces:
        held += piece
        if len(held) > PIECE:
            cut = (len(held) - 1) // _LINE * _LINE
            yield transfer.encode_base64(held[:cut])
            held = held[cut:]
    yield transfer.encode_base64(held).removesuffix(b"\r\n")


def _text_entity(raw: bytes, charset: str, subtype: str, more: str = "") -> Entity:
    """A text in its charset: 7bit where that carries it, else quoted-printable."""
    raw = _LINE_END.sub(b"\r\n", raw)
    if not raw.endswith(b"\r\n"):
        raw += b"\r\n"
    short = raw.isascii() and b"\0" not in raw and max(map(len, raw.split(b"\r\n"))) <= build.MAX_LINE
    encoding, body = (b"7bit", raw) if short else (b"quoted-printable", transfer.encode_quoted_printable(raw))
    header = b"Content-Type: text/%b; charset=%b%b\r\nContent-Transfer-Encoding: %b\r\n" % (
        subtype.encode("ascii"),
        charset.encode("ascii"),
        more.encode("ascii"),
        encoding,
    )
    return Entity(header, lambda: iter((body,)))


_EMPTY = _text_entity(b"", "us-ascii", "plain")


def _seed(item: Item) -> bytes:
    """What the boundaries are made of: a hash of the texts in an item."""
    hashed = hashlib.sha256()
    stack = [item]
    while stack:
        one = stack.pop()
        hashed.update(_words(one.props))
        for attachment in one.attachments:
            hashed.update(_words(attachment.props))
            if attachment.item is not None:
                stack.append(attachment.item)
            elif protected.of(one) is not None or attachments.content_type(attachment)[1]:
                # written as it is: it may hold lines that look like a boundary
                for piece in sources.pieces(attachment.data):
                    hashed.update(piece)
    return hashed.digest()


def _words(bag: Bag) -> bytes:
    texts = [value for value in bag.values() if isinstance(value, (str, bytes))]
    return b"\0".join([one if isinstance(one, bytes) else one.encode("utf-8", "replace") for one in texts])
