"""Framing of a reader's pipeline: many ARTICLE, HEAD, BODY, STAT or GROUP of one read become one value.

Pure.  Only runs of one keyword in its usual form are taken together; anything else (lower case, odd blanks, a
single command) is left to the parser of single lines, and means the same.
"""

from __future__ import annotations

import re

from quintet.values import dataclass

MAX_TOGETHER = 64  # commands answered together

_VERBS = (b"ARTICLE ", b"HEAD ", b"BODY ", b"STAT ", b"GROUP ")
_MORE = MAX_TOGETHER - 1
_NUMBERS = re.compile(rb"((?:ARTICLE|HEAD|BODY|STAT) )\d{1,10}\r\n(?:\1\d{1,10}\r\n){1,%d}" % _MORE)
_IDS = re.compile(
    rb"((?:ARTICLE|HEAD|BODY|STAT) )<[!-=?-~]{1,248}>\r\n(?:\1<[!-=?-~]{1,248}>\r\n){1,%d}" % _MORE
)
_GROUPS = re.compile(rb"(GROUP )[!-~]{1,400}\r\n(?:\1[!-~]{1,400}\r\n){1,%d}" % _MORE)
_FORMS = ((_NUMBERS, "numbers"), (_IDS, "ids"))


@dataclass(frozen=True, slots=True)
class Run:
    """Commands of one kind, in their order."""

    name: str  # the keyword of all of them
    kind: str  # what their arguments are: "numbers", "ids" or "groups"
    words: list[str]  # one argument each


def take(data: bytes, at: int) -> tuple[Run | None, int]:
    """The run that stands at ``at``, and where it ends; (None, at) when there is none."""
    if not data.startswith(_VERBS, at):
        return None, at
    for form, kind in ((_GROUPS, "groups"),) if data.startswith(b"GROUP ", at) else _FORMS:
        found = form.match(data, at)
        if found is not None:
            verb = found[1]
            words = (
                data[at + len(verb) : found.end() - 2].decode("ascii").split("\r\n" + verb.decode("ascii"))
            )
            return Run(verb[:-1].decode("ascii"), kind, words), found.end()
    return None, at
