"""One way out of the house: which mail takes it, where it leads, and how that place is spoken to."""

from __future__ import annotations

from quintet.config.field import opt
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Route:
    """One way out, `[queue.routes.NAME]`; the first that fits the mail in everything it names is taken."""

    # --- which mail
    domains: list[str] = opt(
        [], "Recipient domains; .example.org is every name below it, * or nothing is every domain."
    )
    recipients: list[str] = opt(
        [], "Recipient addresses, * and ? stand for anything; nothing is every recipient."
    )
    senders: list[str] = opt(
        [],
        "Sender addresses, @domains or patterns with * and ?; <> is the null sender; nothing is everybody.",
    )
    accounts: list[str] = opt([], "Login names of those who submitted it; nothing is everybody.")
    listeners: list[str] = opt([], "Names of the listeners it came by; nothing is every one.")
    arrived: str = opt(
        "any",
        "How the mail came: tls, clear, or any. Our own reports count as tls.",
        choices=("any", "tls", "clear"),
    )
    min_size: int = opt(0, "For messages of at least so many bytes.", unit="bytes", minimum=0)
    max_size: int = opt(0, "For messages of at most so many bytes; 0: of any size.", unit="bytes", minimum=0)
    # --- where to
    table: str = opt(
        "",
        "File that says where mail goes, a line each: recipients and domains as in Postfix's transport(5); "
        "who is not in it takes the next route. Read again when it changes.",
    )
    table_of: str = opt(
        "recipient",
        "What is looked up in the table: recipients, or senders (sender_dependent_relayhost_maps).",
        choices=("recipient", "sender"),
    )
    via: str = opt(
        "mx",
        "mx: look the domain up; smtp, lmtp: give it to host; pipe: give it to command; batch: append it to "
        "file; wait: keep it until its host fetches it (ATRN, ETRN); discard: drop it; error: bounce it.",
        choices=("mx", "smtp", "lmtp", "pipe", "batch", "wait", "discard", "error"),
    )
    host: str = opt(
        "",
        "For smtp and lmtp: name, IP address or unix:/path of the next host; NAME:PORT and [IPv6]:PORT name "
        "a port, mx:NAME means the mail exchangers of NAME.",
    )
    hosts: list[str] = opt(
        [], "More hosts, written as host is and tried in this order after it; a, b in one text are equals."
    )
    fallback: list[str] = opt(
        [], "Hosts that are tried when no other takes the connection, for mx too; written as hosts is."
    )
    port: int = opt(0, "Their port; 0 takes 25 for mx and smtp, 24 for lmtp.", minimum=0, maximum=65535)
    command: list[str] = opt([], "For pipe: the program and its arguments.")
    file: str = opt("", "For batch: the file (application/batch-SMTP) that messages are appended to.")
    timeout_s: float = opt(0.0, "For pipe: time for the program; 0: ten minutes.", unit="s", minimum=0)
    fetched_by: list[str] = opt([], "Login names that may fetch mail of these domains by ATRN.")
    text: str = opt("", "For error: what the sender is told.")
    status: str = opt(
        "5.7.1", "For error: the status (RFC 3463) that is told; one of class 4 keeps the mail waiting."
    )
    # --- how
    tls: str = opt(
        "may",
        "never: cleartext; may: what the host or domain publishes (DANE, MTA-STS), else TLS if offered, any "
        "certificate; must: TLS or nothing; verify: TLS with a certificate proving the name; dane: what "
        "the TLSA records of the host say, or nothing is sent; implicit: TLS from the first byte, verified.",
        choices=("never", "may", "must", "verify", "dane", "implicit"),
    )
    user: str = opt("", "Login name at that host; empty: none.")
    password: str = opt("", "Its password; only ever sent under TLS or to this machine.", secret=True)
    passwords: str = opt(
        "",
        "File of user:password by sender or host, as smtp_sasl_password_maps has it; before user and "
        "password.",
    )
    helo: str = opt("", "The name we greet with; empty: the one of the queue.")
    proxy: str = opt(
        "", "Go through a proxy: socks5://user:password@host:1080 or http://host:3128.", secret=True
    )
    sources: list[str] = opt(
        [], "Local addresses that connections leave from, by turns; empty: source_address of the queue."
    )
    pipelining: bool = opt(True, "false: command by command, for hosts that offer what they cannot do.")
    chunking: bool = opt(True, "false: DATA, never BDAT, for the same reason.")
    pipe_connect: bool = opt(
        False,
        "Say EHLO, and STARTTLS, along with the connection to hosts that offered PIPECONNECT the last time "
        "(Exim's hosts_pipe_connect); without that where it does not work out.",
    )
    ignore: list[str] = opt(
        [], "Words of EHLO that these hosts say and do not mean, such as SMTPUTF8 or DSN: as if not said."
    )
    verp: bool = opt(
        False,
        "Give each recipient a sender of its own, SENDER+user=domain@..., so that reports tell who failed "
        "(VERP).",
    )
