"""The words of a message: search and previews."""

from __future__ import annotations

import base64
from encodings import aliases

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.message import collation, html, text
from quintet.message.scan import scan
from tests.support.effort import linear


def texts(content: bytes) -> list[str]:
    reads: list[int] = []

    def read(start: int, end: int) -> bytes:
        reads.append(end - start)
        return content[start:end]

    found = list(text.body_texts(scan(content), read))
    assert all(size <= text.PIECE for size in reads)
    return found


def preview(content: bytes) -> str:
    return text.preview(scan(content), lambda start, end: content[start:end])


BODIES = [
    (b"\r\nhello", ["hello"]),
    (b"Content-Type: text/plain; charset=utf-8\r\n\r\nGr\xc3\xbc\xc3\x9fe", ["Grüße"]),
    (b"Content-Type: text/plain; charset=iso-8859-15\r\n\r\n\xa4", ["€"]),
    (b"Content-Type: text/plain; charset=nonsense\r\n\r\nGr\xfc\xc3\x9fe", ["Grüße"]),
    (b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$BF|K\\\x1b(B", ["日本"]),
    (b"Content-Type: text/plain; charset=utf-16\r\n\r\n\xff\xfeh\0i\0", ["hi"]),
    (b"Content-Type: text/plain; charset=utf-16\r\n\r\n\0h\0i", ["hi"]),  # RFC 2781 4.3: no mark, big-endian
    (b"Content-Type: text/plain; charset=utf-32\r\n\r\n\0\0\0h\0\0\0i", ["hi"]),
    (b"Content-Type: text/plain; charset=utf-16\r\n\r\nh", ["\ufffd"]),
    (b"Content-Transfer-Encoding: base64\r\n\r\naGVs\r\nbG8=", ["hello"]),
    (b"Content-Transfer-Encoding: quoted-printable\r\n\r\nhel=\r\nlo", ["hello"]),
    (b"Content-Type: text/html\r\n\r\n<p>a&amp;b<br>c</p><style>x</style>", [" a&b c "]),
    (b"Content-Type: application/json\r\n\r\n{}", ["{}"]),
    (b"Content-Type: application/x+xml\r\n\r\n<a>b</a>", ["b"]),
    (b"Content-Type: image/png\r\n\r\nhello", []),
    (b"Content-Type: message/delivery-status\r\n\r\nAction: failed", ["Action: failed"]),
    (b"Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nhello", ["hello"]),
    (b"Content-Type: message/rfc822\r\n\r\nSubject: =?utf-8?q?=C3=A9?=\r\n\r\nhi", ["Subject: é", "hi"]),
    (b"", []),
]


@pytest.mark.parametrize(("content", "expected"), BODIES)
def test_body_texts(content: bytes, expected: list[str]) -> None:
    assert texts(content) == expected


WORDS = [
    "HELLO",
    "LO",
    "C3",
    "A",
    "B",
    "AB",
    "GR",
    "E",
    "A&B",
    "O W",
    "4B",
    "\\",
    "P",
    "SUBJECT",
    "ACTION",
    "~",
]
TRAPS = [
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe =AB hel=\r\nlo=20w",
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC C3, too  \r\n",
    b"Content-Type: text/plain; charset=shift_jis\r\n\r\n\x83\x41\x83\x42 \x95\x5c",
    b"Content-Type: text/plain; charset=gb2312\r\n\r\n\xb0\xa1\xc4\xe3 hello",
    b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$B4A;z\x1b(B ab",
    b"Content-Type: text/plain; charset=utf-7\r\n\r\n+AOk-hello",
    b"Content-Type: text/plain; charset=utf-16\r\n\r\nh\0e\0l\0l\0o\0",
    b"Content-Type: text/html\r\n\r\n<a p=hello>he<b>llo</b> wor</a><script>ab</script>",
    b"Content-Type: text/plain; charset=utf-8\r\n\r\nGr\xfc\xc3\x9fe \xc3A \xe2\x82B",
    b"Content-Transfer-Encoding: base64\r\n\r\naGVsbG8gd29ybGQgQzM=",
    b"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 x\r\n%:&5L;&\\\r\n`\r\nend\r\n",
    b"Content-Type: image/png\r\n\r\nhello",
]


@pytest.mark.parametrize("image", [collation.casemap, collation.ascii_casemap])
@pytest.mark.parametrize("content", [*(content for content, _ in BODIES), *TRAPS])
def test_a_text_is_found_undecoded_where_it_is_found_decoded(content: bytes, image: collation.Fold) -> None:
    digest = scan(content)

    def read(start: int, end: int) -> bytes:
        return content[start:end]

    for word in WORDS:
        test = collation.finder(word, image)
        decoded = any(map(test, text.body_texts(digest, read)))
        assert text.holds(digest, read, word.encode(), test) == decoded, word


PIECES = [
    "he",
    "llo",
    "hello",
    "AMP",
    " ",
    "<",
    ">",
    "&",
    ";",
    "<b>",
    "</b>",
    "<p>",
    "<a p=hello>",
    "<!-- ",
    " -->",
    "<script>",
    "</script>",
    "<style x>",
    "</style >",
    "<HEAD>",
    "</Head>",
    "<title>",
    "</title>",
    "&amp;",
    "&#72;",
    "&eacute;",
    "&hello",
    "</",
    "<!DOCTYPE html>",
    "<header>",
    "<a title=hello>",
    "é",
    "<",
    "<!--",
]


@given(
    st.lists(st.sampled_from(PIECES), max_size=14).map("".join),
    st.sampled_from(["HELLO", "AMP", "LLO", "E", "L"]),
)
def test_a_text_is_found_in_html_where_it_is_found_without_its_tags(document: str, word: str) -> None:
    found = html.holds(document.encode().upper(), word.encode())
    assert found is None or found == (word in collation.casemap(html.strip(document)))


def test_most_html_needs_no_stripping_to_be_searched() -> None:
    page = b"<html><head><title>Hello</title></head><body><p class=there>the words</p></body></html>"
    said = {
        word: html.holds(page.upper(), word) for word in (b"WORDS", b"HELLO", b"THERE", b"NOTHING", b"BODY")
    }
    assert said == {b"WORDS": True, b"HELLO": None, b"THERE": None, b"NOTHING": False, b"BODY": None}


@pytest.mark.parametrize(
    "piece", [b'<A CLASS="WORD">X</A> ', b"<WORD ", b"<STYLE>WORD</STYLE>", b"WORD &AMP; "]
)
def test_words_in_tags_take_linear_time(piece: bytes) -> None:
    """A document was looked through again for each word that stood in a tag: 440 KB took six seconds."""
    with linear():
        html.holds(piece * (2_000_000 // len(piece)), b"WORD")


def test_a_text_is_found_in_every_part_and_in_large_ones() -> None:
    part = b"--x\r\nContent-Type: text/plain; charset=%b\r\n\r\n%b\r\n"
    large = b"hello " * (text.PIECE // 6 + 1) + b"last"
    content = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"".join(
        (part % (b"utf-8", b"one"), part % (b"big5", b"two"), part % (b"utf-8", large), b"--x--\r\n")
    )
    digest = scan(content)
    for word, there in (("ONE", True), ("TWO", True), ("LAST", True), ("THREE", False)):
        test = collation.finder(word, collation.casemap)
        assert text.holds(digest, lambda start, end: content[start:end], word.encode(), test) == there


@given(st.sampled_from(sorted(aliases.aliases)), st.lists(st.binary(max_size=40), min_size=1))
def test_no_charset_fails_whatever_comes_in_which_pieces(charset: str, pieces: list[bytes]) -> None:
    decoder = text.text_decoder(charset)
    found = [decoder.decode(piece) for piece in pieces]
    assert isinstance("".join([*found, decoder.decode(b"", final=True)]), str)


@pytest.mark.parametrize("encoding", ["7bit", "base64"])
def test_a_word_at_a_border_is_found_in_one_piece(encoding: str) -> None:
    words = "".join(f"é{number:07d}" for number in range(40_000))
    raw = words.encode()
    body = base64.encodebytes(raw) if encoding == "base64" else raw
    content = (
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
        + encoding.encode()
        + b"\r\n\r\n"
        + body
    )
    pieces = texts(content)
    assert len(pieces) > 3
    for number in range(0, 40_000 - 60, 7):
        needle = words[number * 8 : number * 8 + 400]
        assert any(needle in piece for piece in pieces)
    # without the overlap nothing is doubled or lost
    rest = pieces[0] + "".join(piece[text.OVERLAP :] for piece in pieces[1:])
    assert rest == words


def test_searchable_headers_are_decoded() -> None:
    assert (
        text.searchable_headers(scan(b"Subject: =?utf-8?q?=C3=A9?=\r\nTo: a\r\n b\r\n\r\n"))
        == "Subject: é\nTo: a b"
    )


M = b"Content-Type: multipart/alternative; boundary=b\r\n\r\n"
PREVIEWS = [
    (b"\r\n hello \r\n\r\n world\r\n", "hello world"),
    (b"\r\nOn Monday Joe wrote:\r\n> old\r\n> older\r\n\r\nnew\r\n-- \r\nJoe\r\n", "new"),
    (b"\r\n> only quotes\r\n", "> only quotes"),
    (M + b"--b\r\nContent-Type: text/html\r\n\r\n<b>html</b>\r\n--b\r\n\r\nplain\r\n--b--", "plain"),
    (M + b"--b\r\nContent-Type: text/html\r\n\r\n<title>t</title><b>ht</b>ml\r\n--b--", "html"),
    (M + b"--b\r\nContent-Disposition: attachment\r\n\r\nfile\r\n--b\r\n\r\nown\r\n--b--", "own"),
    (b"Content-Type: image/png\r\n\r\nx", ""),
    (b"", ""),
    (b"Content-Type: message/rfc822\r\n\r\n\r\ninner", "inner"),
]


@pytest.mark.parametrize(("content", "expected"), PREVIEWS)
def test_preview(content: bytes, expected: str) -> None:
    assert preview(content) == expected


def test_a_preview_is_short_and_ends_with_a_word() -> None:
    # RFC 8970 3.3: SHOULD 200, MUST NOT exceed 256
    assert len(preview(b"\r\n" + b"word " * 1000)) <= 200
    assert preview(b"\r\n" + b"word " * 1000).endswith("word")
    assert len(preview(b"\r\n" + b"x" * 100_000)) == 200


HTML = [
    ("a<b>c</b>d", "acd"),
    ("<p>a</p><p>b</p>", " a  b "),
    ("a<script>x<b></script>b", "ab"),
    ("a<STYLE type=x>y</style >b", "ab"),
    ("a<!-- <b> -- > -->b", "ab"),
    ("1 < 2 & 3 > 2", "1 < 2 & 3 > 2"),
    ("&eacute;&#233;&nbsp;&lt;b&gt;", "éé\xa0<b>"),
    ("a<unclosed", "a<unclosed"),
    ("a<!doctype html>b", "ab"),
    ("a<script>never closed", "a"),
]


@pytest.mark.parametrize(("markup", "expected"), HTML)
def test_html(markup: str, expected: str) -> None:
    assert html.strip(markup) == expected
    for size in (1, 2, 3, 7):
        stripper = html.Stripper()
        pieces = [stripper.feed(markup[at : at + size]) for at in range(0, len(markup), size)]
        assert "".join(pieces) + stripper.finish() == expected


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "piece", ["<", "<!--", "<script>", "<a", "&", "<script", "<!", "<a <", "<script></script>", "<!---->"]
)
def test_hostile_markup_takes_linear_time(piece: str) -> None:
    with linear():
        html.strip(piece * (200_000 // len(piece)))
