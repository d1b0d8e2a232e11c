"""Writes groups, articles and history as INN keeps them: pathdb and a tradspool that innd can serve.

Articles come in the order of arrival; a cross-post is one file with a link in each further group.  How far it
came stands in a note beside the history, which is cut back to there when it is run again.  What INN derives
(dbz, overview) its own programs make: ``makedbz -i -o`` and ``makehistory -x -O``.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from quintet.admin.transfer import inn
from quintet.errors import Problem
from quintet.store import entries, history
from quintet.store import groups as stored
from quintet.store.db import Tx
from quintet.store.model import BodyRef, Folder, FolderId, MessageId
from quintet.store.store import Store
from quintet.values import dataclass

NEEDED = ("control", "junk")  # innd does not start without these groups
PAGE = 200  # articles of one round

Step = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Leaving:
    """One id of the history, with its article where that is here."""

    hash: str  # of its Message-ID, as INN writes it
    arrived_at: int
    row: int  # of the history
    ends_at: int
    sent_at: int
    places: tuple[tuple[FolderId, int], ...]
    body: BodyRef | None


@dataclass(slots=True)
class Result:
    """What an export wrote."""

    groups: int = 0
    articles: int = 0
    ids: int = 0  # remembered, without an article


async def dump(store: Store, target: Path, step: Step = lambda _: None) -> Result:
    """All groups into ``target``/db and ``target``/spool.  Raises OSError, TryLater."""
    db, spool = target / "db", target / "spool"
    for folder in (db, spool / "articles"):
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    groups = await store.read(stored.listing)
    numbers = {folder.id: at for at, folder in enumerate(groups, 1)}
    names = {folder.id: folder.name for folder in groups}
    await asyncio.to_thread(_write_groups, db, spool, groups)
    result = Result(groups=len(groups))
    note = db / "history.state"
    after, size = _resume(note, db / "history")
    with (db / "history").open("r+b" if size else "wb") as lines:
        lines.truncate(size)
        lines.seek(size)
        while page := await store.read(_page, after):
            for one in page:
                lines.write((await _one(store, spool / "articles", one, names, numbers)).encode())
                result.articles += one.body is not None
                result.ids += one.body is None
                step(1)
            after = page[-1].arrived_at, page[-1].row
            lines.flush()
            os.fsync(lines.fileno())
            _mark(note, after, lines.tell())
    note.unlink(missing_ok=True)
    return result


async def _one(
    store: Store,
    articles: Path,
    one: Leaving,
    names: dict[FolderId, str],
    numbers: dict[FolderId, int],
) -> str:
    places = [(place, uid) for place, uid in one.places if place in names]
    token = ""
    if one.body is not None and places:
        try:
            data = await asyncio.to_thread(store.read_body, one.body)
        except Problem:
            places = []
        else:
            paths = [inn.file_of(articles, names[place], uid) for place, uid in places]
            await asyncio.to_thread(_write_article, paths, inn.write_article(data))
            token = inn.token_of(numbers[places[0][0]], places[0][1])
    return inn.history_line(one.hash, one.arrived_at // 1000, token, one.ends_at // 1000, one.sent_at // 1000)


def _page(tx: Tx, after: tuple[int, int]) -> list[Leaving]:
    rows = tx.all(
        "SELECT h.id, h.arrived_at, h.gone, h.key, h.rest, m.message_id, a.expires_at, m.sent_at"
        " FROM history h LEFT JOIN article_end a ON a.message_row = h.id LEFT JOIN message m ON m.id = h.id"
        " WHERE h.arrived_at >= ? AND (h.arrived_at > ? OR h.id > ?)"
        " ORDER BY h.arrived_at, h.id LIMIT ?", after[0], after[0], after[1], PAGE,
    )  # fmt: skip
    found = []
    for row, arrived_at, gone, key, rest, message_id, ends_at, sent_at in rows:
        places = () if gone else tuple(entries.places(tx, row))
        body = entries.message_body(tx, MessageId(row)) if places else None
        # INN takes the domain without case; of an id that is gone we have the hash of what it was
        hashed = inn.hashed(message_id) if message_id else history.md5(key, rest).hex().upper()
        found.append(Leaving(hashed, arrived_at, row, ends_at or 0, sent_at or 0, places, body))
    return found


def _write_groups(db: Path, spool: Path, groups: Sequence[Folder]) -> None:
    lines = [inn.Group(one.name, one.high, one.low, one.status) for one in groups]
    absent = set(NEEDED) - {one.name for one in groups}
    lines += [inn.Group(name, 0, 1, "n") for name in sorted(absent)]
    _replace(db / "active", "".join(map(inn.active_line, lines)))
    described = [(one.name, stored.described(one)) for one in groups]
    _replace(db / "newsgroups", "".join([f"{name}\t{text}\n" for name, text in described if text]))
    born = [f"{one.name} {one.created_at // 1000} {one.created_by or 'usenet'}\n" for one in groups]
    _replace(db / "active.times", "".join(born))
    numbered = [f"{one.name.replace('.', '/')} {at}\n" for at, one in enumerate(groups, 1)]
    _replace(spool / "tradspool.map", "".join(numbered))


def _write_article(paths: Sequence[Path], data: bytes) -> None:
    first, *more = paths
    first.parent.mkdir(parents=True, exist_ok=True)
    part = first.with_name(first.name + ".part")
    part.write_bytes(data)
    part.replace(first)
    for path in more:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        os.link(first, path)


def _replace(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _resume(note: Path, history: Path) -> tuple[tuple[int, int], int]:
    try:
        state = json.loads(note.read_text())
        after, size = (int(state["at"]), int(state["id"])), int(state["size"])
        if history.stat().st_size >= size:
            return after, size
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no note, or one that cannot be used: from the beginning
    return (-1, 0), 0


def _mark(note: Path, after: tuple[int, int], size: int) -> None:
    _replace(note, json.dumps({"at": after[0], "id": after[1], "size": size}))
