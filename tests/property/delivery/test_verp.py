"""A sender that names the recipient is read back."""

from hypothesis import given
from hypothesis import strategies as st

from quintet.delivery import verp
from quintet.delivery.envelope import NULL, Mailbox

LOCALS = st.text("abcXYZ019.+=-_", min_size=1, max_size=12)
DOMAINS = st.sampled_from(["example.net", "sub.example.net", "xn--bcher-kva.example"])


@given(LOCALS, DOMAINS)
def test_what_is_written_is_read(local: str, domain: str) -> None:
    made = verp.sender_for(Mailbox("news", "example.org"), Mailbox(local, domain))
    assert made.domain == "example.org"
    user, _, detail = made.local.partition("+")
    assert user == "news"
    assert verp.recipient_of(detail) == Mailbox(local, domain)


@given(st.text(max_size=80))
def test_any_detail_gives_an_address_or_none(detail: str) -> None:
    found = verp.recipient_of(detail)
    assert found is None or (found.local and found.domain)


def test_reports_and_names_too_long_keep_their_sender() -> None:
    news = Mailbox("news", "example.org")
    assert verp.sender_for(NULL, Mailbox("zoe", "example.net")) == NULL
    assert verp.sender_for(news, Mailbox("z" * 60, "example.net")) == news
    assert verp.sender_for(news, Mailbox("zoe", "[192.0.2.1]")) == news
