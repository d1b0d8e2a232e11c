"""`expire`, `undelete`, `hold` on a real store."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from quintet.admin.cli import accounts
from quintet.admin.demo.furnish import furnish
from quintet.config import root
from quintet.store import emptying, jobs
from quintet.store.db import Tx
from quintet.store.model import AccountId
from quintet.store.store import Store
from tests.support.server import configured, write_config
from tests.support.shell import Shell

RULES = """
[[expire]]
groups = ["*"]
max_articles = 1

[[retention]]
folders = ["INBOX"]
max_messages = 10
keep_flagged = false
undelete = 7
"""


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A store with the demo letters and rules."""
    monkeypatch.delenv("QUINTET_CONFIG", raising=False)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    write_config(here, configured(here))
    with (here / "quintet.toml").open("a") as file:
        file.write(RULES)
    config = root.from_file(here / "quintet.toml")

    async def fill() -> None:
        store = await Store.open(config.store)
        await furnish(store, config.auth)
        await store.close()

    asyncio.run(fill())
    return Shell(here, capsys)


def test_dry_run_tells_what_expire_then_does(shell: Shell) -> None:
    planned = shell.json("expire", "--dry-run")
    assert planned["dry_run"] is True
    assert {(line["account"], line["folder"]) for line in planned["folders"]} >= {
        ("alice@example.org", "INBOX")
    }
    assert any(line["account"] == "news" for line in planned["folders"])
    assert planned["messages"] == sum(line["messages"] for line in planned["folders"]) > 0
    assert f"{planned['messages']} messages" in shell("expire", "-n")
    done = shell.json("expire")
    assert (done["folders"], done["messages"]) == (planned["folders"], planned["messages"])
    assert shell("expire") == "nothing to expire\n"
    assert shell("check") == "sound: every invariant holds\n"


def test_what_was_expunged_comes_back(shell: Shell) -> None:
    shell("expire")
    listed = shell.json("undelete", "alice@example.org", "--list")
    assert listed
    assert all(row["folder"] == "INBOX" and row["subject"] for row in listed)
    assert shell.json("undelete", "alice@example.org", "--list", "--folder", "Sent") == []
    assert f"{len(listed)} messages restored" in shell("undelete", "alice@example.org", "--to", "Back")
    folders = shell.json("account", "show", "alice@example.org")
    assert "Back" in str(folders)
    assert shell("undelete", "alice@example.org", "-l") == "nothing can be had back\n"
    shell("undelete", "nobody@example.org", code=1)


def test_on_hold_nothing_goes_and_the_account_cannot_be_removed(shell: Shell) -> None:
    assert "on hold" in shell("hold", "add", "alice@example.org", "--reason", "case 7")
    shell("hold", "add", "news", "--folder", "demo.no.such", code=1)
    assert "alice@example.org" not in {line["account"] for line in shell.json("expire")["folders"]}
    [row] = shell.json("hold", "list")
    assert (row["account"], row["folder"], row["reason"], row["kept"]) == (
        "alice@example.org",
        "",
        "case 7",
        0,
    )
    shell("account", "remove", "alice@example.org", "--yes", code=1)
    assert "hold" in shell.err
    assert "ended" in shell("hold", "remove", "alice@example.org")
    shell("hold", "remove", "alice@example.org", code=1)
    assert shell("hold", "list") == "nothing is on hold\n"


def test_two_do_not_expire_at_once(shell: Shell) -> None:
    config = root.from_file(shell.folder / "quintet.toml")

    async def lease() -> None:
        store = await Store.open(config.store)
        await store.write(jobs.lease, "expire", "a server", store.clock.now() + 600_000)
        await store.close()

    asyncio.run(lease())
    shell("expire", code=4)
    assert "the server is expiring just now" in shell.err
    assert shell.json("expire", "--dry-run")["messages"] > 0


def test_an_account_goes_in_slices_with_what_could_be_had_back(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell("expire")
    assert shell.json("undelete", "alice@example.org", "--list")
    monkeypatch.setattr(accounts, "WHOLE", 3)
    step, taken = emptying.strip, list[int]()

    def stepping(tx: Tx, account_id: AccountId, limit: int) -> int:
        taken.append(step(tx, account_id, limit))
        return taken[-1]

    monkeypatch.setattr(emptying, "strip", stepping)
    (had,) = [row["messages"] for row in shell.json("account", "list") if row["name"] == "alice@example.org"]
    gone = shell.json("account", "remove", "alice@example.org", "--yes")
    assert gone["messages"] == had > 3
    assert max(taken) == 3
    assert sum(taken) >= 2 * had, "those that were there can no longer be had back either"
    assert shell("check") == "sound: every invariant holds\n"
