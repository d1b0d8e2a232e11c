"""What goes by itself: articles of groups, mail in folders; and how long what was deleted can be had back."""

from __future__ import annotations

from quintet.config.field import opt
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Expire:
    """How long articles stay, `[[expire]]`; the first block that fits an article in a group decides."""

    # --- which articles
    groups: list[str] = opt(
        ["*"],
        "Groups, as wildmat patterns; ! in front excludes, and the last one that matches decides: "
        '["comp.*", "!comp.binaries.*"].',
    )
    status: str = opt(
        "any",
        "Only moderated groups, or only the others.",
        choices=("any", "moderated", "unmoderated"),
    )
    min_size: int = opt(0, "Only articles of at least so many bytes.", unit="bytes", minimum=0)
    max_size: int = opt(0, "Only articles of at most so many bytes; 0: of any size.", unit="bytes", minimum=0)
    with_expires: str = opt(
        "any",
        "Only articles with an Expires header, or only those without.",
        choices=("any", "yes", "no"),
    )
    # --- how long
    minimum: float = opt(
        0.0,
        "An article stays so long after its arrival, even when its Expires header ends it sooner.",
        unit="days",
        minimum=0,
    )
    default: float = opt(
        0.0, "How long an article without Expires header stays; 0: for ever.", unit="days", minimum=0
    )
    maximum: float = opt(
        0.0, "However late its Expires header is, it stays no longer; 0: no limit.", unit="days", minimum=0
    )
    everywhere: bool = opt(False, "An article that goes from one of these groups goes from all its groups.")
    # --- how much; the oldest go first
    max_articles: int = opt(0, "Most articles in one of these groups; 0: no limit.", minimum=0)
    max_bytes: int = opt(
        0, "Most bytes of articles in one of these groups; 0: no limit.", unit="bytes", minimum=0
    )
    total_bytes: int = opt(
        0, "Most bytes of all these groups together; 0: no limit.", unit="bytes", minimum=0
    )


@dataclass(frozen=True, slots=True)
class Retention:
    """How long mail stays, `[[retention]]`; the first block that fits a folder decides."""

    # --- which folders
    folders: list[str] = opt(
        [], 'Folders by their whole name, * and ? stand for anything: "Trash/*"; nothing is every folder.'
    )
    roles: list[str] = opt(
        [],
        "Folders by what they are for: inbox, drafts, sent, junk, trash, archive; nothing is every folder. "
        "A folder fits that has one of the names or one of the roles.",
    )
    accounts: list[str] = opt([], "Accounts, * and ? stand for anything; nothing is every account.")
    # --- how long, how much
    days: float = opt(
        0.0, "How long a message stays after it came into the folder; 0: for ever.", unit="days", minimum=0
    )
    keep_flagged: bool = opt(True, "Messages that somebody flagged stay.")
    max_messages: int = opt(0, "Most messages in one folder, the oldest go first; 0: no limit.", minimum=0)
    max_bytes: int = opt(
        0, "Most bytes in one folder, the oldest go first; 0: no limit.", unit="bytes", minimum=0
    )
    undelete: float = opt(
        0.0,
        "How long after it was expunged, by somebody or by these rules, a message can be had back with "
        "`quintet undelete`; it is hidden, counts for no quota, and its content stays on the disk.",
        unit="days",
        minimum=0,
    )


ROLES = ("inbox", "drafts", "sent", "junk", "trash", "archive", "important", "flagged", "all")


def faults(expire: tuple[Expire, ...], retention: tuple[Retention, ...]) -> list[tuple[str, int, str, str]]:
    """What is wrong although every value alone is right: block kind, its number, option, a sentence."""
    found = []
    for at, block in enumerate(expire):
        if block.maximum and block.default > block.maximum:
            found.append(("expire", at, "default", "must not be more than maximum"))
        if block.maximum and block.minimum > block.maximum:
            found.append(("expire", at, "minimum", "must not be more than maximum"))
        if block.default and block.minimum > block.default:
            found.append(("expire", at, "minimum", "must not be more than default"))
        if block.max_size and block.min_size > block.max_size:
            found.append(("expire", at, "min_size", "must not be more than max_size"))
        if not block.groups:
            found.append(("expire", at, "groups", "expected at least one pattern"))
    for at, rule in enumerate(retention):
        for role in rule.roles:
            if role not in ROLES:
                text = f"expected one of {', '.join(ROLES)}, got {role!r}"
                found.append(("retention", at, "roles", text))
    return found
