"""Micro-benchmark of MAPI's objects over the store: pages of a contents table, opening, sorting; CPU each.

python -m bench.micro.mapi [messages]

Marks (issue 6): 50 rows of 12 columns in a folder of 10,000 in 2 ms of CPU; opening a message in 1 ms.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from quintet.config.store import Store as StoreConfig
from quintet.mapi import layout, objects
from quintet.mapi.objects import Box, pid
from quintet.mapi.rows import Key, Order, SortOrder
from quintet.mapi.table import Origin
from quintet.store import accounts, content, entries
from quintet.store.db import Tx
from quintet.store.store import Store

LETTER = (
    b"Received: from mx.example.net by mx.example.org; Fri, 21 Nov 2025 09:00:01 +0000\r\n"
    b"From: =?utf-8?q?Zo=C3=AB?= Archer <zoe%d@example.net>\r\n"
    b"To: Ann Ames <ann@example.org>, Bob <bob@example.org>\r\nCc: Team <team@example.org>\r\n"
    b"Subject: Re: =?utf-8?q?Caf=C3=A9?= menu, number %07d\r\nDate: Fri, 21 Nov 2025 09:00:00 +0000\r\n"
    b"Message-ID: <m%d@bench.example>\r\nReferences: <m0@bench.example>\r\nMIME-Version: 1.0\r\n"
    b"X-Mailer: bench\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + b"Words of an ordinary letter.\r\n" * 30 +
    b"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>" + b"Words of an ordinary letter.\r\n" * 30 +
    b"</p>\r\n--b--\r\n"
)  # fmt: skip
COLUMNS = (
    pid.MESSAGE_ID, pid.FOLDER_ID, layout.INST_ID, layout.INSTANCE_NUM, pid.MESSAGE_CLASS, pid.SUBJECT,
    pid.SENDER_NAME, pid.DELIVERY_TIME, pid.MESSAGE_SIZE, pid.MESSAGE_FLAGS, pid.HAS_ATTACHMENTS,
    pid.DISPLAY_TO,
)  # fmt: skip


def timed(name: str, count: int, work: Callable[[int], object]) -> None:
    start = time.process_time()
    for number in range(count):
        work(number)
    print(f"{name:52} {(time.process_time() - start) / count * 1e3:8.3f} ms of CPU")


def fill(tx: Tx, folder: int, first: int, count: int) -> None:
    for number in range(first, first + count):
        made = content.content_of(LETTER % (number % 100, number, number))
        entries.add(tx, [folder], made, received_at=tx.now + random.randrange(10**9))


def measure(tx: Tx, box: Box, messages: int) -> None:
    with box.using(tx):
        table = box.inbox.contents()
        table.set_columns(COLUMNS)
        newest = SortOrder((Key(pid.DELIVERY_TIME, Order.DESCENDING),))
        table.sort(newest)
        pages = max(messages // 50, 1)

        def page(number: int) -> None:
            table.seek(Origin.BEGINNING, number % pages * 50)
            table.query(50)

        def open_and_sort(number: int, order: SortOrder = newest) -> None:
            one = box.inbox.contents()
            one.set_columns(COLUMNS)
            one.sort(order)
            one.query(1)

        page(0)
        timed("50 rows of 12 columns that nobody listed before", pages, page)
        timed("50 rows of 12 columns, listed again", pages, page)
        ids = [entry for (entry,) in tx.all("SELECT id FROM entry ORDER BY received_at LIMIT 1000")]
        timed("open a message, its subject and recipients", 1000, lambda n: opened(box, ids[n % len(ids)]))
        timed(f"contents of {messages} by delivery time", 5, open_and_sort)
        by_subject = SortOrder((Key(pid.NORMALIZED_SUBJECT, Order.ASCENDING),))
        timed(f"contents of {messages} by subject", 2, lambda n: open_and_sort(n, by_subject))
        by_sender = SortOrder((Key(pid.SENDER_NAME, Order.ASCENDING),), 1, 1)
        timed(f"contents of {messages} in categories", 2, lambda n: open_and_sort(n, by_sender))


def opened(box: Box, number: int) -> None:
    message = box.message(number)
    message.get([pid.SUBJECT_PREFIX, pid.NORMALIZED_SUBJECT])
    assert message.recipients


async def main(messages: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = await Store.open(StoreConfig(data=str(Path(folder) / "data"), sync="off"))
        try:
            account = await store.write(accounts.create, "ann")
            box = await store.write(objects.logon, account.id, account.id, files=store.blobs)
            for first in range(0, messages, 1000):
                await store.write(fill, box.special["inbox"], first, min(1000, messages - first))
            store.peek(measure, box, messages)
        finally:
            await store.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
