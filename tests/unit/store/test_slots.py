"""Numbers shared by processes: bounded, kept over restarts, never torn."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.store import slots
from quintet.store.slots import Slots


def test_numbers_are_kept_and_dropped():
    table = Slots(100)
    assert table.get("a") == 0.0
    table.put("a", 1.5)
    table.put("b", 2.5)
    table.put("a", 3.5)
    assert (table.get("a"), table.get("b"), table.count(3)) == (3.5, 2.5, 1)
    table.drop("a")
    table.drop("a")
    assert (table.get("a"), table.get("b")) == (0.0, 2.5)
    table.clear()
    assert table.count() == 0


def test_table_is_bounded_and_keeps_the_worthiest_of_a_row():
    table = Slots(8)
    for number in range(1, 1001):
        table.put(f"name {number}", float(number))
    assert table.count() == 8
    assert [table.get(f"name {number}") for number in range(993, 1001)] == list(map(float, range(993, 1001)))
    table.put("known", 5000.0)
    for number in range(100):
        table.put(f"other {number}", 1.0)
    assert table.get("known") == 5000.0


def test_remembered_places_are_bounded(monkeypatch):
    monkeypatch.setattr(slots, "MAX_PLACES", 10)
    table = Slots(10_000)
    for number in range(100):
        table.put(str(number), number + 1.0)
    assert len(table._places) <= 10
    assert [table.get(str(number)) for number in range(100)] == [number + 1.0 for number in range(100)]


@given(st.dictionaries(st.text(max_size=20), st.floats(0.1, 1e12), max_size=8))
def test_any_names(numbers):
    table = Slots(8)
    for name, number in numbers.items():
        table.put(name, number)
    assert {name: table.get(name) for name in numbers} == numbers


def test_processes_share_a_file_and_restarts_keep_it(tmp_path):
    path = tmp_path / "run" / "counts"
    mine, same = Slots(100, path), Slots(100, path)
    mine.put("a", 1.0)
    assert same.get("a") == 1.0
    program = (
        "import sys; from pathlib import Path; from quintet.store.slots import Slots\n"
        "t = Slots(100, Path(sys.argv[1])); assert t.get('a') == 1.0; t.put('a', 2.0); t.put('b', 3.0)"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, timeout=60)
    assert (mine.get("a"), same.get("b")) == (2.0, 3.0)
    same.close()
    mine.close()
    assert Slots(100, path).get("b") == 3.0
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("garbage", [b"", b"x" * 64, b"QNTSLOT1" + bytes(2000)])
def test_what_is_no_table_is_replaced(tmp_path, garbage):
    path = tmp_path / "counts"
    path.write_bytes(garbage)
    table = Slots(100, path)
    table.put("a", 1.0)
    assert Slots(100, path).get("a") == 1.0


def test_another_size_leaves_those_alone_who_use_the_old_one(tmp_path):
    path = tmp_path / "counts"
    old = Slots(100, path)
    old.put("a", 1.0)
    assert Slots(200, path).get("a") == 0.0
    assert old.get("a") == 1.0
    assert os.listdir(tmp_path) == ["counts"]


def test_without_a_file_it_goes_on_alone(tmp_path):
    (tmp_path / "counts").mkdir()
    table = Slots(100, tmp_path / "counts")
    table.put("a", 1.0)
    assert table.get("a") == 1.0
