"""The whole configuration: one table a section, and what sections mean together.

Each section is a file of the room that reads it; this is where they meet, for ``load`` to fill and
``app`` to hand out again.
"""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import os
import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from quintet.config import access, copies, dkim, expiry, gateways, lines, load, meant, milters, places
from quintet.config import policy as policies
from quintet.config.acme import Acme
from quintet.config.address_book import AddressBook
from quintet.config.auth import Auth
from quintet.config.copies import Copy
from quintet.config.dkim import Dkim
from quintet.config.expiry import Expire, Retention
from quintet.config.gateways import Gateway
from quintet.config.imap import Imap
from quintet.config.listeners import Listener, standard
from quintet.config.log import Log
from quintet.config.mapi import Mapi
from quintet.config.milters import Milter
from quintet.config.net import Dns, Net, Tls
from quintet.config.news import News
from quintet.config.nntp import Nntp
from quintet.config.policy import Policy
from quintet.config.pop3 import Pop3
from quintet.config.queue import Queue
from quintet.config.relay import Relay
from quintet.config.reports import Reports
from quintet.config.rewrite import Rewrite
from quintet.config.server import Http, Server
from quintet.config.smtp import Smtp
from quintet.config.store import Store
from quintet.config.tls_out import MtaSts, TlsOut
from quintet.values import dataclass


def _section(schema: Any, doc: str) -> Any:  # Any: a field stands for its type's own default
    return field(default_factory=schema, metadata={"doc": doc})


@dataclass(frozen=True, slots=True)
class Config:
    """Everything an administrator can say."""

    server: Server = _section(Server, "The process itself: name, workers, user.")
    store: Store = _section(Store, "Where the data lies and how it is kept.")
    log: Log = _section(Log, "What is logged, and how it looks.")
    auth: Auth = _section(Auth, "Logging in.")
    tls: Tls = _section(Tls, "Certificates and what TLS we speak.")
    acme: Acme = _section(Acme, "Certificates fetched and renewed automatically.")
    net: Net = _section(Net, "What every listener does alike.")
    dns: Dns = _section(Dns, "How names are looked up.")
    smtp: Smtp = _section(Smtp, "Taking mail: MX, submission and LMTP listeners.")
    policy: Policy = _section(Policy, "Rules about mail coming in: hooks, rates, scores.")
    queue: Queue = _section(Queue, "Sending mail on.")
    reports: Reports = _section(Reports, "What senders are told about their mail.")
    tls_out: TlsOut = _section(TlsOut, "TLS towards other servers; single destinations are under queue.tls.")
    mta_sts: MtaSts = _section(MtaSts, "The MTA-STS policy of our own domains.")
    rewrite: Rewrite = _section(Rewrite, "Addresses that are called something else (canonical, generic).")
    relay: Relay = _section(Relay, "Being a backup MX: who exists in the domains of smtp.relay_domains.")
    imap: Imap = _section(Imap, "Reading mail and news by IMAP.")
    pop3: Pop3 = _section(Pop3, "Fetching mail by POP3.")
    nntp: Nntp = _section(Nntp, "Reading and posting news by NNTP.")
    news: News = _section(
        News, "What articles may bring about: cancels, control messages, moderation, filters."
    )
    dkim: tuple[Dkim, ...] = _section(tuple, "Keys that sign the mail of our domains (DKIM).")
    milter: tuple[Milter, ...] = _section(tuple, "Mail filters that speak the milter protocol.")
    copy: tuple[Copy, ...] = _section(tuple, "Mail of which an archive or an auditor gets a copy.")
    gateway: tuple[Gateway, ...] = _section(tuple, "Newsgroups and mailing lists that are one.")
    expire: tuple[Expire, ...] = _section(tuple, "How long articles stay; without any block, for ever.")
    retention: tuple[Retention, ...] = _section(tuple, "How long mail stays; without any block, for ever.")
    http: Http = _section(Http, "Metrics, health and the landing page.")
    mapi: Mapi = _section(Mapi, "MAPI over HTTP and Autodiscover, on the http listeners.")
    address_book: AddressBook = _section(AddressBook, "Who is found in the address book, and by whom.")
    listeners: dict[str, Listener] = _section(
        standard, "Where we listen: one table a socket. Without any, the standard ports."
    )

    @property
    def hostname(self) -> str:
        """The name we go by; never empty."""
        return self.server.hostname or socket.gethostname()

    @property
    def workers(self) -> int:
        """Processes to run; at least 1."""
        return self.server.workers or os.cpu_count() or 1

    @property
    def data(self) -> Path:
        """The data directory."""
        return Path(self.store.data)

    @property
    def control_socket(self) -> Path:
        """Where the running server takes orders (see ``admin.control``)."""
        return self.data / "run" / "control"


