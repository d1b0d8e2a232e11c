"""Mail's header as an article's."""

from hypothesis import given
from hypothesis import strategies as st

from quintet.delivery import inject, injectchecks, togroup
from quintet.errors import Refused

NOW = 1_764_000_000_000


def header(text: str) -> str:
    return togroup.article_header(text.replace("\n", "\r\n").encode(), ["a.b", "c.d"]).decode()


def test_newsgroups_are_those_addressed_and_each_field_stands_once():
    made = header("Newsgroups: x.y\nSubject: one\nsubject: two\nReceived: from a\nBcc: z@z\nX: 1\nX: 2\n")
    assert made == "Newsgroups: a.b,c.d\r\nSubject: one\r\nX: 1\r\nX: 2\r\n"


def test_references_come_from_in_reply_to_unless_they_are_there():
    assert "References: <a@b>\r\n <c@d>\r\n" in header("In-Reply-To: your <a@b> and <c@d>\n")
    assert header("References: <x@y>\nIn-Reply-To: <a@b>\n").count("References") == 1


def test_a_fold_behind_the_colon_goes():
    """RFC 5536 2.2: INN's servers take no article with a line of a field that holds nothing."""
    made = header("Subject:\n a\n \n b\nDate: 2025-11-21T09:00:00Z\nX:\tc\n")
    assert made == (
        "Newsgroups: a.b,c.d\r\nSubject: a\r\n b\r\nX-Original-Date: 2025-11-21T09:00:00Z\r\nX: c\r\n"
    )


def test_what_news_cannot_have_is_kept_under_another_name():
    made = header(
        "Message-ID: no id\nDate: yesterday\nControl: cancel <a@b>\nFollowup-To: a b\nSupersedes: <a@b>\n"
    )
    assert made == "Newsgroups: a.b,c.d\r\nX-Original-Message-ID: no id\r\nX-Original-Date: yesterday\r\n"


@given(st.binary(max_size=400))
def test_any_header_makes_a_proto_article_or_a_clear_refusal(block: bytes):
    made = togroup.article_header(block, ["a.b"])
    assert made.startswith(b"Newsgroups: a.b\r\n")
    try:
        proto = inject.read(made, by_hand=True)
        injectchecks.check(proto, NOW, inject.Limits(), group="a.b")
    except Refused:
        return
    assert proto.groups == ("a.b",)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "From",
                    "from",
                    "Subject",
                    "Date",
                    "Message-ID",
                    "In-Reply-To",
                    "Newsgroups",
                    "Followup-To",
                    "To",
                ]
            ),
            st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
        ),
        max_size=12,
    )
)
def test_mail_with_an_author_is_always_an_article(fields):
    block = "From: a@b.example\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields)
    made = togroup.article_header(block.encode(), ["a.b"])
    article = inject.read(made, by_hand=True)
    injectchecks.check(article, NOW, inject.Limits(), group="a.b")
    assert made.startswith(b"Newsgroups: a.b\r\n")
