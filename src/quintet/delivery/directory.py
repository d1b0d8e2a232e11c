"""Which addresses are ours, and where mail for them goes; with a short memory, so that RCPT costs little.

Answers come from the store by `peek`, at once.  Only what exists is remembered, and only for `KEEP_S`, so a
new address works from its first moment; other delivery rooms ask the same directory.
RFC 5321 4.1.1.3 and 4.5.1 (postmaster), RFC 5233 (user+detail).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from quintet.clock import Clock
from quintet.delivery import stamp
from quintet.delivery.envelope import Mailbox, Recipient
from quintet.errors import Problem, Reason, Refused, TryLater
from quintet.store import accounts, folders
from quintet.store.db import Tx
from quintet.store.model import Account, AccountId
from quintet.store.store import Store

KEEP_S = 2.0  # how long a resolved address is believed; quotas are checked again in the transaction
MAX_KEPT = 10_000  # addresses


@dataclass(frozen=True, slots=True)
class _Known:
    until: float
    recipient: Recipient
    account: Account | None


class Directory:
    """One a process."""

    def __init__(self, store: Store, clock: Clock, *, postmaster: str = "", hostname: str = "") -> None:
        self._store, self._clock, self._postmaster = store, clock, postmaster
        self._hostname = hostname.lower()  # our reports come from its postmaster
        self._known: dict[Mailbox, _Known] = {}

    def forget(self) -> None:
        """Believes nothing any more (after a change that must be seen at once)."""
        self._known.clear()

    def find(self, address: Mailbox, *, size: int = 0, local_address: str = "") -> Recipient | None:
        """Where mail for ``address`` goes; None when its domain is not ours.

        ``size`` is the message's as declared, 0 when unknown; ``local_address`` makes an address literal
        of this host ours.

        Raises:
            Refused(NO_SUCH_ADDRESS, ACCOUNT_DISABLED), TryLater(OVER_QUOTA).
        """
        known = self._known.get(address)
        if known is None or known.until < self._clock.monotonic():
            found = self._store.peek(self._look_up, address, local_address)
            if found is None:
                return None
            known = _Known(self._clock.monotonic() + KEEP_S, *found)
            if len(self._known) >= MAX_KEPT:
                self._known.clear()
            self._known[address] = known
        if known.account is not None and _refusal(known.account, size) is not None:
            account = self._store.peek(accounts.get, known.account.id)  # a refusal is never from memory
            self._known[address] = replace(known, account=account)
            refusal = _refusal(account, size)
            if refusal is not None:
                raise refusal
        return known.recipient

    def is_local(self, domain: str) -> bool:
        """The domain is ours."""
        return self._store.peek(accounts.is_local, ascii_domain(domain))

    def owns(self, account_id: AccountId, address: Mailbox) -> bool:
        """The account may call itself so."""
        name = Mailbox(address.local, ascii_domain(address.domain))
        return self._store.peek(accounts.owns_address, account_id, str(name))

    def _look_up(
        self, tx: Tx, address: Mailbox, local_address: str
    ) -> tuple[Recipient, Account | None] | None:
        local, domain = address.local, ascii_domain(address.domain)
        own_literal = address.literal and domain == stamp.literal(local_address).lower()
        if not domain or own_literal:
            if local.lower() != "postmaster":
                raise Refused(Reason.NO_SUCH_ADDRESS)
            return self._to_postmaster(tx, address)
        if not accounts.is_local(tx, domain):
            if domain == self._hostname and local.lower() == "postmaster":
                return self._to_postmaster(tx, address)
            return None
        found = accounts.resolve(tx, local, domain)
        if found is None:
            if local.lower() == "postmaster":
                return self._to_postmaster(tx, address)
            raise Refused(Reason.NO_SUCH_ADDRESS)
        if found.forward:
            return Recipient(address, targets=tuple(found.forward)), None
        if found.account is None:
            raise Refused(Reason.NO_SUCH_ADDRESS)
        return _to_inbox(tx, address, found.account, found.detail)

    def _to_postmaster(self, tx: Tx, address: Mailbox) -> tuple[Recipient, Account | None]:
        """Mail for postmaster is never refused where anybody is there to read it (RFC 5321 4.5.1).

        Whom the configuration names; while it names nobody that can take mail, the oldest account that
        can: whoever set the server up made their own first.
        """
        account: Account | None = None
        if self._postmaster:
            account = accounts.find(tx, self._postmaster)
            local, _, domain = self._postmaster.rpartition("@")
            if account is None and (found := accounts.resolve(tx, local, domain)) is not None:
                account = found.account
        if account is None or account.disabled:
            account = accounts.oldest(tx)
        if account is None:
            raise Refused(Reason.NO_SUCH_ADDRESS)
        return _to_inbox(tx, address, account, "")


def _refusal(account: Account, size: int) -> Problem | None:
    """Why an account takes no mail now."""
    if account.disabled:
        return Refused(Reason.ACCOUNT_DISABLED)
    if account.full or (size and 0 < account.quota_bytes < account.used_bytes + size):
        return TryLater(Reason.OVER_QUOTA)
    return None


def _to_inbox(tx: Tx, address: Mailbox, account: Account, detail: str) -> tuple[Recipient, Account]:
    inbox = folders.find(tx, account.id, "INBOX")
    if inbox is None:
        raise Refused(Reason.NO_SUCH_ADDRESS)
    return Recipient(address, account.id, inbox.id, detail), account


def ascii_domain(domain: str) -> str:
    """A domain as the store and the name service have it: A-labels, lower case; itself when that fails."""
    if domain.isascii():
        return domain.lower()
    try:
        return accounts.normal_domain(domain)
    except Refused:
        return domain.lower()
