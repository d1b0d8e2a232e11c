"""ENVELOPE, BODY, BODYSTRUCTURE and the overview line, octet by octet."""

# ruff: noqa: E501, ISC004  (a row of a table reads best as one)

from __future__ import annotations

import pytest

from quintet.message import render
from quintet.message.scan import scan

J = b'((NIL NIL "j" "x.example"))'

ADDRESSES = [
    # (field value, ENVELOPE list): RFC 3501 7.4.2, RFC 5322 3.4 and 4.4
    (b"j@x.example", J),
    (b"<j@x.example>", J),
    (b"Joe <j@x.example>", b'(("Joe" NIL "j" "x.example"))'),
    (b"Joe  \t  Q. Public<j@x.example>", b'(("Joe Q. Public" NIL "j" "x.example"))'),
    (b'"Public, Joe" <j@x.example>', b'(("Public, Joe" NIL "j" "x.example"))'),
    (b'"Joe \\"Q\\" \\\\" <j@x.example>', b'(("Joe \\"Q\\" \\\\" NIL "j" "x.example"))'),
    (b'"" <j@x.example>', J),
    (b"j@x.example (Joe Public)", b'(("Joe Public" NIL "j" "x.example"))'),
    (b"j@x.example (Joe (the) \\) one)", b'(("Joe (the) ) one" NIL "j" "x.example"))'),
    (b"Joe (not this) <j@x.example>", b'(("Joe" NIL "j" "x.example"))'),
    (b"(this) <j@x.example>", b'(("this" NIL "j" "x.example"))'),
    (b"=?utf-8?q?Zo=C3=AB?= <j@x.example>", b'(("=?utf-8?q?Zo=C3=AB?=" NIL "j" "x.example"))'),
    (b"=?utf-8?q?a?= =?utf-8?q?b?= <j@x.example>", b'(("=?utf-8?q?a?= =?utf-8?q?b?=" NIL "j" "x.example"))'),
    (b"a@x.example,b@y.example", b'((NIL NIL "a" "x.example")(NIL NIL "b" "y.example"))'),
    (b"A <a@x.example>, , b@y.example,", b'(("A" NIL "a" "x.example")(NIL NIL "b" "y.example"))'),
    # groups: a start and an end marker
    (b"undisclosed-recipients:;", b'((NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL))'),
    (
        b"A Group:Ed <e@x.example>,j@y.example; , k@z.example",
        b'((NIL NIL "A Group" NIL)("Ed" NIL "e" "x.example")(NIL NIL "j" "y.example")(NIL NIL NIL NIL)'
        b'(NIL NIL "k" "z.example"))',
    ),
    (b"open: j@x.example", b'((NIL NIL "open" NIL)(NIL NIL "j" "x.example")(NIL NIL NIL NIL))'),
    # RFC 5322 4.4: a source route; blanks and comments anywhere
    (b"<@a.example,@b.example:j@x.example>", b'((NIL "@a.example,@b.example" "j" "x.example"))'),
    (b"Joe <j (x) @ x . example>", b'(("Joe" NIL "j" "x.example"))'),
    (b"j @ x.example", J),
    (b'"j k"@x.example', b'((NIL NIL "j k" "x.example"))'),
    (b'"j\\"k"@x.example', b'((NIL NIL "j\\"k" "x.example"))'),
    (b"j@[192.0.2.1]", b'((NIL NIL "j" "[192.0.2.1]"))'),
    # RFC 6532: 8-bit text travels in a literal
    (b"Zo\xc3\xab <j@x.example>", b'(({4}\r\nZo\xc3\xab NIL "j" "x.example"))'),
    (b"j@\xc3\xa9.example", b'((NIL NIL "j" {10}\r\n\xc3\xa9.example))'),
    # garbage is kept in some form, and a mailbox or host is never NIL, which would mean a group
    (b"root", b'((NIL NIL "root" ""))'),
    (b"<>", b"NIL"),
    (b"Joe <>", b'(("Joe" NIL "" ""))'),
    (b"Joe <j@x.example", b'(("Joe" NIL "j" "x.example"))'),
    (b'"Joe <j@x.example>', b'(("Joe" NIL "j" "x.example"))'),
    (b"Joe (open <j@x.example>", b'(("Joe open" NIL "j" "x.example"))'),
    (b"j@x.example>", J),
    (b"j@x@y", b'((NIL NIL "j" "xy"))'),
    (b"[x]", b'((NIL NIL "[x]" ""))'),
    (b"a b@x.example", b'((NIL NIL "ab" "x.example"))'),
    (b",;:,<@>", b"NIL"),
    (b" \t ", b"NIL"),
    (b"J\0oe <j@x.example>", b'(("J oe" NIL "j" "x.example"))'),
]


