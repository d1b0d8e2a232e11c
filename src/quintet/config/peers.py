"""Peers of the news service: servers that send us articles, and those to which we send: ``[[nntp.peer]]``.

One block says what INN spreads over incoming.conf, newsfeeds and innfeed.conf.  What the patterns mean
together with an article is `delivery.feeds`'s business; who a connection belongs to is `delivery.peers`'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from quintet.config.field import opt
from quintet.values import dataclass

_HASHFEED = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?/(\d{1,6})\Z")
_ORIGINATOR = re.compile(r"!?[A-Za-z0-9._:?-]*(?:\*[A-Za-z0-9._:?-]*)?\Z")  # one star is enough
_IDENTITY = re.compile(r"[A-Za-z0-9._:-]+\Z")  # RFC 5536 3.1.5


@dataclass(frozen=True, slots=True)
class Peer:
    """One server with which articles are exchanged."""

    name: str = opt("", "What we call it, in logs and commands.")
    # --- who it is when it connects to us
    addresses: tuple[str, ...] = opt(
        (), "Where it connects from: addresses, networks or host names. Empty: it must log in."
    )
    certificates: tuple[str, ...] = opt(
        (),
        "DNS names, one of which a TLS certificate that it shows must have (tls.client_ca says who signs).",
    )
    accounts: tuple[str, ...] = opt(
        (), "Accounts with which it may log in (AUTHINFO) to be known as this peer."
    )
    require_tls: bool = opt(False, "Take nothing from it without TLS: 483 until then.")
    identity: tuple[str, ...] = opt(
        (),
        "Its names in Path. With any, the name on the left of an article's Path is compared, and the result"
        " noted there (RFC 5537 3.2.1); the first one stands in .MISMATCH.",
    )
    # --- what we take from it
    accept: str = opt(
        "*",
        "Groups taken from it: patterns, the last that matches decides; ! before one leaves groups out,"
        " @ refuses whole articles. Empty: nothing is taken.",
    )
    max_in: int = opt(50, "Connections at once from it, in one worker.", unit="connections", minimum=1)
    streaming: bool = opt(True, "Let it stream (CHECK, TAKETHIS), and stream to it where it can.")
    ignore: bool = opt(False, "Refuse everything it offers as if we had it (435, 438).")
    resend: bool = opt(
        True,
        "Ask it to come again with what another peer is sending now (431, 436); else say that we have it.",
    )
    cancels: bool = opt(
        False, "Let it take articles away by MODE CANCEL; for programs of your own, as INN lets only these."
    )
    # --- what we send to it
    host: str = opt("", "Host name or address to send to; empty: nothing is sent by NNTP.")
    port: int = opt(119, "Port there.", minimum=1, maximum=65535)
    tls: str = opt(
        "none",
        "none; opportunistic: STARTTLS where it is offered; starttls: STARTTLS or nothing; implicit: TLS from"
        " the first byte.",
        choices=("none", "opportunistic", "starttls", "implicit"),
    )
    verify: bool = opt(True, "Check its certificate and name; opportunistic TLS does not.")
    certificate: str = opt(
        "", "File with the certificate (PEM, with its chain) that we show it under TLS; empty: none."
    )
    key: str = opt("", "File with that certificate's key; empty: it is in the same file.")
    user: str = opt("", "Name for AUTHINFO there; empty: none.")
    password: str = opt("", "Password for AUTHINFO there.", secret=True)
    send: str = opt("", "Groups sent to it: patterns as for accept. Empty: nothing is sent.")
    distributions: tuple[str, ...] = opt(
        (), "Distributions sent, !name leaves one out. Empty: all. An article without one always goes."
    )
    need_distribution: bool = opt(False, "Send only articles that have a Distribution.")
    moderated: str = opt(
        "all",
        "Send articles of all groups, of moderated ones only, or of none of these.",
        choices=("all", "only", "none"),
    )
    max_size: int = opt(0, "Largest article sent; 0: any.", unit="bytes", minimum=0)
    min_size: int = opt(0, "Smallest article sent.", unit="bytes", minimum=0)
    max_hops: int = opt(0, "Most names in Path of what is sent; 0: any.", minimum=0)
    max_groups: int = opt(0, "Most groups in Newsgroups of what is sent; 0: any.", minimum=0)
    max_followups: int = opt(
        0,
        "Most groups that an answer would go to: those of Followup-To, or of Newsgroups; 0: any.",
        minimum=0,
    )
    max_spread: int = opt(
        0,
        "Most groups in Newsgroups plus the square of the number that an answer would go to; 30 is usual"
        " against excessive cross-posts. 0: any.",
        minimum=0,
    )
    originators: tuple[str, ...] = opt(
        (),
        "Only what was injected at one of these: wildmats over the first word of Injection-Info, or X-Trace;"
        " ! before one leaves it out. Empty: from anywhere.",
    )
    exclude: tuple[str, ...] = opt(
        (), "Names in Path of articles that it has already, beside identity, host and name."
    )
    check_path: bool = opt(
        True,
        "Hold back what has its identity, host or name in Path; the names of exclude are looked for anyway.",
    )
    control: str = opt("all", "Control messages: all, none, or only those.", choices=("all", "none", "only"))
    archive: bool = opt(False, "It is an archive: what says Archive: no is not sent to it (RFC 5536 3.2.2).")
    header_only: bool = opt(False, "Send headers with a Bytes field, and no bodies.")
    delay_s: float = opt(0.0, "How long an article waits here before it is sent.", unit="s", minimum=0)
    hashfeed: str = opt(
        "", "Share of all articles by a hash of the Message-ID: value/modulus or low-high/modulus, as 1-2/4."
    )
    max_out: int = opt(
        4,
        "Connections at once to it; one is opened first, more when they do not suffice.",
        minimum=1,
        maximum=64,
    )
    compress: bool = opt(True, "COMPRESS DEFLATE where it is offered and the peer is not on this machine.")
    xbatch: bool = opt(
        False, "Send whole batches by XBATCH, which INN takes, instead of offering articles one by one."
    )
    packing: str = opt(
        "none",
        "How batches are compressed, of xbatch and of output.",
        choices=("none", "gzip", "bzip2"),
    )
    output: str = opt(
        "",
        "Instead of NNTP: file:NAME appends a line an article, batch:NAME whole articles (rnews); "
        "pipe:COMMAND is given them as rnews batches on its input.",
    )
    # --- what we fetch from it, where we are only a reader
    pull: str = opt("", "Groups fetched from it as a reader: patterns. Empty: none.")
    pull_by: str = opt(
        "number",
        "How new articles are found: by the numbers of each group, or by NEWNEWS.",
        choices=("number", "newnews"),
    )
    pull_every_s: float = opt(600.0, "Time between two looks.", unit="s", minimum=5)
    pull_first: int = opt(
        100,
        "Articles fetched of a group that was never looked at; 0: only what comes from now on.",
        minimum=0,
    )

    @property
    def feeds(self) -> bool:
        """Something is sent to it, in one way or another."""
        return bool(self.send and (self.host or self.output))

    @property
    def takes(self) -> bool:
        """It may send us something."""
        return bool(self.accept and (self.addresses or self.certificates or self.accounts))

    def share(self) -> tuple[int, int, int]:
        """Lowest and highest value, and modulus, of ``hashfeed``; (1, 1, 1) without one."""
        found = _HASHFEED.match(self.hashfeed)
        if not found:
            return 1, 1, 1
        low = int(found[1])
        return low, int(found[2] or low), int(found[3])

    def faults(self) -> Iterator[tuple[str, str]]:
        """What is wrong although every value alone is right: option and sentence."""
        if not self.name:
            yield "name", "a peer needs a name"
        for each in (*self.identity, *self.exclude):
            if not _IDENTITY.match(each):
                yield "identity", f"expected a name as in Path, got {each!r}"
        for each in self.originators:
            if not each.lstrip("!") or not _ORIGINATOR.match(each):
                yield "originators", f"expected a name, perhaps with one *, got {each!r}"
        if self.hashfeed:
            found = _HASHFEED.match(self.hashfeed)
            low, high, modulus = self.share()
            if not found or not 1 <= low <= high <= modulus:
                yield "hashfeed", f"expected value/modulus or low-high/modulus, got {self.hashfeed!r}"
        if self.output and self.output.partition(":")[0] not in ("file", "batch", "pipe"):
            yield "output", f"expected file:NAME, batch:NAME or pipe:COMMAND, got {self.output!r}"
        if self.pull and not self.host:
            yield "pull", "needs a host to fetch from"
        if self.certificate and self.tls == "none":
            yield "certificate", "needs tls, under which it is shown"
        if bool(self.user) != bool(self.password):
            yield "user", "user and password go together"
