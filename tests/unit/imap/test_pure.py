"""The pure parts of IMAP: names, sets, tokens, formats, the client's numbering."""

from __future__ import annotations

from array import array

import pytest

from quintet.errors import BadSyntax, Reason, Refused
from quintet.imap import commands, contexts, matching, names, sets, utf7
from quintet.imap import format as fmt
from quintet.imap.matching import Question
from quintet.imap.tokens import Cursor
from quintet.imap.view import View

# --- modified UTF-7 (RFC 3501 5.1.3) -------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("INBOX", b"INBOX"),
        ("R&D", b"R&-D"),
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),  # the RFC's own
        ("Entwürfe", b"Entw&APw-rfe"),
        ("😀", b"&2D3eAA-"),  # a pair of surrogates
        ("a\tb", b"a&AAk-b"),
        ("", b""),
    ],
)
def test_utf7_both_ways(name: str, written: bytes) -> None:
    assert utf7.encode(name) == written
    assert utf7.decode(written) == name


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (b"&AEE-", "ASCII must not be shifted"),
        (b"&U,BTFw", "the shift does not end"),
        (b"&U,BTFw-&ZeVnLIqe-", "two shifts in a row have a shorter form"),
        (b"a\xffb", "eight-bit octets"),
        (b"a\x01b", "controls"),
        (b"&!!-", "not base64"),
        (b"&2D0-", "half a pair of surrogates"),
        (b"&AP-", "bits left over"),
    ],
)
def test_utf7_refuses_other_spellings(written: bytes, why: str) -> None:
    with pytest.raises(BadSyntax):
        utf7.decode(written)


# --- sequence sets (RFC 9051 9) ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "largest", "ranges"),
    [
        (b"1", 9, [(1, 1)]),
        (b"2,4:7,9,12:*", 15, [(2, 2), (4, 7), (9, 9), (12, 15)]),  # the RFC's own
        (b"*:4,5:7", 10, [(4, 10)]),
        (b"*", 3, [(3, 3)]),
        (b"5:*", 3, [(3, 5)]),  # includes the largest, even below the first
        (b"4:2", 9, [(2, 4)]),
        (b"1,2,3", 9, [(1, 3)]),
    ],
)
def test_sets_resolve(text: bytes, largest: int, ranges: list[tuple[int, int]]) -> None:
    assert sets.parse(text).resolve(largest) == ranges


@pytest.mark.parametrize(
    "text", [b"", b"0", b"1,", b":1", b"1:", b"a", b"4294967296", b"1::2", b"01", b"-1", b"$,1"]
)
def test_sets_refuse(text: bytes) -> None:
    with pytest.raises(BadSyntax):
        sets.parse(text)


def test_a_set_has_a_limit_of_ranges() -> None:
    with pytest.raises(BadSyntax) as caught:
        sets.parse(b",".join([b"1"] * (sets.MAX_RANGES + 1)))
    assert caught.value.reason is Reason.TOO_MANY


def test_sets_write_join_intersect() -> None:
    assert sets.write(sets.runs([1, 2, 3, 7, 9, 10])) == b"1:3,7,9:10"
    assert sets.join([(5, 6), (1, 2), (3, 3), (6, 9)]) == [(1, 3), (5, 9)]
    assert sets.intersect([(1, 5), (8, 10)], [(4, 8), (10, 12)]) == [(4, 5), (8, 8), (10, 10)]
    assert [sets.contains([(2, 3), (7, 9)], n) for n in (1, 2, 3, 4, 7, 9, 10)] == [
        False,
        True,
        True,
        False,
        True,
        True,
        False,
    ]


# --- tokens ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'"a \\"b\\" \\\\c"', b'a "b" \\c'),
        (b"{5}\r\nhello", b"hello"),
        (b"{5+}\r\nhello", b"hello"),
        (b"~{3}\r\na\0b", b"a\0b"),
        (b'""', b""),
        (b"{0}\r\n", b""),
        ('"Grüße"'.encode(), "Grüße".encode()),
    ],
)
def test_strings(data: bytes, value: bytes) -> None:
    cursor = Cursor(data)
    assert cursor.string() == value
    assert cursor.at_end()


