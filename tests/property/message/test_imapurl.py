"""IMAP URLs: those of the standards, and anything else: a value or BadSyntax."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quintet.errors import BadSyntax
from quintet.message import imapurl
from quintet.message.imapurl import Section

TOKEN = "91354a473744909de610943775f92038"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (  # RFC 4467 3
            f"imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred:internal:{TOKEN}",
            ("joe", "INBOX", None, 20, Section((1, 2)), None, "submit", "fred", TOKEN),
        ),
        (  # RFC 4468 3.4
            f"imap://harry@h.example.com/outbox;uidvalidity=1078863300/;uid=25;urlauth=submit+harry:internal:{TOKEN}",
            ("harry", "outbox", 1078863300, 25, Section(), None, "submit", "harry", TOKEN),
        ),
        (  # RFC 5092 9: a URL of a section in part
            "imap://minbari.example.org/gray-council;UIDVALIDITY=385759045/;UID=20/;PARTIAL=0.1024",
            ("", "gray-council", 385759045, 20, Section(), (0, 1024), "", "", ""),
        ),
        (
            "imap://;AUTH=GSSAPI@minbari.example.org/gray-council/;uid=20/;section=1.2",
            ("", "gray-council", None, 20, Section((1, 2)), None, "", "", ""),
        ),
        (
            "IMAP://a%40b@[2001:db8::1]:143/B%C3%BCro/x/;UID=1/;SECTION=2.HEADER.FIELDS%20(A%20B);URLAUTH=authuser",
            (
                "a@b",
                "Büro/x",
                None,
                1,
                Section((2,), "HEADER.FIELDS", ("A", "B")),
                None,
                "authuser",
                "",
                "",
            ),
        ),
    ],
)
def test_urls_of_the_standards(text, expected):
    url = imapurl.parse(text)
    named = url.user, url.mailbox, url.uid_validity, url.uid, url.section, url.partial
    assert (*named, url.access, url.who, url.token) == expected
    assert text.startswith(url.rump)
    assert not url.token or text == f"{url.rump}:internal:{url.token}"


def test_expire_is_a_moment():
    base = "imap://a@b/c/;UID=1;EXPIRE={};URLAUTH=anonymous"
    assert imapurl.parse(base.format("2025-11-21T10:00:00+01:00")).expires_at == 1_763_715_600_000
    assert imapurl.parse(base.format("2025-11-21t09:00:00.999z")).expires_at == 1_763_715_600_000
    for wrong in ("2025-11-21", "2025-13-21T09:00:00Z", "2025-11-21T09:00:00", "0000-00-00T00:00:00Z"):
        with pytest.raises(BadSyntax):
            imapurl.parse(base.format(wrong))


@pytest.mark.parametrize(
    "text",
    [
        "imap://example.com",
        "imap://a@example.com/",
        "imap://a@example.com/INBOX",
        "imap://a@example.com/INBOX?SUBJECT%20x",
        "imap://a@example.com/INBOX/;UID=0",
        "imap://a@example.com/INBOX/;UID=4294967296",
        "imap://a@example.com/INBOX/;UID=1;EXPIRE=2025-11-21T09:00:00Z",
        f"imap://a@example.com/INBOX/;UID=1:internal:{TOKEN}",
        f"imap://a@example.com/INBOX/;UID=1;URLAUTH=authuser:internal:{TOKEN[1:]}",
        "imap://a@example.com/INBOX/;UID=1;URLAUTH=submit+",
        "imap://a@example.com/INBOX/;UID=1/;SECTION=0",
        "imap://a@example.com/INBOX/;UID=1/;SECTION=1.",
        "imap://a@example.com/INBOX/;UID=1/;SECTION=.TEXT",
        "imap://a@example.com/INBOX/;UID=1/;SECTION=MIME",
        "imap://a@example.com/INBOX/;UID=1/;SECTION=HEADER.FIELDS",
        "imap://a@example.com/INBOX/;UID=1/;SECTION=TEXT%20(A)",
        "imap://a@example.com/INBOX/;UID=1/;PARTIAL=0.0",
        "imap://a@example.com/IN%ZZBOX/;UID=1",
        "imap://a@example.com/IN%FFBOX/;UID=1",
        "imap://a@example.com/IN%0ABOX/;UID=1",
        "imap://a@example.com/Büro/;UID=1",
        "http://a@example.com/INBOX/;UID=1",
        "imap://a@example.com/" + "x" * imapurl.MAX_URL + "/;UID=1",
        "",
    ],
)
def test_what_is_no_url_of_a_message(text):
    with pytest.raises(BadSyntax):
        imapurl.parse(text)


@given(st.text(max_size=30), st.text(max_size=30), st.integers(1, 2**32 - 1))
def test_names_that_are_encoded_are_read_back(user, mailbox, uid):
    text = (
        f"imap://{imapurl.encoded(user, path=False)}@h/{imapurl.encoded(mailbox)}/;UID={uid};URLAUTH=user+x"
    )
    try:
        url = imapurl.parse(text)
    except BadSyntax:
        assert not mailbox or any(c < " " or c == "\x7f" or "\ud800" <= c <= "\udfff" for c in user + mailbox)
        return
    assert (url.user, url.mailbox, url.uid) == (user, mailbox, uid)


_PIECES = st.sampled_from(
    "imap:// a@ b / INBOX /;UID= 1 ;SECTION= 1.2 HEADER TEXT . %20 (A) ;PARTIAL= 0.5 ;EXPIRE= "
    f"2025-11-21T09:00:00Z ;URLAUTH= submit+ authuser :internal: {TOKEN}".split()
)


@given(st.one_of(st.text(max_size=200), st.lists(_PIECES, max_size=20).map("".join)))
def test_anything_is_a_value_or_bad_syntax(text):
    try:
        url = imapurl.parse(text)
    except BadSyntax:
        return
    assert 0 < url.uid < 2**32
    assert text.startswith(url.rump)


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x2FF), min_size=1, max_size=30))
@example("..")
@example("a/./b")
def test_relative_urls_mean_the_selected_mailbox(mailbox):
    for text in (";UID=7", "/;UID=7"):
        try:
            url = imapurl.relative(text, mailbox)
        except BadSyntax:
            assert "\x7f" in mailbox or mailbox.startswith("/")
        else:
            assert (url.mailbox, url.uid) == (mailbox, 7)


@pytest.mark.parametrize(
    ("text", "selected", "means"),
    [
        ("/a/../b/;UID=7", "", "b"),
        ("/a/./b/;UID=7", "", "a/b"),
        ("/../a/;UID=7", "", "a"),
        ("../c/;UID=7", "a/b", "c"),
        ("c/;UID=7", "a/b", "a/c"),
        ("/%2E%2E/a/;UID=7", "", "../a"),  # a mailbox of that name
        (";UID=7", "a/../b", "a/../b"),
        ("c/;UID=7", "../b", "../c"),
        ("/..;UIDVALIDITY=385759045/;UID=7", "", ".."),  # RFC 5092 9.1: no step, for it has a parameter
    ],
)
def test_steps_through_the_path_of_a_relative_url(text: str, selected: str, means: str) -> None:
    """RFC 5092 7, RFC 3986 5.2.4."""
    assert imapurl.relative(text, selected).mailbox == means
