"""Rights of folders by command."""

from pathlib import Path

import pytest

from tests.support.server import configured, write_config
from tests.support.shell import Shell


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.delenv("QUINTET_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path, configured(tmp_path))
    made = Shell(tmp_path, capsys)
    made("account", "add", "zoe@example.org", "--password", "pw")
    made("account", "add", "bob@example.org", "--password", "pw")
    return made


def test_rights_are_set_shown_and_taken_away(shell: Shell) -> None:
    made = shell.json("access", "set", "zoe@example.org", "INBOX", "Bob@example.org", "write")
    assert (made["folder"], made["who"], made["rights"]) == ("INBOX", "bob@example.org", "lrswite")
    assert shell.json("access", "set", "zoe@example.org", "Drafts", "anyone", "lrd")["rights"] == "lrxte"
    assert shell.json("access", "set", "zoe@example.org", "INBOX", "-anonymous", "r")["who"] == "-anonymous"
    assert shell.json("access", "list", "zoe@example.org") == [
        {"folder": "Drafts", "who": "anyone", "rights": "lrxte"},
        {"folder": "INBOX", "who": "-anonymous", "rights": "r"},
        {"folder": "INBOX", "who": "bob@example.org", "rights": "lrswite"},
    ]
    shell("access", "remove", "zoe@example.org", "INBOX", "-anonymous")
    assert [row["who"] for row in shell.json("access", "list", "zoe@example.org", "INBOX")] == [
        "bob@example.org"
    ]


def test_a_group_becomes_private(shell: Shell) -> None:
    shell("group", "add", "local.test")
    shell("access", "set", "news", "local.test", "bob@example.org", "post")
    [row] = shell.json("access", "list", "news", "local.test")
    assert row == {"folder": "local.test", "who": "bob@example.org", "rights": "lrsp"}


def test_what_cannot_be_is_refused(shell: Shell) -> None:
    before = shell.json("access", "list", "zoe@example.org")
    shell("access", "set", "zoe@example.org", "INBOX", "nobody@example.org", "lr", code=1)
    shell("access", "set", "zoe@example.org", "INBOX", "bob@example.org", "lZ", code=2)
    shell("access", "set", "zoe@example.org", "INBOX", "zoe@example.org", "lr", code=1)
    shell("access", "set", "zoe@example.org", "Nowhere", "bob@example.org", "lr", code=1)
    shell("access", "list", "nobody@example.org", code=1)
    assert shell.json("access", "list", "zoe@example.org") == before
