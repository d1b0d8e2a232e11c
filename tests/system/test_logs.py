"""The log at its most talkative: a connection's id runs through, and no secret and no body is ever in it."""

import asyncio
import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest

from quintet import log
from quintet.auth import admin
from quintet.store import accounts, trace
from tests.support.lines import Line
from tests.support.server import Server, start_server

SECRET = "Tr0ub4dor-und-Staub"
WRONG = "Tr0ub4dor-und-Staus"
BODY = "nobody else may read this sentence"


def _base64(*texts: str) -> str:
    return base64.b64encode("\0".join(texts).encode()).decode()


def _traces_of(text: str) -> set[str]:
    """A text and what base64 makes of it, wherever it begins in the encoded octets."""
    found = {text, text.encode().hex()}
    for offset in range(3):
        coded = base64.b64encode(b"x" * offset + text.encode()).decode().rstrip("=")
        found.add(coded[4 if offset else 0 : -2])
    return found


async def _logins(server: Server, secret: str, good: bool) -> None:
    """Every way to log in that sends a secret, with a right or a wrong one."""
    name = "alice@example.org"
    plain, user, word = _base64("", name, secret), _base64(name), _base64(secret)
    for opening, lines in {
        "submission": (
            (f"AUTH PLAIN {plain}",),
            ("AUTH PLAIN", plain),
            ("AUTH LOGIN", user, word),
            (f"AUTH LOGIN {user}", word),
            (f"AUTH XOAUTH2 {_base64(secret)}", ""),
        ),
        "imap": (
            (f"a LOGIN {name} {secret}",),
            (f'a LOGIN "{name}" "{secret}" surplus',),
            (f"a LOGIN {name} {{{len(secret)}+}}\r\n{secret}",),
            (f"a AUTHENTICATE PLAIN {plain}",),
            ("a AUTHENTICATE PLAIN", plain),
            ("a AUTHENTICATE LOGIN", user, word),
            (f"a LOGON {name} {secret}",),
        ),
        "pop3": (
            (f"USER {name}", f"PASS {secret}"),
            (f"AUTH PLAIN {plain}",),
            ("AUTH PLAIN", plain),
            (f"PAS {secret}",),
        ),
        "nntp": (
            (f"AUTHINFO USER {name}", f"AUTHINFO PASS {secret}"),
            (f"AUTHINFO SASL PLAIN {plain}",),
            ("AUTHINFO SASL PLAIN", plain),
            (f"AUTHINFO PASS {secret} {secret}",),
        ),
    }.items():
        for way in lines:
            client = await Line.to(server, opening)
            if opening == "submission":
                await client.say("EHLO client.example.org", "250 ")
            for text in way:
                await client.say(text, "")
            await client.close()


async def _letter(server: Server) -> None:
    client = await Line.to(server, "submission")
    await client.say("EHLO client.example.org", "250 ")
    await client.say(f"AUTH PLAIN {_base64('', 'alice@example.org', SECRET)}", "235")
    await client.say("MAIL FROM:<alice@example.org>", "250")
    await client.say("RCPT TO:<bob@example.org>", "250")
    await client.say("DATA", "354")
    letter = f"From: alice@example.org\r\nTo: bob@example.org\r\nMessage-ID: <way@example.org>\r\n\r\n{BODY}"
    await client.say(f"{letter}\r\n.", "250")
    await client.say("QUIT", "221")
    await client.close()


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the log writes, as JSON, with everything that is said at all."""
    stream = io.StringIO()
    log.configure("debug", "json", stream)
    yield stream  # type: ignore[misc] # a fixture
    log.configure("info")


async def test_no_secret_and_no_body_in_the_log(tmp_path: Path, written: io.StringIO) -> None:
    async with start_server(tmp_path, log={"level": "debug", "format": "json"}) as server:
        log.configure("debug", "json", written)
        account = server.store.peek(accounts.find, "alice@example.org")
        assert account is not None
        await admin.set_password(server.store, account.id, SECRET, server.app.config.auth)
        await asyncio.wait_for(_logins(server, SECRET, True), 60)
        await asyncio.wait_for(_logins(server, WRONG, False), 60)
        await _letter(server)
    text = written.getvalue()
    lines = [json.loads(line) for line in text.splitlines()]
    assert len(lines) > 40
    for each in (*_traces_of(SECRET), *_traces_of(WRONG), *_traces_of(BODY)):
        assert each not in text, next(line for line in text.splitlines() if each in line)


async def test_one_connection_can_be_followed_from_its_beginning_into_the_trace(
    tmp_path: Path, written: io.StringIO
) -> None:
    async with start_server(tmp_path, only=("smtp",)) as server:
        log.configure("debug", "json", written)
        account = server.store.peek(accounts.find, "alice@example.org")
        assert account is not None
        await admin.set_password(server.store, account.id, SECRET, server.app.config.auth)
        await _letter(server)
        events = server.store.peek(trace.follow, "<way@example.org>")
    lines: list[dict[str, Any]] = [json.loads(line) for line in written.getvalue().splitlines()]
    [conn] = {event.conn for event in events}
    told = [line["event"] for line in lines if line.get("conn") == conn]
    assert [event.event for event in events] == ["accepted"]
    print(told)
    assert told
