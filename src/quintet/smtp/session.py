"""One SMTP, submission or LMTP connection: what each command does.

Which command is allowed when is the table of `smtp.rules`.  The envelope and the message are
`smtp.transaction`'s, words are `smtp.replies`', what becomes of a message `delivery.inbound`'s.  RFC 3207,
RFC 4954, RFC 2033, RFC 2920 (every reply stands by itself, so that pipelines work).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from quintet import log, metrics
from quintet.auth import dialogue
from quintet.errors import BadSyntax, Hangup, Problem, Reason, Refused, TryLater
from quintet.net.seam import Ask, Input, Peer, Pending, Replies, Reply, TlsInfo, each
from quintet.smtp import along, commands, inquiries, offers, replies, transaction
from quintet.smtp.address import MAX_DOMAIN as MAX_HELO
from quintet.smtp.desk import Desk, ResolveBurl, Role
from quintet.smtp.rules import RULES, State
from quintet.smtp.transaction import Transaction
from quintet.smtp.wire import SmtpWire

if TYPE_CHECKING:
    from quintet.auth.service import Identity
    from quintet.delivery.checks import Later
    from quintet.delivery.envelope import Envelope
    from quintet.delivery.inbound import Begun
    from quintet.smtp.turn import Turns

logger = log.get("smtp")

MAX_NAMED = 100  # recipients in one line of the log
MAX_IDLING = 1000  # commands between two messages that move nothing (NOOP, RSET, VRFY...)

_NO_REFUSAL = (Reason.TIMEOUT, Reason.SHUTDOWN)  # ends that the driver tells of
_TRACED = frozenset(("rcpt", "data", "bdat", "burl"))
_IDLING = (commands.Noop, commands.Rset, commands.Vrfy, commands.Expn, commands.Help, commands.Hello)


class SmtpSession:
    """See the module; implements `seam.Session`."""

    __slots__ = (
        "_away",
        "_desk",
        "_errors",
        "_extended",
        "_helo",
        "_identity",
        "_idled",
        "_last",
        "_last_id",
        "_mails",
        "_partial_since",
        "_peer",
        "_real",
        "_transaction",
        "_wire",
    )

    wants_push = False
    watch: asyncio.Event | None = None

    def __init__(self, desk: Desk, peer: Peer, wire: SmtpWire) -> None:
        self._desk, self._peer, self._wire = desk, peer, wire
        self._real = peer.address  # who is connected, whomever it speaks for (XCLIENT)
        self._helo, self._away = "", False
        self._extended = False  # EHLO or LHLO
        self._identity: Identity | None = None
        self._transaction: Transaction | None = None
        self._last: Envelope | None = None  # of the last message whose data came
        self._last_id = ""  # its Message-ID
        self._mails = 0  # transactions begun
        self._partial_since = -1.0  # when a line began that is not whole yet; negative: there is none
        self._errors = 0
        self._idled = 0

    @property
    def state(self) -> int:
        if self._transaction is not None:
            return State.CHUNKS if self._transaction.started else State.MAIL
        return State.AWAY if self._away else State.READY if self._helo else State.START

    @property
    def timeout_s(self) -> float:
        """From the beginning of a line, not from its last octet: who sends one a minute ties up nothing."""
        usual = self._desk.config.timeout_s
        if not len(self._wire):
            self._partial_since = -1.0
            return usual
        now = self._desk.clock.monotonic()
        if self._partial_since < 0:
            self._partial_since = now
        return max(usual - (now - self._partial_since), 0.0)

    # --- what the driver calls ------------------------------------------------------------

    def greet(self) -> Replies:
        """RFC 5321 4.3.1.  With a delay, who does not wait for it is noted for the checks."""
        desk = self._desk
        word = "LMTP" if desk.role is Role.LMTP else "ESMTP"
        banner = replies.line(220, "", f"{desk.hostname} {word} Quintet")
        delayed = desk.role is Role.MX and desk.config.greet_delay_s > 0
        try:
            later = None if desk.role is Role.LMTP else desk.inbound.connected(self._peer)
        except Problem as problem:
            return self._turned_away(problem)
        return self._greet_late(banner, delayed, later) if delayed or later is not None else [banner]

    async def _greet_late(self, banner: bytes, delayed: bool, later: Later) -> AsyncGenerator[Reply, None]:
        if delayed:
            await self._desk.sleep(self._desk.config.greet_delay_s)
            if len(self._wire) and self._too_eager("early_talker"):
                yield replies.TOO_EAGER
                yield Ask.CLOSE
                return
        try:
            if later is not None:
                await later
        except Problem as problem:
            for reply in self._turned_away(problem):
                yield reply
            return
        yield banner

    def _turned_away(self, problem: Problem) -> list[Reply]:
        """Instead of a greeting: 554, then only QUIT (RFC 5321 3.1); 421 for who may come again (3.8)."""
        _, enhanced, text = replies.status(problem)
        self._away = not (isinstance(problem, TryLater) or self._desk.config.soft_bounce)
        reply = replies.line(554 if self._away else 421, enhanced, f"{self._desk.hostname} {text}")
        self._note(reply, None)
        return [reply] if self._away else [reply, Ask.CLOSE]

    def _too_eager(self, note: str) -> bool:
        """Somebody talks out of turn: noted for the checks; True when that is not borne here."""
        if self._desk.role is not Role.MX:
            return False
        if note not in self._peer.notes:
            self._peer.notes[note] = True
            logger.info("eager", conn=self._peer.id, address=self._peer.address, what=note)
        return self._desk.config.eager == "refuse"

    def _sent_away(self, command: commands.Command) -> Replies:
        self._note(replies.TOO_EAGER, command)
        return [replies.TOO_EAGER, Ask.CLOSE]

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
        self._peer.tls = tls  # also where we have a copy of our own (XCLIENT)

    def close(self) -> None:
        self._reset()

    # --- refusals ---------------------------------------------------------------------------

    def _note(self, reply: bytes, command: commands.Command | None) -> None:
        """One line in the log for each refusal: what was asked, what we said."""
        text = reply[:-2].decode()
        metrics.MAIL_REFUSED.labels(self._desk.role.value, text[:3]).inc()
        detail: dict[str, object] = {}
        envelope = self._transaction.envelope if self._transaction is not None else None
        if (
            isinstance(command, commands.Data | commands.Message | commands.Bdat | commands.Burl)
            and self._last is not None
        ):
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
        verb = type(command).__name__.lower() if command is not None else ""
        if verb == "message":
            verb = "data"  # what follows it
        logger.info(
            "refused", conn=self._peer.id, address=self._peer.address, command=verb, reply=text, **detail
        )
        if verb in _TRACED and envelope is not None:
            self._desk.refusals.add(
                envelope,
                verb,
                text,
                recipient=str(detail.get("recipient", "")),
                message_id=self._last_id if verb != "rcpt" else "",
            )

    def _refused(self, reply: bytes, command: commands.Command | None) -> Replies:
        """Counts: who guesses waits, who goes on is shown the door (RFC 5321 3.8 allows 421)."""
        config = self._desk.config
        if config.soft_bounce:
            reply = replies.softened(reply)
        self._note(reply, command)
        self._errors += 1
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
            self._peer.notes.pop("forwarded", None)  # XFORWARD is for one message

    # --- commands -----------------------------------------------------------------------------

    def _hello(self, command: commands.Hello, following: Input) -> Replies:
        lmtp = self._desk.role is Role.LMTP
        if lmtp != (command.verb == "LHLO"):
            return self._refused(replies.LMTP_WANTS_LHLO if lmtp else replies.SMTP_WANTS_EHLO, command)
        # RFC 2920 3.1: EHLO ends a group, unless we said that it need not
        if len(self._wire) and not self._desk.pipe_connect and self._too_eager("talks_over_hello"):
            return self._sent_away(command)
        self._reset()  # RFC 5321 4.1.4
        self._helo = ""
        self._peer.helo = command.domain
        later = self._desk.inbound.greeted(self._peer)
        return self._greeted(command) if later is None else self._greeted_late(command, later)

    def _greeted(self, command: commands.Hello) -> list[Reply]:
        self._helo = command.domain
        self._extended = command.verb != "HELO"
        hello = f"{self._desk.hostname} greets {command.domain}"
        if not self._extended:
            return [replies.line(250, "", hello)]
        return [replies.first(250, hello) + offers.lines(self._desk, self._peer, self._identity, self._real)]

    async def _greeted_late(
        self, command: commands.Hello, later: Awaitable[None]
    ) -> AsyncGenerator[Reply, None]:
        await later
        for reply in self._greeted(command):
            yield reply

    def _mail(self, command: commands.Mail, following: Input) -> Replies:
        desk, peer = self._desk, self._peer
        if desk.wants_tls(peer):
            raise Refused(Reason.TLS_REQUIRED)
        if self._identity is None and desk.role in (Role.SUBMISSION, Role.ODMR) and not peer.user:
            raise Refused(Reason.AUTH_REQUIRED)
        if not self._extended and len(self._wire) and self._too_eager("pipelines_after_helo"):
            return self._sent_away(command)
        if 0 < desk.config.max_messages <= self._mails:
            self._note(replies.TOO_MANY_MESSAGES, command)
            return [replies.TOO_MANY_MESSAGES, Ask.CLOSE]
        protocol = "LMTP" if desk.role is Role.LMTP else "ESMTP" if self._extended else "SMTP"
        begun = Transaction(desk, peer, self._helo, protocol, self._identity)
        later = begun.mail(command)
        if later is not None:
            return self._mail_late(begun, later)
        self._mails += 1
        self._transaction = begun
        return self._along(begun.reply)

    async def _mail_late(self, begun: Transaction, later: Awaitable[None]) -> AsyncGenerator[Reply, None]:
        await later
        self._mails += 1
        self._transaction = begun
        yield begun.reply

    def _rcpt(self, command: commands.Rcpt, following: Input) -> Replies:
        assert self._transaction is not None
        later = self._transaction.rcpt(command)
        if later is not None:
            return self._rcpt_late(later)
        return self._along(replies.RECIPIENT_OK)

    def _along(self, reply: bytes) -> Replies:
        """With the replies to what came along and needs no thought."""
        assert self._transaction is not None
        if len(self._wire):
            reply = along.answered(reply, self._wire, self._transaction)
            if self._wire.owed:
                self._last, self._last_id = self._transaction.envelope, ""
        return (reply,)

    async def _rcpt_late(self, later: Awaitable[None]) -> AsyncGenerator[Reply, None]:
        await later
        yield replies.RECIPIENT_OK

    def _data(self, command: commands.Data, following: Input) -> Replies:
        assert self._transaction is not None
        refusal = self._transaction.refusal()
        if refusal is None and self._transaction.binary:
            refusal = replies.NO_DATA_FOR_BINARY
        if refusal is not None:
            return self._refused(refusal, command)
        if len(self._wire) and self._too_eager("message_before_354"):  # RFC 2920 3.1: DATA ends a group
            return self._sent_away(command)
        self._last, self._last_id = self._transaction.envelope, ""
        try:
            later = self._desk.inbound.ready(self._transaction.envelope)
        except Problem:
            self._reset()
            raise
        if later is not None:
            return self._go_ahead_late(later)
        self._wire.expect_message()
        return _GO_AHEAD

    async def _go_ahead_late(self, later: Awaitable[None]) -> AsyncGenerator[Reply, None]:
        try:
            await later
        except BaseException:
            self._reset()
            raise
        self._wire.expect_message()
        yield replies.GO_AHEAD

    def _message(self, command: commands.Message, following: Input) -> Replies:
        """What came after 354.  When one read brought it all there is one thing to wait for, the flush."""
        current = self._transaction
        assert current is not None
        if command.whole is None:
            return self._take_message(current.data(following), current)
        try:
            begun = current.whole(command.whole)
            later = begun.go()
        except BaseException:
            self._taken(current)
            raise
        if later is None or later is not begun.flushing:
            return self._take_message(self._told(current, begun, later), current)
        flushing = begun.flushing

        def then() -> Replies:
            try:
                again = begun.go()
            except BaseException:
                self._taken(current)
                raise
            if again is not None:
                return self._take_message(self._told(current, begun, again), current)
            self._taken(current)
            self._errors = self._idled = 0
            return (current.told(begun.outcomes()),)

        return Pending(flushing, then)

    async def _told(self, current: Transaction, begun: Begun, later: Awaitable[Any] | None) -> bytes:
        return current.told(await begun.rest(later))

    async def _take_message(
        self, reply: Awaitable[bytes], current: Transaction
    ) -> AsyncGenerator[Reply, None]:
        try:
            answer = await reply
        finally:
            self._taken(current)
        self._errors = self._idled = 0
        yield answer

    def _taken(self, current: Transaction) -> None:
        """The message was taken or refused: the transaction is over."""
        self._last_id = current.message_id
        self._reset()

    async def _bdat(self, command: commands.Bdat, following: Input) -> AsyncGenerator[Reply, None]:
        current = self._transaction
        refusal = replies.SENDER_FIRST if current is None else current.refusal()
        if current is None or refusal is not None:
            await transaction.skip(command.size, following)
            answer = self._refused(refusal or replies.SENDER_FIRST, command)
            async with aclosing(each(answer)) as told:
                async for reply in told:
                    yield reply
            return
        self._last, self._last_id, done = current.envelope, "", command.last
        try:
            await self._ready(current, command.size, following)
            reply = await current.chunk(command, following)
        except BaseException:
            done = True  # RFC 3030 4.2: after a failure only RSET would be of use
            raise
        finally:
            self._last_id = current.message_id
            if done:
                self._reset()
        self._errors = self._idled = 0
        yield reply

    async def _ready(self, current: Transaction, size: int, following: Input) -> None:
        """Asks the checks before the first octets of a message count; a refused chunk is read past."""
        if current.started:
            return
        try:
            later = self._desk.inbound.ready(current.envelope)
            if later is not None:
                await later
        except Problem:
            await transaction.skip(size, following)
            raise

    def _burl(self, command: commands.Burl, following: Input) -> Replies:
        """RFC 4468 3.2; submission only."""
        current, resolve, identity = self._transaction, self._desk.resolve_burl, self._identity
        assert current is not None
        if resolve is None or self._desk.role is not Role.SUBMISSION:
            raise BadSyntax("BURL not available here", Reason.UNKNOWN_COMMAND)
        if identity is None:
            raise Refused(Reason.AUTH_REQUIRED)
        if current.refusal() is not None:
            return self._refused(replies.NO_BURL_RECIPIENTS, command)
        return self._take_burl(current, command, resolve, identity, following)

    async def _take_burl(
        self,
        current: Transaction,
        command: commands.Burl,
        resolve: ResolveBurl,
        identity: Identity,
        following: Input,
    ) -> AsyncGenerator[Reply, None]:
        self._last, self._last_id, done = current.envelope, "", command.last
        try:
            await self._ready(current, 0, following)
            reply = await current.burl(command, resolve, identity)
        except BaseException:
            done = True  # RFC 4468 3.2: when the fetch fails, the whole transaction does
            raise
        finally:
            self._last_id = current.message_id
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
        desk = self._desk
        if not offers.may_ask(offers.Asker(desk, self._peer, self._identity)):
            return [replies.CANNOT_VERIFY]
        return [inquiries.vrfy(desk, command.name)]

    def _expn(self, command: commands.Expn, following: Input) -> Replies:
        desk = self._desk
        if not offers.may_ask(offers.Asker(desk, self._peer, self._identity)):
            return [replies.NO_EXPN]
        return [inquiries.expn(desk, command.name)]

    def _help(self, command: commands.Help, following: Input) -> Replies:
        return [inquiries.help_with(self._desk.role, command.topic)]

    def _xclient(self, command: commands.Xclient, following: Input) -> Replies:
        """From here on the client is whom the proxy names; it begins anew (XCLIENT_README)."""
        desk, said = self._desk, command.attributes
        if self._real not in desk.xclient_from:
            return self._refused(replies.NOT_ALLOWED, command)
        identity = inquiries.identity(desk, said["LOGIN"]) if said.get("LOGIN") else None
        peer = self._peer = replace(
            self._peer,  # the listener goes on counting the connection as the proxy's
            address=said.get("ADDR") or self._peer.address,
            port=int(said.get("PORT") or (0 if said.get("ADDR") else self._peer.port)),
            local_address=said.get("DESTADDR") or self._peer.local_address,
            local_port=int(said.get("DESTPORT") or self._peer.local_port),
            helo=said.get("HELO", "")[:MAX_HELO],
            user="",
            notes={"name": said["NAME"]} if said.get("NAME") else {},
        )
        self._identity = identity
        self._helo, self._extended = peer.helo, said.get("PROTO") != "SMTP"
        logger.info("speaks for", conn=peer.id, proxy=self._real, **_lower(said))
        return self.greet()

    def _xforward(self, command: commands.Xforward, following: Input) -> Replies:
        """For log and trace of the next message (XFORWARD_README)."""
        if self._real not in self._desk.xforward_from:
            return self._refused(replies.NOT_ALLOWED, command)
        known: dict[str, str] = self._peer.notes.setdefault("forwarded", {})
        known.update(_lower(command.attributes))
        logger.info("forwarded", conn=self._peer.id, **_lower(command.attributes))
        return [replies.FORWARDED]

    def _etrn(self, command: commands.Etrn, following: Input) -> Replies:
        turns = self._desk.turns
        if turns is None:
            return self._refused(replies.NO_TURNING, command)
        return self._start_queue(turns, command)

    async def _start_queue(self, turns: Turns, command: commands.Etrn) -> AsyncGenerator[Reply, None]:
        """RFC 1985 5.  Who is not known may name those that we relay for."""
        known = offers.Asker(self._desk, self._peer, self._identity).known
        yield await turns.etrn(command.node, known=known)

    def _atrn(self, command: commands.Atrn, following: Input) -> Replies:
        turns = self._desk.turns
        if turns is None:
            return self._refused(replies.NO_TURNING, command)
        return turns.atrn(command.domains, self._identity, self._peer)

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


def _lower(attributes: dict[str, str]) -> dict[str, str]:
    return {f"client_{name.lower()}": value for name, value in attributes.items()}


_OK = (replies.OK,)
_GO_AHEAD = (replies.GO_AHEAD,)

Handler = Callable[[SmtpSession, Any, Input], Replies]  # Any: each takes the command it stands beside
HANDLERS: dict[type[commands.Command], Handler] = {
    commands.Hello: SmtpSession._hello,
    commands.Mail: SmtpSession._mail,
    commands.Rcpt: SmtpSession._rcpt,
    commands.Data: SmtpSession._data,
    commands.Message: SmtpSession._message,
    commands.Bdat: SmtpSession._bdat,
    commands.Burl: SmtpSession._burl,
    commands.Rset: SmtpSession._rset,
    commands.Vrfy: SmtpSession._vrfy,
    commands.Expn: SmtpSession._expn,
    commands.Help: SmtpSession._help,
    commands.Noop: SmtpSession._noop,
    commands.Quit: SmtpSession._quit,
    commands.Auth: SmtpSession._auth,
    commands.StartTls: SmtpSession._starttls,
    commands.Etrn: SmtpSession._etrn,
    commands.Atrn: SmtpSession._atrn,
    commands.Xclient: SmtpSession._xclient,
    commands.Xforward: SmtpSession._xforward,
}
