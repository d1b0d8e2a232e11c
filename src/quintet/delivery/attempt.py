"""One attempt: the recipients of one message that go the same way, and the answer that each gets.

By a session that waits or a new one; a host that hangs up before it has anything is passed over.  What the
answers mean is `delivery.aftermath`'s, what they say about the site `delivery.shaping`'s.  RFC 5321 4.5.4.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from quintet.clock import Clock
from quintet.delivery import letter as letters
from quintet.delivery import verp
from quintet.delivery.links import Held, Links, trouble
from quintet.delivery.route import Destination
from quintet.delivery.shaping import Mood
from quintet.delivery.tlspolicy import Demand
from quintet.delivery.transport import Answer, Letter, Result, To, Turn
from quintet.errors import Problem, Reason, TryLater
from quintet.message.outline import Headed
from quintet.store.leaving import Look
from quintet.store.queue import Recipient
from quintet.store.store import Store
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.delivery.rewriting import Generic

NOT_SENT = "mail for this domain is refused"
SUPPRESSED = "nothing is sent to this address any more: "
MAX_GONE = 3  # hosts that hang up before they have anything, at one attempt
SLOWER = ("4.3.", "4.4.", "4.5.", "4.7.")  # statuses of the system, the network, the protocol, policy


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt came to."""

    answers: Sequence[Answer]  # one a recipient
    mood: Mood = Mood.WELL
    unreachable: Answer | None = None  # no host is there: holds for everything that goes the same way


@dataclass(slots=True, eq=False)
class Ready:
    """A message that can be sent, to recipients that go the same way."""

    destination: Destination
    recipients: Sequence[Recipient]
    letter: Letter
    addresses: Sequence[To]
    head: Headed | None = None
    held: Held | None = None  # the session that goes on with it, and may have been told of it


Next = Callable[[], Ready | None]


def without_asking(
    destination: Destination, recipients: Sequence[Recipient], now: int
) -> Sequence[Answer] | None:
    """Answers that are known before anybody is asked; None: go and ask."""
    first = recipients[0]
    answer: Answer | None = None
    refused = first.params.get("refused")  # a filter's word, after others had taken it
    by = first.item_params.get("by")
    if refused:
        answer = Answer(Result.NEVER, "5.7.1", str(refused))
    elif first.blocked:
        answer = Answer(Result.NEVER, "5.7.1", SUPPRESSED + first.blocked)
    elif by and by["mode"] == "R" and now >= int(by["at"]):
        answer = Answer(Result.NEVER, "5.4.7", "could not be delivered by the time asked for")  # RFC 2852 4
    elif destination.via == "discard":
        answer = Answer(Result.DONE, "2.0.0", "discarded")
    elif destination.via == "error":
        status, text = destination.route.status, destination.route.text or NOT_SENT
        answer = Answer(Result.LATER if status.startswith("4") else Result.NEVER, status, text)
    elif destination.via == "wait":  # warned about and given up as any other mail
        answer = Answer(Result.LATER, "4.4.1", "waits until its host comes for it")
    return None if answer is None else [answer] * len(recipients)


def split(destination: Destination, one: Recipient) -> bool:
    """The recipient needs a transaction of its own: its sender names it."""
    return bool(one.sender) and (destination.route.verp or bool(one.item_params.get("verp")))


