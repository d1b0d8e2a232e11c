"""Who and what exists elsewhere: by a list, by asking the domain's own host or the name service at RCPT.

What is known to be missing is refused at once, so that no report about it goes to a forged sender; what
cannot be known now is taken.  The question is MAIL FROM:<> and RCPT: no message is sent.
RFC 5321 3.6.1, 5; RFC 7505 4.1.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Collection
from contextlib import aclosing
from pathlib import Path

from quintet import log
from quintet.clock import Clock
from quintet.config.relay import Relay
from quintet.delivery import attempt, matching
from quintet.delivery.directory import ascii_domain
from quintet.delivery.envelope import NULL, Envelope, Mailbox, Recipient
from quintet.delivery.route import Router
from quintet.delivery.transport import Asking, Result, To
from quintet.errors import Problem, Reason, Refused, TryLater
from quintet.policy import outcomes
from quintet.store import queue_rules
from quintet.store.store import Store
from quintet.values import dataclass

MAX_KEPT = 20_000  # answers remembered
MAX_FILE = 64 * 1024 * 1024  # bytes of a list
MAX_HOSTS = 3  # asked for one recipient
LOOK_S = 10.0  # how often the file is looked at for a change

_CODES = re.compile(r"\d{3}(?:[ -]|$)(?:([245]\.\d{1,3}\.\d{1,3})(?: |$))?", re.ASCII)

logger = log.get("delivery")


@dataclass(frozen=True, slots=True)
class _Known:
    until: float  # monotonic seconds
    exists: bool
    text: str


class VerifyRecipient:
    """One a process; `probe` is a `delivery.checks.Probe`."""

    def __init__(
        self,
        config: Relay,
        domains: Collection[str],
        router: Router,
        asking: Asking,
        *,
        clock: Clock,
        store: Store | None = None,
    ) -> None:
        self._config, self._router, self._asking, self._clock = config, router, asking, clock
        self._store = store  # whose list of suppressed addresses counts
        self._domains = frozenset(ascii_domain(each) for each in domains)
        self._known: OrderedDict[Mailbox, _Known] = OrderedDict()
        self._tasks: dict[Mailbox, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(config.verify_at_once)
        self._listed = matching.addresses(config.recipients)
        self._looked, self._stamp = float("-inf"), (0, 0)

    def probe(self, envelope: Envelope, recipient: Recipient) -> Awaitable[Recipient | None] | None:
        """None: go on; awaited, it goes on or raises Refused(NO_SUCH_ADDRESS).  Raises a route's refusal."""
        config, address = self._config, recipient.address
        if recipient.elsewhere:
            self._check_route(envelope, address)
            self._check_suppressed(address)
        if config.check_domains and recipient.elsewhere and ascii_domain(address.domain) not in self._domains:
            return self._check_domain(address)
        if ascii_domain(address.domain) not in self._domains or envelope.identity is not None:
            return None
        if not (config.recipients or config.recipients_file or config.verify):
            return None
        if not config.recipients_file and not config.verify:
            self._check_list(address)
            return None
        return self._probe(address)

    def _check_route(self, envelope: Envelope, address: Mailbox) -> None:
        """RFC 5321 3.6.2: said at once, not by a report."""
        peer, identity = envelope.peer, envelope.identity
        account = identity.name if identity is not None else ""
        route = self._router.refusing(
            envelope.sender, address, account=account, listener=peer.listener, secure=peer.secure
        )
        if route is not None:
            text = route.text or attempt.NOT_SENT
            raise outcomes.Refusal(outcomes.refuse(text, enhanced=route.status))

    def _check_suppressed(self, address: Mailbox) -> None:
        if self._store is not None:
            for why in self._store.peek(queue_rules.blocked, [str(address)]).values():
                raise outcomes.Refusal(outcomes.refuse(attempt.SUPPRESSED + why))

    async def _probe(self, address: Mailbox) -> None:
        if self._config.recipients_file:
            await self._read_list()
        if self._listed is not None:
            self._check_list(address)
        if self._config.verify:
            await self._ask(Mailbox(address.local, ascii_domain(address.domain)))

    async def _check_domain(self, address: Mailbox) -> None:
        """RFC 7505 4.1.  Raises Refused(NO_SUCH_DOMAIN | NO_MAIL)."""
        destination = self._router.destination(address.domain, NULL, recipient=address)
        if destination.via != "mx":
            return
        try:
            async with asyncio.timeout(self._config.check_timeout_s):
                await self._router.check(destination.domain)
        except (TryLater, TimeoutError):
            return
        except Refused as problem:
            if problem.reason not in (Reason.NO_SUCH_DOMAIN, Reason.NO_MAIL):
                return
            logger.info("domain refused", to=str(address), text=problem.text)
            raise Refused(problem.reason) from problem

    # --- by list ------------------------------------------------------------------------------

    def _check_list(self, address: Mailbox) -> None:
        """RFC 5321 4.5.1: mail for postmaster is never refused."""
        if address.local.lower() != "postmaster" and not matching.address_fits(self._listed, address):
            raise Refused(Reason.NO_SUCH_ADDRESS)

    async def _read_list(self) -> None:
        now = self._clock.monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        path = Path(self._config.recipients_file)
        try:
            found = await asyncio.to_thread(_read, path, self._stamp)
        except (OSError, ValueError) as error:
            logger.warning("list of recipients not readable", file=str(path), text=str(error))
            if self._stamp == (0, 0):  # without any list nobody is known to be missing
                raise TryLater(Reason.STORAGE) from error
            return
        if found is not None:
            self._stamp, texts = found
            self._listed = matching.addresses([*self._config.recipients, *texts, "postmaster"])

    # --- by asking ----------------------------------------------------------------------------

    async def _ask(self, address: Mailbox) -> None:
        known = self._known.get(address)
        if known is None or known.until <= self._clock.monotonic():
            task = self._tasks.get(address)
            if task is None:  # those who want to know the same at once share one question
                if len(self._tasks) >= MAX_KEPT:
                    return
                task = asyncio.get_running_loop().create_task(self._find_out(address))
                self._tasks[address] = task
                task.add_done_callback(lambda _: self._tasks.pop(address, None))
            await asyncio.wait([task], timeout=self._config.verify_timeout_s)
            known = self._known.get(address)
        if known is not None and not known.exists:
            raise Refused(Reason.NO_SUCH_ADDRESS, known.text)

    async def _find_out(self, address: Mailbox) -> None:
        """Remembers what the host says; nothing when it says nothing of use."""
        async with self._room:
            try:
                answer = await self._answer(address)
            except Problem as problem:
                logger.info("recipient not verified", to=str(address), text=problem.text)
                return
        if answer is None:
            return
        keep = self._config.positive_s if answer[0] else self._config.negative_s
        self._known[address] = _Known(self._clock.monotonic() + keep, *answer)
        self._known.move_to_end(address)
        while len(self._known) > MAX_KEPT:
            self._known.popitem(last=False)

    async def _answer(self, address: Mailbox) -> tuple[bool, str] | None:
        destination = self._router.destination(address.domain, NULL, recipient=address)
        if destination.via not in ("mx", "smtp", "lmtp"):
            return None
        tries = 0
        async with aclosing(self._router.ways(destination)) as hops:
            async for hop in hops:
                tries += 1
                try:
                    answer = await self._asking.ask(hop, To(address))
                except TryLater:
                    if tries >= MAX_HOSTS:
                        raise
                    continue
                if answer.result is Result.LATER or not answer.command.startswith("RCPT"):
                    return None  # greylisting, or a word about us and not about the recipient
                return answer.result is Result.DONE, _words(answer.text)
        return None


def _read(path: Path, known: tuple[int, int]) -> tuple[tuple[int, int], list[str]] | None:
    """The lines of a changed file; None when it is the same.  Raises OSError, ValueError."""
    state = path.stat()
    stamp = (state.st_mtime_ns, state.st_size)
    if stamp == known:
        return None
    if state.st_size > MAX_FILE:
        raise ValueError(f"larger than {MAX_FILE} bytes")
    lines = (line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines())
    return stamp, [line for line in lines if line]


def _words(reply: str) -> str:
    """What a host said without its codes, on which line ever: ours stand before it (RFC 2034 4)."""
    found = _CODES.match(reply)
    if found is None:
        return reply
    rest = reply[found.end() :]
    return (rest.replace(f" {found[1]} ", " ") if found[1] else rest).strip()
