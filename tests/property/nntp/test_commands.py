"""Command lines: whatever comes in is a command or one of our families; what we accept reads back."""

from hypothesis import given
from hypothesis import strategies as st

from quintet.errors import BadSyntax, Hangup
from quintet.net.seam import Need
from quintet.nntp import commands
from quintet.nntp.wire import Wire


@given(st.lists(st.binary(max_size=200), max_size=6))
def test_any_bytes_give_commands_or_bad_syntax(chunks: list[bytes]) -> None:
    wire = Wire()
    for chunk in chunks:
        wire.feed(chunk)
        while True:
            try:
                found = wire.next()
            except BadSyntax:
                continue
            except Hangup:
                return
            if found is Need.DATA:
                break
            assert isinstance(found, commands.Command)
            assert found.name == found.name.upper()
            assert not any(char in word for word in found.args for char in " \t\r\n\0")


@given(st.integers(0, 10**16 - 1), st.one_of(st.none(), st.integers(0, 10**16 - 1)), st.booleans())
def test_ranges_read_back(low: int, high: int | None, dash: bool) -> None:
    text = f"{low}-{'' if high is None else high}" if dash else str(low)
    found = commands.number_range(text)
    assert found.low == low
    assert found.high == (high if dash else low)


@given(st.text(max_size=30))
def test_no_text_breaks_a_range_a_number_or_a_date(text: str) -> None:
    for parse in (
        commands.number_range,
        commands.number,
        lambda one: commands.date_time(one, "000000", "", 2025),
        lambda one: commands.date_time("20250101", one, "", 2025),
    ):
        try:
            assert parse(text) is not None
        except BadSyntax:
            pass


def test_two_digits_of_a_year_are_never_in_the_future() -> None:
    """RFC 3977 7.3.2."""
    day = 86_400_000
    assert commands.date_time("250101", "000000", "GMT", 2025) == 20_089 * day
    assert commands.date_time("260101", "000000", "GMT", 2025) == commands.date_time(
        "19260101", "000000", "GMT", 2025
    )


def test_message_ids() -> None:
    """RFC 3977 3.6: 3 to 250 octets, no space, no ">" inside."""
    assert commands.is_message_id("<a@b>")
    assert commands.is_message_id("<" + "a" * 248 + ">")
    assert not commands.is_message_id("<" + "a" * 249 + ">")
    assert not commands.is_message_id("<a b@c>")
    assert not commands.is_message_id("<a>b@c>")
    assert not commands.is_message_id("<é@c>")
