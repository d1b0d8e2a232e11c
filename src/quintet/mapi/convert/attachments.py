"""Attachments: parts as properties, and properties as the header of a part (MS-OXCMAIL 2.1.3.4, 2.2.3.4)."""

from __future__ import annotations

import re

from quintet.mapi import types
from quintet.mapi.bag import Attachment, Bag, Data
from quintet.mapi.convert import envelope, fields, names
from quintet.message import build, dates, params, words
from quintet.message.digest import Part

MAX_NAME = 255  # characters of a file's name, which is what file systems take

# endings for parts that have no name; all others get ".dat"
_ENDINGS = {
    "text/plain": ".txt", "text/html": ".htm", "text/calendar": ".ics", "text/vcard": ".vcf",
    "text/x-vcard": ".vcf", "text/csv": ".csv", "text/xml": ".xml", "application/pdf": ".pdf",
    "application/zip": ".zip", "application/json": ".json", "application/rtf": ".rtf", "text/rtf": ".rtf",
    "application/msword": ".doc", "application/pgp-signature": ".asc", "application/pkcs7-mime": ".p7m",
    "application/pkcs7-signature": ".p7s", "application/ms-tnef": ".dat", "image/jpeg": ".jpg",
    "image/jpg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/bmp": ".bmp", "image/tiff": ".tif",
    "image/svg+xml": ".svg", "image/webp": ".webp", "audio/mpeg": ".mp3", "audio/wav": ".wav",
    "video/mp4": ".mp4", "message/rfc822": ".eml", "message/global": ".eml",
}  # fmt: skip
# MS-OXCMAIL 2.2.3.4.1: what no file may be called, and white space that would not be seen
_UNFIT = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')
_UUENCODED = frozenset(("x-uuencode", "x-uue", "uuencode"))
_BEGIN = re.compile(rb"^begin[ \t]+[0-7]{3,4}[ \t]+([^\r\n]{1,300})", re.MULTILINE)
_SHORT = re.compile(r"[^A-Za-z0-9_-]+")
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+", re.IGNORECASE)


# --- from MIME --------------------------------------------------------------------------------------------


def read(part: Part, number: int, *, related: bool, subject: str | None, start: bytes = b"") -> Bag:
    """The properties of attachment ``number``; ``subject``: of the message that it is.

    ``start``: some of its body, as it is encoded, where that may tell a name.
    """
    kind = part.content_type
    name = _fit(_name(part, start)) or _made_up(part, number, subject)
    given = params.decode(part.disposition_params) if part.disposition_params else {}
    bag: Bag = {
        names.ATTACH_NUMBER: number,
        names.ATTACH_METHOD: names.BY_VALUE if subject is None else names.EMBEDDED,
        names.ATTACH_MIME_TAG: kind,
        names.ATTACH_LONG_NAME: name,
        names.ATTACH_NAME: short_name(name),
        names.ATTACH_EXTENSION: extension(name),
        names.DISPLAY_NAME: words.decode_words(part.description) if part.description else subject or name,
        names.RENDERING_POSITION: names.NOT_RENDERED,
        names.ATTACH_FLAGS: names.IN_BODY if related else 0,
    }
    if part.content_id:
        bag[names.ATTACH_CONTENT_ID] = envelope.unbracketed(part.content_id)
    if part.location:
        bag[names.ATTACH_CONTENT_LOCATION] = fields.text(part.location)
    if part.type == "text" and (charset := part.param("charset")):
        bag[names.ATTACH_CHARSET] = charset
    for word, tag in _DATES:
        if word in given and (at := dates.parse_date(given[word].encode("utf-8", "replace"))) is not None:
            bag[tag] = types.of_ms(at)
    return bag


_DATES = (("creation-date", names.CREATION_TIME), ("modification-date", names.MODIFICATION_TIME))


def _name(part: Part, start: bytes) -> str:
    """What the part is called (MS-OXCMAIL 2.2.3.4.1.1); ``start``: of its body, as it is encoded."""
    if found := part.filename:
        return found
    if part.encoding in _UUENCODED and (begin := _BEGIN.search(start)) is not None:
        return words.decode_bytes(begin.group(1))
    return words.decode_words(part.description) if part.description else ""


