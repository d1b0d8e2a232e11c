"""Mail servers for the hosts of a `Network`: Quintet, Postfix, Exim and OpenSMTPD, each a relay on port 25.

Each takes mail from everybody on the bridge and sends it on by its table of ways: {"example.org": "b.test"}
names the next host, "*" every other domain; what no row names goes by MX.  Each tries again within seconds.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import psutil

from quintet.auth import admin as secrets
from quintet.config.listeners import Listener
from quintet.config.queue import Limit
from quintet.config.route import Route
from quintet.store import accounts, db, folders
from quintet.store.store import Store
from tests.support import postfix, server
from tests.support.network import NET, TIME_S, Host, Network, unpacked
from tests.support.victim import plain_environment

EXIM, SMTPD, SMTPCTL = "usr/sbin/exim4", "usr/sbin/smtpd", "usr/sbin/smtpctl"
Ways = Mapping[str, str]


def missing_peers() -> str:
    """Which of the foreign ones are not here; "" for none."""
    absent = [] if not postfix.missing() else ["postfix"]
    absent += [name for name, path in (("exim4", EXIM), ("opensmtpd", SMTPD)) if not unpacked(path)]
    return f"not here: {', '.join(absent)}" if absent else ""


class Quintet:
    """One of ours, a program that may be killed and started again; ``users`` have accounts there."""

    def __init__(
        self, net: Network, name: str, ways: Ways | None = None, users: tuple[str, ...] = (), **sections: Any
    ) -> None:
        self.net, self.host, self.users = net, net.host(name), users
        self.folder = self.host.var / "q"
        self.folder.mkdir()
        routes = {
            f"r{number}": Route(domains=[domain], via="smtp", host=way)
            for number, (domain, way) in enumerate((ways or {}).items())
        }
        standing: dict[str, dict[str, Any]] = {
            "server": {"hostname": name, "workers": 1, "drain_s": 1.0},
            "store": {"sync": "full"},
            "listeners": {
                "smtp": Listener("smtp", "smtp", "mx", self.host.address, 25, tls="starttls"),
            },
            "smtp": {"relay_networks": [f"{NET}.0/24"], "postmaster": users[0] if users else ""},
            "queue": {
                "routes": routes,
                "retry_s": [0.5, 1.0],
                "poll_s": 0.5,
                "connect_timeout_s": 3.0,
                "limits": {"*": Limit(adaptive=False)},  # it would leave dead hosts alone for half a minute
            },
            "dns": {"min_ttl_s": 0.0, "max_ttl_s": 1.0, "negative_ttl_s": 0.0, "timeout_s": 2.0},
        }
        for section, options in sections.items():
            standing[section] = {**standing.get(section, {}), **options}
        self.config = server.configured(self.folder, standing)
        server.write_config(self.folder, self.config)
        self.program: subprocess.Popen[bytes] | None = None
        self._notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notices.bind(str(self.folder / "notify"))
        self._notices.setblocking(False)

    async def start(self) -> None:
        """Until it says that it serves; with accounts the first time."""
        if not (self.folder / "data").exists():
            await self._furnish()
        while (await self._told(0.0)) is not None:
            pass
        command = [sys.executable, "-P", "-m", "quintet", "worker", "-c", "/var/q/quintet.toml"]
        environ = {**plain_environment(), "NOTIFY_SOCKET": "/var/q/notify"}
        self.program = self.host.popen(*command, environ=environ)
        end = time.monotonic() + TIME_S
        while b"READY=1" not in (await self._told(0.2) or b""):
            assert time.monotonic() < end, self.host.log
            assert self.program.poll() is None, self.host.log

    async def _told(self, wait_s: float) -> bytes | None:
        try:
            if not wait_s:
                return self._notices.recv(4096)
            return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self._notices, 4096), wait_s)
        except (TimeoutError, BlockingIOError):
            return None

    async def _furnish(self) -> None:
        store = await Store.open(self.config.store)
        try:
            for user in self.users:
                account = await store.write(_account, user)
                await secrets.set_password(store, account, server.PASSWORD, self.config.auth)
        finally:
            await store.close()

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        assert self.program is not None
        for child in psutil.Process(self.program.pid).children():
            child.kill()
        self.program.wait(TIME_S)

    async def end(self) -> None:
        """SIGTERM; the exit code must say that all went well."""
        assert self.program is not None
        (child,) = psutil.Process(self.program.pid).children()
        child.terminate()
        assert await asyncio.to_thread(self.program.wait, TIME_S) == 0, self.host.log

    def close(self) -> None:
        self._notices.close()

    def arrived(self, user: str) -> Counter[str]:
        """How often each Message-ID lies in the user's Inbox."""
        return Counter(
            self._rows(
                "SELECT message.message_id FROM entry JOIN message ON message.id = entry.message_id"
                " WHERE entry.folder_id = ?",
                self._inbox(user),
            )
        )

    def count(self, user: str) -> int:
        (count,) = self._rows("SELECT messages FROM folder WHERE id = ?", self._inbox(user))
        return int(count)

    def waiting(self) -> list[str]:
        """Recipients in the queue."""
        return [str(each) for each in self._rows("SELECT address FROM queue_recipient")]

    def letters(self, user: str) -> list[bytes]:
        """Small letters of the Inbox, without what we put before them."""
        return [
            bytes(each)
            for each in self._rows(
                "SELECT blob.data FROM entry JOIN message ON message.id = entry.message_id"
                " JOIN blob ON blob.id = message.blob_id WHERE entry.folder_id = ? ORDER BY entry.uid",
                self._inbox(user),
            )
        ]

    def prefixes(self, user: str) -> list[bytes]:
        """What we put before them: Return-Path, Received."""
        return [
            bytes(each)
            for each in self._rows(
                "SELECT message.prefix FROM entry JOIN message ON message.id = entry.message_id"
                " WHERE entry.folder_id = ? ORDER BY entry.uid",
                self._inbox(user),
            )
        ]

    def _inbox(self, user: str) -> int:
        with closing(self._tx()) as tx:
            account = accounts.find(tx, user)
            assert account is not None
            folder = folders.find(tx, account.id, "INBOX")
            assert folder is not None
            return folder.id

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        with closing(self._tx()) as tx:
            return [row[0] for row in tx.all(sql, *values)]

    def _tx(self) -> db.SqliteTx:
        """The store read from outside, beside the server."""
        return db.SqliteTx(db.open_sqlite(self.folder / "data" / "quintet.db", writable=False))


