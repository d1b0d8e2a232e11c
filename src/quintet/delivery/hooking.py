"""An administrator's hooks among the checks and filters: what they see, what their answers lead to.

An answer holds for what is known when it is given: one at connection for each message of it, one at MAIL or
after the data for all recipients, one at RCPT or delivery for that recipient.  The later and narrower one
wins.  Loading and calling is `policy.hooks`'.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from quintet.delivery import expand, filing, weighing
from quintet.delivery.checks import Check, Later
from quintet.policy import hooks, outcomes
from quintet.policy.hooks import Hooks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from quintet.auth.identity import Identity
    from quintet.delivery.envelope import Envelope, Recipient
    from quintet.delivery.inbound import Passage
    from quintet.delivery.verdict import Verdict
    from quintet.net.seam import Peer
    from quintet.policy.outcomes import Outcome
    from quintet.store.content import Content

Fate = outcomes.Discard | outcomes.FileInto | outcomes.Quarantine


@dataclass(slots=True)
class Said:
    """What hooks said so far; of a connection, or of a message."""

    fate: Fate | None = None  # of all recipients
    each: dict[str, Fate] = field(default_factory=dict)  # of single ones, by address as at RCPT
    silent: bool = False  # a hook accepted: no other is asked

    def copy(self) -> Said:
        return Said(self.fate, dict(self.each), self.silent)


class Hooked(Check):
    """The hooks as a check; its `filter` stands among the filters."""

    def __init__(self, asked: Hooks) -> None:
        self._hooks = asked

    def connect(self, peer: Peer, verdict: Verdict) -> Later:
        return self._connection("connect", peer, verdict) if "connect" in self._hooks else None

    def helo(self, peer: Peer, verdict: Verdict) -> Later:
        return self._connection("helo", peer, verdict) if "helo" in self._hooks else None

    async def _connection(self, name: str, peer: Peer, verdict: Verdict) -> None:
        said = _said(verdict)
        if said.silent:
            return
        answers = await self._hooks.call(name, _peer(peer), conn=peer.id)
        said.fate = _take(answers, verdict, said) or said.fate

    def mail(self, envelope: Envelope, verdict: Verdict) -> Later:
        return self._mail(envelope, verdict) if "mail" in self._hooks else None

    async def _mail(self, envelope: Envelope, verdict: Verdict) -> None:
        said = _said(verdict)
        if not said.silent:
            answers = await self._hooks.call("mail", _message(envelope), conn=envelope.peer.id)
            said.fate = _take(answers, verdict, said) or said.fate

    def rcpt(self, envelope: Envelope, recipient: Recipient, verdict: Verdict) -> Later:
        return self._rcpt(envelope, recipient, verdict) if "rcpt" in self._hooks else None

    async def _rcpt(self, envelope: Envelope, recipient: Recipient, verdict: Verdict) -> None:
        said = _said(verdict)
        if said.silent:
            return
        answers = await self._hooks.call(
            "rcpt", _message(envelope), _recipient(recipient), conn=envelope.peer.id
        )
        fate = _take(answers, verdict, None)
        if fate is not None:
            said.each[str(recipient.address)] = fate

    def message(self, passage: Passage) -> Later:
        return self._data(passage) if "data" in self._hooks else None

    async def _data(self, passage: Passage) -> None:
        said = _said(passage.verdict)
        if not said.silent:
            seen = _message(passage.envelope, passage)
            answers = await self._hooks.call("data", seen, conn=passage.envelope.peer.id)
            said.fate = _take(answers, passage.verdict, said) or said.fate

    async def filter(self, passage: Passage, number: int) -> filing.Decision | None:
        """A `checks.Filter`: asks the hook `delivery`, then looks up what earlier ones said."""
        said, recipient = _said(passage.verdict), passage.envelope.recipients[number]
        fate: Fate | None = None
        if "delivery" in self._hooks and not said.silent:
            answers = await self._hooks.call(
                "delivery",
                _message(passage.envelope, passage),
                _recipient(recipient),
                conn=passage.envelope.peer.id,
            )
            for answer in answers:
                if isinstance(answer, outcomes.Refuse):
                    return filing.Reject(outcomes.Refusal(answer))
                if isinstance(answer, outcomes.Defer):
                    if not passage.each:
                        raise outcomes.Delay(answer)  # the client comes again, for all recipients
                    return filing.Reject(outcomes.Delay(answer))
                if isinstance(answer, outcomes.Accept):
                    return filing.usual(recipient)
            fate = _take(answers, passage.verdict, None)
        fate = fate or said.each.get(expand.named(passage, number)) or said.fate
        return await _decision(passage, recipient, fate)


def _take(answers: list[Outcome], verdict: Verdict, said: Said | None) -> Fate | None:
    """Notes fields and points; gives the last fate.  Raises Refusal, Delay."""
    fate: Fate | None = None
    for answer in answers:
        match answer:
            case outcomes.Refuse():
                raise outcomes.Refusal(answer)
            case outcomes.Defer():
                raise outcomes.Delay(answer)
            case outcomes.AddHeader():
                verdict.fields.append(answer.line)
            case outcomes.AddScore():
                verdict.points[answer.test] = verdict.points.get(answer.test, 0.0) + answer.points
            case outcomes.Accept():
                if said is not None:
                    said.silent = True
            case outcomes.Discard() | outcomes.FileInto() | outcomes.Quarantine():
                fate = answer
    return fate


async def _decision(passage: Passage, recipient: Recipient, fate: Fate | None) -> filing.Decision | None:
    """What a fate means for one recipient; for who is elsewhere there is the queue only."""
    if isinstance(fate, outcomes.Discard):
        return filing.Discard()
    if isinstance(fate, outcomes.Quarantine):
        return await weighing.quarantine(passage, recipient, "by a hook")
    if fate is None or not recipient.account_id:
        return None
    return filing.File(await weighing.into(passage, recipient, fate.folder), keywords=fate.keywords)


def _said(verdict: Verdict) -> Said:
    found = verdict.notes.get("hooks")
    if not isinstance(found, Said):
        found = verdict.notes["hooks"] = Said()
    return found


# --- what they see -------------------------------------------------------------------------------------


def _peer(peer: Peer, account: str = "") -> hooks.Peer:
    notes = peer.notes.setdefault("hook_notes", {})
    return hooks.Peer(
        peer.address,
        peer.port,
        peer.helo,
        peer.tls.version if peer.tls is not None else "",
        account,
        peer.listener,
        peer.id,
        notes,
    )


def _recipient(recipient: Recipient) -> hooks.Recipient:
    return hooks.Recipient(str(recipient.address), recipient.account_id, not recipient.elsewhere)


def _message(envelope: Envelope, passage: Passage | None = None) -> hooks.Message:
    account = envelope.identity.name if envelope.identity is not None else ""
    recipients = tuple(str(each.address) for each in envelope.recipients)
    peer, sender = _peer(envelope.peer, account), str(envelope.sender)
    if passage is None:
        return hooks.Message(peer, sender, recipients, envelope.size, envelope.id, envelope.utf8)
    content = passage.content
    return hooks.Message(
        peer,
        sender,
        recipients,
        content.size,
        envelope.id,
        envelope.utf8,
        [(_text(name), _text(value)) for name, value in content.digest.headers],
        passage.verdict.results,
        passage.verdict.score,
        opener(content),
    )


def article(
    identity: Identity | None, peer: Peer, message_id: str, groups: Sequence[str], content: Content
) -> hooks.Article:
    """What the hook ``post`` sees."""
    return hooks.Article(
        _peer(peer, identity.name if identity is not None else ""),
        message_id,
        tuple(groups),
        content.size,
        [(_text(name), _text(value)) for name, value in content.digest.headers],
        opener(content),
    )


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def arriving(
    conn: str,
    address: str,
    account: str,
    feed: str,
    message_id: str,
    groups: Sequence[str],
    content: Content,
) -> hooks.Article:
    """What the hook ``article`` sees, whoever brings it."""
    return hooks.Article(
        peer_of(conn, address, account),
        message_id,
        tuple(groups),
        content.size,
        [(_text(name), _text(value)) for name, value in content.digest.headers],
        opener(content),
        feed,
    )


def peer_of(conn: str, address: str, account: str) -> hooks.Peer:
    """A client of whom only this is known."""
    return hooks.Peer(address, 0, "", "", account, "", conn)


def opener(content: Content) -> Callable[[], BinaryIO]:
    """What opens it, header and body."""

    def opened() -> BinaryIO:
        if content.data is not None:
            return io.BytesIO(content.data)
        assert content.path is not None
        return content.path.open("rb")

    return opened
