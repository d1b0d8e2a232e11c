"""Servers that feed each other, in this process and over sockets: for tests of feeds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

from quintet.config.peers import Peer
from quintet.message.headers import format_date
from quintet.store import articles, groups
from quintet.store.db import Tx
from quintet.store.store import Store
from tests.support.server import Server

GROUP = "local.test"
PATIENCE_S = 60.0


def article(
    ident: str, names: str = GROUP, *, path: str = "origin.test!user", more: str = "", body: str = "Hello\r\n"
) -> bytes:
    """An article as it goes over a connection between servers, un-stuffed."""
    date = format_date(int(time.time() * 1000))
    return (
        f"Path: {path}\r\nFrom: a@example.org\r\nNewsgroups: {names}\r\nSubject: {ident}\r\nDate: {date}\r\n"
        f"Message-ID: <{ident}>\r\n{more}\r\n{body}"
    ).encode()


def peer(name: str, **options: object) -> Peer:
    """One that connects from this machine, unless ``addresses`` say otherwise."""
    return Peer(name=name, **{"addresses": ("127.0.0.1",), **options})  # type: ignore[arg-type]


async def bring(port: int, articles: Iterable[tuple[str, bytes]], *, source: str = "127.0.0.1") -> list[str]:
    """Streams articles (id, bytes) to a server, from that address; its answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    try:
        await reader.readline()
        writer.write(b"MODE STREAM\r\n")
        answer = await reader.readline()
        assert answer.startswith(b"203"), answer
        answers = []
        batch = list(articles)
        for start in range(0, len(batch), 100):
            page = batch[start : start + 100]
            for ident, data in page:
                stuffed = data.replace(b"\r\n.", b"\r\n..")
                writer.write(f"TAKETHIS <{ident}>\r\n".encode() + stuffed + b".\r\n")
            answers += [(await reader.readline()).decode().rstrip() for _ in page]
        return answers
    finally:
        writer.close()
        await writer.wait_closed()


async def until(holds: Callable[[], bool], what: str = "", seconds: float = PATIENCE_S) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what or "not in time"
        await asyncio.sleep(0.05)


def count(server: Server | Store, name: str = GROUP) -> int:
    store = server if isinstance(server, Store) else server.store
    found = store.peek(groups.find, name)
    return 0 if found is None else found.messages


def ids(server: Server, name: str = GROUP) -> list[str]:
    return server.store.peek(_ids, name)


def text_of(server: Server, message_id: str) -> bytes:
    """An article as it is stored."""
    found = server.store.peek(articles.by_message_id, message_id)
    assert found is not None
    return server.store.read_body(found.body)


def _ids(tx: Tx, name: str) -> list[str]:
    return [
        row[0]
        for row in tx.all(
            "SELECT m.message_id FROM entry e JOIN message m ON m.id = e.message_id"
            " JOIN folder f ON f.id = e.folder_id WHERE f.name = ? ORDER BY e.uid", name
        )
    ]  # fmt: skip
