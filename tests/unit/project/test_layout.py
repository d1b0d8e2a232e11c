"""The rules of the house that a machine can see: sizes, opening docstrings, words that belong elsewhere."""

import ast
import io
import os
import re
import subprocess
import token
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.shared import ROOT

pytestmark = pytest.mark.unmeasured

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 80

SOURCES = sorted((ROOT / "src").rglob("*.py"))

# The store knows folders and numbers, no protocol (docs/architecture.md).
PROTOCOLS = frozenset({"imap", "imap4", "smtp", "lmtp", "pop3", "nntp", "mapi"})
PARTS = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*")  # the words in a name, snake_case or CamelCase

# Bytes to commands and back, and everything about MIME: pure, so that every chunking is tried in memory.
PURE = ("message/**/*.py", "*/wire.py", "*/commands.py", "net/lines.py", "net/dots.py", "policy/sieve/*.py")
IMPURE = frozenset(
    {"aiohttp", "apsw", "asyncio", "psycopg", "socket", "ssl", "subprocess", "threading", "time"}
)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_file_opens_with_what_it_is_for_and_stays_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring, f"{relative(path)} opens without a docstring"
    assert text.count("\n") <= MAX_FILE_LINES, f"{relative(path)}: look for the second idea inside"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_functions_stay_short(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    long = [
        f"{relative(path)}:{node.lineno} {node.name}: {lines} lines"
        for node in functions
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
    ]
    assert not long


def imported(tree: ast.Module) -> set[str]:
    """The top-level packages that a module imports, wherever in it."""
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


def test_pure_rooms_do_no_input_and_no_output() -> None:
    paths = sorted({path for pattern in PURE for path in (ROOT / "src" / "quintet").glob(pattern)})
    assert paths
    found = [
        f"{relative(path)} imports {', '.join(sorted(names))}"
        for path in paths
        if (names := imported(ast.parse(path.read_text(encoding="utf-8"))) & IMPURE)
    ]
    assert not found


def protocol_words(text: str) -> Iterator[tuple[int, str]]:
    """Names and strings in code that speak of a protocol; comments and docstrings may."""
    documentation = {
        node.value.lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }
    for item in tokenize.generate_tokens(io.StringIO(text).readline):
        if item.type == token.NAME:
            words = [item.string]
        elif item.type == token.STRING and item.start[0] not in documentation:
            words = re.findall(r"\w+", item.string)
        else:
            continue
        for word in words:
            if PROTOCOLS & {part.lower() for part in PARTS.findall(word)}:
                yield item.start[0], word


def test_store_speaks_of_no_protocol() -> None:
    found = [
        f"{relative(path)}:{line} {word}"
        for path in sorted((ROOT / "src" / "quintet" / "store").rglob("*.py"))
        for line, word in protocol_words(path.read_text(encoding="utf-8"))
    ]
    assert not found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("imap_flags = 1\n", ["imap_flags"]),
        ("class SmtpRow: pass\n", ["SmtpRow"]),
        ("kind = 'nntp'\n", ["nntp"]),
        ("items.pop()\n", []),
        ("# IMAP calls it so\nx = 1\n", []),
        ('"""IMAP calls it so."""\n', []),
        ("important = population = 1\n", []),
    ],
)
def test_protocol_words_are_seen_in_code_only(text: str, words: list[str]) -> None:
    assert [word for _, word in protocol_words(text)] == words


@pytest.mark.skipif(not (ROOT / ".venv").exists(), reason="run by another environment")
def test_another_interpreter_than_that_of_the_environment_is_told() -> None:
    """`make run PYTHON=...` makes .venv anew, though both may call themselves 3.11."""
    script = ROOT / "tools" / "venv.sh"

    def made_with(python: str) -> bool:
        return subprocess.run(["sh", str(script), "made", "with", python], check=False).returncode == 0

    ours = ROOT / ".venv" / "bin" / "python"
    assert made_with(str(ours))
    assert made_with(os.path.realpath(ours))
    assert not made_with("/bin/false")
    assert not made_with("no-such-program")
