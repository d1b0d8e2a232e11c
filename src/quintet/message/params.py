"""Parameters of Content-Type, Content-Disposition and their kin (RFC 2045 5.1, RFC 2183).

``raw`` keeps the pairs as they came, for the digest; ``decode`` joins and
decodes RFC 2231 continuations for people; ``listing`` joins them for
BODYSTRUCTURE. Nothing here raises: what cannot be read is left out.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes

from quintet.message import words

Pairs = tuple[tuple[bytes, bytes], ...]

MAX_PARAMS = 200  # of one field; a mailer needs a handful, RFC 2231 pieces some dozens
MAX_VALUE = 64 * 1024  # bytes of one joined value; file systems end far below

_TOKEN = rb"[!#$%&'*+\-.^_`{|}~0-9A-Za-z]+"
# The common form, in one match: no comment, no backslash, no stray text.
_PLAIN = re.compile(rb'(?:[ \t]*;[ \t]*%b=(?:"[^"\\]*"|[^\s;"()\\]+))*[ \t]*(?:;[ \t]*)?' % _TOKEN)
_PAIR = re.compile(rb';[ \t]*(%b)=(?:"([^"]*)"|([^\s;"]+))' % _TOKEN)
# The tolerant form: white space around "=", comments, 8-bit and empty values, unquoted blanks.
_LOOSE = re.compile(
    rb'\s*([^\s=;"()]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"?|([^;"]*))',
    re.DOTALL,
)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_SECTION = re.compile(rb"([^*]+)\*(\d{1,4})(\*?)")
_HEAD = re.compile(rb"\s*(%b)\s*/\s*(%b)[ \t]*" % (_TOKEN, _TOKEN))
_WORD = re.compile(rb"\s*(%b)[ \t]*" % _TOKEN)


def strip_comments(value: bytes) -> bytes:
    """Take away RFC 5322 comments outside quoted strings; an open one runs to the end."""
    if b"(" not in value:
        return value
    kept = bytearray()
    depth = 0
    quoted = False
    skip = False
    for byte in value:
        if skip:
            skip = False
        elif byte == 0x5C:
            skip = True
        elif byte == 0x22 and not depth:
            quoted = not quoted
        elif byte == 0x28 and not quoted:
            depth += 1
            continue
        elif byte == 0x29 and depth:
            depth -= 1
            continue
        if not depth:
            kept.append(byte)
    return bytes(kept)


def raw(value: bytes, start: int = 0) -> Pairs:
    """Return the pairs of ``value`` from ``start`` (the first ``;``) on, at most MAX_PARAMS.

    Names come in lower case, values without their quotes; RFC 2231 pieces stay apart.
    """
    if _PLAIN.fullmatch(value, start):
        return tuple(
            [(name.lower(), quoted or token) for name, quoted, token in _PAIR.findall(value, start)][
                :MAX_PARAMS
            ]
        )
    value = strip_comments(value[start:])
    pairs: list[tuple[bytes, bytes]] = []
    at = 0
    while len(pairs) < MAX_PARAMS:
        semicolon = value.find(b";", at)
        if semicolon < 0:
            break
        at = semicolon + 1
        if found := _LOOSE.match(value, at):
            name, quoted, token = found.groups()
            text = _ESCAPED.sub(rb"\1", quoted) if quoted is not None else token.strip()
            pairs.append((name.lower(), text))
            at = found.end()
    return tuple(pairs)


def content_type(value: bytes) -> tuple[str, str, Pairs] | None:
    """Return type, subtype (lower case) and pairs; None where the syntax is broken (RFC 2045 5.2)."""
    found = _HEAD.match(value)
    if found is None:
        value = strip_comments(value)
        found = _HEAD.match(value)
        if found is None:
            return None
    main, sub = found.groups()
    return main.decode("ascii").lower(), sub.decode("ascii").lower(), raw(value, found.end())


def disposition(value: bytes) -> tuple[str, Pairs] | None:
    """Return a leading word (lower case) and its pairs, or None without a word (RFC 2183 2)."""
    found = _WORD.match(value)
    if found is None:
        value = strip_comments(value)
        found = _WORD.match(value)
        if found is None:
            # RFC 2183 2.8: an unrecognised type is an attachment; a file name may still be told.
            return ("attachment", raw(value)) if b";" in value else None
    return found.group(1).decode("ascii").lower(), raw(value, found.end())


def _joined(pairs: Pairs) -> tuple[dict[bytes, list[tuple[int, bool, bytes]]], list[tuple[bytes, bytes]]]:
    """Part the pairs into RFC 2231 pieces by name, and plain ones in order."""
    pieces: dict[bytes, list[tuple[int, bool, bytes]]] = {}
    plain: list[tuple[bytes, bytes]] = []
    for name, value in pairs:
        if b"*" in name and (found := _SECTION.fullmatch(name)):
            base, number, extended = found.groups()
            pieces.setdefault(base, []).append((int(number), bool(extended), value))
        else:
            plain.append((name, value))
    return pieces, plain


def _join(pieces: list[tuple[int, bool, bytes]]) -> tuple[str, str, bool]:
    """Join the pieces of one value: text, charset, and whether any piece was extended."""
    pieces.sort(key=lambda piece: piece[0])
    charset = ""
    joined = bytearray()
    extended_seen = False
    for expected, (number, extended, value) in enumerate(pieces):
        if number != expected:
            break  # a lost piece: what follows cannot be placed (RFC 2231 3)
        if extended:
            extended_seen = True
            if number == 0 and value.count(b"'") >= 2:
                name, _language, value = value.split(b"'", 2)
                charset = name.decode("ascii", "replace")
            value = unquote_to_bytes(value)
        if len(joined) + len(value) > MAX_VALUE:
            break
        joined += value
    text = (
        words.decode_bytes(bytes(joined), charset)
        if charset or not joined.isascii()
        else joined.decode("ascii")
    )
    return text, charset, extended_seen


def _extended(value: bytes) -> str:
    """Decode ``charset'language'percent`` (RFC 2231 4)."""
    charset = b""
    if value.count(b"'") >= 2:
        charset, _language, value = value.split(b"'", 2)
    return words.decode_bytes(unquote_to_bytes(value), charset.decode("ascii", "replace"))


def decode(pairs: Pairs) -> dict[str, str]:
    """Return the parameters for people: RFC 2231 joined and decoded, RFC 2047 words tolerated.

    The first of equal names counts; an RFC 2231 form beats a plain one (RFC 6266 4.3 has the reason).
    """
    pieces, plain = _joined(pairs)
    found: dict[str, str] = {}
    better: dict[str, str] = {}
    for name, value in plain:
        if name.endswith(b"*"):
            better.setdefault(name[:-1].decode("latin-1"), _extended(value))
        else:
            # Deviates from RFC 2047 5: an encoded word inside quotes is common, so it is read.
            found.setdefault(name.decode("latin-1"), words.decode_words(value))
    for base, parts in pieces.items():
        better.setdefault(base.decode("latin-1"), _join(parts)[0])
    return found | better


def listing(pairs: Pairs) -> Pairs:
    """Return the pairs as BODYSTRUCTURE shows them: continuations joined (RFC 9051 7.5.2).

    A joined value that carried a charset becomes ``name*`` with an RFC 2231
    extended value in UTF-8, percent signs kept: that is what clients parse
    behind a name with an asterisk, and it stays in ASCII.
    """
    for name, _ in pairs:
        if b"*" in name:
            break
    else:
        return pairs
    pieces, plain = _joined(pairs)
    for base, parts in pieces.items():
        text, _charset, extended = _join(parts)
        if extended:
            plain.append((base + b"*", b"utf-8''" + quote(text, safe="!#$&+-.^_`|~").encode("ascii")))
        else:
            plain.append((base, text.encode("utf-8", "surrogateescape")))
    return tuple(plain)
