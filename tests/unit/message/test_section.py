"""Which bytes an IMAP section means (RFC 9051 6.4.5.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.message import section
from quintet.message.scan import scan

# the complex message of the section, in its order
COMPLEX = b"""Subject: top
Content-Type: multipart/mixed; boundary=a

--a

one
--a
Content-Type: application/octet-stream

two
--a
Content-Type: message/rfc822

Subject: three
Content-Type: multipart/mixed; boundary=b

--b

3.1
--b
Content-Type: application/octet-stream

3.2
--b--
--a
Content-Type: multipart/mixed; boundary=c

--c
Content-Type: image/gif

4.1
--c
Content-Type: message/rfc822

Subject: 4.2
Content-Type: multipart/mixed; boundary=d

--d

4.2.1
--d
Content-Type: multipart/alternative; boundary=e

--e

4.2.2.1
--e
Content-Type: text/richtext

4.2.2.2
--e--
--d--
--c--
--a--
""".replace(b"\n", b"\r\n")

SECTIONS = [
    ((1,), "", b"one"),
    ((1,), "MIME", b"\r\n"),
    ((2,), "", b"two"),
    ((2,), "MIME", b"Content-Type: application/octet-stream\r\n\r\n"),
    ((3,), "HEADER", b"Subject: three\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"),
    ((3,), "MIME", b"Content-Type: message/rfc822\r\n\r\n"),
    ((3, 1), "", b"3.1"),
    ((3, 2), "", b"3.2"),
    ((3, 2), "MIME", b"Content-Type: application/octet-stream\r\n\r\n"),
    ((4, 1), "", b"4.1"),
    ((4, 1), "MIME", b"Content-Type: image/gif\r\n\r\n"),
    ((4, 2), "HEADER", b"Subject: 4.2\r\nContent-Type: multipart/mixed; boundary=d\r\n\r\n"),
    ((4, 2, 1), "", b"4.2.1"),
    ((4, 2, 2, 1), "", b"4.2.2.1"),
    ((4, 2, 2, 2), "", b"4.2.2.2"),
    # what is not there, or does not apply
    ((), "MIME", None),
    ((5,), "", None),
    ((0,), "", None),
    ((1, 1), "", None),
    ((1,), "HEADER", None),
    ((1,), "TEXT", None),
    ((4,), "HEADER", None),
    ((3, 3), "", None),
    ((1,), "NONSENSE", None),
    ((3,), "NONSENSE", None),
]


@pytest.mark.parametrize(("path", "what", "expected"), SECTIONS)
def test_section(path: tuple[int, ...], what: str, expected: bytes | None) -> None:
    found = section.locate(scan(COMPLEX), path, what)
    assert (None if found is None else COMPLEX[slice(*found)]) == expected


def test_whole_message_header_and_text() -> None:
    digest = scan(COMPLEX)
    end = COMPLEX.index(b"--a")
    assert section.locate(digest, ()) == (0, len(COMPLEX))
    assert section.locate(digest, (), "HEADER") == (0, end)
    assert section.locate(digest, (), "TEXT") == (end, len(COMPLEX))
    inner = section.locate(digest, (3,))
    assert inner is not None
    assert COMPLEX[slice(*inner)].startswith(b"Subject: three")
    text = section.locate(digest, (3,), "TEXT")
    assert text is not None
    assert (
        COMPLEX[slice(*text)]
        == b"--b\r\n\r\n3.1\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\n3.2\r\n--b--"
    )


def test_a_message_that_is_no_multipart_has_part_one() -> None:
    content = b"Subject: x\r\n\r\nhi\r\n"
    digest = scan(content)
    assert section.locate(digest, (1,)) == (14, 18)
    assert section.locate(digest, (1,), "MIME") == (0, 14)
    assert section.locate(digest, (1, 1)) is None
    assert section.part(digest, ()) is digest.root
    assert section.part(digest, (1,)) is digest.root


def test_a_message_that_is_a_message_has_its_parts_below_one() -> None:
    content = b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nhi"
    digest = scan(content)
    cut = {
        (path, what): section.locate(digest, path, what)
        for path in ((1,), (1, 1))
        for what in ("", "HEADER", "TEXT")
    }
    got = {key: content[slice(*value)] for key, value in cut.items() if value}
    assert got == {
        ((1,), ""): b"Subject: in\r\n\r\nhi",
        ((1,), "HEADER"): b"Subject: in\r\n\r\n",
        ((1,), "TEXT"): b"hi",
        ((1, 1), ""): b"hi",
    }


BLOCK = b"From: a\r\nSUBJECT: b\r\n folded\r\nX-Y : c\r\nno field\r\nTo: d\r\n\r\n"
FILTERS = [
    ({b"SUBJECT"}, False, b"SUBJECT: b\r\n folded\r\n\r\n"),
    ({b"TO", b"FROM"}, False, b"From: a\r\nTo: d\r\n\r\n"),
    ({b"X-Y"}, False, b"X-Y : c\r\n\r\n"),
    ({b"SUBJECT", b"X-Y"}, True, b"From: a\r\nTo: d\r\n\r\n"),
    (set(), False, b"\r\n"),
    ({b"NONE"}, False, b"\r\n"),
]


@pytest.mark.parametrize(("names", "exclude", "expected"), FILTERS)
def test_filter_header(names: set[bytes], exclude: bool, expected: bytes) -> None:
    assert section.filter_header(BLOCK, names, exclude) == expected


def test_a_block_without_an_empty_line_gets_none() -> None:
    # RFC 9051 6.4.5.1: except in the case of a message that has no body and no blank line
    assert section.filter_header(b"A: b\r\nC: d", {b"C"}, False) == b"C: d"
    assert section.filter_header(b"", {b"C"}, False) == b""
    assert section.filter_header(b"A: b\n c\n\nC: d", {b"A", b"C"}, False) == b"A: b\n c\n\n"


# a field, and the name that it has; none has no colon
ODD_FIELDS = (
    (b"To: a\r\n", b"TO"),
    (b"tO \t:\r\n", b"TO"),
    (b"To\n : a\n", None),
    (b"Topic: To: b\r\n\tTo: c\r\n", b"TOPIC"),
    (b"X-To: a\n", b"X-TO"),
    (b"To\r\n", None),
    (b"X.Y: \xff\r\n \n", b"X.Y"),
    (b"\r: a\r\n", b"\r"),
)


@given(
    st.lists(st.sampled_from(ODD_FIELDS)),
    st.sampled_from((b"\r\n", b"\n", b"")),
    st.sets(st.sampled_from((b"TO", b"TOPIC", b"X.Y", b"XXY", b"TO ", b"\r"))),
)
def test_odd_fields_are_told_by_their_names_alone(
    fields: list[tuple[bytes, bytes | None]], end: bytes, names: set[bytes]
) -> None:
    block = b"".join(text for text, _ in fields) + end
    kept = [text for text, name in fields if name in names]
    others = [text for text, name in fields if name is not None and name not in names]
    assert section.filter_header(block, names, False) == b"".join(kept) + end
    body = b"To: body\r\n\r\n" if end else b""
    assert section.header_end(block + body) == len(block) == scan(block + body).header_end
    if (b"To\n : a\n", None) not in fields:  # its colon makes it a field, and no name can mean it
        assert section.filter_header(block + body, names, True) == b"".join(others) + end
