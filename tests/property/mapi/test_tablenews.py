"""News of rows: whoever carries them out in their order has the table as it is now (MS-OXCNOTIF 3.1.4.3)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.mapi.layout import Spot
from quintet.mapi.tablenews import Change, Picture, RowNews, compare

SPOTS = st.lists(st.tuples(st.integers(1, 12), st.integers(0, 1)), unique=True, max_size=14)


def carried_out(rows: list[Spot], news: list[RowNews]) -> list[Spot]:
    """A client's table afterwards."""
    found = list(rows)
    for one in news:
        if one.change is Change.ADDED:
            assert one.spot not in found
        else:
            found.remove(one.spot)
        if one.change is not Change.DELETED:
            found.insert(0 if one.after is None else found.index(one.after) + 1, one.spot)
    return found


@given(SPOTS, SPOTS, st.sets(st.integers(1, 12), max_size=3))
@settings(max_examples=300)
def test_the_news_lead_from_one_to_the_other(old, new, touched):
    news = compare(Picture(old), Picture(new), touched)
    assert news is not None
    assert carried_out(old, news) == new
    assert all(new[one.at] == one.spot for one in news if one.change is not Change.DELETED)
    told = {one.spot: one.change for one in news}
    assert len(told) == len(news)
    for spot in old:
        if spot not in new:
            assert told[spot] is Change.DELETED
        elif spot[0] in touched:
            assert told[spot] is Change.MODIFIED
    assert {spot for spot, change in told.items() if change is Change.ADDED} == set(new) - set(old)


@given(st.permutations(range(9)), st.integers(0, 8), st.integers(0, 8))
def test_one_row_that_moves_is_one_change(order, start, end):
    old: list[Spot] = [(row, 0) for row in order]
    new = list(old)
    new.insert(end, new.pop(start))
    news = compare(Picture(old), Picture(new))
    assert news is not None
    assert len(news) == (start != end)
    assert carried_out(old, news) == new


@given(SPOTS, SPOTS, st.sets(st.integers(1, 12), max_size=3), st.integers(0, 8))
def test_more_than_is_wanted_is_not_told(old, new, touched, most):
    everything = compare(Picture(old), Picture(new), touched)
    assert everything is not None
    few = compare(Picture(old), Picture(new), touched, most=most)
    assert few == (everything if len(everything) <= most else None)


def test_a_heading_changes_when_it_says_something_else():
    spots: list[Spot] = [(1 << 62, 0), (5, 0)]
    before, now = Picture(spots, {1 << 62: (1, 1)}), Picture(spots, {1 << 62: (1, 0)})
    news = compare(before, now)
    assert news is not None
    assert [(one.change, one.spot, one.after, one.at) for one in news] == [
        (Change.MODIFIED, (1 << 62, 0), None, 0)
    ]
    assert compare(before, before) == []
