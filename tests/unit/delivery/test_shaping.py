"""How fast a site is sent to: pure arithmetic with a clock of numbers."""

import pytest

from quintet.config import root
from quintet.config.load import ConfigError
from quintet.config.queue import Limit, Queue, rate
from quintet.delivery import attempt, shaping
from quintet.delivery.shaping import Limits, Mood, Shape
from quintet.delivery.transport import Answer, Result


def shape(**more) -> Shape:
    return Shape(Limits(**{"connections": 8, "recipients": 100, **more}), 0.0)


def test_trouble_halves_and_a_round_of_successes_gives_one_back() -> None:
    one = shape()
    one.heard(Mood.SLOWER, 0)
    assert one.connections == 4
    for _ in range(4):
        one.heard(Mood.WELL, 0)
    assert one.connections == 4  # nearly: each gave a little less than the one before
    one.heard(Mood.WELL, 0)
    assert one.connections == 5
    for _ in range(100):
        one.heard(Mood.WELL, 0)
    assert one.connections == 8 and one.calm


def test_slower_never_goes_below_one_connection_and_never_pauses() -> None:
    one = shape()
    for _ in range(10):
        one.heard(Mood.SLOWER, 0)
    assert one.connections == 1 and one.wait_s(0) == 0


def test_site_that_is_gone_is_left_alone_twice_as_long_each_time_up_to_a_quarter_of_an_hour() -> None:
    one, now, pauses = shape(), 0.0, []
    for _ in range(8):
        one.unreachable(now)
        one.unreachable(now)  # another session says the same at the same time
        pauses.append(one.wait_s(now))
        now += one.wait_s(now)
    assert pauses == [30, 60, 120, 240, 480, 900, 900, 900]
    one.heard(Mood.WELL, now)
    assert one.wait_s(now) == 0
    one.unreachable(now)
    assert one.wait_s(now) == 30


def test_hanging_up_slows_first_and_pauses_when_one_connection_is_left() -> None:
    one, waits = shape(connections=4), []
    for _ in range(3):
        waits.append((one.connections, one.wait_s(0)))
        one.heard(Mood.GONE, 0)
    assert waits == [(4, 0), (2, 0), (1, 0)]
    assert one.wait_s(0) == 30


def test_asking_for_mail_makes_good() -> None:
    """RFC 1985 3."""
    one = shape()
    one.unreachable(0)
    one.forget()
    assert one.connections == 8 and one.wait_s(0) == 0 and one.calm


def test_rate_is_even_with_ten_seconds_at_once() -> None:
    one, sent, now = shape(rate=2.0), 0, 0.0
    while now < 60:
        wait = one.wait_s(now)
        if wait:
            now += wait
            continue
        one.sent(now)
        sent += 1
    assert sent == pytest.approx(20 + 120, abs=1)
    slow = shape(rate=1 / 3600)
    slow.sent(0)
    assert slow.wait_s(0) == pytest.approx(3600)


def test_not_adaptive_stays_as_configured() -> None:
    one = shape(adaptive=False)
    one.unreachable(0)
    one.heard(Mood.GONE, 0)
    assert one.connections == 8 and one.wait_s(0) == 0


@pytest.mark.parametrize(
    ("text", "value"), [("", 0.0), ("10/s", 10.0), (" 30 / m ", 0.5), ("7200/h", 2.0), ("86400/d", 1.0)]
)
def test_rate_reads(text: str, value: float) -> None:
    assert rate(text) == value


@pytest.mark.parametrize("text", ["10", "0/s", "x/s", "10/y", "-1/s", "1.5/s"])
def test_rate_that_is_none_is_a_fault(text: str) -> None:
    with pytest.raises(ValueError, match="expected a rate"):
        rate(text)
    with pytest.raises(ConfigError, match="expected a rate"):
        root.from_text(f'[queue.limits."example.net"]\nrate = "{text}"\n')


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("example.net", True),
        (".example.net", False),
        (".net", True),
        ("mx:mx1.hosts.example", True),
        ("mx:.hosts.example", True),
        ("mx:hosts.example", False),
        ("route:out", True),
        ("route:ou", False),
        ("example.com", False),
    ],
)
def test_first_pattern_that_fits_holds(pattern: str, fits: bool) -> None:
    config = Queue(limits={pattern: Limit(connections=1, rate="4/s"), "*": Limit(connections=2)})
    found = shaping.limits(
        config,
        "example.net",
        "route:out:example.net",
        "site:out:mx1.hosts.example,mx2.other.example",
        workers=2,
    )
    assert found.connections == (1 if fits else 2)
    assert found.rate == (2.0 if fits else 0.0)  # shared by two workers


def test_usual_limits_are_those_of_the_queue() -> None:
    found = shaping.limits(
        Queue(per_destination=7, max_recipients=33), "a.example", "mx:a.example", "site::a"
    )
    assert (found.connections, found.recipients, found.messages, found.rate) == (7, 33, 0, 0.0)


LATER, NEVER, DONE = Result.LATER, Result.NEVER, Result.DONE


@pytest.mark.parametrize(
    ("answers", "usable", "mood"),
    [
        ([(LATER, "4.7.0", "450 slower")], True, Mood.SLOWER),
        ([(LATER, "4.7.0", "450 slower"), (LATER, "4.3.2", "451 later")], True, Mood.SLOWER),
        ([(LATER, "4.2.2", "452 full")], True, Mood.WELL),  # about one mailbox
        ([(LATER, "4.7.0", "450 slower"), (LATER, "4.2.2", "452 full")], True, Mood.WELL),
        ([(LATER, "4.7.0", "450 slower"), (DONE, "2.0.0", "250 ok")], True, Mood.WELL),
        ([(LATER, "4.7.0", "450 slower"), (NEVER, "5.1.1", "550 who?")], False, Mood.WELL),
        ([(LATER, "4.3.2", "421 going down")], True, Mood.GONE),  # RFC 5321 3.8
        ([(LATER, "4.7.0", "450 slower"), (LATER, "4.3.2", "421 going down")], True, Mood.GONE),
        ([(LATER, "4.4.2", "the host hung up")], False, Mood.GONE),
    ],
)
def test_what_answers_say_about_the_site(
    answers: list[tuple[Result, str, str]], usable: bool, mood: Mood
) -> None:
    assert attempt._mood([Answer(*each) for each in answers], usable) is mood
