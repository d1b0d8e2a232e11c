"""One POP3 session: states, the command table, and the one table from problems to words.

AUTHORIZATION, then TRANSACTION on a `maildrop.Maildrop`; UPDATE is what QUIT does (RFC 1939 3).
Logging in is in `login`, sending messages in `sending`.  Response codes: RFC 2449 8, RFC 3206, RFC 6856 5.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any

from quintet import log, metrics
from quintet.errors import Hangup, Problem, Reason, Refused, TryLater
from quintet.net.seam import Ask, Input, Peer, Replies, TlsInfo
from quintet.pop3 import commands, login, sending, words
from quintet.pop3.maildrop import Maildrop
from quintet.store import reading
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.pop3.service import Pop3Service

logger = log.get("pop3")


class State(enum.Flag):
    """RFC 1939 3."""

    AUTHORIZATION = enum.auto()
    TRANSACTION = enum.auto()
    ANY = AUTHORIZATION | TRANSACTION


@dataclass(frozen=True, slots=True)
class Words:
    """What we say about a problem: a response code and a text of `words`."""

    code: str
    text: str


PROBLEMS: dict[Reason, Words] = {
    Reason.SYNTAX: Words("", "syntax"),
    Reason.TOO_LONG: Words("", "long"),
    Reason.TOO_MANY: Words("[SYS/TEMP]", "busy"),
    Reason.UNKNOWN_COMMAND: Words("", "unknown"),
    Reason.UNSUPPORTED: Words("", "no-tls"),
    Reason.WRONG_STATE: Words("", "state"),
    Reason.NO_SUCH_FOLDER: Words("[SYS/PERM]", "no-folder"),
    Reason.NO_SUCH_MESSAGE: Words("", "none"),
    Reason.NO_PERMISSION: Words("", "no-right"),
    Reason.IN_USE: Words("[IN-USE]", "in-use"),
    Reason.UNKNOWN_CHARSET: Words("[UTF8]", "needs-utf8"),
    Reason.AUTH_FAILED: Words("[AUTH]", "failed"),
    Reason.AUTH_EXPIRED: Words("[AUTH]", "failed"),
    Reason.AUTH_OTHER: Words("[AUTH]", "failed"),
    Reason.ACCOUNT_DISABLED: Words("[AUTH]", "disabled"),
    Reason.AUTH_WEAK: Words("", "weak"),
    Reason.AUTH_MECHANISM: Words("", "mechanism"),
    Reason.AUTH_CANCELLED: Words("", "cancelled"),
    Reason.AUTH_REQUIRED: Words("", "state"),
    Reason.BUG: Words("[SYS/TEMP]", "internal"),
    Reason.SHUTDOWN: Words("[SYS/TEMP]", "shutdown"),
    Reason.TOO_MANY_ERRORS: Words("", "errors"),
    Reason.STORAGE: Words("[SYS/TEMP]", "temporary"),
}
COUNTED = frozenset((Reason.AUTH_FAILED, Reason.AUTH_CANCELLED, Reason.AUTH_EXPIRED, Reason.AUTH_OTHER))
TEMPORARY = Words("[SYS/TEMP]", "temporary")
PERMANENT = Words("[SYS/PERM]", "failed")


class Session:
    """`seam.Session` of one connection."""

    __slots__ = ("drop", "errors", "failures", "house", "language", "peer", "user", "utf8")

    wants_push = False
    watch = None

    def __init__(self, house: Pop3Service, peer: Peer) -> None:
        self.house = house
        self.peer = peer
        self.drop: Maildrop | None = None  # in TRANSACTION
        self.user = ""  # of USER, until PASS
        self.utf8 = False
        self.language = "en"  # RFC 1939 3 allows ASCII only, until LANG
        self.errors = 0
        self.failures = 0

    @property
    def timeout_s(self) -> float:
        config = self.house.config
        return config.timeout_s if self.drop is not None else config.login_timeout_s

    @property
    def banner(self) -> str:
        """The timestamp of APOP (RFC 1939 7), where APOP is on; also the greeting's end."""
        if not self.house.auth.config.apop:
            return ""
        return f"<{self.peer.id}.{self.peer.started_at}@{self.house.hostname}>"

    def ok(self, text: str, **values: object) -> bytes:
        """A positive line with one of our texts."""
        return f"+OK {words.say(self.language, text, **values)}\r\n".encode()

    def greet(self) -> Replies:
        return [f"+OK {words.say(self.language, 'ready')} {self.banner}".rstrip().encode() + b"\r\n"]

    def handle(self, command: commands.Command, following: Input) -> Replies:
        rule = RULES[type(command)]
        if (State.TRANSACTION if self.drop is not None else State.AUTHORIZATION) not in rule.states:
            raise Refused(Reason.WRONG_STATE)
        if self.drop is not None:
            self.errors = 0
        return rule.answer(self, command, following)

    def poll(self) -> Replies:
        return []

    def problem(self, error: Problem, command: Any | None) -> Replies:
        reason = error.reason
        if self.drop is None or command is None:
            self.errors += 1
        if isinstance(command, commands.Pass):
            self.user = ""
        if reason in COUNTED:
            self.failures += 1
        found = PROBLEMS.get(reason)
        if reason is Reason.THROTTLED and error.text == login.LOGIN_DELAY:
            found = Words("[LOGIN-DELAY]", "delay")  # RFC 2449 8.1.1
        elif found is None:
            found = TEMPORARY if isinstance(error, TryLater) else PERMANENT
        said = found.text
        if reason is Reason.NO_SUCH_MESSAGE and self.drop is not None:
            number = getattr(command, "number", None)
            if error.text == "vanished":
                said = "vanished"
            elif number in self.drop.deleted:
                said = "gone"
        line = self._err(found.code, said)
        config = self.house.config
        if self.errors > config.max_errors or self.failures >= config.max_login_failures:
            return [line, Ask.CLOSE]
        return [line]

    def _err(self, code: str, text: str) -> bytes:
        return f"-ERR {code + ' ' if code else ''}{words.say(self.language, text)}\r\n".encode()

    def farewell(self, reason: Reason) -> bytes:
        if reason is Reason.TIMEOUT:
            return b""  # RFC 1939 3: without any response
        found = PROBLEMS.get(reason, TEMPORARY)
        return self._err(found.code, found.text)

    def secured(self, tls: TlsInfo) -> None:
        self.user = ""  # RFC 2595 4

    def close(self) -> None:
        if self.drop is not None:
            self.drop.close()
            read = self.drop.reading(self.peer.id)
            if read is not None:
                self.house.store.later(reading.entries, *read)

    # --- small commands ---------------------------------------------------------------------

    def capa(self, _: commands.Capa, __: Input) -> Replies:
        """RFC 2449 5.  The same in both states but for what is only for logging in."""
        house, auth = self.house, self.house.auth
        lines = ["+OK " + words.say(self.language, "capa"), "TOP", "UIDL"]
        mechanisms = auth.mechanisms(self.peer, "pop3")
        if self.drop is None and auth.plaintext_allowed(self.peer):
            lines.append("USER")
        if mechanisms:
            lines.append("SASL " + " ".join(mechanisms))
        if self.drop is None and self.may_start_tls:
            lines.append("STLS")
        days = house.config.expire_days
        lines += [
            "PIPELINING",
            "RESP-CODES",
            "AUTH-RESP-CODE",
            f"LOGIN-DELAY {house.config.login_delay_s}",
            f"EXPIRE {'NEVER' if days < 0 else days}",
            "UTF8 USER",
            "LANG",
        ]
        if house.config.implementation:
            lines.append(f"IMPLEMENTATION {house.config.implementation}")
        return ["\r\n".join([*lines, "."]).encode() + b"\r\n"]

    @property
    def may_start_tls(self) -> bool:
        """STLS is there: a certificate, cleartext, and no UTF8 before (RFC 6856 2.1)."""
        return self.house.starttls and self.peer.tls is None and not self.utf8

    def stls(self, _: commands.Stls, __: Input) -> Replies:
        """RFC 2595 4."""
        if not self.house.starttls:
            raise Refused(Reason.UNSUPPORTED)
        if not self.may_start_tls:
            raise Refused(Reason.WRONG_STATE)
        return [self.ok("tls"), Ask.START_TLS]

    def enable_utf8(self, _: commands.Utf8, __: Input) -> Replies:
        """RFC 6856 2.1."""
        self.utf8 = True
        return [self.ok("utf8")]

    def lang(self, command: commands.Lang, _: Input) -> Replies:
        """RFC 6856 3.2."""
        if command.tag is None:
            listed = [f"{tag} {name}" for tag, name in words.LANGUAGES.items()]
            return [self.ok("langs"), "\r\n".join([*listed, "."]).encode() + b"\r\n"]
        chosen = words.choose(command.tag, self.house.config.language)
        if chosen is None:
            return [self._err("", "no-language")]
        self.language = chosen
        return [f"+OK {chosen} {words.say(chosen, 'lang')}\r\n".encode()]

    def noop(self, _: commands.Noop, __: Input) -> Replies:
        """RFC 1939 5."""
        return [b"+OK\r\n"]

    def stat(self, _: commands.Stat, __: Input) -> Replies:
        """RFC 1939 5."""
        drop = self.open_drop
        return [f"+OK {drop.count} {drop.size}\r\n".encode()]

    def dele(self, command: commands.Dele, _: Input) -> Replies:
        """RFC 1939 5: a mark until QUIT."""
        drop = self.open_drop
        drop.check(command.number)
        if not drop.place.may_delete:
            raise Refused(Reason.NO_PERMISSION)
        drop.deleted.add(command.number)
        return [self.ok("deleted", number=command.number)]

    def rset(self, _: commands.Rset, __: Input) -> Replies:
        """RFC 1939 5."""
        drop = self.open_drop
        drop.deleted.clear()
        return [self.ok("reset", count=drop.count, size=drop.size)]

    def quit(self, _: commands.Quit, __: Input) -> Replies:
        """RFC 1939 4 and 6."""
        drop = self.drop
        if drop is not None and (drop.deleted or (self.house.config.mark_seen and drop.retrieved)):
            return self._update(drop)
        if drop is not None:
            drop.close()
        return [self.ok("bye"), Ask.CLOSE]

    async def _update(self, drop: Maildrop) -> AsyncGenerator[Any, None]:
        try:
            await drop.update(self.house.config.mark_seen, self.peer.id)
        except Problem as error:
            # RFC 1939 6: nothing may be removed that was not reported so; the lock goes in any case
            logger.warning("update failed", conn=self.peer.id, reason=error.reason.name)
            code = "[SYS/TEMP]" if isinstance(error, TryLater) else "[SYS/PERM]"
            line = self._err(code, "not-removed")
        else:
            logger.info("removed", conn=self.peer.id, folder=drop.place.folder.id, messages=len(drop.deleted))
            line = self.ok("bye")
        finally:
            drop.close()
        yield line
        yield Ask.CLOSE

    @property
    def open_drop(self) -> Maildrop:
        """The maildrop; the command table lets only TRANSACTION come here."""
        if self.drop is None:
            raise Hangup(Reason.BUG)
        return self.drop

    def enter(self, drop: Maildrop) -> bytes:
        """TRANSACTION begins; the line that says so."""
        self.drop = drop
        self.errors = 0
        metrics.OPENED.labels("pop3").inc()
        key = "open" if drop.place.may_delete else "read-only"
        return self.ok(key, count=drop.count, size=drop.size)


