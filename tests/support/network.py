"""Several hosts on one machine, for tests: each with a network of its own, its own /var, and port 25.

A host is a namespace of Linux (network, mounts, processes); all hang on one bridge, 198.51.100.0/24, where
a name server answers that the test itself runs and may change at any moment.  Nothing of it is to be seen
from outside, and it ends with the test, however that ends: the first process of each host waits for the end
of its standard input, and the kernel ends the others with it.

    async with network("example.org MX 10 a.test.") as net:
        a = net.host("a.test")         # with an A record; a.call("ip", "addr"), a.popen(...)
        peer = await net.answering("b.test", NextHost())   # a small server of the test's own
        reader, writer = await net.connect("a.test", 25)
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeVar

import psutil

from tests.support.dnszone import DnsServer, dns_sockets
from tests.support.nexthost import NextHost
from tests.support.serving import ended

T = TypeVar("T")

NET = "198.51.100"  # TEST-NET-2, RFC 5737
GATE = f"{NET}.1"  # the bridge: the name server, and where the test's own clients come from
TIME_S = 60.0
CLONE_NEWNET = 0x40000000
USERS = {"Debian-exim": 9001, "opensmtpd": 9002, "opensmtpq": 9003}  # of programs that are only unpacked
FOLDERS = ("etc", "lib", "log", "mail", "peers", "run", "spool", "tmp", "cache", "lib/opensmtpd/empty")

# the host's view of the file system: its own /var, its own name service, users of all peers.  /etc is a copy
# as a whole: a file mounted over /etc/group would be gone when anybody outside replaced that (groupadd does)
INSIDE = """
set -e
ip link set lo up
mount --bind "$1/etc" /etc
[ -z "$2" ] || mount --bind "$2" "$1/var/peers"
mount --rbind "$1/var" /var
echo up
exec cat
"""
SWITCH = f"ip link set lo up; ip link add br0 type bridge; ip addr add {GATE}/24 dev br0; ip link set br0 up"


@cache
def missing() -> str:
    """Why there can be no such network here; "" when there can."""
    for program in ("unshare", "nsenter", "ip", "mount"):
        if shutil.which(program) is None:
            return f"no {program} here"
    if os.geteuid() != 0:
        return "namespaces want root"
    command = ["unshare", *_OWN, "sh", "-c", f"{SWITCH}; ip link add h1 type veth peer name eth0"]
    tried = subprocess.run(command, capture_output=True, text=True, timeout=TIME_S, check=False)
    return f"no namespaces here: {tried.stderr.strip()}" if tried.returncode else ""


_OWN = ("--net", "--mount", "--pid", "--fork", "--mount-proc", "--propagation", "private")


class Namespace:
    """A first process that does nothing but be there; all others of the namespace end with it."""

    def __init__(self, *script: str) -> None:
        self._first = subprocess.Popen(
            ["unshare", *_OWN, "--kill-child", "sh", "-c", script[0], "sh", *script[1:]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._first.stdout is not None
        if self._first.stdout.readline() != b"up\n":
            raise AssertionError(self._first.communicate()[1].decode())
        (self.pid,) = (child.pid for child in psutil.Process(self._first.pid).children())

    def command(self, *words: str) -> list[str]:
        """What runs ``words`` in there."""
        return ["nsenter", "-t", str(self.pid), "-n", "-m", "-p", "--", *words]

    def call(self, *words: str) -> str:
        done = subprocess.run(
            self.command(*words), capture_output=True, text=True, timeout=TIME_S, check=False
        )
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def inside(self, make: Callable[[], T]) -> T:
        """What ``make`` gives where this network is the network: a socket stays in it wherever it is used."""
        made: list[T | BaseException] = []

        def run() -> None:
            with open(f"/proc/{self.pid}/ns/net") as here:
                if ctypes.CDLL(None, use_errno=True).setns(here.fileno(), CLONE_NEWNET):
                    made.append(OSError(ctypes.get_errno(), "setns"))
                    return
            try:
                made.append(make())
            except OSError as error:
                made.append(error)

        thread = threading.Thread(target=run)  # of its own: it never comes back from there
        thread.start()
        thread.join()
        if isinstance(made[0], BaseException):
            raise made[0]
        return made[0]

    def close(self) -> None:
        assert self._first.stdin is not None
        assert self._first.stdout is not None
        assert self._first.stderr is not None
        self._first.stdin.close()
        self._first.wait(TIME_S)
        self._first.stdout.close()
        self._first.stderr.close()


@dataclass
class Host(Namespace):
    """One host; ``var`` is its /var, seen from here."""

    name: str
    address: str
    var: Path
    port: str  # its cable at the bridge
    switch: Namespace
    programs: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(INSIDE, str(self.var.parent), str(_unpacked() or ""))
        cable = f"ip link add {self.port} type veth peer name eth0 netns {self.pid}"
        _in_switch(self.switch, f"{cable}; ip link set {self.port} master br0 up")
        self.call("sh", "-c", f"ip addr add {self.address}/24 dev eth0; ip link set eth0 up")

    def popen(self, *words: str, environ: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """A program that runs there until it or the host ends; it tells what it has to tell to /var/log."""
        with (self.var / "log" / "told").open("ab") as log:
            program = subprocess.Popen(
                self.command(*words), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ
            )
        self.programs.append(program)
        return program

    def unplug(self) -> None:
        """Nothing comes through: connections hang, new ones are not answered."""
        _in_switch(self.switch, f"ip link set {self.port} down")

    def plug(self) -> None:
        _in_switch(self.switch, f"ip link set {self.port} up")

    @property
    def log(self) -> str:
        """The ends of all that was logged there."""
        files = sorted(each for each in (self.var / "log").rglob("*") if each.is_file())
        return "".join(f"--- {each.name}\n{each.read_text(errors='replace')[-3000:]}\n" for each in files)

    def close(self) -> None:
        super().close()
        for program in self.programs:
            program.wait(TIME_S)


@dataclass
class Network:
    """The bridge with all that hangs on it."""

    zone: DnsServer
    switch: Namespace
    folder: Path
    hosts: dict[str, Host] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    _servers: list[asyncio.Server] = field(default_factory=list)

    def _address(self, name: str) -> str:
        if name not in self.addresses:
            self.addresses[name] = f"{NET}.{len(self.addresses) + 2}"
            self.zone.add(f"{name} A {self.addresses[name]}")
        return self.addresses[name]

    def host(self, name: str) -> Host:
        """A new host with an address in the zone."""
        place = self.folder / f"h{len(self.hosts)}"
        for each in FOLDERS:
            (place / "var" / each).mkdir(parents=True, exist_ok=True)
        (place / "var" / "tmp").chmod(0o1777)
        _etc(place / "etc", name)
        number = f"h{len(self.hosts)}"
        self.hosts[name] = Host(name, self._address(name), place / "var", number, self.switch)
        return self.hosts[name]

    async def answering(self, name: str, peer: NextHost) -> asyncio.Server:
        """A server of the test's own at port 25 of a name; closed with the network at the latest."""
        address = self._address(name)

        def bind() -> socket.socket:
            subprocess.run(["ip", "addr", "replace", f"{address}/24", "dev", "br0"], check=True)
            return socket.create_server((address, 25), backlog=1000)

        sock = _in(self.switch, bind)
        server = await asyncio.start_server(peer.serve, sock=sock)
        self._servers.append(server)
        return server

    async def connect(self, name: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to a host, from the bridge's address."""
        sock = _in(
            self.switch, _stream_socket
        )  # only made there: what connects in a thread outlives its caller
        try:
            async with asyncio.timeout(TIME_S):
                await asyncio.get_running_loop().sock_connect(sock, (self.addresses[name], port))
                return await asyncio.open_connection(sock=sock)
        except BaseException:  # also cancelled
            sock.close()
            raise

    async def until_answers(self, name: str, port: int = 25) -> None:
        """Until a host greets."""
        async with asyncio.timeout(TIME_S):
            while True:
                with contextlib.suppress(OSError):
                    reader, writer = await self.connect(name, port)
                    try:
                        if (await reader.readline()).startswith(b"220"):
                            return
                    finally:
                        writer.close()
                        with contextlib.suppress(OSError):
                            await writer.wait_closed()
                await asyncio.sleep(0.05)

    async def close(self) -> None:
        with contextlib.ExitStack() as ends:  # each, whatever becomes of the others
            ends.callback(self.switch.close)
            for host in self.hosts.values():
                ends.callback(host.close)
            for server in self._servers:
                await ended(server)


def _in(where: Namespace, make: Callable[[], T]) -> T:
    return where.inside(make)


def _in_switch(switch: Namespace, script: str) -> None:
    """With the processes of this machine's numbers, by which ``netns`` names a host."""
    command = ["nsenter", "-t", str(switch.pid), "-n", "--", "sh", "-ec", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_S, check=False)
    assert done.returncode == 0, f"{script}: {done.stderr}"


def _etc(folder: Path, name: str) -> None:
    """A copy of /etc with the files that differ from host to host."""
    subprocess.run(["cp", "-a", "/etc", folder], check=True)
    short = name.partition(".")[0]
    for each in ("resolv.conf", "hosts"):
        (folder / each).unlink(missing_ok=True)  # may be a link to elsewhere
    (folder / "resolv.conf").write_text(f"nameserver {GATE}\noptions timeout:2 attempts:2\n")
    (folder / "hosts").write_text(f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {name} {short}\n")
    users, groups = Path("/etc/passwd").read_text(), Path("/etc/group").read_text()
    for user, number in USERS.items():
        if f"{user}:" not in users:
            users += f"{user}:x:{number}:{number}::/var/lib/opensmtpd/empty:/usr/sbin/nologin\n"
            groups += f"{user}:x:{number}:\n"
    (folder / "passwd").write_text(users)
    (folder / "group").write_text(groups)


def _unpacked() -> Path | None:
    """Where peers lie that are not installed but only unpacked (`tests/interop/install.sh`)."""
    folder = Path(__file__).resolve().parents[2] / "build" / "unpacked"
    return folder if folder.is_dir() else None


def unpacked(program: str) -> str:
    """How a host calls an unpacked program; "" when it is not there."""
    folder = _unpacked()
    return f"/var/peers/{program}" if folder is not None and (folder / program).exists() else ""


@asynccontextmanager
async def network(records: str = "") -> AsyncIterator[Network]:
    """A bridge and a name server with these records; hosts come and go."""
    folder = Path(tempfile.mkdtemp(prefix="quintet-net-"))
    folder.chmod(0o755)  # not everybody there is root
    switch = Namespace(f"set -e; {SWITCH}; echo up; exec cat")
    net = None
    try:
        async with dns_sockets(records, *switch.inside(_name_service)) as zone:
            net = Network(zone, switch, folder)
            try:
                yield net
            finally:
                await net.close()
    finally:
        if net is None:
            switch.close()
        shutil.rmtree(folder, ignore_errors=True)


def _stream_socket() -> socket.socket:
    # the protocol by name: asyncio sets TCP_NODELAY only on sockets that tell it
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK, socket.IPPROTO_TCP)


def _name_service() -> tuple[socket.socket, socket.socket]:
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    datagrams.bind((GATE, 53))
    datagrams.setblocking(False)
    return datagrams, socket.create_server((GATE, 53))
