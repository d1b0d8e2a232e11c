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
