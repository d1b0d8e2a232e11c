"""DMARC: whether the author's domain proves a message, and what it asks for where it does not.

The organization of a domain is found by walking up to the highest record, as the second edition of DMARC has
it (draft-ietf-dmarc-dmarcbis 4.10), not by a list of public suffixes.  RFC 7489 3.1, 6.3, 6.6.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from quintet.values import dataclass

MAX_WALK = 8  # names asked for one domain (draft-ietf-dmarc-dmarcbis 4.10)
MAX_RECORD = 2000  # octets of a record that are read
WEAKER = {"reject": "quarantine", "quarantine": "none", "none": "none"}

_NAME = re.compile(r"[a-z]{1,10}")


class Texts(Protocol):
    """What is asked of `net.dns.Resolver`."""

    async def txt(self, name: str) -> list[bytes]:
        """Raises TryLater."""
        ...


@dataclass(frozen=True, slots=True)
class Policy:
    """What a domain published."""

    organization: str  # domains within it belong together
    wish: str = "none"  # "none", "quarantine", "reject"
    strict_dkim: bool = False
    strict_spf: bool = False

    def aligned(self, author: str, proven: str, strict: bool) -> bool:
        """RFC 7489 3.1: ``proven`` speaks for ``author``."""
        if strict or author == proven:
            return author == proven
        return proven == self.organization or proven.endswith("." + self.organization)


async def policy(resolver: Texts, domain: str) -> Policy | None:
    """The policy for authors at ``domain`` (A-labels, lower case); None: nothing is published.

    Raises TryLater.
    """
    found: list[tuple[str, dict[str, str]]] = []
    for name in walk(domain):
        read = [record(text) for text in await resolver.txt(f"_dmarc.{name}")]
        records = [each for each in read if each is not None]
        if len(records) == 1:  # RFC 7489 6.6.3: several are none
            found.append((name, records[0]))
            if records[0].get("psd", "u") in ("y", "n"):
                break
    if not found:
        return None
    name, top = found[-1]
    if top.get("psd") == "y" and name != domain:
        labels = domain.removesuffix("." + name).split(".")
        name = f"{labels[-1]}.{name}"
    where, tags = found[0] if found[0][0] == domain else found[-1]
    wish = tags.get("p", "none") if where == domain else tags.get("sp", tags.get("p", "none"))
    wish = wish.lower() if wish.lower() in WEAKER else "none"
    if tags.get("t", "n") == "y" or tags.get("pct") == "0":
        wish = WEAKER[wish]
    return Policy(name, wish, tags.get("adkim", "r").lower() == "s", tags.get("aspf", "r").lower() == "s")


def walk(domain: str) -> Sequence[str]:
    """The names at which a record is looked for: the domain itself and those above it, but no top level."""
    labels = domain.rstrip(".").split(".")
    starts = range(max(1, len(labels) - MAX_WALK + 1), max(1, len(labels) - 1))
    return [".".join(labels[start:]) for start in (0, *starts)]


def record(text: bytes) -> dict[str, str] | None:
    """Tags of a record, None for another text (RFC 7489 6.4)."""
    tags: list[tuple[str, str]] = []
    for part in text[:MAX_RECORD].decode("ascii", "replace").split(";"):
        name, equals, value = part.partition("=")
        if equals and _NAME.fullmatch(name.strip()):
            tags.append((name.strip(), value.strip()))
    return dict(reversed(tags)) if tags and tags[0] == ("v", "DMARC1") else None
