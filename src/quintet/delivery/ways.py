"""Where an address of ours leads, followed to its ends: folders here, addresses elsewhere, groups, lists.

A transaction function without memory; `directory` remembers, `expand` sends the message along.  An address
may stand for many, and those for others: each is followed once, up to a depth and a number.
RFC 5321 3.9 (aliases), 4.1.1.3 and 4.5.1 (postmaster), 6.3 (loops), RFC 5233 (user+detail).
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from quintet.delivery import srs, stamp
from quintet.delivery.envelope import Mailbox, Recipient, mailbox
from quintet.errors import Problem, Reason, Refused
from quintet.store import accounts, folders, groups, lists, secrets
from quintet.store.db import Tx
from quintet.store.model import Account, Folder, FolderKind
from quintet.values import dataclass

MAX_LEADS = 1000  # destinations of one address; more belong on a mailing list
SRS_KEY = "srs"  # name of the key in the store
_FILED = ("", "archive")  # roles of folders that a detail may name: not what was thrown away


class NotHere(Refused):
    """An address of ours that takes no mail, with a reply code and a status (RFC 3463) of its own."""

    code, status = 550, "5.1.1"


class TooWide(NotHere):
    """It stands for more than `MAX_LEADS`: a list that cannot be expanded (RFC 3463 3.3)."""

    status = "5.2.4"

    def __init__(self) -> None:
        super().__init__(Reason.TOO_MANY, "That address stands for too many others")


class Moved(NotHere):
    """It has become another one, which senders are told (RFC 5321 3.4, RFC 3463 3.2)."""

    status = "5.1.6"

    def __init__(self, there: str) -> None:
        text = f"User not local; please try <{there}>" if there else "User has moved"
        super().__init__(Reason.NO_SUCH_ADDRESS, text)
        self.code = 551 if there else 550


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration says about addresses."""

    postmaster: str = ""  # account or address; "": the oldest account
    hostname: str = ""  # our reports come from its postmaster
    subaddress: str = "inbox"  # or "folder"
    news_domain: str = ""  # GROUP@it posts an article
    news_everywhere: bool = False  # so does GROUP@ every domain of ours, when nobody has that address


class Found(NamedTuple):
    """Where an address leads."""

    recipient: Recipient
    account: Account | None = None  # whose mailbox it is, when it is one
    broken: str = ""  # why one of several leads was left out


def look_up(tx: Tx, rules: Rules, address: Mailbox, local_address: str) -> Found | None:
    """Where mail for ``address`` goes; None when its domain is not ours.

    Raises:
        Refused(NO_SUCH_ADDRESS): nobody is there.
        Refused(LOOP): it stands for itself only.  Refused(TOO_MANY): for more than `MAX_LEADS`.
    """
    local, domain = address.local, ascii_domain(address.domain)
    own_literal = address.literal and domain == stamp.literal(local_address).lower()
    if not domain or own_literal:
        if local.lower() != "postmaster":
            raise Refused(Reason.NO_SUCH_ADDRESS)
        return _to_postmaster(tx, rules, address)
    if not accounts.is_local(tx, domain):
        if domain == rules.hostname and local.lower() == "postmaster":
            return _to_postmaster(tx, rules, address)
        if domain == rules.news_domain and domain:
            return _unlisted(tx, rules, address, domain)
        return None
    if srs.is_ours(local) and (target := _returned(tx, address)) is not None:
        return Found(Recipient(address, leads=(Recipient(target),)))
    found = accounts.resolve(tx, local, domain)
    if found is None or (found.kind == "catchall" and domain == rules.news_domain):
        return _unlisted(tx, rules, address, domain, found)
    if found.moved is not None and local.lower() == "postmaster":
        return _to_postmaster(tx, rules, address)  # of a domain that has moved
    if found.account is not None and not found.account.forward:
        return Found(_to_folder(tx, rules, address, found.account, found.detail), found.account)
    return _followed(tx, rules, address)


def _unlisted(
    tx: Tx, rules: Rules, address: Mailbox, domain: str, catch_all: accounts.Resolved | None = None
) -> Found:
    """Addresses of ours that stand in no table: groups, postmaster, at last the catch-all."""
    if rules.news_everywhere or domain == rules.news_domain:
        group = _group(tx, address)
        if group is not None:
            return Found(group)
    if address.local.lower() == "postmaster":
        return _to_postmaster(tx, rules, address)
    if catch_all is not None:
        return _followed(tx, rules, address)
    raise Refused(Reason.NO_SUCH_ADDRESS)


def _followed(tx: Tx, rules: Rules, address: Mailbox) -> Found:
    """An address that stands for others: all that they lead to."""
    walk = _Walk(tx, rules)
    walk.follow(address, (), 0)
    leads = tuple(walk.leads.values())
    if not leads:
        raise walk.problem or Refused(Reason.LOOP, "Mail loop: that address stands for itself")
    broken = "" if walk.problem is None else str(walk.problem)
    if len(leads) > 1:
        return Found(Recipient(address, leads=leads, expanded=str(address)), None, broken)
    only = leads[0]
    if only.folder_id:
        return Found(replace(only, address=address), walk.account, broken)
    if only.group or only.mailing_list:
        return Found(replace(only, address=address), None, broken)
    return Found(Recipient(address, leads=leads), None, broken)


