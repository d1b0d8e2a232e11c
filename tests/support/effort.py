"""A bound on the work of a test with hostile input: what is quadratic would take minutes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

LIMIT_S = 10.0  # of one core; linear work on these inputs takes well under one second


@contextmanager
def linear() -> Iterator[None]:
    """Fails when what is done inside costs more than `LIMIT_S` of processor time."""
    began = time.process_time()
    yield
    taken = time.process_time() - began
    assert taken < LIMIT_S, f"{taken:.1f} s of processor time"
