"""Listeners over real loopback sockets: TLS, PROXY headers, limits, the graceful end, memory."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import pwd
import socket
import ssl
import stat
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
from cryptography import x509

from quintet import log
from quintet.clock import FrozenClock, SystemClock
from quintet.config import listeners
from quintet.config.net import Certificate, Net, Tls
from quintet.errors import Hangup, Reason
from quintet.net import accepting, single, sockets, tls
from quintet.net.client import Client
from quintet.net.filters import server_end_point
from quintet.net.listener import Listener
from quintet.net.seam import Peer
from quintet.net.stream import Stream
from tests.unit.net.toy import MemoryBody, Service, Session, Store, Wire


@asynccontextmanager
async def listening(
    service: Service, contexts: tls.Contexts | None = None, net: Net | None = None, **options: object
) -> AsyncIterator[Listener]:
    config = listeners.Listener(name="toy", **{"tls": "starttls" if contexts else "none", **options})  # type: ignore[arg-type]
    sock = sockets.listen("127.0.0.1", 0)
    listener = Listener(
        service,
        sock,
        config,
        clock=SystemClock(),
        net=net,
        context=contexts.giver("imap") if contexts else None,
    )
    await listener.start()
    try:
        yield listener
    finally:
        await listener.drain(1.0)
        assert listener.connections == 0


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


def contexts_of(ca: trustme.CA, folder: Path, *names: str, client_ca: bool = False) -> tls.Contexts:
    certificates = []
    for name in names:
        path = folder / f"{name.replace('*', 'any')}.pem"
        ca.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(str(path))
        certificates.append(Certificate(str(path)))
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    return tls.Contexts(Tls(tuple(certificates), client_ca=str(folder / "ca.pem") if client_ca else ""))


def trusting(ca: trustme.CA) -> ssl.SSLContext:
    context = tls.client_context(True)
    ca.configure_trust(context)
    return context


async def test_start_tls_over_sockets(ca: trustme.CA, tmp_path: Path) -> None:
    service = Service()
    async with listening(service, contexts_of(ca, tmp_path, "mail.example.org")) as listener:
        client = await Client.connect("127.0.0.1", listener.port)
        assert await client.line() == b"ready"
        await client.write(b"TLS\r\nECHO early\r\n")
        assert await client.line() == b"go"
        info = await client.start_tls(trusting(ca), "mail.example.org")
        assert info.version == "TLSv1.3"
        assert info.server_end_point == server_end_point(client.certificate)
        await client.write(b"ECHO " + b"x" * 900 + b"\r\nSLOW y\r\n")
        assert await client.line() == b"x" * 900
        assert await client.line() == b"y"
        assert service.store.stored == [b"secured TLSv1.3"]
        await client.write(b"QUIT\r\n")
        assert await client.line() == b"bye"
        with pytest.raises(Hangup):
            await client.line()
        await client.close()


async def test_implicit_tls_certificates_by_name_and_large_bodies(ca: trustme.CA, tmp_path: Path) -> None:
    contexts = contexts_of(ca, tmp_path, "one.example.org", "*.two.example.org")
    body = MemoryBody(os.urandom(3_000_000), waits=True)
    async with listening(Service(Store(bodies={b"big": body})), contexts, tls="implicit") as listener:
        for name, shown in (
            ("one.example.org", "one.example.org"),
            ("a.two.example.org", "*.two.example.org"),
            ("else.example.org", "one.example.org"),
        ):
            client = await Client.connect(
                "127.0.0.1", listener.port, tls=tls.client_context(False, alpn=["imap"]), server_name=name
            )
            assert await client.line() == b"ready"
            certificate = x509.load_der_x509_certificate(client.certificate)
            assert tls.certificate_names(certificate) == [shown]
            assert client._stream.tls is not None
            assert client._stream.tls.application_protocol == "imap"
            await client.write(b"RAW big\r\n")
            assert await client.line() == b"sending"
            assert b"".join([piece async for piece in client.counted(3_000_000)]) == body.data
            await client.close()


async def test_wrong_name_is_refused_by_a_verifying_client(ca: trustme.CA, tmp_path: Path) -> None:
    async with listening(Service(), contexts_of(ca, tmp_path, "one.example.org"), tls="implicit") as listener:
        with pytest.raises(Hangup, match="TLS"):
            await Client.connect(
                "127.0.0.1", listener.port, tls=trusting(ca), server_name="other.example.org"
            )


async def test_client_certificate_is_seen(ca: trustme.CA, tmp_path: Path) -> None:
    contexts = contexts_of(ca, tmp_path, "one.example.org", client_ca=True)
    context = trusting(ca)
    ca.issue_cert("alice@example.org").configure_cert(context)
    async with listening(Service(), contexts, tls="implicit") as listener:
        client = await Client.connect("127.0.0.1", listener.port, tls=context, server_name="one.example.org")
        await client.line()
        (driver,) = listener._drivers
        assert driver.peer.tls is not None
        assert driver.peer.tls.peer_certificate
        assert driver.peer.tls.sni == "one.example.org"
        assert driver.peer.tls.server_end_point == server_end_point(client.certificate)
        await client.close()


async def test_changed_certificate_is_taken_and_a_broken_one_is_not(ca: trustme.CA, tmp_path: Path) -> None:
    clock = FrozenClock()
    path = tmp_path / "cert.pem"
    ca.issue_cert("old.example.org").private_key_and_cert_chain_pem.write_to_path(str(path))
    contexts = tls.Contexts(Tls((Certificate(str(path)),), check_s=60), monotonic=clock.monotonic)
    first = contexts.server("imap")
    ca.issue_cert("new.example.org", "more.example.org").private_key_and_cert_chain_pem.write_to_path(
        str(path)
    )
    assert contexts.server("imap") is first  # not looked at yet
    clock.advance(61)
    second = contexts.server("imap")
    assert second is not first
    path.write_text("nonsense")
    clock.advance(61)
    assert contexts.server("imap") is second
    with pytest.raises(ValueError):
        tls.Contexts(Tls((Certificate(str(path)),)))


async def test_plain_bytes_on_a_tls_port_end_the_connection(ca: trustme.CA, tmp_path: Path) -> None:
    service = Service()
    net = Net(handshake_timeout_s=0.05)
    async with listening(
        service, contexts_of(ca, tmp_path, "one.example.org"), net, tls="implicit"
    ) as listener:
        for sent in (b"EHLO me\r\n", b""):  # nonsense, and nothing at all
            client = await Client.connect("127.0.0.1", listener.port)
            await client.write(sent)
            async with asyncio.timeout(30):
                with pytest.raises(Hangup):
                    while True:
                        client._lines.take(100)
                        await client.line()
            await client.close()
        assert service.store.closed == 0


async def test_self_signed_certificate(tmp_path: Path) -> None:
    path = tmp_path / "tls" / "own.pem"
    assert tls.write_self_signed(path, ["localhost", "127.0.0.1"])
    before = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert not tls.write_self_signed(path, ["other"])
    assert path.read_bytes() == before
    contexts = tls.Contexts(Tls((Certificate(str(path)),)))
    async with listening(Service(), contexts, tls="implicit") as listener:
        trust = tls.client_context(True, ca_file=str(path))
        client = await Client.connect("127.0.0.1", listener.port, tls=trust, server_name="localhost")
        assert await client.line() == b"ready"
        await client.close()


async def test_proxy_header_names_the_client(ca: trustme.CA, tmp_path: Path) -> None:
    contexts = contexts_of(ca, tmp_path, "one.example.org")
    header = b"PROXY TCP4 192.0.2.7 198.51.100.2 1024 25\r\n"
    async with listening(Service(), proxy=("127.0.0.1",)) as listener:
        client = await Client.connect("127.0.0.1", listener.port)
        await client.write(header + b"ECHO on\r\n")
        assert [await client.line(), await client.line()] == [b"ready", b"on"]
        (driver,) = listener._drivers
        assert (driver.peer.address, driver.peer.port, driver.peer.local_port) == ("192.0.2.7", 1024, 25)
        await client.close()
    async with listening(Service(), contexts, tls="implicit", proxy=("127.0.0.1",)) as listener:
        client = await Client.connect("127.0.0.1", listener.port)
        await client.write(header)
        await client.start_tls(trusting(ca), "one.example.org")
        assert await client.line() == b"ready"
        await client.close()


async def test_missing_proxy_header_ends_the_connection() -> None:
    net = Net(proxy_timeout_s=0.05)
    async with listening(Service(), net=net, proxy=("127.0.0.0/8",)) as listener:
        for sent in (b"ECHO me\r\n", b"PROXY TC", b""):
            client = await Client.connect("127.0.0.1", listener.port)
            await client.write(sent)
            with pytest.raises(Hangup) as caught:
                await client.line()
            assert caught.value.reason is Reason.CLOSED
            await client.close()


async def test_header_from_elsewhere_is_a_command() -> None:
    async with listening(Service(), proxy=("192.0.2.0/24",)) as listener:
        client = await Client.connect("127.0.0.1", listener.port)
        await client.write(b"PROXY UNKNOWN\r\n")
        assert [await client.line(), await client.line()] == [b"ready", b"unknown PROXY UNKNOWN"]
        await client.close()


async def test_too_many_are_turned_away_in_the_protocols_words() -> None:
    net = Net(unlimited=())
    async with listening(Service(), net=net, max_per_address=2) as listener:
        clients = [await Client.connect("127.0.0.1", listener.port) for _ in range(3)]
        lines = [await client.line() for client in clients]
        assert lines == [b"ready", b"ready", b"farewell TOO_MANY"]
        await clients[0].close()
        while listener.connections > 1:
            await asyncio.sleep(0)
        again = await Client.connect("127.0.0.1", listener.port)
        assert await again.line() == b"ready"
        for client in (*clients[1:], again):
            await client.close()


async def test_small_writes_are_not_held_back() -> None:
    """Nagle's algorithm is off: or the second of two small writes waits 40 ms for an acknowledgement."""
    async with listening(Service()) as listener:
        _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        while not listener._drivers:
            await asyncio.sleep(0)
        (driver,) = listener._drivers
        ours = driver._stream.transport.get_extra_info("socket")
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.close()


