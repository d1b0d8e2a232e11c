"""Every fuzz target holds for a moment: its seeds and some mutations, the same in each run."""

import pytest

from tools import fuzz

ROUNDS = 300


@pytest.mark.parametrize("name", fuzz.names())
def test_target_survives_seeds_and_mutations(name: str) -> None:
    assert fuzz.run_random(name, seconds=20, seed=1, rounds=ROUNDS) > 0
