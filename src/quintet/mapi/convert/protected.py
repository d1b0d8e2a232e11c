"""Signed and encrypted letters: one attachment with all of it, so that what was signed stays as it is.

MS-OXOSMIME 2.1.  Nothing is verified or decrypted here; that is the reader's, who has the keys.
"""

from __future__ import annotations

import enum
import re

from quintet.mapi import types
from quintet.mapi.bag import Attachment, Bag, Data, Item, NamedTag
from quintet.mapi.convert import names
from quintet.mapi.convert.sources import Joined, Letter, Range, Whole, pieces
from quintet.message import build, entity, section, words
from quintet.message.digest import Part

OPAQUE_CLASS = "IPM.Note.SMIME"
SIGNED_CLASS = "IPM.Note.SMIME.MultipartSigned"
CONTENT_TYPE = NamedTag(names.INTERNET_HEADERS, "content-type", types.STRING)  # PidNameContentType
MAX_HEADER = 64 * 1024  # bytes of the header that a signed entity begins with

_SIGNATURES = frozenset(("application/pkcs7-signature", "application/x-pkcs7-signature"))
_OPAQUE = frozenset(("application/pkcs7-mime", "application/x-pkcs7-mime"))
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_CONTENT = frozenset((b"CONTENT-TYPE", b"CONTENT-TRANSFER-ENCODING"))


class Kind(enum.Enum):
    """How a letter is protected."""

    SIGNED = SIGNED_CLASS  # in clear: multipart/signed (RFC 1847)
    OPAQUE = OPAQUE_CLASS  # signed or encrypted as one CMS structure (S/MIME)


def kind(root: Part) -> Kind | None:
    """How the letter with this outermost part is protected; None: not at all."""
    if root.type == "multipart":
        signature = (root.param("protocol") or "").lower()
        signed = root.subtype == "signed" and signature in _SIGNATURES and len(root.children) == 2
        return Kind.SIGNED if signed else None
    if root.content_type in _OPAQUE:
        # a heap of certificates protects nothing
        return Kind.OPAQUE if (root.param("smime-type") or "").lower() != "certs-only" else None
    named = (root.filename or "").lower().endswith(".p7m")
    return Kind.OPAQUE if root.content_type == "application/octet-stream" and named else None


def read(how: Kind, letter: Letter, root: Part) -> Attachment:
    """The only attachment of such an item."""
    opaque = how is Kind.OPAQUE
    bag: Bag = {
        names.ATTACH_NUMBER: 0,
        names.ATTACH_METHOD: names.BY_VALUE,
        names.ATTACH_MIME_TAG: root.content_type if opaque else "multipart/signed",
        names.ATTACH_LONG_NAME: "smime.p7m",
        names.ATTACH_NAME: "smime.p7m",
        names.ATTACH_EXTENSION: ".p7m",
        names.DISPLAY_NAME: "smime.p7m",
        names.RENDERING_POSITION: names.NOT_RENDERED,
        names.ATTACH_FLAGS: 0,
    }
    if opaque:
        data: bytes | Data = letter.content(root)
    else:
        head = section.filter_header(letter.header(root), _CONTENT, exclude=False)
        data = Joined(head if head.endswith(b"\n\r\n") else head + b"\r\n", letter.body(root)).small()
    bag[names.ATTACH_SIZE] = len(data) if isinstance(data, bytes) else data.size
    return Attachment(bag, data)


def content_type(letter: Letter, root: Part) -> str:
    """The whole field as it came: PidNameContentType, which says more than the attachment's type."""
    found = {name.lower(): value for name, value in reversed(entity.fields(letter.header(root)))}
    return words.decode_words(found.get(b"content-type", b""))


def opaque_field(item: Item, one: Attachment) -> bytes | None:
    """Content-Type as PidNameContentType has it; None: it has none, or another."""
    value = item.props.get(CONTENT_TYPE)
    if not isinstance(value, str):
        return None
    same = value.partition(";")[0].strip().lower() == one.props.get(names.ATTACH_MIME_TAG)
    return build.header("Content-Type", value) if same else None


def of(item: Item) -> tuple[Kind, Attachment] | None:
    """How an item is to be written, if it is protected: with the one attachment that has it all."""
    message_class = str(item.props.get(names.MESSAGE_CLASS, "")).lower()
    if len(item.attachments) != 1 or item.attachments[0].item is not None:
        return None
    one = item.attachments[0]
    # forms may put a name of their own before it (MS-OXCMAIL 2.1.3.2)
    if message_class.endswith(".smime"):
        return Kind.OPAQUE, one
    signed = str(one.props.get(names.ATTACH_MIME_TAG, "")).lower() == "multipart/signed"
    return (Kind.SIGNED, one) if signed and message_class.endswith(".smime.multipartsigned") else None


def signed_entity(one: Attachment) -> tuple[bytes, Data] | None:
    """Header and body of what is signed; None: the data does not begin with a header."""
    data = Whole(one.data) if isinstance(one.data, bytes) else one.data
    start = data.read(0, MAX_HEADER)
    end = _BLANK_LINE.search(start)
    if end is None:
        return None
    head = section.filter_header(start[: end.start()] + b"\r\n", _CONTENT, exclude=False)
    if not head.lower().startswith(b"content-"):
        return None
    return head, Range(data, end.end(), data.size - end.end())


def is_ascii(item: Item) -> bool:
    """Whether all that is written raw, here and in embedded messages, is ASCII."""
    found = of(item)
    if found is not None and found[0] is Kind.SIGNED:
        data = found[1].data
        return all(map(bytes.isascii, pieces(data)))
    return all(is_ascii(one.item) for one in item.attachments if one.item is not None)
