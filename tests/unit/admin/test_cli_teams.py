"""`quintet team`, and rights that are given to one."""

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
    for name in ("zoe", "yan"):
        made("account", "add", f"{name}@example.org", "--password", "pw")
    return made


def test_a_shared_account_has_folders_and_no_password(shell: Shell) -> None:
    shell("account", "add", "office@example.org", "--shared", "--password", "pw", code=2)
    assert shell.json("account", "add", "office@example.org", "--shared")["account"] == "office@example.org"
    shown = shell.json("account", "show", "office@example.org")
    assert (shown["kind"], shown["credentials"]) == ("shared", [])
    shell("access", "set", "office@example.org", "INBOX", "zoe@example.org", "lrp")
    assert shell.json("account", "show", "zoe@example.org")["kind"] == "person"


def test_a_team_from_making_to_removing(shell: Shell) -> None:
    assert shell.json("team", "add", "Sales", "--description", "who sells") == {
        "done": "team sales made",
        "team": "sales",
        "members": [],
        "description": "who sells",
    }
    shell("team", "add", "sales", code=1)
    both = ["yan@example.org", "zoe@example.org"]
    assert shell.json("team", "join", "sales", *both)["members"] == both
    assert shell.json("account", "show", "zoe@example.org")["teams"] == ["sales"]
    assert shell.json("team", "list") == [{"team": "sales", "members": both, "description": "who sells"}]
    shell("access", "set", "yan@example.org", "INBOX", "$sales", "read")
    shell("access", "set", "yan@example.org", "INBOX", "$others", "read", code=1)
    assert shell.json("access", "list", "yan@example.org") == [
        {"folder": "INBOX", "who": "$sales", "rights": "lrs"}
    ]
    assert shell.json("team", "leave", "sales", "yan@example.org")["members"] == ["zoe@example.org"]
    shell("team", "leave", "sales", "yan@example.org", code=1)
    shell("team", "join", "sales", "nobody@example.org", code=1)
    shell("team", "remove", "sales")
    assert shell.json("access", "list", "yan@example.org") == []
    shell("team", "remove", "sales", code=1)
