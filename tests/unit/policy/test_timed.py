"""What takes too long is cut off, and leaves no timer behind."""

import re
import signal
import threading
import time
from types import SimpleNamespace

import pytest

from quintet.errors import Reason, TryLater
from quintet.policy import patterns, timed

ENDLESS = "a" * 40 + "b"


def table(text):
    return patterns.of(list(patterns.logical(text)), str)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("(a+)+$", ENDLESS),
        ("(a|a)*$", ENDLESS),
        ("(?:a?){40}a{40}c", ENDLESS),
        (".*.*.*x", "a" * 16_000),
        (r"\s*y", " " * 16_000),
        ("if /a/\n/(a+)+$/ B\nendif", ENDLESS),
        ("!/(a+)+$/ B", ENDLESS),
    ],
)
def test_an_expression_without_an_end_is_cut_off(expression, text):
    lines = expression if "/" in expression else f"/{expression}/ A"
    made = table(f"/never/ A\n{lines}\n/b/ C")
    began = time.process_time()
    with pytest.raises(TryLater) as caught:
        made.find(text)
    assert caught.value.reason is Reason.BUSY
    assert time.process_time() - began < 5 * timed.LIMIT_S
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)


def test_the_next_text_has_its_own_time():
    made = table("/(a+)+$/ A\n/never/ B")
    for _ in range(3):
        with pytest.raises(TryLater):
            made.find(ENDLESS)
        found = made.find("aaa")
        assert found is not None
        assert found.result == "A"
    end = time.process_time() + 2 * timed.LIMIT_S
    while time.process_time() < end:  # a timer that was left would ring here
        pass


def test_the_log_says_which(monkeypatch):
    said = []
    logger = SimpleNamespace(warning=lambda text, **more: said.append(more["expression"]))
    monkeypatch.setattr(timed, "logger", logger)
    with pytest.raises(TryLater):
        table("/^x/ A\nif /a/\n/(a+)+$/ A\nendif\n/b/ B").find(ENDLESS)
    assert said == ["(a+)+$"]


def test_large_tables_have_more_time():
    assert table("/a/ A\n" * 1000).limit_s == pytest.approx(timed.LIMIT_S + 0.5)


def test_other_threads_are_not_disturbed():
    """Signals belong to the main thread."""
    found: list[object] = []
    other = threading.Thread(target=lambda: found.append(timed.within(re.compile("a").search, "a")))
    other.start()
    other.join()
    assert found != [None]
    assert len(found) == 1


def test_what_goes_wrong_inside_is_passed_on():
    with pytest.raises(ZeroDivisionError):
        timed.within(lambda what: 1 // what, 0)
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)
    assert timed.within(lambda what: 1 // what, 1) == 1
