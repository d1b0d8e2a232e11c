"""What reports say to people, in their language: phrases by language, and what a status means in plain words.

The phrases lie in ``phrases/``, one file a language.  Which language somebody reads is told by their account
or by their message: Accept-Language and Content-Language (RFC 3282), the tags of RFC 5646.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib import resources

DEFAULT = "en"
LANGUAGES = ("en", "cs", "de", "es", "fr", "it", "ja", "nl", "pl", "pt", "ru", "sv", "tr", "uk", "zh")
MAX_TAGS = 20  # of one field

_RANGE = re.compile(r"\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*|\*)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?")

# RFC 3463 3: subject and detail of a status; the detail "" stands for the others of its subject
_REASONS = {
    "1.1": "no_mailbox",
    "1.2": "no_domain",
    "1.3": "no_mailbox",
    "1.6": "no_mailbox",
    "1.7": "sender",
    "1.8": "sender",
    "1.10": "no_domain",  # RFC 7505
    "2.1": "disabled",
    "2.2": "full",
    "2.3": "too_big",
    "3.1": "full",
    "3.4": "too_big",
    "3.": "busy",
    "4.6": "loop",
    "4.7": "expired",
    "4.": "unreachable",
    "6.": "content",
    "7.4": "tls",
    "7.5": "tls",
    "7.10": "tls",
    "7.13": "disabled",
    **{f"7.{detail}": "proof" for detail in (*range(20, 27), 29)},  # RFC 7372
    "7.27": "sender",
    "7.30": "tls",  # RFC 8689
    "7.": "policy",
}


class Phrases:
    """One language's words."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        text = resources.files("quintet.delivery.phrases").joinpath(f"{tag}.toml").read_text("utf-8")
        self._table = tomllib.loads(text)

    def keys(self) -> Iterator[str]:
        """All names that `say` knows."""
        for name, value in self._table.items():
            yield from (f"{name}.{inner}" for inner in value) if isinstance(value, dict) else (name,)

    def say(self, key: str, **values: str) -> str:
        """A phrase by its name ("text.failed") with its places filled."""
        found = self._table
        for name in key.split("."):
            found = found[name]
        return str(found).format_map(values)


@functools.cache
def phrases(tag: str) -> Phrases:
    """Those of one of `LANGUAGES`."""
    return Phrases(tag)


def known(tags: Iterable[str]) -> str:
    """The first of ``tags`` that we speak, as one of `LANGUAGES`; "" for none ("de-AT" is "de")."""
    for tag in tags:
        primary = tag.partition("-")[0].lower()
        if primary in LANGUAGES:
            return primary
    return ""


def wanted(accept: str, content: str) -> str:
    """The language that a message's author reads: what Accept-Language likes best, else what it is in.

    Takes the two fields' values; "" when they say nothing that we know.
    """
    liked = sorted(_ranges(accept), key=lambda found: -found[1])
    return known([tag for tag, quality in liked if quality > 0]) or known(tag for tag, _ in _ranges(content))


def _ranges(value: str) -> list[tuple[str, float]]:
    found = []
    for each in value.split(",")[:MAX_TAGS]:
        match = _RANGE.fullmatch(each)
        if match is not None:
            found.append((match[1], float(match[2]) if match[2] else 1.0))
    return found


def reason(status: str) -> str:
    """The name of what a status like "5.1.1" means in plain words, "" when it says nothing to people."""
    group, _, rest = status.partition(".")
    subject = rest.partition(".")[0]
    found = _REASONS.get(rest) or _REASONS.get(f"{subject}.", "")
    return found or ("busy" if group == "4" else "")
