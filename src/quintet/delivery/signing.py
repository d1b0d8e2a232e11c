"""Signs our own people's mail that leaves (DKIM, RFC 6376), with the keys of `[[dkim]]`.

One step of the way in, just before a message is filed: what is signed then is what the queue sends.  Only who
logged in, or is trusted to relay, is signed for, and who logged in only where the author is they themselves.
What the server writes itself is signed by who makes it (`Signer.sealed`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from quintet import log
from quintet.clock import Clock
from quintet.config.dkim import Dkim
from quintet.delivery import filing, hashing, inbound
from quintet.delivery.checks import Later
from quintet.delivery.directory import ascii_domain
from quintet.delivery.envelope import Mailbox
from quintet.delivery.watched import Watched
from quintet.errors import TryLater
from quintet.message import headers, words
from quintet.message.digest import Fields
from quintet.policy import dkim
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.delivery.inbound import Passage, Step
    from quintet.store.content import Content

logger = log.get("policy")

Seal = Callable[[bytes], bytes]
"""`Signer.sealed`, or nothing in its place."""


@dataclass(frozen=True, slots=True)
class _Seal:
    """A key in use."""

    domain: str
    selector: str
    key: Watched[dkim.Key]


class Signer:
    """One a process."""

    def __init__(self, keys: Sequence[Dkim], clock: Clock) -> None:
        self._clock = clock
        self._seals: dict[str, list[_Seal]] = {}
        for each in keys:
            key = Watched(each.key, clock, dkim.read, f"DKIM key {each.selector}")
            with contextlib.suppress(TryLater):
                key.get()  # what is wrong with it stands in the log at once
            for domain in each.domains:
                name = domain.lower()
                self._seals.setdefault(name, []).append(_Seal(name, each.selector, key))

    def joined(self, steps: Sequence[Step]) -> tuple[Step, ...]:
        """The steps of the way in with `step` among them: when all is decided, before it is filed."""
        at = steps.index(inbound.file)
        return (*steps[:at], self.step, *steps[at:])

    def step(self, passage: Passage) -> Later:
        """A `inbound.Step`.  Raises TryLater(STORAGE): a key cannot be read, or the message."""
        if not any(type(one) is filing.Send for one in passage.decisions):
            return None
        author = _author(passage.content.headers)
        seals = self._of(author.domain)
        if not seals or not _may_sign_as(passage, author):
            return None
        return self._sign(passage, seals)

    async def _sign(self, passage: Passage, seals: Sequence[_Seal]) -> None:
        passage.fields[:0] = await self._over(passage.content, seals)
        logger.info(
            "signed",
            id=passage.envelope.id,
            keys=[f"{one.selector}._domainkey.{one.domain}" for one in seals],
        )

    def sealed(self, message: bytes) -> bytes:
        """A message that the server wrote, as it is or with signatures.  Raises TryLater(STORAGE)."""
        head, _, body = message.partition(b"\r\n\r\n")
        fields = dkim.cut(head)
        seals = self._of(_author(fields).domain)
        if not seals:
            return message
        return b"".join((*self._fields(fields, dkim.body_hash(body), seals), message))

    async def signatures(self, content: Content) -> bytes:
        """What stands before such a message, of any size, to sign it.  Raises TryLater(STORAGE)."""
        seals = self._of(_author(content.headers).domain)
        return b"".join(await self._over(content, seals)) if seals else b""

    async def _over(self, content: Content, seals: Sequence[_Seal]) -> list[bytes]:
        body = dkim.BodyHash()
        fields = await hashing.fed(content, lambda _: (body,))
        return self._fields(fields, body.finish(), seals)

    def _of(self, domain: str) -> Sequence[_Seal]:
        """The keys for an author's domain: its own, else those of the nearest domain above it."""
        name = ascii_domain(domain)
        while name:
            if found := self._seals.get(name):
                return found
            name = name.partition(".")[2]
        return ()

    def _fields(self, fields: Fields, body: bytes, seals: Sequence[_Seal]) -> list[bytes]:
        make = partial(dkim.field, fields=fields, body=body, at=self._clock.now() // 1000)
        return [make(one.key.get(), one.domain, one.selector) for one in seals]


def _author(fields: Fields) -> Mailbox:
    """The first address of the first From."""
    for name, value in fields:
        if name.lower() == b"from":
            for one in headers.mailboxes(value)[:1]:
                return Mailbox(words.decode_bytes(one.mailbox), words.decode_bytes(one.host).lower())
    return _NOBODY


def _may_sign_as(passage: Passage, author: Mailbox) -> bool:
    envelope, way_in = passage.envelope, passage.inbound
    if envelope.identity is not None:
        return way_in.writes_as(envelope.identity.account_id, author)
    return bool(envelope.peer.user) or way_in.trusts(envelope.peer.address)


_NOBODY = Mailbox("", "")