@pytest.mark.parametrize(
    "data", [b'"abc', b'"a\\nb"', b"{5}\r\nabc", b"{3}\r\na\0b", b"abc", b'"a\r\nb"', b""]
)
def test_strings_refused(data: bytes) -> None:
    with pytest.raises(BadSyntax):
        Cursor(data).string()


def test_astring_takes_a_bracket_and_an_atom_does_not() -> None:
    assert Cursor(b"a]b c").astring() == b"a]b"
    assert Cursor(b"a]b c").atom() == b"a"


@pytest.mark.parametrize(
    ("data", "moment"),
    [
        (b'"17-Jul-1996 02:44:25 -0700"', 837596665000),
        (b'" 1-Jan-1970 00:00:00 +0000"', 0),
        (b'"01-jan-2000 01:30:00 +0130"', 946684800000),
    ],
)
def test_date_time(data: bytes, moment: int) -> None:
    assert Cursor(data).date_time() == moment


@pytest.mark.parametrize(
    "data",
    [
        b'"31-Feb-2000 00:00:00 +0000"',
        b'"1-Jan-2000 00:00:00 +0000"',
        b'"01-Jan-2000 24:00:00 +0000"',
        b'"x"',
        b"17-Jul-1996",
    ],
)
def test_date_time_refused(data: bytes) -> None:
    with pytest.raises(BadSyntax):
        Cursor(data).date_time()


def test_what_format_writes_tokens_read() -> None:
    for moment in (0, 837596665000, 1_763_715_600_000, 951_782_400_000):
        assert Cursor(fmt.date_time(moment)).date_time() == moment
    assert fmt.date_time(837596665000) == b'"17-Jul-1996 09:44:25 +0000"'
    assert fmt.date_time(0) == b'" 1-Jan-1970 00:00:00 +0000"'
    assert fmt.date_time(-1000) == b'"31-Dec-1969 23:59:59 +0000"'
    assert fmt.date_time(-(10**17)) == b'" 1-Jan-0001 14:13:20 +0000"'  # by a zone, or by MAPI
    assert fmt.date_time(10**17) == b'"31-Dec-9999 09:46:40 +0000"'


# --- format -----------------------------------------------------------------------------------------------


def test_strings_are_quoted_or_literal() -> None:
    assert fmt.string(b'a"b\\c') == b'"a\\"b\\\\c"'
    assert fmt.string("é".encode()) == b"{2}\r\n\xc3\xa9"
    assert fmt.string("é".encode(), utf8=True) == b'"\xc3\xa9"'
    assert fmt.string(b"a\r\nb") == b"{4}\r\na\r\nb"
    assert fmt.astring(b"NIL") == b'"NIL"'
    assert fmt.astring(b"a b") == b'"a b"'
    assert fmt.mailbox("Entwürfe", utf8=False) == b"Entw&APw-rfe"
    assert fmt.mailbox("Entwürfe", utf8=True) == '"Entwürfe"'.encode()


def test_flags_in_the_order_of_their_bits() -> None:
    assert fmt.flags(0) == b""
    assert fmt.flags(9, ("$Work",), recent=True) == b"\\Seen \\Deleted $Work \\Recent"


# --- names and patterns -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*", "a/b/c", True),
        ("%", "a", True),
        ("%", "a/b", False),
        ("a/%", "a/b", True),
        ("a/%", "a/b/c", False),
        ("%/b", "a/b", True),
        ("*b", "a/b", True),
        ("a*c%e", "abcde", True),
        ("a*c%e", "abc/e", False),
        ("%*", "a/b", True),
        ("inbox", "INBOX", True),
        ("InB*", "INBOX", True),
        ("i%", "INBOX", True),
        ("inbox/%", "INBOX/x", True),
        ("%o%", "foo", True),
        ("", "", True),
        ("a.c", "abc", False),
        ("%%%%%%%%%%b", "aaaaaaaaaa", False),
    ],
)
def test_patterns(pattern: str, name: str, matches: bool) -> None:
    assert names.matches(pattern, name) is matches


