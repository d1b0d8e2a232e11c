"""readers.conf as our rules of access.

Pure.  INN names who connects (an auth group) and then looks up what the name may (an access group); the last
that fits counts, there and here.  What a name is given for an address alone becomes a rule of that address,
what it is given for a password one of accounts; those come below, so that who logs in has theirs.  A group
whose hosts cannot be told as networks gives nothing here, and a note says so.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import field, replace

from quintet.admin.transfer.innconf import syntax
from quintet.admin.transfer.innconf.syntax import Block
from quintet.config.readers import Access
from quintet.net.limits import LOOPBACK
from quintet.values import dataclass

PROGRAMS = ("auth", "perl_auth", "python_auth")
OPEN = frozenset(("R", "P"))  # what newsgroups alone gives
HOOKS = ("perl_access", "python_access", "python_dynamic", "perlfilter")
OWN = ("virtualhost", "nnrpdposthost", "localtime", "strippath", "domain", "newsmaster")  # of an access group


@dataclass(slots=True)
class Readers:
    """What the file says."""

    access: list[Access] = field(default_factory=list)
    programs: list[tuple[str, str]] = field(default_factory=list)  # that check passwords there; domain
    locks_by_address: bool = False
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Of inn.conf, for whom an access group says nothing else."""

    after: int = 0
    forget_s: float = 60.0


def read(text: Block, domain: str, new_news: bool, backoff: Backoff) -> Readers:
    """All rules; ``domain`` is added to names without one, ``new_news`` is allownewnews of inn.conf."""
    found = Readers()
    auths = [each for each in text.blocks if each.kind == "auth"]
    groups = [each for each in text.blocks if each.kind == "access"]
    for auth in auths:
        _named(auth, groups, found, new_news, backoff)
    for auth in auths:
        _checked(auth, groups, domain, found, new_news, backoff)
    for each in groups:
        _told(each, found)
    return found


def _named(auth: Block, groups: Sequence[Block], found: Readers, new_news: bool, backoff: Backoff) -> None:
    """The rule for whoever comes from there without a password."""
    name = auth.get("default")
    if auth.all("res") or any(each.kind == "res" for each in auth.blocks):
        found.notes.append(f"readers.conf auth {auth.name}: res: nobody is named by a program; say addresses")
    if not name:
        return
    if "@" not in name and auth.get("default-domain"):
        name = f"{name}@{auth.get('default-domain')}"
    group = next(
        (each for each in reversed(_of_key(auth, groups)) if _is_meant(name, each.get("users"))), None
    )
    addresses = _networks(auth, found)
    if addresses is None:
        return
    rule = Access(read="") if group is None else _rights(group, found, new_news, backoff)
    if rule is not None:
        found.access.append(replace(rule, addresses=addresses, tls=_under_tls(auth)))


def _checked(
    auth: Block, groups: Sequence[Block], domain: str, found: Readers, new_news: bool, backoff: Backoff
) -> None:
    """The rules for those who log in from there."""
    programs = [command for key in PROGRAMS for command in auth.all(key)]
    programs += [each.get("program") for each in auth.blocks if each.kind == "auth"]
    if not programs:
        return
    domain = auth.get("default-domain") or domain
    found.programs += [(command, domain) for command in programs]
    addresses = _networks(auth, found)
    if addresses is None:
        return
    for group in _of_key(auth, groups):
        names = tuple(_accounts(group.get("users"), domain, group, found))
        rule = _rights(group, found, new_news, backoff) if names else None
        if rule is not None:
            found.access.append(replace(rule, accounts=names, addresses=addresses, tls=_under_tls(auth)))


def _of_key(auth: Block, groups: Sequence[Block]) -> list[Block]:
    return [each for each in groups if each.get("key") == auth.get("key")]


def _under_tls(auth: Block) -> bool:
    return syntax.true(auth.get("require_encryption") or auth.get("require_ssl"))


