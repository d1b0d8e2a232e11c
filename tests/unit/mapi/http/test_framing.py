"""MS-OXCMAPIHTTP: heads, codes, cookies, sequence, the streamed body, one request at a time."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from quintet.config.mapi import Mapi
from quintet.mapi.http import service
from tests.unit.mapi.http.house import house


async def test_a_session_from_connect_to_disconnect(tmp_path: Path) -> None:
    """R44, R164, R167, R1221, R1236, R1238, R1244, R2228, R2231, R2040, R156, R2037, R1250, R1253."""
    async with house(tmp_path) as it, it.client() as client:
        opened = await client.post("Connect", b"me")
        assert opened.status == 200
        assert opened.code == 0
        assert opened.body == b"hello alice@example.org"
        assert opened.tags == ["PROCESSING", "DONE"]
        assert opened.headers["Content-Type"] == "application/mapi-http"
        assert opened.headers["Transfer-Encoding"] == "chunked"
        assert opened.headers["X-RequestType"] == "Connect"
        assert opened.headers["X-RequestId"] == f"{client.guid}:1"
        assert opened.headers["X-ClientInfo"] == "{2EF33C39-49C8-421C-B876-CDF7F2AC3AA0}:123"
        assert opened.headers["X-ServerApplication"].startswith("Exchange/15.")
        assert opened.headers["X-PendingPeriod"] == "30000"
        assert opened.headers["X-ExpirationInfo"] == "900000"
        assert set(opened.additional) == {"X-ElapsedTime", "X-StartTime"}
        assert opened.cookie.startswith("MapiContext=0.")
        assert "MapiSequence=" in opened.cookie

        done = await client.post("EXECUTE", b"work", opened.cookie)
        assert done.body == b"execute work"
        assert done.cookie != opened.cookie
        assert done.cookie.partition(";")[0] == opened.cookie.partition(";")[0]

        ended = await client.post("Disconnect", b"", done.cookie)
        assert ended.code == 0
        assert ended.cookie  # R1255
        assert it.toy.closed == ["alice@example.org"]
        assert (await client.post("Execute", b"", ended.cookie)).code == 10


async def test_what_a_device_says_of_itself_is_let_go(tmp_path: Path) -> None:
    """R2050, R2239: X-DeviceInfo is discarded, and never sent back; R2054: nor is a long one an error."""
    async with house(tmp_path) as it, it.client() as client:
        for told in ("a telephone", "x" * 65):
            opened = await client.post("Connect", b"me", X_DeviceInfo=told)
            assert (opened.code, opened.body) == (0, b"hello alice@example.org")
            assert "X-DeviceInfo" not in opened.headers


@pytest.mark.parametrize(
    "changed, code",
    [
        ({"X_RequestType": "-"}, 7),  # R143
        ({"X_RequestId": "-"}, 7),
        ({"Content_Type": "text/plain"}, 4),  # R140
        ({"X_RequestId": "17"}, 4),
        ({"X_RequestType": "Fly"}, 5),  # R141
        ({"X_RequestType": "no word"}, 5),
        ({"cookie": ""}, 13),  # R149
        ({"cookie": "MapiContext=nonsense; MapiSequence=1"}, 6),  # R142
        ({"cookie": "MapiContext=0.AAAAAAAAAAAAAAAAAAAAAA; MapiSequence=1"}, 10),  # R146
        ({"path": "/mapi/other"}, 3),  # R139
        ({"body": b"x" * 0x42001}, 9),  # R145
    ],
)
async def test_what_is_not_accepted_has_its_code(tmp_path: Path, changed: dict[str, str], code: int) -> None:
    """2.2.3.3.3; R49: status 200; R2038: text/html; R56: diagnostic information."""
    async with house(tmp_path) as it, it.client() as client:
        opened = await client.post("Connect")
        given = {"body": b"", "cookie": opened.cookie, **changed}
        answer = await client.post("Execute", **given)  # type: ignore[arg-type]
        assert (answer.status, answer.code) == (200, code)
        assert answer.headers["Content-Type"].startswith("text/html")
        assert answer.headers["X-ServerApplication"]
        assert answer.body
        assert (await client.post("Execute", b"on", opened.cookie)).body == b"execute on"


async def test_only_post_is_served(tmp_path: Path) -> None:
    """R3, R138."""
    async with house(tmp_path) as it, it.client() as client:
        async with client.http.get(client.base + "/mapi/toy") as response:
            assert (response.status, response.headers["X-ResponseCode"]) == (200, "2")


async def test_a_context_is_its_accounts(tmp_path: Path) -> None:
    """R1224, R1225: another authentication context is answered as if there were none."""
    from tests.unit.mapi.http.house import basic

    async with house(tmp_path) as it, it.client() as alice, it.client(basic("bob")) as bob:
        opened = await alice.post("Connect")
        assert (await bob.post("Execute", b"", opened.cookie)).code == 10


async def test_one_request_at_a_time(tmp_path: Path) -> None:
    """R1227, R1228, R151; R1170: but NotificationWait beside it."""
    async with house(tmp_path) as it, it.client() as client:
        opened = await client.post("Connect")
        first = asyncio.create_task(client.post("Execute", b"wait", opened.cookie))
        await it.toy.waits.wait()
        it.toy.waits.clear()
        second = await client.post("Execute", b"", opened.cookie)
        assert second.code == 15
        assert second.cookie  # R1236: every answer that has a context tells its cookies
        waiting = asyncio.create_task(client.post("NotificationWait", b"", opened.cookie))
        await it.toy.waits.wait()
        it.toy.go.set()
        assert (await first).body == b"execute wait"
        assert (await waiting).body.startswith(b"notificationwait")
        assert (await client.post("Execute", b"", opened.cookie)).code == 15  # a sequence that was used


async def test_sequence_is_required(tmp_path: Path) -> None:
    """R1150: the client passes it along; R149."""
    async with house(tmp_path) as it, it.client() as client:
        opened = await client.post("Connect")
        assert (await client.post("Execute", b"", opened.cookie.partition(";")[0])).code == 13


async def test_signs_of_life(tmp_path: Path) -> None:
    """R1237, R1239, R1241: PROCESSING at once, PENDING every period, then DONE."""
    async with house(tmp_path, dataclasses.replace(Mapi(), pending_s=0.05)) as it, it.client() as client:
        opened = await client.post("Connect")
        waiting = asyncio.create_task(client.post("NotificationWait", b"", opened.cookie))
        await it.toy.waits.wait()
        await asyncio.sleep(0.3)
        it.toy.go.set()
        answer = await waiting
        assert answer.headers["X-PendingPeriod"] == "50"
        assert answer.tags[0] == "PROCESSING"
        assert answer.tags[1:-1]
        assert set(answer.tags[1:-1]) == {"PENDING"}
        assert answer.tags[-1] == "DONE"


async def test_failures(tmp_path: Path) -> None:
    """R148, R2226: in the head, as long as nothing was said; R257: or a StatusCode; R1236: with cookies."""
    async with house(tmp_path) as it, it.client() as client:
        cookie = (await client.post("Connect")).cookie
        bad = await client.post("Execute", b"bad", cookie)
        assert (bad.code, bad.body) == (12, b"bad body\n")
        assert bad.headers["Content-Type"].startswith("text/html")
        failed = await client.post("Execute", b"fail", bad.cookie)
        assert failed.code == 0
        assert failed.body == b"\x34\x12\0\0\0\0\0\0"
        bug = await client.post("Execute", b"bug", failed.cookie)
        assert (bug.code, bug.body) == (1, b"internal error\n")
        assert (await client.post("Execute", b"on", bug.cookie)).body == b"execute on"
        assert (await client.post("NotificationWait", b"bad", bug.cookie)).code == 12


async def test_failures_after_acceptance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R2229, R2230, R2232: a later X-ResponseCode among the additional headers, with its Content-Type."""
    monkeypatch.setattr(service, "AT_ONCE_S", 0.01)
    async with house(tmp_path) as it, it.client() as client:
        cookie = (await client.post("Connect")).cookie
        waiting = asyncio.create_task(client.post("Execute", b"wait, bad", cookie))
        await it.toy.waits.wait()
        await asyncio.sleep(0.1)
        it.toy.go.set()
        bad = await waiting
        assert (bad.code, bad.tags) == (0, ["PROCESSING", "DONE"])
        assert bad.additional["X-ResponseCode"] == "12"
        assert bad.additional["Content-Type"] == "text/html"
        assert bad.body == b"bad body"


