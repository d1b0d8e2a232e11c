"""Tables of who may what, programs that are asked about it, and what is looked for in messages.

All of them know the words of Postfix: access(5), SMTPD_POLICY_README, header_checks(5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from quintet.config.field import opt
from quintet.values import dataclass

_WHO = "strangers: who neither logged in nor may relay; everybody: those too."


@dataclass(frozen=True, slots=True)
class Access:
    """One table, `[[policy.access]]`; they are asked in the order of their blocks."""

    of: str = opt(
        "client",
        "What is looked up: the client's name and address, the name it gives in HELO, the sender, or each "
        "recipient. All but recipients at MAIL.",
        choices=("client", "helo", "sender", "recipient"),
    )
    file: str = opt(
        "",
        "The table: a key and an action a line, as in Postfix's access(5); sources of hash, cidr, regexp and "
        "pcre, also together. Read again when it changes.",
    )
    who: str = opt("strangers", f"Who is looked up. {_WHO}", choices=("strangers", "everybody"))
    only: tuple[str, ...] = opt((), "Names of the listeners where it holds; none: everywhere.")


@dataclass(frozen=True, slots=True)
class Service:
    """One program that speaks Postfix's policy delegation protocol, `[[policy.service]]`."""

    address: str = opt("", 'Where it listens: "unix:/run/postfwd.sock", or host:port.')
    at: str = opt(
        "recipient",
        "When it is asked: at each recipient, when all are named, or when the message is there.",
        choices=("recipient", "data", "end"),
    )
    who: str = opt("strangers", f"Who it is asked about. {_WHO}", choices=("strangers", "everybody"))
    only: tuple[str, ...] = opt((), "Names of the listeners whose mail it is asked about; none: of all.")
    on_failure: str = opt(
        "defer",
        "What mail meets when it does not answer. defer: it may come again. accept: it passes.",
        choices=("defer", "accept"),
    )
    timeout_s: float = opt(30.0, "How long it may take for one answer.", unit="s", minimum=0.1, maximum=600)
    context: str = opt("", "What it is told as policy_context.")

    @property
    def place(self) -> tuple[str, int]:
        """Host and port; the port is 0 for a Unix socket."""
        return place(self.address)


FILES = ("header_checks", "mime_header_checks", "nested_header_checks", "body_checks")


@dataclass(frozen=True, slots=True)
class Content:
    """Section `[policy.content]`: files as Postfix's header_checks(5) has them."""

    header_checks: str = opt(
        "", "For each field of a message's header; regexp or pcre: /^Subject: .*viagra/ REJECT no, thanks."
    )
    mime_header_checks: str = opt(
        "",
        "For Content-... and MIME-Version, of the message and of its parts; empty: those of header_checks.",
    )
    nested_header_checks: str = opt(
        "", "For the headers of messages that are attached; empty: those of header_checks."
    )
    body_checks: str = opt("", "For each line of the body as it travels, encoded.")
    body_limit: int = opt(
        50 * 1024,
        "How much of each part of the body is looked at.",
        unit="bytes",
        minimum=0,
        maximum=64 << 20,
    )
    only: tuple[str, ...] = opt((), "Names of the listeners whose mail is looked at; none: of all.")

    @property
    def any(self) -> bool:
        """There is something to look for."""
        return any(getattr(self, name) for name in FILES)

    def beside(self, whole: Callable[[str], str]) -> Content:
        """With whole names of files."""
        return replace(
            self,
            header_checks=whole(self.header_checks),
            mime_header_checks=whole(self.mime_header_checks),
            nested_header_checks=whole(self.nested_header_checks),
            body_checks=whole(self.body_checks),
        )


def place(address: str) -> tuple[str, int]:
    """Host and port of "unix:/path", "host:port", "inet:host:port"; the port is 0 for a Unix socket."""
    if address.startswith("unix:"):
        return address, 0
    host, _, port = address.removeprefix("inet:").rpartition(":")
    return host.strip("[]"), int(port)


def is_place(address: str) -> bool:
    """`place` understands it."""
    if address.startswith("unix:"):
        return len(address) > len("unix:")
    host, _, port = address.removeprefix("inet:").rpartition(":")
    return bool(host) and port.isascii() and port.isdigit() and 0 < int(port) < 65536


def faults(tables: tuple[Access, ...], services: tuple[Service, ...]) -> Iterator[tuple[str, int, str, str]]:
    """What is wrong although every value alone is right: block, its number, option, a sentence."""
    for at, table in enumerate(tables):
        if not table.file:
            yield "access", at, "file", "expected a file"
    for at, service in enumerate(services):
        if not is_place(service.address):
            yield "service", at, "address", f'expected "unix:/path" or host:port, got {service.address!r}'
