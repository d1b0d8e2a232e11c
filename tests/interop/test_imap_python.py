"""Python's IMAP clients do a day's work: imaplib, IMAPClient and aioimaplib."""

from __future__ import annotations

import asyncio
import imaplib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aioimaplib
import imapclient
import pytest
from imapclient import exceptions

from quintet.store import entries
from quintet.store.model import ANSWERED, DRAFT, FLAGGED, SEEN
from tests.support.mailclients import (
    HOST,
    PASSWORD,
    USER,
    deliver,
    fill,
    flags,
    folder_of,
    letter,
    mail_server,
    names,
    offering,
    rows,
    token,
)
from tests.support.server import Server

pytestmark = pytest.mark.interop

WAIT_S = 60


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with mail_server(tmp_path / "server") as running:
        yield running


def trusting(server: Server) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(server.certificate))
    context.check_hostname = False
    return context


# --- imaplib --------------------------------------------------------------------------------------------


async def test_imaplib_does_a_days_work(server: Server) -> None:
    def work() -> None:
        with imaplib.IMAP4(HOST, server.ports["imap"], timeout=WAIT_S) as client:
            client.login(USER, PASSWORD)
            assert client.select("INBOX") == ("OK", [b"5"])
            assert client.search(None, "SUBJECT", '"Letter 3"') == ("OK", [b"3"])
            _, data = client.fetch("1:2", "(UID RFC822.SIZE BODY.PEEK[])")
            assert [piece[1] for piece in data if isinstance(piece, tuple)] == [letter(1), letter(2)]
            assert client.store("2", "+FLAGS", "(\\Deleted)")[1] == [b"2 (UID 2 FLAGS (\\Deleted \\Recent))"]
            assert client.expunge()[1] == [b"2"]
            client.create("Work")
            assert client.copy("1:2", "Work")[0] == "OK"
            stamp = imaplib.Time2Internaldate(1_700_000_000)
            assert client.append("Work", "(\\Seen)", stamp, letter(9))[0] == "OK"
            assert client.status("Work", "(MESSAGES UNSEEN)")[1] == [b"Work (MESSAGES 3 UNSEEN 2)"]
            assert client.list('""', "Wo*")[1] == [b'(\\HasNoChildren) "/" Work']
            client.logout()

    await asyncio.to_thread(work)
    assert [row.uid for row in rows(server)] == [1, 3, 4, 5]
    assert len(rows(server, "Work")) == 3


async def test_imaplib_speaks_utf8_sorts_and_threads(server: Server) -> None:
    raw = "From: ö@example.net\r\nSubject: Grüße\r\n\r\nSchöne Grüße\r\n".encode()

    def work() -> None:
        with imaplib.IMAP4(HOST, server.ports["imap"], timeout=WAIT_S) as client:
            client.login(USER, PASSWORD)
            # not after enable(): some versions then add "UTF8 (" and ")" to the message itself
            assert client.append("INBOX", None, None, raw)[0] == "OK"
            assert client.enable("UTF8=ACCEPT")[0] == "OK"
            client.select("INBOX")
            assert client.search(None, "SUBJECT", '"grüße"') == ("OK", [b"6"])
            assert client.sort("(REVERSE SUBJECT)", "UTF-8", "TEXT", "Letter")[1] == [b"5 4 3 2 1"]
            assert client.thread("REFERENCES", "UTF-8", "ALL")[1] == [b"(1)(2)(3)(4)(5)(6)"]
            assert client.getquotaroot("INBOX")[0] == "OK"
            assert client.myrights("INBOX")[1][0].startswith(b"INBOX lrs")
            assert client.setacl("INBOX", "bob@example.org", "lr")[0] == "OK"
            assert b"bob@example.org lr" in client.getacl("INBOX")[1][0]
            assert client.unselect()[0] == "OK"

    await asyncio.to_thread(work)
    assert rows(server)[-1].size == len(raw)


async def test_imaplib_over_tls_and_starttls(server: Server) -> None:
    context = trusting(server)

    def work() -> None:
        with imaplib.IMAP4_SSL(HOST, server.ports["imaps"], ssl_context=context, timeout=WAIT_S) as client:
            client.authenticate("PLAIN", lambda _: f"\0{USER}\0{PASSWORD}".encode())
            assert client.select("INBOX", readonly=True)[1] == [b"5"]
        with imaplib.IMAP4(HOST, server.ports["imap"], timeout=WAIT_S) as client:
            client.starttls(context)
            client.login(USER, PASSWORD)
            assert client.noop()[0] == "OK"

    await asyncio.to_thread(work)