class _Walk:
    """Follows addresses depth first; each address and each destination counts once."""

    def __init__(self, tx: Tx, rules: Rules) -> None:
        self._tx, self._rules = tx, rules
        self._seen: set[str] = set()
        self.leads: dict[object, Recipient] = {}
        self.account: Account | None = None  # of the last folder
        self.problem: Problem | None = None  # the last that leads nowhere

    def follow(self, address: Mailbox, via: tuple[str, ...], depth: int) -> None:
        """Notes where ``address`` leads.  Raises Refused(TOO_MANY)."""
        domain = ascii_domain(address.domain)
        name = f"{accounts.normal_local(address.local)}@{domain}"
        if name in self._seen:
            return
        self._seen.add(name)
        if len(self._seen) > MAX_LEADS * 2 or len(self.leads) > MAX_LEADS:
            raise TooWide
        if depth > accounts.MAX_CHAIN:
            self.problem = Refused(Reason.LOOP, "Mail loop: aliases too deep")
            return
        try:
            self._follow(address, domain, via, depth)
        except Refused as problem:
            if problem.reason is Reason.TOO_MANY:
                raise
            self.problem = problem

    def _follow(self, address: Mailbox, domain: str, via: tuple[str, ...], depth: int) -> None:
        tx = self._tx
        found = accounts.resolve(tx, address.local, domain) if accounts.is_local(tx, domain) else None
        if found is None:
            self._end(address, via)
            return
        if found.role == "owner":  # people, who get it as any other alias would give it
            known = lists.find(tx, found.mailing_list)
            for target in known.owners.split() if known is not None else ():
                self.follow(mailbox(target), (*via, str(address)), depth + 1)
        elif found.mailing_list:
            one = Recipient(address, detail=found.detail, mailing_list=found.mailing_list, role=found.role)
            self.leads.setdefault(("list", found.mailing_list, found.role), one)
        elif found.moved is not None:
            raise Moved(found.moved)
        elif found.group:
            self.leads.setdefault(("group", found.group), Recipient(address, group=found.group))
        elif found.account is not None:
            self._mailbox(address, found.account, found.detail, via, depth)
        else:
            for target in found.forward:
                self.follow(mailbox(target), (*via, str(address)), depth + 1)

    def _mailbox(
        self, address: Mailbox, account: Account, detail: str, via: tuple[str, ...], depth: int
    ) -> None:
        if account.disabled:
            raise Refused(Reason.ACCOUNT_DISABLED)
        if account.keep_copy:
            one = _to_folder(self._tx, self._rules, address, account, detail)
            self.leads.setdefault(one.folder_id, one)
            self.account = account
        for target in account.forward.split():
            self.follow(mailbox(target), (*via, str(address)), depth + 1)

    def _end(self, address: Mailbox, via: tuple[str, ...]) -> None:
        """An address elsewhere, or one of ours that is in no table."""
        found = look_up(self._tx, self._rules, address, "")
        if found is None:
            self.leads.setdefault(str(address).lower(), Recipient(address, via=via))
            return
        for one in found.recipient.leads or (found.recipient,):
            self.leads.setdefault(one.folder_id or one.group or str(one.address), one)


def _to_postmaster(tx: Tx, rules: Rules, address: Mailbox) -> Found:
    """Mail for postmaster is never refused where anybody is there to read it (RFC 5321 4.5.1).

    Whom the configuration names; while it names nobody that can take mail, the oldest account that
    can: whoever set the server up made their own first.
    """
    account: Account | None = None
    if rules.postmaster:
        account = accounts.find(tx, rules.postmaster)
        local, _, domain = rules.postmaster.rpartition("@")
        if account is None and (found := accounts.resolve(tx, local, domain)) is not None:
            account = found.account
    if account is None or account.disabled:
        account = accounts.oldest(tx)
    if account is None:
        raise Refused(Reason.NO_SUCH_ADDRESS)
    return Found(_to_folder(tx, rules, address, account, ""), account)


def _to_folder(tx: Tx, rules: Rules, address: Mailbox, account: Account, detail: str) -> Recipient:
    """The Inbox, or the folder that the detail names where that is the policy."""
    folder = _of_detail(tx, account, detail) if detail and rules.subaddress == "folder" else None
    folder = folder or folders.find(tx, account.id, "INBOX")
    if folder is None:
        raise Refused(Reason.NO_SUCH_ADDRESS)
    return Recipient(address, account.id, folder.id, detail)


def _of_detail(tx: Tx, account: Account, detail: str) -> Folder | None:
    """By its name, without case; "." stands for "/" where no such name is."""
    names = {detail.lower(), detail.lower().replace(".", "/")}
    for folder in folders.listing(tx, account.id):
        if folder.name.lower() in names and folder.role in _FILED and folder.kind == FolderKind.MAIL:
            return folder
    return None


def _group(tx: Tx, address: Mailbox) -> Recipient | None:
    """The group of that name; who writes it in lower case means the same."""
    for name in dict.fromkeys((address.local, address.local.lower())):
        if groups.find(tx, name) is not None:
            return Recipient(address, group=name)
    return None


def _returned(tx: Tx, address: Mailbox) -> Mailbox | None:
    """Whom a sender's address that we rewrote stands for; None when we did not, or too long ago."""
    token = srs.token(address.local)
    if token:
        kept = secrets.sender(tx, token)
        return mailbox(kept) if kept else None
    key = secrets.find(tx, SRS_KEY)
    try:
        return None if key is None else srs.reverse(key, address.local, tx.now)
    except Refused:
        return None


def ascii_domain(domain: str) -> str:
    """A domain as the store and the name service have it: A-labels, lower case; itself when that fails."""
    if domain.isascii():
        return domain.lower()
    try:
        return accounts.normal_domain(domain)
    except Refused:
        return domain.lower()
