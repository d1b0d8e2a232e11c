"""Wildmats against a matcher that tries everything (RFC 3977 4.2)."""

import time

from hypothesis import given
from hypothesis import strategies as st

from quintet.errors import BadSyntax
from quintet.policy.wildmat import Wildmat, header_wildmat
from tests.support.globs import fits


def naive_list(patterns: list[tuple[bool, str]], text: str) -> bool:
    """The last pattern that matches decides."""
    says = False
    for positive, pattern in patterns:
        if fits(pattern, text):
            says = positive
    return says


LETTERS = st.text("ab.é", max_size=8)
PATTERNS = st.text("ab.é*?", min_size=1, max_size=8)


@given(PATTERNS, LETTERS)
def test_one_pattern(pattern: str, text: str) -> None:
    assert Wildmat(pattern)(text) == fits(pattern, text)


@given(st.lists(st.tuples(st.booleans(), PATTERNS), min_size=1, max_size=4), LETTERS)
def test_list_of_patterns(patterns: list[tuple[bool, str]], text: str) -> None:
    written = ",".join(("" if positive else "!") + pattern for positive, pattern in patterns)
    assert Wildmat(written)(text) == naive_list(patterns, text)


@given(st.text(min_size=1, max_size=20))
def test_escaped_text_matches_itself_only(text: str) -> None:
    pattern = "".join("\\" + char for char in text)
    if "," in text:
        return  # a comma parts patterns, escaped or not (RFC 3977 4.1)
    matcher = Wildmat(pattern)
    assert matcher(text)
    assert not matcher(text + "x")


@given(st.text(max_size=40), st.text(max_size=40))
def test_anything_is_a_pattern_or_bad_syntax(pattern: str, text: str) -> None:
    try:
        assert header_wildmat(pattern)(text) in (True, False)
    except BadSyntax:
        pass


def test_sets() -> None:
    assert Wildmat("[a-c]x")("bx")
    assert not Wildmat("[^a-c]x")("bx")
    assert Wildmat("[]-]")("]")
    assert Wildmat("[]-]")("-")


def test_hostile_pattern_takes_no_time() -> None:
    matcher = Wildmat("*" + "a*" * 18 + "b")
    before = time.process_time()
    assert not matcher("a" * 900)
    assert time.process_time() - before < 1  # tried naively it would take longer than the universe
