"""Encoded words and charsets: RFC 2047 both ways, RFC 6532 raw UTF-8, header unfolding.

Nothing here raises, whatever the bytes: an unknown charset is read as UTF-8
or, failing that, as windows-1252 with replacement characters.
"""

from __future__ import annotations

import binascii
import codecs
import encodings.aliases
import re
from collections.abc import Iterator
from functools import cache, lru_cache

MAX_TOKEN = 900  # characters without a blank that a line takes as they are (RFC 5322 2.1.1: 998)
MAX_CHARSET = 80  # characters of a charset's name; the longest that Python knows has 25
MAX_WORD = 75  # characters of one encoded word we write (RFC 2047 2)

_WORD = re.compile(rb"=\?([^?\s]{1,80})\?([bBqQ])\?([^?\r\n]*)\?=")
_FOLD = re.compile(rb"\r?\n(?=[ \t])|\r?\n\Z")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")
_OCTETS = {b"%02X" % octet: bytes((octet,)) for octet in range(256)}
_WELL_QUOTED = re.compile(rb"(?:[^=]|=[0-9A-Fa-f]{2})*")  # the standard library's own tolerance is another

# Names that travel in mail and Python does not know, or means otherwise.
_ALIASES = {
    "ansi_x3.110-1983": "iso-8859-1",
    "iso-8859-1": "windows-1252",  # WHATWG's rule: the C1 controls are never meant
    "latin1": "windows-1252",
    "us-ascii": "utf-8",  # 8-bit text under this label is UTF-8 far more often than not
    "ascii": "utf-8",
    "ansi_x3.4-1968": "utf-8",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "iso-8859-6-i": "iso-8859-6",
    "cp-850": "cp850",
    "x-mac-roman": "mac-roman",
    "macintosh": "mac-roman",
    "x-mac-cyrillic": "mac-cyrillic",
    "ks_c_5601-1987": "cp949",
    "ksc5601": "cp949",
    "euc-kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "x-sjis": "cp932",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "windows-31j": "cp932",
    "ms_kanji": "cp932",
    "iso-2022-jp": "iso2022_jp_ext",
    "cp50220": "iso2022_jp_ext",
    "cp50221": "iso2022_jp_ext",
    "x-euc-jp": "euc_jp",
    "eucjp-ms": "euc_jp",
    "big5": "cp950",
    "x-big5": "cp950",
    "tis-620": "cp874",
    "windows-874": "cp874",
    "unicode-1-1-utf-7": "utf-7",
    "unicode-1-1-utf-8": "utf-8",
    "utf8mb4": "utf-8",
    "x-utf-8": "utf-8",
    "unicode": "utf-8",
}

# text codecs of Python that are no charsets of mail
_NO_CHARSETS = frozenset(("idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined"))


@lru_cache(maxsize=256)
def codec_name(charset: str) -> str | None:
    """Return Python's codec for a MIME charset name, or None. Only text codecs count."""
    name = charset.strip().strip("\"'").lower()
    name = _ALIASES.get(name, name)
    if (found := text_codec(name)) is not None:
        return found
    for prefix in ("cp-", "x-"):
        if name.startswith(prefix):
            return codec_name(name.removeprefix("x-").replace("cp-", "cp"))
    return None


def text_codec(name: str) -> str | None:
    """Return Python's codec of that very name, or None."""
    if len(name) > MAX_CHARSET:
        return None
    spelled = encodings.normalize_encoding(name).lower()
    if spelled not in _python_has():
        spelled = spelled.replace(".", "_")
        if spelled not in encodings.aliases.aliases:
            return None
    try:
        info = codecs.lookup(spelled)
    except (LookupError, ValueError):  # one of another system
        return None
    # base64, zlib, rot13 and friends are codecs too, and no charset.
    if not info._is_text_encoding or info.name in {
        "idna",
        "punycode",
        "unicode_escape",
        "raw_unicode_escape",
        "undefined",
    }:
        return None
    return info.name


@cache
def _python_has() -> frozenset[str]:
    """Names of codecs in their one spelling.

    `codecs.lookup` keeps whatever it is asked for, found or not, as long as the process lives: it may only
    hear these names, of the endless ones that mail and news can have.
    """
    import pkgutil  # not at each start (decision 0180)

    modules = {each.name for each in pkgutil.iter_modules(encodings.__path__)}
    return frozenset(modules | set(encodings.aliases.aliases))


def decode_bytes(raw: bytes, charset: str = "") -> str:
    """Decode ``raw`` with a MIME charset name; unknown or wrong ones never raise."""
    name = codec_name(charset) if charset else None
    if name is None or name == "utf-8":
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            if name is None:
                return raw.decode("windows-1252", "replace")
    try:
        return raw.decode(name or "utf-8", "replace")
    except (UnicodeError, ValueError):  # a codec without an error handler
        return raw.decode("latin-1")


def _payload(encoding: bytes, text: bytes) -> bytes:
    """Undo B or Q of one encoded word, tolerantly."""
    if encoding in b"bB":
        text = _NOT_BASE64.sub(b"", text)
        if len(text) % 4 == 1:
            text = text[:-1]
        return binascii.a2b_base64(text + b"=" * (-len(text) % 4))
    if _WELL_QUOTED.fullmatch(text):
        return binascii.a2b_qp(text, header=True)
    text = text.replace(b"_", b" ")
    return _HEX.sub(lambda found: _OCTETS[found[1].upper()], text)


