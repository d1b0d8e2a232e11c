"""The client's numbering against the simplest model: a list of UIDs."""

from __future__ import annotations

from array import array

from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.imap import sets
from quintet.imap.view import View

uid_lists = st.lists(st.integers(1, 60), unique=True, max_size=25).map(sorted)
numbers = st.integers(0, 70)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.lists(st.integers(1, 4), max_size=5)),
        st.tuples(st.just("vanish"), st.tuples(st.integers(1, 90), st.sampled_from((0, 3, 10, 90)))),
        st.tuples(st.just("expunge"), st.none()),
    ),
    max_size=12,
)


@given(uid_lists, steps)
@settings(max_examples=300, deadline=None)
def test_view_is_a_list_of_uids(uids, changes) -> None:
    view, model, gone = View(array("I", uids)), list(uids), set()
    for what, value in changes:
        if what == "append":
            at = model[-1] if model else 0
            new = []
            for step in value:
                at += step
                new.append(at)
            assert view.append(new) == len(new)
            model += new
        elif what == "vanish":
            low, size = value
            view.vanish([(low, low + size)])
            gone |= {uid for uid in model if low <= uid <= low + size}
        else:
            told, forgotten = view.expunge()
            assert forgotten == sorted(gone)
            for number in told:  # a client that counts along ends with the same list
                assert model.pop(number - 1) in gone
            gone = set()
        assert list(view) == model
        assert len(view) == len(model)
        assert view.largest == (model[-1] if model else 0)
        assert view.gone == len(gone)
        for number, uid in enumerate(model, 1):
            assert view.uid(number) == uid
            assert view.number(uid) == number
        for uid in {1, 1000, *(uid + 1 for uid in model)} - set(model):
            assert view.number(uid) == 0
        assert list(view.numbers(model)) == list(range(1, len(model) + 1))


@given(uid_lists, st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5))
def test_sets_mean_the_same_as_one_by_one(uids, pairs) -> None:
    view = View(array("I", uids))
    wanted = sets.NumberSet(tuple(pairs))
    largest = max(uids, default=0)

    def among(largest: int) -> set[int]:
        found = set()
        for low, high in pairs:
            low, high = sorted((low or largest, high or largest))
            found.update(range(low, high + 1))
        return found

    assert view.uids(view.known_ranges(wanted)) == [uid for uid in uids if uid in among(largest)]
    by_number = view.uid_ranges(wanted)
    chosen = among(len(uids))
    if not uids or min(chosen) < 1 or max(chosen) > len(uids):
        assert by_number is None
    else:
        assert view.uids(by_number) == [uids[n - 1] for n in sorted(chosen)]
        assert view.count(by_number) == len(chosen)


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), max_size=8))
def test_what_sets_write_they_read(pairs) -> None:
    joined = sets.join([tuple(sorted(pair)) for pair in pairs])
    if joined:
        assert sets.parse(sets.write(joined)).resolve(1) == joined
    assert sets.runs([n for low, high in joined for n in range(low, high + 1)]) == joined
