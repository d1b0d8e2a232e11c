"""Gateways between newsgroups and mailing lists."""

from __future__ import annotations

from collections.abc import Sequence

from quintet.config.field import opt
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Gateway:
    """A newsgroup and a mailing list that have the same messages, `[[gateway]]`."""

    group: str = opt("", "The newsgroup; `quintet group add` makes it.")
    address: str = opt(
        "",
        "Our address for it, in a domain of ours and used for nothing else: subscribe it to the list. Mail "
        "for it is posted, and what is mailed to the list comes from it.",
    )
    list: str = opt("", "Address of the mailing list, here or elsewhere; empty: nothing is mailed to one.")
    list_id: str = opt(
        "",
        'What stands in angle brackets in the List-Id of its mail: "talk.example.org". Mail without it is '
        "refused. Empty: whatever comes for the address is posted.",
    )
    direction: str = opt(
        "both",
        "to_group: mail becomes articles; to_list: articles become mail; both.",
        choices=("both", "to_group", "to_list"),
    )
    digest_to: tuple[str, ...] = opt((), "Addresses that get new articles together as a digest.")
    digest_hours: float = opt(24.0, "Time between two digests.", unit="h", minimum=0.1)
    digest_most: int = opt(
        100, "Most articles of one digest; more of them become several.", minimum=1, maximum=1000
    )

    @property
    def posts(self) -> bool:
        """Mail becomes articles."""
        return self.direction != "to_list"

    @property
    def mails(self) -> bool:
        """Articles become mail to the list."""
        return bool(self.list) and self.direction != "to_group"


def faults(gateways: Sequence[Gateway]) -> list[tuple[int, str, str]]:
    """What is wrong although every value alone is right: number of the block, option, a sentence."""
    found = []
    seen: dict[str, int] = {}
    for at, one in enumerate(gateways):
        if not one.group:
            found.append((at, "group", "expected a newsgroup"))
        if one.address.count("@") != 1 or one.address.startswith("@") or one.address.endswith("@"):
            found.append((at, "address", f"expected an address, got {one.address!r}"))
        elif one.address.lower() in seen:
            found.append((at, "address", "another gateway has it"))
        seen[one.address.lower()] = at
        if one.list and one.list.lower() == one.address.lower():
            found.append((at, "list", "must not be the gateway's own address"))
        if one.direction == "to_list" and not one.list:
            found.append((at, "list", "expected the address of a list"))
        for address in (*one.digest_to, *((one.list,) if one.list else ())):
            if address.count("@") != 1:
                key = "list" if address == one.list else "digest_to"
                found.append((at, key, f"expected an address, got {address!r}"))
    return found
