"""Which addresses are ours, and where mail for them goes; with a short memory, so that RCPT costs little.

Answers come from the store by `peek`, at once; where an address leads is found by `ways`.  Only what exists
is remembered, and only for `KEEP_S`, so a new address works from its first moment; other delivery rooms ask
the same directory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from quintet import log
from quintet.clock import Clock
from quintet.config.gateways import Gateway
from quintet.config.smtp import Smtp
from quintet.delivery.envelope import GATEWAY, Mailbox, Recipient
from quintet.delivery.relayed import Relayed
from quintet.delivery.ways import SRS_KEY, Rules, ascii_domain, look_up
from quintet.errors import Problem, Reason, Refused, TryLater
from quintet.store import accounts, secrets, senders
from quintet.store.model import Account, AccountId
from quintet.store.store import Store
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.delivery.post import PostOffice

KEEP_S = 2.0  # how long a resolved address is believed; quotas are checked again in the transaction
MAX_KEPT = 10_000  # addresses

__all__ = ["Directory", "ascii_domain"]

logger = log.get("delivery")


@dataclass(frozen=True, slots=True)
class _Known:
    until: float
    recipient: Recipient
    account: Account | None
    free: bool  # it takes mail of any size, without a further question


class Directory:
    """One a process."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        postmaster: str = "",
        hostname: str = "",
        config: Smtp | None = None,
    ) -> None:
        self._store, self._clock = store, clock
        self.config = config or Smtp()
        self._rules = Rules(
            postmaster=postmaster or self.config.postmaster,
            hostname=hostname.lower(),
            subaddress=self.config.subaddress,
            news_domain=ascii_domain(self.config.news_domain),
            news_everywhere=self.config.news_everywhere,
        )
        self._relayed = Relayed(self.config.relay_recipients, clock) if self.config.relay_recipients else None
        self.office: PostOffice | None = None  # takes mail for groups; set by itself
        self.gateways: Mapping[str, Gateway] = {}  # by address in lower case
        self._known: dict[str, _Known] = {}  # by local@domain, the local part as it is meant
        self._key: bytes | None = None

    def forget(self) -> None:
        """Believes nothing any more (after a change that must be seen at once)."""
        self._known.clear()

    def find(self, address: Mailbox, *, size: int = 0, local_address: str = "") -> Recipient | None:
        """Where mail for ``address`` goes; None when its domain is not ours.

        ``size`` is the message's as declared, 0 when unknown; ``local_address`` makes an address literal
        of this host ours.

        Raises:
            Refused(NO_SUCH_ADDRESS, ACCOUNT_DISABLED, LOOP, TOO_MANY), TryLater(OVER_QUOTA).
        """
        gateway = self.gateway(address) if self.gateways else None
        if gateway is not None:
            return Recipient(address, group=gateway.group, role=GATEWAY)
        name = f"{address.local}@{address.domain}"
        known = self._known.get(name)
        if known is None or known.until < self._clock.monotonic():
            found = self._store.peek(look_up, self._rules, address, local_address)
            if found is None:
                return None
            if found.broken:
                logger.warning("an alias leads nowhere", address=str(address), why=found.broken)
            known = _known(self._clock.monotonic() + KEEP_S, found.recipient, found.account)
            if len(self._known) >= MAX_KEPT:
                self._known.clear()
            self._known[name] = known
        if known.account is not None and _refusal(known.account, size) is not None:
            account = self._store.peek(accounts.get, known.account.id)  # a refusal is never from memory
            self._known[name] = _known(known.until, known.recipient, account)
            refusal = _refusal(account, size)
            if refusal is not None:
                raise refusal
        return known.recipient

    def known(self, addresses: Sequence[str], *, size: int = 0) -> list[Recipient]:
        """What `find` would say to the first of these local@domain, as far as it is remembered and simple.

        It ends before the first that is not known, leads to a group or list, or takes nothing now.
        """
        found: list[Recipient] = []
        if self.gateways:
            return found
        now = self._clock.monotonic()
        for address in addresses:
            known = self._known.get(address)
            if known is None or known.until < now:
                break
            if not known.free:
                recipient, account = known.recipient, known.account
                if recipient.group or recipient.mailing_list:
                    break
                if account is not None and _refusal(account, size) is not None:
                    break
            found.append(known.recipient)
        return found

    def gateway(self, address: Mailbox) -> Gateway | None:
        """The gateway between a group and a list whose address that is."""
        return self.gateways.get(f"{address.local}@{ascii_domain(address.domain)}".lower())

    def is_local(self, domain: str) -> bool:
        """The domain is ours."""
        domain = ascii_domain(domain)
        return bool(domain) and (
            domain == self._rules.news_domain or self._store.peek(accounts.is_local, domain)
        )

    def relays(self, address: Mailbox) -> bool | None:
        """Whether a recipient of a domain that we relay for exists; None: no file says so.

        Raises TryLater(STORAGE): the file cannot be read.
        """
        return None if self._relayed is None else self._relayed.has(address)

    def owns(self, account_id: AccountId, address: Mailbox) -> bool:
        """The account may call itself so."""
        name = Mailbox(address.local, ascii_domain(address.domain))
        return self._store.peek(senders.may_send_as, account_id, f"{name.local}@{name.domain}")

    async def key(self) -> bytes:
        """What our rewritten senders are signed with; made when it is asked for first.  Raises TryLater."""
        if self._key is None:
            self._key = await self._store.write(secrets.make, SRS_KEY)
        return self._key


def _known(until: float, recipient: Recipient, account: Account | None) -> _Known:
    free = not (recipient.group or recipient.mailing_list)
    if free and account is not None:
        free = not (account.disabled or account.full or account.quota_bytes)
    return _Known(until, recipient, account, free)


def _refusal(account: Account, size: int) -> Problem | None:
    """Why an account takes no mail now."""
    if account.disabled:
        return Refused(Reason.ACCOUNT_DISABLED)
    if account.full or (size and 0 < account.quota_bytes < account.used_bytes + size):
        return TryLater(Reason.OVER_QUOTA)
    return None
