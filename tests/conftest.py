"""What every test shares: how Hypothesis runs, and the folder of shared data."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.shared import shared_dir

# One machine runs many things at once: a slow example is no defect, and the same examples run everywhere.
settings.register_profile(
    "gate", deadline=None, derandomize=True, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", deadline=None, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared data; the test is skipped where it is absent."""
    folder = shared_dir()
    if folder is None:
        pytest.skip("no folder `shared` beside the checkout (set QUINTET_SHARED)")
    return folder


_WAITING = ("crash", "interop", "network", "scenario", "system")  # they wait for others more than they work


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that wait stand between those that work; none at the end, where one worker would run it alone."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    here = Path(__file__).parent
    waiting = [path for path in files if set(_WAITING) & set(path.parts[len(here.parts) :])]
    working = [path for path in files if path not in waiting]
    step = max(len(working) * 4 // (5 * max(len(waiting), 1)), 1)
    order: list[Path] = []
    for place, path in enumerate(working):
        if place % step == 0 and waiting:
            order.append(waiting.pop(0))
        order.append(path)
    items[:] = [item for path in (*order, *waiting) for item in files[path]]
