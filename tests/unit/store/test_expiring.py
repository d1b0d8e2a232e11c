"""Which entries are too old or too many; on both engines."""

from __future__ import annotations

import pytest

from quintet.message.dates import format_date
from quintet.store import accounts, entries, expiring, folders, groups, keeping
from quintet.store.content import Content, content_of
from quintet.store.db import DrivenTx
from quintet.store.expiring import DAY_MS, Clause, Found
from quintet.store.model import FLAGGED, Folder, FolderId
from quintet.store.ranges import RangeSet
from tests.support.letters import letter


def article(number: int, *, lines: int = 1, expires: str = "") -> Content:
    ends = f"Expires: {expires}\r\n" if expires else ""
    return content_of(
        f"From: a@example.org\r\nSubject: {number}\r\nMessage-ID: <{number}@e>\r\n{ends}\r\n".encode()
        + b"x" * 50 + b"\r\n" * lines
    )  # fmt: skip


@pytest.fixture
def group(tx: DrivenTx) -> Folder:
    return groups.create(tx, "misc.test")


def file(tx: DrivenTx, group: Folder, number: int, days: float, *more: Folder, **content: object) -> None:
    """An article that arrived some days ago."""
    groups.file(
        tx,
        [group.id, *(one.id for one in more)],
        article(number, **content),  # type: ignore[arg-type]
        path=b"x!not-for-mail",
        host="x",
        received_at=tx.now - round(days * DAY_MS),
    )


def date(tx: DrivenTx, days: float) -> str:
    raw = format_date(tx.now + round(days * DAY_MS))
    return raw.decode() if isinstance(raw, bytes) else raw


def old(tx: DrivenTx, group: Folder, *clauses: Clause) -> list[tuple[int, str]]:
    soonest = min(one.soonest for one in clauses if one.soonest)
    upto = expiring.boundary(tx, group.id, tx.now - soonest)
    found, after = expiring.aged(tx, group.id, clauses, tx.now, 0, upto)
    assert after == 0
    assert expiring.aged_small(tx, [(group.id, clauses)], tx.now) == ({group.id: found} if found else {})
    return [(one.uid, one.why) for one in found]


def over(tx: DrivenTx, group: Folder, *clauses: Clause) -> list[int]:
    rows = [row for row in expiring.ended(tx, tx.now) if row[2] == group.id]
    return [one.uid for one in expiring.dated(tx, group.id, [row[1] for row in rows], clauses, tx.now)]


@pytest.mark.parametrize(("days", "last"), [(0, 40), (1.5, 39), (20.5, 20), (40.5, 0), (100, 0)])
def test_boundary_is_found_among_holes(tx: DrivenTx, group: Folder, days: float, last: int) -> None:
    for number in range(1, 41):
        file(tx, group, number, 41 - number)
    entries.expunge(tx, group.id, [7, 8, 9, 19, 38])
    assert expiring.boundary(tx, group.id, tx.now - round(days * DAY_MS)) == last


def test_boundary_of_nothing(tx: DrivenTx, group: Folder) -> None:
    assert expiring.boundary(tx, group.id, tx.now) == 0


def test_age_decides_about_articles_without_a_date(tx: DrivenTx, group: Folder) -> None:
    for number, days in enumerate((30, 20, 10, 1), 1):
        file(tx, group, number, days)
    assert old(tx, group, Clause(default=15 * DAY_MS)) == [(1, "age"), (2, "age")]
    assert old(tx, group, Clause(default=60 * DAY_MS)) == []


def test_date_of_the_poster_counts_between_minimum_and_maximum(tx: DrivenTx, group: Folder) -> None:
    file(tx, group, 1, 30, expires=date(tx, 30))  # later than the maximum: goes by that
    file(tx, group, 2, 20, expires=date(tx, 30))  # longer than the default, and that is its right
    file(tx, group, 3, 10, expires=date(tx, -2))  # over
    file(tx, group, 4, 1, expires=date(tx, -2))  # over, and too young
    file(tx, group, 5, 10, expires="soon")  # no date: the default
    clause = Clause(minimum=3 * DAY_MS, default=15 * DAY_MS, maximum=25 * DAY_MS)
    assert old(tx, group, clause) == [(1, "date")]
    assert over(tx, group, clause) == [3]
    assert over(tx, group, Clause(default=15 * DAY_MS)) == [3, 4]


