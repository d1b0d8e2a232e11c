"""Which articles a peer gets: by groups, distribution, size, hops, Path, control and share.

Pure, and as INN's newsfeeds(5) decides; one `Choice` a peer.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

from quintet.config.peers import Peer
from quintet.delivery.arrive import is_message_id
from quintet.policy.newsfilter import Says, patterns, wants
from quintet.policy.wildmat import wildmat
from quintet.store.feeding import Listed

_FIELD = re.compile(
    rb"(?im)^(path|newsgroups|followup-to|distribution|control|archive|injection-info|x-trace):"
    rb"[ \t]*([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)"
)
_NO_ARCHIVE = re.compile(rb"(?i)(?:\s|\([^()]*\))*no\b")
_HOP = re.compile(rb"[^!\s]+")


class Choice:
    """One peer's selection; ``is_moderated`` is asked about groups where the peer cares."""

    def __init__(self, peer: Peer, is_moderated: Callable[[str], bool] = bool) -> None:
        self.peer, self._is_moderated = peer, is_moderated
        self._patterns = patterns(peer.send)
        own = {peer.host, peer.name, *peer.identity} if peer.check_path else set[str]()
        names = (own | set(peer.exclude)) - {""}
        self._excluded = frozenset(name.lower().encode() for name in names)
        self._low, self._high, self._modulus = peer.share()
        # refusals alone let all others through
        positive = any(not one.startswith("!") for one in peer.originators)
        self._originators = wildmat(",".join((*(() if positive else ("*",)), *peer.originators)))

    def wants(self, article: Listed) -> bool:
        peer = self.peer
        if not is_message_id(article.message_id.encode()):
            return False  # it came by hand, or from an old spool; no peer could answer to it
        if (peer.max_size and article.size > peer.max_size) or article.size < peer.min_size:
            return False
        if self._modulus > 1 and not self._low <= share_of(article.message_id, self._modulus) <= self._high:
            return False
        head = article.head
        end = head.find(b"\r\n\r\n")
        fields = {
            name.lower(): value
            for name, value in reversed(_FIELD.findall(head, 0, end if end > 0 else len(head)))
        }
        return self._wants(fields)

    def _wants(self, fields: dict[bytes, bytes]) -> bool:
        peer = self.peer
        hops = _HOP.findall(fields.get(b"path", b""))
        if peer.max_hops and len(hops) > peer.max_hops:
            return False
        if any(hop.lower() in self._excluded for hop in hops[:-1]):  # the last one is no server's name
            return False
        is_control = b"control" in fields
        if (is_control and peer.control == "none") or (not is_control and peer.control == "only"):
            return False
        if peer.archive and _NO_ARCHIVE.match(fields.get(b"archive", b"")):
            return False
        if peer.need_distribution and not fields.get(b"distribution", b"").strip():
            return False
        if peer.distributions and b"distribution" in fields:
            words = fields[b"distribution"].decode("latin-1").replace(",", " ").split()
            if not wants(peer.distributions, words):
                return False
        if peer.originators and not self._comes_from_there(fields):
            return False
        groups = _names(fields.get(b"newsgroups", b""))
        if peer.max_groups and len(groups) > peer.max_groups:
            return False
        followups = len(_names(fields.get(b"followup-to", b"")) or groups)  # "poster" is one, as in INN
        if peer.max_followups and followups > peer.max_followups:
            return False
        if peer.max_spread and len(groups) + followups**2 > peer.max_spread:
            return False
        if peer.moderated != "all":
            groups = [name for name in groups if self._is_moderated(name) is (peer.moderated == "only")]
        return self._patterns.of(groups) is Says.YES

    def _comes_from_there(self, fields: dict[bytes, bytes]) -> bool:
        """Whether the server that injected it is one of those asked for (INN's O flag)."""
        value = fields.get(b"injection-info") or fields.get(b"x-trace") or b""
        words = value.replace(b";", b" ").split(None, 1)
        return bool(words) and self._originators(words[0].decode("utf-8", "replace"))


def _names(value: bytes) -> list[str]:
    """The words of a list with commas."""
    return [name for name in b"".join(value.split()).decode("utf-8", "replace").split(",") if name]


def share_of(message_id: str, modulus: int) -> int:
    """1 to ``modulus``: the same for an article everywhere (INN's Q flag: the last bytes of its MD5)."""
    digest = hashlib.md5(message_id.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[12:16]) % modulus + 1
