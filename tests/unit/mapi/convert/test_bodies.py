"""Forms of a body: HTML and text out of RTF and into it (MS-OXRTFEX), each from the others (MS-OXBBODY)."""

from __future__ import annotations

import compressed_rtf
import pytest
from RTFDE.deencapsulate import DeEncapsulator

from quintet.errors import BadSyntax
from quintet.mapi import rtf
from quintet.mapi.bag import Item
from quintet.mapi.convert import bodies, from_mime, names, richread, richwrite, to_mime
from quintet.mapi.convert.richread import Origin

HTML = (
    "<html>\r\n<head><title>Tést {x}</title><style>p > b { color: red }</style></head>\r\n"
    "<body><!-- <b>no</b> -->\r\n"
    '<p class="a\\b">Hello &amp; <b>wörld</b>&nbsp;€ 😀<br>\r\nnext\tline &#8364; 1 < 2</p>\r\n'
    "<script>a && b</script></body></html>\r\n"
)
TEXT = "Line 1 {a}\\b\r\n\r\nZö € 😀\ttab \r\n"


def test_html_comes_back_from_its_encapsulation() -> None:
    raw = richwrite.of_html(HTML)
    assert raw.isascii() and richread.origin(raw) is Origin.HTML
    assert richread.html(raw) == HTML


def test_text_comes_back_from_its_encapsulation() -> None:
    raw = richwrite.of_text(TEXT)
    assert richread.origin(raw) is Origin.TEXT and richread.plain(raw) == TEXT


def test_foreign_reader_gets_the_same_html() -> None:
    """RTFDE and compressed-rtf: readers that nobody here wrote."""
    packed = rtf.compress(richwrite.of_html(HTML))
    reader = DeEncapsulator(compressed_rtf.decompress(packed))
    reader.deencapsulate()
    assert reader.content_type == "html"
    assert reader.html.decode().replace("\r\n", "\n") == HTML.replace("\r\n", "\n")


def test_foreign_reader_gets_the_same_text() -> None:
    reader = DeEncapsulator(richwrite.of_text(TEXT))
    reader.deencapsulate()
    assert reader.content_type == "text"
    assert reader.text.decode().replace("\r\n", "\n") == TEXT.replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("rtf_text", "html"),
    [
        # MS-OXRTFEX 2.1.3.1.4: the parameter and one blank are not of the content
        (rb"{\*\htmltag148 <FONT face=x>}a{\*\htmltag156 </FONT>}", "<FONT face=x>a</FONT>"),
        (rb"{\*\htmltag <b>}a", "<b>a"),
        # HTMLRTF hides, within groups too, until a group ends or it is switched off
        (rb"a\htmlrtf b{c}\htmlrtf0 d", "ad"),
        (rb"a{\htmlrtf b}c", "ac"),
        (rb"\htmlrtf1 {\*\htmltag64 <p>}\htmlrtf0 x", "x"),
        # MHTMLTAG is for other readers; unknown destinations are passed over
        (rb"{\*\mhtmltag64 <img>}{\*\htmltag64 <i>}{\*\unknown z}x", "<i>x"),
        (rb"a\par b\line c\tab d\~e\_f", "a\r\nb\r\nc\td\xa0e\xadf"),
        (rb"\lquote x\rquote \emdash\bullet", "\u2018x\u2019\u2014\u2022"),
        (rb"\{\}\\", "{}\\"),
        # characters: by code page, by font, by number with what stands for it
        (rb"\'e9\'80", "é€"),
        (rb"\f1 \'cf\f2\'93\'fa\f0 \'e9", "П日é"),
        (rb"\u8364?x\uc2\u8364??y\uc0\u8364z", "€x€y€z"),
        (rb"\u-10179?\u-8704?", "\U0001f600"),
        (rb"{\*\htmltag84 \u9731\'3f}", "\u2603"),
        (rb"{\pict 00ff}{\info x}\bin4 }}{{ok", "ok"),
    ],
)  # fmt: skip
def test_encapsulated_html(rtf_text: bytes, html: str) -> None:
    fonts = rb"{\fonttbl{\f0\fcharset0 A;}{\f1\fcharset204 B;}{\f2\fcharset128 C;}}"
    head = rb"{\rtf1\ansi\ansicpg1252\fromhtml1 " + fonts
    assert richread.html(head + b"\r\n" + rtf_text + b"}ignored") == html


def test_rich_text_becomes_simple_html_and_plain_text() -> None:
    raw = rb"{\rtf1\ansi{\fonttbl{\f0 A;}}\f0 a < {\b bold {\i both}}\ul under\ulnone\par\plain end}"
    assert richread.origin(raw) is Origin.RTF
    assert richread.plain(raw) == "a < bold bothunder\r\nend"
    shown = "a &lt; <b>bold </b><b><i>both</i></b><u>under<br>\r\n</u>end"
    assert richread.html(raw) == f"<html><body>\r\n{shown}\r\n</body></html>\r\n"


@pytest.mark.parametrize("raw", [b"", b"text", b"{\\html}", b"{\\rtf1" + b"{" * 2000])
def test_what_is_no_rtf_is_said(raw: bytes) -> None:
    with pytest.raises(BadSyntax):
        richread.plain(raw)


def test_rtf_of_groups_too_deep_is_no_body() -> None:
    """A letter that carries it is read and sent all the same."""
    item = Item({names.SUBJECT: "Deep", names.RTF: rtf.wrap(b"{\\rtf1 " + b"{" * 2000)})
    for key in (names.BODY, names.HTML):
        assert bodies.synthesized(item.props, key) is None
    assert b"Subject: Deep" in b"".join(to_mime(item))


