"""8-bit text in the code page that a client names (MS-OXNSPI 3.1.4.3).

CP_TELETEX, which every server must have (R440), is T.61: ASCII, some letters, and marks that stand before the
letter they belong to.  What a page lacks becomes "?".
"""

from __future__ import annotations

import codecs
import functools
import unicodedata
from typing import Final

from quintet.mapi.nspi.consts import CP_TELETEX, CP_UNICODE

_MARKS: Final = {  # T.61 2.2.3: the byte before the letter, and what Unicode puts behind it
    0xC1: 0x300, 0xC2: 0x301, 0xC3: 0x302, 0xC4: 0x303, 0xC5: 0x304, 0xC6: 0x306, 0xC7: 0x307,
    0xC8: 0x308, 0xCA: 0x30A, 0xCB: 0x327, 0xCC: 0x332, 0xCD: 0x30B, 0xCE: 0x328, 0xCF: 0x30C,
}  # fmt: skip
_LETTERS: Final = {
    first + at: letter
    for first, letters in (
        (0xA0, "\xa0¡¢£$¥#§¤"), (0xAB, "«"), (0xB0, "°±²³×µ¶·÷"), (0xBB, "»¼½¾¿"), (0xE0, "ΩÆÐªĦ"),
        (0xE6, "ĲĿŁØŒºÞŦŊŉĸæđðħıĳŀłøœßþŧŋ"),
    )
    for at, letter in enumerate(letters)
}  # fmt: skip
_BYTES: Final = {chr(code): code for code in range(1, 0x80)} | {char: byte for byte, char in _LETTERS.items()}
_MARK_BYTES: Final = {mark: byte for byte, mark in _MARKS.items()}
_NAMES: Final = {65001: "utf-8", 65000: "utf-7", 20127: "ascii", 20866: "koi8-r", 21866: "koi8-u", 936: "gbk",
                 51932: "euc-jp", 51949: "euc-kr", 54936: "gb18030", 10000: "mac-roman"}  # fmt: skip


def is_known(page: int) -> bool:
    """Whether 8-bit text can be had in a code page (CP_UNICODE is none of 8 bits)."""
    return page == CP_TELETEX or _codec(page) is not None


@functools.lru_cache(maxsize=64)
def _codec(page: int) -> str | None:
    if not 0 < page < 0x10000 or page == CP_UNICODE:
        return None
    name = _NAMES.get(page, f"iso8859-{page - 28590}" if 28591 <= page <= 28606 else f"cp{page:03}")
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None


def encode(text: str, page: int) -> bytes:
    """Text as bytes without a NUL; a page that nobody knows is taken for Teletex."""
    text = text.replace("\0", "")
    codec = _codec(page)
    if codec is not None:
        return text.encode(codec, "replace").replace(b"\0", b"")
    if text.isascii() and text.isalnum():
        return text.encode("ascii")
    return b"".join(map(_teletex, text))


def _teletex(char: str) -> bytes:
    byte = _BYTES.get(char)
    if byte is not None:
        return bytes((byte,))
    parts = unicodedata.normalize("NFD", char)
    mark = _MARK_BYTES.get(ord(parts[1])) if len(parts) == 2 else None
    if mark is None or not parts[0].isascii() or not parts[0].isalpha():
        return b"?"
    return bytes((mark, ord(parts[0])))


def decode(raw: bytes, page: int) -> str:
    """The text of bytes; never fails."""
    codec = _codec(page)
    if codec is not None:
        return raw.decode(codec, "replace")
    found: list[str] = []
    mark = ""
    for byte in raw:
        if byte in _MARKS:
            mark = chr(_MARKS[byte])
            continue
        char = _LETTERS.get(byte) or (chr(byte) if byte < 0x80 else "\ufffd")
        found.append(unicodedata.normalize("NFC", char + mark) if mark else char)
        mark = ""
    return "".join(found)
