"""ENOSPC, EIO and a torn write at every write call of a delivery: a temporary refusal, and nothing lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from quintet.auth.service import AuthService
from quintet.clock import FrozenClock
from quintet.config.imap import Imap
from quintet.config.nntp import Nntp
from quintet.errors import Reason, TryLater
from quintet.imap.service import ImapService
from quintet.net.memory import converse
from quintet.net.seam import Service
from quintet.nntp.service import NntpService
from quintet.store import accounts, entries, folders, groups
from quintet.store.db import Tx
from quintet.store.model import FolderId
from quintet.store.store import Store
from tests.crash.faults import KINDS, broken_disk
from tests.support.mailhouse import CHEAP, SMTP, MailHouse
from tests.support.prepared import settle

REASON = {"ENOSPC": {Reason.DISK_FULL}, "EIO": {Reason.STORAGE}, "torn": {Reason.STORAGE}}


def raw(number: int, size: int) -> bytes:
    head = f"Message-ID: <f{number}@example.org>\r\nSubject: {number}\r\n\r\n".encode()
    return head + b"0123456789abcdef0123456789abcd\r\n" * (size // 32)


async def deliver(store: Store, inbox: FolderId, number: int, size: int) -> None:
    """A delivery as every protocol does it: spool, finish, write."""
    spool = store.spool()
    try:
        data = raw(number, size)
        for start in range(0, len(data), 16_384):
            spool.write(data[start : start + 16_384])
        await store.write(
            entries.add, [inbox], await spool.finish(), prefix=b"Received: x\r\n", received_at=number
        )
    finally:
        spool.discard()


def held(tx: Tx, number: int) -> int:
    return len(entries.by_message_id(tx, None, f"<f{number}@example.org>"))


@pytest.mark.parametrize("size", [500, 80_000], ids=["small", "large"])
@pytest.mark.parametrize("kind", KINDS)
async def test_failure_at_any_write_refuses_and_loses_nothing(tmp_path: Path, kind: str, size: int) -> None:
    async with broken_disk(tmp_path / "data", kind) as broken:
        store = broken.store
        account = await store.write(accounts.create, "alice")
        inbox = store.peek(folders.find, account.id, "INBOX")
        assert inbox is not None
        reasons: set[Reason] = set()

        async def attempt(number: int) -> bool:
            try:
                await deliver(store, inbox.id, number, size)
            except TryLater as later:
                reasons.add(later.reason)
                return False
            finally:
                assert list(store.blobs.spool.iterdir()) == []
            return True

        await broken.fail_each_write(attempt, held)
        assert reasons == REASON[kind]


# --- the same through the protocols -------------------------------------------------------------------


def raw_for(number: int, size: int) -> bytes:
    return b"From: zoe@example.net\r\nNewsgroups: local.test\r\n" + raw(number, size)


def smtp_script(recipient: bytes, number: int, size: int) -> bytes:
    return b"EHLO a.test\r\nMAIL FROM:<zoe@example.net>\r\nRCPT TO:<%b>\r\nDATA\r\n%b\r\n.\r\nNOOP\r\n" % (
        recipient,
        raw_for(number, size),
    )


def letter_script(number: int, size: int) -> bytes:
    return smtp_script(b"alice@example.org", number, size)


def relayed_script(number: int, size: int) -> bytes:
    return smtp_script(b"far@elsewhere.example", number, size)


def append_script(number: int, size: int) -> bytes:
    data = raw_for(number, size)
    return b"a LOGIN alice@example.org demo\r\nb APPEND INBOX {%d+}\r\n%b\r\nc NOOP\r\n" % (len(data), data)


def post_script(number: int, size: int) -> bytes:
    return b"POST\r\n%b\r\n.\r\nDATE\r\n" % raw_for(number, size)


def queued(tx: Tx, number: int) -> int:
    sql = "SELECT count(*) FROM queue q JOIN message m ON m.id = q.message_id WHERE m.message_id = ?"
    return tx.value(sql, f"<f{number}@example.org>")


@dataclass(frozen=True)
class Way:
    """How a message comes in by a protocol, and what is said of it."""

    script: Callable[[int, int], bytes]
    taken: bytes  # begins the answer of a message that is there
    refused: bytes | tuple[bytes, ...]  # begins the answer of one that may come again later
    after: bytes  # begins the answer to the next command: the connection goes on
    held: Callable[[Tx, int], int] = held
    again: bool = False  # what fails once is tried again before it is refused


NOT_POSTED = b"441 No space left, try later", b"441 Storage trouble, try later"
WAYS = {
    "smtp": Way(letter_script, b"250 2.0.0 OK ", b"45", b"250 2.0.0 OK"),
    "smtp-queued": Way(relayed_script, b"250 2.0.0 OK ", b"45", b"250 2.0.0 OK", queued),
    "imap": Way(append_script, b"b OK [APPENDUID", b"b NO [UNAVAILABLE]", b"c OK"),
    "nntp": Way(post_script, b"240 ", NOT_POSTED, b"111 ", again=True),  # RFC 3977 6.3.1 has one code for it
}


@pytest.mark.parametrize("size", [500, 80_000], ids=["small", "large"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", WAYS)
async def test_failure_at_any_write_is_a_temporary_refusal_in_the_protocols_words(
    tmp_path: Path, name: str, kind: str, size: int
) -> None:
    way = WAYS[name]
    async with broken_disk(tmp_path / "data", kind) as broken, doors(broken.store) as services:
        service = services[name.partition("-")[0]]

        async def attempt(number: int) -> bool:
            said = await converse(service, way.script(number, size), address="192.0.2.7", tls=True)
            *_, answer, after = said.rstrip().rsplit(b"\r\n", 2)
            assert after.startswith(way.after), said
            taken = answer.startswith(way.taken)
            assert taken or answer.startswith(way.refused), said
            return taken

        refused = await broken.fail_each_write(attempt, way.held)
        assert refused or (way.again and kind != "ENOSPC")


@asynccontextmanager
async def doors(store: Store) -> AsyncIterator[dict[str, Service]]:
    """The services of SMTP, IMAP and NNTP over a store that has alice and local.test."""
    await settle(store, ["alice"], CHEAP)
    await store.write(groups.create, "local.test")
    auth = AuthService(store, CHEAP)
    mail = MailHouse(store, auth, FrozenClock(), replace(SMTP, relay_networks=["192.0.2.7"]))
    imap = ImapService(store, auth, Imap(), hostname="mx.example.org")
    nntp = NntpService(
        store, auth, Nntp(post="anyone"), hostname="mx.example.org", clock=mail.clock, office=mail.office
    )
    try:
        yield {"smtp": mail.service, "imap": imap, "nntp": nntp}
    finally:
        await imap.close()
        await auth.close()
