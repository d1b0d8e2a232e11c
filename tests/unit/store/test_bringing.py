"""Articles under numbers that were given elsewhere; on both engines."""

from __future__ import annotations

import pytest

from quintet.errors import Refused
from quintet.store import bringing, entries, groups, history
from quintet.store.bringing import Brought
from quintet.store.db import DrivenTx
from quintet.store.model import Folder
from tests.support.letters import letter


@pytest.fixture
def group(tx: DrivenTx) -> Folder:
    return bringing.make_group(tx, "misc.a", "m", "About", 1_000_000, "boss@old")


def brought(number: int, *places: tuple[Folder, int]) -> Brought:
    xref = " ".join(f"{folder.name}:{uid}" for folder, uid in places)
    ids = tuple((folder.id, uid) for folder, uid in places)
    return Brought(
        f"<l{number}@example.org>", ids, letter(number), b"old!x", f"old {xref}".encode(), 1000 + number
    )


def test_group_is_as_it_was_there(tx: DrivenTx, group: Folder) -> None:
    assert (group.status, group.description, group.created_at, group.created_by) == (
        "m", "About", 1_000_000, "boss@old",
    )  # fmt: skip
    assert bringing.make_group(tx, "misc.a", "y", "", 5, "") == group
    with pytest.raises(Refused):
        bringing.make_group(tx, "bad name", "y", "", 0, "")


def test_numbers_stay_and_what_is_there_is_passed_over(tx: DrivenTx, group: Folder) -> None:
    other = bringing.make_group(tx, "misc.b", "y", "", 0, "")
    assert bringing.mark(tx, "inn") == ""
    first = [brought(1, (group, 5), (other, 2)), brought(2, (group, 9))]
    assert bringing.bring(tx, first, "inn", "100") == 2
    assert bringing.mark(tx, "inn") == "100"
    assert bringing.bring(tx, [*first, brought(3, (group, 9)), brought(4, (other, 1))], "inn", "200") == 1
    assert entries.uids(tx, group.id).tolist() == [5, 9]
    assert entries.uids(tx, other.id).tolist() == [1, 2]
    assert [one.received_at for one in entries.listing(tx, other.id)] == [1004, 1001]
    assert not history.known(tx, "<l3@example.org>")  # its number was another's
    for folder, high in ((group, 12), (other, 1)):
        bringing.settle_group(tx, folder.id, high)
    assert (groups.get(tx, group.id).low, groups.get(tx, group.id).high) == (5, 12)
    assert (groups.get(tx, other.id).low, groups.get(tx, other.id).high) == (1, 2)


def test_empty_group_goes_on_above_its_old_numbers(tx: DrivenTx, group: Folder) -> None:
    bringing.settle_group(tx, group.id, 700)
    place = groups.get(tx, group.id)
    assert (place.low, place.high, place.messages) == (701, 700, 0)
    (added,) = groups.file(tx, [group.id], letter(1), path=b"x!y", host="x", received_at=tx.now)
    assert added.uid == 701
