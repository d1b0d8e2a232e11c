"""What was filed unrendered reads as if it had been rendered at once, and is rendered by being read."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from quintet.admin.transfer import load
from quintet.config.store import Store as StoreConfig
from quintet.delivery import arrive
from quintet.store import (
    accounts,
    arriving,
    articles,
    check,
    entries,
    filing,
    folders,
    groups,
    ondemand,
    writer,
)
from quintet.store.arriving import Filing
from quintet.store.content import Content, Raw, content_of, raw
from quintet.store.db import Tx
from quintet.store.model import FolderId, Uid
from quintet.store.store import Store

ARTICLE = (
    "Path: a\r\nFrom: Zoë <zoe@example.org>\r\nNewsgroups: local.test\r\nSubject: Re: [x] Café {n}\r\n"
    "Date: Fri, 21 Nov 2025 08:00:00 +0000\r\nMessage-ID: <{n}@example.org>\r\nReferences: <r1@a> <r2@a>\r\n"
    "To: Bob <bob@example.org>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n.one\r\ntwo {n}\r\n"
)
ALL = tuple(name for name in entries.LINE_COLUMNS if name != ondemand.MARK)
SAME = tuple(name for name in ALL if name not in {"blob_id", "message_row", "entry_id"})


def _content(number: int, *, early: bool) -> Content | Raw:
    article = arrive.read(ARTICLE.format(n=number).encode())
    assert isinstance(article, arrive.Arriving)
    limits = arrive.Limits(1_000_000, 0, frozenset(), ())
    assert arrive.judge(article, 1_763_712_000_000, limits) is None
    data = article.data
    if not early:
        return content_of(data)
    return raw(data, len(article.header) + 2, article.fields, article.message_id, article.sent_at)


async def _filed(store: Store, count: int, *, early: bool) -> FolderId:
    folder = await store.write(groups.create, "local.test")
    filings = [
        Filing(f"<{number}@example.org>", (folder.id,), _content(number, early=early), b"b!a")
        for number in range(count)
    ]
    await store.write(arriving.file_all, filings, host="news.example.org")
    return folder.id


def _unrendered(tx: Tx) -> int:
    return int(tx.value("SELECT count(*) FROM message WHERE ready = 0"))


def _blobs(tx: Tx) -> int:
    return int(tx.value("SELECT count(*) FROM blob"))


async def _waiting_after(store: Store, most: int) -> int:
    """How many wait to be rendered, once no more than ``most`` do."""
    async with asyncio.timeout(30):
        while store.peek(_unrendered) > most:
            await asyncio.sleep(0.01)
    return store.peek(_unrendered)


async def _two(tmp_path: Path) -> tuple[Store, Store, FolderId, FolderId]:
    late = await Store.open(StoreConfig(data=str(tmp_path / "late")))
    full = await Store.open(StoreConfig(data=str(tmp_path / "full")))
    return late, full, await _filed(late, 5, early=True), await _filed(full, 5, early=False)


@pytest.mark.parametrize(
    "columns",
    [SAME, ("uid", "from_display"), ("thread_key", "references"), ("uid", "envelope"), ("uid", "size")],
)
async def test_every_way_of_listing_gives_what_rendering_at_once_would_have_given(
    tmp_path: Path, columns: tuple[str, ...]
) -> None:
    late, full, a, b = await _two(tmp_path)
    try:
        fixed = [at for at, name in enumerate(columns) if name in {"received_at", "saved_at"}]

        def plain(rows: list[tuple[object, ...]]) -> list[list[object]]:
            return [[None if at in fixed else value for at, value in enumerate(row)] for row in rows]

        for ask in (
            lambda tx, folder: entries.lines(tx, folder, 1, 9, columns=columns),
            lambda tx, folder: entries.lines(tx, folder, 2, 9, 2, columns),
            lambda tx, folder: entries.lines_of(tx, folder, [1, 3, 77], columns),
            lambda tx, folder: entries.lines_where(tx, folder, 1, 9, 9, columns, ("e.uid > ?", [2])),
            lambda tx, folder: entries.whole(tx, folder, 1, 9, 9, columns, 1 << 20)[0],
        ):
            found, wanted = await late.read(ask, a), await full.read(ask, b)
            width = len(columns)
            assert plain([row[:width] for row in found]) == plain([row[:width] for row in wanted])
            assert [len(row) for row in found] == [len(row) for row in wanted]
            assert found
    finally:
        await late.close()
        await full.close()


async def test_what_is_read_is_rendered_for_good_soon_afterwards(tmp_path: Path) -> None:
    store = await Store.open(StoreConfig(data=str(tmp_path)))
    folder = await _filed(store, 5, early=True)
    assert store.peek(_unrendered) == 5
    assert store.peek(entries.lines, folder, 1, 9, columns=("uid", "overview", "message_id"))
    await asyncio.sleep(0)
    assert store.peek(_unrendered) == 5  # an overview needs nothing
    store.peek(entries.lines, folder, 2, 3)
    while store.peek(_unrendered) != 3:
        await asyncio.sleep(0.01)
    assert not store.peek(check.all, store.blobs)
    await store.close()


async def test_digests_are_there_before_a_scan_was_kept(tmp_path: Path) -> None:
    store = await Store.open(StoreConfig(data=str(tmp_path)))
    folder = await _filed(store, 3, early=True)
    wanted = content_of(ARTICLE.format(n=1).encode().partition(b"\r\n")[2]).digest
    assert store.peek(entries.digests, folder, [1, 2, 3])[2] == wanted  # type: ignore[index]  # a Uid
    row = store.peek(entries.listing, folder)[1].message_id
    assert store.peek(entries.digest, row) == wanted
    article = store.peek(articles.by_row, row)
    assert article is not None and article.digest == wanted
    assert store.peek(articles.headers, folder, 2, 2, 9)[0][2] == wanted
    assert not store.peek(check.all, store.blobs)
    await store.close()


async def test_no_more_waits_to_be_rendered_than_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ondemand, "MAX_WAITING", 3)
    store = await Store.open(StoreConfig(data=str(tmp_path)))
    folder = await _filed(store, 5, early=True)
    for waiting in (2, 0):  # the others when they are read again
        store.peek(entries.lines, folder, 1, 9)
        assert await _waiting_after(store, waiting) == waiting
    await store.close()


async def test_an_article_without_a_key_is_found_by_its_message_id_before_and_after(tmp_path: Path) -> None:
    store = await Store.open(StoreConfig(data=str(tmp_path)))
    folder = await _filed(store, 3, early=True)
    row = store.peek(entries.listing, folder)[1].message_id
    for _ in "before", "after":
        found = store.peek(entries.by_message_id, None, "<1@example.org>")
        assert [(one.uid, one.message_id) for one in found] == [(2, row)]
        await store.write(ondemand.write, [row])
    assert store.peek(_unrendered) == 2
    assert not store.peek(entries.by_message_id, None, "<9@example.org>")
    await store.close()


async def test_damage_to_an_article_without_a_hash_is_noticed(tmp_path: Path) -> None:
    store = await Store.open(StoreConfig(data=str(tmp_path)))
    await _filed(store, 3, early=True)
    assert not store.peek(check.all, store.blobs)
    await store.write(
        lambda tx: tx.run("UPDATE blob SET data = ? WHERE id = (SELECT max(id) FROM blob)", b"x" * 300)
    )
    assert [one[:3] for one in store.peek(check.all, store.blobs) if "hash" in one] == ["41:"]
    await store.close()


LETTER = ARTICLE.partition("Newsgroups")[0].partition("\r\n")[2] + ARTICLE.partition("local.test\r\n")[2]


async def _delivered(store: Store, count: int) -> FolderId:
    account = await store.write(accounts.create, f"a{count}@example.org")
    folder = store.peek(folders.find, account.id, "INBOX")
    assert folder is not None
    made = [store.content_of(LETTER.format(n=number).encode()) for number in range(count)]
    await asyncio.gather(
        *(store.write(entries.add, [folder.id], one, prefix=b"X: y\r\n", received_at=5) for one in made)
    )
    return folder.id


async def test_mail_of_a_crowd_is_rendered_when_the_crowd_has_gone(tmp_path: Path) -> None:
    store = await Store.open(StoreConfig(data=str(tmp_path)))
    await store.write(accounts.add_domain, "example.org")
    early = await _delivered(store, writer.CROWD)
    assert store.peek(_unrendered) == 0  # nobody knew of a crowd yet
    late = await _delivered(store, writer.CROWD + 1)
    assert store.peek(_unrendered) == writer.CROWD + 1
    columns = tuple(name for name in SAME if name not in {"created_modseq", "saved_at"})
    read = store.peek(entries.lines, late, 1, writer.CROWD, columns=columns)
    assert [row[: len(columns)] for row in read] == [
        row[: len(columns)] for row in store.peek(entries.lines, early, 1, 9, columns=columns)
    ]
    assert store.peek(entries.digests, late, [1]) == store.peek(entries.digests, early, [1])
    assert await _waiting_after(store, 0) == 0
    assert store.peek(entries.lines, late, 1, writer.CROWD, columns=columns) == read
    assert not store.peek(check.all, store.blobs)
    await store.close()


async def test_a_crowd_that_comes_while_another_ones_mail_is_rendered_stops_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rendering shares a commit with the first of them, and none with those who follow."""
    steps: list[int] = []
    begun, goes_on = threading.Event(), threading.Event()
    write = ondemand.write

    def slow(tx: Tx, numbers: Sequence[int]) -> None:
        steps.append(len(numbers))
        begun.set()
        assert goes_on.wait(10)
        write(tx, numbers)

    monkeypatch.setattr(ondemand, "write", slow)
    monkeypatch.setattr(ondemand, "STEP", 1)
    store = await Store.open(StoreConfig(data=str(tmp_path)))
    await store.write(accounts.add_domain, "example.org")
    await _delivered(store, writer.CROWD)
    await _delivered(store, writer.CROWD + 1)  # to be rendered
    assert await asyncio.to_thread(begun.wait, 10)
    monkeypatch.setattr(writer, "CROWD_S", 60.0)  # however slow the machine is
    coming = asyncio.create_task(_delivered(store, writer.CROWD + 2))
    await asyncio.sleep(0.01)
    goes_on.set()
    await coming
    await _delivered(store, writer.CROWD + 3)
    assert len(steps) <= 2
    assert store.peek(_unrendered) >= writer.CROWD - 1
    await store.close()