@pytest.mark.parametrize(("value", "expected"), ADDRESSES)
def test_address_list(value: bytes, expected: bytes) -> None:
    got = render.envelope(scan(b"To: " + value + b"\r\n\r\n"))
    assert got == b"(NIL NIL NIL NIL NIL " + expected + b" NIL NIL NIL NIL)"


def test_envelope_of_a_whole_message() -> None:
    # the example of RFC 3501 section 8
    content = (
        b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n"
        b"Subject: IMAP4rev1 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n"
        b"cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
        b"Message-Id: <B27397-0100000@cac.washington.edu>\r\nMIME-Version: 1.0\r\n\r\n"
    )
    gray = b'(("Terry Gray" NIL "gray" "cac.washington.edu"))'
    assert render.envelope(scan(content)) == (
        b'("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev1 WG mtg summary and minutes" '
        + gray + b" " + gray + b" " + gray
        + b' ((NIL NIL "imap" "cac.washington.edu")) ((NIL NIL "minutes" "CNRI.Reston.VA.US")'
        b'("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL "<B27397-0100000@cac.washington.edu>")'
    )  # fmt: skip


def test_sender_and_reply_to_fall_back_to_from() -> None:
    # RFC 9051 7.5.2: absent or present but empty
    content = b"From: j@x.example\r\nSender:\r\nReply-To: r@x.example\r\n\r\n"
    r = b'((NIL NIL "r" "x.example"))'
    assert render.envelope(scan(content)) == b"(NIL NIL " + J + b" " + J + b" " + r + b" NIL NIL NIL NIL NIL)"


def test_empty_fields_are_empty_strings_and_missing_ones_nil() -> None:
    # RFC 9051 7.5.2
    assert render.envelope(scan(b"Subject:\r\nDate: \r\n\r\n")).startswith(b'("" "" NIL')
    assert render.envelope(scan(b"\r\n")) == b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"


STRINGS = [
    # RFC 3501 section 9: quoted = DQUOTE *QUOTED-CHAR DQUOTE, TEXT-CHAR without CR and LF; literal for the rest
    (b"", b'""'),
    (b"plain", b'"plain"'),
    (b'a "b" \\c', b'"a \\"b\\" \\\\c"'),
    (b"\xe9", b"{1}\r\n\xe9"),
    (b"a\rb", b"{3}\r\na\rb"),
    (b'"\xe9', b'{2}\r\n"\xe9'),
    (b"a\0b", b'"ab"'),  # CHAR8 has no NUL
    (b"\0\xe9", b"{1}\r\n\xe9"),
    (b"tab\t\x01", b'"tab\t\x01"'),
]


@pytest.mark.parametrize(("value", "expected"), STRINGS)
def test_string(value: bytes, expected: bytes) -> None:
    assert render.string(value) == expected


