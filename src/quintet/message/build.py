"""Composing simple messages: bounces, system letters, demo content (RFC 5322, 2045-2047, 2231, 6522).

Header values come as text and leave in ASCII: encoded words where needed,
folded at 78. Bodies are UTF-8, 7bit where they can be and quoted-printable
otherwise. Lines end in CRLF. Message-ID, Date and From are the caller's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from urllib.parse import quote

from quintet.message import addresses, transfer, words
from quintet.values import dataclass

FOLD_AT = 78  # characters of a header line (RFC 5322 2.1.1: SHOULD)
MAX_LINE = 998  # bytes of any line (RFC 5322 2.1.1: MUST)

_ADDRESS_FIELDS = frozenset(
    (
        "from",
        "sender",
        "reply-to",
        "to",
        "cc",
        "bcc",
        "resent-from",
        "resent-sender",
        "resent-to",
        "resent-cc",
    )
)
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`{|}~0-9A-Za-z]+")
_PHRASE = re.compile(rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_NAME = re.compile(r"[!-9;-~]+")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attached file, or an embedded message (``message/rfc822``, sent as it is)."""

    content: bytes
    content_type: str = "application/octet-stream"
    filename: str = ""
    inline: bool = False
    description: str = ""


def header(name: str, value: str) -> bytes:
    """Return one folded field with its CRLF; address fields keep their structure.

    Raises:
        ValueError: ``name`` is no field name.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a field name: {name!r}")
    value = _CONTROLS.sub(" ", value)  # a line end in a value would begin another field
    coded = _address_list(value) if name.lower() in _ADDRESS_FIELDS else words.encode_words(value)
    return _fold(name.encode("ascii") + b": " + coded)


def _address_list(value: str) -> bytes:
    if value.isascii():
        return value.encode("ascii")  # as the caller wrote it
    return b", ".join([_mailbox(one) for one in addresses.parse_addresses(value.encode("utf-8", "replace"))])


def _mailbox(one: addresses.Address | addresses.Group) -> bytes:
    if isinstance(one, addresses.Group):
        members = b", ".join([_mailbox(member) for member in one.members])
        return words.encode_words(words.decode_bytes(one.name), phrase=True) + b": " + members + b";"
    spec = one.spec.encode("utf-8", "replace")
    if not one.name:
        return spec
    if not one.name.isascii():
        name = words.encode_words(words.decode_bytes(one.name), phrase=True)
    elif _PHRASE.fullmatch(one.name):
        name = one.name
    else:
        name = b'"' + one.name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return name + b" <" + spec + b">"


def _fold(line: bytes) -> bytes:
    """Break at spaces so that lines stay within FOLD_AT where the text allows, MAX_LINE at worst."""
    out: list[bytes] = []
    current = b""
    for number, word in enumerate(line.split(b" ")):
        if number == 0:
            current = word
        # the first word stays with the name: a line of white space only is obsolete syntax
        elif number > 1 and word and len(current) + 1 + len(word) > FOLD_AT and current.strip():
            out.append(current)
            current = b" " + word
        else:
            current += b" " + word
    out.append(current)
    return b"\r\n".join(out) + b"\r\n"


def parameter(name: str, value: str) -> bytes:
    """Return ``; name=value`` on a line of its own, RFC 2231 where ASCII does not do."""
    value = _CONTROLS.sub(" ", value)
    if _TOKEN.fullmatch(value):
        return f";\r\n {name}={value}".encode("ascii")
    if value.isascii():
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        if len(escaped) < FOLD_AT - len(name) - 6:
            return f';\r\n {name}="{escaped}"'.encode("ascii")
    coded = quote(value, safe="", errors="replace")
    pieces = re.findall(r"(?:%[0-9A-F]{2}|[^%]){1,20}", coded)
    if len(pieces) == 1:
        return f";\r\n {name}*=utf-8''{coded}".encode("ascii")
    pieces[0] = "utf-8''" + pieces[0]
    lines = [f";\r\n {name}*{at}*={piece}" for at, piece in enumerate(pieces)]
    return "".join(lines).encode("ascii")


def text_part(text: str, subtype: str = "plain") -> tuple[bytes, bytes]:
    """Return (MIME fields, body) of a text; 7bit if it is ASCII in short lines, else quoted-printable."""
    body = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace")
    if body and not body.endswith(b"\n"):
        body += b"\n"
    plain = body.isascii() and b"\0" not in body and all(len(line) <= MAX_LINE for line in body.split(b"\n"))
    if plain:
        encoded, encoding, charset = body.replace(b"\n", b"\r\n"), b"7bit", b"us-ascii"
    else:
        encoded, encoding, charset = transfer.encode_quoted_printable(body), b"quoted-printable", b"utf-8"
    fields = b"Content-Type: text/%b; charset=%b\r\nContent-Transfer-Encoding: %b\r\n" % (
        subtype.encode("ascii"),
        charset,
        encoding,
    )
    return fields, encoded


def _attachment(one: Attachment) -> tuple[bytes, bytes]:
    kind = one.content_type.encode("ascii")
    fields = b"Content-Type: " + kind
    if one.filename:
        fields += parameter("name", one.filename)
    fields += b"\r\n"
    if one.description:
        fields += header("Content-Description", one.description)
    if kind.lower().startswith((b"message/", b"text/rfc822-headers")):
        # RFC 2046 5.2.1: an embedded message is never encoded; 8bit where it must be
        body = one.content
        encoding = b"7bit" if body.isascii() else b"8bit"
    else:
        body, encoding = transfer.encode_base64(one.content).removesuffix(b"\r\n"), b"base64"
    fields += b"Content-Transfer-Encoding: " + encoding + b"\r\nContent-Disposition: "
    fields += b"inline" if one.inline else b"attachment"
    if one.filename:
        fields += parameter("filename", one.filename)
    return fields + b"\r\n", body


def _multipart(kind: bytes, parts: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return Content-Type, blank line and body; the boundary comes from a hash of the parts."""
    seed = hashlib.sha256(b"".join([fields + body for fields, body in parts]))
    while True:
        boundary = b"=_" + seed.hexdigest()[:32].encode("ascii")
        if not any(boundary in body for _, body in parts):
            break
        seed.update(b"again")
    out = [b'Content-Type: %b;\r\n boundary="%b"\r\n\r\n' % (kind, boundary)]
    for fields, body in parts:
        # the line end before a delimiter belongs to it (RFC 2046 5.1.1)
        out.append(b"--%b\r\n%b\r\n%b\r\n" % (boundary, fields, body))
    out.append(b"--%b--\r\n" % boundary)
    return b"".join(out)


