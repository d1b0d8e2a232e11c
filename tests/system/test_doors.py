"""Who gets in, over sockets: PROXY headers, limits by address, slow clients; and what those outside hear."""

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
from pathlib import Path

import pytest

from quintet.config.listeners import STANDARD
from quintet.net.proxy import SIGNATURE
from tests.support.server import HOST, start_server

TIME_S = 60.0
PROTOCOLS = ("imap", "pop3", "nntp", "smtp", "lmtp")
ONLY = ("imap", "smtp", "lmtp", "pop3", "nntp")
GREETINGS = {"imap": b"* OK", "pop3": b"+OK", "nntp": b"20", "smtp": b"220 ", "lmtp": b"220 "}
FULL = {  # RFC 9051 7.1.5; RFC 2449 8 and 3206; RFC 3977 5.1; RFC 5321 3.8 and 4.3.2
    "imap": b"* BYE ",
    "pop3": b"-ERR [SYS/TEMP] ",
    "nntp": b"400 ",
    "smtp": b"421 ",
    "lmtp": b"421 ",
}


def listeners(**options: object):
    return {
        each.name: dataclasses.replace(each, address=HOST, port=0, **options)
        for each in STANDARD
        if each.name in PROTOCOLS
    }


def version_2(address: str) -> bytes:
    body = ipaddress.ip_address(address).packed + ipaddress.ip_address(HOST).packed + b"\0\1\0\2"
    return SIGNATURE + b"\x21\x11" + len(body).to_bytes(2, "big") + body


def version_1(address: str) -> bytes:
    return f"PROXY TCP4 {address} {HOST} 1 2\r\n".encode()


async def connect(port: int, header: bytes = b""):
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(header)
    return reader, writer, await reader.readline()


@pytest.mark.parametrize("name", PROTOCOLS)
async def test_limits_count_whom_the_proxy_names(tmp_path: Path, name: str) -> None:
    made = listeners(proxy=(f"{HOST}/32",), max_per_address=2)
    async with start_server(tmp_path, only=ONLY, listeners=made) as server, asyncio.timeout(TIME_S):
        port = server.ports[name]
        writers = []
        for header in (version_1("192.0.2.1"), version_2("192.0.2.1")):
            _, writer, line = await connect(port, header)
            assert line.startswith(GREETINGS[name]), line
            writers.append(writer)
        reader, writer, line = await connect(port, version_1("192.0.2.1"))
        assert line.startswith(FULL[name]), line
        assert await reader.read() == b""  # and closed
        writers.append(writer)
        _, writer, line = await connect(port, version_1("192.0.2.2"))
        assert line.startswith(GREETINGS[name])
        writers.append(writer)
        for each in writers:
            each.close()


@pytest.mark.parametrize("name", PROTOCOLS)
async def test_pace_of_an_address(tmp_path: Path, name: str) -> None:
    made = listeners(proxy=(f"{HOST}/32",), rate_per_minute=3)
    async with start_server(tmp_path, only=ONLY, listeners=made) as server, asyncio.timeout(TIME_S):
        heard = []
        for _ in range(4):
            _, writer, line = await connect(server.ports[name], version_1("192.0.2.1"))
            heard.append(line)
            writer.close()
        assert all(line.startswith(GREETINGS[name]) for line in heard[:3])
        assert heard[3].startswith(FULL[name]), heard[3]


@pytest.mark.parametrize("header", [version_1("192.0.2.1"), version_2("192.0.2.1")])
@pytest.mark.parametrize("name", PROTOCOLS)
async def test_a_header_from_an_unnamed_address_is_nonsense(tmp_path: Path, name: str, header: bytes) -> None:
    """It is neither believed nor passed over: what it says are commands, and those there are none."""
    made = listeners(proxy=("203.0.113.0/24",))
    async with start_server(tmp_path, only=ONLY, listeners=made) as server, asyncio.timeout(TIME_S):
        reader, writer, line = await connect(server.ports[name])
        assert line.startswith(GREETINGS[name])
        writer.write(header + b"\r\n")
        answer = await reader.readline()
        assert answer.startswith((b"* BAD", b"PROXY BAD", b"-ERR", b"5", b"* BYE")), answer
        assert all(peer.address == HOST for peer in _peers(server, name))
        writer.close()


def _peers(server, name: str):
    return [driver.peer for driver in server.app.listeners[name]._drivers]


async def test_without_the_header_the_proxys_own_connection_is_closed(tmp_path: Path) -> None:
    made = listeners(proxy=(f"{HOST}/32",))
    net = {"proxy_timeout_s": 0.3}
    async with start_server(tmp_path, only=ONLY, listeners=made, net=net) as server, asyncio.timeout(TIME_S):
        reader, writer = await asyncio.open_connection(HOST, server.ports["imap"])
        assert await _end(reader) == b""  # silence
        writer.close()
        reader, writer = await asyncio.open_connection(HOST, server.ports["imap"])
        writer.write(b"a LOGIN alice demo\r\n")
        assert await _end(reader) == b""
        writer.close()


async def _end(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""
