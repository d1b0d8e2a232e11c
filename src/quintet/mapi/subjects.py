"""Subjects and their parts: "RE: Lunch" is the prefix "RE: " and "Lunch" (MS-OXCMAIL 2.2.3.2.6.1)."""

from __future__ import annotations

import re

# up to three characters, neither blank, digit nor colon; a colon; blanks, if any
_PREFIX = re.compile(r"([^:\s\d]{1,3}): *")
_BLANKS = re.compile(r"[\r\n\t\x00]+")


def plain(subject: str) -> str:
    """The subject in one line."""
    return subject if subject.isprintable() else _BLANKS.sub(" ", subject)


def parts(subject: str) -> tuple[str, str]:
    """The prefix, with one blank at its end, or ""; and the normalized subject."""
    found = _PREFIX.match(subject)
    return (f"{found[1]}: ", subject[found.end() :]) if found else ("", subject)
