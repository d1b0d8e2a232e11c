"""Finds where the sources cite a standard, and whether the standard's text has such a section.

A citation is ``RFC 9051 6.4.7``, ``RFC 9051 section 6.4.7``, ``RFC 9051 appendix A.1`` or
``MS-OXCTABL 2.2.2.2`` in a comment, docstring, string or dialogue file. A table of rules cites too: where a
class has a field ``section: str  # of RFC 3977``, every value of that field in the same package is a section
of RFC 3977.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLACES = ("src", "tests")  # what the index answers for
OWN_TESTS = ROOT / "tests" / "unit" / "project"  # examples of citations, true and false
KINDS = {".py", ".sql", ".txt"}

# A section starts with one or two digits: "RFC 5322 2047" names two standards.
SECTION = r"\d{1,2}(?:\.\d+)*|(?<=appendix )[A-Z](?:\.\d+)*|(?<=Appendix )[A-Z](?:\.\d+)*"
CITATION = re.compile(rf"\b(RFC \d+|MS-[A-Z0-9]+),? (?:[Ss]ections? |[Aa]ppendix )?({SECTION})(?![\w-])")
FIELD = re.compile(r"\bsection\s*:\s*str\b.*#.*\bof (RFC \d+)")


@dataclass(frozen=True, slots=True)
class Citation:
    """One place that names a section of a standard."""

    standard: str  # "RFC 9051", "MS-OXCTABL"
    section: str  # "6.4.7", "A.1"
    path: str  # relative to the checkout
    line: int


def files() -> list[Path]:
    """Every source that may cite, sorted."""
    found = (path for place in PLACES for path in (ROOT / place).rglob("*"))
    return sorted(path for path in found if path.suffix in KINDS and path.parent != OWN_TESTS)


def citations() -> list[Citation]:
    """All citations of the sources, in the order of their places."""
    texts = {path: path.read_text(encoding="utf-8", errors="replace") for path in files()}
    found = [citation for path, text in texts.items() for citation in in_text(path, text)]
    found += in_tables({path: text for path, text in texts.items() if path.suffix == ".py"})
    return sorted(found, key=lambda one: (one.path, one.line, one.standard, one.section))


def in_text(path: Path, text: str) -> Iterator[Citation]:
    """What is cited in words."""
    place = path.relative_to(ROOT).as_posix()
    for number, line in enumerate(text.splitlines(), 1):
        for match in CITATION.finditer(line):
            yield Citation(match[1], match[2], place, number)


def in_tables(texts: dict[Path, str]) -> Iterator[Citation]:
    """What rule tables cite by their ``section`` field."""
    fields: dict[
        tuple[Path, str], tuple[str, int]
    ] = {}  # (package, class) -> (standard, position of the field)
    trees: dict[Path, ast.Module] = {}
    for path, text in texts.items():
        if "section" not in text:
            continue
        trees[path] = ast.parse(text)
        lines = text.splitlines()
        for node in ast.walk(trees[path]):
            if isinstance(node, ast.ClassDef):
                members = [item for item in node.body if isinstance(item, ast.AnnAssign)]
                for position, item in enumerate(members):
                    if match := FIELD.search(lines[item.lineno - 1]):
                        fields[package(path), node.name] = (match[1], position)
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if known := fields.get((package(path), name)):
                standard, position = known
                if section := argument(node, position):
                    yield Citation(standard, section, path.relative_to(ROOT).as_posix(), node.lineno)


def package(path: Path) -> Path:
    """The package directly under ``quintet`` that a file belongs to (or its folder)."""
    parts = path.relative_to(ROOT).parts
    return (
        Path(*parts[:3])
        if parts[:2] == ("src", "quintet") and len(parts) > 3
        else path.parent.relative_to(ROOT)
    )


def argument(call: ast.Call, position: int) -> str | None:
    """The constant section that a call passes, if it is a bare one (others are found as text)."""
    value = next((word.value for word in call.keywords if word.arg == "section"), None)
    if value is None and position < len(call.args):
        value = call.args[position]
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return value.value if re.fullmatch(r"(\d+|[A-Z])(\.\d+)*", value.value) else None
    return None


def text_of(standard: str, shared: Path | None) -> str | None:
    """The published text of a standard, None where it is not at hand."""
    if shared is None:
        return None
    if standard.startswith("RFC "):
        path = shared / "rfc" / f"rfc{int(standard[4:]):04d}.txt"
    else:
        path = shared / "ms-specs" / f"{standard}.txt"
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None


def has_section(text: str, section: str) -> bool:
    """Does the text have a heading with this number (in its body or its table of contents)?"""
    number = re.escape(section)
    return bool(
        re.search(
            rf"^[ \t]{{0,8}}(?:Appendix |APPENDIX |[Ss]ection |## section )?{number}[.:]?(?:[ \t]+\S|$)",
            text,
            re.MULTILINE,
        )
    )
