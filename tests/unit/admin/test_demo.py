"""The demo content: complete, readable, and put in once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from quintet.admin import cli
from quintet.admin.demo import articles, letters
from quintet.admin.demo.furnish import ACCOUNTS, furnish
from quintet.admin.demo.item import Item
from quintet.config.auth import Auth
from quintet.config.listeners import STANDARD
from quintet.config.store import Store as StoreConfig
from quintet.message.scan import scan
from quintet.store import accounts, entries, folders, groups
from quintet.store.store import Store
from tests.support import ports

ITEMS = (*letters.LETTERS, *articles.ARTICLES)
NOW = 1_767_600_000_000


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(StoreConfig(data=str(tmp_path)))
    yield store
    await store.close()


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.key)
def test_every_item_is_well_formed_mail(item: Item) -> None:
    octets = item.octets(NOW)
    parsed = message_from_bytes(octets, policy=policy.default)
    assert not parsed.defects
    assert parsed["Subject"] == item.subject
    assert scan(octets).header("message-id") == item.message_id.encode()
    assert all(len(line) <= 998 for line in octets.split(b"\r\n"))


def test_keys_are_unique_and_answers_exist() -> None:
    keys = [item.key for item in ITEMS]
    assert len(keys) == len(set(keys)) >= 36
    assert all(key in keys for item in ITEMS for key in item.answers)


async def test_furnishing_twice_adds_nothing(store: Store) -> None:
    assert await furnish(store, Auth()) == len(ITEMS)
    assert await furnish(store, Auth()) == 0


async def test_what_a_user_deleted_does_not_come_back(store: Store) -> None:
    await furnish(store, Auth())
    account = store.peek(accounts.find, ACCOUNTS[0][0])
    assert account is not None
    inbox = store.peek(folders.find, account.id, "INBOX")
    assert inbox is not None
    before = inbox.messages
    uid = store.peek(entries.uids, inbox.id)[0]
    await store.write(entries.move, inbox.id, [uid], store.peek(folders.find, account.id, "Trash").id)
    await furnish(store, Auth())
    assert store.peek(folders.get, inbox.id).messages == before - 1


async def test_the_cross_post_is_one_message_in_two_groups(store: Store) -> None:
    await furnish(store, Auth())
    found = store.peek(entries.by_message_id, None, "<crosspost@demo.example.org>")
    assert len({entry.message_id for entry in found}) == 1
    names = {store.peek(groups.get, entry.folder_id).name for entry in found}
    assert names == {"comp.lang.python", "local.test"}


def test_a_configuration_that_somebody_changed_is_kept(tmp_path: Path) -> None:
    """What `quintet demo` wrote is written anew, with this version's options; what a person wrote is not."""
    path = tmp_path / "quintet.toml"
    heard: list[str] = []

    def serve(path: Path, workers: int | None, banner: str) -> None:
        heard.append(banner)

    def run(*options: str) -> None:
        heard.clear()
        assert cli.run(["demo", "--data", str(tmp_path), *options], serve) == 0

    wanted = {base + each.port for base in (0, 100, 200) for each in STANDARD}
    with ports.kept_base(wanted) as base:
        run("--port-base", str(base))
        run("--port-base", str(base + 100))
        told = f"port = {base + 243}\n"
        assert told in path.read_text()
        assert "changed by hand" not in heard[0]
        mine = path.read_text().replace(told, f"port = {base + 244}  # mine\n")
        path.write_text(mine)
        run("--port-base", str(base + 200))
        assert path.read_text() == mine
        assert "changed by hand" in heard[0]
        assert f":{base + 125}" in heard[0]  # as the file says, not the option
        path.unlink()
        run("--port-base", str(base + 200))
        assert f"port = {base + 343}\n" in path.read_text()
