"""A message for what its recipients stand for: aliases and forwards followed, senders rewritten, loops cut.

The step `expand` of `inbound`: afterwards the envelope has one recipient for each real destination, so that
checks, filters and filing know nothing of aliases.  Where addresses lead was found at RCPT (`ways`).
RFC 5321 3.9.1 and 6.3, RFC 3461 5.2.7, RFC 9228 (Delivered-To).
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from quintet import log
from quintet.delivery import notify, srs
from quintet.delivery.directory import Directory, ascii_domain
from quintet.delivery.envelope import Envelope, Mailbox, Recipient, mailbox
from quintet.errors import Problem, Reason, Refused, TryLater
from quintet.message.digest import Digest
from quintet.store import secrets
from quintet.store.store import Store

if TYPE_CHECKING:
    from quintet.delivery.inbound import Passage

MAX_DESTINATIONS = 20_000  # of one message: a thousand recipients that stand for twenty each
MAX_TRAIL = 100  # Delivered-To fields that are looked at

logger = log.get("delivery")


def expand(passage: Passage) -> Awaitable[None] | None:
    """Puts in place of each recipient what it stands for; ``passage.of`` tells whose each is.

    Raises:
        Refused(LOOP): it has been here before, and nobody is left to have it.
        TryLater(TOO_MANY): it would go to more than `MAX_DESTINATIONS`.
    """
    if passage.more:
        return _expand(passage)
    for one in passage.envelope.recipients:
        if one.leads:
            return _expand(passage)
    return None


async def _expand(passage: Passage) -> None:
    envelope = passage.envelope
    inbound = passage.inbound
    trail = delivered_to(passage.content.digest)
    flat: list[Recipient] = []
    of: list[int] = []
    named = {str(one.address).lower() for one in envelope.recipients if one.elsewhere}
    unasked = [(-1, replace(one, notify=(notify.NEVER,))) for one in passage.more]
    for number, asked in [*enumerate(envelope.recipients), *unasked]:
        found = await leads(inbound.store, inbound.directory, envelope, asked, trail, passage.now)
        for one in found:
            if one.elsewhere and one is not asked:
                name = str(one.address).lower()
                if name in named:
                    continue  # once is enough, however many names lead there
                named.add(name)
            flat.append(one)
            of.append(number)
    if not flat:
        raise Refused(Reason.LOOP, "Mail loop: it was forwarded from here before")
    if len(flat) > MAX_DESTINATIONS:
        raise TryLater(Reason.TOO_MANY)
    passage.asked, passage.of = envelope, of
    passage.envelope = replace(envelope, recipients=flat)


async def leads(
    store: Store,
    directory: Directory,
    envelope: Envelope,
    asked: Recipient,
    trail: frozenset[str],
    now: int,
) -> list[Recipient]:
    """The destinations of one recipient, each with its sender and its wishes.

    ``trail`` are the addresses that forwarded the message already: a copy that would go through one of them
    again is left out, as it was sent then.  Raises TryLater.
    """
    if not asked.leads:
        return [asked]
    wanted = notify.inherited(asked.notify, len(asked.leads))
    found = []
    for lead in asked.leads:
        if trail and any(address.lower() in trail for address in lead.via):
            logger.info("loop cut", conn=envelope.peer.id, id=envelope.id, address=str(lead.address))
            continue
        found.append(
            replace(
                lead,
                notify=wanted,
                orcpt=asked.orcpt,
                expanded=asked.expanded,
                sender=await sender(store, directory, envelope.sender, lead, now),
            )
        )
    return found


async def sender(
    store: Store, directory: Directory, original: Mailbox, lead: Recipient, now: int
) -> Mailbox | None:
    """What the sender must become for a forwarded copy; None: it stays.

    Only a foreign sender's is rewritten, and only on the way to elsewhere.  Raises TryLater.
    """
    config = directory.config
    if not lead.via or not original or not config.srs or directory.is_local(original.domain):
        return None
    domain = config.srs_domain or mailbox(lead.via[-1]).domain
    key = await directory.key()
    named = replace(original, domain=ascii_domain(original.domain))
    made = srs.rewrite(key, named, domain, now)
    if len(made.local.encode()) > srs.MAX_LOCAL:
        made, token = srs.short(key, named, domain)
        await store.write(secrets.keep_sender, token, str(named), now + srs.DAYS * srs.DAY_MS)
    return made


def delivered_to(digest: Digest) -> frozenset[str]:
    """Addresses that the message was delivered to or forwarded by, in lower case (RFC 9228)."""
    found = [
        value.strip().decode("utf-8", "replace").lower()
        for name, value in digest.headers
        if len(name) == 12 and name.lower() == b"delivered-to"
    ]
    return frozenset(found[:MAX_TRAIL])


def trail(prefix: bytes) -> frozenset[str]:
    """The addresses of ours that trace lines name, by which the message came so far."""
    lines = prefix.decode("utf-8", "replace").lower().split("\r\n")
    return frozenset(
        line.removeprefix("delivered-to:").strip() for line in lines if line.startswith("delivered-to:")
    )


def named(passage: Passage, number: int) -> str:
    """A recipient as it was named, also where an alias led elsewhere since."""
    if passage.asked is not None and passage.of[number] >= 0:
        return str(passage.asked.recipients[passage.of[number]].address)
    return str(passage.envelope.recipients[number].address)


def outcomes(of: Sequence[int], found: Sequence[Problem | None], asked: int) -> list[Problem | None]:
    """One outcome for each recipient as it was named: good when any of its destinations is."""
    told: list[Problem | None] = [None] * asked
    good = {number for number, outcome in zip(of, found, strict=True) if outcome is None}
    for number, outcome in zip(of, found, strict=True):
        if number >= 0 and number not in good:
            told[number] = outcome
    return told