def _account(tx: db.Tx, address: str) -> Any:
    domain = address.partition("@")[2]
    if not accounts.is_local(tx, domain):
        accounts.add_domain(tx, domain)
    return accounts.create(tx, address).id


# --- the others ---------------------------------------------------------------------------------------

POSTFIX = """
compatibility_level = 3.6
queue_directory = /var/spool/postfix
data_directory = /var/lib/postfix
command_directory = /usr/sbin
daemon_directory = {daemons}
mail_owner = postfix
setgid_group = postdrop
maillog_file = /var/log/postfix
maillog_file_prefixes = /var
multi_instance_enable = no
inet_interfaces = all
inet_protocols = ipv4
myhostname = {name}
mydestination =
mynetworks = {net}.0/24
alias_maps =
local_recipient_maps =
transport_maps = inline:{{ {ways} }}
smtpd_relay_restrictions = permit_mynetworks, reject
smtp_tls_security_level = {tls}
default_process_limit = 50
minimal_backoff_time = 2s
maximal_backoff_time = 3s
queue_run_delay = 1s
in_flow_delay = 0
"""


def start_postfix(net: Network, name: str, ways: Ways, *, tls: str = "may") -> Host:
    """The installed one, with a queue of its own."""
    assert postfix.POSTFIX is not None
    host = net.host(name)
    table = " ".join(f"{{ {domain} = smtp:[{way}] }}" for domain, way in ways.items())
    etc = host.var / "etc" / "postfix"
    etc.mkdir()
    (etc / "main.cf").write_text(
        POSTFIX.format(daemons=postfix.DAEMONS, name=name, net=NET, ways=table, tls=tls)
    )
    (etc / "master.cf").write_text(postfix.MASTER.replace("127.0.0.1:{port}", "25"))
    for folder in ("spool/postfix", "lib/postfix"):
        (host.var / folder).mkdir()
    host.call("chown", "postfix", "/var/lib/postfix")
    host.call(postfix.POSTFIX, "-c", "/var/etc/postfix", "start")
    return host


