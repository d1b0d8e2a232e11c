"""`rnews` on a real store: what becomes of batches, and what the caller is told."""

from __future__ import annotations

import bz2
import gzip
import io
from pathlib import Path
from typing import Any

import pytest

from quintet.clock import SystemClock
from quintet.message.dates import format_date
from tests.support.server import configured, write_config
from tests.support.shell import Shell


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A store with one group."""
    monkeypatch.delenv("QUINTET_CONFIG", raising=False)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    write_config(here, configured(here))
    shell = Shell(here, capsys)
    shell("group", "add", "local.test")
    return shell


def article(number: int, groups: str = "local.test") -> bytes:
    raw = format_date(SystemClock().now())
    date = raw if isinstance(raw, bytes) else raw.encode()
    return (
        b"Path: other.example!not-for-mail\nFrom: a@example.org\nNewsgroups: %b\nSubject: s%d\nDate: %b\n"
        b"Message-ID: <%d@batch>\n\nHello\n" % (groups.encode(), number, date, number)
    )


def batch(*articles: bytes) -> bytes:
    return b"".join(b"#! rnews %d\n%b" % (len(one), one) for one in articles)


def test_batches_from_files_are_taken_once(shell: Shell, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two.gz"
    one.write_bytes(batch(article(1), article(2), article(3, "no.such")))
    two.write_bytes(b"#! cunbatch\n" + gzip.compress(batch(article(2), article(4))))
    done = shell.json("rnews", str(one), str(two))
    assert {key: done[key] for key in ("taken", "duplicates", "refused", "later")} == {
        "taken": 3, "duplicates": 1, "refused": 1, "later": 0,
    }  # fmt: skip
    assert "no.such" in done["faults"][0]
    assert shell("rnews", str(one)) == "0 taken, 3 duplicates\n"
    assert shell.json("group", "list")[0]["articles"] == 3
    assert shell("check") == "sound: every invariant holds\n"


def test_batch_from_a_pipe(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer: Any = io.BytesIO(b"#! bunbatch\n" + bz2.compress(batch(article(7))))

    monkeypatch.setattr("sys.stdin", Stdin())
    assert shell("rnews") == "1 taken\n"


def test_articles_of_a_batch_are_known_by_where_they_came_from(shell: Shell, tmp_path: Path) -> None:
    file = shell.folder / "quintet.toml"
    peer = 'name = "uucp"\naddresses = ["192.0.2.1"]\naccept = "local.*"\nidentity = ["other.example"]\n'
    file.write_text(file.read_text().replace("\npeer = []\n", "\n") + f"\n[[nntp.peer]]\n{peer}")
    (tmp_path / "b").write_bytes(batch(article(1)))
    shell("rnews", str(tmp_path / "b"), "--peer", "uucp")
    shell("rnews", str(tmp_path / "b"), "--peer", "nobody", code=1)
    assert "no peer nobody" in shell.err


def test_what_cannot_be_read_must_come_again(shell: Shell, tmp_path: Path) -> None:
    shell("rnews", str(tmp_path / "missing"), code=4)
    assert "No such file" in shell.err


def test_damage_is_told_with_what_was_taken(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(batch(article(1)) + b"#! nonsense\n")
    assert shell("rnews", str(tmp_path / "b")) == "1 taken, 1 refused\n"
    assert "not a line of a batch" in shell.err