def _fit(name: str) -> str:
    """A name as a file may have it, without the folders before it."""
    name = _UNFIT.sub("", re.split(r"[/\\]", name)[-1]).strip().rstrip(". ")
    if len(name) <= MAX_NAME:
        return name
    stem, dot, ending = name.rpartition(".")
    ending = dot + ending if stem and len(ending) < 20 else ""
    return name[: MAX_NAME - len(ending)] + ending


def _made_up(part: Part, number: int, subject: str | None) -> str:
    """A name for what has none: of the message that it is, else by its number and type."""
    if subject is not None:
        return (_fit(subject[: MAX_NAME - 4]) or "message") + ".eml"
    return f"ATT{number + 1:05}{_ENDINGS.get(part.content_type, '.dat')}"


def extension(name: str) -> str:
    """The ending with its dot, or "" (MS-OXCMSG 2.2.2.12)."""
    stem, dot, ending = name.rpartition(".")
    return dot + ending if stem else ""


def short_name(name: str) -> str:
    """An 8.3 form of a name (MS-OXCMSG 2.2.2.11)."""
    stem, _, ending = name.rpartition(".")
    if not stem:
        stem, ending = name, ""
    short_stem, short_ending = _SHORT.sub("", stem), _SHORT.sub("", ending)[:3]
    if short_stem != stem or len(stem) > 8 or len(ending) > 3:
        short_stem = (short_stem[:6] or "file") + "~1"
    return f"{short_stem}.{short_ending}" if short_ending else short_stem


# --- to MIME ----------------------------------------------------------------------------------------------


def file_name(bag: Bag) -> str:
    """What the file is called, "" for nothing."""
    for key in (names.ATTACH_LONG_NAME, names.ATTACH_NAME, names.DISPLAY_NAME):
        found = bag.get(key)
        if isinstance(found, str) and found:
            return found
    return ""


def content_type(one: Attachment) -> tuple[str, bool]:
    """The type to write, and whether the data is written as it is: what consists of parts is never encoded.

    Where it would have to be (RFC 2045 6.4), and where a reader would take it for a message of the letter's,
    it is a file of no known type.
    """
    kind = one.props.get(names.ATTACH_MIME_TAG)
    if one.item is not None:
        return "message/rfc822", False
    if not isinstance(kind, str) or not _TYPE.fullmatch(kind):
        return UNKNOWN, False
    main, _, subtype = kind.lower().partition("/")
    if main not in ("message", "multipart"):
        return kind, False
    if main == "message" and subtype not in _OPENED and _is_bare(one.data):
        return kind, True
    return UNKNOWN, False


UNKNOWN = "application/octet-stream"
_OPENED = ("rfc822", "global")


def _is_bare(data: bytes | Data) -> bool:
    """Whether 7bit carries it."""
    if not isinstance(data, bytes) or not data.isascii() or b"\0" in data:
        return False
    lines = data.split(b"\r\n")
    return not any(len(line) > build.MAX_LINE or b"\n" in line or b"\r" in line for line in lines)


def header(one: Attachment, kind: str, encoding: str, *, inline: bool) -> bytes:
    """The header of the attachment's part."""
    bag = one.props
    name = file_name(bag)
    out = [f"Content-Type: {kind}".encode("ascii")]
    charset = bag.get(names.ATTACH_CHARSET)
    if kind.startswith("text/") and isinstance(charset, str):
        out.append(build.parameter("charset", charset))
    if name:
        out.append(build.parameter("name", name))
    out.append(b"\r\nContent-Transfer-Encoding: " + encoding.encode("ascii"))
    out.append(b"\r\nContent-Disposition: " + (b"inline" if inline else b"attachment"))
    if name:
        out.append(build.parameter("filename", name))
    for word, tag in _DATES:
        if (at := fields.date(bag.get(tag))) is not None:
            out.append(build.parameter(word, at))
    out.append(b"\r\n")
    shown = bag.get(names.DISPLAY_NAME)
    if isinstance(shown, str) and shown and shown != name and one.item is None:
        out.append(build.header("Content-Description", shown))
    for field, tag, form in _IDENTITIES:
        value = bag.get(tag)
        if isinstance(value, str) and value:
            out.append(build.header(field, form.format(value)))
    return b"".join(out)


_IDENTITIES = (
    ("Content-ID", names.ATTACH_CONTENT_ID, "<{}>"),
    ("Content-Location", names.ATTACH_CONTENT_LOCATION, "{}"),
    ("Content-Base", names.ATTACH_CONTENT_BASE, "{}"),
)
