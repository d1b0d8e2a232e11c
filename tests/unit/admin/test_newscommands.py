"""`quintet control` and `quintet moderate`, without a server beside them."""

from pathlib import Path

import pytest

from quintet.admin.cli import common
from quintet.config.news import News
from quintet.delivery import modqueue, quarantine
from quintet.delivery.control import acts
from quintet.delivery.envelope import NULL
from quintet.store import accounts, db, groups, migrate, trace
from quintet.store.content import content_of
from tests.support.server import configured, write_config
from tests.support.shell import Shell

NEWGROUP = (
    b"From: x@example.net\r\nNewsgroups: local.a\r\nSubject: cmsg\r\n"
    b"Control: newgroup local.new moderated\r\nApproved: x@example.net\r\nMessage-ID: <c1@x>\r\n"
    b"Date: Fri, 21 Nov 2025 08:00:00 +0000\r\n\r\nx\r\n"
)
ARTICLE = (
    b"From: Bob <bob@example.org>\r\nNewsgroups: local.mod\r\nSubject: Please\r\nMessage-ID: <s1@x>\r\n\r\n"
    b"text\r\n"
)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.delenv("QUINTET_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    config = configured(tmp_path)
    write_config(tmp_path, config)
    data = Path(config.store.data)
    data.mkdir(parents=True, exist_ok=True)
    tx = db.SqliteTx(db.open_sqlite(data / "quintet.db", writable=True, sync="off"))
    migrate.upgrade(tx, 1)
    db.transact(tx, 1_763_715_600_000, fill)
    tx.close()
    return Shell(tmp_path, capsys)


def fill(tx: db.Tx) -> None:
    groups.create(tx, "local.a")
    groups.create(tx, "local.mod", "m", moderator="alice@example.org")
    accounts.add_domain(tx, "example.org")
    accounts.create(tx, "alice@example.org")
    acts.file(tx, [], content_of(NEWGROUP), path=b"p", host="h", received_at=1, rules=News())
    modqueue.hold(tx, "local.mod", content_of(ARTICLE), NULL, trace.Note("c", "submitted"))
    held = content_of(ARTICLE.replace(b"s1@", b"q1@").replace(b"local.mod", b"local.a"))
    quarantine.put(
        tx, held, path=b"p!x", message_id="<q1@x>", why="too loud", config=News(),
        note=trace.Note("c", "quarantined"),
    )  # fmt: skip


def test_rules_are_shown_and_asked(shell: Shell) -> None:
    rows = shell.json("control", "rules")
    assert len(rows) > 700
    assert rows[0] == {"message": "all", "from": "*", "newsgroups": "*", "action": "log"}
    [row] = shell.json("control", "rules", "newgroup", "group-admin@isc.org", "comp.new")
    assert row["action"] == "verify-news.announce.newgroups"


def test_a_control_message_is_done_by_hand(shell: Shell) -> None:
    assert shell("control", "list") == "nothing here\n"
    shell("control", "do", "<none@x>", code=common.Exit.REFUSED)
    shell("control", "do", "news:local.new", code=common.Exit.USAGE)
    assert "names no article" in shell.err
    assert shell("control", "do", "news:c1@x") == "new local.new (moderated)\n"
    assert [row["group"] for row in shell.json("group", "list")] == [
        "control",
        "local.a",
        "local.mod",
        "local.new",
    ]
    [row] = shell.json("control", "list")
    assert row["changes"] == ["new local.new (moderated)"]
    assert row["action"].startswith("by hand: ")
    shell("control", "do", "c1@x", code=common.Exit.REFUSED)


def test_what_waits_is_shown_approved_and_rejected(shell: Shell) -> None:
    [row] = shell.json("moderate", "list")
    assert (row["item"], row["message_id"], row["subject"]) == ("local.mod:1", "<s1@x>", "Please")
    assert shell("moderate", "show", "local.mod:1").endswith("\n\ntext\n")
    assert shell("moderate", "show", "news:s%31@x").endswith("\n\ntext\n")
    assert shell("moderate", "approve", "s1@x") == "posted to local.mod: <s1@x>\n"
    assert shell("moderate", "list") == "nothing waits\n"
    shell("moderate", "reject", "s1@x", code=common.Exit.REFUSED)
    assert [event["event"] for event in shell.json("trace", "<s1@x>")] == ["submitted", "posted", "approved"]


def test_rejected_it_is_gone(shell: Shell) -> None:
    assert shell("moderate", "reject", "local.mod:1", "--reason", "no") == "given back: <s1@x>\n"
    assert shell.json("moderate", "list") == []


def test_quarantine_is_shown_and_opened(shell: Shell) -> None:
    [row] = shell.json("moderate", "held")
    assert (row["item"], row["why"]) == ("Quarantine:1", "too loud")
    shell("moderate", "approve", "Quarantine:1", code=common.Exit.REFUSED)
    assert shell("moderate", "release", "Quarantine:1") == "filed in local.a\n"
    assert shell("moderate", "held") == "nothing is held back\n"
    assert [row["articles"] for row in shell.json("group", "list")] == [1, 1, 0]


def test_an_article_is_cancelled_by_hand(shell: Shell) -> None:
    shell("moderate", "release", "Quarantine:1")
    assert shell("control", "cancel", "q1@x") == "gone from 1 groups\n"
    assert shell("control", "cancel", "q1@x") == "it is not here, and will not be taken\n"
    assert shell("control", "cancel", "<later@x>") == "it is not here, and will not be taken\n"
    assert [row["articles"] for row in shell.json("group", "list")] == [1, 0, 0]
    assert shell.json("trace", "q1@x")[-1]["event"] == "cancelled"
