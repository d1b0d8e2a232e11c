"""The ``[imap]`` section."""

from __future__ import annotations

from quintet.config.field import opt
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Imap:
    """IMAP4rev1 and IMAP4rev2 service."""

    max_message: int = opt(
        100 * 1024 * 1024,
        "Largest message that APPEND takes; told as APPENDLIMIT.",
        unit="bytes",
        minimum=1024,
    )
    login_timeout_s: float = opt(
        120.0, "Silence allowed before a client has logged in.", unit="s", minimum=1.0, maximum=3600.0
    )
    idle_timeout_s: float = opt(
        1860.0,
        "Silence allowed afterwards, IDLE included; RFC 9051 5.4 asks for at least 30 minutes.",
        unit="s",
        minimum=60.0,
    )
    max_errors: int = opt(
        20, "Commands without sense before the connection is closed.", unit="commands", minimum=1
    )
    save_limit: int = opt(
        100_000,
        "Messages that one COPY or APPEND may bring, all or none; told as SAVELIMIT (RFC 9738).",
        unit="messages",
        minimum=1000,
    )
    message_limit: int = opt(
        100_000,
        "Messages that clients are asked to name in one command at most; told as MESSAGELIMIT (RFC 9738).",
        unit="messages",
        minimum=1000,
    )
    message_limit_hard: int = opt(
        0,
        "From how many on a command does only a part of them, the highest; 0: it never does. Clients that do"
        " not know MESSAGELIMIT miss messages then.",
        unit="messages",
        minimum=0,
    )
    search_time_s: float = opt(
        300.0,
        "How long one SEARCH, SORT or THREAD may look for messages before it is refused (NO [LIMIT]); whoever"
        " asks for a few things needs less than a second.",
        unit="s",
        minimum=1.0,
        maximum=86_400.0,
    )
    max_folders: int = opt(10_000, "Folders that one account may make.", unit="folders", minimum=10)
    submit_servers: tuple[str, ...] = opt(
        (), "Login names of other submission servers, which may fetch what users send by BURL (RFC 4467)."
    )
    url_applications: tuple[str, ...] = opt(
        (),
        'Services that may fetch what users\' URLs give to them, "NAME LOGIN [LOGIN ...]" each, such as'
        ' "stream media@example.org" (RFC 5593).',
    )
    literals: str = opt(
        "plus",
        "Literals that clients send without waiting (RFC 7888): of any size, or up to 4096 bytes.",
        choices=("plus", "minus"),
    )
    unauthenticate: bool = opt(
        True,
        "Let a client log out and in again on one connection (RFC 8437); not wanted behind a proxy that asks"
        " who somebody is only once.",
    )
    utf8_only: bool = opt(False, "Serve only clients that know UTF-8 (UTF8=ONLY, RFC 6855).")
    language: str = opt(
        "i-default", 'What "default" means to LANGUAGE.', choices=("i-default", "en", "de", "fr")
    )
    xlist: bool = opt(
        False, "Tell of XLIST, for old mobile clients that know special folders by nothing else."
    )
    remote_mailboxes: tuple[str, ...] = opt(
        (), 'Mailboxes on other servers, "NAME HOST [HOST ...]" each: clients are sent there (RFC 2193).'
    )
    home_servers: tuple[str, ...] = opt(
        (),
        'Accounts on other servers, "LOGIN HOST" or "@DOMAIN HOST" each: sent there (RFC 2221). Who logs in'
        " as LOGIN must know the password that the account has here.",
    )
    max_metadata: int = opt(
        65_536, "Largest value of one remark (METADATA).", unit="bytes", minimum=1024, maximum=131_072
    )
    max_metadata_entries: int = opt(
        100, "Remarks that one account may keep on one mailbox, or all share.", unit="entries", minimum=10
    )
    max_annotation: int = opt(
        65_536,
        "Largest value of an annotation of a message (ANNOTATE, RFC 5257).",
        unit="bytes",
        minimum=1024,
        maximum=131_072,
    )
    max_annotations: int = opt(
        100,
        "Annotations of one message that all share, and as many of each reader's own.",
        unit="entries",
        minimum=10,
        maximum=1000,
    )
    annotation_room: int = opt(
        64 * 1024 * 1024,
        "What annotations of messages may take in an account for which no other limit is set.",
        unit="bytes",
        minimum=1024 * 1024,
    )
    admin: str = opt("", "How to reach who runs this server, as a URI; clients read it as /shared/admin.")
    comment: str = opt("", "A remark on this server; clients read it as /shared/comment.")
    quota_admins: tuple[str, ...] = opt((), "Login names of those who may set quotas by SETQUOTA.")
    list_groups: bool = opt(True, "Show the newsgroups to LIST as folders below Groups/.")
