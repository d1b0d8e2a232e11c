"""Items and letters: what is generated comes back, what differs is kept, and any bytes are a letter."""

from __future__ import annotations

import uuid

from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.errors import BadSyntax
from quintet.mapi import types
from quintet.mapi.bag import Attachment, Item, NamedTag
from quintet.mapi.convert import bodies, difference, from_mime, merge, names, richread, richwrite, to_mime
from quintet.mapi.tags import tag

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=40)
LINES = st.lists(TEXT, max_size=5).map("\r\n".join)
WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=10)
ADDRESS = st.builds("{}@{}.example".format, WORD, WORD)
TIME = st.integers(types.of_ms(0), types.of_ms(4_000_000_000_000)).map(
    lambda at: at // 10_000_000 * 10_000_000
)

ROWS = st.builds(
    lambda kind, name, address, number: {
        names.RECIPIENT_TYPE: kind,
        names.DISPLAY_NAME: name,
        names.ADDRESS_TYPE: "SMTP",
        names.EMAIL_ADDRESS: address,
        names.SMTP_ADDRESS: address,
        tag("PidTagRowid"): number,
    },
    st.sampled_from((names.TO, names.CC, names.BCC)), TEXT, ADDRESS, st.integers(0, 9),
)  # fmt: skip

PROPS = st.fixed_dictionaries(
    {},
    optional={
        names.SUBJECT: TEXT,
        names.BODY: LINES,
        names.HTML: LINES.map(lambda text: text.encode()),
        names.CODEPAGE: st.sampled_from((65001, 28591, 1252, 20127, 932, 1, 1200)),
        names.IMPORTANCE: st.integers(0, 2),
        names.SENSITIVITY: st.integers(0, 3),
        names.SUBMIT_TIME: TIME,
        names.MESSAGE_ID: ADDRESS.map("<{}>".format),
        names.KEYWORDS: st.lists(TEXT, max_size=3),
        names.READ_RECEIPT: st.booleans(),
        names.REPRESENTING.smtp: ADDRESS,
        names.REPRESENTING.name: TEXT,
        names.CONVERSATION_INDEX: st.binary(max_size=40),
        names.FLAG_STATUS: st.integers(0, 2),
        tag("PidTagIconIndex"): st.integers(0, 9),
        NamedTag(names.INTERNET_HEADERS, "x-own", types.STRING): TEXT,
        NamedTag(uuid.UUID(int=5), 7, types.INTEGER32): st.integers(0, 9),
    },
)
FILES = st.builds(
    lambda name, kind, data, cid, flags: Attachment(
        {
            names.ATTACH_LONG_NAME: name,
            names.ATTACH_MIME_TAG: kind,
            names.ATTACH_CONTENT_ID: cid,
            names.ATTACH_FLAGS: flags,
        },
        data,
    ),
    TEXT,
    st.sampled_from(("image/png", "text/plain", "message/rfc822", "message/x", "multipart/mixed", "odd", "")),
    st.binary(max_size=200),
    WORD,
    st.sampled_from((0, names.IN_BODY)),
)


def _messages(inner: st.SearchStrategy[Attachment]) -> st.SearchStrategy[Item]:
    return st.builds(Item, PROPS, st.lists(ROWS, max_size=3), st.lists(inner, max_size=3))


ITEMS = _messages(FILES | st.builds(lambda item: Attachment({}, b"", item), _messages(FILES)))


def _text(value: object) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")


def _includes(whole: Item, part: Item) -> None:
    """Everything that ``part`` says stands in ``whole``."""
    for key, value in part.props.items():
        if key in (names.BODY, names.HTML):
            assert _text(whole.props[key]) == _text(value)
        else:
            assert whole.props[key] == value
    assert len(whole.recipients) == len(part.recipients)
    for row, own in zip(whole.recipients, part.recipients, strict=True):
        assert own.items() <= row.items()
    assert len(whole.attachments) == len(part.attachments)
    for one, file in zip(whole.attachments, part.attachments, strict=True):
        assert file.props.items() <= one.props.items()
        if file.item is not None:
            assert one.item is not None
            _includes(one.item, file.item)
        else:
            assert one.item is None and one.data == file.data


@settings(max_examples=150)
@given(ITEMS)
def test_letter_and_difference_together_are_the_item(item: Item) -> None:
    raw = b"".join(to_mime(item))
    assert raw.isascii() and raw == b"".join(to_mime(item))
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    derived = from_mime(raw)
    kept = difference(item, derived)
    _includes(merge(derived, kept), item)
    assert not difference(derived, derived)
    html = item.props.get(names.HTML)
    if (plain := item.props.get(names.BODY)) is not None and (html is None or html.strip()):
        assert _text(bodies.plain_of(derived.props)) == _text(plain)


@settings(max_examples=150)
@given(st.binary(max_size=500))
def test_any_bytes_are_a_letter(raw: bytes) -> None:
    again = from_mime(b"".join(to_mime(from_mime(raw))))
    assert again.props[names.SUBJECT] == from_mime(raw).props[names.SUBJECT]


MARKUP = st.lists(
    TEXT
    | st.sampled_from(
        (
            "<p>",
            "</p>",
            "<br>",
            "<!--",
            "-->",
            "<style>",
            "</style>",
            "&amp;",
            "&#8364;",
            "\r\n",
            "<a href=x>",
            "\\",
            "{}",
        )
    ),
    max_size=12,
).map("".join)


@given(MARKUP)
def test_html_comes_back_out_of_rtf(html: str) -> None:
    assert richread.html(richwrite.of_html(html)) == html.replace("\r\n", "\n").replace("\r", "\n").replace(
        "\n", "\r\n"
    )


@given(LINES)
def test_text_comes_back_out_of_rtf(text: str) -> None:
    assert richread.plain(richwrite.of_text(text)) == text


@given(
    st.lists(
        st.sampled_from(
            (
                b"{",
                b"}",
                b"\\",
                b"\\'e9",
                b"\\u-5?",
                b"\\*",
                b"\\htmltag64 ",
                b"\\htmlrtf",
                b"\\f1",
                b"\\fonttbl",
                b"\\fcharset128",
                b"\\bin9",
                b"\\uc9",
                b"a",
                b"\xe9",
                b"\\b ",
                b"\r\n",
            )
        ),
        max_size=30,
    )
)
def test_any_rtf_is_read_or_refused(tokens: list[bytes]) -> None:
    raw = b"{\\rtf1\\fromhtml1 " + b"".join(tokens)
    for read in (richread.html, richread.plain):
        try:
            read(raw)
        except BadSyntax:
            assert raw.count(b"{") > richread.MAX_GROUPS
