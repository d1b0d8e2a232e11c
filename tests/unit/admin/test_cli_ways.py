"""Forwards, others' names, and mailing lists by command."""

import io
import sys
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
    return made


def test_an_account_forwards_and_stops(shell: Shell) -> None:
    assert shell.json("account", "forward", "zoe@example.org", "a@b.example", "c@d.example") == {
        "account": "zoe@example.org",
        "forward": ["a@b.example", "c@d.example"],
        "keeps_a_copy": True,
    }
    assert (
        shell.json("account", "forward", "zoe@example.org", "a@b.example", "--only")["keeps_a_copy"] is False
    )
    assert shell.json("account", "show", "zoe@example.org")["forward"] == ["a@b.example"]
    assert shell.json("account", "forward", "zoe@example.org", "--off") == {
        "account": "zoe@example.org",
        "forward": [],
        "keeps_a_copy": True,
    }
    shell("account", "forward", "zoe@example.org", "nowhere", code=2)
    shell("account", "forward", "nobody@example.org", "a@b.example", code=1)


def test_others_names_are_granted_and_taken_back(shell: Shell) -> None:
    shell("account", "send-as", "zoe@example.org", "sales@example.org")
    assert shell.json("account", "send-as", "zoe@example.org", "@Example.net")["may_send_as"] == [
        "@example.net",
        "sales@example.org",
    ]
    assert shell.json("account", "send-as", "zoe@example.org", "@example.net", "--remove")["may_send_as"] == [
        "sales@example.org"
    ]
    shell("account", "send-as", "zoe@example.org", "@example.net", "--remove", code=1)
    shell("account", "send-as", "zoe@example.org", "nothing", code=1)


def test_a_list_from_making_to_removing(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    made = shell.json("list", "add", "Talk@example.org", "--owner", "zoe@example.org", "--tag", "talk")
    assert (made["list"], made["owners"], made["post"]) == (
        "talk@example.org",
        ["zoe@example.org"],
        "members",
    )
    shell("list", "add", "talk@example.org", "--owner", "zoe@example.org", code=1)
    shell("list", "add", "other@example.org", "--owner", "zoe", code=1)
    shell("list", "add", "other@elsewhere.example", "--owner", "zoe@example.org", code=1)
    assert shell("list", "subscribe", "talk@example.org", "a@b.example", "c@d.example") == (
        "2 added to talk@example.org\n"
    )
    monkeypatch.setattr(sys, "stdin", io.StringIO("# from elsewhere\nm1@x.example\n\nm2@x.example\n"))
    assert shell("list", "subscribe", "talk@example.org", "-") == "2 added to talk@example.org\n"
    assert shell.json("list", "unsubscribe", "talk@example.org", "m1@x.example", "m2@x.example")["taken"] == 2
    assert shell.json("list", "unsubscribe", "talk@example.org", "a@b.example", "--pause")["taken"] == 1
    shown = shell.json("list", "show", "talk@example.org")
    assert [(one["address"], one["state"]) for one in shown["members"]] == [
        ("a@b.example", "paused"),
        ("c@d.example", "active"),
    ]
    assert shell.json("list", "set", "talk@example.org", "--reply-to", "list")["reply_to"] == "list"
    shell("list", "set", "talk@example.org", "--post", "nobody", code=1)
    shell("list", "set", "talk@example.org", "--reply-to", "me", code=2)
    shell("list", "decide", "talk@example.org", "7", code=1)
    assert [one["members"] for one in shell.json("list", "list")] == [1]
    assert "talk-request@example.org" in [one["address"] for one in shell.json("alias", "list")]
    assert shell("list", "remove", "talk@example.org", "--yes") == (
        "list talk@example.org removed, with 2 members\n"
    )
    assert shell("list", "list") == "no mailing lists yet\n"
    assert not [one for one in shell.json("alias", "list") if one["kind"] == "list"]
