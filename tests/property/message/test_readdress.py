"""Other addresses in header fields: those that are meant, and nothing else."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.message import readdress

NAMES = ("al", "al.bo", '"al bo"', "AL+x", '"a\\"@b"')
DOMAINS = ("example.org", "in.example.org", "[192.0.2.1]", "b\u00fccher.example")
ADDRESSES = st.builds("{}@{}".format, st.sampled_from(NAMES), st.sampled_from(DOMAINS))
AROUND = st.sampled_from(
    (
        "{}",
        "<{}>",
        "Al Bo <{}>",
        '"al@example.org" <{}>',
        "=?utf-8?q?al@example.org?= <{}>",
        "(al@example.org) {}",
    )
)


@given(st.lists(st.tuples(AROUND, ADDRESSES), min_size=1, max_size=5), st.sampled_from((",", ", ", ",\r\n ")))
def test_address_becomes_another_one_wherever_it_stands(boxes: list[tuple[str, str]], between: str) -> None:
    def field(names: list[str]) -> bytes:
        said = between.join(around.format(name) for (around, _), name in zip(boxes, names, strict=True))
        return f"To: {said}\r\n".encode()

    wanted = boxes[0][1]
    before = field([name for _, name in boxes])
    after = field(["new@example.net" if name == wanted else name for _, name in boxes])

    def other(address: bytes) -> bytes | None:
        return b"new@example.net" if address == wanted.encode() else None

    rest = b"Subject: " + wanted.encode() + b"\r\n"
    assert readdress.block(before + rest, {b"to": other}) == after + rest
    assert readdress.changes([(b"TO", before[4:-2])], {b"to": other})


@given(st.one_of(st.binary(max_size=80), st.text('ab@.<>()":, \\\r\n', max_size=80).map(str.encode)))
def test_what_nobody_renames_stays_as_it_is(raw: bytes) -> None:
    names = dict.fromkeys((b"", b"a", b"to"), lambda _: None)
    assert readdress.block(b"To:" + raw, names) == b"To:" + raw
    assert not readdress.changes([(b"to", raw)], names)


@pytest.mark.parametrize("value", [b'@"' + b'\\"' * 50_000, b"@" + b"(" * 100_000, b"a@[" * 30_000])
def test_a_field_of_nothing_but_beginnings_takes_no_time(value: bytes) -> None:
    """Each quotation mark, parenthesis and bracket was followed to the end of the field."""
    began = time.process_time()
    assert not readdress.changes([(b"to", value)], {b"to": lambda _: None})
    assert time.process_time() - began < 1.0
