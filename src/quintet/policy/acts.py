"""What a line of an access table, of a table of header checks or a policy service asks for: one act.

The words are those of Postfix's access(5) and header_checks(5).  Pure; what an act leads to is
`delivery.acting`'s.
"""

from __future__ import annotations

import enum
import re
from dataclasses import replace

from quintet.policy import outcomes
from quintet.values import dataclass


class Do(enum.Enum):
    """What is done."""

    NOTHING = "dunno"
    WELCOME = "ok"  # later lists, services and waits do not ask about it
    REFUSE = "reject"
    DEFER = "defer"
    DISCARD = "discard"
    HOLD = "hold"
    PREPEND = "prepend"
    REPLACE = "replace"
    IGNORE = "ignore"
    STRIP = "strip"
    REDIRECT = "redirect"
    COPY = "bcc"
    NOTE = "info"


@dataclass(frozen=True, slots=True)
class Act:
    """One of them, with what was said behind it: a text, a field, an address."""

    do: Do
    text: str = ""
    code: int = 0  # of a refusal or a delay
    enhanced: str = ""

    def refuse(self) -> outcomes.Refusal:
        """What is raised for REFUSE."""
        made = outcomes.refuse(self.text or "Refused by policy")
        return outcomes.Refusal(replace(made, code=self.code, enhanced=self.enhanced))

    def defer(self) -> outcomes.Delay:
        """What is raised for DEFER."""
        made = outcomes.defer(self.text or "Try again later")
        return outcomes.Delay(replace(made, code=self.code, enhanced=self.enhanced))


NOTHING = Act(Do.NOTHING)

_WORDS = {
    "dunno": Do.NOTHING,
    "ok": Do.WELCOME,
    "permit": Do.WELCOME,
    "reject": Do.REFUSE,
    "defer": Do.DEFER,
    "defer_if_permit": Do.DEFER,
    "defer_if_reject": Do.NOTHING,  # who is refused is refused here
    "discard": Do.DISCARD,
    "hold": Do.HOLD,
    "prepend": Do.PREPEND,
    "replace": Do.REPLACE,
    "ignore": Do.IGNORE,
    "strip": Do.STRIP,
    "redirect": Do.REDIRECT,
    "bcc": Do.COPY,
    "info": Do.NOTE,
    "warn": Do.NOTE,
}
_ONLY_OF_TEXT = frozenset((Do.REPLACE, Do.IGNORE, Do.STRIP))
_NEVER_OF_TEXT = frozenset((Do.WELCOME,))
_CODE = re.compile(r"([45]\d\d)(?:\s+(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([45]\.\d{1,3}\.\d{1,3})(?:\s+(.*)|$)", re.ASCII | re.DOTALL)
_FIELD = re.compile(r"[!-9;-~]{1,76}:[ \t]*\S.*", re.DOTALL)  # RFC 5322 3.6.8, with a value
_ADDRESS = re.compile(r"<?([^\s<>@]+@[^\s<>@]+)>?")


def parse(said: str, *, of_text: bool = False) -> Act:
    """An act as it is written; ``of_text``: of header and body checks, which know more and other words.

    Raises ValueError: a sentence.
    """
    said = said.strip()
    if not of_text and said.isdigit() and not _CODE.fullmatch(said):
        return Act(Do.WELCOME)  # access(5): all numerical
    found = _CODE.fullmatch(said)
    if found is not None:
        return _answer(Do.DEFER if said[0] == "4" else Do.REFUSE, int(found[1]), (found[2] or "").strip())
    word, _, rest = said.partition(" ")
    word, rest = word.lower(), rest.strip()
    if of_text and word == "pass":
        word = "dunno"
    do = _WORDS.get(word)
    if word == "filter":
        raise ValueError("FILTER is not here: a route with listeners sends mail through a filter")
    if do is None or (do in _ONLY_OF_TEXT and not of_text) or (do in _NEVER_OF_TEXT and of_text):
        raise ValueError(f"no such action: {word[:40].upper() or 'nothing'}")
    if do is Do.REFUSE:
        return _answer(do, 0, rest)
    if do is Do.DEFER:
        return _answer(do, 0, rest)
    if do is Do.PREPEND and not _FIELD.fullmatch(rest):
        raise ValueError(f"PREPEND wants a field such as X-Name: value, got {rest[:80]!r}")
    if do is Do.REPLACE and not rest:
        raise ValueError("REPLACE wants what stands there instead")
    if do in (Do.REDIRECT, Do.COPY):
        address = _ADDRESS.fullmatch(rest)
        if address is None:
            raise ValueError(f"{word.upper()} wants an address, got {rest[:80]!r}")
        rest = address[1]
    return Act(do, rest)


def _answer(do: Do, code: int, text: str) -> Act:
    """A refusal or a delay; replies that would end the connection only end the message."""
    refused = do is Do.REFUSE
    low, usual, class_ = (550, 550, "5") if refused else (450, 450, "4")
    enhanced = class_ + ".7.1"
    if found := _ENHANCED.fullmatch(text):
        text = found[2] or ""
        if found[1][0] == class_:
            enhanced = found[1]
    return Act(do, text, code if low <= code <= low + 9 else usual, enhanced)
