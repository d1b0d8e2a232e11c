"""Parts by reference: any range of their content, whatever their encoding, in bounded memory."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.mapi.convert import sources
from quintet.mapi.convert.sources import Decoded, Joined, Range, Whole
from quintet.message import transfer


def _lines(raw: bytes, length: int, end: bytes) -> bytes:
    text = transfer.encode_base64(raw).replace(b"\r\n", b"")
    return end.join([text[at : at + length] for at in range(0, len(text), length)])


ENCODED = st.one_of(
    st.builds(
        lambda raw, length, end, more: (_lines(raw, length, end) + more, "base64"),
        st.binary(max_size=400), st.sampled_from((4, 8, 60, 76, 7)),
        st.sampled_from((b"\r\n", b"\n", b" \r\n")),
        st.sampled_from((b"", b"\r\n", b"\r\n\r\n", b"=", b"!x")),
    ),
    st.binary(max_size=300).map(lambda raw: (transfer.encode_quoted_printable(raw), "quoted-printable")),
    st.binary(max_size=300).map(lambda raw: (raw, "base64")),
)  # fmt: skip


@settings(max_examples=200)
@given(ENCODED, st.lists(st.tuples(st.integers(0, 500), st.integers(0, 200)), max_size=6))
def test_any_range_is_what_decoding_gives(encoded: tuple[bytes, str], ranges: list[tuple[int, int]]) -> None:
    raw, encoding = encoded
    content = transfer.decode(encoding, raw)
    data = Decoded(Whole(raw), encoding)
    for start, most in ranges:
        assert data.read(start, most) == content[start : start + most]
    assert data.size == len(content)
    assert b"".join(sources.pieces(data)) == content


def test_large_part_is_read_from_its_end_at_once() -> None:
    content = bytes(range(256)) * 40_000
    data = Decoded(Whole(transfer.encode_base64(content)), "base64")
    assert data.size == len(content)
    begin = time.process_time()
    for start in range(len(content) - 1000, len(content) - 1_000_000, -10_000):
        assert data.read(start, 1000) == content[start : start + 1000]
    # a hundred reads backwards: decoding each time from the start takes some seconds
    assert time.process_time() - begin < 1


def test_line_that_moves_what_follows_is_not_overlooked() -> None:
    content = bytes(300)
    text = transfer.encode_base64(content)
    for odd in (text.replace(b"AA\r\n", b"A\r\nA", 1), text.replace(b"AA\r\n", b"A \r\n", 1)):
        whole = transfer.decode("base64", odd)
        data = Decoded(Whole(odd), "base64")
        assert [data.read(at, 20) for at in (200, 60, 120)] == [whole[at : at + 20] for at in (200, 60, 120)]


@pytest.mark.parametrize(("start", "most"), [(0, 3), (2, 4), (4, 1), (4, 99), (6, 1), (0, 99)])
def test_pieces_of_other_data(start: int, most: int) -> None:
    whole = b"abcdef"
    assert Joined(b"abc", Whole(b"def")).read(start, most) == whole[start : start + most]
    assert Range(Whole(b"..abcdef.."), 2, 6).read(start, most) == whole[start : start + most]


def test_sameness_is_of_bytes_wherever_they_are() -> None:
    big = bytes(100_000)
    assert sources.same(big, Whole(big)) and sources.same(Whole(big), big)
    assert not sources.same(big, Whole(big[:-1])) and not sources.same(Whole(big), big[:-1] + b"x")
