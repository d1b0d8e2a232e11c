"""The command line run in this process, for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from quintet.admin import cli


class Shell:
    """Runs commands against one configuration."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys, self.err = folder, capsys, ""

    def __call__(self, *arguments: str, code: int = 0, folder: Path | None = None) -> str:
        """Standard output of a command, whose exit code must be ``code``; ``err`` then has the rest."""
        got = cli.run([*arguments, "-c", str(folder or self.folder)])
        out = self._capsys.readouterr()
        assert got == code, out.err + out.out
        self.err = out.err
        return out.out

    def json(self, *arguments: str, **options: Any) -> Any:
        return json.loads(self(*arguments, "--json", **options))
