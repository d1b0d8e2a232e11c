"""The resolver and the outbound client, against small servers on loopback."""

from __future__ import annotations

import asyncio
import socket

import dns.name
import pytest

from quintet.clock import FrozenClock
from quintet.config.net import Dns, resolver_at
from quintet.errors import Hangup, Reason, TryLater
from quintet.net.client import Client
from quintet.net.dns import Mx, Resolver
from tests.support.dnszone import dns_server
from tests.support.serving import ended

ZONE = """
example.net MX 20 b.example.net.
example.net MX 10 a.example.net.
nullmx.example.net MX 0 .
a.example.net A 192.0.2.1
a.example.net AAAA 2001:db8::1
alias.example.net CNAME a.example.net.
example.net TXT "one " "two"
1.2.0.192.in-addr.arpa PTR a.example.net.
"""


async def test_the_three_kinds_of_no() -> None:
    async with dns_server(ZONE) as server:
        resolver = server.resolver()
        found = await resolver.query("A.Example.NET.", "A")
        assert (found.name, [each.address for each in found.records], found.exists) == (
            "a.example.net",
            ["192.0.2.1"],
            True,
        )
        nodata = await resolver.query("a.example.net", "MX")
        assert (nodata.records, nodata.exists) == ((), True)
        nxdomain = await resolver.query("nowhere.example.net", "A")
        assert (nxdomain.records, nxdomain.exists) == ((), False)
        server.broken.add(dns.name.from_text("broken.example.net."))
        with pytest.raises(TryLater) as caught:
            await resolver.query("broken.example.net", "A")
        assert caught.value.reason is Reason.DNS
        impossible = await resolver.query("x" * 70 + ".example.net", "A")
        assert not impossible.exists
        assert not (await resolver.query("two..dots", "A")).exists


async def test_helpers() -> None:
    async with dns_server(ZONE) as server:
        resolver = server.resolver()
        assert await resolver.mx("example.net") == [Mx(10, "a.example.net"), Mx(20, "b.example.net")]
        assert await resolver.mx("nullmx.example.net") == [Mx(0, "")]
        assert await resolver.mx("a.example.net") == []
        assert await resolver.addresses("a.example.net") == ["2001:db8::1", "192.0.2.1"]
        assert await resolver.addresses("alias.example.net") == ["2001:db8::1", "192.0.2.1"]
        assert (await resolver.query("alias.example.net", "A")).canonical == "a.example.net"
        assert await resolver.txt("example.net") == [b"one two"]
        assert await resolver.ptr("192.0.2.1") == ["a.example.net"]


async def test_answers_are_remembered_as_long_as_they_say() -> None:
    async with dns_server(ZONE) as server:
        clock = FrozenClock()
        resolver = Resolver(Dns(nameservers=("127.0.0.1",), port=server.port, cache=2), clock=clock)
        answers = await asyncio.gather(*(resolver.query("a.example.net", "A") for _ in range(5)))
        assert len(set(map(id, answers))) == 1
        await resolver.query("nowhere.example.net", "A")
        await resolver.query("nowhere.example.net", "A")
        assert len(server.asked) == 2  # those who ask at once share a question, and a no is kept as well
        clock.advance(100_000)
        await resolver.query("a.example.net", "A")
        assert len(server.asked) == 3
        await resolver.query("example.net", "MX")
        await resolver.query("example.net", "TXT")  # the cache holds two: the oldest had to go
        await resolver.query("a.example.net", "A")
        assert len(server.asked) == 6
        resolver.forget()
        await resolver.query("a.example.net", "A")
        assert len(server.asked) == 7


async def test_what_does_not_fit_a_datagram_comes_by_tcp() -> None:
    async with dns_server(ZONE) as server:
        server.long.add(dns.name.from_text("example.net."))
        assert [mx.preference for mx in await server.resolver().mx("example.net")] == [10, 20]
        assert server.by_tcp == 1


async def test_silence_and_servfail_are_trouble_whatever_is_asked() -> None:
    async with dns_server(ZONE) as server:
        server.silent = True
        with pytest.raises(TryLater):
            await server.resolver(timeout_s=0.1, lifetime_s=0.2).query("nowhere.example.net", "MX")
        server.silent = False
        server.broken_kinds.add("MX")
        resolver = server.resolver()
        with pytest.raises(TryLater):
            await resolver.mx("nowhere.example.net")
        server.broken_kinds.clear()
        assert not (await resolver.query("nowhere.example.net", "MX")).exists  # trouble is not remembered


async def test_an_alias_of_a_name_that_does_not_exist_does_not_exist() -> None:
    async with dns_server("dangling.test CNAME nowhere.test.\nturn.test CNAME turn.test.") as server:
        assert not (await server.resolver().query("dangling.test", "MX")).exists
        with pytest.raises(TryLater):  # a loop of aliases is a fault that somebody will mend
            await server.resolver().query("turn.test", "MX")


