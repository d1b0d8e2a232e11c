"""Writes every generated document: ``python -m tools.docs``; with ``--check`` it only says which are stale.

The index of standards is brought up to date first. Pages that the program itself can write (its options, its
commands) are asked of the program, so that they cannot differ from it.
"""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

from tools import standards

ROOT = Path(__file__).resolve().parents[1]

# page -> "module:function", the function returns the page's text
PAGES = {
    "docs/config.md": "quintet.config.describe:markdown",
    "docs/cli.md": "quintet.admin.cli.describe:markdown",
}


def page(source: str) -> str:
    """The text of one page."""
    module, _, name = source.partition(":")
    text: Callable[[], str] = getattr(importlib.import_module(module), name)
    return text()


def main(arguments: list[str]) -> int:
    """Write or check; the number of stale or unfinished pages decides the exit code."""
    check = "--check" in arguments
    failed = standards.main(["--check"] if check else ["--collect"])
    for name, source in PAGES.items():
        path = ROOT / name
        try:
            text = page(source)
        except (ModuleNotFoundError, AttributeError) as error:
            print(f"{name}: cannot be made from {source}: {error}", file=sys.stderr)
            failed += 1
            continue
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        if check:
            print(f"{name} is stale: run `make docs`", file=sys.stderr)
            failed += 1
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