STRUCTURES = [
    # (message, BODY, BODYSTRUCTURE)
    (  # RFC 2045 5.2: the default
        b"\r\nhello\r\n",
        b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 7 1)',
        b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 7 1 NIL NIL NIL NIL)',
    ),
    (
        b'Content-Type: IMAGE/gif; name="a b.gif"\r\nContent-ID: <i@x>\r\nContent-Description: d "q"\r\n'
        b"Content-Transfer-Encoding: BASE64\r\nContent-MD5: abc==\r\nContent-Language: de, en\r\n"
        b"Content-Disposition: inline; filename=a.gif\r\nContent-Location: x.gif\r\n\r\nAAAA",
        b'("image" "gif" ("name" "a b.gif") "<i@x>" "d \\"q\\"" "base64" 4)',
        b'("image" "gif" ("name" "a b.gif") "<i@x>" "d \\"q\\"" "base64" 4 "abc==" ("inline" ("filename" "a.gif"))'
        b' ("de" "en") "x.gif")',
    ),
    (
        b"Content-Type: multipart/mixed; boundary=b\r\nContent-Language: fr\r\n\r\n"
        b"--b\r\n\r\nhi\r\nyou\r\n--b\r\nContent-Type: text/html\r\n\r\n\r\n--b--\r\n",
        b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 7 1)("text" "html" NIL NIL NIL "7bit" 0 0) "mixed")',
        b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 7 1 NIL NIL NIL NIL)'
        b'("text" "html" NIL NIL NIL "7bit" 0 0 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL "fr" NIL)',
    ),
    (  # a multipart has one part at least (body-type-mpart)
        b"Content-Type: multipart/mixed\r\n\r\nx",
        b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0) "mixed")',
        b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL) "mixed" NIL NIL NIL NIL)',
    ),
    (  # body-type-msg: envelope, body, lines
        b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nhi\r\n",
        b'("message" "rfc822" NIL NIL NIL "7bit" 19 ("" "in" '.replace(b'("" ', b"(NIL ")
        + b'NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 1) 3)',
        b'("message" "rfc822" NIL NIL NIL "7bit" 19 (NIL "in" NIL NIL NIL NIL NIL NIL NIL NIL) '
        b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL)',
    ),
    (  # RFC 9051 7.5.2, RFC 2231 3: continuations are joined
        b"Content-Type: text/plain; charset=utf-8; name*0=long; name*1=name\r\n"
        b"Content-Disposition: attachment; filename*0*=iso-8859-1''%E9; filename*1=x; size=1\r\n\r\n",
        b'("text" "plain" ("charset" "utf-8" "name" "longname") NIL NIL "7bit" 0 0)',
        b'("text" "plain" ("charset" "utf-8" "name" "longname") NIL NIL "7bit" 0 0 NIL '
        b'("attachment" ("size" "1" "filename*" "utf-8\'\'%C3%A9x")) NIL NIL)',
    ),
    (
        b"Content-Type: application/x; name*=utf-8''%C3%A9\r\n\r\n",
        b'("application" "x" ("name*" "utf-8\'\'%C3%A9") NIL NIL "7bit" 0)',
        b'("application" "x" ("name*" "utf-8\'\'%C3%A9") NIL NIL "7bit" 0 NIL NIL NIL NIL)',
    ),
]  # fmt: skip


@pytest.mark.parametrize(("content", "plain", "extended"), STRUCTURES)
def test_structure(content: bytes, plain: bytes, extended: bytes) -> None:
    digest = scan(content)
    assert render.body(digest) == plain
    assert render.bodystructure(digest) == extended


def test_a_message_that_was_not_taken_apart_still_has_an_envelope() -> None:
    content = b"Content-Type: message/rfc822\r\n\r\n" * 150
    assert b'(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain"' in render.body(scan(content))


OVERVIEWS = [
    # RFC 3977 8.3.2
    (
        b"From: J <j@x>\r\nSubject: =?utf-8?q?x?=\r\nDate: d\r\nMessage-ID: <m>\r\nReferences: <a>\r\n <b>\r\n\r\n",
        b"=?utf-8?q?x?=\tJ <j@x>\td\t<m>\t<a> <b>",
    ),
    (b"\r\n", b"\t\t\t\t"),  # absent and empty fields are empty
    (b"Subject: a\tb\r\n\tc\0d\re\r\n\r\n", b"a b c d e\t\t\t\t"),  # TAB, NUL, CR become spaces
    (b"Subject: caf\xc3\xa9\r\n\r\n", b"caf\xc3\xa9\t\t\t\t"),
]


@pytest.mark.parametrize(("content", "expected"), OVERVIEWS)
def test_overview(content: bytes, expected: bytes) -> None:
    assert render.overview(scan(content)) == expected