# --- IMAPClient -------------------------------------------------------------------------------------------


async def test_imapclient_does_a_days_work(server: Server) -> None:
    loop = asyncio.get_running_loop()

    def work() -> None:
        client = imapclient.IMAPClient(HOST, server.ports["imap"], ssl=False, timeout=WAIT_S)
        client.login(USER, PASSWORD)
        assert client.id_({"name": "a test"})[0][:2] == (b"name", b"Quintet")
        assert client.namespace().shared == (("Groups/", "/"), ("Public/", "/"))
        assert client.find_special_folder(b"\\Sent") == "Sent"
        chosen = client.select_folder("INBOX")
        assert (chosen[b"EXISTS"], chosen[b"UIDNEXT"]) == (5, 6)
        envelope = client.fetch([3], ["ENVELOPE", "FLAGS", "INTERNALDATE", "BODYSTRUCTURE"])[3][b"ENVELOPE"]
        assert (envelope.subject, envelope.from_[0].mailbox) == (b"Letter 3", b"zoe")
        client.create_folder("Entwürfe & mehr")
        assert "Entwürfe & mehr" in [name for _, _, name in client.list_folders()]
        client.subscribe_folder("Entwürfe & mehr")
        assert "Entwürfe & mehr" in [name for _, _, name in client.list_sub_folders()]
        client.move([1, 2], "Entwürfe & mehr")
        assert client.search(["ALL"]) == [3, 4, 5]
        assert client.search(["SUBJECT", "letter 4"], charset="UTF-8") == [4]
        assert client.sort(["REVERSE SUBJECT"]) == [5, 4, 3]
        assert client.thread() == ((3,), (4,), (5,))
        client.idle()
        asyncio.run_coroutine_threadsafe(fill(server, 1), loop).result()
        heard = client.idle_check(timeout=WAIT_S)
        client.idle_done()
        assert (4, b"EXISTS") in heard
        changed = client.fetch([3, 4], ["FLAGS"], ["CHANGEDSINCE 999999"])
        assert changed == {}
        client.delete_messages([3])
        client.uid_expunge([3])
        client.add_flags([4], [imapclient.ANSWERED, "$Label1"])
        assert set(client.get_flags([4])[4]) >= {imapclient.ANSWERED, b"$Label1"}
        client.append("Sent", letter(8), flags=[imapclient.SEEN])
        client.multiappend("Drafts", [{"msg": letter(6), "flags": [imapclient.DRAFT]}, {"msg": letter(7)}])
        status = client.folder_status("Drafts", ["MESSAGES", "SIZE", "HIGHESTMODSEQ"])
        assert (status[b"MESSAGES"], status[b"SIZE"]) == (2, len(letter(6)) + len(letter(7)))
        client.rename_folder("Entwürfe & mehr", "Work")
        client.delete_folder("Work")
        with pytest.raises(exceptions.IMAPClientError, match="NONEXISTENT"):
            client.select_folder("Work")
        client.logout()

    await asyncio.to_thread(work)
    assert flags(server) == {4: ANSWERED, 5: 0, 6: 0}
    assert flags(server, "Drafts") == {1: DRAFT, 2: 0}
    assert flags(server, "Sent") == {1: SEEN}
    assert "Work" not in names(server)


Login = Callable[[imapclient.IMAPClient], Any]
LOGINS: dict[str, Login] = {
    "PLAIN": lambda client: client.plain_login(USER, PASSWORD),
    "XOAUTH2": lambda client: client.oauth2_login(USER, token()),
    "OAUTHBEARER": lambda client: client.oauthbearer_login(USER, token()),
}


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
@pytest.mark.parametrize("mechanism", LOGINS)
async def test_imapclient_logs_in(server: Server, mechanism: str, security: str) -> None:
    offering(server, mechanism)
    context = trusting(server)

    def work() -> None:
        port = server.ports["imaps" if security == "tls" else "imap"]
        client = imapclient.IMAPClient(
            HOST,
            port,
            ssl=security == "tls",
            ssl_context=context if security == "tls" else None,
            timeout=WAIT_S,
        )
        if security == "starttls":
            client.starttls(context)
        LOGINS[mechanism](client)
        assert client.select_folder("INBOX", readonly=True)[b"EXISTS"] == 5
        client.logout()

    await asyncio.to_thread(work)


