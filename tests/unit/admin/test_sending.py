"""Mail by HTTP: what is written of JSON, who may send, what is refused."""

from __future__ import annotations

import asyncio
import base64
import email
import email.policy
import http.client
import json
import socket
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from quintet.admin.http import HttpListener
from quintet.admin.pages import Pages
from quintet.admin.senddoor import SendDoor
from quintet.admin.sending import Sending
from quintet.config import root
from quintet.config.listeners import Listener
from quintet.config.server import Http
from quintet.net.seam import Peer
from quintet.smtp.desk import Role
from tests.support.mailhouse import MailHouse, mail_house

ALICE = "Basic " + base64.b64encode(b"alice@example.org:demo").decode()
JSON = "application/json"


class Door:
    """The door of one house."""

    def __init__(self, house: MailHouse) -> None:
        self.house = house
        house.role = Role.SUBMISSION
        self.sending = Sending(house.service, root.from_text(""), house.clock)
        self.read = 0  # bodies that were asked for

    async def raw(
        self, body: bytes, kind: str = JSON, query: dict[str, list[str]] | None = None, who: str = ALICE
    ) -> tuple[int, dict[str, Any]]:
        async def read() -> bytes:
            self.read += 1
            return body

        return await self.sending.answer(Peer("h1", "127.0.0.1"), who, kind, query or {}, read)

    async def post(self, *, who: str = ALICE, **wanted: Any) -> tuple[int, dict[str, Any]]:
        return await self.raw(json.dumps(wanted).encode(), who=who)

    async def last(self, name: str) -> EmailMessage:
        return email.message_from_bytes(await self.house.last(name), policy=email.policy.default)


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with mail_house(tmp_path) as house:
        yield Door(house)


async def test_a_message_is_written_and_sent(door: Door) -> None:
    status, told = await door.post(
        to=["Bob Möller <bob@example.org>"],
        bcc=["carol@example.org", "zoe@example.net"],
        subject="Grüße",
        text="Hällo.\n.\nend",
        html="<p>Hällo.</p>",
        headers={"X-Run": "7"},
        attachments=[{"name": "ä.txt", "type": "text/plain", "content": base64.b64encode(b"abc").decode()}],
        reply_to="alice+7@example.org",
    )
    assert status == 200, told
    message = await door.last("bob")
    assert message["Message-ID"] == told["message_id"]
    assert told["id"] in str(message["Received"])
    assert message["From"].addresses[0].addr_spec == "alice@example.org"
    assert message["To"].addresses[0].display_name == "Bob Möller"
    assert (message["Subject"], message["X-Run"], message["Reply-To"]) == (
        "Grüße",
        "7",
        "alice+7@example.org",
    )
    assert message["Bcc"] is None
    assert message["Date"] is not None  # RFC 6409 8.3, as on port 587
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content().splitlines() == ["Hällo.", ".", "end"]
    (attached,) = message.iter_attachments()
    assert (attached.get_filename(), attached.get_content()) == ("ä.txt", "abc")
    assert await door.house.count("carol") == 1
    assert [row.address for row in await door.house.queued()] == ["zoe@example.net"]


async def test_a_whole_message_with_its_envelope(door: Door) -> None:
    status, told = await door.raw(
        b"From: alice@example.org\nSubject: hi\n\nhello\n",
        "message/rfc822",
        {"to": ["bob@example.org"], "from": ["alice@example.org"], "envid": ["x7"]},
    )
    assert status == 200, told
    assert (await door.last("bob")).get_content().split() == ["hello"]
    assert door.house.envelope.wishes.envid == "x7"


async def test_what_is_asked_for_is_handed_on(door: Door) -> None:
    status, _ = await door.post(to=["zoe@example.net"], text="x", envid="id 7", hold_for_s=60)
    assert status == 200
    wishes = door.house.envelope.wishes
    assert (wishes.envid, wishes.release_at - door.house.clock.now()) == ("id 7", 60_000)


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("", 401),
        ("Basic x", 401),
        ("Bearer abc", 401),
        ("Basic " + base64.b64encode(b"alice@example.org:wrong").decode(), 401),
        ("Basic " + base64.b64encode(b"alice@example.org\0x:demo").decode(), 401),
    ],
)
async def test_who_is_nobody_sends_nothing(door: Door, who: str, status: int) -> None:
    got, told = await door.post(to=["bob@example.org"], text="x", who=who)
    assert (got, list(told)) == (status, ["error"])
    assert await door.house.count("bob") == 0


async def test_nobody_sends_as_somebody_else(door: Door) -> None:
    """RFC 6409 6.1."""
    status, told = await door.post(**{"from": "carol@example.org"}, to=["bob@example.org"], text="x")
    assert (status, told["error"][:9]) == (403, "550 5.7.1")
    assert await door.house.count("bob") == 0


