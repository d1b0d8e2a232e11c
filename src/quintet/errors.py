"""The five families of problems, and the reasons below the protocols.

Store, policy and auth raise a family with a `Reason`; each protocol owns one table from
`Reason` to its own words.  Any exception outside the families is our bug: it is logged with
its traceback, and the peer hears a neutral "internal error".
"""

from __future__ import annotations

import enum


class Reason(enum.Enum):
    """Why something was refused, put off or ended; never a protocol's reply code."""

    # the request itself
    SYNTAX = "syntax"
    TOO_LONG = "line or literal too long"
    TOO_MANY = "too many"
    TOO_BIG = "too big"
    UNKNOWN_COMMAND = "unknown command"
    UNKNOWN_CHARSET = "unknown charset"
    UNSUPPORTED = "not supported"
    WRONG_STATE = "not now"
    # things
    NO_SUCH_FOLDER = "no such folder"
    NO_SUCH_PARENT = "no such parent folder"
    NO_SUCH_MESSAGE = "no such message"
    NO_SUCH_ACCOUNT = "no such account"
    NO_SUCH_ADDRESS = "no such address"
    NO_SUCH_DOMAIN = "no such domain"
    NO_MAIL = "domain or host takes no mail"
    NO_SUCH_SCRIPT = "no such script"
    NO_SUCH_JOB = "no such job"
    ALREADY_EXISTS = "already exists"
    HAS_CHILDREN = "has children"
    BAD_NAME = "not a possible name"
    IN_USE = "in use"
    DUPLICATE = "already have it"
    # who may
    NO_PERMISSION = "not permitted"
    AUTH_REQUIRED = "authentication required"
    AUTH_FAILED = "authentication failed"
    AUTH_MECHANISM = "mechanism not available"
    AUTH_WEAK = "mechanism too weak here"
    AUTH_EXPIRED = "credential expired"
    AUTH_OTHER = "may not act as another"
    AUTH_CANCELLED = "authentication cancelled"
    ACCOUNT_DISABLED = "account disabled"
    TLS_REQUIRED = "TLS required"
    RELAY_DENIED = "relay denied"
    SENDER_DENIED = "sender address not yours"
    POLICY = "refused by policy"
    MODERATED = "needs approval"
    # what was sent
    BAD_CONTENT = "content is malformed"
    BARE_LINE_END = "bare CR or LF"
    LOOP = "mail loop"
    # not now
    OVER_QUOTA = "over quota"
    DISK_FULL = "no space left"
    STORAGE = "storage trouble"
    BUSY = "busy"
    LOCKED = "locked"
    THROTTLED = "slow down"
    NUMBERS_EXHAUSTED = "numbers exhausted"
    DNS = "name service trouble"
    # the end
    CLOSED = "connection closed"
    TIMEOUT = "idle too long"
    SHUTDOWN = "shutting down"
    TOO_MANY_ERRORS = "too many errors"
    BUG = "internal error"


class Problem(Exception):
    """Base of the families; ``text`` is for people and safe to show to the peer."""

    def __init__(self, reason: Reason, text: str = "") -> None:
        super().__init__(reason, text)
        self.reason = reason
        self.text = text or reason.value

    def __str__(self) -> str:
        return self.text


class BadSyntax(Problem):
    """The command cannot be understood."""

    def __init__(self, text: str = "", reason: Reason = Reason.SYNTAX) -> None:
        super().__init__(reason, text)


class Refused(Problem):
    """The user may not, or the thing is not there; trying again will not help."""


class TryLater(Problem):
    """Full, busy, locked: the same request may succeed later."""


class Hangup(Problem):
    """The connection ends, by the peer's doing or by policy."""

    def __init__(self, reason: Reason = Reason.CLOSED, text: str = "") -> None:
        super().__init__(reason, text)
