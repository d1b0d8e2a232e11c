"""What an article asks the server for, read from its header; pure.

Control and Supersedes exclude each other (RFC 5536 3.2.12); a Subject that begins with "cmsg" and
Also-Control are words of old that mean nothing any more (RFC 5537 5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from quintet.delivery import inject
from quintet.message import headers
from quintet.message.digest import Digest
from quintet.values import dataclass

CANCEL, SUPERSEDES, NOCEM = "cancel", "supersedes", "nocem"
GROUPS = frozenset(("newgroup", "rmgroup", "checkgroups"))
OLD = frozenset(("sendsys", "senduuname", "version", "whogets"))  # RFC 5537 5.6: never answered
OFFERS = frozenset(("ihave", "sendme"))  # RFC 5537 5.5: UUCP's; feeds have better ways
MAX_ARGUMENTS = 10

_VERB = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,40}")
_WANTED = frozenset((b"control", b"supersedes"))
_LENGTHS = frozenset(map(len, _WANTED))


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked."""

    verb: str  # "cancel", "newgroup"... in lower case; "supersedes", "nocem"
    arguments: tuple[str, ...]  # of Control, without the verb
    author: str  # address of From, lower case; "" for none
    sender: str  # of Sender, the same
    keys: str  # of Cancel-Key
    approved: bool

    @property
    def is_control(self) -> bool:
        """It came as a control message: filed with these, and not in the groups it names."""
        return self.verb not in (SUPERSEDES, NOCEM)

    @property
    def target(self) -> str:
        """The Message-ID that is to go, of cancel and Supersedes; "" when there is none."""
        return self.arguments[0] if self.arguments and inject.is_message_id(self.arguments[0]) else ""


def read(digest: Digest, nocem_groups: Iterable[str] = ()) -> Order | None:
    """What an article asks for; None for nothing, as of nearly all."""
    verb, arguments = "", tuple[str, ...]()
    for name, _ in digest.headers:  # of every article: a length tells most of them apart
        if len(name) in _LENGTHS and name.lower() in _WANTED:
            verb, arguments = _verb(digest)
            break
    if not verb and nocem_groups:
        names = {name.strip() for name in text(digest, "Newsgroups").split(",")}
        if not names.isdisjoint(nocem_groups):
            verb = NOCEM
    if not verb:
        return None
    return Order(
        verb,
        arguments,
        author(digest),
        address(digest, "Sender"),
        text(digest, "Cancel-Key"),
        digest.header("Approved") is not None,
    )


def _verb(digest: Digest) -> tuple[str, tuple[str, ...]]:
    words = text(digest, "Control").split(maxsplit=MAX_ARGUMENTS)
    if words:
        verb = words[0].lower()
        return (verb, tuple(words[1:])) if _VERB.fullmatch(verb) else ("unknown", ())
    ids = text(digest, "Supersedes").split()
    return (SUPERSEDES, tuple(ids[:1])) if ids else ("", ())


def text(digest: Digest, name: str) -> str:
    """A field as text; "" when it is missing."""
    raw = digest.header(name)
    return "" if raw is None else headers.unfold(raw).decode("utf-8", "replace").strip()


def author(digest: Digest) -> str:
    """The address of From in lower case: what tells whether two articles have one author."""
    return address(digest, "From")


def address(digest: Digest, name: str) -> str:
    raw = digest.header(name)
    if raw is None:
        return ""
    first = next((one for one in headers.mailboxes(raw) if one.mailbox and one.host), None)
    return "" if first is None else first.spec.lower()
