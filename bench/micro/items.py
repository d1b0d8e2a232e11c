"""Micro-benchmark of the Pythonic layer: a folder of the own store, listed with five properties of each item.

python -m bench.micro.items [messages]

Mark (issue 6): 10,000 items with five properties in 0.3 s, the first listing of a process included.  Each
round is a process of its own, which has opened the store before it is measured.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.micro.mapi import fill
from quintet import mapi
from quintet.config import root
from quintet.mapi import objects
from quintet.store import accounts
from quintet.store.store import Store

ROUNDS = 3
CONFIG = '[server]\nhostname = "mail.example.org"\n[store]\ndata = "{data}"\nsync = "off"\n'


async def make(config: Path, messages: int) -> None:
    store = await Store.open(root.from_file(config).store)
    account = await store.write(accounts.create, "ann@example.org")
    box = await store.write(objects.logon, account.id, account.id, files=store.blobs)
    for first in range(0, messages, 1000):
        await store.write(fill, box.special["inbox"], first, min(1000, messages - first))
    await store.close()


def listed(inbox: mapi.Folder, order: str) -> int:
    """Goes through all items; how many there were."""
    told = [
        (item.subject, item.sender, item.received, item.size, item.read)
        for item in (inbox.items(order=order) if order else inbox.items())
    ]
    assert all(row[0].startswith("Re: Caf") and row[3] > 1000 for row in told)
    return len(told)


def measure(config: Path) -> None:
    with mapi.connect("QUINTET", data=str(config), account="ann@example.org") as session:
        inbox = session.store.inbox
        for name, order in (("first listing", ""), ("again", ""), ("again, newest first", "-received")):
            cpu, wall = time.process_time(), time.monotonic()
            count = listed(inbox, order)
            cpu, wall = time.process_time() - cpu, time.monotonic() - wall
            print(f"{count} items, five properties of each: {name:20} {cpu:6.3f} s of CPU, {wall:6.3f} s")


if __name__ == "__main__":
    if sys.argv[1:2] == ["client"]:
        measure(Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "quintet.toml"
            path.write_text(CONFIG.format(data=Path(folder) / "data"))
            asyncio.run(make(path, int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
            for _ in range(ROUNDS):
                subprocess.run([sys.executable, "-m", "bench.micro.items", "client", str(path)], check=True)
