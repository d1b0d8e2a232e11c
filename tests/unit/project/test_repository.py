"""What must not be in the repository: addresses of registries, paths of a machine, promises."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.support.shared import ROOT

LOCKS = ("requirements.lock", "requirements-fuzz.lock")

# The folders that belong to us; what tools leave behind beside them is not looked at.
PLACES = ("src", "tests", "tools", "docs", "rfc", "bench", "changes", "packaging", ".ci")
TEXT_KINDS = {
    ".py",
    ".toml",
    ".md",
    ".txt",
    ".sh",
    ".lock",
    ".sql",
    ".ini",
    ".cfg",
    ".service",
    ".yml",
    ".html",
    "",
}

# Written in pieces, so that this file does not find itself.
FORBIDDEN = (
    "pypi" + ".org",
    "python" + "hosted",
    "registry" + ".npmjs",
    "deb" + ".debian",
    "archive" + ".ubuntu",
    "/" + "work/",
    "/" + "farm/",
    "/Use" + "rs/",
    "/root/" + ".pyenv",
    "/opt/" + "wheels",
)
PROMISE = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "Not" + "ImplementedError")) + r")\b")


def text_files() -> list[Path]:
    """The repository's text files: those at its top and those in its folders."""
    found = [path for path in ROOT.iterdir() if path.is_file()]
    found += [path for place in PLACES for path in (ROOT / place).rglob("*") if path.is_file()]
    return sorted(path for path in found if path.suffix in TEXT_KINDS and "__pycache__" not in path.parts)


def hits(path: Path, wanted: re.Pattern[str]) -> list[str]:
    """The lines of a file in which something stands that must not."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    place = path.relative_to(ROOT).as_posix()
    return [
        f"{place}:{number}: {match[0]}"
        for number, line in enumerate(lines, 1)
        if (match := wanted.search(line))
    ]


def test_no_registry_and_no_path_of_a_machine() -> None:
    wanted = re.compile("|".join(map(re.escape, FORBIDDEN)))
    found = [hit for path in text_files() for hit in hits(path, wanted)]
    assert not found


def test_no_promise_of_work_for_later() -> None:
    found = [hit for path in text_files() if path.suffix == ".py" for hit in hits(path, PROMISE)]
    assert not found


@pytest.mark.parametrize("name", LOCKS)
def test_lock_pins_every_part_by_version_and_hash(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    parts = re.split(r"\n(?=\S)", text.strip())
    for part in parts:
        head = part.split("\n", 1)[0]
        assert re.match(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==\S+", head), head
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", part), head


def test_lock_holds_every_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = list(project["project"]["dependencies"]) + list(project["dependency-groups"]["dev"])
    declared += [one for extra in project["project"]["optional-dependencies"].values() for one in extra]
    names = {re.match(r"[A-Za-z0-9._-]+", one)[0].lower() for one in declared}  # type: ignore[index]
    pinned = set(
        re.findall(
            r"^([a-z0-9._-]+)==", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE
        )
    )
    assert names <= pinned


def test_silenced_checkers_name_what_they_silence() -> None:
    bare = re.compile(r"#\s*type:\s*ignore(?!\[)|#\s*noqa(?!:)")
    python = [path for path in text_files() if path.suffix == ".py" and path != Path(__file__)]
    found = [hit for path in python for hit in hits(path, bare)]
    assert not found


def test_every_python_file_of_the_tests_has_a_purpose() -> None:
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        assert path.read_text(encoding="utf-8").lstrip().startswith(('"""', "'''", 'r"""')), path