@pytest.mark.parametrize("begun", [b"EC", b"COUNT 9\r\nhalf", b"DATA\r\nhalf", b"NOW"])
async def test_the_beginning_of_something_is_acknowledged_at_once(
    begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client with Nagle's algorithm sends the rest of it only then."""
    hurried: list[bool] = []
    hurry = Stream.hurry
    monkeypatch.setattr(Stream, "hurry", lambda stream: (hurry(stream), hurried.append(True))[0])
    async with listening(Service()) as listener:
        client = await Client.connect("127.0.0.1", listener.port)
        await client.write(b"ECHO one\r\n")
        assert [await client.line(), await client.line()] == [b"ready", b"one"]
        hurried.clear()
        await client.write(b"ECHO two\r\n")
        assert await client.line() == b"two"
        assert not hurried  # the answer says it
        (driver,) = listener._drivers
        ours = driver._stream.transport.get_extra_info("socket")
        await client.write(begun)
        async with asyncio.timeout(10):
            while not hurried:
                await asyncio.sleep(0)
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK)
        await client.close()


async def test_the_rest_of_a_reply_is_hurried_too() -> None:
    """Where a server writes each line of a reply by itself."""
    first, second = asyncio.Event(), asyncio.Event()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"one\r\n")
        await second.wait()
        writer.write(b"two\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        client = await Client.connect("127.0.0.1", server.sockets[0].getsockname()[1])
        assert await client.line() == b"one"
        ours = client._stream.transport.get_extra_info("socket")
        ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        client.on_wait = first.set
        rest = asyncio.create_task(client.line())
        await first.wait()
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK)
        second.set()
        assert await rest == b"two"
        await client.close()


