"""The index of standards is whole: every section that the sources cite is in it, and its page is fresh."""

from pathlib import Path

import pytest

from tests.support.shared import ROOT
from tools import citations, standards

pytestmark = pytest.mark.unmeasured

HERE = ROOT / "src" / "quintet" / "nntp" / "session.py"

TABLE = '''
class Rule:
    """When a command may be given."""

    states: int
    section: str  # of RFC 3977
    max_args: int


RULES = {"GROUP": Rule(1, "6.1.1", 1), "QUIT": Rule(1, section="5.4", max_args=0)}
RULES["XOVER"] = Rule(1, "RFC 2980 2.8", 1)
'''


def test_page_is_generated_from_the_index() -> None:
    assert standards.PAGE.read_text(encoding="utf-8") == standards.render(standards.load()), "run `make docs`"


def test_every_cited_section_is_in_the_index() -> None:
    missing = standards.problems(standards.load(), citations.citations())
    assert not missing, "run `make docs`:\n" + "\n".join(missing)


def test_index_reads_back_as_written(tmp_path: Path) -> None:
    copy = tmp_path / "index.toml"
    copy.write_text(standards.dump(standards.load()), encoding="utf-8")
    assert standards.load(copy) == standards.load()
    assert copy.read_text(encoding="utf-8") == standards.INDEX.read_text(encoding="utf-8"), "run `make docs`"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# RFC 9051 6.4.7: COPY", [("RFC 9051", "6.4.7")]),
        ("RFC 9051 section 6.4.7.", [("RFC 9051", "6.4.7")]),
        ("RFC 9051, section 7 and RFC 3501 7.2.1", [("RFC 9051", "7"), ("RFC 3501", "7.2.1")]),
        ("RFC 9051 appendix A.1", [("RFC 9051", "A.1")]),
        ("MS-OXCTABL 2.2.2.2", [("MS-OXCTABL", "2.2.2.2")]),
        ("RFC 5321 and 4 others", []),
        ("RFC 5322 2047", []),  # two standards
        ("RFC 1939 3-digit codes", []),
    ],
)
def test_citation_is_found_in_words(text: str, found: list[tuple[str, str]]) -> None:
    assert [(one.standard, one.section) for one in citations.in_text(HERE, text)] == found


def test_citation_is_found_in_a_rule_table() -> None:
    found = [(one.standard, one.section) for one in citations.in_tables({HERE: TABLE})]
    assert found == [("RFC 3977", "6.1.1"), ("RFC 3977", "5.4")]


def test_citation_of_an_unknown_standard_is_a_problem() -> None:
    cited = [citations.Citation("RFC 1", "1", "src/x.py", 3)]
    assert standards.problems({}, cited) == [
        "src/x.py:3: RFC 1 1: rfc/index.toml has no row for this standard; write one"
    ]


def test_only_sections_that_exist_are_collected(shared: Path) -> None:
    row = standards.Standard("RFC 3977", "Network News Transfer Protocol (NNTP)", "nntp", "partial")
    cited = [citations.Citation("RFC 3977", section, "src/x.py", 1) for section in ("6.1.1", "6.1.99", "3.2")]
    assert citations.text_of("RFC 3977", shared) is not None
    rows = standards.collect({row.number: row}, cited)
    assert rows["RFC 3977"].sections == ("3.2", "6.1.1")
    assert len(standards.problems(rows, cited)) == 1


@pytest.mark.parametrize("wrong", [{"area": "telex"}, {"support": "mostly"}])
def test_row_with_an_unknown_word_is_refused(wrong: dict[str, str]) -> None:
    row = {"number": "RFC 1", "title": "Host Software", "area": "base", "support": "no"}
    with pytest.raises(ValueError, match="RFC 1"):
        standards.Standard(**{**row, **wrong})


def test_sections_sort_as_people_count() -> None:
    assert sorted(["10", "2.10", "A.1", "2.9", "2"], key=standards.section_order) == [
        "2",
        "2.9",
        "2.10",
        "10",
        "A.1",
    ]
