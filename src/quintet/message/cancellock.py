"""Cancel-Lock and Cancel-Key: who made an article shows it when taking it back (RFC 8315).  Pure.

A *key* is a secret that only its maker can compute again; a *lock* is the hash of the key's text, shown in
the article.  A cancel or a superseding article carries the key, and everybody can check that it fits.
When locks and keys are made, and what a wrong key leads to, is `delivery`'s business.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable

from quintet.values import dataclass

SCHEME = "sha256"  # the one that must be there, and the only one we make. RFC 8315 2
MAX_ELEMENTS = 64  # of one field; each agent on an article's way may add one or two

# RFC 8315 2 and 8.3; all but sha256 are checked, never made
_HASHES = {
    "sha1": hashlib.sha1,
    "sha224": hashlib.sha224,
    "sha256": hashlib.sha256,
    "sha384": hashlib.sha384,
    "sha512": hashlib.sha512,
}
_BRACKET = re.compile(r"\\.|[()]", re.DOTALL)
# RFC 8315 6: keys of old programs are any octets of base64
_ELEMENT = re.compile(r"([A-Za-z0-9/+-]+):([A-Za-z0-9+/=]{1,512})(?::\S*)?\Z")


@dataclass(frozen=True, slots=True)
class Element:
    """One entry of either field: a scheme in lower case and base64 text."""

    scheme: str
    text: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.text}"


def key(secret: bytes, message_id: str, user: str = "") -> Element:
    """The key of an article (RFC 8315 4): HMAC over the user's name and the Message-ID.

    ``user`` is "" for the key of the server's administrator, which takes back any article that was
    injected here; else a name that stays with its owner, so that nobody else's key fits.
    """
    digest = hmac.digest(secret, (user + message_id).encode(), "sha256")
    return Element(SCHEME, base64.b64encode(digest).decode())


def lock(of: Element) -> Element | None:
    """The lock that a key opens: the hash of its base64 text.  None for a scheme that we do not know."""
    if of.scheme not in _HASHES:
        return None
    return Element(of.scheme, base64.b64encode(_HASHES[of.scheme](of.text.encode()).digest()).decode())


def parse(value: str) -> list[Element]:
    """The elements of a Cancel-Lock or Cancel-Key field, without comments and what is none.

    At most `MAX_ELEMENTS`; what comes after them is not looked at.
    """
    found = []
    for word in _without_comments(value).split()[:MAX_ELEMENTS]:
        match = _ELEMENT.match(word)
        if match:
            found.append(Element(match[1].lower(), match[2]))
    return found


def _without_comments(value: str) -> str:
    """A blank for each comment, which alone parts two elements (RFC 8315 2); an open one runs to the end."""
    kept, depth, at = [], 0, 0
    for match in _BRACKET.finditer(value):
        if match[0] == "(":
            if not depth:
                kept.append(value[at : match.start()])
            depth += 1
        elif match[0] == ")" and depth:
            depth, at = depth - 1, match.end()
    return " ".join((*kept, value[at:])) if not depth else " ".join(kept)


def opens(keys: str, locks: str) -> bool:
    """Whether one of the keys of a Cancel-Key field fits one of the locks of a Cancel-Lock field.

    RFC 8315 3.5: one pair is enough; elements of schemes that are not known are passed over.
    """
    shown = set(parse(locks))
    return any((made := lock(one)) is not None and made in shown for one in parse(keys))


def extended(value: str, more: Iterable[Element]) -> str:
    """A field's value with elements added that it has not yet (RFC 8315 3.2, 3.4); ``value`` may be ""."""
    have = set(parse(value))
    words = [value] if value else []
    for one in more:
        if one not in have:
            have.add(one)
            words.append(str(one))
    return " ".join(words)
