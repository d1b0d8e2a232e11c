"""What the rules about mail coming in may be told: hooks, rates, what a score leads to."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import field, replace
from typing import Any

from quintet.config.access import Access, Content, Service
from quintet.config.field import opt
from quintet.values import dataclass

_RATE = re.compile(
    r"\s*(\d+)\s*(KB|MB|GB|TB)?\s*/\s*(\d*)\s*(s|m|h|d|second|minute|hour|day)s?\s*", re.IGNORECASE
)
_UNITS = {"": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
_TIMES = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def rate(text: str) -> tuple[int, float] | None:
    """What "100/hour", "30 / 10 minutes" or "2 GB/day" mean: an amount and seconds.  None: not a rate."""
    found = _RATE.fullmatch(text)
    if found is None:
        return None
    amount = int(found[1]) * _UNITS[(found[2] or "").upper()]
    seconds = int(found[3] or 1) * _TIMES[found[4][0].lower()]
    return (amount, float(seconds)) if 0 < amount < 1 << 53 and 0 < seconds <= 366 * 86400 else None


def _rate(default: str, doc: str) -> Any:  # Any: as `opt`
    return opt(default, doc + ' Written as "100/hour" or "2 GB/day"; empty: no limit.')


@dataclass(frozen=True, slots=True)
class Rates:
    """How much may come; counted for all workers of this machine together."""

    address_connections: str = _rate("", "Connections of one address.")
    address_messages: str = _rate("", "Messages of one address.")
    address_recipients: str = _rate("", "Recipients that one address names.")
    address_bytes: str = _rate("", "Bytes of messages of one address.")
    address_failed: str = _rate(
        "", "Recipients of one address that do not exist: who guesses addresses hears 'later'."
    )
    network_connections: str = _rate("", "Connections of one IPv4 /24 or IPv6 /48.")
    network_messages: str = _rate("", "Messages of one IPv4 /24 or IPv6 /48.")
    network_recipients: str = _rate("", "Recipients that one IPv4 /24 or IPv6 /48 names.")
    account_messages: str = _rate("", "Messages that one account sends.")
    account_recipients: str = _rate(
        "", "Recipients that one account writes to; a stolen password ends here. See also account_alert."
    )
    account_bytes: str = _rate("", "Bytes that one account sends.")
    sender_messages: str = _rate("", "Messages from one sender's domain (who did not log in).")
    sender_recipients: str = _rate("", "Recipients named by one sender's domain (who did not log in).")
    recipient_messages: str = _rate("", "Messages for one recipient's address.")
    domain_recipients: str = _rate("", "Recipients in one domain.")
    account_alert: float = opt(
        0.8,
        "Part of an account's limit from which a warning is logged (once an hour an account); "
        "1: only when it is reached.",
        minimum=0.01,
        maximum=1,
    )
    exempt: tuple[str, ...] = opt((), "Networks whose hosts are not counted. This machine never is.")
    exempt_accounts: tuple[str, ...] = opt((), "Accounts that are not counted: mailing programs.")
    table: int = opt(
        65536,
        "Addresses, accounts and domains remembered by each rate; 16 bytes each, shared by all workers.",
        minimum=1024,
        maximum=16_777_216,
        reload=False,
    )


@dataclass(frozen=True, slots=True)
class Refuse:
    """Who is refused by name; finer rules are hooks."""

    clients: tuple[str, ...] = opt((), "Networks whose connections are refused (554); never this machine's.")
    helo: tuple[str, ...] = opt(
        (), "Names in HELO whose mail is refused, unless they log in; * and ? stand for anything."
    )
    senders: tuple[str, ...] = opt(
        (),
        "Senders whose mail is refused, unless they log in: addresses, @domains, or patterns with * and ?; "
        "<> is the null sender.",
    )
    text: str = opt("Refused by policy", "What they are told; a good place for an address of a web page.")
    dns_lists: tuple[str, ...] = opt(
        (),
        "Lists in the name service (DNSBL) whose clients' mail is refused, unless they log in or may relay: "
        "a zone, or ZONE=NETWORK,NETWORK for the answers that count; else all of 127.0.0.0/16 but 127.0.0.1.",
    )


@dataclass(frozen=True, slots=True)
class NameList:
    """A list in the name service of which more is to be said, `[[policy.dns_list]]`."""

    zone: str = opt("", "The list: dbl.example.org, or ZONE=NETWORK,NETWORK for the answers that count.")
    of: str = opt(
        "client",
        "What is looked up: the client's address, its name, the name it gives in HELO, the sender's domain.",
        choices=("client", "client_name", "helo", "sender"),
    )
    then: str = opt(
        "refuse",
        "What happens to who is on it. refuse: 550. points: they count (policy.scores). welcome: no list, "
        "greylist or policy service is asked about it any more.",
        choices=("refuse", "points", "welcome"),
    )
    points: float = opt(0.0, "For points: how many; below 0 in favour.")


@dataclass(frozen=True, slots=True)
class DnsList:
    """One of `Refuse.dns_lists`, or of `[[policy.dns_list]]`."""

    zone: str
    answers: tuple[ipaddress.IPv4Network, ...]
    of: str = "client"
    then: str = "refuse"
    points: float = 0.0


# 127.0.0.1 would be this machine (RFC 5782 5); by 127.255.255.x lists say what is wrong with the question
_USUAL = tuple(ipaddress.IPv4Network("127.0.0.0/16").address_exclude(ipaddress.IPv4Network("127.0.0.1/32")))
_ZONE = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)+[A-Za-z]{2,63}")


def dns_list(text: str) -> DnsList | None:
    """What "zone" or "zone=127.0.0.2,127.0.0.4/30" means; None: neither."""
    zone, equals, answers = text.strip().partition("=")
    try:
        wanted = tuple(ipaddress.IPv4Network(each.strip(), strict=False) for each in answers.split(","))
    except ValueError:
        wanted = ()
    if not _ZONE.fullmatch(zone) or (equals and not wanted):
        return None
    return DnsList(zone.lower(), wanted if equals else _USUAL)


@dataclass(frozen=True, slots=True)
class Scores:
    """What follows from the points that checks and scores gave; 0: nothing does."""

    tag: float = opt(0.0, "Points from which an X-Spam-Score field is added.", minimum=0)
    junk: float = opt(0.0, "Points from which a message goes to the Junk folder.", minimum=0)
    quarantine: float = opt(
        0.0,
        "Points from which a message goes to the quarantine folder; for elsewhere it is held in the queue.",
        minimum=0,
    )
    refuse: float = opt(0.0, "Points from which a message is refused after the data (550 5.7.1).", minimum=0)
    quarantine_folder: str = opt("Quarantine", "Folder of each account for quarantined messages.")


@dataclass(frozen=True, slots=True)
class Verify:
    """Who mail is really from, as far as its domains say; not asked of who logs in or may relay."""

    enabled: bool = opt(
        True, "Check SPF, DKIM and DMARC of mail from elsewhere; Authentication-Results tells what came out."
    )
    spf: str = opt(
        "note",
        "A host that the sender's domain does not let send (SPF fail). refuse: at MAIL (550 5.7.23).",
        choices=("note", "refuse"),
    )
    dmarc: str = opt(
        "note",
        "A message that its author's domain does not prove. follow: what that domain asks for, refusal "
        "(550 5.7.1) or the Junk folder. Mail by way of foreign mailing lists suffers most from that.",
        choices=("note", "follow"),
    )
    timeout_s: float = opt(
        10.0, "How long the name service may take; then the result is temperror.", unit="s", minimum=1
    )


@dataclass(frozen=True, slots=True)
class Greylist:
    """Who was never here hears "later" once; not who logs in or may relay."""

    enabled: bool = opt(False, "Greylist mail from networks that are not known yet.")
    delay_s: float = opt(300.0, "Who comes again earlier still waits.", unit="s", minimum=1)
    window_s: float = opt(2 * 86400.0, "Who comes again later begins anew.", unit="s", minimum=600)
    known_days: float = opt(
        36.0, "How long a network that came again is known, from its last mail on.", minimum=1
    )
    exempt: tuple[str, ...] = opt((), "Networks that never wait.")
    table: int = opt(
        65536, "Moments remembered in each of two tables; 16 bytes each, shared by all workers.", minimum=1024
    )


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules about mail coming in."""

    hooks: str = opt(
        "",
        "Python file with an administrator's own rules (see docs/hooks.md); read again by `quintet reload`. "
        "A relative name is meant from the configuration's folder.",
    )
    hook_timeout_s: float = opt(5.0, "Time one hook may take.", unit="s", minimum=0.05, maximum=300)
    hook_failure: str = opt(
        "defer",
        "When a hook raises an exception or takes too long: the client is told to come again, or the "
        "message goes on as if there were no hook.",
        choices=("defer", "accept"),
    )
    authserv_id: str = opt(
        "",
        "Name in Authentication-Results; fields that come with it from outside are removed (RFC 8601 5). "
        "Empty: the server's name.",
    )
    rates: Rates = field(default_factory=Rates, metadata={"doc": "Limits by address, account and domain."})
    verify: Verify = field(default_factory=Verify, metadata={"doc": "SPF, DKIM and DMARC."})
    greylist: Greylist = field(default_factory=Greylist, metadata={"doc": "Who was never here comes again."})
    refuse: Refuse = field(default_factory=Refuse, metadata={"doc": "Who is refused by name."})
    dns_list: tuple[NameList, ...] = opt(
        (), "Lists in the name service of names, of who is welcome, with points."
    )
    access: tuple[Access, ...] = opt((), "Tables of who may what (access maps of Postfix): one block each.")
    service: tuple[Service, ...] = opt((), "Programs that are asked who may what (policy services).")
    content: Content = field(
        default_factory=Content, metadata={"doc": "What is looked for in messages (header and body checks)."}
    )
    scores: Scores = field(default_factory=Scores, metadata={"doc": "What points lead to."})

    def faults(self) -> list[str]:
        """What is wrong with rates and lists, as sentences that name the key; empty when all is well."""
        return [
            f'policy.rates.{name}: expected a rate such as "100/hour", got {text!r}'
            for name, text in texts(self.rates).items()
            if text and rate(text) is None
        ] + [
            f"policy.refuse.dns_lists: expected a zone such as bl.example.org, or ZONE=NETWORK, got {text!r}"
            for text in self.refuse.dns_lists
            if dns_list(text) is None
        ]

    @property
    def dns_lists(self) -> list[DnsList]:
        """All lists in the name service."""
        plain = [made for text in self.refuse.dns_lists if (made := dns_list(text)) is not None]
        return plain + [
            replace(made, of=one.of, then=one.then, points=one.points)
            for one in self.dns_list
            if (made := dns_list(one.zone)) is not None
        ]


def texts(rates: Rates) -> dict[str, str]:
    """The rates as written, by name."""
    return {name: getattr(rates, name) for name in RATES}


RATES = tuple(
    f"{what}_{of}"
    for what, counted in (
        ("address", ("connections", "messages", "recipients", "bytes", "failed")),
        ("network", ("connections", "messages", "recipients")),
        ("account", ("messages", "recipients", "bytes")),
        ("sender", ("messages", "recipients")),
        ("recipient", ("messages",)),
        ("domain", ("recipients",)),
    )
    for of in counted
)
"""The names of the options that are rates."""
