"""Ready octets: a digest as IMAP and NNTP show it, rendered once when a message is stored.

ENVELOPE, BODY and BODYSTRUCTURE (RFC 3501 7.4.2, RFC 9051 7.5.2) and the
overview line (RFC 3977 8.3.2). Strings are quoted where IMAP4rev1 allows it;
what holds 8-bit bytes, CR or LF becomes a literal ``{n}CRLF``. NUL, which no
IMAP string may hold, is dropped. Encoded words pass untouched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from quintet.message import addresses, params
from quintet.message.digest import Digest, Fields, Part

_UNSAFE = re.compile(rb'[\x00\r\n"\\\x80-\xff]')
_ESCAPE = re.compile(rb'(["\\])')
_OVERVIEW = bytes.maketrans(b"\t\r\n\0", b"    ")
_IN_OVERVIEW = (b"subject", b"from", b"date", b"message-id", b"references")
_ODD = b"\r\n\0\x0b\x0c"  # with these `overview_of` does more than join
_ENCODINGS = {
    name: b'"%b"' % name.encode() for name in ("7bit", "8bit", "binary", "base64", "quoted-printable")
}
MAX_REFERENCES = 1000  # bytes in an overview line: some readers (nntplib) take no lines above 2048
_NO_BODY = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0'


class Rendered(NamedTuple):
    """All that is stored beside a message."""

    envelope: bytes
    body: bytes
    bodystructure: bytes
    overview: bytes


def everything(digest: Digest) -> Rendered:
    """Return all four at once; cheaper than one by one."""
    first = first_fields(digest.headers)
    plain, extended = _structure(digest.root)
    return Rendered(_envelope(first), plain, extended, overview_line(first))


def envelope(digest: Digest) -> bytes:
    """Return the ENVELOPE list."""
    return _envelope(first_fields(digest.headers))


def body(digest: Digest) -> bytes:
    """Return BODY: the structure without extension data."""
    return _structure(digest.root)[0]


def bodystructure(digest: Digest) -> bytes:
    """Return BODYSTRUCTURE with all extension data."""
    return _structure(digest.root)[1]


def structure(part: Part) -> bytes:
    """Return the BODYSTRUCTURE of one part (BODYPARTSTRUCTURE of RFC 5259 8.3, RFC 5524 3.2)."""
    return _structure(part)[1]


def overview(digest: Digest) -> bytes:
    """Return ``Subject TAB From TAB Date TAB Message-ID TAB References``, no number, no line end.

    Unfolded; TAB, CR, LF and NUL inside a value become a space each.
    """
    return overview_line(first_fields(digest.headers))


def overview_of(fields: Mapping[bytes, bytes]) -> bytes:
    """The same of fields as they came, the first of each name in lower case."""
    get = fields.get
    references = get(b"references", b"")
    joined = b"%b\t%b\t%b\t%b\t%b" % (
        get(b"subject", b""),
        get(b"from", b""),
        get(b"date", b""),
        get(b"message-id", b""),
        references,
    )
    if (
        len(references) <= MAX_REFERENCES
        and joined.count(b"\t") == 4
        and not joined.startswith(b" ")
        and not joined.endswith(b" ")
        and b" \t" not in joined
        and b"\t " not in joined
        and len(joined.translate(None, _ODD)) == len(joined)
    ):
        return joined  # as nearly all are
    return overview_line(
        {
            name: get(name, b"").replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t").strip()
            for name in _IN_OVERVIEW
        }
    )


def string(value: bytes) -> bytes:
    """Return an IMAP string: quoted, or a literal where quoting cannot hold it."""
    if _UNSAFE.search(value) is None:
        return b'"%b"' % value
    value = value.replace(b"\0", b"")
    if value.isascii() and b"\r" not in value and b"\n" not in value:
        return b'"%b"' % _ESCAPE.sub(rb"\\\1", value)
    return b"{%d}\r\n%b" % (len(value), value)


def _nstring(value: bytes | None) -> bytes:
    return b"NIL" if value is None else string(value)


def first_fields(headers: Fields) -> dict[bytes, bytes]:
    """The first field of each name, names in lower case."""
    return {name.lower(): value for name, value in reversed(headers)}


OVERVIEW_FIELDS = (b"subject", b"from", b"date", b"message-id", b"references")


def overview_line(first: dict[bytes, bytes]) -> bytes:
    get = first.get
    values = (
        get(b"subject", b""),
        get(b"from", b""),
        get(b"date", b""),
        get(b"message-id", b""),
        _references(get(b"references", b"")),
    )
    joined = b"\n".join(values)
    if joined.count(b"\n") == 4 and b"\t" not in joined and b"\r" not in joined and b"\0" not in joined:
        return joined.replace(b"\n", b"\t")
    return b"\t".join([value.translate(_OVERVIEW) for value in values])


def _references(value: bytes) -> bytes:
    """At most `MAX_REFERENCES`: the first id, and of the others the last (RFC 5537 3.4.4)."""
    if len(value) <= MAX_REFERENCES:
        return value
    first, *others = value.split()
    room = MAX_REFERENCES - len(first)
    kept: list[bytes] = []
    for one in reversed(others):
        room -= len(one) + 1
        if room < 0:
            break
        kept.append(one)
    return b" ".join((first, *reversed(kept)))[:MAX_REFERENCES]


def _envelope(first: dict[bytes, bytes]) -> bytes:
    get = first.get
    sender = _addresses(get(b"from"))
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        _nstring(get(b"date")),
        _nstring(get(b"subject")),
        sender,
        # RFC 9051 7.5.2: absent or empty, these two say what From says
        _addresses(get(b"sender"), sender),
        _addresses(get(b"reply-to"), sender),
        _addresses(get(b"to")),
        _addresses(get(b"cc")),
        _addresses(get(b"bcc")),
        _nstring(get(b"in-reply-to")),
        _nstring(get(b"message-id")),
    )


def _addresses(raw: bytes | None, default: bytes = b"NIL") -> bytes:
    """Return an address list, or ``default`` where there is no address in it."""
    if not raw:
        return default
    out: list[bytes] = []
    at = 0
    end = len(raw)
    fast, bare = addresses.FAST.match, addresses.FAST_BARE.match
    while at < end:
        if found := fast(raw, at):
            quoted, phrase, mailbox, host = found.groups()
            name = quoted or phrase
            if name:
                out.append(b'("%b" NIL "%b" "%b")' % (name, mailbox, host))
            else:
                out.append(b'(NIL NIL "%b" "%b")' % (mailbox, host))
        elif found := bare(raw, at):
            out.append(b'(NIL NIL "%b" "%b")' % found.groups())
        else:
            out.extend(_slow_addresses(raw[at:]))
            break
        at = found.end()
    return b"(%b)" % b"".join(out) if out else default


def _slow_addresses(raw: bytes) -> list[bytes]:
    out: list[bytes] = []
    for one in addresses.parse_addresses(raw):
        if isinstance(one, addresses.Group):
            out.append(b"(NIL NIL %b NIL)" % string(one.name))
            out.extend(map(_address, one.members))
            out.append(b"(NIL NIL NIL NIL)")
        else:
            out.append(_address(one))
    return out


def _address(one: addresses.Address) -> bytes:
    # a NIL mailbox or host would mean a group: the empty string stands for what is missing
    name = string(one.name) if one.name else b"NIL"
    return b"(%b %b %b %b)" % (name, _nstring(one.route), string(one.mailbox), string(one.host))


def _params(pairs: params.Pairs) -> bytes:
    if not pairs:
        return b"NIL"
    if len(pairs) == 1 and len(pairs[0][1]) < 20:
        return _one_param(pairs)  # mostly a charset
    return _written(pairs)


def _written(pairs: params.Pairs) -> bytes:
    return b"(%b)" % b" ".join(
        [b"%b %b" % (string(name), string(value)) for name, value in params.listing(pairs)]
    )


_one_param = lru_cache(maxsize=256)(_written)


def _languages(value: bytes | None) -> bytes:
    """RFC 3282: ``de, fr`` is a list of two."""
    if value is None:
        return b"NIL"
    tags = [tag.strip() for tag in value.split(b",") if tag.strip()]
    if len(tags) == 1:
        return string(tags[0])
    return b"(%b)" % b" ".join(map(string, tags)) if tags else b"NIL"


def _structure(part: Part) -> tuple[bytes, bytes]:
    """Return (BODY, BODYSTRUCTURE) of a part."""
    disposition = (
        b"NIL"
        if part.disposition is None
        else b"(%b %b)" % (string(part.disposition.encode("latin-1")), _params(part.disposition_params))
    )
    tail = (
        b" NIL)"
        if part.language is None and part.location is None
        else b" %b %b)" % (_languages(part.language), _nstring(part.location))
    )
    if tail == b" NIL)":
        tail = b" NIL NIL)"
    if part.type == "multipart":
        return _multipart(part, disposition, tail)
    main = _leaf(part)
    if part.type == "message" and part.subtype in {"rfc822", "global"}:
        plain, extended = _embedded(part)
        lines = b" %d" % part.lines
        body_plain, body_extended = main + plain + lines, main + extended + lines
    else:
        body_plain = body_extended = main
    return body_plain + b")", b"%b %b %b%b" % (body_extended, _nstring(part.md5), disposition, tail)


def _leaf(part: Part) -> bytes:
    """The fields every single part begins with, and the lines of a text."""
    pairs = part.params
    if part.type == "text" and part.subtype == "plain" and not any(name == b"charset" for name, _ in pairs):
        pairs = (*pairs, (b"charset", b"us-ascii"))  # RFC 2045 5.2
    encoding = part.encoding
    main = b'("%b" "%b" %b %b %b %b %d' % (
        part.type.encode("latin-1"),
        part.subtype.encode("latin-1"),
        _params(pairs),
        _nstring(part.content_id),
        _nstring(part.description),
        _ENCODINGS.get(encoding) or string(encoding.encode("latin-1")),
        part.end - part.body_start,
    )
    return main + b" %d" % part.lines if part.type == "text" else main


def _embedded(part: Part) -> tuple[bytes, bytes]:
    """Envelope and structure inside a message/rfc822; empty ones where it was not taken apart."""
    if part.message is None:
        envelope = b" (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) "
        return envelope + _NO_BODY + b")", envelope + _NO_BODY + b" NIL NIL NIL NIL)"
    envelope = b" " + _envelope(first_fields(part.message.headers)) + b" "
    plain, extended = _structure(part.message.body)
    return envelope + plain, envelope + extended


def _multipart(part: Part, disposition: bytes, tail: bytes) -> tuple[bytes, bytes]:
    children = [_structure(child) for child in part.children]
    if not children:
        # the grammar wants one part at least (RFC 9051 9, body-type-mpart)
        children = [(_NO_BODY + b")", _NO_BODY + b" NIL NIL NIL NIL)")]
    subtype = part.subtype.encode("latin-1")
    return (
        b'(%b "%b")' % (b"".join([plain for plain, _ in children]), subtype),
        b'(%b "%b" %b %b%b'
        % (
            b"".join([extended for _, extended in children]),
            subtype,
            _params(part.params),
            disposition,
            tail,
        ),
    )
