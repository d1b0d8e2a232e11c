"""Rules about readers of news: who may read, post and approve in which groups: ``[[nntp.access]]``.

One block says what INN spreads over the auth and access groups of readers.conf.  As there, of all blocks that
fit a connection the last one counts, whole: general blocks first, exceptions below.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from quintet.config.field import opt
from quintet.config.policy import rate
from quintet.values import dataclass

_PATTERNS = re.compile(r"!?[^\s,!\[\]\\]+(,!?[^\s,!\[\]\\]+)*")  # wildmats without sets and escapes


@dataclass(frozen=True, slots=True)
class Access:
    """One rule: whom it is for, and what they may."""

    # --- whom it is for
    accounts: tuple[str, ...] = opt(
        (),
        "Login names it is for; * and ? stand for anything, @name for a list of nntp.people. Empty: also "
        "for those who have not logged in.",
    )
    addresses: tuple[str, ...] = opt((), "Networks it is for. Empty: all.")
    tls: bool = opt(False, "Only for connections under TLS.")
    # --- what they may
    read: str = opt(
        "*", "Groups they may read: patterns as in NEWNEWS, such as local.*,!local.staff.*. Empty: none."
    )
    post: str = opt("", "Groups they may post to.")
    approve: str = opt(
        "", "Groups to which they may post articles with Approved, besides those they moderate."
    )
    locally: str = opt("", "Groups to which they may post although their status (n, x, j) forbids it.")
    ihave: str = opt("", "Groups for which they may offer articles by IHAVE without being a peer.")
    new_news: bool = opt(True, "Answer their NEWNEWS, where nntp.new_news allows it at all.")
    # --- how much
    posts: str = opt(
        "",
        'Articles of one account, or of one address without login, in a time: "100/hour". Empty: no limit.',
    )
    backoff_after: int = opt(
        0,
        "Articles after which posting slows down: the next one waits a second, each further one twice as "
        "long. 0: never.",
        minimum=0,
    )
    backoff_forget_s: float = opt(
        60.0, "Time after which one of these articles is forgotten.", unit="s", minimum=1
    )
    backoff_most_s: float = opt(60.0, "Longest such wait.", unit="s", minimum=1, maximum=600)
    max_rate: int = opt(
        0, "Most that one connection is sent in a second; 0: no limit.", unit="bytes", minimum=0
    )
    connections: int = opt(
        0,
        "Connections at once of one account, or of one address without login, in one worker; 0: no limit.",
        unit="connections",
        minimum=0,
    )
    reject: str = opt("", "If set, they are told this and the connection ends (502).")

    def faults(self, people: frozenset[str]) -> Iterator[tuple[str, str]]:
        """Options that cannot be understood, and why."""
        for option in ("read", "post", "approve", "locally", "ihave"):
            text = getattr(self, option)
            if text and not _PATTERNS.fullmatch(text):
                yield option, f"expected patterns such as local.*,!local.staff.*, got {text!r}"
        if self.posts and rate(self.posts) is None:
            yield "posts", f'expected a rate such as "100/hour", got {self.posts!r}'
        for text in self.addresses:
            try:
                ipaddress.ip_network(text, strict=False)
            except ValueError:
                yield "addresses", f"expected a network such as 10.0.0.0/8 or an address, got {text!r}"
        for text in self.accounts:
            if text.startswith("@") and text[1:] not in people:
                yield "accounts", f"there is no list {text[1:]!r} in nntp.people"
