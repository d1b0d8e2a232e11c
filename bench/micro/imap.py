"""CPU per IMAP command in one process without sockets, on a store that is there already.

    .venv/bin/python -m bench.micro.imap DATA USER [--only login,search] [--profile login]

DATA is a copy of a data directory (`make bench ARGS="--only I1 --home DIR"` leaves one in DIR/quintet/data);
the user's password is "pw".  Prints microseconds of CPU in the best of some batches, and the statements that
SQLite had to parse.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import time
from pathlib import Path

from quintet.auth.service import AuthService
from quintet.config.auth import Auth
from quintet.config.store import Store as StoreConfig
from quintet.imap.service import ImapService
from quintet.net import memory
from quintet.store.store import Store

BATCHES = 20
OVERVIEW = b"(UID FLAGS ENVELOPE BODYSTRUCTURE INTERNALDATE RFC822.SIZE)"
FIELDS = b"From To Cc Bcc Subject Date Message-ID Priority References In-Reply-To Content-Type Reply-To"
COMMANDS: dict[str, tuple[bytes, int]] = {  # and how often
    "noop": (b"NOOP", 2000),
    "select": (b"SELECT INBOX", 1000),
    "overview": (b"FETCH 1:* " + OVERVIEW, 10),
    "page": (b"FETCH 501:520 " + OVERVIEW, 500),
    "flags": (b"FETCH 1:* (UID FLAGS)", 20),
    "fields": (b"FETCH 1:1000 (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (" + FIELDS + b")])", 10),
    "preview": (b"FETCH 1:200 (UID PREVIEW)", 5),
    "header": (b"FETCH 1:1000 (UID BODY.PEEK[HEADER])", 10),
    "bodies": (b"FETCH 1:200 (UID BODY.PEEK[])", 10),
    "unseen": (b"UID SEARCH UNSEEN", 1000),
    "since": (b"UID SEARCH SINCE 18-Nov-2023 LARGER 20000", 50),
    "subject": (b'UID SEARCH HEADER SUBJECT "report"', 5),
    "from": (b'UID SEARCH FROM "ada"', 5),
    "message_id": (b'UID SEARCH HEADER MESSAGE-ID "c1.77@bench.test"', 5),
    "word": (b'UID SEARCH BODY "nnfdkd"', 5),
    "body": (b'UID SEARCH BODY "needle077"', 5),
    "sort": (b"UID SORT (DATE) UTF-8 ALL", 20),
    "thread": (b"UID THREAD REFERENCES UTF-8 ALL", 20),
    "store": (b"STORE 1 +FLAGS (\\Flagged)", 500),
    "unstore": (b"STORE 1 -FLAGS (\\Flagged)", 500),
    "status": (b"STATUS INBOX (MESSAGES UNSEEN UIDNEXT)", 1000),
    "list": (b'LIST "" "*"', 500),
}


class Client(memory.Talk):
    """Says a command and waits for its end."""

    async def say(self, text: bytes) -> int:
        """The octets of the answer."""
        sent = self.transport.sent
        sent.clear()
        self.stream.take(b"a " + text + b"\r\n")
        if not self.driver.waiting:
            await self.settle()
        return len(sent)


async def login(service: ImapService, user: bytes) -> int:
    client = Client(service)
    await client.begin()
    await client.say(b'LOGIN "%b" "pw"' % user)
    size = await client.say(b"SELECT INBOX")
    await client.say(b"LOGOUT")
    await client.end()
    return size


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("user")
    parser.add_argument("--only", default="")
    parser.add_argument("--profile", default="", help="where the time of this one goes")
    options = parser.parse_args()
    store = await Store.open(StoreConfig(data=str(options.data), sync="off"))
    auth = AuthService(store, Auth(default_domain="bench.test"))
    service = ImapService(store, auth)
    user = options.user.encode()
    client = Client(service)
    await client.begin()
    await client.say(b'LOGIN "%b" "pw"' % user)
    await client.say(b"SELECT INBOX")
    wanted = options.only.split(",") if options.only else ["login", *COMMANDS]
    for name in wanted:
        text, count = COMMANDS.get(name, (b"", 1000))

        async def one(text: bytes = text) -> int:
            return await client.say(text) if text else await login(service, user)

        await one()
        parsed = store._peek._connection.cache_stats()["misses"]
        profile = cProfile.Profile() if options.profile == name else None
        if profile:
            profile.enable()
        batches = min(count, BATCHES)
        best = float("inf")  # other work on the machine only makes it longer
        for _ in range(batches):
            began = time.process_time()
            for _ in range(count // batches):
                size = await one()
            best = min(best, time.process_time() - began)
        if profile:
            profile.disable()
        each = best / (count // batches) * 1e6
        parsed = store._peek._connection.cache_stats()["misses"] - parsed
        print(f"{name:10} {each:12,.1f} us  {size:10,} octets  {parsed / count:6.2f} parsed")
        if profile:
            pstats.Stats(profile).sort_stats("tottime").print_stats(45)
    await client.end()
    await auth.close()
    await service.close()
    await store.close()


if __name__ == "__main__":
    asyncio.run(main())
