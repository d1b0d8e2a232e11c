"""`actsync` from where lists come: another server by NNTP, and HTTPS."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from quintet.admin.cli import news
from quintet.admin.cli.common import Failed
from quintet.config import root
from quintet.errors import Problem
from quintet.net import https
from quintet.store.store import Store
from tests.support.serving import serving
from tests.support.stores import store

__all__ = ["store"]


async def test_lists_come_from_a_news_server(store: Store) -> None:
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"200 ready\r\n")
        while line := await reader.readline():
            heard.append(line.strip())
            writer.write(
                {
                    b"CAPABILITIES": b"101 list\r\nVERSION 2\r\nREADER\r\nLIST ACTIVE NEWSGROUPS\r\n.\r\n",
                    b"LIST ACTIVE": b"215 list\r\na.b 5 1 y\r\n..c 0 1 m\r\n.\r\n",
                    b"LIST NEWSGROUPS": b"215 list\r\na.b\tAbout\r\n.\r\n",
                    b"QUIT": b"205 bye\r\n",
                }.get(line.strip(), b"500 what?\r\n")
            )
        writer.close()

    async with serving(serve) as port:
        found = await news._lists(f"nntp://127.0.0.1:{port}", "", root.Config(), store)
    assert found == (b"a.b 5 1 y\r\n.c 0 1 m\r\n", b"a.b\tAbout\r\n")
    assert b"LIST ACTIVE" in heard


async def test_server_that_has_no_list_is_named(store: Store) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"200 ready\r\n")
        while await reader.readline():
            writer.write(b"502 no\r\n")
        writer.close()

    async with serving(serve) as port:
        with pytest.raises(Problem, match="502"):
            await news._lists(f"nntp://127.0.0.1:{port}", "", root.Config(), store)


async def test_lists_come_by_https(store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[str] = []

    async def ask(self: Any, url: str, **_: Any) -> https.Response:
        asked.append(url)
        return https.Response(200 if "good" in url else 404, "text/plain", b"a.b 5 1 y\n")

    monkeypatch.setattr(https.Https, "ask", ask)
    (tmp_path / "newsgroups").write_text("a.b\tAbout\n")
    found = await news._lists(
        "https://good.example/active", str(tmp_path / "newsgroups"), root.Config(), store
    )
    assert found == (b"a.b 5 1 y\n", b"a.b\tAbout\n")
    assert asked == ["https://good.example/active"]
    with pytest.raises(Failed, match="answers 404"):
        await news._lists("https://bad.example/active", "", root.Config(), store)
