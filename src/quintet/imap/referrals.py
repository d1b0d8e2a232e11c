"""Mailboxes and people that live on other servers: where a client is sent (RFC 2193, RFC 2221).

Pure.  What lies elsewhere is told by the configuration; we never speak to those servers ourselves.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from functools import lru_cache

from quintet.errors import Reason, Refused
from quintet.imap import answers, commands

_SAFE = "-._~!$'()*+,&=/"  # what stands in an IMAP URL's path as it is (RFC 5092 11)


@lru_cache(maxsize=16)
def _table(lines: tuple[str, ...], here: str) -> dict[str, tuple[str, ...]]:
    """``NAME HOST [HOST ...]``; a host that is ourselves would send clients round in a ring (RFC 2193 3)."""
    found: dict[str, tuple[str, ...]] = {}
    for line in lines:
        words = line.split()
        hosts = tuple(host for host in words[1:] if host.partition(":")[0].lower() != here.lower())
        if words and hosts:
            found[words[0]] = hosts
    return found


def mailboxes(lines: tuple[str, ...], here: str) -> dict[str, tuple[str, ...]]:
    """Remote mailboxes and the hosts that have them, the preferred one first."""
    return _table(lines, here)


def hosts_of(table: Mapping[str, tuple[str, ...]], name: str) -> tuple[str, ...]:
    """Where a mailbox lies; what is below a remote one is remote too.  () means here."""
    while name:
        if name in table:
            return table[name]
        name = name.rpartition("/")[0]
    return ()


def url(user: str, host: str, mailbox: str = "") -> bytes:
    """RFC 5092; ``;AUTH=*`` keeps clients from going there as nobody (RFC 2193 3)."""
    who = urllib.parse.quote(user, safe="-._~!$'()*+,&=")
    path = urllib.parse.quote(mailbox, safe=_SAFE)
    return f"imap://{who};AUTH=*@{host}/{path}".encode("ascii", "ignore")


def refer(table: dict[str, tuple[str, ...]], here: str, user: str, names: list[str]) -> Refused | None:
    """The refusal that sends the client of ``user`` elsewhere; None when all ``names`` are here.

    Two names (RENAME) give pairs of URLs, old and new (RFC 2193 4.3).
    """
    places = [hosts_of(table, name) for name in names]
    if not any(places):
        return None
    urls: list[bytes] = []
    for index in range(max(len(hosts) for hosts in places)):
        for name, hosts in zip(names, places, strict=True):
            host = hosts[min(index, len(hosts) - 1)] if hosts else here
            urls.append(url(user, host, name))
    code = b"REFERRAL " + b" ".join(urls)
    return answers.Coded(code, Reason.UNSUPPORTED, "mailbox is on another server")


def raw_names(command: commands.Command) -> tuple[bytes, ...]:
    """The mailboxes that a command is about, as they came.  Subscriptions are kept here (RFC 2193 3)."""
    if isinstance(command, commands.Rename):
        return command.source, command.target
    if isinstance(command, commands.Subscribe):
        return ()
    found = getattr(command, "mailbox", None)
    return (found,) if isinstance(found, bytes) else ()


def is_elsewhere(lines: tuple[str, ...], here: str, name: str) -> bool:
    """Everybody in the domain of ``name`` is on another server: to tell that tells nothing of anybody.

    Of one account it is told only to who knows its password (RFC 2221 6).
    """
    return "@" + name.rpartition("@")[2].lower() in _homes(lines, here)


def _homes(lines: tuple[str, ...], here: str) -> dict[str, tuple[str, ...]]:
    return {login.lower(): hosts for login, hosts in _table(lines, here).items()}


def home(lines: tuple[str, ...], here: str, name: str) -> Refused | None:
    """Where the mailboxes of ``name`` are, if not here (RFC 2221 4.1): by its whole name, or ``@domain``."""
    table = _homes(lines, here)
    hosts = table.get(name.lower()) or table.get("@" + name.rpartition("@")[2].lower())
    if not hosts:
        return None
    code = b"REFERRAL " + url(name, hosts[0])
    return answers.Coded(code, Reason.UNSUPPORTED, "your mailboxes are on another server")