def from_file(path: Path) -> Config:
    """The configuration in a file; a relative data directory is meant from the file's own.

    Raises:
        ConfigError: with every fault of the file, each with its line and key.
    """
    config, found = load.read(path, Config)
    return _finished(config, found, str(path), path.parent)


def from_text(text: str, file: str = "quintet.toml", folder: Path | None = None) -> Config:
    """The configuration in TOML text, checked as a file would be.  Raises ConfigError."""
    config, found = load.parse(text, Config, file)
    return _finished(config, found, file, folder or Path())


def _finished(config: Config, found: dict[lines.Path, int], file: str, folder: Path) -> Config:
    faults = [
        load.Fault(file, lines.line_of(found, path), ".".join(map(str, path)), text)
        for path, text in conflicts(config)
    ]
    if faults:
        raise load.ConfigError(sorted(faults, key=lambda fault: fault.line))
    data = str(folder / Path(config.store.data).expanduser())
    tls = dataclasses.replace(
        config.tls,
        certificates=tuple(
            dataclasses.replace(
                each,
                certificate=_beside(folder, each.certificate),
                key=_beside(folder, each.key),
            )
            for each in config.tls.certificates
        ),
        client_ca=_beside(folder, config.tls.client_ca),
    )
    out = dataclasses.replace(config.tls_out, ca_file=_beside(folder, config.tls_out.ca_file))
    stored = dataclasses.replace(config.store, data=data)
    rewrite = config.rewrite.beside(functools.partial(_beside, folder))
    relay = dataclasses.replace(config.relay, recipients_file=_beside(folder, config.relay.recipients_file))
    policy = dataclasses.replace(
        config.policy,
        hooks=_beside(folder, config.policy.hooks),
        access=tuple(
            dataclasses.replace(each, file=_beside(folder, each.file)) for each in config.policy.access
        ),
        content=config.policy.content.beside(functools.partial(_beside, folder)),
    )
    routes = {
        name: dataclasses.replace(
            each, table=_beside(folder, each.table), passwords=_beside(folder, each.passwords)
        )
        for name, each in config.queue.routes.items()
    }
    queue = dataclasses.replace(config.queue, routes=routes)
    news = dataclasses.replace(
        config.news,
        control_file=_beside(folder, config.news.control_file),
        keyring=_beside(folder, config.news.keyring),
        nocem_keyring=_beside(folder, config.news.nocem_keyring),
    )
    peers = tuple(
        dataclasses.replace(
            each, certificate=_beside(folder, each.certificate), key=_beside(folder, each.key)
        )
        for each in config.nntp.peer
    )
    nntp = dataclasses.replace(config.nntp, peer=peers)
    return dataclasses.replace(
        config,
        store=stored,
        tls=tls,
        tls_out=out,
        policy=policy,
        queue=queue,
        rewrite=rewrite,
        dkim=dkim.beside(config.dkim, functools.partial(_beside, folder)),
        relay=relay,
        news=news,
        nntp=nntp,
    )


def _beside(folder: Path, name: str) -> str:
    return str(folder / name) if name else ""


