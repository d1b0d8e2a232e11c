"""INN's files: read, written, brought over, stopped in the middle, and back."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.admin.transfer import inn, inn_dump, inn_load
from quintet.store import articles, entries, groups, history, remembering
from quintet.store.store import Store
from tests.support.stores import expect_sound, open_store, store

__all__ = ["store"]

NOW_S = 1_763_715_600


def article(number: int, names: list[str], places: str, *, size: int = 10, expires: str = "") -> bytes:
    ends = f"Expires: {expires}\r\n" if expires else ""
    return (
        f"Path: old.example!not-for-mail\r\nFrom: a@example.org\r\nNewsgroups: {','.join(names)}\r\n"
        f"Subject: s{number}\r\nDate: Fri, 21 Nov 2025 08:00:00 +0000\r\n"
        f"Message-ID: <{number}@Old.Example>\r\n"
        f"{ends}Xref: old.example {places}\r\n\r\n.dot\r\n".encode()
        + b"x" * size + b"\r\n"
    )  # fmt: skip


class Inn:
    """A pathdb and a pathspool."""

    def __init__(self, folder: Path) -> None:
        self.db, self.spool = folder / "db", folder / "spool"
        self.db.mkdir(parents=True)
        (self.spool / "articles").mkdir(parents=True)
        self.numbers = {"misc.a": 7, "misc.b": 8, "misc.empty": 9, "misc.mod": 10}
        (self.db / "active").write_text(
            "misc.a 0000000005 0000000001 y\nmisc.b 0000000012 0000000003 y\n"
            "misc.empty 0000000020 0000000021 n\nmisc.mod 0000000000 0000000001 m\n"
        )
        (self.db / "newsgroups").write_text("misc.a\t\tAbout a\nmisc.mod\tModerated (Moderated)\n")
        (self.db / "active.times").write_text("misc.a 1000000000 boss@old.example\n")
        (self.spool / "tradspool.map").write_text(
            "".join(f"{name.replace('.', '/')} {at}\n" for name, at in self.numbers.items())
        )
        self.lines: list[str] = []

    def add(self, number: int, places: dict[str, int], arrived: int = NOW_S, **more: object) -> None:
        names = list(places)
        xref = " ".join(f"{name}:{uid}" for name, uid in places.items())
        data = inn.write_article(article(number, names, xref, **more))  # type: ignore[arg-type]
        paths = [inn.file_of(self.spool / "articles", name, uid) for name, uid in places.items()]
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
        paths[0].write_bytes(data)
        for path in paths[1:]:
            os.link(paths[0], path)
        token = inn.token_of(self.numbers[names[0]], places[names[0]])
        self.lines.append(inn.history_line(inn.hashed(f"<{number}@Old.Example>"), arrived, token))
        self.write()

    def write(self) -> None:
        (self.db / "history").write_text("".join(self.lines))


@pytest.fixture
def old(tmp_path: Path) -> Inn:
    made = Inn(tmp_path / "inn")
    made.add(1, {"misc.a": 2, "misc.b": 3}, NOW_S - 500)
    made.add(2, {"misc.b": 7}, NOW_S - 400, expires="Fri, 28 Nov 2025 08:00:00 +0000")
    made.lines.append("[00112233445566778899AABBCCDDEEFF]\t1763715300~-~1763715300\n")
    made.lines.append("no line of history\n")
    made.add(3, {"misc.a": 5}, NOW_S - 300, size=100_000)
    return made


def numbers(store: Store, name: str) -> list[int]:
    folder = store.peek(groups.find, name)
    assert folder is not None
    return store.peek(entries.uids, folder.id).tolist()


async def test_what_has_gone_from_one_of_its_groups_does_not_come_back_there(store: Store, old: Inn) -> None:
    """RFC 3977 6.1.1.2: the low mark must not fall.  INN leaves place and link."""
    old.add(4, {"misc.b": 12, "misc.empty": 20})
    old.add(5, {"misc.b": 2, "misc.a": 4})  # its file lies where active says that nothing is: it is not lost
    result = await inn_load.load(store, old.db, old.spool)
    assert (result.added, result.failures) == (5, 0)
    empty = store.peek(groups.find, "misc.empty")
    assert empty is not None
    assert (empty.low, empty.high, numbers(store, "misc.empty")) == (21, 20, [])
    assert numbers(store, "misc.b") == [2, 3, 7, 12]
    assert numbers(store, "misc.a") == [2, 4, 5]


async def test_ids_of_articles_that_are_gone_are_refused_by_their_hashes(store: Store, old: Inn) -> None:
    """INN has only their MD5.  What was seen must not come again (RFC 5537 3.4)."""
    hashed = inn.hashed("<gone@old.example>")
    old.lines.append(f"[{hashed}]\t1763715310~-~1763715300\n")
    old.lines.append("[0123]\t1763715310~-~1763715300\n")
    old.write()
    result = await inn_load.load(store, old.db, old.spool)
    assert (result.hashes, result.failures, result.failed) == (2, 1, ["[0123]: not a hash of a Message-ID"])
    assert store.known_many(["<gone@old.example>", "<new@old.example>"]) == {"<gone@old.example>"}
    assert store.known.is_partial
    await remembering.whole(store)
    assert store.known.is_partial
    again = await inn_load.load(store, old.db, old.spool)
    assert (again.hashes, again.added) == (0, 0)
    written = await inn_dump.dump(store, old.db.parent / "out")
    assert written.ids == 2
    assert hashed in (old.db.parent / "out" / "db" / "history").read_text()
    assert await store.write(history.sweep, 1763715310 * 1000 + 1) == 2
    await remembering.whole(store)
    assert not store.known.is_partial
    assert not store.peek(history.known, "<gone@old.example>")


async def test_ids_that_are_gone_are_known_with_capitals_behind_their_at(store: Store, old: Inn) -> None:
    """INN hashes what follows the "@" in small letters: RFC 5536 3.1.3 tells ids apart by them."""
    old.lines.append(f"[{inn.hashed('<Gone@Old.Example>')}]\t1763715310~-~1763715300\n")
    old.write()
    await inn_load.load(store, old.db, old.spool)
    asked = ["<Gone@Old.Example>", "<Gone@OLD.example>", "<gone@Old.Example>", "<new@Old.Example>"]
    assert store.known_many(asked) == set(asked[:2])
    assert store.peek(history.known, asked[0])
    assert not store.peek(history.known, asked[2])
    assert await store.write(lambda tx: tx.perhaps_known(asked)) == asked
    assert await store.write(history.among, asked) == set(asked[:2])
    assert await store.write(history.add, asked[0], None, 5) is False
    assert await store.write(history.add, "<1@OLD.example>", None, 5), "whose text is here is another one"


async def test_numbers_arrival_and_groups_stay(store: Store, old: Inn) -> None:
    result = await inn_load.load(store, old.db, old.spool)
    assert (result.groups, result.added, result.hashes, result.failures) == (4, 3, 1, 0)
    a, b = store.peek(groups.find, "misc.a"), store.peek(groups.find, "misc.b")
    empty, mod = store.peek(groups.find, "misc.empty"), store.peek(groups.find, "misc.mod")
    assert a is not None and b is not None and empty is not None and mod is not None
    assert (a.low, a.high, a.messages, a.description) == (2, 5, 2, "About a")
    assert (a.created_at, a.created_by) == (1_000_000_000_000, "boss@old.example")
    assert (b.low, b.high, numbers(store, "misc.b")) == (3, 12, [3, 7])
    assert (empty.low, empty.high, empty.status) == (21, 20, "n")
    assert (mod.status, mod.high) == ("m", 0)
    found = store.peek(articles.article, a.id, 2)
    assert found is not None
    text = store.read_body(found.body)
    assert text.startswith(b"Path: old.example!not-for-mail\r\nXref: old.example misc.a:2 misc.b:3\r\n")
    assert b"\r\n\r\n.dot\r\n" in text
    assert store.peek(entries.listing, a.id)[0].received_at == (NOW_S - 500) * 1000
    assert store.peek(history.find, "<3@Old.Example>") is not None
    row = store.peek(history.find, "<2@Old.Example>")
    assert store.peek(lambda tx: tx.value("SELECT message_row FROM article_end")) == row
    assert store.known_many(["<1@Old.Example>"]) == {"<1@Old.Example>"}


async def test_again_brings_only_what_is_new(store: Store, old: Inn) -> None:
    await inn_load.load(store, old.db, old.spool)
    old.add(9, {"misc.b": 13})
    result = await inn_load.load(store, old.db, old.spool)
    assert (result.added, result.present) == (1, 0)
    assert numbers(store, "misc.b") == [3, 7, 13]


async def test_stopped_anywhere_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inn_load, "AT_ONCE", 3)
    old = Inn(tmp_path / "inn")
    rng = random.Random(7)
    for number in range(1, 31):
        places = {"misc.a": number} if rng.random() < 0.5 else {"misc.b": number, "misc.a": 100 + number}
        old.add(number, places, NOW_S - 1000 + number)
    inn.file_of(old.spool / "articles", "misc.mod", 4).parent.mkdir(parents=True)
    path = inn.file_of(old.spool / "articles", "misc.mod", 4)
    path.write_bytes(article(99, ["misc.mod"], "misc.mod:4").replace(b"\r\n", b"\n"))  # not in history

    class Stop(Exception):
        pass

    async with open_store(tmp_path / "data") as store:
        write = store.write
        for budget in (1, 2, 3, 4, 3):
            left = budget

            async def some(fn: Any, *args: Any, **kwargs: Any) -> Any:  # Any: whatever is written
                nonlocal left
                left -= 1
                if left < 0:
                    raise Stop
                return await write(fn, *args, **kwargs)

            monkeypatch.setattr(store, "write", some)
            with pytest.raises(Stop):
                await inn_load.load(store, old.db, old.spool)
            expect_sound(store)
        monkeypatch.setattr(store, "write", write)
        await inn_load.load(store, old.db, old.spool)
        assert store.peek(history.count) == 31
        assert numbers(store, "misc.mod") == [4]
        assert len(numbers(store, "misc.a")) == 30


async def test_there_and_back(store: Store, old: Inn, tmp_path: Path) -> None:
    await inn_load.load(store, old.db, old.spool)
    result = await inn_dump.dump(store, tmp_path / "out")
    assert (result.groups, result.articles, result.ids) == (4, 3, 1)
    back = tmp_path / "out"
    assert sorted((back / "db/active").read_text().splitlines()) == [
        "control 0000000000 0000000001 n",  # innd does not start without them
        "junk 0000000000 0000000001 n",
        "misc.a 0000000005 0000000002 y",
        "misc.b 0000000012 0000000003 y",
        "misc.empty 0000000020 0000000021 n",
        "misc.mod 0000000000 0000000001 m",
    ]
    assert "misc.a\tAbout a\n" in (back / "db/newsgroups").read_text()
    assert "misc.a 1000000000 boss@old.example\n" in (back / "db/active.times").read_text()
    hashes = [line.split("\t")[0] for line in old.lines if line.startswith("[")]
    assert [line.split("\t")[0] for line in (back / "db/history").read_text().splitlines()] == hashes
    one, two = back / "spool/articles/misc/a/2", back / "spool/articles/misc/b/3"
    assert one.stat().st_ino == two.stat().st_ino
    async with open_store(tmp_path / "third") as third:
        again = await inn_load.load(third, back / "db", back / "spool")
        assert (again.added, again.hashes, again.failures) == (3, 1, 0)
        for name in ("misc.a", "misc.b"):
            assert numbers(third, name) == numbers(store, name)
            there, here = store.peek(groups.find, name), third.peek(groups.find, name)
            assert there is not None and here is not None
            for uid in numbers(store, name):
                bodies = [
                    source.read_body(source.peek(entries.bodies, folder.id, [uid])[uid])  # type: ignore[index]
                    for source, folder in ((store, there), (third, here))
                ]
                assert bodies[0] == bodies[1]


async def test_export_goes_on_where_it_stopped(
    store: Store, old: Inn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await inn_load.load(store, old.db, old.spool)
    monkeypatch.setattr(inn_dump, "PAGE", 1)
    told = 0

    def step(count: int) -> None:
        nonlocal told
        told += count
        if told == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await inn_dump.dump(store, tmp_path / "out", step)
    result = await inn_dump.dump(store, tmp_path / "out")
    assert result.articles == 2
    assert len((tmp_path / "out/db/history").read_text().splitlines()) == 4
    assert not (tmp_path / "out/db/history.state").exists()


async def test_groups_with_articles_of_their_own_are_not_touched(store: Store, old: Inn) -> None:
    from quintet.store.content import content_of

    mine = await store.write(groups.create, "misc.b")
    await store.write(
        groups.file, [mine.id], content_of(article(50, ["misc.b"], "")), path=b"x", host="x", received_at=1
    )
    with pytest.raises(inn_load.HasArticles, match=r"misc\.b"):
        await inn_load.load(store, old.db, old.spool)
    assert store.peek(groups.find, "misc.a") is None


async def test_what_cannot_be_read_is_named_and_the_rest_comes(store: Store, old: Inn) -> None:
    inn.file_of(old.spool / "articles", "misc.b", 7).write_bytes(b"no article\r\n.\r\n")
    old.lines.append("[00]\t1763715300~-~1763715300\t@030154574F00000000000007CE3B000004BA@\n")
    old.write()
    result = await inn_load.load(store, old.db, old.spool)
    assert result.added == 2
    assert result.failures == 3  # the second one is met again in the walk over the spool
    assert any("not in tradspool" in text for text in result.failed)


async def test_what_was_cancelled_there_is_refused_here(store: Store, old: Inn) -> None:
    """INN takes the file away and keeps the line of history with its token.  RFC 5537 3.4, 5.3."""
    inn.file_of(old.spool / "articles", "misc.b", 7).unlink()
    inn.file_of(old.spool / "articles", "misc.a", 2).unlink()  # and this one is found in misc.b
    result = await inn_load.load(store, old.db, old.spool)
    assert (result.added, result.hashes, result.failures) == (2, 2, 0)
    assert store.known_many(["<2@Old.Example>", "<4@Old.Example>"]) == {"<2@Old.Example>"}
    assert numbers(store, "misc.b") == [3]
    again = await inn_load.load(store, old.db, old.spool)
    assert (again.added, again.hashes, again.failures) == (0, 0, 0)


async def test_a_spool_without_articles_is_no_spool(store: Store, old: Inn) -> None:
    (old.spool / "articles").rename(old.spool / "elsewhere")
    with pytest.raises(FileNotFoundError):
        await inn_load.load(store, old.db, old.spool)
    assert store.peek(groups.find, "misc.a") is None


async def test_without_history_the_spool_is_walked(store: Store, old: Inn) -> None:
    (old.db / "history").unlink()
    result = await inn_load.load(store, old.db, old.spool)
    assert result.added == 3
    assert numbers(store, "misc.b") == [3, 7]


@pytest.mark.parametrize("text", ["misc.a 5 1\n", "misc.a x 1 y\n", "misc.a 5 1 q\n"])
async def test_active_that_cannot_be_read_is_refused(store: Store, old: Inn, text: str) -> None:
    (old.db / "active").write_text(text)
    with pytest.raises(ValueError, match="active:1"):
        await inn_load.load(store, old.db, old.spool)


def test_hash_of_a_message_id_is_that_of_inn() -> None:
    # from a history that innd 2.7.1 wrote
    assert inn.hashed("<0.x@Bench.Example>") == "CFF28366554A3E816189928EDB9992CB"
    assert inn.hashed("<0.X@Bench.Example>") != inn.hashed("<0.x@bench.example>")


def test_token_of_tradspool_is_that_of_inn() -> None:
    raw = "@050000000007000000000000000100000000@"  # from the same history
    assert inn.token_of(7, 1) == raw
    assert inn.place_of(bytes.fromhex(raw.strip("@")), {7: "bench.g00000"}) == ("bench.g00000", 1)
    assert inn.place_of(bytes.fromhex(raw.strip("@")), {}) is None


@given(st.lists(st.sampled_from([b"", b".", b"..", b"text", b".text", b"\r", b"x" * 99]), min_size=1))
def test_articles_in_wire_format_come_back(lines: list[bytes]) -> None:
    data = b"".join(line + b"\r\n" for line in lines)
    assert inn.read_article(inn.write_article(data)) == data


@given(st.binary(max_size=300))
def test_any_history_is_read(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("history") / "history"
    path.write_bytes(data + b"\n[AA]\t12~-~3\t@050000000007000000000000000100000000@\n")
    lines = list(inn.history(path))
    assert lines[-1].hashed == "AA"
    assert lines[-1].offset == path.stat().st_size
