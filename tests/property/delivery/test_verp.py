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


@given(LOCALS, DOMAINS, st.text("+-=", min_size=2, max_size=2))
def test_delimiters_stand_where_they_are_wanted(local: str, domain: str, between: str) -> None:
    made = verp.sender_for(Mailbox("news", "example.org"), Mailbox(local, domain), between)
    assert made == Mailbox(f"news{between[0]}{local}{between[1]}{domain}", "example.org")


@given(st.text(max_size=80))
def test_any_detail_gives_an_address_or_none(detail: str) -> None:
    found = verp.recipient_of(detail)
    assert found is None or (found.local and found.domain)


def test_reports_and_names_too_long_keep_their_sender() -> None:
    news = Mailbox("news", "example.org")
    assert verp.sender_for(NULL, Mailbox("zoe", "example.net")) == NULL
    assert verp.sender_for(news, Mailbox("z" * 60, "example.net")) == news
    assert verp.sender_for(news, Mailbox("zoe", "[192.0.2.1]")) == news