def conflicts(config: Config) -> Iterator[tuple[lines.Path, str]]:
    """What is wrong although every value alone is right: a path and a sentence each."""
    yield from _listener_conflicts(config)
    for path, networks in _networks(config):
        for at, text in enumerate(networks):
            try:
                ipaddress.ip_network(text, strict=False)
            except ValueError:
                yield (*path, at), f"expected a network such as 10.0.0.0/8 or an address, got {text!r}"
    for sentence in (
        *config.auth.faults(),
        *config.policy.faults(),
        *config.news.faults(),
        *config.mapi.faults(),
    ):
        key, _, text = sentence.partition(": ")
        yield tuple(key.split(".")), text
    yield from ((("queue", *where), text) for where, text in meant.queue(config.queue))
    yield from _policy_conflicts(config)
    for pattern, text in config.queue.faults():
        yield ("queue", "limits", pattern, "rate"), text
    if config.queue.source_address and not places.is_address(config.queue.source_address):
        yield ("queue", "source_address"), f"expected an IP address, got {config.queue.source_address!r}"
    for name, route in config.queue.routes.items():
        for option, text in [*places.faults(route), *meant.route(route, config.listeners)]:
            yield ("queue", "routes", name, option), text
    for at, rule in enumerate(config.nntp.access):
        for option, text in rule.faults(frozenset(config.nntp.people)):
            yield ("nntp", "access", at, option), text
    yield from _peer_conflicts(config)
    yield from ((("rewrite", *inside), text) for inside, text in config.rewrite.faults())
    for text in config.dns.faults():
        yield ("dns", "nameservers"), text
    for name, towards in config.queue.tls.items():
        for sentence in towards.faults():
            key, _, text = sentence.partition(": ")
            yield ("queue", "tls", name, key), text
    blocks = [("gateway", *one) for one in gateways.faults(config.gateway)]
    blocks += [("milter", *one) for one in milters.faults(config.milter)]
    blocks += [("dkim", *one) for one in dkim.faults(config.dkim)]
    blocks += [("copy", *one) for one in copies.faults(config.copy)]
    for kind, at, key, text in [*blocks, *expiry.faults(config.expire, config.retention)]:
        yield (kind, at, key), text
    for at, pair in enumerate(config.tls.certificates):
        if not pair.certificate:
            yield ("tls", "certificates", at), "expected a certificate file (option certificate)"
    for room, level in config.log.levels.items():
        if level not in ("debug", "info", "warning", "error"):
            yield ("log", "levels", room), f"expected debug, info, warning or error, got {level!r}"


def _policy_conflicts(config: Config) -> Iterator[tuple[lines.Path, str]]:
    for block, at, option, text in access.faults(config.policy.access, config.policy.service):
        yield ("policy", block, at, option), text
    for at, one in enumerate(config.policy.dns_list):
        if policies.dns_list(one.zone) is None:
            said = f"expected a zone such as dbl.example.org, or ZONE=NETWORK, got {one.zone!r}"
            yield ("policy", "dns_list", at, "zone"), said
        if bool(one.points) is not (one.then == "points"):
            said = "expected points" if one.then == "points" else "is for then = 'points'"
            yield ("policy", "dns_list", at, "points"), said
    for at, text in enumerate(config.smtp.relay_domains):
        if said := meant.relayed(text):
            yield ("smtp", "relay_domains", at), said
    for at, text in enumerate(config.smtp.withhold):
        if said := meant.announced(text):
            yield ("smtp", "withhold", at), said
    for at, text in enumerate(config.policy.refuse.senders):
        if said := meant.address(text):
            yield ("policy", "refuse", "senders", at), said
    for path, names in _listeners_named(config):
        for at, text in enumerate(names):
            if said := meant.listener(text, config.listeners):
                yield (*path, at), said


def _listeners_named(config: Config) -> Iterator[tuple[lines.Path, Sequence[str]]]:
    for at, one in enumerate(config.milter):
        yield ("milter", at, "only"), one.only
    for at, table in enumerate(config.policy.access):
        yield ("policy", "access", at, "only"), table.only
    for at, service in enumerate(config.policy.service):
        yield ("policy", "service", at, "only"), service.only
    yield ("policy", "content", "only"), config.policy.content.only


def _peer_conflicts(config: Config) -> Iterator[tuple[lines.Path, str]]:
    names: set[str] = set()
    for at, peer in enumerate(config.nntp.peer):
        for option, text in peer.faults():
            yield ("nntp", "peer", at, option), text
        if peer.name in names:
            yield ("nntp", "peer", at, "name"), f"there is another peer {peer.name!r}"
        names.add(peer.name)


