"""What a feed is chosen by: the whole header of an article, wherever its bytes lie."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quintet.config.peers import Peer
from quintet.delivery.feeds.select import Choice
from quintet.store import feeding, groups
from quintet.store.content import content_of
from quintet.store.model import IN_ROW
from quintet.store.store import Store
from tests.support.feedhouse import article
from tests.support.stores import open_store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "data") as opened:
        await opened.write(groups.create, "local.test")
        yield opened


async def put(store: Store, data: bytes) -> feeding.Listed:
    """Files an article; how it is listed."""
    group = store.peek(groups.find, "local.test")
    assert group is not None
    spool = store.spool()
    try:
        spool.write(data)
        content = await spool.finish() if len(data) > IN_ROW else content_of(data)
        await store.write(
            groups.file, [group.id], content, path=b"us.test!u", host="us.test", message_id="<a@x>",
            received_at=store.clock.now(),
        )  # fmt: skip
    finally:
        spool.discard()
    (one,), _ = store.peek(feeding.listed, 1, 1 << 40)
    return one


@pytest.mark.parametrize(
    ("more", "body"),
    [
        ("", "Hello\r\n"),
        ("", "x" * 70 + "\r\n" + ("y" * 70 + "\r\n") * 2000),  # in a file
        ("X-Long: " + "x" * 500 + "\r\n", ""),
        (
            "".join(f"X-Long-{number}: {'x' * 900}\r\n" for number in range(40)),
            "Hello\r\n",
        ),  # 36 KB of header
        ("".join(f"X-Long-{number}: {'x' * 900}\r\n" for number in range(90)), "Hello\r\n"),  # and in a file
    ],
)
async def test_an_article_is_chosen_by_its_whole_header(store: Store, more: str, body: str) -> None:
    plain = article("a@x", body=body)
    head, blank, rest = plain.partition(b"\r\n\r\n")
    wanted = b"Distribution: world"
    one = await put(store, more.encode() + head.partition(b"\r\n")[2] + b"\r\n" + wanted + blank + rest)
    peer = Peer(name="them", send="local.*", need_distribution=True, distributions=("world",))
    assert Choice(peer).wants(one)
    assert not Choice(Peer(name="them", send="*", exclude=("us.test",))).wants(one)
    assert not Choice(Peer(name="them", send="*,!local.*")).wants(one)
    assert one.size > len(more) + len(body)


async def test_headers_are_read_so_many_bytes_at_a_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A header may have 256 KiB, and 200 articles are leased together."""
    group = store.peek(groups.find, "local.test")
    assert group is not None
    for number in range(7):
        more = "".join(f"X-Long-{line}: {'x' * 900}\r\n" for line in range(50))  # longer than `HEAD`
        await store.write(
            groups.file, [group.id], content_of(article(f"{number}@x", more=more)), path=b"us.test!u",
            host="us.test", message_id=f"<{number}@x>", received_at=store.clock.now(),
        )  # fmt: skip
    monkeypatch.setattr(feeding, "HEADS", 100_000)
    pages, low, high = list[list[str]](), 1, 1 << 40
    while low <= high:
        page, low = store.peek(feeding.listed, low, high)
        pages.append([one.message_id for one in page])
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [name for page in pages for name in page] == [f"<{number}@x>" for number in range(7)]
