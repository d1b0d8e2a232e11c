"""Text of one kind as text of another: charsets, and HTML as plain text (RFC 5259 6, 7.1), as streams.

Pure.  `plan` says what a conversion is, or why it cannot be; a `Converter` takes decoded octets in pieces of
any size.  Pictures are `pictures`'s; here is what may be asked of them.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping, Sequence

from quintet.message import pictures, reencode, words
from quintet.message import text as texts
from quintet.message.digest import Part
from quintet.message.html import Flow
from quintet.values import dataclass

PLAIN = "text/plain"
HEADERS = "text/rfc822-headers"
CONVERSIONS: Mapping[str, tuple[str, ...]] = {PLAIN: (PLAIN,), "text/html": (PLAIN,)}  # source: targets
CHARSET, REPLACEMENT = "charset", "unknown-character-replacement"
PARAMETERS = (CHARSET, REPLACEMENT)  # RFC 5259 7.1, 12.1
WIDTH, HEIGHT = "pix-x", "pix-y"  # RFC 5259 7.2
SIDES = (WIDTH, HEIGHT)
JPEG = "image/jpeg"  # what a picture becomes where nobody says what (RFC 5259 6)
MAX_REPLACEMENT = 8  # characters

_NAME = re.compile(r"[A-Za-z0-9._:+-]{1,60}")


class CannotConvert(Exception):
    """Why a conversion is not possible; ``params`` are those at fault, none: the pair of types is.

    ``missing``: names of parameters that it takes.  ``passing``: it may be possible later.
    """

    def __init__(
        self, why: str, source: str, target: str, params: Sequence[tuple[str, str]] = (),
        *, missing: Sequence[str] = (), passing: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(why)
        self.why, self.source, self.target, self.params = why, source, target, tuple(params)
        self.missing, self.passing = tuple(missing), passing


@dataclass(frozen=True, slots=True)
class Plan:
    """One conversion of one part."""

    source: str  # type/subtype
    target: str
    from_charset: str
    charset: str  # as it was asked for
    codec: str  # Python's name of it
    replacement: str | None


@dataclass(frozen=True, slots=True)
class PicturePlan:
    """One conversion of one picture."""

    source: str
    target: str
    width: int  # pixels; 0: as the height asks, or as it is
    height: int


def conversions() -> Mapping[str, tuple[str, ...]]:
    """Targets by source: those of pictures only where these can be converted."""
    if not pictures.available():
        return CONVERSIONS
    return {**CONVERSIONS, **dict.fromkeys(pictures.FORMATS, tuple(pictures.FORMATS))}


def parameters(source: str) -> tuple[str, ...]:
    """What a conversion of this type may be told (RFC 5259 5.1)."""
    return SIDES if source in pictures.FORMATS else PARAMETERS


def plan(part: Part, target: str, params: Sequence[tuple[str, str]]) -> Plan | PicturePlan:
    """The conversion of ``part`` to ``target`` ("": what suits it best).  Names are in lower case.

    Raises:
        CannotConvert: not these types, or a parameter is unknown or wrong.
    """
    source = part.content_type
    possible = conversions().get(source, ())
    if source in pictures.FORMATS and (target or JPEG) in possible:
        return _picture(source, target or JPEG, params)
    wanted = target or PLAIN
    if wanted not in possible:
        raise CannotConvert("this type cannot be converted to that", source, wanted)
    if irrelevant := [pair for pair in params if pair[0] not in PARAMETERS]:
        raise CannotConvert("unknown parameters", source, wanted, irrelevant)
    given = dict(params)
    charset = given.get(CHARSET, "utf-8")
    codec = encoding(charset)
    if codec is None:
        raise CannotConvert("unknown charset", source, wanted, [(CHARSET, charset)])
    replacement = given.get(REPLACEMENT)
    if replacement is not None:
        wrong = [(REPLACEMENT, replacement)]
        if len(replacement) > MAX_REPLACEMENT:
            raise CannotConvert(f"replacement beyond {MAX_REPLACEMENT} characters", source, wanted, wrong)
        if not _fits(replacement, codec):
            raise CannotConvert("the replacement is not in the charset", source, wanted, wrong)
    return Plan(source, wanted, part.charset, charset, codec, replacement)


def _picture(source: str, target: str, params: Sequence[tuple[str, str]]) -> PicturePlan:
    if irrelevant := [pair for pair in params if pair[0] not in SIDES]:
        raise CannotConvert("unknown parameters", source, target, irrelevant)
    for pair in params:
        if not (pair[1].isascii() and pair[1].isdigit() and 1 <= int(pair[1][:9]) <= pictures.MAX_SIDE):
            raise CannotConvert(f"expected 1 to {pictures.MAX_SIDE} pixels", source, target, [pair])
    given = dict(params)
    return PicturePlan(source, target, int(given.get(WIDTH, "0")), int(given.get(HEIGHT, "0")))


def encoding(charset: str) -> str | None:
    """Python's name of a charset that text can be written in; None: unknown.

    Its own one: ISO-8859-1 that is read as windows-1252 must not be written so.
    """
    if _NAME.fullmatch(charset) is None:
        return None
    name = words.text_codec(charset.lower()) or words.codec_name(charset)
    return name if name is not None and hasattr(codecs.lookup(name), "incrementalencoder") else None


def _fits(text: str, codec: str) -> bool:
    try:
        text.encode(codec)
    except UnicodeError:
        return False
    return True


class Converter:
    """Feed the part's octets without their transfer encoding, get those of the target."""

    def __init__(self, how: Plan) -> None:
        self._how = how
        self._decoder = texts.text_decoder(how.from_charset)
        self._encoder = codecs.getincrementalencoder(how.codec)()
        self._flow = Flow() if how.source != PLAIN else None

    def feed(self, piece: bytes) -> bytes:
        """Raises CannotConvert: a character is not in the charset, and nothing shall replace it."""
        return self._write(self._decoder.decode(piece), final=False)

    def finish(self) -> bytes:
        """What was held back.  Raises CannotConvert."""
        return self._write(self._decoder.decode(b"", True), final=True)

    def _write(self, text: str, *, final: bool) -> bytes:
        if self._flow is not None:
            text = self._flow.feed(text) + (self._flow.finish() if final else "")
        how = self._how
        if not _fits(text, how.codec):
            if how.replacement is None:
                params = [(CHARSET, how.charset)]
                raise CannotConvert("some characters are not in the charset", how.source, how.target, params)
            text = "".join([one if _fits(one, how.codec) else how.replacement for one in text])
        return self._encoder.encode(text, final)


