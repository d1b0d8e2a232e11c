"""Packets of mail filters: whatever they answer is read or is BadSyntax, and no field becomes two."""

from hypothesis import given
from hypothesis import strategies as st

from quintet.errors import BadSyntax
from quintet.policy import milter

NAME = st.from_regex(rb"[!-9;-~]{1,20}", fullmatch=True)
VALUE = st.one_of(st.binary(max_size=60), st.text("a \t\r\n:", max_size=30).map(str.encode))


@given(NAME, VALUE)
def test_field_of_any_value_is_one_field(name: bytes, value: bytes) -> None:
    line = milter.line(name, value)
    assert line.startswith(name + b": ")
    assert line.endswith(b"\r\n")
    header = milter.Header(line + b"End: x\r\n")
    assert [found for found, _ in header.fields()] == [name, b"End"]
    assert bytes(header) == line + b"End: x\r\n"
    assert b"\0" not in line
    assert line.count(b"\r\n") == line.count(b"\r") == line.count(b"\n")


@given(st.lists(st.tuples(NAME, VALUE), max_size=6), st.integers(0, 8), NAME, VALUE)
def test_change_touches_one_field_only(
    fields: list[tuple[bytes, bytes]], number: int, name: bytes, value: bytes
) -> None:
    lines = [milter.line(*each) for each in fields]
    header = milter.Header(b"".join(lines))
    header.change(number, name, value)
    places = [at for at, (own, _) in enumerate(fields) if own.lower() == name.lower()]
    if len(places) < max(number, 1):
        expected = [*lines, milter.line(name, value)] if value else lines
    else:
        at = places[max(number, 1) - 1]
        expected = [*lines[:at], *([milter.line(name, value)] if value else []), *lines[at + 1 :]]
    assert bytes(header) == b"".join(expected)


@given(st.one_of(st.binary(max_size=60), st.from_regex(r"[45][0-9]{2}[ -].{0,20}").map(str.encode)))
def test_any_answer_is_read_or_refused(data: bytes) -> None:
    for read in (milter.agreed, milter.named, milter.numbered, milter.refusal):
        try:
            found = read(data)
        except BadSyntax:
            continue
        if read is milter.refusal:
            code, enhanced, text = found  # type: ignore[misc]  # of `refusal`
            assert 400 <= code <= 599
            assert code != 421
            assert enhanced[0] == str(code)[0]
            assert text.isascii()
            assert text.isprintable()
