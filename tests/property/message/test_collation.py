"""What is found without an image of the whole text is what its image holds (RFC 5051, RFC 4790 9.2)."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quintet.message import collation

# letters that become others, or several, or stay though they look like ASCII; and the dotless i, whose image
# is an ASCII letter and that is itself the image of another
ODD = "aAeEfFiIsSkK zZéÉﬁßſıİ𝚤K½…Ⅳａд語\u0301\u0345\u00a0\ud800"
TEXTS = st.text(st.one_of(st.sampled_from(ODD), st.characters()), max_size=30)
FOLDS = st.sampled_from([collation.casemap, collation.ascii_casemap, collation.octets])


@given(TEXTS, st.text(st.sampled_from(ODD), max_size=3), FOLDS)
@example("𝚤ı", "ı", collation.casemap)
@example("ﬁ", "fi", collation.casemap)
@example("éa", "ea", collation.casemap)
def test_a_finder_finds_what_the_image_holds(text: str, wanted: str, fold: collation.Fold) -> None:
    image = fold(wanted)
    assert collation.finder(image, fold)(text) == (image in fold(text))


def test_a_letter_is_found_in_more_letters_than_are_put_as_images_one_by_one() -> None:
    accented = [chr(code) for code in range(0xC0, 0x250) if "E" in collation.casemap(chr(code))]
    others = [chr(code) for code in range(0x1E00, 0x1F00) if unicodedata.decomposition(chr(code))]
    text = "".join(accented + others)
    assert len(set(text)) > collation.MAX_REVEALED
    for letter in "AEIOU":
        assert collation.finder(letter, collation.casemap)(text)
    assert collation.finder("EXO", collation.casemap)(text + "exó")
    assert not collation.finder("EXO", collation.casemap)(text + "éxo")  # its accent stands between them


@pytest.mark.parametrize("text", ["слово " * 40, "言葉。" * 40])
def test_texts_in_other_scripts_hold_no_word_of_ascii(text: str) -> None:
    assert not collation.finder("WORD", collation.casemap)(text)
    assert collation.finder("WORD", collation.casemap)(text + "word")


def test_no_image_with_ascii_holds_another_character_with_such_an_image() -> None:
    changed = [
        char
        for char in map(chr, range(128, sys.maxunicode + 1))
        if unicodedata.decomposition(char) or char.title() != char
    ]
    images = {char: collation.casemap(char) for char in changed}
    showing = {char for char, image in images.items() if any(one.isascii() for one in image)}
    assert "é" in showing
    assert not [char for char in showing if not showing.isdisjoint(images[char])]
