"""Writes an account's folders as mbox files or a Maildir++ tree: streamed, and goes on where it stopped."""

from __future__ import annotations

import json
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

from quintet.admin.transfer import maildir, mbox
from quintet.store import entries
from quintet.store.model import Folder, Uid, unpack_keywords
from quintet.store.store import Store

PAGE = 200  # rows read at once
_COLUMNS = ("uid", "flags", "keywords", "received_at", "size", "prefix")
_RETURN_PATH = re.compile(rb"^Return-Path: <([^>\s]*)>", re.IGNORECASE | re.MULTILINE)

Step = Callable[[int], None]


async def _rows(store: Store, folder: Folder, after: int) -> AsyncIterator[tuple[Any, ...]]:
    while True:
        page = await store.read(entries.lines, folder.id, after + 1, 1 << 40, PAGE, _COLUMNS)
        for row in page:
            yield row
        if len(page) < PAGE:
            return
        after = page[-1][0]


async def to_mbox(store: Store, folder: Folder, target: Path, step: Step = lambda _: None) -> int:
    """One folder as one file; returns the number of messages in it.

    It is written as ``target``.partial beside a note how far it came, and takes its name when it is
    complete; run again after an interruption it goes on from the note.

    Raises OSError; TryLater(STORAGE): a stored body cannot be read.
    """
    partial, note = target.with_name(target.name + ".partial"), target.with_name(target.name + ".state")
    after, size, count = _resume(note, partial, folder)
    with partial.open("r+b" if size else "wb") as file:
        file.truncate(size)
        file.seek(size)
        async with aclosing(_rows(store, folder, after)) as rows:  # type: ignore[type-var]
            async for uid, flags, keywords, received_at, _, prefix in rows:
                sender = _RETURN_PATH.search(prefix)
                file.write(mbox.from_line(sender[1] if sender else b"", received_at))
                quoter = mbox.Quoter(mbox.status_lines(flags, unpack_keywords(keywords)))
                async for chunk in _body(store, folder, uid):
                    file.write(quoter.feed(chunk))
                file.write(quoter.finish())
                count += 1
                step(1)
                if count % PAGE == 0:
                    _mark(file.fileno(), note, folder, uid, file.tell(), count, file.flush)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(target)
    note.unlink(missing_ok=True)
    return count


def _resume(note: Path, partial: Path, folder: Folder) -> tuple[int, int, int]:
    try:
        state = json.loads(note.read_text())
        if state["folder"] == folder.id and partial.stat().st_size >= state["size"]:
            return state["uid"], state["size"], state["count"]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no note, or one that cannot be used: from the beginning
    return 0, 0, 0


def _mark(
    fd: int, note: Path, folder: Folder, uid: Uid, size: int, count: int, flush: Callable[[], None]
) -> None:
    flush()
    os.fsync(fd)
    fresh = note.with_name(note.name + ".new")
    fresh.write_text(json.dumps({"folder": folder.id, "uid": uid, "size": size, "count": count}))
    fresh.replace(note)


async def to_maildir(store: Store, folder: Folder, root: Path, step: Step = lambda _: None) -> int:
    """One folder of a Maildir++ tree; returns how many files were written now.

    A message that was exported before keeps its file; only its flags are brought up to date.
    Raises as `to_mbox`.
    """
    place = root / maildir.directory_name(folder.name)
    for sub in ("cur", "new", "tmp"):
        (place / sub).mkdir(parents=True, exist_ok=True)
    if place != root:
        (place / "maildirfolder").touch()
    there = {entry.name.partition(":")[0]: entry.name for entry in os.scandir(place / "cur")}
    written = 0
    async with aclosing(_rows(store, folder, 0)) as rows:  # type: ignore[type-var]
        async for uid, flags, keywords, received_at, _, _ in rows:
            name = maildir.file_name(received_at, folder.uid_validity, uid, flags, unpack_keywords(keywords))
            old = there.get(name.partition(":")[0])
            if old is None:
                await _one_file(store, folder, uid, place, name, received_at)
                written += 1
            elif old != name:
                (place / "cur" / old).replace(place / "cur" / name)
            step(1)
    return written


async def _one_file(store: Store, folder: Folder, uid: Uid, place: Path, name: str, received_at: int) -> None:
    fresh = place / "tmp" / name.partition(":")[0]
    with fresh.open("wb") as file:
        async for chunk in _body(store, folder, uid):
            file.write(chunk)
    os.utime(fresh, (received_at / 1000, received_at / 1000))
    fresh.replace(place / "cur" / name)


async def _body(store: Store, folder: Folder, uid: Uid) -> AsyncIterator[bytes]:
    body = store.body(store.peek(entries.body_ref, folder.id, uid))
    async for chunk in body.chunks(0, body.size):
        yield chunk
