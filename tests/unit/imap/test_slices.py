"""Commands over many messages work in slices; what the client hears is what one transaction would give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quintet.errors import Reason, TryLater
from quintet.imap import updates
from quintet.imap.cmd import copy, expunge, resync, store
from quintet.net.memory import Talk
from quintet.store import entries
from tests.unit.imap.world import World, open_world


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, size in (
        (copy, "WHOLE", 4), (copy, "SLICE", 3), (expunge, "SLICE", 3), (expunge, "FEW", 0),
        (updates, "PAGE", 4), (store, "PAGE", 3), (resync, "GONE", 3), (resync, "RANGES", 2),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, size)


async def talk_to(world: World, *, qresync: bool = False) -> Talk:
    talk = Talk(world.service)
    await talk.begin()
    await ask(talk, "LOGIN alice@example.org demo")
    await ask(talk, "ENABLE IMAP4rev2" + (" QRESYNC" if qresync else ""))
    await ask(talk, "SELECT INBOX")
    return talk


async def ask(talk: Talk, command: str) -> list[str]:
    talk.take()
    await talk.send(b"t " + command.encode() + b"\r\n")
    return talk.take().decode().removesuffix("\r\n").split("\r\n")


def uids(world: World, name: str) -> list[int]:
    return list(world.store.peek(entries.uids, world.folder(name).id))


async def test_expunge_goes_in_slices_from_the_highest_number_of_each(tmp_path: Path) -> None:
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await world.fill("INBOX", 9)
        talk = await talk_to(world)
        await ask(talk, "STORE 1:4,6:9 +FLAGS.SILENT (\\Deleted)")
        told = await ask(talk, "EXPUNGE")
        # of 1:9 the slices 1:3, 4 6 7, 8 9
        assert [line.split()[1] for line in told[:-1]] == ["3", "2", "1", "4", "3", "1", "3", "2"]
        assert uids(world, "INBOX") == [5]
        await talk.end()


async def test_uid_expunge_and_close_go_in_slices(tmp_path: Path) -> None:
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await world.fill("INBOX", 12)
        talk = await talk_to(world, qresync=True)
        await ask(talk, "STORE 1:* +FLAGS.SILENT (\\Deleted)")
        told = await ask(talk, "UID EXPUNGE 2:5,7,9")
        assert told[:-1] == ["* VANISHED 2:4", "* VANISHED 5,7,9"]
        assert told[-1].startswith("t OK [HIGHESTMODSEQ ")
        assert (await ask(talk, "CLOSE"))[-1] == "t OK Closed"
        assert uids(world, "INBOX") == []
        await talk.end()


async def test_move_tells_each_slice_where_it_went_before_it_is_gone(tmp_path: Path) -> None:
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await world.fill("INBOX", 7)
        talk = await talk_to(world, qresync=True)
        validity = world.folder("Trash").uid_validity
        told = await ask(talk, "MOVE 1:2,4:7 Trash")
        assert told[:4] == [
            f"* OK [COPYUID {validity} 1:2 1:2] Moved", "* VANISHED 1:2",
            f"* OK [COPYUID {validity} 4:6 3:5] Moved", "* VANISHED 4:6",
        ]  # fmt: skip
        assert uids(world, "INBOX") == [3]
        assert len(uids(world, "Trash")) == 6
        await talk.end()


async def test_copy_of_many_is_one_answer_and_is_undone_when_a_slice_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await world.fill("INBOX", 8)
        talk = await talk_to(world)
        validity = world.folder("Trash").uid_validity
        assert await ask(talk, "COPY 1:8 Trash") == [f"t OK [COPYUID {validity} 1:8 1:8] Done"]
        whole, calls = copy._transfer, 0

        def failing(*args: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 3:
                raise TryLater(Reason.OVER_QUOTA)
            return whole(*args)

        monkeypatch.setattr(copy, "_transfer", failing)
        assert (await ask(talk, "COPY 1:8 Trash"))[0].startswith("t NO [OVERQUOTA]")
        assert uids(world, "Trash") == list(range(1, 9)), "the target is as before"
        await talk.end()


async def test_arrivals_are_told_even_when_they_were_flagged_since(tmp_path: Path) -> None:
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await world.fill("INBOX", 2)
        talk = await talk_to(world)
        await world.fill("INBOX", 10)
        for uid in (3, 4, 1):
            await world.do(f"flag INBOX {uid} \\Seen")
        await world.do("expunge INBOX 2,5")
        told = await ask(talk, "NOOP")
        assert [line for line in told if "EXPUNGE" in line] == ["* 2 EXPUNGE"], "5 came and went"
        assert [line for line in told if "EXISTS" in line][-1] in ("* 10 EXISTS", "* 11 EXISTS")
        assert "* 1 FETCH (UID 1 FLAGS (\\Seen))" in told
        assert await ask(talk, "UID SEARCH ALL") == ['* ESEARCH (TAG "t") UID ALL 1,3:4,6:12', "t OK Done"]
        await talk.end()


async def test_what_vanished_is_told_page_by_page(tmp_path: Path) -> None:
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await world.fill("INBOX", 20)
        before = world.folder("INBOX")
        for uid in range(2, 20, 2):
            await world.do(f"expunge INBOX {uid}")
        talk = await talk_to(world, qresync=True)
        wanted = [f"* VANISHED (EARLIER) {text}" for text in ("2,4", "6", "8,10", "12", "14,16", "18")]
        for _ in range(2):
            told = await ask(talk, f"SELECT INBOX (QRESYNC ({before.uid_validity} {before.highest_modseq}))")
            assert [line for line in told if "VANISHED" in line] == wanted
            await world.do("forget INBOX")  # the second time by what is absent
            wanted = [f"* VANISHED (EARLIER) {text}" for text in ("2,4", "6,8", "10,12", "14,16", "18")]
        await talk.end()
