"""Hostile letters cost time in proportion to their size, and rows to a limit."""

from __future__ import annotations

import pytest

from quintet.errors import BadSyntax
from quintet.mapi.convert import (
    bodies,
    calendars,
    cards,
    envelope,
    from_mime,
    names,
    richread,
    richwrite,
    to_mime,
)
from tests.support.effort import linear

pytestmark = pytest.mark.unmeasured


def test_flowed_text_that_is_one_paragraph() -> None:
    with linear():
        found = bodies.unflowed("a word \r\n" * 200_000, delete_space=True)
    assert found == "a word" * 200_000


def test_markup_that_never_ends() -> None:
    with linear():
        for piece in ("<!--", "<script>", "<a ", "<!", "&#", "<title", "\n"):
            assert richwrite.of_html(piece * 100_000).startswith(b"{\\rtf1")


def test_rtf_of_braces() -> None:
    with linear():
        found = richread.plain(b"{\\rtf1" + b"{}" * 150_000)
    assert found == ""


def test_letter_with_as_many_parts_and_pictures_as_it_may_have() -> None:
    part = b"--x\r\nContent-Type: image/png\r\nContent-ID: <c%d>\r\n\r\nx\r\n"
    html = b"".join(b"<img src=cid:c%d>" % number for number in range(9000))
    raw = (
        b"Content-Type: multipart/related; boundary=x\r\n\r\n--x\r\nContent-Type: text/html\r\n\r\n"
        + html
        + b"\r\n"
    )
    with linear():
        item = from_mime(raw + b"".join(part % number for number in range(9000)))
        assert len(item.attachments) == 9000
        assert all(one.props[names.ATTACH_HIDDEN] for one in item.attachments)
        sum(map(len, to_mime(item)))


def test_letter_to_everybody() -> None:
    with linear():
        item = from_mime(b"To: " + b"a@b.org, " * 100_000 + b"\r\n\r\nx")
        assert len(item.recipients) == envelope.MAX_RECIPIENTS


def _text_of(line: str) -> str:
    return f"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260101\nRRULE:FREQ=DAILY\n{line * 20_000}"


def test_calendars_and_cards_of_nothing_but_lines() -> None:
    with linear():
        for line in ('X;A="' + "b" * 50, "EXDATE:" + "1," * 20 + "\n", "\n \n"):
            assert len(calendars.read(_text_of(line))) == 1, line
            assert cards.read(_text_of(line)) == [], line
        for read in (calendars.read, cards.read):
            with pytest.raises(BadSyntax, match="nested too deeply"):
                read(_text_of("BEGIN:VEVENT\n"))


def test_card_of_one_line_in_many() -> None:
    with linear():
        (card,) = cards.read(
            "BEGIN:VCARD\nNOTE;ENCODING=QUOTED-PRINTABLE:" + "a=\n" * 300_000 + "b\nEND:VCARD\n"
        )
        assert len(card.props[names.BODY]) == 300_001
