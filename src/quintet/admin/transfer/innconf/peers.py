"""newsfeeds, incoming.conf, innfeed.conf, nntpsend.ctl and passwd.nntp as our peers: one block each.

Pure.  Sites that are programs of INN's own (controlchan, overchan, perl-nocem) need no block; what else has
no counterpart is told in a note, and nothing is sent to anybody by a guess.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import field, replace

from quintet.admin.transfer.innconf import syntax
from quintet.admin.transfer.innconf.syntax import Block, Site
from quintet.config.peers import Peer
from quintet.values import dataclass

MANY = 500  # connections, where INN sets no limit
MOST_OUT = 64  # `config.peers` allows no more to one peer
NOBODY = ("", "!*")  # patterns of ME that add nothing to others
OWN_PROGRAMS = (
    "controlchan",
    "overchan",
    "perl-nocem",
    "innfeed",
    "news2mail",
    "delayer",
    "innxmit",
    "sendinpaths",
)
NUMBERS = {"<": "max_size", "C": "max_spread", "G": "max_groups", "U": "max_followups"}
QUIET_FLAGS = "BFIPSTWD"  # how INN buffers, starts and writes: nothing to choose here
CHECKS: dict[str, dict[str, object]] = {
    "c": {"control": "none"},
    "C": {"control": "only"},
    "d": {"need_distribution": True},
    "p": {"check_path": False},
}
NO_CHECKS = {
    "f": "Af: what filters hold back is in quarantine, and never sent",
    "e": "Ae: articles go out whichever of their groups are here",
    "j": "Aj: give the peer the patterns of what may go out of the group junk",
}


@dataclass(slots=True)
class Peers:
    """What the files say."""

    peers: list[Peer] = field(default_factory=list)
    exclude: tuple[str, ...] = ()  # of ME
    distributions: tuple[str, ...] = ()
    nocem_groups: tuple[str, ...] = ()
    mailed: list[tuple[str, str]] = field(default_factory=list)  # news2mail: site and groups
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Files:
    """The texts; "" for a file that is not there."""

    newsfeeds: str = ""
    incoming: Block = field(default_factory=Block)
    innfeed: Block = field(default_factory=Block)
    nntpsend: str = ""
    passwords: str = ""  # passwd.nntp


def read(files: Files, domain: str) -> Peers:
    """All peers; ``domain`` is that of accounts with which some log in.  Raises ValueError: see `syntax`."""
    return _Reading(files, domain).run()


class _Reading:
    def __init__(self, files: Files, domain: str) -> None:
        self._files, self._domain = files, domain
        self._found = Peers()
        self._sites = syntax.sites(files.newsfeeds)
        self._feeds = {each.name.lower(): each for each in syntax.inherited(files.innfeed, "peer")}
        self._send = {
            parts[0].lower(): parts[1]
            for line in syntax.lines(files.nntpsend)
            if len(parts := line.split(":")) >= 2 and parts[1]
        }
        self._passwords = {
            parts[0].lower(): (parts[1], parts[2])
            for line in syntax.lines(files.passwords)
            if len(parts := line.split(":", 3)) >= 3
        }
        self._first = ""  # the patterns of ME, which come before all others

    def run(self) -> Peers:
        for site in self._sites:
            if site.name == "ME":
                self._found.exclude, self._found.distributions = site.exclude, site.distributions
                self._first = "" if site.patterns in NOBODY else site.patterns
        targets = {site.parameter.lower(): True for site in self._sites if site.feed == "m"}
        for site in self._sites:
            if site.name != "ME" and site.name.lower() not in targets:
                self._site(site)
        for block in syntax.inherited(self._files.incoming, "peer"):
            self._incoming(block)
        return self._found

    def note(self, where: str, text: str) -> None:
        self._found.notes.append(f"{where}: {text}")

    # --- what is sent -------------------------------------------------------------------------

    def _site(self, site: Site) -> None:
        command = self._command(site)
        program = next((name for name in OWN_PROGRAMS if name in command), "")
        if program == "perl-nocem":
            self._found.nocem_groups = tuple(
                each for each in site.patterns.split(",") if each[:1] not in ("!", "@", "*")
            )
        elif program == "news2mail":
            self._found.mailed.append((site.name, site.patterns))
        elif program in ("innfeed", "delayer") and site.feed == "m":
            self._by_nntp(site, command)
        elif site.feed == "f" and (host := self._send.get(site.name.lower())):
            self._add(site, replace(self._peer(site), host=host))
        elif program == "" or site.feed == "f":
            what = f"the program {command}" if command else "a file"
            self.note(
                f"newsfeeds {site.name}",
                f'goes to {what}; write it anew, with output = "pipe:..." (whole articles) or "file:..." (a'
                " line each)",
            )

    def _command(self, site: Site) -> str:
        """What is started for it, itself or by the funnel that it goes through."""
        if site.feed != "m":
            return site.parameter if site.feed in "cpx" else ""
        funnel = next((one for one in self._sites if one.name.lower() == site.parameter.lower()), None)
        return "" if funnel is None else self._command(funnel)

    def _by_nntp(self, site: Site, command: str) -> None:
        block = self._feeds.get(site.name.lower(), Block(values=self._files.innfeed.values))
        delay = re.search(r"delayer\S*\s+(\d+)", command)
        host = block.get("ip-name") or site.name
        most = int(block.get("max-connections") or 0)
        peer = replace(
            self._peer(site),
            host=host,
            port=int(block.get("port-number") or 119),
            max_out=min(most, MOST_OUT) if most else Peer().max_out,
            streaming=syntax.true(block.get("streaming", "true")),
            delay_s=float(delay[1]) if delay else 0.0,
        )
        if block.get("username") and block.get("password"):
            peer = replace(peer, user=block.get("username"), password=block.get("password"))
        for key, text in (
            ("bindaddress", "connections leave from the address that the system takes"),
            (
                "deliver-authname",
                "innfeed as imapfeed has no counterpart: groups are folders of IMAP already",
            ),
        ):
            if block.get(key) not in ("", "any", "all"):
                self.note(f"innfeed.conf {site.name}", f"{key}: {text}")
        if syntax.true(block.get("drop-deferred")):
            self.note(f"innfeed.conf {site.name}", "drop-deferred: what is put off (431, 436) is sent again")
        self._add(site, peer)

    def _add(self, site: Site, peer: Peer) -> None:
        known = self._passwords.get(peer.host.lower())
        if known and not peer.user and all(known):
            peer = replace(peer, user=known[0], password=known[1])
        if any(each.name == peer.name for each in self._found.peers):
            number = sum(each.name.partition("#")[0] == peer.name for each in self._found.peers) + 1
            peer = replace(peer, name=f"{peer.name}#{number}", exclude=(*peer.exclude, peer.name))
        self._found.peers.append(peer)

    def _peer(self, site: Site) -> Peer:
        patterns = ",".join(part for part in (self._first, site.patterns or "*") if part)
        peer = Peer(
            name=site.name, send=patterns, accept="", distributions=site.distributions, exclude=site.exclude
        )
        for flag in site.flags:
            peer = self._flag(peer, flag[0], flag[1:], site.name)
        return peer

    def _flag(self, peer: Peer, letter: str, value: str, name: str) -> Peer:
        if letter in NUMBERS and value.isdigit():
            return replace(peer, **{NUMBERS[letter]: int(value)})  # type: ignore[arg-type]  # of options that are numbers
        if letter == ">" and value.isdigit():
            return replace(peer, min_size=int(value) + 1)
        if letter == "H":
            return replace(peer, max_hops=int(value) if value.isdigit() else 1)
        if letter == "A":
            for check in value:
                peer = self._check(peer, check, name)
            return peer
        if letter == "N" and value in ("m", "u"):
            return replace(peer, moderated="only" if value == "m" else "none")
        if letter == "O":
            wanted = tuple(re.sub(r"^@", "!", each) for each in value.split("/") if each)
            if all(each.count("*") <= 1 for each in wanted):
                return replace(peer, originators=wanted)
        if letter == "Q" and not peer.hashfeed and re.fullmatch(r"\d+(-\d+)?/\d+", value):
            return replace(peer, hashfeed=value)
        if letter not in QUIET_FLAGS:
            self.note(f"newsfeeds {name}", f"the flag {letter}{value} has no counterpart")
        return peer

    def _check(self, peer: Peer, check: str, name: str) -> Peer:
        if check in NO_CHECKS:
            self.note(f"newsfeeds {name}", NO_CHECKS[check])
        return replace(peer, **CHECKS.get(check, {}))  # type: ignore[arg-type]  # of the options there

    # --- what comes ---------------------------------------------------------------------------

    def _incoming(self, block: Block) -> None:
        where = f"incoming.conf {block.name}"
        hosts = syntax.comma(block.get("hostname", block.name))
        if syntax.true(block.get("skip")):
            return
        if all(_is_here(host) for host in hosts):
            self.note(where, "left out: what programs on this machine post needs no peer (`quintet rnews`)")
            return
        most = block.get("max-connections", "0")
        takes: dict[str, object] = {
            "addresses": hosts,
            "accept": block.get("patterns") or "*",
            "max_in": int(most) if most.isdigit() and int(most) else MANY,
            "ignore": syntax.true(block.get("ignore")),
            "resend": syntax.true(block.get("resendid", "true")),
        }
        if block.get("password"):
            account = f"{block.name}@{self._domain}"
            takes |= {"addresses": (), "accounts": (account,)}
            self.note(
                where,
                f"it logs in: `quintet account add {account}` with its password there, and tell it this name"
                " (innd takes any); until then nothing comes from it",
            )
        if block.get("identd"):
            self.note(where, "identd: nobody is asked; take certificates or accounts to be sure who it is")
        at = self._same(block.name, hosts)
        streaming = syntax.true(block.get("streaming", "true"))
        if at is None:
            self._found.peers.append(Peer(name=block.name, streaming=streaming, **takes))  # type: ignore[arg-type]  # of the options above
        else:
            peer = self._found.peers[at]
            self._found.peers[at] = replace(peer, streaming=peer.streaming and streaming, **takes)  # type: ignore[arg-type]  # the same

    def _same(self, name: str, hosts: Sequence[str]) -> int | None:
        """Where the peer is to which we send that one, by its name or host; none that takes already."""
        for at, peer in enumerate(self._found.peers):
            same = {name.lower(), *(host.lower() for host in hosts)}
            if not peer.takes and same & {peer.name.lower(), peer.host.lower()}:
                return at
        return None


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