async def test_another_loop_serves_with_its_own_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepting, "_builder", lambda _: None)
    async with listening(Service()) as listener:
        client = await Client.connect("127.0.0.1", listener.port)
        await client.write(b"ECHO one\r\n")
        assert [await client.line(), await client.line()] == [b"ready", b"one"]
        await client.close()


class Short(socket.socket):
    """A listening socket in a process that has no descriptor left, twice."""

    tries = 0

    def accept(self) -> tuple[socket.socket, object]:
        self.tries += 1
        if self.tries <= 2:
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


async def test_who_comes_while_there_are_no_descriptors_is_taken_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accepting, "RETRY_S", 0.01)
    sock = Short()
    sock.bind(("127.0.0.1", 0))
    listener = Listener(Service(), [sock], listeners.Listener(name="toy"), clock=SystemClock())
    with log.capture() as events:
        await listener.start()
        client = await Client.connect("127.0.0.1", listener.port)
        assert await client.line() == b"ready"
    assert [event["event"] for event in events].count("connection not taken") == 2
    sock.tries = 0
    other = asyncio.ensure_future(Client.connect("127.0.0.1", listener.port))
    while not sock.tries:
        await asyncio.sleep(0.001)
    await client.close()
    await listener.drain(1.0)
    await (await other).close()
    await asyncio.sleep(0.03)
    assert sock.tries == 1  # it does not look again after its end


