"""Micro-benchmark of MAPI's address book: each request as bytes in, bytes out, over a directory of accounts.

python -m bench.micro.nspi [accounts]

Mark (issue 6): with 10,000 accounts, QueryRows of 50 rows in 2 ms of CPU.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
import time

from quintet.auth.identity import Identity
from quintet.config.address_book import AddressBook
from quintet.config.store import Store as StoreConfig
from quintet.mapi import restrict
from quintet.mapi.nspi import bodies
from quintet.mapi.nspi import messages as m
from quintet.mapi.nspi.consts import of
from quintet.mapi.nspi.endpoint import AddressBookEndpoint
from quintet.store import accounts
from quintet.store.db import Tx
from quintet.store.store import Store

COLUMNS = tuple(map(of, (
    "DisplayName", "EmailAddress", "SmtpAddress", "AddressType", "ObjectType", "DisplayType", "DisplayTypeEx",
    "InstanceKey", "Account", "AddressBookProxyAddresses", "RecordKey", "EntryId",
)))  # fmt: skip
NAME = of("DisplayName")
WIDE = m.Stat(code_page=1200)
ROUNDS, REPEATS = 20, 20
WORK = (
    ("QueryRows, 50 rows of 12 columns", "queryrows", lambda middle: m.QueryRows(
        state=middle, count=50, columns=COLUMNS)),
    ("QueryRows, 50 rows of 5 columns", "queryrows", lambda middle: m.QueryRows(
        state=middle, count=50, columns=COLUMNS[:5])),
    ("UpdateStat", "updatestat", lambda middle: m.UpdateStat(state=middle)),
    ("SeekEntries", "seekentries", lambda middle: m.SeekEntries(state=WIDE, target=(NAME, "given5"))),
    ("ResolveNames, one", "resolvenames", lambda middle: m.ResolveNames(
        state=WIDE, names=("given5 sur5n",), columns=COLUMNS)),
    ("ResolveNames, all are meant", "resolvenames", lambda middle: m.ResolveNames(
        state=WIDE, names=("g",), columns=COLUMNS)),
)  # fmt: skip


def fill(tx: Tx, number: int) -> None:
    accounts.add_domain(tx, "example.org")
    for at in range(number):
        account = accounts.create(
            tx, f"user{at:05}@example.org", display_name=f"Given{at % 977} Sur{at % 1009}name"
        )
        accounts.add_address(tx, account.id, f"given{at}.surname@example.org")


async def measure(store: Store) -> None:
    endpoint = AddressBookEndpoint(store, AddressBook, "mail.example.org", lambda: "https://mail.example.org")
    before, start = memory(), time.process_time()
    view = await endpoint.directory.view()
    told("making the view", time.process_time() - start)
    print(f"{'memory of the view':44} {memory() - before:8} MB")
    who = Identity(view.entries[0].number, "user00001@example.org", "PLAIN", "mapi")
    session = (await endpoint.open(who, bodies.write_request("bind", m.Bind(0, WIDE)))).state
    middle = m.Stat(code_page=1252, delta=len(view.entries) // 2)
    for title, kind, make in WORK:
        body = bodies.write_request(kind, make(middle))
        best = 9.0
        for _ in range(ROUNDS):
            start = time.process_time()
            for _ in range(REPEATS):
                await endpoint.answer(session, kind, body)
            best = min(best, (time.process_time() - start) / REPEATS)
        told(title, best)
    every = restrict.Content(restrict.Where.SUBSTRING, 1, NAME, (NAME, "sur99"))
    request = m.GetMatches(state=WIDE, filter=every, most=1000, columns=COLUMNS)
    body = bodies.write_request("getmatches", request)
    start = time.process_time()
    await endpoint.answer(session, "getmatches", body)
    told("GetMatches, a part of every name", time.process_time() - start)


def memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def told(title: str, seconds: float) -> None:
    print(f"{title:44} {seconds * 1e3:8.3f} ms of CPU")


async def run(number: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        store = await Store.open(StoreConfig(data=place, sync="off"))
        await store.write(fill, number)
        await measure(store)
        await store.close()


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