async def test_imapclient_hears_why_a_token_is_not_taken(server: Server) -> None:
    def work() -> None:
        client = imapclient.IMAPClient(HOST, server.ports["imap"], ssl=False, timeout=WAIT_S)
        with pytest.raises(exceptions.LoginError, match="AUTHENTICATIONFAILED"):
            client.oauth2_login(USER, "not a token")
        client.plain_login(USER, PASSWORD)  # the connection goes on
        client.logout()

    await asyncio.to_thread(work)


# --- aioimaplib ---------------------------------------------------------------------------------------------


async def test_aioimaplib_does_a_days_work(server: Server) -> None:
    client = aioimaplib.IMAP4(HOST, server.ports["imap"], timeout=WAIT_S)
    await client.wait_hello_from_server()
    assert (await client.login(USER, PASSWORD)).result == "OK"
    assert client.has_capability("IDLE") and client.has_capability("MOVE")
    await ok(client.id(name="a test"))
    assert b"INBOX" in b"\n".join(await ok(client.list('""', "*")))
    assert b"5 EXISTS" in await ok(client.select("INBOX"))
    assert (await ok(client.uid_search("SUBJECT", '"Letter 3"')))[0] == b"3"
    fetched = await ok(client.uid("fetch", "2", "(FLAGS BODY.PEEK[])"))
    assert bytes(fetched[1]) == letter(2)
    await ok(client.uid("store", "2", "+FLAGS", "(\\Seen \\Flagged)"))
    await ok(client.create("Work"))
    await ok(client.uid("copy", "2", "Work"))
    await ok(client.uid("move", "1", "Work"))
    await ok(client.append(letter(8), "Work", flags="\\Seen"))

    # waits, hears of what others do, and waits again
    idle = await client.idle_start(timeout=WAIT_S)
    await fill(server, 1, first=6)
    assert b"5 EXISTS" in await client.wait_server_push(WAIT_S)
    await server.store.write(entries.set_flags, folder_of(server, "INBOX").id, [3], "+", ANSWERED, ())
    while not any(b"\\Answered" in line for line in await client.wait_server_push(WAIT_S)):
        pass
    client.idle_done()
    await asyncio.wait_for(idle, WAIT_S)

    await ok(client.uid("store", "4", "+FLAGS.SILENT", "(\\Deleted)"))
    assert b"3 EXPUNGE" in await ok(client.expunge())
    await ok(client.rename("Work", "Play"))
    await ok(client.status("Play", "(MESSAGES UNSEEN)"))
    await ok(client.close())
    await ok(client.logout())
    assert flags(server) == {2: SEEN | FLAGGED, 3: ANSWERED, 5: 0, 6: 0}
    assert sorted(flags(server, "Play").values()) == [0, SEEN, SEEN | FLAGGED]


async def ok(asked: Any) -> list[bytes]:
    response = await asked
    assert response.result == "OK", response
    return list(response.lines)


@pytest.mark.parametrize("security", ["none", "tls"])
async def test_aioimaplib_logs_in_with_a_token(server: Server, security: str) -> None:
    offering(server, "XOAUTH2")
    if security == "tls":
        client = aioimaplib.IMAP4_SSL(
            HOST, server.ports["imaps"], timeout=WAIT_S, ssl_context=trusting(server)
        )
    else:
        client = aioimaplib.IMAP4(HOST, server.ports["imap"], timeout=WAIT_S)
    await client.wait_hello_from_server()
    assert (await client.xoauth2(USER, token())).result == "OK"
    assert b"5 EXISTS" in await ok(client.examine("INBOX"))
    await ok(client.logout())


async def test_aioimaplib_fetches_what_is_large(server: Server) -> None:
    raw = letter(9) + b"a line of a large letter, sixty-four octets with its end.......\r\n" * 30_000
    await deliver(server, raw)
    client = aioimaplib.IMAP4(HOST, server.ports["imap"], timeout=WAIT_S)
    await client.wait_hello_from_server()
    await client.login(USER, PASSWORD)
    await ok(client.select("INBOX"))
    assert bytes((await ok(client.uid("fetch", "6", "BODY.PEEK[]")))[1]) == raw
    await ok(client.logout())