# --- each from the others ---------------------------------------------------------------------------------


def test_each_form_is_made_of_each_other() -> None:
    """MS-OXBBODY: a client that asks for a form gets it, whichever is kept."""
    html = {names.HTML: b"<p>a &lt; b</p>", names.CODEPAGE: 65001}
    assert bodies.synthesized(html, names.BODY) == "a < b\r\n"
    packed = bodies.synthesized(html, names.RTF)
    assert richread.html(rtf.decompress(packed)) == "<p>a &lt; b</p>"
    plain = {names.BODY: "a < b\r\n  c"}
    shown = bodies.synthesized(plain, names.HTML)
    assert shown == b"<html><body>\r\na &lt; b<br>\r\n&nbsp;&nbsp;c\r\n</body></html>\r\n".replace(
        b"&nbsp;&nbsp;c", b"&nbsp; c"
    )
    assert richread.plain(rtf.decompress(bodies.synthesized(plain, names.RTF))) == "a < b\r\n  c"
    assert bodies.synthesized({names.RTF: packed}, names.HTML) == b"<p>a &lt; b</p>"
    assert bodies.synthesized({names.RTF: packed}, names.BODY) == "a < b\r\n"
    assert bodies.synthesized({}, names.BODY) is bodies.synthesized({}, names.HTML) is None
    assert bodies.synthesized({}, names.RTF) is bodies.synthesized({}, names.SUBJECT) is None


@pytest.mark.parametrize(
    ("bag", "native", "in_sync"),
    [
        ({}, 0, False),
        ({names.BODY: "x"}, 1, False),
        ({names.HTML: b"x", names.BODY: "x"}, 3, True),
        ({names.RTF: rtf.compress(b"{\\rtf1 x}")}, 2, True),
        ({names.RTF: rtf.compress(richwrite.of_html("<p>"))}, 3, True),
        ({names.RTF: rtf.compress(richwrite.of_text("x"))}, 1, False),
        ({names.RTF: b"no RTF"}, 2, True),
    ],
)
def test_which_form_is_the_best_one(bag: dict[int, object], native: int, in_sync: bool) -> None:
    """MS-OXCMSG 2.2.1.58.2, 2.2.1.58.5."""
    assert bodies.synthesized(dict(bag), names.NATIVE_BODY) == native
    assert bodies.synthesized(dict(bag), names.RTF_IN_SYNC) is in_sync


def test_item_with_rtf_alone_is_written_as_html_and_text() -> None:
    """MS-OXCMAIL 2.1.3.3: RTF does not travel, what it holds does."""
    item = Item({names.RTF: rtf.compress(richwrite.of_html(HTML))})
    again = from_mime(b"".join(to_mime(item)))
    assert again.props[names.HTML].decode() == HTML
    assert again.props[names.BODY].startswith("Hello & wörld\xa0€ 😀\r\nnext line € 1 ")
    text = from_mime(b"".join(to_mime(Item({names.RTF: rtf.compress(richwrite.of_text(TEXT))}))))
    assert text.props[names.BODY] == TEXT and names.HTML not in text.props
    broken = from_mime(b"".join(to_mime(Item({names.RTF: b"broken"}))))
    assert broken.props[names.BODY] == "\r\n"


def test_rtf_that_is_too_large_is_not_converted() -> None:
    big = {names.BODY: "x" * (bodies.MAX_RICH + 1)}
    assert bodies.synthesized(big, names.RTF) is None
    head = bytearray(rtf.compress(b"{\\rtf1 x}"))
    head[4:8] = (bodies.MAX_RICH + 1).to_bytes(4, "little")
    assert bodies.synthesized({names.RTF: bytes(head)}, names.BODY) is None


def test_rtf_that_is_not_compressed_is_taken_by_all() -> None:
    """MS-OXRTFCP 2.1.3.1.1: for what is made for one reading."""
    raw = rtf.wrap(b"{\\rtf1 x}")
    assert compressed_rtf.decompress(raw) == rtf.decompress(raw) == b"{\\rtf1 x}"


@pytest.mark.parametrize(
    ("flowed", "delsp", "text"),
    [
        ("one \ntwo\nthree\n", False, "one two\r\nthree\r\n"),
        ("one \ntwo\n", True, "onetwo\r\n"),
        ("> a \n> b\nc\n", False, "> a b\r\nc\r\n"),
        (">> a \n> b\n", False, ">> a \r\n> b\r\n"),  # of another depth: no paragraph goes on
        (" >no quote\n  two\n", False, ">no quote\r\n two\r\n"),  # stuffed
        ("text \n-- \nZoe\n", False, "text \r\n-- \r\nZoe\r\n"),  # the signature's mark is never soft
        ("", False, ""),
    ],
)
def test_paragraphs_of_flowed_text(flowed: str, delsp: bool, text: str) -> None:
    """RFC 3676 4: soft line ends are no line ends."""
    head = f"Content-Type: text/plain; format=flowed{'; delsp=yes' if delsp else ''}\r\n\r\n"
    assert from_mime((head + flowed.replace("\n", "\r\n")).encode()).props[names.BODY] == text


def test_octets_in_a_code_page_that_mime_does_not_know() -> None:
    for page, codec in ((1200, "utf-16-le"), (737, "cp737"), (1201, "utf-16-be")):
        item = Item({names.HTML: "<p>Ωμ</p>".encode(codec), names.CODEPAGE: page})
        again = from_mime(b"".join(to_mime(item)))
        assert again.props[names.HTML].decode() == "<p>Ωμ</p>\r\n" and again.props[names.CODEPAGE] == 65001
