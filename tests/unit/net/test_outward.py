"""Proxies and source addresses: RFC 1928, RFC 1929, RFC 9110 9.3.6, against small proxies on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.config import proxies
from quintet.errors import Hangup, Reason
from quintet.net import outward
from quintet.net.client import Client
from tests.support.serving import serving

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def proxy(serve: Serve) -> AsyncIterator[int]:
    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
            await writer.drain()
        finally:
            writer.close()

    async with serving(serve_one) as port:
        yield port


def socks(
    heard: list[bytes], method: bytes, reply: bytes, login: bytes = b"", after: bytes = b"220 hi\r\n"
) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(2)
        heard.append(head + await reader.readexactly(head[1]))
        writer.write(method)
        if login:
            start = await reader.readexactly(2)
            user = await reader.readexactly(start[1])
            size = await reader.readexactly(1)
            heard.append(start + user + size + await reader.readexactly(size[0]))
            writer.write(login)
        if method[1] == 0xFF or login[1:] not in (b"", b"\0"):
            return
        start = await reader.readexactly(4)
        if start[3] == 3:
            size = await reader.readexactly(1)
            heard.append(start + size + await reader.readexactly(size[0] + 2))
        else:
            heard.append(start + await reader.readexactly({1: 4, 4: 16}[start[3]] + 2))
        writer.write(reply + after)

    return serve


OK_V4 = b"\5\0\0\1\x7f\0\0\1\x04\x38"


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("mx.example.net", b"\5\1\0\3\x0emx.example.net\0\x19"),
        ("192.0.2.7", b"\5\1\0\1\xc0\0\2\x07\0\x19"),
        ("2001:db8::1", b"\5\1\0\4\x20\x01\x0d\xb8" + bytes(11) + b"\1\0\x19"),
    ],
)
async def test_socks5_is_asked_for_names_unresolved(host: str, asked: bytes) -> None:
    heard: list[bytes] = []
    async with proxy(socks(heard, b"\5\0", OK_V4)) as port:
        client = await Client.connect(host, 25, proxy=f"socks5://127.0.0.1:{port}", timeout_s=5)
        assert await client.line() == b"220 hi"
        await client.close()
    assert heard == [b"\5\1\0", asked]


@pytest.mark.parametrize("reply", [b"\5\0\0\3\x04here\0\1", b"\5\0\0\4" + bytes(16) + b"\0\1"])
async def test_socks5_answers_with_any_kind_of_address(reply: bytes) -> None:
    async with proxy(socks([], b"\5\0", reply)) as port:
        client = await Client.connect("x.example", 25, proxy=f"socks5://127.0.0.1:{port}", timeout_s=5)
        assert await client.line() == b"220 hi"
        await client.close()


async def test_socks5_password() -> None:
    heard: list[bytes] = []
    async with proxy(socks(heard, b"\5\2", OK_V4, b"\1\0")) as port:
        url = f"socks5://us%40er:p%3Aw@127.0.0.1:{port}"
        client = await Client.connect("x.example", 25, proxy=url, timeout_s=5)
        await client.close()
    assert heard[:2] == [b"\5\2\0\2", b"\1\5us@er\3p:w"]


@pytest.mark.parametrize(
    ("url", "serve", "words"),
    [
        ("socks5://", socks([], b"\5\0", b"\5\5\0\1" + bytes(6), after=b""), "connection refused"),
        ("socks5://", socks([], b"\5\0", b"\5\x63\0\1" + bytes(6), after=b""), "error 99"),
        ("socks5://", socks([], b"\5\xff", b""), "wants a login"),
        ("socks5://", socks([], b"\5\2", b"", b"\1\0"), "wants a login"),
        ("socks5://u:p@", socks([], b"\5\2", b"", b"\1\1"), "does not take our password"),
        ("socks5://", socks([], b"HT", b""), "no SOCKS5"),
    ],
)
async def test_socks5_refusals_are_told(url: str, serve: Serve, words: str) -> None:
    async with proxy(serve) as port:
        with pytest.raises(Hangup, match=words) as caught:
            await Client.connect("x.example", 25, proxy=f"{url}127.0.0.1:{port}", timeout_s=5)
    assert caught.value.reason is Reason.CLOSED


def http(heard: list[bytes], answer: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)

    return serve


async def test_http_connect() -> None:
    heard: list[bytes] = []
    answer = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n220 hi\r\n"
    async with proxy(http(heard, answer)) as port:
        client = await Client.connect("mx.example.net", 25, proxy=f"http://u:p@127.0.0.1:{port}", timeout_s=5)
        assert await client.line() == b"220 hi"
        await client.close()
    assert b"".join(heard) == (
        b"CONNECT mx.example.net:25 HTTP/1.1\r\nHost: mx.example.net:25\r\n"
        b"Proxy-Authorization: Basic dTpw\r\n\r\n"
    )


async def test_http_connect_to_ipv6() -> None:
    heard: list[bytes] = []
    async with proxy(http(heard, b"HTTP/1.0 200\r\n\r\n220 hi\r\n")) as port:
        await (await Client.connect("2001:db8::1", 25, proxy=f"http://127.0.0.1:{port}", timeout_s=5)).close()
    assert heard[0].startswith(b"CONNECT [2001:db8::1]:25 HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 403 Not \x1b[31mhere\r\n\r\n", r"403 Not \?\[31mhere"),
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407"),
        (b"220 mx ESMTP\r\n", "no HTTP"),
        (b"HTTP/1.1 200 ok\r\n" + b"X: y\r\n" * 200, "no end"),
        (b"HTTP/1.1 200 ok" + b"x" * 200_000 + b"\r\n", "too long"),
    ],
)
async def test_http_refusals_are_told(answer: bytes, words: str) -> None:
    async with proxy(http([], answer)) as port:
        with pytest.raises(Hangup, match=words):
            await Client.connect("x.example", 25, proxy=f"http://127.0.0.1:{port}", timeout_s=5)


async def test_http_proxy_is_not_told_another_request() -> None:
    async with proxy(http([], b"")) as port:
        with pytest.raises(Hangup, match="no name"):
            await Client.connect("a\r\nHost: b", 25, proxy=f"http://127.0.0.1:{port}", timeout_s=5)


async def test_silent_proxy_takes_no_longer_than_a_connection_may() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with proxy(silent) as port:
        with pytest.raises(Hangup) as caught:
            await Client.connect(
                "x.example", 25, proxy=f"socks5://127.0.0.1:{port}", timeout_s=5, connect_timeout_s=0.05
            )
    assert caught.value.reason is Reason.TIMEOUT


@pytest.mark.parametrize(
    "url", ["", "host:25", "socks4://h", "ftp://h:1", "http:///x", "http://h/path", "http://h:99999"]
)
def test_what_is_no_proxy(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        proxies.parse(url)


def test_usual_ports() -> None:
    assert proxies.parse("socks5://h") == proxies.Proxy("socks5", "h", 1080)
    assert proxies.parse("http://[::1]") == proxies.Proxy("http", "::1", 3128)


POOL = ("192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", "2001:db8::2")


@given(st.ip_addresses().map(str))
def test_source_is_of_the_target_s_family_and_stays_the_same(target: str) -> None:
    found = outward.source(POOL, target)
    assert found in POOL
    assert (":" in found) == (":" in target)
    assert outward.source(POOL, target) == found


def test_sources_are_spread() -> None:
    targets = [f"198.51.100.{number}" for number in range(100)]
    assert {outward.source(POOL, target) for target in targets} == set(POOL[:3])
    turns = [outward.source(POOL, "198.51.100.1", by_turn=True) for _ in range(6)]
    assert sorted(turns) == sorted(POOL[:3] * 2)


def test_no_source_of_that_family() -> None:
    assert outward.source((), "::1") == ""
    with pytest.raises(Hangup, match="IPv6"):
        outward.source(POOL[:3], "2001:db8::9")


async def test_connection_comes_from_the_source() -> None:
    came: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(writer.get_extra_info("peername")[0])

    async with proxy(serve) as port:
        for pool in (("127.0.0.9",), ("127.0.0.8", "2001:db8::1")):
            client = await Client.connect("127.0.0.1", port, sources=pool, timeout_s=5)
            assert client.local_address == pool[0]
            await client.close()
        with pytest.raises(Hangup, match="no source address is IPv4"):
            await Client.connect("127.0.0.1", port, sources=("::1",), timeout_s=5)
    assert came == ["127.0.0.9", "127.0.0.8"]
