"""Words of a FUZZY search without their endings (RFC 6203)."""

from __future__ import annotations

import pytest

from quintet.imap.fuzzy import stem


@pytest.mark.parametrize(
    ("word", "stemmed"),
    [
        ("searching", "search"),
        ("searches", "search"),
        ("walking", "walk"),  # four letters stay
        ("runs", "runs"),
        ("cars", "cars"),
        ("trees", "tree"),  # "es" would leave three
        ("sing", "sing"),
        ("s", "s"),
        ("", ""),
    ],
)
def test_stem(word: str, stemmed: str) -> None:
    assert stem(word) == stemmed
