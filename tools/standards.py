"""The index of standards: ``rfc/index.toml`` and the page ``docs/standards.md`` made from it.

    python -m tools.standards             write docs/standards.md
    python -m tools.standards --collect   first add to the index every section that the sources cite
    python -m tools.standards --prune     and drop those that nobody cites any more
    python -m tools.standards --check     change nothing; exit 1 if the page is stale

A section is added only if the standard's text has such a heading (where the text is at hand). A row, its
support and its note are written by hand: they are a person's judgement.
"""

import sys
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.support.shared import shared_dir
from tools.citations import Citation, citations, has_section, text_of

ROOT = Path(__file__).resolve().parents[1]
INDEX = ROOT / "rfc" / "index.toml"
PAGE = ROOT / "docs" / "standards.md"
WIDTH = 110  # columns of the index

AREAS = {
    "smtp": "SMTP: transfer and submission",
    "report": "Reports: delivery status and disposition",
    "format": "Message format and MIME",
    "policy": "Sender authentication and transport policy",
    "pop3": "POP3",
    "imap": "IMAP",
    "nntp": "NNTP and Netnews",
    "sieve": "Sieve",
    "sasl": "SASL and passwords",
    "tls": "TLS and certificates",
    "mapi": "MAPI",
    "calendar": "Calendars, contacts and DAV",
    "jmap": "JMAP",
    "base": "Names, texts and addresses",
}
SUPPORT = ("yes", "partial", "no")

HEADER = """\
# Every standard of Quintet's trade: what it is, how far we follow it, and the sections that the code cites.
#
# `support` and `note` are written by hand:
#   yes      every MUST and SHOULD that concerns a server holds, with tests
#   partial  some of it is there; the note says what is missing where that is known
#   no       not built
# `sections` grows by `make docs`, which also writes docs/standards.md. Rows are sorted by area and number.
"""


@dataclass(frozen=True, slots=True)
class Standard:
    """One row of the index."""

    number: str  # "RFC 9051", "MS-OXCTABL", "draft-..."
    title: str
    area: str
    support: str
    sections: tuple[str, ...] = ()
    note: str = ""
    order: tuple[int, int, str] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse what the page could not show, naming the row."""
        if self.area not in AREAS:
            raise ValueError(
                f"{INDEX.name}: {self.number}: area {self.area!r} is not one of {', '.join(AREAS)}"
            )
        if self.support not in SUPPORT:
            raise ValueError(
                f"{INDEX.name}: {self.number}: support {self.support!r} is not one of {', '.join(SUPPORT)}"
            )
        digits = int(self.number[4:]) if self.number.startswith("RFC ") else sys.maxsize
        object.__setattr__(self, "order", (list(AREAS).index(self.area), digits, self.number))


def load(path: Path = INDEX) -> dict[str, Standard]:
    """All rows by their number. Raises ValueError for a row that is twice there or not well-formed."""
    rows: dict[str, Standard] = {}
    for row in tomllib.loads(path.read_text(encoding="utf-8")).get("standard", []):
        one = Standard(**{**row, "sections": tuple(row.get("sections", ()))})
        if one.number in rows:
            raise ValueError(f"{path.name}: {one.number} is there twice")
        rows[one.number] = one
    return rows


def dump(rows: dict[str, Standard]) -> str:
    """The index as text: the same rows always give the same bytes."""
    return "\n".join([HEADER, *(dump_row(one) for one in sorted(rows.values(), key=lambda one: one.order))])


def dump_row(one: Standard) -> str:
    """One row as TOML."""
    lines = ["[[standard]]"]
    lines += [f"{key} = {quote(getattr(one, key))}" for key in ("number", "title", "area", "support")]
    lines += dump_list("sections", one.sections)
    if one.note:
        lines.append(f"note = {quote(one.note)}")
    return "\n".join(lines) + "\n"


def dump_list(key: str, values: tuple[str, ...]) -> list[str]:
    """A TOML list, on one line or wrapped."""
    flat = f"{key} = [{', '.join(map(quote, values))}]"
    if len(flat) <= WIDTH:
        return [flat]
    lines = [f"{key} = ["]
    line = "   "
    for value in values:
        piece = f" {quote(value)},"
        if len(line) + len(piece) > WIDTH:
            lines.append(line)
            line = "   "
        line += piece
    return [*lines, line, "]"]


def quote(value: str) -> str:
    """A TOML basic string."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def section_order(section: str) -> list[tuple[bool, int, str]]:
    """Sort key: 2.10 after 2.9, appendices last."""
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in section.split(".")]


