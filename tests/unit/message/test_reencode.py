"""Headers in another charset (RFC 5259 6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.message import params, reencode, words

UTF8 = reencode.Charset("utf-8", "utf-8", None)
LATIN = reencode.Charset("iso-8859-1", "iso8859-1", None)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"Subject: plain\r\n folded\r\n\r\n", b"Subject: plain\r\n folded\r\n\r\n"),
        (b"From: =?koi8-r?q?=C1?= <a@b.c>\r\n", b"From: =?utf-8?b?0LA=?= <a@b.c>\r\n"),
        (b"X: =?utf-8?q?a?=\t=?UTF-8?q?b?= c\n", b"X: =?utf-8?q?ab?= c\n"),  # one after the other
        (b"X: =?x-none?q?=C1?=\r\n", b"X: =?x-none?q?=C1?=\r\n"),  # left as it is
        (b"X: =?utf-8?q?a\r\n b?=", b"X: =?utf-8?q?a\r\n b?="),  # no encoded word
        (
            b"Content-Type: a/b; c*=koi8-r'ru'%C1; d=e\r\n",
            b"Content-Type: a/b;\r\n c*=utf-8'ru'%D0%B0;\r\n d=e\r\n",
        ),
        (b'Content-Type: a/b; c="x*0=1"; d=e\r\n', b'Content-Type: a/b; c="x*0=1"; d=e\r\n'),
        # a character cut by the pieces (RFC 5259 6); comments go
        (
            b"Content-Type: text/plain; foo*0*=utf-8'fr'tr%c3;\r\n foo*1*(very)=%a9s;\r\n foo*2*=(n)t\r\n",
            b"Content-Type: text/plain;\r\n foo*=utf-8'fr'tr%C3%A9st\r\n",
        ),
    ],
)
def test_only_what_is_encoded_changes(before: bytes, after: bytes) -> None:
    assert reencode.header(before, UTF8) == after


def test_a_long_value_is_cut_into_lines_that_mail_may_have() -> None:
    text = "Übergrößenträger " * 30
    block = b"Subject: " + b"\r\n ".join(words.encoded(text)) + b"\r\n"
    block += b"Content-Disposition: attachment; filename*=utf-8''" + b"%C3%A9" * 200 + b"; size=5\r\n"
    made = reencode.header(block, LATIN)
    assert max(map(len, made.split(b"\r\n"))) < 78
    subject, _, rest = words.unfold(made.replace(b"\r\nContent", b"\0Content")).partition(b"\0")
    assert words.decode_words(subject) == f"Subject: {text}"
    disposition = params.disposition(rest.partition(b":")[2])
    assert disposition is not None
    assert params.decode(disposition[1]) == {"filename": "é" * 200, "size": "5"}


def test_a_character_that_the_charset_has_not_is_refused_or_replaced() -> None:
    block = b"X: =?utf-8?q?=E2=82=AC_5?=\r\n"
    with pytest.raises(UnicodeError):
        reencode.header(block, LATIN)
    replaced = reencode.Charset("iso-8859-1", "iso8859-1", "EUR")
    assert reencode.header(block, replaced) == b"X: =?iso-8859-1?q?EUR_5?=\r\n"


@given(st.binary(max_size=200), st.text(st.characters(codec="utf-8"), min_size=1, max_size=80))
def test_any_header_says_the_same(junk: bytes, text: str) -> None:
    block = b"A: " + b" ".join(words.encoded(text, b"utf-16be", "utf-16-be")) + b"\r\nB: " + junk
    made = reencode.header(block, UTF8)
    assert words.decode_words(made.partition(b"\r\nB:")[0]) == f"A: {text}"
    assert made.count(b"=?utf-16be") == 0 or b"=?utf-16be" in junk
