"""Puts messages of a reader into the store: streamed, in group commits, and safe to run again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from quintet.admin.transfer import mbox
from quintet.admin.transfer.incoming import Incoming
from quintet.errors import Problem, Refused
from quintet.store import entries, folders
from quintet.store.content import Content
from quintet.store.db import Tx
from quintet.store.model import AccountId, FolderId, text_key
from quintet.store.store import Store

AT_ONCE = 64  # messages whose commits run together: one flush serves them all
HELD = 8 * 1024 * 1024  # bytes of bodies in memory at once
MAX_FAILURES = 100  # told by name; more are counted


@dataclass(slots=True)
class Result:
    """What an import did."""

    added: int = 0
    present: int = 0  # the same bytes lay in the folder already
    failed: list[str] = field(default_factory=list)
    failures: int = 0


async def load(
    store: Store, account: AccountId, messages: Iterable[Incoming], *, again: bool = False
) -> Result:
    """Adds each message to its folder of ``account``; folders are made as they come.

    A message whose bytes lie in the folder already is passed over, so an import that was interrupted is
    simply run again; ``again`` adds it all the same.  A message that cannot be read is counted and named,
    the others go on.  Memory: `HELD` bytes and one message of at most 64 KiB beyond.

    Raises:
        TryLater(DISK_FULL, STORAGE, OVER_QUOTA): nothing more fits; what was added stays.
    """
    result = Result()
    places: dict[str, FolderId] = {}
    waiting: set[asyncio.Task[bool]] = set()
    held = 0
    for message in messages:
        try:
            content = await _content(store, message)
        except (OSError, Refused) as error:
            _failed(result, message, error)
            continue
        if message.folder not in places:
            places[message.folder] = await store.write(_folder, account, message.folder)
        waiting.add(asyncio.create_task(_put(store, places[message.folder], content, message, again=again)))
        held += content.size if content.data is not None else 0
        if len(waiting) >= AT_ONCE or held >= HELD:
            await _settle(waiting, result)
            held = 0
    await _settle(waiting, result)
    return result


async def _content(store: Store, message: Incoming) -> Content:
    spool = store.spool()
    try:
        for chunk in message.chunks:
            spool.write(chunk)
        return await spool.finish()
    finally:
        spool.discard()


async def _put(store: Store, folder: FolderId, content: Content, message: Incoming, *, again: bool) -> bool:
    if not again and store.peek(has_bytes, folder, content):
        return False
    flags, keywords = message.flags, message.keywords
    if message.status_headers:
        flags, keywords = mbox.flags_of(content.digest)
    received_at = message.received_at or content.sent_at or store.clock.now()
    return await store.write(_add, folder, content, received_at, flags, keywords, again)


def _add(
    tx: Tx,
    folder: FolderId,
    content: Content,
    received_at: int,
    flags: int,
    keywords: tuple[str, ...],
    again: bool,
) -> bool:
    if not again and has_bytes(tx, folder, content):
        return False  # twice in one file: looked at again, inside the transaction
    entries.add(tx, [folder], content, received_at=received_at, flags=flags, keywords=keywords)
    return True


def has_bytes(tx: Tx, folder: FolderId, content: Content) -> bool:
    """Whether a message with exactly these bytes lies in the folder."""
    among = "SELECT 1 FROM blob b JOIN message m ON m.blob_id = b.id JOIN entry e ON e.message_id = m.id"
    found = tx.value(f"{among} WHERE b.sha256 = ? AND e.folder_id = ? LIMIT 1", content.sha256, folder)
    if (
        found is None and content.data is not None and content.message_id
    ):  # one that came in a crowd has no hash
        found = tx.value(
            f"{among} WHERE m.message_key = ? AND e.folder_id = ? AND b.size = ? AND b.data = ? LIMIT 1",
            text_key(content.message_id), folder, content.size, content.data,
        )  # fmt: skip
    return found is not None


def _folder(tx: Tx, account: AccountId, name: str) -> FolderId:
    found = folders.find(tx, account, name)
    return found.id if found else folders.create(tx, account, name).id


async def _settle(waiting: set[asyncio.Task[bool]], result: Result) -> None:
    done = await asyncio.gather(*waiting, return_exceptions=True)
    waiting.clear()
    for each in done:
        if isinstance(each, BaseException):
            raise each
        result.added += each
        result.present += not each


def _failed(result: Result, message: Incoming, error: OSError | Problem) -> None:
    result.failures += 1
    if len(result.failed) < MAX_FAILURES:
        result.failed.append(f"{message.name}: {error}")