async def test_drain_says_farewell_and_waits_for_the_busy_one() -> None:
    store = Store()
    async with listening(Service(store)) as listener:
        idle, busy = [await Client.connect("127.0.0.1", listener.port) for _ in range(2)]
        assert [await idle.line(), await busy.line()] == [b"ready", b"ready"]
        await busy.write(b"DATA\r\nab\r\n")
        assert await busy.line() == b"go ahead"
        draining = asyncio.create_task(listener.drain(5.0))
        assert await idle.line() == b"farewell SHUTDOWN"
        await idle.close()
        with pytest.raises(Hangup):
            await Client.connect("127.0.0.1", listener.port)
        await busy.write(b".\r\n")
        assert [await busy.line(), await busy.line()] == [b"stored 4", b"farewell SHUTDOWN"]
        await busy.close()
        await draining
    assert (store.stored, store.closed) == ([b"ab\r\n"], 2)


async def test_drain_cuts_off_at_the_deadline() -> None:
    store = Store()
    async with listening(Service(store)) as listener:
        client = await Client.connect("127.0.0.1", listener.port)
        await client.write(b"DATA\r\nab\r\n")
        assert [await client.line(), await client.line()] == [b"ready", b"go ahead"]
        await listener.drain(0.02)
        with pytest.raises(Hangup):
            await client.line()
        await client.close()
    assert (store.spools, store.closed) == (0, 1)


async def test_unix_socket_and_what_lies_in_its_way(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    (sock,) = sockets.listen(f"unix:{path}", 0)
    with pytest.raises(OSError, match="another process"):
        sockets.listen_unix(path)
    config = listeners.Listener(name="toy")
    listener = Listener(Service(), [sock], config, clock=SystemClock())
    await listener.start()
    client = await Client.connect(f"unix:{path}")
    assert await client.line() == b"ready"
    assert next(iter(listener._drivers)).peer.loopback
    await client.close()
    await listener.drain(1)
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(tmp_path / "t"))
    stale.close()
    sockets.listen_unix(str(tmp_path / "t")).close()
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="no socket"):
        sockets.listen_unix(str(tmp_path / "file"))


def test_every_address_shares_one_free_port() -> None:
    found = sockets.listen("*", 0, reuse_port=True)
    try:
        assert len({sock.getsockname()[1] for sock in found}) == 1
        again = sockets.listen("*", found[0].getsockname()[1], reuse_port=True)  # another worker
        for sock in again:
            sock.close()
        with pytest.raises(OSError, match=r"cannot listen on 127\.0\.0\.1 port"):
            sockets.listen("127.0.0.1", found[-1].getsockname()[1])
    finally:
        for sock in found:
            sock.close()


def test_sockets_are_inherited_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = socket.socket(), socket.socket()
    base = os.dup(first.fileno())
    os.dup2(second.fileno(), base + 1)
    monkeypatch.setattr(sockets, "FIRST_INHERITED", base)
    environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2", "LISTEN_FDNAMES": "imap:smtp"}
    found = sockets.inherited(environ)
    assert {name: len(each) for name, each in found.items()} == {"imap": 1, "smtp": 1}
    assert environ == {}
    assert sockets.inherited({"LISTEN_PID": "1", "LISTEN_FDS": "2"}) == {}
    for each in (first, second, *(sock for group in found.values() for sock in group)):
        each.close()


async def test_slow_reader_over_a_socket_holds_little() -> None:
    body = MemoryBody(b"x" * 20_000_000, waits=True, dotless=True)
    async with listening(Service(Store(bodies={b"big": body}))) as listener:
        sock = socket.create_connection(("127.0.0.1", listener.port))
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, b"GET big\r\nQUIT\r\n")
        while not listener._drivers or not next(iter(listener._drivers))._stream.paused:
            await asyncio.sleep(0)  # the kernel's buffers fill up first
        stream = next(iter(listener._drivers))._stream
        received = peak = 0
        while data := await loop.sock_recv(sock, 1 << 20):
            received += len(data)
            peak = max(peak, stream.transport.get_write_buffer_size())
        sock.close()
        assert received == len(b"ready\r\nsending\r\n") + 20_000_000 + len(b"\r\n.\r\nsent\r\nbye\r\n")
        assert 0 < peak <= 128 * 1024


