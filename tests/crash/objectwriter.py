"""A program to be killed: saves items, sends messages, changes rules, delivers by rules; killed in time.

    python -m tests.crash.objectwriter DATA KILLS SEED

A writer prints "saved N" when saving was acknowledged, "sent N" when sending was, "ruled N" when a table of
rules was changed, "came N" when a letter was delivered that rules copy and pass on.
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
from quintet.delivery.envelope import Envelope, mailbox
from quintet.delivery.inbound import Inbound
from quintet.delivery.post import PostOffice
from quintet.errors import TryLater
from quintet.mapi import objects, pr
from quintet.mapi.errors import MapiError
from quintet.mapi.objects import Box, pid, ruletable
from quintet.mapi.objects.sorting import Sorter
from quintet.mapi.rules import Action, Flavor, Op, Target
from quintet.net.seam import Peer
from quintet.store import accounts, folders
from quintet.store.content import content_of
from quintet.store.db import Tx
from quintet.store.store import Store

OWN = 0x66100003  # a property that no MIME carries
FOLDERS = ("drafts", "contacts", "calendar")
COPIES = "Copies"  # where rules put another copy
TOGETHER = 3  # rules that are changed at once
TAG = Action(Op.TAG, (OWN, 1))
WORDS = (b"saved", b"sent", b"ruled", b"came")


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


def change_rules(box: Box, number: int) -> None:
    row = {pr.RULE_ACTIONS: (TAG,), pr.RULE_STATE: 1, pr.RULE_NAME: f"rules {number}"}
    ruletable.change(box.folder(box.special["drafts"]), [row] * TOGETHER)


def prepare(tx: Tx, box: Box) -> None:
    """Every letter to Ann is tagged, copied, and passed on to somebody elsewhere."""
    with box.using(tx):
        if ruletable.listing(box.inbox):
            return
        copies = folders.create(tx, box.account.id, COPIES).id
        row = ((pr.ADDRTYPE, "SMTP"), (pr.EMAIL_ADDRESS, "far@example.com"), (pr.DISPLAY_NAME, "Far"))
        actions = (
            TAG,
            Action(Op.COPY, Target(box.folder_entry_id(copies))),
            Action(Op.FORWARD, (row,), Flavor.UNCHANGED),
        )
        ruletable.change(box.inbox, [{pr.RULE_ACTIONS: actions, pr.RULE_STATE: 1}])


async def deliver(inbound: Inbound, number: int) -> None:
    letter = b"Message-ID: <%d@example.net>\r\nSubject: came %d\r\n\r\ntext\r\n" % (number, number)
    envelope = Envelope(Peer("k", "127.0.0.1"), sender=mailbox("zoe@example.net"))
    envelope.recipients.append(inbound.recipient(envelope, mailbox("ann@example.org")))
    await inbound.accept(envelope, content_of(letter))


async def work(data: str, first: int, ready: int) -> None:
    store = await Store.open(StoreConfig(data=data))
    account = store.peek(accounts.find, "ann@example.org")
    assert account
    clock = SystemClock()
    inbound = Inbound(store, Smtp(), hostname="mx.example.org", clock=clock)
    inbound.sorter = Sorter(inbound)
    office = PostOffice(store, Nntp(), hostname="mx.example.org", clock=clock)
    desk = Desk(
        store, inbound, office, Identity(account.id, account.name, "PLAIN", "mapi"), Peer("k", "127.0.0.1")
    )
    box = await store.write(objects.logon, account.id, account.id, files=store.blobs)
    await store.write_once(prepare, box)

    async def act(what: Callable[[Box, int], None], number: int) -> None:
        def call(tx: Tx) -> None:
            with box.using(tx):
                what(box, number)

        await store.write_once(call)
        for errand in box.take_errands():
            await errand.run(desk)

    os.write(ready, b"!")
    for number in range(first, first + 100_000):
        turn = number % 4
        try:
            if turn == 3:
                await deliver(inbound, number)
            else:
                await act((save, send, change_rules)[turn], number)
        except (TryLater, MapiError):
            continue
        os.write(1, b"%s %d\n" % (WORDS[turn], number))


def main(data: str, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    for turn in range(kills):
        told, tells = os.pipe()
        child = os.fork()
        if child == 0:
            asyncio.run(work(data, turn * 1_000_001, tells))
            os._exit(0)
        os.read(told, 1)  # it is at work: a machine that has much to do takes long until then
        os.close(told)
        os.close(tells)
        time.sleep(chance.uniform(0.15, 0.5))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.write(1, b"killed 1\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
