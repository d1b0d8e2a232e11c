"""imapflow, the IMAP client of Node: a day's work by IMAP4rev2, UTF8=ACCEPT, CONDSTORE and QRESYNC."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from quintet.store import entries
from quintet.store.model import ANSWERED, DRAFT, FLAGGED, SEEN
from tests.support.mailclients import (
    PASSWORD,
    TIME_S,
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
    program,
    rows,
    token,
)
from tests.support.server import Server
from tests.support.shared import ROOT

pytestmark = pytest.mark.interop

MODULES = ROOT / "build" / "npm" / "node_modules"
LEASH = ROOT / "tests" / "interop" / "npm" / "imapflow.cjs"
UID = {"uid": True}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with mail_server(tmp_path / "server") as running:
        yield running


class Flow:
    """The client's methods, by their names; `heard` is what the server said by itself."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._in, self._out = process.stdin, process.stdout
        self.heard: list[dict[str, Any]] = []

    async def __call__(self, method: str, *parameters: Any) -> Any:
        self._in.write(json.dumps([method, *parameters]).encode() + b"\n")
        while "event" in (answer := await self._line()):
            self.heard.append(answer)
        assert "problem" not in answer, f"{method}{parameters}: {answer['problem']}"
        return answer["value"]

    async def hear(self, event: str) -> dict[str, Any]:
        """The next event of a kind."""
        while True:
            while self.heard:
                if (found := self.heard.pop(0))["event"] == event:
                    return found
            self.heard.append(await self._line())

    async def _line(self) -> dict[str, Any]:
        line = await asyncio.wait_for(self._out.readline(), TIME_S)
        assert line, "imapflow ended"
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer


