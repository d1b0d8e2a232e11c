"""Subjects and their parts."""

from __future__ import annotations

import pytest

from quintet.mapi import subjects


@pytest.mark.parametrize(
    "subject,parts",
    [
        ("Hello", ("", "Hello")),
        ("RE: Hello", ("RE: ", "Hello")),
        ("Antw: Hello", ("", "Antw: Hello")),  # one to three characters
        ("RE:Hello", ("RE: ", "Hello")),  # blanks, if any
        ("RE:   Hello", ("RE: ", "Hello")),
        ("R E: Hello", ("", "R E: Hello")),
        ("12: Hello", ("", "12: Hello")),
        ("", ("", "")),
    ],
)
def test_subject_has_two_parts(subject: str, parts: tuple[str, str]) -> None:
    """MS-OXCMAIL 2.2.3.2.6.1."""
    assert subjects.parts(subject) == parts


def test_subject_is_one_line() -> None:
    assert subjects.plain("one\r\n two\0three") == "one  two three"
    assert subjects.plain("Gr\u00fc\u00dfe") == "Gr\u00fc\u00dfe"
