"""`check`, `backup`, `restore`, `reindex`, `import`, `export`, `trace` on a real store."""

from __future__ import annotations

import asyncio
from pathlib import Path

import apsw
import pytest

from quintet.admin.demo.furnish import furnish
from quintet.config import root
from quintet.store import trace
from quintet.store.store import Store
from tests.support.server import configured, write_config
from tests.support.shell import Shell


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A store with the demo letters."""
    monkeypatch.delenv("QUINTET_CONFIG", raising=False)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    write_config(here, configured(here))
    config = root.from_file(here / "quintet.toml")

    async def fill() -> None:
        store = await Store.open(config.store)
        await furnish(store, config.auth)
        await store.write(
            trace.add, 1, "c1", "accepted", None, "<welcome@demo.example.org>", {"client": "::1"}
        )
        await store.close()

    asyncio.run(fill())
    return Shell(here, capsys)


def database(shell: Shell) -> apsw.Connection:
    return apsw.Connection(str(root.from_file(shell.folder / "quintet.toml").data / "quintet.db"))


def test_a_sound_store_is_said_to_be_sound(shell: Shell) -> None:
    assert shell("check") == "sound: every invariant holds\n"
    assert shell.json("check", "--all") == {"sound": True, "broken": []}


def test_a_broken_store_is_named_by_number_and_ends_with_one(shell: Shell) -> None:
    database(shell).execute("UPDATE folder SET messages = messages + 1 WHERE name = 'INBOX'")
    broken = shell.json("check", code=1)["broken"]
    assert broken
    assert all(line.split(":")[0].isdigit() for line in broken)


def test_backup_restore_and_what_was_in_it(shell: Shell, tmp_path: Path) -> None:
    copy, there = tmp_path / "copy", tmp_path / "there"
    assert "backed up to" in shell("backup", str(copy))
    assert (copy / "quintet.toml").exists()
    there.mkdir()
    write_config(there, configured(there))
    assert "restored to" in shell("restore", str(copy), folder=there)
    assert shell("check", "--all", folder=there) == "sound: every invariant holds\n"
    assert shell.json("account", "list", folder=there) == shell.json("account", "list")
    shell("restore", str(copy), folder=there, code=1)
    assert "holds data already" in shell.err


def test_a_second_backup_does_not_overwrite_the_first(shell: Shell, tmp_path: Path) -> None:
    shell("backup", str(tmp_path / "copy"))
    shell("backup", str(tmp_path / "copy"), code=1)
    assert "Name an empty directory" in shell.err


def test_a_damaged_backup_is_not_restored(shell: Shell, tmp_path: Path) -> None:
    copy, there = tmp_path / "copy", tmp_path / "there"
    shell("backup", str(copy))
    apsw.Connection(str(copy / "quintet.db")).execute("UPDATE folder SET uid_next = 1 WHERE name = 'INBOX'")
    there.mkdir()
    write_config(there, configured(there))
    shell("restore", str(copy), folder=there, code=4)
    assert "restoring failed" in shell.err
    assert not (root.from_file(there / "quintet.toml").data / "quintet.db").exists()


def test_reindex_derives_everything_anew(shell: Shell) -> None:
    done = shell.json("reindex")
    assert done["digests"] == done["search"] == 42
    assert shell("check") == "sound: every invariant holds\n"
    shell("reindex", "nonsense", code=2)


def test_export_and_import_again(shell: Shell, tmp_path: Path) -> None:
    written = shell.json("export", "mbox", str(tmp_path / "out"), "-a", "alice@example.org")["written"]
    assert written == 21
    shell("account", "add", "zoe@example.org", "--password", "pw")
    inbox = str(tmp_path / "out" / "INBOX.mbox")
    assert shell("import", "mbox", inbox, "-a", "zoe@example.org") == "15 added, 0 already there\n"
    assert shell("import", "mbox", inbox, "-a", "zoe@example.org") == "0 added, 15 already there\n"
    shell("export", "maildir", str(tmp_path / "Maildir"), "-a", "zoe@example.org")
    assert shell.json("import", "maildir", str(tmp_path / "Maildir"), "-a", "bob@example.org")["added"] == 15
    assert shell("check") == "sound: every invariant holds\n"


def test_import_for_nobody_says_what_to_do(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(b"Subject: x\n\n")
    shell("import", "eml", str(tmp_path / "a.eml"), "-a", "nobody@example.org", code=1)
    assert "quintet account list" in shell.err


def test_trace_follows_a_message_by_id_or_place(shell: Shell) -> None:
    [row] = shell.json("trace", "welcome@demo.example.org")
    assert (row["event"], row["conn"], row["detail"]) == ("accepted", "c1", {"client": "::1"})
    inbox = database(shell).execute(
        "SELECT e.uid FROM entry e JOIN message m ON m.id = e.message_id WHERE m.message_id = ?",
        ("<welcome@demo.example.org>",),
    )
    [(uid,)] = inbox.fetchall()
    assert shell.json("trace", f"INBOX:{uid}", "-a", "alice@example.org") == [row]
    assert shell.json("trace", "news:welcome@demo.example.org") == [row]
    assert shell.json("trace", "news://anywhere.example/welcome%40demo.example.org") == [row]
    assert shell.json("trace")[-1] == row
    shell("trace", "unknown@example.org", code=1)
    assert "nothing is known" in shell.err
