"""The grammar of POP3 commands, by table and by accident."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.errors import BadSyntax, Reason
from quintet.pop3 import commands as c
from quintet.pop3 import sending, surrogate, words
from quintet.pop3.commands import parse

GOOD: list[tuple[bytes, c.Command]] = [
    (b"USER alice", c.User("alice")),
    (b"user al ice ", c.User("al ice ")),  # a name is what follows, as it is
    (b"PASS a b  c ", c.Pass("a b  c ")),
    (b"PASS  lead", c.Pass(" lead")),
    (b"APOP alice c4c9334bac560ecc979e58001b3e22fb", c.Apop("alice", "c4c9334bac560ecc979e58001b3e22fb")),
    (b"APOP al ice 00", c.Apop("al ice", "00")),
    (b"AUTH", c.Auth("", None)),
    (b"AUTH plain", c.Auth("plain", None)),
    (b"AUTH PLAIN =", c.Auth("PLAIN", b"=")),
    (b"LIST", c.List(None)),
    (b"LIST ", c.List(None)),
    (b"LIST 7", c.List(7)),
    (b"uidl 0012", c.Uidl(12)),
    (b"RETR 1", c.Retr(1)),
    (b"RETR 1 ", c.Retr(1)),
    (b"TOP 1 0", c.Top(1, 0)),
    (b"STAT ", c.Stat()),  # a space at the end is forgiven
    (b"LANG", c.Lang(None)),
    (b"LANG de-AT", c.Lang("de-AT")),
    (b"quit", c.Quit()),
]
BAD = [
    b"USER", b"USER ", b"PASS", b"PASS \x00", b"USER \xff", b"APOP x", b"APOP", b"AUTH PLAIN ",
    b"AUTH PLAIN a b", b"LIST x", b"LIST 1 2", b"RETR", b"RETR +1", b"RETR 12345678901", b"RETR 1\t",
    b"TOP 1", b"TOP 1 2 3", b"TOP  1 2", b"STAT 1", b"DELE all", b"LANG ",
]  # fmt: skip


@pytest.mark.parametrize(("line", "command"), GOOD)
def test_good_lines(line: bytes, command: c.Command) -> None:
    assert parse(line) == command


@pytest.mark.parametrize("line", BAD)
def test_bad_lines(line: bytes) -> None:
    with pytest.raises(BadSyntax) as caught:
        parse(line)
    assert caught.value.reason is Reason.SYNTAX


@given(
    st.one_of(
        st.binary(),
        st.sampled_from([line for line, _ in GOOD]).flatmap(lambda a: st.binary().map(lambda b: a + b)),
    )
)
def test_any_line_is_a_command_or_bad_syntax(line: bytes) -> None:
    try:
        assert isinstance(parse(line), c.Command)
    except BadSyntax:
        pass


@given(
    st.lists(st.sampled_from([b"a", b"\r\n", b"\r", b"\n", b".", b"\r\n\r\n"])).map(b"".join),
    st.integers(0, 5),
)
def test_top_ends_after_so_many_lines(data: bytes, lines: int) -> None:
    end = sending.end_of(data, lines)
    header, empty, body = (
        (b"", b"\r\n", data[2:]) if data.startswith(b"\r\n") else data.partition(b"\r\n\r\n")
    )
    wanted = header + empty + b"\r\n".join(body.split(b"\r\n")[:lines])
    assert data[:end].rstrip(b"\r\n") == wanted.rstrip(b"\r\n")
    assert data[surrogate.split(data) : end].count(b"\r\n") <= lines


@given(
    st.lists(
        st.sampled_from(
            [
                b"From: ",
                b"Subject: ",
                b"\xc3\xa9",
                b"\xff",
                b"<",
                b">",
                b'"',
                b"\\",
                b"\r\n",
                b"\r\n ",
                b" ",
                b"x",
                b"@",
                b":",
                b",",
            ]
        )
    ).map(b"".join)
)
def test_surrogate_header_is_ascii_with_the_same_lines(raw: bytes) -> None:
    made = surrogate.header(raw)
    assert made.isascii()
    assert surrogate.header(made) == made
    if raw.isascii():
        assert made == raw


@pytest.mark.parametrize(
    ("raw", "made"),
    [
        (b"Subject: caf\xc3\xa9 au lait\r\n", b"Subject: =?UTF-8?B?Y2Fmw6k=?= au lait\r\n"),
        (b"Subject: \xe9\r\n", b"Subject: =?UNKNOWN-8BIT?B?6Q==?=\r\n"),
        (b"To: Zo\xc3\xab <zoe@example.org>\r\n", b"To: =?UTF-8?B?Wm/Dqw==?= <zoe@example.org>\r\n"),
        (b'To: "\xc3\xab, x" <z@e>\r\n', b"To: =?UTF-8?B?w6ssIHg=?= <z@e>\r\n"),
        (b"To: <zo\xc3\xab@e>, <b@e>\r\n", b"To: =?UTF-8?B?PHpvw6tAZT4=?= :;, <b@e>\r\n"),
        (b"\xc3\xab: x\r\nA: b\r\n", b"?: x\r\nA: b\r\n"),
    ],
)
def test_surrogates(raw: bytes, made: bytes) -> None:
    assert surrogate.header(raw) == made


def test_long_words_become_several_encoded_words() -> None:
    made = surrogate.header(b"Subject: " + "é".encode() * 200 + b"\r\n")
    assert all(len(line) <= 76 + len("Subject: ") for line in made.split(b"\r\n"))
    assert made.count(b"=?UTF-8?B?") > 3


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [("*", "fr"), ("de-AT", "de"), ("DE", "de"), ("tlh", None), ("i-default", "en"), ("", None)],
)
def test_languages(wanted: str, chosen: str | None) -> None:
    assert words.choose(wanted, "fr") == chosen


def test_every_language_says_everything_with_the_same_values() -> None:
    for language in words.LANGUAGES:
        for key in words._WORDS["en"]:
            said = words.say(language, key, count=1, size=2, number=3)
            assert said
            assert "{" not in said
            assert "\r" not in said