def test_a_hostile_pattern_takes_no_time() -> None:
    assert not names.matches("*a" * 120 + "b", "a" * 1000)
    assert not names.matches("%" + "a%" * 120 + "b", "a/" * 99 + "a" * 800)
    assert names.matches("/".join("%" * 100), "/".join("a" * 100))
    with pytest.raises(BadSyntax):
        names.matches("*a" * 200, "a" * 100)


def test_names_are_checked() -> None:
    assert names.decode(b"inBox/a", utf8=False) == "INBOX/a"
    assert names.check("a/b/") == "a/b"
    for bad in ("", "/", "a//b", "/a", "a*b", "a%", "a\x00b", "x" * 1001, "a/" * 101 + "b", "a/ /b"):
        with pytest.raises(Refused):
            names.check(bad)
    with pytest.raises(Refused):
        names.decode(b"\xff", utf8=True)


# --- view ---------------------------------------------------------------------------------------------------


def test_view_without_gaps_holds_no_array() -> None:
    view = View(array("I", [5, 6, 7]))
    assert view._uids is None
    assert [view.uid(n) for n in (1, 2, 3)] == [5, 6, 7]
    assert [view.number(u) for u in (4, 5, 7, 8)] == [0, 1, 3, 0]


def test_expunge_is_told_from_the_highest() -> None:
    view = View(array("I", [2, 4, 6, 8]))
    view.vanish([(3, 6)])
    assert view.number(4) == 2  # keeps its number until told
    assert view.expunge() == ([3, 2], [4, 6])
    assert list(view) == [2, 8]


def test_uid_star_in_a_set_is_the_last_message() -> None:
    view = View(array("I", [2, 4, 6]))
    assert view.known_ranges(sets.parse(b"100:*")) == [(6, 6)]
    assert view.known_ranges(sets.parse(b"7:9")) == []
    assert View().known_ranges(sets.parse(b"1:*")) == []


def test_numbers_that_are_not_in_use() -> None:
    assert View().uid_ranges(sets.parse(b"*")) is None
    assert View(first=1, count=3).uid_ranges(sets.parse(b"4")) is None
    assert View(array("I", [2, 4, 9])).uid_ranges(sets.parse(b"2:*")) == [(4, 9)]


def test_a_million_messages_take_four_megabytes() -> None:
    view = View(array("I", range(1, 2_000_001, 2)))
    assert view._uids is not None
    assert view._uids.itemsize * len(view) == 4_000_000
    assert view.number(1_999_999) == 1_000_000


# --- results that are followed (RFC 5267 4.3) ------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "new", "after", "told"),
    [
        ([3, 1], [4, 3, 2, 1], [4, 3, 2, 1], [(1, [4]), (3, [2])]),
        ([3, 1], [3, 1, 5, 6], [3, 1, 5, 6], [(3, [5, 6])]),
        ([3, 1], [2], [2, 3, 1], [(1, [2])]),  # 3 and 1 are gone from the store, and that is not told yet
        ([3, 2, 1], [4, 3, 1, 5], [4, 3, 2, 1, 5], [(1, [4]), (5, [5])]),
        ([], [], [], []),
    ],
)
def test_an_order_keeps_what_is_not_told_to_be_gone(
    before: list[int], new: list[int], after: list[int], told: list[tuple[int, list[int]]]
) -> None:
    key = Question(matching.ROW, lambda *_: True)
    command = commands.Search(b"a", True, commands.And(()))
    context = contexts.Context(command, lambda _: key, frozenset(), 0, before, None)
    assert context.insert(new) == [(b"ADDTO", place, uids) for place, uids in told]
    assert list(context.uids) == after
