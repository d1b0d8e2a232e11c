"""Who somebody turned out to be."""

from __future__ import annotations

from quintet.store.model import AccountId
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """The result of logging in."""

    account_id: AccountId
    name: str  # the account's login name: "alice@example.org"
    mechanism: str  # SASL name; "PLAIN" also for USER/PASS, LOGIN and AUTHINFO; "APOP"
    scope: str  # the protocol: "imap", "smtp"...
    app: str = ""  # label of the app password used, if one was
    master: str = ""  # login name of who acts as this account, if somebody else
