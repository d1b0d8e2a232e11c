"""RFC 5538: what news: and nntp: URLs name, and what is none."""

import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.errors import BadSyntax
from quintet.message import newsurl
from quintet.message.newsurl import NewsUrl


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # RFC 5538 3: the examples
        ("nntp://news.server.example/example.group.this/12345",
         NewsUrl("news.server.example", 0, groups="example.group.this", number=12345)),
        ("nntp://wild.server.example/example.group.n%2Fa/12345",
         NewsUrl("wild.server.example", 0, groups="example.group.n/a", number=12345)),
        ("nntp://news.server.example/example.group.this",
         NewsUrl("news.server.example", 0, groups="example.group.this")),
        # RFC 5538 4: the examples
        ("news://news.server.example/example.group.this",
         NewsUrl("news.server.example", 0, groups="example.group.this")),
        ("news://news.server.example/*", NewsUrl("news.server.example", 0, groups="*")),
        ("news://news.server.example/", NewsUrl("news.server.example", 0, groups="*")),
        ("news://wild.server.example/example.group.th%3Fse",
         NewsUrl("wild.server.example", 0, groups="example.group.th?se")),
        ("news:example.group.*", NewsUrl("", 0, groups="example.group.*")),
        ("news:example.group.this", NewsUrl("", 0, groups="example.group.this")),
        ("news:*", NewsUrl("", 0, groups="*")),
        # an article: case counts, what is encoded is decoded
        ("news:Abc$1@x.example", NewsUrl("", 0, message_id="<Abc$1@x.example>")),
        ("news:a%2Fb%3fc%23d%25e@%5Bx%5D", NewsUrl("", 0, message_id="<a/b?c#d%e@[x]>")),
        ("news://x.example:1119/a@b", NewsUrl("x.example", 1119, message_id="<a@b>")),
        # RFC 6048 2.3: names may be in UTF-8
        ("news:fr.caf%C3%A9", NewsUrl("", 0, groups="fr.café")),
        # RFC 3986: schemes and hosts in any case, addresses, a user that nobody asks for
        ("NEWS:a@B", NewsUrl("", 0, message_id="<a@B>")),
        ("nntp://user:pw@[2001:DB8::1]:119/a.b", NewsUrl("2001:db8::1", 119, groups="a.b")),
        # RFC 1738 3.7: servers alone are written, though the grammar wants a group
        ("nntp://x.example", NewsUrl("x.example", 0, groups="*")),
        ("nntp://x.example/", NewsUrl("x.example", 0, groups="*")),
    ],
)  # fmt: skip
def test_what_a_url_names(text: str, found: NewsUrl) -> None:
    assert newsurl.is_one(text)
    assert newsurl.parse(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "", "news:", "nntp:", "nntp:a.b", "nntp:///a.b", "http://x/a@b", "mailto:a@b",
        "news:a@", "news:@b", "news:a%3Eb@c", "news:a b@c", "news:a%0Ab@c",  # RFC 5538 4: no ">"
        "news:a@b?x", "news:a@b#x",  # RFC 5538 2.3
        "news:a%2@b", "news:%ff.x", "news:a,b", "news:!a", "news:a%20b",
        "nntp://x/a.*", "nntp://x/a.b/", "nntp://x/a.b/x", "nntp://x/a.b/12345678901234567", "nntp://x//1",
        "news://x:99999/a", "news://x y/a", "news://[/a", "news:" + "a" * 2000,
    ],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    with pytest.raises(BadSyntax):
        newsurl.parse(text)


@given(st.from_regex(r"<[!-;=?-~]{1,40}@[!-;=?-~]{1,40}>", fullmatch=True))
def test_an_encoded_id_is_itself_again(message_id: str) -> None:
    for free in ("@", "!$&'()*+,;=:@"):  # RFC 5538 4: more may be encoded than must be
        url = "news:" + urllib.parse.quote(message_id[1:-1], safe=free)
        assert newsurl.parse(url).message_id == message_id


@given(st.text(max_size=60))
def test_anything_else_is_a_clear_error(text: str) -> None:
    for scheme in ("news:", "news://", "nntp://"):
        try:
            found = newsurl.parse(scheme + text)
        except BadSyntax:
            continue
        assert bool(found.message_id) is not bool(found.groups)
