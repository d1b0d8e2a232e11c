"""What kinds of solicitation a message says it is, in its header field Solicitation.  RFC 3865 2.2, 2.5."""

from __future__ import annotations

import re

from quintet.message import words
from quintet.message.outline import Headed

MAX_KEYWORDS = 1000  # characters of the field

_KEYWORDS = re.compile(rb"[A-Za-z][A-Za-z0-9._:-]*(?:,[A-Za-z][A-Za-z0-9._:-]*)*")


def of(head: Headed) -> str:
    """The keywords, commas between; "" where there are none, or what stands there is no list of them."""
    found = head.all(b"solicitation")
    if len(found) != 1:
        return ""
    text = words.unfold(found[0]).strip()
    return text.decode() if len(text) <= MAX_KEYWORDS and _KEYWORDS.fullmatch(text) else ""
