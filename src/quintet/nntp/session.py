"""One news connection: the table of commands, who may what, and the one table from reasons to words.

The answers themselves stand by family in `access` (login, TLS, capabilities), `reader` (groups and
articles), `overview` (OVER, HDR and their elders), `lists` (LIST, NEWGROUPS, NEWNEWS) and `posting`.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from quintet import log, metrics
from quintet.auth.identity import Identity
from quintet.errors import BadSyntax, Hangup, Problem, Reason, Refused, TryLater
from quintet.net.seam import Ask, Input, Peer, Pending, Replies, TlsInfo
from quintet.nntp import access, batches, lists, overview, pacing, packing, posting, reader, runs, transit
from quintet.nntp.commands import Command
from quintet.nntp.fetches import Run
from quintet.nntp.rights import Rights
from quintet.nntp.stream import Articles, Cancels, Checks, Offer, Sending, Sent
from quintet.nntp.wire import Status, Wire
from quintet.store import reading
from quintet.store.model import AccountId, Folder
from quintet.store.reading import Read
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.nntp.service import NntpService

logger = log.get("nntp")


class Needs(enum.Flag):
    """What must hold before a command is answered."""

    NOTHING = 0
    READ = enum.auto()  # permission to read: 480 without
    GROUP = enum.auto()  # a group is selected: 412 without


READ, GROUP, NOTHING = Needs.READ, Needs.GROUP, Needs.NOTHING
Handler = Callable[["Session", Command, Input], Replies]


@dataclass(frozen=True, slots=True)
class Rule:
    """When a command may be given, and with how many arguments."""

    section: str  # with its RFC
    handler: Handler
    least: int = 0
    most: int = 0
    needs: Needs = READ
    usage: str = ""


def _quit(session: Session, command: Command, following: Input) -> Replies:
    return [Status(205, "Bye"), Ask.CLOSE]


def _help(session: Session, command: Command, following: Input) -> Replies:
    """RFC 3977 7.2: for people, so in no set form."""
    lines = [f"  {name} {rule.usage}".rstrip() for name, rule in RULES.items()]
    text = "\r\n".join(["100 Commands that this server takes", *lines, ".", ""])
    return [text.encode()]


RULES: dict[str, Rule] = {
    "CAPABILITIES": Rule("RFC 3977 5.2", access.capabilities, 0, 1, NOTHING, "[keyword]"),
    "MODE": Rule("RFC 3977 5.3", access.mode, 1, 1, NOTHING, "READER | STREAM | CANCEL"),
    "QUIT": Rule("RFC 3977 5.4", _quit, 0, 0, NOTHING),
    "GROUP": Rule("RFC 3977 6.1.1", reader.group, 1, 1, READ, "group"),
    "LISTGROUP": Rule("RFC 3977 6.1.2", reader.listgroup, 0, 2, READ, "[group [range]]"),
    "LAST": Rule("RFC 3977 6.1.3", reader.last, 0, 0, READ | GROUP),
    "NEXT": Rule("RFC 3977 6.1.4", reader.next_, 0, 0, READ | GROUP),
    "ARTICLE": Rule("RFC 3977 6.2.1", reader.article, 0, 1, READ, "[number | <message-id>]"),
    "HEAD": Rule("RFC 3977 6.2.2", reader.head, 0, 1, READ, "[number | <message-id>]"),
    "BODY": Rule("RFC 3977 6.2.3", reader.body, 0, 1, READ, "[number | <message-id>]"),
    "STAT": Rule("RFC 3977 6.2.4", reader.stat, 0, 1, READ, "[number | <message-id>]"),
    "POST": Rule("RFC 3977 6.3.1", posting.post, 0, 0, NOTHING),
    "DATE": Rule("RFC 3977 7.1", access.date, 0, 0, NOTHING),
    "HELP": Rule("RFC 3977 7.2", _help, 0, 0, NOTHING),
    "NEWGROUPS": Rule("RFC 3977 7.3", lists.newgroups, 2, 4, READ, "[yy]yymmdd hhmmss [GMT]"),
    "NEWNEWS": Rule("RFC 3977 7.4", lists.newnews, 3, 4, READ, "wildmat [yy]yymmdd hhmmss [GMT]"),
    "LIST": Rule("RFC 3977 7.6", lists.list_, 0, 3, READ, "[keyword [wildmat | argument]]"),
    "OVER": Rule("RFC 3977 8.3", packing.maybe(overview.over), 0, 1, READ, "[range | <message-id>]"),
    "HDR": Rule("RFC 3977 8.5", packing.maybe(overview.hdr), 1, 2, READ, "header [range | <message-id>]"),
    "XOVER": Rule("RFC 2980 2.8", packing.maybe(overview.xover), 0, 1, READ, "[range]"),
    "XHDR": Rule("RFC 2980 2.6", packing.maybe(overview.xhdr), 1, 2, READ, "header [range | <message-id>]"),
    "XPAT": Rule(
        "RFC 2980 2.9", packing.maybe(overview.xpat), 3, 200, READ, "header range|<message-id> pattern..."
    ),
    "XZVER": Rule("RFC 2980 2.8", packing.xzver, 0, 1, READ, "[range]"),
    "XZHDR": Rule("RFC 2980 2.6", packing.xzhdr, 1, 2, READ, "header [range | <message-id>]"),
    "XFEATURE": Rule("RFC 8054 1", packing.xfeature, 2, 3, NOTHING, "COMPRESS GZIP [TERMINATOR]"),
    "XGTITLE": Rule("RFC 2980 2.4", lists.xgtitle, 0, 1, READ, "[wildmat]"),
    "IHAVE": Rule("RFC 3977 6.3.2", transit.ihave, 1, 1, NOTHING, "<message-id>"),
    "CHECK": Rule("RFC 4644 2.4", transit.check, 0, 200, NOTHING, "<message-id>"),
    "TAKETHIS": Rule("RFC 4644 2.5", transit.takethis, 0, 200, NOTHING, "<message-id>"),
    "XBATCH": Rule("INN: XBATCH", batches.xbatch, 1, 1, NOTHING, "size"),
    "AUTHINFO": Rule(
        "RFC 4643 2", access.authinfo, 2, 3, NOTHING, "USER name | PASS password | SASL mechanism [data]"
    ),
    "STARTTLS": Rule("RFC 4642 2.2", access.starttls, 0, 0, NOTHING),
    "COMPRESS": Rule("RFC 8054 2.2", access.compress, 1, 1, NOTHING, "DEFLATE"),
}

WORDS: dict[Reason, tuple[int, str]] = {
    # RFC 3977 3.2.1 generic codes, else the command's own
    Reason.UNKNOWN_COMMAND: (500, "What?"),
    Reason.SYNTAX: (501, "Syntax error"),
    Reason.TOO_LONG: (501, "Line too long"),
    Reason.TOO_MANY: (501, "Too many"),
    Reason.UNSUPPORTED: (503, "Not supported"),
    Reason.WRONG_STATE: (502, "Not now"),
    Reason.NO_SUCH_FOLDER: (411, "No such group"),
    Reason.NO_SUCH_MESSAGE: (430, "No such article"),
    Reason.NO_PERMISSION: (502, "Not permitted"),
    Reason.AUTH_REQUIRED: (480, "Authentication required"),
    Reason.AUTH_FAILED: (481, "Authentication failed"),
    Reason.AUTH_EXPIRED: (481, "Credential expired"),
    Reason.AUTH_OTHER: (481, "May not act as another"),
    Reason.AUTH_CANCELLED: (481, "Authentication cancelled"),
    Reason.AUTH_MECHANISM: (503, "Mechanism not available"),
    Reason.AUTH_WEAK: (483, "Encryption required"),
    Reason.TLS_REQUIRED: (483, "Encryption required"),
    Reason.ACCOUNT_DISABLED: (481, "Account disabled"),
    Reason.THROTTLED: (481, "Too many attempts, try later"),
    Reason.BUSY: (403, "Busy, try later"),
    Reason.LOCKED: (403, "Locked, try later"),
    Reason.DISK_FULL: (403, "No space left, try later"),
    Reason.STORAGE: (403, "Storage trouble, try later"),
    Reason.SHUTDOWN: (400, "Shutting down"),
    Reason.TIMEOUT: (400, "Idle too long"),
    Reason.TOO_MANY_ERRORS: (400, "Too many unknown commands"),
    Reason.BUG: (403, "Internal error"),
}
CLOSING = frozenset((400,))  # RFC 3977 3.2.1: the connection ends after it
DUPLICATE = "435 Duplicate article"  # pan takes "441 ... 435" for a success that was answered twice

_READING = frozenset(name for name, rule in RULES.items() if rule.needs & READ)
_IN_GROUP = frozenset(name for name, rule in RULES.items() if rule.needs & GROUP)
_COUNTERS = {name: metrics.NNTP_COMMANDS.labels(name) for name in RULES}


class Session:
    """Semantics of one connection."""

    __slots__ = (
        "_counted",
        "_errors",
        "_throttle",
        "compressed",
        "current",
        "fetched",
        "group",
        "identity",
        "link",
        "modern",
        "packed",
        "peer",
        "posting",
        "read",
        "rights",
        "service",
        "user",
        "wire",
    )

    wants_push = False
    watch: asyncio.Event | None = None

    def __init__(self, service: NntpService, peer: Peer) -> None:
        self.service, self.peer = service, peer
        self.group: Folder | None = None  # as it was when selected; counts are read anew
        self.current = 0  # article number, 0 for none
        self.fetched = 0  # the number sent last: who goes on with the next gets it read ahead
        self.identity: Identity | None = None
        self.posting = ""  # between POST and the article: the Message-ID that was recommended
        self.user = ""  # between AUTHINFO USER and PASS
        self.compressed = False
        self.modern = False  # the client has asked for CAPABILITIES: it knows ":bytes" and ":lines"
        self.packed = ""  # "GZIP" or "TERMINATOR" after XFEATURE COMPRESS GZIP (`packing`)
        self.read: set[Read] = set()  # articles whose bodies somebody who logged in was sent
        self.rights: Rights = service.rules.of(peer, None)
        self.wire: Wire  # set by who makes the connection: what is awaited of a peer is framed there
        self.link = transit.Link(service.arrivals)
        self._errors = 0  # unknown commands in a row
        self._counted = ""  # by what the connection is counted (`pacing`)
        self._throttle: pacing.Throttle | None = None

    @property
    def timeout_s(self) -> float:
        return self.service.config.timeout_s

    # --- who may what ---------------------------------------------------------------------

    @property
    def may_read(self) -> bool:
        return self.rights.reads

    @property
    def may_post(self) -> bool:
        return self.rights.posts

    def login_helps(self, aspect: str) -> bool:
        """True when somebody who logs in from here may get what this reader has not."""
        return self.identity is None and self.service.rules.login_helps(self.peer, aspect)

    @property
    def who(self) -> str:
        """By what this reader is counted."""
        return pacing.who(self.peer.address, self.identity.name if self.identity is not None else "")

    # --- the life of a connection ---------------------------------------------------------

    def greet(self) -> Replies:
        turned_away = self._admit()
        return turned_away or [self.welcome()]

    def _admit(self) -> list[Any]:
        """Takes up the rights of whoever this is now; the farewell to who may not stay, else nothing."""
        self.rights = rights = self.service.rules.of(self.peer, self.identity)
        if self.group is not None and not rights.read(self.group.name):
            self.group, self.current, self.fetched = None, 0, 0
        rule, pace = rights.rule, self.service.pacing
        self._throttle = pacing.Throttle(pace, rule.max_rate) if rule.max_rate else None
        if rule.reject and not self.link.expected(self):
            return [Status(502, _one_line(rule.reject)), Ask.CLOSE]
        if not (any(map(self._may_ever, ("read", "post", "ihave"))) or self.link.expected(self)):
            return [Status(502, "You have no permission to talk to this server"), Ask.CLOSE]
        self._leave()
        if not pace.enter(self.who, rule.connections):
            return [Status(400, "Too many connections, try later"), Ask.CLOSE]
        self._counted = self.who
        return []

    def _may_ever(self, aspect: str) -> bool:
        """Whether something may be done, if only after logging in or under TLS."""
        rules = self.service.rules
        return (
            bool(getattr(self.rights.rule, aspect))
            or self.login_helps(aspect)
            or rules.tls_helps(self.peer, self.identity, aspect)
        )

    def _leave(self) -> None:
        if self._counted:
            self.service.pacing.leave(self._counted)
            self._counted = ""

    def welcome(self) -> Status:
        """RFC 3977 5.1, 5.3: 200 when posting is possible, if only after logging in."""
        posting = self.may_post or self.login_helps("post")
        code, words = (200, "posting allowed") if posting else (201, "no posting")
        return Status(code, f"{self.service.hostname} Quintet news server ready, {words}")

    @property
    def account_id(self) -> AccountId | None:
        return self.identity.account_id if self.identity is not None else None

    def no_permission(self, aspect: str = "read") -> Problem:
        """What to raise when the reader may not: 480 when logging in could help, 483 when TLS, else 502."""
        return access.refusal(self, aspect)

    def select(self, folder: Folder) -> None:
        """RFC 3977 6.1.1: the current article is the first one, and invalid in an empty group."""
        self.group = folder
        self.current = folder.low if folder.messages else 0
        self.fetched = self.current - 1 if self.current else 0

    def handle(
        self, command: Command | Checks | Cancels | Articles | Offer | Sent | Sending | Run, following: Input
    ) -> Replies:
        if not isinstance(command, Command):
            return self._together(command, following)
        rule = RULES.get(command.name)
        if rule is None and self.link.cancels and command.name.startswith("<"):
            return [transit.BAD_CANCEL]
        if rule is None:
            raise BadSyntax("", Reason.UNKNOWN_COMMAND)
        self._errors = 0
        _COUNTERS[command.name].inc()
        if not rule.least <= len(command.args) <= rule.most:
            raise BadSyntax(f"Usage: {command.name} {rule.usage}".rstrip())
        if command.name in _READING and not self.may_read:
            raise access.refusal(self)
        if command.name in _IN_GROUP and self.group is None:
            return [reader.NO_GROUP]
        if command.name in _READING and (coming := self.link.coming(command.args)) is not None:
            return Pending(coming, lambda: self._paced(rule.handler(self, command, following)))
        return self._paced(rule.handler(self, command, following))

    def _paced(self, replies: Replies) -> Replies:
        return replies if self._throttle is None else self._throttle.replies(replies)

    def _together(
        self, came: Checks | Cancels | Articles | Offer | Sent | Sending | Run, following: Input
    ) -> Replies:
        """What the wire framed as one."""
        if isinstance(came, Run):
            return self._run(came)
        if isinstance(came, Cancels) and not self.link.cancels:
            return self._unknown(len(came.ids))
        self._errors = 0
        if isinstance(came, Offer):
            _COUNTERS[came.name].inc()
        elif self.posting and isinstance(came, Sent | Sending):
            return posting.came(self, came, following)
        return transit.handle(self, came, following)

    def _run(self, run: Run) -> Replies:
        """Many commands of one kind."""
        self._errors = 0
        _COUNTERS[run.name].inc(len(run.words))
        if not self.may_read:
            return self.problem(access.refusal(self), None) * len(run.words)
        if (coming := self.link.coming(run.words)) is not None:
            return Pending(coming, lambda: self._paced(runs.answer(self, run)))
        return self._paced(runs.answer(self, run))

    def _unknown(self, count: int) -> list[Any]:
        """So many commands that are none, as far as they are answered."""
        replies: list[Any] = []
        while count and Ask.CLOSE not in replies:
            replies += self.problem(BadSyntax("", Reason.UNKNOWN_COMMAND), None)
            count -= 1
        return replies

    def poll(self) -> Replies:
        return []

    def problem(self, error: Problem, command: Any | None) -> list[Any]:
        """RFC 3977 3.2.1: the generic codes; a command's own codes are given by its handler."""
        code, words = WORDS.get(error.reason, (403, error.reason.value))
        if command is not None and command.name == "POST" and isinstance(error, Refused | TryLater):
            return [_not_posted(error)]
        if isinstance(error, BadSyntax) and error.reason not in WORDS:
            code = 501
        if error.text != error.reason.value:
            words = _one_line(error.text)
        if error.reason is Reason.UNKNOWN_COMMAND:
            self._errors += 1
            if self._errors >= self.service.config.max_errors:
                return [Status(400, "Too many unknown commands"), Ask.CLOSE]
        if isinstance(error, Hangup) and error.reason is Reason.BUG:
            words = "Internal error"
        replies: list[Any] = [Status(code, words)]
        if code in CLOSING:
            replies.append(Ask.CLOSE)
        return replies

    def farewell(self, reason: Reason) -> bytes:
        _, words = WORDS.get(reason, (400, reason.value))
        return f"400 {words}\r\n".encode()  # RFC 3977 3.2.1, 5.1.1

    def secured(self, tls: TlsInfo) -> None:
        """RFC 4642 2.2.2: everything known of the client is forgotten."""
        self.group, self.current, self.fetched, self.user, self.modern = None, 0, 0, "", False
        self.packed = ""
        self.rights = self.service.rules.of(self.peer, self.identity)
        self.link.forget()

    def entered(self, identity: Identity) -> list[Any]:
        """They have logged in.  Gives the farewell if they may not stay."""
        self.identity, self.user = identity, ""
        self.link.forget()
        logger.info("login", conn=self.peer.id, account=identity.name, mechanism=identity.mechanism)
        return self._admit()

    def note_read(self) -> None:
        """Hands on what was read; the note is written behind."""
        if self.read and self.identity is not None:
            note = reading.by(self.peer.id, self.identity.account_id, "nntp")
            self.service.store.later(reading.messages, note, self.read)
        self.read = set()

    def close(self) -> None:
        self.note_read()
        self._leave()
        self.link.forget()
        self.group = None


def _not_posted(error: Problem) -> Status:
    """RFC 3977 6.3.1: what went wrong with an article is always 441, with the reason in words."""
    if error.reason is Reason.AUTH_REQUIRED:
        return Status(480, "Authentication required")
    if error.reason is Reason.DUPLICATE:
        return Status(441, DUPLICATE)
    if isinstance(error, TryLater) and error.text == error.reason.value:  # nobody said more
        return Status(441, WORDS.get(error.reason, (441, f"{error.text}, try later"))[1])
    return Status(441, _one_line(error.text))


def _one_line(text: str) -> str:
    return " ".join(text.split())[:400] or "Refused"
