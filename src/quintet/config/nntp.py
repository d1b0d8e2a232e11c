"""What the news service allows: who reads, who posts, and what an article may be."""

from __future__ import annotations

from quintet.config.field import opt
from quintet.config.peers import Peer
from quintet.config.readers import Access
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Nntp:
    """One section for all listeners that serve readers of news."""

    read: str = opt(
        "anyone",
        "Who may read groups: anyone, or only who has logged in.",
        choices=("anyone", "authenticated"),
    )
    post: str = opt(
        "authenticated",
        "Who may post: anyone, only who has logged in, also those on this machine (local), or nobody.",
        choices=("anyone", "authenticated", "local", "nobody"),
    )
    max_article_size: int = opt(
        1_000_000, "Largest article taken by POST, un-stuffed.", unit="bytes", minimum=10_000
    )
    max_groups: int = opt(20, "Groups one article may be posted to.", minimum=1, maximum=1000)
    max_age_days: int = opt(10, "Oldest Date taken by POST (RFC 5537 3.5).", unit="days", minimum=1)
    timeout_s: float = opt(
        600.0, "Silence allowed; RFC 3977 3.1 asks for three minutes at least.", unit="s", minimum=180
    )
    max_errors: int = opt(10, "Unknown commands in a row after which a connection is closed.", minimum=3)
    path_host: str = opt("", "Our name in Path and Xref; empty: the host's name.")
    complaints_to: str = opt("", "Address in Injection-Info for complaints; empty: usenet@ our name.")
    posting_host: bool = opt(True, "Say in Path and Injection-Info from which address an article came.")
    posting_account: bool = opt(False, "Say in Injection-Info which account posted an article.")
    organization: str = opt("", "Organization added to articles that have none; empty: none is added.")
    sender: bool = opt(
        False, "Set Sender to the login name of who posts, and drop the field where nobody has logged in."
    )
    cancel_lock: str = opt(
        "account",
        "Who gets a Cancel-Lock on articles, so that only they and we can take them back, and the Cancel-Key "
        "on their cancels (RFC 8315): nobody (none), who has logged in (account), or also who has not, by "
        "the address, which others may share (address). The secret: cancel-lock.key in the data directory.",
        choices=("none", "account", "address"),
    )
    strip_mail_fields: bool = opt(False, "Drop To and Cc from articles. Bcc is dropped in any case.")
    check_quoting: bool = opt(
        False, "Refuse articles of 20 lines and more of which more than half is quoted."
    )
    spool_group: str = opt(
        "", "Group into which the answer spool() of a hook puts articles; without one it refuses them."
    )
    motd: str = opt("", "Message of the day for LIST MOTD; may have several lines.")
    subscriptions: tuple[str, ...] = opt((), "Groups that LIST SUBSCRIPTIONS offers to new readers.")
    distributions: tuple[str, ...] = opt(
        (), "Lines of LIST DISTRIB.PATS, each weight:wildmat:distribution (RFC 3977 7.6.5)."
    )
    distribution_names: dict[str, str] = opt({}, "Names and meanings for LIST DISTRIBUTIONS (RFC 6048 2.3).")
    moderators: tuple[str, ...] = opt(
        (),
        "Where articles for moderated groups without an address of their own go, each patterns:address; %s "
        "is the group with - for each dot, %% a per cent sign (RFC 6048 2.4). The first that fits counts. "
        "Usenet's is *:%s@moderators.isc.org.",
    )
    new_news: bool = opt(True, "Answer NEWNEWS, which may list much.")
    compress: bool = opt(True, "Offer COMPRESS DEFLATE (RFC 8054), and XFEATURE COMPRESS GZIP.")
    people: dict[str, tuple[str, ...]] = opt(
        {}, "Lists of login names for nntp.access; * and ? stand for anything."
    )
    access: tuple[Access, ...] = opt(
        (),
        "Who may read, post and approve in which groups: one [[nntp.access]] each. With any, nntp.read and "
        "nntp.post are not looked at; the last block that fits counts.",
    )
    # --- other servers
    acknowledge: str = opt(
        "flushed",
        "When IHAVE is answered with 235: flushed, when the article is on the disk; received, when it was"
        " checked, some hundredths of a second before (a crash then loses it, as with most servers)."
        " TAKETHIS always waits.",
        choices=("flushed", "received"),
    )
    exclude: tuple[str, ...] = opt(
        (), "Names in Path whose articles are not taken (INN: the exclusions of ME)."
    )
    take_distributions: tuple[str, ...] = opt(
        (), "Distributions taken from peers, !name leaves one out. Empty: all (INN: the distributions of ME)."
    )
    max_peer_article: int = opt(
        1_000_000, "Largest article taken from a peer, with its header.", unit="bytes", minimum=10_000
    )
    max_peer_age_days: int = opt(10, "Oldest article taken from a peer; 0: any age.", unit="days", minimum=0)
    verify_groups: bool = opt(
        False,
        "Refuse an article of a peer when one of its groups is not here, instead of leaving that group out.",
    )
    numbers_from: str = opt(
        "",
        "Name in Xref of another server whose article numbers are taken over, so that readers may go from one"
        " to the other: what peers bring must have its Xref, and come in its order over one connection (INN:"
        " xrefslave). Only for servers where nobody posts.",
    )
    want_junk: bool = opt(
        False,
        "File an article of which no group is here in the group junk, so that other servers get it (INN: "
        "wanttrash).",
    )
    lines_fuzz: int = opt(
        0,
        "Refuse an article of a peer whose Lines field is off by more than that; 0: it is not looked at "
        "(INN: linecountfuzz).",
        unit="lines",
        minimum=0,
    )
    offer_hold_s: float = opt(
        10.0,
        "How long an article that one peer was asked to send is not asked of another.",
        unit="s",
        minimum=1,
    )
    peer: tuple[Peer, ...] = opt(
        (), "Servers that send to us or get articles from us: one [[nntp.peer]] each."
    )