def decode_words(raw: bytes) -> str:
    """Return ``raw`` (one field's value, folded or not) for people.

    Adjacent encoded words lose the white space between them and, in one
    charset, are joined before decoding, so a character may be split across
    two (RFC 2047 6.2; splitting is forbidden there and done all the same).
    """
    if b"\n" in raw:
        raw = unfold(raw)
    if b"=?" not in raw:
        return raw.decode("ascii") if raw.isascii() else decode_bytes(raw)
    pieces: list[str] = []
    pending = bytearray()  # decoded bytes still without their charset
    charset = b""
    at = 0
    for found in _WORD.finditer(raw):
        between = raw[at : found.start()]
        name, encoding, text = found.groups()
        name = name.partition(b"*")[0].lower()  # RFC 2231 5: charset*language
        adjacent = at > 0 and not between.strip(b" \t\r\n")
        if pending and not (adjacent and name == charset):
            pieces.append(decode_bytes(bytes(pending), charset.decode("ascii", "replace")))
            pending.clear()
        if between and not adjacent:
            pieces.append(between.decode("ascii") if between.isascii() else decode_bytes(between))
        pending += _payload(encoding, text)
        charset = name
        at = found.end()
    if pending:
        pieces.append(decode_bytes(bytes(pending), charset.decode("ascii", "replace")))
    rest = raw[at:]
    pieces.append(rest.decode("ascii") if rest.isascii() else decode_bytes(rest))
    return "".join(pieces)


def encoded_spans(raw: bytes) -> Iterator[tuple[int, int, str | None]]:
    """Where encoded words stand, those of one charset that touch as one; text None: no such charset."""
    start = end = -1
    charset, payload = b"", b""

    def span() -> tuple[int, int, str | None]:
        name = charset.decode("ascii", "replace")
        return start, end, decode_bytes(payload, name) if codec_name(name) else None

    for found in _WORD.finditer(raw):
        name = found[1].partition(b"*")[0].lower()
        if start >= 0 and name == charset and not raw[end : found.start()].strip(b" \t\r\n"):
            payload += _payload(found[2], found[3])
        else:
            if start >= 0:
                yield span()
            start, charset, payload = found.start(), name, _payload(found[2], found[3])
        end = found.end()
    if start >= 0:
        yield span()


def unfold(raw: bytes) -> bytes:
    """Take away each line end that white space follows, and one at the end (RFC 5322 2.2.3)."""
    return _FOLD.sub(b"", raw) if b"\n" in raw else raw


def _is_plain(word: str) -> bool:
    return word.isascii() and word.isprintable() and "=?" not in word


def encode_words(text: str, *, phrase: bool = False) -> bytes:
    """Write ``text`` in ASCII: UTF-8 encoded words where needed, at most 75 characters each.

    Line ends and other controls become encoded, and what no line holds. With ``phrase`` the whole text
    is encoded if any of it must be, as a display name wants it (RFC 2047 5 (3)).
    """
    if _is_plain(text) and len(text) <= MAX_TOKEN:
        return text.encode("ascii")
    tokens = text.split(" ")
    need = [number for number, token in enumerate(tokens) if not _is_plain(token) or len(token) > MAX_TOKEN]
    if not need and _is_plain(text):
        return text.encode("ascii")
    if phrase or not need:
        return b" ".join(encoded(text))
    first, last = need[0], need[-1] + 1
    before = [token.encode("ascii") for token in tokens[:first]]
    after = [token.encode("ascii") for token in tokens[last:]]
    return b" ".join([*before, *encoded(" ".join(tokens[first:last])), *after])


def encoded(
    text: str, charset: bytes = b"utf-8", codec: str = "utf-8", *, first: int = MAX_WORD
) -> list[bytes]:
    """Cut ``text`` into encoded words, Q or B, whichever is shorter.

    The first has ``first`` characters at most; what is not in the charset becomes its question mark.
    """
    data = text.encode(codec, "replace")
    quoted = sum(1 if (chr(byte).isalnum() and byte < 0x80) or byte == 0x20 else 3 for byte in data)
    use_b = quoted > (len(data) + 2) // 3 * 4
    out: list[bytes] = []
    around = len(charset) + len("=??q??=")
    room = min(first, MAX_WORD) - around
    chunk = b""
    size = 0
    for char in text:
        raw = char.encode(codec, "replace")
        piece = raw if use_b else b"".join(_q(byte) for byte in raw)
        grown = (len(chunk) + len(raw) + 2) // 3 * 4 if use_b else size + len(piece)
        if chunk and grown > room:
            out.append(_word(chunk, charset, use_b))
            chunk, size = b"", 0
            room = MAX_WORD - around
        chunk += piece
        size += len(piece)
    out.append(_word(chunk, charset, use_b))
    return out


def _q(byte: int) -> bytes:
    if byte == 0x20:
        return b"_"
    if byte < 0x80 and chr(byte).isalnum():
        return bytes((byte,))
    return b"=%02X" % byte


def _word(chunk: bytes, charset: bytes, use_b: bool) -> bytes:
    if use_b:
        return b"=?%b?b?%b?=" % (charset, binascii.b2a_base64(chunk, newline=False))
    return b"=?%b?q?%b?=" % (charset, chunk)