async def test_all_recipients_or_none(door: Door) -> None:
    names = [f"nobody{number}@example.org" for number in range(4)]
    status, told = await door.post(to=["bob@example.org", *names], text="x")
    assert status == 422
    assert [each["address"] for each in told["recipients"]] == names
    assert told["recipients"][0]["reply"].startswith("550 5.1.1")
    assert await door.house.count("bob") == 0
    await door.house.given("full carol")
    status, told = await door.post(to=["carol@example.org"], text="x")
    assert status == 503  # may be tried again


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"to": []},
        {"to": ["bob"], "tu": 1},
        {"to": "bob@example.org"},
        {"to": ["a@b.example, c@d.example"]},
        {"to": [""]},
        {"to": ["bob@example.org"], "subject": "x\r\nBcc: carol@example.org"},
        {"to": ["bob@example.org"], "headers": {"From": "x@y.example"}},
        {"to": ["bob@example.org"], "headers": {"X-A: b\r\nX-C": "d"}},
        {"to": ["bob@example.org"], "headers": {"X-A": "d\nBcc: carol@example.org"}},
        {"to": ["bob@example.org>\r\nRCPT TO:<carol@example.org"]},
        {"to": ["bob@example.org"], "attachments": [{"name": "x", "content": "%"}]},
    ],
)
async def test_what_makes_no_sense(door: Door, wanted: dict[str, Any]) -> None:
    status, told = await door.post(**wanted)
    assert status in (400, 422), told
    assert [await door.house.count(name) for name in ("bob", "carol")] == [0, 0]


async def test_what_a_foreign_page_can_make_a_browser_send_is_refused(door: Door) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        status, _ = await door.raw(b'{"to": ["bob@example.org"]}', kind)
        assert status == 415


async def test_nothing_is_held_for_who_did_not_log_in(door: Door) -> None:
    """32 MB of each of many connections, for nobody, else."""
    wrong = "Basic " + base64.b64encode(b"alice@example.org:wrong").decode()
    for who in ("", "Bearer x", wrong):
        assert (await door.post(to=["bob@example.org"], who=who))[0] == 401
    assert door.read == 0
    assert (await door.post(to=["bob@example.org"]))[0] == 200
    assert door.read == 1


async def test_too_big_is_told_as_such(door: Door) -> None:
    door.house.configure(door.house.config.__class__(max_message_size=65536))
    door.sending = Sending(door.house.service, root.from_text(""), door.house.clock)
    status, told = await door.post(to=["bob@example.org"], text="x" * 70_000)
    assert (status, told["error"][:9]) == (413, "552 5.3.4")


async def test_over_http(door: Door) -> None:
    """The whole way: a listener, the door behind it, a service of the server's own."""
    house = door.house
    config = root.from_text("[http]\nsend = true\n")

    async def gather() -> list[str]:
        return []

    pages = Pages(house.store, Http(), hostname="mx.example.org", ways=list, gather=gather)
    sending = SendDoor(house.auth, lambda: config, lambda: house.inbound, clock=house.clock)
    sock = socket.create_server(("127.0.0.1", 0))
    listener = HttpListener(pages, [sock], Listener("http", "http"), sending=sending)
    await listener.start()

    def ask(method: str, body: bytes, **fields: str) -> tuple[int, str, dict[str, Any]]:
        link = http.client.HTTPConnection("127.0.0.1", listener.port, timeout=20)
        link.request(method, "/send", body, {"Content-Type": JSON, "Authorization": ALICE, **fields})
        answer = link.getresponse()
        told = answer.status, answer.getheader("WWW-Authenticate", ""), json.loads(answer.read())
        link.close()
        return told

    try:
        names = [f"nobody{number}@example.org" for number in range(30)]
        status, _, told = await asyncio.to_thread(ask, "POST", json.dumps({"to": names}).encode())
        assert (status, len(told["recipients"])) == (422, 30)
        status, _, told = await asyncio.to_thread(ask, "POST", b'{"to": ["bob@example.org"], "text": "x"}')
        assert status == 200
        assert (await door.last("bob"))["Message-ID"] == told["message_id"]
        status, wants, _ = await asyncio.to_thread(ask, "POST", b"{}", Authorization="x")
        assert (status, wants[:5]) == (401, "Basic")
        assert (await asyncio.to_thread(ask, "GET", b""))[0] == 405
    finally:
        await listener.drain(0.1)
    assert not SendDoor(
        house.auth, lambda: root.from_text(""), lambda: house.inbound, clock=house.clock
    ).serves("/send")
