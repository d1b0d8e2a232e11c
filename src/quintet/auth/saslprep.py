"""Names and passwords as one spelling: SASLprep (RFC 4013, a profile of RFC 3454).

Pure.  Two people who type "é" by different keys mean the same password; a control character is a
mistake.  Unassigned code points are taken, as RFC 4013 2.5 says of queries, so that a password
with a letter younger than Unicode 3.2 stays usable.
"""

from __future__ import annotations

import stringprep
import unicodedata

from quintet.errors import BadSyntax, Reason

MAX_TEXT = 1024  # characters of a name or secret. RFC 4616 2 lets a server choose; argon2 needs some end.

# RFC 4013 2.3
PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def prepare(text: str) -> str:
    """``text`` mapped, normalized and checked (RFC 4013 2.1 to 2.4); may come out empty.

    Raises:
        BadSyntax: a prohibited character, or mixed writing directions.
        BadSyntax(TOO_LONG): more than MAX_TEXT characters.
    """
    if len(text) > MAX_TEXT:
        raise BadSyntax("name or password too long", Reason.TOO_LONG)
    if text.isascii() and text.isprintable():
        return text  # nothing below changes or refuses it
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in text if not stringprep.in_table_b1(char)
    )
    result = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if any(prohibited(char) for prohibited in PROHIBITED for char in result):
        raise BadSyntax("a character that names and passwords cannot have")
    if any(map(stringprep.in_table_d1, result)):
        _check_direction(result)
    return result


def _check_direction(text: str) -> None:
    """RFC 3454 6: right-to-left text has no left-to-right letter, and begins and ends as such."""
    if any(map(stringprep.in_table_d2, text)):
        raise BadSyntax("mixed writing directions")
    if not (stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])):
        raise BadSyntax("right-to-left text begins and ends with such a letter")


def decode(data: bytes) -> str:
    """UTF-8 from the wire, prepared.  Raises BadSyntax as `prepare`, and for bytes that are not UTF-8."""
    if len(data) > 4 * MAX_TEXT:
        raise BadSyntax("name or password too long", Reason.TOO_LONG)
    try:
        return prepare(data.decode())
    except UnicodeDecodeError:
        raise BadSyntax("not UTF-8") from None
