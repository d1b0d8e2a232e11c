"""What is wrong with a file that is no TOML, in words: the key of the line, and what was expected there.

``tomllib`` tells a place and its own grammar ("Invalid value"); people forgot quotes, or wrote a key twice.
Which line that is, and what it is for, is looked up in the text itself.
"""

from __future__ import annotations

import re
import tomllib

_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_KEY = re.compile(r"""\s*([\w.-]+)\s*(=|$)""", re.ASCII)
_TABLE = re.compile(r"""\s*\[\[?\s*([\w.-]+)\s*\]""", re.ASCII)

QUOTES = "text, sizes and times stand in quotes"
EXPECTED = {
    "Cannot overwrite a value": "is set already; expected once",
    "Cannot declare ": "this section is there already; expected once",
    "Cannot mutate immutable namespace": "is set already; expected once",
    "Invalid value": f"expected a value; {QUOTES}",
    "Expected newline or end of document after a statement": f"expected the end of the line; {QUOTES}",
    "Unclosed array": "expected a ] that closes the list",
    "Illegal character '\\n'": "expected a closing quote on the same line",
    "Unterminated string": "expected a closing quote",
    "Expected '=' after a key": "expected: name = value",
}
"""By how ``tomllib`` begins; anything else is told as it says it."""


def explain(error: tomllib.TOMLDecodeError, text: str) -> tuple[int, str, str]:
    """The line, from 1, the dotted key if the line has one, and what was expected."""
    message = str(error)
    place = _PLACE.search(message)
    if place is not None:
        message = message[: place.start()]
    written = text.split("\n")
    line = int(place[1]) if place is not None and place[1] else _last(written)
    said = next((words for begins, words in EXPECTED.items() if message.startswith(begins)), message)
    return line, _key(written, line), f"not valid TOML: {said}"


def _last(written: list[str]) -> int:
    """The last line with something in it: where the end of the document came too early."""
    return max((at for at, each in enumerate(written, 1) if each.strip()), default=1)


def _key(written: list[str], line: int) -> str:
    here = written[line - 1] if line <= len(written) else ""
    table = _TABLE.match(here)
    if table is not None:
        return table[1]
    found = _KEY.match(here)
    if found is None:
        return ""
    above = (_TABLE.match(each) for each in reversed(written[: line - 1]))
    section = next((each[1] + "." for each in above if each is not None), "")
    return section + found[1]
