"""How the address book compares text: for order, for seeking, for names that people type.

The comparison of every locale is the one of MS-OXNSPI 2.2.1.6: without case, marks, width and kind of kana
(NORM_IGNORECASE, _IGNORENONSPACE, _IGNOREWIDTH, _IGNOREKANATYPE), punctuation as it stands (SORT_STRINGSORT).
What is compared may be kept by clients, so the algorithm must not change (3.1.4.3.5.1).
"""

from __future__ import annotations

import re
import unicodedata

_KANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}  # katakana as hiragana
_WORDS = re.compile(r"[^\s,;:()<>\"'/]+")


def image(text: str) -> str:
    """What stands for a text when two are compared."""
    if text.isascii():
        return text.lower()
    bare = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in bare if not unicodedata.combining(char)).translate(_KANA).casefold()


def words(text: str) -> list[str]:
    """The words of an `image`: what lies between spaces and such punctuation as divides names."""
    return _WORDS.findall(text)
