"""Micro-benchmark of taking messages: SMTP DATA, IMAP APPEND, NNTP TAKETHIS through driver, session, store.

python -m bench.micro.accepting [messages] [--only smtp|imap|nntp] [--recipients 50]

No sockets.  Twenty (ten) lock-step clients in the same process, or eight that send articles by fifties into
10,000 groups; what they do costs about 3 us a message and is counted.
Printed: CPU of the loop's thread and of all threads, a message, and messages a commit; the best of three
runs, since a busy machine only adds.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from bench.loadgen import corpus
from quintet import log
from quintet.auth import admin
from quintet.auth.service import AuthService
from quintet.clock import SystemClock
from quintet.config.auth import Auth
from quintet.config.news import News
from quintet.config.nntp import Nntp
from quintet.config.peers import Peer as PeerConfig
from quintet.config.smtp import Smtp
from quintet.config.store import Store as StoreConfig
from quintet.delivery.arrivals import Arrivals
from quintet.delivery.inbound import Inbound
from quintet.delivery.offers import Offers
from quintet.delivery.peers import Peers
from quintet.imap.service import ImapService
from quintet.net.driver import Driver
from quintet.net.memory import MemoryStream, MemoryTransport
from quintet.net.seam import Peer
from quintet.nntp.service import NntpService
from quintet.smtp.desk import Role
from quintet.smtp.service import SmtpService
from quintet.store import accounts, groups
from quintet.store.db import Tx
from quintet.store.store import Store

GROUPS = 10_000
STREAMED = 50  # articles between two waits for answers
CHEAP = Auth(argon2_memory=64, argon2_time=1, scram_iterations=4096)


class Transport(MemoryTransport):
    """Hands what the server says to a client, in the next turn of the loop."""

    def __init__(self, stream: MemoryStream, client: Client) -> None:
        super().__init__(stream)
        self._client = client

    def write(self, data: bytes | bytearray | memoryview) -> None:
        asyncio.get_running_loop().call_soon(self._client.heard, bytes(data))


class Client:
    """Speaks the lines of ``script`` (a generator that is sent each answer) until it ends."""

    def __init__(self, service: Any, name: str, script: Any) -> None:  # Any: either service; a generator
        peer = Peer(name, "127.0.0.1", 1024, "127.0.0.1", 1, service.name)
        stream = MemoryStream()
        wire, session = service.open(peer)
        self._driver = Driver(stream, wire, session, peer)
        stream.receiver = self._driver
        self._stream, self._script = stream, script
        next(script)
        self.done = asyncio.get_running_loop().create_future()
        stream.connection_made(Transport(stream, self))
        self._driver.begin()

    def heard(self, data: bytes) -> None:
        try:
            said = self._script.send(data)
        except StopIteration:
            if not self.done.done():
                self.done.set_result(None)
            return
        if said:
            self._stream.take(said)


def smtp_script(name: str, messages: list[bytes], to: Sequence[str] = ()) -> Any:  # a generator
    said = yield
    yield b"EHLO client.example\r\n"
    for message in messages:
        lines = b"".join([b"RCPT TO:<%b@bench.test>\r\n" % each.encode() for each in to or (name,)])
        said = yield b"MAIL FROM:<x@client.example>\r\n" + lines + b"DATA\r\n"
        while b"354" not in said:  # replies to many commands come in more than one piece
            said = yield b""
        said = yield message
        assert said.startswith(b"250"), said


def imap_script(name: str, messages: list[bytes]) -> Any:  # a generator
    said = yield
    said = yield b"a LOGIN %b@bench.test pw\r\n" % name.encode()
    while b"OK" not in said:
        said = yield b""
    for message in messages:
        said = yield b"b APPEND INBOX (\\Seen) {%d+}\r\n%b\r\n" % (len(message), message)
        assert said.startswith(b"b OK"), said


def nntp_script(name: str, articles: list[bytes]) -> Any:  # a generator
    said = yield
    said = yield b"MODE STREAM\r\n"
    for start in range(0, len(articles), STREAMED):
        batch = articles[start : start + STREAMED]
        ids = [each[each.index(b"\nMessage-ID: ") + 13 :].split(b"\r\n", 1)[0] for each in batch]
        for lines in (
            [b"CHECK %b\r\n" % each for each in ids],
            [b"TAKETHIS %b\r\n%b.\r\n" % pair for pair in zip(ids, batch, strict=True)],
        ):
            said = yield b"".join(lines)
            heard = said.count(b"\r\n")
            while heard < len(batch):
                said = yield b""
                heard += said.count(b"\r\n")
            assert said.startswith(b"23"), said


def articles(count: int) -> list[bytes]:
    made, found = corpus.Corpus(7), []
    for number in range(count):
        group = f"bench.g{number * 7919 % GROUPS:05}"
        article = made.article(number, group, f"{number}.{time.time_ns():x}@bench.test", poster=False)
        found.append(corpus.stuffed(article))
    return found


def make_groups(tx: Tx) -> None:
    for number in range(GROUPS):
        groups.create(tx, f"bench.g{number:05}")


async def news(store: Store, auth: AuthService, clock: SystemClock) -> NntpService:
    """A service that takes articles for `GROUPS` groups from this machine."""
    await store.write(make_groups)
    config = Nntp(peer=(PeerConfig(name="feed", addresses=("127.0.0.1",), accept="*"),))
    arrivals = Arrivals(
        store,
        config,
        News(),
        hostname="mx.bench.test",
        clock=clock,
        peers=Peers(config.peer),
        offers=Offers(clock, config.offer_hold_s),
    )
    return NntpService(store, auth, config, hostname="mx.bench.test", clock=clock, arrivals=arrivals)


async def run(kind: str, count: int, clients: int, recipients: int) -> tuple[float, float, float]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        clock = SystemClock()
        store = await Store.open(StoreConfig(data=folder))
        await store.write(accounts.add_domain, "bench.test")
        auth = AuthService(store, CHEAP, clock=clock)
        for number in range(max(clients, recipients if kind == "smtp" else 0)):
            account = await store.write(accounts.create, f"u{number}@bench.test")
            await admin.set_password(store, account.id, "pw", CHEAP)
        service: Any
        if kind == "smtp":
            config = Smtp()
            inbound = Inbound(store, config, hostname="mx.bench.test", clock=clock)
            service = SmtpService(
                store, auth, config, role=Role.MX, inbound=inbound, hostname="mx.bench.test", clock=clock
            )
            to = [f"u{number}" for number in range(recipients)] if recipients > 1 else []
            script: Any = functools.partial(smtp_script, to=to)
        elif kind == "nntp":
            service, script = await news(store, auth, clock), nntp_script
        else:
            service = ImapService(store, auth, hostname="mx.bench.test", clock=clock)
            script = imap_script
        made = articles(count) if kind == "nntp" else corpus.pool(corpus.Corpus(7), "small", count)
        if kind == "smtp":
            made = [one.replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n" for one in made]
        each = count // clients
        spare = articles(3 * clients) if kind == "nntp" else made
        warm = [Client(service, f"w{n}", script(f"u{n}", spare[3 * n : 3 * n + 3])) for n in range(clients)]
        await asyncio.gather(*(client.done for client in warm))
        before = time.thread_time(), time.process_time(), store.commits, store.transactions
        talks = [
            Client(service, f"c{n}", script(f"u{n}", made[n * each : (n + 1) * each])) for n in range(clients)
        ]
        await asyncio.gather(*(client.done for client in talks))
        thread, process = time.thread_time() - before[0], time.process_time() - before[1]
        batch = (store.transactions - before[3]) / max(store.commits - before[2], 1)
        await store.close()
        return thread / (each * clients) * 1e6, process / (each * clients) * 1e6, batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("messages", nargs="?", type=int, default=4000)
    parser.add_argument("--only", default="smtp,imap,nntp")
    parser.add_argument("--recipients", type=int, default=1, help="of each message by SMTP")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    log.configure("error", "json")
    for kind, clients in (("smtp", 20), ("imap", 10), ("nntp", 8)):
        if kind in options.only:
            found = [
                asyncio.run(run(kind, options.messages, clients, options.recipients))
                for _ in range(options.runs)
            ]
            thread, process, batch = (min(one[n] for one in found) for n in range(3))
            print(f"{kind}: loop {thread:.0f} us, all threads {process:.0f} us, {batch:.1f} a commit")


if __name__ == "__main__":
    main()
