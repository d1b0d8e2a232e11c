"""A header in which all that is encoded is of one charset: words (RFC 2047) and parameters (RFC 2231).

As RFC 5259 6 has it: what is encoded stays encoded, so that nothing changes its meaning; what is of an
unknown charset, and everything else, stays as it is.  Pure.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from quintet.message import params, words

MAX_LINE = 77  # characters of a line with something encoded (RFC 5259 6: less than 78)
LEAST = 40  # characters of an encoded word's room; with less the word gets a line of its own

_FIELD = re.compile(rb"[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*(?:\r?\n)?")
_WITH_PARAMS = frozenset((b"content-type", b"content-disposition"))
_EXTENDED = re.compile(rb";\s*[^\s=;*\"]+\*[0-9*]*=")
_SECTION = re.compile(rb"([^*]+)\*(?:\d{1,4}\*?)?")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`{|}~0-9A-Za-z-]+")


class Charset:
    """The charset that is written, and what stands for a character that it has not."""

    def __init__(self, name: str, codec: str, replacement: str | None) -> None:
        """``codec``: Python's name of it; ``replacement``: None, and such a character is refused."""
        self.name, self.codec, self._replacement = name.encode("ascii"), codec, replacement

    def fit(self, text: str) -> str:
        """Raises UnicodeError."""
        try:
            text.encode(self.codec)
        except UnicodeError:
            if self._replacement is None:
                raise
            self._replacement.encode(self.codec)
            return "".join([one if self._has(one) else self._replacement for one in text])
        return text

    def _has(self, character: str) -> bool:
        try:
            character.encode(self.codec)
        except UnicodeError:
            return False
        return True


def header(block: bytes, charset: Charset) -> bytes:
    """The same fields, folded anew only where something was encoded.

    Raises:
        UnicodeError: a character is not in the charset, and nothing stands for it.
    """
    return b"".join([_field(found[0], charset) for found in _FIELD.finditer(block) if found[0]])


def _field(field: bytes, charset: Charset) -> bytes:
    name = field.partition(b":")[0].strip().lower()
    if name in _WITH_PARAMS and _EXTENDED.search(field):
        return _parameters(field, charset)
    if b"=?" not in field:
        return field
    told, at = bytearray(), 0
    for start, end, text in words.encoded_spans(field):
        told += field[at:start]
        at = end
        if text is None:
            told += field[start:end]
            continue
        room = MAX_LINE - (len(told) - (told.rfind(b"\n") + 1))
        if room < LEAST and told.endswith((b" ", b"\t")):
            told[-1:] = b"\r\n "
            room = MAX_LINE - 1
        told += b"\r\n ".join(
            words.encoded(charset.fit(text), charset.name, charset.codec, first=max(room, LEAST))
        )
    return bytes(told + field[at:])


def _parameters(field: bytes, charset: Charset) -> bytes:
    """The pieces of an extended value are put together and cut anew; comments do not outlive that."""
    end = field[len(field.rstrip(b"\r\n")) :]
    value = words.unfold(field)
    head, semicolon, _ = value.partition(b";")
    told = [params.strip_comments(head).rstrip()]
    pairs = params.raw(value, len(head)) if semicolon else ()
    extended: dict[bytes, list[tuple[bytes, bytes]]] = {}
    for name, text in pairs:
        if found := _SECTION.fullmatch(name):
            extended.setdefault(found[1], []).append((name, text))
    for name, text in pairs:
        found = _SECTION.fullmatch(name)
        if found is None:
            told.append(b"%b=%b" % (name, _value(text)))
        elif found[1] in extended:  # in the place of its first piece
            told += _pieces(found[1], tuple(extended.pop(found[1])), charset)
    return b";\r\n ".join(told) + end


def _value(text: bytes) -> bytes:
    if _TOKEN.fullmatch(text):
        return text
    return b'"%b"' % re.sub(rb'(["\\])', rb"\\\1", text)


def _pieces(name: bytes, pairs: params.Pairs, charset: Charset) -> list[bytes]:
    """``name*0*=utf-8'fr'%C3%A9t``, ``name*1*=...``: each fits into its line."""
    text = charset.fit(params.decode(pairs).get(name.decode("latin-1"), ""))
    first = min(pairs)[1]
    language = first.split(b"'")[1] if first.count(b"'") >= 2 else b""
    lead = b"%b'%b'" % (charset.name, language[: MAX_LINE // 2])
    room = MAX_LINE - len(name) - len("*999*=; ")
    told: list[bytes] = []
    line = lead
    for character in text:
        piece = quote(character.encode(charset.codec), safe="!#$&+-.^_`|~").encode("ascii")
        if len(line) + len(piece) > room and line:
            told.append(line)
            line = b""
        line += piece
    told.append(line)
    if len(told) == 1:
        return [b"%b*=%b" % (name, told[0])]
    return [b"%b*%d*=%b" % (name, number, line) for number, line in enumerate(told)]
