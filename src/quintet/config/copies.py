"""Copies of mail for an archive or an auditor."""

from __future__ import annotations

from collections.abc import Sequence

from quintet.config.field import opt
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Copy:
    """Mail of which somebody else gets a copy, `[[copy]]`."""

    to: str = opt("", "Address that gets it, here or elsewhere; its sender hears nothing of it.")
    sender: str = opt("", "Of mail from this address or domain only; empty: of all.")
    recipient: str = opt("", "Of mail to this address or domain only; empty: to all.")


def faults(copies: Sequence[Copy]) -> list[tuple[int, str, str]]:
    """What is wrong although every value alone is right: number of the block, option, a sentence."""
    found = [
        (at, "to", f"expected an address, got {one.to!r}")
        for at, one in enumerate(copies)
        if one.to.count("@") != 1 or one.to.startswith("@") or one.to.endswith("@")
    ]
    for at, one in enumerate(copies):
        for option, text in (("sender", one.sender), ("recipient", one.recipient)):
            if "*" in text or "?" in text or text.startswith("."):
                found.append((at, option, f"expected an address or a domain, got {text!r}"))
    return found
