"""The typed places of the way in: what a check, a filter, a score and a probe are.

``Inbound`` is given lists of them and runs them in that order; a place without anybody in it costs one
look at an empty tuple.

- A `Check` looks at a connection or a message as early as it can: SPF needs no more than MAIL, DKIM needs
  the bytes; rates and an administrator's hooks are checks as well.  It refuses by raising a problem, and
  notes what it found in the verdict.
- A `Score` gives points when all checks are done; what the sum means is `delivery.weighing`'s.
- A `Filter` decides for one recipient: Sieve, milter, hooks.  The first opinion wins over the Inbox.
- A `Probe` may ask somewhere else at RCPT whether a recipient who is not ours exists.

What can be answered at once is answered without waiting: a method returns None then, and what must be
awaited only when it must wait, so that commands without slow checks never leave the fast path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from quintet.delivery.verdict import Verdict
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.delivery.envelope import Envelope, Mailbox, Recipient
    from quintet.delivery.filing import Decision
    from quintet.delivery.inbound import Passage
    from quintet.errors import Problem
    from quintet.net.seam import Peer

Later = Awaitable[None] | None  # None: done

Filter = Callable[
    ["Passage", int], Awaitable["Decision | None"]
]  # the number of a recipient; None: no opinion
Score = Callable[["Passage"], Later]  # adds to ``passage.verdict.points``
Probe = Callable[["Envelope", "Recipient"], "Awaitable[Recipient | None] | None"]  # None: as it is


class Check:
    """Overwrite what is of use; only that is called.  Each method may raise:

    Refused, TryLater: the command, or the message, is answered so; the connection goes on.
    Hangup: the connection ends.

    At `connect` any of them turns the client away.
    """

    def connect(self, peer: Peer, verdict: Verdict) -> Later:
        """Before the greeting; the verdict is the connection's and goes with each message of it."""

    def helo(self, peer: Peer, verdict: Verdict) -> Later:
        """``peer.helo`` is the name given; may come again, after STARTTLS and for no reason."""

    def mail(self, envelope: Envelope, verdict: Verdict) -> Later:
        """Sender and parameters are known; the verdict is the message's from here on."""

    def asked(self, envelope: Envelope, address: Mailbox) -> None:
        """At RCPT, before anybody looked whether there is such a recipient.  Cannot wait; may raise."""

    def rcpt(self, envelope: Envelope, recipient: Recipient, verdict: Verdict) -> Later:
        """One more recipient, who exists and may be sent to; not among the envelope's yet."""

    def refused(self, envelope: Envelope, address: Mailbox, problem: Problem) -> None:
        """A recipient was refused, by the directory or a check: to be counted, nothing more."""

    def data(self, envelope: Envelope, verdict: Verdict) -> Later:
        """All recipients are known; the message is about to come."""

    def message(self, passage: Passage) -> Later:
        """The bytes are there: ``passage.content``, the digest with its headers, ``passage.verdict``."""

    def accepted(self, passage: Passage) -> None:
        """It is on disk."""


Method = Callable[..., Any]  # Any: each place has its own arguments


def those_with(checks: Sequence[Check], name: str) -> tuple[Method, ...]:
    """The methods of that name of the checks that have one of their own."""
    plain = getattr(Check, name)
    return tuple(getattr(check, name) for check in checks if getattr(type(check), name) is not plain)


def run(methods: tuple[Method, ...], *arguments: object) -> Later:
    """Calls one after the other; what must be awaited begins when the first method waits."""
    for at, method in enumerate(methods):
        later = method(*arguments)
        if later is not None:
            return _rest(later, methods[at + 1 :], arguments)
    return None


async def _rest(later: Awaitable[None], methods: tuple[Method, ...], arguments: tuple[object, ...]) -> None:
    await later
    for method in methods:
        again = method(*arguments)
        if again is not None:
            await again


@dataclass(frozen=True, slots=True)
class Places:
    """Who is called at which moment; mostly nobody."""

    connect: tuple[Method, ...] = ()
    helo: tuple[Method, ...] = ()
    mail: tuple[Method, ...] = ()
    asked: tuple[Method, ...] = ()
    rcpt: tuple[Method, ...] = ()
    refused: tuple[Method, ...] = ()
    data: tuple[Method, ...] = ()
    message: tuple[Method, ...] = ()
    accepted: tuple[Method, ...] = ()

    @classmethod
    def of(cls, given: Sequence[Check]) -> Places:
        return cls(*(those_with(given, each.name) for each in fields(cls)))