def test_first_clause_that_fits_decides(tx: DrivenTx, group: Folder) -> None:
    file(tx, group, 1, 10, lines=900)
    file(tx, group, 2, 10)
    file(tx, group, 3, 10, expires=date(tx, 90))
    large = Clause(min_size=1000, default=5 * DAY_MS)
    dated = Clause(dated=True, maximum=7 * DAY_MS)
    rest = Clause(default=20 * DAY_MS)
    assert old(tx, group, large, dated, rest) == [(1, "age"), (3, "date")]
    assert old(tx, group, Clause(max_size=1000, default=DAY_MS), large) == [(1, "age"), (2, "age")]
    assert old(tx, group, rest, large) == []


def test_pages_go_on_behind_the_last(tx: DrivenTx, group: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiring, "PAGE", 2)
    for number in range(1, 6):
        file(tx, group, number, 10, expires=date(tx, -1))
    found, after = expiring.aged(tx, group.id, [Clause(default=DAY_MS)], tx.now, 0, 5)
    assert (found, after) == ([], 2)  # their dates are over: `dated` has them
    first = expiring.ended(tx, tx.now)
    second = expiring.ended(tx, tx.now, first[-1])
    third = expiring.ended(tx, tx.now, second[-1])
    assert [len(one) for one in (first, second, third)] == [2, 2, 1]
    assert len({row[1] for row in first + second + third}) == 5


def test_surplus_counts_what_goes_anyway_and_is_filled_from_the_oldest(tx: DrivenTx, group: Folder) -> None:
    for number in range(1, 7):
        file(tx, group, number, 7 - number)
    size = groups.get(tx, group.id).bytes // 6
    found, after = expiring.surplus(tx, group.id, 0, 2, 0, RangeSet.of([1]))
    assert ([one.uid for one in found], after) == ([2, 3], 0)
    found, _ = expiring.surplus(tx, group.id, 0, 1, size + 1, RangeSet())
    assert [(one.uid, one.why) for one in found] == [(1, "count"), (2, "size")]
    assert len(expiring.surplus(tx, group.id, 0, 99, 0, RangeSet())[0]) == 6
    assert expiring.surplus(tx, group.id, 0, 0, -5, RangeSet()) == ([], 0)


def test_surplus_is_found_page_by_page(tx: DrivenTx, group: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiring, "PAGE", 2)
    for number in range(1, 6):
        file(tx, group, number, 6 - number)
    found, after = expiring.surplus(tx, group.id, 0, 3, 0, RangeSet.of([1]))
    assert ([one.uid for one in found], after) == ([2], 2)
    found, after = expiring.surplus(tx, group.id, 2, 2, 0, RangeSet.of([1]))
    assert ([one.uid for one in found], after) == ([3, 4], 4)
    assert expiring.surplus(tx, group.id, 4, 0, 0, RangeSet()) == ([], 0)