def compose(
    headers: Sequence[tuple[str, str]],
    text: str,
    attachments: Sequence[Attachment] = (),
    *,
    html: str = "",
) -> bytes:
    """Return a whole message: a text, maybe its HTML form, maybe attachments.

    ``headers`` are written in their order; MIME-Version and Content-* are added
    and must not be among them.

    Raises:
        ValueError: a field name is none, or is one of the MIME fields.
    """
    top = _top(headers)
    content = text_part(text)
    if html:
        alternative = _multipart(b"multipart/alternative", [content, text_part(html, "html")])
        fields, _, body = alternative.partition(b"\r\n\r\n")
        content = fields + b"\r\n", body
    if attachments:
        return top + _multipart(b"multipart/mixed", [content, *map(_attachment, attachments)])
    return top + content[0] + b"\r\n" + content[1]


def _top(headers: Sequence[tuple[str, str]]) -> bytes:
    for name, _ in headers:
        if name.lower().startswith("content-") or name.lower() == "mime-version":
            raise ValueError(f"{name} is written by compose itself")
    return b"".join([header(name, value) for name, value in headers]) + b"MIME-Version: 1.0\r\n"


def multipart_report(
    headers: Sequence[tuple[str, str]],
    text: str,
    report: bytes,
    *,
    report_type: str = "delivery-status",
    original: bytes = b"",
    headers_only: bool = False,
    languages: Sequence[str] = (),
    seven_bit: bool = False,
) -> bytes:
    """Return a multipart/report (RFC 6522 3): a text, ``message/<report_type>``, and what it is about.

    ``report`` is the body of the second part, groups of fields with CRLF (RFC
    3464 2, RFC 8098 3). ``original`` is the message, or with ``headers_only``
    its header block; one with UTF-8 in its header is named so (RFC 6533 4.2,
    4.3). ``languages`` are the text's. With ``seven_bit`` what RFC 6533 lets
    be encoded is (4.5); the body of an 8-bit message stays.
    """
    fields, body = text_part(text)
    if languages:
        fields += header("Content-Language", ", ".join(languages))
    parts = [(fields, body), _raw_part(f"message/{report_type}".encode("ascii"), report, seven_bit)]
    if original:
        parts.append(_original(original, headers_only, seven_bit))
    outer = b"multipart/report; report-type=" + report_type.encode(
        "ascii"
    )  # RFC 6522 3: the second part's subtype
    return _top(headers) + _multipart(outer, parts)


def _original(content: bytes, headers_only: bool, seven_bit: bool) -> tuple[bytes, bytes]:
    """The part with what a report is about."""
    head = content if headers_only else content[: content.find(b"\r\n\r\n") + 1 or len(content)]
    if _is_utf8(head):
        return _raw_part(b"message/global-headers" if headers_only else b"message/global", content, seven_bit)
    if not headers_only:
        return _raw_part(b"message/rfc822", content, False)  # RFC 2046 5.2.1: never encoded
    return _raw_part(b"text/rfc822-headers", content, seven_bit)


def _is_utf8(head: bytes) -> bool:
    """Not plain ASCII, and not the raw bytes of another charset either (RFC 6532)."""
    if head.isascii():
        return False
    try:
        head.decode()
    except UnicodeDecodeError:
        return False
    return True


def _raw_part(kind: bytes, body: bytes, seven_bit: bool) -> tuple[bytes, bytes]:
    encoding = b"7bit" if body.isascii() else b"8bit"
    if seven_bit and encoding == b"8bit":
        encoding, body = b"base64", transfer.encode_base64(body).removesuffix(b"\r\n")
    return b"Content-Type: %b\r\nContent-Transfer-Encoding: %b\r\n" % (kind, encoding), body
