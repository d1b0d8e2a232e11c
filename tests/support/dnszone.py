"""A tiny name server on loopback for tests: one zone in master-file text, plus failures by name.

async with dns_server("example.net. MX 10 mx.example.net.") as server:
    resolver = server.resolver()
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from quintet.config.net import Dns
from quintet.net.dns import Resolver
from tests.support.serving import ended

SOA = "ns.test. admin.test. 1 60 60 60 5"


class DnsServer(asyncio.DatagramProtocol):
    """Answers A, AAAA, MX, TXT, CNAME from its records; what is in ``broken`` gets SERVFAIL.

    What is in ``long`` is answered whole by TCP only, with ``silent`` it says nothing at all; every answer
    is called validated when ``validates`` is set, but for what comes by names in ``unsigned``.
    """

    def __init__(self, records: str = "") -> None:
        self.records: dict[dns.name.Name, list[tuple[int, str]]] = {}
        self.broken: set[dns.name.Name] = set()
        self.broken_kinds: set[str] = set()
        self.long: set[dns.name.Name] = set()
        self.silent = False
        self.validates = False
        self.unsigned: set[dns.name.Name] = set()
        self.by_tcp = 0
        self.asked: list[tuple[str, str]] = []
        self.port = 0
        self._transport: asyncio.DatagramTransport | None = None
        self.add(records)

    def add(self, records: str) -> None:
        """Lines of "NAME TYPE DATA"; names with or without a final dot are absolute."""
        for line in records.splitlines():
            if line.strip():
                name, kind, data = line.split(None, 2)
                where = self.records.setdefault(_name(name), [])
                where.append((dns.rdatatype.from_text(kind), data.strip()))

    def break_(self, name: str) -> None:
        self.broken.add(_name(name))

    def unsign(self, name: str) -> None:
        self.unsigned.add(_name(name))

    def resolver(self, **options: Any) -> Resolver:
        options = {"port": self.port, "timeout_s": 1.0, "lifetime_s": 2.0, **options}
        return Resolver(Dns(nameservers=("127.0.0.1",), **options))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment] # the loop's class does not say that it is one

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        assert self._transport is not None
        if self.silent:
            return
        reply = self.answer(query)
        if query.question[0].name in self.long:
            reply.answer.clear()
            reply.flags |= dns.flags.TC
        self._transport.sendto(reply.to_wire(), addr)

    async def stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """RFC 1035 4.2.2."""
        size = int.from_bytes(await reader.readexactly(2), "big")
        wire = self.answer(dns.message.from_wire(await reader.readexactly(size))).to_wire()
        self.by_tcp += 1
        writer.write(len(wire).to_bytes(2, "big") + wire)
        await writer.drain()
        writer.close()

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA | (dns.flags.AD if self.validates else 0)
        question = query.question[0]
        name = question.name
        self.asked.append((name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)))
        for _ in range(8):  # CNAME steps
            if name in self.unsigned:
                reply.flags &= ~dns.flags.AD
            if name in self.broken or dns.rdatatype.to_text(question.rdtype) in self.broken_kinds:
                reply.set_rcode(dns.rcode.SERVFAIL)
                return reply
            here = self.records.get(name)
            if here is None:
                reply.set_rcode(dns.rcode.NXDOMAIN)
                break
            found = [data for kind, data in here if kind == question.rdtype]
            if found:
                reply.answer.append(dns.rrset.from_text_list(name, 60, "IN", question.rdtype, found))
                return reply
            aliases = [data for kind, data in here if kind == dns.rdatatype.CNAME]
            if not aliases:
                break
            reply.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", aliases[0]))
            name = dns.name.from_text(aliases[0])
        reply.authority.append(dns.rrset.from_text("test.", 5, "IN", "SOA", SOA))
        return reply


def _name(text: str) -> dns.name.Name:
    return dns.name.from_text(text)


@asynccontextmanager
async def dns_server(records: str = "") -> AsyncIterator[DnsServer]:
    """One on a port of 127.0.0.1 that was free, by UDP and TCP."""
    datagrams, listening = _pair()
    async with dns_sockets(records, datagrams, listening) as server:
        yield server


def _pair() -> tuple[socket.socket, socket.socket]:
    """Two sockets on one number: a port free for datagrams may be somebody's for streams."""
    while True:
        listening = socket.create_server(("127.0.0.1", 0))
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            datagrams.bind(listening.getsockname())
        except OSError:
            listening.close()
            datagrams.close()
        else:
            datagrams.setblocking(False)
            return datagrams, listening


@asynccontextmanager
async def dns_sockets(
    records: str, datagrams: socket.socket, listening: socket.socket
) -> AsyncIterator[DnsServer]:
    """One on sockets that are bound already, wherever they are."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: DnsServer(records), sock=datagrams)
    server.port = transport.get_extra_info("sockname")[1]
    streams = await asyncio.start_server(server.stream, sock=listening)
    try:
        yield server
    finally:
        transport.close()
        await ended(streams)
