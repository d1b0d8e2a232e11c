"""Lines and dots: any chunking gives the same, limits hold, and what we stuff we read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.errors import BadSyntax, Hangup, Reason
from quintet.net import dots
from quintet.net.lines import MAX_SKIP, LineBuffer

UGLY = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"..", b"a", b"\0", b"\r\n.\r", b"word"])).map(
    b"".join
)
CUTS = st.lists(st.integers(1, 9), min_size=1)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        size = cuts[len(found) % len(cuts)]
        found.append(data[at : at + size])
        at += size
    return found


def unstuff(wire: bytes) -> tuple[bytes, bytes] | None:
    """The definition, line by line (RFC 5321 4.5.2)."""
    out = b""
    while True:
        line, end, wire = wire.partition(b"\r\n")
        if not end:
            return None
        if line == b".":
            return out, wire
        out += (line[1:] if line.startswith(b".") else line) + end


@given(UGLY, UGLY, CUTS)
def test_any_chunking_of_a_body_gives_the_same(body: bytes, rest: bytes, cuts: list[int]) -> None:
    wire = dots.whole(body) + rest
    expected = unstuff(wire)
    assert expected is not None
    reader, out, left = dots.Reader(), b"", pieces(wire, cuts)
    while not reader.done:
        out += reader.feed(left.pop(0))
    assert (out, reader.rest + b"".join(left)) == expected
    assert expected[0] == (body if body.endswith(b"\r\n") or not body else body + b"\r\n")
    assert dots.first(wire) == expected


@given(UGLY, CUTS)
def test_raw_wire_ends_only_at_crlf_dot_crlf(wire: bytes, cuts: list[int]) -> None:
    reader, out = dots.Reader(), b""
    for piece in pieces(wire, cuts):
        if not reader.done:
            out += reader.feed(piece)
    expected = unstuff(wire)
    assert reader.done == (expected is not None)
    assert dots.first(wire) == expected
    if expected is not None:
        assert out == expected[0]


@given(UGLY, CUTS, st.booleans())
def test_writer_equals_whole(body: bytes, cuts: list[int], told: bool) -> None:
    dotless = told and not body.startswith(b".") and b"\r\n." not in body
    writer = dots.Writer(dotless)
    assert b"".join(map(writer.feed, pieces(body, cuts))) + writer.finish() == dots.whole(body, dotless)


@pytest.mark.parametrize("end", [b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n"])
def test_smuggled_ends_are_data(end: bytes) -> None:
    reader = dots.Reader()
    out = reader.feed(b"a" + end + b"MAIL FROM:<x>\r\n.\r\n")
    assert reader.done
    assert out.startswith(b"a")
    assert b"MAIL FROM" in out
    assert dots.first(b"a" + end + b"MAIL FROM:<x>\r\n.\r\n") == (out, b"")


def test_reader_refuses_food_after_the_end() -> None:
    reader = dots.Reader()
    assert reader.feed(b".\r\nQUIT\r\n") == b""
    assert reader.rest == b"QUIT\r\n"
    with pytest.raises(ValueError):
        reader.feed(b"x")


def test_a_dotless_slice_from_the_middle_is_still_stuffed() -> None:
    assert dots.whole(b".x", dotless=True) == b"..x\r\n.\r\n"
    assert dots.stuff(b".x", start_of_line=False) == b".x"


@given(
    st.lists(st.binary(max_size=12).filter(lambda line: b"\r\n" not in line and not line.endswith(b"\r"))),
    CUTS,
)
def test_any_chunking_gives_the_same_lines(lines: list[bytes], cuts: list[int]) -> None:
    buffer, found = LineBuffer(), []
    for piece in pieces(b"".join(line + b"\r\n" for line in lines), cuts):
        buffer.feed(piece)
        while (line := buffer.take_line()) is not None:
            found.append(line)
    assert found == lines
    assert len(buffer) == 0


@given(CUTS, st.integers(0, 40), st.booleans())
def test_limit_is_the_same_in_any_chunking(cuts: list[int], length: int, bare_lf: bool) -> None:
    buffer = LineBuffer(max_line=20, bare_lf=bare_lf)
    told: list[object] = []
    for piece in pieces(b"x" * length + b"\r\nnext\r\n", cuts):
        buffer.feed(piece)
        while True:
            try:
                line = buffer.take_line()
            except BadSyntax as error:
                told.append(error.reason)
                continue
            if line is None:
                break
            told.append(line)
    assert told == [b"x" * length if length <= 20 else Reason.TOO_LONG, b"next"]


def test_endless_line_is_given_up_in_bounded_memory() -> None:
    buffer, fed = LineBuffer(max_line=100), 0
    with pytest.raises(Hangup):
        while fed < 2 * MAX_SKIP:
            buffer.feed(b"x" * 50_000)
            fed += 50_000
            assert buffer.take_line() is None
            assert len(buffer) <= 1


def test_take_lines_take_and_untake() -> None:
    buffer = LineBuffer()
    buffer.feed(b"a\r\nb\r\nc\r\nrest of it")
    assert buffer.take_lines(2) == [b"a", b"b"]
    assert buffer.take_lines() == [b"c"]
    assert buffer.take_lines() == []
    taken = buffer.take(4)
    assert taken == b"rest"
    buffer.untake(taken)
    buffer.untake(b"the ")
    assert buffer.take(100) == b"the rest of it"
    buffer.feed(b"x\ny\r\nz")
    assert buffer.take_line() == b"x\ny"
    buffer.clear()
    assert buffer.take_line() is None
    lenient = LineBuffer(bare_lf=True)
    lenient.feed(b"x\ny\r\nz")
    assert lenient.take_lines() == [b"x", b"y"]