def _rights(group: Block, found: Readers, new_news: bool, backoff: Backoff) -> Access | None:
    """What an access group gives; None, with a note, where its patterns cannot be said here."""
    both = group.get("newsgroups", "*" if ("newsgroups", "") in group.values else "")
    letters = group.get("access")
    read = group.get("read", both or "")
    post = group.get("post", both or "")
    may = set(letters) if letters else set(OPEN)
    patterns = {
        "read": read if "R" in may else "",
        "post": post if "P" in may else "",
        "approve": post if "A" in may else "",
        "locally": post if "L" in may else "",
        "ihave": post if {"I", "P"} <= may else "",
    }
    patterns = {key: ",".join(syntax.comma(text)) for key, text in patterns.items()}
    rate = group.get("max_rate")
    rule = Access(
        new_news="N" in may if letters else new_news,
        max_rate=int(rate) if rate.isdigit() else 0,
        backoff_after=backoff.after,
        backoff_forget_s=backoff.forget_s,
        reject=group.get("reject_with"),
        **patterns,  # type: ignore[arg-type]  # of options that are patterns
    )
    faults = list(rule.faults(frozenset()))
    if faults:
        found.notes.append(f"readers.conf access {group.name}: left out: {faults[0][0]}: {faults[0][1]}")
        return None
    return rule


def _told(group: Block, found: Readers) -> None:
    """Notes about what an access group says beyond rights."""
    if group.get("addcanlockuser") == "ip":
        found.locks_by_address = True
    for key in HOOKS:
        if syntax.true(group.get(key)) or (key.endswith("access") and group.get(key)):
            found.notes.append(f"readers.conf access {group.name}: {key}: write it as a hook (docs/hooks.md)")
    for key in OWN:
        if group.get(key) not in ("", "false", "no", "off"):
            found.notes.append(f"readers.conf access {group.name}: {key} has no counterpart for some alone")


# --- who and where ------------------------------------------------------------------------------------


def _is_meant(name: str, patterns: str) -> bool:
    """Whether the last pattern that fits the name does not begin with "!"."""
    said = False
    for pattern in syntax.comma(patterns):
        if fnmatch.fnmatchcase(name, pattern.removeprefix("!")):
            said = not pattern.startswith("!")
    return said


def _accounts(users: str, domain: str, group: Block, found: Readers) -> Iterator[str]:
    """Login names; those in angle brackets are what INN calls who has none."""
    for pattern in syntax.comma(users):
        if pattern.startswith(("<", "!<")):
            continue
        if pattern.startswith("!") or re.search(r"[\[\\]", pattern):
            found.notes.append(f"readers.conf access {group.name}: users: {pattern} cannot be said here")
        elif "@" in pattern or pattern.endswith("*"):
            yield pattern
        else:
            yield f"{pattern}@{domain}"


def _networks(auth: Block, found: Readers) -> tuple[str, ...] | None:
    """Where an auth group holds, () for everywhere; None where that cannot be said."""
    where = f"readers.conf auth {auth.name}"
    if auth.get("localaddress"):
        found.notes.append(f"{where}: left out: localaddress; who connects counts here, not to where")
        return None
    hosts = [host for host in syntax.comma(auth.get("hosts", "*")) if host != "stdin"]
    if not hosts or hosts == ["*"]:
        return ()
    if any(host.startswith("!") for host in hosts):  # without them it would hold for more than was meant
        found.notes.append(f"{where}: left out: hosts that are excepted ({', '.join(hosts)})")
        return None
    networks: list[str] = []
    for host in hosts:
        if not (one := _network(host)):
            found.notes.append(f"{where}: without {host}: rules know addresses and networks, not names")
        networks += one
    return tuple(dict.fromkeys(networks)) or None


def _network(host: str) -> tuple[str, ...]:
    """A host of INN's as networks; nothing for a name."""
    if host == "localhost":
        return LOOPBACK
    short = re.fullmatch(r"((?:\d{1,3}\.){1,3})\*", host)
    if short:
        parts = short[1].rstrip(".").split(".")
        host = ".".join([*parts, *["0"] * (4 - len(parts))]) + f"/{8 * len(parts)}"
    try:
        return (
            (str(ipaddress.ip_network(host, strict=False)),)
            if "/" in host
            else (str(ipaddress.ip_address(host)),)
        )
    except ValueError:
        return ()
