"""What the index of trigrams leaves out does not hold the pattern, however short that is."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.store import search

LETTERS = st.text(alphabet='AB会议 "\n*\0\U0010ffffé', max_size=12)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(LETTERS, min_size=1, max_size=5),
    st.text(alphabet='AB会议 "\n*\U0010ffff', min_size=1, max_size=4),
)
def test_candidates_are_all_that_hold_it(texts: list[str], pattern: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        index = search.Index(Path(folder))
        index.put(((row, search._cut(text)) for row, text in enumerate(texts, 1)), len(texts))
        found, upto = index.candidates(pattern)
        index.close()
    holding = {row for row, text in enumerate(texts, 1) if pattern in text.replace("\0", " ")}
    assert upto == len(texts)
    assert holding <= {row for row in range(1, upto + 1) if row in found}
    if len(pattern) <= 2 and "\n" not in pattern:  # these begin trigrams of the texts alone
        assert {row for row in range(1, upto + 1) if row in found} == holding
