"""What programs say to "sendmail", and what it makes of what they pipe in."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.admin.sendmail import options, program, talk
from quintet.admin.sendmail.letter import Letter, from_field
from quintet.admin.sendmail.options import Mode, Usage
from quintet.smtp.heard import Heard


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("-t -oi", {"from_header": True, "ignore_dots": True}),
        ("-ti", {"from_header": True, "ignore_dots": True}),
        ("-oem -oi -f bob@x.test -- a@b -c@d", {"sender": "bob@x.test", "recipients": ["a@b", "-c@d"]}),
        ("-i -fbob@x.test a@b", {"ignore_dots": True, "sender": "bob@x.test"}),
        ("-f <> a@b", {"sender": ""}),
        ("-r bob a b", {"sender": "bob", "recipients": ["a", "b"]}),
        ("-FThe|Bob a@b", {"name": "The|Bob"}),
        (
            "-N success,delay -R hdrs -V id1 a",
            {"notify": ("success", "delay"), "ret": "hdrs", "envid": "id1"},
        ),
        ("-N never a", {"notify": ("never",)}),
        ("-bs", {"mode": Mode.SMTP}),
        ("-bp", {"mode": Mode.LIST}),
        ("-bv a", {"mode": Mode.VERIFY}),
        ("-q", {"mode": Mode.FLUSH}),
        ("-q15m", {"mode": Mode.FLUSH, "flush": ("", "")}),
        ("-qRexample.net", {"mode": Mode.FLUSH, "flush": ("R", "example.net")}),
        ("-qSzoe@a.test", {"mode": Mode.FLUSH, "flush": ("S", "zoe@a.test")}),
        ("-qI17", {"mode": Mode.FLUSH, "flush": ("I", "17")}),
        ("-bi", {"mode": Mode.ALIASES}),
        ("-odb -oQ/var/q -om -B 8BITMIME -h 3 -O DeliveryMode=b -A m a", {"recipients": ["a"]}),
        ("-O IgnoreDots=true a", {"ignore_dots": True}),
        ("-v -n -m -G -U a", {"verbose": True}),
    ],
)
def test_options_of_real_programs(line: str, wanted: dict[str, object]) -> None:
    found = options.parse(line.split())
    assert {name: getattr(found, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    "line",
    ["-y", "-bd", "-bD", "-f", "-N sometimes a", "-N never,delay", "-R all", "-tz", "-qR", "-qI", "-qI1a"],
)
def test_options_that_make_no_sense(line: str) -> None:
    with pytest.raises(Usage):
        options.parse(line.split())


def test_names_it_is_called_by() -> None:
    assert options.parse([], "mailq").mode is Mode.LIST
    assert options.parse([], "newaliases").mode is Mode.ALIASES


@given(st.lists(st.text(max_size=6), max_size=6))
def test_any_command_line_is_understood_or_refused(words: list[str]) -> None:
    with contextlib.suppress(Usage):
        assert isinstance(options.parse(words).mode, Mode)


Read = Callable[..., Letter]


@pytest.fixture
def read() -> Iterator[Read]:
    made: list[Letter] = []

    def read_one(data: bytes, *, ignore_dots: bool = False) -> Letter:
        made.append(Letter())
        made[-1].read(io.BytesIO(data).readline, ignore_dots=ignore_dots)
        return made[-1]

    yield read_one
    for each in made:
        each.close()


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"Subject: x\n\na\n.b\n", b"Subject: x\r\n\r\na\r\n.b\r\n"),
        (b"Subject: x\r\n\r\na", b"Subject: x\r\n\r\na\r\n"),
        (b"a\n.\nnever\n", b"a\r\n"),
        (b"a\r\n.\r\nnever", b"a\r\n"),
        (b"", b""),
        (b"x" * 70000 + b"\n.\n", b"x" * 70000 + b"\r\n"),
        (b"x" * 65536 + b".\ny", b"x" * 65536 + b".\r\ny\r\n"),  # no dot alone: the middle of a line
    ],
)
def test_line_ends_and_the_dot(read: Read, data: bytes, wanted: bytes) -> None:
    assert b"".join(read(data).chunks()) == wanted


def test_dot_is_text_when_asked(read: Read) -> None:
    assert b"".join(read(b"a\n.\nb\n", ignore_dots=True).chunks()) == b"a\r\n.\r\nb\r\n"


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (b'To: a@x, "B, b" <b@x>\nCc: c@x,\n d@x\nBCC: e@x\n', ["a@x", "b@x", "c@x", "d@x", "e@x"]),
        (b"To: friends: a@x, b@x;\n", ["a@x", "b@x"]),
        (b"To: undisclosed-recipients:;\n", []),
        (b"To: a@x\nCc: a@x\n", ["a@x"]),
        (b"To: a@x\nResent-To: z@x\n", ["z@x"]),
        (b"To: dora\n", ["dora"]),
        (b"Subject: To: no@x\nX-To: no@x\n", []),
    ],
)
def test_recipients_of_the_header(read: Read, header: bytes, wanted: list[str]) -> None:
    assert read(header + b"\nTo: body@x\n").recipients() == wanted


def test_from_is_put_in_front(read: Read) -> None:
    letter = read(b"Subject: x\n\nbody\n")
    letter.prepend(from_field("Döra D.", "d@x"))
    assert letter.has(b"from")
    assert b"".join(letter.chunks()).startswith(b"From: =?utf-8?")
    assert from_field('D. "x"', "d@x") == b'From: "D. \\"x\\"" <d@x>\r\n'
    assert from_field("a\r\nBcc: b", "d@x").count(b"\n") == 1


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("dora", "dora@here.test"),
        ("dora@x.test", "dora@x.test"),
        ("Dora <dora@x.test>", "dora@x.test"),
        ('"a b"', '"a b"@here.test'),
        ('"a@b"@x.test', '"a@b"@x.test'),
        (" d ", "d@here.test"),
    ],
)
def test_names_alone_are_of_this_place(text: str, wanted: str) -> None:
    assert program.qualified(text, "here.test") == wanted


@pytest.mark.parametrize("text", ["", "a b", "a@x>\r\nRCPT TO:<b@x", "a,b"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(talk.Failed) as caught:
        program.qualified(text, "here.test")
    assert caught.value.code == os.EX_USAGE


@pytest.mark.parametrize(
    ("code", "text", "wanted"),
    [
        (550, "5.1.1 No such user", os.EX_NOUSER),
        (550, "5.1.2 No such domain", os.EX_NOHOST),
        (550, "5.7.1 Relaying denied", os.EX_NOPERM),
        (552, "5.3.4 Message too big", os.EX_UNAVAILABLE),
        (554, "5.6.0 malformed", os.EX_DATAERR),
        (452, "4.2.2 Mailbox full", os.EX_TEMPFAIL),
        (421, "bye", os.EX_TEMPFAIL),
        (550, "no", os.EX_UNAVAILABLE),
    ],
)
def test_refusals_as_exit_codes(code: int, text: str, wanted: int) -> None:
    assert talk.code_of(Heard(code, (text,))) == wanted