def header(block: bytes, params: Sequence[tuple[str, str]]) -> bytes:
    """A header block with its encoded words and parameters in the charset of ``params`` (RFC 5259 6).

    Raises:
        CannotConvert: no charset, an unknown one, one that does not know a character; or another parameter.
    """
    given = dict(params)
    charset = given.get(CHARSET)
    if charset is None:
        raise CannotConvert("the charset must be named", HEADERS, HEADERS, missing=(CHARSET,))
    codec = encoding(charset)
    wrong = [pair for pair in params if pair[0] not in PARAMETERS]
    if wrong:
        raise CannotConvert("unknown parameters", HEADERS, HEADERS, wrong)
    if codec is None or "=?_".encode(codec) != b"=?_":
        raise CannotConvert("unknown charset", HEADERS, HEADERS, [(CHARSET, charset)])
    replacement = given.get(REPLACEMENT)
    if replacement is not None and (len(replacement) > MAX_REPLACEMENT or not _fits(replacement, codec)):
        wrong = [(REPLACEMENT, replacement)]
        raise CannotConvert("the replacement is too long or not in the charset", HEADERS, HEADERS, wrong)
    try:
        return reencode.header(block, reencode.Charset(charset, codec, replacement))
    except UnicodeError:
        wrong = [(CHARSET, charset)]
        raise CannotConvert("some characters are not in the charset", HEADERS, HEADERS, wrong) from None
