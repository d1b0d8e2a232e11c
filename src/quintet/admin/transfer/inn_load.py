"""Brings INN's groups, articles and history over: numbers, arrival and Xref stay as they were.

Articles come in the order of history, so that numbers ascend with arrival, then whatever lies in the spool
and is not in history.  How far it came is noted with each batch, in the store: stopped at any moment, it goes
on there when it is run again.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from quintet.admin.transfer import inn
from quintet.delivery import arrive
from quintet.delivery.arrive import No
from quintet.errors import Reason, Refused
from quintet.store import bringing, entries
from quintet.store import groups as stored
from quintet.store.bringing import Brought
from quintet.store.content import Content, content_of
from quintet.store.db import Tx
from quintet.store.model import IN_ROW, MAX_ARTICLE, Folder, FolderId
from quintet.store.store import Store

AT_ONCE = 100  # articles of one transaction
HELD = 8 * 1024 * 1024  # bytes of them
GROUPS_AT_ONCE = 500
MAX_FAILURES = 100  # told by name; more are counted

Step = Callable[[int], None]


class HasArticles(Exception):
    """Groups that are here have articles of their own: their numbers would not be INN's."""


@dataclass(slots=True)
class Result:
    """What an import did."""

    groups: int = 0
    added: int = 0
    present: int = 0
    hashes: int = 0  # ids of articles that are gone there, brought by their hash
    failed: list[str] = field(default_factory=list)
    failures: int = 0

    def fail(self, text: str) -> None:
        self.failures += 1
        if len(self.failed) < MAX_FAILURES:
            self.failed.append(text)


async def load(store: Store, db: Path, spool: Path, step: Step = lambda _: None) -> Result:
    """Everything of an INN whose pathdb and pathspool these are.  ``step`` is told of bytes of history.

    Raises:
        OSError, ValueError: a file of INN's cannot be read.
        HasArticles: and nothing was done.
        TryLater: no space; what was brought stays.
    """
    return await _Load(store, db, spool, step).run()