@pytest.mark.parametrize(("trust", "secure"), [("auto", True), ("yes", True), ("no", False)])
async def test_validated_answers_are_marked_where_the_resolver_is_trusted(trust, secure) -> None:
    async with dns_server(ZONE) as server:
        server.validates = True
        resolver = server.resolver(trust_ad=trust)
        assert (await resolver.query("a.example.net", "A")).secure is secure
        assert (await resolver.query("nowhere.example.net", "A")).secure is secure
        assert (await resolver.query("a.example.net", "TXT")).secure is secure
        server.validates = False
        assert not (await resolver.query("example.net", "TXT")).secure


def test_auto_believes_no_resolver_elsewhere() -> None:
    assert Resolver(Dns(nameservers=("127.0.0.1:5353", "[::1]:53")))._trusted
    assert not Resolver(Dns(nameservers=("127.0.0.1", "192.0.2.53")))._trusted


async def test_life_of_an_answer_has_bounds() -> None:
    async with dns_server(ZONE) as server:
        clock = FrozenClock()
        options = {"min_ttl_s": 90.0, "max_ttl_s": 100.0, "negative_ttl_s": 3.0}
        resolver = Resolver(Dns(nameservers=(f"127.0.0.1:{server.port}",), **options), clock=clock)
        await resolver.query("a.example.net", "A")  # its TTL is 60
        clock.advance(80)
        await resolver.query("a.example.net", "A")
        assert len(server.asked) == 1
        await resolver.query("nowhere.example.net", "A")
        clock.advance(4)
        await resolver.query("nowhere.example.net", "A")
        assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5353", ("192.0.2.1", 5353)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]:54", ("2001:db8::1", 54)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
        ("resolver.example.net", None),
        ("192.0.2.1:0", None),
        ("192.0.2.1:99999", None),
        ("192.0.2.1:", None),
        ("", None),
    ],
)
def test_where_a_resolver_is(text, place) -> None:
    if place is None:
        with pytest.raises(ValueError, match="expected the address"):
            resolver_at(text, 53)
        assert Dns(nameservers=(text,)).faults()
    else:
        assert resolver_at(text, 53) == place


async def _serve(handle: object) -> tuple[asyncio.Server, int]:
    server = await asyncio.start_server(handle, "127.0.0.1", 0)  # type: ignore[arg-type]
    return server, server.sockets[0].getsockname()[1]


async def test_client_reads_lines_bodies_and_the_end() -> None:
    said: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n..dot\r\nx\r\n.\r\n12345678")
        said.append(await reader.readline())
        writer.close()

    server, port = await _serve(handle)
    client = await Client.connect("127.0.0.1", port, source="127.0.0.1")
    assert (client.address, client.port, client.local_address) == ("127.0.0.1", port, "127.0.0.1")
    assert await client.line() == b"220 hi"
    assert b"".join([piece async for piece in client.dotted()]) == b".dot\r\nx\r\n"
    assert b"".join([piece async for piece in client.counted(8)]) == b"12345678"
    await client.write(b"QUIT\r\n")
    with pytest.raises(Hangup) as caught:
        await client.line()
    assert caught.value.reason is Reason.CLOSED
    assert said == [b"QUIT\r\n"]
    assert client.closed
    await client.close()
    await ended(server)


async def test_client_waits_no_longer_than_told() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server, port = await _serve(handle)
    client = await Client.connect("127.0.0.1", port, timeout_s=0.02)
    with pytest.raises(Hangup) as caught:
        await client.line()
    assert caught.value.reason is Reason.TIMEOUT
    with pytest.raises(Hangup):  # the server reads, but says nothing in TLS
        await client.start_tls(__import__("ssl").create_default_context(), "example.org")
    await client.close()
    await ended(server)


async def test_client_bounds_what_a_server_says() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        except OSError:
            writer.close()

    server, port = await _serve(handle)
    client = await Client.connect("127.0.0.1", port, timeout_s=5)
    with pytest.raises(Hangup) as caught:
        await client.line()
    assert caught.value.reason is Reason.TOO_LONG
    client.abort()
    await client.close()
    await ended(server)


async def test_nobody_listens() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(Hangup) as caught:
            await Client.connect("127.0.0.1", sock.getsockname()[1], timeout_s=5)
    assert caught.value.reason is Reason.CLOSED
    with pytest.raises(Hangup):
        await Client.connect("unix:/nonexistent/socket", timeout_s=5)


def test_without_a_file_of_the_system_this_machine_is_asked(monkeypatch):
    """resolv.conf(5); mail from elsewhere must not be put off because nobody wrote one."""

    def absent(self, file):
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver.BaseResolver, "read_resolv_conf", absent)
    assert Resolver()._resolver.nameservers == ["127.0.0.1"]