@asynccontextmanager
async def imapflow(server: Server, security: str = "none", **auth: str) -> AsyncIterator[Flow]:
    node = program("node")
    if not (MODULES / "imapflow").is_dir():
        pytest.skip("imapflow is not in build/npm (tests/interop/install.sh puts it there)")
    options = {
        "host": "localhost",
        "port": server.ports["imaps" if security == "tls" else "imap"],
        "secure": security == "tls",
        "doSTARTTLS": security == "starttls",
        "tls": {"ca": server.certificate.read_text(), "servername": "localhost"},
        "auth": {"user": USER, **(auth or {"pass": PASSWORD})},
        "qresync": True,
        "disableAutoIdle": True,
    }
    environment = {"NODE_PATH": str(MODULES), "PATH": str(Path(node).parent), "HOME": "/nonexistent"}
    process = await asyncio.create_subprocess_exec(
        node,
        str(LEASH),
        json.dumps(options),
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    flow = Flow(process)
    try:
        await flow("connect")
        yield flow
        await flow("logout")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_imapflow_does_a_days_work(server: Server) -> None:
    async with imapflow(server) as flow:
        assert set(await flow("enabled")) >= {"IMAP4REV2", "CONDSTORE", "QRESYNC", "UTF8=ACCEPT"}
        roles = {each["path"]: each.get("specialUse") for each in await flow("list")}
        assert (roles["Sent"], roles["Trash"], roles["INBOX"]) == ("\\Sent", "\\Trash", "\\Inbox")
        status = await flow("status", "INBOX", {"messages": True, "unseen": True, "highestModseq": True})
        assert (status["messages"], status["unseen"]) == (5, 5)

        box = await flow("mailboxOpen", "INBOX")
        assert (box["exists"], box["uidNext"], box["readOnly"]) == (5, 6, False)
        wanted = {"envelope": True, "flags": True, "bodyStructure": True, "size": True, "internalDate": True}
        found = await flow("fetchAll", "1:*", wanted, UID)
        assert [each["envelope"]["subject"] for each in found] == [f"Letter {n}" for n in range(1, 6)]
        assert found[0]["size"] == len(letter(1))
        assert found[0]["bodyStructure"]["type"] == "text/plain"
        assert await flow("text", "2", None) == letter(2).decode()
        assert (await flow("fetchOne", "3", {"source": True}, UID))["source"] == letter(3).decode()

        assert await flow("search", {"subject": "letter 4"}, UID) == [4]
        assert await flow("search", {"body": "no such words"}, UID) == []
        assert await flow("search", {"or": [{"subject": "Letter 1"}, {"seen": True}]}, UID) == [1]

        assert await flow("messageFlagsAdd", "1,2", ["\\Seen", "\\Flagged", "$Label1"], UID)
        assert await flow("messageFlagsRemove", "2", ["\\Seen"], UID)
        assert await flow("messageFlagsSet", "3", ["\\Answered"], UID)
        assert flags(server) == {1: SEEN | FLAGGED, 2: FLAGGED, 3: ANSWERED, 4: 0, 5: 0}

        made = await flow("mailboxCreate", "Büro & mehr")
        assert made["created"] and made["path"] == "Büro & mehr"
        assert (await flow("messageCopy", "1", "Büro & mehr", UID))["uidMap"] == {"1": 1}
        assert (await flow("messageMove", "2", "Büro & mehr", UID))["uidMap"] == {"2": 2}
        added = await flow("append", "Drafts", letter(8).decode(), ["\\Draft"], "2025-11-21T09:00:00Z")
        assert added["uid"] == 1
        await flow("messageDelete", "5", UID)
        await flow("mailboxRename", "Büro & mehr", "Work")
        await flow("mailboxSubscribe", "Work")
        await flow("mailboxClose")
        quota = await flow("getQuota", "INBOX")
        assert quota["path"] == "INBOX"
    assert flags(server) == {1: SEEN | FLAGGED, 3: ANSWERED, 4: 0}
    assert list(flags(server, "Work").values()) == [SEEN | FLAGGED, FLAGGED]
    assert [(row.flags, row.received_at) for row in rows(server, "Drafts")] == [(DRAFT, 1763715600000)]
    assert "Work" in names(server)


async def test_imapflow_waits_and_hears(server: Server) -> None:
    async with imapflow(server) as flow:
        await flow("mailboxOpen", "INBOX")
        await flow("wait")
        await idling(server)
        await fill(server, 1, first=6)
        assert (await flow.hear("exists"))["count"] == 6
        inbox = folder_of(server, "INBOX").id
        await server.store.write(entries.set_flags, inbox, [2], "+", FLAGGED, ())
        heard = await flow.hear("flags")
        assert (heard["uid"], "\\Flagged" in heard["flags"]) == (2, True)
        await server.store.write(entries.expunge, inbox, [1])
        heard = await flow.hear("expunge")
        assert (heard["uid"], heard["vanished"]) == (1, True)
        await flow("noop")


async def test_imapflow_catches_up_by_qresync(server: Server) -> None:
    async with imapflow(server) as flow:
        before = await flow("mailboxOpen", "INBOX")
    inbox = folder_of(server, "INBOX").id
    await server.store.write(entries.set_flags, inbox, [2], "+", SEEN, ())
    await server.store.write(entries.expunge, inbox, [1, 3])
    async with imapflow(server) as flow:
        known = {"changedSince": str(before["highestModseq"]), "uidValidity": str(before["uidValidity"])}
        box = await flow("mailboxOpen", "INBOX", known)
        assert box["qresync"] is True
        told = [(each["event"], each["uid"]) for each in flow.heard]
        assert sorted(told) == [("expunge", 1), ("expunge", 3), ("flags", 2)]
        changed = await flow(
            "fetchAll", "1:*", {"flags": True}, {"uid": True, "changedSince": str(before["highestModseq"])}
        )
        assert [each["uid"] for each in changed] == [2]


async def test_imapflow_asks_for_all_it_knows(server: Server) -> None:
    await server.store.write(entries.set_flags, folder_of(server, "INBOX").id, [2], "+", SEEN, ("$Label1",))
    async with imapflow(server) as flow:
        listed = await flow("list", {"statusQuery": {"messages": True, "unseen": True, "uidNext": True}})
        inbox = next(each for each in listed if each["path"] == "INBOX")
        assert (inbox["status"]["messages"], inbox["status"]["unseen"], inbox["status"]["uidNext"]) == (
            5,
            4,
            6,
        )
        await flow("mailboxOpen", "INBOX")
        wanted = {
            "threadId": True,
            "modseq": True,
            "headers": ["subject"],
            "bodyParts": ["text"],
            "uid": True,
        }
        one, two = await flow("fetchAll", "1:2", wanted)
        assert one["emailId"] and one["threadId"] and one["emailId"] != two["emailId"]
        assert one["headers"] == "Subject: Letter 1\r\n\r\n"
        assert one["bodyParts"]["text"] == letter(1).partition(b"\r\n\r\n")[2].decode()
        piece = await flow("fetchOne", "3", {"source": {"start": 6, "maxLength": 11}}, UID)
        assert piece["source"] == "Zoe <zoe@ex"[:11]
        for query, found in (
            ({"emailId": two["emailId"]}, [2]),
            ({"threadId": one["threadId"]}, [1]),
            ({"modseq": two["modseq"]}, [2]),
            ({"keyword": "$Label1"}, [2]),
            ({"unKeyword": "$Label1", "seen": False}, [1, 3, 4, 5]),
            ({"header": {"message-id": "<m4@example.net>"}}, [4]),
            ({"from": "zoe", "larger": 10, "smaller": 10_000, "not": {"uid": "1:3"}}, [4, 5]),
            ({"since": "2025-11-20", "before": "2025-11-23", "sentOn": "2025-11-21"}, [1, 2, 3, 4, 5]),
            ({"or": [{"body": "letter 1."}, {"body": "letter 5."}]}, [1, 5]),
        ):
            assert await flow("search", query, UID) == found, query
        parts = await flow("downloadMany", "1", ["1"], UID)
        assert parts["1"]["content"].startswith("Text of letter 1.")


async def test_imapflow_speaks_utf8(server: Server) -> None:
    raw = "From: =?utf-8?q?J=C3=BCrgen?= <j@example.net>\r\nSubject: Grüße aus Köln\r\n\r\nSchön hier.\r\n"
    await deliver(server, raw.encode())
    async with imapflow(server) as flow:
        await flow("mailboxOpen", "INBOX")
        assert await flow("search", {"subject": "GRÜSSE AUS"}, UID) in ([6], [])
        assert await flow("search", {"subject": "grüße"}, UID) == [6]
        envelope = (await flow("fetchOne", "6", {"envelope": True}, UID))["envelope"]
        assert (envelope["subject"], envelope["from"][0]["name"]) == ("Grüße aus Köln", "Jürgen")


@pytest.mark.parametrize(
    ("mechanism", "security"),
    [("PLAIN", "none"), ("command", "starttls")]
    + [(mechanism, "tls") for mechanism in ("PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER", "command")],
)
async def test_imapflow_logs_in(server: Server, mechanism: str, security: str) -> None:
    auth = {
        "PLAIN": {"pass": PASSWORD, "loginMethod": "AUTH=PLAIN"},
        "LOGIN": {"pass": PASSWORD, "loginMethod": "AUTH=LOGIN"},
        "command": {"pass": PASSWORD, "loginMethod": "LOGIN"},
    }.get(mechanism, {"accessToken": token()})
    if mechanism != "command":
        offering(server, mechanism)
    async with imapflow(server, security, **auth) as flow:
        assert (await flow("mailboxOpen", "INBOX", {"readOnly": True}))["exists"] == 5
