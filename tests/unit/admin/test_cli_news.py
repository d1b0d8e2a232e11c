"""`rnews` and `actsync` on a real store: what becomes of batches and lists, and what the caller is told."""

from __future__ import annotations

import bz2
import gzip
import io
from pathlib import Path
from typing import Any

import pytest

from quintet.admin.cli import news
from quintet.clock import SystemClock
from quintet.message.dates import format_date
from quintet.store import db, trace
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


def test_an_article_is_followed_by_its_url(shell: Shell, tmp_path: Path) -> None:
    """RFC 5538 2.1, 3: a number is one of this server, or of no use."""
    one = tmp_path / "one"
    one.write_bytes(batch(article(1)))
    shell("rnews", str(one))
    tx = db.SqliteTx(db.open_sqlite(shell.folder / "data" / "quintet.db", writable=True, sync="off"))
    db.transact(tx, 1, trace.add, 1, "c1", "accepted", None, "<1@batch>", {})
    tx.close()
    found = shell.json("trace", "local.test:1")
    assert found
    assert shell.json("trace", "nntp://localhost/local.test/1") == found
    assert shell.json("trace", "news:1@batch") == found
    shell("trace", "nntp://other.example/local.test/1", code=2)
    assert "other.example is not this server" in shell.err
    for wrong in ("nntp://localhost/local.test", "news:local.test", "news:a%3E@b", "nntp:1"):
        shell("trace", wrong, code=2)