async def test_the_same_letter_to_many_is_kept_once_also_in_a_crowd(tmp_path: Path) -> None:
    """A list that sends to each of its members by themselves; and an import knows what came in the crowd."""
    store = await Store.open(StoreConfig(data=str(tmp_path)))
    await store.write(accounts.add_domain, "example.org")
    inboxes = []
    for name in "uvwxyz":
        account = await store.write(accounts.create, f"{name}@example.org")
        folder = store.peek(folders.find, account.id, "INBOX")
        assert folder is not None
        inboxes.append(folder.id)
    letters = [LETTER.format(n=number).encode() for number in (1000, 1000, 1000, 1001, 1000, 1001)]
    before = store.peek(_blobs)
    filing = [
        store.write(entries.add, [inbox], content_of(letter, late=True), received_at=5)
        for inbox, letter in zip(inboxes, letters, strict=True)
    ]
    await asyncio.gather(*filing)
    assert store.peek(_blobs) - before == 2
    assert store.peek(load.has_bytes, inboxes[0], content_of(letters[0]))
    assert not store.peek(load.has_bytes, inboxes[0], content_of(letters[3]))
    assert await _waiting_after(store, 0) == 0
    assert store.peek(entries.digests, inboxes[3], [1])[Uid(1)] == content_of(letters[3]).digest
    assert not store.peek(check.all, store.blobs)
    await store.close()