EXIM_CONF = """
primary_hostname = {name}
exim_path = /var/peers/{exim}
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim-%slog
pid_file_path = /var/run/exim.pid
keep_environment =
add_environment = PATH=/usr/bin:/bin
daemon_smtp_ports = 25
local_interfaces = <; 0.0.0.0
smtp_accept_max = 200
smtp_accept_queue_per_connection = 0
smtp_accept_max_per_connection = 0
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts =
acl_smtp_rcpt = accept
acl_smtp_data = accept
queue_run_max = 2
log_selector = +pipelining
acl_smtp_connect = arrived
begin acl
arrived:
  accept
{arrived}
begin routers
ways:
  driver = manualroute
  transport = out
  route_list = {ways}
begin transports
out:
  driver = smtp
  hosts_avoid_tls = *
  connect_timeout = 5s
  command_timeout = 20s
  data_timeout = 20s
  final_timeout = 20s
{sending}
begin retry
* * F,1h,1s
"""


def start_exim(net: Network, name: str, ways: Ways, sending: str = "", *, arrived: str = "") -> Host:
    """Unpacked only: its package and Postfix's exclude each other.

    ``sending``: options of its client; ``arrived``: what it does before it greets.
    """
    host = net.host(name)
    folder = host.var / "lib" / "exim4"
    folder.mkdir()
    table = " ; ".join(f"{domain} {way}" for domain, way in ways.items())
    (folder / "config.autogenerated").write_text(
        EXIM_CONF.format(name=name, exim=EXIM, ways=table, sending=sending, arrived=arrived)
    )
    for owned in ("spool/exim4", "log"):
        (host.var / owned).mkdir(exist_ok=True)
        host.call("chown", "Debian-exim:", f"/var/{owned}")
    host.popen(f"/var/peers/{EXIM}", "-bdf", "-q2s")
    return host


SMTPD_CONF = """
smtp limit max-mails 100000
listen on 0.0.0.0 port 25 hostname {name}
{actions}
action "mx" relay helo {name}
{matches}
match from any for any action "mx"
"""


def start_opensmtpd(net: Network, name: str, ways: Ways) -> Host:
    """Unpacked only, for the same reason."""
    host = net.host(name)
    actions = [f'action "w{n}" relay host "smtp://{way}" helo {name}' for n, way in enumerate(ways.values())]
    matches = [f'match from any for domain "{domain}" action "w{n}"' for n, domain in enumerate(ways)]
    conf = SMTPD_CONF.format(name=name, actions="\n".join(actions), matches="\n".join(matches))
    (host.var / "etc" / "smtpd.conf").write_text(conf)
    environ = {"PATH": os.environ["PATH"]}
    host.popen(f"/var/peers/{SMTPD}", "-d", "-f", "/var/etc/smtpd.conf", environ=environ)
    # after a failure it would wait for 400 seconds, and no option shortens that
    again = f"while sleep 3; do /var/peers/{SMTPCTL} schedule all; done >/dev/null 2>&1"
    host.popen("sh", "-c", again, environ=environ)
    return host