def _networks(config: Config) -> Iterator[tuple[lines.Path, Sequence[str]]]:
    for name, listener in config.listeners.items():
        yield ("listeners", name, "proxy"), listener.proxy
    yield ("net", "unlimited"), config.net.unlimited
    yield ("http", "metrics_from"), config.http.metrics_from
    yield ("smtp", "relay_networks"), config.smtp.relay_networks
    yield ("policy", "rates", "exempt"), config.policy.rates.exempt
    yield ("policy", "refuse", "clients"), config.policy.refuse.clients
    yield ("policy", "greylist", "exempt"), config.policy.greylist.exempt
    yield ("smtp", "xclient_from"), config.smtp.xclient_from
    yield ("smtp", "xforward_from"), config.smtp.xforward_from


def _listener_conflicts(config: Config) -> Iterator[tuple[lines.Path, str]]:
    taken: dict[tuple[str, int], str] = {}
    for name, listener in config.listeners.items():
        if not listener.enabled:
            continue
        path: lines.Path = ("listeners", name)
        allowed = ROLES[listener.protocol]
        if listener.role and listener.role not in allowed:
            words = " or ".join(allowed) if allowed else "no role"
            yield (*path, "role"), f"{listener.protocol} knows {words}, not {listener.role!r}"
        if listener.tls == "starttls" and listener.protocol == "http":
            yield (*path, "tls"), "http has no STARTTLS; take none or implicit"
        yield from _unix_conflicts(path, listener)
        if not listener.address.startswith("unix:"):
            if listener.address != "*" and not _is_address(listener.address):
                yield (*path, "address"), f"expected an IP address, * or unix:/path, got {listener.address!r}"
            key = (listener.address, listener.port)
            if listener.port and key in taken:
                yield (
                    (*path, "port"),
                    f"{listener.address}:{listener.port} is taken by listener {taken[key]!r}",
                )
            taken[key] = name


def _unix_conflicts(path: lines.Path, listener: Listener) -> Iterator[tuple[lines.Path, str]]:
    unix = listener.address.startswith("unix:")
    if not re.fullmatch(r"0?[0-7]{3}", listener.mode):
        yield (*path, "mode"), f"expected three octal digits such as 0660, got {listener.mode!r}"
    if listener.owner and not re.fullmatch(r"[^:\s]+(:[^:\s]+)?|:[^:\s]+", listener.owner):
        yield (*path, "owner"), f"expected user, user:group or :group, got {listener.owner!r}"
    if listener.owner and not unix:
        yield (*path, "owner"), "only a Unix socket has an owner"
    if listener.local_users and not (unix and listener.role == "submission"):
        yield (*path, "local_users"), "only for smtp with role submission on a Unix socket"


ROLES = {
    "smtp": ("mx", "submission", "odmr"),
    "lmtp": (),
    "pop3": (),
    "imap": (),
    "nntp": ("reader", "transit"),
    "http": (),
}
"""Roles each protocol knows; the first one is meant when none is given."""


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def differences(old: Config, new: Config) -> tuple[list[str], list[str]]:
    """Options that differ, as dotted keys: those a reload takes, and those that need a restart."""
    taken: list[str] = []
    restart: list[str] = []
    _differ(old, new, "", True, taken, restart)
    return taken, restart


def _differ(old: Any, new: Any, key: str, may: bool, taken: list[str], restart: list[str]) -> None:
    if dataclasses.is_dataclass(old) and dataclasses.is_dataclass(new):
        for each in dataclasses.fields(old):
            here = f"{key}.{each.name}" if key else each.name
            reload = bool(each.metadata.get("reload", True))
            _differ(getattr(old, each.name), getattr(new, each.name), here, reload, taken, restart)
    elif isinstance(old, dict) and isinstance(new, dict) and _holds_sections(old, new):
        sockets = key == "listeners"  # one more or less needs a restart
        for name in dict.fromkeys([*old, *new]):
            here = f"{key}.{name}"
            if name in old and name in new:
                _differ(old[name], new[name], here, may, taken, restart)
            else:
                (taken if may and not sockets else restart).append(here)
        both = [name for name in old if name in new]
        if not sockets and both != [name for name in new if name in old]:
            (taken if may else restart).append(key)  # routes and limits are tried in their order
    elif old != new:
        (taken if may else restart).append(key)


def _holds_sections(*tables: dict[str, Any]) -> bool:
    return any(dataclasses.is_dataclass(value) for table in tables for value in table.values())
