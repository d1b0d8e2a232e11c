"""What providers read from others: any bytes cost nobody anything, what is written is read back."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.mapi import pr
from quintet.mapi.errors import MapiError
from quintet.mapi.providers.vcards import CardBook
from quintet.mapi.providers.wire import discover

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=40)
WORDS = st.sampled_from(
    ["MailStore", "ExternalUrl", "Account", "RedirectUrl", "Error", "Message", "Protocol"]
)


@given(st.lists(st.tuples(WORDS, TEXT), max_size=12), st.binary(max_size=20))
def test_any_answer_of_autodiscover_is_read_or_refused(parts: list[tuple[str, str]], end: bytes) -> None:
    opened = "".join([f"<{name}>{text.replace('<', '')}" for name, text in parts])
    closed = "".join([f"</{name}>" for name, _ in reversed(parts)])
    try:
        told = discover.read(opened.encode() + closed.encode() + end)
    except MapiError:
        return
    assert isinstance(told, discover.Told)


@settings(max_examples=40)
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4))
def test_cards_that_are_written_are_read_back(people: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        book = CardBook(Path(folder), "")
        for name, nickname in people:
            entry = book.save(book.first(), {pr.DISPLAY_NAME: name, pr.NICKNAME: nickname})
            again = CardBook(Path(folder), "").load(entry)
            assert again[pr.DISPLAY_NAME] == name.strip()
            assert again.get(pr.NICKNAME, "") == (nickname if nickname.strip() else "")
        assert len(book.entries(book.first()).ids()) == len(people)
