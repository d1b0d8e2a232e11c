"""Load with receipts: clients that hand in messages by SMTP, LMTP, IMAP and NNTP and note what was promised.

Each message has a Message-ID of its own and goes to one or two places ("alice/INBOX", "local.test").  The
`Ledger` knows what was sent whole and where it was acknowledged; `reading` then looks what is there.
Clients reconnect for ever, so whoever starts one cancels it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

HOST = "127.0.0.1"
PASSWORD = "demo"
GROUP = "local.test"
ALICE, BOB = "alice@example.org", "bob@example.org"
INBOX = {ALICE: "alice/INBOX", BOB: "bob/INBOX"}
LARGE = 64 * 1024  # bytes; a body beyond lies beside the database
RETRY_S = 0.01

_WORDS = b"the quick brown fox jumps over a lazy dog and . then ..sleeps in the sun near the old mill".split()


def _pool() -> bytes:
    rng = random.Random(5)
    lines = [b" ".join(rng.choices(_WORDS, k=rng.randrange(0, 14))) for _ in range(16_000)]
    return b"\r\n".join(lines) + b"\r\n"


POOL = _pool()


@dataclass(slots=True)
class Sent:
    """A message that was on its way, and what was said about it."""

    ident: str  # Message-ID, without the angle brackets
    data: bytes  # as handed in
    way: str  # smtp, lmtp, imap, nntp
    places: tuple[str, ...]
    acknowledged: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Ledger:
    """What the clients of one server did."""

    rng: random.Random
    name: str
    open: dict[str, Sent] = field(default_factory=dict)  # since the last look
    number: int = 0
    large: float = 0.12  # share of messages above 64 KiB
    cut: int = 0  # connections that ended, or could not be made
    refused: list[str] = field(default_factory=list)  # replies nobody expected

    def letter(self, way: str, *places: str) -> Sent:
        """A new message; some are large, some have lines of dots."""
        self.number += 1
        ident = f"{self.name}.{self.number}.{way}@hammer.example"
        if self.rng.random() < self.large:
            size = self.rng.randrange(LARGE, 4 * LARGE)
        else:
            size = self.rng.randrange(40, 6000)
        start = POOL.index(b"\r\n", self.rng.randrange(len(POOL) - size - 400)) + 2
        end = POOL.index(b"\r\n", start + size) + 2
        head = (
            f"From: Load <load@hammer.example>\r\nTo: {ALICE}\r\nSubject: number {self.number} by {way}\r\n"
            f"Message-ID: <{ident}>\r\n"
        )
        if way == "nntp":  # which adds the date
            head += f"Newsgroups: {GROUP}\r\n"
        else:
            head += "Date: Mon, 05 Jan 2026 10:00:00 +0000\r\n"
        made = Sent(ident, head.encode() + b"\r\n" + POOL[start:end], way, places)
        self.open[ident] = made
        return made

    def expect(self, line: bytes, code: bytes) -> bool:
        """True for the hoped-for reply; another is noted (an ended connection is not a reply)."""
        if line.startswith(code):
            return True
        if not line.endswith(b"\n"):
            raise ConnectionResetError("cut off")
        if not line.startswith((b"421", b"400")):  # a worker whose supervisor is dead says good-bye
            self.refused.append(line.decode(errors="replace").strip())
        return False

    def go_ahead(self, replies: list[bytes]) -> bool:
        """True when MAIL and every RCPT were taken and DATA may follow."""
        codes = [b"250"] * (len(replies) - 1) + [b"354"]
        return min([self.expect(reply, code) for reply, code in zip(replies, codes, strict=True)])


class Line:
    """A connection of lines."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def line(self) -> bytes:
        """One line with its end; raises IncompleteReadError when the peer is gone."""
        return await self.reader.readuntil(b"\n")

    async def reply(self) -> bytes:
        """The last line of an SMTP reply."""
        while (line := await self.line())[3:4] == b"-":
            pass
        return line

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def ask(self, text: str) -> bytes:
        self.send(text.encode() + b"\r\n")
        await self.writer.drain()
        return await self.reply()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Line]:
    """A `Line` to the server."""
    reader, writer = await asyncio.open_connection(HOST, port, limit=1 << 20)
    try:
        yield Line(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await writer.wait_closed()


def stuffed(data: bytes) -> bytes:
    """As it travels behind DATA and POST."""
    text = b"\r\n" + data
    return text.replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


# --- clients ------------------------------------------------------------------------------------------


def _recipients(ledger: Ledger) -> list[str]:
    return [ALICE, BOB] if ledger.rng.random() < 0.3 else [ALICE]


async def smtp_data(port: int, ledger: Ledger) -> None:
    """DATA, with the next MAIL, RCPT, DATA in the same packet as the end of a message (RFC 2920)."""
    async with connected(port) as line:
        await line.reply()
        await line.ask("EHLO hammer.example")
        tail, previous = b"", None
        while True:
            names = _recipients(ledger)
            sent = ledger.letter("smtp", *(INBOX[name] for name in names))
            rcpt = "".join(f"RCPT TO:<{name}>\r\n" for name in names)
            line.send(tail + f"MAIL FROM:<load@hammer.example>\r\n{rcpt}DATA\r\n".encode())
            if tail and previous is not None and ledger.expect(await line.reply(), b"250"):
                previous.acknowledged.update(previous.places)
            replies = [await line.reply() for _ in range(len(names) + 2)]
            if not ledger.go_ahead(replies):
                return
            tail, previous = stuffed(sent.data), sent
            if len(tail) > LARGE or ledger.rng.random() < 0.3:  # this one alone
                line.send(tail)
                if ledger.expect(await line.reply(), b"250"):
                    sent.acknowledged.update(sent.places)
                tail = b""


async def smtp_bdat(port: int, ledger: Ledger) -> None:
    """Whole transactions in one go by BDAT (RFC 3030), up to six under way."""
    async with connected(port) as line:
        await line.reply()
        await line.ask("EHLO hammer.example")
        while True:
            batch = []
            for _ in range(ledger.rng.randrange(1, 7)):
                names = _recipients(ledger)
                sent = ledger.letter("smtp", *(INBOX[name] for name in names))
                rcpt = "".join(f"RCPT TO:<{name}>\r\n" for name in names)
                line.send(f"MAIL FROM:<load@hammer.example>\r\n{rcpt}BDAT {len(sent.data)} LAST\r\n".encode())
                line.send(sent.data)
                batch.append((sent, len(names)))
            for sent, count in batch:
                for _ in range(count + 1):
                    ledger.expect(await line.reply(), b"250")
                if ledger.expect(await line.reply(), b"250"):
                    sent.acknowledged.update(sent.places)


async def lmtp(port: int, ledger: Ledger) -> None:
    """Two recipients, an answer for each (RFC 2033)."""
    async with connected(port) as line:
        await line.reply()
        await line.ask("LHLO hammer.example")
        while True:
            sent = ledger.letter("lmtp", INBOX[ALICE], INBOX[BOB])
            line.send(
                b"MAIL FROM:<load@hammer.example>\r\n"
                + f"RCPT TO:<{ALICE}>\r\nRCPT TO:<{BOB}>\r\nDATA\r\n".encode()
            )
            replies = [await line.reply() for _ in range(4)]
            if not ledger.go_ahead(replies):
                return
            line.send(stuffed(sent.data))
            for place in sent.places:
                if ledger.expect(await line.reply(), b"250"):
                    sent.acknowledged.add(place)


async def imap_append(port: int, ledger: Ledger) -> None:
    """APPEND to the inbox, small ones with LITERAL+ and several under way (RFC 7888)."""
    async with connected(port) as line:
        await line.line()
        await login(line, ALICE)
        number = 0
        while True:
            batch: dict[bytes, Sent] = {}
            for _ in range(ledger.rng.randrange(1, 4)):
                number += 1
                sent = ledger.letter("imap", INBOX[ALICE])
                tag = b"h%d" % number
                if len(sent.data) > 4096:  # RFC 7888 4: LITERAL- clients ask first
                    line.send(tag + b" APPEND INBOX {%d}\r\n" % len(sent.data))
                    await _until_go_ahead(line, ledger, batch)
                    line.send(sent.data + b"\r\n")
                else:
                    line.send(
                        tag + b" APPEND INBOX (\\Seen) {%d+}\r\n" % len(sent.data) + sent.data + b"\r\n"
                    )
                batch[tag] = sent
            while batch:
                _note(await line.line(), ledger, batch)


async def _until_go_ahead(line: Line, ledger: Ledger, batch: dict[bytes, Sent]) -> None:
    while not (got := await line.line()).startswith(b"+"):
        if not _note(got, ledger, batch) and not got.startswith(b"*"):
            raise ConnectionResetError(got)


def _note(got: bytes, ledger: Ledger, batch: dict[bytes, Sent]) -> bool:
    tag, _, rest = got.partition(b" ")
    sent = batch.pop(tag, None)
    if sent is not None and ledger.expect(rest, b"OK"):
        sent.acknowledged.update(sent.places)
    return sent is not None


async def login(line: Line, name: str) -> None:
    line.send(f"in LOGIN {name} {PASSWORD}\r\n".encode())
    while not (got := await line.line()).startswith(b"in "):
        pass
    assert got.startswith(b"in OK"), got


async def nntp_post(port: int, ledger: Ledger) -> None:
    """POST to a group, as somebody who logged in."""
    async with connected(port) as line:
        await line.line()
        await line.ask(f"AUTHINFO USER {ALICE}")
        assert (await line.ask(f"AUTHINFO PASS {PASSWORD}")).startswith(b"281")
        while True:
            line.send(b"POST\r\n")
            if not ledger.expect(await line.line(), b"340"):
                return
            sent = ledger.letter("nntp", GROUP)
            line.send(stuffed(sent.data))
            if ledger.expect(await line.line(), b"240"):
                sent.acknowledged.add(GROUP)


Client = Callable[[int, Ledger], Awaitable[None]]
CLIENTS: tuple[tuple[str, Client], ...] = (
    ("smtp", smtp_data),
    ("smtp", smtp_bdat),
    ("smtp", smtp_bdat),
    ("lmtp", lmtp),
    ("imap", imap_append),
    ("imap", imap_append),
    ("nntp", nntp_post),
)
"""One connection each; the listener it goes to."""


async def _again(client: Client, port: int, ledger: Ledger) -> None:
    while True:
        try:
            await client(port, ledger)
        except (OSError, asyncio.IncompleteReadError):
            ledger.cut += 1
        await asyncio.sleep(RETRY_S)


@asynccontextmanager
async def hammering(
    ports: Mapping[str, int], ledger: Ledger, clients: tuple[tuple[str, Client], ...] = CLIENTS
) -> AsyncIterator[None]:
    """The clients at work, until the end of the block."""
    tasks = [asyncio.create_task(_again(client, ports[name], ledger)) for name, client in clients]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()  # only a bug ends one
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
