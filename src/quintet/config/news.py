"""What articles may bring about: cancels and other control messages, moderation, filters, quarantine."""

from __future__ import annotations

from dataclasses import dataclass

from quintet.config.field import opt


@dataclass(frozen=True, slots=True)
class News:
    """One section for all ways by which articles come: POST, feeds, IMAP, mail."""

    docancels: str = opt(
        "auth",
        "Which cancels and Supersedes are heeded. auth: of a locked article with its key (RFC 8315), of "
        "another one by its author; require-auth: only of locked articles, with the key; all: any; none.",
        choices=("auth", "require-auth", "all", "none"),
    )
    third_party_cancels: bool = opt(
        False,
        "With docancels auth, heed cancels of articles without a lock by anybody, not only by their author, "
        "as INN does.",
    )
    newsmasters: tuple[str, ...] = opt(
        (), "Accounts that may post newgroup, rmgroup and checkgroups; such messages need Approved as well."
    )
