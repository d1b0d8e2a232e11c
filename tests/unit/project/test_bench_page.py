"""The page of the benchmarks says of each mark whether it was reached; a run is picked by its id."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import __main__ as runner
from bench import imap


def test_an_id_picks_itself_and_what_belongs_to_it() -> None:
    runs, rows = imap.wanted(["I1", "I6-copy"])
    assert [run.id for run in runs] == ["I1", "I1-small", "I6"]
    assert [row.id for row in rows] == ["I1", "I1-cpu", "I1-small", "I6-copy"]
    assert len(imap.wanted([])[1]) == len(imap.ROWS)
    assert imap.wanted(["I"])[0] == list(imap.RUNS)  # "I" alone means all of them, as the page says


def test_every_row_reads_a_run_that_there_is() -> None:
    runs = {run.id for run in imap.RUNS}
    assert {row.run for row in imap.ROWS} == runs
    assert len({row.id for row in imap.ROWS}) == len(imap.ROWS)
    assert imap.command(imap.Run("x", "imap-fetch --items (UID%20FLAGS)"), quick=True)[2] == "(UID FLAGS)"


@pytest.mark.parametrize(
    ("rising", "factor", "limit", "mine", "theirs", "ratio", "reached"),
    [
        (True, 3.0, 0.0, 300.0, 100.0, "3.00", "yes"),
        (True, 3.0, 0.0, 299.0, 100.0, "2.99", "no"),
        (False, 20.0, 0.0, 10.0, 200.0, "20.00", "yes"),
        (False, 1.0, 0.0, 10.0, 9.0, "0.90", "no"),
        (False, 0.0, 2.5, 2.4, 9.0, "", "yes"),
        (False, 0.0, 2.5, 2.6, 9.0, "", "no"),
    ],
)
def test_a_mark_is_reached_or_not(
    rising: bool, factor: float, limit: float, mine: float, theirs: float, ratio: str, reached: str
) -> None:
    row = imap.Row("X", "X", "what", ("extra", "x"), "ms", rising, factor, ("mdbox",), limit)
    results: imap.Results = {
        ("X", imap.OURS): [{"extra": {"x": [mine, mine, 1000.0]}}, {"extra": {}}],
        ("X", "mdbox"): [{"extra": {"x": theirs}}],
    }
    cells = imap.line(row, results, ("mdbox", "cyrus")).strip("| ").split(" | ")
    assert (cells[6], cells[8]) == (ratio, reached)
    assert cells[5] == ""  # of Cyrus nothing is known


def test_a_peer_that_lacks_a_part_is_left_out_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    imap, pop3 = tmp_path / "imap", tmp_path / "pop3"
    imap.touch()
    assert not runner.absent("dovecot", {str(imap): "dovecot-imapd"})
    assert runner.absent("dovecot", {str(imap): "dovecot-imapd", str(pop3): "dovecot-pop3d"})
    assert capsys.readouterr().out == "dovecot is left out; not installed: dovecot-pop3d\n"
