"""Commands over many messages work in slices; what the client hears is what one transaction would give."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from quintet.errors import Reason, TryLater
from quintet.imap import updates
from quintet.imap.cmd import copy, expunge, mailboxes, resync, store
from quintet.net.memory import Talk
from quintet.store import emptying, entries, folders, keeping
from quintet.store.content import content_of
from tests.unit.imap.world import World, letter, open_world


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, size in (
        (copy, "WHOLE", 4), (copy, "SLICE", 3), (expunge, "SLICE", 3), (expunge, "FEW", 0),
        (updates, "PAGE", 4), (store, "PAGE", 3), (resync, "GONE", 3), (resync, "RANGES", 2),
        (mailboxes, "WHOLE", 3),
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


def at_call(monkeypatch: pytest.MonkeyPatch, name: str, number: int, act: Any) -> list[int]:
    """Has ``act(tx)`` run before that call of a step of `emptying`; the limits of all calls."""
    step, calls = getattr(emptying, name), list[int]()

    def stepping(tx: Any, *args: Any) -> Any:
        calls.append(args[-1])
        if len(calls) == number:
            act(tx)
        return step(tx, *args)

    monkeypatch.setattr(emptying, name, stepping)
    return calls


async def test_rename_of_a_large_inbox_goes_in_slices_and_what_comes_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 9051 6.3.6: all messages in INBOX at that time go to the new mailbox; INBOX is left."""
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await world.fill("INBOX", 10)
        await world.do("flag INBOX 2 \\Flagged work")
        inbox = world.folder("INBOX")
        content = content_of(letter(99))
        calls = at_call(
            monkeypatch, "pour", 2, lambda tx: entries.add(tx, [inbox.id], content, received_at=0)
        )
        talk, other = await talk_to(world), await talk_to(world, qresync=True)
        told = await ask(talk, "RENAME INBOX Old")
        assert told[-1] == "t OK Renamed"
        gone = [line for line in told if "EXPUNGE" in line]
        assert gone[:3] == ["* 3 EXPUNGE", "* 2 EXPUNGE", "* 1 EXPUNGE"]
        assert len(gone) == 10
        assert len(calls) > 3
        assert (uids(world, "INBOX"), uids(world, "Old")) == ([11], list(range(1, 11)))
        await world.check("Old uid 2 flags \\Flagged work")
        told = await ask(other, "NOOP")
        assert [line for line in told if "VANISHED" in line] == ["* VANISHED 1:10"]
        assert "* 1 EXISTS" in told or "* 11 EXISTS" in told
        assert await ask(other, "UID SEARCH ALL") == ['* ESEARCH (TAG "t") UID ALL 11', "t OK Done"]
        told = await ask(other, f"SELECT INBOX (QRESYNC ({inbox.uid_validity} {inbox.highest_modseq}))")
        vanished = [line.removeprefix("* VANISHED (EARLIER) ") for line in told if "VANISHED" in line]
        assert vanished == ["1:3", "4:6", "7:9", "10"]
        await talk.end()
        await other.end()


async def test_rename_of_a_large_inbox_ends_where_the_new_mailbox_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await world.fill("INBOX", 10)
        step, calls = mailboxes.Emptied._step, 0

        async def stepping(self: mailboxes.Emptied) -> int:
            nonlocal calls
            calls += 1
            if calls == 2:
                await world.store.write(folders.remove, world.folder("Old").id)
            return await step(self)

        monkeypatch.setattr(mailboxes.Emptied, "_step", stepping)
        talk = await talk_to(world)
        assert (await ask(talk, "RENAME INBOX Old"))[-1].startswith("t NO [NONEXISTENT] ")
        assert uids(world, "INBOX") == list(range(4, 11)), "what was not moved yet is where it was"
        await talk.end()


async def test_delete_of_a_large_mailbox_goes_in_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 9051 6.3.5; what can be had back can be had back as ever."""
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await world.store.write(keeping.set_window, 1_000_000)
        await world.given("folder big")
        await world.fill("big", 10)
        big = world.folder("big")
        content = content_of(letter(99))
        calls = at_call(monkeypatch, "drain", 3, lambda tx: entries.add(tx, [big.id], content, received_at=0))
        talk, other = await talk_to(world), await talk_to(world)
        await ask(other, "SELECT big")
        await ask(talk, "SELECT big")
        assert await ask(talk, "DELETE big") == [
            "* OK [CLOSED] The selected mailbox was deleted", "t OK Deleted"
        ]  # fmt: skip
        assert len(calls) > 4
        assert world.store.peek(folders.find, big.account_id, "big") is None
        assert len(world.store.peek(keeping.listing, big.account_id)) == 11
        assert (await ask(other, "NOOP"))[-1] == "* BYE [NONEXISTENT] The mailbox was deleted"
        await talk.end()
        await other.end()


@pytest.mark.parametrize("command", ["RENAME INBOX Old", "DELETE big"])
async def test_who_goes_away_has_asked_for_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await world.given("folder big")
        await world.fill("big", 10)
        await world.fill("INBOX", 10)
        talk = await talk_to(world)
        gone = asyncio.Event()
        loop = asyncio.get_running_loop()
        step = "pour" if "INBOX" in command else "drain"
        calls = at_call(monkeypatch, step, 2, lambda _: loop.call_soon_threadsafe(gone.set))
        talk.stream.take(b"t " + command.encode() + b"\r\n")
        async with asyncio.timeout(30):
            await gone.wait()
        await talk.end()
        await world.service.close()
        assert len(calls) >= 4
        if step == "pour":
            assert (uids(world, "INBOX"), uids(world, "Old")) == ([], list(range(1, 11)))
        else:
            account = world.folder("INBOX").account_id
            assert world.store.peek(folders.find, account, "big") is None