async def test_service_that_cannot_open_a_session_leaves_nothing() -> None:
    class Broken(Service):
        def open(self, peer: object) -> tuple[Wire, Session]:
            raise ZeroDivisionError

    with log.capture() as events:
        async with listening(Broken()) as listener:
            client = await Client.connect("127.0.0.1", listener.port)
            with pytest.raises(Hangup):
                await client.line()
            await client.close()
            assert listener._limits.open == 0
    assert "bug" in [event["event"] for event in events]


@pytest.mark.parametrize("place", ["_new", "_enter"])
async def test_connection_on_which_we_stumble_is_closed(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it has an owner: else the client would wait for ever, and we would keep its socket."""

    def broken(*_: object) -> object:
        raise ZeroDivisionError

    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
    monkeypatch.setattr(Listener, place, broken)
    async with listening(Service()) as listener:
        client = await Client.connect("127.0.0.1", listener.port, timeout_s=10.0)
        with pytest.raises(Hangup, match="closed"):
            await client.line()
        client.abort()
    assert [type(each) for each in told] == [ZeroDivisionError]


async def test_service_that_cannot_open_a_session_on_a_pair_closes_its_end() -> None:
    class Broken(Service):
        def open(self, peer: object) -> tuple[Wire, Session]:
            raise ZeroDivisionError

    ours, theirs = socket.socketpair()
    with ours, pytest.raises(ZeroDivisionError):
        await single.serve(Broken(), theirs, Peer("x", "unix"))
    assert theirs.fileno() == -1


async def test_connection_that_is_reset_at_once_is_one_that_cannot_be_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kernel then tells no peer of it."""
    reset = {"peername": None, "sockname": ("127.0.0.1", 1)}
    get_extra_info = asyncio.Transport.get_extra_info
    monkeypatch.setattr(
        asyncio.Transport,
        "get_extra_info",
        lambda at, name, *more: reset.get(name, get_extra_info(at, name, *more)),
    )
    async with listening(Service()) as listener:
        with pytest.raises(Hangup, match="reset"):
            await Client.connect("127.0.0.1", listener.port)
        while listener.connections:
            await asyncio.sleep(0)


async def test_idle_connections_are_small() -> None:
    count = 300
    async with listening(Service()) as listener:
        clients = []
        for _ in range(20):  # what is made once is not counted
            sock = socket.create_connection(("127.0.0.1", listener.port))
            clients.append(sock)
        while listener.connections < len(clients):
            await asyncio.sleep(0)
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(count):
            clients.append(socket.create_connection(("127.0.0.1", listener.port)))
            await asyncio.sleep(0)
        while listener.connections < len(clients):
            await asyncio.sleep(0)
        gc.collect()
        used = (tracemalloc.get_traced_memory()[0] - before) / count
        tracemalloc.stop()
        print(f"{used:.0f} bytes of Python for an idle connection")
        for sock in clients:
            sock.close()
    assert used < 10_000


async def test_unix_socket_tells_who_connected(tmp_path: Path) -> None:
    me = pwd.getpwuid(os.getuid()).pw_name
    for local_users in (True, False):
        (sock,) = sockets.listen(f"unix:{tmp_path / 'u'}", 0, mode=0o600, owner=f"{me}:")
        assert stat.S_IMODE((tmp_path / "u").stat().st_mode) == 0o600
        service = Service()
        peers: list[str] = []
        opened = service.open
        service.open = lambda peer, opened=opened, peers=peers: peers.append(peer.user) or opened(peer)  # type: ignore[method-assign]
        config = listeners.Listener(name="local", role="submission", local_users=local_users)
        listener = Listener(service, [sock], config, clock=SystemClock())
        await listener.start()
        client = await Client.connect(f"unix:{tmp_path / 'u'}")
        assert await client.line() == b"ready"
        await client.close()
        await listener.drain(1.0)
        assert peers == [me if local_users else ""]


def test_unix_socket_of_nobody_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"cannot listen on .* no such user or group: nobody-here"):
        sockets.listen(f"unix:{tmp_path / 'u'}", 0, owner="nobody-here")
