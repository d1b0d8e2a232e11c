"""What one reader may: the rules of ``[[nntp.access]]`` applied to an account, an address and TLS.

Of all rules that fit, the last one counts, whole (docs/decisions/0060).  What the store's own access rows say
of a group (RFC 4314) holds besides: both must allow.  Groups a reader may not read are not there for them.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence

from quintet.auth.identity import Identity
from quintet.config.nntp import Nntp
from quintet.config.readers import Access
from quintet.net.limits import LOOPBACK, Networks
from quintet.net.seam import Peer
from quintet.policy.wildmat import wildmat
from quintet.values import dataclass

ASPECTS = ("read", "post", "approve", "locally", "ihave")

Names = Callable[[str], bool]
"""Says of a group's name whether something may be done there."""


def _never(name: str) -> bool:
    return False


def _always(name: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Rights:
    """What one rule gives."""

    rule: Access
    read: Names
    post: Names
    approve: Names
    locally: Names
    ihave: Names

    @property
    def reads(self) -> bool:
        """Whether there is any group to read."""
        return self.read is not _never

    @property
    def reads_all(self) -> bool:
        """Whether every group may be read, so that none need be looked at."""
        return self.read is _always

    @property
    def posts(self) -> bool:
        return self.post is not _never


NONE = Rights(Access(read=""), _never, _never, _never, _never, _never)


class Rules:
    """All rules, compiled; shared by the connections of a process."""

    def __init__(self, config: Nntp) -> None:
        blocks = config.access or _plain(config)
        self._rules = [_Compiled(block, config.people) for block in blocks]

    def of(self, peer: Peer, identity: Identity | None) -> Rights:
        """What somebody may, as they stand: the last rule that fits; `NONE` without one."""
        name = identity.name if identity is not None else ""
        return next((one.rights for one in reversed(self._rules) if one.fits(peer, name)), NONE)

    def login_helps(self, peer: Peer, aspect: str) -> bool:
        """Whether some account could get from here what an anonymous reader has not (then it is 480)."""
        return any(
            one.who is not None and one.near(peer) and getattr(one.rights, aspect) is not _never
            for one in self._rules
        )

    def tls_helps(self, peer: Peer, identity: Identity | None, aspect: str) -> bool:
        """Whether the same reader would get it under TLS (then it is 483)."""
        name = identity.name if identity is not None else ""
        return not peer.secure and any(
            one.rule.tls and one.known(name) and one.near(peer) and getattr(one.rights, aspect) is not _never
            for one in self._rules
        )


class _Compiled:
    """One rule, ready to be asked."""

    __slots__ = ("_networks", "rights", "rule", "who")

    def __init__(self, rule: Access, people: dict[str, tuple[str, ...]]) -> None:
        self.rule = rule
        self.who = _names(rule.accounts, people) if rule.accounts else None  # None: anybody
        self._networks = Networks(rule.addresses) if rule.addresses else None
        names = {aspect: _patterns(getattr(rule, aspect)) for aspect in ASPECTS}
        self.rights = Rights(rule, **names)

    def fits(self, peer: Peer, name: str) -> bool:
        return self.known(name) and self.near(peer) and (peer.secure or not self.rule.tls)

    def known(self, name: str) -> bool:
        return self.who is None or (bool(name) and self.who.fullmatch(name.lower()) is not None)

    def near(self, peer: Peer) -> bool:
        address = "127.0.0.1" if peer.address in ("unix", "memory") else peer.address
        return self._networks is None or address in self._networks


def _plain(config: Nntp) -> Sequence[Access]:
    """What the options ``read`` and ``post`` mean as rules."""
    anyone = Access(read="*" if config.read == "anyone" else "", post="*" if config.post == "anyone" else "")
    rules = [anyone]
    if config.post == "local":
        rules.append(Access(addresses=LOOPBACK, read=anyone.read, post="*"))
    rules.append(Access(accounts=("*",), read="*", post="" if config.post == "nobody" else "*"))
    return rules


def _names(accounts: Sequence[str], people: dict[str, tuple[str, ...]]) -> re.Pattern[str]:
    """One expression for login names and lists of them."""
    wanted: list[str] = []
    for one in accounts:
        wanted += people.get(one[1:], ()) if one.startswith("@") else (one,)
    return re.compile("|".join(fnmatch.translate(one.lower()) for one in wanted) or r"(?!)")


def _patterns(text: str) -> Names:
    if not text:
        return _never
    return _always if text == "*" else wildmat(text)