Answer = Callable[[Session, Any, Input], Replies]  # Any: each takes its own command, as the table says


@dataclass(frozen=True, slots=True)
class Rule:
    """When a command may be given, and what answers it."""

    states: State
    section: str  # with its RFC
    answer: Answer


RULES: dict[type, Rule] = {
    commands.User: Rule(State.AUTHORIZATION, "RFC 1939 7", login.user),
    commands.Pass: Rule(State.AUTHORIZATION, "RFC 1939 7", login.password),
    commands.Apop: Rule(State.AUTHORIZATION, "RFC 1939 7", login.apop),
    commands.Auth: Rule(State.AUTHORIZATION, "RFC 5034", login.auth),
    commands.Stls: Rule(State.AUTHORIZATION, "RFC 2595 4", Session.stls),
    commands.Utf8: Rule(State.AUTHORIZATION, "RFC 6856 2.1", Session.enable_utf8),
    commands.Capa: Rule(State.ANY, "RFC 2449 5", Session.capa),
    commands.Lang: Rule(State.ANY, "RFC 6856 3.2", Session.lang),
    commands.Stat: Rule(State.TRANSACTION, "RFC 1939 5", Session.stat),
    commands.List: Rule(State.TRANSACTION, "RFC 1939 5", sending.listing),
    commands.Uidl: Rule(State.TRANSACTION, "RFC 1939 7", sending.unique_ids),
    commands.Retr: Rule(State.TRANSACTION, "RFC 1939 5", sending.retrieve),
    commands.Top: Rule(State.TRANSACTION, "RFC 1939 7", sending.top),
    commands.Dele: Rule(State.TRANSACTION, "RFC 1939 5", Session.dele),
    commands.Rset: Rule(State.TRANSACTION, "RFC 1939 5", Session.rset),
    commands.Noop: Rule(State.TRANSACTION, "RFC 1939 5", Session.noop),
    commands.Quit: Rule(State.ANY, "RFC 1939 6", Session.quit),
}
"""A command that is missing for a state is refused there (RFC 1939 3)."""
