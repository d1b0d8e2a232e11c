"""Comparators: how texts are found and put in order (RFC 4790, RFC 5051, RFC 5255 4).

Pure.  A collation maps a text to what is then compared as it stands; every map works character by
character, so that a part of a text maps to a part of its image, and substrings can be looked for there.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from quintet.values import dataclass

Fold = Callable[[str], str]  # from a text to its image


@dataclass(frozen=True, slots=True)
class Collation:
    """One comparator: equal images are equal texts; the images' UTF-8 gives the order."""

    name: str
    image: Fold
    substring: bool = True  # False: IMAP may not offer it (RFC 5255 4.4)

    def key(self, text: str) -> bytes:
        """What texts are ordered by, octet for octet."""
        return self.image(text).encode("utf-8", "surrogatepass")


class _Casemap(dict[int, str]):
    """RFC 5051 2, step 2, for one character; filled as characters are met, at most 1,114,112 of them."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        title = char.title()  # the simple map is wanted: what becomes two letters has none
        mapped = unicodedata.normalize("NFKD", title if len(title) == 1 else char)
        self[code] = mapped
        return mapped


_MAP = _Casemap()


def casemap(text: str) -> str:
    """i;unicode-casemap: in title case, decomposed (RFC 5051 2); "é" is found by "E"."""
    return text.upper() if text.isascii() else text.translate(_MAP)


_UPPER = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}


def ascii_casemap(text: str) -> str:
    """i;ascii-casemap: letters of ASCII without case, all else as it is (RFC 4790 9.2)."""
    return text.upper() if text.isascii() else text.translate(_UPPER)


MAX_REVEALED = 32  # characters of a text put as their images one by one; a whole image costs less than more
_ASCII = bytes(range(128))


def finder(wanted: str, image: Fold) -> Callable[[str], bool]:
    """Whether the image of a text holds ``wanted``, which is one by the same ``image``.

    Where ASCII is looked for, as nearly always, no image of the whole text is made: that costs 50 ns a
    character once one is not ASCII.
    """
    if not wanted.isascii() or image not in (casemap, ascii_casemap):
        return lambda text: wanted in image(text)
    letters, sought = frozenset(wanted), wanted.encode("ascii")

    def holds(text: str) -> bool:
        upper = text.encode("utf-8", "surrogatepass").upper()
        if sought in upper:
            return True
        if text.isascii() or image is ascii_casemap:
            return False
        return sought in _revealed(upper, letters)

    return holds


def _revealed(upper: bytes, letters: frozenset[str]) -> bytes:
    """As `casemap`, in octets, but what shows none of some letters stays: "e" is in "é", and in no "д"."""
    others = set(upper.translate(None, _ASCII).decode("utf-8", "surrogatepass"))
    images = {char: _MAP[ord(char)] for char in others if not letters.isdisjoint(_MAP[ord(char)])}
    if len(images) > MAX_REVEALED:
        return casemap(upper.decode("utf-8", "surrogatepass")).encode("utf-8", "surrogatepass")
    for char, image in images.items():  # no image with ASCII in it holds another such character
        upper = upper.replace(char.encode("utf-8", "surrogatepass"), image.encode("utf-8", "surrogatepass"))
    return upper


def octets(text: str) -> str:
    """i;octet: as it is (RFC 4790 9.3)."""
    return text


def numeric(text: str) -> str:
    """i;ascii-numeric: by the number at the start; what has none comes last (RFC 4790 9.1)."""
    end = 0
    while end < len(text) and "0" <= text[end] <= "9":
        end += 1
    digits = text[:end].lstrip("0")
    if not end:
        return "\U0010ffff"
    return f"{len(digits):09}{digits}"


CASEMAP = Collation("i;unicode-casemap", casemap)
COLLATIONS = {
    one.name: one
    for one in (
        CASEMAP,
        Collation("i;ascii-casemap", ascii_casemap),
        Collation("i;octet", octets),
        Collation("i;ascii-numeric", numeric, substring=False),
    )
}
