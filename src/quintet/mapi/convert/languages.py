"""Languages by the numbers that Windows gives them (MS-LCID), as a header names them (RFC 3282, RFC 5646).

MS-OXCMAIL 2.1.3.2.16, 2.2.3.2.11.
"""

from __future__ import annotations

import locale
from functools import lru_cache

_PRIMARY = 0x3FF  # the bits of a number that tell the language without its country
_USUAL = 1  # the bits above them of the country that a language is named for
# languages alone whose numbers are no part of another's
_ALONE = {"no": 0x0014, "nb": 0x7C14, "nn": 0x7814, "zh": 0x7804, "zh-Hans": 0x0004, "zh-Hant": 0x7C04}


@lru_cache(maxsize=1)
def _tables() -> tuple[dict[str, int], dict[int, str]]:
    """Numbers by the tag in lower case; tags by number."""
    tags: dict[str, int] = {}
    for number, name in sorted(locale.windows_locale.items()):
        tag = name.replace("_", "-")
        tags.setdefault(tag, number)
        language = tag.partition("-")[0]
        if number >> 10 == _USUAL and language not in _ALONE:
            tags.setdefault(language, number & _PRIMARY)
    tags |= _ALONE
    return {tag.lower(): number for tag, number in tags.items()}, {
        number: tag for tag, number in tags.items()
    }


def number(languages: str) -> int | None:
    """The number of the first language that a header names."""
    first = languages.partition(",")[0].partition(";")[0].strip()
    return _tables()[0].get(first.lower())


def tag(number: int) -> str | None:
    """How a header names the language."""
    return _tables()[1].get(number)
