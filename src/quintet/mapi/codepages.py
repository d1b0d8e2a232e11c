"""Charsets of MIME and code pages of Windows (MS-OXCMAIL 2.1.3.3, 2.2.3.3: PidTagInternetCodepage)."""

from __future__ import annotations

import re
from functools import lru_cache

from quintet.message import words

UTF8, ASCII = 65001, 20127

# The name to write first; a code page whose octets are not text of MIME (UTF-16) has none to write.
_CHARSETS: dict[int, tuple[str, ...]] = {
    ASCII: ("us-ascii", "ascii", "ansi_x3.4-1968"),
    UTF8: ("utf-8", "utf8", "utf8mb4", "x-utf-8"),
    65000: ("utf-7",),
    **{28590 + part: (f"iso-8859-{part}",) for part in (2, 3, 4, 5, 6, 7, 9, 13, 15)},
    28591: ("iso-8859-1", "latin1", "latin-1", "l1"),
    38598: ("iso-8859-8-i",),
    28598: ("iso-8859-8", "iso-8859-8-e"),
    **{1250 + page: (f"windows-{1250 + page}", f"cp{1250 + page}") for page in range(9)},
    874: ("windows-874", "tis-620", "cp874", "iso-8859-11"),
    932: ("shift_jis", "shift-jis", "sjis", "x-sjis", "windows-31j", "cp932", "ms_kanji"),
    936: ("gb2312", "gbk", "x-gbk", "cp936"),
    949: ("ks_c_5601-1987", "ksc5601", "cp949"),
    950: ("big5", "x-big5", "cp950"),
    20866: ("koi8-r",),
    21866: ("koi8-u",),
    20932: ("euc-jp", "x-euc-jp", "eucjp-ms"),
    50220: ("iso-2022-jp",),
    50221: ("cp50221", "csiso2022jp"),
    50225: ("iso-2022-kr",),
    51949: ("euc-kr",),
    54936: ("gb18030",),
    52936: ("hz-gb-2312",),
    437: ("ibm437", "cp437"),
    850: ("ibm850", "cp850"),
    852: ("ibm852", "cp852"),
    866: ("ibm866", "cp866"),
    10000: ("macintosh", "x-mac-roman", "mac-roman"),
}
_WIDE: dict[object, str] = {1200: "utf-16-le", 1201: "utf-16-be", 12000: "utf-32-le", 12001: "utf-32-be"}
_PAGES = {name: page for page, names in _CHARSETS.items() for name in names}


@lru_cache(maxsize=128)
def page_of(charset: str) -> int | None:
    """The code page of a charset's name; None: none that we know."""
    return _PAGES.get(charset.strip().strip("\"'").lower())


# the charset that HTML tells of itself (WHATWG HTML 13.2.3.2), and XML
_META = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9._:-]{1,40})""", re.IGNORECASE)
_XML = re.compile(rb"""^\s*<\?xml[^>]{0,100}?encoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})""", re.IGNORECASE)
_LOOKED_AT = 2048  # bytes; browsers look at 1024


def detected(raw: bytes, charset: str | None, *, html: bool) -> str:
    """The charset of a text: as its letter names it, else as it tells itself, else as its octets look.

    A letter that says US-ASCII, or nothing, of other octets does not count (MS-OXCMAIL 2.2.3.3).
    """
    if charset is not None and (page_of(charset) != ASCII or raw.isascii()):
        return charset
    if html:
        found = _META.search(raw[:_LOOKED_AT]) or _XML.match(raw[:_LOOKED_AT])
        own = found.group(1).decode("ascii") if found else ""
        if page_of(own) is not None and not own.lower().startswith("utf-16"):
            return own
    if raw.isascii():
        return charset or "us-ascii"
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return "windows-1252"
    return "utf-8"


def charset_of(page: object) -> str | None:
    """The charset to write for a code page; None: unknown, or no charset of MIME."""
    return _CHARSETS[page][0] if isinstance(page, int) and page in _CHARSETS else None


def decode(raw: bytes, page: object) -> str:
    """Octets as text; never fails.  What is no charset of MIME may be a code page of Windows all the same."""
    charset = charset_of(page) or _WIDE.get(page) or (f"cp{page}" if isinstance(page, int) else "")
    return words.decode_bytes(raw, charset)


def encode(text: str, page: object) -> tuple[bytes, str]:
    """Text as octets of that code page where it can say all of it, else UTF-8; and the charset's name."""
    charset = charset_of(page)
    if charset is not None:
        codec = "ascii" if page == ASCII else (words.codec_name(charset) or "utf-8")
        try:
            return text.encode(codec), charset
        except UnicodeError:
            pass
    raw = text.encode("utf-8", "replace")
    return raw, "us-ascii" if charset is None and raw.isascii() else "utf-8"
