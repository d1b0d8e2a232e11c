"""A bound on the work of a test with hostile input: what is quadratic would take minutes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

LIMIT_S = 10.0  # of one core; linear work on these inputs takes well under one second


@contextmanager
def linear() -> Iterator[None]:
    """Fails when what is done inside costs more than `LIMIT_S` of processor time."""
    began = time.process_time()
    yield
    taken = time.process_time() - began
    assert taken < LIMIT_S, f"{taken:.1f} s of processor time"


def steps(work: Callable[[], object]) -> int:
    """How many lines of Python ``work`` runs: a cost that no busy machine changes."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count
