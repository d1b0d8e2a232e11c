"""Buckets: what fits, how long one waits, what is forgotten; the words that options may have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.config.policy import RATES, Policy, Rates, rate
from quintet.policy import rates
from quintet.policy.rates import Meter
from quintet.store.slots import Slots

NOW = 1_763_715_600.0


def meter(limit: int = 10, window_s: float = 100.0) -> Meter:
    return Meter("address_messages", limit, window_s, Slots(100))


def test_a_bucket_holds_the_limit_and_refills_evenly():
    one = meter()
    for _ in range(10):
        assert one.wait("a", NOW) == 0
        one.take("a", NOW)
    assert one.wait("a", NOW) == pytest.approx(10, abs=1e-3)
    assert one.wait("b", NOW) == 0
    assert one.wait("a", NOW + 10.001) == 0
    assert one.used("a", NOW + 50) == pytest.approx(5)
    assert one.noted() == ["a"]
    level = one.level("a", NOW)
    assert (level.limit, level.used, level.wait_s) == (10, pytest.approx(10), pytest.approx(10, abs=1e-3))
    one.reset("a")
    assert (one.wait("a", NOW), one.noted(), one.busy(NOW)) == (0, [], 0)


def test_more_than_the_whole_limit_fits_an_unused_bucket():
    one = Meter("account_bytes", 1000, 60.0, Slots(8))
    assert one.wait("a", NOW, 5000) == 0
    one.take("a", NOW, 5000)
    assert one.wait("a", NOW, 1) == pytest.approx(0.06, abs=1e-3)
    assert one.wait("a", NOW, 5000) == pytest.approx(60, abs=1e-3)
    assert one.wait("a", NOW + 60, 5000) == 0


def test_a_clock_that_was_set_back_locks_nobody_out_for_longer_than_the_window():
    one = meter()
    for _ in range(10):
        one.take("a", NOW + 1e6)
    assert one.wait("a", NOW) <= 100
    one.take("a", NOW)
    assert one.used("a", NOW) <= 10


def test_all_buckets_or_none():
    small, large = meter(2), meter(100)
    for _ in range(2):
        assert rates.use([(large, "x", 1), (small, "y", 1)], NOW) is None
    full = rates.use([(large, "x", 1), (small, "y", 1)], NOW)
    assert full is not None
    assert full[:2] == (small, "y")
    assert large.used("x", NOW) == pytest.approx(2)


@given(
    st.lists(st.tuples(st.floats(0, 50), st.integers(1, 30)), max_size=60),
    st.integers(1, 100),
    st.floats(1, 1e6),
)
def test_never_more_than_limit_and_refill(uses, limit, window_s):
    """What fits in a time never exceeds the limit and what came back meanwhile."""
    one, now, taken = Meter("m", limit, window_s, Slots(8)), NOW, 0.0
    for pause, amount in uses:
        now += pause
        if amount <= limit and one.wait("a", now, amount) == 0:
            one.take("a", now, amount)
            taken += amount
        wait_s = one.wait("a", now, amount)
        assert 0 <= wait_s <= window_s * 1.000001
        assert one.wait("a", now + wait_s + 1e-3, amount) == 0
    assert taken <= limit + (now - NOW) * limit / window_s + 0.01


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("100/hour", (100, 3600.0)),
        ("100 / 1 h", (100, 3600.0)),
        ("30/10 minutes", (30, 600.0)),
        ("2 GB/day", (2 << 30, 86400.0)),
        ("500KB/5s", (500 << 10, 5.0)),
        ("1/7 days", (1, 604800.0)),
        ("0/hour", None),
        ("-1/hour", None),
        ("100", None),
        ("100/fortnight", None),
        ("1/0 s", None),
        ("", None),
        ("9" * 400 + "/s", None),
    ],
)
def test_rates_as_written(text, meant):
    assert rate(text) == meant


@given(st.text(max_size=40))
def test_any_text_is_a_rate_or_none(text):
    found = rate(text)
    assert found is None or (found[0] > 0 and found[1] > 0)


def test_every_option_that_is_a_rate_is_known_and_faults_name_it():
    assert all(getattr(Rates(), name) == "" for name in RATES)
    strings = {name for name in Rates.__slots__ if getattr(Rates(), name) == ""}
    assert strings == set(RATES)
    wrong = Policy(rates=Rates(address_messages="lots", account_bytes="1 GB/day"))
    assert wrong.faults() == [
        "policy.rates.address_messages: expected a rate such as \"100/hour\", got 'lots'"
    ]


def test_meters_of_a_reload_go_on_with_what_was_counted(tmp_path):
    config = Rates(address_messages="10/hour", table=1024)
    first = rates.Rates(config, tmp_path)
    first.meters["address_messages"].take("192.0.2.1", NOW, 7)
    again = rates.Rates(Rates(address_messages="20/hour", table=1024), tmp_path)
    (level,) = again.find("192.0.2.1", NOW)
    assert (level.rate, round(level.used)) == (
        "address_messages",
        14,
    )  # the same 42 minutes until it is empty
    again.reset("192.0.2.1")
    assert first.find("192.0.2.1", NOW) == []