class Attempts:
    """One a process."""

    def __init__(self, store: Store, links: Links, *, clock: Clock, generic: Generic | None = None) -> None:
        self._store, self._links, self._clock, self._generic = store, links, clock, generic

    def ready(
        self, destination: Destination, recipients: Sequence[Recipient], look: Look, turn: Turn
    ) -> Ready:
        """A message as the host is to hear of it, whole only when it is its ``turn``.  Raises Problem."""
        addresses = [letters.addressed(one) for one in recipients]
        letter = letters.letter(self._store, recipients[0], look, turn)
        generic = self._generic if destination.via in ("mx", "smtp") else None
        if generic is not None:
            letter = generic.letter(letter, look.head)
        if split(destination, recipients[0]):
            between = verp.delimiters(recipients[0].item_params.get("verp"))
            letter = _from(letter, addresses[0], between)
        if generic is not None:
            addresses = generic.to(addresses)
        return Ready(destination, recipients, letter, addresses, look.head)

    async def make(self, ready: Ready, most: int, following: Next) -> Outcome:
        """Sends a message; ``most`` of them go through one session (0: any number).

        ``following`` may be asked for the one after it.  Never raises Problem.
        """
        try:
            return await self._sent(ready, most, following)
        except Problem as problem:
            mood = Mood.GONE if problem.reason is Reason.CLOSED else Mood.WELL
            return Outcome([answer_to(problem)] * len(ready.recipients), mood)

    def drop(self, ready: Ready) -> None:
        """It is not sent after all: the session that may know of it is of no use."""
        if ready.held is not None:
            self._links.drop(ready.held)
            ready.held = None

    async def _sent(self, ready: Ready, most: int, following: Next) -> Outcome:
        destination, demand = ready.destination, ready.letter.demand
        if ready.held is not None and not ready.held.link.usable:
            self.drop(ready)
        held = ready.held or self._links.kept(destination, demand)
        ready.held = None
        if held is not None:
            try:
                return await self._use(held, ready, most, following)
            except TryLater as problem:
                if problem.reason is not Reason.CLOSED:
                    raise
                # it had closed the idle session: that says nothing about the message
        gone: dict[str, Answer] = {}
        while True:
            try:
                held = await self._links.fresh(destination, demand, but=gone)
            except Problem as problem:
                answer = next(iter(gone.values()), None) or answer_to(problem)
                if demand is Demand.REQUIRE and problem.reason is Reason.TLS_REQUIRED:
                    return Outcome([answer] * len(ready.recipients))  # what others wait for may go
                return Outcome([answer] * len(ready.recipients), Mood.GONE, None if gone else answer)
            try:
                return await self._use(held, ready, most, following)
            except TryLater as problem:
                if problem.reason is not Reason.CLOSED or len(gone) >= MAX_GONE:
                    raise
                gone[held.link.address] = answer_to(problem)

    async def _use(self, held: Held, ready: Ready, most: int, following: Next) -> Outcome:
        then: Ready | None = None

        def ahead() -> tuple[Letter, Sequence[To]] | None:
            nonlocal then
            if not 0 < most <= held.messages + 1:
                then = following()
            return None if then is None else (then.letter, then.addresses)

        try:
            answers = await held.link.send(ready.letter, ready.addresses, ahead)
        except BaseException:
            self._links.drop(held)
            raise
        usable = held.link.usable
        if then is None:
            self._links.keep(held, most)
        else:  # for nobody else: the host may wait for that message
            held.messages += 1
            then.held = held
        return Outcome(answers, _mood(answers, usable))


def _mood(answers: Sequence[Answer], usable: bool) -> Mood:
    """What the answers say about the site; one recipient it took says that all is well."""
    if any(answer.result is not Result.LATER for answer in answers):
        return Mood.WELL
    if not usable or any(answer.text.startswith("421") for answer in answers):
        return Mood.GONE
    return Mood.SLOWER if all(answer.status.startswith(SLOWER) for answer in answers) else Mood.WELL


def _from(letter: Letter, to: To, between: str) -> Letter:
    """With a sender that names the recipient, in seven bits as well."""
    sender = verp.sender_for(letter.sender, to.address, between)
    narrowed = letter.narrowed
    if narrowed is None:
        return replace(letter, sender=sender)
    narrow = narrowed  # a name that stays what it is

    async def named() -> Letter | None:
        found = await narrow()
        return None if found is None else replace(found, sender=sender)

    return replace(letter, sender=sender, narrowed=named)


def answer_to(problem: Problem) -> Answer:
    """What kept us from a host, as an answer."""
    status, text = trouble(problem)
    return Answer(Result.LATER if isinstance(problem, TryLater) else Result.NEVER, status, text)
