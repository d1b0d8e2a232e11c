"""A program to be killed: saves items and sends messages through objects; each writer is killed in time.

    python -m tests.crash.objectwriter DATA KILLS SEED

A writer prints "saved N" when saving was acknowledged, "sent N" when sending was.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from quintet.auth.identity import Identity
from quintet.clock import SystemClock
from quintet.config.nntp import Nntp
from quintet.config.smtp import Smtp
from quintet.config.store import Store as StoreConfig
from quintet.delivery.inbound import Inbound
from quintet.delivery.post import PostOffice
from quintet.errors import TryLater
from quintet.mapi import objects
from quintet.mapi.errors import MapiError
from quintet.mapi.objects import Box, pid
from quintet.net.seam import Peer
from quintet.store import accounts
from quintet.store.db import Tx
from quintet.store.store import Store

OWN = 0x66100003  # a property that no MIME carries
FOLDERS = ("drafts", "contacts", "calendar")


@dataclass
class Desk:
    """What errands need."""

    store: Store
    inbound: Inbound
    office: PostOffice
    identity: Identity
    peer: Peer


def save(box: Box, number: int) -> None:
    message = box.folder(box.special[FOLDERS[number % 3]]).create_message(associated=number % 7 == 0)
    message.set([(pid.SUBJECT, f"item {number}"), (OWN, number)])
    attached = message.create_attachment()
    attached.set([(0x3707001F, "a.bin"), (pid.ATTACH_DATA, bytes(200_000 if number % 11 == 0 else 100))])
    attached.save()
    message.save()


def send(box: Box, number: int) -> None:
    message = box.folder(box.special["outbox"]).create_message()
    message.set([(pid.SUBJECT, f"mail {number}"), (pid.BODY, "text\r\n"), (OWN, number)])
    message.modify_recipients(
        {0: {pid.RECIPIENT_TYPE: 1, pid.DISPLAY_NAME: "Bob", pid.SMTP_ADDRESS: "bob@example.org"}}
    )
    message.save()
    message.submit()


async def work(data: str, first: int) -> None:
    store = await Store.open(StoreConfig(data=data))
    account = store.peek(accounts.find, "ann@example.org")
    assert account
    clock = SystemClock()
    inbound = Inbound(store, Smtp(), hostname="mx.example.org", clock=clock)
    office = PostOffice(store, Nntp(), hostname="mx.example.org", clock=clock)
    desk = Desk(
        store, inbound, office, Identity(account.id, account.name, "PLAIN", "mapi"), Peer("k", "127.0.0.1")
    )
    box = await store.write(objects.logon, account.id, account.id, files=store.blobs)

    async def act(what: Callable[[Box, int], None], number: int) -> None:
        def call(tx: Tx) -> None:
            with box.using(tx):
                what(box, number)

        await store.write_once(call)
        for errand in box.take_errands():
            await errand.run(desk)

    for number in range(first, first + 100_000):
        try:
            await act(send if number % 2 else save, number)
        except (TryLater, MapiError):
            continue
        os.write(1, b"%s %d\n" % (b"sent" if number % 2 else b"saved", number))


def main(data: str, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    for turn in range(kills):
        child = os.fork()
        if child == 0:
            asyncio.run(work(data, turn * 1_000_000))
            os._exit(0)
        time.sleep(chance.uniform(0.15, 0.5))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.write(1, b"killed 1\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
