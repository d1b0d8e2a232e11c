"""Where the data lies that several checkouts share: RFC texts, a corpus of messages, test vectors.

It is too large for the repository and lies in a folder ``shared`` beside it. A test that wants it skips
with a reason where it is absent.
"""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def shared_dir() -> Path | None:
    """The folder ``shared`` beside the checkout, or the one that ``QUINTET_SHARED`` names; None if absent."""
    named = os.environ.get("QUINTET_SHARED")
    folder = Path(named) if named else ROOT.parent / "shared"
    return folder if folder.is_dir() else None
