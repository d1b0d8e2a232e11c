"""What several workers count together."""

from pathlib import Path

import pytest

from quintet.errors import Reason
from quintet.net.limits import Limits
from quintet.store.tallies import Tallies


@pytest.fixture
def two(tmp_path: Path):
    made = [Tallies(tmp_path, 2, number) for number in range(2)]
    yield made
    for each in made:
        each.close()


def test_each_worker_adds_what_the_others_have(two) -> None:
    two[0].put("mx 192.0.2.1", 3)
    two[1].put("mx 192.0.2.1", 4)
    assert [each.others("mx 192.0.2.1") for each in two] == [4, 3]
    two[0].put("mx 192.0.2.1", 0)
    assert two[1].others("mx 192.0.2.1") == 0
    assert two[1].others("mx 192.0.2.2") == 0


def test_worker_that_starts_again_has_nothing(two, tmp_path: Path) -> None:
    two[0].put("mx ", 7)
    again = Tallies(tmp_path, 2, 0)  # the one before was killed
    assert two[1].others("mx ") == 0
    again.close()


def test_workers_that_are_gone_do_not_count(tmp_path: Path) -> None:
    three = [Tallies(tmp_path, 3, number) for number in range(3)]
    three[2].put("mx ", 7)
    two = Tallies(tmp_path, 2, 0)
    assert two.others("mx ") == 0
    for each in (*three, two):
        each.close()


def test_limits_hold_for_all_workers_together(two) -> None:
    one, other = (Limits(4, 2, 0, ["127.0.0.0/8"], name="mx", shared=each) for each in two)
    assert one.enter("192.0.2.1", 0) is None
    assert other.enter("192.0.2.1", 0) is None
    assert one.enter("192.0.2.1", 0) is Reason.TOO_MANY
    assert other.enter("192.0.2.1", 0) is Reason.TOO_MANY
    other.leave("192.0.2.1")
    assert one.enter("192.0.2.1", 0) is None
    assert [one.enter("127.0.0.1", 0), other.enter("127.0.0.1", 0)] == [None, None]
    assert other.enter("192.0.2.9", 0) is Reason.TOO_MANY  # four on the listener
    for limits, address in ((one, "192.0.2.1"), (one, "192.0.2.1"), (one, "127.0.0.1"), (other, "127.0.0.1")):
        limits.leave(address)
    assert (one.open, other.open, two[0].others("mx "), two[1].others("mx ")) == (0, 0, 0, 0)


def test_listeners_do_not_count_each_other(two) -> None:
    mx = Limits(9, 1, 0, name="mx", shared=two[0])
    imap = Limits(9, 1, 0, name="imap", shared=two[1])
    assert [mx.enter("192.0.2.1", 0), imap.enter("192.0.2.1", 0)] == [None, None]


def test_pace_is_of_all_workers(two) -> None:
    one, other = (Limits(1000, 1000, 60, name="mx", shared=each) for each in two)
    now = 1_700_000_000.0
    taken = [limits.enter("192.0.2.1", 0, now) for _ in range(30) for limits in (one, other)]
    assert taken == [None] * 60
    assert one.enter("192.0.2.1", 0, now + 0.5) is Reason.THROTTLED
    assert other.enter("192.0.2.2", 0, now + 0.5) is None
    assert other.enter("192.0.2.1", 0, now + 2) is None
