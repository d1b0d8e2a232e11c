"""Thunderbird, without a screen, does a day's work: IMAP, a letter sent, POP3, news.

Its own code runs, told what to do as by a user (tests/support/thunderbird.py).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest

from quintet.store import entries
from quintet.store.model import ANSWERED, DELETED, FLAGGED, SEEN
from tests.support.mailclients import (
    HOST,
    PASSWORD,
    USER,
    deliver,
    fill,
    flags,
    folder_of,
    idling,
    letter,
    mail_server,
    names,
    offering,
    rows,
    token,
    until,
)
from tests.support.server import Server
from tests.support.serving import serving
from tests.support.thunderbird import Thunderbird, thunderbird

pytestmark = pytest.mark.interop

INBOX, SENT, DRAFTS, TRASH, ARCHIVE, JUNK = 0x1000, 0x200, 0x400, 0x100, 0x4000, 0x40000000
"""nsMsgFolderFlags: what Thunderbird takes a folder for."""


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Thunderbird]:
    with thunderbird(tmp_path_factory.mktemp("thunderbird")) as running:
        yield running


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with mail_server(tmp_path / "server") as running:
        yield running


class User:
    """Whoever sits before the window, with one account of the server."""

    def __init__(self, window: Thunderbird, key: str) -> None:
        self._window = window
        self._key = key

    async def __call__(self, verb: str, *parameters: Any) -> Any:
        return await asyncio.to_thread(self._window.do, verb, self._key, *parameters)


@asynccontextmanager
async def seated(
    window: Thunderbird,
    server: Server,
    security: str = "none",
    *,
    kind: str = "imap",
    user: str = USER,
    host: str = HOST,
    method: str = "password",
    **more: Any,
) -> AsyncIterator[User]:
    """A user with a new account; ``more`` are preferences of its server."""
    port = server.ports[f"{kind}s" if security == "tls" else kind]
    if security != "none":
        await asyncio.to_thread(window.do, "trust", host, port, certificate(server))
    args = (user, host, port, security, method, PASSWORD if method == "password" else "", more)
    made = User(window, await asyncio.to_thread(window.do, "account", kind, *args))
    try:
        if kind == "imap":
            await made("discover")
        yield made
    finally:
        await made("close")


def certificate(server: Server) -> str:
    text = server.certificate.read_text()
    return "".join(text.partition("-----BEGIN CERTIFICATE-----\n")[2].partition("-----END")[0].split())


def subjects(shown: list[dict[str, Any]]) -> list[str]:
    return [each["subject"] for each in shown]


async def test_thunderbird_does_a_days_work(window: Thunderbird, server: Server, tmp_path: Path) -> None:
    async with seated(window, server) as user:
        roles = {each["path"]: each["flags"] for each in await user("folders")}
        for name, role in (
            ("INBOX", INBOX),
            ("Sent", SENT),
            ("Drafts", DRAFTS),
            ("Trash", TRASH),
            ("Archive", ARCHIVE),
            ("Junk", JUNK),
        ):
            assert roles[name] & role, name
        assert subjects(await user("open", "INBOX")) == [f"Letter {number}" for number in range(1, 6)]

        # reads one in the window, marks others
        assert "Text of letter 3.\n.starts with a dot" in await user("read", "INBOX", "Letter 3")
        await user(
            "mark", "INBOX", ["Letter 1", "Letter 2"], {"read": True, "flagged": True, "tag": "$label2"}
        )
        # it sends what is still waiting in an order of its own: the letter would end as read
        await settled(server, {1: SEEN | FLAGGED, 2: SEEN | FLAGGED, 3: SEEN, 4: 0, 5: 0})
        await user("mark", "INBOX", ["Letter 2"], {"read": False, "untag": "$label2"})
        await settled(server, {1: SEEN | FLAGGED, 2: FLAGGED, 3: SEEN, 4: 0, 5: 0})
        await until(
            lambda: {row.uid: row.keywords for row in rows(server) if row.keywords} == {1: ("$label2",)}
        )
        assert (await user("source", "INBOX", "Letter 4")).encode().endswith(letter(4))

        # searches on the server
        assert await user("search", "INBOX", [["Subject", "Contains", "letter 4"]]) == ["Letter 4"]
        assert await user("search", "INBOX", [["Body", "Contains", "TEXT OF LETTER 5"]]) == ["Letter 5"]

        # files letters, in folders of its own
        await user("create", "", "Büro & mehr")
        await user("create", "Büro & mehr", "2025")
        await user("copy", "INBOX", ["Letter 1", "Letter 2"], "Büro & mehr", False)
        await user("copy", "INBOX", ["Letter 4"], "Büro & mehr/2025", True)
        assert list(flags(server)) == [1, 2, 3, 5]
        assert flags(server, "Büro & mehr") == {1: SEEN | FLAGGED, 2: FLAGGED}
        assert subjects(await user("open", "Büro & mehr/2025")) == ["Letter 4"]
        await user("rename", "Büro & mehr", "Work")
        assert names(server).count("Work/2025") == 1

        # copies a message up
        (tmp_path / "sent.eml").write_bytes(letter(8))
        await user("upload", "Sent", str(tmp_path / "sent.eml"), 1, "$label1")
        assert [(row.flags, row.keywords) for row in rows(server, "Sent")] == [(SEEN, ("$label1",))]

        # throws away
        await user("open", "INBOX")
        await user("remove", "INBOX", ["Letter 5"])
        assert (list(flags(server)), len(rows(server, "Trash"))) == ([1, 2, 3], 1)
        await user("deleteFolder", "Work/2025")
        assert "Trash/2025" in names(server)
        await user("emptyTrash")
        await until(lambda: not rows(server, "Trash") and "Trash/2025" not in names(server))
        await user("compact", "INBOX")


async def settled(server: Server, expected: dict[int, int]) -> None:
    """Thunderbird stores flags when it finds the time."""
    try:
        await until(lambda: flags(server) == expected)
    except TimeoutError:
        assert flags(server) == expected


@pytest.mark.parametrize(
    ("security", "mechanisms"),
    [
        ("none", ("PLAIN",)),
        ("none", ("LOGIN",)),
        ("none", ("SCRAM-SHA-256",)),  # which it does not know: then it takes the command LOGIN
        ("starttls", ("PLAIN",)),
        ("tls", ("PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS")),
    ],
    ids=lambda value: value if isinstance(value, str) else value[-1],
)
async def test_thunderbird_logs_in(
    window: Thunderbird, server: Server, security: str, mechanisms: tuple[str, ...]
) -> None:
    offering(server, *mechanisms)
    async with seated(window, server, security) as user:
        assert len(await user("open", "INBOX")) == 5


async def test_thunderbird_logs_in_with_a_token(window: Thunderbird, server: Server) -> None:
    async def give(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"grant_type=refresh_token")
        body = json.dumps({"access_token": token(), "expires_in": 3600, "token_type": "bearer"}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    offering(server, "XOAUTH2")
    async with serving(give, HOST) as port:
        endpoint = f"http://{HOST}:{port}/token"
        await asyncio.to_thread(window.do, "authorize", "issuer.test", HOST, USER, endpoint)
        async with seated(window, server, method="oauth") as user:
            assert len(await user("open", "INBOX")) == 5


@pytest.mark.parametrize("condstore", [False, True])
async def test_thunderbird_hears_of_changes_while_it_idles(
    window: Thunderbird, server: Server, condstore: bool
) -> None:
    async with seated(window, server, use_condstore=condstore) as user:
        await user("open", "INBOX")
        await fill(server, 1, first=6)
        assert subjects(await user("shows", "INBOX", 6))[-1] == "Letter 6"
        await idling(server)  # what comes while it asks for flags itself, it may forget
        inbox = folder_of(server, "INBOX").id
        await server.store.write(entries.set_flags, inbox, [2], "+", SEEN | FLAGGED, ("$label3",))
        await user("sees", "INBOX", "Letter 2", {"read": True, "flagged": True, "keywords": "$label3"})
        await idling(server)
        await server.store.write(entries.expunge, inbox, [1, 3])
        assert subjects(await user("shows", "INBOX", 4)) == [f"Letter {number}" for number in (2, 4, 5, 6)]


@pytest.mark.parametrize("condstore", [False, True])
async def test_thunderbird_catches_up_after_it_was_away(
    window: Thunderbird, server: Server, condstore: bool
) -> None:
    async with seated(window, server, use_condstore=condstore) as user:
        await user("open", "INBOX")
        assert await user("download", "INBOX") == 5
        await user("leave", "INBOX")
        inbox = folder_of(server, "INBOX").id
        await fill(server, 2, first=6)
        await server.store.write(entries.set_flags, inbox, [4], "+", ANSWERED, ("$label1",))
        await server.store.write(entries.expunge, inbox, [1, 5, 6])
        shown = await user("open", "INBOX")
        assert subjects(shown) == [f"Letter {number}" for number in (2, 3, 4, 7)]
        assert [(each["answered"], each["keywords"]) for each in shown][2] == (True, "$label1")


async def test_thunderbird_plays_back_what_was_done_offline(
    window: Thunderbird, server: Server, tmp_path: Path
) -> None:
    async with seated(window, server) as user:
        await user("create", "", "Work")
        await user("open", "INBOX")
        assert await user("download", "INBOX") == 5
        await user("offline", True)
        await user("mark", "INBOX", ["Letter 1"], {"read": True, "flagged": True, "tag": "$label4"})
        await user("copy", "INBOX", ["Letter 2", "Letter 3"], "Work", True)
        await user("remove", "INBOX", ["Letter 5"])
        assert flags(server) == dict.fromkeys(range(1, 6), 0)
        await fill(server, 1, first=6)
        await user("offline", False)
        await settled(server, {1: SEEN | FLAGGED, 4: 0, 6: 0})
        assert (len(rows(server, "Work")), len(rows(server, "Trash"))) == (2, 1)


async def test_thunderbird_marks_or_removes_what_is_deleted(window: Thunderbird, server: Server) -> None:
    async with seated(window, server) as user:
        await user("open", "INBOX")
        await user("deleting", 0)
        await user("remove", "INBOX", ["Letter 1", "Letter 3"])
        await settled(server, {1: SEEN | DELETED, 2: 0, 3: SEEN | DELETED, 4: 0, 5: 0})
        await user("compact", "INBOX")
        await settled(server, {2: 0, 4: 0, 5: 0})
        await user("deleting", 2)
        await user("remove", "INBOX", ["Letter 2", "Letter 5"])
        await user("compact", "INBOX")
        await settled(server, {4: 0})
        assert not rows(server, "Trash")


async def test_thunderbird_reads_a_letter_with_large_attachments(window: Thunderbird, server: Server) -> None:
    message = EmailMessage(policy=SMTP)
    message["From"], message["Subject"] = "Zoe <zoe@example.net>", "Two files"
    message.set_content("Schöne Grüße.\n")
    for number in (1, 2):
        name = f"part{number}.bin"
        message.add_attachment(bytes(300_000), maintype="application", subtype="x-zero", filename=name)
    raw = message.as_bytes()
    await deliver(server, raw)
    async with seated(window, server) as user:
        await user("open", "INBOX")
        shown = await user("read", "INBOX", "Two files")
        assert "Schöne Grüße." in shown and "part2.bin" in shown
        assert (await user("source", "INBOX", "Two files")).encode("latin-1").endswith(raw)


async def test_thunderbird_reads_a_group_as_a_folder(window: Thunderbird, tmp_path: Path) -> None:
    async with mail_server(tmp_path / "server") as server, seated(window, server) as user:
        await deliver(server, letter(1), group="local.test")
        assert "Groups/local.test" in await user("offered")
        await user("subscribe", "Groups/local.test")
        assert subjects(await user("open", "Groups/local.test")) == ["Letter 1"]
        await user("mark", "Groups/local.test", ["Letter 1"], {"read": True})
        await user("open", "Groups/local.test")
        await user("leave", "Groups/local.test")
        assert [each["read"] for each in await user("open", "Groups/local.test")] == [True]


async def test_thunderbird_sends_and_files_a_copy(window: Thunderbird, tmp_path: Path) -> None:
    async with mail_server(tmp_path / "server", only=("imap", "smtp")) as server:
        async with seated(window, server) as user:
            await user("open", "INBOX")
            port = server.ports["submission"]
            await asyncio.to_thread(window.do, "trust", HOST, port, certificate(server))
            text = "Wie geht's?\n.\nGut.\n"
            await user("send", HOST, port, "starttls", PASSWORD, "Alice <alice@example.org>", "Grüße", text)
            assert subjects(await user("shows", "INBOX", 6))[-1] == "Grüße"
            assert (await user("read", "INBOX", "Grüße")).rstrip().endswith(text.rstrip())
            assert [row.flags for row in rows(server, "Sent")] == [SEEN]


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
async def test_thunderbird_takes_mail_by_pop3(window: Thunderbird, tmp_path: Path, security: str) -> None:
    async with mail_server(tmp_path / "server", only=("pop3",), letters=3) as server:
        async with seated(window, server, security, kind="pop3") as user:
            await user("keep", True)
            assert await user("fetch") == ["Letter 1", "Letter 2", "Letter 3"]
            assert len(rows(server)) == 3
            await fill(server, 1, first=4)
            await user("keep", False)
            assert await user("fetch") == ["Letter 1", "Letter 2", "Letter 3", "Letter 4"]
            assert not rows(server)


@pytest.mark.parametrize("security", ["none", "tls"])
async def test_thunderbird_reads_news(window: Thunderbird, tmp_path: Path, security: str) -> None:
    async with mail_server(tmp_path / "server", only=("nntp",)) as server:
        await deliver(server, letter(1), group="local.test")
        async with seated(window, server, security, kind="nntp", user="") as user:
            assert await user("offered") == ["comp.lang.python", "local.announce", "local.test"]
            await user("subscribe", "local.test")
            assert await user("news", "local.test") == ["Letter 1"]
            assert (await user("source", "local.test", "Letter 1")).endswith(
                "Text of letter 1.\r\n.starts with a dot\r\n"
            )


async def test_thunderbird_takes_a_large_folder(window: Thunderbird, server: Server) -> None:
    await fill(server, 600, first=6)
    async with seated(window, server, "tls", use_condstore=True) as user:
        shown = await user("open", "INBOX")
        assert len(shown) == 605
        assert await user("download", "INBOX") == 605
        await user("mark", "INBOX", [f"Letter {number}" for number in range(1, 600, 2)], {"read": True})
        await until(lambda: sum(state & SEEN for state in every(server).values()) == 300)
        await user("copy", "INBOX", [f"Letter {number}" for number in range(2, 600, 2)], "Archive", True)
        await until(lambda: len(every(server)) == 605 - 299)
        assert len(every(server, "Archive")) == 299


def every(server: Server, name: str = "INBOX") -> dict[int, int]:
    found = server.store.peek(entries.lines, folder_of(server, name).id, 1, 1 << 40, 5000, ("uid", "flags"))
    return dict(found)
