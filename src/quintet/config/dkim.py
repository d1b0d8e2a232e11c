"""DKIM keys: whose mail is signed, and with what."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence

from quintet.config.field import opt
from quintet.values import dataclass

_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Dkim:
    """One key, `[[dkim]]`; several for a domain sign one after the other.  `quintet dkim make` writes one."""

    domains: tuple[str, ...] = opt(
        (),
        "Domains of authors whose mail it signs, such as example.org; an author at mail.example.org is "
        "signed for by it too, where mail.example.org has no key of its own.",
    )
    selector: str = opt("", "The name of the key's record: SELECTOR._domainkey.DOMAIN.")
    key: str = opt("", "File of the private key (PEM; RSA or Ed25519). Read anew when it changes.")


def beside(keys: Sequence[Dkim], place: Callable[[str], str]) -> tuple[Dkim, ...]:
    """The same, with files meant from the configuration's folder."""
    return tuple(dataclasses.replace(each, key=place(each.key)) for each in keys)


def faults(keys: Sequence[Dkim]) -> list[tuple[int, str, str]]:
    """What is wrong although every value alone is right: number of the block, option, a sentence."""
    found = []
    for at, one in enumerate(keys):
        if not one.domains:
            found.append((at, "domains", "expected a domain (option domains)"))
        bad = next((each for each in one.domains if not _NAME.fullmatch(each.lower())), "")
        if bad:
            found.append((at, "domains", f"expected a domain such as example.org, got {bad!r}"))
        if not _NAME.fullmatch(one.selector.lower()):
            found.append((at, "selector", f"expected a name such as 2026a, got {one.selector!r}"))
        if not one.key:
            found.append((at, "key", "expected a file (option key)"))
    return found