async def test_mail_is_rendered_at_once_where_too_much_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ondemand, "MAX_WAITING", 2)
    monkeypatch.setattr(writer, "CROWD_S", 60.0)  # however slow the machine is
    store = await Store.open(StoreConfig(data=str(tmp_path)))
    await store.write(accounts.add_domain, "example.org")
    await _delivered(store, writer.CROWD)
    await _delivered(store, writer.CROWD + 1)
    assert store.content_of(LETTER.encode()).ready is not None
    await store.close()


async def test_what_is_read_again_before_it_is_written_is_not_rendered_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a crowd that reads what it files: rows that were not rendered wait until it is gone."""
    store = await Store.open(StoreConfig(data=str(tmp_path)))
    try:
        folder = await _filed(store, 5, early=True)
        monkeypatch.setattr(store, "_render_soon", lambda rows: None)
        rendered_now: list[object] = []
        columns = filing.columns

        def counted(one: Content) -> dict[str, object]:
            rendered_now.append(one)
            return columns(one)

        monkeypatch.setattr(filing, "columns", counted)
        first = store.peek(entries.lines, folder, 1, 3)
        rendered = store.peek(entries.lines, folder, 1, 9)
        assert rendered[:3] == first
        assert await store.read(entries.lines, folder, 1, 9) == rendered
        assert len(rendered_now) == 5
    finally:
        await store.close()


def test_only_so_much_is_kept() -> None:
    kept = ondemand.Kept()
    small = {"envelope": b"e", "body": b"b", "bodystructure": b"s"}
    kept.add(dict.fromkeys(range(ondemand.MAX_KEPT + 10), small))
    assert len(kept.get(range(ondemand.MAX_KEPT + 10))) == ondemand.MAX_KEPT
    assert kept.get([0, ondemand.MAX_KEPT + 9]) == {ondemand.MAX_KEPT + 9: small}
    kept.add({-1: {**small, "body": bytes(ondemand.MAX_KEPT_SIZE)}})
    assert kept.get([-1]) == {}
