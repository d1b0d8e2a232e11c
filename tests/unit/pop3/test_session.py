"""POP3 sessions beyond dialogues: any command in any state, locks across processes, cost, TLS sockets."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quintet import log
from quintet.clock import SystemClock
from quintet.config import listeners
from quintet.config.net import Certificate, Tls
from quintet.net import sockets, tls
from quintet.net.client import Client
from quintet.net.listener import Listener
from quintet.net.memory import Talk, converse
from quintet.pop3.locks import Locks
from quintet.store import accounts, check, entries, folders
from tests.unit.pop3.world import opened

LINES = [
    b"USER alice@example.org", b"PASS secret", b"PASS wrong", b"APOP alice@example.org 00", b"AUTH",
    b"AUTH PLAIN AGFsaWNlQGV4YW1wbGUub3JnAHNlY3JldA==", b"AUTH PLAIN", b"*", b"STLS", b"CAPA",
    b"UTF8", b"LANG de", b"LANG", b"STAT", b"LIST", b"LIST 1", b"UIDL", b"UIDL 2", b"RETR 1", b"RETR 2",
    b"RETR 4", b"TOP 1 1", b"TOP 9 1", b"DELE 1", b"DELE 2", b"RSET", b"NOOP", b"nonsense", b"\xff\x00", b"",
]  # fmt: skip


@given(st.lists(st.sampled_from(LINES), max_size=25), st.integers(1, 40))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_command_in_any_state_gives_plain_answers(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], chunk: int
) -> None:
    async def play() -> None:
        async with opened(tmp_path_factory.mktemp("data")) as world:
            await world.given("3 messages")
            await world.given("message in INBOX: Subject: \\xc3\\xa9\\r\\n\\r\\nx")
            with log.capture() as events:
                answer = await converse(world.service, b"\r\n".join([*lines, b"QUIT", b"QUIT", b""]), chunk)
            assert "bug" not in [event["event"] for event in events], events
            assert answer.startswith(b"+OK POP3 server ready")
            assert answer.endswith(b"\r\n")
            assert not world.service.locks._held
            account = world.store.peek(accounts.find, "alice@example.org")
            folder = world.store.peek(folders.find, account.id, "INBOX")
            left = list(world.store.peek(entries.uids, folder.id))
            assert left in ([1, 2, 3, 4], [2, 3, 4], [1, 3, 4], [3, 4])
            assert await world.store.read(check.all) == []

    asyncio.run(play())


_TAKE = """
import sys
from pathlib import Path
from quintet.pop3.locks import Locks
print(Locks(Path(sys.argv[1])).take(int(sys.argv[2])))
"""


def test_lock_holds_across_processes(tmp_path: Path) -> None:
    path = tmp_path / "run" / "pop3.lock"
    locks = Locks.shared(path)
    assert Locks.shared(path) is locks
    assert locks.take(7)
    assert not locks.take(7)
    for folder_id, free in ((7, "False"), (8, "True")):
        command = [sys.executable, "-c", _TAKE, str(path), str(folder_id)]
        assert subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=True
        ).stdout.split() == [free]
    locks.free(7)
    locks.free(7)
    assert locks.take(7)
    locks.close()
    assert locks._fd >= 0
    locks.close()
    assert locks._fd < 0


async def test_large_maildrop_lists_in_pieces(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as world:
        account = world.store.peek(accounts.find, "alice@example.org")
        inbox = world.store.peek(folders.find, account.id, "INBOX")
        from quintet.store.content import content_of

        content = content_of(b"A: b\r\n\r\nx\r\n")

        def many(tx: object) -> None:
            for _ in range(2500):
                entries.add(tx, [inbox.id], content, received_at=1)  # type: ignore[arg-type]

        await world.store.write(many)
        talk = Talk(world.service)
        await talk.begin()
        await talk.send(
            b"USER alice@example.org\r\nPASS secret\r\nLIST\r\nUIDL\r\n"
            b"DELE 2500\r\nLIST\r\nRETR 2499\r\nQUIT\r\n"
        )
        answer = talk.take()
        assert answer.count(b"\r\n2499 11\r\n") == 2
        assert answer.count(b"\r\n2500 11\r\n") == 1
        assert b"\r\n2500 %d.2500\r\n" % inbox.uid_validity in answer
        assert answer.endswith(b"+OK 11 octets\r\nA: b\r\n\r\nx\r\n.\r\n+OK good-bye\r\n")
        await talk.end()


async def test_bodies_are_fetched_many_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as world:
        await world.given("40 messages")
        talk = Talk(world.service)
        await talk.begin()
        await talk.send(b"USER alice@example.org\r\nPASS secret\r\n")
        session: Any = talk.session
        drop = session.drop
        assert drop is not None
        for number in (1, 2, 3):
            await talk.send(b"RETR %d\r\n" % number)
        assert 20 < len(drop._ready) < 40
        await talk.send(b"RETR 39\r\nRETR 1\r\n")  # not in a row: no more than asked for
        assert drop._ready == {}
        await talk.end()


async def test_dialogue_over_tls_sockets(tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.issue_cert("pop.example.org").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "c.pem"))
    contexts = tls.Contexts(Tls((Certificate(str(tmp_path / "c.pem")),)))
    trust = tls.client_context(True)
    ca.configure_trust(trust)
    async with opened(tmp_path / "data") as world:
        await world.given("2 messages")
        for mode in ("implicit", "starttls"):
            listener = Listener(
                world.service,
                sockets.listen("127.0.0.1", 0),
                listeners.Listener(name="pop3", protocol="pop3", tls=mode),
                clock=SystemClock(),
                context=contexts.giver("pop3"),
            )
            await listener.start()
            client = await Client.connect(
                "127.0.0.1",
                listener.port,
                tls=trust if mode == "implicit" else None,
                server_name="pop.example.org",
            )
            assert (await client.line()).startswith(b"+OK")
            if mode == "starttls":
                await client.write(b"STLS\r\n")
                assert await client.line() == b"+OK begin TLS"
                await client.start_tls(trust, "pop.example.org")
            assert client._stream.tls is not None
            assert isinstance(trust, ssl.SSLContext)
            await client.write(b"USER alice@example.org\r\nPASS secret\r\nRETR 2\r\n")
            assert await client.line() == b"+OK now the password"
            assert await client.line() == b"+OK 2 messages (156 octets)"
            assert await client.line() == b"+OK 78 octets"
            body = b"".join([piece async for piece in client.dotted()])
            assert body.endswith(b"line one of 2\r\n.line with a dot\r\n")
            await client.write(b"QUIT\r\n")
            assert await client.line() == b"+OK good-bye"
            await client.close()
            await listener.drain(1)
