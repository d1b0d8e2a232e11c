"""What the SMTP and LMTP servers allow: sizes, counts, patience and who may relay."""

from __future__ import annotations

from quintet.config.field import opt
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Smtp:
    """One section for all listeners that take mail: MX, submission, LMTP."""

    max_message_size: int = opt(
        50 * 1024 * 1024,
        "Largest message taken; told to clients as SIZE (RFC 1870).",
        unit="bytes",
        minimum=65536,
    )
    max_recipients: int = opt(
        1000, "Recipients of one transaction; RFC 5321 4.5.3.1.8 asks for 100 at least.", minimum=100
    )
    max_messages: int = opt(
        0, "Messages of one connection, told to clients as LIMITS MAILMAX (RFC 9422); 0: no limit.", minimum=0
    )
    max_command: int = opt(
        12800,
        "Longest command line with its end; AUTH alone may need 12288 (RFC 4954 4).",
        unit="bytes",
        minimum=1024,
        maximum=65536,
    )
    max_header: int = opt(
        512 * 1024, "Largest header of a message.", unit="bytes", minimum=16384, maximum=1024 * 1024
    )
    max_header_fields: int = opt(2000, "Header fields of a message.", minimum=100)
    max_hops: int = opt(100, "Received fields after which a message is a loop (RFC 5321 6.3).", minimum=10)
    max_errors: int = opt(20, "Refused commands after which a connection is closed.", minimum=3)
    soft_bounce: bool = opt(
        False,
        "Say 4xx instead of 5xx to every refusal, so that clients keep their mail: while a set-up is tried.",
    )
    tarpit_errors: int = opt(
        5, "Refused commands after which each further refusal is held back for a while.", minimum=1
    )
    tarpit_s: float = opt(
        2.0, "How long a refusal is held back then; 0: not at all.", unit="s", minimum=0, maximum=60
    )
    greet_delay_s: float = opt(
        0.0,
        "Wait on MX listeners before the greeting; who talks earlier is noted (most spam senders do).",
        unit="s",
        minimum=0,
        maximum=30,
    )
    timeout_s: float = opt(
        300.0, "Silence allowed between commands and in a message (RFC 5321 4.5.3.2.7).", unit="s", minimum=10
    )
    bare_line_ends: str = opt(
        "repair",
        "A message with a bare CR or LF. refuse: not taken. repair: each becomes CRLF, unless it looks like "
        "a hidden end of the message (then it is refused). Such bytes never end a message.",
        choices=("refuse", "repair"),
    )
    nul: str = opt(
        "repair",
        "A message with a NUL, which no message may have (RFC 5321 4.5.2 passes it on, many programs stop "
        "there). refuse: not taken. repair: each becomes a space. keep: as it is.",
        choices=("refuse", "repair", "keep"),
    )
    max_text_line: int = opt(
        64 * 1024,
        "Longest line of a message; RFC 5321 4.5.3.1.6 promises 998 only, and many programs send more.",
        unit="bytes",
        minimum=998,
    )
    long_lines: str = opt(
        "repair",
        "A message with a longer line. refuse: not taken. repair: the line is cut, and goes on after CRLF "
        "and a space. keep: as it is.",
        choices=("refuse", "repair", "keep"),
    )
    min_rate: int = opt(
        64,
        "Slowest pace of a message that comes, on average once slow_after_s has passed; who is slower is cut "
        "off. 0: any.",
        unit="bytes/s",
        minimum=0,
    )
    slow_after_s: float = opt(
        120.0, "How long a message may come at any pace.", unit="s", minimum=1, maximum=3600
    )
    eager: str = opt(
        "note",
        "MX clients that talk before the greeting, before the answer to EHLO, or send a message before they "
        "are asked for it (RFC 2920 3.1). note: taken into account by the score. refuse: sent away.",
        choices=("note", "refuse"),
    )
    verify: str = opt(
        "users",
        "Who gets a true answer to VRFY and EXPN; others hear 252 (RFC 5321 3.5.3). users: who logged in, "
        "and relay_networks.",
        choices=("nobody", "users", "everybody"),
    )
    hold_max_s: int = opt(
        30 * 86400,
        "How long a user may have a message held (FUTURERELEASE, RFC 4865); 0: not at all.",
        unit="s",
        minimum=0,
        maximum=999_999_999,
    )
    hold_messages: int = opt(
        1000,
        "Messages that one account may have held at a time (RFC 4865 6); 0: any number.",
        minimum=0,
        maximum=10_000,
    )
    priority_policy: str = opt(
        "",
        "Name of the Priority Assignment Policy that is announced with MT-PRIORITY, such as MIXER or NSEP "
        "(RFC 6710 9.2); all of -9 to 9 are told apart in any case. Empty: none.",
    )
    by_min_s: int = opt(
        0, "Shortest deadline taken with BY=...;R (DELIVERBY, RFC 2852 2).", unit="s", minimum=0
    )
    withhold: list[str] = opt(
        [],
        "Words that EHLO does not say, such as CHUNKING; who uses them all the same is understood. MX "
        "listeners say PIPECONNECT only while greet_delay_s is 0 and eager is note.",
    )
    prdr: bool = opt(True, "Offer a reply for each recipient after the data (PRDR).")
    no_soliciting: list[str] = opt(
        [], "Kinds of solicitation that are refused, such as net.example:ADV (RFC 3865)."
    )
    xclient_from: list[str] = opt(
        [], "Networks of proxies and filters that may say by XCLIENT whom they speak for."
    )
    xforward_from: list[str] = opt(
        [], "Networks of filters that may say by XFORWARD, for log and trace, where a message came from."
    )
    trace_refusals: int = opt(
        600,
        "Refused recipients and messages that are kept in the trace; 0: none.",
        unit="per minute",
        minimum=0,
    )
    relay_domains: list[str] = opt(
        [], "Domains, not ours, that mail is taken for and sent on to (as a backup MX, or by a route)."
    )
    relay_networks: list[str] = opt([], "Networks whose hosts may send to any address without logging in.")
    auth_on_mx: bool = opt(False, "Offer AUTH on MX listeners too.")
    require_tls: bool = opt(
        True, "On submission listeners: no AUTH and no MAIL before TLS, unless from this host."
    )
    check_sender: bool = opt(
        True, "Who logged in may send only from own addresses (envelope; a foreign From gets a Sender)."
    )
    sender_domain: str = opt(
        "take",
        "A sender to whom no report could go, of who neither logged in nor may relay; asks the name service. "
        "take: not asked. null_mx: refused where the domain says that it takes no mail (RFC 7505). known: "
        "also where it does not exist, or has no host.",
        choices=("take", "null_mx", "known"),
    )
    check_addresses: bool = opt(
        True,
        "Refuse submitted messages with an address that is none, or whose domain is one label that is not "
        "ours (RFC 6409 4.2, 5.1); a bare name in To, From and so on gets the sender's domain where somebody "
        "there has it.",
    )
    postmaster: str = opt(
        "",
        "Account or address that gets mail for postmaster where no such address exists (RFC 5321 4.5.1); "
        "empty: the oldest account.",
    )
    subaddress: str = opt(
        "inbox",
        "What user+detail does (RFC 5233). inbox: nothing. folder: mail goes into the folder of that name, "
        "when it is there.",
        choices=("inbox", "folder"),
    )
    srs: bool = opt(
        True,
        "Rewrite foreign senders of forwarded mail (SRS): so it passes SPF, and bounces find the way back.",
    )
    srs_domain: str = opt("", "Domain of rewritten senders, one of ours; empty: that of who forwards.")
    news_domain: str = opt("", "Domain whose addresses are groups: mail for GROUP@it is posted; empty: none.")
    news_everywhere: bool = opt(
        False, "Mail for GROUP@ any domain of ours is posted, when nobody has that address."
    )
    news_from: str = opt(
        "users",
        "Who may post by mail. users: who has logged in; others only where the group's rights say that "
        "anyone may. anyone: as by NNTP.",
        choices=("users", "anyone"),
    )
    foreign_from: str = opt(
        "sender",
        "A submitted message whose From is not the sender's. keep: as it is. sender: a Sender field says who "
        "sent it. rewrite: the address becomes the sender's, replies go to the old one. refuse: not taken.",
        choices=("keep", "sender", "rewrite", "refuse"),
    )
    cut_fields: list[str] = opt(
        ["X-Originating-IP", "X-Originating-Email", "X-Sender-IP", "X-Client-IP", "X-Mozilla-Status"],
        "Fields that are cut from submitted messages, besides Bcc, Resent-Bcc and Return-Path.",
    )
    cut_received: bool = opt(
        False, "Cut the Received fields of submitted messages: what a user's own network is like."
    )
    hide_client: bool = opt(False, "Say in Received nothing about the host of who has logged in.")
    max_report_recipients: int = opt(
        100, "Recipients of a message from the null sender: a report goes to one, or a few.", minimum=1
    )
    relay_recipients: str = opt(
        "",
        "File of the recipients that exist in relay_domains, one a line: user@domain, @domain, "
        "*-list@domain, !nobody@domain. Others are refused, and nothing bounces. Empty: all are taken.",
    )
