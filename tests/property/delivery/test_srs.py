"""SRS: what is rewritten comes back, from us alone, and for a while only."""

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quintet.delivery import srs
from quintet.delivery.envelope import NULL, Mailbox, mailbox
from quintet.errors import Refused

KEY, OTHER = b"k" * 32, b"o" * 32
NOW = 1_764_000_000_000
DAY = srs.DAY_MS

atoms = st.text(string.ascii_letters + string.digits + "!#$%&'*+/=?^_`{|}~-.é", min_size=1, max_size=60)
domains = st.from_regex(r"[a-z0-9]{1,12}(\.[a-z0-9]{1,12}){1,3}", fullmatch=True)
senders = st.builds(Mailbox, atoms, domains)


@given(senders, domains, st.integers(0, srs.DAYS))
def test_what_is_rewritten_comes_back_within_its_days(sender: Mailbox, ours: str, days: int) -> None:
    made = srs.rewrite(KEY, sender, ours, NOW)
    assert made.domain == ours
    assert srs.is_ours(made.local)
    if sender.local[:4].upper() == "SRS1":
        return
    assert srs.reverse(KEY, made.local, NOW + days * DAY) == sender


@given(senders, domains)
def test_case_may_be_lost_on_the_way(sender: Mailbox, ours: str) -> None:
    assume(not srs.is_ours(sender.local))
    made = srs.rewrite(KEY, sender, ours, NOW)
    for spelt in (made.local.lower(), made.local.upper()):
        try:
            back = srs.reverse(KEY, spelt, NOW)
        except Refused:
            # a letter whose two cases are not one to one
            assert not sender.local.isascii()
        else:
            assert str(back).lower() == str(sender).lower()


@given(senders, domains, st.integers(srs.DAYS + 1, 1023 - srs.DAYS))
def test_it_ends(sender: Mailbox, ours: str, days: int) -> None:
    assume(not srs.is_ours(sender.local))
    with pytest.raises(Refused):
        srs.reverse(KEY, srs.rewrite(KEY, sender, ours, NOW).local, NOW + days * DAY)


@given(senders, domains)
def test_nobody_else_can_make_one(sender: Mailbox, ours: str) -> None:
    made = srs.rewrite(OTHER, sender, ours, NOW)
    with pytest.raises(Refused):
        srs.reverse(KEY, made.local, NOW)


@given(st.text(max_size=120))
def test_any_text_is_refused_and_nothing_worse(text: str) -> None:
    for local in (text, "SRS0=" + text, "SRS1=AAAA=" + text, "SRSK=" + text):
        with pytest.raises(Refused):
            srs.reverse(KEY, local, NOW)
        assert isinstance(srs.token(local), str)


@given(senders, domains, domains, domains)
def test_a_chain_of_forwarders_goes_back_by_the_first(sender: Mailbox, a: str, b: str, c: str) -> None:
    """However many forward, the local part does not grow, and two steps lead home."""
    assume(not srs.is_ours(sender.local))
    first = srs.rewrite(OTHER, sender, a, NOW)
    second = srs.rewrite(KEY, first, b, NOW)
    third = srs.rewrite(KEY, second, c, NOW)
    assert len(third.local) == len(second.local)
    assert srs.reverse(KEY, second.local, NOW) == first
    assert srs.reverse(KEY, third.local, NOW) == first
    assert srs.reverse(OTHER, first.local, NOW) == sender


@given(senders)
def test_it_survives_the_wire(sender: Mailbox) -> None:
    made = srs.rewrite(KEY, sender, "example.org", NOW)
    assert mailbox(str(made)) == made


def test_the_null_sender_stays() -> None:
    assert srs.rewrite(KEY, NULL, "example.org", NOW) == NULL


def test_a_long_sender_has_a_short_form() -> None:
    sender = Mailbox("bounces+1234567-abcd-user=example.org", "em1234.newsletter.example.com")
    assert len(srs.rewrite(KEY, sender, "example.org", NOW).local) > srs.MAX_LOCAL
    made, token = srs.short(KEY, sender, "example.org")
    assert len(made.local) <= srs.MAX_LOCAL
    assert srs.token(made.local.lower()) == token
    assert srs.token("SRS0=" + token) == ""