class _Load:
    def __init__(self, store: Store, db: Path, spool: Path, step: Step) -> None:
        self._store, self._db, self._articles, self._step = store, db, spool / "articles", step
        self._spool = spool
        self._source = str(db.resolve())
        self._result = Result()
        self._ids: dict[str, FolderId] = {}
        self._lows: dict[str, int] = {}  # below them an article has gone from the group, whatever Xref says
        self._batch: list[Brought] = []
        self._held = 0
        self._names: dict[int, str] = {}  # of groups in tokens; none without a history that can be followed
        self._found: set[str] = set()  # hashes of what lay in the spool although history did not find it

    async def run(self) -> Result:
        groups = await asyncio.to_thread(inn.groups, self._db)
        self._lows = {one.name: one.low for one in groups}
        begun = await self._store.read(bringing.mark, self._source)
        if not await asyncio.to_thread(self._articles.is_dir):  # or all would count as gone
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self._articles))
        await self._make(groups, bool(begun))
        if (self._db / "history").exists():
            self._names = await asyncio.to_thread(_names, self._spool / "tradspool.map")
        if begun not in ("walk", "all"):
            await self._history(int(begun or 0))
        await self._walk(groups)
        if begun != "all":
            await self._removed()
        await self._store.write(bringing.set_mark, self._source, "all")
        for group in groups:
            if group.name in self._ids:
                await self._store.write(bringing.settle_group, self._ids[group.name], group.high)
        return self._result

    async def _make(self, groups: Sequence[inn.Group], begun: bool) -> None:
        here = {folder.name: folder for folder in await self._store.read(_all_groups)}
        used = [one.name for one in groups if one.name in here and here[one.name].uid_next > 1]
        if used and not begun:
            raise HasArticles(", ".join(used[:5]) + (" ..." if len(used) > 5 else ""))
        for start in range(0, len(groups), GROUPS_AT_ONCE):
            part = groups[start : start + GROUPS_AT_ONCE]
            made = await self._store.write(_make_groups, part)
            self._ids.update({name: number for name, number in made.items() if number})
            for name in [name for name, number in made.items() if not number]:
                self._result.fail(f"{name}: not a possible name of a group")
        self._result.groups = len(self._ids)
        if not begun:
            await self._store.write(bringing.set_mark, self._source, "0")

    async def _history(self, offset: int) -> None:
        if not self._names:
            return
        self._step(offset)
        lines = iter(inn.history(self._db / "history", offset))
        while part := await asyncio.to_thread(_some, lines):
            await self._gone([line for line in part if not line.token])
            for line in [line for line in part if line.token]:
                place = inn.place_of(line.token, self._names)
                if place is None:
                    self._result.fail(f"[{line.hashed}]: not in tradspool")
                    continue
                await self._take(place[0], place[1], line.arrived_at * 1000)
            await self._flush(str(part[-1].offset))
            self._step(part[-1].offset - offset)
            offset = part[-1].offset

    async def _gone(self, lines: Sequence[inn.Line]) -> None:
        """Ids that are to be refused: their articles are gone there, and their text with them."""
        good = [line for line in lines if inn.is_hash(line.hashed)]
        for line in lines:
            if line not in good:
                self._result.fail(f"[{line.hashed}]: not a hash of a Message-ID")
        hashes = [(bytes.fromhex(line.hashed), line.arrived_at * 1000) for line in good]
        if hashes:
            self._result.hashes += await self._store.write(self._store.known.admit, hashes)

    async def _removed(self) -> None:
        """Ids of what was cancelled: INN keeps their tokens until it expires its history.

        At the end, for an article whose first place is empty may lie in another one, and was found there.
        """
        if not self._names:
            return
        lines = iter(inn.history(self._db / "history", 0))
        while part := await asyncio.to_thread(_some, lines):
            await self._gone(await asyncio.to_thread(self._without_file, part))

    def _without_file(self, lines: Sequence[inn.Line]) -> list[inn.Line]:
        places = [(line, inn.place_of(line.token, self._names)) for line in lines if line.token]
        return [
            line
            for line, place in places
            if place and line.hashed not in self._found and not inn.file_of(self._articles, *place).exists()
        ]

    async def _walk(self, groups: Sequence[inn.Group]) -> None:
        """What lies in the spool and was not in history."""
        for group in groups:
            folder_id = self._ids.get(group.name)
            if folder_id is None:
                continue
            here = set(await self._store.read(entries.uids, folder_id))
            folder = inn.file_of(self._articles, group.name, 0).parent
            for number in await asyncio.to_thread(_numbers, folder, here):
                await self._take(group.name, number, 0)
                if len(self._batch) >= AT_ONCE or self._held >= HELD:
                    await self._flush("walk")
            await self._flush("walk")

    async def _take(self, group: str, number: int, received_at: int) -> None:
        path = inn.file_of(self._articles, group, number)
        try:
            one = await asyncio.to_thread(self._read, path, group, number, received_at)
        except FileNotFoundError:
            return  # `_removed` remembers it
        except (OSError, ValueError, Refused) as error:
            self._result.fail(f"{path}: {getattr(error, 'strerror', None) or error}")
            return
        if isinstance(one, tuple):  # too long for a row
            brought, data = one
            one = _with(brought, await self._large(data))
        if self._names and not received_at:
            self._found.add(inn.hashed(one.message_id))
        if one.places:
            self._batch.append(one)
            self._held += min(one.content.size, IN_ROW)

    def _read(self, path: Path, group: str, number: int, received_at: int) -> Brought | tuple[Brought, bytes]:
        """In a thread.  Raises OSError, ValueError, Refused."""
        if path.stat().st_size > inn.MAX_ARTICLE:
            raise ValueError(f"longer than {inn.MAX_ARTICLE} bytes")
        arrived = received_at or int(path.stat().st_mtime * 1000)
        article = arrive.read(inn.read_article(path.read_bytes()))
        if isinstance(article, No):
            raise Refused(Reason.BAD_CONTENT, article.text)
        raw = article.fields.get(b"xref", b"").decode("latin-1").strip()
        places = [
            (self._ids[name], uid)
            for name, uid in inn.xref_places(raw)
            if name in self._ids
            and 0 < uid <= MAX_ARTICLE
            and (uid >= self._lows[name] or (name, uid) == (group, number))
        ]
        if not places and group in self._ids:
            places = [(self._ids[group], number)]
            raw = f"unknown {group}:{number}"
        data = article.data
        small = len(data) <= IN_ROW
        made = Brought(
            article.message_id,
            tuple(dict(places).items()),
            content_of(data if small else b""),
            article.path.encode("latin-1"),
            raw.encode("latin-1"),
            arrived,
        )
        return made if small else (made, data)

    async def _large(self, data: bytes) -> Content:
        spool = self._store.spool()
        try:
            spool.write(data)
            return await spool.finish()
        finally:
            spool.discard()

    async def _flush(self, mark: str) -> None:
        batch, self._batch, self._held = self._batch, [], 0
        for start in range(0, len(batch), AT_ONCE):
            part = batch[start : start + AT_ONCE]
            # the mark goes with the last of them: before, the same lines would be read again, and passed over
            last = start + AT_ONCE >= len(batch)
            before = mark if last else await self._store.read(bringing.mark, self._source)
            added = await self._store.write(bringing.bring, part, self._source, before)
            self._result.added += added
            self._result.present += len(part) - added
        if not batch:
            await self._store.write(bringing.set_mark, self._source, mark)


def _with(one: Brought, content: Content) -> Brought:
    return Brought(one.message_id, one.places, content, one.path, one.xref, one.received_at)


def _some(lines: Iterator[inn.Line]) -> list[inn.Line]:
    return list(itertools.islice(lines, AT_ONCE))


def _names(path: Path) -> dict[int, str]:
    try:
        return inn.spool_map(path)
    except FileNotFoundError:
        return {}  # not tradspool, or an old one: the spool is walked


def _numbers(folder: Path, here: set[int]) -> list[int]:
    try:
        found = [int(path.name) for path in folder.iterdir() if path.name.isdigit()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(number for number in found if number not in here and 0 < number <= MAX_ARTICLE)


def _all_groups(tx: Tx) -> list[Folder]:
    return stored.listing(tx)


def _make_groups(tx: Tx, part: Sequence[inn.Group]) -> dict[str, FolderId]:
    """Numbers by name; 0 for a name that cannot be."""
    made = {}
    for one in part:
        try:
            folder = bringing.make_group(
                tx, one.name, one.status, one.description, one.created_at * 1000, one.created_by
            )
        except Refused:
            made[one.name] = FolderId(0)
        else:
            made[one.name] = folder.id
    return made
