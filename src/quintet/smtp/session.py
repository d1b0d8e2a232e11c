"""One SMTP, submission or LMTP connection: which command is allowed when, and what it does.

Opens with the table of states.  The envelope and the message are `smtp.transaction`'s, words are
`smtp.replies`', what becomes of a message `delivery.inbound`'s.  RFC 5321 4.1.4 (order of commands),
RFC 3207, RFC 4954, RFC 2033, RFC 2920 (every reply stands by itself, so that pipelines work).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from quintet import log, metrics
from quintet.auth import dialogue
from quintet.errors import BadSyntax, Hangup, Problem, Reason, Refused, TryLater
from quintet.net.seam import Ask, Input, Peer, Replies, Reply, TlsInfo
from quintet.smtp import commands, offers, replies, transaction
from quintet.smtp.desk import Desk, Role
from quintet.smtp.transaction import Transaction
from quintet.smtp.wire import SmtpWire

if TYPE_CHECKING:
    from quintet.auth.service import Identity
    from quintet.delivery.envelope import Envelope

logger = log.get("smtp")

MAX_NAMED = 100  # recipients in one line of the log
MAX_IDLING = 1000  # commands between two messages that move nothing (NOOP, RSET, VRFY...)


class State:
    """Where a connection stands; bits, as plain numbers: an enum.Flag costs a microsecond a command."""

    START: Final = 1  # nothing said yet
    READY: Final = 2  # greeted
    MAIL: Final = 4  # a sender, maybe recipients
    CHUNKS: Final = 8  # some of the message by BDAT
    ANY: Final = 15


@dataclass(frozen=True, slots=True)
class Rule:
    """When a command may be given, and what it hears elsewhere."""

    states: int
    section: str  # of RFC 5321
    start: bytes = replies.HELLO_FIRST
    ready: bytes = replies.NOT_NOW
    mail: bytes = replies.NOT_NOW
    chunks: bytes = replies.NOT_NOW

    def refusal(self, state: int) -> bytes:
        return {State.START: self.start, State.READY: self.ready, State.MAIL: self.mail}.get(
            state, self.chunks
        )


_NESTED = replies.NESTED
RULES: dict[type[commands.Command], Rule] = {
    commands.Hello: Rule(State.ANY, "4.1.1.1"),
    commands.Mail: Rule(State.READY, "4.1.1.2", mail=_NESTED, chunks=_NESTED),
    commands.Rcpt: Rule(State.MAIL, "4.1.1.3", ready=replies.SENDER_FIRST),
    commands.Data: Rule(State.MAIL, "4.1.1.4", ready=replies.SENDER_FIRST, chunks=replies.NO_DATA_AFTER_BDAT),
    # its octets follow whatever we say, so `bdat` refuses by itself
    commands.Bdat: Rule(State.ANY, "4.1.1.4"),
    commands.Rset: Rule(State.ANY, "4.1.1.5"),
    commands.Vrfy: Rule(State.ANY, "4.1.1.6"),
    commands.Expn: Rule(State.ANY, "4.1.1.7"),
    commands.Help: Rule(State.ANY, "4.1.1.8"),
    commands.Noop: Rule(State.ANY, "4.1.1.9"),
    commands.Quit: Rule(State.ANY, "4.1.1.10"),
    commands.Auth: Rule(State.READY, "2.2"),
    commands.StartTls: Rule(State.START | State.READY, "2.2"),
}

_NO_REFUSAL = (Reason.TIMEOUT, Reason.SHUTDOWN)  # ends that the driver tells of
_IDLING = (commands.Noop, commands.Rset, commands.Vrfy, commands.Expn, commands.Help, commands.Hello)


class SmtpSession:
    """See the module; implements `seam.Session`."""

    __slots__ = (
        "_desk",
        "_errors",
        "_extended",
        "_helo",
        "_identity",
        "_idled",
        "_last",
        "_peer",
        "_transaction",
        "_wire",
    )

    wants_push = False
    watch: asyncio.Event | None = None

    def __init__(self, desk: Desk, peer: Peer, wire: SmtpWire) -> None:
        self._desk, self._peer, self._wire = desk, peer, wire
        self._helo = ""
        self._extended = False  # EHLO or LHLO
        self._identity: Identity | None = None
        self._transaction: Transaction | None = None
        self._last: Envelope | None = None  # of the last message whose data came
        self._errors = 0
        self._idled = 0

    @property
    def state(self) -> int:
        if self._transaction is not None:
            return State.CHUNKS if self._transaction.started else State.MAIL
        return State.READY if self._helo else State.START

    @property
    def timeout_s(self) -> float:
        return self._desk.config.timeout_s

    # --- what the driver calls ------------------------------------------------------------

    def greet(self) -> Replies:
        """RFC 5321 4.3.1.  With a delay, who does not wait for it is noted for the checks."""
        desk = self._desk
        word = "LMTP" if desk.role is Role.LMTP else "ESMTP"
        banner = replies.line(220, "", f"{desk.hostname} {word} Quintet")
        if desk.role is Role.MX and desk.config.greet_delay_s > 0:
            return self._greet_late(banner)
        return [banner]

    async def _greet_late(self, banner: bytes) -> AsyncGenerator[Reply, None]:
        await self._desk.sleep(self._desk.config.greet_delay_s)
        if len(self._wire):
            self._peer.notes["early_talker"] = True
        yield banner

    def handle(self, command: commands.Command, following: Input) -> Replies:
        kind = type(command)
        rule, state = RULES[kind], self.state
        if not rule.states & state:
            return self._refused(rule.refusal(state), command)
        if kind in _IDLING:
            self._idled += 1
            if self._idled > MAX_IDLING:
                raise Hangup(Reason.TOO_MANY_ERRORS)
        return HANDLERS[kind](self, command, following)

    def poll(self) -> Replies:
        return ()

    def problem(self, error: Problem, command: Any | None) -> Replies:
        reply = replies.problem(error, logging_in=isinstance(command, commands.Auth))
        if isinstance(error, TryLater | Hangup):
            self._note(reply, command)
            return [reply]
        return self._refused(reply, command)

    def farewell(self, reason: Reason) -> bytes:
        if reason is Reason.CLOSED:
            return b""
        last = replies.farewell(reason, self._desk.hostname)
        if reason not in _NO_REFUSAL:
            self._note(last, None)
        return last

    def secured(self, tls: TlsInfo) -> None:
        """RFC 3207 4.2: nothing that was said before counts."""
        self._reset()
        self._helo, self._identity = "", None
        self._peer.helo = ""

    def close(self) -> None:
        self._reset()

    # --- refusals ---------------------------------------------------------------------------

    def _note(self, reply: bytes, command: commands.Command | None) -> None:
        """One line in the log for each refusal: what was asked, what we said."""
        text = reply[:-2].decode()
        metrics.MAIL_REFUSED.labels(self._desk.role.value, text[:3]).inc()
        detail: dict[str, object] = {}
        envelope = self._transaction.envelope if self._transaction is not None else None
        if isinstance(command, commands.Data | commands.Bdat) and self._last is not None:
            envelope = envelope or self._last
            detail["to"] = [str(each.address) for each in envelope.recipients[:MAX_NAMED]]
        if isinstance(command, commands.Mail):
            detail["sender"] = str(command.sender)
        elif envelope is not None:
            detail["sender"] = str(envelope.sender)
        if isinstance(command, commands.Rcpt):
            detail["recipient"] = str(command.recipient)
        if self._identity is not None:
            detail["account"] = self._identity.name
        logger.info(
            "refused",
            conn=self._peer.id,
            address=self._peer.address,
            command=type(command).__name__.lower() if command is not None else "",
            reply=text,
            **detail,
        )

    def _refused(self, reply: bytes, command: commands.Command | None) -> Replies:
        """Counts: who guesses waits, who goes on is shown the door (RFC 5321 3.8 allows 421)."""
        self._note(reply, command)
        self._errors += 1
        config = self._desk.config
        if self._errors >= config.max_errors:
            return [reply, self.farewell(Reason.TOO_MANY_ERRORS), Ask.CLOSE]
        if self._errors >= config.tarpit_errors and config.tarpit_s > 0:
            return self._tarpit(reply)
        return [reply]

    async def _tarpit(self, reply: bytes) -> AsyncGenerator[Reply, None]:
        yield Ask.FLUSH
        await self._desk.sleep(self._desk.config.tarpit_s)
        yield reply

    def _reset(self) -> None:
        if self._transaction is not None:
            self._transaction.close()
            self._transaction = None

    # --- commands -----------------------------------------------------------------------------

    def _hello(self, command: commands.Hello, following: Input) -> Replies:
        lmtp = self._desk.role is Role.LMTP
        if lmtp != (command.verb == "LHLO"):
            return self._refused(replies.LMTP_WANTS_LHLO if lmtp else replies.SMTP_WANTS_EHLO, command)
        self._reset()  # RFC 5321 4.1.4
        self._helo = self._peer.helo = command.domain
        self._extended = command.verb != "HELO"
        hello = f"{self._desk.hostname} greets {command.domain}"
        if not self._extended:
            return [replies.line(250, "", hello)]
        announced = offers.lines(self._desk, self._peer, self._identity)
        return [replies.lines(250, "", (hello, *announced))]

    def _mail(self, command: commands.Mail, following: Input) -> Replies:
        desk, peer = self._desk, self._peer
        if desk.wants_tls(peer):
            raise Refused(Reason.TLS_REQUIRED)
        if self._identity is None and desk.role is Role.SUBMISSION and not peer.user:
            raise Refused(Reason.AUTH_REQUIRED)
        protocol = "LMTP" if desk.role is Role.LMTP else "ESMTP" if self._extended else "SMTP"
        begun = Transaction(desk, peer, self._helo, protocol, self._identity)
        reply = begun.mail(command)
        self._transaction = begun
        return (reply,)

    def _rcpt(self, command: commands.Rcpt, following: Input) -> Replies:
        assert self._transaction is not None
        self._transaction.rcpt(command)
        return _RECIPIENT_OK

    def _data(self, command: commands.Data, following: Input) -> Replies:
        assert self._transaction is not None
        refusal = self._transaction.refusal()
        if refusal is None and self._transaction.binary:
            refusal = replies.NO_DATA_FOR_BINARY
        if refusal is not None:
            return self._refused(refusal, command)
        return self._take_data(self._transaction, following)

    async def _take_data(self, current: Transaction, following: Input) -> AsyncGenerator[Reply, None]:
        self._last = current.envelope
        yield replies.GO_AHEAD
        try:
            reply = await current.data(following)
        finally:
            self._reset()
        self._errors = self._idled = 0
        yield reply

    async def _bdat(self, command: commands.Bdat, following: Input) -> AsyncGenerator[Reply, None]:
        current = self._transaction
        refusal = replies.SENDER_FIRST if current is None else current.refusal()
        if current is None or refusal is not None:
            await transaction.skip(command.size, following)
            refused = self._refused(refusal or replies.SENDER_FIRST, command)
            if isinstance(refused, AsyncGenerator):
                async with aclosing(refused) as slowly:
                    async for reply in slowly:
                        yield reply
            else:
                for reply in refused:
                    yield reply
            return
        self._last, done = current.envelope, command.last
        try:
            reply = await current.chunk(command, following)
        except BaseException:
            done = True  # RFC 3030 4.2: after a failure only RSET would be of use
            raise
        finally:
            if done:
                self._reset()
        self._errors = self._idled = 0
        yield reply

    def _rset(self, command: commands.Rset, following: Input) -> Replies:
        self._reset()
        return _OK

    def _noop(self, command: commands.Noop, following: Input) -> Replies:
        return _OK

    def _vrfy(self, command: commands.Vrfy, following: Input) -> Replies:
        return [replies.CANNOT_VERIFY]

    def _expn(self, command: commands.Expn, following: Input) -> Replies:
        return [replies.NO_EXPN]

    def _help(self, command: commands.Help, following: Input) -> Replies:
        return [replies.HELP]

    def _quit(self, command: commands.Quit, following: Input) -> Replies:
        return [replies.BYE, Ask.CLOSE]

    def _starttls(self, command: commands.StartTls, following: Input) -> Replies:
        if self._peer.secure or not self._desk.starttls:
            return self._refused(replies.NO_STARTTLS, command)
        return [replies.READY_FOR_TLS, Ask.START_TLS]

    async def _auth(self, command: commands.Auth, following: Input) -> AsyncGenerator[Reply, None]:
        """RFC 4954 4.  Once a connection, never within a transaction."""
        desk, peer = self._desk, self._peer
        if self._identity is not None:
            raise Refused(Reason.WRONG_STATE, "Already authenticated")
        if desk.wants_tls(peer):
            raise Refused(Reason.TLS_REQUIRED)
        if not desk.offers_auth(peer):
            raise BadSyntax("AUTH not available here", Reason.UNKNOWN_COMMAND)
        talk = dialogue.Dialogue(desk.auth.exchange(command.mechanism, peer, "smtp"), following)
        answer = await talk.start(command.initial)
        while isinstance(answer, bytes):
            yield replies.challenge(answer)
            answer = await talk.next()
        self._identity = answer
        yield replies.AUTHENTICATED


_OK = (replies.OK,)
_RECIPIENT_OK = (replies.RECIPIENT_OK,)

Handler = Callable[[SmtpSession, Any, Input], Replies]  # Any: each takes the command it stands beside
HANDLERS: dict[type[commands.Command], Handler] = {
    commands.Hello: SmtpSession._hello,
    commands.Mail: SmtpSession._mail,
    commands.Rcpt: SmtpSession._rcpt,
    commands.Data: SmtpSession._data,
    commands.Bdat: SmtpSession._bdat,
    commands.Rset: SmtpSession._rset,
    commands.Vrfy: SmtpSession._vrfy,
    commands.Expn: SmtpSession._expn,
    commands.Help: SmtpSession._help,
    commands.Noop: SmtpSession._noop,
    commands.Quit: SmtpSession._quit,
    commands.Auth: SmtpSession._auth,
    commands.StartTls: SmtpSession._starttls,
}
