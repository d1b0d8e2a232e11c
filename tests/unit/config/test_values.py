"""Sizes and durations as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.config import values


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("12", 12),
        ("1k", 1024),
        ("50 MB", 50 * 1024**2),
        ("1.5 GiB", 3 * 1024**3 // 2),
        (" 2 tb ", 2 * 1024**4),
        ("", None),
        ("MB", None),
        ("-1", None),
        ("1 MBit", None),
        ("5 m 3", None),
    ],
)
def test_sizes(text: str, size: int | None) -> None:
    assert values.size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5m", 300),
        ("1h 30m", 5400),
        ("250 ms", 0.25),
        ("2 days", 172800),
        ("1 week", 604800),
        ("10 Minutes", 600),
        ("90", None),
        ("", None),
        ("m", None),
        ("5 months", None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert values.seconds(text) == seconds


@pytest.mark.parametrize(
    ("value", "unit", "whole", "number"),
    [
        ("5m", "min", True, 5),
        ("5s", "min", True, None),
        ("5s", "ms", True, 5000),
        (True, "s", True, None),
        (float("nan"), "s", False, None),
        (float("inf"), "bytes", True, None),
        ("5m", "", True, None),
        (2.0, "", True, 2),
    ],
)
def test_numbers_in_units(value: object, unit: str, whole: bool, number: float | None) -> None:
    assert values.number(value, unit, whole) == number


@given(st.integers(0, 2**50))
def test_a_size_reads_back_as_written(size: int) -> None:
    text = values.written(size, "bytes")
    assert (values.size(text.strip('"')) if text.startswith('"') else int(text)) == size


@given(st.integers(0, 10**9))
def test_a_time_reads_back_as_written(seconds: int) -> None:
    text = values.written(seconds, "s")
    assert (values.seconds(text.strip('"')) if text.startswith('"') else int(text)) == seconds


@given(st.text())
def test_text_reads_back_as_written(text: str) -> None:
    import tomllib

    text = text.encode("utf-8", "ignore").decode()
    assert tomllib.loads(f"a = {values.written(text, '')}")["a"] == text