async def test_ping(tmp_path: Path) -> None:
    """R1127, R1247, R1248, R1460, R1457: no body; with a context it is kept alive."""
    async with house(tmp_path) as it, it.client() as client:
        bare = await client.post("PING")
        assert (bare.code, bare.body) == (0, b"")
        opened = await client.post("Connect")
        kept = await client.post("PING", b"", opened.cookie)
        assert (kept.code, kept.body) == (0, b"")
        assert kept.headers["X-ExpirationInfo"] == "900000"
        assert (await client.post("Execute", b"1", kept.cookie)).code == 0


async def test_reconnecting_destroys_the_old_context(tmp_path: Path) -> None:
    """R1277, R1278, R1279: whatever the sequence."""
    async with house(tmp_path) as it, it.client() as client:
        opened = await client.post("Connect")
        old = opened.cookie.partition(";")[0]
        again = await client.post("Connect", b"", old)
        assert again.code == 0
        assert old not in again.cookie
        assert it.toy.closed == ["alice@example.org"]
        assert (await client.post("Execute", b"", opened.cookie)).code == 10


async def test_refused_opening_makes_no_context(tmp_path: Path) -> None:
    async with house(tmp_path) as it, it.client() as client:
        answer = await client.post("Connect", b"no")
        assert (answer.code, answer.body, answer.cookie) == (0, b"refused", "")
        assert len(it.http.contexts) == 0