def test_groups_of_a_url(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 5538 4: a server and a pattern."""

    async def theirs(source: str, *_: object) -> tuple[bytes, bytes]:
        return b"a.b 5 1 y\r\na.c 5 1 y\r\nb.c 5 1 y\r\n", b""

    monkeypatch.setattr(news, "_lists", theirs)
    for given, names in {
        ("news://x.example/a.*",): ["a.b", "a.c"],
        ("news://x.example/a.*", "--groups", "*.b"): ["a.b"],
        ("nntp://x.example/b.c",): ["b.c"],
        ("nntp://x.example:1119",): ["a.b", "a.c", "b.c"],
    }.items():
        found = shell.json("actsync", *given, "--dry-run")["changes"]
        assert [one["group"] for one in found] == names
    for wrong in ("news:a.*", "news://x.example/a@b", "nntp://x.example/b.c/1", "nntp:b.c"):
        shell("actsync", wrong, "--dry-run", code=2)


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


def test_what_is_no_article_is_told_in_one_line(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"garbage\n")
    assert shell("rnews", str(tmp_path / "b")) == "0 taken, 1 refused\n"
    assert shell.err == 'quintet: an article without Message-ID: No colon-space in "garbage" header field\n'


# --- actsync ----------------------------------------------------------------------------------------

ACTIVE = """\
comp.lang.c 0000000012 0000000001 y
comp.lang.python 0000000000 0000000001 m
comp.old 0000000000 0000000001 =comp.lang.c
control.cancel 0000000000 0000000001 n
local.test 0000000000 0000000001 m
rec.food 0000000000 0000000001 y
"""


def described(shell: Shell) -> dict[str, tuple[str, str]]:
    return {row["group"]: (row["posting"], row["description"]) for row in shell.json("group", "list")}


def test_groups_are_brought_in_line(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "active.gz").write_bytes(gzip.compress(ACTIVE.encode()))
    (tmp_path / "newsgroups").write_text("comp.lang.c\t\tAll about C\nrec.food Eating\n")
    call = ("actsync", str(tmp_path / "active.gz"), "--descriptions", str(tmp_path / "newsgroups"))
    planned = shell.json(*call, "--groups", "*,!rec.*", "--dry-run")
    assert described(shell) == {"local.test": ("open", "")}
    done = shell.json(*call, "--groups", "*,!rec.*")
    assert done["changes"] == planned["changes"]
    assert [(one["action"], one["group"]) for one in done["changes"]] == [
        ("create", "comp.lang.c"),
        ("create", "comp.lang.python"),
        ("create", "comp.old"),
        ("change", "local.test"),
    ]
    assert described(shell) == {
        "comp.lang.c": ("open", "All about C"),
        "comp.lang.python": ("moderated", ""),
        "comp.old": ("=comp.lang.c", ""),
        "local.test": ("moderated", ""),
    }
    assert shell(*call, "--groups", "*,!rec.*") == "nothing to change\n"


def test_groups_are_removed_only_when_wanted_and_few(shell: Shell, tmp_path: Path) -> None:
    active = tmp_path / "active"
    active.write_text("rec.food 0000000000 0000000001 y\n")
    shell("actsync", str(active))
    assert set(described(shell)) == {"local.test", "rec.food"}
    shell("actsync", str(active), "--remove", code=1)
    assert "1 of 2 groups would be removed" in shell.err
    [change] = shell.json("actsync", str(active), "--remove", "--dry-run")["changes"]
    assert (change["action"], change["group"], change["articles"]) == ("remove", "local.test", 0)
    shell("actsync", str(active), "--remove", "--most", "50")
    assert set(described(shell)) == {"rec.food"}


@pytest.mark.parametrize("text", ["", "<html>no list</html>\n", "comp.lang.c 1 2 q\n", "a b c\n"])
def test_what_is_no_list_changes_nothing(shell: Shell, tmp_path: Path, text: str) -> None:
    (tmp_path / "active").write_text("comp.good 0 1 y\n" + text if text else "")
    shell("actsync", str(tmp_path / "active"), code=1)
    assert set(described(shell)) == {"local.test"}


def test_sources_and_patterns_that_cannot_be(shell: Shell, tmp_path: Path) -> None:
    shell("actsync", "http://example.org/active", code=2)
    shell("actsync", str(tmp_path / "missing"), code=4)
    shell("actsync", "x", "--groups", "[", code=2)
    assert set(described(shell)) == {"local.test"}


def test_bomb_is_no_list() -> None:
    from quintet.admin.transfer import actsync

    with pytest.raises(actsync.BadList):
        actsync.unpack(gzip.compress(b"0" * (actsync.MAX_LIST + 10)))
    with pytest.raises(actsync.BadList):
        actsync.unpack(b"\x1f\x8bdamaged")


# --- batches out ------------------------------------------------------------------------------------


@pytest.mark.parametrize("compress", ["none", "gzip", "bzip2"])
def test_batches_go_out_as_they_come_in(shell: Shell, tmp_path: Path, compress: str) -> None:
    shell("group", "add", "other.test")
    (tmp_path / "in").write_bytes(
        batch(article(1), article(2, "other.test"), article(3, "local.test,other.test"), article(4))
    )
    shell("rnews", str(tmp_path / "in"))
    out = tmp_path / "out"
    call = ("export", "rnews", str(out), "--groups", "local.*", "--compress", compress)
    assert shell.json(*call)["written"] == 3
    assert shell.json("export", "rnews", str(out) + "2", "--days", "0")["written"] == 0
    there = tmp_path / "there"
    there.mkdir()
    write_config(there, configured(there))
    shell("group", "add", "local.test", folder=there)
    done = shell.json("rnews", str(out), folder=there)
    assert (done["taken"], done["refused"]) == (3, 0)
    assert shell.json("group", "list", folder=there)[0]["articles"] == 3


def test_compressions_that_there_are_not(shell: Shell, tmp_path: Path) -> None:
    shell("export", "rnews", str(tmp_path / "x"), "--compress", "zip", code=2)
    shell("export", "rnews", str(tmp_path / "x"), "--groups", "[", code=2)
    shell("export", "rnews", str(tmp_path / "no" / "x"), code=4)
    assert not (tmp_path / "x").exists() and not (tmp_path / "no").exists()
