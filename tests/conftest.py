"""What every test shares: how Hypothesis runs, in which order files run, and which tests are measured."""

import os
from collections.abc import Generator
from pathlib import Path

import coverage
import pytest
from hypothesis import HealthCheck, settings

from quintet import heap
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


def _place(path: Path) -> str:
    """The folder of tests/ that a file is in."""
    return path.relative_to(Path(__file__).parent).parts[0]


def _measured(item: pytest.Item) -> bool:
    """Whether it counts for coverage: counting doubles the cost of a test (docs/decisions/0140)."""
    return _place(item.path) == "unit" and item.get_closest_marker("unmeasured") is None


def pytest_collection_finish() -> None:
    """Ten thousand tests and what they import stay: the collector, which takes a third of a second to look
    through them, does not do so again."""
    heap.settle()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that wait stand between those that work; none at the end, where one worker would run it alone.

    Of those that wait the slow ones come first; of those that work the long ones: properties, units that are
    not measured, those of many tests.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    waiting = [path for path in files if _place(path) in _WAITING]
    waiting.sort(key=lambda path: not any(item.get_closest_marker("slow") for item in files[path]))
    working = [path for path in files if _place(path) not in _WAITING]
    working.sort(
        key=lambda path: (all(map(_measured, files[path])), _place(path) == "unit", -len(files[path]))
    )
    step = max(len(working) * 4 // (5 * max(len(waiting), 1)), 1)
    order: list[Path] = []
    for place, path in enumerate(working):
        if place % step == 0 and waiting:
            order.append(waiting.pop(0))
        order.append(path)
    items[:] = [item for path in (*order, *waiting) for item in files[path]]


_TO_CHILDREN = "COVERAGE_PROCESS_CONFIG"  # by which coverage tells programs that tests start to count as well


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Coverage looks away from what is not measured, and from the programs that it starts."""
    counting = coverage.Coverage.current()
    if counting is None or _measured(item):
        return (yield)
    told = os.environ.pop(_TO_CHILDREN, None)
    counting.stop()
    try:
        return (yield)
    finally:
        counting.start()
        if told is not None:
            os.environ[_TO_CHILDREN] = told