async def test_limit_of_sessions(tmp_path: Path) -> None:
    """A fourth session of one account is refused with a StatusCode (R223); another account is not."""
    from tests.unit.mapi.http.house import basic

    async with house(tmp_path, dataclasses.replace(Mapi(), max_sessions=3)) as it, it.client() as client:
        opened = [await client.post("Connect") for _ in range(4)]
        assert opened[2].cookie
        assert opened[3].cookie == ""
        assert opened[3].body[:4] != b"\0\0\0\0"
        async with it.client(basic("bob")) as bob:
            assert (await bob.post("Connect")).cookie
        await client.post("Disconnect", b"", opened[0].cookie)
        assert (await client.post("Connect")).cookie


async def test_silence_ends_a_context(tmp_path: Path) -> None:
    """R1284, R1285; R1260: not while a NotificationWait is there."""
    async with house(tmp_path, dataclasses.replace(Mapi(), idle_s=0)) as it, it.client() as client:
        opened = await client.post("Connect")
        waiting = asyncio.create_task(client.post("NotificationWait", b"", opened.cookie))
        await it.toy.waits.wait()
        it.http.contexts.sweep()
        assert len(it.http.contexts) == 1
        it.toy.go.set()
        await waiting
        it.http.contexts.sweep()
        assert len(it.http.contexts) == 0
        assert (await client.post("Execute", b"", opened.cookie)).code == 10


async def test_a_wait_ends_with_its_client(tmp_path: Path) -> None:
    async with house(tmp_path) as it, it.client() as client:
        opened = await client.post("Connect")
        waiting = asyncio.create_task(client.post("NotificationWait", b"", opened.cookie))
        await it.toy.waits.wait()
        context = next(iter(it.http.contexts._by_name.values()))
        assert context.waiting
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        async with asyncio.timeout(30):
            while context.waiting:
                await asyncio.sleep(0.01)


async def test_draining_ends_waits(tmp_path: Path) -> None:
    """R154."""
    async with house(tmp_path) as it, it.client() as client:
        opened = await client.post("Connect")
        waiting = asyncio.create_task(client.post("NotificationWait", b"", opened.cookie))
        await it.toy.waits.wait()
        await asyncio.sleep(0.05)  # what is ready to run: the head goes out
        it.http.contexts.drain()
        assert (await waiting).additional["X-ResponseCode"] == "18"
        assert (await client.post("Connect")).code == 18


async def test_clients_that_wait_for_continue_are_told_to(tmp_path: Path) -> None:
    """RFC 9110 10.1.1: what .NET's client asks before each body."""
    from tests.unit.mapi.http.house import basic

    async with house(tmp_path) as it:
        reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
        head = [
            "POST /mapi/toy HTTP/1.1",
            "Host: x",
            f"Authorization: {basic()}",
            "Content-Type: application/mapi-http",
            "X-RequestType: Connect",
            "X-RequestId: {2EF33C39-49C8-421C-B876-CDF7F2AC3AA0}:1",
            "Expect: 100-continue",
            "Content-Length: 2",
        ]
        writer.write("\r\n".join((*head, "", "")).encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 100 ")
        await reader.readline()
        writer.write(b"me")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        await writer.wait_closed()