def problems(rows: dict[str, Standard], cited: list[Citation]) -> list[str]:
    """What the sources cite and the index lacks, one line each."""
    found = []
    for one in cited:
        place = f"{one.path}:{one.line}: {one.standard} {one.section}"
        if one.standard not in rows:
            found.append(f"{place}: rfc/index.toml has no row for this standard; write one")
        elif one.section not in rows[one.standard].sections:
            text = text_of(one.standard, shared_dir())
            if text is not None and not has_section(text, one.section):
                found.append(f"{place}: the standard's text has no such section; mend the citation")
            else:
                found.append(f"{place}: not in the index; run `make docs`")
    return found


def collect(rows: dict[str, Standard], cited: list[Citation], *, prune: bool = False) -> dict[str, Standard]:
    """The rows with every cited section that really exists; with ``prune``, without the others."""
    shared = shared_dir()
    wanted: dict[str, set[str]] = {
        number: set() if prune else set(one.sections) for number, one in rows.items()
    }
    texts = {number: text_of(number, shared) for number in {one.standard for one in cited} & rows.keys()}
    for one in cited:
        if one.standard in rows:
            text = texts[one.standard]
            if text is None or has_section(text, one.section):
                wanted[one.standard].add(one.section)
    return {
        number: replace(one, sections=tuple(sorted(wanted[number], key=section_order)))
        for number, one in rows.items()
    }


def render(rows: dict[str, Standard]) -> str:
    """The page: a table per area."""
    out = [
        "# Standards",
        "",
        "<!-- Generated from rfc/index.toml by `make docs`. Do not edit. -->",
        "",
        "How far Quintet follows each standard of its trade. **yes**: every MUST and SHOULD that concerns a",
        "server holds, with tests. **partial**: some of it is there; the note says what is missing. **no**:",
        "not built. The sections are those that the code and its tests cite.",
        "",
    ]
    counts = {word: sum(one.support == word for one in rows.values()) for word in SUPPORT}
    out += [
        f"{len(rows)} standards: " + ", ".join(f"{count} {word}" for word, count in counts.items()) + ".",
        "",
    ]
    for area, heading in AREAS.items():
        members = sorted((one for one in rows.values() if one.area == area), key=lambda one: one.order)
        if members:
            out += [
                f"## {heading}",
                "",
                "| standard | title | support | sections | note |",
                "|---|---|---|---|---|",
            ]
            out += [render_row(one) for one in members]
            out.append("")
    return "\n".join(out)


def render_row(one: Standard) -> str:
    """One line of a table."""
    name = one.number
    if name.startswith("RFC "):
        name = f"[{name}](https://www.rfc-editor.org/rfc/rfc{int(name[4:])})"
    support = f"**{one.support}**" if one.support != "no" else "no"
    cells = [name, one.title, support, ", ".join(one.sections), one.note]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main(arguments: list[str]) -> int:
    """The command line; see the top of this file."""
    rows = load()
    if "--check" in arguments:
        fresh = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == render(rows)
        if not fresh:
            print("docs/standards.md is stale: run `make docs`", file=sys.stderr)
        return int(not fresh)
    left = []
    if "--collect" in arguments or "--prune" in arguments:
        cited = citations()
        rows = collect(rows, cited, prune="--prune" in arguments)
        left = problems(rows, cited)
    INDEX.write_text(dump(rows), encoding="utf-8")
    PAGE.write_text(render(rows), encoding="utf-8")
    for line in left:
        print(line, file=sys.stderr)
    return int(bool(left))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
