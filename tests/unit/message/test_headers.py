"""Words, addresses, dates, parameters and ids of header fields."""

# ruff: noqa: E501  (a row of a table reads best as one)

from __future__ import annotations

import datetime
import email.header
import email.utils

import pytest

from quintet.message import addresses, headers
from tests.support.effort import linear

WORDS = [
    # RFC 2047 section 8
    (b"=?ISO-8859-1?Q?a?=", "a"),
    (b"(=?ISO-8859-1?Q?a?= b)", "(a b)"),
    (b"=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),
    (b"=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=", "ab"),
    (b"=?ISO-8859-1?Q?a_b?=", "a b"),
    (b"=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"),
    (b"=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>"),
    (b"=?ISO-8859-1?Q?Patrik_F=E4ltstr=F6m?=", "Patrik Fältström"),
    (b"=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=", "If you can read this yo"),
    (b"=?iso-8859-8?b?7eXs+SDv4SDp7Oj08A==?=", "םולש ןב ילטפנ"),
    # a character split between two words (forbidden by section 5, and done)
    (b"=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "é"),
    (b"=?utf-8?b?4oKs4g==?= =?UTF-8?b?gqw=?=", "€€"),
    (b"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
    (b"=?utf-8*en?q?x?=", "x"),  # RFC 2231 5: a language
    # broken: missing padding, wrong hex, unknown charset, blanks inside, unfinished
    (b"=?utf-8?b?w6k?=", "é"),
    (b"=?utf-8?b?w6k=*?=", "é"),
    (b"=?utf-8?b?w?=", ""),
    (b"=?utf-8?q?=C3=A9=ZZ?=", "é=ZZ"),
    (b"=?nonsense?q?=C3=A9?=", "é"),
    (b"=?nonsense?q?=E9?=", "é"),
    (b"=?rot13?q?abc?=", "abc"),  # a codec of Python, no charset
    (b"=?utf-8?q?a b?=", "a b"),
    (b"=?utf-8?q?a", "=?utf-8?q?a"),
    (b"=?utf-8?x?a?=", "=?utf-8?x?a?="),
    (b"a=?utf-8?q?b?=c", "abc"),
    (b"=?utf-8?q?=FF?=", "\ufffd"),
    # RFC 6532, and 8-bit text that is nothing
    ("Grüße".encode(), "Grüße"),
    (b"Gr\xfc\xdfe", "Grüße"),
    (b"a\r\n b", "a b"),
    (b"", ""),
    # names that travel
    (b"=?ks_c_5601-1987?B?sKE=?=", "가"),
    (b"=?gb2312?B?w/s=?=", "名"),
    (b"=?x-sjis?B?k/o=?=", "日"),
    (b"=?windows-1252?q?=80?=", "€"),
    (b"=?unknown-8bit?q?=C3=A9?=", "é"),  # RFC 1428: nobody knew, and mostly it is UTF-8
    (b"=?X-UNKNOWN?q?=E9?=", "é"),
    (b"=?iso-8859-1?q?=93x=94?=", "“x”"),
    (b"=?us-ascii?q?=C3=A9?=", "é"),
    (b"=?utf-7?q?+AOk-?=", "é"),
    (b"=?utf-16?b?//4=?=", ""),
]


@pytest.mark.parametrize(("raw", "text"), WORDS)
def test_decode_words(raw: bytes, text: str) -> None:
    assert headers.decode_words(raw) == text


@pytest.mark.parametrize(
    "text", ["", "plain", "é", "plain é plain", "日本語" * 40, "=?utf-8?q?x?=", "a\r\nBcc: b", "x" * 200 + "é", "a  é  b", " é "]
)  # fmt: skip
def test_encoded_words_are_read_back_by_us_and_by_the_standard_library(text: str) -> None:
    raw = headers.encode_words(text)
    assert raw.isascii()
    assert b"\r" not in raw
    assert headers.decode_words(raw) == text
    theirs = email.header.make_header(email.header.decode_header(raw.decode()))
    assert str(theirs).strip() == text.strip()  # it drops blanks at the ends
    assert all(len(word) <= 75 for word in raw.split(b" ") if word.startswith(b"=?"))


ADDRESSES = [
    (b"Joe <j@x>", [headers.Address(b"Joe", None, b"j", b"x")]),
    (b"a@b, c@d", [headers.Address(None, None, b"a", b"b"), headers.Address(None, None, b"c", b"d")]),
    (
        b"g: a@b, <c@d>;",
        [headers.Group(b"g", (headers.Address(None, None, b"a", b"b"), headers.Address(None, None, b"c", b"d")))],
    ),
    (b"a@b\r\n (Joe\r\n Doe)", [headers.Address(b"Joe Doe", None, b"a", b"b")]),
    (b"", []),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "expected"), ADDRESSES)
def test_parse_addresses(raw: bytes, expected: list[headers.Address | headers.Group]) -> None:
    assert headers.parse_addresses(raw) == expected


def test_mailboxes_of_groups_are_flat() -> None:
    assert [one.spec for one in headers.mailboxes(b"a@b, g: c@d, e@f;, h@i")] == ["a@b", "c@d", "e@f", "h@i"]


SPECS = [
    (b"Zo\xc3\xab <z@x>", "Zoë", "z@x"),
    (b"=?utf-8?q?Zo=C3=AB?= <z@x>", "Zoë", "z@x"),
    (b"z@x", "z@x", "z@x"),
    (b'"z y"@x', '"z y"@x', '"z y"@x'),
    (b'"z\\"y"@x', '"z\\"y"@x', '"z\\"y"@x'),
    (b"z", "z", "z"),
    ("ü@ä".encode(), "ü@ä", "ü@ä"),
]


@pytest.mark.parametrize(("raw", "display", "spec"), SPECS)
def test_address_for_people(raw: bytes, display: str, spec: str) -> None:
    (one,) = headers.mailboxes(raw)
    assert (one.display, one.spec) == (display, spec)


@pytest.mark.parametrize(
    "raw",
    [b"Joe Q. Public <john.q.public@example.com>", b'"Giant; \\"Big\\" Box" <s@example.net>', b"a@b.example (A B)", b"x <y@z.example>, p@q.example"],
)  # fmt: skip
def test_well_formed_addresses_are_what_the_standard_library_reads(raw: bytes) -> None:
    theirs = email.utils.getaddresses([raw.decode()])
    ours = [((one.name or b"").decode(), one.spec) for one in headers.mailboxes(raw)]
    assert ours == theirs


def test_the_fast_and_the_tolerant_parser_agree() -> None:
    for raw in (b"Joe <j@x>", b'"J, Q" <j@x>', b"A B.C <d@e>, f@g , <h@i>"):
        assert headers.parse_addresses(raw) == addresses._Slow(raw).parse()


@pytest.mark.unmeasured
@pytest.mark.parametrize("piece", [b"(", b'"', b'\\"', b"[", b"<", b":", b";", b"@", b'"\\', b"(\\", b"a,", b"x:", b"()", b"((a)"])  # fmt: skip
def test_hostile_lists_take_linear_time(piece: bytes) -> None:
    with linear():
        # a quadratic parser would need minutes
        headers.parse_addresses(piece * (300_000 // len(piece)))


@pytest.mark.parametrize("noise", [b"<", b"( ", b"a ", b"[.", b"@"])
def test_an_address_without_end_is_left_and_the_next_one_found(noise: bytes) -> None:
    """200 KB of "<" in From took half a second for each look at it."""
    assert headers.mailboxes(b"a@b.example, " + noise * 50_000 + b", c@d.example")[-1].spec == "c@d.example"
    (one,) = headers.mailboxes(b"word " * 50_000)
    assert len(one.mailbox) < 5 * addresses.MAX_TOKENS


def _ms(*parts: int) -> int:
    return int(datetime.datetime(*parts, tzinfo=datetime.UTC).timestamp() * 1000)


DATES = [
    (b"Fri, 21 Nov 1997 09:55:06 -0600", _ms(1997, 11, 21, 15, 55, 6)),
    (b"Tue, 1 Jul 2003 10:52:37 +0200", _ms(2003, 7, 1, 8, 52, 37)),
    (b"21 Nov 97 09:55:06 GMT", _ms(1997, 11, 21, 9, 55, 6)),  # RFC 5322 4.3
    (b"21 Nov 49 09:55 EST", _ms(2049, 11, 21, 14, 55)),
    (b"21 Nov 50 09:55 PDT", _ms(1950, 11, 21, 16, 55)),
    (b"21 Nov 103 09:55 Z", _ms(2003, 11, 21, 9, 55)),
    (b"21 Nov 1997 09:55 K", _ms(1997, 11, 21, 9, 55)),  # military letters are UTC
    (b"Thu,\r\n\t13\r\n Feb (c)\r\n 1969 23:32 -0330 (Newfoundland Time)", _ms(1969, 2, 14, 3, 2)),
    (b"Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", _ms(1997, 11, 21, 15, 55, 6)),
    (b"Thu Feb 13 23:32:54 1997", _ms(1997, 2, 13, 23, 32, 54)),
    (b"Sat, 31 Dec 2016 23:59:60 +0000", _ms(2017, 1, 1)),  # a leap second
    (b"31 Dec 2000 16:01:33 -0800", _ms(2001, 1, 1, 0, 1, 33)),  # RFC 5256 2.2
    (b"29 Feb 2000 00:00:00 +0000", _ms(2000, 2, 29)),
    (b"Friday, 21-Nov-97 09:55:06 UTC", _ms(1997, 11, 21, 9, 55, 6)),
    (b"21 November 1997 9:55 pm +0000", _ms(1997, 11, 21, 21, 55)),
    (b"21 Nov 1997", _ms(1997, 11, 21)),
    (b"21 Nov 1997 25:61:00 +0000", _ms(1997, 11, 21)),  # RFC 5256 2.2: an invalid time is 00:00:00
    (b"21 Nov 1997 09:55:06 +9999", _ms(1997, 11, 21, 9, 55, 6)),  # an invalid zone is UTC
    (b"21 Nov 1997 09:55:06 nonsense", _ms(1997, 11, 21, 9, 55, 6)),
    (b"1997-11-21T09:55:06Z", _ms(1997, 11, 21, 9, 55, 6)),
    (b"1997-11-21 09:55:06+01:00", _ms(1997, 11, 21, 8, 55, 6)),
    (b"32 Nov 1997 09:55:06 +0000", None),
    (b"21 Foo 1997 09:55:06 +0000", None),
    (b"0 Nov 1997 09:55:06 +0000", None),
    (b"tomorrow", None),
    (b"", None),
]


@pytest.mark.parametrize(("raw", "expected"), DATES)
def test_parse_date(raw: bytes, expected: int | None) -> None:
    assert headers.parse_date(raw) == expected


@pytest.mark.parametrize("at_ms", [0, -1000, _ms(1999, 12, 31, 23, 59, 59), _ms(2000, 2, 29), _ms(2025, 11, 21), _ms(9999, 12, 31)])  # fmt: skip
def test_a_date_written_is_a_date_read(at_ms: int) -> None:
    written = headers.format_date(at_ms)
    assert headers.parse_date(written.encode()) == at_ms
    assert email.utils.parsedate_to_datetime(written).timestamp() * 1000 == at_ms


def test_every_day_of_four_centuries_is_the_calendars() -> None:
    day = datetime.datetime(1900, 1, 1, tzinfo=datetime.UTC)
    for _ in range(0, 146_100, 61):
        raw = day.strftime("%d %b %Y 00:00:00 +0000").encode()
        assert headers.parse_date(raw) == int(day.timestamp()) * 1000
        assert headers.format_date(int(day.timestamp()) * 1000) == email.utils.format_datetime(day)
        day += datetime.timedelta(days=61)


PARAMS = [
    # RFC 2231 sections 3 and 4
    (b"text/plain; charset=utf-8", "text/plain", {"charset": "utf-8"}),
    (
        b'message/external-body; access-type=URL;\r\n URL*0="ftp://";\r\n URL*1="cs.utk.edu/pub/moore/x.txt"',
        "message/external-body",
        {"access-type": "URL", "url": "ftp://cs.utk.edu/pub/moore/x.txt"},
    ),
    (
        b"application/x-stuff; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
        "application/x-stuff",
        {"title": "This is ***fun***"},
    ),
    (
        b"application/x-stuff; title*0*=us-ascii'en'This%20is%20even%20more%20; title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\"",
        "application/x-stuff",
        {"title": "This is even more ***fun*** isn't it!"},
    ),
    (b"attachment; filename*1*=%82%ac; filename*0*=utf-8''%e2", "attachment", {"filename": "€"}),
    (b"attachment; filename=plain; filename*=utf-8''%e2%82%ac", "attachment", {"filename": "€"}),
    (b'attachment; filename="=?utf-8?q?=E2=82=AC?="', "attachment", {"filename": "€"}),
    (b"attachment; filename*0=a; filename*2=c", "attachment", {"filename": "a"}),  # a lost piece
    (b"attachment; filename*=nonsense''%e9", "attachment", {"filename": "é"}),
    (b"attachment; filename*=no-quotes", "attachment", {"filename": "no-quotes"}),
    ("attachment; filename=ü.txt".encode(), "attachment", {"filename": "ü.txt"}),
    (b"attachment; filename*99999=x", "attachment", {"filename*99999": "x"}),
    (b"; x=y", "attachment", {"x": "y"}),
    (b"", "", {}),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "value", "params"), PARAMS)
def test_parse_params(raw: bytes, value: str, params: dict[str, str]) -> None:
    assert headers.parse_params(raw) == (value, params)


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "raw",
    [
        b"a/b;c=d" + b" " * 200_000 + b"x",
        b"a/b" + b";a=b" * 100_000 + b'"',
        b"a/b;" + b"a" * 300_000,
        b'a/b;a="' + b"\\a" * 200_000,
        b"a/b" + b"(" * 300_000,
        b"a" * 300_000,
        b" " * 300_000,
    ],
    ids=range(7),
)
def test_hostile_parameters_take_linear_time(raw: bytes) -> None:
    with linear():
        headers.parse_params(raw)


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "piece", [b"=?", b"=?a?q?", b"=?a?q??=", b"<", b"<a ", b" ", b"=?utf-8?b?w6k=?= ", b"1 "]
)
def test_hostile_words_ids_and_dates_take_linear_time(piece: bytes) -> None:
    with linear():
        raw = piece * (300_000 // len(piece))
        headers.decode_words(raw)
        headers.msg_ids(raw)
        headers.parse_date(raw)


IDS = [
    # RFC 5256 section 3 (normalisation), RFC 5322 3.6.4
    (b"<a@b>", ["<a@b>"]),
    (b"<a@b> <c@d>\r\n <e@f>", ["<a@b>", "<c@d>", "<e@f>"]),
    (b"Joe's message of <a@b> (x)", ["<a@b>"]),
    (b'<"01KF8JCEOCBS0045PS"@xxx.yyy.com>', ["<01KF8JCEOCBS0045PS@xxx.yyy.com>"]),
    (b'<"a b"@c>', ["<ab@c>"]),
    (b'<"a\\b"@c>', ["<ab@c>"]),
    (b'<a."b".c@d>', ["<a.b.c@d>"]),
    (b'<"a\\"\\b"@c>', [r'<"a\"b"@c>']),  # needs its quotes, and one backslash
    (b'<"a(b"@c>', ['<"a(b"@c>']),
    (b'<"a@c>', ['<"a@c>']),
    (b"< a@b >", ["<a@b>"]),
    (b"<a@\r\n b>", ["<a@b>"]),
    (b"<no-at>", ["<no-at>"]),
    (b"a@b", []),
    (b"<>", []),
    (b"<a@b", []),
]


@pytest.mark.parametrize(("raw", "ids"), IDS)
def test_msg_ids(raw: bytes, ids: list[str]) -> None:
    assert headers.msg_ids(raw) == ids


def test_unfold() -> None:
    # RFC 5322 2.2.3; a line end that no white space follows stays
    assert headers.unfold(b"a\r\n b\n\tc\r\n") == b"a b\tc"
    assert headers.unfold(b"a\r\nb") == b"a\r\nb"


def test_word_that_no_line_holds_is_encoded() -> None:
    """RFC 5322 2.1.1: no line is longer than 998 octets, whatever the value."""
    long = "x" * 3000
    coded = headers.encode_words(f"a {long} b")
    assert coded.startswith(b"a =?utf-8?q?xxx") and coded.endswith(b"?= b")
    assert headers.decode_words(coded) == f"a {long} b"
    assert headers.encode_words("word " * 400) == b"word " * 400
