"""The pages that name a test for each feature: the tests are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TESTS = ROOT / "tests"


def _named(page: str) -> list[str]:
    """What stands in the last column of the tables, without explanations in brackets."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    rows = [line.strip().strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    cells = [re.sub(r"\([^)]*\)|fuzz:.*", "", row[-1]) for row in rows if row[-1].strip() != "test"]
    return [name.strip() for cell in cells for name in cell.split(",") if name.strip()]


@pytest.mark.parametrize(
    ("page", "dialogues"), [("mail-features.md", "dialogues"), ("news-features.md", "dialogues/nntp")]
)
def test_each_test_that_a_page_names_is_there(page: str, dialogues: str) -> None:
    names = _named(page)
    assert len(names) > 50
    folder, gone = "", []
    for name in names:
        if "/" in name:
            folder = name.rpartition("/")[0]
        near = [
            TESTS / f"{name}.py",
            TESTS / name,
            TESTS / dialogues / f"{name}.txt",
            TESTS / folder / f"{name}.py",
        ]
        if not any(each.exists() for each in near):
            gone.append(name)
    assert not gone
