"""Tables of who may what among the checks: `[[policy.access]]` (`policy.accesstable`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from quintet.delivery import acting
from quintet.delivery.checks import Check, Later
from quintet.delivery.watched import Watched
from quintet.net.limits import LOOPBACK, Networks
from quintet.policy import accesstable
from quintet.policy.accesstable import AccessTable
from quintet.store import accounts

if TYPE_CHECKING:
    from quintet.clock import Clock
    from quintet.config.access import Access
    from quintet.delivery.clientname import ClientNames
    from quintet.delivery.envelope import Envelope, Mailbox, Recipient
    from quintet.delivery.verdict import Verdict
    from quintet.policy.acts import Act


class Whom:
    """Whom a block concerns: by listener, and strangers or everybody."""

    def __init__(self, who: str, only: Sequence[str], trusted: Networks) -> None:
        self._everybody, self._only, self._trusted = who == "everybody", frozenset(only), trusted

    def concerns(self, envelope: Envelope) -> bool:
        """It is to be asked about this message."""
        peer = envelope.peer
        if self._only and peer.listener not in self._only:
            return False
        if self._everybody:
            return True
        return envelope.identity is None and not peer.user and peer.address not in self._trusted


class _Table:
    """One block and its file."""

    def __init__(self, config: Access, clock: Clock, trusted: Networks) -> None:
        self.of, self.name = config.of, config.file
        self.whom = Whom(config.who, config.only, trusted)
        self._file = Watched(config.file, clock, accesstable.read, f"table {config.file}")

    def get(self) -> AccessTable:
        """Raises TryLater: its file was never read."""
        return self._file.get()


class AccessChecks(Check):
    """One a process, all tables in their order."""

    def __init__(
        self, configured: Sequence[Access], trusted: Sequence[str], names: ClientNames, clock: Clock
    ) -> None:
        networks = Networks((*trusted, *LOOPBACK))
        made = [_Table(each, clock, networks) for each in configured]
        self._early = [each for each in made if each.of != "recipient"]
        self._late = [each for each in made if each.of == "recipient"]
        self._names = names

    def mail(self, envelope: Envelope, verdict: Verdict) -> Later:
        """See `Check`.  Raises Refused, TryLater, also awaited."""
        asked = [each for each in self._early if each.whom.concerns(envelope)]
        peer = envelope.peer
        if "name" not in peer.notes and any(each.of == "client" and each.get().names for each in asked):
            return self._named(envelope, verdict, asked)
        self._ask(envelope, verdict, asked)
        return None

    async def _named(self, envelope: Envelope, verdict: Verdict, asked: Sequence[_Table]) -> None:
        await self._names.of(envelope.peer)
        self._ask(envelope, verdict, asked)

    def _ask(self, envelope: Envelope, verdict: Verdict, asked: Sequence[_Table]) -> None:
        for each in asked:
            found = _FINDERS[each.of](each.get(), envelope)
            if found is not None and acting.take(found, envelope, verdict, each.name):
                return

    def rcpt(self, envelope: Envelope, recipient: Recipient, verdict: Verdict) -> Later:
        """See `Check`.  Raises as `mail`."""
        for each in self._late:
            if not each.whom.concerns(envelope) or acting.welcome(verdict, recipient):
                continue
            found = of_box(each.get(), recipient.address)
            if found is not None and acting.take(found, envelope, verdict, each.name, recipient):
                break
        return None


Finder = Callable[[AccessTable, "Envelope"], "Act | None"]


def of_client(table: AccessTable, address: str, name: str) -> Act | None:
    """What is said of a client; ``name`` is "" where none is known."""
    whole = [name, address] if name else [address]
    return table.find(accesstable.keys_of_host(address, name), whole, address)


def of_helo(table: AccessTable, helo: str) -> Act | None:
    """The same of the name in HELO."""
    return table.find(accesstable.keys_of_name(helo), [helo], helo.strip("[]")) if helo else None


def of_box(table: AccessTable, box: Mailbox) -> Act | None:
    """The same of a sender or a recipient."""
    keys = accesstable.keys_of_address(box.local, box.domain, accounts.SEPARATOR)
    return table.find(keys, [str(box) or accesstable.NULL])


_FINDERS: dict[str, Finder] = {
    "client": lambda table, envelope: of_client(
        table, envelope.peer.address, str(envelope.peer.notes.get("name") or "")
    ),
    "helo": lambda table, envelope: of_helo(table, envelope.helo),
    "sender": lambda table, envelope: of_box(table, envelope.sender),
}