def test_total_takes_the_oldest_of_all_groups(
    tx: DrivenTx, group: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = groups.create(tx, "misc.other")
    for number, days in enumerate((9, 7, 5), 1):
        file(tx, group, number, days)
    for number, days in enumerate((8, 6, 1), 11):
        file(tx, other, number, days)
    size = groups.get(tx, group.id).bytes // 3
    start = {group.id: 0, other.id: 0}

    def chosen(after: dict[FolderId, int], size: int, gone: dict[FolderId, RangeSet]) -> dict[int, list[int]]:
        found = expiring.over_total(tx, after, size, gone)
        return {key: [one.uid for one in value] for key, value in found.items()}

    assert chosen(start, size * 3 - 1, {}) == {group.id: [1, 2], other.id: [1]}
    assert chosen(start, size, {group.id: RangeSet.of([1])}) == {other.id: [1]}
    monkeypatch.setattr(expiring, "HELD", 1)  # one of each in memory
    assert chosen(start, size * 5, {}) == {group.id: [1, 2, 3], other.id: [1, 2]}
    monkeypatch.setattr(expiring, "ROUND", 2)
    assert chosen(start, size * 5, {}) == {group.id: [1], other.id: [1]}
    assert chosen({group.id: 1, other.id: 1}, size * 3, {}) == {group.id: [2], other.id: [2]}
    assert chosen({group.id: 3, other.id: 3}, size, {}) == {}


def test_cross_post_whose_date_is_over_is_found_in_each_group(
    tx: DrivenTx, group: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [groups.create(tx, f"misc.{number}") for number in range(3)]
    file(tx, group, 1, 10, *others, expires=date(tx, -1))
    monkeypatch.setattr(expiring, "PAGE", 3)
    first = expiring.ended(tx, tx.now)
    second = expiring.ended(tx, tx.now, first[-1])
    assert [row[2] for row in first + second] == sorted(one.id for one in (group, *others))


def test_mail_is_as_old_as_its_stay_in_the_folder(tx: DrivenTx) -> None:
    accounts.add_domain(tx, "example.org")
    account = accounts.create(tx, "alice@example.org")
    trash = folders.find(tx, account.id, "Trash")
    assert trash is not None
    for number in range(1, 5):
        entries.add(
            tx, [trash.id], letter(number), received_at=tx.now, flags=FLAGGED if number == 2 else 0
        )  # fmt: skip
        tx.run("UPDATE entry SET saved_at = ? WHERE uid = ?", tx.now - (5 - number) * DAY_MS, number)
    upto = expiring.boundary(tx, trash.id, tx.now - 2 * DAY_MS + 1, saved=True)
    assert upto == 3
    assert [one.uid for one in expiring.oldest(tx, trash.id, 0, upto, saved=True)] == [1, 2, 3]
    kept = expiring.oldest(tx, trash.id, 0, upto, saved=True, keep_flagged=True)
    assert [one.uid for one in kept] == [1, 3]
    assert expiring.oldest(tx, trash.id, 3, upto) == []
    (place,) = expiring.places(tx, 0)
    assert (place.name, place.role, place.messages) == ("Trash", "trash", 4)
    assert place.oldest_at == tx.now - 4 * DAY_MS
    assert expiring.places(tx, place.id) == []


def test_removed_articles_leave_numbers_behind_and_move_the_low_mark(tx: DrivenTx, group: Folder) -> None:
    for number in range(1, 5):
        file(tx, group, number, 5)
    assert expiring.remove(tx, [(group.id, [1, 2], False)]) == [2]
    place = groups.get(tx, group.id)
    assert (place.low, place.high, place.messages) == (3, 4, 2)
    assert expiring.remove(tx, [(group.id, [3, 4], False)]) == [2]
    place = groups.get(tx, group.id)
    assert (place.low, place.high, place.messages) == (5, 4, 0)
    file(tx, group, 5, 0)
    assert groups.get(tx, group.id).high == 5


def test_removal_everywhere_takes_the_cross_posts_along(tx: DrivenTx, group: Folder) -> None:
    other = groups.create(tx, "misc.other")
    file(tx, group, 1, 5, other)
    file(tx, group, 2, 5, other)
    file(tx, other, 3, 5)
    assert expiring.remove(tx, [(group.id, [1], True)]) == [2]
    assert entries.uids(tx, group.id).tolist() == [2]
    assert entries.uids(tx, other.id).tolist() == [2, 3]


def test_nothing_is_removed_on_hold_or_from_a_folder_that_is_gone(tx: DrivenTx, group: Folder) -> None:
    file(tx, group, 1, 5)
    keeping.hold(tx, group.account_id, group.id)
    assert expiring.remove(tx, [(group.id, [1], False), (FolderId(12345), [1], False)]) == [0, 0]
    assert groups.get(tx, group.id).messages == 1


def test_found_says_what_a_person_wants_to_know(tx: DrivenTx, group: Folder) -> None:
    file(tx, group, 1, 5)
    (found,) = expiring.oldest(tx, group.id, 0)
    assert found == Found(1, groups.get(tx, group.id).bytes, tx.now - 5 * DAY_MS, "age")  # type: ignore[arg-type]
