"""Where tests that kill programs have their files."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """On a disk, not in memory as those of other tests may be (tools/tmpdir.sh): kills shall meet flushes."""
    folder = Path(tempfile.mkdtemp(prefix="quintet-crash-", dir="/var/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
